/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: firmware in flash (Documentation/hw/firmware.rst). Two
 * banks, of which the firmware itself is kept only while it is being written:
 * nothing here would run it. Banks and floor survive every reset of the device
 * and of the machine, and end with QEMU. QOM properties, settable at any time
 * and on the command line:
 *
 *   x-flash-kib-us=U32     how long writing 1 KiB takes; 500 by default
 *   x-flash-held=BOOL      another agent of the board has the flash
 *   x-flash-spoil=BOOL     a bit of the next piece that is written gets lost
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/cutils.h"
#include "qemu/units.h"
#include "alink_common_internal.h"
#include "trace.h"

#define MAX_PAYLOAD     (16 * MiB)
#define MAX_CHUNK       2048
#define WRITE_KIB_US    500
#define VERIFY_KIB_NS   16000
/* Of what a board leaves the factory with */
#define FIRST_SECURITY  1

QEMU_BUILD_BUG_ON(MAX_CHUNK < ALINK_FLASH_MIN_CHUNK ||
                  MAX_CHUNK >= ALINK_FLASH_MAX_CHUNK);

static AlinkFlashBank *other_bank(AlinkFlash *f)
{
    return &f->bank[!f->running];
}

static void close_update(AlinkFlash *f)
{
    g_free(f->image);
    f->image = NULL;
    f->open = false;
    f->written = 0;
}

/* It ends without a firmware in the bank. */
static void fail_update(AlinkDevice *ad)
{
    AlinkFlash *f = &ad->flash;

    trace_alink_flash_fail(alink_device_name(ad), !f->running, f->written);
    close_update(f);
    *other_bank(f) = (AlinkFlashBank) { .state = ALINK_FLASH_INVALID };
}

/* Modelled time of @bytes at a time for each KiB */
static int64_t time_ns(uint32_t bytes, int64_t kib_ns)
{
    return bytes * kib_ns / KiB;
}

/* --- commands ------------------------------------------------------------- */

static void put_bank(struct alink_flash_bank *to, const AlinkFlashBank *from)
{
    to->state = cpu_to_le32(from->state);
    to->version = cpu_to_le32(from->version);
    to->security = cpu_to_le32(from->security);
    to->payload_len = cpu_to_le32(from->payload_len);
}

static void flash_info(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    const AlinkFlash *f = &ad->flash;
    struct alink_flash_info info = {
        .running = cpu_to_le32(f->running),
        .next = cpu_to_le32(f->next),
        .flags = cpu_to_le32((f->open ? ALINK_FLASH_OPEN : 0) |
                             (f->held ? ALINK_FLASH_HELD : 0)),
        .floor = cpu_to_le32(f->floor),
        .max_payload = cpu_to_le32(MAX_PAYLOAD),
        .max_chunk = cpu_to_le32(MAX_CHUNK),
        .written = cpu_to_le32(f->written),
    };
    uint16_t type = ALINK_TLV_FLASH_INFO;
    size_t len = sizeof(info);
    unsigned i;

    for (i = 0; i < ALINK_FLASH_BANKS; i++) {
        put_bank(&info.bank[i], &f->bank[i]);
    }
    if (!alink_lie_flash(ad, &info, &type, &len)) {
        alink_admin_complete(cmd, ALINK_ST_OK);
        return;
    }
    alink_admin_complete(cmd, alink_admin_put(cmd, type, &info, len) ?
                         ALINK_ST_OK : ALINK_ST_NO_ROOM);
}

