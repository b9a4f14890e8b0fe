// SPDX-License-Identifier: GPL-2.0-only
/*
 * First contact with a function: who it is, whether we speak its interface,
 * and whether registers and DMA work at all before anything relies on them.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>

#include "alink_priv.h"

#define ALINK_TEST_DMA_BYTES		4096
#define ALINK_TEST_DMA_TIMEOUT_US	USEC_PER_SEC

static int alink_wait_ready(struct alink_dev *adev)
{
	u32 state;
	int err;

	err = read_poll_timeout(alink_rd32, state,
				state == ALINK_STATE_READY ||
				state == ALINK_STATE_FAULTED || state == ~0U,
				1000, ALINK_READY_TIMEOUT_US, false,
				adev, ALINK_REG_STATE);
	if (state == ~0U)
		return -ENODEV;
	if (err) {
		pci_err(adev->pdev, "firmware not ready after %lu s, state %u\n",
			ALINK_READY_TIMEOUT_US / USEC_PER_SEC, state);
		return err;
	}
	return state == ALINK_STATE_READY ? 0 : -EIO;
}

/* Resets the function by its own register; config space stays as it is. */
int alink_soft_reset(struct alink_dev *adev)
{
	alink_wr32(adev, ALINK_REG_RESET, ALINK_RESET_KEY);
	return alink_wait_ready(adev);
}

static int alink_check_identity(struct alink_dev *adev)
{
	u32 magic, devtype;

	magic = alink_rd32(adev, ALINK_REG_MAGIC);
	if (magic == ~0U) {
		pci_err(adev->pdev, "device does not answer: reads all ones\n");
		return -ENODEV;
	}
	if (magic != ALINK_MAGIC) {
		pci_err(adev->pdev, "bad magic %#010x, want %#010x\n", magic,
			ALINK_MAGIC);
		return -ENODEV;
	}

	adev->version = alink_rd32(adev, ALINK_REG_VERSION);
	if (adev->version >> 16 != ALINK_VERSION_MAJOR) {
		pci_err(adev->pdev, "interface version %u.%u, this driver speaks %u.x\n",
			adev->version >> 16, adev->version & 0xffff,
			ALINK_VERSION_MAJOR);
		return -EPROTONOSUPPORT;
	}

	devtype = alink_rd32(adev, ALINK_REG_DEVTYPE);
	if (devtype != adev->ops->devtype) {
		pci_err(adev->pdev, "device type %u, want %u\n", devtype,
			adev->ops->devtype);
		return -ENODEV;
	}
	return 0;
}

/*
 * Reads who the device is. A device that a dead kernel left enabled, or a driver
 * that could not undo all, or that shows a fault, is reset first.
 */
int alink_handshake(struct alink_dev *adev)
{
	u32 left_enabled;
	int err;

	err = alink_check_identity(adev);
	if (err)
		return err;

	err = alink_wait_ready(adev);
	left_enabled = alink_rd32(adev, ALINK_REG_CONTROL) &
		       ALINK_CONTROL_ENABLE;
	if (err == -EIO || (!err && left_enabled)) {
		pci_info(adev->pdev, "%s: resetting it\n",
			 err ? "device is faulted" : "device was left enabled");
		err = alink_soft_reset(adev);
	}
	if (err == -EIO)
		pci_err(adev->pdev, "device is faulted after reset: code %u, recovery %u\n",
			alink_rd32(adev, ALINK_REG_FAULT_CODE),
			alink_rd32(adev, ALINK_REG_FAULT_CLASS));
	if (err)
		return err;

	adev->variant = alink_rd32(adev, ALINK_REG_VARIANT);
	adev->caps = alink_rd64(adev, ALINK_REG_CAPS);
	adev->serial = alink_rd64(adev, ALINK_REG_SERIAL);
	adev->fw_version = alink_rd32(adev, ALINK_REG_FW_VERSION);
	adev->fabric_id = alink_rd32(adev, ALINK_REG_FABRIC_ID);
	adev->num_vectors = alink_rd32(adev, ALINK_REG_NUM_VECTORS);
	adev->generation = alink_rd32(adev, ALINK_REG_GENERATION);
	adev->guest_errors = alink_rd32(adev, ALINK_REG_GUEST_ERRORS);
	if (adev->caps & ALINK_CAP_LINKS)
		adev->num_links = alink_rd32(adev, ALINK_REG_NUM_LINKS);

	if (!adev->num_vectors || adev->num_vectors > 2048) {
		pci_err(adev->pdev, "device claims %u vectors\n",
			adev->num_vectors);
		return -EPROTO;
	}
	if (adev->num_links > ALINK_LINK_AREA_SIZE / ALINK_LINK_STRIDE) {
		pci_err(adev->pdev, "device claims %u links\n",
			adev->num_links);
		return -EPROTO;
	}
	return alink_dev_lost(adev) ? -ENODEV : 0;
}

