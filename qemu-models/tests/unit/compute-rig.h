/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the compute engines: formats decoded and encoded in another way
 * than the engines do, from the fields of a number and by searching the nearest
 * one; and plans run over flat memory, piece by piece.
 */
#ifndef ALINK_UNIT_COMPUTE_RIG_H
#define ALINK_UNIT_COMPUTE_RIG_H

#include "../../compute/compute_internal.h"

/* All formats but MXFP4, which is no format of single elements */
#define CR_NUM_FORMATS	8
extern const enum alink_dtype cr_formats[CR_NUM_FORMATS];

const char *cr_name(enum alink_dtype dtype);
size_t cr_size(enum alink_dtype dtype);
uint32_t cr_get(enum alink_dtype dtype, const void *mem, size_t i);
/* What an engine reads there: exact, but for INT32, which is rounded to FP32 */
double cr_decode(enum alink_dtype dtype, uint32_t code);
/* To nearest even */
uint32_t cr_encode(enum alink_dtype dtype, double x, bool saturate);
/* To FP32 as the host does it: for so many that a search takes too long */
uint32_t cr_fp32(double x);

/* A block of 32: element i, and all of them */
double cr_mx_decode(const uint8_t *elems, uint8_t scale, unsigned int i);
void cr_mx_encode(const double *in, uint8_t *elems, uint8_t *scale);

/* Additions and products of FP32, rounded once */
double cr_add(double a, double b);
double cr_mul(double a, double b);

/* The formulas, as exact as a long double is */
long double cr_silu(long double x);
long double cr_gelu(long double x);
/* Does TOPK put element @i of a row before @j? */
bool cr_before(const float *x, uint32_t i, uint32_t j);

/* A matrix in memory of the process, rows side by side, no stride 0 */
struct alink_xpu_matrix cr_matrix_at(enum alink_dtype dtype, uintptr_t mem,
				     uint32_t cols);
#define cr_matrix(dtype, mem, cols)	\
	cr_matrix_at(dtype, (uintptr_t)(mem), cols)
/* Runs a block whose addresses are pointers. */
enum alink_status cr_run_with(enum alink_xpu_func func,
			      const struct alink_xpu_compute *block,
			      enum ac_level level, struct ac_team *team);
/* With the best of the host, alone */
enum alink_status cr_run(enum alink_xpu_func func,
			 const struct alink_xpu_compute *block);

/* How many FP32 lie between two, at most UINT32_MAX */
uint32_t cr_ulps(float a, float b);

#endif /* ALINK_UNIT_COMPUTE_RIG_H */
