// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/class/alink: who is there and how it fares, one value per file. See
 * Documentation/abi/sysfs-class-alink.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "alink_priv.h"

static ssize_t type_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  alink_devtype_name(to_alink_dev(dev)->ops->devtype));
}
static DEVICE_ATTR_RO(type);

static ssize_t index_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%u\n", to_alink_dev(dev)->index);
}
static DEVICE_ATTR_RO(index);

static ssize_t variant_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "0x%04x\n", to_alink_dev(dev)->variant);
}
static DEVICE_ATTR_RO(variant);

static ssize_t serial_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "0x%016llx\n", to_alink_dev(dev)->serial);
}
static DEVICE_ATTR_RO(serial);

static ssize_t fabric_id_show(struct device *dev,
			      struct device_attribute *attr, char *buf)
{
	u32 id = to_alink_dev(dev)->fabric_id;

	if (id == ALINK_ID_NONE)
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%u\n", id);
}
static DEVICE_ATTR_RO(fabric_id);

static ssize_t caps_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "0x%016llx\n", to_alink_dev(dev)->caps);
}
static DEVICE_ATTR_RO(caps);

static ssize_t num_links_show(struct device *dev,
			      struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_alink_dev(dev)->num_links);
}
static DEVICE_ATTR_RO(num_links);

static ssize_t fw_version_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	u32 fw = alink_dev_fw_version(to_alink_dev(dev));

	return sysfs_emit(buf, "%u.%u.%u\n", fw >> 24, (fw >> 16) & 0xff,
			  fw & 0xffff);
}
static DEVICE_ATTR_RO(fw_version);

static ssize_t interface_version_show(struct device *dev,
				      struct device_attribute *attr,
				      char *buf)
{
	u32 version = to_alink_dev(dev)->version;

	return sysfs_emit(buf, "%u.%u\n", version >> 16, version & 0xffff);
}
static DEVICE_ATTR_RO(interface_version);

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%s\n", alink_dev_state_name(to_alink_dev(dev)));
}
static DEVICE_ATTR_RO(state);

static ssize_t generation_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_alink_dev(dev)->generation));
}
static DEVICE_ATTR_RO(generation);

/* Registers: read now, -ENODEV when the device is gone, -EAGAIN in reset */
static ssize_t alink_show_reg(struct device *dev, u32 reg, char *buf)
{
	struct alink_dev *adev = to_alink_dev(dev);
	u32 value;
	int err;

	err = alink_read32(adev, reg, &value);
	return err ?: sysfs_emit(buf, "%u\n", value);
}

static ssize_t guest_errors_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	return alink_show_reg(dev, ALINK_REG_GUEST_ERRORS, buf);
}
static DEVICE_ATTR_RO(guest_errors);

static ssize_t heartbeat_show(struct device *dev,
			      struct device_attribute *attr, char *buf)
{
	return alink_show_reg(dev, ALINK_REG_HEARTBEAT, buf);
}
static DEVICE_ATTR_RO(heartbeat);

static ssize_t reset_cause_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	return alink_show_reg(dev, ALINK_REG_RESET_CAUSE, buf);
}
static DEVICE_ATTR_RO(reset_cause);

static ssize_t events_lost_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct alink_dev *adev = to_alink_dev(dev);
	u64 lost;

	mutex_lock(&adev->event_lock);
	lost = adev->events_lost;
	mutex_unlock(&adev->event_lock);
	return sysfs_emit(buf, "%llu\n", lost);
}
static DEVICE_ATTR_RO(events_lost);

/* Encryption of links and attestation: there is hardware to come for both. */
static ssize_t security_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "none\n");
}
static DEVICE_ATTR_RO(security);

static struct attribute *alink_attrs[] = {
	&dev_attr_type.attr,
	&dev_attr_index.attr,
	&dev_attr_variant.attr,
	&dev_attr_serial.attr,
	&dev_attr_fabric_id.attr,
	&dev_attr_caps.attr,
	&dev_attr_num_links.attr,
	&dev_attr_fw_version.attr,
	&dev_attr_interface_version.attr,
	&dev_attr_state.attr,
	&dev_attr_generation.attr,
	&dev_attr_guest_errors.attr,
	&dev_attr_heartbeat.attr,
	&dev_attr_reset_cause.attr,
	&dev_attr_events_lost.attr,
	&dev_attr_security.attr,
	NULL
};
ATTRIBUTE_GROUPS(alink);

const struct class alink_class = {
	.name = "alink",
	.dev_groups = alink_groups,
};
