/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of alink_xpu.ko: the objects and what the files offer each other.
 *
 * Locks, outermost first:
 *
 *	xpu_device.count_lock		one look at the memory of a file at a time
 *	mmap_lock (faults; changes of memory that processes lent us)
 *	xpu_sleep.lock			what HBM holds while the machine sleeps
 *	xpu_evict.lock			moves of HBM objects
 *	  dma_resv			where one HBM object is
 *	    xpu_evict.lru_lock		who has to leave HBM
 *	  xpu_device.ctx_lock		list of VMs, contexts of the device
 *	  xpu_vm.lock			bindings and page tables of one VM
 *	    xpu_bo.gpuva_lock		list of bindings of one object
 *	  xpu_kq.lock			kernel queue
 *	  xpu_hbm.lock			HBM allocator
 *	  xpu_segment.lock		is it in the device? End of a reset is waited for
 *	    xpu_device.reset_lock	state of the device; read over each command
 *	      locks of alink.ko
 *	      xarray locks, xpu_queue.lock, xpu_bridges.lock,
 *	      xpu_window.lock, xpu_faults.lock (spinlocks)
 *	        xpu_qerrs.lock, xpu_ecc.lock (spinlocks)
 *
 * Who faults has mmap_lock and takes dma_resv, but not xpu_evict.lock; nor does
 * who imports by PRIME, with the object_name_lock of DRM. Whoever has
 * xpu_evict.lock holds one dma_resv at a time. With both, memory is allocated.
 *
 * Nobody waits for the end of a reset with xpu_sleep.lock, ctx_lock, xpu_kq.lock
 * or reset_lock held: reset_done takes these. It takes no VM lock. With
 * xpu_sleep.lock held nobody takes xpu_evict.lock.
 *
 * Asynchronous VM_BIND takes xpu_vm.lock and what is below it, but for
 * xpu_kq.lock and xpu_hbm.lock, where kernel fences wait to be signalled, and so
 * does an MMU notifier, where memory is reclaimed: with one of these held nobody
 * allocates memory, takes a dma_resv or mmap_lock, or waits for a reset.
 */
#ifndef ALINK_XPU_DRV_H
#define ALINK_XPU_DRV_H

#include <linux/dma-fence.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_gpuvm.h>
#include <drm/drm_mm.h>

#include <drm/alink_xpu.h>
#include <hw/alink/xpu.h>
#include <linux/alink/alink.h>

#include "alink_xpu_bridge.h"
#include "alink_xpu_hang.h"
#include "alink_xpu_hbm.h"
#include "alink_xpu_pt.h"
#include "alink_xpu_qerr.h"
#include "alink_xpu_sleep.h"
#include "alink_xpu_user.h"

#define XPU_PAGE_SIZE		4096
#define XPU_LARGE_PAGE_SIZE	SZ_2M
#define XPU_HUGE_PAGE_SIZE	SZ_1G
#define XPU_VA_BITS		48
/* The first and the last 2 MiB of addresses stay unbound */
#define XPU_VA_START		XPU_LARGE_PAGE_SIZE
#define XPU_VA_END		(BIT_ULL(XPU_VA_BITS) - XPU_LARGE_PAGE_SIZE)
#define XPU_MAX_RING		65536

/* The kernel's own context and queue */
#define XPU_KERNEL_CTX		1
#define XPU_KERNEL_QUEUE	0

/* Without an interrupt, memory is looked at this often */
#define XPU_POLL_NS		(10 * NSEC_PER_MSEC)

/* Longer than any reset that ends */
#define XPU_RESET_TIMEOUT	(60 * HZ)

struct devlink;
struct devlink_health_reporter;
struct dma_buf;
struct xpu_bo;
struct xpu_peer;
struct xpu_queue;
struct xpu_vm;

/**
 * enum xpu_state - what may be asked of the device
 * @XPU_ACTIVE:		everything
 * @XPU_RESETTING:	nothing, until the reset (or suspend) is over
 * @XPU_FAILED:		nothing, until the next reset; it masters no bus
 * @XPU_STOPPING:	only what remove asks for
 * @XPU_GONE:		nothing any more; adev is not valid after remove
 */
