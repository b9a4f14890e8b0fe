/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: turns of the queues of a ring, and of its compute engine.
 *
 * Commands take numbers from a counter in memory: what they got is the order in
 * which they ran. Times are modelled ones. Nothing here looks at a clock.
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_regs.h"
#include "xpu-qtest.h"

#define START       AQ_FABRIC XQ_DEVICE
#define COUNTER     XQ_SYS
#define NUMBERS     (XQ_SYS + 0x10000)      /* 8 KiB for each queue */
#define JUNK        (XQ_HBM + 0xc00000)
/* All of ring 1 */
#define RINGS       16
#define ID(n)       (1 + RINGS * (n))
#define SIZE        512

typedef struct Rig {
    AlinkQtest *aq;
    XpuQtest *x;
    XpuQueueQtest *q[4];
    unsigned num[4];                        /* numbers asked for */
} Rig;

static Rig rig_new(void)
{
    Rig r = { .aq = aq_start(START) };

    r.x = xq_new(r.aq);
    return r;
}

static void rig_free(Rig *r)
{
    xq_free(r->x);
    aq_stop(r->aq);
}

static void queue(Rig *r, unsigned n, enum alink_xpu_priority priority)
{
    r->q[n] = xq_queue_prio(r->x, ID(n), SIZE, priority);
    r->num[n] = 0;
}

/* A command of 100 ns that takes the next number */
static void put_number(Rig *r, unsigned n)
{
    xq_put(r->q[n], xq_atomic(8, ALINK_ATOMIC_ADD, COUNTER, 1, 0,
                              NUMBERS + 8192 * n + 8 * r->num[n]++));
}

/* One of 100 ns and 1 ns for each 64 bytes */
static void put_fill(Rig *r, unsigned n, uint64_t len)
{
    xq_put(r->q[n], xq_desc(ALINK_XPU_OP_FILL, JUNK, 0, len));
}

static uint64_t number(Rig *r, unsigned n, unsigned i)
{
    return qtest_readq(r->aq->qts, r->x->sys + NUMBERS - XQ_SYS + 8192 * n +
                       8 * i);
}

static uint64_t window(Rig *r, unsigned n, uint32_t reg)
{
    return aq_rd64(r->aq, ALINK_XPU_Q(ID(n), reg));
}

/* All doorbells before any command runs; returns when all have run. */
static void run_all(Rig *r)
{
    unsigned n;

    aq_command(r->aq, PCI_COMMAND_MASTER, 0);
    for (n = 0; n < 4; n++) {
        if (r->q[n]) {
            xq_ring(r->q[n]);
        }
    }
    aq_settle(r->aq);
    aq_command(r->aq, 0, PCI_COMMAND_MASTER);
    for (n = 0; n < 4; n++) {
        if (r->q[n]) {
            xq_wait(r->q[n]);
        }
    }
}

/* --- registers ----------------------------------------------------------- */

static void test_registers(void)
{
    Rig r = rig_new();
    unsigned n;

    g_assert_cmpuint(aq_rd32(r.aq, ALINK_XPU_REG_NUM_RINGS), ==, RINGS);
    g_assert_cmpuint(aq_rd32(r.aq, ALINK_XPU_REG_SLICE_US), ==, 100);
    g_assert_cmpuint(aq_rd32(r.aq, ALINK_XPU_REG_STARVE_US), ==, 1000);
    for (n = 0; n < 4; n++) {
        g_assert_cmpuint(aq_rd32(r.aq, ALINK_XPU_Q(ID(n),
                                                   ALINK_XPU_Q_PRIORITY)),
                         ==, 0);
        queue(&r, n, n);
        g_assert_cmpuint(aq_rd32(r.aq, ALINK_XPU_Q(ID(n),
                                                   ALINK_XPU_Q_PRIORITY)),
                         ==, n);
        g_assert_cmpuint(window(&r, n, ALINK_XPU_Q_TURNS), ==, 0);
    }
    put_number(&r, 2);
    xq_ring(r.q[2]);
    xq_wait(r.q[2]);
    g_assert_cmpuint(window(&r, 2, ALINK_XPU_Q_TURNS), ==, 1);
    g_assert_cmpuint(window(&r, 2, ALINK_XPU_Q_WAIT_NS), ==, 0);
    g_assert_cmpuint(xq_queue_destroy(r.q[2]), ==, ALINK_ST_OK);
    g_assert_cmpuint(window(&r, 2, ALINK_XPU_Q_TURNS), ==, 0);
    rig_free(&r);
}

/* --- order --------------------------------------------------------------- */

