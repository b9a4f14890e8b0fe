/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: what the files xpu*.c share.
 *
 *   xpu.c         the function: variants, registers, BARs, reset, properties
 *   xpu_admin.c   admin commands
 *   xpu_mmu.c     contexts, page tables, translation
 *   xpu_queue.c   doorbells, running descriptors, completion, errors, drain
 *   xpu_sched.c   turns of the queues at rings and engines
 *   xpu_exec.c    descriptors: checks and dispatch; wait, atomics
 *   xpu_move.c    bulk work: copy, fill, reductions
 *   xpu_push.c    parts of reducing pushes
 *   xpu_compute.c functions of the compute engines
 *   xpu_rows.c    rows of matrices for these
 *
 * Everything runs under the BQL, but for move_run() and compute_run(), which a
 * worker thread calls: they see host memory, the fabric core and the compute
 * engines' arithmetic only. What that spreads over further threads (compute/)
 * has ended when compute_run() returns.
 */
#ifndef HW_ALINK_XPU_INTERNAL_H
#define HW_ALINK_XPU_INTERNAL_H

#include "alink_common.h"
#include "alink_dma.h"
#include "fabric/alink_fabric.h"

#include <hw/alink/xpu.h>

#define TYPE_ALINK_XPU "alink-xpu"
OBJECT_DECLARE_SIMPLE_TYPE(AlinkXpu, ALINK_XPU)

#define XPU_NUM_CTX         256
#define XPU_NUM_SEGMENTS    1024
#define XPU_MAX_RINGS       16          /* of any variant */
#define XPU_SLICE_US        100
#define XPU_STARVE_US       1000
#define XPU_PROGRESS_MS     1000
#define XPU_BATCH           16          /* descriptors fetched at once */
#define XPU_PAGE            4096ULL
#define XPU_LARGE           (2ULL << 20)
#define XPU_VA_BITS         48

/* --- translation ---------------------------------------------------------- */

/*
 * In the status of an access that failed: it may be tried again. Statuses carry
 * it up to xpu_queue.c, and no further.
 */
#define XPU_ST_RETRY        0x10000

#define XPU_TLB_SMALL       1024
#define XPU_TLB_LARGE       256

typedef struct XpuTlbEntry {
    uint64_t tag;               /* page number + 1; 0: empty */
    uint64_t pte;
} XpuTlbEntry;

typedef struct XpuCtx {
    uint32_t id;
    uint32_t num_queues;
    uint64_t root;
    uint64_t walk_tag;          /* 2 MiB region + 1 whose table is known */
    uint64_t walk_table;        /* its level 0 table */
    uint64_t retry_need;        /* rights of the latest XPU_ST_RETRY */
    XpuTlbEntry small[XPU_TLB_SMALL];
    XpuTlbEntry large[XPU_TLB_LARGE];
} XpuCtx;

/* A range without a break in one aperture */
typedef struct XpuSpan {
    enum alink_aperture ap;
    uint32_t slot;              /* remote and group */
    uint64_t addr;              /* DMA address, HBM offset, or offset in slot */
    uint64_t len;
    uint64_t reach;             /* how far it goes at least; not cut to @max */
} XpuSpan;

/* --- bulk work ------------------------------------------------------------ */

typedef struct XpuQueue XpuQueue;

#define XPU_CHUNK           (16ULL << 20)   /* a descriptor is cut into these */
#define XPU_SIDE_PIECES     1024            /* mappings held by one operand */

/* One operand of a chunk: local memory, or one range behind the fabric */
typedef struct XpuSide {
    enum { XPU_SIDE_NONE, XPU_SIDE_LOCAL, XPU_SIDE_REMOTE,
           XPU_SIDE_GROUP } kind;
    uint32_t slot;
    uint64_t off;
    uint64_t va;
    bool system;                /* local, and not all of it HBM */
    AlinkSg sg;
} XpuSide;

