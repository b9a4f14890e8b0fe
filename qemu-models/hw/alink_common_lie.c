/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: a device that lies. Where alink_common_inject.c makes
 * the device fail, here it says what is not true, so that no driver trusts it.
 * QOM properties, settable at any time and on the command line:
 *
 *   x-lie=OFFSET:VALUE[:COUNT][+...]  the next COUNT reads (for ever without
 *                          it) at OFFSET of BAR0 give VALUE; up to 8; none
 *   x-reads=KIND           all reads of BAR0: honest, zero, or random[:SEED]
 *   x-irq-storm-us=U32     every vector fires that often without a cause
 *   x-admin-lie=KIND       answers of the admin queue: none; wrong-id: of a
 *                          command never sent; twice; short, long: the length
 *                          told; tlv: a TLV that reaches beyond the answer
 *   x-flash-lie=KIND       answers to FLASH_INFO: none; missing: empty; type,
 *                          length: another TLV, or a shorter one; running,
 *                          next: a bank that does not exist; other: the bank
 *                          that does not run does; chunk, large, align: a
 *                          max_chunk that is too small, too large, or no
 *                          multiple of 16; more: one that may be, but is more
 *                          than a write takes; state: banks in a state that
 *                          does not exist
 *   x-record-lie=KIND[:COUNT]  what the next COUNT records (1 without it) say
 *                          that nobody asked for; none
 *                            event-type    an event that does not exist
 *                            event-id      one of a port, queue or channel that
 *                                          does not exist
 *                            event-jump    the producer skips an entry
 *                            rx-index      NIC: a buffer never offered
 *                            rx-length     NIC: more bytes than it has
 *                            rx-status     NIC: a status that does not exist
 *                            tx-head       NIC: descriptors never sent are done
 *                            tx-status     NIC: a status that does not exist
 *                            tx-none       NIC: nothing, as if it was not sent
 * Read only
 *   lies-told              how many lies the guest was told
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/cutils.h"
#include "alink_common_internal.h"
#include "trace.h"

/* --- registers ----------------------------------------------------------- */

static const char *const reads_name[] = { "honest", "zero", "random" };

enum { READS_HONEST, READS_ZERO, READS_RANDOM };

/* xorshift64: the same seed gives the same reads. */
static uint64_t next_random(AlinkLies *l)
{
    l->seed ^= l->seed << 13;
    l->seed ^= l->seed >> 7;
    l->seed ^= l->seed << 17;
    return l->seed;
}

uint64_t alink_lie_read(AlinkDevice *ad, hwaddr addr, unsigned size,
                        uint64_t value)
{
    AlinkLies *l = &ad->lies;
    unsigned i;

    for (i = 0; i < l->num; i++) {
        if (l->reg[i].offset == addr && l->reg[i].count) {
            if (l->reg[i].count != UINT64_MAX) {
                l->reg[i].count--;
            }
            l->told++;
            return size == 8 ? l->reg[i].value : (uint32_t)l->reg[i].value;
        }
    }
    if (l->reads == READS_HONEST) {
        return value;
    }
    l->told++;
    if (l->reads == READS_ZERO) {
        return 0;
    }
    return size == 8 ? next_random(l) : (uint32_t)next_random(l);
}

static char *get_lie(Object *obj, Error **errp)
{
    AlinkLies *l = &ALINK_DEVICE(obj)->lies;
    GString *s = g_string_new(l->num ? "" : "none");
    unsigned i;

    for (i = 0; i < l->num; i++) {
        g_string_append_printf(s, "%s0x%" PRIx64 ":0x%" PRIx64 ":%" PRIu64,
                               i ? "+" : "", l->reg[i].offset,
                               l->reg[i].value, l->reg[i].count);
    }
    return g_string_free(s, false);
}

