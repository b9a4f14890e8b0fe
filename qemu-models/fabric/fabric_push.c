// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reducing push: slots, in which the switches keep what members of a group
 * send, until that of the last one lets them reduce it. Documentation/hw/
 * fabric.rst, "Reducing push".
 *
 * Nobody blocks here and no thread serves the slots: who sends the last
 * contribution reduces and delivers; whoever looks at a slot finds out that its
 * time is over or that it can have no result any more, and ends it for all.
 * Only resets end slots at once, because what they take away may be back before
 * anybody looks.
 *
 * All of it under page->push, inside page->lock.
 */
#include "fabric_internal.h"

static bool has(const struct af_push_slot *s, uint32_t id)
{
	return s->have[id / 64] >> (id % 64) & 1;
}

/* A member has learnt how the slot ended, or never will. */
static void forget(struct af_push_slot *s, uint32_t id)
{
	s->have[id / 64] &= ~(1ULL << (id % 64));
	for (uint32_t i = 0; i < AF_EP_WORDS; i++)
		if (s->have[i])
			return;
	s->state = AF_PUSH_FREE;
}

static uint64_t planes_of(const struct af_path *path)
{
	uint64_t planes = 0;

	for (uint32_t i = 0; i < path->num; i++)
		planes |= 1ULL << af_side_dev(path->lane[i].in);
	return planes;
}

#define for_each_plane(p, left, planes) \
	for (left = (planes); left && ((p) = __builtin_ctzll(left), true); \
	     left &= left - 1)

/* The group in a switch, if it is the one that the slot is for; else NULL */
static struct af_group *slot_group(struct af_fabric *f,
				   const struct af_push_slot *s, uint32_t plane)
{
	struct af_group *g = &f->page->group[plane][s->group];

	if (!g->num || g->key != s->key || g->epoch > s->born)
		return NULL;
	return g;
}

static void slot_end(struct af_fabric *f, struct af_push_slot *s,
		     enum alink_status status)
{
	struct af_switch *sw;
	struct af_group *g;
	uint64_t left;
	uint32_t p;

	s->state = AF_PUSH_ENDED;
	s->status = status;
	for_each_plane(p, left, s->planes) {
		sw = &f->page->sw[p];
		sw->push_used--;
		if (status == ALINK_ST_OK)
			continue;
		af_acct_lock(f);
		if (status == ALINK_ST_TIMEOUT)
			sw->push_timeouts++;
		else
			sw->push_aborts++;
		af_acct_unlock(f);
		g = slot_group(f, s, p);
		if (g && g->ended <= s->epoch)
			g->ended = s->epoch + 1;
	}
}

/* Has the epoch ended in one of these switches? Group as of @path. */
static bool epoch_ended(struct af_fabric *f, uint32_t group, uint64_t planes,
			uint64_t epoch)
{
	uint64_t left;
	uint32_t p;

	for_each_plane(p, left, planes)
		if (f->page->group[p][group].ended > epoch)
			return true;
	return false;
}

static void count_late(struct af_fabric *f, uint64_t planes)
{
	uint64_t left;
	uint32_t p;

	af_acct_lock(f);
	for_each_plane(p, left, planes)
		f->page->sw[p].push_late++;
	af_acct_unlock(f);
}

/* Why an open slot has to end although nobody looked at its members, or OK */
static enum alink_status slot_state(struct af_fabric *f,
				    const struct af_push_slot *s)
{
	uint64_t left;
	uint32_t p;

	for_each_plane(p, left, s->planes)
		if (!slot_group(f, s, p))
			return ALINK_ST_ABORTED;
	if (epoch_ended(f, s->group, s->planes, s->epoch))
		return ALINK_ST_EPOCH;
	if (af_clock_ns(f) >= s->deadline)
		return ALINK_ST_TIMEOUT;
	return ALINK_ST_OK;
}

