// SPDX-License-Identifier: GPL-2.0-only
/*
 * fdinfo as a monitor reads it that knows DRM's usage stats and nothing of this
 * driver: Documentation/gpu/drm-usage-stats.rst of the kernel. The parser takes
 * what that allows, and fails on all else.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA	0x10000000UL
#define VA_Q	0x20000000UL
#define END	0x123456789UL	/* what xq_push_endless() waits for */

/* --- the parser ----------------------------------------------------------- */

#define MAX_KEYS	128
#define MAX_NAMES	8

struct engine {
	char name[32];
	uint64_t ns;
	uint64_t capacity;
	bool has_ns;
};

enum { TOTAL, SHARED, RESIDENT, PURGEABLE, ACTIVE, NUM_STATS };

static const char *const stat_name[NUM_STATS] = {
	"total-", "shared-", "resident-", "purgeable-", "active-",
};

struct region {
	char name[32];
	uint64_t stat[NUM_STATS];
	bool has[NUM_STATS];
};

struct usage {
	char driver[32];
	char pdev[32];
	int64_t client_id;		/* -1: none */
	struct engine engine[MAX_NAMES];
	unsigned int num_engines;
	struct region region[MAX_NAMES];
	unsigned int num_regions;
};

/* What follows a prefix, or NULL */
static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) ? NULL : text + len;
}

/* <uint>, and what comes behind it: a unit, or nothing */
static bool number(const char *text, uint64_t *n, const char **unit)
{
	char *end;

	/* strtoull() takes blanks and signs. */
	if (!isdigit(*text))
		return false;
	errno = 0;
	*n = strtoull(text, &end, 10);
	*unit = end;
	return !errno;
}

static bool plain_number(const char *text, uint64_t *n)
{
	const char *unit;

	return number(text, n, &unit) && !*unit;
}

static bool number_of_bytes(const char *text, uint64_t *n)
{
	const char *unit;
	unsigned int shift;

	if (!number(text, n, &unit))
		return false;
	if (!*unit)
		return true;
	if (!strcmp(unit, " KiB"))
		shift = 10;
	else if (!strcmp(unit, " MiB"))
		shift = 20;
	else
		return false;
	if (*n > UINT64_MAX >> shift)
		return false;
	*n <<= shift;
	return true;
}

/* The entry of a name, which may be new; NULL: no name, or too many */
static struct engine *engine_of(struct usage *u, const char *name)
{
	struct engine *e;
	unsigned int i;

	for (i = 0; i < u->num_engines; i++)
		if (!strcmp(u->engine[i].name, name))
			return &u->engine[i];
	if (!*name || strlen(name) >= sizeof(e->name) ||
	    u->num_engines == MAX_NAMES)
		return NULL;
	e = &u->engine[u->num_engines++];
	strcpy(e->name, name);
	return e;
}

static struct region *region_of(struct usage *u, const char *name)
{
	struct region *r;
	unsigned int i;

	for (i = 0; i < u->num_regions; i++)
		if (!strcmp(u->region[i].name, name))
			return &u->region[i];
	if (!*name || strlen(name) >= sizeof(r->name) ||
	    u->num_regions == MAX_NAMES)
		return NULL;
	r = &u->region[u->num_regions++];
	strcpy(r->name, name);
	return r;
}

/* aaaa:bb:cc.d */
static bool is_pci_slot(const char *text)
{
	static const char form[] = "xxxx:xx:xx.x";
	size_t i;

	if (strlen(text) != strlen(form))
		return false;
	for (i = 0; form[i]; i++)
		if (form[i] == 'x' ? !isxdigit(text[i]) : text[i] != form[i])
			return false;
	return true;
}

static bool take_engine(struct usage *u, const char *name, const char *value)
{
	struct engine *e = engine_of(u, name);
	const char *unit;

	if (!e || !number(value, &e->ns, &unit) || strcmp(unit, " ns"))
		return false;
	e->has_ns = true;
	return true;
}

static bool take_capacity(struct usage *u, const char *name, const char *value)
{
	struct engine *e = engine_of(u, name);

	return e && plain_number(value, &e->capacity) && e->capacity;
}

