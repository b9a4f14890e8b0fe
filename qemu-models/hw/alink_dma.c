/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink bulk DMA: scatter lists over guest and host memory, and worker threads
 * that copy without the BQL. alink_dma.h has the rules.
 *
 * A copy of 1 MiB has up to 256 pieces, and takes some 20 us: what is done for
 * each of them is inline, with no checked casts.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "system/runstate.h"
#include "alink_common_internal.h"
#include "alink_dma.h"
#include "trace.h"

/* --- scatter lists ------------------------------------------------------- */

void alink_sg_init(AlinkSg *sg, AlinkDevice *ad, DMADirection dir)
{
    *sg = (AlinkSg) {
        .ad = ad, .as = pci_get_address_space(PCI_DEVICE(ad)), .dir = dir,
    };
}

/* Whether a piece is let go of by itself, also if nothing was written to it */
static inline bool piece_is_single(int kind)
{
    return kind == ALINK_SG_MAPPED || kind == ALINK_SG_BOUNCE;
}

static void sg_grow(AlinkSg *sg)
{
    sg->room = sg->room ? sg->room * 4 : 4;
    sg->piece = g_renew(AlinkSgPiece, sg->piece, sg->room);
}

static inline AlinkSgPiece *sg_append(AlinkSg *sg, void *host, uint64_t addr,
                                      uint64_t len, int kind)
{
    AlinkSgPiece *piece;

    if (unlikely(sg->num == sg->room)) {
        sg_grow(sg);
    }
    piece = &sg->piece[sg->num++];
    *piece = (AlinkSgPiece) {
        .host = host, .start = sg->len, .len = len, .addr = addr, .kind = kind,
    };
    sg->len += len;
    sg->single += piece_is_single(kind);
    return piece;
}

void alink_sg_add_host(AlinkSg *sg, void *host, uint64_t len)
{
    sg_append(sg, host, 0, len, ALINK_SG_HOST);
}

/* Lets go of one piece, of which @done bytes were accessed. */
static inline QEMU_ALWAYS_INLINE enum alink_status
piece_release(AlinkSg *sg, AlinkSgPiece *piece, uint64_t done)
{
    enum alink_status status = ALINK_ST_OK;
    AlinkSgRegion *region;

    switch (piece->kind) {
    case ALINK_SG_HOST:
        break;
    case ALINK_SG_RAM:
        if (sg->dir == DMA_DIRECTION_FROM_DEVICE && done) {
            region = &sg->region[piece->region];
            /* It is dirty now, and code translated from it is void. */
            address_space_cache_invalidate(&region->ram,
                                           piece->addr - region->addr, done);
        }
        break;
    case ALINK_SG_MAPPED:
        dma_memory_unmap(sg->as, piece->host, piece->len, sg->dir, done);
        break;
    case ALINK_SG_BOUNCE:
        if (sg->dir == DMA_DIRECTION_FROM_DEVICE && done) {
            status = alink_dma_write(sg->ad, piece->addr, piece->host, done);
        }
        g_free(piece->host);
        sg->bounced -= piece->len;
        break;
    }
    return status;
}

static bool is_ram(AddressSpace *as, uint64_t addr, uint64_t *len, bool write)
{
    hwaddr xlat, plen = *len;
    MemoryRegion *mr;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(as, addr, &xlat, &plen, write,
                                 MEMTXATTRS_UNSPECIFIED);
    *len = plen;
    return memory_access_is_direct(mr, write, MEMTXATTRS_UNSPECIFIED);
}

/* --- guest RAM that was found before ------------------------------------- */

typedef struct RegionSearch {
    uint64_t addr;
    bool ram;
    Int128 start, len;          /* of that RAM */
} RegionSearch;

/* Ranges come in ascending order. */
static bool region_match(Int128 start, Int128 len, const MemoryRegion *mr,
                         hwaddr offset, void *opaque)
{
    RegionSearch *search = opaque;
    Int128 addr = int128_make64(search->addr);

    if (int128_ge(addr, int128_add(start, len))) {
        return false;
    }
    if (int128_ge(addr, start)) {
        search->ram = memory_region_is_ram((MemoryRegion *)mr);
        search->start = start;
        search->len = len;
    }
    return true;
}

