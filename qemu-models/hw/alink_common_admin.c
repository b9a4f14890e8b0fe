/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: the admin queue. One command at a time goes through
 * fetch, check of its TLVs against the table row, run, answer. Everything that
 * touches guest memory is done by the guarded bottom half.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "alink_common_internal.h"
#include "trace.h"

#define ADMIN_BUDGET    64      /* commands per run of the bottom half */
#define ADMIN_MAX_SIZE  256

/* --- TLVs ---------------------------------------------------------------- */

const void *alink_admin_tlv(const AlinkAdminCmd *cmd, uint16_t type,
                            size_t *len)
{
    unsigned i;

    for (i = 0; i < ALINK_SPEC_TLVS; i++) {
        if (cmd->tlv[i] && cmd->spec->tlv[i].type == type) {
            if (len) {
                *len = lduw_le_p(&cmd->tlv[i]->len);
            }
            return cmd->tlv[i] + 1;
        }
    }
    return NULL;
}

uint32_t alink_admin_tlv_id(const AlinkAdminCmd *cmd)
{
    const void *id = alink_admin_tlv(cmd, ALINK_TLV_ID, NULL);

    g_assert(id);
    return ldl_le_p(id);
}

static bool spec_has_tlvs(const AlinkAdminSpec *spec, unsigned i)
{
    return i < ALINK_SPEC_TLVS && spec->tlv[i].type;
}

/* Fills cmd->tlv[]; an error leaves the type at fault in cmd->info. */
static enum alink_status parse_request(AlinkAdminCmd *cmd)
{
    const AlinkAdminSpec *spec = cmd->spec;
    uint32_t pos = 0;
    unsigned i;

    while (pos < cmd->req_len) {
        const struct alink_tlv *tlv = (const void *)(cmd->req + pos);
        uint32_t left = cmd->req_len - pos;
        uint16_t type, len;

        if (left < sizeof(*tlv)) {
            return ALINK_ST_TLV;
        }
        type = lduw_le_p(&tlv->type);
        len = lduw_le_p(&tlv->len);
        cmd->info = type & ~ALINK_TLV_MUST;
        if (ldl_le_p(&tlv->reserved) || ALINK_TLV_SPAN(len) > left) {
            return ALINK_ST_TLV;
        }
        for (i = 0; spec_has_tlvs(spec, i); i++) {
            if (spec->tlv[i].type == cmd->info) {
                break;
            }
        }
        if (spec_has_tlvs(spec, i)) {
            if (cmd->tlv[i] || len < spec->tlv[i].min_len ||
                len > spec->tlv[i].max_len) {
                return ALINK_ST_TLV;
            }
            cmd->tlv[i] = tlv;
        } else if (type & ALINK_TLV_MUST) {
            return ALINK_ST_TLV;
        }
        pos += ALINK_TLV_SPAN(len);
    }
    for (i = 0; spec_has_tlvs(spec, i); i++) {
        cmd->info = spec->tlv[i].type;
        if (spec->tlv[i].required && !cmd->tlv[i]) {
            return ALINK_ST_TLV;
        }
    }
    cmd->info = 0;
    return ALINK_ST_OK;
}

bool alink_admin_fits(AlinkAdminCmd *cmd, size_t len1, size_t len2)
{
    return cmd->resp_len + ALINK_TLV_SPAN(len1) + ALINK_TLV_SPAN(len2) <=
           cmd->resp_room;
}

static bool put_fits(const AlinkAdminCmd *cmd)
{
#ifdef ALINK_FUZZ
    if (cmd->ad && cmd->ad->tooth) {
        return true;
    }
#endif
    return cmd->resp_needed <= cmd->resp_room;
}

bool alink_admin_put(AlinkAdminCmd *cmd, uint16_t type, const void *payload,
                     size_t len)
{
    size_t span = ALINK_TLV_SPAN(len);
    uint8_t *p;

    g_assert(len <= UINT16_MAX);
    cmd->resp_needed += span;
    if (!put_fits(cmd)) {
        return false;
    }
    p = cmd->resp + cmd->resp_len;
    memset(p, 0, span);
    stw_le_p(p, type);
    stw_le_p(p + 2, len);
    memcpy(p + sizeof(struct alink_tlv), payload, len);
    cmd->resp_len += span;
    return true;
}

/* --- common commands ----------------------------------------------------- */