/* A standard key, without "drm-"; those of cycles are for what has a clock. */
static bool take_key(struct usage *u, const char *key, const char *value)
{
	struct region *r;
	const char *name;
	uint64_t n;
	int i;

	if (!strcmp(key, "driver")) {
		snprintf(u->driver, sizeof(u->driver), "%s", value);
		return true;
	}
	if (!strcmp(key, "pdev")) {
		snprintf(u->pdev, sizeof(u->pdev), "%s", value);
		return is_pci_slot(value);
	}
	if (!strcmp(key, "client-id")) {
		if (!plain_number(value, &n) || n > INT64_MAX)
			return false;
		u->client_id = n;
		return true;
	}
	name = after(key, "engine-capacity-");
	if (name)
		return take_capacity(u, name, value);
	name = after(key, "engine-");
	if (name)
		return take_engine(u, name, value);
	for (i = 0; i < NUM_STATS; i++) {
		name = after(key, stat_name[i]);
		if (!name)
			continue;
		r = region_of(u, name);
		if (!r || !number_of_bytes(value, &r->stat[i]))
			return false;
		r->has[i] = true;
		return true;
	}
	return false;
}

/* What one key has to do with another. NULL, or what is wrong */
static const char *check(const struct usage *u)
{
	const struct region *r;
	unsigned int i;

	if (!*u->driver)
		return "no drm-driver";
	/* Ids may be unique within a device only. */
	if (u->client_id >= 0 && !*u->pdev)
		return "drm-client-id, but no drm-pdev";
	for (i = 0; i < u->num_engines; i++)
		if (!u->engine[i].has_ns)
			return "capacity of no engine";
	for (r = u->region; r < u->region + u->num_regions; r++) {
		if (!r->has[TOTAL])
			return "a region without its total";
		if (r->stat[SHARED] > r->stat[TOTAL] ||
		    r->stat[RESIDENT] > r->stat[TOTAL])
			return "more than all";
		if (r->has[RESIDENT] &&
		    (r->stat[ACTIVE] > r->stat[RESIDENT] ||
		     r->stat[PURGEABLE] > r->stat[RESIDENT]))
			return "more than is resident";
	}
	return NULL;
}

/* What the kernel has of any file; behind them it may show locks. */
static bool is_of_all_files(const char *key)
{
	return !strcmp(key, "pos") || !strcmp(key, "flags") ||
	       !strcmp(key, "mnt_id") || !strcmp(key, "ino");
}

/*
 * One line, without its end, which is cut into key and value. The keys of a
 * driver begin with its name, which has to come first.
 */
static bool take_line(struct usage *u, char *line, char **key)
{
	char *value = strchr(line, ':');
	const char *own;

	*key = line;
	if (!value || value == line)
		return false;
	*value++ = '\0';
	if (strpbrk(line, " \t"))
		return false;
	value += strspn(value, " \t");
	if (!*value || isspace(value[strlen(value) - 1]))
		return false;
	if (!strncmp(line, "drm-", 4))
		return take_key(u, line + 4, value);
	if (!*u->driver)
		return is_of_all_files(line);
	own = after(line, u->driver);
	return own && own[0] == '-' && own[1];
}

/* NULL, or what is wrong. @text is cut into pieces. */
static const char *parse(struct usage *u, char *text)
{
	static char why[256];
	char *key[MAX_KEYS], *end;
	int i, num = 0;

	memset(u, 0, sizeof(*u));
	u->client_id = -1;
	for (; *text; text = end + 1) {
		end = strchr(text, '\n');
		if (!end)
			return "the last line has no end";
		*end = '\0';
		snprintf(why, sizeof(why), "%.200s", text);
		if (num == MAX_KEYS || !take_line(u, text, &key[num]))
			return why;
		for (i = 0; i < num; i++)
			if (!strcmp(key[i], key[num]))
				return why;
		num++;
	}
	return check(u);
}

/* --- the parser's teeth --------------------------------------------------- */

#define HEAD	"pos:\t0\nflags:\t02100002\nmnt_id:\t26\nino:\t5\n" \
		"drm-driver:\talink_xpu\ndrm-client-id:\t3\n" \
		"drm-pdev:\t0000:05:00.0\n"

