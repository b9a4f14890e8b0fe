/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: copies that a worker thread makes: guest pages that lie here and
 * there; code that is written over; and what becomes of a copy that has ended,
 * and of which its thread has not told yet, when the queue, the device or the
 * machine does not wait for it.
 *
 * x-hold-workers stops threads at exactly that place, so nothing here depends
 * on who is quicker.
 */
#include "qemu/osdep.h"
#include "xpu-qtest.h"

#define BYTES       (1ULL << 20)
#define PAGE        4096ULL
#define PAGES       64U
#define THREADS     2           /* of all xPUs of a process */
#define SEED        3           /* of the first of the places below */

typedef struct Bulk {
    AlinkQtest *aq;
    XpuQtest *x;
} Bulk;

static Bulk bulk_new(void)
{
    Bulk b = { .aq = aq_start(AQ_FABRIC XQ_DEVICE) };

    b.x = xq_new(b.aq);
    return b;
}

static void bulk_free(Bulk *b)
{
    xq_free(b->x);
    aq_stop(b->aq);
}

/* --- pages here and there ------------------------------------------------ */

/*
 * Backwards, and in turn from RAM of the guest and from what is RAM to QEMU
 * behind a BAR
 */
static uint64_t page_at(Bulk *b, unsigned i)
{
    uint64_t at = (PAGES - 1 - i) * PAGE;

    return i % 2 ? b->x->hbm + (8 << 20) + at : b->x->sys + at;
}

static void test_scattered(void)
{
    Bulk b = bulk_new();
    XpuQueueQtest *q = xq_queue(b.x, 1, 8);
    unsigned i;

    for (i = 0; i < PAGES; i++) {
        xq_map(b.x, XQ_HOLE + i * PAGE, XQ_RW | XQ_AP(ALINK_AP_SYSTEM),
               page_at(&b, i), PAGE);
        xq_pattern(b.x, page_at(&b, i), PAGE, i);
    }
    xq_run(q, xq_copy(XQ_HBM, XQ_HOLE, PAGES * PAGE));
    for (i = 0; i < PAGES; i++) {
        xq_check(b.x, b.x->hbm + i * PAGE, PAGE, i);
        xq_pattern(b.x, b.x->hbm + i * PAGE, PAGE, 100 + i);
    }
    xq_run(q, xq_copy(XQ_HOLE, XQ_HBM, PAGES * PAGE));
    for (i = 0; i < PAGES; i++) {
        xq_check(b.x, page_at(&b, i), PAGE, 100 + i);
    }
    bulk_free(&b);
}

/* --- code ---------------------------------------------------------------- */

#define CODE        0x8000U     /* what the processor calls, again and again */
#define RESULT      0x9000U     /* where it puts what that returned */
#define BIOS_BYTES  0x10000U

/*
 * Firmware for a processor in real mode: far calls to CODE, whose al goes to
 * RESULT, without an end.
 */
static char *bios_new(void)
{
    static const uint8_t loop[] = {
        0xfa,                           /* cli */
        0x31, 0xc0,                     /* xor ax, ax */
        0x8e, 0xd8,                     /* mov ds, ax */
        0x8e, 0xd0,                     /* mov ss, ax */
        0xbc, 0x00, 0x70,               /* mov sp, 0x7000 */
        0x9a, 0x00, 0x80, 0x00, 0x00,   /* again: call 0:CODE */
        0xa2, 0x00, 0x90,               /* mov [RESULT], al */
        0xeb, 0xf6,                     /* jmp again */
    };
    static const uint8_t reset[] = {
        0xea, 0x00, 0x00, 0x00, 0xf0,   /* jmp 0xf000:0 */
    };
    g_autofree uint8_t *rom = g_malloc0(BIOS_BYTES);
    char *name;
    int fd;

    memcpy(rom, loop, sizeof(loop));
    memcpy(rom + BIOS_BYTES - 16, reset, sizeof(reset));
    fd = g_file_open_tmp("alink-bios-XXXXXX", &name, NULL);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, rom, BIOS_BYTES), ==, BIOS_BYTES);
    close(fd);
    return name;
}

