/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: PCI function, life cycle, reset, DMA.
 *
 * Usage: not created by itself; every alink-* PCI device takes
 *
 *   fabric=ID    the alink-fabric object that it belongs to
 *   serial=U64   serial number; by default made from type and fabric id
 *
 * and the knobs that alink_common_inject.c, alink_common_lie.c and
 * alink_common_flash.c list.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/rcu.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_ids.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_aer.h"
#include "hw/pci/pcie_host.h"
#include "hw/qdev-properties.h"
#include "hw/resettable.h"
#include "migration/vmstate.h"
#include "fabric/alink_fabric.h"
#include "fabric_object.h"
#include "alink_common_internal.h"
#include "trace.h"

#define AER_OFFSET      0x100
#define SERIAL_OFFSET   0x148

static QTAILQ_HEAD(, AlinkDevice) devices = QTAILQ_HEAD_INITIALIZER(devices);
static QemuMutex devices_lock;  /* protects the list; any thread */

/* What a devtype is on the PCI bus. */
static const struct {
    uint16_t device_id;
    uint16_t class_id;
} pci_ident[] = {
    [ALINK_DEVTYPE_XPU] = { ALINK_PCI_DEVICE_XPU, 0x1200 },
    [ALINK_DEVTYPE_SWITCH] = { ALINK_PCI_DEVICE_SWITCH,
                               PCI_CLASS_NETWORK_OTHER },
    [ALINK_DEVTYPE_OPTICS] = { ALINK_PCI_DEVICE_OPTICS,
                               PCI_CLASS_SYSTEM_OTHER },
    [ALINK_DEVTYPE_NIC] = { ALINK_PCI_DEVICE_NIC,
                            PCI_CLASS_NETWORK_ETHERNET },
    [ALINK_DEVTYPE_RACK] = { ALINK_PCI_DEVICE_RACK, PCI_CLASS_SYSTEM_OTHER },
};

const char *alink_device_name(AlinkDevice *ad)
{
    return DEVICE(ad)->id ?: PCI_DEVICE(ad)->name;
}

uint64_t alink_clock_ns(AlinkDevice *ad)
{
    return ad->af ? af_clock_ns(ad->af) :
                    qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

uint64_t alink_device_serial(AlinkDevice *ad)
{
    static uint32_t next_serial;
    uint32_t low;

    if (!ad->serial) {
        low = ad->fabric_id == ALINK_ID_NONE ? 0x10000 + ++next_serial :
                                               ad->fabric_id + 1;
        ad->serial = (uint64_t)ALINK_DEVICE_GET_CLASS(ad)->devtype << 32 | low;
    }
    return ad->serial;
}

/* devices_lock is held. */
static AlinkDevice *find_locked(struct af_fabric *af, uint32_t devtype,
                                uint32_t id)
{
    AlinkDevice *ad;

    QTAILQ_FOREACH(ad, &devices, next) {
        if (ad->af == af && ad->fabric_id == id &&
            ALINK_DEVICE_GET_CLASS(ad)->devtype == devtype) {
            return ad;
        }
    }
    return NULL;
}

AlinkDevice *alink_device_find(struct af_fabric *af, uint32_t devtype,
                               uint32_t id)
{
    AlinkDevice *ad;

    qemu_mutex_lock(&devices_lock);
    ad = find_locked(af, devtype, id);
    qemu_mutex_unlock(&devices_lock);
    return ad;
}

/*
 * The core's events, from any thread and with none of the core's locks held.
 * The lock keeps the device from going away under the call.
 */
static void fabric_event(void *opaque, uint32_t dev_type, uint32_t dev_id,
                         const struct alink_event *event)
{
    AlinkDevice *ad;

    qemu_mutex_lock(&devices_lock);
    ad = find_locked(opaque, dev_type, dev_id);
    if (ad && le16_to_cpu(event->type) == ALINK_EVENT_FAULT) {
        alink_fault_post(ad, le32_to_cpu(event->code),
                         le32_to_cpu(event->info), le64_to_cpu(event->addr),
                         le32_to_cpu(event->id));
    } else if (ad) {
        alink_event_post(ad, le16_to_cpu(event->type), le32_to_cpu(event->id),
                         le32_to_cpu(event->code), le32_to_cpu(event->info),
                         le64_to_cpu(event->addr));
    }
    qemu_mutex_unlock(&devices_lock);
}

/* --- DMA ----------------------------------------------------------------- */

AlinkInBh *alink_bh_enter(AlinkDevice *ad, QEMUBH *bh)
{
    if (ad->in_bh) {
        if (bh) {
            qemu_bh_schedule(bh);
        }
        return NULL;
    }
    ad->in_bh = true;
    return ad;
}

void alink_bh_leave(AlinkInBh *ad)
{
    ad->in_bh = false;
}

/*
 * Whether some of a range is memory-mapped configuration space. No root complex
 * lets a function get there, and here it could reset or unplug itself, or the
 * port above it, in the middle of its own bottom half: the guard against
 * re-entry knows the regions of this device only.
 */
static bool reaches_config(AlinkDevice *ad, uint64_t addr, uint64_t len,
                           bool write)
{
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(ad));
    hwaddr xlat, run;
    MemoryRegion *mr;

    RCU_READ_LOCK_GUARD();
    for (; len; addr += run, len -= run) {
        run = len;
        mr = address_space_translate(as, addr, &xlat, &run, write,
                                     MEMTXATTRS_UNSPECIFIED);
        if (memory_access_is_direct(mr, write, MEMTXATTRS_UNSPECIFIED)) {
            continue;
        }
        if (object_dynamic_cast(memory_region_owner(mr),
                                TYPE_PCIE_HOST_BRIDGE)) {
            return true;
        }
        /* Of what is no RAM, the length says nothing. */
        run = MIN(len, 4096 - addr % 4096);
    }
    return false;
}

