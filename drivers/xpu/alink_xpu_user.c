// SPDX-License-Identifier: GPL-2.0-only
/*
 * User pointers: memory of a process in a VM, as the process has it.
 *
 * Nothing is pinned. An MMU interval notifier tells before a page of the range
 * changes hands: then its entries in the page tables become marks, the TLB is
 * invalidated, and the DMA mapping ends, all before the notifier returns. An
 * access that meets a mark stops its queue; alink_xpu_fault.c has the page
 * brought in again through hmm_range_fault(), and the queue goes on.
 *
 * The range is an object without a handle (XPU_BO_USER), so that bindings of
 * it are split, replaced and removed as any other. What the device may see of
 * it is in xpu_user.page and in the page tables of its VM, both under
 * xpu_vm.lock. The notifier takes that lock, where memory is reclaimed.
 */
#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

/* As much is brought in at once: what one large page maps */
#define BLOCK_PAGES	(XPU_LARGE_PAGE_SIZE / XPU_PAGE_SIZE)
#define BLOCK_ORDER	ilog2(BLOCK_PAGES)

/* More are not looked at where nobody may sleep: they count as mapped. */
#define USER_SCAN_PAGES	SZ_64K

/* Beside the DMA address of a page; 0: it is not mapped */
#define USER_MAPPED	BIT_ULL(0)
#define USER_WRITE	BIT_ULL(1)	/* the device may write it */
#define USER_LARGE	BIT_ULL(2)	/* part of a block that is mapped as one */
#define USER_ADDR_MASK	GENMASK_ULL(63, 12)

#define USER_WRITES	(DRM_ALINK_XPU_VM_BIND_WRITE | \
			 DRM_ALINK_XPU_VM_BIND_ATOMIC)

/* CPU and device see the same memory at any time: there is nothing to sync. */
#define USER_DMA_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/**
 * struct xpu_user - memory of a process
 * @notifier:	of the range
 * @bo:		the object
 * @vm:		VM; a reference to its gpuvm keeps the structure
 * @start:	address in the process
 * @va:		device virtual address, also of parts that are still bound
 * @pages:	in the range
 * @rights:	DRM_ALINK_XPU_VM_BIND_*
 * @watched:	@notifier is in use
 * @gone:	nothing is mapped any more; under the VM's lock
 * @page:	DMA address and USER_* of each page
 */
struct xpu_user {
	struct mmu_interval_notifier notifier;
	struct xpu_bo *bo;
	struct xpu_vm *vm;
	unsigned long start;
	u64 va;
	u64 pages;
	u32 rights;
	bool watched;
	bool gone;
	u64 *page;
};

static struct device *user_dma_dev(const struct xpu_user *user)
{
	return &user->vm->xdev->pdev->dev;
}

