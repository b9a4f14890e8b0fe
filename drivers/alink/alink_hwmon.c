// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwmon over the sensors of the common block. What a device does not have is
 * not shown. Alarms are those limits of which the device sends an event; they are
 * not kept, but what value and limit say when they are read.
 */
#include <linux/export.h>
#include <linux/hwmon.h>

#include "alink_priv.h"

enum {
	ALINK_TEMP_DIE,
	ALINK_TEMP_MEM,
};

static const char *alink_temp_label(int channel)
{
	return channel == ALINK_TEMP_DIE ? "die" : "hbm";
}

/* Returns 0 and the sensor's value as it stands in the register, or -errno. */
static int alink_sensor(struct alink_dev *adev, u32 reg, u32 *value)
{
	int err = alink_read32(adev, reg, value);

	if (err)
		return err;
	if (*value == ALINK_SENSOR_NONE)
		return -ENODATA;
	return 0;
}

static int alink_energy(struct alink_dev *adev, long *val)
{
	u64 energy;
	int err;

	err = alink_read64(adev, ALINK_REG_ENERGY, &energy);
	if (!err)
		*val = energy;
	return err;
}

static u32 alink_temp_reg(u32 attr, int channel)
{
	switch (attr) {
	case hwmon_temp_input:
		return channel == ALINK_TEMP_DIE ? ALINK_REG_TEMP :
						   ALINK_REG_TEMP_MEM;
	case hwmon_temp_max:
		return channel == ALINK_TEMP_DIE ? ALINK_REG_TEMP_MAX : 0;
	case hwmon_temp_crit:
		return channel == ALINK_TEMP_DIE ? ALINK_REG_TEMP_CRIT :
						   ALINK_REG_TEMP_MEM_CRIT;
	default:
		return 0;
	}
}

static u32 alink_power_reg(u32 attr)
{
	switch (attr) {
	case hwmon_power_input:
		return ALINK_REG_POWER;
	/* The board keeps to it by itself, so it is both. */
	case hwmon_power_max:
	case hwmon_power_cap:
		return ALINK_REG_POWER_MAX;
	default:
		return 0;
	}
}

/* The alarm of a channel whose event the device sends, see common.rst */
static u32 alink_temp_alarm(int channel)
{
	return channel == ALINK_TEMP_DIE ? hwmon_temp_max_alarm :
					   hwmon_temp_crit_alarm;
}

/* The limit of an alarm, or 0 if the attribute is none */
static u32 alink_temp_limit(u32 attr, int channel)
{
	switch (attr) {
	case hwmon_temp_max_alarm:
		return alink_temp_reg(hwmon_temp_max, channel);
	case hwmon_temp_crit_alarm:
		return alink_temp_reg(hwmon_temp_crit, channel);
	default:
		return 0;
	}
}

static int alink_temp_is_over(struct alink_dev *adev, u32 limit, int channel,
			      long *val)
{
	u32 have, max;
	int err;

	err = alink_sensor(adev, alink_temp_reg(hwmon_temp_input, channel),
			   &have);
	if (!err)
		err = alink_sensor(adev, limit, &max);
	if (!err)
		*val = (s32)have > (s32)max;
	return err;
}

static umode_t alink_hwmon_is_visible(const void *data,
				      enum hwmon_sensor_types type, u32 attr,
				      int channel)
{
	struct alink_dev *adev = (struct alink_dev *)data;
	u32 reg, value;
	long over;

	switch (type) {
	case hwmon_temp:
		reg = alink_temp_limit(attr, channel);
		if (reg)
			return alink_temp_is_over(adev, reg, channel, &over) ?
			       0 : 0444;
		if (attr == hwmon_temp_label) {
			attr = hwmon_temp_input;
			reg = alink_temp_reg(attr, channel);
			break;
		}
		reg = alink_temp_reg(attr, channel);
		break;
	case hwmon_power:
		reg = alink_power_reg(attr == hwmon_power_label ?
				      hwmon_power_input : attr);
		break;
	case hwmon_energy:
		/* It is the integral of power. */
		reg = ALINK_REG_POWER;
		break;
	default:
		return 0;
	}
	return reg && !alink_sensor(adev, reg, &value) ? 0444 : 0;
}

static int alink_hwmon_read(struct device *dev, enum hwmon_sensor_types type,
			    u32 attr, int channel, long *val)
{
	struct alink_dev *adev = dev_get_drvdata(dev);
	u32 value, limit;
	int err;

	switch (type) {
	case hwmon_temp:
		limit = alink_temp_limit(attr, channel);
		if (limit)
			return alink_temp_is_over(adev, limit, channel, val);
		err = alink_sensor(adev, alink_temp_reg(attr, channel), &value);
		if (!err)
			*val = (s32)value;
		return err;
	case hwmon_power:
		err = alink_sensor(adev, alink_power_reg(attr), &value);
		if (!err)
			*val = (long)value * 1000;	/* mW to uW */
		return err;
	case hwmon_energy:
		return alink_energy(adev, val);
	default:
		return -EOPNOTSUPP;
	}
}

