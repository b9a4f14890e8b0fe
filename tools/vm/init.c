// SPDX-License-Identifier: GPL-2.0
/*
 * First program of an alink-vm guest, static, alone in the initramfs beside
 * the few kernel modules that it needs to reach the host's files.
 *
 * It stacks the guest's root: host root (9p, read-only) below the tree of our
 * kernel modules (9p, read-only) below a tmpfs that takes all writes, and hands
 * over to the shell script that the launcher put in its control folder.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define P9_OPTS	"trans=virtio,version=9p2000.L,msize=524288"
#define SCRIPT	"/run/alink/guest-init"

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

int main(void)
{
	static char *const envp[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "TERM=linux", NULL
	};
	static char *const argv[] = { "bash", SCRIPT, NULL };

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
	do_mount("proc", "proc", "proc", 0, NULL);
	do_mount("sys", "sys", "sysfs", 0, NULL);
	do_mount("run", "run", "tmpfs", MS_NOSUID, "mode=755");
	do_mount("tmp", "tmp", "tmpfs", MS_NOSUID, "mode=1777");
	do_mount("ctl", "run/alink", "9p", 0, P9_OPTS ",cache=none");

	if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))
		fail("switch root");
	execve("/bin/bash", argv, envp);
	fail("/bin/bash");
}