/* The IOMMU, where there is one, holds the device to it. */
static enum dma_data_direction user_dma_dir(bool write)
{
	return write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

static unsigned long user_addr(const struct xpu_user *user, u64 page)
{
	return user->start + page * XPU_PAGE_SIZE;
}

/* The pages of a block that are in the range: from @first on, *num of them */
static u64 user_block(const struct xpu_user *user, u64 page, u64 *num)
{
	unsigned long head = ALIGN_DOWN(user_addr(user, page),
					XPU_LARGE_PAGE_SIZE);
	u64 first = 0, end;

	if (head > user->start)
		first = (head - user->start) / XPU_PAGE_SIZE;
	end = (head + XPU_LARGE_PAGE_SIZE - user->start) / XPU_PAGE_SIZE;
	*num = min(end, user->pages) - first;
	return first;
}

/* --- page tables -------------------------------------------------------- */

/* How much the entry at @va maps, and of what; 0: nothing is mapped there */
static u64 user_leaf(const struct xpu_user *user, u64 va, u64 end, u64 *len)
{
	u64 page = (va - user->va) / XPU_PAGE_SIZE, entry = user->page[page];

	*len = XPU_PAGE_SIZE;
	if (entry & USER_LARGE && end - va >= XPU_LARGE_PAGE_SIZE &&
	    IS_ALIGNED(va | (entry & USER_ADDR_MASK), XPU_LARGE_PAGE_SIZE) &&
	    IS_ALIGNED(user_addr(user, page), XPU_LARGE_PAGE_SIZE))
		*len = XPU_LARGE_PAGE_SIZE;
	return entry;
}

static u64 user_pte_bits(const struct xpu_user *user, u64 entry)
{
	if (entry & USER_WRITE || !(user->rights & USER_WRITES))
		return alink_xpu_pte_bits(user->rights, ALINK_AP_SYSTEM);
	return alink_xpu_pte_bits(user->rights & ~USER_WRITES,
				  ALINK_AP_SYSTEM) | ALINK_PTE_RETRY;
}

/**
 * alink_xpu_user_prepare - make the tables that a range needs now
 * @bo:		object; its VM is locked
 * @pool:	filled for the range
 * @va:		device virtual address
 * @end:	where the range ends, in the object as @va
 *
 * Return: 0, or -ENOMEM if the pool was too small.
 */
int alink_xpu_user_prepare(struct xpu_bo *bo, struct xpu_pt_pool *pool, u64 va,
			   u64 end)
{
	struct xpu_user *user = bo->user;
	u64 entry, len;
	int err = 0;

	lockdep_assert_held(&user->vm->lock);

	for (; va < end && !err; va += len) {
		entry = user_leaf(user, va, end, &len);
		if (entry)
			err = alink_xpu_pt_prepare(&user->vm->pt, pool, va,
						   entry & USER_ADDR_MASK, len);
	}
	return err;
}

/**
 * alink_xpu_user_map - write the entries of a prepared range
 * @bo:		object; its VM is locked
 * @va:		device virtual address
 * @end:	where the range ends
 *
 * Of pages that are not there the entries stay marks.
 */
void alink_xpu_user_map(struct xpu_bo *bo, u64 va, u64 end)
{
	struct xpu_user *user = bo->user;
	u64 entry, len;

	lockdep_assert_held(&user->vm->lock);

	for (; va < end; va += len) {
		entry = user_leaf(user, va, end, &len);
		if (entry)
			alink_xpu_pt_map(&user->vm->pt, va,
					 entry & USER_ADDR_MASK, len,
					 user_pte_bits(user, entry));
	}
}

/* Calls @func for each part of the pages that is bound. */
static int user_each_bound(struct xpu_user *user, u64 first, u64 num,
			   int (*func)(struct xpu_user *user, u64 va, u64 end,
				       void *arg), void *arg)
{
	u64 start = user->va + first * XPU_PAGE_SIZE;
	u64 end = start + num * XPU_PAGE_SIZE;
	struct drm_gpuva *va;
	int err = 0;

	lockdep_assert_held(&user->vm->lock);

	/* Without tables nobody looks: device or VM are going. */
	if (!user->vm->pt.root)
		return 0;
	drm_gpuvm_for_each_va_range(va, &user->vm->gpuvm, start, end) {
		if (va->gem.obj != xpu_gem(user->bo))
			continue;
		err = func(user, max(start, va->va.addr),
			   min(end, va->va.addr + va->va.range), arg);
		if (err)
			break;
	}
	return err;
}

static int user_mark_bound(struct xpu_user *user, u64 va, u64 end, void *arg)
{
	alink_xpu_pt_mark(&user->vm->pt, va, end - va);
	return 0;
}

static int user_map_bound(struct xpu_user *user, u64 va, u64 end, void *pool)
{
	int err = alink_xpu_user_prepare(user->bo, pool, va, end);

	if (!err)
		alink_xpu_user_map(user->bo, va, end);
	return err;
}

/* --- taking away -------------------------------------------------------- */

static bool user_mapped(const struct xpu_user *user, u64 first, u64 end)
{
	for (; first < end; first++)
		if (user->page[first])
			return true;
	return false;
}

static void user_dma_unmap(struct xpu_user *user, u64 page, u64 *len)
{
	u64 entry = user->page[page];
	u64 pages = entry & USER_LARGE ? BLOCK_PAGES : 1;

	*len = pages;
	if (!entry)
		return;
	dma_unmap_page_attrs(user_dma_dev(user), entry & USER_ADDR_MASK,
			     pages * XPU_PAGE_SIZE,
			     user_dma_dir(entry & USER_WRITE), USER_DMA_ATTRS);
	memset(&user->page[page], 0, pages * sizeof(*user->page));
}

/*
 * Takes pages from the device: when this returns it does not use them any more.
 * Tables that drop out go to @old.
 */
static void user_zap(struct xpu_user *user, u64 first, u64 end,
		     struct list_head *old)
{
	u64 page, len, num;

