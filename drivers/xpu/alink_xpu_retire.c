// SPDX-License-Identifier: GPL-2.0-only
/*
 * Retired pages: HBM that took an uncorrectable error is not given out again.
 *
 * A bad page that is in use stays where it is until its object is freed, as
 * the owner may save what else is in it; a free one goes at once. The device
 * keeps the list for the next driver, which takes the pages out before it
 * gives memory to anybody.
 */
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>

#include "alink_xpu_drv.h"

static_assert(ALINK_XPU_MAX_RETIRED *
	      ALINK_TLV_SPAN(sizeof(struct alink_xpu_page)) <= SZ_4K);

static bool xpu_bad_retired(const struct xpu_bad_page *bad)
{
	return drm_mm_node_allocated(&bad->node);
}

static const char *xpu_bad_cause(const struct xpu_bad_page *bad)
{
	return bad->cause == ALINK_XPU_RETIRE_ECC ? "ecc" : "unknown";
}

static bool xpu_bad_known(struct xpu_hbm *hbm, u64 addr)
{
	unsigned int i;

	lockdep_assert_held(&hbm->lock);

	for (i = 0; i < hbm->num_bad; i++)
		if (hbm->bad[i].addr == addr)
			return true;
	return false;
}

/* Puts a page on the list, which has room. */
static struct xpu_bad_page *xpu_bad_add(struct xpu_hbm *hbm, u64 addr,
					s64 time, u32 cause)
{
	struct xpu_bad_page *bad = &hbm->bad[hbm->num_bad];

	lockdep_assert_held(&hbm->lock);

	bad->addr = addr;
	bad->time = time;
	bad->cause = cause;
	bad->node.start = addr;
	bad->node.size = XPU_PAGE_SIZE;
	bad->node.color = XPU_HBM_BAD;
	hbm->num_bad++;
	return bad;
}

/**
 * alink_xpu_retire_free - take bad pages that nobody uses out of the allocator
 * @xdev:	device, its xpu_hbm locked
 */
void alink_xpu_retire_free(struct xpu_device *xdev)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	unsigned int i;

	lockdep_assert_held(&hbm->lock);

	for (i = 0; i < hbm->num_bad; i++) {
		struct xpu_bad_page *bad = &hbm->bad[i];

		if (xpu_bad_retired(bad) ||
		    drm_mm_reserve_node(&hbm->mm, &bad->node))
			continue;
		hbm->retired += XPU_PAGE_SIZE;
		if (bad->addr < xdev->info.hbm_visible)
			hbm->visible_retired += XPU_PAGE_SIZE;
	}
}

/**
 * alink_xpu_retire_pending - has an object a page that will be retired?
 * @xdev:	device
 * @bo:		HBM object, which stays where it is meanwhile
 *
 * Return: true if it has.
 */
bool alink_xpu_retire_pending(struct xpu_device *xdev, const struct xpu_bo *bo)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	const struct drm_mm_node *piece;
	unsigned int i, k;
	bool found = false;

	mutex_lock(&hbm->lock);
	for (i = 0; i < hbm->num_bad; i++) {
		for (k = 0; k < bo->num_pieces; k++) {
			piece = &bo->pieces[k];
			found |= hbm->bad[i].addr >= piece->start &&
				 hbm->bad[i].addr - piece->start < piece->size;
		}
	}
	mutex_unlock(&hbm->lock);
	return found;
}

/**
 * alink_xpu_retire_get - look at a bad page
 * @xdev:	device
 * @i:		number in the order of the list, from 0
 * @info:	out
 *
 * Return: false if there are no more.
 */
bool alink_xpu_retire_get(struct xpu_device *xdev, unsigned int i,
			  struct xpu_bad_info *info)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	const struct xpu_bad_page *bad;
	bool found;

	mutex_lock(&hbm->lock);
	found = i < hbm->num_bad;
	if (found) {
		bad = &hbm->bad[i];
		*info = (struct xpu_bad_info) {
			.addr = bad->addr,
			.time = bad->time,
			.cause = xpu_bad_cause(bad),
			.retired = xpu_bad_retired(bad),
			.stored = bad->stored,
		};
	}
	mutex_unlock(&hbm->lock);
	return found;
}

