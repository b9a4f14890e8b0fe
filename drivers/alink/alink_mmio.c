// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MMIO guard. A function that has gone reads all ones. The first reader
 * that sees this and finds that the magic number, which is never all ones,
 * reads the same drops the BAR; from then on every access is a no-op that
 * returns all ones, so that nobody waits for a bus time-out again.
 *
 * The BAR is also closed between reset_prepare and reset_done: a function in
 * reset answers like one that has gone, and must not be mistaken for it. Nor
 * must one be that the bus has frozen for error recovery.
 */
#include <linux/export.h>
#include <linux/io.h>
#include <linux/pci.h>

#include "alink_priv.h"

/* Opens the guard: at probe, and when a reset is over. */
void alink_mmio_open(struct alink_dev *adev)
{
	unsigned long flags;

	spin_lock_irqsave(&adev->mmio_lock, flags);
	if (!test_bit(ALINK_DEV_LOST, &adev->flags)) {
		WRITE_ONCE(adev->epoch, adev->epoch + 1);
		/* Who sees the BAR sees that it was closed. */
		smp_store_release(&adev->bar, adev->base);
	}
	spin_unlock_irqrestore(&adev->mmio_lock, flags);
}

/* Closes the guard without calling the device lost: before reset, at remove. */
void alink_mmio_close(struct alink_dev *adev)
{
	unsigned long flags;

	spin_lock_irqsave(&adev->mmio_lock, flags);
	WRITE_ONCE(adev->epoch, adev->epoch + 1);
	WRITE_ONCE(adev->bar, NULL);
	spin_unlock_irqrestore(&adev->mmio_lock, flags);
}

static void alink_mmio_drop(struct alink_dev *adev)
{
	lockdep_assert_held(&adev->mmio_lock);

	WRITE_ONCE(adev->bar, NULL);
	if (!test_and_set_bit(ALINK_DEV_LOST, &adev->flags))
		schedule_work(&adev->lost_work);
}

/* Declares the device lost, whatever it reads: the bus says that it is gone. */
void alink_mmio_lose(struct alink_dev *adev)
{
	unsigned long flags;

	spin_lock_irqsave(&adev->mmio_lock, flags);
	alink_mmio_drop(adev);
	spin_unlock_irqrestore(&adev->mmio_lock, flags);
}

/*
 * A register read all ones: right, or is the device gone? The epoch is taken
 * before the confirming read and compared after it, so that a reset that came
 * in between cannot look like a loss.
 */
static noinline void alink_mmio_check(struct alink_dev *adev,
				      void __iomem *bar)
{
	unsigned long flags;
	u32 epoch;

	/* Cut off by a port that contains an error: it will be back. */
	if (READ_ONCE(adev->pdev->error_state) == pci_channel_io_frozen)
		return;

	spin_lock_irqsave(&adev->mmio_lock, flags);
	epoch = adev->epoch;
	if (adev->bar != bar) {
		spin_unlock_irqrestore(&adev->mmio_lock, flags);
		return;
	}
	spin_unlock_irqrestore(&adev->mmio_lock, flags);

	if (readl(bar + ALINK_REG_MAGIC) != ~0U)
		return;

	spin_lock_irqsave(&adev->mmio_lock, flags);
	if (adev->bar == bar && adev->epoch == epoch)
		alink_mmio_drop(adev);
	spin_unlock_irqrestore(&adev->mmio_lock, flags);
}

/**
 * alink_rd32 - read a register
 * @adev:	device
 * @reg:	offset in BAR0
 *
 * Context: any.
 * Return: the value; all ones while the device is in reset or gone.
 */
u32 alink_rd32(struct alink_dev *adev, u32 reg)
{
	void __iomem *bar = READ_ONCE(adev->bar);
	u32 value;

	if (!bar)
		return ~0U;

	value = readl(bar + reg);
	if (unlikely(value == ~0U))
		alink_mmio_check(adev, bar);
	return value;
}
EXPORT_SYMBOL_GPL(alink_rd32);