static const char *const good[] = {
	HEAD,
	"drm-driver: some driver\n",
	HEAD "drm-engine-dma:\t5 ns\ndrm-engine-capacity-dma:  16\n",
	HEAD "drm-engine-capacity-dma:\t1\ndrm-engine-dma:\t0 ns\n",
	HEAD "drm-total-hbm:\t3 MiB\ndrm-shared-hbm:\t3072 KiB\n"
	     "drm-resident-hbm:\t5\ndrm-active-hbm:\t5\n",
	HEAD "alink_xpu-evicted-hbm:\t0 KiB\nalink_xpu-note: a b\n",
};

static const char *const bad[] = {
	"",
	"drm-pdev:\t0000:05:00.0\n",
	"drm-driver:\talink_xpu\ndrm-client-id:\t3\n",
	HEAD "drm-driver:\talink_xpu\n",
	HEAD "drm-engine-dma:\t5 ns",
	HEAD "drm-engine-dma:\t5\n",
	HEAD "drm-engine-dma:\t5 us\n",
	HEAD "drm-engine-dma:\t5ns\n",
	HEAD "drm-engine-dma:\t5 ns \n",
	HEAD "drm-engine-dma:\t-5 ns\n",
	HEAD "drm-engine-dma:\t0x5 ns\n",
	HEAD "drm-engine-dma:\t18446744073709551616 ns\n",
	HEAD "drm-engine-dma:\t\n",
	HEAD "drm-engine-dma\t5 ns\n",
	HEAD "drm-engine dma:\t5 ns\n",
	HEAD "drm-engine-:\t5 ns\n",
	HEAD "drm-engine-dma:\t5 ns\ndrm-engine-dma:\t6 ns\n",
	HEAD "drm-engine-capacity-dma:\t16\n",
	HEAD "drm-engine-dma:\t5 ns\ndrm-engine-capacity-dma:\t0\n",
	HEAD "drm-engine-dma:\t5 ns\ndrm-engine-capacity-dma:\t4 ns\n",
	HEAD "drm-total-hbm:\t3 GiB\n",
	HEAD "drm-total-hbm:\t3 kB\n",
	HEAD "drm-total-hbm:\t3MiB\n",
	HEAD "drm-total-hbm:\t17592186044416 MiB\n",
	HEAD "drm-shared-hbm:\t3\n",
	HEAD "drm-total-hbm:\t3\ndrm-shared-hbm:\t4\n",
	HEAD "drm-total-hbm:\t3\ndrm-resident-hbm:\t4\n",
	HEAD "drm-total-hbm:\t3\ndrm-resident-hbm:\t2\ndrm-active-hbm:\t3\n",
	HEAD "drm-total-hbm:\t3\ndrm-resident-hbm:\t2\ndrm-purgeable-hbm:\t3\n",
	HEAD "drm-total-hbm:\t3\ndrm-used-hbm:\t3\n",
	HEAD "drm-pdev2:\t0000:05:00.0\n",
	"drm-driver:\talink_xpu\ndrm-pdev:\t05:00.0\n",
	"drm-driver:\talink_xpu\ndrm-pdev:\t0000:05:00:0\n",
	"drm-driver:\talink_xpu\ndrm-pdev:\t0000:05:00.0\n"
	"drm-client-id:\t3 KiB\n",
	HEAD "evicted-hbm:\t0\n",
	HEAD "alink_xpu_evicted-hbm:\t0\n",
	HEAD "alink_xpu-:\t0\n",
	HEAD "\n",
	"alink_xpu-early:\t1\n" HEAD,
	"size:\t0\n" HEAD,
};

TEST(the_parser_has_teeth)
{
	struct usage u;
	const char *why;
	size_t i;
	char *text;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		text = strdup(good[i]);
		why = parse(&u, text);
		EXPECT_EQ(why, NULL) {
			TH_LOG("good %zu: %s", i, why);
		}
		free(text);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		text = strdup(bad[i]);
		EXPECT_NE(parse(&u, text), NULL) {
			TH_LOG("bad %zu is taken:\n%s", i, bad[i]);
		}
		free(text);
	}
}

/* --- what this driver shows ----------------------------------------------- */

FIXTURE(client)
{
	int fd;
	uint32_t vm;
	struct xq q;
	char sysfs[256];
};

FIXTURE_SETUP(client)
{
	self->fd = xpu_open(0);
	if (self->fd == -ENODEV)
		SKIP(return, "no xPU");
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
}

FIXTURE_TEARDOWN(client)
{
	xq_close(&self->q);
	close(self->fd);
}