/* Errors in pages that stay in use, as the list is full */
u64 alink_xpu_retire_beyond(struct xpu_device *xdev)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	u64 beyond;

	mutex_lock(&hbm->lock);
	beyond = hbm->beyond;
	mutex_unlock(&hbm->lock);
	return beyond;
}

/**
 * alink_xpu_retire_store - tell the device what it does not know yet
 * @xdev:	device
 * @restart:	after a reset, before anybody may use the device
 *
 * What cannot be told is tried again with the next page, and after the next
 * reset.
 */
void alink_xpu_retire_store(struct xpu_device *xdev, bool restart)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	struct alink_xpu_page page;
	unsigned int i, num;
	bool stored;
	int err;

	if (!(alink_dev_caps(xdev->adev) & ALINK_CAP_RETIRE))
		return;
	mutex_lock(&hbm->lock);
	num = hbm->num_bad;
	mutex_unlock(&hbm->lock);

	/* The list only grows, and its entries do not change. */
	for (i = 0; i < num; i++) {
		mutex_lock(&hbm->lock);
		stored = hbm->bad[i].stored;
		page = (struct alink_xpu_page) {
			.addr = cpu_to_le64(hbm->bad[i].addr),
			.time = cpu_to_le64(hbm->bad[i].time),
			.cause = cpu_to_le32(hbm->bad[i].cause),
		};
		mutex_unlock(&hbm->lock);
		if (stored)
			continue;
		if (restart)
			err = alink_admin_tlv(xdev->adev,
					      ALINK_XPU_ADMIN_PAGE_RETIRE,
					      ALINK_TLV_XPU_PAGE, &page,
					      sizeof(page), NULL);
		else
			err = alink_xpu_admin_tlv(xdev,
						  ALINK_XPU_ADMIN_PAGE_RETIRE,
						  ALINK_TLV_XPU_PAGE, &page,
						  sizeof(page), NULL);
		/* It is there if only the answer got lost last time. */
		if (err && err != -EEXIST) {
			drm_warn(&xdev->drm,
				 "bad page %#llx not in the device's list: %pe\n",
				 le64_to_cpu(page.addr), ERR_PTR(err));
			return;
		}
		mutex_lock(&hbm->lock);
		hbm->bad[i].stored = true;
		mutex_unlock(&hbm->lock);
	}
}

/**
 * alink_xpu_retire - a page of HBM is bad
 * @xdev:	device
 * @addr:	offset in HBM, anywhere in the page
 *
 * Context: process; sleeps.
 */
void alink_xpu_retire(struct xpu_device *xdev, u64 addr)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	struct xpu_bad_page *bad;
	bool known, retired;

	addr = ALIGN_DOWN(addr, XPU_PAGE_SIZE);
	if (addr >= xdev->info.hbm_size) {
		drm_err_ratelimited(&xdev->drm, "error at %#llx, beyond HBM\n",
				    addr);
		return;
	}

	mutex_lock(&hbm->lock);
	known = xpu_bad_known(hbm, addr);
	if (!known && hbm->num_bad == ALINK_XPU_MAX_RETIRED) {
		hbm->beyond++;
		mutex_unlock(&hbm->lock);
		drm_err_ratelimited(&xdev->drm,
				    "bad page %#llx stays in use, as %u are retired: replace the device\n",
				    addr, ALINK_XPU_MAX_RETIRED);
		return;
	}
	if (!known) {
		bad = xpu_bad_add(hbm, addr, ktime_get_real_seconds(),
				  ALINK_XPU_RETIRE_ECC);
		alink_xpu_retire_free(xdev);
		retired = xpu_bad_retired(bad);
	}
	mutex_unlock(&hbm->lock);
	if (known)
		return;

	drm_warn(&xdev->drm, "bad page %#llx of HBM: retired%s\n", addr,
		 retired ? "" : " once it is freed");
	alink_xpu_retire_store(xdev, false);
}

