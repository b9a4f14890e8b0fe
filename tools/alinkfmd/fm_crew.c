// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread for each device that has tables: what asks a device, and writes to it,
 * is done there. A device that does not answer holds its own thread, and nobody
 * else: the manager goes on beating, and looks after the others.
 *
 * Only the manager's thread gives orders, waits for them and takes them back; what
 * is in an order is its hand's from when it is given until it is done. A context of
 * libalink lasts for one order, so that none outlives a module that is loaded anew.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fm.h"

/* Nobody has got anything done for so long: who is late is left to himself. */
#define PATIENCE_MS	2000
#define LOOK_MS		25
/* Twice what requests and answers take of it */
#define STACK_BYTES	(256 * 1024)

/**
 * struct hand - a thread, and the device that it is for
 * @next:	hand; the manager's thread alone follows and changes the list
 * @dev:	index of the device; does not change
 * @slow:	it did not answer the latest time; the manager's thread alone
 * @cond:	there is an order, or @quit
 * @order:	what it is doing, or has done; NULL: nothing. The manager's thread
 *		sets it, under crew.lock
 * @done:	@order is over. Under crew.lock
 * @left:	nobody waits for @order. The manager's thread alone
 * @quit:	its device is gone: it ends, and frees itself. Under crew.lock
 */
struct hand {
	struct hand *next;
	uint32_t dev;
	bool slow;
	pthread_cond_t cond;
	struct fm_order *order;
	bool done;
	bool left;
	bool quit;
};

/*
 * @lock protects what its hands say that it does, and @steps. It is held to look
 * and to set, never while a device is asked, so nobody waits for it. There is no
 * other lock.
 */
static struct {
	pthread_mutex_t lock;
	struct hand *hands;
	unsigned int steps;	/* commands that are over; under lock */
	int wake;		/* eventfd: an order is over */
} crew = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = -1 };

/* --- in a hand's thread ------------------------------------------------------------ */

static void step(void)
{
	pthread_mutex_lock(&crew.lock);
	crew.steps++;
	pthread_mutex_unlock(&crew.lock);
}

static int read_tables(struct alink_ctx *ctx, struct fm_order *o)
{
	struct fm_tables *t = &o->tables;
	int err = 0;

	if (o->caps & ALINK_CAP_ROUTES)
		err = alink_routes(ctx, o->dev, &t->route, &t->num_routes);
	if (!err && o->caps & ALINK_CAP_PARTITIONS)
		err = alink_partitions(ctx, o->dev, &t->partition,
				       &t->num_partitions);
	if (!err && o->caps & ALINK_CAP_GROUPS)
		err = alink_groups(ctx, o->dev, &t->group, &t->num_groups);
	return err;
}

/* A group is not changed: it goes, and comes anew. */
static int write_group(struct alink_ctx *ctx, uint32_t dev,
		       const struct fm_write *w)
{
	struct alink_group_info group = {
		.dev = dev, .id = w->id, .key = w->key, .members = w->set,
	};
	int err = w->had ? alink_group_del(ctx, dev, w->id) : 0;

	return err || !w->wanted ? err : alink_group_add(ctx, &group);
}

static int write_one(struct alink_ctx *ctx, uint32_t dev,
		     const struct fm_write *w)
{
	struct alink_route_info route = {
		.dev = dev, .dst = w->id, .min_ports = 1, .ports = w->set,
		.spares = w->spares,
	};

	switch (w->kind) {
	case FM_PARTITION:
		return alink_partition_set(ctx, dev, w->id, w->partition);
	case FM_GROUP:
		return write_group(ctx, dev, w);
	case FM_ROUTE:
		break;
	}
	return w->wanted ? alink_route_add(ctx, &route) :
			   alink_route_del(ctx, dev, w->id);
}

/* It would take its time for each command, or nobody may write any more. */
static bool hopeless(int err)
{
	return err == -ETIMEDOUT || err == -ENODEV || err == -EBUSY;
}

static void refused(struct fm_order *o, const struct alink_ctx *ctx, int err)
{
	if (o->err)
		return;
	o->err = err;
	snprintf(o->error, sizeof(o->error), "%s",
		 ctx ? alink_error(ctx) : strerror(-err));
}

static void carry_out(struct fm_order *o)
{
	struct alink_ctx *ctx = NULL;
	int err = alink_new(&ctx);
	size_t i;

	if (!err && !o->n)
		err = read_tables(ctx, o);
	if (err)
		refused(o, ctx, err);
	for (i = 0; i < o->n; i++) {
		if (ctx && !hopeless(err))
			err = write_one(ctx, o->dev, &o->write[i]);
		o->write[i].err = err;
		if (err)
			refused(o, ctx, err);
		step();
	}
	alink_free(ctx);
}

