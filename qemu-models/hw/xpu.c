/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: an accelerator with HBM, DMA engines and links.
 *
 *   -device alink-fabric,id=fab0
 *   -device alink-xpu,fabric=fab0,endpoint=0[,variant=m890|810e]
 *           [,hbm-size=SIZE][,hbm-bar-size=SIZE][,compute-threads=N]
 *
 *   variant=NAME       m890 (default): 144 GiB, 2 dies, 8 links of 400 Gb/s;
 *                      810e: 96 GiB, 1 die, 7 links
 *   endpoint=N         fabric id; link p is wired to port N of plane p unless
 *                      the fabric object says otherwise
 *   hbm-size=SIZE      HBM fitted, a multiple of 2 MiB; by default that of the
 *                      variant. Memory of the host is used as it is touched,
 *                      and given back when HBM is cleared.
 *   hbm-bar-size=SIZE  how much of it BAR2 shows, by default all. BAR2 has the
 *                      next power of two: for 8 x 256 GiB the machine needs
 *                      -cpu ...,phys-bits=46
 *   compute-threads=N  threads that share the arithmetic of a COMPUTE, by
 *                      default 4; no more than the host has CPUs, nor 16. 0 or
 *                      1: one. xPUs of a process have them together: as many as
 *                      the greatest number says. Results are the same.
 *
 * and the properties of every ALink device (fabric, serial, sensors, faults
 * x-...: see alink_common_inject.c). Temperatures and power follow the load
 * unless they are set. Faults of its own, settable at any time:
 *
 *   x-queue-stuck=U64       bitmap of queues that make no progress; bit 63 is
 *                           for queues 63 and 64
 *   x-destroy-stuck=U64     the same of those that QUEUE_DESTROY does not end:
 *                           it is never answered, and the admin queue stands
 *                           still until it is switched off or reset
 *   x-lose-queue-irqs=U32   that many of the next queue interrupts get lost
 *   x-complete-late-us=U32  completions come that much later than the data
 *   x-skip-fills=U32        while not 0, fills succeed and write nothing: HBM
 *                           is not cleared
 *   x-lose-hbm=BOOL         D3hot clears HBM, as a loss of power does (default:
 *                           on); off: HBM is kept there, which no driver may
 *                           rely upon
 *   x-ecc-poison-addr=U64   the 64 bytes of HBM there are known bad, for own
 *                           engines and for the fabric, until written over
 *                           (write only; x-poison of the fabric takes ranges)
 *   x-ecc-corrected=U32     that many errors of HBM more have been corrected
 *                           (write only)
 *   x-hold-workers=BOOL     worker threads, of all xPUs, that have ended a chunk
 *                           stop before they tell of it (write only)
 *   x-workers-held          how many of the two threads do (read only)
 *
 * And for those who measure how fast the model is:
 *
 *   x-memcpy-mib-s          how many MiB a second memcpy() of this host moves
 *                           between two places like HBM. Measured when it is
 *                           read, on one thread, for some 10 ms in which all
 *                           devices stand still (read only)
 *   x-memcpy-bytes=SIZE     size of these copies: 4 KiB to 64 MiB, by default
 *                           1 MiB
 *
 * Specification: Documentation/hw/xpu.rst.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/madvise.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "exec/cpu-common.h"
#include "hw/qdev-properties.h"
#include "trace.h"
#include "xpu_internal.h"
#include "compute/alink_compute.h"

static const XpuVariant variants[] = {
    {
        .name = "m890",
        .id = ALINK_XPU_M890,
        .model_name = "M890",
        .part_number = "PPU-ZWM890",
        .fw_version = 0x01000004,
        .hbm_size = 144 * GiB,
        .dies = 2,
        .rings = 16,
        .links = 8,
        .link_mbps = 400000,
        .lanes = 4,
        .power_idle_mw = 110000,
        .power_max_mw = 800000,
    },
    {
        .name = "810e",
        .id = ALINK_XPU_810E,
        .model_name = "810E",
        .part_number = "PPU-ZW810E",
        .fw_version = 0x01000004,
        .hbm_size = 96 * GiB,
        .dies = 1,
        .rings = 8,
        .links = 7,
        .link_mbps = 400000,
        .lanes = 4,
        .power_idle_mw = 80000,
        .power_max_mw = 400000,
    },
};

