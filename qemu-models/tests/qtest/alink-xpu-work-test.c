/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: a long GEMM that is aborted, reset, unplugged, paused and
 * translated anew, others beside it, any number of threads at it, and how hot it
 * makes the device.
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_regs.h"
#include "xpu-compute-qtest.h"

#define WORK_DST    0xb000000000ULL     /* HBM 4 to 8 MiB, until remapped */
#define WORK_LEN    (4ULL << 20)
#define WORK_DIM    65536
#define WORK_ROWS   16

static uint64_t work_at(Rig *r, uint64_t part)
{
    return r->x->hbm + part * WORK_LEN;
}

/*
 * 2^36 multiply-accumulates of ones, by repeating a row: nobody waits for
 * their end.
 */
static void work(Rig *r)
{
    struct alink_xpu_compute c = shape(WORK_ROWS, WORK_DIM, WORK_DIM);
    g_autofree float *ones = g_new(float, WORK_DIM);
    unsigned i;

    for (i = 0; i < WORK_DIM; i++) {
        ones[i] = 1;
    }
    put(r, A, ones, 4 * WORK_DIM);
    xq_map_large(r->x, WORK_DST, XQ_RW | XQ_AP(ALINK_AP_HBM), WORK_LEN,
                 WORK_LEN);
    c.a = mat(A, 0, ALINK_DT_FP32);
    c.b = mat(A, 0, ALINK_DT_FP32);
    c.dst = mat(WORK_DST, 4 * WORK_DIM, ALINK_DT_FP32);
    put(r, BLOCK, &c, sizeof(c));
    qtest_memset(r->aq->qts, work_at(r, 1), 0xee, WORK_LEN);
    aq_irqs(r->aq);
    xq_put(r->q, describe(ALINK_XPU_FN_GEMM));
    xq_ring(r->q);
}

/* Until a part of the result is where it is looked for */
static void wait_for_part(Rig *r, uint64_t phys_at)
{
    const uint32_t sum = 0x47800000;        /* 65536 */
    unsigned tries = 60000;

    while (qtest_readl(r->aq->qts, phys_at) != sum) {
        g_assert(tries--);
        g_usleep(1000);
        aq_settle(r->aq);
    }
}

/* Nothing of it goes on. */
static void check_silence(Rig *r)
{
    struct alink_xpu_queue_status before = xq_status(r->q), after;

    aq_irqs(r->aq);
    qtest_memset(r->aq->qts, work_at(r, 1), 0xee, WORK_LEN);
    g_usleep(20000);
    aq_clock_us(r->aq, 10000);
    after = xq_status(r->q);
    g_assert_cmpmem(&before, sizeof(before), &after, sizeof(after));
    xq_check_byte(r->x, work_at(r, 1), WORK_LEN, 0xee);
    g_assert(!xq_fenced(r->q));
    g_assert_cmphex(aq_irqs(r->aq), ==, 0);
    g_assert_cmpuint(aq_rd64(r->aq, ALINK_XPU_REG_MACS), ==, 0);
}

static void test_destroy_in_work(void)
{
    Rig r = rig_new();

    work(&r);
    wait_for_part(&r, work_at(&r, 1));
    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);
    g_assert_cmpuint(le32_to_cpu(xq_status(r.q).error), ==, ALINK_ST_ABORTED);
    g_assert_cmpuint(le32_to_cpu(xq_status(r.q).head), ==, 0);
    check_silence(&r);
    r.q = xq_queue(r.x, 1, 8);
    run(&r, ALINK_XPU_FN_CAST, plain(4, 4, false));
    rig_free(&r);
}