typedef struct XpuMove {
    XpuSide dst, src, src2;
    XpuSide keep;               /* src2 once more, to be written */
    uint8_t opcode, dtype, subop;
    bool keeps;
    uint32_t pattern;
    uint64_t len;
    bool fabric;                /* timed by the fabric */
    /* results */
    enum alink_status status;
    XpuSide *fail_side;         /* whose address is at fault, or NULL */
    uint64_t fail_off;
    uint64_t model_ns;
    uint64_t busy_ns;
} XpuMove;

/* Rows of a matrix, of @len bytes each; xpu_rows.c */
typedef struct XpuBrokenRow XpuBrokenRow;

typedef struct XpuRows {
    XpuQueue *q;
    bool result;                /* written, not read */
    bool repeat;                /* all rows are the first */
    uint64_t len;
    uint8_t **row;              /* where they are; NULL: broken, not gathered */
    uint32_t num, room;
    XpuBrokenRow *broken;       /* those in several ranges of host memory */
    uint32_t num_broken, room_broken;
    uint8_t *tmp;
    uint64_t room_tmp;
    AlinkSg sg;                 /* what is mapped, and parts of broken rows */
    uint64_t weight;            /* work to add them, as bytes to be copied */
} XpuRows;

/* A COMPUTE descriptor in work; xpu_compute.c */
typedef struct XpuCompute XpuCompute;

/* --- queues --------------------------------------------------------------- */

typedef enum XpuQueueState {
    XPU_Q_READY,
    XPU_Q_ENGINE,               /* has a COMPUTE for the engine of its ring */
    XPU_Q_WORK,                 /* a worker has a chunk, or a piece */
    XPU_Q_WAIT,                 /* for memory, or the others of a push */
    XPU_Q_LATE,                 /* done; x-complete-late-us, or no bus master */
    XPU_Q_FAULT,                /* an access failed; the driver decides */
    XPU_Q_HALTED,
} XpuQueueState;

struct XpuQueue {
    AlinkXpu *xpu;
    XpuCtx *ctx;
    uint32_t id;
    uint32_t size;
    uint16_t vector;
    uint16_t priority;
    uint64_t ring;
    uint64_t status;
    uint32_t head;              /* free-running */
    uint32_t tail;

    XpuQueueState state;
    bool aborting;              /* drain: start nothing more */
    bool holding;               /* invalidation: pause between chunks */
    bool quiet;                 /* being destroyed: no event */
    bool waited;                /* the present WAIT was looked at before */
    int64_t wait_until;         /* then it is too late, ns; 0: no time runs */
    bool dirty;                 /* status block is not up to date */
    bool want_irq;
    uint32_t error;
    uint32_t error_index;
    uint64_t error_addr;

    XpuQueueState fault_from;   /* where it goes on after a fault */
    enum alink_status fault_status;
    uint64_t fault_addr;
    uint64_t fault_need;        /* ALINK_PTE_READ, WRITE, ATOMIC */

    struct alink_xpu_desc batch[XPU_BATCH];     /* private copies */
    unsigned batch_num, batch_pos;
    uint64_t done;              /* bytes of the present descriptor */
    uint64_t desc_ns;           /* its modelled time so far */
    uint64_t charged;           /* of it, what ring and engine were charged */

    /* turns; in time of the unit that the queue is at */
    uint64_t since;             /* when it became ready, or lost its turn */
    uint64_t last_turn;         /* AlinkXpu.turns at its latest turn */
    uint64_t turns;
    uint64_t wait_ns;
    uint64_t worst_ns;
    uint32_t progress;          /* signs of life */

    uint64_t model_ns;
    uint64_t model_last_ns;
    uint64_t bytes;

    XpuMove move;
    struct af_push push;        /* the present chunk of a PUSH_REDUCE */
    uint64_t push_len;
    XpuCompute *compute;        /* the present descriptor, once begun */
    AlinkWorkQueue *wq;
    QEMUTimer *late_timer;
};

