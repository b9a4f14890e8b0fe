// SPDX-License-Identifier: GPL-2.0-only
/*
 * alinkfmd: the fabric manager.
 *
 * usage: alinkfmd [--config FILE] [--check-config|--discard-state]
 *
 * It claims the fabric, makes the tables of switches and xPUs what its
 * configuration and the cabling say, and does so again whenever something
 * happens. It can be killed at any moment: the tables are in the devices, and what
 * it decided is in its state file.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fm_loop.h"

/* Exit codes; part of the interface, Documentation/admin-guide/alinkfmd.rst */
enum {
	FM_EXIT_OK		= 0,
	FM_EXIT_FAILED		= 1,
	FM_EXIT_USAGE		= 2,
	FM_EXIT_PERMISSION	= 4,
	FM_EXIT_CONFIG		= 6,	/* as systemd.exec(5) has it */
	FM_EXIT_MANAGED		= 7,	/* somebody else manages the fabric */
	FM_EXIT_STATE		= 8,	/* the state file cannot be relied on */
};

#define MS		1000ULL		/* in us */
/* What happens comes in bursts. */
#define SOON_MS		20
/* Nothing has happened: a look all the same, if an event got lost. */
#define LATER_MS	10000
#define AGAIN_MS	1000

static struct fm manager;
static struct fm_loop loop = { .fm = &manager };