static void reset_in_work(bool flr)
{
    Rig r = rig_new();

    work(&r);
    wait_for_part(&r, work_at(&r, 1));
    if (flr) {
        aq_flr(r.aq);
    } else {
        aq_wr32(r.aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    }
    g_assert_cmpuint(le32_to_cpu(xq_status(r.q).error), ==, 0);
    check_silence(&r);
    xq_setup(r.x);
    r.q = xq_queue(r.x, 1, 8);
    run(&r, ALINK_XPU_FN_CAST, plain(4, 4, false));
    rig_free(&r);
}

static void test_flr_in_work(void)
{
    reset_in_work(true);
}

static void test_soft_reset_in_work(void)
{
    reset_in_work(false);
}

/* It goes on, with the new translation alone. */
static void test_invalidate_in_work(void)
{
    Rig r = rig_new();
    unsigned tries = 60000;

    work(&r);
    wait_for_part(&r, work_at(&r, 1));
    xq_map_large(r.x, WORK_DST, XQ_RW | XQ_AP(ALINK_AP_HBM), 2 * WORK_LEN,
                 WORK_LEN);
    qtest_memset(r.aq->qts, work_at(&r, 2), 0, WORK_LEN);
    g_assert_cmpuint(xq_invalidate(r.x), ==, ALINK_ST_OK);
    qtest_memset(r.aq->qts, work_at(&r, 1), 0xee, WORK_LEN);
    g_assert(!xq_fenced(r.q));
    /* Somewhere in the first row of the new place */
    for (;;) {
        g_autofree uint32_t *row = g_new(uint32_t, WORK_DIM);
        unsigned i;

        qtest_bufread(r.aq->qts, work_at(&r, 2), row, 4 * WORK_DIM);
        for (i = 0; i < WORK_DIM && !row[i]; i++) {
        }
        if (i < WORK_DIM) {
            g_assert_cmphex(row[i], ==, 0x47800000);
            break;
        }
        g_assert(tries--);
        g_usleep(1000);
        aq_settle(r.aq);
    }
    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);
    xq_check_byte(r.x, work_at(&r, 1), WORK_LEN, 0xee);
    rig_free(&r);
}

/* Without bus mastering it stands still, and goes on when that comes back. */
static void test_bus_master_in_work(void)
{
    enum { M = 256, N = 256, K = 32768 };
    struct alink_xpu_compute c = shape(M, N, K);
    g_autofree float *ones = g_new(float, K);
    g_autofree float *want = g_new(float, M * N);
    Rig r = rig_new();
    unsigned i;

    for (i = 0; i < K; i++) {
        ones[i] = 1;
    }
    for (i = 0; i < M * N; i++) {
        want[i] = K;
    }
    put(&r, A, ones, 4 * K);
    c.a = mat(A, 0, ALINK_DT_FP32);
    c.b = mat(A, 0, ALINK_DT_FP32);
    c.dst = mat(DST, 4 * N, ALINK_DT_FP32);
    put(&r, BLOCK, &c, sizeof(c));
    qtest_memset(r.aq->qts, phys(&r, DST), 0xee, M * N * 4);
    xq_put(r.q, describe(ALINK_XPU_FN_GEMM));
    xq_ring(r.q);
    aq_command(r.aq, PCI_COMMAND_MASTER, 0);
    g_usleep(20000);
    aq_clock_us(r.aq, 10000);
    g_assert(!xq_fenced(r.q));
    xq_check_byte(r.x, phys(&r, DST), M * N * 4, 0xee);
    aq_command(r.aq, 0, PCI_COMMAND_MASTER);
    xq_wait(r.q);
    expect(&r, DST, want, M * N * 4);
    rig_free(&r);
}

/* It holds up no other queue, not even one of the same ring. */
static void test_others_in_work(void)
{
    Rig r = rig_new();
    /* m890: 16 rings */
    XpuQueueQtest *other = xq_queue(r.x, 17, 8);

    work(&r);
    xq_pattern(r.x, r.x->sys + 0x200000, 1 << 20, 3);
    xq_run(other, xq_copy(XQ_HBM + 0xc00000, XQ_SYS + 0x200000, 1 << 20));
    xq_check(r.x, r.x->hbm + 0xc00000, 1 << 20, 3);
    g_assert(!xq_fenced(r.q));
    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);
    rig_free(&r);
}

