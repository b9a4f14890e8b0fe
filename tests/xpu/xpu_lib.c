// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sync_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "xpu_lib.h"

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int xpu_ioctl(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

/* --- finding ------------------------------------------------------------ */

static bool is_ours(int fd)
{
	char name[32] = "";
	struct drm_version v = { .name = name, .name_len = sizeof(name) - 1 };

	return !xpu_ioctl(fd, DRM_IOCTL_VERSION, &v) &&
	       !strcmp(name, "alink_xpu");
}

struct found {
	uint32_t fabric_id;
	unsigned int minor;
};

static int by_fabric_id(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return (x->fabric_id > y->fabric_id) - (x->fabric_id < y->fabric_id);
}

int xpu_path(unsigned int n, char *path, size_t len)
{
	struct drm_alink_xpu_query_device d;
	struct found found[64];
	unsigned int minor, num = 0;
	struct dirent *e;
	DIR *dir;
	int fd;

	dir = opendir("/dev/accel");
	if (!dir)
		return -ENODEV;
	while ((e = readdir(dir)) && num < 64) {
		if (sscanf(e->d_name, "accel%u", &minor) != 1)
			continue;
		snprintf(path, len, "/dev/accel/accel%u", minor);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_ours(fd) && !xpu_device(fd, &d)) {
			found[num].fabric_id = d.fabric_id;
			found[num++].minor = minor;
		}
		close(fd);
	}
	closedir(dir);
	if (n >= num)
		return -ENODEV;
	qsort(found, num, sizeof(found[0]), by_fabric_id);
	snprintf(path, len, "/dev/accel/accel%u", found[n].minor);
	return 0;
}

int xpu_open(unsigned int n)
{
	char path[64];
	int fd, err = xpu_path(n, path, sizeof(path));

	if (err)
		return err;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int xpu_sysfs(int fd, char *path, size_t len)
{
	char link[64], real[PATH_MAX];
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	if (!realpath(link, real))
		return -errno;
	snprintf(path, len, "%s", real);
	return 0;
}

/* --- queries ------------------------------------------------------------ */

int xpu_query(int fd, uint32_t what, void *data, uint32_t *size)
{
	struct drm_alink_xpu_query q = {
		.query = what,
		.size = *size,
		.data = (uintptr_t)data,
	};
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_QUERY, &q);

	*size = q.size;
	return err;
}

int xpu_device(int fd, struct drm_alink_xpu_query_device *d)
{
	uint32_t size = sizeof(*d);

	return xpu_query(fd, DRM_ALINK_XPU_QUERY_DEVICE, d, &size);
}

int xpu_counters(int fd, struct drm_alink_xpu_query_counters *c)
{
	uint32_t size = sizeof(*c);

	return xpu_query(fd, DRM_ALINK_XPU_QUERY_COUNTERS, c, &size);
}

int xpu_memory(int fd, struct drm_alink_xpu_query_memory *m)
{
	uint32_t size = sizeof(*m);

	return xpu_query(fd, DRM_ALINK_XPU_QUERY_MEMORY, m, &size);
}

/* --- fdinfo, as Documentation/gpu/drm-usage-stats.rst has it ------------- */

bool fdinfo_text(int fd, const char *key, char *value, size_t room)
{
	size_t len = strlen(key);
	char path[64], line[256];
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		found++;
		len++;
		len += strspn(line + len, " \t");
		line[strcspn(line, "\n")] = '\0';
		snprintf(value, room, "%s", line + len);
		len = strlen(key);
	}
	fclose(f);
	return found == 1;
}

int64_t fdinfo(int fd, const char *key)
{
	char text[128], *unit;
	int64_t n;

	if (!fdinfo_text(fd, key, text, sizeof(text)))
		return -1;
	n = strtoll(text, &unit, 10);
	if (unit == text)
		return -1;
	if (!strcmp(unit, " KiB"))
		return n << 10;
	if (!strcmp(unit, " MiB"))
		return n << 20;
	return !*unit || !strcmp(unit, " ns") ? n : -1;
}

/* --- objects ------------------------------------------------------------ */

int gem_create(int fd, uint32_t flags, uint64_t size, uint32_t *handle)
{
	struct drm_alink_xpu_gem_create c = { .size = size, .flags = flags };
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_GEM_CREATE, &c);

	*handle = c.handle;
	return err;
}

int gem_close(int fd, uint32_t handle)
{
	struct drm_gem_close c = { .handle = handle };

	return xpu_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &c);
}

