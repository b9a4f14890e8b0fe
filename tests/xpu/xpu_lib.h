/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Thin wrappers around the user interface of alink_xpu.ko, for its tests. They
 * return 0 or -errno and check nothing, so that tests can do wrong things.
 */
#ifndef XPU_LIB_H
#define XPU_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <drm/alink_xpu.h>
#include <hw/alink/xpu.h>

#define PAGE	4096UL
#define MIB	(1UL << 20)
#define LARGE	(2 * MIB)
#define RW	(DRM_ALINK_XPU_VM_BIND_READ | DRM_ALINK_XPU_VM_BIND_WRITE)
#define RWA	(RW | DRM_ALINK_XPU_VM_BIND_ATOMIC)
#define HOST	DRM_ALINK_XPU_GEM_HOST
#define HBM	DRM_ALINK_XPU_GEM_HBM
#define HBM_CPU	(DRM_ALINK_XPU_GEM_HBM | DRM_ALINK_XPU_GEM_NEEDS_CPU)

/* Opens the @n-th xPU in order of fabric ids. Returns an fd or -errno. */
int xpu_open(unsigned int n);
int xpu_path(unsigned int n, char *path, size_t len);
/* Path of the PCI function in sysfs */
int xpu_sysfs(int fd, char *path, size_t len);
int xpu_ioctl(int fd, unsigned long nr, void *arg);
int64_t now_ns(void);

int xpu_query(int fd, uint32_t what, void *data, uint32_t *size);
int xpu_device(int fd, struct drm_alink_xpu_query_device *d);
int xpu_counters(int fd, struct drm_alink_xpu_query_counters *c);
int xpu_memory(int fd, struct drm_alink_xpu_query_memory *m);

/* The value behind a key as text; false without the key, or with it twice */
bool fdinfo_text(int fd, const char *key, char *value, size_t room);
/* A number with its unit, in bytes, ns or none; -1 without the key */
int64_t fdinfo(int fd, const char *key);

int gem_create(int fd, uint32_t flags, uint64_t size, uint32_t *handle);
int gem_close(int fd, uint32_t handle);
int gem_offset(int fd, uint32_t handle, uint64_t *offset);
/* MAP_FAILED on error, with errno */
void *gem_map(int fd, uint32_t handle, uint64_t size);

int vm_create(int fd, uint32_t *vm);
int vm_destroy(int fd, uint32_t vm);
int vm_bind(int fd, uint32_t vm, const struct drm_alink_xpu_vm_bind_op *op,
	    uint32_t n);
int vm_bind_async(int fd, uint32_t vm,
		  const struct drm_alink_xpu_vm_bind_op *op, uint32_t n,
		  const struct drm_alink_xpu_sync *sync, uint32_t num_syncs);
int vm_map(int fd, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va,
	   uint64_t size, uint32_t rights);
/* Memory of this process */
int vm_map_user(int fd, uint32_t vm, const void *mem, uint64_t va,
		uint64_t size, uint32_t rights);
int vm_unmap(int fd, uint32_t vm, uint64_t va, uint64_t size);

/* A queue with ring, status block and fence in one object */
struct xq {
	int fd;
	uint32_t vm;
	uint32_t bo;
	uint64_t bo_size;
	uint64_t va;
	uint32_t size;
	uint32_t id;
	uint32_t tail;
	uint64_t seq;
	uint64_t fence_offset;
	uint64_t db_offset;
	struct alink_xpu_desc *ring;
	volatile struct alink_xpu_queue_status *status;
	volatile uint64_t *fence;
	volatile uint32_t *doorbell;
};

static inline struct alink_xpu_desc copy_desc(uint64_t dst, uint64_t src,
					      uint64_t len)
{
	return (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_COPY, .dst = dst, .src = src, .len = len,
	};
}

static inline struct alink_xpu_desc fill_desc(uint64_t dst, uint32_t v,
					      uint64_t len)
{
	return (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_FILL, .dst = dst, .src = v, .len = len,
	};
}

/* In host memory, unless that is asked for elsewhere */
int xq_open(struct xq *q, int fd, uint32_t vm, uint64_t va, uint32_t size);
int xq_open_as(struct xq *q, int fd, uint32_t vm, uint64_t va, uint32_t size,
	       uint32_t priority);
