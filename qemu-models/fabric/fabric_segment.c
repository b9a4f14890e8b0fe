// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segments: what an endpoint opens to others; import slots; poison.
 *
 * A segment belongs to the partition that its owner was in when it was
 * exported (or joined first after that). It stays with that partition: should
 * the owner move to another one, the segment is out of everybody's reach.
 *
 * An import slot is a note of the initiator: it is checked against the target
 * by each operation, not when it is made.
 */
#include "fabric_internal.h"

#define AF_SEG_RIGHTS	(ALINK_SEG_READ | ALINK_SEG_WRITE | ALINK_SEG_ATOMIC | \
			 ALINK_SEG_GROUP)

struct af_segment *af_seg_find(struct af_fabric *f, uint32_t id, uint32_t seg)
{
	uint32_t idx;

	if (id >= AF_MAX_EP || seg >= AF_MAX_SEGS)
		return NULL;
	idx = f->page->seg_index[id][seg];
	return idx ? &f->page->seg[idx - 1] : NULL;
}

/* Pool index of a free segment, or AF_SEG_POOL. Writer. */
static uint32_t seg_alloc(struct af_fabric *f)
{
	struct af_page *p = f->page;
	uint32_t i, n;

	af_assert_writer(f);
	for (n = 0, i = p->seg_hint; n < AF_SEG_POOL; n++, i++) {
		i %= AF_SEG_POOL;
		if (!p->seg[i].key) {
			p->seg_hint = i + 1;
			return i;
		}
	}
	return AF_SEG_POOL;
}

static bool extent_ok(const struct af_extent *e, uint64_t size)
{
	return e->len && !(e->addr % AF_ACCESS_ALIGN) &&
	       !(e->len % AF_ACCESS_ALIGN) && e->addr <= size &&
	       e->len <= size - e->addr;
}

int af_seg_export(struct af_fabric *f, uint32_t id, uint32_t seg, uint64_t key,
		  uint32_t rights, const struct af_extent *ext, size_t n)
{
	struct af_page *p = f->page;
	struct af_segment *s;
	int ret = ALINK_ST_OK;
	uint32_t idx;
	size_t i;

	if (seg >= AF_MAX_SEGS || !key || !rights || rights & ~AF_SEG_RIGHTS ||
	    !n || n > AF_MAX_SEG_EXTENTS)
		return ALINK_ST_BAD_FIELD;

	af_wrlock(f);
	if (!af_ep_ok(f, id)) {
		ret = ALINK_ST_NOT_FOUND;
		goto out;
	}
	for (i = 0; i < n; i++) {
		if (!extent_ok(&ext[i], p->ep[id].size)) {
			ret = ALINK_ST_BAD_FIELD;
			goto out;
		}
	}
	if (p->seg_index[id][seg]) {
		ret = ALINK_ST_EXISTS;
		goto out;
	}
	idx = seg_alloc(f);
	if (idx == AF_SEG_POOL) {
		ret = ALINK_ST_NO_ROOM;
		goto out;
	}
	s = &p->seg[idx];
	memset(s, 0, sizeof(*s));
	s->key = key;
	s->rights = rights;
	s->num = n;
	s->partition = p->ep[id].partition;
	for (i = 0; i < n; i++) {
		s->ext[i] = ext[i];
		s->len += ext[i].len;
	}
	p->seg_index[id][seg] = idx + 1;
out:
	af_wrunlock(f, NULL);
	return ret;
}

int af_seg_get(struct af_fabric *f, uint32_t id, uint32_t from,
	       struct af_segment_info *info)
{
	const struct af_segment *s = NULL;
	int ret = ALINK_ST_NOT_FOUND;

	memset(info, 0, sizeof(*info));
	af_rdlock(f);
	if (!af_ep_ok(f, id))
		from = AF_MAX_SEGS;
	for (; from < AF_MAX_SEGS && !s; from++) {
		s = af_seg_find(f, id, from);
		info->id = from;
	}
	if (s) {
		info->rights = s->rights;
		info->len = s->len;
		info->num_extents = s->num;
		info->partition = s->partition;
		info->num_bindings = af_group_num_binds(f, id, info->id);
		ret = ALINK_ST_OK;
	}
	af_rdunlock(f);
	return ret;
}

