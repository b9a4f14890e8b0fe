/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-device`: the abstract base of every ALink PCI function.
 *
 * The base owns PCI configuration space (express endpoint, MSI-X in BAR1, AER,
 * power management, FLR), BAR0 with the common block of <hw/alink/common.h>,
 * the admin queue, the event ring, link windows, frame rings, the commands on
 * routes, groups and partitions, sensors and the knobs for faults. A device
 * adds a table of registers, a table of admin commands and a few callbacks.
 *
 * Locking: everything here needs the BQL, except alink_event_post(), which any
 * thread may call, and what alink_dma.h says about worker threads.
 *
 * Rules for devices:
 *  - DMA starts in a bottom half from alink_bh_new(), never in a register
 *    callback: the guard then refuses DMA that loops back into this device;
 *  - DMA goes through alink_dma_*() or alink_dma.h: they check BME, power
 *    state and x-dead, and return ALINK_ST_DMA;
 *  - a mistake of the guest ends in alink_guest_error(), never in an abort.
 */
#ifndef HW_ALINK_COMMON_MODEL_H
#define HW_ALINK_COMMON_MODEL_H

#include "hw/pci/pci_device.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "qom/object.h"

#include <hw/alink/common.h>
#include <hw/alink/flash.h>
#include <hw/alink/link.h>

/* In two pieces, because the build asks -device help for the whole ones. */
#define TYPE_ALINK_DEVICE "alink-" "device"
OBJECT_DECLARE_TYPE(AlinkDevice, AlinkDeviceClass, ALINK_DEVICE)

/*
 * fabric_object.h has TYPE_ALINK_FABRIC and alink_fabric_core(), which gives
 * the struct af_fabric of the object. The base sets the core's event function.
 */
typedef struct AlinkFabric AlinkFabric;
struct af_fabric;

#define ALINK_NUM_SENSORS   7       /* ALINK_REG_TEMP .. ALINK_REG_POWER_MAX */

/* --- registers ---------------------------------------------------------- */

typedef enum AlinkAccess {
    ALINK_RO,
    ALINK_RW,
    ALINK_W1C,
    ALINK_WO,
    ALINK_RC,
} AlinkAccess;

typedef struct AlinkReg AlinkReg;

/**
 * AlinkReg: one register, or @count of them @stride bytes apart, in BAR0.
 * @name: as in the header, without ALINK_
 * @offset: in BAR0
 * @access: who may do what; the base enforces it: a write to RO is a guest
 *          error, WO reads 0, RC clears after the read, W1C clears the stored
 *          bits before @write is called
 * @width: 32 or 64
 * @doorbell: the write is delayed by x-late-doorbell-us, in order
 * @reset: stored value after realize, FLR and every other reset, unless @keep
 * @keep: the stored value survives FLR and soft reset (power on clears it)
 * @caps: the register reads 0 and is not writable without these ALINK_CAP_*
 * @mask: bits that RW stores; 0 means all
 * @count: 0 and 1 both mean a single register
 * @read: computes the value; NULL: the stored value is returned
 * @write: told of a permitted write; a 64-bit register written in halves tells
 *         the merged value each time. NULL: the value is only stored (RW)
 *
 * @n is the index in an array, else 0.
 */
struct AlinkReg {
    const char *name;
    uint32_t offset;
    AlinkAccess access;
    uint8_t width;
    bool doorbell;
    bool keep;
    uint64_t caps;
    uint64_t reset;
    uint64_t mask;
    uint32_t count;
    uint32_t stride;
    uint64_t (*read)(AlinkDevice *ad, const AlinkReg *reg, unsigned n);
    void (*write)(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                  uint64_t value);
};

/* Stored value of a register of this device's tables, by offset in BAR0. */
uint64_t alink_reg_get(AlinkDevice *ad, uint32_t offset);
void alink_reg_set(AlinkDevice *ad, uint32_t offset, uint64_t value);

/* --- admin commands ----------------------------------------------------- */

#define ALINK_SPEC_TLVS     4

typedef struct AlinkAdminCmd AlinkAdminCmd;

/**
 * AlinkAdminSpec: one admin command, as a table row.
 * @opcode: ALINK_ADMIN_* or the device's own
 * @name: for traces
 * @caps: ALINK_CAP_* that the device must all have, else BAD_OPCODE
 * @tlv: what the request may carry: at most one of each; lengths are checked
 * @run: must call alink_admin_complete(), now or later. Called from the
 *       guarded bottom half, so it may do DMA. The next command of the queue
 *       starts only after this one has completed.
 */
typedef struct AlinkAdminSpec {
    uint16_t opcode;
    const char *name;
    uint64_t caps;
    struct {
        uint16_t type;
        bool required;
        uint16_t min_len;
        uint16_t max_len;
    } tlv[ALINK_SPEC_TLVS];
    void (*run)(AlinkDevice *ad, AlinkAdminCmd *cmd);
} AlinkAdminSpec;

/* One command between fetch and completion. Fields are in host order. */
struct AlinkAdminCmd {
    AlinkDevice *ad;            /* NULL once a reset has aborted it */
    const AlinkAdminSpec *spec;
    uint16_t opcode;
    uint32_t cid;
    uint64_t resp_addr;
    uint32_t req_len;
    uint32_t resp_room;
    uint32_t resp_len;          /* bytes in resp so far */
    uint32_t resp_needed;       /* with NO_ROOM: what would have fitted */
    uint32_t info;              /* goes to the completion: TLV at fault */
    uint8_t *req;               /* a private copy: the guest cannot change it */
    uint8_t *resp;              /* resp_room bytes */
    int64_t busy_ns;            /* how long the device works on it */
    void *opaque;               /* for asynchronous commands of the device */

    /* private to alink_common_admin.c */
    const struct alink_tlv *tlv[ALINK_SPEC_TLVS];
    bool running;
    bool answered;
    enum alink_status status;
    int64_t due_ns;
};

/* Payload of a TLV of the request, or NULL. Lengths are within the spec. */
const void *alink_admin_tlv(const AlinkAdminCmd *cmd, uint16_t type,
                            size_t *len);
/* Value of ALINK_TLV_ID; only for commands whose spec requires it. */
uint32_t alink_admin_tlv_id(const AlinkAdminCmd *cmd);
/*
 * Appends a TLV to the response. False when it does not fit: then nothing was
 * written and cmd->resp_needed says how long the response would have been.
 */
bool alink_admin_put(AlinkAdminCmd *cmd, uint16_t type, const void *payload,
                     size_t len);
/* Whether TLVs with these payload lengths would fit together. */
bool alink_admin_fits(AlinkAdminCmd *cmd, size_t len1, size_t len2);
/*
 * Answers the command and frees it. After a reset the command is stale: this
 * then only frees it, so an asynchronous command need not care.
 */
void alink_admin_complete(AlinkAdminCmd *cmd, enum alink_status status);
/* Same, and names the TLV at fault. */
void alink_admin_fail(AlinkAdminCmd *cmd, enum alink_status status,
                      uint16_t tlv);

/* --- the base ----------------------------------------------------------- */

typedef enum AlinkResetKind {
    ALINK_RESET_COLD = ALINK_RESET_CAUSE_COLD,
    ALINK_RESET_FLR = ALINK_RESET_CAUSE_FLR,
    ALINK_RESET_SOFT = ALINK_RESET_CAUSE_SOFT,
} AlinkResetKind;

/**
 * AlinkDeviceClass: what a device fills in its class_init.
 * @devtype: ALINK_DEVTYPE_*; the PCI device id follows from it
 * @regs, @num_regs: the device's registers, anywhere in BAR0 that the common
 *                   block and the link windows leave free
 * @admin, @num_admin: the device's admin commands
 * @realize: first of all, before BARs exist. Sets ad->variant, caps,
 *           num_vectors, num_links, fabric_id, sensors, strings; may register
 *           BAR2 and BAR4; joins the fabric. Returns false with @errp set.
 * @unrealize: last of all; symmetric
 * @drain: stop and wait: no work of the device touches guest memory when this
 *         returns. Before FLR, soft reset, loss of bus mastering, unplug and
 *         x-dead. What is in flight completes as ALINK_ST_ABORTED.
 * @reset: puts the device's own state to reset values; stored registers are
 *         done by the base, links and tables by the fabric core
 * @mmio_read, @mmio_write: offsets of BAR0 without a register in any table;
 *         NULL or false: a guest error, reads give 0
 * @dead: x-dead changed. The base covers all BARs with all-ones itself.
 * @sleep: the function goes from D0 to D3hot, and is drained
 * @kick: DMA may have become possible: what waited for it goes on
 * @sensor: what sensor @reg reads now, when the user has not set it; @value is
 *          what alink_sensor_default() gave
 * @load_uj: energy since power on beyond what that power used over time, as
 *          @sensor adds to it; NULL: none
 */
struct AlinkDeviceClass {
    PCIDeviceClass parent_class;

    uint32_t devtype;
    const AlinkReg *regs;
    size_t num_regs;
    const AlinkAdminSpec *admin;
    size_t num_admin;

    bool (*realize)(AlinkDevice *ad, Error **errp);
    void (*unrealize)(AlinkDevice *ad);
    void (*drain)(AlinkDevice *ad);
    void (*reset)(AlinkDevice *ad, AlinkResetKind kind);
    bool (*mmio_read)(AlinkDevice *ad, hwaddr addr, unsigned size,
                      uint64_t *value);
    bool (*mmio_write)(AlinkDevice *ad, hwaddr addr, unsigned size,
                       uint64_t value);
    void (*dead)(AlinkDevice *ad, bool dead);
    void (*sleep)(AlinkDevice *ad);
    void (*kick)(AlinkDevice *ad);
    int32_t (*sensor)(AlinkDevice *ad, uint32_t reg, int32_t value);
    uint64_t (*load_uj)(AlinkDevice *ad);

    /* private to alink_common*.c */
    struct AlinkRegMap *regmap;
};

typedef struct AlinkRing {
    bool enabled;
    uint64_t base;              /* latched when enabled */
    uint64_t base2;             /* completion or receive ring */
    uint32_t size;
    uint32_t head;              /* free-running, device's side */
    uint32_t tail;              /* free-running, driver's side */
    uint32_t head2;
    uint32_t tail2;
} AlinkRing;

typedef struct AlinkFrame AlinkFrame;
typedef struct AlinkLateWrite AlinkLateWrite;

/* Fault knobs; alink_common_inject.c documents the properties. */
typedef struct AlinkInject {
    bool dead;
    bool admin_stuck;
    bool heartbeat_stuck;
    uint32_t lose_irqs;
    uint32_t latency_us;
    uint32_t late_doorbell_us;
    uint32_t reset_us;
    uint32_t bad_magic;
    uint32_t bad_version;
    uint64_t partial_dma;
    bool fail_irq;
    bool fail_dma;
    bool fail_value;
    bool fail_loop;
    bool fail_prbs;
} AlinkInject;

typedef enum AlinkRecordLie {
    ALINK_LIE_EVENT_TYPE,
    ALINK_LIE_EVENT_ID,
    ALINK_LIE_EVENT_JUMP,
    ALINK_LIE_RX_INDEX,
    ALINK_LIE_RX_LENGTH,
    ALINK_LIE_RX_STATUS,
    ALINK_LIE_TX_HEAD,
    ALINK_LIE_TX_STATUS,
    ALINK_LIE_TX_NONE,
    ALINK_NUM_RECORD_LIES,
} AlinkRecordLie;

/* Lies of a device; alink_common_lie.c documents the properties. */
typedef struct AlinkLies {
    struct {
        uint64_t offset;
        uint64_t value;
        uint64_t count;
    } reg[8];
    unsigned num;
    unsigned reads;
    unsigned admin;
    unsigned flash;
    AlinkRecordLie record;
    unsigned records;
    uint64_t seed;
    uint32_t storm_us;
    QEMUTimer *storm_timer;
    uint64_t told;
} AlinkLies;

typedef struct AlinkFlashBank {
    enum alink_flash_state state;
    uint32_t version;
    uint32_t security;
    uint32_t payload_len;
} AlinkFlashBank;

/* Firmware in flash; alink_common_flash.c documents the properties. */
typedef struct AlinkFlash {
    AlinkFlashBank bank[ALINK_FLASH_BANKS];
    unsigned running;
    unsigned next;
    uint32_t floor;
    bool open;                  /* an update */
    struct alink_fw_header header;
    uint8_t *image;             /* payload of the update */
    uint32_t written;
    uint32_t kib_us;
    bool held;
    bool spoil;
} AlinkFlash;

struct AlinkDevice {
    PCIDevice parent_obj;

    /* Set by the device's realize(), constant afterwards */
    uint32_t variant;
    uint64_t caps;              /* ALINK_CAP_* */
    uint32_t fw_version;        /* changes when other firmware starts */
    uint32_t fabric_id;         /* endpoint id, plane, or ALINK_ID_NONE */
    uint32_t num_vectors;       /* 1..32; default 2 */
    uint32_t num_links;         /* windows, also of links that are absent */
    const char *model_name;     /* ALINK_ADMIN_IDENTIFY */
    const char *part_number;

    /* Properties of every device */
    uint64_t serial;            /* "serial"; 0: made from type and fabric id */
    AlinkFabric *fabric;        /* "fabric" link, or NULL */
    struct af_fabric *af;       /* its core; set before realize() is called */
    int32_t sensor[ALINK_NUM_SENSORS];  /* "temp", "power", ...; milli-units */
    AlinkInject inject;
    AlinkLies lies;
    AlinkFlash flash;
#ifdef ALINK_FUZZ
    bool tooth;                 /* "x-tooth": a bug for the fuzzer to find */
#endif

    /* What follows is private to alink_common*.c */
    MemoryRegion bar0;
    MemoryRegion dead_mr[PCI_NUM_REGIONS - 1];
    uint64_t *reg_value;        /* by slot of the register map */
    uint64_t link_written;      /* to a register of a link; not kept */
    uint64_t latch;             /* high half of the 64-bit register read last */
    hwaddr latch_addr;
    bool powered;
    uint32_t state;
    uint32_t reset_cause;
    uint32_t generation;
    int64_t boot_ms;
    QEMUTimer *reset_timer;

    uint32_t guest_errors;
    uint32_t guest_err_last;
    struct {
        uint32_t code;
        uint32_t recovery;
        uint32_t info;
        uint64_t addr;
    } fault;

    QEMUBH *test_bh;
    bool in_bh;             /* a bottom half, or what does its work, runs */
    uint32_t test_op;
    uint32_t test_status;

    AlinkRing admin;
    AlinkAdminCmd *admin_cmd;   /* the one that runs, or waits for x-latency */
    QEMUBH *admin_bh;
    QEMUTimer *admin_timer;

    AlinkRing event;
    uint64_t event_mask;
    QEMUBH *event_bh;
    QemuMutex event_lock;       /* protects event_in*, written by any thread */
    struct AlinkPendingEvent *event_in;
    unsigned event_in_head;
    unsigned event_in_count;
    uint32_t event_lost;

    AlinkRing frame;
    QEMUBH *frame_bh;
    QTAILQ_HEAD(, AlinkFrame) frame_in;
    unsigned frame_in_count;

    QTAILQ_HEAD(, AlinkLateWrite) late;
    QEMUTimer *late_timer;

    unsigned over_temp;         /* bits: thermal events outstanding */
    QEMUTimer *thermal_timer;
    unsigned sensor_set;        /* bits: sensors that the user gave */
    uint64_t energy_uj;         /* used until energy_at, without load */
    int64_t energy_at;          /* virtual clock, ns */
    QTAILQ_ENTRY(AlinkDevice) next;
};

/* Name for messages: the id that the user gave, else the PCI address. */
const char *alink_device_name(AlinkDevice *ad);

/*
 * The serial number. For realize(), once fabric_id is set: makes the default
 * when the user gave none.
 */
uint64_t alink_device_serial(AlinkDevice *ad);

/* Bottom half with the device's re-entrancy guard. */
#define alink_bh_new(cb, opaque, ad) \
    qemu_bh_new_guarded((cb), (opaque), &DEVICE(ad)->mem_reentrancy_guard)

/*
 * What a bottom half does goes on between alink_bh_enter() and the end of its
 * block: g_autoptr(AlinkInBh) in = alink_bh_enter(ad, bh). DMA may end at a
 * device of QEMU that polls for its disk, which runs bottom halves, and the
 * re-entrancy guard does not keep it from ours. NULL: one of the device is
 * under way; @bh, if any, will run again.
 */
typedef AlinkDevice AlinkInBh;
AlinkInBh *alink_bh_enter(AlinkDevice *ad, QEMUBH *bh);
void alink_bh_leave(AlinkInBh *ad);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AlinkInBh, alink_bh_leave)

/*
 * DMA of up to 64 KiB, at once. ALINK_ST_OK or ALINK_ST_DMA. Larger transfers,
 * and those that shall not hold the BQL, are for alink_dma.h.
 */
enum alink_status alink_dma_read(AlinkDevice *ad, uint64_t addr, void *buf,
                                 size_t len);
enum alink_status alink_dma_write(AlinkDevice *ad, uint64_t addr,
                                  const void *buf, size_t len);
/* One aligned little-endian word, as a single store. */
enum alink_status alink_dma_write32(AlinkDevice *ad, uint64_t addr,
                                    uint32_t value);
enum alink_status alink_dma_write64(AlinkDevice *ad, uint64_t addr,
                                    uint64_t value);

static inline bool alink_in_d0(const AlinkDevice *ad)
{
    const PCIDevice *pci = &ad->parent_obj;

    return !(pci_get_word(pci->config + pci->pm_cap + PCI_PM_CTRL) &
             PCI_PM_CTRL_STATE_MASK);
}

/*
 * Whether the function may do DMA at all: alive, in D0, bus master. Asked for
 * each page of a copy, so it is no call and has no checked casts.
 */
static inline bool alink_dma_allowed(const AlinkDevice *ad)
{
    return !ad->inject.dead && ad->state != ALINK_STATE_RESET &&
           alink_in_d0(ad) &&
           (pci_get_word(ad->parent_obj.config + PCI_COMMAND) &
            PCI_COMMAND_MASTER);
}

/* Raises MSI-X @vector, unless x-lose-irqs takes it. */
void alink_irq(AlinkDevice *ad, unsigned vector);
/* Whether the record that is about to be written has to lie in that way. */
bool alink_lie_record(AlinkDevice *ad, AlinkRecordLie kind);

/*
 * Queues an event (host order) for the event ring; any thread. Masked types
 * are dropped; what does not fit is counted in ALINK_REG_EVENT_LOST.
 */
void alink_event_post(AlinkDevice *ad, enum alink_event_type type, uint32_t id,
                      uint32_t code, uint32_t info, uint64_t addr);

/*
 * A fault: first one goes to the fault record, each one to the event ring.
 * With ALINK_RECOVERY_DEVICE or above the state becomes ALINK_STATE_FAULTED.
 */
void alink_fault(AlinkDevice *ad, uint32_t code, enum alink_recovery recovery,
                 uint64_t addr, uint32_t info);
/* The same from any thread: recorded when the event goes to the ring. */
void alink_fault_post(AlinkDevice *ad, uint32_t code,
                      enum alink_recovery recovery, uint64_t addr,
                      uint32_t info);

/*
 * The guest broke the contract: counts, records @what (BAR0 offset or opcode),
 * traces, and logs with -d guest_errors.
 */
void alink_guest_error(AlinkDevice *ad, uint32_t what, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);

/*
 * For realize(): what a sensor (ALINK_REG_TEMP, ...) reads, unless the user
 * gave it as a property. Sensors left out are not fitted.
 */
void alink_sensor_default(AlinkDevice *ad, uint32_t reg, int32_t value);
/*
 * The device has a load: its temperatures are looked at, for events, until it
 * has none. Cheap: to be called whenever something is done.
 */
void alink_thermal_kick(AlinkDevice *ad);
uint64_t alink_energy_uj(AlinkDevice *ad);

/* The device of a fabric by type and id, or NULL. */
AlinkDevice *alink_device_find(struct af_fabric *af, uint32_t devtype,
                               uint32_t id);

#endif /* HW_ALINK_COMMON_MODEL_H */
