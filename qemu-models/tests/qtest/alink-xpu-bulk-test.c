/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: copies that a worker thread makes: guest pages that lie here and
 * there.
 */
#include "qemu/osdep.h"
#include "xpu-qtest.h"

#define PAGE        4096ULL
#define PAGES       64U

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-bulk/scattered", test_scattered);
    return g_test_run();
}