/* Three queues at once */
static void test_queues_side_by_side(void)
{
    struct alink_xpu_compute c = shape(256, 256, 4096);
    g_autofree float *ones = g_new(float, 4096);
    Rig r = rig_new();
    XpuQueueQtest *q[3] = { r.q, xq_queue(r.x, 3, 8), xq_queue(r.x, 17, 8) };
    unsigned i;

    for (i = 0; i < 4096; i++) {
        ones[i] = 1;
    }
    put(&r, A, ones, 4 * 4096);
    for (i = 0; i < 3; i++) {
        struct alink_xpu_desc d = describe(ALINK_XPU_FN_GEMM);

        c.a = mat(A, 0, ALINK_DT_FP32);
        c.b = mat(A, 0, ALINK_DT_FP32);
        c.dst = mat(DST + i * 0x100000, 1024, ALINK_DT_FP32);
        put(&r, BLOCK + i * sizeof(c), &c, sizeof(c));
        d.src = cpu_to_le64(BLOCK + i * sizeof(c));
        xq_put(q[i], d);
        xq_ring(q[i]);
    }
    for (i = 0; i < 3; i++) {
        xq_wait(q[i]);
        EXPECT(&r, DST + i * 0x100000, 4096, 4096);
        EXPECT(&r, DST + i * 0x100000 + 1024 * 255 + 1016, 4096, 4096);
    }
    g_assert_cmpuint(aq_rd64(r.aq, ALINK_XPU_REG_MACS), ==,
                     3ULL * 256 * 256 * 4096);
    rig_free(&r);
}

/* --- threads ------------------------------------------------------------- */

#define DEVICE      "-device alink-xpu,id=dut,fabric=fab0,endpoint=0," \
                    "hbm-size=16M,"

/* Of QEMU, those that share the arithmetic */
static unsigned num_helpers(Rig *r)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task",
                                            qtest_pid(r->aq->qts));
    GDir *dir = g_dir_open(path, 0, NULL);
    unsigned num = 0;
    const char *name;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, "comm", NULL);
        g_autofree char *comm = NULL;

        if (g_file_get_contents(file, &comm, NULL, NULL)) {
            num += !strcmp(comm, "alink-compute\n");
        }
    }
    g_dir_close(dir);
    return num;
}

/* Products and sums that round, so that their order would be seen */
static void put_fractions(Rig *r, uint64_t va, unsigned num, unsigned step)
{
    g_autofree float *v = g_new(float, num);
    unsigned i;

    for (i = 0; i < num; i++) {
        v[i] = (int)(i * step % 4001 - 2000) / 1024.0f + 1 / 3.0f;
    }
    put(r, va, v, num * sizeof(*v));
}

static void test_threads(void)
{
    enum { M = 530, N = 270, K = 300 };
    static const unsigned threads[] = { 1, 0, 2, 3, 7, 1000 };
    g_autofree float *want = NULL;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(threads); i++) {
        g_autofree char *args = g_strdup_printf(AQ_FABRIC DEVICE "addr=4.0,"
                                                "compute-threads=%u ",
                                                threads[i]);
        unsigned most = MIN(MIN(threads[i], g_get_num_processors()), 16);
        struct alink_xpu_compute c = shape(M, N, K);
        float *have = g_new(float, M * N);
        Rig r = rig_with(aq_start(args));

        put_fractions(&r, A, M * K, 7919);
        put_fractions(&r, XQ_HBM + 0x800000, N * K, 104729);
        c.flags = cpu_to_le32(ALINK_XPU_CF_TRANS_A);
        c.a = mat(A, 4 * M, ALINK_DT_FP32);
        c.b = mat(XQ_HBM + 0x800000, 4 * N, ALINK_DT_FP32);
        c.dst = mat(DST, 4 * N, ALINK_DT_FP32);
        g_assert_cmpuint(num_helpers(&r), ==, 0);
        run(&r, ALINK_XPU_FN_GEMM, c);
        g_assert_cmpuint(num_helpers(&r), ==, most ? most - 1 : 0);
        get(&r, DST, have, M * N * sizeof(*have));
        if (want) {
            g_assert_cmpmem(have, M * N * 4, want, M * N * 4);
            g_free(have);
        } else {
            want = have;
        }
        rig_free(&r);
    }
}

