/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: the DMA operation of the self test.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "alink_common_internal.h"
#include "trace.h"

#define TEST_DMA_MAX    4096

static enum alink_status test_run(AlinkDevice *ad, uint64_t addr, size_t len)
{
    uint8_t buf[TEST_DMA_MAX];
    enum alink_status status;
    size_t i;

    switch (ad->test_op) {
    case ALINK_TEST_DMA_FILL:
        for (i = 0; i < len; i++) {
            buf[i] = 0x5a + i;
        }
        break;
    case ALINK_TEST_DMA_INVERT:
        status = alink_dma_read(ad, addr, buf, len);
        if (status != ALINK_ST_OK) {
            return status;
        }
        for (i = 0; i < len; i++) {
            buf[i] = ~buf[i];
        }
        break;
    case ALINK_TEST_DMA_CLEAR:
        memset(buf, 0, len);
        break;
    }
    if (ad->inject.fail_dma) {
        buf[len / 2] ^= 0x10;
    }
    return alink_dma_write(ad, addr, buf, len);
}

static void test_bh(void *opaque)
{
    AlinkDevice *ad = opaque;
    g_autoptr(AlinkInBh) in = alink_bh_enter(ad, ad->test_bh);
    uint64_t addr = alink_reg_get(ad, ALINK_REG_TEST_DMA_ADDR);
    uint32_t len = alink_reg_get(ad, ALINK_REG_TEST_DMA_LEN);
    enum alink_status status = ALINK_ST_BAD_FIELD;

    if (!in) {
        return;
    }
    /* The length was checked at the start, but may have changed since. */
    if (len && len <= TEST_DMA_MAX) {
        status = test_run(ad, addr, len);
    }
    ad->test_status = status == ALINK_ST_OK ? ALINK_TEST_DMA_DONE :
                                              ALINK_TEST_DMA_ERROR;
    trace_alink_test_dma(alink_device_name(ad), ad->test_op, addr, len,
                         status);
}

void alink_test_start(AlinkDevice *ad, uint32_t op)
{
    uint32_t len = alink_reg_get(ad, ALINK_REG_TEST_DMA_LEN);

    if (ad->test_status == ALINK_TEST_DMA_BUSY) {
        alink_guest_error(ad, ALINK_REG_TEST_DMA_CTRL, "test DMA while busy");
        return;
    }
    if (op < ALINK_TEST_DMA_FILL || op > ALINK_TEST_DMA_CLEAR || !len ||
        len > TEST_DMA_MAX) {
        alink_guest_error(ad, ALINK_REG_TEST_DMA_CTRL,
                          "test DMA operation %u of %u bytes", op, len);
        ad->test_status = ALINK_TEST_DMA_ERROR;
        return;
    }
    ad->test_op = op;
    ad->test_status = ALINK_TEST_DMA_BUSY;
    qemu_bh_schedule(ad->test_bh);
}

void alink_test_stop(AlinkDevice *ad)
{
    qemu_bh_cancel(ad->test_bh);
    ad->test_status = ALINK_TEST_DMA_IDLE;
}

void alink_test_init(AlinkDevice *ad)
{
    ad->test_bh = alink_bh_new(test_bh, ad, ad);
}

void alink_test_cleanup(AlinkDevice *ad)
{
    qemu_bh_delete(ad->test_bh);
}