static bool dma_refused(AlinkDevice *ad, uint64_t addr, size_t len, bool write)
{
    return !alink_dma_allowed(ad) || (len && addr + (len - 1) < addr) ||
           reaches_config(ad, addr, len, write);
}

static enum alink_status dma_rw(AlinkDevice *ad, uint64_t addr, void *buf,
                                size_t len, DMADirection dir)
{
    bool cut = alink_dma_cut(ad, len);
    MemTxResult res;

    if (dma_refused(ad, addr, len, dir == DMA_DIRECTION_FROM_DEVICE)) {
        trace_alink_dma_error(alink_device_name(ad), addr, len);
        return ALINK_ST_DMA;
    }
    if (cut) {
        len = ad->inject.partial_dma;
        ad->inject.partial_dma = 0;
    }
    res = pci_dma_rw(PCI_DEVICE(ad), addr, buf, len, dir,
                     MEMTXATTRS_UNSPECIFIED);
    if (res != MEMTX_OK || cut) {
        trace_alink_dma_error(alink_device_name(ad), addr, len);
        return ALINK_ST_DMA;
    }
    return ALINK_ST_OK;
}

enum alink_status alink_dma_read(AlinkDevice *ad, uint64_t addr, void *buf,
                                 size_t len)
{
    return dma_rw(ad, addr, buf, len, DMA_DIRECTION_TO_DEVICE);
}

enum alink_status alink_dma_write(AlinkDevice *ad, uint64_t addr,
                                  const void *buf, size_t len)
{
    return dma_rw(ad, addr, (void *)buf, len, DMA_DIRECTION_FROM_DEVICE);
}

enum alink_status alink_dma_write32(AlinkDevice *ad, uint64_t addr,
                                    uint32_t value)
{
    if (dma_refused(ad, addr, sizeof(value), true) ||
        stl_le_pci_dma(PCI_DEVICE(ad), addr, value, MEMTXATTRS_UNSPECIFIED) !=
        MEMTX_OK) {
        trace_alink_dma_error(alink_device_name(ad), addr, sizeof(value));
        return ALINK_ST_DMA;
    }
    return ALINK_ST_OK;
}

enum alink_status alink_dma_write64(AlinkDevice *ad, uint64_t addr,
                                    uint64_t value)
{
    if (dma_refused(ad, addr, sizeof(value), true) ||
        stq_le_pci_dma(PCI_DEVICE(ad), addr, value, MEMTXATTRS_UNSPECIFIED) !=
        MEMTX_OK) {
        trace_alink_dma_error(alink_device_name(ad), addr, sizeof(value));
        return ALINK_ST_DMA;
    }
    return ALINK_ST_OK;
}

static void quiesce(AlinkDevice *ad)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    if (adc->drain) {
        adc->drain(ad);
    }
}

/* --- reset --------------------------------------------------------------- */

static void reset_over(AlinkDevice *ad)
{
    ad->state = ALINK_STATE_READY;
    ad->boot_ms = qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);
}

static void reset_timer(void *opaque)
{
    reset_over(opaque);
}

