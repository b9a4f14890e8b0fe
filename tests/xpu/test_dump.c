// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a developer gets of a failure: dump of the device, health of devlink,
 * recovery class.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_health.h"
#include "xpu_lib.h"
#include "xpu_trace.h"

#define VA_Q		0x20000000UL
#define DUMP_ROOM	(128 * 1024)
#define DUMP_MAX	(64 * 1024)
/* Command processor, bad command: 1 * 256 + 128 */
#define CODE		"384"

FIXTURE(dump)
{
	int fd;
	uint32_t vm;
	struct xq q;
	char sysfs[256];
	char *text;
};

/* There is no other dump of a device before that link of it is gone. */
static bool has_dump(const char *sysfs)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/devcoredump", sysfs);
	return !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* Who has read it, says so; a worker of the kernel then ends it. */
static bool forget_dump(const char *path)
{
	char link[PATH_MAX], device[PATH_MAX];
	int i;

	snprintf(link, sizeof(link), "%.*s/failing_device",
		 (int)(strrchr(path, '/') - path), path);
	if (!realpath(link, device))
		return false;
	write_file(path, "1");
	for (i = 0; i < 300 && has_dump(device); i++)
		usleep(100000);
	return !has_dump(device);
}

static void forget_dumps(void)
{
	glob_t found;
	size_t i;

	if (glob("/sys/class/devcoredump/devcd*/data", 0, NULL, &found))
		return;
	for (i = 0; i < found.gl_pathc; i++)
		forget_dump(found.gl_pathv[i]);
	globfree(&found);
}

FIXTURE_SETUP(dump)
{
	self->fd = xpu_open(0);
	if (self->fd == -ENODEV)
		SKIP(return, "no xPU");
	ASSERT_GE(self->fd, 0);
	forget_dumps();
	self->text = malloc(DUMP_ROOM);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
}

FIXTURE_TEARDOWN(dump)
{
	char path[512];

	/* No fault, no dump is left to the next test, and the device works. */
	if (self->fd >= 0)
		close(self->fd);
	snprintf(path, sizeof(path), "%s/reset", self->sysfs);
	EXPECT_EQ(write_file(path, "1"), 0);
	forget_dumps();
	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	EXPECT_EQ(xq_fill(&self->q, VA_Q + self->q.fence_offset + 64, 1, 4), 0);
	close(self->fd);
	free(self->text);
}

static const char *bdf(FIXTURE_DATA(dump) *self)
{
	return strrchr(self->sysfs, '/') + 1;
}

/* The dump of this device; false if there is none */
static bool dump_path(const char *sysfs, char *path, size_t room)
{
	char real[PATH_MAX], link[PATH_MAX];
	bool is_ours = false;
	glob_t found;
	size_t i;

	if (glob("/sys/class/devcoredump/devcd*", 0, NULL, &found))
		return false;
	for (i = 0; i < found.gl_pathc && !is_ours; i++) {
		snprintf(link, sizeof(link), "%s/failing_device",
			 found.gl_pathv[i]);
		is_ours = realpath(link, real) && !strcmp(real, sysfs);
		snprintf(path, room, "%s/data", found.gl_pathv[i]);
	}
	globfree(&found);
	return is_ours;
}

/* Polls: faults are told by a worker. */
static ssize_t dump_wait(FIXTURE_DATA(dump) *self, char *path, size_t room)
{
	int i;

	for (i = 0; i < 600; i++) {
		if (dump_path(self->sysfs, path, room))
			return read_file(path, self->text, DUMP_ROOM);
		usleep(100000);
	}
	return -ETIME;
}

static long health(FIXTURE_DATA(dump) *self, const char *command,
		   const char *key)
{
	return health_number(self->sysfs, "device", command, key);
}

static bool device_becomes(FIXTURE_DATA(dump) *self, const char *command,
			   const char *key, long value)
{
	return health_becomes(self->sysfs, "device", command, key, value);
}

/* A fault of the command processor, as the firmware would raise it */
static int inject(const char *rest)
{
	char value[64];

	snprintf(value, sizeof(value), "\"" CODE ":%s\"", rest);
	return model_put("xpu0", "x-fault", value);
}