/* --- registers ----------------------------------------------------------- */

static uint64_t read_const(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkXpu *xpu = ALINK_XPU(ad);

    switch (reg->offset) {
    case ALINK_XPU_REG_HBM_SIZE:
        return xpu->hbm_size;
    case ALINK_XPU_REG_HBM_BAR:
        return xpu->hbm_bar_size;
    case ALINK_XPU_REG_NUM_DIES:
        return xpu->variant->dies;
    case ALINK_XPU_REG_NUM_RINGS:
        return xpu->variant->rings;
    case ALINK_XPU_REG_NUM_QUEUES:
        return ALINK_XPU_MAX_QUEUES;
    case ALINK_XPU_REG_NUM_CTX:
        return XPU_NUM_CTX;
    case ALINK_XPU_REG_VA_BITS:
        return XPU_VA_BITS;
    case ALINK_XPU_REG_DTYPES:
        return xpu->dtypes;
    case ALINK_XPU_REG_NUM_IMPORTS:
        return AF_MAX_IMPORTS;
    case ALINK_XPU_REG_NUM_SEGMENTS:
        return XPU_NUM_SEGMENTS;
    case ALINK_XPU_REG_COMPUTE_FUNCS:
        return ALINK_BIT(ALINK_XPU_NUM_FUNCS) - 1;
    case ALINK_XPU_REG_COMPUTE_DTYPES:
        return ac_dtypes();
    case ALINK_XPU_REG_SLICE_US:
        return XPU_SLICE_US;
    case ALINK_XPU_REG_STARVE_US:
        return XPU_STARVE_US;
    case ALINK_XPU_REG_PROGRESS_MS:
        return XPU_PROGRESS_MS;
    }
    g_assert_not_reached();
}

static uint64_t read_counter(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkXpu *xpu = ALINK_XPU(ad);

    switch (reg->offset) {
    case ALINK_XPU_REG_BUSY_NS:
        return xpu->busy_ns;
    case ALINK_XPU_REG_COMMANDS:
        return xpu->commands;
    case ALINK_XPU_REG_IRQS:
        return xpu->irqs;
    case ALINK_XPU_REG_DOORBELLS:
        return xpu->doorbells;
    case ALINK_XPU_REG_MACS:
        return xpu->macs;
    case ALINK_XPU_REG_ECC_CORRECTED:
        return xpu->ecc_corrected;
    }
    g_assert_not_reached();
}

static uint64_t read_queue(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkXpu *xpu = ALINK_XPU(ad);
    XpuQueue *q = xpu->queue[n];

    switch (reg->offset - ALINK_XPU_Q_BASE) {
    case ALINK_XPU_Q_BUSY_NS:
        return xpu->queue_busy_ns[n];
    case ALINK_XPU_Q_HEAD:
        return q ? q->head : 0;
    case ALINK_XPU_Q_TAIL:
        return q ? q->tail : 0;
    case ALINK_XPU_Q_STATE:
        return q ? xpu_queue_state(q) : ALINK_XPU_Q_NONE;
    case ALINK_XPU_Q_PRIORITY:
        return q ? q->priority : 0;
    case ALINK_XPU_Q_TURNS:
        return q ? q->turns : 0;
    case ALINK_XPU_Q_WAIT_NS:
        return q ? q->wait_ns : 0;
    case ALINK_XPU_Q_WORST_NS:
        return q ? q->worst_ns : 0;
    case ALINK_XPU_Q_FAULT_ADDR:
        return q && q->state == XPU_Q_FAULT ? q->fault_addr : 0;
    case ALINK_XPU_Q_FAULT_RIGHTS:
        return q && q->state == XPU_Q_FAULT ? q->fault_need : 0;
    case ALINK_XPU_Q_PROGRESS:
        return q ? xpu_queue_progress(q) : 0;
    }
    g_assert_not_reached();
}