void alink_device_reset(AlinkDevice *ad, AlinkResetKind kind)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    trace_alink_reset(alink_device_name(ad), kind, ad->generation);
    /* From here on DMA is refused: what drains cannot complete. */
    ad->state = ALINK_STATE_RESET;
    quiesce(ad);
    alink_regs_flush_late(ad);
    alink_admin_stop(ad);
    alink_event_stop(ad);
    alink_frames_stop(ad);
    alink_test_stop(ad);
    alink_flash_reset(ad);
    alink_regs_reset(ad, kind);
    alink_links_reset(ad);
    if (adc->reset) {
        adc->reset(ad, kind);
    }
    memset(&ad->fault, 0, sizeof(ad->fault));
    ad->event_mask = ~0ULL;
    ad->reset_cause = kind;
    if (kind == ALINK_RESET_COLD) {
        ad->guest_errors = 0;
        ad->guest_err_last = 0;
        ad->energy_uj = 0;
        ad->energy_at = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    }
    /* Power on itself is not a reset since power on. */
    if (ad->powered) {
        ad->generation++;
    }
    ad->powered = true;
    if (ad->inject.reset_us) {
        timer_mod_ns(ad->reset_timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                     ad->inject.reset_us * 1000LL);
    } else {
        timer_del(ad->reset_timer);
        reset_over(ad);
    }
}

/* Sticky bits of AER survive FLR; conventional reset clears them here, since
 * the PCI core leaves the whole capability alone. */
static void aer_cold_reset(PCIDevice *pci)
{
    uint8_t *aer = pci->config + pci->exp.aer_cap;

    pci_set_long(aer + PCI_ERR_UNCOR_STATUS, 0);
    pci_set_long(aer + PCI_ERR_UNCOR_MASK, 0);
    pci_set_long(aer + PCI_ERR_UNCOR_SEVER, PCI_ERR_UNC_SEVERITY_DEFAULT);
    pci_set_long(aer + PCI_ERR_COR_STATUS, 0);
    pci_set_long(aer + PCI_ERR_COR_MASK, PCI_ERR_COR_MASK_DEFAULT);
    memset(aer + PCI_ERR_HEADER_LOG, 0, 16);
}

static void alink_reset_hold(Object *obj, ResetType type)
{
    AlinkDevice *ad = ALINK_DEVICE(obj);
    PCIDevice *pci = PCI_DEVICE(obj);
    uint16_t devctl;
    bool flr;

    devctl = pci_get_word(pci->config + pci->exp.exp_cap + PCI_EXP_DEVCTL);
    flr = devctl & PCI_EXP_DEVCTL_BCR_FLR;
    alink_device_reset(ad, flr ? ALINK_RESET_FLR : ALINK_RESET_COLD);
    pcie_cap_deverr_reset(pci);
    if (!flr) {
        aer_cold_reset(pci);
    }
}

/* What waited for bus mastering, D0 or life goes on. */
void alink_device_kick(AlinkDevice *ad)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    if (alink_dma_allowed(ad)) {
        qemu_bh_schedule(ad->admin_bh);
        qemu_bh_schedule(ad->event_bh);
        qemu_bh_schedule(ad->frame_bh);
        if (adc->kick) {
            adc->kick(ad);
        }
    }
}

/* --- configuration space ------------------------------------------------- */

static uint32_t alink_config_read(PCIDevice *pci, uint32_t addr, int len)
{
    if (ALINK_DEVICE(pci)->inject.dead) {
        return ~0U;
    }
    return pci_default_read_config(pci, addr, len);
}

static bool stops_dma(PCIDevice *pci, uint32_t addr, uint32_t val, int len)
{
    if (range_covers_byte(addr, len, PCI_COMMAND)) {
        return !((val >> 8 * (PCI_COMMAND - addr)) & PCI_COMMAND_MASTER);
    }
    if (range_covers_byte(addr, len, pci->pm_cap + PCI_PM_CTRL)) {
        return (val >> 8 * (pci->pm_cap + PCI_PM_CTRL - addr)) &
               PCI_PM_CTRL_STATE_MASK;
    }
    return false;
}

static void alink_config_write(PCIDevice *pci, uint32_t addr, uint32_t val,
                               int len)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(pci);
    AlinkDevice *ad = ALINK_DEVICE(pci);
    bool awake;

    if (ad->inject.dead) {
        return;
    }
    if (alink_dma_allowed(ad) && stops_dma(pci, addr, val, len)) {
        quiesce(ad);
    }
    awake = alink_in_d0(ad);
    pci_default_write_config(pci, addr, val, len);
    if (awake && !alink_in_d0(ad) && adc->sleep) {
        adc->sleep(ad);
    }
    pcie_cap_flr_write_config(pci, addr, val, len);
    pcie_aer_write_config(pci, addr, val, len);
    alink_device_kick(ad);
}

