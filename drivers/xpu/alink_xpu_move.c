// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves of HBM objects: out into system memory (a file of shmem, which the
 * kernel may swap), and back.
 *
 * Out: all that writes is stopped first. From xpu_place.away on, operations of
 * VM_BIND write marks; then the bindings that are there become marks, VM by VM,
 * and the TLB is invalidated; CPU mappings go, and come back as faults, which
 * wait for the object's dma_resv. What is copied then does not change. The HBM
 * is the object's until the copy is complete: when anything fails, the object
 * is where it was. Marks may stay behind; a queue that meets one has what is
 * there mapped again.
 *
 * Back: as above for CPU mappings; no engine can have the object mapped. The
 * file is the object's until the copy is complete.
 */
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include <drm/drm_prime.h>
#include <drm/drm_vma_manager.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

#define MOVE_PAGES	(XPU_KQ_COPY_MAX / PAGE_SIZE)

/* Size of all objects that are in system memory, of all xPUs: bytes */
static atomic64_t xpu_bytes_out;

/**
 * struct xpu_move - one move
 * @xdev:	device
 * @bo:		object
 * @file:	system memory
 * @out:	out of HBM; else into it
 * @pages:	room for MOVE_PAGES pages
 * @most:	pages that are mapped for the device at once
 */
struct xpu_move {
	struct xpu_device *xdev;
	struct xpu_bo *bo;
	struct file *file;
	bool out;
	struct page **pages;
	unsigned int most;
};

/* --- system memory ------------------------------------------------------- */

static struct page *place_get(struct xpu_bo *bo, struct file *file,
			      pgoff_t index, gfp_t gfp)
{
	struct mem_cgroup *old;
	struct page *page;

	dma_resv_assert_held(xpu_gem(bo)->resv);

	old = set_active_memcg(bo->place.memcg);
	page = shmem_read_mapping_page_gfp(file->f_mapping, index, gfp);
	set_active_memcg(old);
	/* -EIO means the device, to those who call. */
	if (IS_ERR(page) && PTR_ERR(page) != -ENOMEM)
		return ERR_PTR(PTR_ERR(page) == -EIO ? -EFAULT : -ENOMEM);
	return page;
}

/**
 * alink_xpu_place_read - a page of what is in system memory
 * @bo:		object, whose dma_resv is held
 * @file:	its file
 * @index:	page in it
 *
 * Return: the page with a reference, -ENOMEM, or -EFAULT if it is lost.
 */
struct page *alink_xpu_place_read(struct xpu_bo *bo, struct file *file,
				  pgoff_t index)
{
	return place_get(bo, file, index, mapping_gfp_mask(file->f_mapping));
}

/**
 * alink_xpu_place_show - a page that a CPU mapping will show
 * @bo:		object in system memory, whose dma_resv is held
 * @index:	page in it
 *
 * It stays until the object is back in HBM, or freed: nobody could take it out
 * of such a mapping.
 *
 * Return: the page, or as alink_xpu_place_read().
 */
struct page *alink_xpu_place_show(struct xpu_bo *bo, pgoff_t index)
{
	struct xpu_place *place = &bo->place;
	struct page *page = xa_load(&place->pages, index);
	int err;

	if (page)
		return page;
	/* As a page of any other: a fault that only fails is tried for ever. */
	page = place_get(bo, place->file, index, GFP_HIGHUSER);
	if (IS_ERR(page))
		return page;
	err = xa_err(xa_store(&place->pages, index, page, GFP_KERNEL));
	if (err) {
		put_page(page);
		return ERR_PTR(err);
	}
	return page;
}

static void place_hide(struct xpu_place *place)
{
	struct page *page;
	unsigned long index;

	xa_for_each(&place->pages, index, page) {
		set_page_dirty(page);
		put_page(page);
	}
	xa_destroy(&place->pages);
}

/* Ends what is in system memory, at once: the last fput() may come later. */
static void place_drop(struct xpu_bo *bo, struct file *file)
{
	shmem_truncate_range(file_inode(file), 0, (loff_t)-1);
	fput(file);
	atomic64_sub(xpu_gem(bo)->size, &xpu_bytes_out);
}

