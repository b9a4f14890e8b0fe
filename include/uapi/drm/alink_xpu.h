/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * User interface of the ALink xPU: /dev/accel/accelN of alink_xpu.ko.
 */
#ifndef _UAPI_DRM_ALINK_XPU_H_
#define _UAPI_DRM_ALINK_XPU_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: ALink xPU user interface
 *
 * The order of work: query the device, create a VM (a device address space),
 * create buffer objects, bind them into the VM, create a queue whose ring and
 * status block lie in bound buffers, map its doorbell page, write descriptors
 * (struct alink_xpu_desc of <hw/alink/xpu.h>) and ring. A descriptor stores a
 * 64-bit fence value in memory when it is done; user space polls the memory,
 * or sleeps in &DRM_IOCTL_ALINK_XPU_WAIT_FENCE.
 *
 * Buffer objects, imported segments and imported groups are all GEM objects:
 * &DRM_IOCTL_ALINK_XPU_VM_BIND takes any of them, and &DRM_IOCTL_GEM_CLOSE
 * releases them. An object lives as long as a handle, a mapping, a VM binding,
 * a segment export or a group binding uses it. VM, queue, export and group
 * binding ids belong to the open file, start at 1, and die with it.
 *
 * PRIME: host and HBM objects can be exported (HBM since version 1.2), imported
 * segments and groups cannot, with %EOPNOTSUPP. What is imported is either
 * memory with pages, of any driver, and then a host object, but for
 * %EOPNOTSUPP where the kernel had to read it; or HBM of an xPU of this driver.
 * HBM comes back as the object it is in a file of the same xPU. In a file of
 * another it becomes an imported segment, and each access goes through the
 * fabric, which applies its rules: READ, and with a file descriptor that was
 * exported with DRM_RDWR also WRITE and ATOMIC. The memory lives until the last
 * importer has let go, whatever becomes of the exporter's process. A reset of
 * either xPU voids the import, as it does others. Other devices cannot attach
 * to HBM: %EOPNOTSUPP. An HBM dma-buf can be mapped if the object can.
 *
 * HBM that is not used may have to leave (since version 1.3, on devices with
 * ALINK_CAP_RETRY): when HBM is full, the memory of an object that was not used
 * for long moves to system memory, which its creator's memory cgroup pays for.
 * Nobody notices, but for the time that it takes: a queue that needs the object
 * waits until it is back in HBM, in the place of others; a CPU mapping shows it
 * wherever it is. An object that moves is not used by any queue while it does.
 * Those that stay: objects with an exported segment, a group binding or an
 * import by PRIME in another xPU, those with the status block of a queue, and
 * those with HBM that will be retired. When all that is left are such objects,
 * or system memory is short, what HBM is needed for fails. So does a queue whose
 * one command needs more HBM at a time than can be had: it halts with
 * ALINK_ST_NO_ROOM.
 *
 * A queue whose engine hangs (since version 1.4, on devices with
 * ALINK_CAP_PROGRESS): the device shows of each queue that it gets on, however
 * long a command may take. One that does not is ended within some ten seconds:
 * it halts with ALINK_ST_STUCK, and the address of the descriptor in its ring.
 * Others go on. Where the device cannot do that it is reset, as below, but the
 * queue that was stuck still halts in this way.
 *
 * A queue that halted can only be destroyed. QUEUE_STATUS tells (since version
 * 1.5) what it takes to go on, and on devices with ALINK_CAP_QUEUE_INFO also the
 * command that failed, as the device had fetched it: the ring may hold another
 * by then.
 *
 * Reducing push (since version 1.6, on devices with ALINK_CAP_PUSH): a queue may
 * have an ALINK_XPU_OP_PUSH_REDUCE, into an imported group, which waits for the
 * other members of the group. It waits no longer than it says itself; then, and
 * when it can have no result any more, its queue halts, with ALINK_ST_TIMEOUT,
 * ALINK_ST_ABORTED or whatever the reason is. A queue that comes too late for an
 * epoch that the others have given up halts with ALINK_ST_EPOCH.
 *
 * User space fills queues by itself, so nothing that they run gets into a
 * dma-buf without being asked: %DMA_BUF_IOCTL_EXPORT_SYNC_FILE and poll(2) tell
 * of what others put there. To let others wait for a queue, take the sync file
 * of a &DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ and put it there with
 * %DMA_BUF_IOCTL_IMPORT_SYNC_FILE. No queue waits for what is there.
 *
 * Rules that hold for each ioctl:
 *
 * - Padding and reserved fields must be 0, unknown flags are refused, both
 *   with %EINVAL. Structures grow at the end only; a field that an older
 *   caller does not know reads as 0. What a newer caller has beyond the end is
 *   not looked at, whatever it holds: it asks for the version first.
 * - %ENOENT: no such handle or id in this file. %EFAULT: a bad user pointer.
 *   %ENODEV: the device is gone. %EBUSY: the device is in reset or suspended,
 *   try again. %EIO: the device failed and waits for its reset. The last two
 *   are for calls that need the device: those that make something in it (HBM
 *   objects, VMs, queues, exports, imports, group bindings), and queries but
 *   for that of memory. Bindings, fences and the state of a queue are there all
 *   the time. Calls that give something back succeed; in a reset, once it is
 *   over. Who is killed, or exits, waits for that no longer.
 * - Version: DRM_IOCTL_VERSION has a major and a minor number. The minor one
 *   grows with each addition, which says since when it is there; a program that
 *   needs it asks for that number or a higher one, of the same major. Nothing
 *   is taken away or changes its meaning within a major number.
 * - No ioctl needs a privilege, but for &DRM_ALINK_XPU_PRIORITY_HIGH and
 *   &DRM_ALINK_XPU_PRIORITY_REALTIME. Who may use the device is a matter of the
 *   mode of its node.
 *
 * A function-level reset, and suspend, end each queue: its waiters return with
 * %ECANCELED, and it must be destroyed. VMs with what is bound in them and
 * buffer objects stay. What HBM holds is undefined after a reset, but not what
 * has moved to system memory; after suspend all is as it was, also in memory
 * that others had access to: what a fence says is done is there.
 * Exports, imports, group bindings and group imports made before are void:
 * accesses through them fail with a typed fabric error, new binds with
 * %ECANCELED.
 *
 * A call that needs HBM while the machine is about to sleep waits until it has
 * slept, without an error. Should there be no memory for all that HBM holds, or
 * some of it be known bad, the machine does not sleep, and nothing ends. If the
 * device does not come back from a sleep, calls fail with %EIO; a later reset
 * that brings it back brings back what HBM held.
 */