static int alink_hwmon_read_string(struct device *dev,
				   enum hwmon_sensor_types type, u32 attr,
				   int channel, const char **str)
{
	switch (type) {
	case hwmon_temp:
		*str = alink_temp_label(channel);
		return 0;
	case hwmon_power:
		*str = "board";
		return 0;
	case hwmon_energy:
		/* "sensors -j" has labels for keys: no two may be the same. */
		*str = "board energy";
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static const struct hwmon_channel_info * const alink_hwmon_info[] = {
	HWMON_CHANNEL_INFO(temp,
			   HWMON_T_INPUT | HWMON_T_MAX | HWMON_T_MAX_ALARM |
			   HWMON_T_CRIT | HWMON_T_CRIT_ALARM | HWMON_T_LABEL,
			   HWMON_T_INPUT | HWMON_T_CRIT | HWMON_T_CRIT_ALARM |
			   HWMON_T_LABEL),
	HWMON_CHANNEL_INFO(power,
			   HWMON_P_INPUT | HWMON_P_MAX | HWMON_P_CAP |
			   HWMON_P_LABEL),
	HWMON_CHANNEL_INFO(energy, HWMON_E_INPUT | HWMON_E_LABEL),
	NULL
};

static const struct hwmon_ops alink_hwmon_ops = {
	.is_visible = alink_hwmon_is_visible,
	.read = alink_hwmon_read,
	.read_string = alink_hwmon_read_string,
};

static const struct hwmon_chip_info alink_hwmon_chip_info = {
	.ops = &alink_hwmon_ops,
	.info = alink_hwmon_info,
};

static void alink_hwmon_notify(struct alink_dev *adev, int channel)
{
	hwmon_notify_event(adev->hwmon, hwmon_temp, alink_temp_alarm(channel),
			   channel);
}

static void alink_hwmon_log(struct alink_dev *adev,
			    const struct alink_event *event)
{
	const char *label = alink_temp_label(le32_to_cpu(event->id));
	struct device *dev = &adev->pdev->dev;
	s32 value = le32_to_cpu(event->info);

	if (le32_to_cpu(event->code))
		dev_warn_ratelimited(dev, "%s is over its limit: %d millidegrees C\n",
				     label, value);
	else
		dev_info_ratelimited(dev, "%s is at or below its limit again: %d millidegrees C\n",
				     label, value);
}

/*
 * ALINK_EVENT_THERMAL, or ALINK_EVENT_NONE: some were lost. Listeners read the
 * alarm, whatever the event said.
 */
void alink_hwmon_event(struct alink_dev *adev, const struct alink_event *event)
{
	bool lost = le16_to_cpu(event->type) == ALINK_EVENT_NONE;
	u32 id = le32_to_cpu(event->id);
	int channel;

	/* From the device: there may be other sensors one day. */
	if (!lost && id > ALINK_TEMP_MEM)
		return;
	if (!lost)
		alink_hwmon_log(adev, event);
	if (!IS_REACHABLE(CONFIG_HWMON) || !adev->hwmon)
		return;
	for (channel = ALINK_TEMP_DIE; channel <= ALINK_TEMP_MEM; channel++)
		if (lost || channel == id)
			alink_hwmon_notify(adev, channel);
}

/**
 * alink_hwmon_register - show the sensors of a device
 * @adev:	device
 * @name:	of the hwmon device, like alink_xpu
 *
 * Context: process; sleeps.
 * Return: 0, also on a kernel without hwmon; else -errno.
 */
int alink_hwmon_register(struct alink_dev *adev, const char *name)
{
	struct device *hwmon;

	if (!IS_REACHABLE(CONFIG_HWMON))
		return 0;

	hwmon = hwmon_device_register_with_info(&adev->pdev->dev, name, adev,
						&alink_hwmon_chip_info, NULL);
	if (IS_ERR(hwmon))
		return PTR_ERR(hwmon);
	adev->hwmon = hwmon;
	return 0;
}
EXPORT_SYMBOL_GPL(alink_hwmon_register);

/**
 * alink_hwmon_unregister - undo alink_hwmon_register()
 * @adev:	device; nothing happens when it has no hwmon device
 *
 * Context: process; sleeps. No sensor is read when it returns.
 */
void alink_hwmon_unregister(struct alink_dev *adev)
{
	if (!adev->hwmon)
		return;
	hwmon_device_unregister(adev->hwmon);
	adev->hwmon = NULL;
}
EXPORT_SYMBOL_GPL(alink_hwmon_unregister);
