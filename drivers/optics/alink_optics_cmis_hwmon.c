// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_optics.ko: sensors of a module. Channel n of curr is the bias current
 * of lane n; channels of power are the transmitted power of all lanes, then
 * the received power. Limits are the module's: warnings are min and max,
 * alarms are lcrit and crit.
 */
#include <linux/hwmon.h>
#include <linux/slab.h>

#include "alink_optics_cmis.h"
#include "alink_optics_priv.h"

/* Order of limits on page 02h, and of alarm flags */
enum { CMIS_HIGH_ALARM, CMIS_LOW_ALARM, CMIS_HIGH_WARN, CMIS_LOW_WARN };

/* What one sensor is in the module */
struct alink_cmis_sensor {
	u8 bank;
	u8 page;
	unsigned int value;		/* offset of the 16-bit value */
	unsigned int limits;		/* offset on page 02h */
	unsigned int flag_page;
	unsigned int flag;		/* offset of the first flag byte */
	u8 flag_mask;			/* lane in each of four bytes, or 0 */
	unsigned int flag_shift;	/* or: four bits of that byte */
};

#define ALINK_CMIS_LABEL_LEN	32
#define ALINK_CMIS_LABELS	(3 * CMIS_MAX_LANES)

/**
 * struct alink_cmis_hwmon - sensors of one module
 * @dev:	hwmon device
 * @temp:	configuration of the temperature
 * @in:		of the supply voltage
 * @curr:	of the lanes' currents
 * @power:	of the lanes' powers
 * @temp_info:	the same as the core wants it
 * @in_info:	see @temp_info
 * @curr_info:	see @temp_info
 * @power_info:	see @temp_info
 * @info:	list of them
 * @chip:	for the core
 * @bias_mult:	of the 2 uA that are the unit of bias
 * @labels:	of curr, then of power
 */
struct alink_cmis_hwmon {
	struct device *dev;
	u32 temp[2];
	u32 in[2];
	u32 curr[CMIS_MAX_LANES + 1];
	u32 power[2 * CMIS_MAX_LANES + 1];
	struct hwmon_channel_info temp_info;
	struct hwmon_channel_info in_info;
	struct hwmon_channel_info curr_info;
	struct hwmon_channel_info power_info;
	const struct hwmon_channel_info *info[5];
	struct hwmon_chip_info chip;
	unsigned int bias_mult;
	char labels[ALINK_CMIS_LABELS][ALINK_CMIS_LABEL_LEN];
};

static void alink_cmis_lane_sensor(struct alink_cmis_sensor *s,
				   unsigned int lane, unsigned int value,
				   unsigned int limits, unsigned int flag)
{
	s->bank = lane / CMIS_BANK_LANES;
	s->page = 0x11;
	s->value = value + 2 * (lane % CMIS_BANK_LANES);
	s->limits = limits;
	s->flag_page = 0x11;
	s->flag = flag;
	s->flag_mask = BIT(lane % CMIS_BANK_LANES);
	s->flag_shift = 0;
}

static int alink_cmis_find(struct alink_cmis *cmis,
			   enum hwmon_sensor_types type, int channel,
			   struct alink_cmis_sensor *s)
{
	unsigned int lanes = alink_cmis_lanes(cmis);

