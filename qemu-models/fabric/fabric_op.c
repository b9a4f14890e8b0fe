// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations. The initiator executes each one whole, under the page's reader
 * lock: all checks first, in the order of Documentation/hw/fabric.rst
 * ("Errors"), then the data, then counters and modelled time. An operation
 * that fails has moved nothing.
 *
 * Memory is that of the guests: other initiators and CPUs may touch it at the
 * same time. Atomics use the host's; for the rest, what overlaps is decided
 * byte by byte, as in hardware.
 */
#include "fabric_internal.h"

static void fail(struct af_result *res, enum alink_status status,
		 uint64_t offset)
{
	res->status = status;
	res->fail_offset = offset;
}

/* An injected failure of initiator @id, or ALINK_ST_OK */
static enum alink_status injected(struct af_fabric *f, uint32_t id)
{
	struct af_endpoint *ep = &f->page->ep[id];
	enum alink_status st = ALINK_ST_OK;

	if (!__atomic_load_n(&ep->fail_count, __ATOMIC_RELAXED))
		return st;
	af_acct_lock(f);
	if (ep->fail_count) {
		__atomic_store_n(&ep->fail_count, ep->fail_count - 1,
				 __ATOMIC_RELAXED);
		st = ep->fail_status;
	}
	af_acct_unlock(f);
	return st;
}

/* Does [offset, offset + len) fit into @size? Else where it stops fitting. */
static bool fits(uint64_t offset, uint64_t len, uint64_t size, uint64_t *bad)
{
	if (offset <= size && len <= size - offset)
		return true;
	*bad = offset < size ? size - offset : 0;
	return false;
}

/* Memory of a target that turned out to be bad; addr UINT64_MAX: none did */
struct bad_mem {
	uint32_t owner;
	uint64_t addr;
};

#define NO_BAD_MEM	((struct bad_mem){ .addr = UINT64_MAX })

/*
 * The owner of known-bad memory learns that somebody met it, as it is the one
 * who can do something about it. With no lock held.
 */
static void tell_owner(struct af_fabric *f, const struct bad_mem *bad)
{
	struct alink_event event = {
		.type = ALINK_EVENT_FAULT,
		.id = ALINK_ID_NONE,
		.code = ALINK_FAULT_HBM_ECC,
		.info = ALINK_RECOVERY_NONE,
		.addr = bad->addr,
	};

	if (bad->addr != UINT64_MAX && f->event_fn)
		f->event_fn(f->event_opaque, ALINK_DEVTYPE_XPU, bad->owner,
			    &event);
}

/*
 * Is memory of the segment of @owner known to be bad? Then *at is the distance
 * of its first byte from @offset.
 */
static bool is_bad(struct af_fabric *f, uint32_t owner,
		   const struct af_segment *seg, uint64_t offset, uint64_t len,
		   uint64_t *at, struct bad_mem *mem)
{
	uint64_t found = af_seg_poison(f, owner, seg, offset, len);

	if (found == UINT64_MAX)
		return false;
	*at = found;
	mem->owner = owner;
	mem->addr = af_seg_piece(seg, offset + found, 1).addr;
	return true;
}

/* --- one target --------------------------------------------------------------- */

struct target {
	uint32_t id;
	const struct af_segment *seg;
	struct af_path path;
};

/*
 * All checks of an operation on one target, up to poison. Takes the reader
 * lock and keeps it when it returns true.
 */
static bool target_begin(struct af_fabric *f, uint32_t id, uint32_t slot,
			 uint64_t offset, uint64_t len, uint32_t rights,
			 struct target *t, struct af_result *res)
{
	struct bad_mem mem = NO_BAD_MEM;
	struct af_page *p = f->page;
	const struct af_import *im;
	enum alink_status st;
	uint64_t bad = 0;

	memset(res, 0, sizeof(*res));
	af_rdlock(f);
	if (!af_ep_ok(f, id) || slot >= AF_MAX_IMPORTS) {
		st = ALINK_ST_BAD_FIELD;
		goto out;
	}
	st = injected(f, id);
	if (st)
		goto out;
	im = &p->import[id][slot];
	st = ALINK_ST_KEY;
	if (!im->key)
		goto out;
	t->id = im->target;
	st = af_path_unicast(f, id, t->id, &t->path);
	if (st)
		goto out;