#define DRM_ALINK_XPU_QUERY		0x00
#define DRM_ALINK_XPU_GEM_CREATE	0x01
#define DRM_ALINK_XPU_GEM_MMAP_OFFSET	0x02
#define DRM_ALINK_XPU_VM_CREATE		0x03
#define DRM_ALINK_XPU_VM_DESTROY	0x04
#define DRM_ALINK_XPU_VM_BIND		0x05
#define DRM_ALINK_XPU_QUEUE_CREATE	0x06
#define DRM_ALINK_XPU_QUEUE_DESTROY	0x07
#define DRM_ALINK_XPU_QUEUE_STATUS	0x08
#define DRM_ALINK_XPU_WAIT_FENCE	0x09
#define DRM_ALINK_XPU_FENCE_SYNCOBJ	0x0a
#define DRM_ALINK_XPU_SEGMENT_EXPORT	0x0b
#define DRM_ALINK_XPU_SEGMENT_REVOKE	0x0c
#define DRM_ALINK_XPU_SEGMENT_IMPORT	0x0d
#define DRM_ALINK_XPU_GROUP_BIND	0x0e
#define DRM_ALINK_XPU_GROUP_UNBIND	0x0f
#define DRM_ALINK_XPU_GROUP_IMPORT	0x10

/**
 * enum drm_alink_xpu_query_type - what &DRM_IOCTL_ALINK_XPU_QUERY can tell
 * @DRM_ALINK_XPU_QUERY_DEVICE: one &struct drm_alink_xpu_query_device
 * @DRM_ALINK_XPU_QUERY_MEMORY: one &struct drm_alink_xpu_query_memory
 * @DRM_ALINK_XPU_QUERY_COUNTERS: one &struct drm_alink_xpu_query_counters
 * @DRM_ALINK_XPU_QUERY_LINKS: one &struct drm_alink_xpu_query_link per link
 */
enum drm_alink_xpu_query_type {
	DRM_ALINK_XPU_QUERY_DEVICE	= 0,
	DRM_ALINK_XPU_QUERY_MEMORY	= 1,
	DRM_ALINK_XPU_QUERY_COUNTERS	= 2,
	DRM_ALINK_XPU_QUERY_LINKS	= 3,
};

/**
 * struct drm_alink_xpu_query - argument of &DRM_IOCTL_ALINK_XPU_QUERY
 *
 * With @size 0 the kernel only fills in the size that the answer has.
 * Otherwise at most @size bytes are written to @data, and @size is set to the
 * bytes written; an array is cut at whole elements of the kernel's size. A
 * caller with an older, shorter single structure gets what fits.
 *
 * Errors: %EINVAL for an unknown @query; %ENOSPC if @size holds no element.
 */
struct drm_alink_xpu_query {
	/** @query: &enum drm_alink_xpu_query_type */
	__u32 query;
	/** @size: in: room at @data in bytes; out: bytes, see above */
	__u32 size;
	/** @data: user pointer to the answer */
	__u64 data;
};

/**
 * struct drm_alink_xpu_query_device - what the device is; never changes, but
 * for @generation
 *
 * The last of its limits, from @max_user_range on, are the driver's. They have
 * constants too, DRM_ALINK_XPU_MAX_*, which say what any driver takes: what
 * this one does may be more.
 */
struct drm_alink_xpu_query_device {
	/** @serial: serial number, unique in a fabric */
	__u64 serial;
	/**
	 * @caps: ALINK_CAP_* of <hw/alink/common.h>. One with ALINK_CAP_APERTURE
	 * has a window in BAR4 onto memory of other xPUs, which this interface
	 * does not map
	 */
	__u64 caps;
	/** @hbm_size: HBM fitted, bytes */
	__u64 hbm_size;
	/** @hbm_visible: part of it that the CPU can map, through BAR2, bytes */
	__u64 hbm_visible;
	/** @va_start: lowest device virtual address that may be bound */
	__u64 va_start;
	/** @va_end: first device virtual address beyond what may be bound */
	__u64 va_end;
	/** @fabric_id: endpoint id in the fabric, or 0xffffffff */
	__u32 fabric_id;
	/** @index: index of the device in the alink netlink family */
	__u32 index;
	/** @variant: ALINK_XPU_* of <hw/alink/xpu.h> */
	__u32 variant;
	/** @hw_version: interface of the device: major 31:16, minor 15:0 */
	__u32 hw_version;
	/** @fw_version: major 31:24, minor 23:16, patch 15:0 */
	__u32 fw_version;
	/** @generation: resets since power on */
	__u32 generation;
	/** @dtypes: bitmap of enum alink_dtype that the engines take */
	__u32 dtypes;
	/** @num_dies: dies of the package */
	__u32 num_dies;
	/** @num_rings: DMA engines; queues share them */
	__u32 num_rings;
	/** @num_links: ALink links */
	__u32 num_links;
	/** @max_queues: queues that user space may have at once, all files */
	__u32 max_queues;
	/** @max_vms: VMs that user space may have at once, all files */
	__u32 max_vms;
	/** @max_imports: imported segments and groups at once, all files */
	__u32 max_imports;
	/** @max_segments: exports and group bindings at once, all files */
	__u32 max_segments;
	/** @max_ring_entries: most descriptors in a ring */
	__u32 max_ring_entries;
	/** @min_page_size: smallest page of a VM binding, bytes */
	__u32 min_page_size;
	/** @large_page_size: large page; align to it for speed, bytes */
	__u32 large_page_size;
	/** @doorbell_size: bytes of a queue's doorbell page */
	__u32 doorbell_size;
	/** @doorbell_tail: offset of the 32-bit tail doorbell in that page */
	__u32 doorbell_tail;
	/** @pad: 0 */
	__u32 pad;
	/** @max_desc_len: most bytes that one descriptor may move */
	__u64 max_desc_len;
	/** @name: model name, NUL-terminated */
	char name[32];
	/** @compute_funcs: bitmap of enum alink_xpu_func; 0: no compute engines */
	__u32 compute_funcs;
	/** @compute_dtypes: bitmap of enum alink_dtype that they take */
	__u32 compute_dtypes;
	/**
	 * @slice_us: longest turn of a queue while an equal waits, modelled
	 * time in us (since version 1.2)
	 */
	__u32 slice_us;
	/**
	 * @starve_us: longest wait of a ready queue, modelled time in us (since
	 * version 1.2)
	 */
	__u32 starve_us;
	/**
	 * @max_user_range: most bytes of one VM_BIND_MAP_USER (since version
	 * 1.4)
	 */
	__u64 max_user_range;
	/** @max_binds: most operations in one VM_BIND (since version 1.4) */
	__u32 max_binds;
	/** @max_syncs: most syncobjs in one VM_BIND (since version 1.4) */
	__u32 max_syncs;
	/**
	 * @max_async_binds: asynchronous VM_BINDs of a VM at once (since
	 * version 1.4)
	 */
	__u32 max_async_binds;
	/**
	 * @max_syncobj_ms: longest time that FENCE_SYNCOBJ may take, ms (since
	 * version 1.4)
	 */
	__u32 max_syncobj_ms;
	/**
	 * @max_fences: fences of FENCE_SYNCOBJ that the device follows at once,
	 * all files (since version 1.4)
	 */
	__u32 max_fences;
	/**
	 * @max_hbm_pieces: most pieces of HBM that an object consists of (since
	 * version 1.4)
	 */
	__u32 max_hbm_pieces;
};

