/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-optics`: the I2C master of a channel.
 *
 * A segment takes as long on the virtual clock as its bits take on the wire.
 * Data are read when it begins, and data are written when it ends; the driver
 * sees both only at the end.
 */
#include "qemu/osdep.h"
#include "trace.h"

#include "optics_internal.h"

static unsigned seg_addr(const OptChannel *ch)
{
    return ch->cmd & ALINK_OPT_CMD_ADDR_MASK;
}

static unsigned seg_len(const OptChannel *ch)
{
    return (ch->cmd & ALINK_OPT_CMD_LEN_MASK) >> ALINK_OPT_CMD_LEN_SHIFT;
}

static int64_t bits_ns(const OptChannel *ch, unsigned bits)
{
    return (int64_t)bits * NANOSECONDS_PER_SECOND / ch->clock;
}

static void release(OptChannel *ch)
{
    i2c_end_transfer(ch->bus);
    ch->held = false;
}

static void finish(OptChannel *ch, uint32_t result)
{
    bool recovered = ch->busy == OPT_RECOVER;

    ch->busy = OPT_IDLE;
    timer_del(ch->timer);
    if (!recovered) {
        ch->opt->transfers++;
        ch->opt->errors += result != 0;
        if (result || !(ch->cmd & ALINK_OPT_CMD_NO_STOP)) {
            release(ch);
        } else {
            ch->held = true;
            ch->held_addr = seg_addr(ch);
        }
    }
    ch->status |= ALINK_OPT_I2C_DONE | result;
    trace_alink_optics_i2c(alink_device_name(ALINK_DEVICE(ch->opt)), ch->n,
                           ch->cmd, ch->moved, ch->status);
    if (ch->i2c_ctrl & 1) {
        alink_irq(ALINK_DEVICE(ch->opt), ALINK_OPT_VECTOR(ch->n));
    }
}

static void run(OptChannel *ch, OptBusy busy, int64_t ns)
{
    ch->busy = busy;
    timer_mod(ch->timer, ch->start_ns + ns);
}

static void fail(OptChannel *ch, uint32_t result, int64_t ns)
{
    ch->result = result;
    run(ch, OPT_FAIL, ns);
}

static bool start_on_bus(OptChannel *ch, bool read)
{
    /* QEMU's bus does not look for another slave on a repeated START */
    if (ch->held && ch->held_addr != seg_addr(ch)) {
        release(ch);
    }
    /* QEMU's bus takes it for a general call, which CMIS does not know. */
    if (!seg_addr(ch)) {
        return false;
    }
    return i2c_start_transfer(ch->bus, seg_addr(ch), read) == 0;
}

static void start_read(OptChannel *ch)
{
    unsigned len = seg_len(ch);

    if (!start_on_bus(ch, true)) {
        fail(ch, ALINK_OPT_I2C_NAK_ADDR, bits_ns(ch, 11));
        return;
    }
    for (unsigned i = 0; i < len; i++) {
        ch->buf[i] = i2c_recv(ch->bus);
    }
    i2c_nack(ch->bus);
    ch->moved = len;
    run(ch, OPT_READ, bits_ns(ch, (len + 1) * 9 + 2));
}

/* Returns why it failed, or 0; @len bytes have had their time on the wire. */
static uint32_t do_write(OptChannel *ch, unsigned len)
{
    if (!start_on_bus(ch, false)) {
        return ALINK_OPT_I2C_NAK_ADDR;
    }
    for (unsigned i = 0; i < len; i++) {
        if (i2c_send(ch->bus, ch->buf[i])) {
            return ALINK_OPT_I2C_NAK_DATA;
        }
        ch->moved++;
    }
    return 0;
}

void opt_i2c_command(OptChannel *ch, uint32_t reg, uint32_t cmd)
{
    AlinkDevice *ad = ALINK_DEVICE(ch->opt);

    if (ch->busy != OPT_IDLE || ch->status & ALINK_OPT_I2C_DONE) {
        alink_guest_error(ad, reg, "channel %u: command while busy", ch->n);
        return;
    }
    if (cmd & ~ALINK_OPT_CMD_KNOWN ||
        (cmd & ALINK_OPT_CMD_LEN_MASK) >> ALINK_OPT_CMD_LEN_SHIFT >
        ALINK_OPT_I2C_DATA_SIZE) {
        alink_guest_error(ad, reg, "channel %u: bad command 0x%08x", ch->n,
                          cmd);
        return;
    }

    ch->cmd = cmd;
    ch->moved = 0;
    ch->start_ns = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    if (ch->module && alink_cmis_sda_low(ch->module)) {
        fail(ch, ALINK_OPT_I2C_STUCK, bits_ns(ch, 1));
    } else if (ch->module && alink_cmis_take_arbitration(ch->module)) {
        fail(ch, ALINK_OPT_I2C_ARB_LOST, bits_ns(ch, 11));
    } else if (ch->module && alink_cmis_stretch(ch->module)) {
        fail(ch, ALINK_OPT_I2C_TIMED_OUT, (int64_t)ch->timeout * SCALE_US);
    } else if (cmd & ALINK_OPT_CMD_READ) {
        start_read(ch);
    } else {
        run(ch, OPT_WRITE, bits_ns(ch, (seg_len(ch) + 1) * 9 + 2));
    }
}

void opt_i2c_op(OptChannel *ch, uint32_t reg, uint32_t op)
{
    AlinkDevice *ad = ALINK_DEVICE(ch->opt);

    switch (op) {
    case ALINK_OPT_OP_ABORT:
        if (ch->busy != OPT_IDLE) {
            finish(ch, ALINK_OPT_I2C_ABORTED);
        }
        release(ch);
        break;
    case ALINK_OPT_OP_RECOVER:
        if (ch->busy != OPT_IDLE || ch->status & ALINK_OPT_I2C_DONE) {
            alink_guest_error(ad, reg, "channel %u: recovery while busy",
                              ch->n);
            break;
        }
        release(ch);
        ch->start_ns = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
        run(ch, OPT_RECOVER, bits_ns(ch, 11));
        break;
    default:
        alink_guest_error(ad, reg, "channel %u: unknown operation %u", ch->n,
                          op);
        break;
    }
}

static void i2c_timer(void *opaque)
{
    OptChannel *ch = opaque;
    uint32_t result = 0;

    switch (ch->busy) {
    case OPT_IDLE:
        return;
    case OPT_READ:
        break;
    case OPT_WRITE:
        result = do_write(ch, seg_len(ch));
        break;
    case OPT_FAIL:
        result = ch->result;
        break;
    case OPT_RECOVER:
        if (ch->module) {
            alink_cmis_recover(ch->module);
            if (alink_cmis_sda_low(ch->module)) {
                result = ALINK_OPT_I2C_STUCK;
            }
        }
        break;
    }
    finish(ch, result);
}

void opt_i2c_pulled(OptChannel *ch)
{
    int64_t ns = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) - ch->start_ns;
    int64_t whole = ns * ch->clock / NANOSECONDS_PER_SECOND / 9 - 1;
    unsigned len = seg_len(ch), moved = MIN(MAX(whole, 0), len);

    switch (ch->busy) {
    case OPT_READ:
        /* Nobody pulls the data line down any more */
        memset(ch->buf + moved, 0xff, len - moved);
        break;
    case OPT_WRITE:
        /* And nobody acknowledges */
        ch->moved = moved;
        ch->result = whole < 0 ? ALINK_OPT_I2C_NAK_ADDR :
                                 ALINK_OPT_I2C_NAK_DATA;
        ch->busy = OPT_FAIL;
        break;
    default:
        break;
    }
}

uint32_t opt_i2c_lines(OptChannel *ch)
{
    bool stretched = ch->busy == OPT_FAIL &&
                     ch->result == ALINK_OPT_I2C_TIMED_OUT;
    bool low = ch->module && alink_cmis_sda_low(ch->module);

    return (ch->busy != OPT_IDLE ? ALINK_OPT_BUS_BUSY : 0) |
           (ch->held ? ALINK_OPT_BUS_HELD : 0) |
           (low ? 0 : ALINK_OPT_BUS_SDA) |
           (stretched || ch->held ? 0 : ALINK_OPT_BUS_SCL);
}

void opt_i2c_init(OptChannel *ch)
{
    ch->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, i2c_timer, ch);
}

void opt_i2c_cleanup(OptChannel *ch)
{
    timer_free(ch->timer);
    ch->timer = NULL;
}

void opt_i2c_reset(OptChannel *ch)
{
    timer_del(ch->timer);
    ch->busy = OPT_IDLE;
    release(ch);
    ch->cmd = 0;
    ch->status = 0;
    ch->moved = 0;
    ch->i2c_ctrl = 0;
    ch->clock = 400000;
    ch->timeout = 35000;
    memset(ch->buf, 0, sizeof(ch->buf));
}