/* A ring, or the compute engine beside it: runs one queue at a time */
typedef struct XpuUnit {
    XpuQueue *current;          /* whose turn it is; it may have nothing to do */
    XpuQueue *busy;             /* has work under way that nothing cuts short */
    bool once;                  /* the turn is for one step */
    uint64_t ns;                /* modelled time that it worked */
    uint64_t turn_ns;           /* of it, in this turn */
} XpuUnit;

/* Work of one run of the scheduler */
typedef struct XpuPass {
    unsigned descs;
    uint64_t bytes;
} XpuPass;

typedef struct XpuVariant {
    const char *name;
    uint32_t id;
    const char *model_name;
    const char *part_number;
    uint32_t fw_version;
    uint64_t hbm_size;
    uint32_t dies;
    uint32_t rings;
    uint32_t links;
    uint32_t link_mbps;
    uint32_t lanes;
    int32_t power_idle_mw;
    int32_t power_max_mw;
} XpuVariant;

struct AlinkXpu {
    AlinkDevice parent_obj;

    /* properties */
    char *variant_name;
    uint32_t endpoint;
    uint64_t hbm_size;
    uint64_t hbm_bar_size;
    uint32_t compute_threads;
    uint64_t x_queue_stuck;     /* bitmap, see xpu_queue_in() */
    uint64_t x_destroy_stuck;   /* as well */
    uint32_t x_lose_queue_irqs;
    uint32_t x_complete_late_us;
    uint32_t x_skip_fills;      /* read without the BQL */
    bool x_lose_hbm;
    uint64_t x_memcpy_bytes;

    /* constant after realize */
    const XpuVariant *variant;
    uint32_t dtypes;
    MemoryRegion hbm;
    MemoryRegion hbm_bar;
    MemoryRegion hbm_window;
    uint8_t *hbm_mem;

    XpuCtx *ctx[XPU_NUM_CTX + 1];
    XpuQueue *queue[ALINK_XPU_MAX_QUEUES];
    XpuUnit ring[XPU_MAX_RINGS];
    XpuUnit engine[XPU_MAX_RINGS];
    QEMUBH *engine_bh;
    QEMUTimer *wait_timer;
    unsigned num_waiting;
    uint32_t wait_ns;           /* present distance of looks at memory */
    bool recheck;               /* waiting queues shall look at memory */
    bool looking;               /* and do, in this run of the scheduler */
    unsigned first;             /* ring that the next run begins with */
    uint64_t turns;             /* that began at rings and engines so far */

    AlinkAdminCmd *unanswered;  /* QUEUE_DESTROY, for x-destroy-stuck */

    /* in flash: no reset clears it */
    struct alink_xpu_page retired[ALINK_XPU_MAX_RETIRED];
    uint32_t num_retired;

    uint64_t busy_ns;
    uint64_t queue_busy_ns[ALINK_XPU_MAX_QUEUES];   /* also of queues gone */
    uint64_t queue_compute_ns[ALINK_XPU_MAX_QUEUES];    /* part of these */
    uint64_t commands;
    uint64_t irqs;
    uint64_t doorbells;
    uint64_t macs;
    uint64_t ecc_corrected;

    /* of COMPUTE, since the first one */
    struct ac_team *team;       /* threads that share a piece */
    struct ac_work *spare;      /* memory, while no descriptor has it */

    /* load for the sensors: busy share of the latest window, per mille */
    int64_t load_at;
    uint64_t load_busy_ns;
    uint32_t load;

    QTAILQ_ENTRY(AlinkXpu) next;
};

/* --- xpu_mmu.c ------------------------------------------------------------ */

