// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_optics.ko: an I2C adapter for each cage.
 *
 * The hardware executes one message at a time. Its end comes by interrupt;
 * should that get lost, polling finds it. The data line that a module holds
 * low is freed by clocking, through the recovery of the I2C core.
 */
#include <linux/bitops.h>
#include <linux/i2c.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>

#include "alink_optics_priv.h"

#define ALINK_OPTICS_HZ			400000
#define ALINK_OPTICS_STRETCH_US		35000
/* How late an interrupt may be before the register is read instead */
#define ALINK_OPTICS_IRQ_SLACK_US	20000
/* The hardware ends every segment; this is for hardware that does not. */
#define ALINK_OPTICS_GIVE_UP_US		200000

static irqreturn_t alink_optics_irq(int irq, void *data)
{
	struct alink_optics_vector *vec = data;
	u64 done = alink_rd64(vec->opt->adev, ALINK_OPT_REG_I2C_DONE);
	unsigned int i;

	done &= vec->channels;
	for (i = 0; i < vec->opt->num_channels; i++)
		if (done & BIT_ULL(i))
			complete(&vec->opt->ch[i].done);
	return IRQ_HANDLED;
}

static int alink_optics_gone(struct alink_optics *opt)
{
	return alink_dev_lost(opt->adev) ? -ENODEV : -ESHUTDOWN;
}

/*
 * Waits for the end of what runs on the bus and takes note of it. @busy_us is
 * the time that it takes on the wire.
 */
static int alink_optics_wait(struct alink_optics_channel *ch,
			     unsigned int busy_us, u32 *status)
{
	unsigned long give_up = jiffies +
		usecs_to_jiffies(busy_us + ALINK_OPTICS_STRETCH_US +
				 ALINK_OPTICS_GIVE_UP_US);
	unsigned long step;
	bool told, late;

	step = usecs_to_jiffies(busy_us + (ch->irq ? ALINK_OPTICS_IRQ_SLACK_US :
					   0));
	do {
		late = time_after(jiffies, give_up);
		told = wait_for_completion_timeout(&ch->done, step);
		*status = alink_optics_rd(ch, ALINK_OPT_I2C_STATUS);
		if (*status == ~0U)
			return alink_optics_gone(ch->opt);
		if (*status & ALINK_OPT_I2C_DONE)
			break;
	} while (!late);

	if (!(*status & ALINK_OPT_I2C_DONE)) {
		alink_optics_wr(ch, ALINK_OPT_I2C_OP, ALINK_OPT_OP_ABORT);
		*status = alink_optics_rd(ch, ALINK_OPT_I2C_STATUS);
		dev_err_ratelimited(&ch->adap.dev,
				    "a transfer does not end, aborted\n");
	} else if (ch->irq && !told) {
		ch->missed_irqs++;
		dev_warn_ratelimited(&ch->adap.dev, "interrupt lost (%u so far)\n",
				     ch->missed_irqs);
	}
	alink_optics_wr(ch, ALINK_OPT_I2C_STATUS, *status);
	/* Nothing ran that the abort could have ended. */
	return *status & ALINK_OPT_I2C_DONE ? 0 : -ETIMEDOUT;
}

static unsigned int alink_optics_wire_us(unsigned int bytes)
{
	return DIV_ROUND_UP(((bytes + 1) * 9 + 2) * 1000,
			    ALINK_OPTICS_HZ / 1000);
}

/* The I2C core calls this with the bus locked. */
static int alink_optics_recover(struct i2c_adapter *adap)
{
	struct alink_optics_channel *ch = i2c_get_adapdata(adap);
	u32 status;
	int err;

	reinit_completion(&ch->done);
	alink_optics_wr(ch, ALINK_OPT_I2C_OP, ALINK_OPT_OP_RECOVER);
	err = alink_optics_wait(ch, alink_optics_wire_us(0), &status);
	if (err)
		return err;
	return status & ALINK_OPT_I2C_ERRORS ? -EBUSY : 0;
}

static void alink_optics_put_data(struct alink_optics_channel *ch,
				  const struct i2c_msg *msg)
{
	unsigned int i, n;
	u32 word;

	for (i = 0; i < msg->len; i += 4) {
		word = 0;
		for (n = 0; n < 4 && i + n < msg->len; n++)
			word |= (u32)msg->buf[i + n] << (8 * n);
		alink_optics_wr(ch, ALINK_OPT_I2C_DATA + i, word);
	}
}

static int alink_optics_get_data(struct alink_optics_channel *ch,
				 struct i2c_msg *msg)
{
	unsigned int i, n;
	u32 word;