/* The same with all that a contribution of @id was checked for */
static enum alink_status slot_recheck(struct af_fabric *f, uint32_t id,
				      const struct af_push_slot *s)
{
	struct af_members t = { .group = s->group, .key = s->key };
	enum alink_status st = slot_state(f, s);
	uint64_t bad;

	if (st)
		return st;
	st = af_members_check(f, id, s->offset, s->len, ALINK_SEG_WRITE, &t,
			      &bad);
	if (st)
		return st;
	return planes_of(&t.path) == s->planes ? ALINK_ST_OK :
						 ALINK_ST_PORT_DOWN;
}

/* --- a contribution -------------------------------------------------- */

/* The open slot for the chunk of @a, or NULL */
static struct af_push_slot *slot_find(struct af_fabric *f,
				      const struct af_members *t,
				      const struct af_push_args *a)
{
	struct af_page *p = f->page;

	for (uint32_t i = 0; i < p->push_top; i++) {
		struct af_push_slot *s = &p->push_slot[i];

		if (s->state == AF_PUSH_OPEN && s->group == t->group &&
		    s->key == t->key && s->epoch == a->epoch &&
		    s->offset == a->offset)
			return s;
	}
	return NULL;
}

/* Has each switch a slot left? @count: those that have none say so. */
static bool credit(struct af_fabric *f, uint64_t planes, bool count)
{
	struct af_page *p = f->page;
	uint64_t left;
	uint32_t i;
	bool ok = true;

	af_acct_lock(f);
	for_each_plane(i, left, planes) {
		if (p->sw[i].push_used < p->push_slots)
			continue;
		ok = false;
		p->sw[i].push_waits += count;
	}
	af_acct_unlock(f);
	return ok;
}

/* NULL: there is no slot for it now. */
static struct af_push_slot *slot_open(struct af_fabric *f,
				      const struct af_members *t,
				      const struct af_push_args *a,
				      uint64_t deadline, bool count)
{
	uint64_t left, planes = planes_of(&t->path);
	struct af_page *p = f->page;
	struct af_push_slot *s;
	uint32_t i, plane;

	if (!credit(f, planes, count))
		return NULL;
	/* Slots that ended and were not looked at hold no credit, but a place. */
	for (i = 0; i < AF_PUSH_POOL; i++)
		if (p->push_slot[i].state == AF_PUSH_FREE)
			break;
	if (i == AF_PUSH_POOL)
		return NULL;
	if (i >= p->push_top)
		p->push_top = i + 1;
	s = &p->push_slot[i];
	memset(s, 0, sizeof(*s));
	s->state = AF_PUSH_OPEN;
	s->serial = ++p->push_serial;
	s->group = t->group;
	s->key = t->key;
	s->born = p->epoch;
	s->planes = planes;
	s->offset = a->offset;
	s->len = a->len;
	s->epoch = a->epoch;
	s->dtype = a->dtype;
	s->op = a->op;
	s->deadline = deadline;
	for_each_plane(plane, left, planes)
		p->sw[plane].push_used++;
	return s;
}

static uint8_t *slot_data(struct af_fabric *f, const struct af_push_slot *s)
{
	return f->page->push_data[s - f->page->push_slot];
}

/* What the members sent lies in their order, whoever was first. */
static void contribute(struct af_fabric *f, struct af_push_slot *s,
		       const struct af_group *g, uint32_t id, const void *buf)
{
	uint32_t place = 0;

	for (uint32_t i = 0; i < id / 64; i++)
		place += __builtin_popcountll(g->members[i]);
	place += __builtin_popcountll(g->members[id / 64] &
				      ((1ULL << (id % 64)) - 1));
	memcpy(slot_data(f, s) + place * s->len, buf, s->len);
	s->have[id / 64] |= 1ULL << (id % 64);
	s->num++;
}

