// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floors: what each kind of row must reach, and what it should. They are
 * here and nowhere else in the program; the table for people is in
 * Documentation/admin-guide/bench.rst.
 */
#include "bench.h"

const struct bench_floor bench_floors[BENCH_NUM_BARS] = {
	[BENCH_BAR_MORE] = { .less = false },
	[BENCH_BAR_LESS] = { .less = true },
	[BENCH_BAR_POLL] = { .less = true, .floor = 0.35, .goal = 0.15 },
	[BENCH_BAR_WAKE] = { .less = true, .floor = 1.0, .goal = 0.4 },
	[BENCH_BAR_RATE] = { .floor = 1.5, .goal = 2.0 },
	[BENCH_BAR_BATCH] = { .less = true, .floor = 1.0 },
	[BENCH_BAR_DMA_GUEST] = { .floor = 2.0 },
	[BENCH_BAR_DMA_HOST] = { .floor = 0.7 },
	[BENCH_BAR_WINDOW] = { .floor = 0.95, .goal = 0.98 },
	[BENCH_BAR_GEMM] = { .floor = 0.6 },
	[BENCH_BAR_ALLREDUCE] = { .floor = 1.5 },
	[BENCH_BAR_PROBE] = { .less = true, .floor = 1.0 },
	[BENCH_BAR_LINEAR] = { .less = true, .floor = 1.0 },
	[BENCH_BAR_UNLOAD] = { .less = true, .floor = 1.0 },
};