static void run_nop(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static bool put_text(AlinkAdminCmd *cmd, uint16_t type, const char *text)
{
    return alink_admin_put(cmd, type, text, strlen(text));
}

static void run_identify(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    g_autofree char *fw = NULL, *serial = NULL;
    bool ok;

    fw = g_strdup_printf("%u.%u.%u", ad->fw_version >> 24,
                         (ad->fw_version >> 16) & 0xff,
                         ad->fw_version & 0xffff);
    serial = g_strdup_printf("AL%016" PRIX64, ad->serial);
    /* All four, so that the length needed comes out right. */
    ok = put_text(cmd, ALINK_TLV_NAME, ad->model_name);
    ok &= put_text(cmd, ALINK_TLV_FW_TEXT, fw);
    ok &= put_text(cmd, ALINK_TLV_PART_NUMBER, ad->part_number);
    ok &= put_text(cmd, ALINK_TLV_BOARD_SERIAL, serial);
    alink_admin_complete(cmd, ok ? ALINK_ST_OK : ALINK_ST_NO_ROOM);
}

static void run_event_mask(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    ad->event_mask = ldq_le_p(alink_admin_tlv(cmd, ALINK_TLV_MASK, NULL));
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static const AlinkAdminSpec common_specs[] = {
    { ALINK_ADMIN_NOP, "nop", ALINK_CAP_ADMIN, .run = run_nop },
    { ALINK_ADMIN_IDENTIFY, "identify", ALINK_CAP_ADMIN, .run = run_identify },
    { ALINK_ADMIN_EVENT_MASK, "event-mask", ALINK_CAP_ADMIN,
      { { ALINK_TLV_MASK, true, 8, 8 } }, run_event_mask },
};

static const AlinkAdminSpec *find_in(const AlinkAdminSpec *spec, size_t num,
                                     uint16_t opcode)
{
    size_t i;

    for (i = 0; i < num; i++) {
        if (spec[i].opcode == opcode) {
            return &spec[i];
        }
    }
    return NULL;
}

static const AlinkAdminSpec *find_spec(AlinkDevice *ad, uint16_t opcode)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    const AlinkAdminSpec *spec;

    spec = find_in(common_specs, ARRAY_SIZE(common_specs), opcode);
    if (!spec) {
        spec = find_in(alink_table_specs, alink_num_table_specs, opcode);
    }
    if (!spec) {
        spec = find_in(alink_flash_specs, alink_num_flash_specs, opcode);
    }
    if (!spec) {
        spec = find_in(adc->admin, adc->num_admin, opcode);
    }
    if (spec && (ad->caps & spec->caps) != spec->caps) {
        return NULL;
    }
    return spec;
}

/* --- the engine ---------------------------------------------------------- */

static void cmd_free(AlinkAdminCmd *cmd)
{
    g_free(cmd->req);
    g_free(cmd->resp);
    g_free(cmd);
}

void alink_admin_complete(AlinkAdminCmd *cmd, enum alink_status status)
{
    AlinkDevice *ad = cmd->ad;

    g_assert(!cmd->answered);
    if (!ad) {
        cmd_free(cmd);
        return;
    }
    cmd->status = status;
    cmd->answered = true;
    cmd->due_ns = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + cmd->busy_ns +
                  ad->inject.latency_us * 1000LL;
    if (!cmd->running) {
        qemu_bh_schedule(ad->admin_bh);
    }
}

void alink_admin_fail(AlinkAdminCmd *cmd, enum alink_status status,
                      uint16_t tlv)
{
    cmd->info = tlv;
    alink_admin_complete(cmd, status);
}

static bool header_ok(AlinkDevice *ad, const struct alink_admin_cmd *raw)
{
    unsigned i;

    if (raw->flags || le32_to_cpu(raw->req_len) > ALINK_ADMIN_BUF_MAX ||
        le32_to_cpu(raw->resp_len) > ALINK_ADMIN_BUF_MAX) {
        return false;
    }
    for (i = 0; i < ARRAY_SIZE(raw->reserved); i++) {
        if (raw->reserved[i]) {
            return false;
        }
    }
    return true;
}

/* Checks and runs a fetched command; it answers now or later. */
static void start_command(AlinkDevice *ad, const struct alink_admin_cmd *raw)
{
    AlinkAdminCmd *cmd = g_new0(AlinkAdminCmd, 1);
    enum alink_status status;

    cmd->ad = ad;
    cmd->opcode = le16_to_cpu(raw->opcode);
    cmd->cid = le32_to_cpu(raw->cid);
    ad->admin_cmd = cmd;
    trace_alink_admin_start(alink_device_name(ad), cmd->opcode, cmd->cid,
                            le32_to_cpu(raw->req_len),
                            le32_to_cpu(raw->resp_len));
    cmd->running = true;

    if (!header_ok(ad, raw)) {
        alink_guest_error(ad, cmd->opcode, "admin command 0x%x: bad header",
                          cmd->opcode);
        alink_admin_complete(cmd, ALINK_ST_BAD_FIELD);
        goto out;
    }
    cmd->spec = find_spec(ad, cmd->opcode);
    if (!cmd->spec) {
        alink_guest_error(ad, cmd->opcode, "no admin command 0x%x",
                          cmd->opcode);
        alink_admin_complete(cmd, ALINK_ST_BAD_OPCODE);
        goto out;
    }
    cmd->resp_addr = le64_to_cpu(raw->resp_addr);
    cmd->req_len = le32_to_cpu(raw->req_len);
    cmd->resp_room = le32_to_cpu(raw->resp_len);
    cmd->req = g_malloc0(cmd->req_len);
    cmd->resp = g_malloc0(cmd->resp_room);
    if (cmd->req_len &&
        alink_dma_read(ad, le64_to_cpu(raw->req_addr), cmd->req,
                       cmd->req_len) != ALINK_ST_OK) {
        alink_admin_complete(cmd, ALINK_ST_DMA);
        goto out;
    }
    status = parse_request(cmd);
    if (status != ALINK_ST_OK) {
        alink_guest_error(ad, cmd->opcode, "%s: TLV 0x%x is missing, unknown "
                          "or malformed", cmd->spec->name, cmd->info);
        alink_admin_complete(cmd, status);
        goto out;
    }
    cmd->spec->run(ad, cmd);
out:
    /* A command that reset its own device is gone by now. */
    if (ad->admin_cmd == cmd) {
        cmd->running = false;
    }
}

/* Writes response and completion of an answered command. */
static void finish_command(AlinkDevice *ad)
{
    AlinkAdminCmd *cmd = ad->admin_cmd;
    AlinkRing *r = &ad->admin;
    struct alink_admin_cpl cpl = {};
    uint64_t addr = r->base2 + (r->head2 % r->size) * sizeof(cpl);
    uint16_t phase = !((r->head2 / r->size) & 1);
    uint32_t resp_len = 0, word;
    bool again;

    if (cmd->status == ALINK_ST_OK) {
        resp_len = cmd->resp_len;
        alink_lie_response(ad, cmd->resp, resp_len);
        if (resp_len && alink_dma_write(ad, cmd->resp_addr, cmd->resp,
                                        resp_len) != ALINK_ST_OK) {
            cmd->status = ALINK_ST_DMA;
            resp_len = 0;
        }
    } else if (cmd->status == ALINK_ST_NO_ROOM) {
        resp_len = MAX(cmd->resp_needed, cmd->resp_len);
    }
    trace_alink_admin_complete(alink_device_name(ad), cmd->opcode, cmd->cid,
                               cmd->status, cmd->info, resp_len);

    /* The old phase first: the word that flips it goes last. */
    cpl.cid = cpu_to_le32(cmd->cid);
    cpl.status = cpu_to_le16(cmd->status);
    cpl.phase = cpu_to_le16(!phase);
    cpl.resp_len = cpu_to_le32(resp_len);
    cpl.info = cpu_to_le32(cmd->info);
    word = cmd->status | (uint32_t)phase << 16;
    again = alink_lie_completion(ad, &cpl);
    ad->admin_cmd = NULL;
    cmd_free(cmd);
    if (alink_dma_write(ad, addr, &cpl, sizeof(cpl)) != ALINK_ST_OK ||
        alink_dma_write32(ad, addr + offsetof(struct alink_admin_cpl, status),
                          word) != ALINK_ST_OK) {
        alink_ring_broken(ad, ALINK_RING_ADMIN, addr);
        alink_admin_stop(ad);
        return;
    }
    r->head2++;
    if (again) {
        /* The same answer in the next entry, as if of this round. */
        addr = r->base2 + (r->head2 % r->size) * sizeof(cpl);
        phase = !((r->head2 / r->size) & 1);
        cpl.phase = cpu_to_le16(phase);
        if (alink_dma_write(ad, addr, &cpl, sizeof(cpl)) == ALINK_ST_OK) {
            r->head2++;
        }
    }
    alink_irq(ad, ALINK_VECTOR_ADMIN);
}

/* Whether the command that runs, if any, is out of the way. */
static bool admin_settle(AlinkDevice *ad)
{
    AlinkAdminCmd *cmd = ad->admin_cmd;

    if (!cmd) {
        return true;
    }
    if (!cmd->answered) {
        return false;
    }
    if (qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) < cmd->due_ns) {
        timer_mod_ns(ad->admin_timer, cmd->due_ns);
        return false;
    }
    if (ad->admin.head2 - ad->admin.tail2 >= ad->admin.size) {
        return false;       /* no room: ALINK_REG_ADMIN_CQ_HEAD goes on */
    }
    finish_command(ad);
    return true;
}