enum xpu_state {
	XPU_ACTIVE,
	XPU_RESETTING,
	XPU_FAILED,
	XPU_STOPPING,
	XPU_GONE,
};

/**
 * struct xpu_info - what the device says of itself, checked once at probe
 * @hbm_size:	HBM, bytes
 * @hbm_visible: part that BAR2 shows, bytes; 0 without BAR2
 * @num_queues:	queues, the kernel's included
 * @num_ctx:	contexts, the kernel's included; ids 1..@num_ctx
 * @num_imports: import slots
 * @num_segments: segments
 * @num_dies:	dies
 * @num_rings:	DMA engines
 * @dtypes:	bitmap of enum alink_dtype
 * @compute_funcs: bitmap of enum alink_xpu_func
 * @compute_dtypes: bitmap of enum alink_dtype that these take
 * @slice_us:	longest turn of a queue while an equal waits
 * @starve_us:	longest wait of a queue for its turn
 * @progress_ms: a queue that has work shows progress within this time; 0: it is
 *		not to be seen
 * @user_memory: memory of processes can be lent to the device
 * @evict:	HBM objects can leave, as accesses to them can be tried again
 * @queue_info:	queues have an info window
 * @name:	model name
 * @part_number: or empty
 * @board_serial: or empty
 */
struct xpu_info {
	u64 hbm_size;
	u64 hbm_visible;
	u32 num_queues;
	u32 num_ctx;
	u32 num_imports;
	u32 num_segments;
	u32 num_dies;
	u32 num_rings;
	u32 dtypes;
	u32 compute_funcs;
	u32 compute_dtypes;
	u32 slice_us;
	u32 starve_us;
	u32 progress_ms;
	bool user_memory;
	bool evict;
	bool queue_info;
	char name[32];
	char part_number[32];
	char board_serial[32];
};

/**
 * struct xpu_vector - one queue interrupt
 * @xdev:	device
 * @irq:	Linux interrupt
 * @wait:	who waits for a queue of this vector
 */
struct xpu_vector {
	struct xpu_device *xdev;
	int irq;
	wait_queue_head_t wait;
};

/* As many faults are remembered; a burst has its cause at the start */
#define XPU_NUM_FAULTS		16

/**
 * struct xpu_faults - what went wrong, for those who want to know
 * @lock:	protects @last, @total and @told
 * @last:	the latest ALINK_EVENT_FAULT, fault n at n % XPU_NUM_FAULTS
 * @total:	since probe
 * @told:	of them, taken by @work
 * @trouble:	what else failed and is for @work to tell, or NULL
 * @wedged:	why the device was cut off, for reset_work to tell, or NULL
 * @test:	a report was asked for
 * @bad:	there was trouble, and no reset since
 * @dump_lock:	one dump at a time
 * @work:	tells
 */
struct xpu_faults {
	/* protects last, total and told; innermost */
	spinlock_t lock;
	struct alink_event last[XPU_NUM_FAULTS];
	u64 total;
	u64 told;
	const char *trouble;
	const char *wedged;
	bool test;
	bool bad;
	/* from the look for an older dump until ours is there; alone */
	struct mutex dump_lock;
	struct work_struct work;
};

