// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fabric's control page: making, attaching, locks, clock, events, and the
 * devices that join. fabric_internal.h has the rules of the page and its locks.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "fabric_internal.h"

size_t af_page_size(void)
{
	return sizeof(struct af_page);
}

/* The page reads as zeros. */
static int page_init(struct af_page *p, size_t size)
{
	pthread_rwlockattr_t rw;
	pthread_mutexattr_t mx;
	int ret;

	ret = pthread_rwlockattr_init(&rw);
	if (ret)
		return ret;
	pthread_rwlockattr_setpshared(&rw, PTHREAD_PROCESS_SHARED);
	/* A stream of operations must not keep a revocation waiting. */
	pthread_rwlockattr_setkind_np(&rw,
				      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	ret = pthread_rwlock_init(&p->lock, &rw);
	pthread_rwlockattr_destroy(&rw);
	if (ret)
		return ret;

	ret = pthread_mutexattr_init(&mx);
	if (ret)
		return ret;
	pthread_mutexattr_setpshared(&mx, PTHREAD_PROCESS_SHARED);
	ret = pthread_mutex_init(&p->acct, &mx);
	if (!ret)
		ret = pthread_mutex_init(&p->push, &mx);
	pthread_mutexattr_destroy(&mx);
	if (ret)
		return ret;

	p->size = size;
	p->timing = AF_TIMING_OFF;
	p->params = AF_TIMING_DEFAULT;
	p->push_slots = AF_PUSH_SLOTS;
	p->version = AF_PAGE_VERSION;
	/* Last: whoever sees the magic sees a whole page. */
	__atomic_store_n(&p->magic, AF_PAGE_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

struct af_fabric *af_fabric_attach(void *page, size_t size, bool init)
{
	struct af_page *p = page;
	struct af_fabric *f;
	int ret;

	if (!page || size < sizeof(*p) || (uintptr_t)page % 64) {
		errno = EINVAL;
		return NULL;
	}
	if (init) {
		if (p->magic) {
			errno = EINVAL;
			return NULL;
		}
		ret = page_init(p, sizeof(*p));
		if (ret) {
			errno = ret;
			return NULL;
		}
	} else if (__atomic_load_n(&p->magic, __ATOMIC_ACQUIRE) !=
		   AF_PAGE_MAGIC) {
		errno = EINVAL;
		return NULL;
	} else if (p->version != AF_PAGE_VERSION || p->size != sizeof(*p)) {
		errno = EPROTO;
		return NULL;
	}

	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->page = p;
	return f;
}

struct af_fabric *af_fabric_new(enum af_timing timing)
{
	struct af_fabric *f;
	void *page;
	int ret;

	/* Sparse: pages that are never written cost no memory. */
	page = mmap(NULL, sizeof(struct af_page), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	f = af_fabric_attach(page, sizeof(struct af_page), true);
	if (!f)
		goto err_unmap;
	f->own_page = true;
	ret = af_fabric_set_timing(f, timing, NULL);
	if (ret) {
		af_fabric_free(f);
		errno = -ret;
		return NULL;
	}
	return f;

err_unmap:
	munmap(page, sizeof(struct af_page));
	return NULL;
}

void af_fabric_free(struct af_fabric *f)
{
	if (!f)
		return;
	if (f->own_page) {
		pthread_mutex_destroy(&f->page->push);
		pthread_mutex_destroy(&f->page->acct);
		pthread_rwlock_destroy(&f->page->lock);
		munmap(f->page, sizeof(struct af_page));
	}
	free(f);
}

/* --- locks -------------------------------------------------------------- */

static uintptr_t self_id(void)
{
	return (uintptr_t)pthread_self();
}

void af_rdlock(struct af_fabric *f)
{
	int ret = pthread_rwlock_rdlock(&f->page->lock);

	assert(!ret);
	(void)ret;
}

void af_rdunlock(struct af_fabric *f)
{
	pthread_rwlock_unlock(&f->page->lock);
}

void af_wrlock(struct af_fabric *f)
{
	int ret = pthread_rwlock_wrlock(&f->page->lock);

	assert(!ret);
	(void)ret;
	atomic_store_explicit(&f->writer, self_id(), memory_order_relaxed);
}

void af_wrunlock(struct af_fabric *f, struct af_event_list *list)
{
	uint64_t wake = f->wake_new ? f->wake_at : 0;

	af_assert_writer(f);
	f->wake_new = false;
	atomic_store_explicit(&f->writer, 0, memory_order_relaxed);
	pthread_rwlock_unlock(&f->page->lock);

	if (wake && f->life.wake)
		f->life.wake(f->life.opaque, wake);
	if (!list)
		return;
	for (size_t i = 0; i < list->num && f->event_fn; i++)
		f->event_fn(f->event_opaque, list->ev[i].dev_type,
			    list->ev[i].dev_id, &list->ev[i].event);
	free(list->ev);
	memset(list, 0, sizeof(*list));
}

void af_assert_writer(struct af_fabric *f)
{
	assert(atomic_load_explicit(&f->writer, memory_order_relaxed) ==
	       self_id());
	(void)f;
}

void af_push_lock(struct af_fabric *f)
{
	int ret = pthread_mutex_lock(&f->page->push);

	assert(!ret);
	(void)ret;
}

void af_push_unlock(struct af_fabric *f)
{
	pthread_mutex_unlock(&f->page->push);
}

void af_acct_lock(struct af_fabric *f)
{
	int ret = pthread_mutex_lock(&f->page->acct);

	assert(!ret);
	(void)ret;
}

void af_acct_unlock(struct af_fabric *f)
{
	pthread_mutex_unlock(&f->page->acct);
}

/* --- clock and events ------------------------------------------------------ */

uint64_t af_clock_ns(struct af_fabric *f)
{
	struct timespec ts;

	if (f->clock_fn)
		return f->clock_fn(f->clock_opaque);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void af_fabric_set_clock_fn(struct af_fabric *f, af_clock_fn *fn, void *opaque)
{
	f->clock_fn = fn;
	f->clock_opaque = opaque;
}

uint64_t af_life_ns(struct af_fabric *f)
{
	return f->life.now ? f->life.now(f->life.opaque) : af_clock_ns(f);
}

void af_fabric_set_life(struct af_fabric *f, const struct af_life *life)
{
	f->life = *life;
}

void af_wake_at(struct af_fabric *f, uint64_t ns)
{
	af_assert_writer(f);
	if (f->wake_at && f->wake_at <= ns)
		return;
	f->wake_at = ns;
	f->wake_new = true;
}

void af_fabric_set_event_fn(struct af_fabric *f, af_event_fn *fn, void *opaque)
{
	f->event_fn = fn;
	f->event_opaque = opaque;
}

void af_event(struct af_event_list *list, uint32_t dev_type, uint32_t dev_id,
	      uint16_t type, uint32_t id, uint32_t code, uint32_t info)
{
	struct af_event *ev;

	if (list->num == list->room) {
		size_t room = list->room ? 2 * list->room : 16;

		ev = realloc(list->ev, room * sizeof(*ev));
		if (!ev)	/* events may be lost, state may not */
			return;
		list->ev = ev;
		list->room = room;
	}
	ev = &list->ev[list->num++];
	memset(ev, 0, sizeof(*ev));
	ev->dev_type = dev_type;
	ev->dev_id = dev_id;
	ev->event.type = type;
	ev->event.id = id;
	ev->event.code = code;
	ev->event.info = info;
}

/* --- devices ----------------------------------------------------------------- */

/* Puts the cable that wiring by default lays: link p to plane p, port id. */
static void default_cable(struct af_fabric *f, uint32_t id, uint32_t link)
{
	struct af_page *p = f->page;
	uint32_t a = af_ep_side(id, link), b = af_sw_side(link, id);

	if (p->side[a].pinned || p->side[a].cable || p->side[b].cable)
		return;
	p->side[a].cable = b + 1;
	p->side[b].cable = a + 1;
}

/* A device takes its end of the link into use, or leaves it. */
static void side_set(struct af_fabric *f, uint32_t side, bool present,
		     uint32_t mbps, uint32_t lanes, struct af_event_list *list)
{
	struct af_side *s = &f->page->side[side];

	if (present) {
		struct af_side keep = *s;

		memset(s, 0, sizeof(*s));
		s->cable = keep.cable;
		s->pinned = keep.pinned;
		s->optics = keep.optics;
		s->module_plus1 = keep.module_plus1;
		s->present = 1;
		s->max_mbps = mbps;
		s->max_lanes = lanes;
	} else {
		s->present = 0;
		s->fault = ALINK_DOWN_NONE;
		s->lanes_bad = 0;
		s->ber = 0;
		s->burst = 0;
		s->credit_loss = 0;
		af_side_open(s);
		s->trained = 0;
		if (s->cable)	/* the next device there may be another */
			f->page->side[s->cable - 1].trained = 0;
	}
	af_link_eval(f, side, list);
}

int af_endpoint_add(struct af_fabric *f, uint32_t id, uint64_t serial,
		    void *mem, uint64_t size, uint32_t num_links,
		    uint32_t link_mbps, uint32_t lanes)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;
	struct af_endpoint *ep;

	if (id >= AF_MAX_EP || num_links > AF_MAX_LINKS ||
	    (num_links && (!link_mbps || !lanes)) || (uintptr_t)mem % 64)
		return -EINVAL;

	af_wrlock(f);
	ep = &p->ep[id];
	if (ep->present) {
		af_wrunlock(f, NULL);
		return -EEXIST;
	}
	memset(ep, 0, sizeof(*ep));
	ep->present = 1;
	ep->serial = serial;
	ep->size = size;
	ep->num_links = num_links;
	ep->partition = p->default_partition;
	f->mem[id] = mem;
	for (uint32_t i = 0; i < num_links; i++) {
		default_cable(f, id, i);
		side_set(f, af_ep_side(id, i), true, link_mbps, lanes, &list);
	}
	af_wrunlock(f, &list);
	return 0;
}

int af_endpoint_map(struct af_fabric *f, uint32_t id, void *mem)
{
	int ret = 0;

	if ((uintptr_t)mem % 64)
		return -EINVAL;
	af_wrlock(f);
	if (af_ep_ok(f, id))
		f->mem[id] = mem;
	else
		ret = -ENODEV;
	af_wrunlock(f, NULL);
	return ret;
}

/* Forgets the routes of an endpoint. */
static void routes_clear(struct af_fabric *f, uint32_t id)
{
	struct af_page *p = f->page;

	af_assert_writer(f);
	for (uint32_t i = 0; i < AF_MAX_EP; i++)
		if (p->ep_route[id][i].min)
			memset(&p->ep_route[id][i], 0,
			       sizeof(p->ep_route[id][i]));
}

int af_endpoint_remove(struct af_fabric *f, uint32_t id)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;

	af_wrlock(f);
	if (!af_ep_ok(f, id)) {
		af_wrunlock(f, NULL);
		return -ENODEV;
	}
	af_push_drop_member(f, id);
	af_seg_drop_all(f, id);
	af_group_drop_all(f, id);
	for (uint32_t i = 0; i < p->ep[id].num_links; i++)
		side_set(f, af_ep_side(id, i), false, 0, 0, &list);
	routes_clear(f, id);
	memset(&p->ep[id], 0, sizeof(p->ep[id]));
	f->mem[id] = NULL;
	af_wrunlock(f, &list);
	return 0;
}

int af_switch_add(struct af_fabric *f, uint32_t plane, uint64_t serial,
		  uint32_t radix, uint32_t port_mbps, uint32_t lanes,
		  uint32_t hop_ns)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;
	struct af_switch *sw;

	if (plane >= AF_MAX_PLANES || !radix || radix > AF_MAX_PORTS ||
	    !port_mbps || !lanes)
		return -EINVAL;

	af_wrlock(f);
	sw = &p->sw[plane];
	if (sw->present) {
		af_wrunlock(f, NULL);
		return -EEXIST;
	}
	memset(sw, 0, sizeof(*sw));
	sw->present = 1;
	sw->serial = serial;
	sw->radix = radix;
	sw->hop_ns = hop_ns;
	for (uint32_t i = 0; i < radix; i++)
		side_set(f, af_sw_side(plane, i), true, port_mbps, lanes,
			 &list);
	af_wrunlock(f, &list);
	return 0;
}

/* Forgets routes and groups of a switch, and what it holds of pushes. */
static void switch_clear(struct af_fabric *f, uint32_t plane)
{
	struct af_page *p = f->page;

	af_assert_writer(f);
	af_push_drop_plane(f, plane);
	for (uint32_t i = 0; i < AF_MAX_EP; i++)
		if (p->sw_route[plane][i].min)
			memset(&p->sw_route[plane][i], 0,
			       sizeof(p->sw_route[plane][i]));
	for (uint32_t i = 0; i < ALINK_MAX_GROUPS; i++)
		if (p->group[plane][i].num)
			memset(&p->group[plane][i], 0,
			       sizeof(p->group[plane][i]));
}

int af_switch_remove(struct af_fabric *f, uint32_t plane)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;

	af_wrlock(f);
	if (!af_sw_ok(f, plane)) {
		af_wrunlock(f, NULL);
		return -ENODEV;
	}
	for (uint32_t i = 0; i < p->sw[plane].radix; i++)
		side_set(f, af_sw_side(plane, i), false, 0, 0, &list);
	switch_clear(f, plane);
	memset(&p->sw[plane], 0, sizeof(p->sw[plane]));
	af_wrunlock(f, &list);
	return 0;
}

/* What every reset does. Writer. */
static void endpoint_reset(struct af_fabric *f, uint32_t id,
			   struct af_event_list *list)
{
	struct af_page *p = f->page;

	af_push_drop_member(f, id);
	af_seg_drop_all(f, id);
	af_group_drop_all(f, id);
	for (uint32_t i = 0; i < p->ep[id].num_links; i++) {
		af_side_open(&p->side[af_ep_side(id, i)]);
		af_link_eval(f, af_ep_side(id, i), list);
	}
}

static void switch_reset(struct af_fabric *f, uint32_t plane,
			 struct af_event_list *list)
{
	struct af_page *p = f->page;

	switch_clear(f, plane);
	for (uint32_t i = 0; i < p->sw[plane].radix; i++) {
		af_side_open(&p->side[af_sw_side(plane, i)]);
		af_link_eval(f, af_sw_side(plane, i), list);
	}
}

void af_endpoint_reset(struct af_fabric *f, uint32_t id)
{
	struct af_event_list list = { 0 };

	af_wrlock(f);
	if (af_ep_ok(f, id))
		endpoint_reset(f, id, &list);
	af_wrunlock(f, &list);
}

void af_switch_reset(struct af_fabric *f, uint32_t plane)
{
	struct af_event_list list = { 0 };

	af_wrlock(f);
	if (af_sw_ok(f, plane))
		switch_reset(f, plane, &list);
	af_wrunlock(f, &list);
}

void af_cold_reset(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;
	struct af_endpoint *ep;
	struct af_switch *sw;

	af_wrlock(f);
	if (dev_type == ALINK_DEVTYPE_XPU && af_ep_ok(f, dev_id)) {
		ep = &p->ep[dev_id];
		endpoint_reset(f, dev_id, &list);
		routes_clear(f, dev_id);
		ep->partition = p->default_partition;
		ep->num_poison = 0;
		for (uint32_t i = 0; i < ep->num_links; i++)
			af_side_clear(&p->side[af_ep_side(dev_id, i)]);
	} else if (dev_type == ALINK_DEVTYPE_SWITCH && af_sw_ok(f, dev_id)) {
		sw = &p->sw[dev_id];
		switch_reset(f, dev_id, &list);
		sw->reductions = 0;
		sw->multicasts = 0;
		sw->drops_noroute = 0;
		sw->drops_part = 0;
		memset(sw->inc_errors, 0, sizeof(sw->inc_errors));
		sw->pushes = 0;
		sw->push_waits = 0;
		sw->push_timeouts = 0;
		sw->push_aborts = 0;
		sw->push_late = 0;
		for (uint32_t i = 0; i < sw->radix; i++)
			af_side_clear(&p->side[af_sw_side(dev_id, i)]);
	}
	af_wrunlock(f, &list);
}

int af_switch_info(struct af_fabric *f, uint32_t plane,
		   struct af_switch_info *info)
{
	struct af_switch *sw;
	int ret = -ENODEV;

	memset(info, 0, sizeof(*info));
	af_rdlock(f);
	if (af_sw_ok(f, plane)) {
		sw = &f->page->sw[plane];
		af_push_lock(f);
		af_acct_lock(f);
		info->radix = sw->radix;
		info->hop_ns = sw->hop_ns ? : f->page->params.hop_ns;
		info->reductions = sw->reductions;
		info->multicasts = sw->multicasts;
		info->drops_noroute = sw->drops_noroute;
		info->drops_part = sw->drops_part;
		memcpy(info->inc_errors, sw->inc_errors,
		       sizeof(info->inc_errors));
		info->pushes = sw->pushes;
		info->push_waits = sw->push_waits;
		info->push_timeouts = sw->push_timeouts;
		info->push_aborts = sw->push_aborts;
		info->push_late = sw->push_late;
		info->push_slots = f->page->push_slots;
		info->push_used = sw->push_used;
		af_acct_unlock(f);
		af_push_unlock(f);
		ret = 0;
	}
	af_rdunlock(f);
	return ret;
}
