// SPDX-License-Identifier: GPL-2.0-only
/* Those who have the socket of alink fm open: one question each, in time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fm_loop.h"

/* Nobody has a longer question, or needs as long for it. */
#define QUESTION_MAX	4096
#define PATIENCE_US	(10 * 1000000ULL)
#define CLIENTS_MAX	32

struct client {
	struct fm_loop *loop;
	sd_event_source *io, *timer;
	int fd;
	char question[QUESTION_MAX];
	size_t asked;
	char *answer;
	size_t len, sent;
};

static void client_end(struct client *cl)
{
	sd_event_source_disable_unref(cl->io);
	sd_event_source_disable_unref(cl->timer);
	close(cl->fd);
	free(cl->answer);
	cl->loop->clients--;
	free(cl);
}

static void answer(struct client *cl)
{
	struct json_object *request, *o;
	size_t len;
	const char *text;

	request = json_tokener_parse(cl->question);
	o = fm_answer(cl->loop->fm, request);
	text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN,
						 &len);
	cl->answer = malloc(len + 1);
	if (cl->answer) {
		memcpy(cl->answer, text, len);
		cl->answer[len] = '\n';
		cl->len = len + 1;
	}
	json_object_put(o);
	json_object_put(request);
}

/* Return: it goes on. */
static bool client_reads(struct client *cl)
{
	ssize_t n;

	n = read(cl->fd, cl->question + cl->asked,
		 sizeof(cl->question) - 1 - cl->asked);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!n)
		return false;
	cl->asked += (size_t)n;
	cl->question[cl->asked] = 0;
	if (!memchr(cl->question, '\n', cl->asked))
		return cl->asked < sizeof(cl->question) - 1;
	answer(cl);
	return cl->answer && sd_event_source_set_io_events(cl->io,
							   EPOLLOUT) >= 0;
}

static bool client_writes(struct client *cl)
{
	ssize_t n;

	n = send(cl->fd, cl->answer + cl->sent, cl->len - cl->sent,
		 MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	cl->sent += (size_t)n;
	return cl->sent < cl->len;
}

static int on_client(sd_event_source *source, int fd, uint32_t events,
		     void *arg)
{
	struct client *cl = arg;

	(void)source;
	(void)fd;
	(void)events;
	if (!(cl->answer ? client_writes(cl) : client_reads(cl)))
		client_end(cl);
	return 0;
}

static int on_patience(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	client_end(arg);
	return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events,
		      void *arg)
{
	struct fm_loop *loop = arg;
	struct client *cl;
	int new;

	(void)source;
	(void)events;
	new = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (new < 0)
		return 0;
	cl = loop->clients < CLIENTS_MAX ? calloc(1, sizeof(*cl)) : NULL;
	if (!cl) {
		close(new);
		return 0;
	}
	cl->loop = loop;
	cl->fd = new;
	loop->clients++;
	if (sd_event_add_io(loop->event, &cl->io, new, EPOLLIN, on_client,
			    cl) < 0 ||
	    sd_event_add_time_relative(loop->event, &cl->timer,
				       CLOCK_MONOTONIC, PATIENCE_US, 0,
				       on_patience, cl) < 0)
		client_end(cl);
	return 0;
}

int fm_serve(struct fm_loop *loop)
{
	int fd = fm_listen(&loop->fm->config);
	int err;

	if (fd < 0)
		return fd;
	err = sd_event_add_io(loop->event, &loop->server, fd, EPOLLIN,
			      on_connect, loop);
	if (err >= 0)
		err = sd_event_source_set_io_fd_own(loop->server, 1);
	else
		close(fd);
	return err < 0 ? err : 0;
}