/**
 * struct xpu_device - one xPU
 * @drm:	DRM device; lives until the last open file is gone
 * @adev:	device of alink.ko, from probe to remove
 * @pdev:	PCI function, held as long as @drm
 * @devlink:	devlink instance, from probe to remove
 * @reporter:	health reporter of @devlink
 * @info:	constants
 * @fabric_id:	endpoint id, or ALINK_ID_NONE
 * @reset_lock:	protects @state, @generation and @harmless. Held for reading over each
 *		command, so that a writer finds none in flight
 * @state:	see there
 * @generation:	counts losses of all that the device remembers; from 1
 * @harmless:	in XPU_RESETTING: it has lost the bus, and gets it back afterwards
 * @state_wait:	woken when @state changes
 * @reset_work:	resets a device that cannot be trusted any more
 * @abandon_work: gives up a recovery whose end nobody tells
 * @hbm_base:	BAR2, bus address for CPU mappings; 0: no HBM is visible
 * @hbm_wc:	the kernel knows that these are write-combining
 * @db_base:	doorbell page 0, bus address for CPU mappings
 * @ctx_lock:	protects @vms and who has a context
 * @vms:	all VMs with a context, also those of closed files
 * @ctx_ids:	contexts in use
 * @queues:	queues by hardware id, user's only; its lock protects users of
 *		a queue found here
 * @segments:	segments in use: struct xpu_segment
 * @groups:	groups in which we have memory: struct xpu_group
 * @imports:	import slots in use: struct xpu_bo
 * @bos_lock:	protects @bos
 * @bos:	host objects and memory of processes, for remove to unmap
 * @hbm:	HBM allocator
 * @kq:		kernel queue
 * @evict:	what moves out of HBM
 * @sleep:	what HBM holds while the machine sleeps
 * @num_vectors: of @vectors; at least 1
 * @vectors:	queue interrupts
 * @any_wait:	who waits for no queue in particular
 * @bridges:	kernel fences
 * @faults:	what went wrong
 * @hangs:	queues that were stuck
 * @qerrs:	queues that halted
 * @ecc:	errors of HBM
 * @count_lock:	protects @count_pass, @count_busy, and xpu_bo.counted of all
 *		objects
 * @count_pass:	counts looks at the memory of files
 * @count_busy:	bitmap of @info.num_ctx + 1 bits, for one look
 * @num_jobs:	asynchronous VM_BINDs that are not over, all VMs
 */
struct xpu_device {
	struct drm_device drm;
	struct alink_dev *adev;
	struct pci_dev *pdev;
	struct devlink *devlink;
	struct devlink_health_reporter *reporter;
	struct xpu_info info;
	u32 fabric_id;

	/* protects state, generation, harmless; read-held over each command */
	struct rw_semaphore reset_lock;
	enum xpu_state state;
	u64 generation;
	bool harmless;
	wait_queue_head_t state_wait;
	struct delayed_work reset_work;
	struct delayed_work abandon_work;

	resource_size_t hbm_base;
	bool hbm_wc;
	resource_size_t db_base;

	/* protects vms and which of them have a context */
	struct mutex ctx_lock;
	struct list_head vms;
	struct xarray ctx_ids;
	struct xarray queues;
	struct xarray segments;
	struct xarray groups;
	struct xarray imports;

	/* protects bos */
	spinlock_t bos_lock;
	struct list_head bos;

	struct xpu_hbm hbm;
	struct xpu_kq kq;
	struct xpu_evict evict;
	struct xpu_sleep sleep;

	unsigned int num_vectors;
	struct xpu_vector vectors[ALINK_XPU_NUM_VECTORS - 1];
	wait_queue_head_t any_wait;
	struct xpu_bridges bridges;
	struct xpu_faults faults;
	struct xpu_hangs hangs;
	struct xpu_qerrs qerrs;
	struct xpu_ecc ecc;
	/* protects count_pass, count_busy, and xpu_bo.counted of all objects */
	struct mutex count_lock;
	u64 count_pass;
	unsigned long *count_busy;
	atomic_t num_jobs;
};

static inline struct xpu_device *to_xpu(struct drm_device *drm)
{
	return container_of(drm, struct xpu_device, drm);
}

/*
 * Ids of users. 0 is none, and the limit says so, not the array alone: it would
 * give 0 out when a user has asked to erase that.
 */
#define XPU_ID_LIMIT	XA_LIMIT(1, INT_MAX)

/**
 * struct xpu_file - one open file
 * @xdev:	device
 * @vms:	VM ids
 * @queues:	queue ids
 * @exports:	export ids: struct xpu_segment
 * @groups:	group binding ids: struct xpu_group
 * @share:	its kernel fences that follow memory
 * @busy_ns:	time that engines worked for its queues, as far as it was read;
 *		atomic, as any thread may read it
 * @hung:	its queues that were stuck, as far as they were counted
 * @compute_ns:	the same of compute engines; @busy_ns is that of DMA rings
 */