/* Of any process; anything that cannot be parsed is a failure. */
static void look_at(struct __test_metadata *_metadata, struct usage *u,
		    pid_t pid, int fd)
{
	static char text[65536];
	const char *why;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	EXPECT_GT(read_file(path, text, sizeof(text)), 0);
	why = parse(u, text);
	EXPECT_EQ(why, NULL) {
		TH_LOG("%s: %s", path, why);
	}
}

static void look(struct __test_metadata *_metadata, struct usage *u, int fd)
{
	look_at(_metadata, u, getpid(), fd);
}

static uint64_t stat_of(const struct usage *u, const char *region, int stat)
{
	const struct region *r;

	for (r = u->region; r < u->region + u->num_regions; r++)
		if (!strcmp(r->name, region))
			return r->has[stat] ? r->stat[stat] : ~0ULL;
	return ~0ULL;
}

/* States of queues change a moment after the doorbell. */
static uint64_t becomes(struct __test_metadata *_metadata, int fd,
			const char *region, int stat, uint64_t want)
{
	struct usage u;
	int i;

	for (i = 0; i < 2000; i++) {
		look(_metadata, &u, fd);
		if (stat_of(&u, region, stat) == want)
			break;
		usleep(5000);
	}
	return stat_of(&u, region, stat);
}

TEST_F(client, all_that_there_is)
{
	struct drm_alink_xpu_query_device d;
	struct usage u;
	unsigned int i;

	ASSERT_EQ(xpu_device(self->fd, &d), 0);
	look(_metadata, &u, self->fd);
	EXPECT_STREQ(u.driver, "alink_xpu");
	EXPECT_STREQ(u.pdev, strrchr(self->sysfs, '/') + 1);
	EXPECT_GE(u.client_id, 0);
	ASSERT_EQ(u.num_engines, 2);
	EXPECT_STREQ(u.engine[0].name, "dma");
	EXPECT_EQ(u.engine[0].capacity, d.num_rings);
	EXPECT_STREQ(u.engine[1].name, "compute");
	EXPECT_EQ(u.engine[1].capacity, d.num_rings);
	ASSERT_EQ(u.num_regions, 2);
	EXPECT_STREQ(u.region[0].name, "hbm");
	EXPECT_STREQ(u.region[1].name, "system");
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(u.region[i].has[SHARED]);
		EXPECT_TRUE(u.region[i].has[RESIDENT]);
		EXPECT_TRUE(u.region[i].has[ACTIVE]);
		/* The kernel throws nobody's memory away. */
		EXPECT_FALSE(u.region[i].has[PURGEABLE]);
	}
}