/* Writer: nothing is in flight. */
static void seg_drop(struct af_fabric *f, uint32_t id, uint32_t seg)
{
	struct af_page *p = f->page;

	af_assert_writer(f);
	af_group_drop_seg(f, id, seg);
	memset(af_seg_find(f, id, seg), 0, sizeof(struct af_segment));
	p->seg_index[id][seg] = 0;
}

int af_seg_revoke(struct af_fabric *f, uint32_t id, uint32_t seg)
{
	int ret = ALINK_ST_OK;

	if (seg >= AF_MAX_SEGS)
		return ALINK_ST_BAD_FIELD;
	af_wrlock(f);
	if (!af_ep_ok(f, id) || !af_seg_find(f, id, seg))
		ret = ALINK_ST_NOT_FOUND;
	else
		seg_drop(f, id, seg);
	af_wrunlock(f, NULL);
	return ret;
}

void af_seg_drop_all(struct af_fabric *f, uint32_t id)
{
	struct af_page *p = f->page;

	af_assert_writer(f);
	for (uint32_t i = 0; i < AF_MAX_SEGS; i++)
		if (p->seg_index[id][i])
			seg_drop(f, id, i);
	for (uint32_t i = 0; i < AF_MAX_IMPORTS; i++)
		if (p->import[id][i].key)
			memset(&p->import[id][i], 0, sizeof(p->import[id][i]));
}

void af_seg_adopt(struct af_fabric *f, uint32_t id, uint32_t partition)
{
	struct af_segment *s;

	af_assert_writer(f);
	for (uint32_t i = 0; i < AF_MAX_SEGS; i++) {
		s = af_seg_find(f, id, i);
		if (s && !s->partition)
			s->partition = partition;
	}
}

int af_seg_import(struct af_fabric *f, uint32_t id, uint32_t slot,
		  uint32_t target, uint32_t seg, uint64_t key)
{
	struct af_import *im;
	int ret = ALINK_ST_OK;

	if (slot >= AF_MAX_IMPORTS || target >= AF_MAX_EP ||
	    seg >= AF_MAX_SEGS || !key)
		return ALINK_ST_BAD_FIELD;

	af_wrlock(f);
	if (!af_ep_ok(f, id)) {
		ret = ALINK_ST_NOT_FOUND;
		goto out;
	}
	im = &f->page->import[id][slot];
	if (im->key) {
		ret = ALINK_ST_EXISTS;
		goto out;
	}
	im->key = key;
	im->object = seg;
	im->target = target;
out:
	af_wrunlock(f, NULL);
	return ret;
}

int af_seg_release(struct af_fabric *f, uint32_t id, uint32_t slot)
{
	struct af_import *im;
	int ret = ALINK_ST_NOT_FOUND;

	if (slot >= AF_MAX_IMPORTS)
		return ALINK_ST_BAD_FIELD;
	af_wrlock(f);
	if (af_ep_ok(f, id)) {
		im = &f->page->import[id][slot];
		if (im->key) {
			memset(im, 0, sizeof(*im));
			ret = ALINK_ST_OK;
		}
	}
	af_wrunlock(f, NULL);
	return ret;
}

struct af_piece af_seg_piece(const struct af_segment *seg, uint64_t offset,
			     uint64_t len)
{
	uint32_t i = 0;

	while (offset >= seg->ext[i].len) {
		offset -= seg->ext[i].len;
		i++;
		assert(i < seg->num);
	}
	if (len > seg->ext[i].len - offset)
		len = seg->ext[i].len - offset;
	return (struct af_piece){ .addr = seg->ext[i].addr + offset,
				  .len = len };
}

/* --- poison ------------------------------------------------------------------ */

int af_poison_add(struct af_fabric *f, uint32_t id, uint64_t addr, uint64_t len)
{
	struct af_endpoint *ep;
	int ret = 0;

	if (id >= AF_MAX_EP || !len)
		return -EINVAL;
	af_wrlock(f);
	ep = &f->page->ep[id];
	if (!ep->present) {
		ret = -ENODEV;
	} else if (addr > ep->size || len > ep->size - addr) {
		ret = -EINVAL;
	} else if (ep->num_poison == AF_MAX_POISON) {
		ret = -ENOSPC;
	} else {
		ep->poison[ep->num_poison].addr = addr;
		ep->poison[ep->num_poison].len = len;
		ep->num_poison++;
	}
	af_wrunlock(f, NULL);
	return ret;
}