/* mov al, @value; retf */
static void put_code(XpuQtest *x, uint64_t phys, uint8_t value)
{
    const uint8_t code[] = { 0xb0, value, 0xcb };

    qtest_memwrite(x->aq->qts, phys, code, sizeof(code));
}

static void wait_result(AlinkQtest *aq, uint8_t value)
{
    unsigned tries = 10000;

    while (qtest_readb(aq->qts, RESULT) != value) {
        g_assert(tries--);
        g_usleep(1000);
    }
}

/*
 * What DMA writes over was code, and is translated: that goes. Once as a small
 * copy, once as the last of many pages, which a thread copies.
 */
static void test_code(void)
{
    g_autofree char *bios = bios_new();
    g_autofree char *args = g_strdup_printf("-accel tcg -S -bios %s " AQ_FABRIC
                                            XQ_DEVICE, bios);
    Bulk b = { .aq = aq_start(args) };
    XpuQueueQtest *q;

    unlink(bios);
    b.x = xq_new(b.aq);
    q = xq_queue(b.x, 1, 8);
    xq_map(b.x, XQ_HOLE, XQ_RW | XQ_AP(ALINK_AP_SYSTEM), b.x->sys,
           PAGES * PAGE);
    xq_map(b.x, XQ_HOLE + PAGES * PAGE, XQ_RW | XQ_AP(ALINK_AP_SYSTEM), CODE,
           PAGE);
    put_code(b.x, CODE, 1);
    qtest_qmp_assert_success(b.aq->qts, "{ 'execute': 'cont' }");
    wait_result(b.aq, 1);

    put_code(b.x, b.x->hbm, 2);
    xq_run(q, xq_copy(XQ_HOLE + PAGES * PAGE, XQ_HBM, PAGE));
    wait_result(b.aq, 2);

    put_code(b.x, b.x->hbm + PAGES * PAGE, 3);
    xq_run(q, xq_copy(XQ_HOLE, XQ_HBM, (PAGES + 1) * PAGE));
    wait_result(b.aq, 3);
    bulk_free(&b);
}

/* --- threads that are held ------------------------------------------------ */

static void hold(AlinkQtest *aq, bool on)
{
    aq_set_bool(aq, "x-hold-workers", on);
}

static void wait_held(AlinkQtest *aq, unsigned num)
{
    unsigned tries = 10000;

    while (aq_get_int(aq, "x-workers-held") != num) {
        g_assert(tries--);
        g_usleep(1000);
    }
}

static uint64_t place_at(XpuQtest *x, unsigned place)
{
    return x->hbm + place * BYTES;
}

/* A copy with an interrupt, from a place in system memory to that in HBM */
static void submit(XpuQueueQtest *q, unsigned place)
{
    struct alink_xpu_desc d = xq_copy(XQ_HBM + place * BYTES,
                                      XQ_SYS + place * BYTES, BYTES);

    d.flags |= ALINK_XPU_DF_IRQ;
    xq_pattern(q->x, q->x->sys + place * BYTES, BYTES, SEED + place);
    qtest_memset(q->x->aq->qts, place_at(q->x, place), 0xee, BYTES);
    xq_put(q, d);
    xq_ring(q);
}

static uint32_t irq_of(const XpuQueueQtest *q)
{
    return 1U << (1 + q->id % 4);
}

/* Of queues, since the last call; vector 0 is for others. */
static uint32_t irqs(AlinkQtest *aq)
{
    return aq_irqs(aq) & ~1U;
}

/* Its copy is there, and nothing tells of it. */
static void check_untold(XpuQueueQtest *q, unsigned place)
{
    struct alink_xpu_queue_status s = xq_status(q);

    xq_check(q->x, place_at(q->x, place), BYTES, SEED + place);
    g_assert_cmpuint(le32_to_cpu(s.head), ==, 0);
    g_assert(!xq_fenced(q));
    g_assert_cmphex(irqs(q->x->aq), ==, 0);
}

/* It was told of, once. */
static void check_told(XpuQueueQtest *q, unsigned place)
{
    struct alink_xpu_queue_status s;

    xq_wait(q);
    s = xq_status(q);
    g_assert_cmpuint(le32_to_cpu(s.head), ==, 1);
    g_assert_cmpuint(le32_to_cpu(s.error), ==, 0);
    xq_check(q->x, place_at(q->x, place), BYTES, SEED + place);
}