static void regions_drop(AlinkSg *sg)
{
    while (sg->num_regions) {
        address_space_cache_destroy(&sg->region[--sg->num_regions].ram);
    }
    g_clear_pointer(&sg->region, g_free);
}

static inline bool region_has(const AlinkSgRegion *r, uint64_t addr,
                              uint64_t len)
{
    uint64_t off = addr - r->addr;

    return off < r->ram.len && len <= r->ram.len - off;
}

/* The RAM that has @addr is kept also; NULL as with region_of(). */
static AlinkSgRegion *region_new(AlinkSg *sg, uint64_t addr)
{
    bool write = sg->dir == DMA_DIRECTION_FROM_DEVICE;
    RegionSearch search = { .addr = addr };
    AlinkSgRegion *r;

    WITH_RCU_READ_LOCK_GUARD() {
        flatview_for_each_range(address_space_to_flatview(sg->as),
                                region_match, &search);
    }
    if (!search.ram) {
        return NULL;
    }
    sg->region = g_renew(AlinkSgRegion, sg->region, sg->num_regions + 1);
    r = &sg->region[sg->num_regions];
    r->addr = int128_get64(search.start);
    address_space_cache_init(&r->ram, sg->as, r->addr,
                             int128_get64(search.len), write);
    if (!r->ram.ptr || !region_has(r, addr, 1)) {
        address_space_cache_destroy(&r->ram);
        return NULL;
    }
    sg->num_regions++;
    return r;
}

/*
 * The RAM that has @addr, from its start to its end, is kept for the next
 * address: pages of a guest lie here and there, but mostly in one region. NULL
 * where there is no RAM, or an IOMMU decides page by page.
 */
static inline QEMU_ALWAYS_INLINE AlinkSgRegion *
region_of(AlinkSg *sg, uint64_t addr)
{
    FlatView *view = address_space_to_flatview(sg->as);
    unsigned i;

    for (i = 0; i < sg->num_regions; i++) {
        AlinkSgRegion *r = &sg->region[i];

        /* It has a reference to its view: an equal pointer is the same view. */
        if (r->ram.fv == view && region_has(r, addr, 1)) {
            return r;
        }
    }
    return region_new(sg, addr);
}

/* Adds a range that is in one region of RAM: its host address, or NULL. */
static inline QEMU_ALWAYS_INLINE void *
add_ram(AlinkSg *sg, uint64_t addr, uint64_t len)
{
    const AlinkSgRegion *r = region_of(sg, addr);
    AlinkSgPiece *piece;

    if (!r || !region_has(r, addr, len)) {
        return NULL;
    }
    fuzz_dma_read_cb(addr, len, r->ram.mrs.mr);
    piece = sg_append(sg, r->ram.ptr + (addr - r->addr), addr, len,
                      ALINK_SG_RAM);
    piece->region = r - sg->region;
    return piece->host;
}

/* --- guest memory of any kind --------------------------------------------- */

/* Maps from the front of the range; *len becomes what was added. */
static enum alink_status add_front(AlinkSg *sg, uint64_t addr, uint64_t *len)
{
    bool write = sg->dir == DMA_DIRECTION_FROM_DEVICE;
    enum alink_status status;
    uint64_t run = *len;
    void *host;

    if (is_ram(sg->as, addr, &run, write)) {
        dma_addr_t mapped = *len;

        host = dma_memory_map(sg->as, addr, &mapped, sg->dir,
                              MEMTXATTRS_UNSPECIFIED);
        if (!host || !mapped) {
            return ALINK_ST_DMA;
        }
        sg_append(sg, host, addr, mapped, ALINK_SG_MAPPED);
        *len = mapped;
        return ALINK_ST_OK;
    }

