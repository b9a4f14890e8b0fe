// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of user space whose translation is taken away behind the back of the
 * driver: what an engine makes of it, and that all goes on afterwards. Needs
 * alink_iommu_probe.ko; run by guest_iommu.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"

#define PROBE	"/sys/kernel/debug/alink_iommu_probe"
#define SIZE	(64UL << 10)
#define PAGE	4096UL

FIXTURE(engine)
{
	struct alink_ctx *ctx;
	struct alink_xpu *xpu;
	struct alink_bo *hbm;
	struct alink_bo *host;
	uint8_t *hbm_map;
	uint8_t *map;
	char bdf[32];
};

static int probe_cmd(const char *text)
{
	int fd = open(PROBE, O_RDWR | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? (int)n : 0;
}

/* Takes away the translation of one page of the buffer. */
static int steal(FIXTURE_DATA(engine) *self, size_t offset)
{
	char cmd[80];

	snprintf(cmd, sizeof(cmd), "steal %s %#lx", self->bdf,
		 (unsigned long)(self->map + offset));
	return probe_cmd(cmd);
}

FIXTURE_SETUP(engine)
{
	struct alink_device_info *dev;
	size_t n, i;

	ASSERT_EQ(0, alink_new(&self->ctx));
	ASSERT_EQ(0, alink_devices(self->ctx, &dev, &n));
	for (i = 0; i < n && dev[i].type != ALINK_DEVTYPE_XPU; i++)
		;
	ASSERT_LT(i, n);
	snprintf(self->bdf, sizeof(self->bdf), "%s", dev[i].pci);
	ASSERT_EQ(0, alink_xpu_open(self->ctx, dev[i].fabric_id, &self->xpu));
	free(dev);
	ASSERT_EQ(0, alink_bo_alloc(self->xpu, SIZE, ALINK_PLACE_HBM_CPU,
				    &self->hbm));
	ASSERT_EQ(0, alink_bo_alloc(self->xpu, SIZE, ALINK_PLACE_HOST,
				    &self->host));
	self->hbm_map = alink_bo_map(self->hbm);
	self->map = alink_bo_map(self->host);
	ASSERT_NE(NULL, self->hbm_map);
	ASSERT_NE(NULL, self->map);
	memset(self->hbm_map, 0x77, SIZE);
	memset(self->map, 0x11, SIZE);
}

FIXTURE_TEARDOWN(engine)
{
	alink_bo_free(self->host);
	alink_bo_free(self->hbm);
	alink_xpu_close(self->xpu);
	alink_free(self->ctx);
}

static enum alink_status copy(struct __test_metadata *_metadata,
			      FIXTURE_DATA(engine) *self, struct alink_bo *dst,
			      struct alink_bo *src)
{
	struct alink_queue_state state;
	struct alink_queue *q;
	uint64_t seq;
	int err;

	ASSERT_EQ(0, alink_queue_open(self->xpu, 4, &q));
	ASSERT_EQ(0, alink_cmd_copy(q, alink_bo_va(dst), alink_bo_va(src), SIZE,
				    &seq));
	err = alink_queue_wait(q, seq, 20000);
	alink_queue_state(q, &state);
	alink_queue_close(q);
	EXPECT_EQ(state.status == ALINK_ST_OK ? 0 : -EIO, err);
	return state.status;
}

TEST_F(engine, write_to_a_page_that_is_gone)
{
	size_t i;

	ASSERT_EQ(ALINK_ST_OK, copy(_metadata, self, self->host, self->hbm));
	EXPECT_EQ(0x77, self->map[SIZE - 1]);
	memset(self->map, 0x11, SIZE);
	ASSERT_EQ(0, steal(self, 5 * PAGE));
	EXPECT_EQ(ALINK_ST_DMA, copy(_metadata, self, self->host, self->hbm));
	for (i = 5 * PAGE; i < 6 * PAGE; i++)
		ASSERT_EQ(0x11, self->map[i]);
	ASSERT_EQ(0, probe_cmd("restore"));
	EXPECT_EQ(ALINK_ST_OK, copy(_metadata, self, self->host, self->hbm));
	EXPECT_EQ(0x77, self->map[5 * PAGE]);
}

TEST_F(engine, read_of_a_page_that_is_gone)
{
	ASSERT_EQ(0, steal(self, 0));
	EXPECT_EQ(ALINK_ST_DMA, copy(_metadata, self, self->hbm, self->host));
	ASSERT_EQ(0, probe_cmd("restore"));
	EXPECT_EQ(ALINK_ST_OK, copy(_metadata, self, self->hbm, self->host));
	EXPECT_EQ(0x11, self->hbm_map[0]);
}

TEST_HARNESS_MAIN