/* The descriptor at the head, if it was fetched */
static const struct alink_xpu_desc *present_desc(const XpuQueue *q)
{
    return q && q->head != q->tail && q->batch_pos < q->batch_num ?
           &q->batch[q->batch_pos] : NULL;
}

static uint64_t read_info(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    const struct alink_xpu_desc *desc = present_desc(ALINK_XPU(ad)->queue[n]);

    if (reg->offset == ALINK_XPU_QI_BASE + ALINK_XPU_QI_COMPUTE_NS) {
        return ALINK_XPU(ad)->queue_compute_ns[n];
    }
    if (!desc) {
        return 0;
    }
    switch (reg->offset - ALINK_XPU_QI_BASE) {
    case ALINK_XPU_QI_DESC:
        return 1;
    case ALINK_XPU_QI_DESC_OP:
        return desc->opcode | desc->flags << 8 | desc->dtype << 16 |
               (uint64_t)desc->subop << 24 |
               (uint64_t)le32_to_cpu(desc->reserved) << 32;
    case ALINK_XPU_QI_DESC_DST:
        return le64_to_cpu(desc->dst);
    case ALINK_XPU_QI_DESC_SRC:
        return le64_to_cpu(desc->src);
    case ALINK_XPU_QI_DESC_SRC2:
        return le64_to_cpu(desc->src2);
    case ALINK_XPU_QI_DESC_LEN:
        return le64_to_cpu(desc->len);
    case ALINK_XPU_QI_DESC_FENCE:
        return le64_to_cpu(desc->fence_addr);
    case ALINK_XPU_QI_DESC_VALUE:
        return le64_to_cpu(desc->fence_value);
    }
    g_assert_not_reached();
}

static void write_tail(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                       uint64_t value)
{
    xpu_doorbell(ALINK_XPU(ad), n, value);
}

#define REG(_reg, _width, _read) \
    { .name = #_reg, .offset = ALINK_##_reg, .access = ALINK_RO, \
      .width = _width, .read = _read }
#define QUEUE_REG(_reg, _width) \
    { .name = #_reg, .offset = ALINK_XPU_Q_BASE + ALINK_##_reg, \
      .access = ALINK_RO, .width = _width, .count = ALINK_XPU_MAX_QUEUES, \
      .stride = ALINK_XPU_Q_STRIDE, .read = read_queue }
#define INFO_REG(_reg, _width) \
    { .name = #_reg, .offset = ALINK_XPU_QI_BASE + ALINK_##_reg, \
      .access = ALINK_RO, .width = _width, .count = ALINK_XPU_MAX_QUEUES, \
      .stride = ALINK_XPU_QI_STRIDE, .read = read_info }