/**
 * struct drm_alink_xpu_query_memory - HBM in use now, all files, bytes
 *
 * A page of HBM that took an uncorrectable error is retired: nobody gets it
 * again, not even after the driver is loaded anew. If it is in use, that
 * happens when its object is freed. hbm_retired_pages in sysfs lists them.
 */
struct drm_alink_xpu_query_memory {
	/** @hbm_total: HBM that buffer objects may use, without the retired */
	__u64 hbm_total;
	/** @hbm_used: of it in use */
	__u64 hbm_used;
	/** @visible_total: part of @hbm_total that the CPU can map */
	__u64 visible_total;
	/** @visible_used: of it in use */
	__u64 visible_used;
	/** @hbm_retired: HBM that is retired (since version 1.1) */
	__u64 hbm_retired;
	/** @hbm_pending: HBM in use that will be retired (since version 1.1) */
	__u64 hbm_pending;
	/**
	 * @hbm_evicted: size of HBM objects that are in system memory, and not
	 * in @hbm_used (since version 1.3)
	 */
	__u64 hbm_evicted;
	/** @evictions: moves of objects out of HBM so far (since version 1.3) */
	__u64 evictions;
	/** @restores: moves back (since version 1.3) */
	__u64 restores;
};

/** struct drm_alink_xpu_query_counters - device counters since power on */
struct drm_alink_xpu_query_counters {
	/** @clock_ns: fabric clock, ns */
	__u64 clock_ns;
	/** @busy_ns: wall time that engines worked, ns */
	__u64 busy_ns;
	/** @commands: descriptors completed */
	__u64 commands;
	/** @irqs: queue interrupts raised */
	__u64 irqs;
	/** @doorbells: doorbell writes */
	__u64 doorbells;
	/** @guest_errors: accesses and commands against the device's contract */
	__u32 guest_errors;
	/** @pad: 0 */
	__u32 pad;
};

/** struct drm_alink_xpu_query_link - one ALink link */
struct drm_alink_xpu_query_link {
	/** @state: enum alink_link_state of <hw/alink/link.h> */
	__u32 state;
	/** @reason: enum alink_down_reason */
	__u32 reason;
	/** @speed_mbps: present rate per direction, Mb/s; 0 when down */
	__u32 speed_mbps;
	/** @max_speed_mbps: rate of the variant, Mb/s */
	__u32 max_speed_mbps;
	/** @peer_type: enum alink_devtype of the peer, or 0 */
	__u32 peer_type;
	/** @peer_id: fabric id of a peer xPU, plane of a switch, or 0xffffffff */
	__u32 peer_id;
	/** @peer_port: link or port number at the peer */
	__u32 peer_port;
	/** @ifindex: netdev of the link in its namespace, or 0 */
	__u32 ifindex;
};

/* GEM objects */

/** DRM_ALINK_XPU_GEM_HOST - place it in system memory */
#define DRM_ALINK_XPU_GEM_HOST		(1u << 0)
/** DRM_ALINK_XPU_GEM_HBM - place it in the xPU's HBM */
#define DRM_ALINK_XPU_GEM_HBM		(1u << 1)
/** DRM_ALINK_XPU_GEM_NEEDS_CPU - with GEM_HBM: the CPU must be able to map it */
#define DRM_ALINK_XPU_GEM_NEEDS_CPU	(1u << 2)

/**
 * struct drm_alink_xpu_gem_create - argument of &DRM_IOCTL_ALINK_XPU_GEM_CREATE
 *
 * The memory reads as zeros. Host objects can always be mapped. An HBM object
 * consists of 1 to 16 pieces of HBM (max_hbm_pieces of &struct
 * drm_alink_xpu_query_device). Where HBM is full other objects leave it,
 * as far as their sizes add up to half of the host's memory at most; that may
 * take seconds.
 *
 * Errors: %EINVAL (not exactly one of HOST and HBM, NEEDS_CPU without HBM, size
 * 0); %E2BIG (more than there can ever be); %ENOMEM (no system memory);
 * %ENOSPC (no HBM free in few enough pieces, and none can be made free); %EIO
 * (HBM could not be cleared).
 */