/*
 * Both threads work again: so what was held before has been through all that it
 * does. The queues are of two rings.
 */
static void check_threads(XpuQtest *x)
{
    XpuQueueQtest *q[THREADS] = { xq_queue(x, 6, 8), xq_queue(x, 7, 8) };
    unsigned i;

    irqs(x->aq);
    hold(x->aq, true);
    for (i = 0; i < THREADS; i++) {
        submit(q[i], i);
    }
    wait_held(x->aq, THREADS);
    for (i = 0; i < THREADS; i++) {
        check_untold(q[i], i);
    }
    hold(x->aq, false);
    for (i = 0; i < THREADS; i++) {
        check_told(q[i], i);
    }
    g_assert_cmphex(irqs(x->aq), ==, irq_of(q[0]) | irq_of(q[1]));
    for (i = 0; i < THREADS; i++) {
        g_assert_cmpuint(xq_queue_destroy(q[i]), ==, ALINK_ST_OK);
    }
}

static void test_threads(void)
{
    Bulk b = bulk_new();

    check_threads(b.x);
    bulk_free(&b);
}

/* While the machine stands still the main loop tells. */
static void test_stopped(void)
{
    Bulk b = bulk_new();
    XpuQueueQtest *q = xq_queue(b.x, 1, 8);

    hold(b.aq, true);
    submit(q, 0);
    wait_held(b.aq, 1);
    qtest_qmp_assert_success(b.aq->qts, "{ 'execute': 'stop' }");
    check_untold(q, 0);
    hold(b.aq, false);
    check_told(q, 0);
    g_assert_cmphex(irqs(b.aq), ==, irq_of(q));
    qtest_qmp_assert_success(b.aq->qts, "{ 'execute': 'cont' }");
    check_threads(b.x);
    bulk_free(&b);
}

/* Whoever destroys the queue tells, and the thread has nothing left to do. */
static void test_destroy(void)
{
    Bulk b = bulk_new();
    XpuQueueQtest *q = xq_queue(b.x, 1, 8);

    hold(b.aq, true);
    submit(q, 0);
    wait_held(b.aq, 1);
    check_untold(q, 0);
    g_assert_cmpuint(xq_queue_destroy(q), ==, ALINK_ST_OK);
    wait_held(b.aq, 1);
    check_told(q, 0);
    g_assert_cmphex(irqs(b.aq), ==, irq_of(q));

    /* The next one of this number is another queue, in the same memory. */
    q = xq_queue(b.x, 1, 8);
    hold(b.aq, false);
    wait_held(b.aq, 0);
    check_threads(b.x);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).head), ==, 0);
    submit(q, 2);
    check_told(q, 2);
    bulk_free(&b);
}

/*
 * All threads are held, so nobody but the one who destroys it can make the copy
 * of a third queue: it must not wait for them.
 */
static void test_destroy_not_begun(void)
{
    Bulk b = bulk_new();
    XpuQueueQtest *q[THREADS] = { xq_queue(b.x, 1, 8), xq_queue(b.x, 2, 8) };
    XpuQueueQtest *third = xq_queue(b.x, 3, 8);
    unsigned i;

    hold(b.aq, true);
    for (i = 0; i < THREADS; i++) {
        submit(q[i], i);
    }
    wait_held(b.aq, THREADS);
    submit(third, THREADS);
    aq_settle(b.aq);
    xq_check_byte(b.x, place_at(b.x, THREADS), BYTES, 0xee);
    g_assert_cmpuint(xq_queue_destroy(third), ==, ALINK_ST_OK);
    check_told(third, THREADS);
    g_assert_cmphex(irqs(b.aq), ==, irq_of(third));
    for (i = 0; i < THREADS; i++) {
        check_untold(q[i], i);
    }
    hold(b.aq, false);
    for (i = 0; i < THREADS; i++) {
        check_told(q[i], i);
    }
    check_threads(b.x);
    bulk_free(&b);
}