static const AlinkReg xpu_regs[] = {
    REG(XPU_REG_HBM_SIZE, 64, read_const),
    REG(XPU_REG_HBM_BAR, 64, read_const),
    REG(XPU_REG_NUM_DIES, 32, read_const),
    REG(XPU_REG_NUM_RINGS, 32, read_const),
    REG(XPU_REG_NUM_QUEUES, 32, read_const),
    REG(XPU_REG_NUM_CTX, 32, read_const),
    REG(XPU_REG_VA_BITS, 32, read_const),
    REG(XPU_REG_DTYPES, 32, read_const),
    REG(XPU_REG_NUM_IMPORTS, 32, read_const),
    REG(XPU_REG_NUM_SEGMENTS, 32, read_const),
    REG(XPU_REG_BUSY_NS, 64, read_counter),
    REG(XPU_REG_COMMANDS, 64, read_counter),
    REG(XPU_REG_IRQS, 64, read_counter),
    REG(XPU_REG_DOORBELLS, 64, read_counter),
    REG(XPU_REG_COMPUTE_FUNCS, 32, read_const),
    REG(XPU_REG_COMPUTE_DTYPES, 32, read_const),
    REG(XPU_REG_MACS, 64, read_counter),
    REG(XPU_REG_SLICE_US, 32, read_const),
    REG(XPU_REG_STARVE_US, 32, read_const),
    REG(XPU_REG_PROGRESS_MS, 32, read_const),
    REG(XPU_REG_ECC_CORRECTED, 64, read_counter),
    QUEUE_REG(XPU_Q_BUSY_NS, 64),
    QUEUE_REG(XPU_Q_HEAD, 32),
    QUEUE_REG(XPU_Q_TAIL, 32),
    QUEUE_REG(XPU_Q_STATE, 32),
    QUEUE_REG(XPU_Q_PRIORITY, 32),
    QUEUE_REG(XPU_Q_TURNS, 64),
    QUEUE_REG(XPU_Q_WAIT_NS, 64),
    QUEUE_REG(XPU_Q_WORST_NS, 64),
    QUEUE_REG(XPU_Q_FAULT_ADDR, 64),
    QUEUE_REG(XPU_Q_FAULT_RIGHTS, 32),
    QUEUE_REG(XPU_Q_PROGRESS, 32),
    INFO_REG(XPU_QI_COMPUTE_NS, 64),
    INFO_REG(XPU_QI_DESC, 32),
    INFO_REG(XPU_QI_DESC_OP, 64),
    INFO_REG(XPU_QI_DESC_DST, 64),
    INFO_REG(XPU_QI_DESC_SRC, 64),
    INFO_REG(XPU_QI_DESC_SRC2, 64),
    INFO_REG(XPU_QI_DESC_LEN, 64),
    INFO_REG(XPU_QI_DESC_FENCE, 64),
    INFO_REG(XPU_QI_DESC_VALUE, 64),
    { .name = "XPU_DB_TAIL", .offset = ALINK_XPU_DB_BASE + ALINK_XPU_DB_TAIL,
      .access = ALINK_WO, .width = 32, .doorbell = true,
      .count = ALINK_XPU_MAX_QUEUES, .stride = ALINK_XPU_DB_STRIDE,
      .write = write_tail },
};

/* --- sensors --------------------------------------------------------------- */

/* Busy share of wall time since the last look, at most 4 times a second. */
static uint32_t xpu_load(AlinkXpu *xpu)
{
    int64_t now = get_clock();
    int64_t wall = now - xpu->load_at;
    uint64_t busy = xpu->busy_ns - xpu->load_busy_ns;

    if (wall > NANOSECONDS_PER_SECOND / 4) {
        xpu->load = MIN(busy * 1000 / wall, 1000);
        xpu->load_at = now;
        xpu->load_busy_ns = xpu->busy_ns;
    }
    return xpu->load;
}

static int32_t xpu_sensor(AlinkDevice *ad, uint32_t reg, int32_t value)
{
    AlinkXpu *xpu = ALINK_XPU(ad);
    int32_t load = xpu_load(xpu);

    switch (reg) {
    case ALINK_REG_TEMP:
        return value + load * 24;
    case ALINK_REG_TEMP_MEM:
        return value + load * 30;
    case ALINK_REG_POWER:
        return value + (int64_t)(xpu->variant->power_max_mw - value) * load /
                       1250;
    default:
        return value;
    }
}

/* As xpu_sensor() has it: at full load, 4/5 of what there is beyond idle. */
static uint64_t xpu_load_uj(AlinkDevice *ad)
{
    AlinkXpu *xpu = ALINK_XPU(ad);
    const XpuVariant *v = xpu->variant;

    return muldiv64(xpu->busy_ns, (v->power_max_mw - v->power_idle_mw) / 5 * 4,
                    1000000);
}

/* --- life cycle ------------------------------------------------------------- */

static const XpuVariant *find_variant(const char *name, Error **errp)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(variants); i++) {
        if (!strcmp(name, variants[i].name)) {
            return &variants[i];
        }
    }
    error_setg(errp, "variant '%s' is not one of m890, 810e", name);
    return NULL;
}