struct xpu_file {
	struct xpu_device *xdev;
	struct xarray vms;
	struct xarray queues;
	struct xarray exports;
	struct xarray groups;
	struct xpu_bridge_share *share;
	atomic64_t busy_ns;
	atomic_t hung;
	atomic64_t compute_ns;
};

enum xpu_bo_kind {
	XPU_BO_HOST,
	XPU_BO_HBM,
	XPU_BO_SEGMENT,		/* imported */
	XPU_BO_GROUP,		/* imported */
	XPU_BO_USER,		/* of a process; no handle names it */
};

/**
 * struct xpu_window - a page of an HBM object that the kernel looks at
 *
 * All but what its own lock protects is protected by the dma_resv of the object.
 *
 * @ref:	users: locations, and the object for the one it used last
 * @node:	in xpu_place.windows
 * @page:	in the object
 * @lock:	protects @away; who looks holds it
 * @away:	it shows @mem; else @io
 * @io:		mapping of HBM; to be touched within drm_dev_enter() only
 * @mem:	page of system memory, referenced
 */
struct xpu_window {
	struct kref ref;
	struct list_head node;
	u64 page;
	/* protects away; held while somebody looks */
	spinlock_t lock;
	bool away;
	void __iomem *io;
	struct page *mem;
};

/**
 * struct xpu_bo - a GEM object
 * @shmem:	the object; more than its base is used by XPU_BO_HOST only
 * @kind:	what it is
 * @visible:	HBM that the CPU can map
 * @num_pieces:	HBM: entries of @pieces
 * @pieces:	HBM: where in HBM it is; none while it is away
 * @place:	HBM: where it is at all
 * @slot:	imports: slot of the device
 * @rights:	imported segment: DRM_ALINK_XPU_VM_BIND_* that may work
 * @generation:	imports: xpu_device.generation when made; 0: not in the device
 * @peer:	imports by PRIME: what they hold of the other xPU, or NULL
 * @import:	host objects: dma-buf that the memory is of, a reference, or NULL
 * @node:	host objects, memory of processes: in xpu_device.bos
 * @dummy:	page that mappings of HBM show once the device is gone
 * @window:	HBM: the page where the kernel looked last, or NULL; dma_resv
 * @user:	memory of a process: what only alink_xpu_user.c knows
 * @gpuva_lock:	protects the object's list of bindings
 * @counted:	xpu_device.count_pass when it was counted; under count_lock
 */
struct xpu_bo {
	struct drm_gem_shmem_object shmem;
	enum xpu_bo_kind kind;
	bool visible;
	unsigned int num_pieces;
	struct drm_mm_node *pieces;
	struct xpu_place place;
	u32 slot;
	u32 rights;
	u64 generation;
	struct xpu_peer *peer;
	struct dma_buf *import;
	struct list_head node;
	struct page *dummy;
	struct xpu_user *user;
	struct xpu_window *window;

	/* protects shmem.base.gpuva.list; never held over an allocation */
	struct mutex gpuva_lock;
	u64 counted;
};

static inline struct xpu_bo *to_xpu_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct xpu_bo, shmem.base);
}

static inline struct drm_gem_object *xpu_gem(struct xpu_bo *bo)
{
	return &bo->shmem.base;
}

/**
 * struct xpu_vm - a device address space
 * @gpuvm:	bindings; frees this structure with its last reference
 * @xdev:	device
 * @ref:	users: the id, queues, calls in progress
 * @ctx:	context of the device
 * @node:	in xpu_device.vms
 * @dying:	the context is not to be made again; under xpu_device.ctx_lock
 * @generation:	xpu_device.generation when the context was made, by a reset the
 *		last time; under xpu_device.ctx_lock
 * @lock:	protects bindings, @pt, @num_queues and @closed
 * @pt:		page tables
 * @num_queues:	queues of this VM
 * @closed:	the id is gone: no new queues, no new jobs
 * @pid:	process that made it, in the initial namespace
 * @comm:	its name then
 * @worked:	xpu_evict.passes when a queue of it was seen at work
 * @bind_work:	runs @jobs
 * @free_work:	frees @jobs_over
 * @job_lock:	protects all that follows
 * @jobs:	asynchronous VM_BINDs that wait for their turn: struct xpu_bind
 * @jobs_over:	that have run, for @free_work
 * @num_jobs:	that are not over: being made, in @jobs, being freed
 * @queued:	that have been in @jobs so far
 * @done:	of them, whose fence has been signalled
 * @job_wait:	woken when @num_jobs or @done changes
 * @fence_context: of their fences
 */