static bool config_init(AlinkDevice *ad, Error **errp)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    PCIDevice *pci = PCI_DEVICE(ad);
    int ret;

    pci_config_set_vendor_id(pci->config, ALINK_PCI_VENDOR_ID);
    pci_config_set_device_id(pci->config, pci_ident[adc->devtype].device_id);
    pci_config_set_class(pci->config, pci_ident[adc->devtype].class_id);
    pci_set_word(pci->config + PCI_SUBSYSTEM_VENDOR_ID, ALINK_PCI_VENDOR_ID);
    pci_set_word(pci->config + PCI_SUBSYSTEM_ID, ad->variant);

    ret = pcie_endpoint_cap_init(pci, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "PCI Express capability");
        return false;
    }
    pcie_cap_flr_init(pci);
    pcie_cap_deverr_init(pci);
    ret = pci_pm_init(pci, 0, errp);
    if (ret < 0) {
        return false;
    }
    /* No reset on the way from D3hot to D0; the state bits are writable. */
    pci_set_word(pci->config + pci->pm_cap + PCI_PM_CTRL,
                 PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(pci->wmask + pci->pm_cap + PCI_PM_CTRL,
                 PCI_PM_CTRL_STATE_MASK);
    if (pcie_aer_init(pci, PCI_ERR_VER, AER_OFFSET, PCI_ERR_SIZEOF, errp) <
        0) {
        return false;
    }
    pcie_dev_ser_num_init(pci, SERIAL_OFFSET, ad->serial);
    return true;
}

static bool bars_init(AlinkDevice *ad, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(ad);
    unsigned i;

    memory_region_init_io(&ad->bar0, OBJECT(ad), &alink_bar0_ops, ad,
                          "alink-regs", ALINK_BAR0_SIZE);
    pci_register_bar(pci, ALINK_BAR_REGS, PCI_BASE_ADDRESS_SPACE_MEMORY,
                     &ad->bar0);
    if (msix_init_exclusive_bar(pci, ad->num_vectors, ALINK_BAR_MSIX, errp)) {
        return false;
    }
    for (i = 0; i < ad->num_vectors; i++) {
        msix_vector_use(pci, i);
    }
    return true;
}

/* --- realize ------------------------------------------------------------- */

/* Constants that realize() of the device must have left in order. */
static bool check_device(AlinkDevice *ad, Error **errp)
{
    const uint64_t tables = ALINK_CAP_ROUTES | ALINK_CAP_GROUPS |
                            ALINK_CAP_PARTITIONS | ALINK_CAP_LINKS;
    AlinkDevice *twin;

    g_assert(ad->num_vectors && ad->num_vectors <= 32);
    g_assert(ad->num_links <= ALINK_LINK_AREA_SIZE / ALINK_LINK_STRIDE);
    g_assert(ad->model_name && ad->part_number);
    if (!ad->af && (ad->caps & tables)) {
        error_setg(errp, "this device needs fabric=ID of an alink-fabric");
        return false;
    }
    if (ad->af && ad->fabric_id != ALINK_ID_NONE) {
        twin = alink_device_find(ad->af, ALINK_DEVICE_GET_CLASS(ad)->devtype,
                                 ad->fabric_id);
        if (twin) {
            error_setg(errp, "fabric id %u is that of %s", ad->fabric_id,
                       alink_device_name(twin));
            return false;
        }
    }
    return true;
}

static void parts_init(AlinkDevice *ad)
{
    ad->reset_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, reset_timer, ad);
    alink_admin_init(ad);
    alink_event_init(ad);
    alink_frames_init(ad);
    alink_test_init(ad);
    alink_flash_init(ad);
    alink_thermal_init(ad);
}

static void parts_cleanup(AlinkDevice *ad)
{
    alink_thermal_cleanup(ad);
    alink_flash_cleanup(ad);
    alink_test_cleanup(ad);
    alink_frames_cleanup(ad);
    alink_admin_cleanup(ad);
    alink_event_cleanup(ad);
    timer_free(ad->reset_timer);
}

