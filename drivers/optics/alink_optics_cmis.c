// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_optics.ko: I2C driver of CMIS modules. A module in a cage of ours is
 * offered to the ports whose lanes it carries; on any other bus it has its
 * sensors.
 */
#include <linux/ctype.h>
#include <linux/ethtool.h>
#include <linux/i2c.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "alink_optics_cmis.h"
#include "alink_optics_priv.h"

static int alink_cmis_explain(int err, struct netlink_ext_ack *extack)
{
	switch (err) {
	case 0:
		break;
	case -ENODEV:
		NL_SET_ERR_MSG(extack, "module or its controller is gone");
		break;
	case -ESHUTDOWN:
		NL_SET_ERR_MSG(extack, "optics controller is being reset");
		break;
	case -EOPNOTSUPP:
		NL_SET_ERR_MSG(extack, "module does not have this page or bank");
		break;
	case -EINVAL:
		NL_SET_ERR_MSG(extack, "range is not inside one half of the memory");
		break;
	case -EBADMSG:
		NL_SET_ERR_MSG(extack, "module answers nonsense");
		break;
	case -ENXIO:
		NL_SET_ERR_MSG(extack, "module does not answer on I2C");
		break;
	case -EBUSY:
		NL_SET_ERR_MSG(extack, "module holds the I2C data line low");
		break;
	case -ETIMEDOUT:
		NL_SET_ERR_MSG(extack, "module holds the I2C clock line low");
		break;
	default:
		NL_SET_ERR_MSG(extack, "I2C transfer failed");
		break;
	}
	return err;
}

static int alink_cmis_check_page(struct alink_cmis *cmis,
				 const struct ethtool_module_eeprom *page,
				 struct netlink_ext_ack *extack)
{
	if (page->i2c_address == cmis->client->addr)
		return 0;
	NL_SET_ERR_MSG(extack, "module has only I2C address 0x50");
	return -EINVAL;
}

static int alink_cmis_read_page(void *priv,
				const struct ethtool_module_eeprom *page,
				struct netlink_ext_ack *extack)
{
	struct alink_cmis *cmis = priv;
	int err;

	err = alink_cmis_check_page(cmis, page, extack);
	if (err)
		return err;
	err = alink_cmis_read(cmis, ALINK_CMIS_USER, page->bank, page->page,
			      page->offset, page->data, page->length);
	if (err)
		return alink_cmis_explain(err, extack);
	return page->length;
}

static int alink_cmis_write_page(void *priv,
				 const struct ethtool_module_eeprom *page,
				 struct netlink_ext_ack *extack)
{
	struct alink_cmis *cmis = priv;
	int err;

	err = alink_cmis_check_page(cmis, page, extack);
	if (err)
		return err;
	err = alink_cmis_write(cmis, page->bank, page->page, page->offset,
			       page->data, page->length);
	return alink_cmis_explain(err, extack);
}

static int alink_cmis_set_low_power(void *priv, bool low,
				    struct netlink_ext_ack *extack)
{
	u8 bit = CMIS_CONTROL_LOW_POWER;
	int err;

	err = alink_cmis_update(priv, CMIS_LO_CONTROL, bit, low ? bit : 0);
	return alink_cmis_explain(err, extack);
}

static int alink_cmis_low_power(void *priv)
{
	u8 low[CMIS_LO_STATE + 1];
	int err;

	/* From the identifier on, which is checked */
	err = alink_cmis_read(priv, ALINK_CMIS_USER, 0, 0, 0, low,
			      sizeof(low));
	if (err)
		return err;
	switch ((low[CMIS_LO_STATE] & CMIS_LO_STATE_MASK) >> 1) {
	case CMIS_STATE_LOW_POWER:
	case CMIS_STATE_POWER_DOWN:
		return 1;
	default:
		return 0;
	}
}

static const struct alink_module_ops alink_cmis_module_ops = {
	.read_page = alink_cmis_read_page,
	.write_page = alink_cmis_write_page,
	.set_low_power = alink_cmis_set_low_power,
	.low_power = alink_cmis_low_power,
};

/* The module asserts its interrupt, or may have while nobody looked. */
void alink_optics_cmis_interrupt(struct i2c_client *client)
{
	struct alink_cmis *cmis;

	/* Keeps the driver bound meanwhile, or tells that it is not */
	device_lock(&client->dev);
	cmis = client->dev.driver ? i2c_get_clientdata(client) : NULL;
	if (cmis)
		alink_cmis_flags_handle(cmis);
	device_unlock(&client->dev);
}

