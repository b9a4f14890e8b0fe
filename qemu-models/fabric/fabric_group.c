// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Multicast and reduction groups: tables of the switches, the memory that
 * members bind to them, and the slots through which members use them.
 *
 * Each switch has its own table. A binding names the group by id and key, so a
 * group that was deleted and made anew with another key finds no old bindings.
 */
#include "fabric_internal.h"

uint32_t af_next_member(const struct af_group *g, uint32_t id)
{
	uint64_t w;

	while (id < AF_MAX_EP) {
		w = g->members[id / 64] >> (id % 64);
		if (w)
			return id + __builtin_ctzll(w);
		id = (id / 64 + 1) * 64;
	}
	return AF_MAX_EP;
}

/* A group's table changed: tell the switch, and the members that are there. */
static void group_events(struct af_fabric *f, uint32_t plane, uint32_t id,
			 const struct af_group *g, bool added,
			 struct af_event_list *list)
{
	af_event(list, ALINK_DEVTYPE_SWITCH, plane, ALINK_EVENT_GROUP, id,
		 added, 0);
	for (uint32_t m = af_next_member(g, 0); m < AF_MAX_EP;
	     m = af_next_member(g, m + 1))
		if (f->page->ep[m].present)
			af_event(list, ALINK_DEVTYPE_XPU, m, ALINK_EVENT_GROUP,
				 id, added, plane);
}

int af_group_add(struct af_fabric *f, uint32_t plane,
		 const struct alink_group *group, const uint32_t *members)
{
	struct af_event_list list = { 0 };
	uint32_t n = group->num_members;
	int ret = ALINK_ST_OK;
	struct af_group *g;

	if (group->id >= ALINK_MAX_GROUPS || !n || n > AF_MAX_EP || !group->key)
		return ALINK_ST_BAD_FIELD;
	for (uint32_t i = 0; i < n; i++)
		if (members[i] >= AF_MAX_EP ||
		    (i && members[i] <= members[i - 1]))
			return ALINK_ST_BAD_FIELD;

	af_wrlock(f);
	if (!af_sw_ok(f, plane)) {
		ret = ALINK_ST_NOT_FOUND;
		goto out;
	}
	g = &f->page->group[plane][group->id];
	if (g->num) {
		ret = ALINK_ST_EXISTS;
		goto out;
	}
	memset(g, 0, sizeof(*g));
	g->key = group->key;
	g->num = n;
	g->epoch = ++f->page->epoch;
	for (uint32_t i = 0; i < n; i++)
		g->members[members[i] / 64] |= 1ULL << (members[i] % 64);
	group_events(f, plane, group->id, g, true, &list);
out:
	af_wrunlock(f, &list);
	return ret;
}

int af_group_del(struct af_fabric *f, uint32_t plane, uint32_t id)
{
	struct af_event_list list = { 0 };
	int ret = ALINK_ST_NOT_FOUND;
	struct af_group *g;

	if (id >= ALINK_MAX_GROUPS)
		return ALINK_ST_BAD_FIELD;
	af_wrlock(f);
	if (af_sw_ok(f, plane) && f->page->group[plane][id].num) {
		g = &f->page->group[plane][id];
		group_events(f, plane, id, g, false, &list);
		memset(g, 0, sizeof(*g));
		f->page->epoch++;
		ret = ALINK_ST_OK;
	}
	af_wrunlock(f, &list);
	return ret;
}

int af_group_get(struct af_fabric *f, uint32_t plane, uint32_t from,
		 struct alink_group *group, uint32_t *members, size_t room)
{
	const struct af_group *g;
	int ret = ALINK_ST_NOT_FOUND;
	size_t n = 0;

	memset(group, 0, sizeof(*group));
	af_rdlock(f);
	if (!af_sw_ok(f, plane))
		goto out;
	while (from < ALINK_MAX_GROUPS && !f->page->group[plane][from].num)
		from++;
	if (from >= ALINK_MAX_GROUPS)
		goto out;
	g = &f->page->group[plane][from];
	group->id = from;
	group->num_members = g->num;
	group->key = g->key;
	group->epoch = g->epoch;
	af_acct_lock(f);
	group->reductions = g->reductions;
	group->bytes = g->bytes;
	af_acct_unlock(f);
	if (room < g->num) {
		ret = ALINK_ST_NO_ROOM;
		goto out;
	}
	for (uint32_t m = af_next_member(g, 0); m < AF_MAX_EP;
	     m = af_next_member(g, m + 1))
		members[n++] = m;
	ret = ALINK_ST_OK;
out:
	af_rdunlock(f);
	return ret;
}

/* The group with this id and key on any switch. Lock held. */
static int group_lookup(struct af_fabric *f, uint32_t id, uint64_t key,
			const struct af_group **group)
{
	int ret = ALINK_ST_GROUP;

	for (uint32_t i = 0; i < AF_MAX_PLANES; i++) {
		const struct af_group *g = &f->page->group[i][id];

		if (!f->page->sw[i].present || !g->num)
			continue;
		ret = ALINK_ST_KEY;
		if (g->key == key) {
			*group = g;
			return ALINK_ST_OK;
		}
	}
	return ret;
}