struct drm_alink_xpu_gem_create {
	/** @size: in: bytes wanted; out: rounded up to min_page_size */
	__u64 size;
	/** @flags: DRM_ALINK_XPU_GEM_* */
	__u32 flags;
	/** @handle: out: GEM handle, never 0 */
	__u32 handle;
};

/**
 * struct drm_alink_xpu_gem_mmap_offset - argument of
 * &DRM_IOCTL_ALINK_XPU_GEM_MMAP_OFFSET
 *
 * Mappings must be MAP_SHARED and not executable. After the device is gone they
 * read zeros and take writes to no effect.
 *
 * Errors: %EOPNOTSUPP for an object that the CPU cannot map: HBM without
 * NEEDS_CPU, an imported segment or group.
 */
struct drm_alink_xpu_gem_mmap_offset {
	/** @handle: GEM handle */
	__u32 handle;
	/** @flags: 0 */
	__u32 flags;
	/** @offset: out: offset for mmap(2) on the device file */
	__u64 offset;
};

/* VMs */

/**
 * struct drm_alink_xpu_vm_create - argument of &DRM_IOCTL_ALINK_XPU_VM_CREATE
 *
 * Errors: %ENOSPC if all contexts of the device are in use.
 */
struct drm_alink_xpu_vm_create {
	/** @flags: 0 */
	__u32 flags;
	/** @vm_id: out */
	__u32 vm_id;
};

/**
 * struct drm_alink_xpu_vm_destroy - argument of &DRM_IOCTL_ALINK_XPU_VM_DESTROY
 *
 * Errors: %EBUSY while queues of the VM exist.
 */
struct drm_alink_xpu_vm_destroy {
	/** @vm_id: VM */
	__u32 vm_id;
	/** @pad: 0 */
	__u32 pad;
};

/**
 * enum drm_alink_xpu_vm_bind_op_code - what one bind operation does
 * @DRM_ALINK_XPU_VM_BIND_MAP: map part of a GEM object. What was bound in the
 *	range before is replaced; bindings are split where they must be.
 * @DRM_ALINK_XPU_VM_BIND_UNMAP: unmap whatever is bound in the range
 * @DRM_ALINK_XPU_VM_BIND_MAP_USER: map memory of the caller, in place of what
 *	was bound in the range before (since version 1.2)
 */
enum drm_alink_xpu_vm_bind_op_code {
	DRM_ALINK_XPU_VM_BIND_MAP	= 0,
	DRM_ALINK_XPU_VM_BIND_UNMAP	= 1,
	DRM_ALINK_XPU_VM_BIND_MAP_USER	= 2,
};

/** DRM_ALINK_XPU_MAX_USER_RANGE - most bytes of one VM_BIND_MAP_USER */
#define DRM_ALINK_XPU_MAX_USER_RANGE	(1ull << 38)

/** DRM_ALINK_XPU_VM_BIND_READ - the device may read */
#define DRM_ALINK_XPU_VM_BIND_READ	(1u << 0)
/** DRM_ALINK_XPU_VM_BIND_WRITE - the device may write */
#define DRM_ALINK_XPU_VM_BIND_WRITE	(1u << 1)
/** DRM_ALINK_XPU_VM_BIND_ATOMIC - the device may run atomics */
#define DRM_ALINK_XPU_VM_BIND_ATOMIC	(1u << 2)

/**
 * struct drm_alink_xpu_vm_bind_op - one bind operation
 *
 * @addr, @range and @offset are multiples of min_page_size. Large pages are
 * used where @addr and the memory behind it are aligned to large_page_size.
 *
 * VM_BIND_MAP_USER maps the memory that the calling process has at @offset: its
 * anonymous memory, and files of tmpfs and hugetlbfs. All of it is brought in
 * before the call returns, but nothing is pinned. The device sees at any time
 * what the process has there: when a page is unmapped, moved, write-protected,
 * shared by fork or swapped out, the device has ended its accesses before that
 * takes effect. A queue that accesses the page later waits until the process
 * has one there again, and goes on; if the process has none, or not with that
 * right, it halts with ALINK_ST_PAGE_FAULT or ALINK_ST_PERMISSION. That is also
 * how it ends when the process is gone. A child of fork has memory of its own,
 * which is not bound. Such memory can hold no status block, and no fence that
 * the kernel waits for: the kernel does not look into it.
 *
 * Errors of VM_BIND_MAP_USER beside those of &struct drm_alink_xpu_vm_bind:
 * %EINVAL (@offset not aligned, or the range wraps; a handle); %EFAULT (not all
 * of it is memory of the process, or it cannot be had); %EACCES (memory that
 * the process may not read, or that it may not write, with VM_BIND_WRITE or
 * VM_BIND_ATOMIC); %EOPNOTSUPP (memory of a device, of a buffer object or of
 * another file; a device without ALINK_CAP_RETRY, one whose DMA the kernel may
 * bounce, a kernel without HMM); %E2BIG (more than %DRM_ALINK_XPU_MAX_USER_RANGE).
 */
struct drm_alink_xpu_vm_bind_op {
	/** @op: &enum drm_alink_xpu_vm_bind_op_code */
	__u32 op;
	/** @flags: MAP, MAP_USER: one or more of DRM_ALINK_XPU_VM_BIND_*; UNMAP: 0 */
	__u32 flags;
	/** @handle: MAP: GEM handle; others: 0 */
	__u32 handle;
	/** @pad: 0 */
	__u32 pad;
	/** @offset: MAP: offset in the object; MAP_USER: address; UNMAP: 0 */
	__u64 offset;
	/** @addr: device virtual address */
	__u64 addr;
	/** @range: bytes, not 0 */
	__u64 range;
};

/** DRM_ALINK_XPU_SYNC_SIGNAL - signal the syncobj; without it: wait for it */
#define DRM_ALINK_XPU_SYNC_SIGNAL	(1u << 0)

/** struct drm_alink_xpu_sync - a syncobj to wait for, or to signal */
struct drm_alink_xpu_sync {
	/** @handle: syncobj handle */
	__u32 handle;
	/** @flags: DRM_ALINK_XPU_SYNC_SIGNAL or 0 */
	__u32 flags;
	/** @point: point of a timeline syncobj; 0: binary syncobj */
	__u64 point;
};