	for (i = 0; i < msg->len; i += 4) {
		word = alink_optics_rd(ch, ALINK_OPT_I2C_DATA + i);
		/* No reset gets by: it waits for the bus, which is held. */
		if (word == ~0U && !alink_dev_active(ch->opt->adev))
			return alink_optics_gone(ch->opt);
		for (n = 0; n < 4 && i + n < msg->len; n++)
			msg->buf[i + n] = word >> (8 * n);
	}
	return 0;
}

static int alink_optics_status_errno(u32 status)
{
	if (status & ALINK_OPT_I2C_NAK_ADDR)
		return -ENXIO;
	if (status & ALINK_OPT_I2C_ARB_LOST)
		return -EAGAIN;
	if (status & ALINK_OPT_I2C_TIMED_OUT)
		return -ETIMEDOUT;
	if (status & ALINK_OPT_I2C_STUCK)
		return -EBUSY;
	if (status & ALINK_OPT_I2C_ABORTED)
		return -ETIMEDOUT;
	return status & ALINK_OPT_I2C_ERRORS ? -EIO : 0;
}

static int alink_optics_segment(struct alink_optics_channel *ch,
				struct i2c_msg *msg, bool last)
{
	u32 cmd = msg->addr | (u32)msg->len << ALINK_OPT_CMD_LEN_SHIFT;
	u32 status;
	int err;

	if (READ_ONCE(ch->opt->stopped))
		return alink_optics_gone(ch->opt);

	if (msg->flags & I2C_M_RD)
		cmd |= ALINK_OPT_CMD_READ;
	else
		alink_optics_put_data(ch, msg);
	if (!last)
		cmd |= ALINK_OPT_CMD_NO_STOP;

	reinit_completion(&ch->done);
	alink_optics_wr(ch, ALINK_OPT_I2C_CMD, cmd);
	err = alink_optics_wait(ch, alink_optics_wire_us(msg->len), &status);
	if (!err)
		err = alink_optics_status_errno(status);
	if (!err && msg->flags & I2C_M_RD)
		err = alink_optics_get_data(ch, msg);
	return err;
}

static int alink_optics_xfer(struct i2c_adapter *adap, struct i2c_msg *msgs,
			     int num)
{
	struct alink_optics_channel *ch = i2c_get_adapdata(adap);
	u32 changes = alink_optics_rd(ch, ALINK_OPT_CH_CHANGES);
	int i, err;

	/* i2c-dev hands on what it was given. */
	for (i = 0; i < num; i++)
		if (msgs[i].addr > 0x7f ||
		    msgs[i].flags & (I2C_M_TEN | I2C_M_RECV_LEN))
			return -EOPNOTSUPP;

	for (i = 0; i < num; i++) {
		err = alink_optics_segment(ch, &msgs[i], i == num - 1);
		if (err == -EBUSY) {
			/* Nothing went over the wire: clear it and try again */
			err = i2c_recover_bus(adap);
			return err ? err : -EAGAIN;
		}
		if (err)
			goto err_release;
	}

	/* A module that is pulled leaves a bus that reads as ones. */
	if (alink_optics_rd(ch, ALINK_OPT_CH_CHANGES) != changes)
		return -ENXIO;
	return num;

err_release:
	/* Between messages the bus is held; a failed one has released it. */
	if (i && err == -ESHUTDOWN)
		alink_optics_wr(ch, ALINK_OPT_I2C_OP, ALINK_OPT_OP_ABORT);
	return err;
}

static u32 alink_optics_functionality(struct i2c_adapter *adap)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm alink_optics_algorithm = {
	.master_xfer = alink_optics_xfer,
	.functionality = alink_optics_functionality,
};

static const struct i2c_adapter_quirks alink_optics_quirks = {
	.max_read_len = ALINK_OPT_I2C_DATA_SIZE,
	.max_write_len = ALINK_OPT_I2C_DATA_SIZE,
};

static struct i2c_bus_recovery_info alink_optics_recovery = {
	.recover_bus = alink_optics_recover,
};

/* Puts the settings into a controller that has just been reset or probed. */
void alink_optics_i2c_start(struct alink_optics *opt)
{
	unsigned int i;

	for (i = 0; i < opt->num_channels; i++) {
		struct alink_optics_channel *ch = &opt->ch[i];

		alink_optics_wr(ch, ALINK_OPT_I2C_OP, ALINK_OPT_OP_ABORT);
		alink_optics_wr(ch, ALINK_OPT_I2C_STATUS,
				ALINK_OPT_I2C_DONE | ALINK_OPT_I2C_ERRORS);
		alink_optics_wr(ch, ALINK_OPT_I2C_CLOCK, ALINK_OPTICS_HZ);
		alink_optics_wr(ch, ALINK_OPT_I2C_TIMEOUT,
				ALINK_OPTICS_STRETCH_US);
		alink_optics_wr(ch, ALINK_OPT_I2C_CTRL, ch->irq);
	}
	WRITE_ONCE(opt->stopped, false);
}