/* With all of them ready, a class begins when the one above it is done. */
static void test_classes(void)
{
    const unsigned each = 100;
    Rig r = rig_new();
    unsigned n, i;

    for (n = 0; n < 4; n++) {
        queue(&r, n, n);
        for (i = 0; i < each; i++) {
            put_number(&r, n);
        }
    }
    run_all(&r);
    for (n = 0; n < 4; n++) {
        for (i = 0; i < each; i++) {
            g_assert_cmpuint(number(&r, n, i), ==, (3 - n) * each + i);
        }
        g_assert_cmpuint(window(&r, n, ALINK_XPU_Q_TURNS), ==, 1);
        g_assert_cmpuint(window(&r, n, ALINK_XPU_Q_WAIT_NS), ==,
                         (3 - n) * each * 100);
        g_assert_cmpuint(window(&r, n, ALINK_XPU_Q_WORST_NS), ==,
                         (3 - n) * each * 100);
    }
    rig_free(&r);
}

/* Jobs of 1000 + 100 ns in two queues; the order in which they ran */
static unsigned changes(Rig *r, enum alink_xpu_priority priority,
                        unsigned jobs, unsigned *longest)
{
    unsigned n, i, last = 2, run = 0, changes = 0;
    g_autofree uint8_t *owner = g_malloc(2 * jobs);

    for (n = 0; n < 2; n++) {
        queue(r, n, priority);
        for (i = 0; i < jobs; i++) {
            put_fill(r, n, 57600);
            put_number(r, n);
        }
    }
    run_all(r);
    memset(owner, 2, 2 * jobs);
    for (n = 0; n < 2; n++) {
        for (i = 0; i < jobs; i++) {
            uint64_t at = number(r, n, i);

            g_assert_cmpuint(at, <, 2 * jobs);
            owner[at] = n;
        }
    }
    *longest = 0;
    for (i = 0; i < 2 * jobs; i++) {
        g_assert_cmpuint(owner[i], <, 2);
        changes += i && owner[i] != last;
        run = owner[i] == last ? run + 1 : 1;
        *longest = MAX(*longest, run);
        last = owner[i];
    }
    return changes;
}

/* Equals change over when 100 us are up: after 90 jobs and the next fill. */
static void test_slices(void)
{
    enum alink_xpu_priority p;

    for (p = ALINK_XPU_PRIORITY_LOW; p <= ALINK_XPU_PRIORITY_HIGH; p++) {
        Rig r = rig_new();
        unsigned longest;

        g_assert_cmpuint(changes(&r, p, 200, &longest), ==, 5);
        g_assert_cmpuint(longest, ==, 91);
        g_assert_cmpuint(window(&r, 0, ALINK_XPU_Q_TURNS), ==, 3);
        g_assert_cmpuint(window(&r, 1, ALINK_XPU_Q_TURNS), ==, 3);
        g_assert_cmpuint(window(&r, 1, ALINK_XPU_Q_WORST_NS), <=, 101100);
        rig_free(&r);
    }
}

static void test_realtime(void)
{
    Rig r = rig_new();
    unsigned longest;

    g_assert_cmpuint(changes(&r, ALINK_XPU_PRIORITY_REALTIME, 200, &longest),
                     ==, 1);
    g_assert_cmpuint(longest, ==, 200);
    rig_free(&r);
}

/*
 * The lower one releases the higher one in the middle of its work. The model
 * looks at memory between runs of 32 descriptors.
 */
static void test_higher_takes_over(void)
{
    const unsigned before = 50, after = 200, work = 60;
    Rig r = rig_new();
    uint64_t first;
    unsigned i;

    queue(&r, 0, ALINK_XPU_PRIORITY_LOW);
    queue(&r, 1, ALINK_XPU_PRIORITY_REALTIME);
    xq_put(r.q[1], xq_wait_for(ALINK_WAIT_EQ, COUNTER + 8, 1));
    for (i = 0; i < work; i++) {
        put_number(&r, 1);
    }
    for (i = 0; i < before; i++) {
        put_number(&r, 0);
    }
    xq_put(r.q[0], xq_atomic(8, ALINK_ATOMIC_SWAP, COUNTER + 8, 1, 0, 0));
    for (i = 0; i < after; i++) {
        put_number(&r, 0);
    }
    run_all(&r);
    first = number(&r, 1, 0);
    g_assert_cmpuint(first, >=, before);
    g_assert_cmpuint(first, <=, before + 32);
    for (i = 1; i < work; i++) {
        g_assert_cmpuint(number(&r, 1, i), ==, first + i);
    }
    rig_free(&r);
}