/** DRM_ALINK_XPU_MAX_BINDS - most operations in one VM_BIND */
#define DRM_ALINK_XPU_MAX_BINDS		1024
/** DRM_ALINK_XPU_MAX_SYNCS - most syncobjs in one VM_BIND */
#define DRM_ALINK_XPU_MAX_SYNCS		64

/**
 * DRM_ALINK_XPU_VM_BIND_ASYNC - return at once, execute later (since version
 * 1.1)
 */
#define DRM_ALINK_XPU_VM_BIND_ASYNC	(1u << 0)

/** DRM_ALINK_XPU_MAX_ASYNC_BINDS - asynchronous VM_BINDs of a VM at once */
#define DRM_ALINK_XPU_MAX_ASYNC_BINDS	64

/**
 * struct drm_alink_xpu_vm_bind - argument of &DRM_IOCTL_ALINK_XPU_VM_BIND
 *
 * First waits for the syncobjs without SIGNAL, then executes the operations in
 * order, and signals the others when no old translation is in use any more.
 * Arguments of all operations are checked, and all memory is allocated, before
 * the first is executed. Should the caller be killed in between, those before
 * stay done: @num_done counts them.
 *
 * A fence to wait for may end with an error (since version 1.5), as one of
 * &DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ does when its queue halts, and when its
 * time is over while the engine still works. Then nothing of the call is done,
 * and it fails with %ECANCELED. A point of a timeline has the error of its own
 * fence, and none once a later point was added and both are signalled.
 *
 * With VM_BIND_ASYNC the call returns when it has checked and allocated, and
 * the rest happens later; the syncobjs with SIGNAL have got their fence by
 * then. Calls on a VM are executed in the order in which they were made: also
 * a synchronous one waits for the asynchronous ones before it. What goes wrong
 * after the return is the error of the fence, which SYNC_IOC_FILE_INFO of a
 * sync file shows, and then nothing of the call is done: %ECANCELED (the VM
 * was destroyed, its file was closed, or an import was made before a reset),
 * %ENODEV (the device is gone), or the error of a fence that it waited for. The
 * calls after it are executed all the same. A reset of the device ends no call.
 * Other ioctls see what has been executed, not what is still to come.
 *
 * Errors: %EINVAL (bad operation; syncobj without a fence); %E2BIG (too many
 * operations or syncobjs); %ENOMEM; %ECANCELED (an import made before a reset;
 * the fence of a syncobj ended with an error, without VM_BIND_ASYNC); %ETIME (a
 * syncobj waited for more than 10 s, without VM_BIND_ASYNC); %ENOSPC
 * (%DRM_ALINK_XPU_MAX_ASYNC_BINDS of the VM are not over yet).
 */
struct drm_alink_xpu_vm_bind {
	/** @vm_id: VM */
	__u32 vm_id;
	/** @flags: DRM_ALINK_XPU_VM_BIND_ASYNC or 0 */
	__u32 flags;
	/** @num_binds: operations, 1..DRM_ALINK_XPU_MAX_BINDS */
	__u32 num_binds;
	/** @num_syncs: syncobjs, 0..DRM_ALINK_XPU_MAX_SYNCS */
	__u32 num_syncs;
	/** @binds: user pointer to &struct drm_alink_xpu_vm_bind_op array */
	__u64 binds;
	/** @syncs: user pointer to &struct drm_alink_xpu_sync array */
	__u64 syncs;
	/** @num_done: out: operations executed; 0 with VM_BIND_ASYNC */
	__u32 num_done;
	/** @pad: 0 */
	__u32 pad;
};

/* Queues */

/**
 * enum drm_alink_xpu_priority - priority of a queue
 * @DRM_ALINK_XPU_PRIORITY_LOW: below normal
 * @DRM_ALINK_XPU_PRIORITY_NORMAL: for all that has no reason to differ
 * @DRM_ALINK_XPU_PRIORITY_HIGH: needs CAP_SYS_NICE
 * @DRM_ALINK_XPU_PRIORITY_REALTIME: needs CAP_SYS_NICE (since version 1.2)
 *
 * Queues share the rings of the device, and each ring works for the highest
 * priority that is ready. Equals take turns of up to slice_us of &struct
 * drm_alink_xpu_query_device; REALTIME keeps its turn for as long as it has work.
 * Nobody starves: who has been ready for starve_us gets one command, or one
 * piece of a large one, whatever its priority. Turns begin
 * and end between commands or such pieces, never within one. All times are
 * modelled ones. fdinfo shows the turns of each queue, and how long it waited for them.
 */
enum drm_alink_xpu_priority {
	DRM_ALINK_XPU_PRIORITY_LOW	= 0,
	DRM_ALINK_XPU_PRIORITY_NORMAL	= 1,
	DRM_ALINK_XPU_PRIORITY_HIGH	= 2,
	DRM_ALINK_XPU_PRIORITY_REALTIME	= 3,
};

/**
 * struct drm_alink_xpu_queue_create - argument of
 * &DRM_IOCTL_ALINK_XPU_QUEUE_CREATE
 *
 * Ring (size x 64 bytes) and status block (64 bytes, struct
 * alink_xpu_queue_status of <hw/alink/xpu.h>) must be bound in the VM: the ring
 * readable, the status block writable, in a buffer object and within one page.
 * The status block is cleared. Both must stay bound while the queue lives.
 *
 * The doorbell page is mapped with mmap(2), MAP_SHARED, doorbell_size bytes at
 * @doorbell_offset, by the file that created the queue; the new tail is stored
 * as a 32-bit little-endian word at doorbell_tail. When queue or device are
 * gone, stores have no effect.
 *
 * An HBM object with the status block stays in HBM while the queue lives. A ring
 * in HBM does not: it comes back when the queue reads it.
 *
 * Errors: %EINVAL; %EPERM (PRIORITY_HIGH or _REALTIME without CAP_SYS_NICE in the
 * initial user namespace); %EOPNOTSUPP (a status block in memory that the CPU
 * cannot read); %ENOSPC (all queues of the device are in use; or no room in HBM
 * for the status block, see &struct drm_alink_xpu_segment_export).
 */