int af_poison_clear(struct af_fabric *f, uint32_t id)
{
	int ret = -ENODEV;

	af_wrlock(f);
	if (af_ep_ok(f, id)) {
		f->page->ep[id].num_poison = 0;
		ret = 0;
	}
	af_wrunlock(f, NULL);
	return ret;
}

/*
 * Operations share the list: healing happens under acct, with the reader lock
 * only. An empty list, by far the usual case, costs one load.
 */
static bool no_poison(const struct af_endpoint *ep)
{
	return !__atomic_load_n(&ep->num_poison, __ATOMIC_RELAXED);
}

/* First bad byte in [addr, addr + len) as distance, or UINT64_MAX. acct. */
static uint64_t range_poison(const struct af_endpoint *ep, uint64_t addr,
			     uint64_t len)
{
	uint64_t first = UINT64_MAX, at;

	for (uint32_t i = 0; i < ep->num_poison; i++) {
		const struct af_poison *x = &ep->poison[i];

		if (x->addr >= addr + len || addr >= x->addr + x->len)
			continue;
		at = x->addr > addr ? x->addr - addr : 0;
		if (at < first)
			first = at;
	}
	return first;
}

/* acct */
static void range_heal(struct af_endpoint *ep, uint64_t addr, uint64_t len)
{
	uint32_t left = ep->num_poison;

	for (uint32_t i = 0; i < left;) {
		struct af_poison *x = &ep->poison[i];

		if (x->addr >= addr && x->addr + x->len <= addr + len)
			*x = ep->poison[--left];
		else
			i++;
	}
	__atomic_store_n(&ep->num_poison, left, __ATOMIC_RELAXED);
}

uint64_t af_seg_poison(struct af_fabric *f, uint32_t id,
		       const struct af_segment *seg, uint64_t offset,
		       uint64_t len)
{
	const struct af_endpoint *ep = &f->page->ep[id];
	uint64_t done = 0, first = UINT64_MAX;
	struct af_piece pc;

	if (no_poison(ep))
		return UINT64_MAX;

	af_acct_lock(f);
	for (; done < len && first == UINT64_MAX; done += pc.len) {
		pc = af_seg_piece(seg, offset + done, len - done);
		first = range_poison(ep, pc.addr, pc.len);
		if (first != UINT64_MAX)
			first += done;
	}
	af_acct_unlock(f);
	return first;
}

void af_seg_heal(struct af_fabric *f, uint32_t id,
		 const struct af_segment *seg, uint64_t offset, uint64_t len)
{
	struct af_endpoint *ep = &f->page->ep[id];
	struct af_piece pc;

	if (no_poison(ep))
		return;

	af_acct_lock(f);
	for (uint64_t done = 0; done < len; done += pc.len) {
		pc = af_seg_piece(seg, offset + done, len - done);
		range_heal(ep, pc.addr, pc.len);
	}
	af_acct_unlock(f);
}

uint64_t af_poison_find(struct af_fabric *f, uint32_t id, uint64_t addr,
			uint64_t len)
{
	const struct af_endpoint *ep;
	uint64_t first;

	if (id >= AF_MAX_EP || no_poison(&f->page->ep[id]))
		return UINT64_MAX;
	ep = &f->page->ep[id];
	af_rdlock(f);
	af_acct_lock(f);
	first = range_poison(ep, addr, len);
	af_acct_unlock(f);
	af_rdunlock(f);
	return first;
}

void af_poison_heal(struct af_fabric *f, uint32_t id, uint64_t addr,
		    uint64_t len)
{
	if (id >= AF_MAX_EP || no_poison(&f->page->ep[id]))
		return;
	af_rdlock(f);
	af_acct_lock(f);
	range_heal(&f->page->ep[id], addr, len);
	af_acct_unlock(f);
	af_rdunlock(f);
}
