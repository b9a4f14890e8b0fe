/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: admin commands: contexts, queues, segments, imports, groups,
 * retired pages.
 */
#include "qemu/osdep.h"
#include "trace.h"
#include "xpu_internal.h"

static XpuCtx *find_ctx(AlinkXpu *xpu, uint32_t id)
{
    return id <= XPU_NUM_CTX ? xpu->ctx[id] : NULL;
}

static XpuQueue *find_queue(AlinkXpu *xpu, uint32_t id)
{
    return id < ALINK_XPU_MAX_QUEUES ? xpu->queue[id] : NULL;
}

static void bad_field(AlinkAdminCmd *cmd, uint16_t tlv, const char *what)
{
    alink_guest_error(cmd->ad, cmd->opcode, "%s: %s", cmd->spec->name, what);
    alink_admin_fail(cmd, ALINK_ST_BAD_FIELD, tlv);
}

/* --- contexts ------------------------------------------------------------- */

static void ctx_create(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    const struct alink_xpu_ctx *req;
    AlinkXpu *xpu = ALINK_XPU(ad);
    uint32_t id;
    uint64_t root;

    req = alink_admin_tlv(cmd, ALINK_TLV_XPU_CTX, NULL);
    id = le32_to_cpu(req->id);
    root = le64_to_cpu(req->root);
    if (!id || id > XPU_NUM_CTX || req->reserved || root % XPU_PAGE) {
        bad_field(cmd, ALINK_TLV_XPU_CTX, "id, root or reserved");
        return;
    }
    if (xpu->ctx[id]) {
        alink_admin_fail(cmd, ALINK_ST_EXISTS, ALINK_TLV_XPU_CTX);
        return;
    }
    xpu->ctx[id] = xpu_ctx_create(id, root);
    trace_alink_xpu_ctx(alink_device_name(ad), id, root, true);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static void ctx_destroy(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkXpu *xpu = ALINK_XPU(ad);
    uint32_t id = alink_admin_tlv_id(cmd);
    XpuCtx *ctx = find_ctx(xpu, id);

    if (!ctx) {
        alink_admin_fail(cmd, ALINK_ST_NOT_FOUND, ALINK_TLV_ID);
        return;
    }
    if (ctx->num_queues) {
        alink_admin_fail(cmd, ALINK_ST_BUSY, ALINK_TLV_ID);
        return;
    }
    trace_alink_xpu_ctx(alink_device_name(ad), id, ctx->root, false);
    xpu->ctx[id] = NULL;
    g_free(ctx);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static void tlb_invalidate(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkXpu *xpu = ALINK_XPU(ad);
    uint32_t id = alink_admin_tlv_id(cmd);
    XpuCtx *ctx = find_ctx(xpu, id);

    if (!ctx) {
        alink_admin_fail(cmd, ALINK_ST_NOT_FOUND, ALINK_TLV_ID);
        return;
    }
    trace_alink_xpu_invalidate(alink_device_name(ad), id);
    xpu_ctx_quiesce(xpu, ctx);
    xpu_ctx_flush(ctx);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

/* --- queues ---------------------------------------------------------------- */

static bool queue_fields_ok(const struct alink_xpu_queue *req)
{
    uint32_t size = le32_to_cpu(req->size);
    uint16_t vector = le16_to_cpu(req->vector);

    return le32_to_cpu(req->id) < ALINK_XPU_MAX_QUEUES &&
           size >= 2 && size <= 65536 && is_power_of_2(size) &&
           vector >= 1 && vector < ALINK_XPU_NUM_VECTORS &&
           le16_to_cpu(req->priority) <= ALINK_XPU_PRIORITY_REALTIME &&
           le64_to_cpu(req->ring) % 64 == 0 &&
           le64_to_cpu(req->status) % 64 == 0;
}

static void queue_create(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    const struct alink_xpu_queue *req;
    AlinkXpu *xpu = ALINK_XPU(ad);
    XpuCtx *ctx;
    XpuQueue *q;

    req = alink_admin_tlv(cmd, ALINK_TLV_XPU_QUEUE, NULL);
    if (!queue_fields_ok(req)) {
        bad_field(cmd, ALINK_TLV_XPU_QUEUE, "a field is out of range");
        return;
    }
    ctx = find_ctx(xpu, le32_to_cpu(req->ctx));
    if (!ctx) {
        alink_admin_fail(cmd, ALINK_ST_NOT_FOUND, ALINK_TLV_XPU_QUEUE);
        return;
    }
    if (xpu->queue[le32_to_cpu(req->id)]) {
        alink_admin_fail(cmd, ALINK_ST_EXISTS, ALINK_TLV_XPU_QUEUE);
        return;
    }
    q = xpu_queue_create(xpu, ctx, req);
    trace_alink_xpu_queue(alink_device_name(ad), q->id, ctx->id, q->ring,
                          q->size, true);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

void xpu_admin_forget(AlinkXpu *xpu)
{
    AlinkAdminCmd *cmd = g_steal_pointer(&xpu->unanswered);

    if (cmd) {
        alink_admin_complete(cmd, ALINK_ST_ABORTED);
    }
}

static void queue_destroy(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkXpu *xpu = ALINK_XPU(ad);
    XpuQueue *q = find_queue(xpu, alink_admin_tlv_id(cmd));

    if (!q) {
        alink_admin_fail(cmd, ALINK_ST_NOT_FOUND, ALINK_TLV_ID);
        return;
    }
    if (xpu_queue_in(q, xpu->x_destroy_stuck)) {
        /* One kept from before is of an admin queue that was switched off. */
        xpu_admin_forget(xpu);
        xpu->unanswered = cmd;
        trace_alink_xpu_destroy_stuck(alink_device_name(ad), q->id);
        return;
    }
    trace_alink_xpu_queue(alink_device_name(ad), q->id, q->ctx->id, q->ring,
                          q->size, false);
    xpu_queue_destroy(q, true);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static void queue_resume(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    const struct alink_xpu_resume *req;
    uint32_t action;
    XpuQueue *q;

    req = alink_admin_tlv(cmd, ALINK_TLV_XPU_RESUME, NULL);
    action = le32_to_cpu(req->action);
    if (action > ALINK_XPU_RESUME_NO_ROOM) {
        bad_field(cmd, ALINK_TLV_XPU_RESUME, "no such action");
        return;
    }
    q = find_queue(ALINK_XPU(ad), le32_to_cpu(req->queue));
    if (!q || !xpu_queue_resume(q, action)) {
        alink_admin_fail(cmd, ALINK_ST_NOT_FOUND, ALINK_TLV_XPU_RESUME);
        return;
    }
    alink_admin_complete(cmd, ALINK_ST_OK);
}

/* --- fabric: the core checks and answers -------------------------------------- */

static void answer(AlinkAdminCmd *cmd, enum alink_status st, uint16_t tlv)
{
    if (st == ALINK_ST_OK) {
        alink_admin_complete(cmd, st);
    } else if (st == ALINK_ST_BAD_FIELD) {
        bad_field(cmd, tlv, "a field is out of range");
    } else {
        alink_admin_fail(cmd, st, tlv);
    }
}

static void seg_export(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    struct af_extent ext[ALINK_XPU_SEG_MAX_EXTENTS];
    const struct alink_xpu_segment *req;
    uint32_t num, id;
    unsigned i;

    req = alink_admin_tlv(cmd, ALINK_TLV_XPU_SEGMENT, NULL);
    id = le32_to_cpu(req->id);
    num = le32_to_cpu(req->num_extents);
    if (id >= XPU_NUM_SEGMENTS || req->reserved || !num ||
        num > ARRAY_SIZE(ext)) {
        bad_field(cmd, ALINK_TLV_XPU_SEGMENT, "a field is out of range");
        return;
    }
    for (i = 0; i < num; i++) {
        ext[i].addr = le64_to_cpu(req->extents[i].addr);
        ext[i].len = le64_to_cpu(req->extents[i].len);
    }
    answer(cmd, af_seg_export(ad->af, ad->fabric_id, id, le64_to_cpu(req->key),
                              le32_to_cpu(req->rights), ext, num),
           ALINK_TLV_XPU_SEGMENT);
}

static void seg_get(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    uint32_t from = alink_admin_tlv_id(cmd);
    struct af_segment_info have;

    while (af_seg_get(ad->af, ad->fabric_id, from, &have) == ALINK_ST_OK) {
        struct alink_xpu_segment_info info = {
            .id = cpu_to_le32(have.id),
            .rights = cpu_to_le32(have.rights),
            .len = cpu_to_le64(have.len),
            .num_extents = cpu_to_le32(have.num_extents),
            .partition = cpu_to_le32(have.partition),
            .num_bindings = cpu_to_le32(have.num_bindings),
        };

        if (!alink_admin_put(cmd, ALINK_TLV_XPU_SEGMENT_INFO, &info,
                             sizeof(info))) {
            break;
        }
        from = have.id + 1;
    }
    alink_admin_complete(cmd, cmd->resp_needed && !cmd->resp_len ?
                         ALINK_ST_NO_ROOM : ALINK_ST_OK);
}

static void seg_revoke(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    answer(cmd, af_seg_revoke(ad->af, ad->fabric_id, alink_admin_tlv_id(cmd)),
           ALINK_TLV_ID);
}

static void seg_import(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    const struct alink_xpu_import *req;

    req = alink_admin_tlv(cmd, ALINK_TLV_XPU_IMPORT, NULL);
    if (req->reserved) {
        bad_field(cmd, ALINK_TLV_XPU_IMPORT, "reserved is not 0");
        return;
    }
    answer(cmd, af_seg_import(ad->af, ad->fabric_id, le32_to_cpu(req->slot),
                              le32_to_cpu(req->endpoint),
                              le32_to_cpu(req->object), le64_to_cpu(req->key)),
           ALINK_TLV_XPU_IMPORT);
}

static void seg_release(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    answer(cmd, af_seg_release(ad->af, ad->fabric_id, alink_admin_tlv_id(cmd)),
           ALINK_TLV_ID);
}

static void group_bind(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    const struct alink_xpu_group_bind *req;

    req = alink_admin_tlv(cmd, ALINK_TLV_XPU_GROUP_BIND, NULL);
    answer(cmd, af_group_bind(ad->af, ad->fabric_id, le32_to_cpu(req->group),
                              le32_to_cpu(req->segment), le64_to_cpu(req->key),
                              le64_to_cpu(req->offset), le64_to_cpu(req->len)),
           ALINK_TLV_XPU_GROUP_BIND);
}

static void group_unbind(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    answer(cmd, af_group_unbind(ad->af, ad->fabric_id,
                                alink_admin_tlv_id(cmd)), ALINK_TLV_ID);
}

static void group_import(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    const struct alink_xpu_import *req;

    req = alink_admin_tlv(cmd, ALINK_TLV_XPU_IMPORT, NULL);
    if (req->reserved || req->endpoint) {
        bad_field(cmd, ALINK_TLV_XPU_IMPORT, "endpoint or reserved is not 0");
        return;
    }
    answer(cmd, af_group_import(ad->af, ad->fabric_id, le32_to_cpu(req->slot),
                                le32_to_cpu(req->object),
                                le64_to_cpu(req->key)),
           ALINK_TLV_XPU_IMPORT);
}

static void group_release(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    answer(cmd, af_group_release(ad->af, ad->fabric_id,
                                 alink_admin_tlv_id(cmd)), ALINK_TLV_ID);
}

/* --- retired pages ---------------------------------------------------------- */

static bool page_ok(const AlinkXpu *xpu, const struct alink_xpu_page *req)
{
    uint64_t addr = le64_to_cpu(req->addr);

    return addr < xpu->hbm_size && addr % XPU_PAGE == 0 &&
           le32_to_cpu(req->cause) == ALINK_XPU_RETIRE_ECC && !req->reserved;
}

static void page_retire(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    const struct alink_xpu_page *req;
    AlinkXpu *xpu = ALINK_XPU(ad);
    unsigned i;

    req = alink_admin_tlv(cmd, ALINK_TLV_XPU_PAGE, NULL);
    if (!page_ok(xpu, req)) {
        bad_field(cmd, ALINK_TLV_XPU_PAGE, "a field is out of range");
        return;
    }
    for (i = 0; i < xpu->num_retired; i++) {
        if (xpu->retired[i].addr == req->addr) {
            alink_admin_fail(cmd, ALINK_ST_EXISTS, ALINK_TLV_XPU_PAGE);
            return;
        }
    }
    if (xpu->num_retired == ALINK_XPU_MAX_RETIRED) {
        alink_admin_fail(cmd, ALINK_ST_NO_ROOM, ALINK_TLV_XPU_PAGE);
        return;
    }
    xpu->retired[xpu->num_retired++] = *req;
    trace_alink_xpu_retire(alink_device_name(ad), le64_to_cpu(req->addr),
                           le32_to_cpu(req->cause), xpu->num_retired);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static void page_list(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkXpu *xpu = ALINK_XPU(ad);
    bool ok = true;
    unsigned i;

    /* All of them, so that the length needed comes out right. */
    for (i = 0; i < xpu->num_retired; i++) {
        ok &= alink_admin_put(cmd, ALINK_TLV_XPU_PAGE, &xpu->retired[i],
                              sizeof(xpu->retired[i]));
    }
    alink_admin_complete(cmd, ok ? ALINK_ST_OK : ALINK_ST_NO_ROOM);
}

/* --- table ------------------------------------------------------------------- */

#define CMD(_op, _run, _tlv, _size)                                  \
    { .opcode = ALINK_XPU_ADMIN_##_op, .name = #_op, .run = _run,    \
      .tlv = { { ALINK_TLV_##_tlv, true, _size, _size } } }

const AlinkAdminSpec xpu_admin[] = {
    CMD(CTX_CREATE, ctx_create, XPU_CTX, sizeof(struct alink_xpu_ctx)),
    CMD(CTX_DESTROY, ctx_destroy, ID, 4),
    CMD(TLB_INVALIDATE, tlb_invalidate, ID, 4),
    CMD(QUEUE_CREATE, queue_create, XPU_QUEUE,
        sizeof(struct alink_xpu_queue)),
    CMD(QUEUE_DESTROY, queue_destroy, ID, 4),
    CMD(SEG_EXPORT, seg_export, XPU_SEGMENT,
        sizeof(struct alink_xpu_segment)),
    { .opcode = ALINK_XPU_ADMIN_SEG_GET, .name = "SEG_GET",
      .caps = ALINK_CAP_SEGMENTS, .run = seg_get,
      .tlv = { { ALINK_TLV_ID, true, 4, 4 } } },
    CMD(SEG_REVOKE, seg_revoke, ID, 4),
    CMD(SEG_IMPORT, seg_import, XPU_IMPORT, sizeof(struct alink_xpu_import)),
    CMD(SEG_RELEASE, seg_release, ID, 4),
    CMD(GROUP_BIND, group_bind, XPU_GROUP_BIND,
        sizeof(struct alink_xpu_group_bind)),
    CMD(GROUP_UNBIND, group_unbind, ID, 4),
    CMD(GROUP_IMPORT, group_import, XPU_IMPORT,
        sizeof(struct alink_xpu_import)),
    CMD(GROUP_RELEASE, group_release, ID, 4),
    { .opcode = ALINK_XPU_ADMIN_PAGE_RETIRE, .name = "PAGE_RETIRE",
      .caps = ALINK_CAP_RETIRE, .run = page_retire,
      .tlv = { { ALINK_TLV_XPU_PAGE, true, sizeof(struct alink_xpu_page),
                 sizeof(struct alink_xpu_page) } } },
    { .opcode = ALINK_XPU_ADMIN_PAGE_LIST, .name = "PAGE_LIST",
      .caps = ALINK_CAP_RETIRE, .run = page_list },
    { .opcode = ALINK_XPU_ADMIN_QUEUE_RESUME, .name = "QUEUE_RESUME",
      .caps = ALINK_CAP_RETRY, .run = queue_resume,
      .tlv = { { ALINK_TLV_XPU_RESUME, true, sizeof(struct alink_xpu_resume),
                 sizeof(struct alink_xpu_resume) } } },
};

const size_t xpu_num_admin = ARRAY_SIZE(xpu_admin);