	lockdep_assert_held(&user->vm->lock);

	/* What is mapped as one goes as one. */
	if (user->page[first] & USER_LARGE)
		first = user_block(user, first, &num);
	if (user->page[end - 1] & USER_LARGE)
		end = user_block(user, end - 1, &num) + BLOCK_PAGES;
	if (!user_mapped(user, first, end))
		return;

	user_each_bound(user, first, end - first, user_mark_bound, NULL);
	alink_xpu_vm_flush(user->vm, old);
	for (page = first; page < end; page += len) {
		user_dma_unmap(user, page, &len);
		cond_resched();
	}
	trace_alink_xpu_user_zap(user->vm, user->va + first * XPU_PAGE_SIZE,
				 (end - first) * XPU_PAGE_SIZE);
}

/* mmu_interval_notifier_ops.invalidate: these pages change. */
static bool user_invalidate(struct mmu_interval_notifier *notifier,
			    const struct mmu_notifier_range *range,
			    unsigned long seq)
{
	struct xpu_user *user = container_of(notifier, struct xpu_user,
					     notifier);
	unsigned long start = max(range->start, user->start);
	unsigned long stop = min(range->end, user_addr(user, user->pages));
	struct xpu_vm *vm = user->vm;
	u64 first, end;
	LIST_HEAD(old);

	first = (start - user->start) / XPU_PAGE_SIZE;
	end = DIV_ROUND_UP(stop - user->start, XPU_PAGE_SIZE);
	if (mmu_notifier_range_blockable(range)) {
		mutex_lock(&vm->lock);
	} else if (!mutex_trylock(&vm->lock)) {
		return false;
	} else if (end - first > USER_SCAN_PAGES ||
		   user_mapped(user, first, end)) {
		/* The device has to answer, which may take its time. */
		mutex_unlock(&vm->lock);
		return false;
	}
	mmu_interval_set_seq(notifier, seq);
	user_zap(user, first, end, &old);
	/* In here, as remove, which frees all tables, waits for the lock only. */
	alink_xpu_pt_free(vm->pt.dev, &old);
	mutex_unlock(&vm->lock);
	return true;
}

static const struct mmu_interval_notifier_ops user_notifier_ops = {
	.invalidate = user_invalidate,
};

/**
 * alink_xpu_user_unmap - end all DMA mappings for good
 * @bo:		object; its VM is not locked
 */
void alink_xpu_user_unmap(struct xpu_bo *bo)
{
	struct xpu_user *user = bo->user;
	LIST_HEAD(old);

	mutex_lock(&user->vm->lock);
	user->gone = true;
	user_zap(user, 0, user->pages, &old);
	alink_xpu_pt_free(user->vm->pt.dev, &old);
	mutex_unlock(&user->vm->lock);
}

/* --- bringing in -------------------------------------------------------- */

/*
 * Memory that may be lent: it has pages that are found again, and a page comes
 * without the help of another process, which could hold us up for ever. So no
 * device memory, nor files but those of tmpfs and hugetlbfs.
 */
static int user_check_vma(struct vm_area_struct *vma, bool write)
{
	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP))
		return -EOPNOTSUPP;
	if (!vma_is_anonymous(vma) && !is_vm_hugetlb_page(vma) &&
	    !(vma->vm_file && shmem_mapping(vma->vm_file->f_mapping)))
		return -EOPNOTSUPP;
	if (!(vma->vm_flags & VM_READ) || (write && !(vma->vm_flags & VM_WRITE)))
		return -EACCES;
	return 0;
}