static bool hbm_init(AlinkXpu *xpu, Error **errp)
{
    uint64_t bar;

    if (!xpu->hbm_size) {
        xpu->hbm_size = xpu->variant->hbm_size;
    }
    if (!xpu->hbm_bar_size || xpu->hbm_bar_size > xpu->hbm_size) {
        xpu->hbm_bar_size = xpu->hbm_size;
    }
    if (xpu->hbm_size % XPU_LARGE || xpu->hbm_size > 4 * TiB ||
        xpu->hbm_bar_size % XPU_LARGE) {
        error_setg(errp, "hbm-size and hbm-bar-size are multiples of 2 MiB, "
                   "at most 4 TiB");
        return false;
    }
    bar = pow2ceil(xpu->hbm_bar_size);
    if (!memory_region_init_ram_flags_nomigrate(&xpu->hbm, OBJECT(xpu),
                                                "alink-hbm", xpu->hbm_size,
                                                RAM_NORESERVE, errp)) {
        return false;
    }
    xpu->hbm_mem = memory_region_get_ram_ptr(&xpu->hbm);
    memory_region_init(&xpu->hbm_bar, OBJECT(xpu), "alink-hbm-bar", bar);
    memory_region_init_alias(&xpu->hbm_window, OBJECT(xpu), "alink-hbm-window",
                             &xpu->hbm, 0, xpu->hbm_bar_size);
    memory_region_add_subregion(&xpu->hbm_bar, 0, &xpu->hbm_window);
    pci_register_bar(PCI_DEVICE(xpu), ALINK_XPU_BAR_HBM,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64 |
                     PCI_BASE_ADDRESS_MEM_PREFETCH, &xpu->hbm_bar);
    return true;
}

/* A region in another one holds their owner: it would never be freed. */
static void hbm_cleanup(AlinkXpu *xpu)
{
    memory_region_del_subregion(&xpu->hbm_bar, &xpu->hbm_window);
}

static void set_identity(AlinkXpu *xpu, const XpuVariant *v)
{
    AlinkDevice *ad = ALINK_DEVICE(xpu);

    ad->variant = v->id;
    ad->model_name = v->model_name;
    ad->part_number = v->part_number;
    ad->fw_version = v->fw_version;
    ad->fabric_id = xpu->endpoint;
    ad->num_links = v->links;
    ad->num_vectors = ALINK_XPU_NUM_VECTORS;
    ad->caps = ALINK_CAP_ADMIN | ALINK_CAP_LINKS | ALINK_CAP_FRAMES |
               ALINK_CAP_ROUTES | ALINK_CAP_RETIRE | ALINK_CAP_RETRY |
               ALINK_CAP_FLASH | ALINK_CAP_PROGRESS | ALINK_CAP_QUEUE_INFO |
               ALINK_CAP_ECC | ALINK_CAP_PUSH | ALINK_CAP_CREDITS |
               ALINK_CAP_WAIT_MS | ALINK_CAP_SEGMENTS | ALINK_CAP_SPARES |
               ALINK_CAP_BER | ALINK_CAP_HUGE_LEAF | ALINK_CAP_REDUCE_KEEP;
    alink_sensor_default(ad, ALINK_REG_TEMP, 46000);
    alink_sensor_default(ad, ALINK_REG_TEMP_MEM, 44000);
    alink_sensor_default(ad, ALINK_REG_POWER, v->power_idle_mw);
    alink_sensor_default(ad, ALINK_REG_TEMP_MAX, 85000);
    alink_sensor_default(ad, ALINK_REG_TEMP_CRIT, 95000);
    alink_sensor_default(ad, ALINK_REG_TEMP_MEM_CRIT, 95000);
    alink_sensor_default(ad, ALINK_REG_POWER_MAX, v->power_max_mw);
}