/* Stands still while DMA is not allowed: alink_device_kick() goes on. */
static void admin_bh(void *opaque)
{
    AlinkDevice *ad = opaque;
    g_autoptr(AlinkInBh) in = alink_bh_enter(ad, ad->admin_bh);
    AlinkRing *r = &ad->admin;
    unsigned budget = ADMIN_BUDGET;

    if (!in) {
        return;
    }
    while (r->enabled && !ad->inject.admin_stuck && alink_dma_allowed(ad) &&
           admin_settle(ad) && r->enabled && r->head != r->tail) {
        struct alink_admin_cmd raw;
        uint64_t addr = r->base + (r->head % r->size) * sizeof(raw);

        if (!budget--) {
            qemu_bh_schedule(ad->admin_bh);
            return;
        }
        if (alink_dma_read(ad, addr, &raw, sizeof(raw)) != ALINK_ST_OK) {
            alink_ring_broken(ad, ALINK_RING_ADMIN, addr);
            alink_admin_stop(ad);
            return;
        }
        r->head++;
        start_command(ad, &raw);
    }
}

static void admin_timer(void *opaque)
{
    AlinkDevice *ad = opaque;

    qemu_bh_schedule(ad->admin_bh);
}

void alink_admin_kick(AlinkDevice *ad)
{
    if (ad->admin.enabled) {
        qemu_bh_schedule(ad->admin_bh);
    }
}