static void alink_realize(PCIDevice *pci, Error **errp)
{
    AlinkDevice *ad = ALINK_DEVICE(pci);
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    ad->af = ad->fabric ? alink_fabric_core(ad->fabric) : NULL;
    ad->fabric_id = ALINK_ID_NONE;
    ad->num_vectors = 2;
    ad->event_mask = ~0ULL;
    if (!adc->realize(ad, errp)) {
        return;
    }
    if (!check_device(ad, errp)) {
        goto err_device;
    }
    alink_device_serial(ad);
    if (!alink_regs_init(ad, errp)) {
        goto err_device;
    }
    parts_init(ad);
    if (!config_init(ad, errp)) {
        goto err_parts;
    }
    if (!bars_init(ad, errp)) {
        goto err_config;
    }
    alink_regs_reset(ad, ALINK_RESET_COLD);
    alink_inject_realize(ad);
    alink_lie_realize(ad);

    qemu_mutex_lock(&devices_lock);
    QTAILQ_INSERT_TAIL(&devices, ad, next);
    qemu_mutex_unlock(&devices_lock);
    if (ad->af) {
        af_fabric_set_event_fn(ad->af, fabric_event, ad->af);
    }
    return;

err_config:
    pcie_aer_exit(pci);
    pcie_cap_exit(pci);
err_parts:
    parts_cleanup(ad);
    alink_regs_cleanup(ad);
err_device:
    if (adc->unrealize) {
        adc->unrealize(ad);
    }
}

static void alink_unrealize(PCIDevice *pci)
{
    AlinkDevice *ad = ALINK_DEVICE(pci);
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    ad->state = ALINK_STATE_RESET;
    quiesce(ad);
    qemu_mutex_lock(&devices_lock);
    QTAILQ_REMOVE(&devices, ad, next);
    qemu_mutex_unlock(&devices_lock);
    alink_lie_unrealize(ad);
    alink_inject_unrealize(ad);
    if (adc->unrealize) {
        adc->unrealize(ad);
    }
    parts_cleanup(ad);
    alink_regs_cleanup(ad);
    msix_unuse_all_vectors(pci);
    msix_uninit_exclusive_bar(pci);
    pcie_aer_exit(pci);
    pcie_cap_exit(pci);
}

/* --- class --------------------------------------------------------------- */

static void alink_instance_init(Object *obj)
{
    AlinkDevice *ad = ALINK_DEVICE(obj);

    ad->state = ALINK_STATE_RESET;
    alink_inject_instance_init(ad);
    alink_flash_instance_init(ad);
    PCI_DEVICE(obj)->cap_present |= QEMU_PCI_CAP_EXPRESS;
}

/* Peers and their tables do not migrate, so one device alone cannot. */
static const VMStateDescription alink_vmstate = {
    .name = TYPE_ALINK_DEVICE,
    .unmigratable = 1,
};

static const Property alink_properties[] = {
#ifdef ALINK_FUZZ
    DEFINE_PROP_BOOL("x-tooth", AlinkDevice, tooth, false),
#endif
    DEFINE_PROP_UINT64("serial", AlinkDevice, serial, 0),
    DEFINE_PROP_LINK("fabric", AlinkDevice, fabric, TYPE_ALINK_FABRIC,
                     AlinkFabric *),
};

/* A subclass must not inherit the map of registers of its parent. */
static void alink_class_base_init(ObjectClass *oc, void *data)
{
    ALINK_DEVICE_CLASS(oc)->regmap = NULL;
}

static void alink_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(oc);
    ResettableClass *rc = RESETTABLE_CLASS(oc);

    pc->realize = alink_realize;
    pc->exit = alink_unrealize;
    pc->config_read = alink_config_read;
    pc->config_write = alink_config_write;
    pc->vendor_id = ALINK_PCI_VENDOR_ID;
    pc->class_id = PCI_CLASS_OTHERS;
    rc->phases.hold = alink_reset_hold;
    dc->vmsd = &alink_vmstate;
    device_class_set_props(dc, alink_properties);
    alink_inject_class_init(oc);
    alink_lie_class_init(oc);
    alink_flash_class_init(oc);
    qemu_mutex_init(&devices_lock);
}

static const TypeInfo alink_types[] = {
    {
        .name = TYPE_ALINK_DEVICE,
        .parent = TYPE_PCI_DEVICE,
        .abstract = true,
        .instance_size = sizeof(AlinkDevice),
        .instance_init = alink_instance_init,
        .class_size = sizeof(AlinkDeviceClass),
        .class_init = alink_class_init,
        .class_base_init = alink_class_base_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_PCIE_DEVICE },
            { }
        },
    },
};

DEFINE_TYPES(alink_types)