static bool xpu_realize(AlinkDevice *ad, Error **errp)
{
    AlinkXpu *xpu = ALINK_XPU(ad);
    const XpuVariant *v;
    unsigned i;
    int ret;

    v = find_variant(xpu->variant_name ?: "m890", errp);
    if (!v) {
        return false;
    }
    if (!ad->af) {
        error_setg(errp, "alink-xpu needs fabric=ID of an alink-fabric");
        return false;
    }
    xpu->variant = v;
    set_identity(xpu, v);
    for (i = 0; i < 32; i++) {
        if (af_dtype_reducible(i)) {
            xpu->dtypes |= ALINK_BIT(i);
        }
    }
    if (!hbm_init(xpu, errp)) {
        return false;
    }
    ret = af_endpoint_add(ad->af, xpu->endpoint, alink_device_serial(ad),
                          xpu->hbm_mem, xpu->hbm_size, v->links, v->link_mbps,
                          v->lanes);
    if (ret) {
        error_setg_errno(errp, -ret, "endpoint %u cannot be added to the "
                         "fabric", xpu->endpoint);
        hbm_cleanup(xpu);
        return false;
    }
    xpu_sched_init(xpu);
    return true;
}

static void drop_contexts(AlinkXpu *xpu)
{
    unsigned i;

    for (i = 0; i < ALINK_XPU_MAX_QUEUES; i++) {
        if (xpu->queue[i]) {
            xpu_queue_destroy(xpu->queue[i], false);
        }
    }
    for (i = 0; i <= XPU_NUM_CTX; i++) {
        g_free(xpu->ctx[i]);
        xpu->ctx[i] = NULL;
    }
}

static void xpu_unrealize(AlinkDevice *ad)
{
    AlinkXpu *xpu = ALINK_XPU(ad);

    xpu_admin_forget(xpu);
    drop_contexts(xpu);
    xpu_compute_cleanup(xpu);
    xpu_sched_cleanup(xpu);
    /* Returns when no peer uses our HBM. */
    af_endpoint_remove(ad->af, xpu->endpoint);
    hbm_cleanup(xpu);
}

static void xpu_base_drain(AlinkDevice *ad)
{
    xpu_drain(ALINK_XPU(ad));
}

static void xpu_base_kick(AlinkDevice *ad)
{
    xpu_kick(ALINK_XPU(ad));
}

/*
 * HBM has had no power. It could hold anything afterwards; here it reads as
 * zeros, and the host gets its memory back.
 */
static void hbm_lose(AlinkXpu *xpu)
{
    af_poison_clear(ALINK_DEVICE(xpu)->af, xpu->endpoint);
    if (ram_block_discard_range(xpu->hbm.ram_block, 0, xpu->hbm_size)) {
        memset(xpu->hbm_mem, 0, xpu->hbm_size);
    }
}

static void xpu_sleep(AlinkDevice *ad)
{
    AlinkXpu *xpu = ALINK_XPU(ad);

    if (xpu->x_lose_hbm) {
        hbm_lose(xpu);
    }
}

static void xpu_reset(AlinkDevice *ad, AlinkResetKind kind)
{
    AlinkXpu *xpu = ALINK_XPU(ad);

    xpu_admin_forget(xpu);
    drop_contexts(xpu);
    if (kind != ALINK_RESET_COLD) {
        af_endpoint_reset(ad->af, xpu->endpoint);
        return;
    }
    af_cold_reset(ad->af, ALINK_DEVTYPE_XPU, xpu->endpoint);
    xpu->busy_ns = 0;
    memset(xpu->queue_busy_ns, 0, sizeof(xpu->queue_busy_ns));
    memset(xpu->queue_compute_ns, 0, sizeof(xpu->queue_compute_ns));
    xpu->commands = 0;
    xpu->irqs = 0;
    xpu->doorbells = 0;
    xpu->macs = 0;
    xpu->ecc_corrected = 0;
    xpu->load_busy_ns = 0;
    hbm_lose(xpu);
}

/* --- properties --------------------------------------------------------------- */