static void *work(void *arg)
{
	const uint64_t one = 1;
	struct fm_order *order;
	struct hand *h = arg;

	pthread_mutex_lock(&crew.lock);
	while (!h->quit) {
		if (!h->order || h->done) {
			pthread_cond_wait(&h->cond, &crew.lock);
			continue;
		}
		order = h->order;
		pthread_mutex_unlock(&crew.lock);
		carry_out(order);
		pthread_mutex_lock(&crew.lock);
		h->done = true;
		crew.steps++;
		if (write(crew.wake, &one, sizeof(one)) < 0)
			fm_log(FM_WARN, "eventfd: %s", strerror(errno));
	}
	pthread_mutex_unlock(&crew.lock);
	fm_order_free(h->order);
	pthread_cond_destroy(&h->cond);
	free(h);
	return NULL;
}

/* --- in the manager's -------------------------------------------------------------- */

struct fm_order *fm_order_new(const struct alink_device_info *d)
{
	struct fm_order *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->dev = d->index;
	o->caps = d->caps;
	return o;
}

void fm_order_free(struct fm_order *o)
{
	if (!o)
		return;
	free(o->tables.route);
	free(o->tables.partition);
	free(o->tables.group);
	free(o->write);
	free(o);
}

struct fm_write *fm_order_add(struct fm_order *o)
{
	struct fm_write *grown;

	grown = realloc(o->write, (o->n + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	o->write = grown;
	memset(&grown[o->n], 0, sizeof(*grown));
	return &grown[o->n++];
}

static struct hand *find(uint32_t dev)
{
	struct hand *h;

	for (h = crew.hands; h && h->dev != dev; h = h->next)
		;
	return h;
}

static struct hand *hire(uint32_t dev)
{
	pthread_attr_t attr;
	pthread_t thread;
	struct hand *h;
	int err;

	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->dev = dev;
	pthread_cond_init(&h->cond, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, work, h);
	pthread_attr_destroy(&attr);
	if (err) {
		pthread_cond_destroy(&h->cond);
		free(h);
		return NULL;
	}
	h->next = crew.hands;
	crew.hands = h;
	return h;
}

/* An order that is over, which is the caller's then; or NULL */
static struct fm_order *take(struct hand *h)
{
	struct fm_order *o = NULL;

	pthread_mutex_lock(&crew.lock);
	if (h->done) {
		o = h->order;
		h->order = NULL;
		h->done = false;
	}
	pthread_mutex_unlock(&crew.lock);
	if (o)
		h->slow = hopeless(o->err);
	return o;
}

bool fm_crew_give(struct fm_order *o)
{
	struct hand *h = find(o->dev);

	if (h && h->order && h->left)
		fm_order_free(take(h));
	if (!h)
		h = hire(o->dev);
	if (!h || h->order)
		return false;
	h->left = false;
	pthread_mutex_lock(&crew.lock);
	h->order = o;
	pthread_cond_signal(&h->cond);
	pthread_mutex_unlock(&crew.lock);
	return true;
}

/* How many of those that answered the latest time have not answered yet */
static unsigned int awaited(unsigned int *steps)
{
	unsigned int n = 0;
	struct hand *h;

	pthread_mutex_lock(&crew.lock);
	for (h = crew.hands; h; h = h->next)
		n += h->order && !h->done && !h->left && !h->slow;
	*steps = crew.steps;
	pthread_mutex_unlock(&crew.lock);
	return n;
}

void fm_crew_wait(struct fm *fm)
{
	struct pollfd p = { .fd = crew.wake, .events = POLLIN };
	uint64_t since = fm_now_ms();
	unsigned int steps, before = 0;

	while (awaited(&steps) && fm_now_ms() - since < PATIENCE_MS) {
		if (steps != before)
			since = fm_now_ms();
		before = steps;
		fm_beat(fm);
		poll(&p, 1, LOOK_MS);
		fm_crew_heard();
	}
	/* Of those who are late, the next round hears. */
	fm_crew_heard();
}

struct fm_order *fm_crew_take(uint32_t dev)
{
	struct hand *h = find(dev);
	struct fm_order *o = h && !h->left ? take(h) : NULL;

	if (h && h->order) {
		h->left = true;
		h->slow = true;
	}
	return o;
}

static bool there(const struct fm_view *v, uint32_t dev)
{
	size_t i;

	for (i = 0; i < v->num_devs; i++)
		if (v->dev[i].index == dev)
			return true;
	return false;
}

void fm_crew_prune(const struct fm_view *v)
{
	struct hand **at = &crew.hands, *h;

	while ((h = *at)) {
		if (there(v, h->dev)) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		pthread_mutex_lock(&crew.lock);
		h->quit = true;
		pthread_cond_signal(&h->cond);
		pthread_mutex_unlock(&crew.lock);
	}
}

void fm_crew_heard(void)
{
	uint64_t n;

	if (read(crew.wake, &n, sizeof(n)) < 0 && errno != EAGAIN)
		fm_log(FM_WARN, "eventfd: %s", strerror(errno));
}

int fm_crew_init(void)
{
	crew.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return crew.wake < 0 ? -errno : crew.wake;
}