/* When it returns, no transfer runs, nor will one begin. */
void alink_optics_i2c_stop(struct alink_optics *opt)
{
	unsigned int i;

	WRITE_ONCE(opt->stopped, true);
	for (i = 0; i < opt->num_channels; i++) {
		struct alink_optics_channel *ch = &opt->ch[i];

		if (!ch->adap_added)
			continue;
		i2c_lock_bus(&ch->adap, I2C_LOCK_ROOT_ADAPTER);
		i2c_unlock_bus(&ch->adap, I2C_LOCK_ROOT_ADAPTER);
	}
}

/* The device has gone: those who wait for it need not. */
void alink_optics_i2c_release(struct alink_optics *opt)
{
	unsigned int i;

	WRITE_ONCE(opt->stopped, true);
	for (i = 0; i < opt->num_channels; i++)
		complete(&opt->ch[i].done);
}

static int alink_optics_request_irqs(struct alink_optics *opt)
{
	struct alink_dev *adev = opt->adev;
	unsigned int i, v;
	int err;

	for (i = 0; i < opt->num_channels; i++) {
		v = ALINK_OPT_VECTOR(i);
		/* A channel without a vector is polled. */
		opt->ch[i].irq = v < alink_dev_num_vectors(adev);
		opt->vectors[v].channels |= BIT_ULL(i);
	}
	for (v = 1; v < ALINK_OPT_NUM_VECTORS; v++) {
		struct alink_optics_vector *vec = &opt->vectors[v];

		vec->opt = opt;
		if (v >= alink_dev_num_vectors(adev))
			break;
		snprintf(vec->name, sizeof(vec->name), "%s-i2c%u",
			 alink_dev_name(adev), v);
		err = request_irq(alink_dev_irq(adev, v), alink_optics_irq, 0,
				  vec->name, vec);
		if (err) {
			pci_err(opt->pdev, "vector %u: %pe\n", v, ERR_PTR(err));
			return err;
		}
		vec->requested = true;
	}
	return 0;
}

static void alink_optics_free_irqs(struct alink_optics *opt)
{
	unsigned int v;

	for (v = 1; v < ALINK_OPT_NUM_VECTORS; v++) {
		struct alink_optics_vector *vec = &opt->vectors[v];

		if (vec->requested)
			free_irq(alink_dev_irq(opt->adev, v), vec);
		vec->requested = false;
	}
}

static int alink_optics_add_adapter(struct alink_optics_channel *ch)
{
	struct i2c_adapter *adap = &ch->adap;
	int err;

	adap->owner = THIS_MODULE;
	adap->algo = &alink_optics_algorithm;
	adap->quirks = &alink_optics_quirks;
	adap->bus_recovery_info = &alink_optics_recovery;
	adap->dev.parent = &ch->opt->pdev->dev;
	adap->retries = 3;
	adap->timeout = HZ;
	snprintf(adap->name, sizeof(adap->name), "ALink %s cage %u",
		 alink_dev_name(ch->opt->adev), ch->n);
	i2c_set_adapdata(adap, ch);
	err = i2c_add_adapter(adap);
	ch->adap_added = !err;
	return err;
}

int alink_optics_i2c_init(struct alink_optics *opt)
{
	unsigned int i;
	int err;

	for (i = 0; i < opt->num_channels; i++)
		init_completion(&opt->ch[i].done);

	err = alink_optics_request_irqs(opt);
	if (err)
		goto err_fini;
	alink_optics_i2c_start(opt);
	for (i = 0; i < opt->num_channels; i++) {
		err = alink_optics_add_adapter(&opt->ch[i]);
		if (err)
			goto err_fini;
	}
	return 0;

err_fini:
	alink_optics_i2c_fini(opt);
	return err;
}

void alink_optics_i2c_fini(struct alink_optics *opt)
{
	unsigned int i;

	for (i = 0; i < opt->num_channels; i++) {
		struct alink_optics_channel *ch = &opt->ch[i];

		if (!ch->adap_added)
			continue;
		i2c_del_adapter(&ch->adap);
		ch->adap_added = false;
		alink_optics_wr(ch, ALINK_OPT_I2C_CTRL, 0);
	}
	alink_optics_free_irqs(opt);
}