	/* From here on the target decides. */
	st = ALINK_ST_UNREACHABLE;
	if (p->ep[t->id].mute || !f->mem[t->id])
		goto out;
	st = ALINK_ST_KEY;
	t->seg = af_seg_find(f, t->id, im->object);
	if (!t->seg || t->seg->key != im->key)
		goto out;
	st = ALINK_ST_PARTITION;
	if (t->seg->partition != p->ep[id].partition)
		goto out;
	st = ALINK_ST_KEY;
	if (~t->seg->rights & rights)
		goto out;
	st = ALINK_ST_RANGE;
	if (!fits(offset, len, t->seg->len, &bad))
		goto out;
	st = ALINK_ST_POISON;
	if (!(rights & ALINK_SEG_WRITE) &&
	    is_bad(f, t->id, t->seg, offset, len, &bad, &mem))
		goto out;
	return true;
out:
	fail(res, st, bad);
	af_rdunlock(f);
	tell_owner(f, &mem);
	return false;
}

/* Data is in place before whatever tells of the completion. */
static void target_end(struct af_fabric *f)
{
	atomic_thread_fence(memory_order_seq_cst);
	af_op_end(f);
}

void af_read(struct af_fabric *f, uint32_t id, uint32_t slot, uint64_t offset,
	     void *buf, uint64_t len, struct af_result *res)
{
	struct af_piece pc;
	struct target t;
	uint64_t done;

	if (!target_begin(f, id, slot, offset, len, ALINK_SEG_READ, &t, res))
		return;
	for (done = 0; done < len; done += pc.len) {
		pc = af_seg_piece(t.seg, offset + done, len - done);
		memmove((uint8_t *)buf + done, f->mem[t.id] + pc.addr, pc.len);
	}
	af_path_stripe(&t.path, offset, len);
	res->model_ns = af_account_read(f, &t.path);
	target_end(f);
}

void af_write(struct af_fabric *f, uint32_t id, uint32_t slot, uint64_t offset,
	      const void *buf, uint64_t len, struct af_result *res)
{
	struct af_piece pc;
	struct target t;
	uint64_t done;

	if (!target_begin(f, id, slot, offset, len, ALINK_SEG_WRITE, &t, res))
		return;
	for (done = 0; done < len; done += pc.len) {
		pc = af_seg_piece(t.seg, offset + done, len - done);
		memmove(f->mem[t.id] + pc.addr, (const uint8_t *)buf + done,
			pc.len);
	}
	af_seg_heal(f, t.id, t.seg, offset, len);
	af_path_stripe(&t.path, offset, len);
	res->model_ns = af_account_write(f, &t.path);
	target_end(f);
}

/* --- atomics ------------------------------------------------------------------- */

/* What an atomic stores. With 32 bits, operands come without upper halves. */
static uint64_t atomic_value(enum alink_atomic op, uint64_t old, uint64_t val,
			     uint64_t cmp)
{
	switch (op) {
	case ALINK_ATOMIC_ADD:
		return old + val;
	case ALINK_ATOMIC_CAS:
		return old == cmp ? val : old;
	case ALINK_ATOMIC_SWAP:
		return val;
	case ALINK_ATOMIC_AND:
		return old & val;
	case ALINK_ATOMIC_OR:
		return old | val;
	case ALINK_ATOMIC_XOR:
		return old ^ val;
	case ALINK_ATOMIC_MIN:
		return val < old ? val : old;
	case ALINK_ATOMIC_MAX:
		return val > old ? val : old;
	}
	return old;
}

