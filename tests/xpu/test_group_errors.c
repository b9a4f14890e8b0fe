// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations on a group that fail because of a member: the switches count them,
 * and devlink has a reporter for that.
 */
#include <errno.h>
#include <stdlib.h>

#include <alink.h>

#include "kselftest_harness.h"
#include "xpu_health.h"
#include "xpu_lib.h"

#define SIZE		(64UL << 10)
#define PARTITION	1
#define WAIT_MS		60000
#define SWITCH		"/sys/class/alink/sw0/device"

FIXTURE(group)
{
	struct alink_ctx *ctx;
	struct alink_xpu *xpu[2];
	struct alink_bo *mem[2], *all, *out;
	uint32_t id;
	uint64_t key;
	char *sysfs;			/* of a switch */
};

FIXTURE_SETUP(group)
{
	struct alink_set members = {};
	int i;

	self->sysfs = realpath(SWITCH, NULL);
	ASSERT_NE(self->sysfs, NULL);
	ASSERT_EQ(alink_new(&self->ctx), 0);
	ASSERT_EQ(alink_fabric_up(self->ctx, PARTITION), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	alink_set_add(&members, 0);
	alink_set_add(&members, 1);
	ASSERT_EQ(alink_group_make(self->ctx, &members, &self->id, &self->key),
		  0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(alink_xpu_open(self->ctx, i, &self->xpu[i]), 0);
		ASSERT_EQ(alink_bo_alloc(self->xpu[i], SIZE, ALINK_PLACE_HBM,
					 &self->mem[i]), 0);
	}
	ASSERT_EQ(alink_bo_alloc(self->xpu[0], SIZE, ALINK_PLACE_HBM,
				 &self->out), 0);
	ASSERT_EQ(alink_group_bind(self->mem[0], self->id, self->key, 0, SIZE),
		  0);
	ASSERT_EQ(alink_group_map(self->xpu[0], self->id, self->key, SIZE,
				  &self->all), 0);
}

FIXTURE_TEARDOWN(group)
{
	int i;

	EXPECT_EQ(model_put("fab0", "x-mute", "\"1:0\""), 0);
	alink_bo_free(self->all);
	alink_bo_free(self->out);
	for (i = 0; i < 2; i++) {
		alink_bo_free(self->mem[i]);
		alink_xpu_close(self->xpu[i]);
	}
	EXPECT_EQ(alink_group_del(self->ctx, ALINK_ALL, self->id), 0);
	alink_free(self->ctx);
	free(self->sysfs);
}

/* One reducing read, on a queue of its own. Returns its status. */
static int reduce(struct __test_metadata *_metadata, FIXTURE_DATA(group) *self)
{
	struct alink_queue_state s;
	struct alink_queue *q;
	uint64_t seq;
	int err;

	ASSERT_EQ(alink_queue_open(self->xpu[0], 16, &q), 0);
	ASSERT_EQ(alink_cmd_reduce_read(q, alink_bo_va(self->out),
					alink_bo_va(self->all), SIZE,
					ALINK_DT_FP32, ALINK_OP_SUM, &seq), 0);
	err = alink_queue_wait(q, seq, WAIT_MS);
	alink_queue_state(q, &s);
	EXPECT_EQ(err, s.status ? -EIO : 0);
	alink_queue_close(q);
	return s.status;
}

static long inc(FIXTURE_DATA(group) *self, const char *command, const char *key)
{
	return health_number(self->sysfs, "inc", command, key);
}

TEST_F_TIMEOUT(group, errors_by_kind, 120)
{
	long silent = inc(self, "diagnose", "silent");
	long unbound = inc(self, "diagnose", "unbound");
	long refused = inc(self, "diagnose", "refused");
	long done = inc(self, "diagnose", "reductions");
	long reports = inc(self, "show", "error");

	ASSERT_GE(silent, 0);
	ASSERT_GE(reports, 0);
	EXPECT_EQ(reduce(_metadata, self), ALINK_ST_GROUP);
	EXPECT_EQ(inc(self, "diagnose", "unbound"), unbound + 1);
	EXPECT_TRUE(health_becomes(self->sysfs, "inc", "show", "error",
				   reports + 1));
	/* It is over at once. */
	EXPECT_TRUE(health_becomes(self->sysfs, "inc", "show", "state", 0));

	ASSERT_EQ(alink_group_bind(self->mem[1], self->id, self->key, 0, SIZE),
		  0);
	EXPECT_EQ(reduce(_metadata, self), ALINK_ST_OK);
	ASSERT_EQ(model_put("fab0", "x-mute", "\"1:1\""), 0);
	EXPECT_EQ(reduce(_metadata, self), ALINK_ST_UNREACHABLE);
	ASSERT_EQ(model_put("fab0", "x-mute", "\"1:0\""), 0);
	EXPECT_EQ(reduce(_metadata, self), ALINK_ST_OK);
	EXPECT_TRUE(health_becomes(self->sysfs, "inc", "show", "error",
				   reports + 2));
	EXPECT_EQ(inc(self, "diagnose", "silent"), silent + 1);
	EXPECT_EQ(inc(self, "diagnose", "unbound"), unbound + 1);
	EXPECT_EQ(inc(self, "diagnose", "refused"), refused);
	EXPECT_EQ(inc(self, "diagnose", "reductions"), done + 2);
	EXPECT_EQ(health_clear(self->sysfs, "inc"), 0);
}

TEST_HARNESS_MAIN
