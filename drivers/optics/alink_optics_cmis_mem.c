// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_optics.ko: access to the memory of a CMIS module.
 *
 * The upper half of the window is whatever page was selected last, by us, by
 * another user of the bus, or by the module that has reset itself. So each
 * access reads bank and page back while it holds the bus, and selects anew
 * when they are not the wanted ones.
 */
#include <linux/delay.h>
#include <linux/i2c.h>
#include <linux/jiffies.h>

#include "alink_optics_cmis.h"
#include "alink_optics_priv.h"

/* A module may be busy for this long after a write */
#define ALINK_CMIS_BUSY_MS	80
/* And for this long after it was put in or reset */
#define ALINK_CMIS_INIT_MS	2500
#define ALINK_CMIS_WRITE_MAX	8
#define ALINK_CMIS_TRIES	3

/* The bus is locked: nothing comes between what the caller does in a row. */
static int alink_cmis_xfer(struct alink_cmis *cmis, struct i2c_msg *msgs,
			   int num)
{
	unsigned long give_up = jiffies + msecs_to_jiffies(ALINK_CMIS_BUSY_MS);
	bool late;
	int err;

	for (;;) {
		late = time_after(jiffies, give_up);
		err = __i2c_transfer(cmis->client->adapter, msgs, num);
		if (err == num)
			return 0;
		if (err >= 0)
			err = -EIO;
		/* Busy modules do not answer; missing ones never will. */
		if (err != -ENXIO || late)
			return err;
		if (cmis->ch && !alink_optics_same_module(cmis->ch))
			return -ENODEV;
		usleep_range(200, 400);
	}
}

static int alink_cmis_get(struct alink_cmis *cmis, u8 offset, u8 *buf,
			  unsigned int len)
{
	struct i2c_msg msgs[] = {
		{ .addr = cmis->client->addr, .len = 1, .buf = &offset },
		{ .addr = cmis->client->addr, .flags = I2C_M_RD, .len = len,
		  .buf = buf },
	};

	return alink_cmis_xfer(cmis, msgs, ARRAY_SIZE(msgs));
}

static int alink_cmis_put(struct alink_cmis *cmis, u8 offset, const u8 *buf,
			  unsigned int len)
{
	u8 data[1 + ALINK_CMIS_WRITE_MAX] = { offset };
	struct i2c_msg msg = {
		.addr = cmis->client->addr, .len = 1 + len, .buf = data,
	};

	if (WARN_ON_ONCE(len > ALINK_CMIS_WRITE_MAX))
		return -EINVAL;
	memcpy(&data[1], buf, len);
	return alink_cmis_xfer(cmis, &msg, 1);
}

/* Makes sure that the upper half shows @page of @bank. */
static int alink_cmis_select(struct alink_cmis *cmis, u8 bank, u8 page)
{
	u8 want[] = { bank, page }, have[2];
	unsigned int try;
	int err;

	for (try = 0; try < ALINK_CMIS_TRIES; try++) {
		err = alink_cmis_get(cmis, CMIS_LO_BANK, have, sizeof(have));
		if (err)
			return err;
		if (!memcmp(want, have, sizeof(want)))
			return 0;
		/* The module shows page 00h instead of one it does not have. */
		if (try && !have[0] && !have[1])
			return -EOPNOTSUPP;
		err = alink_cmis_put(cmis, CMIS_LO_BANK, want, sizeof(want));
		if (err)
			return err;
	}
	return -EIO;
}

static bool alink_cmis_range_ok(unsigned int offset, unsigned int len)
{
	if (offset < CMIS_PAGE_BYTES)
		return len && offset + len <= CMIS_PAGE_BYTES;
	return len && offset < 2 * CMIS_PAGE_BYTES &&
	       len <= 2 * CMIS_PAGE_BYTES - offset;
}

static int alink_cmis_read_bus(struct alink_cmis *cmis, u8 bank, u8 page,
			       unsigned int offset, u8 *buf, unsigned int len)
{
	int err = 0;

	lockdep_assert_held(&cmis->lock);

	i2c_lock_bus(cmis->client->adapter, I2C_LOCK_SEGMENT);
	if (offset >= CMIS_PAGE_BYTES)
		err = alink_cmis_select(cmis, bank, page);
	if (!err)
		err = alink_cmis_get(cmis, offset, buf, len);
	i2c_unlock_bus(cmis->client->adapter, I2C_LOCK_SEGMENT);

	/* It answers, but not as the module that it was a moment ago. */
	if (!err && !offset && buf[0] != cmis->id)
		err = -EBADMSG;
	return err;
}

/*
 * Reads bytes that lie in one half of the window. Pages 00h to 02h come from
 * memory. Reading clears flags in the module; each reader gets them all the
 * same.
 *
 * Return: 0; -EINVAL for a bad range; -EOPNOTSUPP for a page that the module
 * does not have; -ENODEV when it is gone; -EBADMSG when it makes no sense; or
 * the errors of the I2C bus.
 */
int alink_cmis_read(struct alink_cmis *cmis, enum alink_cmis_reader reader,
		    u8 bank, u8 page, unsigned int offset, void *buf,
		    unsigned int len)
{
	int err = 0;

	if (!alink_cmis_range_ok(offset, len))
		return -EINVAL;
	if (offset >= CMIS_PAGE_BYTES && page && cmis->flat)
		return -EOPNOTSUPP;

	mutex_lock(&cmis->lock);
	if (offset >= CMIS_PAGE_BYTES && !bank &&
	    page < ARRAY_SIZE(cmis->page))
		memcpy(buf, &cmis->page[page][offset - CMIS_PAGE_BYTES], len);
	else
		err = alink_cmis_read_bus(cmis, bank, page, offset, buf, len);
	if (!err)
		alink_cmis_flags_seen(cmis, reader, bank, page, offset, buf,
				      len);
	mutex_unlock(&cmis->lock);
	return err;
}