struct xpu_vm {
	struct drm_gpuvm gpuvm;
	struct xpu_device *xdev;
	struct kref ref;
	u32 ctx;
	struct list_head node;
	bool dying;
	u64 generation;
	/* protects bindings, pt, num_queues and closed; see above */
	struct mutex lock;
	struct xpu_pt_tree pt;
	unsigned int num_queues;
	bool closed;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	u64 worked;

	struct work_struct bind_work;
	struct work_struct free_work;
	/* protects jobs, num_jobs, queued and done */
	spinlock_t job_lock;
	struct list_head jobs;
	struct list_head jobs_over;
	unsigned int num_jobs;
	u64 queued;
	u64 done;
	wait_queue_head_t job_wait;
	u64 fence_context;
};

static inline struct xpu_vm *to_xpu_vm(struct drm_gpuvm *gpuvm)
{
	return container_of(gpuvm, struct xpu_vm, gpuvm);
}

/**
 * struct xpu_loc - 64-bit words in an object that the CPU can read
 * @bo:		the object, referenced; in system memory its pages are pinned
 * @offset:	in the object
 * @window:	HBM: the page, mapped
 */
struct xpu_loc {
	struct xpu_bo *bo;
	u64 offset;
	struct xpu_window *window;
};

/**
 * struct xpu_queue - a user's queue
 * @xdev:	device
 * @ref:	users: the id, doorbell mappings, waiters
 * @vm:		its VM
 * @vec:	its interrupt
 * @hw_id:	queue and doorbell page of the device
 * @serial:	of no other queue of the device, ever; not 0
 * @priority:	as asked for; constant
 * @status:	status block; user space can write it. Its object stays in place
 * @busy_ns:	part of xpu_file.busy_ns
 * @lock:	protects @state, @error, @command and part of @hang
 * @state:	what users are told
 * @error:	why it halted; of one that is stuck from when it was found
 * @command:	where it halted; from then on as well
 * @dead:	destroyed, or stuck; the doorbell must not be mapped any more
 * @generation:	xpu_device.generation when made; 0: not yet
 * @fault_work:	answers an access that may be tried again
 * @hang:	does it get on?
 * @map_lock:	protects @dead against faults, and @dummy
 * @dummy:	page that a doorbell mapping shows afterwards
 * @compute_ns:	part of xpu_file.compute_ns
 */
struct xpu_queue {
	struct xpu_device *xdev;
	struct kref ref;
	struct xpu_vm *vm;
	struct xpu_vector *vec;
	u32 hw_id;
	u64 serial;
	enum drm_alink_xpu_priority priority;
	struct xpu_loc status;
	atomic64_t busy_ns;
	/* protects state, error, command, hang.found and hang.counted */
	spinlock_t lock;
	enum drm_alink_xpu_queue_state state;
	struct drm_alink_xpu_queue_error error;
	struct xpu_command command;
	bool dead;
	u64 generation;
	struct delayed_work fault_work;
	struct xpu_hang hang;
	/* orders faults and destruction */
	struct mutex map_lock;
	struct page *dummy;
	atomic64_t compute_ns;
};

/**
 * struct xpu_turns - what the device counted of a queue's turns
 * @turns:	turns that it had
 * @wait_ns:	modelled time that it waited for them
 * @worst_ns:	longest of these waits
 * @progress:	signs of life; 0 if the device shows none
 */
struct xpu_turns {
	u64 turns;
	u64 wait_ns;
	u64 worst_ns;
	u32 progress;
};