int gem_offset(int fd, uint32_t handle, uint64_t *offset)
{
	struct drm_alink_xpu_gem_mmap_offset o = { .handle = handle };
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_GEM_MMAP_OFFSET, &o);

	*offset = o.offset;
	return err;
}

void *gem_map(int fd, uint32_t handle, uint64_t size)
{
	uint64_t offset;
	int err = gem_offset(fd, handle, &offset);

	if (err) {
		errno = -err;
		return MAP_FAILED;
	}
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
}

/* --- VMs ---------------------------------------------------------------- */

int vm_create(int fd, uint32_t *vm)
{
	struct drm_alink_xpu_vm_create c = {};
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_VM_CREATE, &c);

	*vm = c.vm_id;
	return err;
}

int vm_destroy(int fd, uint32_t vm)
{
	struct drm_alink_xpu_vm_destroy d = { .vm_id = vm };

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_VM_DESTROY, &d);
}

int vm_bind(int fd, uint32_t vm, const struct drm_alink_xpu_vm_bind_op *op,
	    uint32_t n)
{
	struct drm_alink_xpu_vm_bind b = {
		.vm_id = vm,
		.num_binds = n,
		.binds = (uintptr_t)op,
	};

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b);
}

int vm_bind_async(int fd, uint32_t vm,
		  const struct drm_alink_xpu_vm_bind_op *op, uint32_t n,
		  const struct drm_alink_xpu_sync *sync, uint32_t num_syncs)
{
	struct drm_alink_xpu_vm_bind b = {
		.vm_id = vm,
		.flags = DRM_ALINK_XPU_VM_BIND_ASYNC,
		.num_binds = n,
		.num_syncs = num_syncs,
		.binds = (uintptr_t)op,
		.syncs = num_syncs ? (uintptr_t)sync : 0,
	};

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b);
}

int vm_map(int fd, uint32_t vm, uint32_t handle, uint64_t offset, uint64_t va,
	   uint64_t size, uint32_t rights)
{
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_MAP,
		.flags = rights,
		.handle = handle,
		.offset = offset,
		.addr = va,
		.range = size,
	};

	return vm_bind(fd, vm, &op, 1);
}

int vm_map_user(int fd, uint32_t vm, const void *mem, uint64_t va,
		uint64_t size, uint32_t rights)
{
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_MAP_USER,
		.flags = rights,
		.offset = (uintptr_t)mem,
		.addr = va,
		.range = size,
	};

	return vm_bind(fd, vm, &op, 1);
}

int vm_unmap(int fd, uint32_t vm, uint64_t va, uint64_t size)
{
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_UNMAP,
		.addr = va,
		.range = size,
	};

	return vm_bind(fd, vm, &op, 1);
}

/* --- queues ------------------------------------------------------------- */

int queue_create(int fd, struct drm_alink_xpu_queue_create *args)
{
	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_QUEUE_CREATE, args);
}

int queue_destroy(int fd, uint32_t id)
{
	struct drm_alink_xpu_queue_destroy d = { .queue_id = id };

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_QUEUE_DESTROY, &d);
}

int queue_state(int fd, uint32_t id, uint32_t *state,
		struct drm_alink_xpu_queue_error *error)
{
	struct drm_alink_xpu_queue_status s = { .queue_id = id };
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_QUEUE_STATUS, &s);

	*state = s.state;
	if (error)
		*error = s.error;
	return err;
}

int xq_open(struct xq *q, int fd, uint32_t vm, uint64_t va, uint32_t size)
{
	return xq_open_as(q, fd, vm, va, size, DRM_ALINK_XPU_PRIORITY_NORMAL);
}

int xq_open_as(struct xq *q, int fd, uint32_t vm, uint64_t va, uint32_t size,
	       uint32_t priority)
{
	return xq_open_in(q, fd, vm, va, size, priority, HOST);
}

int xq_open_in(struct xq *q, int fd, uint32_t vm, uint64_t va, uint32_t size,
	       uint32_t priority, uint32_t place)
{
	uint64_t ring = ((uint64_t)size * sizeof(struct alink_xpu_desc) +
			 PAGE - 1) & ~(PAGE - 1);
	struct drm_alink_xpu_queue_create c = {
		.vm_id = vm,
		.ring = va,
		.status = va + ring,
		.size = size,
		.priority = priority,
	};
	void *map, *db;
	int err;

	memset(q, 0, sizeof(*q));
	q->fd = fd;
	q->vm = vm;
	q->va = va;
	q->size = size;
	q->bo_size = ring + PAGE;
	q->fence_offset = ring + 1024;
	err = gem_create(fd, place, q->bo_size, &q->bo);
	if (err)
		return err;
	map = gem_map(fd, q->bo, q->bo_size);
	if (map == MAP_FAILED)
		return -errno;
	q->ring = map;
	q->status = map + ring;
	q->fence = map + q->fence_offset;
	err = vm_map(fd, vm, q->bo, 0, va, q->bo_size, RW);
	if (err)
		return err;
	err = queue_create(fd, &c);
	if (err)
		return err;
	q->id = c.queue_id;
	q->db_offset = c.doorbell_offset;
	db = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  q->db_offset);
	if (db == MAP_FAILED)
		return -errno;
	q->doorbell = db + ALINK_XPU_DB_TAIL;
	return 0;
}