void alink_admin_stop(AlinkDevice *ad)
{
    AlinkAdminCmd *cmd = ad->admin_cmd;

    memset(&ad->admin, 0, sizeof(ad->admin));
    alink_reg_set(ad, ALINK_REG_ADMIN_CTRL, 0);
    qemu_bh_cancel(ad->admin_bh);
    timer_del(ad->admin_timer);
    ad->admin_cmd = NULL;
    if (!cmd) {
        return;
    }
    trace_alink_admin_abort(alink_device_name(ad), cmd->opcode, cmd->cid);
    if (cmd->answered) {
        cmd_free(cmd);
    } else {
        cmd->ad = NULL;     /* alink_admin_complete() will free it */
    }
}

void alink_admin_enable(AlinkDevice *ad, bool on)
{
    AlinkRing *r = &ad->admin;

    if (on == r->enabled) {
        return;
    }
    if (!on) {
        alink_admin_stop(ad);
        return;
    }
    r->base = alink_reg_get(ad, ALINK_REG_ADMIN_SQ_BASE);
    r->base2 = alink_reg_get(ad, ALINK_REG_ADMIN_CQ_BASE);
    r->size = alink_reg_get(ad, ALINK_REG_ADMIN_SIZE);
    r->enabled = alink_ring_valid(ad, ALINK_REG_ADMIN_CTRL, r->base, r->size,
                                  ADMIN_MAX_SIZE) &&
                 alink_ring_valid(ad, ALINK_REG_ADMIN_CTRL, r->base2, r->size,
                                  ADMIN_MAX_SIZE);
    trace_alink_ring_enable(alink_device_name(ad), "admin", r->base, r->base2,
                            r->size, r->enabled);
}

void alink_admin_init(AlinkDevice *ad)
{
    ad->admin_bh = alink_bh_new(admin_bh, ad, ad);
    ad->admin_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, admin_timer, ad);
}

void alink_admin_cleanup(AlinkDevice *ad)
{
    alink_admin_stop(ad);
    timer_free(ad->admin_timer);
    qemu_bh_delete(ad->admin_bh);
}