/**
 * struct xpu_segment - an export
 * @xdev:	device
 * @ref:	users: who made it, and who revokes it by netlink
 * @bo:		object, referenced
 * @id:		segment of the device
 * @pid:	process that made it, referenced
 * @comm:	its name then
 * @lock:	protects @generation, and what it says from changing
 * @generation:	xpu_device.generation when made; 0: not in the device
 */
struct xpu_segment {
	struct xpu_device *xdev;
	struct kref ref;
	struct xpu_bo *bo;
	u32 id;
	struct pid *pid;
	char comm[TASK_COMM_LEN];
	/* protects generation; held over commands that change whether it is true */
	struct mutex lock;
	u64 generation;
};

/**
 * struct xpu_group - our memory in a group
 * @seg:	the memory; once bound, the device has the binding as long as that
 * @group:	group id
 */
struct xpu_group {
	struct xpu_segment *seg;
	u32 group;
};

/* alink_xpu_hw.c */
int alink_xpu_read_info(struct xpu_device *xdev);
int alink_xpu_admin_tlv(struct xpu_device *xdev, u16 opcode, u16 tlv,
			const void *payload, size_t len, u64 *generation);
void alink_xpu_admin_undo(struct xpu_device *xdev, u64 generation, u16 opcode,
			  u32 id);
u64 alink_xpu_generation(struct xpu_device *xdev);
int alink_xpu_state_errno(struct xpu_device *xdev);
bool alink_xpu_wedge(struct xpu_device *xdev, u64 generation, const char *why);
void alink_xpu_set_state(struct xpu_device *xdev, enum xpu_state state);
void alink_xpu_cut_off(struct xpu_device *xdev);
void alink_xpu_abandon_reset(struct xpu_device *xdev);
void alink_xpu_invalidate(struct xpu_device *xdev, u32 ctx);
int alink_xpu_irq_init(struct xpu_device *xdev);
void alink_xpu_irq_fini(struct xpu_device *xdev);
void alink_xpu_wake_all(struct xpu_device *xdev);
void alink_xpu_flush_events(struct xpu_device *xdev);
void alink_xpu_event(struct alink_dev *adev, const struct alink_event *event);

/* alink_xpu_bo.c */
void alink_xpu_huge_init(void);
void alink_xpu_huge_fini(void);
struct drm_gem_object *alink_xpu_gem_create_object(struct drm_device *drm,
						   size_t size);
struct drm_gem_object *
alink_xpu_gem_prime_import(struct drm_device *drm,
			   struct dma_buf_attachment *attach,
			   struct sg_table *sgt);
struct xpu_bo *alink_xpu_bo_alloc_special(struct xpu_device *xdev,
					  enum xpu_bo_kind kind, u64 size);
struct xpu_bo *alink_xpu_bo_lookup(struct drm_file *file, u32 handle);
struct sg_table *alink_xpu_bo_sgt(struct xpu_bo *bo);
void alink_xpu_bo_track(struct xpu_bo *bo);
void alink_xpu_bos_unmap(struct xpu_device *xdev);
int alink_xpu_gem_create_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file);
int alink_xpu_gem_mmap_offset_ioctl(struct drm_device *drm, void *data,
				    struct drm_file *file);

/* alink_xpu_loc.c */
int alink_xpu_windows_ready(struct xpu_bo *bo, struct file *file);
void alink_xpu_windows_settle(struct xpu_bo *bo, bool away);
void alink_xpu_windows_fini(struct xpu_bo *bo);
int alink_xpu_loc_get(struct xpu_bo *bo, u64 offset, struct xpu_loc *loc);
void alink_xpu_loc_put(struct xpu_loc *loc);
int alink_xpu_loc_read(const struct xpu_loc *loc, u64 add, u64 *value);
int alink_xpu_loc_clear(const struct xpu_loc *loc, size_t len);

/* alink_xpu_prime.c */
struct dma_buf *alink_xpu_hbm_export(struct drm_gem_object *obj, int flags);
struct drm_gem_object *alink_xpu_prime_import(struct drm_device *drm,
					      struct dma_buf *dma_buf);