static int alink_cmis_register(struct alink_cmis *cmis)
{
	struct alink_optics_channel *ch = cmis->ch;

	if (!ch)
		return 0;
	cmis->module = alink_module_register(alink_dev_serial(ch->opt->adev),
					     ch->n, &alink_cmis_module_ops,
					     THIS_MODULE, cmis);
	return PTR_ERR_OR_ZERO(cmis->module);
}

#define ALINK_CMIS_TEXT_LEN	16

/*
 * A text of page 00h without the blanks that it is padded with, and without
 * what would spoil the log: anybody can plug a module in.
 */
static const char *alink_cmis_text(const struct alink_cmis *cmis,
				   unsigned int offset, char *text)
{
	unsigned int i;

	for (i = 0; i < ALINK_CMIS_TEXT_LEN; i++) {
		text[i] = alink_cmis_const(cmis, 0, offset + i);
		if (!isascii(text[i]) || !isprint(text[i]))
			text[i] = '?';
	}
	text[ALINK_CMIS_TEXT_LEN] = '\0';
	return strim(text);
}

static void alink_cmis_hello(const struct alink_cmis *cmis)
{
	char vendor[ALINK_CMIS_TEXT_LEN + 1];
	char part[ALINK_CMIS_TEXT_LEN + 1];
	char serial[ALINK_CMIS_TEXT_LEN + 1];

	dev_info(&cmis->client->dev, "%s %s, serial %s\n",
		 alink_cmis_text(cmis, CMIS_00_VENDOR, vendor),
		 alink_cmis_text(cmis, CMIS_00_PN, part),
		 alink_cmis_text(cmis, CMIS_00_SN, serial));
}

/*
 * It works as a whole or not at all: a module without sensors looks like one that
 * has none.
 */
static int alink_cmis_start(struct alink_cmis *cmis)
{
	struct device *dev = &cmis->client->dev;
	int err;

	err = alink_cmis_identify(cmis);
	if (!err)
		err = alink_cmis_load(cmis);
	/* One that is gone, or no kind of ours, has been told of. */
	if (err == -ENODEV || (err == -ESHUTDOWN && cmis->ch))
		return err;
	if (err)
		return dev_err_probe(dev, err, "module cannot be read\n");
	alink_cmis_hello(cmis);

	err = alink_cmis_hwmon_register(cmis);
	if (err)
		return dev_err_probe(dev, err, "no sensors\n");
	i2c_set_clientdata(cmis->client, cmis);
	err = alink_cmis_register(cmis);
	if (!err)
		return 0;
	i2c_set_clientdata(cmis->client, NULL);
	alink_cmis_hwmon_unregister(cmis);
	return dev_err_probe(dev, err, "cannot be offered to its ports\n");
}

static int alink_cmis_probe(struct i2c_client *client)
{
	struct alink_optics_channel *ch = dev_get_platdata(&client->dev);
	struct alink_cmis *cmis;
	int err;

	if (!i2c_check_functionality(client->adapter, I2C_FUNC_I2C))
		return -EOPNOTSUPP;
	cmis = kzalloc(sizeof(*cmis), GFP_KERNEL);
	if (!cmis) {
		err = -ENOMEM;
		goto err_again;
	}
	cmis->client = client;
	cmis->ch = ch;
	mutex_init(&cmis->lock);
	err = alink_cmis_start(cmis);
	if (err)
		goto err_free;
	return 0;

err_free:
	mutex_destroy(&cmis->lock);
	kfree(cmis);
err_again:
	/* Neither is a fault of the module, and both pass. */
	if (ch && (err == -ESHUTDOWN || err == -ENOMEM))
		WRITE_ONCE(ch->try_again, true);
	return err;
}

static void alink_cmis_remove(struct i2c_client *client)
{
	struct alink_cmis *cmis = i2c_get_clientdata(client);

	if (cmis->module)
		alink_module_unregister(cmis->module);
	alink_cmis_hwmon_unregister(cmis);
	i2c_set_clientdata(client, NULL);
	mutex_destroy(&cmis->lock);
	kfree(cmis);
}

static const struct i2c_device_id alink_cmis_ids[] = {
	{ "alink-cmis" },
	{ }
};
MODULE_DEVICE_TABLE(i2c, alink_cmis_ids);

struct i2c_driver alink_optics_cmis_driver = {
	.driver.name = "alink-cmis",
	.probe = alink_cmis_probe,
	.remove = alink_cmis_remove,
	.id_table = alink_cmis_ids,
};