static int user_check_range(struct mm_struct *mm, unsigned long start,
			    unsigned long end, bool write)
{
	struct vm_area_struct *vma;
	int err = 0;

	mmap_assert_locked(mm);

	for (; start < end && !err; start = vma->vm_end) {
		vma = find_vma(mm, start);
		if (!vma || vma->vm_start > start)
			return -EFAULT;
		err = user_check_vma(vma, write);
	}
	return err;
}

/* Has the process bring its pages in. Sleeps as long as that takes. */
static int user_get_pages(struct xpu_user *user, struct hmm_range *range)
{
	bool write = range->default_flags & HMM_PFN_REQ_WRITE;
	struct mm_struct *mm = user->notifier.mm;
	int err;

	range->notifier_seq = mmu_interval_read_begin(&user->notifier);
	mmap_read_lock(mm);
	err = user_check_range(mm, range->start, range->end, write);
	if (!err)
		err = hmm_range_fault(range);
	mmap_read_unlock(mm);
	return err == -EPERM ? -EACCES : err;
}

/* Maps one page, or a block, unless it is there. */
static int user_dma_map(struct xpu_user *user, u64 page, unsigned long pfn,
			u64 *len)
{
	bool write = pfn & HMM_PFN_WRITE && user->rights & USER_WRITES;
	struct page *p = hmm_pfn_to_page(pfn);
	dma_addr_t dma;
	u64 i, num;

	*len = 1;
	if (user->page[page])
		return 0;
	if (hmm_pfn_to_map_order(pfn) >= BLOCK_ORDER &&
	    IS_ALIGNED(user_addr(user, page), XPU_LARGE_PAGE_SIZE) &&
	    user_block(user, page, &num) == page && num == BLOCK_PAGES &&
	    !user_mapped(user, page, page + num))
		*len = BLOCK_PAGES;
	dma = dma_map_page_attrs(user_dma_dev(user), p, 0,
				 *len * XPU_PAGE_SIZE, user_dma_dir(write),
				 USER_DMA_ATTRS);
	if (dma_mapping_error(user_dma_dev(user), dma))
		return -ENOMEM;
	/* Whoever cleans it takes it from the device first. */
	if (write)
		folio_mark_dirty(page_folio(p));
	for (i = 0; i < *len; i++)
		user->page[page + i] = (dma + i * XPU_PAGE_SIZE) | USER_MAPPED |
				       (write ? USER_WRITE : 0) |
				       (*len > 1 ? USER_LARGE : 0);
	return 0;
}

/* What hmm_range_fault() found goes to the device, as far as it is bound. */
static int user_take_pages(struct xpu_user *user, u64 first, u64 num,
			   const unsigned long *pfns, struct xpu_pt_pool *pool,
			   struct list_head *old)
{
	u64 i, len = 1;
	int err = 0;

	lockdep_assert_held(&user->vm->lock);

	if (user->gone)
		return -ENODEV;
	/* What is there to be read only, and need not be, is mapped anew. */
	for (i = 0; i < num; i++) {
		if (pfns[i] & HMM_PFN_WRITE && user->rights & USER_WRITES &&
		    user->page[first + i] &&
		    !(user->page[first + i] & USER_WRITE)) {
			user_zap(user, first, first + num, old);
			break;
		}
	}
	for (i = 0; i < num && !err; i += len) {
		len = 1;
		if (pfns[i] & HMM_PFN_VALID)
			err = user_dma_map(user, first + i, pfns[i], &len);
	}
	if (!err)
		err = user_each_bound(user, first, num, user_map_bound, pool);
	/* A table that a large page took the place of */
	alink_xpu_vm_flush(user->vm, old);
	return err;
}