TEST_F(dump, fault_leaves_what_a_developer_needs)
{
	struct alink_xpu_desc endless = {
		.opcode = ALINK_XPU_OP_WAIT,
		.subop = ALINK_WAIT_EQ,
		.src = 0x123456789,
		.dst = self->q.va + self->q.fence_offset + 8,
	};
	struct drm_alink_xpu_query_device d;
	char path[512], line[256];
	struct xq bad;

	ASSERT_EQ(xpu_device(self->fd, &d), 0);
	xq_push(&self->q, endless);
	xq_ring(&self->q);
	ASSERT_EQ(xq_open(&bad, self->fd, self->vm, VA_Q + LARGE, 64), 0);
	endless.opcode = 99;
	ASSERT_EQ(xq_run(&bad, endless, NULL), -EIO);
	ASSERT_EQ(inject("3:4096:7"), 0);
	ASSERT_GT(dump_wait(self, path, sizeof(path)), 0);
	EXPECT_LE(strlen(self->text), DUMP_MAX);

	EXPECT_NE(strstr(self->text, "reason: fault 1:128, recovery: device reset\n"),
		  NULL);
	EXPECT_NE(strstr(self->text, "kernel: 6."), NULL);
	snprintf(line, sizeof(line), "PCI %s\n", bdf(self));
	EXPECT_NE(strstr(self->text, line), NULL);
	snprintf(line, sizeof(line), "firmware: %u.%u.%u\n",
		 d.fw_version >> 24, (d.fw_version >> 16) & 0xff,
		 d.fw_version & 0xffff);
	EXPECT_NE(strstr(self->text, line), NULL);
	EXPECT_NE(strstr(self->text, "code 1:128, unit 7, address 0x1000, recovery device reset\n"),
		  NULL);
	EXPECT_NE(strstr(self->text, "REG_FAULT_CODE: 0x"), NULL);
	EXPECT_NE(strstr(self->text, "XPU_REG_COMMANDS: 0x"), NULL);
	EXPECT_NE(strstr(self->text, "running, in the device waiting, head 0, tail 1, "),
		  NULL);
	EXPECT_NE(strstr(self->text, "halted, in the device halted, head 0, tail 1, "),
		  NULL);
	snprintf(line, sizeof(line),
		 "  command: opcode 99, flags 0x3, dtype 0, subop %u, reserved 0x0, dst %#llx, src 0x123456789, ",
		 ALINK_WAIT_EQ, (unsigned long long)endless.dst);
	EXPECT_NE(strstr(self->text, line), NULL);
	snprintf(line, sizeof(line), "made by test_dump[%d]\n", getpid());
	EXPECT_NE(strstr(self->text, line), NULL);
	snprintf(line, sizeof(line), "  %#lx + %#lx: host + 0x0, rights 0x3\n",
		 VA_Q, self->q.bo_size);
	EXPECT_NE(strstr(self->text, line), NULL);
	EXPECT_NE(strstr(self->text, "link 0: state 2"), NULL);
	if (!__test_passed(_metadata))
		TH_LOG("%s", self->text);

	EXPECT_TRUE(forget_dump(path));
	EXPECT_FALSE(dump_path(self->sysfs, path, sizeof(path)));
	xq_close(&bad);
}

/* Root may read it, and finds states and addresses, but nobody's data. */
TEST_F(dump, has_nothing_out_of_memory)
{
	static const char secret[] = "0xdeadbeefcafef00d";
	const struct alink_xpu_desc d = {
		.opcode = 98, .user = 0xdeadbeefcafef00d,
	};
	char path[512];
	struct stat st;
	struct xq bad;
	uint32_t bo;
	void *p;

	ASSERT_EQ(gem_create(self->fd, HBM_CPU, PAGE, &bo), 0);
	p = gem_map(self->fd, bo, PAGE);
	ASSERT_NE(p, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA_Q + LARGE, PAGE, RW), 0);
	memcpy(p, secret, sizeof(secret));
	memcpy(self->q.ring, secret, sizeof(secret));
	((uint64_t *)p)[8] = 0xdeadbeefcafef00d;
	self->q.ring[1].user = 0xdeadbeefcafef00d;
	/* Of a command that failed the dump has what the device looked at. */
	ASSERT_EQ(xq_open(&bad, self->fd, self->vm, VA_Q + 2 * LARGE, 64), 0);
	xq_push(&bad, d);
	bad.ring[0].fence_value = 0xdeadbeefcafef00d;
	xq_ring(&bad);
	ASSERT_EQ(xq_wait(&bad, 20000, NULL), -EIO);
	ASSERT_EQ(inject("2:4096:1"), 0);
	ASSERT_GT(dump_wait(self, path, sizeof(path)), 0);
	EXPECT_NE(strstr(self->text, ": HBM + 0x0, rights 0x3\n"), NULL);
	EXPECT_NE(strstr(self->text, "  command: opcode 98, "), NULL);
	EXPECT_EQ(strstr(self->text, secret + 2), NULL);
	ASSERT_EQ(stat(path, &st), 0);
	EXPECT_EQ(st.st_uid, 0);
	EXPECT_EQ(st.st_mode & 0777, 0600);
	munmap(p, PAGE);
	xq_close(&bad);
}