void xq_close(struct xq *q)
{
	queue_destroy(q->fd, q->id);
	munmap((void *)((uintptr_t)q->doorbell & ~(PAGE - 1)), PAGE);
	vm_unmap(q->fd, q->vm, q->va, q->bo_size);
	munmap(q->ring, q->bo_size);
	gem_close(q->fd, q->bo);
}

void xq_push(struct xq *q, struct alink_xpu_desc desc)
{
	desc.flags |= ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ;
	desc.fence_addr = q->va + q->fence_offset;
	desc.fence_value = ++q->seq;
	q->ring[q->tail++ % q->size] = desc;
}

void xq_ring(struct xq *q)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*q->doorbell = q->tail;
}

int xq_wait(struct xq *q, int64_t timeout_ms,
	    struct drm_alink_xpu_queue_error *error)
{
	struct drm_alink_xpu_wait_fence w = {
		.queue_id = q->id,
		.handle = q->bo,
		.addr = q->fence_offset,
		.value = q->seq,
		.timeout_ns = now_ns() + timeout_ms * 1000000LL,
	};
	int err;

	do {
		err = xpu_ioctl(q->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w);
	} while (err == -EINTR);
	if (error)
		*error = w.error;
	return err;
}

int xq_run(struct xq *q, struct alink_xpu_desc desc,
	   struct drm_alink_xpu_queue_error *error)
{
	xq_push(q, desc);
	xq_ring(q);
	return xq_wait(q, PATIENCE_MS, error);
}

int xq_copy(struct xq *q, uint64_t dst, uint64_t src, uint64_t len)
{
	return xq_run(q, copy_desc(dst, src, len), NULL);
}

int xq_fill(struct xq *q, uint64_t dst, uint32_t value, uint64_t len)
{
	return xq_run(q, fill_desc(dst, value, len), NULL);
}

/* --- fabric ------------------------------------------------------------- */

int seg_export(int fd, uint32_t handle, uint32_t rights,
	       struct drm_alink_xpu_segment_handle *h, uint32_t *id)
{
	struct drm_alink_xpu_segment_export e = {
		.handle = handle,
		.rights = rights,
	};
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT, &e);

	*h = e.segment;
	*id = e.export_id;
	return err;
}

int seg_revoke(int fd, uint32_t id)
{
	struct drm_alink_xpu_segment_revoke r = { .export_id = id };

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_SEGMENT_REVOKE, &r);
}

int seg_import(int fd, const struct drm_alink_xpu_segment_handle *h,
	       uint32_t *handle)
{
	struct drm_alink_xpu_segment_import i = { .segment = *h };
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_SEGMENT_IMPORT, &i);

	*handle = i.handle;
	return err;
}

/* --- PRIME -------------------------------------------------------------- */

int prime_export(int fd, uint32_t handle, uint32_t flags)
{
	struct drm_prime_handle p = { .handle = handle, .flags = flags };
	int err = xpu_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &p);

	return err ?: p.fd;
}

int prime_import(int fd, int buf, uint32_t *handle)
{
	struct drm_prime_handle p = { .fd = buf };
	int err = xpu_ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &p);

	*handle = p.handle;
	return err;
}

union fd_room {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

int send_fd(int sock, int fd)
{
	char byte = 0;
	union fd_room room = {
		.head = {
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		},
	};
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &room, .msg_controllen = sizeof(room),
	};

	memcpy(CMSG_DATA(&room.head), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

int recv_fd(int sock)
{
	char byte;
	union fd_room room;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &room, .msg_controllen = sizeof(room),
	};
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	if (msg.msg_controllen < sizeof(room.head) ||
	    room.head.cmsg_type != SCM_RIGHTS)
		return -ENODATA;
	memcpy(&fd, CMSG_DATA(&room.head), sizeof(fd));
	return fd;
}

/* --- syncobjs ----------------------------------------------------------- */

int syncobj_create(int fd, uint32_t *handle)
{
	struct drm_syncobj_create c = {};
	int err = xpu_ioctl(fd, DRM_IOCTL_SYNCOBJ_CREATE, &c);

	*handle = c.handle;
	return err;
}

int syncobj_wait(int fd, uint32_t handle, uint64_t point, int64_t timeout_ms)
{
	struct drm_syncobj_timeline_wait w = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.timeout_nsec = now_ns() + timeout_ms * 1000000LL,
		.count_handles = 1,
	};