void fm_log(const char *level, const char *fmt, ...)
{
	static int prefix = -1;
	va_list ap;

	/* Who reads this at a terminal does not want numbers. */
	if (prefix < 0)
		prefix = getenv("JOURNAL_STREAM") != NULL;
	if (prefix)
		fputs(level, stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static uint64_t monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- being the manager ---------------------------------------------------------------- */

static void detach(void)
{
	sd_event_source_disable_unref(loop.on_watch);
	loop.on_watch = NULL;
	alink_watch_close(loop.watch);
	loop.watch = NULL;
	/* Who only closes his socket passes for one that crashed. */
	if (manager.claimed)
		alink_manager_release(manager.ctx);
	alink_free(manager.ctx);
	manager.ctx = NULL;
	manager.claimed = false;
}

static int on_kernel(sd_event_source *source, int fd, uint32_t events,
		     void *arg)
{
	unsigned int n;

	(void)source;
	(void)fd;
	(void)events;
	(void)arg;
	if (alink_watch_drain(loop.watch, &n)) {
		fm_log(FM_WARN, "%s", alink_error(manager.ctx));
		detach();
	}
	loop.events = true;
	fm_soon(&manager, SOON_MS);
	return 0;
}

/* 0; -EBUSY, -EPERM, which end the manager; else there is nothing to manage. */
static int attach(void)
{
	int err;

	if (manager.claimed)
		return 0;
	detach();
	err = alink_new(&manager.ctx);
	if (err)
		return err;
	/* Watched first, so that nothing is missed. */
	err = alink_watch_open(manager.ctx, &loop.watch);
	if (!err)
		err = alink_manager_claim(manager.ctx, FM_NAME,
					  manager.config.beat_ms);
	if (!err)
		err = sd_event_add_io(loop.event, &loop.on_watch,
				      alink_watch_fd(loop.watch), EPOLLIN,
				      on_kernel, NULL);
	if (err < 0)
		return err;
	manager.claimed = true;
	loop.beaten_us = monotonic_us();
	fm_log(FM_INFO, "the fabric is ours");
	return 0;
}

void fm_beat(struct fm *fm)
{
	if (!fm->claimed ||
	    monotonic_us() - loop.beaten_us < fm->config.beat_ms * MS / 3)
		return;
	loop.beaten_us = monotonic_us();
	/* A round of many switches may take longer than it has. */
	sd_notify(0, "WATCHDOG=1");
	if (!alink_manager_beat(fm->ctx))
		return;
	/* alink.ko was unloaded, for one: all is begun anew. */
	fm_log(FM_WARN, "%s", alink_error(fm->ctx));
	fm->claimed = false;
	fm_soon(fm, SOON_MS);
}

/* --- rounds ------------------------------------------------------------------------------ */

void fm_soon(struct fm *fm, uint32_t ms)
{
	uint64_t at = monotonic_us() + ms * MS, now_at;

	(void)fm;
	if (sd_event_source_get_time(loop.round, &now_at) >= 0 && now_at <= at &&
	    now_at > monotonic_us())
		return;
	sd_event_source_set_time(loop.round, at);
	sd_event_source_set_enabled(loop.round, SD_EVENT_ONESHOT);
}

static void nothing(const char *why)
{
	if (strcmp(manager.why, why))
		fm_log(FM_NOTE, "nothing to manage: %s", why);
	snprintf(manager.why, sizeof(manager.why), "%s", why);
}

/*
 * A device that does not answer is no reason to let go of the fabric, nor of the
 * other devices. "": all is well.
 */
static void trouble(const char *what)
{
	if (what[0] && strcmp(manager.trouble, what))
		fm_log(FM_ERR, "%s", what);
	else if (!what[0] && manager.trouble[0])
		fm_log(FM_NOTE, "all devices answer again");
	snprintf(manager.trouble, sizeof(manager.trouble), "%s", what);
}

static void say_ready(void)
{
	sd_notifyf(0, "%sSTATUS=%s%s", manager.ready ? "" : "READY=1\n",
		   manager.why[0] ? "nothing to manage: " : "",
		   manager.why[0] ? manager.why :
		   manager.trouble[0] ? manager.trouble :
		   manager.result.failed ? "in progress" : "managing");
	manager.ready = true;
}

/* Is it over? Then *code says how. */
static bool over(int err, int *code)
{
	switch (err) {
	case -EBUSY:
		*code = FM_EXIT_MANAGED;
		return true;
	case -EPERM:
	case -EACCES:
		*code = FM_EXIT_PERMISSION;
		return true;
	default:
		return false;
	}
}

static int on_round(sd_event_source *source, uint64_t usec, void *arg)
{
	const char *why = loop.events ? "something happened in the fabric" :
					"looked again";
	char what[sizeof(manager.trouble)];
	int err, code;

	(void)source;
	(void)usec;
	(void)arg;
	loop.events = false;
	err = attach();
	if (over(err, &code)) {
		fm_log(FM_ERR, "%s", alink_error(manager.ctx));
		return sd_event_exit(loop.event, code);
	}
	if (!err)
		err = fm_round(&manager, why);
	if (!err)
		trouble(manager.result.silent);
	if (err == -ENOPROTOOPT) {
		nothing(alink_error(manager.ctx));
		detach();
	} else if (err) {
		manager.why[0] = 0;
		snprintf(what, sizeof(what), "the fabric cannot be looked at: %s",
			 manager.ctx && alink_error(manager.ctx)[0] ?
			 alink_error(manager.ctx) : strerror(-err));
		trouble(what);
	} else if (!manager.result.switches) {
		nothing("no switch has its driver");
	} else {
		manager.why[0] = 0;
	}
	say_ready();
	/* The claim may have been lost in the middle of it. */
	if (!err && manager.result.switches && !manager.claimed)
		manager.again = true;
	fm_soon(&manager, err || manager.again ? AGAIN_MS : LATER_MS);
	return 0;
}

/* Who was late has done his order after all: what he says is heard anew. */
static int on_crew(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)arg;
	fm_crew_heard();
	fm_soon(&manager, SOON_MS);
	return 0;
}

static int on_beat(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)arg;
	fm_beat(&manager);
	sd_event_source_set_time(source, usec + manager.config.beat_ms * MS / 4);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* --- signals ------------------------------------------------------------------------------- */

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info,
		  void *arg)
{
	(void)source;
	(void)info;
	(void)arg;
	fm_log(FM_INFO, "ended; the tables stay as they are");
	return sd_event_exit(loop.event, FM_EXIT_OK);
}

