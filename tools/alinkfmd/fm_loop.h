/* SPDX-License-Identifier: GPL-2.0-only */
/* The event loop of alinkfmd */
#ifndef FM_LOOP_H
#define FM_LOOP_H

#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "fm.h"

/**
 * struct fm_loop - what wakes the manager
 * @fm:		the manager
 * @event:	of systemd's loop
 * @server:	the socket of alink fm
 * @watch:	events of the kernel
 * @on_watch:	their source
 * @round:	timer of the next round
 * @beat:	timer of the next heartbeat
 * @beaten_us:	when the latest heartbeat was, CLOCK_MONOTONIC
 * @clients:	of @server
 * @events:	there were some since the latest round
 */
struct fm_loop {
	struct fm *fm;
	sd_event *event;
	sd_event_source *server;
	struct alink_watch *watch;
	sd_event_source *on_watch;
	sd_event_source *round;
	sd_event_source *beat;
	uint64_t beaten_us;
	unsigned int clients;
	bool events;
};

/* Opens the socket of alink fm. 0 or a negative errno, which is logged. */
int fm_serve(struct fm_loop *loop);

#endif /* FM_LOOP_H */