/* --- nobody starves --------------------------------------------------------- */

static void starve(enum alink_xpu_priority low, enum alink_xpu_priority high)
{
    /* 16384 + 100 + 100 ns each: 3.3 ms in all */
    const unsigned jobs = 200, mine = 10;
    unsigned i, early = 0;
    Rig r = rig_new();
    uint64_t end;

    queue(&r, 0, low);
    queue(&r, 1, high);
    for (i = 0; i < mine; i++) {
        put_number(&r, 0);
    }
    for (i = 0; i < jobs; i++) {
        put_fill(&r, 1, 1 << 20);
        put_number(&r, 1);
    }
    run_all(&r);
    end = number(&r, 1, jobs - 1);
    for (i = 0; i < mine; i++) {
        early += number(&r, 0, i) < end;
    }
    g_assert_cmpuint(early, ==, 3);
    g_assert_cmpuint(number(&r, 0, 0), ==, 60);
    g_assert_cmpuint(window(&r, 0, ALINK_XPU_Q_WORST_NS), >=, 1000000);
    g_assert_cmpuint(window(&r, 0, ALINK_XPU_Q_WORST_NS), <=, 1016484);
    /* It takes one command of the other's time each time. */
    g_assert_cmpuint(window(&r, 1, ALINK_XPU_Q_WORST_NS), ==, 100);
    rig_free(&r);
}

static void test_starving(void)
{
    starve(ALINK_XPU_PRIORITY_LOW, ALINK_XPU_PRIORITY_HIGH);
    starve(ALINK_XPU_PRIORITY_NORMAL, ALINK_XPU_PRIORITY_REALTIME);
    starve(ALINK_XPU_PRIORITY_LOW, ALINK_XPU_PRIORITY_NORMAL);
}

/* Commands of 1000 ns that need no worker, more than a queue holds */
static void test_starving_of_small_ones(void)
{
    const unsigned others = 3, jobs = 500, mine = 10;
    Rig r = rig_new();
    unsigned n, i;

    queue(&r, 0, ALINK_XPU_PRIORITY_LOW);
    for (i = 0; i < mine; i++) {
        put_number(&r, 0);
    }
    for (n = 1; n <= others; n++) {
        queue(&r, n, ALINK_XPU_PRIORITY_HIGH);
        for (i = 0; i < jobs; i++) {
            put_fill(&r, n, 57600);
        }
        put_number(&r, n);
    }
    run_all(&r);
    /* One step after 1000 us, the others when nobody else is left */
    g_assert_cmpuint(number(&r, 0, 0), ==, 0);
    g_assert_cmpuint(number(&r, 0, 1), ==, 1 + others);
    g_assert_cmpuint(window(&r, 0, ALINK_XPU_Q_TURNS), ==, 2);
    g_assert_cmpuint(window(&r, 0, ALINK_XPU_Q_WORST_NS), >=, 1000000);
    g_assert_cmpuint(window(&r, 0, ALINK_XPU_Q_WORST_NS), <=, 1001100);
    rig_free(&r);
}

/* --- the engine --------------------------------------------------------------- */

#define GEMM_A      XQ_HBM
#define GEMM_B      (XQ_HBM + 0x400000)
#define GEMM_DST    (XQ_HBM + 0x800000)

/* m x n x k in FP32 at 1024 multiply-accumulates in a ns */
static struct alink_xpu_desc gemm(Rig *r, unsigned n, uint32_t rows,
                                  uint32_t depth)
{
    uint64_t at = XQ_SYS + 0x20000 + 128 * n;
    struct alink_xpu_compute c = {
        .m = cpu_to_le32(rows), .n = cpu_to_le32(rows),
        .k = cpu_to_le32(depth),
        .a = { .addr = cpu_to_le64(GEMM_A), .dtype = ALINK_DT_FP32,
               .stride = cpu_to_le64(4 * depth) },
        .b = { .addr = cpu_to_le64(GEMM_B), .dtype = ALINK_DT_FP32,
               .stride = cpu_to_le64(4 * rows) },
        .dst = { .addr = cpu_to_le64(GEMM_DST + n * 0x100000),
                 .dtype = ALINK_DT_FP32, .stride = cpu_to_le64(4 * rows) },
    };
    struct alink_xpu_desc d = xq_desc(ALINK_XPU_OP_COMPUTE, 0, at, sizeof(c));

    qtest_memwrite(r->aq->qts, r->x->sys + at - XQ_SYS, &c, sizeof(c));
    d.subop = ALINK_XPU_FN_GEMM;
    return d;
}

