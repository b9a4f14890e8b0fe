// SPDX-License-Identifier: GPL-2.0-only
/*
 * The optical module behind a link: whether it is there, as sysfs has it, and
 * what its memory says, read as "ethtool -m" does.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/ethtool_netlink.h>

#include <hw/alink/cmis.h>

#include "lib_netlink.h"

#define TEXT_LEN	16		/* of texts on page 00h */

/* The first line of a file, without the newline */
static bool read_line(const char *path, char *buf, int room)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(buf, room, f);
	fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = 0;
	return ok;
}

/* --- sysfs ---------------------------------------------------------------- */

/* The folder of the cage's I2C bus, and the number of that bus */
static bool find_bus(const struct alink_module_info *m, char *bus, size_t room,
		     unsigned int *num)
{
	char pattern[PATH_MAX], path[PATH_MAX], want[64], name[64];
	bool found = false;
	glob_t paths;
	size_t i;

	snprintf(want, sizeof(want), "ALink %s cage %u", m->controller,
		 m->cage);
	snprintf(pattern, sizeof(pattern), "/sys/class/alink/%s/device/i2c-*",
		 m->controller);
	if (glob(pattern, 0, NULL, &paths))
		return false;
	for (i = 0; i < paths.gl_pathc && !found; i++) {
		snprintf(path, sizeof(path), "%.4000s/name", paths.gl_pathv[i]);
		found = read_line(path, name, sizeof(name)) &&
			!strcmp(name, want) &&
			sscanf(strrchr(paths.gl_pathv[i], '/'), "/i2c-%u",
			       num) == 1;
		if (found)
			snprintf(bus, room, "%s", paths.gl_pathv[i]);
	}
	globfree(&paths);
	return found;
}

static void read_temp(const char *client, struct alink_module_info *m)
{
	char pattern[PATH_MAX], text[32], *end;
	glob_t paths;
	long value;

	snprintf(pattern, sizeof(pattern), "%.4000s/hwmon/hwmon*/temp1_input",
		 client);
	if (glob(pattern, 0, NULL, &paths))
		return;
	if (read_line(paths.gl_pathv[0], text, sizeof(text))) {
		value = strtol(text, &end, 10);
		m->temp_known = end != text && !*end;
		m->temp = (int32_t)value;
	}
	globfree(&paths);
}

static void look_into_cage(struct alink_module_info *m)
{
	char bus[PATH_MAX - 64], client[PATH_MAX], driver[PATH_MAX + 16];
	unsigned int num;

	if (!find_bus(m, bus, sizeof(bus), &num))
		return;
	m->presence = ALINK_MODULE_MISSING;
	snprintf(client, sizeof(client), "%s/%u-%04x", bus, num,
		 CMIS_I2C_ADDR);
	if (access(client, F_OK))
		return;
	snprintf(driver, sizeof(driver), "%s/driver", client);
	m->presence = access(driver, F_OK) ? ALINK_MODULE_SILENT :
					     ALINK_MODULE_FITTED;
	read_temp(client, m);
}

/* --- its memory ----------------------------------------------------------- */

struct range {
	uint32_t offset;
	uint32_t len;
	uint8_t data[2 * TEXT_LEN + 2];
};

static int on_page(const struct nlattr *tb[], void *arg)
{
	struct range *r = arg;

	return alink_nl_get_bytes(tb[ETHTOOL_A_MODULE_EEPROM_DATA], r->data,
				  r->len);
}

static int read_memory(struct alink_ctx *ctx, uint32_t ifindex,
		       struct range *r)
{
	struct nl_request req = { .what = "read a module" };
	int err = alink_nl_start_ethtool(ctx, &req,
					 ETHTOOL_MSG_MODULE_EEPROM_GET);

	if (err)
		return err;
	alink_nl_nest_u32(&req, ETHTOOL_A_MODULE_EEPROM_HEADER,
			  ETHTOOL_A_HEADER_DEV_INDEX, ifindex);
	alink_nl_u32(&req, ETHTOOL_A_MODULE_EEPROM_OFFSET, r->offset);
	alink_nl_u32(&req, ETHTOOL_A_MODULE_EEPROM_LENGTH, r->len);
	alink_nl_u8(&req, ETHTOOL_A_MODULE_EEPROM_PAGE, 0);
	alink_nl_u8(&req, ETHTOOL_A_MODULE_EEPROM_BANK, 0);
	alink_nl_u8(&req, ETHTOOL_A_MODULE_EEPROM_I2C_ADDRESS, CMIS_I2C_ADDR);
	return alink_nl_run(ctx, &req, on_page, r);
}

/* Anybody can plug a module in: what is no text becomes '?'. */
static void take_text(char *to, const uint8_t *from)
{
	size_t i, len = 0;

	for (i = 0; i < TEXT_LEN; i++) {
		to[i] = isascii(from[i]) && isprint(from[i]) ? (char)from[i] :
							       '?';
		if (to[i] != ' ')
			len = i + 1;
	}
	to[len] = 0;
}

/*
 * Flags, which reading clears for whoever else looks through ethtool, are left
 * out. Returns the first error.
 */
static int read_module(struct alink_ctx *ctx, uint32_t ifindex,
		       struct alink_module_info *m)
{
	struct range state = { .offset = CMIS_LO_ID, .len = CMIS_LO_STATE + 1 };
	struct range fault = { .offset = CMIS_LO_FAULT, .len = 1 };
	struct range name = { .offset = CMIS_00_PN,
			      .len = CMIS_00_SN + TEXT_LEN - CMIS_00_PN };
	int err = read_memory(ctx, ifindex, &state);

	if (!err)
		err = read_memory(ctx, ifindex, &fault);
	if (!err)
		err = read_memory(ctx, ifindex, &name);
	if (err)
		return err;
	m->state = (state.data[CMIS_LO_STATE] & CMIS_LO_STATE_MASK) >> 1;
	m->fault = fault.data[0];
	take_text(m->part, name.data);
	take_text(m->serial, name.data + CMIS_00_SN - CMIS_00_PN);
	return 0;
}

/* -------------------------------------------------------------------------- */

int alink_module(struct alink_ctx *ctx, const struct alink_link_info *link,
		 const struct alink_device_info *dev, size_t n,
		 struct alink_module_info *info)
{
	size_t i;
	int err;

	memset(info, 0, sizeof(*info));
	if (link->module == ALINK_ID_NONE)
		return alink_fail(ctx, -ENOENT, "link %u has no module",
				  link->link);
	info->first_lane = link->module & 0xff;
	info->cage = link->module >> 8 & 0xff;
	for (i = 0; i < n; i++)
		if (dev[i].type == ALINK_DEVTYPE_OPTICS &&
		    (dev[i].serial & 0xffff) == link->module >> 16)
			break;
	if (i == n)
		return 0;
	snprintf(info->controller, sizeof(info->controller), "%.31s",
		 dev[i].name);
	look_into_cage(info);
	if (info->presence != ALINK_MODULE_FITTED || !link->ifindex)
		return 0;
	err = read_module(ctx, link->ifindex, info);
	if (err == -ENOMEM)
		return err;
	/* It may have gone between the two looks: that is seen at the next. */
	if (err && err != -EPERM)
		info->presence = ALINK_MODULE_SILENT;
	return 0;
}
