/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-cmis`: the links that a module carries, and light between modules.
 *
 * A module tells the fabric why its end of a link cannot carry light. Where
 * the other end is a module as well, lane by lane its receivers see what our
 * transmitters do.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qapi/error.h"
#include "trace.h"

#include "cmis_internal.h"
#include "fabric/alink_fabric.h"

/* All modules that carry links. BQL. */
static QTAILQ_HEAD(, AlinkCmis) modules = QTAILQ_HEAD_INITIALIZER(modules);

static const char *type_name(uint32_t dev_type)
{
    return dev_type == ALINK_DEVTYPE_XPU ? "xpu" : "switch";
}

/* "7" or "2-5" */
static bool parse_lanes(const char *text, CmisLink *link)
{
    uint64_t first, last;
    const char *end;

    if (qemu_strtou64(text, &end, 10, &first) < 0 || first >= CMIS_LANES) {
        return false;
    }
    last = first;
    if (*end == '-' &&
        (qemu_strtou64(end + 1, &end, 10, &last) < 0 || last >= CMIS_LANES)) {
        return false;
    }
    if (*end || last < first) {
        return false;
    }
    link->first = first;
    link->count = last - first + 1;
    return true;
}

/* TYPE:ID:PORT[:LANES] */
static bool parse_link(const char *text, CmisLink *link)
{
    g_auto(GStrv) part = g_strsplit(text, ":", 0);
    unsigned n = g_strv_length(part), id, port;

    if (n < 3 || n > 4) {
        return false;
    }
    if (!strcmp(part[0], "xpu")) {
        link->dev_type = ALINK_DEVTYPE_XPU;
    } else if (!strcmp(part[0], "switch")) {
        link->dev_type = ALINK_DEVTYPE_SWITCH;
    } else {
        return false;
    }
    if (qemu_strtoui(part[1], NULL, 10, &id) < 0 || id > 0xffffff ||
        qemu_strtoui(part[2], NULL, 10, &port) < 0 || port > 0xffff) {
        return false;
    }
    link->dev_id = id;
    link->port = port;
    return n == 3 || parse_lanes(part[3], link);
}

bool cmis_link_parse(AlinkCmis *s, Error **errp)
{
    g_auto(GStrv) part = NULL;
    unsigned n, used = 0;

    s->num_links = 0;
    if (!s->links_prop || !*s->links_prop) {
        return true;
    }
    part = g_strsplit(s->links_prop, "+", 0);
    n = g_strv_length(part);
    if (n > CMIS_MAX_LINKS) {
        error_setg(errp, "a module carries at most %u links", CMIS_MAX_LINKS);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        CmisLink *link = &s->link[i];
        unsigned lanes;

        memset(link, 0, sizeof(*link));
        link->reason = UINT32_MAX;
        if (!parse_link(part[i], link)) {
            error_setg(errp, "links: '%s' is not TYPE:ID:PORT or "
                       "TYPE:ID:PORT:FIRST-LAST with TYPE xpu or switch and "
                       "lanes 0..7", part[i]);
            return false;
        }
        if (link->count == 0) {
            link->count = CMIS_LANES / n;
            link->first = i * link->count;
        }
        lanes = MAKE_64BIT_MASK(link->first, link->count);
        if (used & lanes) {
            error_setg(errp, "links: lanes of '%s' are in use", part[i]);
            return false;
        }
        used |= lanes;
    }
    s->num_links = n;
    return true;
}

static struct af_fabric *fabric_of(AlinkCmis *s)
{
    return s->host ? ALINK_CAGE_HOST_GET_CLASS(s->host)->fabric(s->host) : NULL;
}

/* The module and its link that carries @port, or NULL */
static AlinkCmis *find_module(struct af_fabric *af, uint32_t dev_type,
                              uint32_t dev_id, uint32_t port, CmisLink **found)
{
    AlinkCmis *m;

    QTAILQ_FOREACH(m, &modules, next) {
        if (fabric_of(m) != af) {
            continue;
        }
        for (unsigned i = 0; i < m->num_links; i++) {
            CmisLink *link = &m->link[i];

            if (link->dev_type == dev_type && link->dev_id == dev_id &&
                link->port == port) {
                *found = link;
                return m;
            }
        }
    }
    return NULL;
}

static AlinkCmis *far_module(struct af_fabric *af, const CmisLink *link,
                             CmisLink **found)
{
    uint32_t dev_type, dev_id, port;

    if (af_link_cable(af, link->dev_type, link->dev_id, link->port,
                      &dev_type, &dev_id, &port) < 0) {
        return NULL;
    }
    return find_module(af, dev_type, dev_id, port, found);
}

/* The modules at the other ends look at their fibres again. */
static void tell_far(AlinkCmis *s, struct af_fabric *af)
{
    for (unsigned i = 0; i < s->num_links; i++) {
        CmisLink *far_link;
        AlinkCmis *far = far_module(af, &s->link[i], &far_link);

        if (far && far != s) {
            cmis_update(far);
        }
    }
}

bool cmis_link_attach(AlinkCmis *s, Error **errp)
{
    struct af_fabric *af = fabric_of(s);
    CmisLink *taken;

    if (!s->num_links) {
        return true;
    }
    if (!af) {
        error_setg(errp, "links need a controller with fabric=");
        return false;
    }
    for (unsigned i = 0; i < s->num_links; i++) {
        CmisLink *link = &s->link[i];
        uint32_t type, id, port;

        if (find_module(af, link->dev_type, link->dev_id, link->port,
                        &taken)) {
            error_setg(errp, "links: another module carries %s:%u:%u",
                       type_name(link->dev_type), link->dev_id, link->port);
            return false;
        }
        if (af_link_cable(af, link->dev_type, link->dev_id, link->port,
                          &type, &id, &port) == -EINVAL) {
            error_setg(errp, "links: no fabric has a %s:%u:%u",
                       type_name(link->dev_type), link->dev_id, link->port);
            return false;
        }
    }
    QTAILQ_INSERT_TAIL(&modules, s, next);
    s->attached = true;
    /* Whatever the far modules know, they shall hear it again */
    s->tx_told = ~cmis_tx_on(s);
    return true;
}

void cmis_link_detach(AlinkCmis *s)
{
    struct af_fabric *af = fabric_of(s);

    if (!s->attached) {
        return;
    }
    QTAILQ_REMOVE(&modules, s, next);
    s->attached = false;
    /* The cage is gone with its controller: what is left is a plain cable */
    for (unsigned i = 0; i < s->num_links; i++) {
        af_link_set_optics(af, s->link[i].dev_type, s->link[i].dev_id,
                           s->link[i].port, ALINK_ID_NONE, ALINK_DOWN_NONE);
    }
    tell_far(s, af);
}

/* Lanes of @s whose far transmitter does not emit */
static uint8_t dark_lanes(AlinkCmis *s, struct af_fabric *af)
{
    uint8_t dark = 0;

    for (unsigned i = 0; i < s->num_links; i++) {
        CmisLink *link = &s->link[i], *far_link;
        AlinkCmis *far = far_module(af, link, &far_link);
        uint8_t lit;

        if (!far) {
            continue;
        }
        lit = cmis_tx_on(far) >> far_link->first;
        for (unsigned n = 0; n < MIN(link->count, far_link->count); n++) {
            if (!(lit & 1 << n)) {
                dark |= 1 << (link->first + n);
            }
        }
    }
    return dark;
}

/* Why this end of the link cannot carry light: the first reason that holds */
static enum alink_down_reason down_reason(AlinkCmis *s, const CmisLink *link)
{
    uint8_t lanes = MAKE_64BIT_MASK(link->first, link->count);
    uint8_t rx_off = *cmis_up(s, CMIS_PG_10, CMIS_10_RX_DISABLE);

    if (!s->present) {
        return ALINK_DOWN_NO_CABLE;
    }
    if (cmis_over_temperature(s)) {
        return ALINK_DOWN_TEMPERATURE;
    }
    if (s->state == CMIS_STATE_FAULT) {
        return ALINK_DOWN_MODULE_FAULT;
    }
    if (s->state != CMIS_STATE_READY) {
        return ALINK_DOWN_MODULE_NOT_READY;
    }
    for (unsigned i = link->first; i < link->first + link->count; i++) {
        if (!cmis_lane_ready(s, i)) {
            return ALINK_DOWN_MODULE_NOT_READY;
        }
    }
    if (lanes & ~cmis_tx_on(s)) {
        return ALINK_DOWN_LASER;
    }
    if (lanes & (cmis_rx_dark(s) | rx_off)) {
        return ALINK_DOWN_RX_LOS;
    }
    return ALINK_DOWN_NONE;
}

void cmis_link_update(AlinkCmis *s)
{
    struct af_fabric *af = fabric_of(s);
    uint8_t tx_on = cmis_tx_on(s);
    uint32_t id;

    if (!s->attached) {
        return;
    }
    /* The far end answered what we are about to say: look again at the end. */
    if (s->link_busy) {
        s->link_again = true;
        return;
    }
    id = ALINK_CAGE_HOST_GET_CLASS(s->host)->module_id(s->host, s->channel);
    s->link_busy = true;
    do {
        s->link_again = false;
        s->dark = dark_lanes(s, af);
        for (unsigned i = 0; i < s->num_links; i++) {
            CmisLink *link = &s->link[i];
            enum alink_down_reason reason = down_reason(s, link);

            if (link->reason == reason) {
                continue;
            }
            trace_alink_cmis_link(DEVICE(s)->id ?: "", link->dev_type,
                                  link->dev_id, link->port, reason);
            link->reason = reason;
            af_link_set_optics(af, link->dev_type, link->dev_id, link->port,
                               id | link->first, reason);
        }
        if (s->tx_told != tx_on) {
            s->tx_told = tx_on;
            tell_far(s, af);
        }
    } while (s->link_again);
    s->link_busy = false;
}

bool alink_cmis_peer(AlinkCmis *s, uint32_t *dev_type, uint32_t *dev_id,
                     uint32_t *port, uint32_t *count)
{
    if (!s->num_links) {
        return false;
    }
    *dev_type = s->link[0].dev_type;
    *dev_id = s->link[0].dev_id;
    *port = s->link[0].port;
    for (*count = 1; *count < s->num_links; ++*count) {
        const CmisLink *link = &s->link[*count];

        if (link->dev_type != *dev_type || link->dev_id != *dev_id ||
            link->port != *port + *count) {
            break;
        }
    }
    return true;
}