XpuCtx *xpu_ctx_create(uint32_t id, uint64_t root);
void xpu_ctx_flush(XpuCtx *ctx);
/*
 * Translates from @va on, at most @max bytes, as far as one range goes. @need:
 * ALINK_PTE_READ, WRITE, ATOMIC; all of them. The status is that of the first
 * byte, with XPU_ST_RETRY where the table says so. A fault in the tables
 * themselves is reported to the driver from here; @queue is only for that
 * report.
 */
enum alink_status xpu_translate(AlinkXpu *xpu, XpuCtx *ctx, uint32_t queue,
                                uint64_t va, uint64_t max, uint64_t need,
                                XpuSpan *span);

/* --- xpu_exec.c ------------------------------------------------------------ */

/*
 * One step of the present descriptor. On ALINK_ST_OK: *done says that all its
 * effects are there; otherwise the queue's state says what it waits for (READY:
 * the scheduler's turn). On failure *addr is the address at fault, or 0.
 */
enum alink_status xpu_exec(XpuQueue *q, const struct alink_xpu_desc *desc,
                           XpuPass *pass, bool *done, uint64_t *addr);
/* Stores a word, as fences do: local, remote or to a group. */
enum alink_status xpu_store64(XpuQueue *q, uint64_t va, uint64_t value,
                              uint64_t *model_ns);
/* Modelled time of local traffic, and of a REDUCE within HBM, by its length */
uint64_t xpu_local_ns(uint64_t bytes);
uint64_t xpu_reduce_ns(uint64_t bytes);
/* The device found bad memory at an offset of its HBM. */
void xpu_report_poison(AlinkXpu *xpu, uint64_t hbm, uint32_t queue);

/* --- xpu_move.c ------------------------------------------------------------ */

/* As xpu_exec(), for the opcodes that move data; the descriptor is checked. */
enum alink_status xpu_move(XpuQueue *q, const struct alink_xpu_desc *desc,
                           XpuPass *pass, bool *done, uint64_t *addr);

/* --- xpu_push.c ------------------------------------------------------------ */

/* As xpu_exec(), for PUSH_REDUCE; the descriptor is checked. */
enum alink_status xpu_push(XpuQueue *q, const struct alink_xpu_desc *desc,
                           XpuPass *pass, bool *done, uint64_t *addr);
/* The present descriptor ends: what was sent ends with it, for all members. */
void xpu_push_end(XpuQueue *q);

/* --- xpu_compute.c ---------------------------------------------------------- */

/* Begins a COMPUTE; the descriptor is checked, not what it names. */
enum alink_status xpu_compute_begin(XpuQueue *q,
                                    const struct alink_xpu_desc *desc,
                                    uint64_t *addr);
/* As xpu_exec(), for one piece of what was begun. */
enum alink_status xpu_compute_step(XpuQueue *q, XpuPass *pass, bool *done,
                                   uint64_t *addr);
/* Forgets a descriptor that was begun; no worker has it. */
void xpu_compute_end(XpuQueue *q);
/* No queue is left. */
void xpu_compute_cleanup(AlinkXpu *xpu);

/* --- xpu_rows.c ------------------------------------------------------------ */

/*
 * BQL, but for gather and scatter. The struct starts as zeros and ends with
 * free; between these, begin and release make and drop a list of rows as often
 * as wanted. r->len is the caller's to set after begin.
 */
void xpu_rows_begin(XpuRows *r, XpuQueue *q, bool result);
/*
 * Appends @num rows of r->len bytes from device virtual address @va on, @stride
 * apart; 0: one for all, and then it is the only call. On failure *addr is at
 * fault; what was added stays and needs release.
 */
enum alink_status xpu_rows_add(XpuRows *r, uint64_t va, uint64_t stride,
                               uint32_t num, uint64_t *addr);
/* Copies a row that was added. */
void xpu_rows_read(const XpuRows *r, uint32_t row, void *buf);
/* After results were written */
void xpu_rows_heal(XpuRows *r);
/* @done: results were written. ALINK_ST_DMA when one was refused */
enum alink_status xpu_rows_release(XpuRows *r, bool done);
/* Any thread. All rows, in host memory; results that are broken are in none. */
uint8_t **xpu_rows_gather(XpuRows *r);
/* Any thread. Those results, to where they belong */
void xpu_rows_scatter(XpuRows *r);
void xpu_rows_free(XpuRows *r);