int alink_xpu_prime_fd_to_handle(struct drm_device *drm, struct drm_file *file,
				 int fd, u32 *handle);
void alink_xpu_prime_release(struct xpu_bo *bo);

/* alink_xpu_mmap.c */
extern const struct vm_operations_struct alink_xpu_hbm_vm_ops;
int alink_xpu_mmap(struct file *filp, struct vm_area_struct *vma);
int alink_xpu_hbm_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma);
void alink_xpu_zap_doorbell(struct xpu_queue *q);
void alink_xpu_zap_all(struct xpu_device *xdev);
u64 alink_xpu_doorbell_offset(const struct xpu_queue *q);

/* alink_xpu_vm.c */
void alink_xpu_gpuvm_free(struct drm_gpuvm *gpuvm);
struct xpu_vm *alink_xpu_vm_lookup(struct xpu_file *xfile, u32 id);
void alink_xpu_vm_put(struct xpu_vm *vm);
void alink_xpu_vm_close(struct xpu_vm *vm);
void alink_xpu_vm_flush(struct xpu_vm *vm, struct list_head *old);
int alink_xpu_vms_restore(struct xpu_device *xdev);
void alink_xpu_vms_drop_tables(struct xpu_device *xdev);
struct xpu_bo *alink_xpu_vm_find(struct xpu_vm *vm, u64 va, u64 *offset);
bool alink_xpu_vm_bound(struct xpu_vm *vm, u64 va, u64 len, u32 rights);
int alink_xpu_vm_create_ioctl(struct drm_device *drm, void *data,
			      struct drm_file *file);
int alink_xpu_vm_destroy_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file);

/* alink_xpu_bind_op.c */
struct xpu_va {
	struct drm_gpuva base;
	u32 rights;
	struct list_head node;		/* of those to free after the flush */
	struct drm_gpuvm_bo *held;	/* once removed: until then */
};

static inline struct xpu_va *to_xpu_va(struct drm_gpuva *va)
{
	return container_of(va, struct xpu_va, base);
}

extern const struct drm_gpuvm_ops alink_xpu_gpuvm_ops;
void alink_xpu_vm_unbind_all(struct xpu_vm *vm);
int alink_xpu_bind_again(struct xpu_vm *vm, struct xpu_bo *bo, u64 addr);

/* alink_xpu_bind_async.c */
void alink_xpu_binds_kick(struct xpu_device *xdev);
void alink_xpu_binds_stop(struct xpu_device *xdev);
void alink_xpu_vm_binds_init(struct xpu_vm *vm);
void alink_xpu_vm_binds_drain(struct xpu_vm *vm);

/* alink_xpu_bind.c */
int alink_xpu_vm_bind_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file);

/* alink_xpu_fault.c */
void alink_xpu_fault_queue_init(struct xpu_queue *q);
void alink_xpu_fault_kick(struct xpu_queue *q);

/* alink_xpu_queue.c */
struct xpu_queue *alink_xpu_queue_lookup(struct xpu_file *xfile, u32 id);
void alink_xpu_queue_put(struct xpu_queue *q);
void alink_xpu_queue_shut(struct xpu_queue *q);
void alink_xpu_queue_halt(struct xpu_queue *q,
			  const struct drm_alink_xpu_queue_error *error);
void alink_xpu_queue_destroy(struct xpu_queue *q, struct xpu_file *xfile);
int alink_xpu_queue_errno(struct xpu_queue *q,
			  struct drm_alink_xpu_queue_error *error);
void alink_xpu_queue_peek(struct xpu_queue *q);
void alink_xpu_queues_cancel(struct xpu_device *xdev);
void alink_xpu_queue_event(struct xpu_device *xdev,
			   const struct alink_event *event);
void alink_xpu_queue_account(struct xpu_queue *q, struct xpu_file *xfile);
void alink_xpu_queues_at_work(struct xpu_device *xdev,
			      void (*func)(struct xpu_queue *q, void *data),
			      void *data);
void alink_xpu_queue_turns(struct xpu_queue *q, struct xpu_turns *t);
int alink_xpu_queue_create_ioctl(struct drm_device *drm, void *data,
				 struct drm_file *file);