static void set_lie(Object *obj, const char *text, Error **errp)
{
    AlinkLies *l = &ALINK_DEVICE(obj)->lies;
    g_auto(GStrv) list = g_strsplit(text, "+", -1);
    typeof(l->reg) reg = {};
    unsigned i, n = g_strv_length(list);

    if (!strcmp(text, "none")) {
        l->num = 0;
        return;
    }
    if (n > ARRAY_SIZE(reg)) {
        error_setg(errp, "x-lie takes up to %zu lies", ARRAY_SIZE(reg));
        return;
    }
    for (i = 0; i < n; i++) {
        g_auto(GStrv) num = g_strsplit(list[i], ":", -1);
        unsigned fields = g_strv_length(num);

        reg[i].count = UINT64_MAX;
        if (fields < 2 || fields > 3 ||
            qemu_strtou64(num[0], NULL, 0, &reg[i].offset) < 0 ||
            qemu_strtou64(num[1], NULL, 0, &reg[i].value) < 0 ||
            (fields == 3 &&
             qemu_strtou64(num[2], NULL, 0, &reg[i].count) < 0)) {
            error_setg(errp, "x-lie: '%s' is not OFFSET:VALUE[:COUNT]",
                       list[i]);
            return;
        }
    }
    memcpy(l->reg, reg, sizeof(reg));
    l->num = n;
}

static char *get_reads(Object *obj, Error **errp)
{
    return g_strdup(reads_name[ALINK_DEVICE(obj)->lies.reads]);
}

static void set_reads(Object *obj, const char *text, Error **errp)
{
    AlinkLies *l = &ALINK_DEVICE(obj)->lies;
    uint64_t seed = 1;
    const char *rest;

    if (!strcmp(text, "honest")) {
        l->reads = READS_HONEST;
    } else if (!strcmp(text, "zero")) {
        l->reads = READS_ZERO;
    } else if (strstart(text, "random", &rest) &&
               (!*rest || (*rest == ':' &&
                           !qemu_strtou64(rest + 1, NULL, 0, &seed)))) {
        /* A state of 0 would stay 0. */
        l->seed = seed ? seed : 1;
        l->reads = READS_RANDOM;
    } else {
        error_setg(errp, "x-reads: '%s' is not one of honest, zero, "
                   "random[:SEED]", text);
    }
}

/* --- interrupts ---------------------------------------------------------- */

static void storm(void *opaque)
{
    AlinkDevice *ad = opaque;
    AlinkLies *l = &ad->lies;
    unsigned i;

    if (!l->storm_us) {
        return;
    }
    for (i = 0; i < ad->num_vectors; i++) {
        alink_irq(ad, i);
    }
    l->told++;
    timer_mod_ns(l->storm_timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                 l->storm_us * 1000LL);
}

static void get_storm(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    visit_type_uint32(v, name, &ALINK_DEVICE(obj)->lies.storm_us, errp);
}

static void set_storm(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    AlinkDevice *ad = ALINK_DEVICE(obj);

    if (visit_type_uint32(v, name, &ad->lies.storm_us, errp) &&
        ad->lies.storm_timer) {
        storm(ad);
    }
}

/* --- the admin queue ----------------------------------------------------- */

static const char *const admin_name[] = {
    [ALINK_LIE_NONE] = "none",
    [ALINK_LIE_WRONG_ID] = "wrong-id",
    [ALINK_LIE_TWICE] = "twice",
    [ALINK_LIE_SHORT] = "short",
    [ALINK_LIE_LONG] = "long",
    [ALINK_LIE_TLV] = "tlv",
};

void alink_lie_response(AlinkDevice *ad, uint8_t *resp, uint32_t len)
{
    if (ad->lies.admin == ALINK_LIE_TLV && len >= sizeof(struct alink_tlv)) {
        stw_le_p(resp + offsetof(struct alink_tlv, len), UINT16_MAX);
        ad->lies.told++;
    }
}