    run = MIN(run, *len);
    if (!run || run > ALINK_SG_MAX_BOUNCE - sg->bounced) {
        return ALINK_ST_DMA;
    }
    host = g_malloc0(run);
    if (!write) {
        status = alink_dma_read(sg->ad, addr, host, run);
        if (status != ALINK_ST_OK) {
            g_free(host);
            return status;
        }
    }
    sg->bounced += run;
    sg_append(sg, host, addr, run, ALINK_SG_BOUNCE);
    *len = run;
    return ALINK_ST_OK;
}

static void sg_truncate(AlinkSg *sg, unsigned num)
{
    while (sg->num > num) {
        AlinkSgPiece *piece = &sg->piece[--sg->num];

        sg->len -= piece->len;
        sg->single -= piece_is_single(piece->kind);
        piece_release(sg, piece, 0);
    }
    if (!sg->num) {
        /* Nobody has to release an empty list. */
        g_clear_pointer(&sg->piece, g_free);
        sg->room = 0;
        regions_drop(sg);
    }
}

enum alink_status alink_sg_add_dma(AlinkSg *sg, uint64_t addr, uint64_t len)
{
    unsigned num = sg->num;
    enum alink_status status = ALINK_ST_OK;

    if (!len) {
        return ALINK_ST_OK;
    }
    if (!alink_dma_allowed(sg->ad) || addr + (len - 1) < addr) {
        status = ALINK_ST_DMA;
    } else if (alink_dma_cut(sg->ad, len)) {
        sg->ad->inject.partial_dma = 0;
        status = ALINK_ST_DMA;
    } else if (add_ram(sg, addr, len)) {
        return ALINK_ST_OK;
    } else if (!dma_memory_valid(sg->as, addr, len, sg->dir,
                                 MEMTXATTRS_UNSPECIFIED)) {
        /* Asked first: a map would hand out a bounce buffer and no error. */
        status = ALINK_ST_DMA;
    }
    while (status == ALINK_ST_OK && len) {
        uint64_t run = len;

        status = add_front(sg, addr, &run);
        if (status == ALINK_ST_OK) {
            addr += run;
            len -= run;
        }
    }
    if (status != ALINK_ST_OK) {
        trace_alink_dma_error(alink_device_name(sg->ad), addr, len);
        sg_truncate(sg, num);
    }
    return status;
}

/* What add_ram() does not know: an IOMMU may have put it in one piece. */
static void *add_mapped(AlinkSg *sg, uint64_t addr, uint64_t len)
{
    uint64_t run = len;
    dma_addr_t mapped = len;
    void *host;

    if (!is_ram(sg->as, addr, &run, sg->dir == DMA_DIRECTION_FROM_DEVICE) ||
        run < len) {
        return NULL;
    }
    host = dma_memory_map(sg->as, addr, &mapped, sg->dir,
                          MEMTXATTRS_UNSPECIFIED);
    if (host && mapped < len) {
        dma_memory_unmap(sg->as, host, mapped, sg->dir, 0);
        return NULL;
    }
    if (host) {
        sg_append(sg, host, addr, len, ALINK_SG_MAPPED);
    }
    return host;
}

void *alink_sg_add_ram(AlinkSg *sg, uint64_t addr, uint64_t len)
{
    void *host = NULL;

    if (alink_dma_allowed(sg->ad) && addr + (len - 1) >= addr &&
        !alink_dma_cut(sg->ad, len)) {
        host = add_ram(sg, addr, len) ?: add_mapped(sg, addr, len);
    }
    if (!host) {
        /* An empty list keeps no region either. */
        sg_truncate(sg, sg->num);
    }
    return host;
}

enum alink_status alink_sg_release(AlinkSg *sg, uint64_t done)
{
    bool written = sg->dir == DMA_DIRECTION_FROM_DEVICE && done;
    enum alink_status status = ALINK_ST_OK, one;
    unsigned i;