/**
 * alink_xpu_place_init - an HBM object gets its place
 * @bo:		object of the caller, who pays for it in system memory
 */
void alink_xpu_place_init(struct xpu_bo *bo)
{
	struct xpu_place *place = &bo->place;

	place->moves = 1;
	xa_init(&place->pages);
	INIT_LIST_HEAD(&place->windows);
	place->memcg = get_mem_cgroup_from_mm(current->mm);
}

/* The last user is gone. */
void alink_xpu_place_fini(struct xpu_bo *bo)
{
	struct xpu_place *place = &bo->place;

	/* First: who looks for objects to move looks at their pieces. */
	drm_gem_lru_remove(xpu_gem(bo));
	place_hide(place);
	if (place->file)
		place_drop(bo, place->file);
	mem_cgroup_put(place->memcg);
}

/*
 * Is there system memory for the object? All objects that are made find room in
 * HBM and half of what the host has; those that come back, and send others away
 * for it, go beyond that, and give back what they had. Nobody takes more than
 * half of what there is just now. Return: 0 or -EDQUOT.
 */
static int move_reserve(struct xpu_bo *bo, bool grow)
{
	u64 size = xpu_gem(bo)->size, limit = U64_MAX;

	if (grow)
		limit = (u64)totalram_pages() * PAGE_SIZE / 2;
	if (size / PAGE_SIZE > max(si_mem_available(), 0L) / 2)
		return -EDQUOT;
	if (atomic64_add_return(size, &xpu_bytes_out) > limit) {
		atomic64_sub(size, &xpu_bytes_out);
		return -EDQUOT;
	}
	return 0;
}

static struct file *move_file(struct xpu_bo *bo)
{
	struct file *file;

