/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of alink_optics.ko: the controller and its channels.
 *
 * A channel is one cage: an I2C adapter, and, while a module is in it, the I2C
 * client at the module's address, to which the alink-cmis driver of this module
 * binds.
 *
 * Locks, outermost first:
 *
 *	device lock of the PCI function (PCI core: probe, remove, reset, PM)
 *	  device lock of the I2C client (driver core: bind, unbind)
 *	    alink_cmis.lock
 *	      I2C bus lock of the adapter (I2C core: transfers)
 *
 * Only the channel's work creates and removes the client, except in
 * alink_optics_cages_fini(), after that work has ended for good.
 */
#ifndef ALINK_OPTICS_PRIV_H
#define ALINK_OPTICS_PRIV_H

#include <linux/build_bug.h>
#include <linux/completion.h>
#include <linux/i2c.h>
#include <linux/pci.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <hw/alink/optics.h>
#include <linux/alink/alink.h>

struct alink_optics;

/**
 * struct alink_optics_channel - one cage
 * @opt:	the controller
 * @n:		number of the channel
 * @regs:	offset of its window in BAR0
 * @adap:	I2C adapter
 * @adap_added:	@adap is registered
 * @irq:	segments end with an interrupt
 * @done:	completed by that interrupt
 * @missed_irqs: segments whose end only polling found
 * @work:	makes the client follow the cage
 * @interrupt:	the module asked for attention; for @work
 * @renew:	another module may be there, whatever @changes says; for @work
 * @try_again:	what the module lacks may pass: its driver met a controller in
 *		reset, or there was no memory; for @work
 * @client:	module, or NULL; belongs to @work
 * @changes:	ALINK_OPT_CH_CHANGES when @client was created
 */
struct alink_optics_channel {
	struct alink_optics *opt;
	unsigned int n;
	u32 regs;

	struct i2c_adapter adap;
	bool adap_added;
	bool irq;
	struct completion done;
	u32 missed_irqs;

	struct delayed_work work;
	bool interrupt;
	bool renew;
	bool try_again;
	struct i2c_client *client;
	u32 changes;
};

/**
 * struct alink_optics_vector - one interrupt and the channels that share it
 * @opt:	the controller
 * @channels:	bitmap
 * @name:	as in /proc/interrupts
 * @requested:	handler is installed
 */
struct alink_optics_vector {
	struct alink_optics *opt;
	u64 channels;
	char name[24];
	bool requested;
};

/**
 * struct alink_optics - one optics controller
 * @adev:	its ALink device; first, as struct alink_devlink has it
 * @pdev:	its PCI function
 * @stopped:	no new I2C transfers: in reset, suspended, being removed
 * @wq:		runs the works of the channels
 * @vectors:	of I2C completions
 * @num_channels: entries of @ch
 * @ch:		channels
 */
struct alink_optics {
	struct alink_dev *adev;
	struct pci_dev *pdev;
	bool stopped;
	struct workqueue_struct *wq;
	struct alink_optics_vector vectors[ALINK_OPT_NUM_VECTORS];
	unsigned int num_channels;
	struct alink_optics_channel *ch;
};

static_assert(offsetof(struct alink_optics, adev) ==
	      offsetof(struct alink_devlink, adev));

static inline u32 alink_optics_rd(struct alink_optics_channel *ch, u32 reg)
{
	return alink_rd32(ch->opt->adev, ch->regs + reg);
}

/* For who must not take the all ones of a reset for an answer */
static inline int alink_optics_read(struct alink_optics_channel *ch, u32 reg,
				    u32 *value)
{
	return alink_read32(ch->opt->adev, ch->regs + reg, value);
}

static inline void alink_optics_wr(struct alink_optics_channel *ch, u32 reg,
				   u32 value)
{
	alink_wr32(ch->opt->adev, ch->regs + reg, value);
}

/* alink_optics_i2c.c */
int alink_optics_i2c_init(struct alink_optics *opt);
void alink_optics_i2c_fini(struct alink_optics *opt);
void alink_optics_i2c_stop(struct alink_optics *opt);
void alink_optics_i2c_start(struct alink_optics *opt);
void alink_optics_i2c_release(struct alink_optics *opt);

/* alink_optics_cage.c */
int alink_optics_cages_init(struct alink_optics *opt);
void alink_optics_cages_fini(struct alink_optics *opt);
void alink_optics_cages_check(struct alink_optics *opt);
void alink_optics_cage_event(struct alink_optics *opt,
			     const struct alink_event *event);
bool alink_optics_same_module(struct alink_optics_channel *ch);

/* alink_optics_cmis.c */
extern struct i2c_driver alink_optics_cmis_driver;
void alink_optics_cmis_interrupt(struct i2c_client *client);

#endif /* ALINK_OPTICS_PRIV_H */