	memset(s, 0, sizeof(*s));
	switch (type) {
	case hwmon_temp:
		s->value = CMIS_LO_TEMP;
		s->limits = CMIS_02_TEMP;
		s->flag = CMIS_LO_FLAG_TEMP_VCC;
		return 0;
	case hwmon_in:
		s->value = CMIS_LO_VCC;
		s->limits = CMIS_02_VCC;
		s->flag = CMIS_LO_FLAG_TEMP_VCC;
		s->flag_shift = 4;
		return 0;
	case hwmon_curr:
		alink_cmis_lane_sensor(s, channel, CMIS_11_TX_BIAS,
				       CMIS_02_TX_BIAS, CMIS_11_FLAG_TX_BIAS);
		return 0;
	case hwmon_power:
		if (channel < lanes)
			alink_cmis_lane_sensor(s, channel, CMIS_11_TX_POWER,
					       CMIS_02_TX_POWER,
					       CMIS_11_FLAG_TX_POWER);
		else
			alink_cmis_lane_sensor(s, channel - lanes,
					       CMIS_11_RX_POWER,
					       CMIS_02_RX_POWER,
					       CMIS_11_FLAG_RX_POWER);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* From the module's unit to hwmon's */
static long alink_cmis_scale(struct alink_cmis *cmis,
			     enum hwmon_sensor_types type, u16 raw)
{
	switch (type) {
	case hwmon_temp:	/* 1/256 degree to milli-degree */
		return DIV_ROUND_CLOSEST((s16)raw * 1000, 256);
	case hwmon_in:		/* 100 uV to mV */
		return DIV_ROUND_CLOSEST(raw, 10);
	case hwmon_curr:	/* 2 uA to mA */
		return DIV_ROUND_CLOSEST(raw * 2 * cmis->hwmon->bias_mult,
					 1000);
	default:		/* 0.1 uW to uW */
		return DIV_ROUND_CLOSEST(raw, 10);
	}
}

static int alink_cmis_raw(struct alink_cmis *cmis,
			  const struct alink_cmis_sensor *s, u16 *raw)
{
	u8 buf[CMIS_LO_VCC + 2];
	int err;

	if (s->page) {
		err = alink_cmis_read(cmis, ALINK_CMIS_HWMON, s->bank, s->page,
				      s->value, buf, 2);
		if (err)
			return err;
		*raw = buf[0] << 8 | buf[1];
		return 0;
	}
	/*
	 * A module whose memory reads as ones would be at -0.004 degrees:
	 * read from the identifier on, which is checked.
	 */
	err = alink_cmis_read(cmis, ALINK_CMIS_HWMON, 0, 0, 0, buf,
			      CMIS_LO_FLAGS_FIRST);
	if (err)
		return err;
	err = alink_cmis_read(cmis, ALINK_CMIS_HWMON, 0, 0, s->value, buf, 2);
	if (err)
		return err;
	*raw = buf[0] << 8 | buf[1];
	return 0;
}

static u16 alink_cmis_limit(struct alink_cmis *cmis,
			    const struct alink_cmis_sensor *s,
			    unsigned int which)
{
	return alink_cmis_const16(cmis, 2, s->limits + 2 * which);
}

/* An alarm has been since it was last read, or is now. */
static int alink_cmis_alarm(struct alink_cmis *cmis,
			    enum hwmon_sensor_types type,
			    const struct alink_cmis_sensor *s,
			    unsigned int which, long *val)
{
	long value, limit;
	u8 flag, mask;
	u16 raw;
	int err;

	err = alink_cmis_raw(cmis, s, &raw);
	if (err)
		return err;
	value = alink_cmis_scale(cmis, type, raw);
	limit = alink_cmis_scale(cmis, type, alink_cmis_limit(cmis, s, which));

	mask = s->flag_mask ?: BIT(s->flag_shift + which);
	err = alink_cmis_read(cmis, ALINK_CMIS_HWMON, s->bank, s->flag_page,
			      s->flag + (s->flag_mask ? which : 0), &flag, 1);
	if (err)
		return err;
	/* Of the flags in this byte the other ones have not been asked for. */
	mutex_lock(&cmis->lock);
	if (s->flag_page)
		cmis->flags[ALINK_CMIS_HWMON].lane[s->bank]
			[s->flag + which - CMIS_11_FLAGS_FIRST] |= flag & ~mask;
	else
		cmis->flags[ALINK_CMIS_HWMON].low
			[s->flag - CMIS_LO_FLAGS_FIRST] |= flag & ~mask;
	mutex_unlock(&cmis->lock);

	*val = !!(flag & mask);
	if (which == CMIS_HIGH_ALARM || which == CMIS_HIGH_WARN)
		*val |= value > limit;
	else
		*val |= value < limit;
	return 0;
}

enum alink_cmis_attr { ATTR_INPUT, ATTR_LIMIT, ATTR_ALARM };

/* The four types of sensors have the same attributes under other names */
static int alink_cmis_attr(enum hwmon_sensor_types type, u32 attr,
			   enum alink_cmis_attr *kind, unsigned int *which)
{
#define ALINK_CMIS_ATTRS(_t) \
	{ \
		{ hwmon_##_t##_input, ATTR_INPUT, 0 }, \
		{ hwmon_##_t##_crit, ATTR_LIMIT, CMIS_HIGH_ALARM }, \
		{ hwmon_##_t##_lcrit, ATTR_LIMIT, CMIS_LOW_ALARM }, \
		{ hwmon_##_t##_max, ATTR_LIMIT, CMIS_HIGH_WARN }, \
		{ hwmon_##_t##_min, ATTR_LIMIT, CMIS_LOW_WARN }, \
		{ hwmon_##_t##_crit_alarm, ATTR_ALARM, CMIS_HIGH_ALARM }, \
		{ hwmon_##_t##_lcrit_alarm, ATTR_ALARM, CMIS_LOW_ALARM }, \
		{ hwmon_##_t##_max_alarm, ATTR_ALARM, CMIS_HIGH_WARN }, \
		{ hwmon_##_t##_min_alarm, ATTR_ALARM, CMIS_LOW_WARN }, \
	}
	static const struct {
		u32 attr;
		u8 kind;
		u8 which;
	} attrs[][9] = {
		ALINK_CMIS_ATTRS(temp), ALINK_CMIS_ATTRS(in),
		ALINK_CMIS_ATTRS(curr), ALINK_CMIS_ATTRS(power),
	};
	unsigned int row, i;

	switch (type) {
	case hwmon_temp:
		row = 0;
		break;
	case hwmon_in:
		row = 1;
		break;
	case hwmon_curr:
		row = 2;
		break;
	case hwmon_power:
		row = 3;
		break;
	default:
		return -EOPNOTSUPP;
	}
	for (i = 0; i < ARRAY_SIZE(attrs[row]); i++) {
		if (attrs[row][i].attr != attr)
			continue;
		*kind = attrs[row][i].kind;
		*which = attrs[row][i].which;
		return 0;
	}
	return -EOPNOTSUPP;
}

static int alink_cmis_hwmon_read(struct device *dev,
				 enum hwmon_sensor_types type, u32 attr,
				 int channel, long *val)
{
	struct alink_cmis *cmis = dev_get_drvdata(dev);
	struct alink_cmis_sensor s;
	enum alink_cmis_attr kind;
	unsigned int which;
	u16 raw;
	int err;

	err = alink_cmis_attr(type, attr, &kind, &which);
	if (err)
		return err;
	err = alink_cmis_find(cmis, type, channel, &s);
	if (err)
		return err;

	switch (kind) {
	case ATTR_LIMIT:
		raw = alink_cmis_limit(cmis, &s, which);
		break;
	case ATTR_ALARM:
		return alink_cmis_alarm(cmis, type, &s, which, val);
	default:
		err = alink_cmis_raw(cmis, &s, &raw);
		if (err)
			return err;
		break;
	}
	*val = alink_cmis_scale(cmis, type, raw);
	return 0;
}

static int alink_cmis_hwmon_string(struct device *dev,
				   enum hwmon_sensor_types type, u32 attr,
				   int channel, const char **str)
{
	struct alink_cmis *cmis = dev_get_drvdata(dev);

	switch (type) {
	case hwmon_temp:
		*str = "module";
		return 0;
	case hwmon_in:
		*str = "vcc";
		return 0;
	case hwmon_curr:
		*str = cmis->hwmon->labels[channel];
		return 0;
	case hwmon_power:
		*str = cmis->hwmon->labels[alink_cmis_lanes(cmis) + channel];
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static umode_t alink_cmis_hwmon_visible(const void *data,
					enum hwmon_sensor_types type, u32 attr,
					int channel)
{
	return 0444;
}

static const struct hwmon_ops alink_cmis_hwmon_ops = {
	.is_visible = alink_cmis_hwmon_visible,
	.read = alink_cmis_hwmon_read,
	.read_string = alink_cmis_hwmon_string,
};

#define ALINK_CMIS_CONFIG(_t) \
	(HWMON_##_t##_INPUT | HWMON_##_t##_LABEL | HWMON_##_t##_MIN | \
	 HWMON_##_t##_MAX | HWMON_##_t##_LCRIT | HWMON_##_t##_CRIT | \
	 HWMON_##_t##_MIN_ALARM | HWMON_##_t##_MAX_ALARM | \
	 HWMON_##_t##_LCRIT_ALARM | HWMON_##_t##_CRIT_ALARM)

/* Only what the module says it measures */
static void alink_cmis_hwmon_fill(struct alink_cmis *cmis,
				  struct alink_cmis_hwmon *hwmon)
{
	u8 module = alink_cmis_const(cmis, 1, CMIS_01_MODULE_MONITORS);
	u8 lane = alink_cmis_const(cmis, 1, CMIS_01_LANE_MONITORS);
	unsigned int lanes = alink_cmis_lanes(cmis), i, n = 0;

	hwmon->bias_mult = 1 << ((lane & CMIS_01_BIAS_MULT_MASK) >>
				 CMIS_01_BIAS_MULT_SHIFT);
	hwmon->temp_info = (struct hwmon_channel_info){ hwmon_temp,
							hwmon->temp };
	hwmon->in_info = (struct hwmon_channel_info){ hwmon_in, hwmon->in };
	hwmon->curr_info = (struct hwmon_channel_info){ hwmon_curr,
							hwmon->curr };
	hwmon->power_info = (struct hwmon_channel_info){ hwmon_power,
							 hwmon->power };
	if (module & BIT(0)) {
		hwmon->temp[0] = ALINK_CMIS_CONFIG(T);
		hwmon->info[n++] = &hwmon->temp_info;
	}
	if (module & BIT(1)) {
		hwmon->in[0] = ALINK_CMIS_CONFIG(I);
		hwmon->info[n++] = &hwmon->in_info;
	}
	for (i = 0; i < lanes; i++) {
		hwmon->curr[i] = ALINK_CMIS_CONFIG(C);
		hwmon->power[i] = ALINK_CMIS_CONFIG(P);
		hwmon->power[lanes + i] = ALINK_CMIS_CONFIG(P);
		snprintf(hwmon->labels[i], ALINK_CMIS_LABEL_LEN,
			 "tx_bias lane %u", i + 1);
		snprintf(hwmon->labels[lanes + i], ALINK_CMIS_LABEL_LEN,
			 "tx_power lane %u", i + 1);
		snprintf(hwmon->labels[2 * lanes + i], ALINK_CMIS_LABEL_LEN,
			 "rx_power lane %u", i + 1);
	}
	if (lanes && lane & CMIS_01_MON_BIAS)
		hwmon->info[n++] = &hwmon->curr_info;
	if (lanes && lane & CMIS_01_MON_TX_POWER &&
	    lane & CMIS_01_MON_RX_POWER)
		hwmon->info[n++] = &hwmon->power_info;
	hwmon->chip.ops = &alink_cmis_hwmon_ops;
	hwmon->chip.info = hwmon->info;
}

int alink_cmis_hwmon_register(struct alink_cmis *cmis)
{
	struct alink_cmis_hwmon *hwmon;

	/* Without pages, or with damaged ones, nobody knows the limits. */
	if (!IS_REACHABLE(CONFIG_HWMON) || cmis->flat || !cmis->sound)
		return 0;

	hwmon = kzalloc(sizeof(*hwmon), GFP_KERNEL);
	if (!hwmon)
		return -ENOMEM;
	alink_cmis_hwmon_fill(cmis, hwmon);
	cmis->hwmon = hwmon;
	hwmon->dev = hwmon_device_register_with_info(&cmis->client->dev,
						     "alink_cmis", cmis,
						     &hwmon->chip, NULL);
	if (IS_ERR(hwmon->dev)) {
		int err = PTR_ERR(hwmon->dev);

		cmis->hwmon = NULL;
		kfree(hwmon);
		return err;
	}
	return 0;
}

void alink_cmis_hwmon_unregister(struct alink_cmis *cmis)
{
	if (!cmis->hwmon)
		return;
	hwmon_device_unregister(cmis->hwmon->dev);
	kfree(cmis->hwmon);
	cmis->hwmon = NULL;
}

/* Wakes those who poll an alarm that has come up. */
void alink_cmis_hwmon_notify(struct alink_cmis *cmis,
			     const struct alink_cmis_flags *flags)
{
	static const u32 temp_attr[] = {
		hwmon_temp_crit_alarm, hwmon_temp_lcrit_alarm,
		hwmon_temp_max_alarm, hwmon_temp_min_alarm,
	};
	static const u32 power_attr[] = {
		hwmon_power_crit_alarm, hwmon_power_lcrit_alarm,
		hwmon_power_max_alarm, hwmon_power_min_alarm,
	};
	unsigned int lanes = alink_cmis_lanes(cmis), lane, i;
	u8 temp = flags->low[CMIS_LO_FLAG_TEMP_VCC - CMIS_LO_FLAGS_FIRST];

	if (!cmis->hwmon)
		return;
	for (i = 0; i < ARRAY_SIZE(temp_attr); i++) {
		if (temp & BIT(i))
			hwmon_notify_event(cmis->hwmon->dev, hwmon_temp,
					   temp_attr[i], 0);
	}
	for (lane = 0; lane < lanes; lane++) {
		const u8 *f = flags->lane[lane / CMIS_BANK_LANES];
		u8 bit = BIT(lane % CMIS_BANK_LANES);

		for (i = 0; i < ARRAY_SIZE(power_attr); i++) {
			if (f[CMIS_11_FLAG_TX_POWER - CMIS_11_FLAGS_FIRST + i] &
			    bit)
				hwmon_notify_event(cmis->hwmon->dev,
						   hwmon_power, power_attr[i],
						   lane);
			if (f[CMIS_11_FLAG_RX_POWER - CMIS_11_FLAGS_FIRST + i] &
			    bit)
				hwmon_notify_event(cmis->hwmon->dev,
						   hwmon_power, power_attr[i],
						   lanes + lane);
		}
	}
}