static int on_reload(sd_event_source *source,
		     const struct signalfd_siginfo *info, void *arg)
{
	(void)source;
	(void)info;
	(void)arg;
	/* Before the first round it is not ready, with no configuration. */
	if (manager.ready)
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			   (unsigned long long)monotonic_us());
	fm_reload(&manager);
	loop.events = true;
	if (manager.ready)
		sd_notify(0, "READY=1");
	return 0;
}

/* --- beginning ------------------------------------------------------------------------------- */

static int prepare(void)
{
	int err, crew = fm_crew_init();
	sigset_t set;

	if (crew < 0) {
		fm_log(FM_ERR, "eventfd: %s", strerror(-crew));
		return crew;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	err = sd_event_default(&loop.event);
	if (err >= 0)
		err = sd_event_add_signal(loop.event, NULL, SIGTERM, on_end,
					  NULL);
	if (err >= 0)
		err = sd_event_add_signal(loop.event, NULL, SIGINT, on_end,
					  NULL);
	if (err >= 0)
		err = sd_event_add_signal(loop.event, NULL, SIGHUP, on_reload,
					  NULL);
	if (err >= 0)
		err = sd_event_add_time(loop.event, &loop.round,
					CLOCK_MONOTONIC, 0, 1, on_round, NULL);
	if (err >= 0)
		err = sd_event_add_time(loop.event, &loop.beat,
					CLOCK_MONOTONIC, monotonic_us(), 1,
					on_beat, NULL);
	if (err >= 0)
		err = sd_event_add_io(loop.event, NULL, crew, EPOLLIN, on_crew,
				      NULL);
	if (err >= 0)
		err = sd_event_set_watchdog(loop.event, 1);
	if (err < 0)
		fm_log(FM_ERR, "event loop: %s", strerror(-err));
	return err < 0 ? err : 0;
}

static int manage(void)
{
	int code;

	if (fm_state_load(&manager.state, manager.config.state))
		return FM_EXIT_STATE;
	code = fm_serve(&loop);
	return code ? code : sd_event_loop(loop.event);
}

static int run(bool discard)
{
	int err, code;

	if (prepare())
		return FM_EXIT_FAILED;
	/* First: state and socket of a manager that is there are not touched. */
	err = attach();
	if (over(err, &code)) {
		fm_log(FM_ERR, "%s", alink_error(manager.ctx));
		return code;
	}
	code = discard ? fm_state_discard(manager.config.state) : manage();
	sd_notify(0, "STOPPING=1");
	detach();
	return code < 0 ? FM_EXIT_FAILED : code;
}

static int usage(int code)
{
	fprintf(code ? stderr : stdout,
		"usage: alinkfmd [--config FILE] [--check-config|--discard-state]\n"
		"\n"
		"Manages the fabric of an ALink supernode, in the foreground.\n"
		"  --config FILE    instead of " FM_CONFIG "\n"
		"  --check-config   names the lines of FILE that are wrong, and ends\n"
		"  --discard-state  puts the state file aside, and ends\n");
	return code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "discard-state", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{}
	};
	bool check = false, discard = false;
	int o, err;

	manager.path = FM_CONFIG;
	while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			manager.path = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 'd':
			discard = true;
			break;
		case 'h':
			return usage(FM_EXIT_OK);
		case 'V':
			printf("alinkfmd %s\n", alink_version());
			return FM_EXIT_OK;
		default:
			return usage(FM_EXIT_USAGE);
		}
	}
	if (optind < argc || (check && discard))
		return usage(FM_EXIT_USAGE);
	err = fm_config_load(&manager.config, manager.path);
	if (err)
		return FM_EXIT_CONFIG;
	if (check) {
		printf("%s: good\n", manager.path);
		fm_config_free(&manager.config);
		return FM_EXIT_OK;
	}
	err = run(discard);
	fm_config_free(&manager.config);
	return err;
}