/* Min and Max have no builtin, so that all go by compare and swap. */
static uint32_t atomic32(uint32_t *mem, enum alink_atomic op, uint32_t val,
			 uint32_t cmp)
{
	uint32_t old = __atomic_load_n(mem, __ATOMIC_SEQ_CST), new;

	do {
		new = atomic_value(op, old, val, cmp);
	} while (!__atomic_compare_exchange_n(mem, &old, new, false,
					      __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	return old;
}

static uint64_t atomic64(uint64_t *mem, enum alink_atomic op, uint64_t val,
			 uint64_t cmp)
{
	uint64_t old = __atomic_load_n(mem, __ATOMIC_SEQ_CST), new;

	do {
		new = atomic_value(op, old, val, cmp);
	} while (!__atomic_compare_exchange_n(mem, &old, new, false,
					      __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	return old;
}

void af_atomic(struct af_fabric *f, uint32_t id, uint32_t slot, uint64_t offset,
	       enum alink_atomic op, unsigned int width, uint64_t operand,
	       uint64_t compare, struct af_result *res)
{
	struct af_piece pc;
	struct target t;
	void *mem;

	memset(res, 0, sizeof(*res));
	if ((uint32_t)op > ALINK_ATOMIC_MAX) {
		fail(res, ALINK_ST_UNSUPPORTED, 0);
		return;
	}
	if ((width != 4 && width != 8) || offset % width) {
		fail(res, ALINK_ST_ALIGN, 0);
		return;
	}
	if (!target_begin(f, id, slot, offset, width, ALINK_SEG_ATOMIC, &t,
			  res))
		return;
	/* Extents are pages, so a naturally aligned word is in one piece. */
	pc = af_seg_piece(t.seg, offset, width);
	mem = f->mem[t.id] + pc.addr;
	if (width == 4)
		res->old = atomic32(mem, op, operand, compare);
	else
		res->old = atomic64(mem, op, operand, compare);
	res->model_ns = af_account_atomic(f, &t.path, offset,
					  op == ALINK_ATOMIC_CAS ? 2 * width :
								   width,
					  width);
	target_end(f);
}

/* --- groups -------------------------------------------------------------------- */

/* Member @m's memory in the group: its segment and where the group begins. */
static const struct af_segment *member_seg(struct af_fabric *f, uint32_t group,
					   uint32_t m, uint64_t *base)
{
	const struct af_bind *b = &f->page->bind[m][group];

	*base = b->offset;
	return af_seg_find(f, m, b->seg);
}

/* What can be wrong with one member; *bad is set for range and poison. */
static enum alink_status member_check(struct af_fabric *f, uint32_t id,
				      uint32_t group, uint64_t key, uint32_t m,
				      uint64_t offset, uint64_t len,
				      uint32_t rights, uint64_t *bad,
				      struct bad_mem *mem)
{
	const struct af_page *p = f->page;
	const struct af_bind *b = &p->bind[m][group];
	const struct af_segment *s;
	uint64_t base;

	if (p->ep[m].mute || !f->mem[m])
		return ALINK_ST_UNREACHABLE;
	if (!b->len || b->key != key)
		return ALINK_ST_GROUP;
	s = member_seg(f, group, m, &base);
	if (s->partition != p->ep[id].partition)
		return ALINK_ST_PARTITION;
	if (~s->rights & rights)
		return ALINK_ST_KEY;
	if (!fits(offset, len, b->len, bad))
		return ALINK_ST_RANGE;
	if (rights & ALINK_SEG_WRITE ||
	    !is_bad(f, m, s, base + offset, len, bad, mem))
		return ALINK_ST_OK;
	return ALINK_ST_POISON;
}

static enum alink_status members_check(struct af_fabric *f, uint32_t id,
				       uint64_t offset, uint64_t len,
				       uint32_t rights, bool again,
				       struct af_members *t, uint64_t *bad,
				       struct bad_mem *mem)
{
	enum alink_status st;
	uint32_t m;

	st = af_path_group(f, id, t->group, t->key, again, &t->path);
	if (st)
		return st;
	for (m = af_next_member(t->path.group, 0); m < AF_MAX_EP;
	     m = af_next_member(t->path.group, m + 1)) {
		st = member_check(f, id, t->group, t->key, m, offset, len,
				  rights, bad, mem);
		if (st) {
			af_account_group_error(f, &t->path, st);
			return st;
		}
	}
	return ALINK_ST_OK;
}

enum alink_status af_members_check(struct af_fabric *f, uint32_t id,
				   uint64_t offset, uint64_t len,
				   uint32_t rights, struct af_members *t,
				   uint64_t *bad)
{
	struct bad_mem mem = NO_BAD_MEM;

	return members_check(f, id, offset, len, rights, true, t, bad, &mem);
}

bool af_group_begin(struct af_fabric *f, uint32_t id, uint32_t slot,
		    uint64_t offset, uint64_t len, uint32_t rights, bool again,
		    struct af_members *t, struct af_result *res)
{
	struct bad_mem mem = NO_BAD_MEM;
	const struct af_import *im;
	enum alink_status st;
	uint64_t bad = 0;

	memset(res, 0, sizeof(*res));
	af_rdlock(f);
	if (!af_ep_ok(f, id) || slot >= AF_MAX_GROUP_SLOTS) {
		st = ALINK_ST_BAD_FIELD;
		goto out;
	}
	st = injected(f, id);
	if (st)
		goto out;
	im = &f->page->gslot[id][slot];
	st = ALINK_ST_KEY;
	if (!im->key)
		goto out;
	t->group = im->object;
	t->key = im->key;
	st = members_check(f, id, offset, len, rights, again, t, &bad, &mem);
	if (!st)
		return true;
out:
	fail(res, st, bad);
	af_rdunlock(f);
	tell_owner(f, &mem);
	return false;
}

void af_group_end(struct af_fabric *f)
{
	target_end(f);
}

void af_group_deliver(struct af_fabric *f, const struct af_members *t,
		      uint64_t offset, const void *buf, uint64_t len)
{
	const struct af_segment *s;
	struct af_piece pc;
	uint64_t base, done;
	uint32_t m;

	for (m = af_next_member(t->path.group, 0); m < AF_MAX_EP;
	     m = af_next_member(t->path.group, m + 1)) {
		s = member_seg(f, t->group, m, &base);
		for (done = 0; done < len; done += pc.len) {
			pc = af_seg_piece(s, base + offset + done, len - done);
			memmove(f->mem[m] + pc.addr,
				(const uint8_t *)buf + done, pc.len);
		}
		af_seg_heal(f, m, s, base + offset, len);
	}
}

void af_group_write(struct af_fabric *f, uint32_t id, uint32_t slot,
		    uint64_t offset, const void *buf, uint64_t len,
		    struct af_result *res)
{
	struct af_members t;

	if (!af_group_begin(f, id, slot, offset, len, ALINK_SEG_WRITE, false,
			    &t, res))
		return;
	af_group_deliver(f, &t, offset, buf, len);
	af_path_stripe(&t.path, offset, len);
	res->model_ns = af_account_multicast(f, id, t.group, &t.path);
	af_group_end(f);
}

/*
 * [done, done + chunk) of the operation, which is in one piece of memory with
 * every member: *chunk is cut until it is.
 */
static void gather(struct af_fabric *f, const struct af_members *t,
		   uint64_t offset, uint64_t *chunk, const void **src)
{
	const struct af_segment *s;
	struct af_piece pc;
	uint64_t base;
	size_t n = 0;

	for (uint32_t m = af_next_member(t->path.group, 0); m < AF_MAX_EP;
	     m = af_next_member(t->path.group, m + 1)) {
		s = member_seg(f, t->group, m, &base);
		pc = af_seg_piece(s, base + offset, *chunk);
		*chunk = pc.len;
		src[n++] = f->mem[m] + pc.addr;
	}
}

void af_group_reduce(struct af_fabric *f, uint32_t id, uint32_t slot,
		     uint64_t offset, void *buf, uint64_t len,
		     enum alink_dtype dtype, enum alink_redop op,
		     struct af_result *res)
{
	const void *src[AF_MAX_EP];
	size_t size = af_dtype_size(dtype);
	uint64_t done, chunk;
	struct af_members t;

	memset(res, 0, sizeof(*res));
	if (!af_dtype_reducible(dtype) || (uint32_t)op > ALINK_OP_MAX) {
		fail(res, ALINK_ST_UNSUPPORTED, 0);
		return;
	}
	if (offset % size || len % size) {
		fail(res, ALINK_ST_ALIGN, 0);
		return;
	}
	if (!af_group_begin(f, id, slot, offset, len, ALINK_SEG_READ, false,
			    &t, res))
		return;
	/* Extents are whole pages, so no element is ever cut in two. */
	for (done = 0; done < len; done += chunk) {
		chunk = AF_RED_BLOCK * size;
		if (chunk > len - done)
			chunk = len - done;
		gather(f, &t, offset + done, &chunk, src);
		af_reduce_block((uint8_t *)buf + done, src, t.path.group->num,
				chunk / size, dtype, op);
	}
	af_path_stripe(&t.path, offset, len);
	res->model_ns = af_account_reduce(f, id, t.group, &t.path);
	af_group_end(f);
}

/* --- knobs and names ------------------------------------------------------------- */

int af_endpoint_set_answering(struct af_fabric *f, uint32_t id, bool answers)
{
	int ret = -ENODEV;

	af_wrlock(f);
	if (af_ep_ok(f, id)) {
		f->page->ep[id].mute = !answers;
		ret = 0;
	}
	af_wrunlock(f, NULL);
	return ret;
}

int af_endpoint_fail_ops(struct af_fabric *f, uint32_t id,
			 enum alink_status status, uint32_t count)
{
	int ret = -ENODEV;

	if (status == ALINK_ST_OK && count)
		return -EINVAL;
	af_wrlock(f);
	if (af_ep_ok(f, id)) {
		f->page->ep[id].fail_status = status;
		f->page->ep[id].fail_count = count;
		ret = 0;
	}
	af_wrunlock(f, NULL);
	return ret;
}

const char *af_status_name(enum alink_status status)
{
	switch (status) {
	case ALINK_ST_OK:
		return "ok";
	case ALINK_ST_BAD_OPCODE:
		return "bad opcode";
	case ALINK_ST_BAD_FIELD:
		return "bad field";
	case ALINK_ST_TLV:
		return "bad TLV";
	case ALINK_ST_NO_ROOM:
		return "no room";
	case ALINK_ST_EXISTS:
		return "exists";
	case ALINK_ST_NOT_FOUND:
		return "not found";
	case ALINK_ST_BUSY:
		return "busy";
	case ALINK_ST_DMA:
		return "bus error";
	case ALINK_ST_ABORTED:
		return "aborted";
	case ALINK_ST_DENIED:
		return "denied";
	case ALINK_ST_STUCK:
		return "stuck";
	case ALINK_ST_NO_PATH:
		return "no path";
	case ALINK_ST_PORT_DOWN:
		return "port down";
	case ALINK_ST_PARTITION:
		return "foreign partition";
	case ALINK_ST_KEY:
		return "bad key";
	case ALINK_ST_RANGE:
		return "out of range";
	case ALINK_ST_POISON:
		return "poison";
	case ALINK_ST_TIMEOUT:
		return "timeout";
	case ALINK_ST_UNREACHABLE:
		return "unreachable";
	case ALINK_ST_GROUP:
		return "bad group";
	case ALINK_ST_UNSUPPORTED:
		return "unsupported";
	case ALINK_ST_EPOCH:
		return "epoch is over";
	case ALINK_ST_PAGE_FAULT:
		return "page fault";
	case ALINK_ST_PERMISSION:
		return "no permission";
	case ALINK_ST_ALIGN:
		return "misaligned";
	case ALINK_ST_FW_FORMAT:
		return "no firmware image";
	case ALINK_ST_FW_DEVTYPE:
		return "firmware of another device";
	case ALINK_ST_FW_VARIANT:
		return "firmware of another variant";
	case ALINK_ST_FW_LENGTH:
		return "bad firmware length";
	case ALINK_ST_FW_DIGEST:
		return "bad firmware digest";
	case ALINK_ST_FW_SECURITY:
		return "firmware below floor";
	}
	return "unknown status";
}
