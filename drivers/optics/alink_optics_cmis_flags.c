// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_optics.ko: latched flags of a module.
 *
 * Reading a flag clears it in the module, whoever reads. So that ethtool does
 * not take alarms away from hwmon, nor the driver from both, what is read is
 * kept for each reader until it has seen it.
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>

#include "alink_optics_cmis.h"
#include "alink_optics_priv.h"

/* A condition that lasts interrupts about once per second */
#define ALINK_CMIS_QUIET_MS	2500

static u8 *alink_cmis_flag(struct alink_cmis_flags *flags, u8 bank, u8 page,
			   unsigned int offset)
{
	if (offset >= CMIS_LO_FLAGS_FIRST && offset <= CMIS_LO_FLAGS_LAST)
		return &flags->low[offset - CMIS_LO_FLAGS_FIRST];
	if (page == 0x11 && bank < ALINK_CMIS_BANKS &&
	    offset >= CMIS_11_FLAGS_FIRST && offset <= CMIS_11_FLAGS_LAST)
		return &flags->lane[bank][offset - CMIS_11_FLAGS_FIRST];
	return NULL;
}

/* Adds what earlier reads cleared to what @reader has just read. */
void alink_cmis_flags_seen(struct alink_cmis *cmis,
			   enum alink_cmis_reader reader, u8 bank, u8 page,
			   unsigned int offset, u8 *buf, unsigned int len)
{
	unsigned int i, r;
	u8 *kept, now;

	lockdep_assert_held(&cmis->lock);

	for (i = 0; i < len; i++) {
		if (!alink_cmis_flag(&cmis->flags[reader], bank, page,
				     offset + i))
			continue;
		now = buf[i];
		for (r = 0; r < ALINK_CMIS_READERS; r++) {
			kept = alink_cmis_flag(&cmis->flags[r], bank, page,
					       offset + i);
			if (r == reader) {
				buf[i] |= *kept;
				*kept = 0;
			} else {
				*kept |= now;
			}
		}
	}
}

static int alink_cmis_flags_read(struct alink_cmis *cmis,
				 struct alink_cmis_flags *flags)
{
	unsigned int bank;
	int err;

	err = alink_cmis_read(cmis, ALINK_CMIS_DRIVER, 0, 0,
			      CMIS_LO_FLAGS_FIRST, flags->low,
			      sizeof(flags->low));
	for (bank = 0; bank < cmis->banks && !err; bank++)
		err = alink_cmis_read(cmis, ALINK_CMIS_DRIVER, bank, 0x11,
				      CMIS_11_FLAGS_FIRST, flags->lane[bank],
				      sizeof(flags->lane[bank]));
	return err;
}

static void alink_cmis_report_state(struct alink_cmis *cmis)
{
	static const char * const states[] = {
		[CMIS_STATE_LOW_POWER] = "low power",
		[CMIS_STATE_POWER_UP] = "powering up",
		[CMIS_STATE_READY] = "ready",
		[CMIS_STATE_POWER_DOWN] = "powering down",
		[CMIS_STATE_FAULT] = "fault",
	};
	struct device *dev = &cmis->client->dev;
	u8 state, cause;

	if (alink_cmis_read(cmis, ALINK_CMIS_DRIVER, 0, 0, CMIS_LO_STATE,
			    &state, 1))
		return;
	state = (state & CMIS_LO_STATE_MASK) >> 1;
	if (state == cmis->state)
		return;
	/* A module that comes up as it should is not worth a line. */
	if (!cmis->state && state == CMIS_STATE_READY) {
		cmis->state = state;
		return;
	}
	cmis->state = state;
	if (state == CMIS_STATE_FAULT) {
		if (alink_cmis_read(cmis, ALINK_CMIS_DRIVER, 0, 0,
				    CMIS_LO_FAULT, &cause, 1))
			cause = CMIS_FAULT_NONE;
		dev_warn(dev, "module fault, cause %u\n", cause);
	} else if (state < ARRAY_SIZE(states) && states[state]) {
		dev_info(dev, "module is in state %s\n", states[state]);
	}
}

/* One line for all lanes of a bank that have a new flag of the kind */
static void alink_cmis_report_lanes(struct alink_cmis *cmis, unsigned int bank,
				    u8 lanes, const char *what)
{
	unsigned long map = (unsigned long)lanes << (bank * CMIS_BANK_LANES);
	unsigned long numbers = map << 1;	/* CMIS counts lanes from 1 */

	if (lanes)
		dev_warn(&cmis->client->dev, "%s, lane %*pbl\n", what,
			 CMIS_MAX_LANES + 1, &numbers);
}

/* Looks at what the module wants to say, tells hwmon, and logs what is new. */
void alink_cmis_flags_handle(struct alink_cmis *cmis)
{
	static const struct {
		unsigned int offset;
		const char *what;
	} lane_flags[] = {
		{ CMIS_11_FLAG_TX_FAULT, "transmitter fault" },
		{ CMIS_11_FLAG_TX_LOS, "no signal from the host" },
		{ CMIS_11_FLAG_RX_LOS, "no light received" },
	};
	struct alink_cmis_flags flags = {};
	unsigned int bank, i, n;
	u8 temp;

	if (time_after(jiffies, cmis->interrupted +
		       msecs_to_jiffies(ALINK_CMIS_QUIET_MS)))
		memset(&cmis->reported, 0, sizeof(cmis->reported));
	cmis->interrupted = jiffies;

	if (alink_cmis_flags_read(cmis, &flags))
		return;
	alink_cmis_report_state(cmis);

	n = CMIS_LO_FLAG_TEMP_VCC - CMIS_LO_FLAGS_FIRST;
	temp = flags.low[n] & ~cmis->reported.low[n];
	if (temp & 0x03)
		dev_warn(&cmis->client->dev, "temperature alarm\n");
	if (temp & 0x30)
		dev_warn(&cmis->client->dev, "supply voltage alarm\n");
	for (bank = 0; bank < cmis->banks; bank++) {
		for (i = 0; i < ARRAY_SIZE(lane_flags); i++) {
			n = lane_flags[i].offset - CMIS_11_FLAGS_FIRST;
			alink_cmis_report_lanes(cmis, bank,
						flags.lane[bank][n] &
						~cmis->reported.lane[bank][n],
						lane_flags[i].what);
		}
	}
	alink_cmis_hwmon_notify(cmis, &flags);
	cmis->reported = flags;
}