/* --- xpu_queue.c ------------------------------------------------------------ */

void xpu_doorbell(AlinkXpu *xpu, uint32_t id, uint32_t tail);
XpuQueue *xpu_queue_create(AlinkXpu *xpu, XpuCtx *ctx,
                           const struct alink_xpu_queue *req);
/* Aborts what runs and frees the queue. @tell: write its status block. */
void xpu_queue_destroy(XpuQueue *q, bool tell);
/* No translation of the context made before is in use any more. */
void xpu_ctx_quiesce(AlinkXpu *xpu, XpuCtx *ctx);
/*
 * No queue touches memory afterwards. While DMA is still allowed, they pause:
 * bus mastering goes away. Otherwise what runs and what waits is at its end.
 */
void xpu_drain(AlinkXpu *xpu);
void xpu_kick(AlinkXpu *xpu);
/* Ends state FAULT. False: the queue is in another one. */
bool xpu_queue_resume(XpuQueue *q, enum alink_xpu_resume_action action);
/* What ALINK_XPU_Q_STATE reads. */
enum alink_xpu_queue_state xpu_queue_state(const XpuQueue *q);
/* A worker has ended a chunk: goes on with the descriptor. */
void xpu_queue_worked(XpuQueue *q, enum alink_status status, bool done,
                      uint64_t addr);
void xpu_queue_wait(XpuQueue *q);
/* Has the present WAIT lasted for @ms since this was asked first? 0: never. */
bool xpu_queue_too_late(XpuQueue *q, uint64_t ms);
/* Queues of any xPU that wait shall look: what they wait for may be there. */
void xpu_wake_waiters(void);
void xpu_sched_init(AlinkXpu *xpu);
void xpu_sched_cleanup(AlinkXpu *xpu);

/* --- xpu_sched.c ------------------------------------------------------------ */

/* Whose next step it is at the unit, or NULL: nobody's, or a worker is busy. */
XpuQueue *xpu_unit_pick(AlinkXpu *xpu, XpuUnit *u, unsigned ring);
/*
 * The highest priority of those that xpu_unit_pick() has to choose of, or -1.
 * To be among them is progress.
 */
int xpu_unit_priority(AlinkXpu *xpu, const XpuUnit *u, unsigned ring);
/* From now on the queue wants a turn where it is, at its ring or the engine. */
void xpu_queue_ready(XpuQueue *q);
/* The unit where the queue is worked for it. */
void xpu_queue_charge(XpuQueue *q, uint64_t ns);
/* The ring worked for the present descriptor as long as desc_ns says. */
void xpu_queue_settle(XpuQueue *q);
/* The unit is the queue's, until it is released, whatever the turns. */
void xpu_queue_occupy(XpuQueue *q);
void xpu_queue_release(XpuQueue *q);
/* The queue is about to go. */
void xpu_queue_forget(XpuQueue *q);
/* x-queue-stuck: it does nothing. */
bool xpu_queue_stuck(const XpuQueue *q);
/* Is it in a bitmap of queues? The last bit is for all from 63 on. */
bool xpu_queue_in(const XpuQueue *q, uint64_t bitmap);
/* What ALINK_XPU_Q_PROGRESS reads. */
uint32_t xpu_queue_progress(XpuQueue *q);

/* --- xpu_admin.c ------------------------------------------------------------ */

extern const AlinkAdminSpec xpu_admin[];
extern const size_t xpu_num_admin;
/* A reset, or the end: what x-destroy-stuck has kept is given up. */
void xpu_admin_forget(AlinkXpu *xpu);

#endif /* HW_ALINK_XPU_INTERNAL_H */
