// SPDX-License-Identifier: GPL-2.0-only
/*
 * Optics registry. The optics driver offers its modules by controller and
 * channel; ports of xPU and switch find theirs by what ALINK_LINK_MODULE
 * says. Neither driver knows the other, and either may come and go first.
 */
#include <linux/ethtool.h>
#include <linux/export.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/slab.h>

#include "alink_module.h"
#include "alink_priv.h"

struct alink_module {
	struct list_head list;
	u32 key;
	const struct alink_module_ops *ops;
	struct module *owner;
	void *priv;
};

static LIST_HEAD(alink_modules);
/*
 * Protects the list. Held for read while an operation of a module runs, so
 * that a module does not go under it.
 */
static DECLARE_RWSEM(alink_modules_sem);

/* What names a module: ALINK_LINK_MODULE without its first lane */
static u32 alink_module_key(u32 id)
{
	return id >> 8;
}

static struct alink_module *alink_module_find(u32 id)
{
	struct alink_module *module;

	lockdep_assert_held(&alink_modules_sem);

	list_for_each_entry(module, &alink_modules, list)
		if (module->key == alink_module_key(id))
			return module;
	return NULL;
}

/**
 * alink_module_register - offer a module to the ports that it serves
 * @controller_serial: serial number of the controller; 16 low bits count
 * @channel:	channel of the controller, 0..255
 * @ops:	of the module; each may be called until unregistered
 * @owner:	THIS_MODULE of @ops
 * @priv:	for @ops
 *
 * Context: process; sleeps.
 * Return: the registration, or ERR_PTR: -EINVAL, -EEXIST, -ENOMEM.
 */
struct alink_module *alink_module_register(u32 controller_serial, u32 channel,
					   const struct alink_module_ops *ops,
					   struct module *owner, void *priv)
{
	struct alink_module *module;
	u32 id;

	if (channel > 0xff)
		return ERR_PTR(-EINVAL);
	module = kzalloc(sizeof(*module), GFP_KERNEL);
	if (!module)
		return ERR_PTR(-ENOMEM);

	id = (controller_serial & 0xffff) << 16 | channel << 8;
	module->key = alink_module_key(id);
	module->ops = ops;
	module->owner = owner;
	module->priv = priv;

	down_write(&alink_modules_sem);
	if (alink_module_find(id)) {
		up_write(&alink_modules_sem);
		kfree(module);
		return ERR_PTR(-EEXIST);
	}
	list_add_tail(&module->list, &alink_modules);
	up_write(&alink_modules_sem);
	return module;
}
EXPORT_SYMBOL_GPL(alink_module_register);

/**
 * alink_module_unregister - take a module back
 * @module:	what alink_module_register() returned
 *
 * When it returns, no operation of the module runs, nor will.
 *
 * Context: process; sleeps.
 */
void alink_module_unregister(struct alink_module *module)
{
	down_write(&alink_modules_sem);
	list_del(&module->list);
	up_write(&alink_modules_sem);
	kfree(module);
}
EXPORT_SYMBOL_GPL(alink_module_unregister);

/* Returns the module with the registry held for read, or NULL with it free. */
static struct alink_module *alink_module_get(u32 id,
					     struct netlink_ext_ack *extack)
{
	struct alink_module *module;

	down_read(&alink_modules_sem);
	module = alink_module_find(id);
	if (module && try_module_get(module->owner))
		return module;
	up_read(&alink_modules_sem);
	NL_SET_ERR_MSG_FMT(extack, "no driver for the module's controller (serial ending in %#06x)",
			   id >> 16);
	return NULL;
}

static void alink_module_put(struct alink_module *module)
{
	module_put(module->owner);
	up_read(&alink_modules_sem);
}

int alink_module_read_page(u32 id, const struct ethtool_module_eeprom *page,
			   struct netlink_ext_ack *extack)
{
	struct alink_module *module;
	int ret;

	module = alink_module_get(id, extack);
	if (!module)
		return -ENODEV;
	ret = module->ops->read_page(module->priv, page, extack);
	alink_module_put(module);
	return ret;
}

int alink_module_write_page(u32 id, const struct ethtool_module_eeprom *page,
			    struct netlink_ext_ack *extack)
{
	struct alink_module *module;
	int ret;

	module = alink_module_get(id, extack);
	if (!module)
		return -ENODEV;
	ret = module->ops->write_page(module->priv, page, extack);
	alink_module_put(module);
	return ret;
}

int alink_module_set_low_power(u32 id, bool low,
			       struct netlink_ext_ack *extack)
{
	struct alink_module *module;
	int ret;

	module = alink_module_get(id, extack);
	if (!module)
		return -ENODEV;
	ret = module->ops->set_low_power(module->priv, low, extack);
	alink_module_put(module);
	return ret;
}

/* Returns 1 in low power, 0 in high, or -errno. */
int alink_module_low_power(u32 id, struct netlink_ext_ack *extack)
{
	struct alink_module *module;
	int ret;

	module = alink_module_get(id, extack);
	if (!module)
		return -ENODEV;
	ret = module->ops->low_power(module->priv);
	if (ret < 0)
		NL_SET_ERR_MSG(extack, "cannot read the module's power mode");
	alink_module_put(module);
	return ret;
}