bool alink_lie_completion(AlinkDevice *ad, struct alink_admin_cpl *cpl)
{
    AlinkLies *l = &ad->lies;

    switch (l->admin) {
    case ALINK_LIE_WRONG_ID:
        cpl->cid ^= cpu_to_le32(0x5a5a5a00);
        break;
    case ALINK_LIE_SHORT:
        if (!cpl->resp_len) {
            return false;
        }
        cpl->resp_len = cpu_to_le32(sizeof(struct alink_tlv) / 2);
        break;
    case ALINK_LIE_LONG:
        cpl->resp_len = cpu_to_le32(UINT32_MAX);
        break;
    case ALINK_LIE_TWICE:
        l->told++;
        return true;
    default:
        return false;
    }
    l->told++;
    return false;
}

static char *get_admin(Object *obj, Error **errp)
{
    return g_strdup(admin_name[ALINK_DEVICE(obj)->lies.admin]);
}

static void set_admin(Object *obj, const char *text, Error **errp)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(admin_name); i++) {
        if (!strcmp(text, admin_name[i])) {
            ALINK_DEVICE(obj)->lies.admin = i;
            return;
        }
    }
    error_setg(errp, "x-admin-lie: there is no '%s'", text);
}

/* --- firmware in flash ----------------------------------------------------- */

/* Just below what the contract allows, and just beside it */
#define CHUNK_SMALL     (ALINK_FLASH_MIN_CHUNK - ALINK_FW_ALIGN)
#define CHUNK_LARGE     (ALINK_FLASH_MAX_CHUNK + ALINK_FW_ALIGN)
#define CHUNK_ODD       (ALINK_FLASH_MIN_CHUNK + ALINK_FW_ALIGN / 2)

enum {
    FLASH_HONEST,
    FLASH_MISSING,
    FLASH_TYPE,
    FLASH_LENGTH,
    FLASH_RUNNING,
    FLASH_NEXT,
    FLASH_OTHER,
    FLASH_CHUNK,
    FLASH_LARGE,
    FLASH_ALIGN,
    FLASH_MORE,
    FLASH_STATE,
};

static const char *const flash_name[] = {
    [FLASH_HONEST] = "none",
    [FLASH_MISSING] = "missing",
    [FLASH_TYPE] = "type",
    [FLASH_LENGTH] = "length",
    [FLASH_RUNNING] = "running",
    [FLASH_NEXT] = "next",
    [FLASH_OTHER] = "other",
    [FLASH_CHUNK] = "chunk",
    [FLASH_LARGE] = "large",
    [FLASH_ALIGN] = "align",
    [FLASH_MORE] = "more",
    [FLASH_STATE] = "state",
};

bool alink_lie_flash(AlinkDevice *ad, struct alink_flash_info *info,
                     uint16_t *type, size_t *len)
{
    AlinkLies *l = &ad->lies;
    unsigned i;

    if (l->flash == FLASH_HONEST) {
        return true;
    }
    l->told++;
    switch (l->flash) {
    case FLASH_MISSING:
        return false;
    case FLASH_TYPE:
        *type = ALINK_TLV_FLASH_DATA;
        break;
    case FLASH_LENGTH:
        *len -= sizeof(info->bank[0]);
        break;
    case FLASH_RUNNING:
        info->running = cpu_to_le32(ALINK_FLASH_BANKS);
        break;
    case FLASH_NEXT:
        info->next = cpu_to_le32(ALINK_FLASH_BANKS);
        break;
    case FLASH_OTHER:
        info->running = cpu_to_le32(!ad->flash.running);
        break;
    case FLASH_CHUNK:
        info->max_chunk = cpu_to_le32(CHUNK_SMALL);
        break;
    case FLASH_LARGE:
        info->max_chunk = cpu_to_le32(CHUNK_LARGE);
        break;
    case FLASH_MORE:
        info->max_chunk = cpu_to_le32(ALINK_FLASH_MAX_CHUNK);
        break;
    case FLASH_ALIGN:
        info->max_chunk = cpu_to_le32(CHUNK_ODD);
        break;
    case FLASH_STATE:
        for (i = 0; i < ALINK_FLASH_BANKS; i++) {
            info->bank[i].state = cpu_to_le32(0xbad);
        }
        break;
    default:
        g_assert_not_reached();
    }
    return true;
}