/* Neither the reset waits for the thread, nor does the thread tell of it. */
static void reset_held(void (*reset)(AlinkQtest *aq))
{
    Bulk b = bulk_new();
    XpuQueueQtest *q = xq_queue(b.x, 1, 8);

    hold(b.aq, true);
    submit(q, 0);
    wait_held(b.aq, 1);
    reset(b.aq);
    check_untold(q, 0);

    xq_setup(b.x);
    q = xq_queue(b.x, 1, 8);
    wait_held(b.aq, 1);
    hold(b.aq, false);
    wait_held(b.aq, 0);
    check_threads(b.x);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).head), ==, 0);
    submit(q, 2);
    check_told(q, 2);
    bulk_free(&b);
}

static void soft_reset(AlinkQtest *aq)
{
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
}

static void test_flr(void)
{
    reset_held(aq_flr);
}

static void test_soft_reset(void)
{
    reset_held(soft_reset);
}

/* The pause for the new translation does not wait for the thread either. */
static void test_invalidate(void)
{
    Bulk b = bulk_new();
    XpuQueueQtest *q = xq_queue(b.x, 1, 8);

    hold(b.aq, true);
    submit(q, 0);
    wait_held(b.aq, 1);
    check_untold(q, 0);
    g_assert_cmpuint(xq_invalidate(b.x), ==, ALINK_ST_OK);
    wait_held(b.aq, 1);
    check_told(q, 0);
    g_assert_cmphex(irqs(b.aq), ==, irq_of(q));
    /* The thread, once it goes on, finds nothing to tell. */
    hold(b.aq, false);
    wait_held(b.aq, 0);
    check_threads(b.x);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).head), ==, 1);
    bulk_free(&b);
}

/* The device is gone when its thread comes; threads are those of all xPUs. */
static void test_unplug(void)
{
    AlinkQtest *aq = aq_start_behind_port(AQ_FABRIC
        "-device alink-xpu,id=dut,fabric=fab0,endpoint=0,hbm-size=16M,bus=rp "
        "-device alink-xpu,id=other,fabric=fab0,endpoint=1,hbm-size=16M,"
        "addr=5.0 ");
    AlinkQtest *other = aq_second(aq, 5, "other");
    XpuQtest *x = xq_new(aq), *y = xq_new(other);
    struct alink_xpu_queue_status before, after;
    XpuQueueQtest *q = xq_queue(x, 1, 8);

    hold(other, true);
    submit(q, 0);
    wait_held(other, 1);
    check_untold(q, 0);
    before = xq_status(q);
    aq_surprise_removal(aq);
    wait_held(other, 1);
    hold(other, false);
    wait_held(other, 0);
    check_threads(y);
    after = xq_status(q);
    g_assert_cmpmem(&before, sizeof(before), &after, sizeof(after));
    g_assert(!xq_fenced(q));
    g_assert_cmphex(irqs(aq), ==, 0);
    qtest_qmp_assert_success(aq->qts, "{ 'execute': 'device_add', "
                             "'arguments': { 'driver': 'alink-xpu', "
                             "'id': 'again', 'fabric': 'fab0', 'endpoint': 0, "
                             "'hbm-size': 16777216, 'bus': 'rp' } }");
    check_threads(y);
    xq_free(x);
    xq_free(y);
    aq_stop(other);
    aq_abandon(aq);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-bulk/scattered", test_scattered);
    qtest_add_func("/alink/xpu-bulk/code", test_code);
    qtest_add_func("/alink/xpu-bulk/threads", test_threads);
    qtest_add_func("/alink/xpu-bulk/stopped", test_stopped);
    qtest_add_func("/alink/xpu-bulk/destroy", test_destroy);
    qtest_add_func("/alink/xpu-bulk/destroy-not-begun",
                   test_destroy_not_begun);
    qtest_add_func("/alink/xpu-bulk/flr", test_flr);
    qtest_add_func("/alink/xpu-bulk/soft-reset", test_soft_reset);
    qtest_add_func("/alink/xpu-bulk/invalidate", test_invalidate);
    qtest_add_func("/alink/xpu-bulk/unplug", test_unplug);
    return g_test_run();
}
