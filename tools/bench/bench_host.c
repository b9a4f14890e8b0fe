// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the host below the guest can tell. Two ports lead there: alink-vm
 * serves QMP at one, and tools/bench/run answers at the other. Each takes a line
 * and gives a line. On hardware there are none.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define ANSWER_MS	60000
#define LINE		4096
#define GEMM_PORT	"alink.bench"
#define MAX_PORTS	32

/* --- ports ---------------------------------------------------------------- */

static int read_line(int fd, char *line)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t have = 0;
	ssize_t n;

	for (;;) {
		n = poll(&p, 1, ANSWER_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ETIME;
		n = read(fd, line + have, LINE - 1 - have);
		if (n <= 0)
			return n ? -errno : -EPIPE;
		have += (size_t)n;
		line[have] = '\0';
		if (strchr(line, '\n'))
			return 0;
		if (have == LINE - 1)
			return -EMSGSIZE;
	}
}

/* Writes @line, and reads the answer into it. */
static int ask(struct bench *b, const char *port, char *line)
{
	size_t len = strlen(line);
	int fd, err = 0;

	if (!port)
		return bench_fail(b, -ENXIO, "no port to the host");
	fd = open(port, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return bench_fail(b, -errno, "%s: %s", port, strerror(errno));
	if (write(fd, line, len) != (ssize_t)len)
		err = -EIO;
	if (!err)
		err = read_line(fd, line);
	close(fd);
	return err ? bench_fail(b, err, "%s: no answer from the host: %s",
				port, strerror(-err)) : 0;
}

/* --- QMP ------------------------------------------------------------------ */

static const char *qmp_port(void)
{
	const char *port = getenv("ALINK_QMP");

	return port && *port ? port : NULL;
}

bool bench_host_has_memcpy(void)
{
	return qmp_port();
}

/* What the command returns, to be put; NULL after bench_fail(). */
static struct json_object *qmp(struct bench *b, const char *command)
{
	struct json_object *answer, *value;
	char line[LINE];

	snprintf(line, sizeof(line), "%s\n", command);
	if (ask(b, qmp_port(), line))
		return NULL;
	answer = json_tokener_parse(line);
	if (json_object_is_type(answer, json_type_object) &&
	    json_object_object_get_ex(answer, "return", &value)) {
		json_object_get(value);
	} else {
		value = NULL;
		line[strcspn(line, "\n")] = '\0';
		bench_fail(b, -EIO, "QMP: %s: %.200s", command, line);
	}
	json_object_put(answer);
	return value;
}

const char *bench_host_qemu(struct bench *b)
{
	static char text[32];
	struct json_object *o, *v, *part[3];
	bool good;

	if (!qmp_port())
		return NULL;
	o = qmp(b, "{\"execute\": \"query-version\"}");
	good = json_object_object_get_ex(o, "qemu", &v) &&
	       json_object_object_get_ex(v, "major", &part[0]) &&
	       json_object_object_get_ex(v, "minor", &part[1]) &&
	       json_object_object_get_ex(v, "micro", &part[2]);
	if (good)
		snprintf(text, sizeof(text), "%d.%d.%d",
			 json_object_get_int(part[0]),
			 json_object_get_int(part[1]),
			 json_object_get_int(part[2]));
	json_object_put(o);
	return good ? text : NULL;
}

/* A property of the xPU that is measured; @value: how to set it, or NULL */
static struct json_object *qom(struct bench *b, const char *property,
			       const char *value)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "{\"execute\": \"qom-%s\", \"arguments\": {\"path\": "
		 "\"/machine/peripheral/xpu%u\", \"property\": \"%s\"%s%s}}",
		 value ? "set" : "get", b->fabric_id, property,
		 value ? ", \"value\": " : "", value ? value : "");
	return qmp(b, command);
}

int bench_host_memcpy(struct bench *b, uint64_t bytes, double *gbs)
{
	struct json_object *o;
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	o = qom(b, "x-memcpy-bytes", text);
	if (!o)
		return -EIO;
	json_object_put(o);
	o = qom(b, "x-memcpy-mib-s", NULL);
	if (!o)
		return -EIO;
	*gbs = (double)json_object_get_int64(o) * (1 << 20) / 1e9;
	json_object_put(o);
	return *gbs > 0 ? 0 : bench_fail(b, -EIO,
					 "QMP: x-memcpy-mib-s is no rate");
}

/* --- GEMM ----------------------------------------------------------------- */

/* Path of the port, or NULL. */
static const char *gemm_port(void)
{
	static char path[96];
	struct bench_name port[MAX_PORTS];
	const char *class = "/sys/class/virtio-ports";
	unsigned int i, n = bench_list(port, MAX_PORTS, class, "");
	char name[64];

	for (i = 0; i < n && i < MAX_PORTS; i++) {
		if (bench_read(name, sizeof(name), "%s/%s/name", class,
			       port[i].text) || strcmp(name, GEMM_PORT))
			continue;
		snprintf(path, sizeof(path), "/dev/%.63s", port[i].text);
		return path;
	}
	return NULL;
}

bool bench_host_has_gemm(void)
{
	return gemm_port();
}

int bench_host_gemm(struct bench *b, double *gflops)
{
	char line[LINE] = "gemm\n", *end;
	int err = ask(b, gemm_port(), line);

	if (err)
		return err;
	*gflops = strtod(line, &end);
	line[strcspn(line, "\n")] = '\0';
	if (end == line || *end || !(*gflops > 0))
		return bench_fail(b, -EIO, "the host, asked for its GEMM: %.200s",
				  line);
	return 0;
}
