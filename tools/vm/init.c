// SPDX-License-Identifier: GPL-2.0
/*
 * First program of an alink-vm guest, static, alone in the initramfs beside
 * the few kernel modules that it needs to reach the host's files.
 *
 * It stacks the guest's root: host root (9p, read-only) below the tree of our
 * kernel modules (9p, read-only) below a tmpfs that takes all writes, and hands
 * over to the shell script that the launcher put in its control folder. What a
 * shell would need a program for is done here: under emulation, and with KASAN,
 * each costs a third of a second.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define P9_OPTS	"trans=virtio,version=9p2000.L,msize=524288"
#define CONTROL	"run/alink"

/* Always a panic in effect: the launcher sees the log and no sentinel. */
static void fail(const char *what)
{
	dprintf(2, "alink-vm init: %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void do_mount(const char *src, const char *dir, const char *type,
		     unsigned long flags, const char *opts)
{
	if (mkdir(dir, 0755) && errno != EEXIST)
		fail(dir);
	if (mount(src, dir, type, flags, opts))
		fail(dir);
}

static void load_modules(void)
{
	char path[256];
	FILE *list;

	list = fopen("/modules/order", "r");
	if (!list)
		return;

	while (fscanf(list, "%255s", path) == 1) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			fail(path);
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			fail(path);
		close(fd);
	}
	fclose(list);
}

/* 9p shares of the launcher: lines "TAG MODE PATH" */
static void mount_shares(void)
{
	char tag[64], mode[8], path[4096];
	FILE *list;

	list = fopen("/" CONTROL "/shares", "r");
	if (!list)
		fail("shares");
	while (fscanf(list, "%63s %7s %4095[^\n]", tag, mode, path) == 3) {
		bool loose = !strncmp(tag, "loose-", 6);
		char *slash = path;

		while ((slash = strchr(slash + 1, '/'))) {
			*slash = '\0';
			if (mkdir(path, 0755) && errno != EEXIST)
				fail(path);
			*slash = '/';
		}
		do_mount(tag, path, "9p", strcmp(mode, "ro") ? 0 : MS_RDONLY,
			 loose ? P9_OPTS ",cache=loose" : P9_OPTS ",cache=none");
	}
	if (!feof(list))
		fail("shares");
	fclose(list);
}

static void loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		fail("lo");
	close(fd);
}

int main(void)
{
	static char *const envp[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "TERM=linux", NULL
	};
	static char *const argv[] = { "bash", "/" CONTROL "/guest-init", NULL };

	do_mount("proc", "/proc", "proc", 0, NULL);
	load_modules();

	do_mount("host", "/host", "9p", MS_RDONLY, P9_OPTS ",cache=loose");
	do_mount("mods", "/mods", "9p", MS_RDONLY, P9_OPTS ",cache=loose");
	do_mount("rw", "/rw", "tmpfs", 0, "mode=755");
	if (mkdir("/rw/up", 0755) || mkdir("/rw/work", 0755))
		fail("/rw");
	do_mount("root", "/root", "overlay", 0,
		 "lowerdir=/mods:/host,upperdir=/rw/up,workdir=/rw/work");
	if (chdir("/root"))
		fail("/root");

	do_mount("dev", "dev", "devtmpfs", 0, "mode=755");
	do_mount("devpts", "dev/pts", "devpts", 0, "mode=620,ptmxmode=666");
	do_mount("shm", "dev/shm", "tmpfs", 0, "mode=1777");
	if (symlink("/proc/self/fd", "dev/fd") && errno != EEXIST)
		fail("dev/fd");
	do_mount("proc", "proc", "proc", 0, NULL);
	do_mount("sys", "sys", "sysfs", 0, NULL);
	/* Kernels may be without */
	mount("debugfs", "sys/kernel/debug", "debugfs", 0, NULL);
	mount("cgroup2", "sys/fs/cgroup", "cgroup2", 0, NULL);
	do_mount("run", "run", "tmpfs", MS_NOSUID, "mode=755");
	if (mkdir("run/lock", 0755) || mkdir("run/udev", 0755))
		fail("run");
	do_mount("tmp", "tmp", "tmpfs", MS_NOSUID, "mode=1777");
	do_mount("ctl", CONTROL, "9p", 0, P9_OPTS ",cache=none");
	if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("switch root");

	/* Only now: links of the host lead from the root. */
	do_mount("tmp", "/var/tmp", "tmpfs", 0, "mode=1777");
	mount_shares();
	loopback_up();
	execve("/bin/bash", argv, envp);
	fail("/bin/bash");
}