/* Who adds files up must not count one twice, nor miss one. */
TEST_F(client, one_id_for_each_open_file)
{
	enum { NUM = 16 };
	struct usage u, same;
	int64_t id[NUM + 1];
	int fd[NUM], i, k;
	pid_t pid;

	look(_metadata, &u, self->fd);
	id[NUM] = u.client_id;
	for (i = 0; i < NUM; i++) {
		fd[i] = xpu_open(i % 2);
		ASSERT_GE(fd[i], 0);
		look(_metadata, &u, fd[i]);
		id[i] = u.client_id;
	}
	for (i = 0; i < NUM; i++)
		for (k = i + 1; k <= NUM; k++)
			EXPECT_NE(id[i], id[k]);
	for (i = 0; i < NUM; i++)
		close(fd[i]);

	/* One open file, by another number and in another process */
	fd[0] = dup(self->fd);
	ASSERT_GE(fd[0], 0);
	look(_metadata, &same, fd[0]);
	EXPECT_EQ(same.client_id, id[NUM]);
	close(fd[0]);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	ASSERT_GT(pid, 0);
	look_at(_metadata, &same, pid, self->fd);
	EXPECT_EQ(same.client_id, id[NUM]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Of a process that knows nothing of it, as root's monitor does */
TEST_F(client, of_another_process)
{
	int ready[2], fd = -1;
	struct usage u;
	uint32_t bo;
	pid_t pid;

	ASSERT_EQ(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		fd = xpu_open(0);
		if (fd < 0 || gem_create(fd, HBM, 3 * MIB, &bo) ||
		    write(ready[1], &fd, sizeof(fd)) != sizeof(fd))
			_exit(1);
		pause();
		_exit(1);
	}
	ASSERT_GT(pid, 0);
	ASSERT_EQ(read(ready[0], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
	look_at(_metadata, &u, pid, fd);
	EXPECT_EQ(stat_of(&u, "hbm", TOTAL), 3 * MIB);
	EXPECT_EQ(stat_of(&u, "hbm", RESIDENT), 3 * MIB);
	EXPECT_EQ(stat_of(&u, "hbm", ACTIVE), 0);
	EXPECT_EQ(stat_of(&u, "system", TOTAL), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

/*
 * Busy time divided by capacity and time is a share: it never goes back, and is
 * not above 1, whatever comes and goes.
 */
TEST_F(client, engine_time_is_a_share)
{
	int64_t start, end, step;
	struct usage last, now;
	char path[512];
	struct xq q;
	uint32_t bo;
	int i;

	ASSERT_EQ(gem_create(self->fd, HBM, 32 * MIB, &bo), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, 32 * MIB, RW), 0);
	snprintf(path, sizeof(path), "%s/reset", self->sysfs);
	look(_metadata, &last, self->fd);
	start = now_ns();
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 16), 0);
		ASSERT_EQ(xq_fill(&q, VA, i, 32 * MIB), 0);
		/* With the queue there, gone, and what it ran on gone too */
		if (i % 2)
			xq_close(&q);
		if (i == 4)
			ASSERT_EQ(write_file(path, "1"), 0);
		look(_metadata, &now, self->fd);
		end = now_ns();
		ASSERT_EQ(now.num_engines, 2);
		EXPECT_GT(now.engine[0].ns, last.engine[0].ns);
		step = now.engine[0].ns - last.engine[0].ns;
		EXPECT_LE(step, (end - start) *
			  (int64_t)now.engine[0].capacity);
		last = now;
		start = end;
		if (!(i % 2))
			xq_close(&q);
	}
}

/* GEMM of zeros, all three matrices of @dim x @dim */
static struct alink_xpu_desc gemm_at(struct alink_xpu_compute *block,
				     uint64_t block_va, uint64_t va,
				     uint32_t dim)
{
	const uint64_t row = 4UL * dim;

	*block = (struct alink_xpu_compute) {
		.m = dim, .n = dim, .k = dim,
		.a = { .addr = va, .stride = row, .dtype = ALINK_DT_FP32 },
		.b = { .addr = va + dim * row, .stride = row,
		       .dtype = ALINK_DT_FP32 },
		.dst = { .addr = va + 2 * dim * row, .stride = row,
			 .dtype = ALINK_DT_FP32 },
	};
	return (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_COMPUTE, .subop = ALINK_XPU_FN_GEMM,
		.src = block_va, .len = sizeof(*block),
	};
}

/* Each engine has its own time: it grows by its own work alone. */
TEST_F(client, rings_and_compute_engines_apart)
{
	enum { DMA, COMPUTE };
	struct drm_alink_xpu_query_counters c;
	struct usage last, now;
	struct alink_xpu_desc gemm;
	uint32_t bo, block;
	struct xq q;
	void *mem;
	int i;

	ASSERT_EQ(gem_create(self->fd, HBM, 32 * MIB, &bo), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, 32 * MIB, RW), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, PAGE, &block), 0);
	mem = gem_map(self->fd, block, PAGE);
	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, block, 0, VA_Q + 2 * LARGE, PAGE,
			 RW), 0);
	gemm = gemm_at(mem, VA_Q + 2 * LARGE, VA, 512);
	look(_metadata, &last, self->fd);
	EXPECT_EQ(last.engine[COMPUTE].ns, 0);
	for (i = 0; i < 4; i++) {
		/* Looked at while the queue is there, and when it has gone */
		ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 16), 0);
		ASSERT_EQ(xq_run(&q, gemm, NULL), 0);
		if (i % 2)
			xq_close(&q);
		look(_metadata, &now, self->fd);
		EXPECT_GT(now.engine[COMPUTE].ns, last.engine[COMPUTE].ns);
		EXPECT_GE(now.engine[DMA].ns, last.engine[DMA].ns);
		if (!(i % 2))
			xq_close(&q);

		look(_metadata, &last, self->fd);
		ASSERT_EQ(xq_fill(&self->q, VA, 0, 32 * MIB), 0);
		look(_metadata, &now, self->fd);
		EXPECT_EQ(now.engine[COMPUTE].ns, last.engine[COMPUTE].ns);
		EXPECT_GT(now.engine[DMA].ns, last.engine[DMA].ns);
		last = now;
	}
	/* Nothing is in both. */
	ASSERT_EQ(xpu_counters(self->fd, &c), 0);
	EXPECT_LE(now.engine[DMA].ns + now.engine[COMPUTE].ns, c.busy_ns);
	munmap(mem, PAGE);
}