int xq_open_in(struct xq *q, int fd, uint32_t vm, uint64_t va, uint32_t size,
	       uint32_t priority, uint32_t place);
void xq_close(struct xq *q);
/* Appends a command; it carries the queue's next fence, and an interrupt. */
void xq_push(struct xq *q, struct alink_xpu_desc desc);
void xq_ring(struct xq *q);
/* Waits for all that was pushed. Returns as WAIT_FENCE does. */
int xq_wait(struct xq *q, int64_t timeout_ms,
	    struct drm_alink_xpu_queue_error *error);
/*
 * After which something hangs, and is not slow: an emulated guest that shares two
 * processors with nine others has been seen to take 20 s for a copy.
 */
#define PATIENCE_MS	240000
/* One command from push to wait; the error is left in *error if not NULL. */
int xq_run(struct xq *q, struct alink_xpu_desc desc,
	   struct drm_alink_xpu_queue_error *error);
/* Rings for a command that nothing ever ends. */
void xq_push_endless(struct xq *q);
/*
 * A child that sleeps in WAIT_FENCE until somebody ends that, and exits with the
 * errno. It is likely to sleep when this returns.
 */
pid_t xq_waiter(struct xq *q);
/* Its number in the device */
unsigned int xq_device_queue(const struct xq *q);
/* Its bit in a knob of the model that takes a set of queues, see xpu.c there */
uint64_t xq_bit(const struct xq *q);
/* Such a knob: this one alone */
int xq_stick(const struct xq *q, const char *prop);
int xq_copy(struct xq *q, uint64_t dst, uint64_t src, uint64_t len);
int xq_fill(struct xq *q, uint64_t dst, uint32_t value, uint64_t len);

int queue_create(int fd, struct drm_alink_xpu_queue_create *args);
int queue_destroy(int fd, uint32_t id);
int queue_state(int fd, uint32_t id, uint32_t *state,
		struct drm_alink_xpu_queue_error *error);

int seg_export(int fd, uint32_t handle, uint32_t rights,
	       struct drm_alink_xpu_segment_handle *h, uint32_t *id);
int seg_revoke(int fd, uint32_t id);
int seg_import(int fd, const struct drm_alink_xpu_segment_handle *h,
	       uint32_t *handle);

/* A dma-buf of the object, or -errno. @flags: DRM_CLOEXEC, DRM_RDWR */
int prime_export(int fd, uint32_t handle, uint32_t flags);
int prime_import(int fd, int buf, uint32_t *handle);
/* An fd over a socket; recv_fd() returns it or -errno. */
int send_fd(int sock, int fd);
int recv_fd(int sock);

int syncobj_create(int fd, uint32_t *handle);
/* Waits for a point (0: binary); -ETIME */
int syncobj_wait(int fd, uint32_t handle, uint64_t point, int64_t timeout_ms);
int syncobj_signal(int fd, uint32_t handle);
/* An fd of the syncobj, or of the fence that it has now; or -errno */
int syncobj_export(int fd, uint32_t handle, bool sync_file);
int syncobj_import(int fd, int obj, uint32_t *handle);
/* 1 signalled, 0 not yet, or the error of the fence */
int sync_file_status(int sync_file);

/* A file of the PCI function at @sysfs, and one of the driver naming it */
int pci_write(const char *sysfs, const char *file, const char *text);
int drv_write(const char *file, const char *sysfs);
/* 0 or -errno, and the number of bytes; text ends with NUL. */
int write_file(const char *path, const char *text);
ssize_t read_file(const char *path, char *text, size_t room);
/* A property of the model, as JSON, through the port that alink-vm offers */
int model_put(const char *device, const char *prop, const char *value);
int model_set(const char *device, const char *prop, bool value);

/* Exit status of a child, or -1 if it did not exit */
int child_status(pid_t pid);

/* Fills with, or checks, a pattern that depends on seed and place. */
void pattern_fill(void *p, size_t len, uint32_t seed);
size_t pattern_check(const void *p, size_t len, uint32_t seed);

#endif /* XPU_LIB_H */