    for (i = 0; i < sg->num && (written || sg->single); i++) {
        AlinkSgPiece *piece = &sg->piece[i];
        uint64_t part = 0;

        if (done > piece->start) {
            part = MIN(done - piece->start, piece->len);
        }
        one = piece_release(sg, piece, part);
        if (status == ALINK_ST_OK) {
            status = one;
        }
    }
    g_free(sg->piece);
    regions_drop(sg);
    alink_sg_init(sg, sg->ad, sg->dir);
    return status;
}

static unsigned sg_find(const AlinkSg *sg, uint64_t off)
{
    unsigned lo = 0, hi = sg->num;

    while (hi - lo > 1) {
        unsigned mid = lo + (hi - lo) / 2;

        if (sg->piece[mid].start <= off) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

void *alink_sg_ptr(const AlinkSg *sg, uint64_t off, uint64_t *len,
                   unsigned *hint)
{
    const AlinkSgPiece *piece;
    unsigned i = *hint;

    if (off >= sg->len) {
        *len = 0;
        return NULL;
    }
    if (i < sg->num && off == sg->piece[i].start + sg->piece[i].len) {
        i++;
    }
    if (i >= sg->num || off < sg->piece[i].start ||
        off - sg->piece[i].start >= sg->piece[i].len) {
        i = sg_find(sg, off);
    }
    *hint = i;
    piece = &sg->piece[i];
    *len = piece->len - (off - piece->start);
    return piece->host + (off - piece->start);
}

void alink_sg_copy(const AlinkSg *dst, uint64_t dst_off, const AlinkSg *src,
                   uint64_t src_off, uint64_t len)
{
    const AlinkSgPiece *to, *from;

    g_assert(dst_off <= dst->len && len <= dst->len - dst_off);
    g_assert(src_off <= src->len && len <= src->len - src_off);
    if (!len) {
        return;
    }
    to = &dst->piece[sg_find(dst, dst_off)];
    from = &src->piece[sg_find(src, src_off)];
    dst_off -= to->start;
    src_off -= from->start;
    for (;;) {
        uint64_t run = MIN(len, MIN(to->len - dst_off, from->len - src_off));

        /* Source and destination may be the same guest memory. */
        memmove(to->host + dst_off, from->host + src_off, run);
        len -= run;
        if (!len) {
            return;
        }
        dst_off += run;
        if (dst_off == to->len) {
            to++;
            dst_off = 0;
        }
        src_off += run;
        if (src_off == from->len) {
            from++;
            src_off = 0;
        }
    }
}

void alink_sg_read(const AlinkSg *src, uint64_t off, void *buf, uint64_t len)
{
    AlinkSg dst;

    alink_sg_init(&dst, src->ad, DMA_DIRECTION_FROM_DEVICE);
    alink_sg_add_host(&dst, buf, len);
    alink_sg_copy(&dst, 0, src, off, len);
    g_free(dst.piece);
}

void alink_sg_write(const AlinkSg *dst, uint64_t off, const void *buf,
                    uint64_t len)
{
    AlinkSg src;

    alink_sg_init(&src, dst->ad, DMA_DIRECTION_TO_DEVICE);
    alink_sg_add_host(&src, (void *)buf, len);
    alink_sg_copy(dst, off, &src, 0, len);
    g_free(src.piece);
}

/* --- work without the BQL ------------------------------------------------ */

#define WORK_THREADS    2

typedef struct AlinkWork {
    AlinkWorkFn *fn;
    AlinkWorkDone *done;
    void *opaque;
    QSIMPLEQ_ENTRY(AlinkWork) next;
} AlinkWork;

struct AlinkWorkQueue {
    AlinkDevice *ad;                    /* valid until gone */
    QEMUBH *bh;                         /* BQL; valid until gone */
    bool gone;                          /* BQL: nothing but this is left */
    QSIMPLEQ_HEAD(, AlinkWork) todo;    /* workers.lock */
    QSIMPLEQ_HEAD(, AlinkWork) finished; /* workers.lock */
    bool running;                       /* workers.lock: a thread has it */
    bool ready;                         /* workers.lock: on workers.ready */
    unsigned refs;                      /* workers.lock: owner, and threads */
    QTAILQ_ENTRY(AlinkWorkQueue) next;
};

/*
 * Lock order: BQL, then workers.lock. Who holds the BQL may wait for a queue
 * that is running: fn takes no BQL. He must not wait for one that is ready:
 * the threads may all be waiting for the BQL, to tell of other work.
 */
static struct {
    QemuMutex lock;     /* protects the queues' lists and flags; leaf lock */
    QemuCond work;      /* a queue became ready */
    QemuCond idle;      /* some queue finished a piece of work */
    QemuCond go;        /* hold was switched off */
    QTAILQ_HEAD(, AlinkWorkQueue) ready;
    bool hold;          /* threads stop between a work and telling of it */
    unsigned held;      /* which so many do */
    unsigned threads;   /* BQL */
} workers;

/* The lock is held. */
static void queue_ready(AlinkWorkQueue *wq)
{
    if (!wq->ready && !wq->running && !QSIMPLEQ_EMPTY(&wq->todo)) {
        wq->ready = true;
        QTAILQ_INSERT_TAIL(&workers.ready, wq, next);
        qemu_cond_signal(&workers.work);
    }
}

/* The lock is held, but not while it runs. The queue is not running yet. */
static void work_run(AlinkWorkQueue *wq)
{
    AlinkWork *work = QSIMPLEQ_FIRST(&wq->todo);

    if (wq->ready) {
        wq->ready = false;
        QTAILQ_REMOVE(&workers.ready, wq, next);
    }
    QSIMPLEQ_REMOVE_HEAD(&wq->todo, next);
    wq->running = true;
    qemu_mutex_unlock(&workers.lock);

    work->fn(work->opaque);

    qemu_mutex_lock(&workers.lock);
    QSIMPLEQ_INSERT_TAIL(&wq->finished, work, next);
    wq->running = false;
    queue_ready(wq);
    qemu_cond_broadcast(&workers.idle);
}

/* Calls done of what has ended first; false: there is nothing. */
static bool work_reap(AlinkWorkQueue *wq)
{
    AlinkWork *work;

    qemu_mutex_lock(&workers.lock);
    work = QSIMPLEQ_FIRST(&wq->finished);
    if (work) {
        QSIMPLEQ_REMOVE_HEAD(&wq->finished, next);
    }
    qemu_mutex_unlock(&workers.lock);
    if (!work) {
        return false;
    }
    work->done(work->opaque);
    g_free(work);
    return true;
}

/*
 * One call for each piece of work: a thread that reaped what others finish
 * meanwhile could keep the BQL for long.
 */
static void work_tell_one(AlinkWorkQueue *wq)
{
    g_autoptr(AlinkInBh) in = alink_bh_enter(wq->ad, wq->bh);

    if (in) {
        work_reap(wq);
    }
}

/* On the thread that did the work, with the BQL. */
static void work_tell(AlinkWorkQueue *wq)
{
    MemReentrancyGuard *guard = &DEVICE(wq->ad)->mem_reentrancy_guard;
    bool engaged = guard->engaged_in_io;

    /*
     * While the machine stands still, and when QEMU is about to end, it is the
     * main loop's: it knows when it still runs.
     */
    if (!runstate_is_running()) {
        qemu_bh_schedule(wq->bh);
        return;
    }
    /* As the main loop calls a guarded bottom half */
    guard->engaged_in_io = true;
    work_tell_one(wq);
    guard->engaged_in_io = engaged;
}

/* The lock is held. */
static void work_unref(AlinkWorkQueue *wq)
{
    if (!--wq->refs) {
        g_free(wq);
    }
}

/* The lock is held. */
static void worker_hold(void)
{
    workers.held++;
    while (workers.hold) {
        qemu_cond_wait(&workers.go, &workers.lock);
    }
    workers.held--;
}

static void *worker_thread(void *opaque)
{
    rcu_register_thread();
    qemu_mutex_lock(&workers.lock);
    for (;;) {
        AlinkWorkQueue *wq = QTAILQ_FIRST(&workers.ready);

        if (!wq) {
            qemu_cond_wait(&workers.work, &workers.lock);
            continue;
        }
        wq->refs++;
        work_run(wq);
        worker_hold();
        qemu_mutex_unlock(&workers.lock);

        /* Not by a bottom half: the main loop takes long to wake. */
        bql_lock();
        if (!wq->gone) {
            work_tell(wq);
        }
        bql_unlock();

        qemu_mutex_lock(&workers.lock);
        work_unref(wq);
    }
    return NULL;
}

static void workers_start(void)
{
    QemuThread thread;

    if (!workers.threads) {
        qemu_mutex_init(&workers.lock);
        qemu_cond_init(&workers.work);
        qemu_cond_init(&workers.idle);
        qemu_cond_init(&workers.go);
        QTAILQ_INIT(&workers.ready);
    }
    while (workers.threads < WORK_THREADS) {
        workers.threads++;
        qemu_thread_create(&thread, "alink-work", worker_thread, NULL,
                           QEMU_THREAD_DETACHED);
    }
}

void alink_work_hold(bool hold)
{
    workers_start();
    qemu_mutex_lock(&workers.lock);
    workers.hold = hold;
    qemu_cond_broadcast(&workers.go);
    qemu_mutex_unlock(&workers.lock);
}

unsigned alink_work_held(void)
{
    unsigned held;

    workers_start();
    qemu_mutex_lock(&workers.lock);
    held = workers.held;
    qemu_mutex_unlock(&workers.lock);
    return held;
}

/* For what work_tell() leaves to it */
static void work_bh(void *opaque)
{
    AlinkWorkQueue *wq = opaque;
    g_autoptr(AlinkInBh) in = alink_bh_enter(wq->ad, wq->bh);

    if (in) {
        while (work_reap(wq)) {
        }
    }
}

AlinkWorkQueue *alink_work_new(AlinkDevice *ad)
{
    AlinkWorkQueue *wq = g_new0(AlinkWorkQueue, 1);

    workers_start();
    wq->ad = ad;
    wq->refs = 1;
    wq->bh = alink_bh_new(work_bh, wq, ad);
    QSIMPLEQ_INIT(&wq->todo);
    QSIMPLEQ_INIT(&wq->finished);
    return wq;
}

void alink_work_free(AlinkWorkQueue *wq)
{
    alink_work_drain(wq);
    qemu_bh_delete(wq->bh);
    wq->gone = true;
    qemu_mutex_lock(&workers.lock);
    work_unref(wq);
    qemu_mutex_unlock(&workers.lock);
}

void alink_work_submit(AlinkWorkQueue *wq, AlinkWorkFn *fn,
                       AlinkWorkDone *done, void *opaque)
{
    AlinkWork *work = g_new0(AlinkWork, 1);

    g_assert(bql_locked());
    work->fn = fn;
    work->done = done;
    work->opaque = opaque;
    qemu_mutex_lock(&workers.lock);
    QSIMPLEQ_INSERT_TAIL(&wq->todo, work, next);
    queue_ready(wq);
    qemu_mutex_unlock(&workers.lock);
}

/*
 * What no thread has begun is run here, see the lock order; and what a thread
 * has not told of yet is told from here, so that it will find nothing. The
 * guard is engaged as in a bottom half, since done may do DMA.
 */
void alink_work_drain(AlinkWorkQueue *wq)
{
    MemReentrancyGuard *guard = &DEVICE(wq->ad)->mem_reentrancy_guard;
    bool engaged = guard->engaged_in_io;

    g_assert(bql_locked());
    guard->engaged_in_io = true;
    do {
        qemu_mutex_lock(&workers.lock);
        while (wq->running || !QSIMPLEQ_EMPTY(&wq->todo)) {
            if (wq->running) {
                qemu_cond_wait(&workers.idle, &workers.lock);
            } else {
                work_run(wq);
            }
        }
        qemu_mutex_unlock(&workers.lock);
    } while (work_reap(wq));
    guard->engaged_in_io = engaged;
}
