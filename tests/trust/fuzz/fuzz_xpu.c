// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes /dev/accel/accelN of alink_xpu: all of its ioctls as the header lists
 * them, mmap, doorbells and descriptors, and what DRM adds (handles, syncobjs,
 * PRIME). One input works on two files, one of either xPU.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <drm/alink_xpu.h>
#include <hw/alink/xpu.h>

#include "fuzz_lib.h"
#include "fuzz_calls.h"

#define PAGE		4096UL
#define VA		0x10000000UL
#define LARGE		(2UL << 20)
#define WAIT_NS		1000000
#define NUM_FILES	2
#define NUM_LIVE	8
#define NUM_MAPS	8
#define LENT		(2 * LARGE)

/* What guest_fuzz.py made for us; others are not there. */
#define GROUP_ID	1
#define GROUP_KEY	77

/* Calls beside the ioctls of alink_xpu, which have their numbers */
enum {
	CALL_GEM_CLOSE = 0x40,
	CALL_MAP,
	CALL_UNMAP,
	CALL_TOUCH,
	CALL_DOORBELL,
	CALL_DESC,
	CALL_RAW_MMAP,
	CALL_RAW_IOCTL,
	CALL_SYNCOBJ_CREATE,
	CALL_SYNCOBJ_DESTROY,
	CALL_SYNCOBJ_SIGNAL,
	CALL_TO_FD,
	CALL_FROM_FD,
	CALL_OTHER_FILE,
	CALL_REOPEN,
	CALL_LENT,
	CALL_END,
};

#define NUM_CALLS	(ARRAY_SIZE(fuzz_ioctls) + CALL_END - CALL_GEM_CLOSE)

enum id { ID_HANDLE, ID_VM, ID_QUEUE, ID_EXPORT, ID_BIND, ID_SYNCOBJ, ID_OFFSET,
	  NUM_IDS };

/* Objects that were made and may still be there, the latest first */
struct live {
	uint64_t id[NUM_LIVE];
	unsigned int num;
};

static struct file {
	int fd;
	struct live live[NUM_IDS];
} files[NUM_FILES];

static char paths[NUM_FILES][64];
static struct file *file;
static struct { uint8_t *at; size_t size; int prot; bool doorbell; } maps[NUM_MAPS];
static unsigned int num_maps;
static int dmabuf = -1;
static struct drm_alink_xpu_segment_handle segment;
/* Where pointers of arguments lead to; a page of no access lies behind. */
static uint8_t *room, *edge;
/* Memory for the device; inputs change it, and take it away. */
static uint8_t *lent;

static void live_add(enum id id, uint64_t value)
{
	struct live *l = &file->live[id];

	memmove(l->id + 1, l->id, sizeof(l->id) - sizeof(l->id[0]));
	l->id[0] = value;
	if (l->num < NUM_LIVE)
		l->num++;
}

static uint64_t live_pick(enum id id, uint8_t choice)
{
	const struct live *l = &file->live[id];

	return l->num ? l->id[choice % l->num] : 0;
}