/* All are here. */
static void slot_reduce(struct af_fabric *f, struct af_push_slot *s,
			uint32_t id, struct af_members *t)
{
	size_t size = af_dtype_size(s->dtype);
	uint8_t *data = slot_data(f, s);
	const void *src[AF_MAX_EP];
	uint64_t done, chunk;

	for (done = 0; done < s->len; done += chunk) {
		chunk = AF_RED_BLOCK * size;
		if (chunk > s->len - done)
			chunk = s->len - done;
		for (uint32_t i = 0; i < s->num; i++)
			src[i] = data + i * s->len + done;
		/* A block is read whole before it is written. */
		af_reduce_block(data + done, src, s->num, chunk / size,
				s->dtype, s->op);
	}
	af_group_deliver(f, t, s->offset, data, s->len);
	af_path_stripe(&t->path, s->offset, s->len);
	s->model_ns = af_account_push(f, id, t->group, &t->path, &s->idle_ns);
	slot_end(f, s, ALINK_ST_OK);
}

uint64_t af_push_chunk(struct af_fabric *f, uint32_t id, uint32_t slot)
{
	const struct af_import *im;
	uint32_t members = 0;

	if (id >= AF_MAX_EP || slot >= AF_MAX_GROUP_SLOTS)
		return ALINK_PUSH_MAX_CHUNK;
	af_rdlock(f);
	im = &f->page->gslot[id][slot];
	for (uint32_t i = 0; im->key && i < AF_MAX_PLANES && !members; i++) {
		const struct af_group *g = &f->page->group[i][im->object];

		if (g->num && g->key == im->key)
			members = g->num;
	}
	af_rdunlock(f);
	return alink_push_chunk(members);
}

static bool slot_learn(struct af_push_slot *s, uint32_t id,
		       const struct af_push *push, struct af_result *res)
{
	res->status = s->status;
	res->model_ns = s->model_ns - (push->follows ? s->idle_ns : 0);
	forget(s, id);
	return true;
}

/* The group can be used. Returns as af_push(). */
static bool send(struct af_fabric *f, uint32_t id, struct af_members *t,
		 const struct af_push_args *a, const void *buf,
		 struct af_push *push, struct af_result *res)
{
	uint64_t planes = planes_of(&t->path);
	struct af_push_slot *s;
	enum alink_status st;

	s = slot_find(f, t, a);
	if (s) {
		/* This contribution comes too late for it. */
		st = slot_state(f, s);
		if (!st && s->planes != planes)
			st = ALINK_ST_PORT_DOWN;
		if (st)
			slot_end(f, s, st);
	}
	if (epoch_ended(f, t->group, planes, a->epoch)) {
		count_late(f, planes);
		res->status = ALINK_ST_EPOCH;
		return true;
	}
	if (s && s->state != AF_PUSH_OPEN)
		s = NULL;
	if (s && has(s, id)) {
		res->status = ALINK_ST_EXISTS;
		return true;
	}
	if (s && (s->len != a->len || s->dtype != a->dtype ||
		  s->op != a->op)) {
		res->status = ALINK_ST_BAD_FIELD;
		return true;
	}
	if (!s) {
		if (af_clock_ns(f) >= push->deadline) {
			res->status = ALINK_ST_TIMEOUT;
			return true;
		}
		s = slot_open(f, t, a, push->deadline, !push->waited);
		push->waited |= !s;
		if (!s)
			return false;
	}
	if (s->deadline > push->deadline)
		s->deadline = push->deadline;
	contribute(f, s, t->path.group, id, buf);
	push->sent = true;
	push->slot = s - f->page->push_slot;
	push->serial = s->serial;
	if (s->num < t->path.group->num)
		return false;
	slot_reduce(f, s, id, t);
	return slot_learn(s, id, push, res);
}