static void get_stuck(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    visit_type_uint64(v, name, &ALINK_XPU(obj)->x_queue_stuck, errp);
}

static void set_stuck(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    AlinkXpu *xpu = ALINK_XPU(obj);

    if (visit_type_uint64(v, name, &xpu->x_queue_stuck, errp) &&
        DEVICE(xpu)->realized) {
        trace_alink_inject(alink_device_name(ALINK_DEVICE(xpu)), name,
                           xpu->x_queue_stuck);
        xpu_kick(xpu);
    }
}

static void set_poison(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    AlinkDevice *ad = ALINK_DEVICE(obj);
    uint64_t addr;
    int ret;

    if (!visit_type_uint64(v, name, &addr, errp)) {
        return;
    }
    if (!DEVICE(ad)->realized) {
        error_setg(errp, "%s: only once the device is there", name);
        return;
    }
    addr &= ~63ULL;
    ret = af_poison_add(ad->af, ad->fabric_id, addr, 64);
    if (ret) {
        error_setg_errno(errp, -ret, "%s: 0x%" PRIx64, name, addr);
        return;
    }
    trace_alink_inject(alink_device_name(ad), name, addr);
}

static void set_corrected(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    AlinkXpu *xpu = ALINK_XPU(obj);
    uint32_t more;

    if (visit_type_uint32(v, name, &more, errp) && DEVICE(xpu)->realized) {
        xpu->ecc_corrected += more;
        trace_alink_inject(alink_device_name(ALINK_DEVICE(xpu)), name, more);
    }
}

static bool get_lose_hbm(Object *obj, Error **errp)
{
    return ALINK_XPU(obj)->x_lose_hbm;
}

static void set_lose_hbm(Object *obj, bool value, Error **errp)
{
    ALINK_XPU(obj)->x_lose_hbm = value;
}

static void set_hold(Object *obj, bool value, Error **errp)
{
    trace_alink_inject(DEVICE(obj)->id ?: "xpu", "x-hold-workers", value);
    alink_work_hold(value);
}

static void get_held(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    uint32_t held = alink_work_held();

    visit_type_uint32(v, name, &held, errp);
}

/* --- the host, to compare with ------------------------------------------------- */

#define MEMCPY_TOTAL    (64 * MiB)

/* MiB/s of copies of @bytes; 0 with @errp set. */
static uint64_t measure_memcpy(uint64_t bytes, Error **errp)
{
    uint64_t copies = MEMCPY_TOTAL / bytes, i;
    int64_t start, ns;
    uint8_t *mem;

    /* Memory as QEMU gives to RAM and HBM. */
    mem = qemu_anon_ram_alloc(2 * bytes, NULL, false, true);
    if (!mem) {
        error_setg(errp, "no memory for two buffers of %" PRIu64 " bytes",
                   bytes);
        return 0;
    }
    qemu_madvise(mem, 2 * bytes, QEMU_MADV_HUGEPAGE);
    /* All pages are there before anything is measured. */
    memset(mem, 1, 2 * bytes);
    start = get_clock();
    for (i = 0; i < copies; i++) {
        memcpy(mem + bytes, mem, bytes);
        /* Each copy is wanted. */
        barrier();
    }
    ns = MAX(get_clock() - start, 1);
    qemu_anon_ram_free(mem, 2 * bytes);
    return copies * bytes * NANOSECONDS_PER_SECOND / ns / MiB;
}

static void get_memcpy_rate(Object *obj, Visitor *v, const char *name,
                            void *opaque, Error **errp)
{
    uint64_t rate = measure_memcpy(ALINK_XPU(obj)->x_memcpy_bytes, errp);

    if (rate) {
        visit_type_uint64(v, name, &rate, errp);
    }
}

static void get_memcpy_bytes(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    visit_type_size(v, name, &ALINK_XPU(obj)->x_memcpy_bytes, errp);
}

