// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints a line "ioctl NAME NUMBER" for each ioctl of alink_xpu, and a line
 * "command NAME NUMBER" for each command of the netlink family.
 */
#include <stdio.h>

#include <drm/alink_xpu.h>
#include <linux/alink.h>

#define IOCTL(name) \
	printf("ioctl " #name " %lu\n", (unsigned long)DRM_IOCTL_##name);
#define COMMAND(name)	printf("command " #name " %d\n", name);

int main(void)
{
#include "calls.inc"
	return 0;
}