/**
 * alink_rd64 - read a 64-bit register in one access
 * @adev:	device
 * @reg:	offset in BAR0
 *
 * Context: any.
 * Return: the value; all ones while the device is in reset or gone.
 */
u64 alink_rd64(struct alink_dev *adev, u32 reg)
{
	void __iomem *bar = READ_ONCE(adev->bar);
	u64 value;

	if (!bar)
		return ~0ULL;

	value = readq(bar + reg);
	if (unlikely(value == ~0ULL))
		alink_mmio_check(adev, bar);
	return value;
}
EXPORT_SYMBOL_GPL(alink_rd64);

/**
 * alink_regs_begin - before registers are read that are shown together
 * @adev:	device
 * @epoch:	set, for alink_regs_end()
 *
 * Context: any.
 * Return: 0; -ENODEV: the device is gone; -EAGAIN: it is in reset, or on its way
 * back: its registers answer before it is in order, and tell of that.
 */
int alink_regs_begin(struct alink_dev *adev, u32 *epoch)
{
	/* First: a reset that begins after the look at the flag changes it. */
	*epoch = smp_load_acquire(&adev->epoch);
	if (alink_dev_lost(adev))
		return -ENODEV;
	return test_bit(ALINK_DEV_STOPPED, &adev->flags) ? -EAGAIN : 0;
}

/**
 * alink_regs_end - do registers that were read say something?
 * @adev:	device
 * @epoch:	from before they were
 *
 * That the BAR is open now is not enough: a whole reset may have gone by.
 *
 * Context: any.
 * Return: 0; -ENODEV: the device is gone; -EAGAIN: it was in reset meanwhile.
 */
int alink_regs_end(struct alink_dev *adev, u32 epoch)
{
	if (alink_dev_lost(adev))
		return -ENODEV;
	/* Pairs with alink_mmio_open(): the epoch is that of the BAR, or later. */
	if (!smp_load_acquire(&adev->bar) || READ_ONCE(adev->epoch) != epoch)
		return -EAGAIN;
	return 0;
}

/**
 * alink_read32 - read a register for somebody who relies on it
 * @adev:	device
 * @reg:	offset in BAR0
 * @value:	set
 *
 * Context: any.
 * Return: 0; -ENODEV: the device is gone; -EAGAIN: it was in reset, and the
 * value means nothing.
 */
int alink_read32(struct alink_dev *adev, u32 reg, u32 *value)
{
	/* Before the register */
	u32 epoch = smp_load_acquire(&adev->epoch);

	*value = alink_rd32(adev, reg);
	return alink_regs_end(adev, epoch);
}
EXPORT_SYMBOL_GPL(alink_read32);

/**
 * alink_read64 - as alink_read32(), of a 64-bit register
 * @adev:	device
 * @reg:	offset in BAR0
 * @value:	set
 *
 * Context: any.
 * Return: as alink_read32().
 */
int alink_read64(struct alink_dev *adev, u32 reg, u64 *value)
{
	/* Before the register */
	u32 epoch = smp_load_acquire(&adev->epoch);

	*value = alink_rd64(adev, reg);
	return alink_regs_end(adev, epoch);
}

/**
 * alink_wr32 - write a register
 * @adev:	device
 * @reg:	offset in BAR0
 * @value:	what to write
 *
 * Orders earlier writes to DMA memory before the register write. Does nothing
 * while the device is in reset or gone.
 *
 * Context: any.
 */
void alink_wr32(struct alink_dev *adev, u32 reg, u32 value)
{
	void __iomem *bar = READ_ONCE(adev->bar);

	if (bar)
		writel(value, bar + reg);
}
EXPORT_SYMBOL_GPL(alink_wr32);

/**
 * alink_wr64 - write a 64-bit register in one access
 * @adev:	device
 * @reg:	offset in BAR0
 * @value:	what to write
 *
 * As alink_wr32().
 *
 * Context: any.
 */
void alink_wr64(struct alink_dev *adev, u32 reg, u64 value)
{
	void __iomem *bar = READ_ONCE(adev->bar);

	if (bar)
		writeq(value, bar + reg);
}
EXPORT_SYMBOL_GPL(alink_wr64);