TEST_F(dump, the_first_one_is_kept)
{
	long errors = health(self, "show", "error");
	char path[512];

	ASSERT_GE(errors, 0);
	ASSERT_EQ(inject("2:4096:1"), 0);
	ASSERT_GT(dump_wait(self, path, sizeof(path)), 0);
	EXPECT_NE(strstr(self->text, "address 0x1000,"), NULL);
	ASSERT_EQ(inject("2:8192:2"), 0);
	/* Told to devlink after its dump was made, and dropped */
	ASSERT_TRUE(device_becomes(self, "show", "error", errors + 2));
	ASSERT_GT(read_file(path, self->text, DUMP_ROOM), 0);
	EXPECT_NE(strstr(self->text, "address 0x1000,"), NULL);
	EXPECT_EQ(strstr(self->text, "address 0x2000,"), NULL);

	/* There is room again, and nothing was forgotten. */
	ASSERT_TRUE(forget_dump(path));
	ASSERT_EQ(inject("2:16384:4"), 0);
	ASSERT_GT(dump_wait(self, path, sizeof(path)), 0);
	EXPECT_NE(strstr(self->text, "address 0x1000,"), NULL);
	EXPECT_NE(strstr(self->text, "address 0x2000,"), NULL);
	EXPECT_NE(strstr(self->text, "address 0x4000,"), NULL);
}

TEST_F(dump, none_for_what_stopped_nothing)
{
	long errors = health(self, "show", "error");
	char path[512];

	ASSERT_GE(errors, 0);
	ASSERT_EQ(inject("1:4096:1"), 0);
	ASSERT_TRUE(device_becomes(self, "show", "error", errors + 1));
	EXPECT_FALSE(dump_path(self->sysfs, path, sizeof(path)));
	EXPECT_EQ(health(self, "diagnose", "recovery_class"),
		  ALINK_RECOVERY_RETRY);
	ASSERT_EQ(inject("2:8192:2"), 0);
	ASSERT_GT(dump_wait(self, path, sizeof(path)), 0);
	EXPECT_NE(strstr(self->text, "recovery: context reset\n"), NULL);
}