/* Events were lost: what the device recorded first may have been among them. */
void alink_xpu_retire_lost(struct xpu_device *xdev)
{
	struct alink_dev *adev = xdev->adev;
	u64 addr;

	if (alink_rd32(adev, ALINK_REG_FAULT_CODE) != ALINK_FAULT_HBM_ECC)
		return;
	addr = alink_rd64(adev, ALINK_REG_FAULT_ADDR);
	/* Acknowledged meanwhile, that was no address. */
	if (alink_rd32(adev, ALINK_REG_FAULT_CODE) == ALINK_FAULT_HBM_ECC)
		alink_xpu_retire(xdev, addr);
}

static int xpu_retire_load_one(struct xpu_device *xdev,
			       const struct alink_tlv *tlv)
{
	const struct alink_xpu_page *page = alink_tlv_data(tlv);
	struct xpu_hbm *hbm = &xdev->hbm;
	u64 addr;

	lockdep_assert_held(&hbm->lock);

	if (alink_tlv_len(tlv) < sizeof(*page))
		return -EPROTO;
	addr = le64_to_cpu(page->addr);
	if (!IS_ALIGNED(addr, XPU_PAGE_SIZE) || addr >= xdev->info.hbm_size ||
	    xpu_bad_known(hbm, addr) || hbm->num_bad == ALINK_XPU_MAX_RETIRED)
		return -EPROTO;
	xpu_bad_add(hbm, addr, le64_to_cpu(page->time),
		    le32_to_cpu(page->cause))->stored = true;
	return 0;
}

/**
 * alink_xpu_retire_load - take what the device remembers out of the allocator
 * @xdev:	device, none of whose memory is in use yet
 *
 * Return: 0, -ENOMEM, -EPROTO for a list against the contract, or -errno.
 */
int alink_xpu_retire_load(struct xpu_device *xdev)
{
	const struct alink_tlv *tlv = NULL;
	struct xpu_hbm *hbm = &xdev->hbm;
	size_t used;
	void *resp;
	int err;

	if (!(alink_dev_caps(xdev->adev) & ALINK_CAP_RETIRE))
		return 0;
	resp = kmalloc(SZ_4K, GFP_KERNEL);
	if (!resp)
		return -ENOMEM;
	err = alink_admin_exec(xdev->adev, ALINK_XPU_ADMIN_PAGE_LIST, NULL, 0,
			       resp, SZ_4K, &used, NULL);

	mutex_lock(&hbm->lock);
	while (!err && (tlv = alink_tlv_next(resp, used, tlv)))
		if (alink_tlv_type(tlv) == ALINK_TLV_XPU_PAGE)
			err = xpu_retire_load_one(xdev, tlv);
	if (!err)
		alink_xpu_retire_free(xdev);
	mutex_unlock(&hbm->lock);
	kfree(resp);
	if (err)
		return dev_err_probe(&xdev->pdev->dev, err,
				     "list of retired pages\n");
	return 0;
}

/* No object is left. */
void alink_xpu_retire_fini(struct xpu_device *xdev)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	unsigned int i;

	for (i = 0; i < hbm->num_bad; i++)
		if (xpu_bad_retired(&hbm->bad[i]))
			drm_mm_remove_node(&hbm->bad[i].node);
	kfree(hbm->bad);
	hbm->bad = NULL;
	hbm->num_bad = 0;
}

/* --- sysfs -------------------------------------------------------------- */

static ssize_t hbm_retired_pages_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	struct xpu_device *xdev = dev_get_drvdata(dev);
	struct xpu_hbm *hbm = &xdev->hbm;
	unsigned int i;
	int len = 0;

	/* 64 lines of up to 51 characters: less than a page */
	mutex_lock(&hbm->lock);
	for (i = 0; i < hbm->num_bad; i++)
		len += sysfs_emit_at(buf, len, "0x%011llx %s %lld %s\n",
				     hbm->bad[i].addr,
				     xpu_bad_cause(&hbm->bad[i]),
				     hbm->bad[i].time,
				     xpu_bad_retired(&hbm->bad[i]) ?
				     "retired" : "pending");
	mutex_unlock(&hbm->lock);
	return len;
}
static DEVICE_ATTR_RO(hbm_retired_pages);

static struct attribute *xpu_retire_attrs[] = {
	&dev_attr_hbm_retired_pages.attr,
	NULL
};

/* Files of the PCI function, from probe to remove */
const struct attribute_group alink_xpu_retire_group = {
	.attrs = xpu_retire_attrs,
};