/* --- memory that is in use ------------------------------------------------ */

/* A queue with commands may use all that its VM has; nobody else does. */
TEST_F(client, active_while_a_queue_has_work)
{
	struct alink_xpu_desc nothing = { .opcode = 99 };
	uint32_t bound, loose, host, vm;
	uint64_t all;
	struct xq q;
	int other;

	ASSERT_EQ(gem_create(self->fd, HBM, LARGE, &bound), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bound, 0, VA, LARGE, RW), 0);
	ASSERT_EQ(gem_create(self->fd, HBM, 3 * MIB, &loose), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, 5 * PAGE, &host), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, host, 0, VA + LARGE, 5 * PAGE, RW),
		  0);
	all = self->q.bo_size + 5 * PAGE;
	other = xpu_open(0);
	ASSERT_GE(other, 0);
	ASSERT_EQ(vm_create(other, &vm), 0);
	ASSERT_EQ(xq_open(&q, other, vm, VA_Q, 16), 0);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", ACTIVE, 0), 0);
	EXPECT_EQ(becomes(_metadata, self->fd, "system", ACTIVE, 0), 0);

	self->q.fence[1] = 0;
	xq_push_endless(&self->q);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", ACTIVE, LARGE), LARGE);
	EXPECT_EQ(becomes(_metadata, self->fd, "system", ACTIVE, all), all);
	EXPECT_EQ(becomes(_metadata, other, "system", ACTIVE, 0), 0);
	/* Bound or not, while it works */
	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA, LARGE), 0);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", ACTIVE, 0), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, loose, 0, VA, 3 * MIB, RW), 0);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", ACTIVE, 3 * MIB),
		  3 * MIB);

	self->q.fence[1] = END;
	ASSERT_EQ(xq_wait(&self->q, 20000, NULL), 0);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", ACTIVE, 0), 0);
	EXPECT_EQ(becomes(_metadata, self->fd, "system", ACTIVE, 0), 0);
	/* Nor does a queue that an error has ended. */
	ASSERT_EQ(xq_run(&self->q, nothing, NULL), -EIO);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", ACTIVE, 0), 0);
	xq_close(&q);
	close(other);
}

/* An object of two files is in use for both, whoever uses it. */
TEST_F(client, active_through_another_file)
{
	const int flags = DRM_CLOEXEC | DRM_RDWR;
	uint32_t mine, theirs, vm;
	int other, buf;
	struct xq q;

	ASSERT_EQ(gem_create(self->fd, HBM, LARGE, &mine), 0);
	buf = prime_export(self->fd, mine, flags);
	ASSERT_GE(buf, 0);
	other = xpu_open(0);
	ASSERT_GE(other, 0);
	ASSERT_EQ(vm_create(other, &vm), 0);
	ASSERT_EQ(xq_open(&q, other, vm, VA_Q, 16), 0);
	ASSERT_EQ(prime_import(other, buf, &theirs), 0);
	close(buf);
	ASSERT_EQ(vm_map(other, vm, theirs, 0, VA, LARGE, RW), 0);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", SHARED, LARGE), LARGE);
	EXPECT_EQ(becomes(_metadata, other, "hbm", SHARED, LARGE), LARGE);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", ACTIVE, 0), 0);

	q.fence[1] = 0;
	xq_push_endless(&q);
	EXPECT_EQ(becomes(_metadata, other, "hbm", ACTIVE, LARGE), LARGE);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", ACTIVE, LARGE), LARGE);
	EXPECT_EQ(becomes(_metadata, self->fd, "system", ACTIVE, 0), 0);
	q.fence[1] = END;
	ASSERT_EQ(xq_wait(&q, 20000, NULL), 0);
	EXPECT_EQ(becomes(_metadata, self->fd, "hbm", ACTIVE, 0), 0);
	xq_close(&q);
	close(other);
}

TEST_HARNESS_MAIN
