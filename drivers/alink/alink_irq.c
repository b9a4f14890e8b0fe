// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI-X: allocation, the probe-time test of every vector, and vector 0, which
 * announces admin completions, events and link-level frames. The other
 * vectors belong to the driver, which requests them itself.
 */
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/iopoll.h>
#include <linux/slab.h>

#include "alink_priv.h"

#define ALINK_TEST_IRQ_POLL_US		10
#define ALINK_TEST_IRQ_TIMEOUT_MS	500
#define ALINK_TEST_IRQ_TRIES		3

static irqreturn_t alink_irq_test_handler(int irq, void *data)
{
	u32 *fired = data;

	WRITE_ONCE(*fired, *fired + 1);
	return IRQ_HANDLED;
}

/*
 * Has the device raise a vector whose handler counts in @fired. An interrupt may
 * get lost once; a vector that never fires is broken.
 */
static int alink_irq_test(struct alink_dev *adev, unsigned int vector,
			  const u32 *fired)
{
	unsigned int try;
	u32 before, seen;

	for (try = 1; try <= ALINK_TEST_IRQ_TRIES; try++) {
		before = READ_ONCE(*fired);
		alink_wr32(adev, ALINK_REG_TEST_IRQ, vector);
		if (!read_poll_timeout(READ_ONCE, seen, seen != before,
				       ALINK_TEST_IRQ_POLL_US, USEC_PER_MSEC *
				       ALINK_TEST_IRQ_TIMEOUT_MS, false,
				       *fired)) {
			if (try > 1)
				pci_warn(adev->pdev, "self-test: vector %u fired at try %u only\n",
					 vector, try);
			return 0;
		}
		if (alink_rd32(adev, ALINK_REG_MAGIC) == ~0U)
			return -ENODEV;
	}
	pci_err(adev->pdev, "self-test: vector %u does not fire\n", vector);
	return -EIO;
}

/* Of a vector that nobody has requested yet */
static int alink_selftest_irq(struct alink_dev *adev, unsigned int vector)
{
	u32 fired = 0;
	int irq, err;

	irq = pci_irq_vector(adev->pdev, vector);
	err = request_irq(irq, alink_irq_test_handler, 0, "alink-selftest",
			  &fired);
	if (err) {
		pci_err(adev->pdev, "vector %u: %pe\n", vector, ERR_PTR(err));
		return err;
	}
	err = alink_irq_test(adev, vector, &fired);
	free_irq(irq, &fired);
	return err;
}

static irqreturn_t alink_irq_admin(int irq, void *data)
{
	struct alink_dev *adev = data;

	WRITE_ONCE(adev->irqs, adev->irqs + 1);
	alink_admin_poll(adev);
	alink_event_kick(adev);
	alink_frames_kick(adev);
	return IRQ_HANDLED;
}

/*
 * The test of vector 0 while it is in use. An interrupt that comes for another
 * reason proves as much.
 */
int alink_selftest_irq_used(struct alink_dev *adev)
{
	return alink_irq_test(adev, ALINK_VECTOR_ADMIN, &adev->irqs);
}

int alink_irq_init(struct alink_dev *adev)
{
	unsigned int i;
	int n, err;

	n = pci_alloc_irq_vectors(adev->pdev, 1, adev->num_vectors,
				  PCI_IRQ_MSIX);
	if (n < 0) {
		pci_err(adev->pdev, "no MSI-X vectors: %pe\n", ERR_PTR(n));
		return n;
	}
	adev->num_vectors = n;

	for (i = 0; i < adev->num_vectors; i++) {
		err = alink_selftest_irq(adev, i);
		if (err)
			goto err_free_vectors;
	}

	err = request_irq(pci_irq_vector(adev->pdev, ALINK_VECTOR_ADMIN),
			  alink_irq_admin, 0, adev->name, adev);
	if (err) {
		pci_err(adev->pdev, "admin vector: %pe\n", ERR_PTR(err));
		goto err_free_vectors;
	}
	return 0;

err_free_vectors:
	pci_free_irq_vectors(adev->pdev);
	return err;
}

void alink_irq_fini(struct alink_dev *adev)
{
	free_irq(pci_irq_vector(adev->pdev, ALINK_VECTOR_ADMIN), adev);
	pci_free_irq_vectors(adev->pdev);
}

/**
 * alink_dev_num_vectors - MSI-X vectors that the function got
 * @adev:	device
 *
 * Return: 1 or more, perhaps fewer than the function could raise. Vector 0 is
 * the core's.
 */
unsigned int alink_dev_num_vectors(struct alink_dev *adev)
{
	return adev->num_vectors;
}
EXPORT_SYMBOL_GPL(alink_dev_num_vectors);

/**
 * alink_dev_irq - the interrupt number of a vector, for request_irq()
 * @adev:	device
 * @vector:	1..alink_dev_num_vectors() - 1
 *
 * The handler must be freed before alink_dev_remove().
 *
 * Return: Linux interrupt number, or -EINVAL.
 */
int alink_dev_irq(struct alink_dev *adev, unsigned int vector)
{
	if (!vector || vector >= adev->num_vectors)
		return -EINVAL;
	return pci_irq_vector(adev->pdev, vector);
}
EXPORT_SYMBOL_GPL(alink_dev_irq);