	file = shmem_file_setup("alink_xpu hbm", xpu_gem(bo)->size,
				VM_NORESERVE);
	if (IS_ERR(file))
		return file;
	/* A move that finds no memory is given up: no reason to kill anybody. */
	mapping_set_gfp_mask(file->f_mapping, GFP_HIGHUSER |
			     __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	return file;
}

/* --- stopping ------------------------------------------------------------ */

static void move_set_away(struct xpu_bo *bo, bool away, bool moved)
{
	dma_resv_assert_held(xpu_gem(bo)->resv);

	mutex_lock(&bo->gpuva_lock);
	bo->place.away = away;
	bo->place.moves += moved;
	mutex_unlock(&bo->gpuva_lock);
}

static void move_mark_vm(struct drm_gpuvm_bo *vm_bo)
{
	struct xpu_vm *vm = to_xpu_vm(vm_bo->vm);
	struct drm_gpuva *va;
	LIST_HEAD(old);

	/* Bindings change with both locks held: one is enough to look. */
	mutex_lock(&vm->lock);
	if (vm->pt.root) {
		drm_gpuvm_bo_for_each_va(va, vm_bo)
			alink_xpu_pt_mark(&vm->pt, va->va.addr, va->va.range);
		alink_xpu_vm_flush(vm, &old);
	}
	mutex_unlock(&vm->lock);
	alink_xpu_pt_free(vm->pt.dev, &old);
}

/*
 * When this returns, no engine uses the object. An operation of VM_BIND that has
 * not seen xpu_place.away yet was in the list before, with its VM locked.
 */
static void move_mark(struct xpu_bo *bo)
{
	struct drm_gpuvm_bo *vm_bo, *last = NULL;

	bo->place.marked = true;
	mutex_lock(&bo->gpuva_lock);
	drm_gem_for_each_gpuvm_bo(vm_bo, xpu_gem(bo)) {
		/* What is referenced stays in the list, and leads on. */
		drm_gpuvm_bo_get(vm_bo);
		if (last)
			drm_gpuvm_bo_put(last);
		last = vm_bo;
		mutex_unlock(&bo->gpuva_lock);
		move_mark_vm(vm_bo);
		mutex_lock(&bo->gpuva_lock);
	}
	if (last)
		drm_gpuvm_bo_put(last);
	mutex_unlock(&bo->gpuva_lock);
}

static void move_unmap_cpu(struct xpu_move *m)
{
	drm_vma_node_unmap(&xpu_gem(m->bo)->vma_node,
			   m->xdev->drm.anon_inode->i_mapping);
}

/* --- copying ------------------------------------------------------------- */

/* Return: -ENOMEM also if the pages cannot be mapped for the device. */
static int move_copy_some(struct xpu_move *m, u64 offset, struct page **pages,
			  unsigned int num)
{
	enum dma_data_direction dir = m->out ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	/* What is tried again with less is nobody's trouble. */
	unsigned long attrs = num > 1 ? DMA_ATTR_NO_WARN : 0;
	struct device *dev = m->xdev->drm.dev;
	struct sg_table *sgt;
	int err = -ENOMEM;

	sgt = drm_prime_pages_to_sg(&m->xdev->drm, pages, num);
	if (IS_ERR(sgt))
		return err;
	if (!dma_map_sgtable(dev, sgt, dir, attrs)) {
		err = alink_xpu_kq_copy(m->xdev, m->bo, offset,
					(u64)num * PAGE_SIZE, sgt, m->out);
		dma_unmap_sgtable(dev, sgt, dir, attrs);
	}
	sg_free_table(sgt);
	kfree(sgt);
	return err;
}

/*
 * Bounce buffers, or the addresses of an IOMMU, may be too few for all of it,
 * for a while or for ever: then less is copied at a time.
 */
static int move_copy_pages(struct xpu_move *m, u64 offset, unsigned int num)
{
	unsigned int done = 0, n;
	int err = 0;

	while (done < num && !err) {
		n = min(num - done, m->most);
		err = move_copy_some(m, offset + (u64)done * PAGE_SIZE,
				     m->pages + done, n);
		if (!err) {
			done += n;
		} else if (err == -ENOMEM && n > 1) {
			m->most = n / 2;
			err = 0;
		}
	}
	return err;
}

static int move_copy_chunk(struct xpu_move *m, u64 offset, unsigned int num)
{
	unsigned int i, got;
	struct page *page;
	int err = 0;

	for (got = 0; got < num; got++) {
		page = alink_xpu_place_read(m->bo, m->file,
					    offset / PAGE_SIZE + got);
		if (IS_ERR(page)) {
			err = PTR_ERR(page);
			break;
		}
		m->pages[got] = page;
	}
	if (!err)
		err = move_copy_pages(m, offset, num);
	for (i = 0; i < got; i++) {
		if (m->out)
			set_page_dirty(m->pages[i]);
		put_page(m->pages[i]);
	}
	return err;
}

/*
 * Return: 0, -EINTR on a fatal signal, an error by state, -EIO; or, which is no
 * fault of the device, -ENOMEM, -EINVAL, -EFAULT, -EHWPOISON.
 */
static int move_copy(struct xpu_move *m)
{
	u64 offset, len, size = xpu_gem(m->bo)->size;
	int err = 0;

	for (offset = 0; offset < size && !err; offset += len) {
		len = min_t(u64, size - offset, XPU_KQ_COPY_MAX);
		if (fatal_signal_pending(current))
			err = -EINTR;
		else
			err = move_copy_chunk(m, offset, len / PAGE_SIZE);
		cond_resched();
	}
	return err;
}

/* --- moves --------------------------------------------------------------- */

static int move_out(struct xpu_move *m)
{
	struct xpu_evict *ev = &m->xdev->evict;
	struct xpu_bo *bo = m->bo;
	int err;

	/* What went bad shows where it is, until its owner lets go of it. */
	if (bo->place.pins || alink_xpu_retire_pending(m->xdev, bo))
		return -EPERM;
	move_set_away(bo, true, false);
	move_mark(bo);
	move_unmap_cpu(m);
	err = move_copy(m);
	if (!err)
		err = alink_xpu_windows_ready(bo, m->file);
	alink_xpu_windows_settle(bo, !err);
	if (err) {
		move_set_away(bo, false, false);
		return err;
	}
	WRITE_ONCE(bo->place.file, m->file);
	move_set_away(bo, true, true);
	mutex_lock(&ev->lru_lock);
	drm_gem_lru_move_tail_locked(&ev->gone, xpu_gem(bo));
	ev->evictions++;
	mutex_unlock(&ev->lru_lock);
	alink_xpu_hbm_free(m->xdev, bo);
	return 0;
}

/**
 * alink_xpu_move_out - move an object out of HBM
 * @xdev:	device
 * @bo:		object in HBM
 * @grow:	for an object that is new; see move_reserve()
 *
 * Within drm_dev_enter().
 *
 * Return: 0, -EINTR on a fatal signal, an error by state, or -EIO; anything else
 * says that this object stays: -EPERM (it must), -EDQUOT (objects of its size
 * cannot leave now), -ENOMEM, -EHWPOISON, -EINVAL.
 */
int alink_xpu_move_out(struct xpu_device *xdev, struct xpu_bo *bo, bool grow)
{
	struct xpu_move m = {
		.xdev = xdev,
		.bo = bo,
		.out = true,
		.most = MOVE_PAGES,
	};
	int err;

	lockdep_assert_held(&xdev->evict.lock);

	err = move_reserve(bo, grow);
	if (err)
		goto out_trace;
	err = -ENOMEM;
	m.pages = kvmalloc_array(MOVE_PAGES, sizeof(*m.pages), GFP_KERNEL);
	if (!m.pages)
		goto err_reserve;
	m.file = move_file(bo);
	if (IS_ERR(m.file))
		goto err_pages;

	dma_resv_lock(xpu_gem(bo)->resv, NULL);
	err = move_out(&m);
	dma_resv_unlock(xpu_gem(bo)->resv);
	if (err)
		fput(m.file);
err_pages:
	kvfree(m.pages);
err_reserve:
	if (err)
		atomic64_sub(xpu_gem(bo)->size, &xpu_bytes_out);
out_trace:
	trace_alink_xpu_evict(xdev, xpu_gem(bo)->size, err);
	return err;
}

static int move_in(struct xpu_move *m)
{
	u64 generation = alink_xpu_generation(m->xdev);
	struct xpu_evict *ev = &m->xdev->evict;
	struct xpu_bo *bo = m->bo;
	int err;

	move_unmap_cpu(m);
	err = move_copy(m);
	/* What a reset leaves in HBM nobody promises. */
	if (!err && generation != alink_xpu_generation(m->xdev))
		err = -EBUSY;
	if (!err)
		err = alink_xpu_windows_ready(bo, NULL);
	alink_xpu_windows_settle(bo, err);
	if (err)
		return err;
	WRITE_ONCE(bo->place.file, NULL);
	move_set_away(bo, false, true);
	mutex_lock(&ev->lru_lock);
	drm_gem_lru_move_tail_locked(&ev->here, xpu_gem(bo));
	ev->restores++;
	mutex_unlock(&ev->lru_lock);
	place_hide(&bo->place);
	return 0;
}

/**
 * alink_xpu_move_in - move an object back
 * @xdev:	device
 * @bo:		object in system memory, which has got HBM
 *
 * Within drm_dev_enter(). Nothing is mapped yet; on failure the HBM is the
 * caller's to free.
 *
 * Return: 0, -EINTR on a fatal signal, an error by state, -EIO, -ENOMEM, or
 * -EFAULT if the contents are lost.
 */
int alink_xpu_move_in(struct xpu_device *xdev, struct xpu_bo *bo)
{
	struct xpu_move m = {
		.xdev = xdev,
		.bo = bo,
		.file = bo->place.file,
		.most = MOVE_PAGES,
	};
	int err;

	lockdep_assert_held(&xdev->evict.lock);

	m.pages = kvmalloc_array(MOVE_PAGES, sizeof(*m.pages), GFP_KERNEL);
	if (!m.pages)
		return -ENOMEM;
	dma_resv_lock(xpu_gem(bo)->resv, NULL);
	err = move_in(&m);
	dma_resv_unlock(xpu_gem(bo)->resv);
	if (!err)
		place_drop(bo, m.file);
	kvfree(m.pages);
	return err;
}
