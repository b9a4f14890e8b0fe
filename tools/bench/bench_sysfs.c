// SPDX-License-Identifier: GPL-2.0-only
/* Files of sysfs, and programs of the administrator. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static int open_at(int flags, const char *fmt, va_list args)
{
	char path[512];
	int fd;

	if (vsnprintf(path, sizeof(path), fmt, args) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int bench_read(char *line, size_t size, const char *fmt, ...)
{
	va_list args;
	ssize_t n;
	int fd;

	va_start(args, fmt);
	fd = open_at(O_RDONLY, fmt, args);
	va_end(args);
	if (fd < 0)
		return fd;
	n = read(fd, line, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

int bench_write(const char *text, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list args;
	int fd, err = 0;

	va_start(args, fmt);
	fd = open_at(O_WRONLY, fmt, args);
	va_end(args);
	if (fd < 0)
		return fd;
	if (write(fd, text, len) != (ssize_t)len)
		err = -errno;
	close(fd);
	return err;
}

static int by_text(const void *a, const void *b)
{
	const struct bench_name *x = a, *y = b;

	return strcmp(x->text, y->text);
}

unsigned int bench_list(struct bench_name *names, unsigned int max,
			const char *dir, const char *prefix)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;
	struct dirent *e;

	if (!d)
		return 0;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' ||
		    strncmp(e->d_name, prefix, strlen(prefix)) ||
		    strlen(e->d_name) >= sizeof(names->text))
			continue;
		if (n < max)
			strcpy(names[n].text, e->d_name);
		n++;
	}
	closedir(d);
	qsort(names, n < max ? n : max, sizeof(*names), by_text);
	return n;
}

int bench_spawn(struct bench *b, const char *program, const char *arg,
		const char *arg2)
{
	char *argv[] = { (char *)program, (char *)arg, (char *)arg2, NULL };
	int err, status;
	pid_t pid;

	err = posix_spawnp(&pid, program, NULL, NULL, argv, environ);
	if (err)
		return bench_fail(b, -err, "%s: %s", program, strerror(err));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return bench_fail(b, -errno, "%s: %s", program,
					  strerror(errno));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return bench_fail(b, -EIO, "%s %s%s%s: it failed (status %#x)", program,
			  arg, arg2 ? " " : "", arg2 ? arg2 : "",
			  (unsigned int)status);
}