/* As much as user_take_pages() can use; frees what it leaves. */
static int user_take(struct xpu_user *user, const struct hmm_range *range,
		     u64 first, u64 num, bool bound)
{
	/* Two large pages are the most that the addresses of a block lie in. */
	const struct xpu_pt_need need = { .leaf = bound ? 2 : 0 };
	struct device *dev = user->vm->pt.dev;
	struct xpu_pt_pool pool;
	LIST_HEAD(old);
	int err;

	alink_xpu_pt_pool_init(&pool);
	err = alink_xpu_pt_pool_fill(&pool, dev, &need);
	if (err)
		goto out_free;
	mutex_lock(&user->vm->lock);
	if (mmu_interval_read_retry(&user->notifier, range->notifier_seq))
		err = -EBUSY;
	else
		err = user_take_pages(user, first, num, range->hmm_pfns,
				      &pool, &old);
	mutex_unlock(&user->vm->lock);
	alink_xpu_pt_free(dev, &old);
out_free:
	alink_xpu_pt_pool_free(&pool, dev);
	return err;
}

/*
 * Brings pages of one block in. Return: 0, -EBUSY if the process changes them
 * all the time, or as alink_xpu_user_create().
 */
static int user_bring(struct xpu_user *user, u64 first, u64 num, bool write,
		      bool bound, unsigned long *pfns)
{
	unsigned long end = jiffies +
			    msecs_to_jiffies(HMM_RANGE_DEFAULT_TIMEOUT);
	struct xpu_device *xdev = user->vm->xdev;
	struct hmm_range range = {
		.notifier = &user->notifier,
		.start = user_addr(user, first),
		.end = user_addr(user, first + num),
		.hmm_pfns = pfns,
		.default_flags = HMM_PFN_REQ_FAULT |
				 (write ? HMM_PFN_REQ_WRITE : 0),
	};
	int err, idx;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		/* Not within drm_dev_enter(): remove does not wait for this. */
		err = user_get_pages(user, &range);
		if (err)
			continue;
		if (!drm_dev_enter(&xdev->drm, &idx))
			return -ENODEV;
		/* Remove finds the object, or is found here. */
		alink_xpu_bo_track(user->bo);
		err = user_take(user, &range, first, num, bound);
		drm_dev_exit(idx);
	} while (err == -EBUSY && time_before(jiffies, end));
	return err;
}

/**
 * alink_xpu_user_fault - let the device use a page
 * @bo:		object, bound at @va
 * @va:		device virtual address
 * @rights:	what for: DRM_ALINK_XPU_VM_BIND_*, within those of the binding
 *
 * Pages around it come along, if all can be had.
 *
 * Context: process, any; sleeps as long as the memory of a process can take.
 * Return: 0, which is no promise: pages may go at any time; else as
 * alink_xpu_user_create().
 */
int alink_xpu_user_fault(struct xpu_bo *bo, u64 va, u32 rights)
{
	struct xpu_user *user = bo->user;
	struct mm_struct *mm = user->notifier.mm;
	bool write = rights & USER_WRITES;
	unsigned long *pfns;
	u64 page, first, num;
	int err;

	/* The process is gone, and its memory with it. */
	if (!mmget_not_zero(mm))
		return -EFAULT;
	pfns = kmalloc_array(BLOCK_PAGES, sizeof(*pfns), GFP_KERNEL);
	if (!pfns) {
		mmput(mm);
		return -ENOMEM;
	}
	page = (va - user->va) / XPU_PAGE_SIZE;
	first = user_block(user, page, &num);
	err = user_bring(user, first, num, write, true, pfns);
	if (err && err != -EBUSY && err != -ENODEV)
		err = user_bring(user, page, 1, write, true, pfns);
	kfree(pfns);
	mmput(mm);
	return err == -EBUSY ? 0 : err;
}

/* --- life --------------------------------------------------------------- */

/* All pages, ahead of their use. What changes meanwhile comes when it is used. */
static int user_bring_all(struct xpu_user *user)
{
	bool write = user->rights & USER_WRITES;
	u64 page, num, first;
	unsigned long *pfns;
	int err = 0;

	pfns = kmalloc_array(BLOCK_PAGES, sizeof(*pfns), GFP_KERNEL);
	if (!pfns)
		return -ENOMEM;
	for (page = 0; page < user->pages && !err; page = first + num) {
		first = user_block(user, page, &num);
		err = user_bring(user, first, num, write, false, pfns);
		if (err == -EBUSY)
			err = 0;
		cond_resched();
	}
	kfree(pfns);
	return err;
}