struct drm_alink_xpu_queue_create {
	/** @vm_id: VM */
	__u32 vm_id;
	/** @flags: 0 */
	__u32 flags;
	/** @ring: device virtual address of the ring, 64-byte aligned */
	__u64 ring;
	/** @status: device virtual address of the status block, 64-byte aligned */
	__u64 status;
	/** @size: descriptors in the ring: power of two, 2..max_ring_entries */
	__u32 size;
	/** @priority: &enum drm_alink_xpu_priority */
	__u32 priority;
	/** @queue_id: out */
	__u32 queue_id;
	/** @pad: 0 */
	__u32 pad;
	/** @doorbell_offset: out: offset for mmap(2) */
	__u64 doorbell_offset;
};

/**
 * struct drm_alink_xpu_queue_destroy - argument of
 * &DRM_IOCTL_ALINK_XPU_QUEUE_DESTROY
 *
 * What the queue runs is aborted; waiters return with %ECANCELED. Returns when
 * the device touches ring, status and data of the queue no more.
 */
struct drm_alink_xpu_queue_destroy {
	/** @queue_id: queue */
	__u32 queue_id;
	/** @pad: 0 */
	__u32 pad;
};

/**
 * enum drm_alink_xpu_queue_state - state of a queue
 * @DRM_ALINK_XPU_QUEUE_RUNNING: takes descriptors
 * @DRM_ALINK_XPU_QUEUE_HALTED: a descriptor failed, or did not get on; see the
 *	error
 * @DRM_ALINK_XPU_QUEUE_CANCELED: ended by a reset or suspend of the device
 */
enum drm_alink_xpu_queue_state {
	DRM_ALINK_XPU_QUEUE_RUNNING	= 0,
	DRM_ALINK_XPU_QUEUE_HALTED	= 1,
	DRM_ALINK_XPU_QUEUE_CANCELED	= 2,
};

/**
 * struct drm_alink_xpu_queue_error - why a queue halted
 */
struct drm_alink_xpu_queue_error {
	/** @status: enum alink_status of <hw/alink/common.h>; 0: none */
	__u32 status;
	/** @index: free-running index of the descriptor that failed */
	__u32 index;
	/**
	 * @addr: device virtual address at fault, or 0; with ALINK_ST_STUCK that
	 * of the descriptor
	 */
	__u64 addr;
};

/**
 * struct drm_alink_xpu_queue_command - fields of a struct alink_xpu_desc of
 * <hw/alink/xpu.h>, in the order of bytes of the CPU
 */
struct drm_alink_xpu_queue_command {
	/** @opcode: ALINK_XPU_OP_*, or one that there is not */
	__u8 opcode;
	/** @flags: ALINK_XPU_DF_* */
	__u8 flags;
	/** @dtype: enum alink_dtype */
	__u8 dtype;
	/** @subop: by opcode */
	__u8 subop;
	/** @reserved: has to be 0, but this may be the error */
	__u32 reserved;
	/** @dst: device virtual address */
	__u64 dst;
	/** @src: device virtual address, or operand */
	__u64 src;
	/** @src2: device virtual address, or operand */
	__u64 src2;
	/** @len: bytes */
	__u64 len;
	/** @fence_addr: device virtual address of the fence */
	__u64 fence_addr;
	/** @fence_value: value of the fence */
	__u64 fence_value;
};

/**
 * struct drm_alink_xpu_queue_status - argument of
 * &DRM_IOCTL_ALINK_XPU_QUEUE_STATUS
 *
 * What comes after @error is there since version 1.5. @recovery is
 * ALINK_RECOVERY_NONE while the queue runs, and else ALINK_RECOVERY_CONTEXT:
 * destroy it, and make another.
 */
struct drm_alink_xpu_queue_status {
	/** @queue_id: queue */
	__u32 queue_id;
	/** @state: out: &enum drm_alink_xpu_queue_state */
	__u32 state;
	/** @error: out */
	struct drm_alink_xpu_queue_error error;
	/** @recovery: out: enum alink_recovery of <hw/alink/common.h> */
	__u32 recovery;
	/** @has_command: out: 1: the device told at which command it halted */
	__u32 has_command;
	/** @command: out: that command; else all 0 */
	struct drm_alink_xpu_queue_command command;
};

/* Fences: 64-bit values in memory, compared as (__s64)(memory - value) >= 0 */

/** DRM_ALINK_XPU_FENCE_VA - the fence is at an address of a VM, not in an object */
#define DRM_ALINK_XPU_FENCE_VA		(1u << 0)

/** DRM_ALINK_XPU_QUEUE_ANY - the fence is not of one queue of this file */
#define DRM_ALINK_XPU_QUEUE_ANY		0u

/**
 * struct drm_alink_xpu_wait_fence - argument of &DRM_IOCTL_ALINK_XPU_WAIT_FENCE
 *
 * Sleeps until the fence has reached @value. The writer of the fence should ask
 * for an interrupt (ALINK_XPU_DF_IRQ); without one the wait ends late, as
 * memory is then looked at every 10 ms only. The call may be restarted after a
 * signal: @timeout_ns is absolute.
 *
 * Errors: %ETIME; %EIO (the queue halted: @error says why) and %ECANCELED (the
 * queue was destroyed or ended by a reset), both only if the fence has not
 * reached @value; %EINVAL (unaligned, beyond the object, nothing bound at the
 * address); %EOPNOTSUPP (memory that the CPU cannot read); %EINTR.
 */
struct drm_alink_xpu_wait_fence {
	/** @flags: DRM_ALINK_XPU_FENCE_VA or 0 */
	__u32 flags;
	/** @queue_id: queue that writes the fence, or DRM_ALINK_XPU_QUEUE_ANY */
	__u32 queue_id;
	/** @handle: GEM handle, or VM id with FENCE_VA */
	__u32 handle;
	/** @pad: 0 */
	__u32 pad;
	/** @addr: offset in the object, or device virtual address; 8-byte aligned */
	__u64 addr;
	/** @value: value to reach */
	__u64 value;
	/** @timeout_ns: CLOCK_MONOTONIC time; in the past: only look */
	__s64 timeout_ns;
	/** @current_value: out: what the memory holds */
	__u64 current_value;
	/** @error: out: with %EIO: why the queue halted */
	struct drm_alink_xpu_queue_error error;
};

