/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compute engines: what Documentation/hw/xpu.rst, "Compute" says, over
 * host memory.
 *
 * Plain C, no QEMU header. A descriptor becomes a plan; a plan is worked off
 * in pieces of some milliseconds at most, so that whoever runs them can stop
 * or translate anew in between. For each piece the caller says where the rows
 * of those parts of operands and result lie that ac_piece_region() names.
 *
 * A piece may be spread over threads, which changes no bit of the result: no
 * element is computed by two of them, and none in another order.
 *
 * Plans may run on several threads at once, each with a struct ac_work.
 */
#ifndef ALINK_COMPUTE_H
#define ALINK_COMPUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hw/alink/common.h>
#include <hw/alink/xpu.h>

/* --- formats: compute_format.c -------------------------------------------- */

/* Bitmap of enum alink_dtype that the engines take */
uint32_t ac_dtypes(void);
/* Bytes of @n elements side by side, without scales; a format of ac_dtypes() */
uint64_t ac_bytes(enum alink_dtype dtype, uint64_t n);
/* Bytes that an address has to be a multiple of */
unsigned int ac_align(enum alink_dtype dtype);
/* Bytes of the scales of @n elements: 0 but for MXFP4 */
uint64_t ac_scale_bytes(enum alink_dtype dtype, uint64_t n);

/* --- plans: compute_plan.c ------------------------------------------------ */

enum ac_operand {
	AC_A,
	AC_B,
	AC_DST_IN,		/* dst where sums begin with it */
	AC_DST,
	AC_NUM_OPERANDS,
};

struct ac_matrix {
	uint64_t addr;
	uint64_t stride;
	uint64_t scale;
	uint32_t scale_stride;
	uint32_t rows, cols;	/* none: no such operand */
	enum alink_dtype dtype;
};

struct ac_plan {
	enum alink_xpu_func func;
	uint32_t flags;
	uint32_t m, n, k;
	float param;
	bool integer;		/* INT32 accumulators */
	struct ac_matrix mat[AC_NUM_OPERANDS];
	/* of a piece, at most: rows and columns of dst, and part of k */
	uint32_t step_rows, step_cols, step_inners;
};

/*
 * Checks a block and makes the plan of it. On failure *addr becomes the operand
 * at fault if it is one, and else stays as it is.
 */
enum alink_status ac_plan_init(struct ac_plan *p, uint32_t func,
			       const struct alink_xpu_compute *block,
			       uint64_t *addr);
/* Multiply-accumulates of the whole, and how many an engine does in a ns */
uint64_t ac_macs(const struct ac_plan *p);
uint64_t ac_mac_rate(const struct ac_plan *p);
/* Bytes of operands and result, each counted once */
uint64_t ac_traffic(const struct ac_plan *p);

/* Part of a matrix */
struct ac_region {
	uint32_t row, rows;
	uint32_t col, cols;
};

/* Part of the work: rows and columns of dst, and of a GEMM part of k */
struct ac_piece {
	struct ac_region dst;
	uint32_t inner, inners;
};

void ac_piece_first(const struct ac_plan *p, struct ac_piece *piece);
/* False: that was the last one. */
bool ac_piece_next(const struct ac_plan *p, struct ac_piece *piece);
/*
 * What the piece needs of an operand; false: nothing. Of EMBED's a it is
 * rows by number of dst's rows: the caller fetches those that b names.
 */
bool ac_piece_region(const struct ac_plan *p, const struct ac_piece *piece,
		     enum ac_operand op, struct ac_region *region);
/* Rough measure of the time that the piece takes, ns */
uint64_t ac_piece_cost(const struct ac_plan *p, const struct ac_piece *piece);

/* --- threads: compute_pool.c ---------------------------------------------- */

/*
 * A part of some work. No two parts that run at the same time have the same
 * @lane.
 */
typedef void ac_task_fn(void *opaque, uint32_t task, uint32_t lane);

#define AC_MAX_LANES	16

/*
 * Who may work together: the caller and @lanes - 1 threads of a pool, which all
 * teams of the process share. Together they are as many as the largest team,
 * callers counted, unless these alone are more. Threads begin with the first
 * work that is spread, and end with the last team.
 */
struct ac_team;

/* @lanes: 0 is 1, and more than AC_MAX_LANES is that. NULL: no memory */
struct ac_team *ac_team_new(uint32_t lanes);
/* Nobody is in ac_team_run(). */
void ac_team_free(struct ac_team *team);
/* 1 for NULL, which is a team of nobody but the caller. */
uint32_t ac_team_lanes(const struct ac_team *team);
/*
 * Runs tasks 0 to @num - 1, on lanes below @lanes, and returns when all have
 * ended, and what they wrote is seen. Several threads may be here at once, with
 * one team or with more: helpers take from each in turn.
 */
void ac_team_run(struct ac_team *team, ac_task_fn *fn, void *opaque,
		 uint32_t num, uint32_t lanes);

/* --- running: compute_run.c, compute_gemm.c, compute_vector.c ------------- */

/* Where the rows of a region begin, and the scales of each for MXFP4 */
struct ac_data {
	uint8_t **row;
	uint8_t **scales;
};

struct ac_work;

/* NULL: no memory. */
struct ac_work *ac_work_new(void);
void ac_work_free(struct ac_work *work);
/* Makes ready for a plan, for teams of up to @lanes; false: no memory */
bool ac_work_begin(struct ac_work *work, const struct ac_plan *p,
		   uint32_t lanes);
/* The plan is done or given up. Keeps memory for the next, but not much. */
void ac_work_end(struct ac_work *work);
/*
 * Runs one piece. All pieces of a plan are run in their order with the same
 * work, by one caller at a time.
 */
void ac_run(struct ac_work *work, const struct ac_plan *p,
	    const struct ac_piece *piece,
	    const struct ac_data data[AC_NUM_OPERANDS], struct ac_team *team);

#endif /* ALINK_COMPUTE_H */