/**
 * alink_xpu_user_free - free what an object has of a process
 * @bo:		object that is bound nowhere; its VM is not locked
 *
 * Context: process; sleeps; no locks held that an MMU notifier may want.
 */
void alink_xpu_user_free(struct xpu_bo *bo)
{
	struct xpu_user *user = bo->user;

	if (!user)
		return;
	if (user->watched)
		mmu_interval_notifier_remove(&user->notifier);
	alink_xpu_user_unmap(bo);
	drm_gpuvm_put(&user->vm->gpuvm);
	kvfree(user->page);
	kfree(user);
	bo->user = NULL;
}

/* Before anything of its size is allocated */
static int user_check(unsigned long start, u64 range, u32 rights)
{
	struct mm_struct *mm = current->mm;
	int err;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	err = user_check_range(mm, start, start + range, rights & USER_WRITES);
	mmap_read_unlock(mm);
	return err;
}

static int user_init(struct xpu_bo *bo, struct xpu_vm *vm, u64 start, u64 va,
		     u64 range, u32 rights)
{
	struct xpu_user *user;
	int err;

	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return -ENOMEM;
	user->pages = range / XPU_PAGE_SIZE;
	user->page = kvcalloc(user->pages, sizeof(*user->page),
			      GFP_KERNEL_ACCOUNT);
	if (!user->page) {
		kfree(user);
		return -ENOMEM;
	}
	user->bo = bo;
	user->vm = vm;
	user->start = start;
	user->va = va;
	user->rights = rights;
	drm_gpuvm_get(&vm->gpuvm);
	bo->user = user;

	err = mmu_interval_notifier_insert(&user->notifier, current->mm, start,
					   range, &user_notifier_ops);
	user->watched = !err;
	return err;
}

/**
 * alink_xpu_user_create - make an object of memory of the caller
 * @vm:		VM that it will be bound in
 * @start:	address in the process
 * @va:		device virtual address that it will be bound at
 * @range:	bytes; with @va checked
 * @rights:	DRM_ALINK_XPU_VM_BIND_*
 *
 * Context: process with the memory; no locks held.
 * Return: the object with one reference, its pages brought in, or ERR_PTR:
 * -EINVAL (not aligned, wraps), -E2BIG, -EOPNOTSUPP (memory that cannot be
 * lent, or not to this device), -EFAULT (no memory of the process, or it cannot
 * be had), -EACCES (it must not be read, or not be written), -ENODEV, -EINTR or
 * -ENOMEM.
 */
struct xpu_bo *alink_xpu_user_create(struct xpu_vm *vm, u64 start, u64 va,
				     u64 range, u32 rights)
{
	struct xpu_device *xdev = vm->xdev;
	struct xpu_bo *bo;
	int err;

	if (!IS_ALIGNED(start, XPU_PAGE_SIZE) || start > U64_MAX - range)
		return ERR_PTR(-EINVAL);
	/* Whether so much could be there depends on the processor. */
	if (range > DRM_ALINK_XPU_MAX_USER_RANGE)
		return ERR_PTR(-E2BIG);
	if (!access_ok(u64_to_user_ptr(start), range))
		return ERR_PTR(-EFAULT);
	if (!xdev->info.user_memory)
		return ERR_PTR(-EOPNOTSUPP);
	err = user_check(start, range, rights);
	if (err)
		return ERR_PTR(err);

	bo = alink_xpu_bo_alloc_special(xdev, XPU_BO_USER, range);
	if (IS_ERR(bo))
		return bo;
	err = user_init(bo, vm, start, va, range, rights);
	if (!err)
		err = user_bring_all(bo->user);
	if (err) {
		drm_gem_object_put(xpu_gem(bo));
		return ERR_PTR(err);
	}
	return bo;
}