int alink_xpu_queue_destroy_ioctl(struct drm_device *drm, void *data,
				  struct drm_file *file);
int alink_xpu_queue_status_ioctl(struct drm_device *drm, void *data,
				 struct drm_file *file);

/* alink_xpu_fence.c */
int alink_xpu_fence_locate(struct drm_file *file, u32 flags, u32 handle,
			   u64 addr, struct xpu_loc *loc);
static inline bool alink_xpu_fence_reached(u64 memory, u64 value)
{
	return (s64)(memory - value) >= 0;
}

int alink_xpu_wait_fence_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file);

/* alink_xpu_fabric.c */
bool alink_xpu_segment_owner(struct alink_dev *adev, u32 id,
			     struct alink_owner *owner);
int alink_xpu_segment_revoke(struct alink_dev *adev, u32 id);
void alink_xpu_segment_destroy(struct xpu_segment *seg);
void alink_xpu_group_destroy(struct xpu_group *group);
void alink_xpu_import_release(struct xpu_bo *bo);
struct xpu_bo *alink_xpu_import_segment_of(struct xpu_device *xdev,
					   struct xpu_bo *theirs, u32 rights,
					   struct xpu_segment **seg);
int alink_xpu_segment_export_ioctl(struct drm_device *drm, void *data,
				   struct drm_file *file);
int alink_xpu_segment_revoke_ioctl(struct drm_device *drm, void *data,
				   struct drm_file *file);
int alink_xpu_segment_import_ioctl(struct drm_device *drm, void *data,
				   struct drm_file *file);
int alink_xpu_group_bind_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file);
int alink_xpu_group_unbind_ioctl(struct drm_device *drm, void *data,
				 struct drm_file *file);
int alink_xpu_group_import_ioctl(struct drm_device *drm, void *data,
				 struct drm_file *file);

/* alink_xpu_query.c */
int alink_xpu_query_ioctl(struct drm_device *drm, void *data,
			  struct drm_file *file);
void alink_xpu_show_fdinfo(struct drm_printer *p, struct drm_file *file);

/* alink_xpu_devlink.c */
int alink_xpu_devlink_init(struct xpu_device *xdev);
void alink_xpu_devlink_fini(struct xpu_device *xdev);
void alink_xpu_health_report(struct xpu_device *xdev, const char *why,
			     const struct alink_event *event);
void alink_xpu_health_test(struct xpu_device *xdev);
void alink_xpu_health_look(struct xpu_device *xdev);

/* alink_xpu_dump.c */
void alink_xpu_faults_init(struct xpu_device *xdev);
void alink_xpu_faults_fini(struct xpu_device *xdev);
void alink_xpu_fault(struct xpu_device *xdev, const struct alink_event *event);
void alink_xpu_trouble(struct alink_dev *adev, const char *what);
void alink_xpu_faults_reset(struct xpu_device *xdev, int err);
void alink_xpu_dump(struct xpu_device *xdev, const char *why);
void alink_xpu_tell(struct xpu_device *xdev, const char *why);
u64 alink_xpu_last_fault(struct xpu_device *xdev, struct alink_event *event);

/* alink_xpu_drv.c */
extern const struct drm_driver alink_xpu_drm_driver;

/**
 * struct xpu_wqs - work of all xPUs
 * @fence:	runs xpu_bridges.work
 * @bind:	runs xpu_vm.bind_work
 * @free:	runs xpu_vm.free_work
 * @fault:	runs xpu_queue.fault_work and xpu_hang.work
 *
 * The first two are waited for where memory is reclaimed, so each has a thread
 * kept for that: one of its own for each xPU was a third of the time of a probe.
 */
struct xpu_wqs {
	struct workqueue_struct *fence;
	struct workqueue_struct *bind;
	struct workqueue_struct *free;
	struct workqueue_struct *fault;
};

/* From the module's start to its end */
extern struct xpu_wqs alink_xpu_wqs;

/* alink_xpu_pci.c */
extern struct pci_driver alink_xpu_pci_driver;

#endif /* ALINK_XPU_DRV_H */