static enum alink_status check_header(AlinkDevice *ad,
                                      const struct alink_fw_header *h)
{
    uint64_t variants = le64_to_cpu(h->variants);
    uint32_t len = le32_to_cpu(h->payload_len);

    if (le32_to_cpu(h->magic) != ALINK_FW_MAGIC ||
        le16_to_cpu(h->format) != ALINK_FW_FORMAT ||
        le16_to_cpu(h->header_len) != sizeof(*h) ||
        !buffer_is_zero(h->reserved, sizeof(h->reserved))) {
        return ALINK_ST_FW_FORMAT;
    }
    if (le32_to_cpu(h->devtype) != ALINK_DEVICE_GET_CLASS(ad)->devtype) {
        return ALINK_ST_FW_DEVTYPE;
    }
    if (ad->variant > ALINK_FW_MAX_VARIANT ||
        !(variants & (1ULL << ad->variant))) {
        return ALINK_ST_FW_VARIANT;
    }
    if (!len || len % ALINK_FW_ALIGN || len > MAX_PAYLOAD) {
        return ALINK_ST_FW_LENGTH;
    }
    if (le32_to_cpu(h->security) < ad->flash.floor) {
        return ALINK_ST_FW_SECURITY;
    }
    return ALINK_ST_OK;
}