/* A command of the same ring does not wait for the engine, whoever has it. */
static void test_compute_beside_ring(void)
{
    Rig r = rig_new();

    queue(&r, 0, ALINK_XPU_PRIORITY_HIGH);
    queue(&r, 1, ALINK_XPU_PRIORITY_LOW);
    xq_put(r.q[0], gemm(&r, 0, 512, 2048));
    put_number(&r, 0);
    put_number(&r, 1);
    run_all(&r);
    g_assert_cmpuint(number(&r, 1, 0), ==, 0);
    g_assert_cmpuint(number(&r, 0, 0), ==, 1);
    /* The descriptor itself is the ring's. */
    g_assert_cmpuint(window(&r, 1, ALINK_XPU_Q_WORST_NS), ==, 100);
    rig_free(&r);
}

/*
 * A ring that always has a command does not keep its engine from a COMPUTE. The
 * model runs so many at a time that the last of the first ones begins it.
 */
static void test_compute_beside_stream(void)
{
    const unsigned before = ALINK_XPU_BESIDE_STEPS / 2 - 1, stream = 400;
    Rig r = rig_new();
    unsigned i;

    queue(&r, 0, ALINK_XPU_PRIORITY_HIGH);
    queue(&r, 1, ALINK_XPU_PRIORITY_NORMAL);
    for (i = 0; i < before; i++) {
        put_number(&r, 0);
    }
    xq_put(r.q[0], gemm(&r, 0, 16, 16));
    put_number(&r, 0);
    for (i = 0; i < stream; i++) {
        put_number(&r, 1);
    }
    run_all(&r);
    g_assert_cmpuint(number(&r, 0, before - 1), ==, before - 1);
    g_assert_cmpuint(number(&r, 0, before), <=,
                     before + ALINK_XPU_BESIDE_STEPS);
    g_assert_cmpuint(number(&r, 1, stream - 1), ==, before + stream);
    rig_free(&r);
}

/* A COMPUTE of a higher priority waits for a piece, not for all of it. */
static void test_compute_priority(void)
{
    uint64_t slice = 100000;
    Rig r = rig_new();

    queue(&r, 0, ALINK_XPU_PRIORITY_LOW);
    queue(&r, 1, ALINK_XPU_PRIORITY_HIGH);
    xq_put(r.q[1], xq_wait_for(ALINK_WAIT_EQ, COUNTER + 8, 1));
    xq_put(r.q[1], gemm(&r, 1, 64, 64));
    put_number(&r, 1);
    xq_put(r.q[0], xq_atomic(8, ALINK_ATOMIC_SWAP, COUNTER + 8, 1, 0, 0));
    xq_put(r.q[0], gemm(&r, 0, 512, 2048));
    put_number(&r, 0);
    run_all(&r);
    g_assert_cmpuint(number(&r, 1, 0), ==, 0);
    g_assert_cmpuint(number(&r, 0, 0), ==, 1);
    g_assert_cmpuint(window(&r, 1, ALINK_XPU_Q_WORST_NS), <=, slice);
    rig_free(&r);
}

/* Pieces of 2.1 ms, which workers do, hold nobody out for more than 1 ms. */
static void test_compute_starving(void)
{
    const unsigned jobs = 4;
    Rig r = rig_new();
    unsigned i;

    queue(&r, 0, ALINK_XPU_PRIORITY_LOW);
    queue(&r, 1, ALINK_XPU_PRIORITY_HIGH);
    xq_put(r.q[0], gemm(&r, 0, 64, 64));
    put_number(&r, 0);
    for (i = 0; i < jobs; i++) {
        xq_put(r.q[1], gemm(&r, 1, 512, 2048));
    }
    put_number(&r, 1);
    run_all(&r);
    g_assert_cmpuint(number(&r, 0, 0), ==, 0);
    g_assert_cmpuint(number(&r, 1, 0), ==, 1);
    g_assert_cmpuint(window(&r, 0, ALINK_XPU_Q_WORST_NS), <=, 1100000);
    rig_free(&r);
}

/* 524 us each: equals have the engine in turns of 100 us and a piece at most. */
static void test_compute_slices(void)
{
    Rig r = rig_new();
    unsigned n;

    for (n = 0; n < 2; n++) {
        queue(&r, n, ALINK_XPU_PRIORITY_NORMAL);
        xq_put(r.q[n], gemm(&r, n, 512, 2048));
    }
    run_all(&r);
    for (n = 0; n < 2; n++) {
        struct alink_xpu_queue_status s = xq_status(r.q[n]);

        g_assert_cmpuint(le64_to_cpu(s.model_ns), ==, 100 + 524288);
        g_assert_cmpuint(window(&r, n, ALINK_XPU_Q_TURNS), >=, 4);
        g_assert_cmpuint(window(&r, n, ALINK_XPU_Q_WORST_NS), <=, 200000);
    }
    rig_free(&r);
}