/** DRM_ALINK_XPU_MAX_SYNCOBJ_MS - longest time that FENCE_SYNCOBJ may take */
#define DRM_ALINK_XPU_MAX_SYNCOBJ_MS	10000

/** DRM_ALINK_XPU_MAX_FENCES - fences of FENCE_SYNCOBJ that a device follows */
#define DRM_ALINK_XPU_MAX_FENCES	4096

/**
 * struct drm_alink_xpu_fence_syncobj - argument of
 * &DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ
 *
 * Puts a kernel fence into a syncobj, which is signalled when a fence in memory
 * reaches @value. Kernel fences must end in bounded time: when the queue halts
 * or is destroyed, or after @timeout_ms, this one is signalled with an error
 * (%EIO, %ECANCELED, %ETIMEDOUT), which sync_file info shows.
 *
 * The call itself waits for nothing. @timeout_ms is the life of the fence, and
 * counts from when it is made; a call that ended with %EINTR has made none. Who
 * waits for the fence does so with an absolute time, as in all waits.
 *
 * Errors: as &DRM_IOCTL_ALINK_XPU_WAIT_FENCE for the fence; %EINVAL also for
 * @timeout_ms; %ENOENT also for the syncobj; %ENOSPC
 * (%DRM_ALINK_XPU_MAX_FENCES of the device are not signalled yet, or this file
 * has as many of them as are left for all others: half of them, if it is the
 * only one that has any).
 */
struct drm_alink_xpu_fence_syncobj {
	/** @flags: DRM_ALINK_XPU_FENCE_VA or 0 */
	__u32 flags;
	/** @queue_id: queue that writes the fence, or DRM_ALINK_XPU_QUEUE_ANY */
	__u32 queue_id;
	/** @handle: GEM handle, or VM id with FENCE_VA */
	__u32 handle;
	/** @timeout_ms: life of the fence, 1..DRM_ALINK_XPU_MAX_SYNCOBJ_MS */
	__u32 timeout_ms;
	/** @addr: offset in the object, or device virtual address; 8-byte aligned */
	__u64 addr;
	/** @value: value to reach */
	__u64 value;
	/** @syncobj: syncobj handle */
	__u32 syncobj;
	/** @pad: 0 */
	__u32 pad;
	/** @point: point of a timeline syncobj; 0: binary syncobj */
	__u64 point;
};

/* Memory for other xPUs */

/** DRM_ALINK_XPU_SEGMENT_READ - importers may read */
#define DRM_ALINK_XPU_SEGMENT_READ	(1u << 0)
/** DRM_ALINK_XPU_SEGMENT_WRITE - importers may write */
#define DRM_ALINK_XPU_SEGMENT_WRITE	(1u << 1)
/** DRM_ALINK_XPU_SEGMENT_ATOMIC - importers may run atomics */
#define DRM_ALINK_XPU_SEGMENT_ATOMIC	(1u << 2)

/**
 * struct drm_alink_xpu_segment_handle - names exported memory in a fabric
 *
 * Opaque: made by &DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT, carried by any means to
 * the importer, handed to &DRM_IOCTL_ALINK_XPU_SEGMENT_IMPORT. Who has it can
 * reach the memory, from within the partition of the exporter. @key is what
 * protects the memory, keep it like a password.
 *
 * Nothing in it belongs to a host: endpoints are those of the fabric, and it is
 * the exporting xPU that compares the key and looks at the rights, in each
 * access. So the importer may be on another host. A handle is stale once its
 * export is revoked, its exporter's file closed or its xPU reset: a later
 * export of the same segment has another key. The administrator can revoke it,
 * too (segment-revoke of the alink netlink family); its exporter is not told,
 * and gives it back as after a reset.
 */
struct drm_alink_xpu_segment_handle {
	/** @endpoint: fabric id of the exporter */
	__u32 endpoint;
	/** @segment: segment of that endpoint */
	__u32 segment;
	/** @key: random, not 0 */
	__u64 key;
	/** @size: bytes */
	__u64 size;
	/** @rights: DRM_ALINK_XPU_SEGMENT_* */
	__u32 rights;
	/** @pad: 0 */
	__u32 pad;
};

/**
 * struct drm_alink_xpu_segment_export - argument of
 * &DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT
 *
 * Opens a whole HBM object to other xPUs. An object may be exported more than
 * once, with different rights. It stays in HBM from then on, or comes back for
 * it. So much of HBM never stays that an object which has left could not come
 * back.
 *
 * Errors: %EINVAL; %EOPNOTSUPP (the object is no HBM object, or the device is in
 * no fabric); %ENOSPC (all segments of the device are in use; or no room in HBM,
 * or none would be left for what has moved to system memory).
 */
struct drm_alink_xpu_segment_export {
	/** @handle: GEM handle of an HBM object */
	__u32 handle;
	/** @rights: one or more of DRM_ALINK_XPU_SEGMENT_* */
	__u32 rights;
	/** @flags: 0 */
	__u32 flags;
	/** @export_id: out: for SEGMENT_REVOKE */
	__u32 export_id;
	/** @segment: out: for the importer */
	struct drm_alink_xpu_segment_handle segment;
};

/**
 * struct drm_alink_xpu_segment_revoke - argument of
 * &DRM_IOCTL_ALINK_XPU_SEGMENT_REVOKE
 *
 * Returns when no access of an importer is in flight. Later accesses fail with
 * ALINK_ST_KEY. Closing the file revokes all of its exports.
 */
struct drm_alink_xpu_segment_revoke {
	/** @export_id: export */
	__u32 export_id;
	/** @pad: 0 */
	__u32 pad;
};

/**
 * struct drm_alink_xpu_segment_import - argument of
 * &DRM_IOCTL_ALINK_XPU_SEGMENT_IMPORT
 *
 * The resulting GEM object can be bound by VM_BIND, and nothing else.
 *
 * Errors: %EINVAL; %EACCES (no such segment or not its key); %ENOSPC (all
 * import slots are in use); and what alink_status_errno() makes of a fabric
 * error. A device need not check the handle before its first use: then the
 * queue that uses it halts with ALINK_ST_KEY.
 */
