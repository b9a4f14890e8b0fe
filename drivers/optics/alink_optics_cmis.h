/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of alink_optics.ko: one CMIS module. See alink_optics_priv.h for the
 * order of locks.
 */
#ifndef ALINK_OPTICS_CMIS_H
#define ALINK_OPTICS_CMIS_H

#include <linux/i2c.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include <hw/alink/cmis.h>

#define ALINK_CMIS_LOW_FLAGS	(CMIS_LO_FLAGS_LAST - CMIS_LO_FLAGS_FIRST + 1)
#define ALINK_CMIS_LANE_FLAGS	(CMIS_11_FLAGS_LAST - CMIS_11_FLAGS_FIRST + 1)
#define ALINK_CMIS_BANKS	(CMIS_MAX_LANES / CMIS_BANK_LANES)

struct alink_optics_channel;
struct alink_module;
struct netlink_ext_ack;

/**
 * enum alink_cmis_reader - who reads flags, which reading clears
 * @ALINK_CMIS_USER:	the user of the EEPROM
 * @ALINK_CMIS_HWMON:	the alarm attributes
 * @ALINK_CMIS_DRIVER:	the driver's own look after an interrupt
 * @ALINK_CMIS_READERS:	number of readers
 */
enum alink_cmis_reader {
	ALINK_CMIS_USER,
	ALINK_CMIS_HWMON,
	ALINK_CMIS_DRIVER,
	ALINK_CMIS_READERS,
};

/* Flags that were read from the module and not yet by one of the readers */
struct alink_cmis_flags {
	u8 low[ALINK_CMIS_LOW_FLAGS];
	u8 lane[ALINK_CMIS_BANKS][ALINK_CMIS_LANE_FLAGS];
};

struct alink_cmis_hwmon;

/**
 * struct alink_cmis - one module
 * @client:	I2C client
 * @ch:		cage, or NULL when the client is not one of ours
 * @module:	registration for the ports, or NULL
 * @lock:	protects page selection, @flags and @page; one access at a time
 * @id:		identifier of the module
 * @flat:	no pages beyond 00h
 * @sound:	checksums are right
 * @banks:	banks of the pages from 10h
 * @page:	pages 00h, 01h and 02h, which do not change
 * @flags:	by reader
 * @reported:	flags that the log has
 * @interrupted: when the module asked for attention last, jiffies
 * @state:	module state that the log has
 * @hwmon:	sensors, or NULL
 */
struct alink_cmis {
	struct i2c_client *client;
	struct alink_optics_channel *ch;
	struct alink_module *module;
	/* protects page selection, flags and cached pages */
	struct mutex lock;
	u8 id;
	bool flat;
	bool sound;
	unsigned int banks;
	u8 page[3][CMIS_PAGE_BYTES];
	struct alink_cmis_flags flags[ALINK_CMIS_READERS];
	struct alink_cmis_flags reported;
	unsigned long interrupted;
	u8 state;
	struct alink_cmis_hwmon *hwmon;
};

static inline unsigned int alink_cmis_lanes(const struct alink_cmis *cmis)
{
	return cmis->banks * CMIS_BANK_LANES;
}

/* A byte of a page that does not change, by its offset in the window */
static inline u8 alink_cmis_const(const struct alink_cmis *cmis,
				  unsigned int page, unsigned int offset)
{
	return cmis->page[page][offset - CMIS_PAGE_BYTES];
}

static inline u16 alink_cmis_const16(const struct alink_cmis *cmis,
				     unsigned int page, unsigned int offset)
{
	return alink_cmis_const(cmis, page, offset) << 8 |
	       alink_cmis_const(cmis, page, offset + 1);
}

/* alink_optics_cmis_mem.c */
int alink_cmis_read(struct alink_cmis *cmis, enum alink_cmis_reader reader,
		    u8 bank, u8 page, unsigned int offset, void *buf,
		    unsigned int len);
int alink_cmis_write(struct alink_cmis *cmis, u8 bank, u8 page,
		     unsigned int offset, const void *buf, unsigned int len);
int alink_cmis_update(struct alink_cmis *cmis, unsigned int offset, u8 clear,
		      u8 set);
int alink_cmis_identify(struct alink_cmis *cmis);
int alink_cmis_load(struct alink_cmis *cmis);

/* alink_optics_cmis_flags.c */
void alink_cmis_flags_seen(struct alink_cmis *cmis,
			   enum alink_cmis_reader reader, u8 bank, u8 page,
			   unsigned int offset, u8 *buf, unsigned int len);
void alink_cmis_flags_handle(struct alink_cmis *cmis);

/* alink_optics_cmis_hwmon.c */
int alink_cmis_hwmon_register(struct alink_cmis *cmis);
void alink_cmis_hwmon_unregister(struct alink_cmis *cmis);
void alink_cmis_hwmon_notify(struct alink_cmis *cmis,
			     const struct alink_cmis_flags *flags);

#endif /* ALINK_OPTICS_CMIS_H */