/* Also what stops nothing, and leaves no dump, is traced. */
TEST_F(dump, faults_are_traced)
{
	long errors = health(self, "show", "error");
	char text[128], *trace;

	ASSERT_GE(errors, 0);
	trace_start(_metadata);
	ASSERT_EQ(inject("1:4096:5"), 0);
	ASSERT_EQ(inject("2:8192:6"), 0);
	ASSERT_EQ(inject("3:12288:7"), 0);
	ASSERT_TRUE(device_becomes(self, "show", "error", errors + 3));
	trace = trace_stop();

	snprintf(text, sizeof(text),
		 ": dev=%s code=1:128 unit=5 addr=0x1000 recovery=retry",
		 bdf(self));
	EXPECT_EQ(traced(trace, "alink_xpu_fault", text), 1);
	snprintf(text, sizeof(text),
		 ": dev=%s code=1:128 unit=6 addr=0x2000 recovery=context reset",
		 bdf(self));
	EXPECT_EQ(traced(trace, "alink_xpu_fault", text), 1);
	snprintf(text, sizeof(text),
		 ": dev=%s code=1:128 unit=7 addr=0x3000 recovery=device reset",
		 bdf(self));
	EXPECT_EQ(traced(trace, "alink_xpu_fault", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_fault", ""), 3);
	if (!__test_passed(_metadata))
		TH_LOG("%s", trace);
	free(trace);
}

TEST_F(dump, health_waits_for_the_administrator)
{
	struct drm_alink_xpu_query_device before, after;
	long errors = health(self, "show", "error");
	char line[128];
	uint32_t state;

	ASSERT_GE(errors, 0);
	ASSERT_EQ(xpu_device(self->fd, &before), 0);
	EXPECT_EQ(health(self, "show", "state"), 0);

	/* A queue that halted is its user's affair. */
	ASSERT_EQ(inject("2:4096:1"), 0);
	ASSERT_TRUE(device_becomes(self, "show", "error", errors + 1));
	EXPECT_TRUE(device_becomes(self, "show", "state", 0));

	ASSERT_EQ(inject("3:8192:2"), 0);
	ASSERT_TRUE(device_becomes(self, "show", "error", errors + 2));
	EXPECT_TRUE(device_becomes(self, "show", "state", 1));
	EXPECT_EQ(health(self, "diagnose", "recovery_class"),
		  ALINK_RECOVERY_DEVICE);
	ASSERT_EQ(xpu_device(self->fd, &after), 0);
	EXPECT_EQ(after.generation, before.generation);

	snprintf(line, sizeof(line),
		 "devlink health recover pci/%s reporter device", bdf(self));
	EXPECT_EQ(system(line), 0);
	EXPECT_EQ(health(self, "show", "state"), 0);
	ASSERT_EQ(xpu_device(self->fd, &after), 0);
	EXPECT_EQ(after.generation, before.generation + 1);
	EXPECT_EQ(queue_state(self->fd, self->q.id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_CANCELED);
}

/* A reset ends what was there before it, also what is told only after it. */
TEST_F(dump, health_is_what_is_true)
{
	struct drm_alink_xpu_query_device before, after;
	char path[512], line[128];
	unsigned int i;

	snprintf(path, sizeof(path), "%s/reset", self->sysfs);
	for (i = 1; i <= 8; i++) {
		ASSERT_EQ(inject("3:8192:2"), 0);
		ASSERT_EQ(write_file(path, "1"), 0);
		/* A report may come late, or be lost with the event ring. */
		sleep(1);
		EXPECT_TRUE(device_becomes(self, "show", "state", 0));
	}

	/* Of what was told late, too */
	sleep(2);
	EXPECT_EQ(health(self, "show", "state"), 0);
	/* And there is nothing to recover from. */
	ASSERT_EQ(xpu_device(self->fd, &before), 0);
	snprintf(line, sizeof(line),
		 "devlink health recover pci/%s reporter device", bdf(self));
	EXPECT_EQ(system(line), 0);
	ASSERT_EQ(xpu_device(self->fd, &after), 0);
	EXPECT_EQ(after.generation, before.generation);
}

TEST_F_TIMEOUT(dump, of_a_reset_that_does_not_end, 120)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/reset", self->sysfs);
	ASSERT_EQ(model_put("xpu0", "x-reset-us", "600000000"), 0);
	/* It is done, as far as the PCI core knows. */
	EXPECT_EQ(write_file(path, "1"), 0);
	ASSERT_EQ(model_put("xpu0", "x-reset-us", "0"), 0);
	EXPECT_GT(dump_wait(self, path, sizeof(path)), 0);
	EXPECT_NE(strstr(self->text, "reason: device did not come back from reset\n"),
		  NULL);
	EXPECT_NE(strstr(self->text, "driver state: failed,"), NULL);
	EXPECT_TRUE(device_becomes(self, "show", "state", 1));

	snprintf(path, sizeof(path), "%s/reset", self->sysfs);
	EXPECT_EQ(write_file(path, "1"), 0);
	EXPECT_TRUE(device_becomes(self, "show", "state", 0));
}

TEST_F_TIMEOUT(dump, of_a_device_that_does_not_answer, 120)
{
	char path[512];
	uint32_t vm;

	ASSERT_EQ(model_set("xpu0", "x-admin-stuck", true), 0);
	EXPECT_EQ(vm_create(self->fd, &vm), -EIO);
	ASSERT_EQ(model_set("xpu0", "x-admin-stuck", false), 0);
	ASSERT_GT(dump_wait(self, path, sizeof(path)), 0);
	EXPECT_NE(strstr(self->text, "reason: a command timed out\n"), NULL);
	EXPECT_NE(strstr(self->text, "driver state: failed,"), NULL);
	/* From before the reset that followed */
	EXPECT_NE(strstr(self->text, "canceled, in the device idle,"), NULL);
}

TEST_F_TIMEOUT(dump, of_firmware_that_hangs, 120)
{
	char path[512];

	ASSERT_EQ(model_set("xpu0", "x-heartbeat-stuck", true), 0);
	EXPECT_GT(dump_wait(self, path, sizeof(path)), 0);
	ASSERT_EQ(model_set("xpu0", "x-heartbeat-stuck", false), 0);
	EXPECT_NE(strstr(self->text, "reason: firmware hangs: no heartbeat\n"),
		  NULL);
	EXPECT_TRUE(device_becomes(self, "show", "state", 1));
	snprintf(path, sizeof(path), "%s/reset", self->sysfs);
	EXPECT_EQ(write_file(path, "1"), 0);
	EXPECT_TRUE(device_becomes(self, "show", "state", 0));
}

/* Taken before the queue was ended; told once, as one for its user to mend */
TEST_F_TIMEOUT(dump, of_a_queue_that_is_stuck, 240)
{
	const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };
	long errors = health(self, "show", "error");
	long hung = health(self, "diagnose", "hung_queues");
	long resets = health(self, "diagnose", "hang_resets");
	long halted = health(self, "diagnose", "queue_errors");
	unsigned int id = xq_device_queue(&self->q);
	char path[512], line[256];
	int err;

	ASSERT_GE(errors, 0);
	ASSERT_GE(hung, 0);
	ASSERT_GE(resets, 0);
	ASSERT_EQ(xq_stick(&self->q, "x-queue-stuck"), 0);
	xq_push(&self->q, nop);
	xq_ring(&self->q);
	err = xq_wait(&self->q, 120000, NULL);
	ASSERT_EQ(model_put("xpu0", "x-queue-stuck", "0"), 0);
	ASSERT_EQ(err, -EIO);
	ASSERT_GT(dump_wait(self, path, sizeof(path)), 0);
	snprintf(line, sizeof(line), "reason: queue %u is stuck\n", id);
	EXPECT_NE(strstr(self->text, line), NULL);
	snprintf(line, sizeof(line),
		 "code 63:130, unit %u, address %#lx, recovery context reset\n",
		 id, VA_Q);
	EXPECT_NE(strstr(self->text, line), NULL);
	EXPECT_NE(strstr(self->text, "running, in the device active, head 0, tail 1, "),
		  NULL);
	snprintf(line, sizeof(line),
		 ", error made no progress at descriptor 0, address %#lx\n",
		 VA_Q);
	EXPECT_NE(strstr(self->text, line), NULL);
	if (!__test_passed(_metadata))
		TH_LOG("%s", self->text);

	ASSERT_TRUE(device_becomes(self, "show", "error", errors + 1));
	EXPECT_TRUE(device_becomes(self, "show", "state", 0));
	EXPECT_EQ(health(self, "diagnose", "recovery_class"),
		  ALINK_RECOVERY_CONTEXT);
	EXPECT_EQ(health(self, "diagnose", "hung_queues"), hung + 1);
	EXPECT_EQ(health(self, "diagnose", "hang_resets"), resets);
	EXPECT_EQ(health(self, "diagnose", "queue_errors"), halted + 1);
	EXPECT_EQ(health(self, "show", "error"), errors + 1);
	EXPECT_TRUE(forget_dump(path));
	EXPECT_FALSE(has_dump(self->sysfs));
}

/* Nothing of the module is needed to read a dump, or to end it. */
TEST_F_TIMEOUT(dump, outlives_the_driver, 120)
{
	char path[512], again[512];

	ASSERT_EQ(inject("2:4096:1"), 0);
	ASSERT_GT(dump_wait(self, path, sizeof(path)), 0);
	close(self->fd);
	munmap((void *)((uintptr_t)self->q.doorbell & ~(PAGE - 1)), PAGE);
	munmap(self->q.ring, self->q.bo_size);
	self->fd = -1;
	ASSERT_EQ(system("modprobe -r alink_xpu"), 0);
	EXPECT_NE(access("/sys/module/alink_xpu", F_OK), 0);
	EXPECT_TRUE(dump_path(self->sysfs, again, sizeof(again)));
	EXPECT_STREQ(again, path);
	EXPECT_GT(read_file(path, self->text, DUMP_ROOM), 0);
	EXPECT_NE(strstr(self->text, "address 0x1000,"), NULL);
	EXPECT_TRUE(forget_dump(path));
	ASSERT_EQ(system("modprobe alink_xpu"), 0);
}

TEST_HARNESS_MAIN