static void flash_begin(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkFlash *f = &ad->flash;
    const struct alink_fw_header *h;
    enum alink_status status;

    h = alink_admin_tlv(cmd, ALINK_TLV_FW_HEADER, NULL);
    status = f->open || f->held ? ALINK_ST_BUSY : check_header(ad, h);
    trace_alink_flash_begin(alink_device_name(ad), le32_to_cpu(h->version),
                            le32_to_cpu(h->security),
                            le32_to_cpu(h->payload_len), status);
    if (status != ALINK_ST_OK) {
        alink_admin_fail(cmd, status, ALINK_TLV_FW_HEADER);
        return;
    }
    f->open = true;
    f->header = *h;
    f->image = g_malloc(le32_to_cpu(h->payload_len));
    f->written = 0;
    f->next = f->running;
    *other_bank(f) = (AlinkFlashBank) { .state = ALINK_FLASH_WRITING };
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static void flash_write(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkFlash *f = &ad->flash;
    const struct alink_flash_data *req;
    size_t len;

    req = alink_admin_tlv(cmd, ALINK_TLV_FLASH_DATA, &len);
    len -= sizeof(*req);
    if (!f->open) {
        /* No mistake: a reset may have come between. */
        alink_admin_fail(cmd, ALINK_ST_NOT_FOUND, ALINK_TLV_FLASH_DATA);
        return;
    }
    if (req->reserved || le32_to_cpu(req->offset) != f->written ||
        len % ALINK_FW_ALIGN ||
        len > le32_to_cpu(f->header.payload_len) - f->written) {
        alink_guest_error(ad, cmd->opcode, "flash: %zu bytes at %u, %u written",
                          len, le32_to_cpu(req->offset), f->written);
        alink_admin_fail(cmd, ALINK_ST_BAD_FIELD, ALINK_TLV_FLASH_DATA);
        return;
    }
    memcpy(f->image + f->written, req + 1, len);
    if (f->spoil) {
        f->image[f->written + len / 2] ^= 0x10;
        f->spoil = false;
    }
    trace_alink_flash_write(alink_device_name(ad), f->written, len);
    f->written += len;
    cmd->busy_ns = time_ns(len, f->kib_us * 1000LL);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static bool digest_right(const AlinkFlash *f)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    uint8_t digest[sizeof(f->header.sha256)];
    gsize len = sizeof(digest);

    g_checksum_update(sum, (const guchar *)&f->header,
                      offsetof(struct alink_fw_header, sha256));
    g_checksum_update(sum, f->image, f->written);
    g_checksum_get_digest(sum, digest, &len);
    return !memcmp(digest, f->header.sha256, sizeof(digest));
}

static void flash_commit(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkFlash *f = &ad->flash;
    enum alink_status status = ALINK_ST_OK;

    if (!f->open) {
        status = ALINK_ST_NOT_FOUND;
    } else if (f->written < le32_to_cpu(f->header.payload_len)) {
        status = ALINK_ST_FW_LENGTH;
    } else if (!digest_right(f)) {
        status = ALINK_ST_FW_DIGEST;
    }
    trace_alink_flash_commit(alink_device_name(ad), !f->running, f->written,
                             status);
    cmd->busy_ns = time_ns(f->written, VERIFY_KIB_NS);
    if (status == ALINK_ST_OK) {
        *other_bank(f) = (AlinkFlashBank) {
            .state = ALINK_FLASH_VALID,
            .version = le32_to_cpu(f->header.version),
            .security = le32_to_cpu(f->header.security),
            .payload_len = le32_to_cpu(f->header.payload_len),
        };
        f->next = !f->running;
        close_update(f);
    } else if (f->open) {
        fail_update(ad);
    }
    alink_admin_complete(cmd, status);
}

static void flash_abort(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    if (ad->flash.open) {
        fail_update(ad);
    }
    alink_admin_complete(cmd, ALINK_ST_OK);
}

const AlinkAdminSpec alink_flash_specs[] = {
    { ALINK_ADMIN_FLASH_INFO, "flash-info", ALINK_CAP_FLASH,
      .run = flash_info },
    { ALINK_ADMIN_FLASH_BEGIN, "flash-begin", ALINK_CAP_FLASH,
      { { ALINK_TLV_FW_HEADER, true, sizeof(struct alink_fw_header),
          sizeof(struct alink_fw_header) } }, flash_begin },
    { ALINK_ADMIN_FLASH_WRITE, "flash-write", ALINK_CAP_FLASH,
      { { ALINK_TLV_FLASH_DATA, true,
          sizeof(struct alink_flash_data) + ALINK_FW_ALIGN,
          sizeof(struct alink_flash_data) + MAX_CHUNK } }, flash_write },
    { ALINK_ADMIN_FLASH_COMMIT, "flash-commit", ALINK_CAP_FLASH,
      .run = flash_commit },
    { ALINK_ADMIN_FLASH_ABORT, "flash-abort", ALINK_CAP_FLASH,
      .run = flash_abort },
};
const unsigned alink_num_flash_specs = ARRAY_SIZE(alink_flash_specs);

/* --- properties ----------------------------------------------------------- */

static void get_kib_us(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    visit_type_uint32(v, name, &ALINK_DEVICE(obj)->flash.kib_us, errp);
}

static void set_kib_us(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    visit_type_uint32(v, name, &ALINK_DEVICE(obj)->flash.kib_us, errp);
}

static bool get_held(Object *obj, Error **errp)
{
    return ALINK_DEVICE(obj)->flash.held;
}

static void set_held(Object *obj, bool held, Error **errp)
{
    ALINK_DEVICE(obj)->flash.held = held;
}

static bool get_spoil(Object *obj, Error **errp)
{
    return ALINK_DEVICE(obj)->flash.spoil;
}

static void set_spoil(Object *obj, bool spoil, Error **errp)
{
    ALINK_DEVICE(obj)->flash.spoil = spoil;
}

void alink_flash_class_init(ObjectClass *oc)
{
    object_class_property_add(oc, "x-flash-kib-us", "uint32", get_kib_us,
                              set_kib_us, NULL, NULL);
    object_class_property_add_bool(oc, "x-flash-held", get_held, set_held);
    object_class_property_add_bool(oc, "x-flash-spoil", get_spoil, set_spoil);
}

/* --- life cycle ----------------------------------------------------------- */

void alink_flash_instance_init(AlinkDevice *ad)
{
    ad->flash.kib_us = WRITE_KIB_US;
}

/* The device's realize() has said what its first firmware is. */
void alink_flash_init(AlinkDevice *ad)
{
    ad->flash.bank[0] = (AlinkFlashBank) {
        .state = ALINK_FLASH_VALID,
        .version = ad->fw_version,
        .security = FIRST_SECURITY,
    };
    ad->flash.floor = FIRST_SECURITY;
}

void alink_flash_reset(AlinkDevice *ad)
{
    AlinkFlash *f = &ad->flash;

    if (f->open) {
        fail_update(ad);
    }
    if (f->running != f->next) {
        trace_alink_flash_start(alink_device_name(ad), f->next,
                                f->bank[f->next].version);
    }
    f->running = f->next;
    f->floor = MAX(f->floor, f->bank[f->running].security);
    ad->fw_version = f->bank[f->running].version;
}

void alink_flash_cleanup(AlinkDevice *ad)
{
    close_update(&ad->flash);
}