/* Nothing of it goes on, and no thread is left of it. */
static void test_unplug(void)
{
    Rig r = rig_with(aq_start_behind_port(AQ_FABRIC DEVICE
                                          "bus=rp,compute-threads=2 "));
    struct alink_xpu_queue_status before, after;
    unsigned tries = 10000;

    work(&r);
    wait_for_part(&r, work_at(&r, 1));
    g_assert_cmpuint(num_helpers(&r), ==, MIN(2, g_get_num_processors()) - 1);
    aq_surprise_removal(r.aq);
    /* One that has ended is on the list for a moment more. */
    while (num_helpers(&r)) {
        g_assert(tries--);
        g_usleep(1000);
    }
    before = xq_status(r.q);
    g_usleep(20000);
    aq_clock_us(r.aq, 10000);
    after = xq_status(r.q);
    g_assert_cmpmem(&before, sizeof(before), &after, sizeof(after));
    qtest_qmp_assert_success(r.aq->qts, "{ 'execute': 'device_add', "
                             "'arguments': { 'driver': 'alink-xpu', "
                             "'id': 'again', 'fabric': 'fab0', 'endpoint': 0, "
                             "'hbm-size': 16777216, 'bus': 'rp' } }");
    xq_free(r.x);
    aq_abandon(r.aq);
}

/* --- heat ---------------------------------------------------------------- */

/* The next event, of those there are here, which are thermal ones */
static struct alink_event next_event(Rig *r)
{
    struct alink_event ev;
    unsigned tries = 6000;

    while (!aq_event_poll(r->aq, &ev)) {
        g_assert(tries--);
        g_usleep(10000);
        aq_clock_us(r->aq, 100000);
    }
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_THERMAL);
    return ev;
}

/* It is the load that passes the limit, not what the sensor is set to. */
static void test_heat(void)
{
    Rig r = rig_new();
    int32_t limit = aq_rd32(r.aq, ALINK_REG_TEMP) + 500;
    struct alink_event ev;
    unsigned i;

    while (aq_event_poll(r.aq, &ev)) {
    }
    aq_set_int(r.aq, "temp-max", limit);
    for (i = 0; i < 20; i++) {
        aq_clock_us(r.aq, 100000);
        g_assert(!aq_event_poll(r.aq, &ev));
    }
    work(&r);
    ev = next_event(&r);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, 0);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, 1);
    g_assert_cmpint((int32_t)le32_to_cpu(ev.info), >, limit);
    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);
    /* And once more when it is over, with nobody at work. */
    ev = next_event(&r);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, 0);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, 0);
    g_assert_cmpint((int32_t)le32_to_cpu(ev.info), <=, limit);
    for (i = 0; i < 20; i++) {
        aq_clock_us(r.aq, 100000);
        g_assert(!aq_event_poll(r.aq, &ev));
    }
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-work/destroy", test_destroy_in_work);
    qtest_add_func("/alink/xpu-work/flr", test_flr_in_work);
    qtest_add_func("/alink/xpu-work/soft-reset", test_soft_reset_in_work);
    qtest_add_func("/alink/xpu-work/invalidate", test_invalidate_in_work);
    qtest_add_func("/alink/xpu-work/bus-master", test_bus_master_in_work);
    qtest_add_func("/alink/xpu-work/others", test_others_in_work);
    qtest_add_func("/alink/xpu-work/queues-side-by-side",
                   test_queues_side_by_side);
    qtest_add_func("/alink/xpu-work/any-number-of-threads", test_threads);
    qtest_add_func("/alink/xpu-work/unplug", test_unplug);
    qtest_add_func("/alink/xpu-work/heat", test_heat);
    return g_test_run();
}