int af_group_bind(struct af_fabric *f, uint32_t id, uint32_t group,
		  uint32_t seg, uint64_t key, uint64_t offset, uint64_t len)
{
	const struct af_group *g;
	const struct af_segment *s;
	struct af_bind *b;
	int ret;

	if (group >= ALINK_MAX_GROUPS || seg >= AF_MAX_SEGS || !key || !len ||
	    offset % AF_ACCESS_ALIGN)
		return ALINK_ST_BAD_FIELD;

	af_wrlock(f);
	ret = ALINK_ST_NOT_FOUND;
	if (!af_ep_ok(f, id))
		goto out;
	s = af_seg_find(f, id, seg);
	if (!s)
		goto out;
	ret = group_lookup(f, group, key, &g);
	if (ret)
		goto out;
	ret = ALINK_ST_DENIED;
	if (!af_is_member(g, id) || !(s->rights & ALINK_SEG_GROUP))
		goto out;
	ret = ALINK_ST_RANGE;
	if (offset > s->len || len > s->len - offset)
		goto out;
	b = &f->page->bind[id][group];
	/* A binding to a group that is gone may be replaced. */
	ret = ALINK_ST_EXISTS;
	if (b->len && b->key == key)
		goto out;
	b->key = key;
	b->seg = seg;
	b->offset = offset;
	b->len = len;
	ret = ALINK_ST_OK;
out:
	af_wrunlock(f, NULL);
	return ret;
}

int af_group_unbind(struct af_fabric *f, uint32_t id, uint32_t group)
{
	int ret = ALINK_ST_NOT_FOUND;
	struct af_bind *b;

	if (group >= ALINK_MAX_GROUPS)
		return ALINK_ST_BAD_FIELD;
	af_wrlock(f);
	if (af_ep_ok(f, id)) {
		b = &f->page->bind[id][group];
		if (b->len) {
			memset(b, 0, sizeof(*b));
			ret = ALINK_ST_OK;
		}
	}
	af_wrunlock(f, NULL);
	return ret;
}

void af_group_drop_seg(struct af_fabric *f, uint32_t id, uint32_t seg)
{
	struct af_bind *b;

	af_assert_writer(f);
	for (uint32_t i = 0; i < ALINK_MAX_GROUPS; i++) {
		b = &f->page->bind[id][i];
		if (b->len && b->seg == seg)
			memset(b, 0, sizeof(*b));
	}
}

uint32_t af_group_num_binds(const struct af_fabric *f, uint32_t id,
			    uint32_t seg)
{
	const struct af_bind *b;
	uint32_t num = 0;

	for (uint32_t i = 0; i < ALINK_MAX_GROUPS; i++) {
		b = &f->page->bind[id][i];
		num += b->len && b->seg == seg;
	}
	return num;
}

void af_group_drop_all(struct af_fabric *f, uint32_t id)
{
	struct af_page *p = f->page;

	af_assert_writer(f);
	for (uint32_t i = 0; i < ALINK_MAX_GROUPS; i++)
		if (p->bind[id][i].len)
			memset(&p->bind[id][i], 0, sizeof(p->bind[id][i]));
	for (uint32_t i = 0; i < AF_MAX_GROUP_SLOTS; i++)
		if (p->gslot[id][i].key)
			memset(&p->gslot[id][i], 0, sizeof(p->gslot[id][i]));
}

int af_group_import(struct af_fabric *f, uint32_t id, uint32_t slot,
		    uint32_t group, uint64_t key)
{
	struct af_import *im;
	int ret = ALINK_ST_OK;

	if (slot >= AF_MAX_GROUP_SLOTS || group >= ALINK_MAX_GROUPS || !key)
		return ALINK_ST_BAD_FIELD;
	af_wrlock(f);
	if (!af_ep_ok(f, id)) {
		ret = ALINK_ST_NOT_FOUND;
		goto out;
	}
	im = &f->page->gslot[id][slot];
	if (im->key) {
		ret = ALINK_ST_EXISTS;
		goto out;
	}
	im->key = key;
	im->object = group;
out:
	af_wrunlock(f, NULL);
	return ret;
}

int af_group_release(struct af_fabric *f, uint32_t id, uint32_t slot)
{
	int ret = ALINK_ST_NOT_FOUND;
	struct af_import *im;

	if (slot >= AF_MAX_GROUP_SLOTS)
		return ALINK_ST_BAD_FIELD;
	af_wrlock(f);
	if (af_ep_ok(f, id)) {
		im = &f->page->gslot[id][slot];
		if (im->key) {
			memset(im, 0, sizeof(*im));
			ret = ALINK_ST_OK;
		}
	}
	af_wrunlock(f, NULL);
	return ret;
}