/*
 * After a reset: the same device, and ready? A device that nobody has reset
 * still holds what its driver is about to make anew, and is reset here: after a
 * suspend that another device refused, or that left this one its power.
 */
int alink_handshake_again(struct alink_dev *adev)
{
	u64 serial;
	int err;

	err = alink_check_identity(adev);
	if (err)
		return err;
	err = alink_wait_ready(adev);
	if (!err &&
	    alink_rd32(adev, ALINK_REG_GENERATION) == adev->generation)
		err = alink_soft_reset(adev);
	if (err)
		return err;

	serial = alink_rd64(adev, ALINK_REG_SERIAL);
	if (serial != adev->serial) {
		pci_err(adev->pdev, "another device after reset: serial %#llx, was %#llx\n",
			serial, adev->serial);
		return -ENODEV;
	}
	/* Another one may have been in flash; readers take no lock. */
	WRITE_ONCE(adev->fw_version, alink_rd32(adev, ALINK_REG_FW_VERSION));
	adev->generation = alink_rd32(adev, ALINK_REG_GENERATION);
	adev->guest_errors = alink_rd32(adev, ALINK_REG_GUEST_ERRORS);
	return 0;
}

/* Register width and byte order */
int alink_selftest_value(struct alink_dev *adev)
{
	static const u32 patterns[] = {
		0x00000000, 0xffffffff, 0x5a5a5a5a, 0x01234567, 0x80000001,
	};
	unsigned int i;
	u32 value;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		alink_wr32(adev, ALINK_REG_TEST_VALUE, patterns[i]);
		value = alink_rd32(adev, ALINK_REG_TEST_VALUE);
		if (value != ~patterns[i]) {
			pci_err(adev->pdev, "self-test: wrote %#010x, read %#010x, want %#010x\n",
				patterns[i], value, ~patterns[i]);
			return alink_dev_lost(adev) ? -ENODEV : -EIO;
		}
	}
	return 0;
}

static int alink_test_dma_op(struct alink_dev *adev, u32 op)
{
	u32 status;
	int err;

	alink_wr32(adev, ALINK_REG_TEST_DMA_CTRL, op);
	err = read_poll_timeout(alink_rd32, status,
				status != ALINK_TEST_DMA_BUSY,
				10, ALINK_TEST_DMA_TIMEOUT_US, false,
				adev, ALINK_REG_TEST_DMA_STATUS);
	if (status == ~0U)
		return -ENODEV;
	if (err || status != ALINK_TEST_DMA_DONE) {
		pci_err(adev->pdev, "self-test: DMA operation %u %s (status %u)\n",
			op, err ? "never ends" : "failed", status);
		return err ?: -EIO;
	}
	dma_rmb();
	return 0;
}

/* Byte i of @len is 0x5a + i, xor @flip; none behind it was written. */
static int alink_test_dma_check(struct alink_dev *adev, const u8 *buf,
				size_t len, u8 flip)
{
	size_t i;
	u8 want;

	for (i = 0; i < ALINK_TEST_DMA_BYTES; i++) {
		want = i < len ? (0x5a + i) ^ flip : 0;
		if (buf[i] == want)
			continue;
		pci_err(adev->pdev, "self-test: DMA byte %zu is %#04x, want %#04x\n",
			i, buf[i], want);
		return -EIO;
	}
	return 0;
}

/*
 * DMA in both directions, over the whole buffer and not a byte more. Looked at
 * after each step: an error that comes twice may undo itself.
 */
int alink_selftest_dma(struct alink_dev *adev)
{
	const size_t len = ALINK_TEST_DMA_BYTES - 64;
	dma_addr_t dma;
	int err;
	u8 *buf;

	buf = dma_alloc_coherent(&adev->pdev->dev, ALINK_TEST_DMA_BYTES, &dma,
				 GFP_KERNEL);
	if (!buf)
		return -ENOMEM;

	alink_wr64(adev, ALINK_REG_TEST_DMA_ADDR, dma);
	alink_wr32(adev, ALINK_REG_TEST_DMA_LEN, len);

	err = alink_test_dma_op(adev, ALINK_TEST_DMA_FILL);
	if (!err)
		err = alink_test_dma_check(adev, buf, len, 0);
	if (!err)
		err = alink_test_dma_op(adev, ALINK_TEST_DMA_INVERT);
	if (!err)
		err = alink_test_dma_check(adev, buf, len, 0xff);

	/*
	 * An operation that never ended may still write: bus mastering goes
	 * off before the buffer goes back, as probe fails.
	 */
	if (err)
		pci_clear_master(adev->pdev);
	alink_wr64(adev, ALINK_REG_TEST_DMA_ADDR, 0);
	alink_wr32(adev, ALINK_REG_TEST_DMA_LEN, 0);
	dma_free_coherent(&adev->pdev->dev, ALINK_TEST_DMA_BYTES, buf, dma);
	return err;
}
