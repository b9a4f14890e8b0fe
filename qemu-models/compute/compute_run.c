// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What all functions share while they run: memory, and who runs what.
 */
#include <stdlib.h>

#include "compute_internal.h"

/* Where buffers begin: a line of the cache, which no two threads share */
#define ALIGN		64
/* A larger buffer of a lane is not kept for the next plan. */
#define KEEP		(1UL << 20)
/* What takes less is not spread: waking others takes as long, ns. */
#define SPREAD_COST	50000

static void mem_free(struct ac_mem *m)
{
	free(m->mem);
	*m = (struct ac_mem){ NULL, 0 };
}

static bool mem_room(struct ac_mem *m, size_t size)
{
	size = ac_div_up(size, ALIGN) * ALIGN;
	if (m->size >= size)
		return true;
	mem_free(m);
	m->mem = aligned_alloc(ALIGN, size);
	if (!m->mem)
		return false;
	/* What fills up blocks and tiles is computed on, though not used. */
	memset(m->mem, 0, size);
	m->size = size;
	return true;
}

struct ac_work *ac_work_new(void)
{
	struct ac_work *work = calloc(1, sizeof(*work));

	if (work)
		work->level = ac_level();
	return work;
}

void ac_work_free(struct ac_work *work)
{
	if (!work)
		return;
	for (uint32_t i = 0; i < AC_MAX_LANES; i++) {
		mem_free(&work->lane[i].x);
		mem_free(&work->lane[i].y);
		mem_free(&work->lane[i].wide);
	}
	mem_free(&work->acc);
	mem_free(&work->a);
	free(work);
}

static bool gemm_room(struct ac_work *work, const struct ac_plan *p)
{
	size_t panels = ac_div_up(p->step_cols, AC_GEMM_PANEL);
	size_t parts = ac_div_up(p->step_inners, AC_GEMM_DEPTH);

	return mem_room(&work->acc, sizeof(float) * panels * p->step_rows *
			AC_GEMM_PANEL) &&
	       mem_room(&work->a, sizeof(float) * parts *
			AC_GEMM_A_ROWS(p->step_rows) * AC_GEMM_LDA);
}

static bool lane_room(struct ac_lane *lane, const struct ac_plan *p)
{
	size_t x, y, wide = 0;

	if (p->func == ALINK_XPU_FN_GEMM) {
		x = AC_GEMM_BAND;
		y = AC_GEMM_SCRATCH;
	} else {
		x = ac_by_element(p->func) ? ac_min(p->n, AC_STRIP) : p->n;
		x = ac_div_up(x, AC_BLOCK) * AC_BLOCK;
		y = p->mat[AC_B].rows ? x : 0;
		wide = p->func == ALINK_XPU_FN_SOFTMAX ? x : 0;
	}
	return mem_room(&lane->x, x * sizeof(float)) &&
	       mem_room(&lane->y, y * sizeof(float)) &&
	       mem_room(&lane->wide, wide * sizeof(double));
}

bool ac_work_begin(struct ac_work *work, const struct ac_plan *p,
		   uint32_t lanes)
{
	work->lanes = lanes < 1 ? 1 : ac_min(lanes, AC_MAX_LANES);
	/* Whole rows can be very long, but then there are few. */
	if (p->func != ALINK_XPU_FN_GEMM && !ac_by_element(p->func))
		work->lanes = ac_min(work->lanes, p->step_rows);
	if (p->func == ALINK_XPU_FN_GEMM && !gemm_room(work, p))
		return false;
	for (uint32_t i = 0; i < work->lanes; i++)
		if (!lane_room(&work->lane[i], p))
			return false;
	return true;
}

static void mem_trim(struct ac_mem *m)
{
	if (m->size > KEEP)
		mem_free(m);
}

void ac_work_end(struct ac_work *work)
{
	for (uint32_t i = 0; i < AC_MAX_LANES; i++) {
		mem_trim(&work->lane[i].x);
		mem_trim(&work->lane[i].y);
		mem_trim(&work->lane[i].wide);
	}
}

void ac_run(struct ac_work *work, const struct ac_plan *p,
	    const struct ac_piece *piece,
	    const struct ac_data data[AC_NUM_OPERANDS], struct ac_team *team)
{
	if (ac_piece_cost(p, piece) < SPREAD_COST)
		team = NULL;
	if (p->func == ALINK_XPU_FN_GEMM)
		ac_run_gemm(work, p, piece, data, team);
	else
		ac_run_rows(work, p, piece, data, team);
}