/* Writes bytes that lie in one half of the window. Errors as for reading. */
int alink_cmis_write(struct alink_cmis *cmis, u8 bank, u8 page,
		     unsigned int offset, const void *buf, unsigned int len)
{
	unsigned int done, n;
	int err = 0;

	if (!alink_cmis_range_ok(offset, len))
		return -EINVAL;
	if (offset >= CMIS_PAGE_BYTES && page && cmis->flat)
		return -EOPNOTSUPP;

	mutex_lock(&cmis->lock);
	i2c_lock_bus(cmis->client->adapter, I2C_LOCK_SEGMENT);
	if (offset >= CMIS_PAGE_BYTES)
		err = alink_cmis_select(cmis, bank, page);
	for (done = 0; !err && done < len; done += n) {
		n = min(len - done, ALINK_CMIS_WRITE_MAX);
		err = alink_cmis_put(cmis, offset + done, buf + done, n);
	}
	i2c_unlock_bus(cmis->client->adapter, I2C_LOCK_SEGMENT);
	mutex_unlock(&cmis->lock);
	return err;
}

/* Changes bits of one byte of the lower memory. */
int alink_cmis_update(struct alink_cmis *cmis, unsigned int offset, u8 clear,
		      u8 set)
{
	u8 value;
	int err;

	mutex_lock(&cmis->lock);
	i2c_lock_bus(cmis->client->adapter, I2C_LOCK_SEGMENT);
	err = alink_cmis_get(cmis, offset, &value, 1);
	if (!err) {
		value = (value & ~clear) | set;
		err = alink_cmis_put(cmis, offset, &value, 1);
	}
	i2c_unlock_bus(cmis->client->adapter, I2C_LOCK_SEGMENT);
	mutex_unlock(&cmis->lock);
	return err;
}

/* Waits until a module that was just put in answers, and reads what it is. */
int alink_cmis_identify(struct alink_cmis *cmis)
{
	unsigned long give_up = jiffies + msecs_to_jiffies(ALINK_CMIS_INIT_MS);
	u8 low[CMIS_LO_STATE + 1];
	bool late;
	int err;

	do {
		late = time_after(jiffies, give_up);
		i2c_lock_bus(cmis->client->adapter, I2C_LOCK_SEGMENT);
		err = alink_cmis_get(cmis, 0, low, sizeof(low));
		i2c_unlock_bus(cmis->client->adapter, I2C_LOCK_SEGMENT);
	} while (err == -ENXIO && !late);
	if (err)
		return err;

	cmis->id = low[CMIS_LO_ID];
	cmis->flat = low[CMIS_LO_FLAGS] & CMIS_LO_FLAT;
	switch (cmis->id) {
	case CMIS_ID_QSFP_DD:
	case CMIS_ID_OSFP:
		break;
	default:
		dev_err(&cmis->client->dev,
			"identifier 0x%02x is no kind of module known here\n",
			cmis->id);
		return -ENODEV;
	}
	if (low[CMIS_LO_REVISION] < 0x40) {
		dev_err(&cmis->client->dev, "CMIS revision %u.%u, 4.0 needed\n",
			low[CMIS_LO_REVISION] >> 4,
			low[CMIS_LO_REVISION] & 0xf);
		return -ENODEV;
	}
	return 0;
}

static bool alink_cmis_sum_ok(struct alink_cmis *cmis, unsigned int page,
			      unsigned int first, unsigned int last)
{
	unsigned int i;
	u8 sum = 0;

	for (i = first; i < last; i++)
		sum += alink_cmis_const(cmis, page, i);
	if (sum == alink_cmis_const(cmis, page, last))
		return true;
	dev_err(&cmis->client->dev,
		"page 0x%02x: checksum 0x%02x, computed 0x%02x\n", page,
		alink_cmis_const(cmis, page, last), sum);
	return false;
}

/* Reads the pages that do not change. A wrong checksum is no error here. */
int alink_cmis_load(struct alink_cmis *cmis)
{
	unsigned int i, pages = cmis->flat ? 1 : ARRAY_SIZE(cmis->page);
	int err = 0;

	mutex_lock(&cmis->lock);
	for (i = 0; i < pages && !err; i++)
		err = alink_cmis_read_bus(cmis, 0, i, CMIS_PAGE_BYTES,
					  cmis->page[i], CMIS_PAGE_BYTES);
	mutex_unlock(&cmis->lock);
	if (err)
		return err;

	cmis->sound = alink_cmis_sum_ok(cmis, 0, 128, CMIS_00_CHECKSUM);
	cmis->banks = 0;
	if (cmis->flat)
		return 0;
	cmis->sound &= alink_cmis_sum_ok(cmis, 1, 130, CMIS_01_CHECKSUM);
	cmis->sound &= alink_cmis_sum_ok(cmis, 2, 128, CMIS_02_CHECKSUM);

	switch (alink_cmis_const(cmis, 1, CMIS_01_PAGES) &
		CMIS_01_PAGES_BANKS) {
	case 0:
		cmis->banks = 1;
		break;
	case 1:
		cmis->banks = 2;
		break;
	case 2:
		cmis->banks = 4;
		break;
	default:
		dev_err(&cmis->client->dev, "unknown number of banks\n");
		cmis->sound = false;
		break;
	}
	return 0;
}