bool af_push(struct af_fabric *f, uint32_t id, const struct af_push_args *a,
	     const void *buf, struct af_push *push, struct af_result *res)
{
	size_t size = af_dtype_size(a->dtype);
	struct af_members t;
	uint64_t ms;
	bool over;

	memset(res, 0, sizeof(*res));
	if (!af_dtype_reducible(a->dtype) || (uint32_t)a->op > ALINK_OP_MAX) {
		res->status = ALINK_ST_UNSUPPORTED;
		return true;
	}
	if (a->offset % size || a->len % size) {
		res->status = ALINK_ST_ALIGN;
		return true;
	}
	if (!push->deadline) {
		ms = a->timeout_ms ? a->timeout_ms : ALINK_PUSH_TIMEOUT_MS;
		push->deadline = af_clock_ns(f) + ms * 1000000;
	}
	if (!af_group_begin(f, id, a->slot, a->offset, a->len, ALINK_SEG_WRITE,
			    push->waited, &t, res))
		return true;
	if (a->epoch > ALINK_PUSH_MAX_EPOCH ||
	    a->len > alink_push_chunk(t.path.group->num)) {
		res->status = ALINK_ST_BAD_FIELD;
		over = true;
	} else if (!a->len) {
		over = true;
	} else {
		af_push_lock(f);
		over = send(f, id, &t, a, buf, push, res);
		af_push_unlock(f);
	}
	af_group_end(f);
	return over;
}

/* The slot that has the contribution; NULL: a reset took it. */
static struct af_push_slot *slot_of(struct af_fabric *f, uint32_t id,
				    const struct af_push *push)
{
	struct af_push_slot *s = &f->page->push_slot[push->slot];

	if (s->state == AF_PUSH_FREE || s->serial != push->serial ||
	    !has(s, id))
		return NULL;
	return s;
}

bool af_push_poll(struct af_fabric *f, uint32_t id, struct af_push *push,
		  struct af_result *res)
{
	struct af_push_slot *s;
	enum alink_status st;
	bool over = true;

	memset(res, 0, sizeof(*res));
	af_rdlock(f);
	af_push_lock(f);
	s = slot_of(f, id, push);
	if (!s) {
		res->status = ALINK_ST_ABORTED;
		goto out;
	}
	st = s->state == AF_PUSH_OPEN ? slot_recheck(f, id, s) : ALINK_ST_OK;
	if (st)
		slot_end(f, s, st);
	over = s->state == AF_PUSH_ENDED;
	if (over)
		slot_learn(s, id, push, res);
out:
	af_push_unlock(f);
	af_group_end(f);
	return over;
}

void af_push_cancel(struct af_fabric *f, uint32_t id, struct af_push *push)
{
	struct af_push_slot *s;

	if (!push->sent)
		return;
	af_rdlock(f);
	af_push_lock(f);
	s = slot_of(f, id, push);
	if (s && s->state == AF_PUSH_OPEN)
		slot_end(f, s, ALINK_ST_ABORTED);
	if (s)
		forget(s, id);
	af_push_unlock(f);
	af_rdunlock(f);
	push->sent = false;
}

/* --- resets, settings ------------------------------------------------ */

void af_push_drop_plane(struct af_fabric *f, uint32_t plane)
{
	struct af_page *p = f->page;

	af_assert_writer(f);
	af_push_lock(f);
	for (uint32_t i = 0; i < p->push_top; i++)
		if (p->push_slot[i].state == AF_PUSH_OPEN &&
		    p->push_slot[i].planes >> plane & 1)
			slot_end(f, &p->push_slot[i], ALINK_ST_ABORTED);
	af_push_unlock(f);
}

void af_push_drop_member(struct af_fabric *f, uint32_t id)
{
	struct af_push_slot *s;

	af_assert_writer(f);
	af_push_lock(f);
	for (uint32_t i = 0; i < f->page->push_top; i++) {
		s = &f->page->push_slot[i];
		if (s->state == AF_PUSH_FREE || !has(s, id))
			continue;
		if (s->state == AF_PUSH_OPEN)
			slot_end(f, s, ALINK_ST_ABORTED);
		forget(s, id);
	}
	af_push_unlock(f);
}

int af_fabric_set_push_slots(struct af_fabric *f, uint32_t slots)
{
	if (!slots || slots > AF_PUSH_SLOTS)
		return -EINVAL;
	af_wrlock(f);
	f->page->push_slots = slots;
	af_wrunlock(f, NULL);
	return 0;
}

uint32_t af_fabric_push_slots(struct af_fabric *f)
{
	uint32_t slots;

	af_rdlock(f);
	slots = f->page->push_slots;
	af_rdunlock(f);
	return slots;
}