/* --- what comes and goes ----------------------------------------------------------- */

static void test_queue_goes(void)
{
    Rig r = rig_new();
    unsigned i;

    queue(&r, 0, ALINK_XPU_PRIORITY_NORMAL);
    queue(&r, 1, ALINK_XPU_PRIORITY_HIGH);
    /* In its turn: in the middle of bulk work, and of COMPUTE */
    for (i = 0; i < 2; i++) {
        xq_put(r.q[1], i ? gemm(&r, 1, 512, 2048) :
                           xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0, 16 << 20));
        xq_ring(r.q[1]);
        put_number(&r, 0);
        xq_ring(r.q[0]);
        g_assert_cmpuint(xq_queue_destroy(r.q[1]), ==, ALINK_ST_OK);
        xq_wait(r.q[0]);
        queue(&r, 1, ALINK_XPU_PRIORITY_HIGH);
    }
    /* While it waits for its turn */
    xq_put(r.q[1], xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0, 16 << 20));
    xq_put(r.q[0], xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0, 16 << 20));
    xq_ring(r.q[1]);
    xq_ring(r.q[0]);
    g_assert_cmpuint(xq_queue_destroy(r.q[0]), ==, ALINK_ST_OK);
    xq_wait(r.q[1]);
    rig_free(&r);
}

/* One that does nothing with its turn costs the others nothing. */
static void test_stuck(void)
{
    Rig r = rig_new();

    queue(&r, 0, ALINK_XPU_PRIORITY_LOW);
    queue(&r, 1, ALINK_XPU_PRIORITY_REALTIME);
    aq_set_int(r.aq, "x-queue-stuck", 1LL << ID(1));
    put_number(&r, 1);
    xq_ring(r.q[1]);
    put_number(&r, 0);
    xq_ring(r.q[0]);
    xq_wait(r.q[0]);
    g_assert_false(xq_fenced(r.q[1]));
    aq_set_int(r.aq, "x-queue-stuck", 0);
    xq_wait(r.q[1]);
    g_assert_cmpuint(number(&r, 0, 0), ==, 0);
    g_assert_cmpuint(number(&r, 1, 0), ==, 1);
    rig_free(&r);
}

/* A reset forgets turns with the queues; nothing of the old ones is left. */
static void test_reset(void)
{
    Rig r = rig_new();

    queue(&r, 0, ALINK_XPU_PRIORITY_REALTIME);
    xq_put(r.q[0], gemm(&r, 0, 512, 2048));
    put_fill(&r, 0, 1 << 20);
    xq_ring(r.q[0]);
    aq_flr(r.aq);
    xq_setup(r.x);
    queue(&r, 0, ALINK_XPU_PRIORITY_LOW);
    queue(&r, 1, ALINK_XPU_PRIORITY_LOW);
    put_number(&r, 1);
    put_number(&r, 0);
    xq_put(r.q[0], gemm(&r, 0, 64, 64));
    run_all(&r);
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-sched/registers", test_registers);
    qtest_add_func("/alink/xpu-sched/classes", test_classes);
    qtest_add_func("/alink/xpu-sched/slices", test_slices);
    qtest_add_func("/alink/xpu-sched/realtime", test_realtime);
    qtest_add_func("/alink/xpu-sched/higher-takes-over",
                   test_higher_takes_over);
    qtest_add_func("/alink/xpu-sched/starving", test_starving);
    qtest_add_func("/alink/xpu-sched/starving-of-small-ones",
                   test_starving_of_small_ones);
    qtest_add_func("/alink/xpu-sched/compute-beside-ring",
                   test_compute_beside_ring);
    qtest_add_func("/alink/xpu-sched/compute-beside-stream",
                   test_compute_beside_stream);
    qtest_add_func("/alink/xpu-sched/compute-priority", test_compute_priority);
    qtest_add_func("/alink/xpu-sched/compute-slices", test_compute_slices);
    qtest_add_func("/alink/xpu-sched/compute-starving", test_compute_starving);
    qtest_add_func("/alink/xpu-sched/queue-goes", test_queue_goes);
    qtest_add_func("/alink/xpu-sched/stuck", test_stuck);
    qtest_add_func("/alink/xpu-sched/reset", test_reset);
    return g_test_run();
}