/* Without the structure that it is in. */
static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static int id_of(const char *name)
{
	static const struct { const char *name; enum id id; } ids[] = {
		{ "handle", ID_HANDLE }, { "vm_id", ID_VM },
		{ "queue_id", ID_QUEUE }, { "export_id", ID_EXPORT },
		{ "bind_id", ID_BIND }, { "syncobj", ID_SYNCOBJ },
		{ "doorbell_offset", ID_OFFSET },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		if (!strcmp(name, ids[i].name))
			return ids[i].id;
	return -1;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* --- fields ----------------------------------------------------------------- */

static bool is(const char *name, const char *other)
{
	return !strcmp(name, other);
}

/* Of the operation of VM_BIND that is being filled in */
static bool of_user;

/* A value that makes sense for a field; what has no rule is 0 at first. */
static uint64_t sense(const char *call, const char *name, uint8_t c,
		      uint64_t flags)
{
	int id = id_of(name);

	/* Memory of ours, in place of an object */
	if (is(call, "op") && of_user && id == ID_HANDLE)
		return 0;
	if (is(call, "op") && of_user && is(name, "offset"))
		return (uintptr_t)lent + pick(c, 0, PAGE, LARGE, 100);
	if (id == ID_HANDLE && is(call, "sync"))
		return live_pick(ID_SYNCOBJ, c);
	if (id == ID_HANDLE && flags == DRM_ALINK_XPU_FENCE_VA &&
	    strstr(call, "FENCE"))
		return live_pick(ID_VM, c);
	if (id == ID_QUEUE && strstr(call, "FENCE"))
		return c % 3 ? live_pick(id, c) : 0;
	if (id >= 0)
		return live_pick(id, c);
	if (is(name, "flags")) {
		if (is(call, "GEM_CREATE"))
			return pick(c, 1, 2, 6, 1, 6, 0, 3, 4, 5, 8);
		if (is(call, "op"))
			return pick(c, 3, 7, 1, 2, 5, 0, 8);
		return strstr(call, "FENCE") || is(call, "sync") ||
		       is(call, "VM_BIND") ? c % 2 : 0;
	}
	if (is(name, "size")) {
		if (is(call, "QUEUE_CREATE"))
			return pick(c, 16, 2, 64, 3, 1, 0, 65536);
		if (is(call, "QUERY"))
			return pick(c, 4096, 0, 8, 32, 100);
		return pick(c, 2 * PAGE, PAGE, 65536, LARGE, 4 * LARGE, 100, 0);
	}
	if (is(name, "range"))
		return pick(c, 2 * PAGE, PAGE, 65536, LARGE, 0, 100);
	if (is(name, "addr"))
		return strstr(call, "FENCE") && flags != DRM_ALINK_XPU_FENCE_VA ?
		       pick(c, 0, 1024, 8, PAGE, 4, LARGE) :
		       VA + pick(c, 0, PAGE, LARGE, 2 * LARGE, 8, 1 << 30, 1024);
	if (is(name, "ring"))
		return VA + pick(c, 0, LARGE, PAGE, 32);
	if (is(name, "status"))
		return VA + pick(c, PAGE, LARGE + PAGE, 0, 2 * PAGE, 32);
	if (is(name, "offset"))
		return pick(c, 0, PAGE, LARGE, 100);
	if (is(name, "num_binds"))
		return pick(c, 1, 2, 3, 0, 8);
	if (is(name, "num_syncs"))
		return pick(c, 0, 1, 2, 4);
	if (is(name, "data") || is(name, "binds") || is(name, "syncs"))
		return (uintptr_t)room + (is(name, "syncs") ? 2048 : 0);
	if (is(name, "query"))
		return c % 5;
	if (is(name, "op"))
		return c % 3;
	if (is(name, "priority"))
		return pick(c, 1, 0, 2, 3, 4);
	if (is(name, "rights"))
		return pick(c, 3, 1, 7, 2, 0, 8);
	if (is(name, "group"))
		return pick(c, GROUP_ID, 0, 2);
	if (is(name, "key"))
		return pick(c, GROUP_KEY, 0, 1);
	if (is(name, "timeout_ms"))
		return pick(c, 1, 2, 0, 10000, 10001);
	if (is(name, "timeout_ns"))
		return c % 2 ? now() + WAIT_NS : 0;
	if (is(name, "value") || is(name, "point"))
		return c % 3;
	return c / 2 % 64 ? 0 : c % 2;
}

static bool is_pointer(const char *name)
{
	return is(name, "data") || is(name, "binds") || is(name, "syncs");
}

static uint64_t bad_pointer(struct fuzz_in *in, uint8_t c)
{
	switch (c % 8) {
	case 0: return 0;
	case 1: return (uintptr_t)edge;
	case 2: return (uintptr_t)edge - take(in);
	case 3: return 0xffff888000001000UL;
	case 4: return (uintptr_t)room + take(in);
	case 5: return 0x7ffffffff000UL;
	case 6: return ~0UL;
	default: return take_n(in, 8);
	}
}

static void put(void *at, unsigned int size, uint64_t value)
{
	memcpy(at, &value, size);
}

static uint64_t get(const void *at, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, at, size);
	return value;
}

/* Fills in a structure, choice by choice. */
static void fill(struct fuzz_in *in, const char *call,
		 const struct fuzz_field *f, unsigned int n, uint8_t *arg)
{
	uint64_t flags = 0, value;
	unsigned int i;
	uint8_t c;

	for (i = 0; i < n; i++) {
		const char *name = last_part(f[i].name);

		c = take(in);
		if (!strncmp(f[i].name, "segment.", 8) && !f[i].out)
			value = get((uint8_t *)&segment + f[i].offset,
				    f[i].size);
		else
			value = f[i].out ? 0 : sense(call, name, c, flags);
		if (c >= FUZZ_SPECIAL)
			value = is_pointer(name) ? bad_pointer(in, c) :
				special(in, c, value);
		if (is(name, "flags"))
			flags = value;
		if (is(name, "op"))
			of_user = value == DRM_ALINK_XPU_VM_BIND_MAP_USER;
		put(arg + f[i].offset, f[i].size, value);
	}
}

/* Elements of the arrays that the arguments point to; no element, no choice */
static void fill_arrays(struct fuzz_in *in, const uint8_t *arg,
			const struct fuzz_ioctl *call)
{
	const struct drm_alink_xpu_vm_bind *b = (const void *)arg;
	unsigned int i;

	if (call->request != DRM_IOCTL_ALINK_XPU_VM_BIND)
		return;
	for (i = 0; i < b->num_binds && i < 8; i++)
		fill(in, "op", fields_drm_alink_xpu_vm_bind_op,
		     ARRAY_SIZE(fields_drm_alink_xpu_vm_bind_op),
		     room + i * sizeof(struct drm_alink_xpu_vm_bind_op));
	for (i = 0; i < b->num_syncs && i < 8; i++)
		fill(in, "sync", fields_drm_alink_xpu_sync,
		     ARRAY_SIZE(fields_drm_alink_xpu_sync),
		     room + 2048 + i * sizeof(struct drm_alink_xpu_sync));
}

static void do_ioctl(struct fuzz_in *in, const struct fuzz_ioctl *call)
{
	uint8_t arg[256] = {};
	unsigned int i;
	int id;

	fill(in, call->name, call->fields, call->num_fields, arg);
	fill_arrays(in, arg, call);
	if (ioctl(file->fd, call->request, arg))
		return;
	for (i = 0; i < call->num_fields; i++) {
		const struct fuzz_field *f = &call->fields[i];

		id = id_of(f->name);
		if (f->out && id >= 0)
			live_add(id, get(arg + f->offset, f->size));
	}
	if (call->request == DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT)
		segment = ((struct drm_alink_xpu_segment_export *)arg)->segment;
}

/* --- memory ----------------------------------------------------------------- */

static void unmap(unsigned int i)
{
	munmap(maps[i].at, maps[i].size);
	maps[i] = maps[--num_maps];
}

static void do_map(struct fuzz_in *in, uint64_t offset, uint64_t size,
		   bool doorbell)
{
	uint8_t c = take(in);
	int prot = pick(c, PROT_READ | PROT_WRITE, PROT_READ,
			PROT_NONE, PROT_WRITE, PROT_READ | PROT_EXEC);
	void *at;

	if (num_maps == NUM_MAPS)
		unmap(0);
	at = mmap(NULL, size, prot, c & 64 ? MAP_PRIVATE : MAP_SHARED, file->fd,
		  offset);
	if (at == MAP_FAILED)
		return;
	maps[num_maps].at = at;
	maps[num_maps].size = size;
	maps[num_maps].doorbell = doorbell;
	maps[num_maps++].prot = prot;
}

static void do_map_object(struct fuzz_in *in)
{
	uint8_t c = take(in);
	struct drm_alink_xpu_gem_mmap_offset o = {
		.handle = live_pick(ID_HANDLE, c),
	};
	uint64_t size = pick(take(in), 2 * PAGE, PAGE, LARGE, 3 * PAGE);

	if (!ioctl(file->fd, DRM_IOCTL_ALINK_XPU_GEM_MMAP_OFFSET, &o))
		do_map(in, o.offset, size, false);
}

static void do_touch(struct fuzz_in *in)
{
	unsigned int i, c = take(in);
	volatile uint8_t *p;

	if (!num_maps)
		return;
	i = num_maps - 1 - c % num_maps;
	p = maps[i].at + take_n(in, 2) * PAGE % maps[i].size;
	if (maps[i].doorbell)
		return;
	if (maps[i].prot & PROT_WRITE)
		*p = c;
	else if (maps[i].prot & PROT_READ)
		(void)*p;
}

static void do_doorbell(struct fuzz_in *in)
{
	uint32_t tail = pick(take(in), 1, 2, 16, 0, 17, 0xffffffff);
	unsigned int i;

	for (i = num_maps; i--;)
		if (maps[i].doorbell && maps[i].prot & PROT_WRITE)
			break;
	if (i >= num_maps) {
		do_map(in, live_pick(ID_OFFSET, 0), PAGE, true);
		i = num_maps - 1;
		if (!num_maps || !maps[i].doorbell ||
		    !(maps[i].prot & PROT_WRITE))
			return;
	}
	*(volatile uint32_t *)(maps[i].at + ALINK_XPU_DB_TAIL) = tail;
}

/* Into the object that was mapped last: its first page is a ring, maybe. */
static void do_desc(struct fuzz_in *in)
{
	struct alink_xpu_desc d = {};
	unsigned int i, n;
	uint8_t c = take(in);

	for (i = num_maps; i--;)
		if (!maps[i].doorbell && maps[i].prot & PROT_WRITE)
			break;
	if (i >= num_maps)
		return;
	n = c % 16;
	d.opcode = take(in) % 10;
	d.flags = pick(take(in), 3, 0, 1, 2, 4);
	d.dtype = take(in) % 16;
	d.subop = take(in) % 16;
	d.dst = VA + pick(take(in), PAGE + 1024, LARGE, 2 * LARGE, 0, 8, 1 << 30);
	d.src = VA + pick(take(in), PAGE + 2048, LARGE, 2 * LARGE, 0, 8, 1 << 30);
	d.src2 = d.src;
	d.len = pick(take(in), 64, 8, 4, 4096, 0, 3, 1 << 20);
	d.fence_addr = VA + pick(take(in), PAGE + 1024, 4, 1 << 30);
	d.fence_value = 1;
	c = take(in);
	if (c >= FUZZ_SPECIAL)
		((uint8_t *)&d)[take(in) % sizeof(d)] = c;
	memcpy(maps[i].at + n * sizeof(d), &d, sizeof(d));
}

/* Something happens to memory that the device may have. */
static void do_lent(struct fuzz_in *in)
{
	uint8_t c = take(in);
	uint8_t *at = lent + pick(take(in), 0, PAGE, LARGE, 2 * PAGE);
	size_t size = pick(take(in), PAGE, 2 * PAGE, LARGE);

	switch (c % 6) {
	case 0:
		if (!mprotect(at, size, PROT_READ | PROT_WRITE))
			memset(at, c, PAGE);
		break;
	case 1:
		madvise(at, size, MADV_DONTNEED);
		break;
	case 2:
		mprotect(at, size, PROT_READ);
		break;
	case 3:
		munmap(at, size);
		break;
	case 4:
		mmap(at, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	default:
		mprotect(at, size, PROT_NONE);
		break;
	}
}

/* As each input finds it */
static void make_lent(void)
{
	if (mmap(lent, LENT, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		abort();
}

/* --- the rest --------------------------------------------------------------- */

static void do_syncobj(struct fuzz_in *in, unsigned int call)
{
	uint32_t handle = live_pick(ID_SYNCOBJ, take(in));
	struct drm_syncobj_create create = { .flags = take(in) % 2 };
	struct drm_syncobj_destroy destroy = { .handle = handle };
	struct drm_syncobj_array array = {
		.handles = (uintptr_t)&handle, .count_handles = 1,
	};

	if (call == CALL_SYNCOBJ_DESTROY)
		ioctl(file->fd, DRM_IOCTL_SYNCOBJ_DESTROY, &destroy);
	else if (call == CALL_SYNCOBJ_SIGNAL)
		ioctl(file->fd, DRM_IOCTL_SYNCOBJ_SIGNAL, &array);
	else if (!ioctl(file->fd, DRM_IOCTL_SYNCOBJ_CREATE, &create))
		live_add(ID_SYNCOBJ, create.handle);
}

static void do_prime(struct fuzz_in *in, unsigned int call)
{
	struct drm_prime_handle p = {
		.handle = live_pick(ID_HANDLE, take(in)),
		.flags = O_CLOEXEC | O_RDWR,
		.fd = dmabuf,
	};

	if (call == CALL_FROM_FD) {
		if (!ioctl(file->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &p))
			live_add(ID_HANDLE, p.handle);
	} else if (!ioctl(file->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &p)) {
		if (dmabuf >= 0)
			close(dmabuf);
		dmabuf = p.fd;
	}
}

static void close_file(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	memset(f, 0, sizeof(*f));
	f->fd = -1;
}

/* Only when the first call on it comes: most inputs need one. */
static void choose_file(unsigned int n)
{
	file = &files[n % NUM_FILES];
	if (file->fd < 0)
		file->fd = open(paths[n % NUM_FILES], O_RDWR | O_CLOEXEC);
}

static void do_raw_ioctl(struct fuzz_in *in)
{
	const struct fuzz_ioctl *call =
		&fuzz_ioctls[take(in) % ARRAY_SIZE(fuzz_ioctls)];
	unsigned long request = call->request;
	unsigned int i;

	for (i = 0; i < 4096; i++)
		room[i] = i < call->size + 16U ? take(in) : 0;
	/* Another size, other directions */
	request ^= (unsigned long)take(in) << 16 | (unsigned long)take(in) << 24;
	ioctl(file->fd, request, take(in) % 4 ? room : edge - take(in));
}

static void do_call(struct fuzz_in *in, unsigned int call)
{
	struct drm_gem_close gem = {};
	unsigned int i;
	uint8_t c;

	switch (call) {
	case CALL_GEM_CLOSE:
		gem.handle = live_pick(ID_HANDLE, take(in));
		ioctl(file->fd, DRM_IOCTL_GEM_CLOSE, &gem);
		break;
	case CALL_MAP:
		do_map_object(in);
		break;
	case CALL_UNMAP:
		c = take(in);
		if (num_maps)
			unmap(c % num_maps);
		break;
	case CALL_TOUCH:
		do_touch(in);
		break;
	case CALL_DOORBELL:
		do_doorbell(in);
		break;
	case CALL_DESC:
		do_desc(in);
		break;
	case CALL_RAW_MMAP:
		c = take(in);
		do_map(in, c < FUZZ_SPECIAL ? live_pick(ID_OFFSET, c) + c * PAGE :
		       special(in, c, live_pick(ID_OFFSET, 0)),
		       pick(take(in), PAGE, 2 * PAGE, 0, 1UL << 40), true);
		break;
	case CALL_RAW_IOCTL:
		do_raw_ioctl(in);
		break;
	case CALL_SYNCOBJ_CREATE:
	case CALL_SYNCOBJ_DESTROY:
	case CALL_SYNCOBJ_SIGNAL:
		do_syncobj(in, call);
		break;
	case CALL_TO_FD:
	case CALL_FROM_FD:
		do_prime(in, call);
		break;
	case CALL_OTHER_FILE:
		choose_file(file == files);
		break;
	case CALL_REOPEN:
		i = file - files;
		close_file(file);
		choose_file(i);
		break;
	case CALL_LENT:
		do_lent(in);
		break;
	}
}

/* --- libFuzzer -------------------------------------------------------------- */

static void find_files(void)
{
	char name[32];
	unsigned int i, n = 0;

	for (i = 0; i < 64 && n < NUM_FILES; i++) {
		struct drm_version v = {
			.name = name, .name_len = sizeof(name) - 1,
		};
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/dev/accel/accel%u", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (!ioctl(fd, DRM_IOCTL_VERSION, &v) && is(name, "alink_xpu"))
			strcpy(paths[n++], path);
		close(fd);
	}
	if (n < NUM_FILES) {
		fprintf(stderr, "%u xPUs, %u wanted\n", n, NUM_FILES);
		exit(3);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	unsigned int i;

	(void)argc;
	(void)argv;
	room = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || mprotect(room + 2 * PAGE, PAGE, PROT_NONE))
		abort();
	edge = room + 2 * PAGE;
	/* Aligned as large pages are; what is around it is not ours. */
	lent = mmap(NULL, LENT + LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (lent == MAP_FAILED)
		abort();
	lent = (uint8_t *)(((uintptr_t)lent + LARGE - 1) & ~(LARGE - 1));
	for (i = 0; i < NUM_FILES; i++)
		files[i].fd = -1;
	find_files();
	fuzz_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, data + size };
	unsigned int i, call;

	fuzz_begin(data, size);
	memset(room, 0, 2 * PAGE);
	make_lent();
	memset(&segment, 0, sizeof(segment));
	choose_file(0);
	while (in.at < in.end && fuzz_call()) {
		call = take(&in);
		if (call < ARRAY_SIZE(fuzz_ioctls))
			do_ioctl(&in, &fuzz_ioctls[call]);
		else if (call >= CALL_GEM_CLOSE && call < CALL_END)
			do_call(&in, call);
		else if (call % NUM_CALLS < ARRAY_SIZE(fuzz_ioctls))
			do_ioctl(&in, &fuzz_ioctls[call % NUM_CALLS]);
		else
			do_call(&in, CALL_GEM_CLOSE + call % NUM_CALLS -
				ARRAY_SIZE(fuzz_ioctls));
	}
	while (num_maps)
		unmap(0);
	if (dmabuf >= 0)
		close(dmabuf);
	dmabuf = -1;
	for (i = 0; i < NUM_FILES; i++)
		close_file(&files[i]);
	fuzz_end();
	return 0;
}
