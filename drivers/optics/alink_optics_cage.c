// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_optics.ko: cages. Events say that something changed; the registers say
 * what. A work for each channel makes the I2C client follow the module, and
 * hands on what the module wants to say.
 */
#include <linux/i2c.h>
#include <linux/slab.h>

#include <hw/alink/cmis.h>

#include "alink_optics_priv.h"

/* Nobody plugs a module in again because there was no memory for it. */
#define ALINK_OPTICS_AGAIN	HZ
/* Until a module that came while we looked at another one is looked at */
#define ALINK_OPTICS_SETTLE	(HZ / 5)

/* Is the module that the client stands for still in the cage? */
bool alink_optics_same_module(struct alink_optics_channel *ch)
{
	u32 changes;
	int err;

	err = alink_optics_read(ch, ALINK_OPT_CH_CHANGES, &changes);
	/* While the device is in reset nobody can say otherwise. */
	if (err)
		return err == -EAGAIN;
	return changes == READ_ONCE(ch->changes);
}

static void alink_optics_module_out(struct alink_optics_channel *ch)
{
	i2c_unregister_device(ch->client);
	ch->client = NULL;
	pci_info_ratelimited(ch->opt->pdev, "%s: module removed from cage %u\n",
			     alink_dev_name(ch->opt->adev), ch->n);
}

static void alink_optics_module_in(struct alink_optics_channel *ch)
{
	struct i2c_board_info info = {
		I2C_BOARD_INFO("alink-cmis", CMIS_I2C_ADDR),
		.platform_data = ch,
	};
	struct i2c_client *client;

	client = i2c_new_client_device(&ch->adap, &info);
	if (!IS_ERR(client))
		ch->client = client;
	else if (client == ERR_PTR(-ENOMEM))
		WRITE_ONCE(ch->try_again, true);
	else
		dev_err(&ch->adap.dev, "no device for the module: %pe\n",
			client);
}

/* What kept the driver from its module may have passed. */
static void alink_optics_module_again(struct alink_optics_channel *ch)
{
	int err = device_attach(&ch->client->dev);

	if (err == -ENOMEM)
		WRITE_ONCE(ch->try_again, true);
	else if (err < 0)
		dev_err(&ch->client->dev, "cannot be probed again: %pe\n",
			ERR_PTR(err));
}

static void alink_optics_cage_work(struct work_struct *work)
{
	struct alink_optics_channel *ch =
		container_of(to_delayed_work(work),
			     struct alink_optics_channel, work);
	struct alink_optics *opt = ch->opt;
	u32 status, changes;

	if (READ_ONCE(opt->stopped))
		return;
	/*
	 * All ones would be another module, and one that is there. What follows the
	 * reset looks again.
	 */
	if (alink_optics_read(ch, ALINK_OPT_CH_CHANGES, &changes) ||
	    alink_optics_read(ch, ALINK_OPT_CH_STATUS, &status))
		return;

	if (ch->client && (changes != ch->changes || xchg(&ch->renew, false)))
		alink_optics_module_out(ch);
	WRITE_ONCE(ch->changes, changes);
	if (!ch->client) {
		/* That was another module, or no device for this one. */
		WRITE_ONCE(ch->try_again, false);
		if (status & ALINK_OPT_STATUS_PRESENT)
			alink_optics_module_in(ch);
	}
	/*
	 * Changed under our hands. Not at once: with a contact that is loose, or a
	 * device that lies, it would be so again and again.
	 */
	if (alink_optics_rd(ch, ALINK_OPT_CH_CHANGES) != changes) {
		queue_delayed_work(opt->wq, &ch->work, ALINK_OPTICS_SETTLE);
		return;
	}

	if (ch->client && xchg(&ch->try_again, false))
		alink_optics_module_again(ch);
	if (xchg(&ch->interrupt, false) && ch->client)
		alink_optics_cmis_interrupt(ch->client);
	if (READ_ONCE(ch->try_again))
		queue_delayed_work(opt->wq, &ch->work, ALINK_OPTICS_AGAIN);
}

/* Looks at all cages: at probe, after a reset, and when events were lost. */
void alink_optics_cages_check(struct alink_optics *opt)
{
	unsigned int i;

	for (i = 0; i < opt->num_channels; i++) {
		WRITE_ONCE(opt->ch[i].interrupt, true);
		mod_delayed_work(opt->wq, &opt->ch[i].work, 0);
	}
}

void alink_optics_cage_event(struct alink_optics *opt,
			     const struct alink_event *event)
{
	u32 n = le32_to_cpu(event->id);

	if (n >= opt->num_channels) {
		dev_warn_ratelimited(&opt->pdev->dev, "event of channel %u\n", n);
		return;
	}
	if (le32_to_cpu(event->code) == ALINK_MODULE_EV_INTERRUPT)
		WRITE_ONCE(opt->ch[n].interrupt, true);
	mod_delayed_work(opt->wq, &opt->ch[n].work, 0);
}

int alink_optics_cages_init(struct alink_optics *opt)
{
	unsigned int i;

	/* Unbound: probing a module mostly waits for its bus. */
	opt->wq = alloc_workqueue("alink-%s", WQ_UNBOUND, 0,
				  alink_dev_name(opt->adev));
	if (!opt->wq)
		return -ENOMEM;
	for (i = 0; i < opt->num_channels; i++)
		INIT_DELAYED_WORK(&opt->ch[i].work, alink_optics_cage_work);
	return 0;
}

/* After alink_optics_i2c_stop() and alink_dev_unregister(). */
void alink_optics_cages_fini(struct alink_optics *opt)
{
	unsigned int i;

	for (i = 0; i < opt->num_channels; i++) {
		cancel_delayed_work_sync(&opt->ch[i].work);
		i2c_unregister_device(opt->ch[i].client);
		opt->ch[i].client = NULL;
	}
	destroy_workqueue(opt->wq);
}