static char *get_flash(Object *obj, Error **errp)
{
    return g_strdup(flash_name[ALINK_DEVICE(obj)->lies.flash]);
}

static void set_flash(Object *obj, const char *text, Error **errp)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(flash_name); i++) {
        if (!strcmp(text, flash_name[i])) {
            ALINK_DEVICE(obj)->lies.flash = i;
            return;
        }
    }
    error_setg(errp, "x-flash-lie: there is no '%s'", text);
}

/* --- events and completions of queues -------------------------------------- */

static const char *const record_name[ALINK_NUM_RECORD_LIES] = {
    [ALINK_LIE_EVENT_TYPE] = "event-type",
    [ALINK_LIE_EVENT_ID] = "event-id",
    [ALINK_LIE_EVENT_JUMP] = "event-jump",
    [ALINK_LIE_RX_INDEX] = "rx-index",
    [ALINK_LIE_RX_LENGTH] = "rx-length",
    [ALINK_LIE_RX_STATUS] = "rx-status",
    [ALINK_LIE_TX_HEAD] = "tx-head",
    [ALINK_LIE_TX_STATUS] = "tx-status",
    [ALINK_LIE_TX_NONE] = "tx-none",
};

bool alink_lie_record(AlinkDevice *ad, AlinkRecordLie kind)
{
    AlinkLies *l = &ad->lies;

    if (!l->records || l->record != kind) {
        return false;
    }
    l->records--;
    l->told++;
    return true;
}

static char *get_record(Object *obj, Error **errp)
{
    AlinkLies *l = &ALINK_DEVICE(obj)->lies;

    return l->records ? g_strdup_printf("%s:%u", record_name[l->record],
                                        l->records) : g_strdup("none");
}

static void set_record(Object *obj, const char *text, Error **errp)
{
    AlinkLies *l = &ALINK_DEVICE(obj)->lies;
    g_auto(GStrv) part = g_strsplit(text, ":", 2);
    unsigned count = 1, i;

    if (!strcmp(text, "none")) {
        l->records = 0;
        return;
    }
    if (part[0] && part[1] && qemu_strtoui(part[1], NULL, 0, &count) < 0) {
        error_setg(errp, "x-record-lie: '%s' is no count", part[1]);
        return;
    }
    for (i = 0; part[0] && i < ALINK_NUM_RECORD_LIES; i++) {
        if (!strcmp(part[0], record_name[i])) {
            l->record = i;
            l->records = count;
            return;
        }
    }
    error_setg(errp, "x-record-lie: there is no '%s'", text);
}

/* --- life cycle ---------------------------------------------------------- */

static void get_told(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    visit_type_uint64(v, name, &ALINK_DEVICE(obj)->lies.told, errp);
}

void alink_lie_class_init(ObjectClass *oc)
{
    object_class_property_add_str(oc, "x-lie", get_lie, set_lie);
    object_class_property_add_str(oc, "x-reads", get_reads, set_reads);
    object_class_property_add_str(oc, "x-admin-lie", get_admin, set_admin);
    object_class_property_add_str(oc, "x-flash-lie", get_flash, set_flash);
    object_class_property_add_str(oc, "x-record-lie", get_record, set_record);
    object_class_property_add(oc, "x-irq-storm-us", "uint32", get_storm,
                              set_storm, NULL, NULL);
    object_class_property_add(oc, "lies-told", "uint64", get_told, NULL, NULL,
                              NULL);
}

void alink_lie_realize(AlinkDevice *ad)
{
    ad->lies.storm_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, storm, ad);
    storm(ad);
}

void alink_lie_unrealize(AlinkDevice *ad)
{
    timer_free(ad->lies.storm_timer);
    ad->lies.storm_timer = NULL;
}