	return xpu_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &w);
}

int syncobj_signal(int fd, uint32_t handle)
{
	struct drm_syncobj_array a = {
		.handles = (uintptr_t)&handle,
		.count_handles = 1,
	};

	return xpu_ioctl(fd, DRM_IOCTL_SYNCOBJ_SIGNAL, &a);
}

int syncobj_export(int fd, uint32_t handle, bool sync_file)
{
	struct drm_syncobj_handle h = {
		.handle = handle,
		.flags = sync_file ?
			 DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE : 0,
	};
	int err = xpu_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &h);

	return err ?: h.fd;
}

int syncobj_import(int fd, int obj, uint32_t *handle)
{
	struct drm_syncobj_handle h = { .fd = obj };
	int err = xpu_ioctl(fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &h);

	*handle = h.handle;
	return err;
}

int sync_file_status(int sync_file)
{
	struct sync_file_info info = {};
	int err = xpu_ioctl(sync_file, SYNC_IOC_FILE_INFO, &info);

	return err ?: info.status;
}

/* --- the PCI function ---------------------------------------------------- */

int pci_write(const char *sysfs, const char *file, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", sysfs, file);
	return write_file(path, text);
}

int drv_write(const char *file, const char *sysfs)
{
	char path[512];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/alink_xpu/%s", file);
	return write_file(path, strrchr(sysfs, '/') + 1);
}

/* --- patterns ----------------------------------------------------------- */

static uint32_t pattern(uint32_t i, uint32_t seed)
{
	uint32_t x = i * 2654435761U ^ seed * 0x9e3779b9U;

	return x ^ x >> 15;
}

void pattern_fill(void *p, size_t len, uint32_t seed)
{
	uint32_t *w = p;
	size_t i;

	for (i = 0; i < len / 4; i++)
		w[i] = pattern(i, seed);
}

/* Returns the offset of the first wrong word, or len if all is right. */
size_t pattern_check(const void *p, size_t len, uint32_t seed)
{
	const uint32_t *w = p;
	size_t i;

	for (i = 0; i < len / 4; i++)
		if (w[i] != pattern(i, seed))
			return i * 4;
	return len;
}

/* --- what surrounds the device --------------------------------------------- */

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

ssize_t read_file(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, len = 0;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	do {
		n = read(fd, text + len, room - 1 - len);
		len += n > 0 ? n : 0;
	} while (n > 0 && (size_t)len < room - 1);
	if (n < 0)
		len = -errno;
	text[len > 0 ? len : 0] = '\0';
	close(fd);
	return len;
}

int model_put(const char *device, const char *prop, const char *value)
{
	char line[512];
	FILE *f;
	int err;

	f = fopen(getenv("ALINK_QMP") ?: "/dev/null", "r+e");
	if (!f)
		return -errno;
	setvbuf(f, NULL, _IONBF, 0);
	fprintf(f, "{\"execute\": \"qom-set\", \"arguments\": {\"path\": \"/machine/peripheral/%s\", \"property\": \"%s\", \"value\": %s}}\n",
		device, prop, value);
	err = fgets(line, sizeof(line), f) && strstr(line, "\"return\"") ?
	      0 : -EIO;
	fclose(f);
	return err;
}

int model_set(const char *device, const char *prop, bool value)
{
	return model_put(device, prop, value ? "true" : "false");
}

int child_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

void xq_push_endless(struct xq *q)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_WAIT,
		.subop = ALINK_WAIT_EQ,
		.src = 0x123456789,
		.dst = q->va + q->fence_offset + 8,
	};

	xq_push(q, d);
	xq_ring(q);
}

unsigned int xq_device_queue(const struct xq *q)
{
	/* Doorbell pages come in the order of queues, after one page. */
	return q->db_offset / PAGE - 1;
}

uint64_t xq_bit(const struct xq *q)
{
	unsigned int id = xq_device_queue(q);

	return 1ULL << (id < 63 ? id : 63);
}

int xq_stick(const struct xq *q, const char *prop)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)xq_bit(q));
	return model_put("xpu0", prop, text);
}

pid_t xq_waiter(struct xq *q)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-xq_wait(q, 200000, NULL));
	usleep(200000);
	return pid;
}
