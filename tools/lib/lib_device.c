// SPDX-License-Identifier: GPL-2.0-only
/* The inventory: /sys/class/alink, or a recorded copy of it. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alink_priv.h"

#define CLASS_DIR	"/sys/class/alink"

/* One value of one file, without the newline. */
static int read_text(struct alink_ctx *ctx, const char *dev, const char *attr,
		     char *buf, size_t room)
{
	char path[PATH_MAX];
	FILE *f;
	int err = 0;

	snprintf(path, sizeof(path), "%s" CLASS_DIR "/%s/%s", ctx->root, dev,
		 attr);
	f = fopen(path, "re");
	if (!f)
		return alink_fail(ctx, -errno, "%s: %s", path,
				  strerror(errno));
	errno = 0;
	if (!fgets(buf, (int)room, f))
		err = alink_fail(ctx, errno ? -errno : -EIO, "%s: %s", path,
				 errno ? strerror(errno) : "empty");
	fclose(f);
	if (!err)
		buf[strcspn(buf, "\n")] = 0;
	return err;
}

static int read_number(struct alink_ctx *ctx, const char *dev, const char *attr,
		       uint64_t max, uint64_t *value)
{
	char buf[64], *end;
	int err = read_text(ctx, dev, attr, buf, sizeof(buf));

	if (err)
		return err;
	errno = 0;
	*value = strtoull(buf, &end, 0);
	if (errno || end == buf || *end || !isdigit((unsigned char)buf[0]) ||
	    *value > max)
		return alink_fail(ctx, -EIO, "%s/%s: \"%s\" is not a number up to %" PRIu64,
				  dev, attr, buf, max);
	return 0;
}

static int read_u32(struct alink_ctx *ctx, const char *dev, const char *attr,
		    uint32_t *value)
{
	uint64_t v = 0;
	int err = read_number(ctx, dev, attr, UINT32_MAX, &v);

	*value = (uint32_t)v;
	return err;
}

static int read_type(struct alink_ctx *ctx, const char *dev,
		     enum alink_devtype *type)
{
	char buf[32];
	uint32_t t;
	int err = read_text(ctx, dev, "type", buf, sizeof(buf));

	if (err)
		return err;
	for (t = ALINK_DEVTYPE_XPU; t <= ALINK_DEVTYPE_RACK; t++) {
		if (!strcmp(buf, alink_devtype_name(t))) {
			*type = t;
			return 0;
		}
	}
	return alink_fail(ctx, -EIO,
			  "%s/type: \"%s\" is not known to this library", dev,
			  buf);
}

static int read_fabric_id(struct alink_ctx *ctx, const char *dev, uint32_t *id)
{
	char buf[32];
	int err = read_text(ctx, dev, "fabric_id", buf, sizeof(buf));

	if (err)
		return err;
	*id = ALINK_ID_NONE;
	return strcmp(buf, "none") ? read_u32(ctx, dev, "fabric_id", id) : 0;
}

static void read_pci(struct alink_ctx *ctx, struct alink_device_info *info)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "%s" CLASS_DIR "/%s/device", ctx->root,
		 info->name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = 0;
	name = strrchr(target, '/');
	snprintf(info->pci, sizeof(info->pci), "%.31s",
		 name ? name + 1 : target);
}

static int read_device(struct alink_ctx *ctx, const char *dev,
		       struct alink_device_info *info)
{
	int err;

	memset(info, 0, sizeof(*info));
	snprintf(info->name, sizeof(info->name), "%.31s", dev);
	read_pci(ctx, info);
	err = read_type(ctx, dev, &info->type);
	if (!err)
		err = read_u32(ctx, dev, "index", &info->index);
	if (!err)
		err = read_u32(ctx, dev, "variant", &info->variant);
	if (!err)
		err = read_u32(ctx, dev, "num_links", &info->num_links);
	if (!err)
		err = read_u32(ctx, dev, "generation", &info->generation);
	if (!err)
		err = read_fabric_id(ctx, dev, &info->fabric_id);
	if (!err)
		err = read_number(ctx, dev, "serial", UINT64_MAX,
				  &info->serial);
	if (!err)
		err = read_number(ctx, dev, "caps", UINT64_MAX, &info->caps);
	if (!err)
		err = read_text(ctx, dev, "fw_version", info->fw,
				sizeof(info->fw));
	if (!err)
		err = read_text(ctx, dev, "state", info->state,
				sizeof(info->state));
	if (err)
		return err;
	/* A register: a device that is gone or in reset cannot answer. */
	err = read_u32(ctx, dev, "guest_errors", &info->guest_errors);
	if (err == -ENODEV || err == -EAGAIN)
		err = 0;
	return err;
}

/* xpu2 before xpu10 */
static int by_name(const void *a, const void *b)
{
	const struct alink_device_info *x = a, *y = b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return strverscmp(x->name, y->name);
}

static int open_class(struct alink_ctx *ctx, DIR **dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s" CLASS_DIR, ctx->root);
	*dir = opendir(path);
	if (*dir)
		return 0;
	if (errno == ENOENT)
		return alink_fail(ctx, -ENOPROTOOPT,
				  "alink.ko is not loaded (no %s): modprobe alink",
				  path);
	return alink_fail(ctx, -errno, "%s: %s", path, strerror(errno));
}

int alink_device_index(struct alink_ctx *ctx, const char *name,
		       uint32_t *index)
{
	int err = -ENOENT;
	DIR *dir;

	/* A name, and no path to somewhere else */
	if (*name && *name != '.' && !strchr(name, '/'))
		err = read_u32(ctx, name, "index", index);
	if (err != -ENOENT && err != -ENODEV)
		return err;
	err = open_class(ctx, &dir);
	if (err)
		return err;
	closedir(dir);
	return alink_fail(ctx, -ENODEV, "no such device: %s", name);
}

int alink_devices(struct alink_ctx *ctx, struct alink_device_info **out,
		  size_t *count)
{
	struct alink_device_info *list = NULL, *grown;
	struct dirent *e;
	size_t n = 0;
	DIR *dir;
	int err;

	err = open_class(ctx, &dir);
	if (err)
		return err;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		grown = realloc(list, (n + 1) * sizeof(*list));
		if (!grown) {
			err = alink_fail(ctx, -ENOMEM, "out of memory");
			break;
		}
		list = grown;
		err = read_device(ctx, e->d_name, &list[n]);
		/* Unplugged while we looked: not an error of the list. */
		if (err == -ENOENT || err == -ENODEV) {
			err = 0;
			continue;
		}
		if (err)
			break;
		n++;
	}
	closedir(dir);
	if (err) {
		free(list);
		return err;
	}
	if (n)
		qsort(list, n, sizeof(*list), by_name);
	*out = list;
	*count = n;
	return 0;
}
