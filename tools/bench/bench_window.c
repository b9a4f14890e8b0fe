// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load and store: HBM behind BAR2, as the driver maps it, against the memory
 * behind BAR2 of ivshmem, as sysfs maps it. Both are memory of QEMU that the
 * guest gets at without a trap, or should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define BYTES		(1ULL << 20)
#define WORDS		(BYTES / sizeof(uint64_t))
/* Times that each is gone through in a round */
#define PASSES		32
#define MAX_FUNCTIONS	256
#define IVSHMEM_VENDOR	"0x1af4"
#define IVSHMEM_DEVICE	"0x1110"

/**
 * struct window - memory behind a BAR, and some of the guest's
 * @ours:	HBM
 * @other:	ivshmem; NULL without one
 * @ram:	ordinary memory to copy from and to
 * @bo:		what @ours is
 * @pci:	function of ivshmem
 */
struct window {
	uint8_t *ours;
	uint8_t *other;
	uint8_t *ram;
	struct alink_bo *bo;
	struct bench_name pci;
};

/* --- ivshmem -------------------------------------------------------------- */

static bool is_ivshmem(const char *pci)
{
	char vendor[16], device[16];
	const char *dir = "/sys/bus/pci/devices";

	return !bench_read(vendor, sizeof(vendor), "%s/%s/vendor", dir, pci) &&
	       !bench_read(device, sizeof(device), "%s/%s/device", dir, pci) &&
	       !strcmp(vendor, IVSHMEM_VENDOR) &&
	       !strcmp(device, IVSHMEM_DEVICE);
}

static int find_ivshmem(struct bench *b, struct window *w)
{
	struct bench_name *pci;
	unsigned int i, n;

	pci = calloc(MAX_FUNCTIONS, sizeof(*pci));
	if (!pci)
		return bench_fail(b, -ENOMEM, "out of memory");
	n = bench_list(pci, MAX_FUNCTIONS, "/sys/bus/pci/devices", "");
	for (i = 0; i < n && i < MAX_FUNCTIONS; i++)
		if (is_ivshmem(pci[i].text))
			w->pci = pci[i];
	free(pci);
	return 0;
}

/* No driver has it: it is enabled here, and disabled at the end. */
static int map_ivshmem(struct bench *b, struct window *w)
{
	char path[128];
	int fd, err;
	void *map;

	err = find_ivshmem(b, w);
	if (err || !w->pci.text[0])
		return err;
	err = bench_write("1", "/sys/bus/pci/devices/%s/enable", w->pci.text);
	if (err) {
		w->pci.text[0] = '\0';
		return bench_fail(b, err, "ivshmem: enable: %s",
				  strerror(-err));
	}
	/* As HBM is mapped: with writes combined */
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2_wc",
		 w->pci.text);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return bench_fail(b, -errno, "%s: %s", path, strerror(errno));
	map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	err = map == MAP_FAILED ? -errno : 0;
	close(fd);
	if (err)
		return bench_fail(b, err, "%s: map: %s", path, strerror(-err));
	w->other = map;
	memset(w->other, 1, BYTES);
	return 0;
}

static void window_down(struct window *w)
{
	if (w->other)
		munmap(w->other, BYTES);
	if (w->pci.text[0])
		bench_write("0", "/sys/bus/pci/devices/%s/enable", w->pci.text);
	alink_bo_free(w->bo);
	free(w->ram);
}

static int window_up(struct bench *b, struct window *w)
{
	int err;

	err = bench_machine_up(b);
	if (!err)
		err = bench_alloc(b, BYTES, ALINK_PLACE_HBM_CPU, &w->bo,
				  &w->ours);
	if (err)
		return err;
	w->ram = aligned_alloc(BENCH_PAGE, BYTES);
	if (!w->ram)
		return bench_fail(b, -ENOMEM, "out of memory");
	memset(w->ram, 2, BYTES);
	return map_ivshmem(b, w);
}

/* --- what is done with it ------------------------------------------------- */

static void load_words(uint8_t *mem, uint8_t *ram)
{
	const volatile uint64_t *p = (const volatile uint64_t *)mem;
	uint64_t i, sum = 0;

	for (i = 0; i < WORDS; i++)
		sum += p[i];
	memcpy(ram, &sum, sizeof(sum));
}

static void store_words(uint8_t *mem, uint8_t *ram)
{
	volatile uint64_t *p = (volatile uint64_t *)mem;
	uint64_t i;

	(void)ram;
	for (i = 0; i < WORDS; i++)
		p[i] = i;
}

static void copy_from(uint8_t *mem, uint8_t *ram)
{
	memcpy(ram, mem, BYTES);
}

static void copy_to(uint8_t *mem, uint8_t *ram)
{
	memcpy(mem, ram, BYTES);
}

typedef void window_fn(uint8_t *mem, uint8_t *ram);

static double window_rate(window_fn *fn, uint8_t *mem, uint8_t *ram)
{
	uint64_t start = bench_ns();
	unsigned int i;

	for (i = 0; i < PASSES; i++) {
		fn(mem, ram);
		/* Each pass is wanted. */
		__asm__ volatile("" : : "r"(mem), "r"(ram) : "memory");
	}
	return (double)(PASSES * BYTES) / (double)(bench_ns() - start);
}

/* What the CPU stores the device reads, and the other way round. */
static int check_window(struct bench *b, const struct window *w)
{
	struct alink_bo *bo = NULL;
	uint8_t *host;
	int err;

	err = bench_alloc(b, BYTES, ALINK_PLACE_HOST, &bo, &host);
	if (!err) {
		bench_pattern(w->ram, BYTES);
		copy_to(w->ours, w->ram);
		err = bench_copy(b, alink_bo_va(bo), alink_bo_va(w->bo),
				 BYTES);
	}
	if (!err && memcmp(host, w->ram, BYTES))
		err = bench_fail(b, -EILSEQ,
				 "WRONG: the device sees other HBM than the CPU");
	if (!err) {
		bench_pattern(host, BYTES);
		err = bench_copy(b, alink_bo_va(w->bo), alink_bo_va(bo),
				 BYTES);
	}
	if (!err && memcmp(host, w->ours, BYTES))
		err = bench_fail(b, -EILSEQ,
				 "WRONG: the CPU sees other HBM than the device");
	alink_bo_free(bo);
	return err;
}

/* --- rows ----------------------------------------------------------------- */

int bench_window(struct bench *b)
{
	static const struct {
		const char *what;
		window_fn *fn;
	} rows[] = {
		{ "HBM window, 8-byte loads", load_words },
		{ "HBM window, 8-byte stores", store_words },
		{ "HBM window, memcpy from it", copy_from },
		{ "HBM window, memcpy to it", copy_to },
	};
	struct window w = {};
	unsigned int i, j;
	int err;

	err = window_up(b, &w);
	if (!err)
		err = check_window(b, &w);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]) && !err; i++) {
		struct bench_row r = {
			.what = rows[i].what, .peer = "ivshmem",
			.unit = "GB/s", .bar = BENCH_BAR_WINDOW,
		};

		if (!w.other) {
			bench_absent(b, &r, "no ivshmem is there");
			continue;
		}
		/* Once to warm up */
		window_rate(rows[i].fn, w.ours, w.ram);
		window_rate(rows[i].fn, w.other, w.ram);
		for (j = 0; j < b->rounds; j++) {
			r.own[j] = window_rate(rows[i].fn, w.ours, w.ram);
			r.other[j] = window_rate(rows[i].fn, w.other, w.ram);
		}
		bench_row(b, &r, b->rounds);
	}
	window_down(&w);
	return err;
}