struct drm_alink_xpu_segment_import {
	/** @segment: from the exporter */
	struct drm_alink_xpu_segment_handle segment;
	/** @flags: 0 */
	__u32 flags;
	/** @handle: out: GEM handle */
	__u32 handle;
};

/* Groups: made by the fabric manager, see the alink netlink family */

/**
 * struct drm_alink_xpu_group_bind - argument of &DRM_IOCTL_ALINK_XPU_GROUP_BIND
 *
 * Makes part of an HBM object this xPU's memory in a group: what multicast
 * writes to the group reach here, and what reducing reads take from here.
 *
 * Errors: %EINVAL; %EOPNOTSUPP (no HBM object, or in no fabric); %EEXIST (this
 * xPU has memory in the group already); %ENOSPC (all segments in use, or no
 * room, see &struct drm_alink_xpu_segment_export); and what
 * alink_status_errno() makes of a fabric error (no such group, not a member,
 * wrong key).
 */
struct drm_alink_xpu_group_bind {
	/** @group: group id */
	__u32 group;
	/** @flags: 0 */
	__u32 flags;
	/** @key: key of the group, not 0 */
	__u64 key;
	/** @handle: GEM handle of an HBM object */
	__u32 handle;
	/** @bind_id: out: for GROUP_UNBIND */
	__u32 bind_id;
	/** @offset: group offset 0 is here in the object; multiple of min_page_size */
	__u64 offset;
	/** @size: bytes that the group may address; multiple of min_page_size */
	__u64 size;
};

/**
 * struct drm_alink_xpu_group_unbind - argument of
 * &DRM_IOCTL_ALINK_XPU_GROUP_UNBIND
 *
 * Returns when no access by the group is in flight. Closing the file unbinds
 * all that it has bound.
 */
struct drm_alink_xpu_group_unbind {
	/** @bind_id: binding */
	__u32 bind_id;
	/** @pad: 0 */
	__u32 pad;
};

/**
 * struct drm_alink_xpu_group_import - argument of
 * &DRM_IOCTL_ALINK_XPU_GROUP_IMPORT
 *
 * The resulting GEM object can be bound by VM_BIND, and nothing else. A write to
 * it reaches all members; ALINK_XPU_OP_REDUCE_READ combines their memory, and
 * ALINK_XPU_OP_PUSH_REDUCE what they send.
 *
 * Errors: %EINVAL; %ENOSPC (all import slots are in use, or all of the fewer
 * that groups can have); and what alink_status_errno() makes of a fabric error.
 */
struct drm_alink_xpu_group_import {
	/** @group: group id */
	__u32 group;
	/** @flags: 0 */
	__u32 flags;
	/** @key: key of the group, not 0 */
	__u64 key;
	/** @size: size of the object, as the members bound it; multiple of min_page_size */
	__u64 size;
	/** @handle: out: GEM handle */
	__u32 handle;
	/** @pad: 0 */
	__u32 pad;
};

#define DRM_IOCTL_ALINK_XPU_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_QUERY, \
		 struct drm_alink_xpu_query)
#define DRM_IOCTL_ALINK_XPU_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_GEM_CREATE, \
		 struct drm_alink_xpu_gem_create)
#define DRM_IOCTL_ALINK_XPU_GEM_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_GEM_MMAP_OFFSET, \
		 struct drm_alink_xpu_gem_mmap_offset)
#define DRM_IOCTL_ALINK_XPU_VM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_VM_CREATE, \
		 struct drm_alink_xpu_vm_create)
#define DRM_IOCTL_ALINK_XPU_VM_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_ALINK_XPU_VM_DESTROY, \
		struct drm_alink_xpu_vm_destroy)
#define DRM_IOCTL_ALINK_XPU_VM_BIND \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_VM_BIND, \
		 struct drm_alink_xpu_vm_bind)
#define DRM_IOCTL_ALINK_XPU_QUEUE_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_QUEUE_CREATE, \
		 struct drm_alink_xpu_queue_create)
#define DRM_IOCTL_ALINK_XPU_QUEUE_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_ALINK_XPU_QUEUE_DESTROY, \
		struct drm_alink_xpu_queue_destroy)
#define DRM_IOCTL_ALINK_XPU_QUEUE_STATUS \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_QUEUE_STATUS, \
		 struct drm_alink_xpu_queue_status)
#define DRM_IOCTL_ALINK_XPU_WAIT_FENCE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_WAIT_FENCE, \
		 struct drm_alink_xpu_wait_fence)
#define DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ \
	DRM_IOW(DRM_COMMAND_BASE + DRM_ALINK_XPU_FENCE_SYNCOBJ, \
		struct drm_alink_xpu_fence_syncobj)
#define DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_SEGMENT_EXPORT, \
		 struct drm_alink_xpu_segment_export)
#define DRM_IOCTL_ALINK_XPU_SEGMENT_REVOKE \
	DRM_IOW(DRM_COMMAND_BASE + DRM_ALINK_XPU_SEGMENT_REVOKE, \
		struct drm_alink_xpu_segment_revoke)
#define DRM_IOCTL_ALINK_XPU_SEGMENT_IMPORT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_SEGMENT_IMPORT, \
		 struct drm_alink_xpu_segment_import)
#define DRM_IOCTL_ALINK_XPU_GROUP_BIND \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_GROUP_BIND, \
		 struct drm_alink_xpu_group_bind)
#define DRM_IOCTL_ALINK_XPU_GROUP_UNBIND \
	DRM_IOW(DRM_COMMAND_BASE + DRM_ALINK_XPU_GROUP_UNBIND, \
		struct drm_alink_xpu_group_unbind)
#define DRM_IOCTL_ALINK_XPU_GROUP_IMPORT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_ALINK_XPU_GROUP_IMPORT, \
		 struct drm_alink_xpu_group_import)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_DRM_ALINK_XPU_H_ */