static void set_memcpy_bytes(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    uint64_t bytes;

    if (!visit_type_size(v, name, &bytes, errp)) {
        return;
    }
    if (bytes < 4 * KiB || bytes > MEMCPY_TOTAL) {
        error_setg(errp, "%s: 4 KiB to 64 MiB are wanted", name);
        return;
    }
    ALINK_XPU(obj)->x_memcpy_bytes = bytes;
}

/* --- type ---------------------------------------------------------------------- */

static const Property xpu_properties[] = {
    DEFINE_PROP_STRING("variant", AlinkXpu, variant_name),
    DEFINE_PROP_UINT32("endpoint", AlinkXpu, endpoint, 0),
    DEFINE_PROP_SIZE("hbm-size", AlinkXpu, hbm_size, 0),
    DEFINE_PROP_SIZE("hbm-bar-size", AlinkXpu, hbm_bar_size, 0),
    DEFINE_PROP_UINT32("compute-threads", AlinkXpu, compute_threads, 4),
};

static void xpu_class_init(ObjectClass *oc, void *data)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_CLASS(oc);
    DeviceClass *dc = DEVICE_CLASS(oc);

    dc->desc = "ALink xPU";
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, xpu_properties);
    object_class_property_add(oc, "x-queue-stuck", "uint64", get_stuck,
                              set_stuck, NULL, NULL);
    object_class_property_add_bool(oc, "x-lose-hbm", get_lose_hbm,
                                   set_lose_hbm);
    object_class_property_add(oc, "x-ecc-poison-addr", "uint64", NULL,
                              set_poison, NULL, NULL);
    object_class_property_add(oc, "x-ecc-corrected", "uint32", NULL,
                              set_corrected, NULL, NULL);
    object_class_property_add_bool(oc, "x-hold-workers", NULL, set_hold);
    object_class_property_add(oc, "x-workers-held", "uint32", get_held, NULL,
                              NULL, NULL);
    object_class_property_add(oc, "x-memcpy-mib-s", "uint64", get_memcpy_rate,
                              NULL, NULL, NULL);
    object_class_property_add(oc, "x-memcpy-bytes", "size", get_memcpy_bytes,
                              set_memcpy_bytes, NULL, NULL);
    adc->devtype = ALINK_DEVTYPE_XPU;
    adc->regs = xpu_regs;
    adc->num_regs = ARRAY_SIZE(xpu_regs);
    adc->admin = xpu_admin;
    adc->num_admin = xpu_num_admin;
    adc->realize = xpu_realize;
    adc->unrealize = xpu_unrealize;
    adc->drain = xpu_base_drain;
    adc->sleep = xpu_sleep;
    adc->kick = xpu_base_kick;
    adc->reset = xpu_reset;
    adc->sensor = xpu_sensor;
    adc->load_uj = xpu_load_uj;
}

static void xpu_instance_init(Object *obj)
{
    AlinkXpu *xpu = ALINK_XPU(obj);

    xpu->x_memcpy_bytes = MiB;
    xpu->x_lose_hbm = true;
    object_property_add_uint64_ptr(obj, "x-destroy-stuck",
                                   &xpu->x_destroy_stuck,
                                   OBJ_PROP_FLAG_READWRITE);
    object_property_add_uint32_ptr(obj, "x-lose-queue-irqs",
                                   &xpu->x_lose_queue_irqs,
                                   OBJ_PROP_FLAG_READWRITE);
    object_property_add_uint32_ptr(obj, "x-complete-late-us",
                                   &xpu->x_complete_late_us,
                                   OBJ_PROP_FLAG_READWRITE);
    object_property_add_uint32_ptr(obj, "x-skip-fills", &xpu->x_skip_fills,
                                   OBJ_PROP_FLAG_READWRITE);
}

static const TypeInfo xpu_types[] = {
    {
        .name = TYPE_ALINK_XPU,
        .parent = TYPE_ALINK_DEVICE,
        .instance_size = sizeof(AlinkXpu),
        .instance_init = xpu_instance_init,
        .class_init = xpu_class_init,
    },
};

DEFINE_TYPES(xpu_types)
