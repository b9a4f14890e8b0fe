// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>

#include "compute-rig.h"
#include "tap.h"

struct format {
	const char *name;
	size_t size;
	int exp, man;		/* bits; 0: an integer */
	bool ieee;		/* has infinities; else all ones is NaN */
	uint32_t nan;
	int shift;		/* bits of the word below the number */
};

static const struct format formats[] = {
	[ALINK_DT_INT32] = { .name = "int32", .size = 4 },
	[ALINK_DT_FP32] = { "fp32", 4, 8, 23, true, 0x7fc00000, 0 },
	[ALINK_DT_BF16] = { "bf16", 2, 8, 7, true, 0x7fc0, 0 },
	[ALINK_DT_FP16] = { "fp16", 2, 5, 10, true, 0x7e00, 0 },
	[ALINK_DT_FP8_E4M3] = { "e4m3", 1, 4, 3, false, 0x7f, 0 },
	[ALINK_DT_FP8_E5M2] = { "e5m2", 1, 5, 2, true, 0x7e, 0 },
	[ALINK_DT_TF32] = { "tf32", 4, 8, 10, true, 0x7fc00000 >> 13, 13 },
	[ALINK_DT_MXFP4] = { .name = "mxfp4" },
	[ALINK_DT_INT8] = { .name = "int8", .size = 1 },
};

const enum alink_dtype cr_formats[CR_NUM_FORMATS] = {
	ALINK_DT_FP32, ALINK_DT_TF32, ALINK_DT_BF16, ALINK_DT_FP16,
	ALINK_DT_FP8_E4M3, ALINK_DT_FP8_E5M2, ALINK_DT_INT8, ALINK_DT_INT32,
};

const char *cr_name(enum alink_dtype dtype)
{
	return formats[dtype].name;
}

size_t cr_size(enum alink_dtype dtype)
{
	return formats[dtype].size;
}

uint32_t cr_get(enum alink_dtype dtype, const void *mem, size_t i)
{
	uint32_t v = 0;

	memcpy(&v, (const uint8_t *)mem + i * cr_size(dtype), cr_size(dtype));
	return v;
}

/* --- numbers -------------------------------------------------------------- */

static double decode(const struct format *f, uint32_t v)
{
	uint32_t e = v >> f->man & ((1U << f->exp) - 1);
	uint32_t m = v & ((1U << f->man) - 1);
	int bias = (1 << (f->exp - 1)) - 1;
	bool top = e == (1U << f->exp) - 1;
	double x;

	if (top && f->ieee)
		x = m ? NAN : INFINITY;
	else if (top && m == (1U << f->man) - 1)
		x = NAN;
	else if (e)
		x = ldexp(m + (1 << f->man), (int)e - bias - f->man);
	else
		x = ldexp(m, 1 - bias - f->man);
	return v >> (f->exp + f->man) & 1 ? -x : x;
}

/* Codes without sign grow with their values: halve the interval. */
static uint32_t encode(const struct format *f, double x, bool saturate)
{
	uint32_t sign_bit = 1U << (f->exp + f->man), lo = 0, hi, mid, sign;
	double a = fabs(x), top, limit, dlo, dhi;

	if (isnan(x))
		return f->nan;
	hi = sign_bit - 1 - (f->ieee ? 1U << f->man : 1);
	top = decode(f, hi);
	sign = signbit(x) ? sign_bit : 0;
	if (saturate && a > top)
		return sign | hi;
	/* As if there were one more finite code; its half way is the limit. */
	limit = top + (top - decode(f, hi - 1)) / 2;
	if (a > limit || (a == limit && (hi & 1)))
		return f->ieee ? sign | (hi + 1) : f->nan;
	if (a >= top)
		return sign | hi;
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (decode(f, mid) <= a)
			lo = mid;
		else
			hi = mid;
	}
	dlo = a - decode(f, lo);
	dhi = decode(f, hi) - a;
	if (dlo < dhi || (dlo == dhi && !(lo & 1)))
		return sign | lo;
	return sign | hi;
}

static int64_t to_integer(double x, int64_t min, int64_t max)
{
	double down = floor(x), rest = x - down;
	int64_t r;

	if (isnan(x))
		return 0;
	if (x <= min)
		return min;
	if (x >= max)
		return max;
	r = (int64_t)down;
	return r + (rest > 0.5 || (rest == 0.5 && r % 2));
}

double cr_decode(enum alink_dtype dtype, uint32_t code)
{
	const struct format *f = &formats[dtype];

	if (dtype == ALINK_DT_INT8)
		return code < 128 ? code : (double)code - 256;
	if (dtype == ALINK_DT_INT32)
		return decode(&formats[ALINK_DT_FP32],
			      encode(&formats[ALINK_DT_FP32], (int32_t)code,
				     false));
	if (dtype == ALINK_DT_TF32)
		return decode(f, encode(f, decode(&formats[ALINK_DT_FP32],
						  code), false));
	return decode(f, code);
}

uint32_t cr_encode(enum alink_dtype dtype, double x, bool saturate)
{
	const struct format *f = &formats[dtype];

	if (dtype == ALINK_DT_INT8)
		return (uint8_t)to_integer(x, INT8_MIN, INT8_MAX);
	if (dtype == ALINK_DT_INT32)
		return (uint32_t)to_integer(x, INT32_MIN, INT32_MAX);
	return encode(f, x, saturate) << f->shift;
}

uint32_t cr_fp32(double x)
{
	return isnan(x) ? F32_NAN : bits((float)x);
}

double cr_add(double a, double b)
{
	/* Exact enough: 53 >= 2 * 24 + 2. */
	return (float)(a + b);
}

double cr_mul(double a, double b)
{
	return (float)(a * b);
}

static long double sigmoid_times(long double x, long double t)
{
	/* Its limit, which infinity by infinity is not */
	if (x == -INFINITY)
		return -0.0L;
	return x / (1 + expl(-t));
}

long double cr_silu(long double x)
{
	return sigmoid_times(x, x);
}

long double cr_gelu(long double x)
{
	/* sqrt(2 / pi) */
	const long double c = 0.797884560802865355879892119868763737L;

	return sigmoid_times(x, 2 * c * (x + 0.044715L * x * x * x));
}

bool cr_before(const float *x, uint32_t i, uint32_t j)
{
	if (isnan(x[i]) != isnan(x[j]))
		return isnan(x[i]);
	if (isnan(x[i]) || x[i] == x[j])
		return i < j;
	return x[i] > x[j];
}

uint32_t cr_ulps(float a, float b)
{
	int64_t d, v[2];
	int32_t i[2];

	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b) ? 0 : UINT32_MAX;
	memcpy(&i[0], &a, 4);
	memcpy(&i[1], &b, 4);
	for (int k = 0; k < 2; k++)
		v[k] = i[k] < 0 ? -(int64_t)(i[k] & 0x7fffffff) : i[k];
	d = v[0] - v[1];
	return d < 0 ? -d : d;
}

/* --- MXFP4 ---------------------------------------------------------------- */

static const double e2m1[8] = { 0, 0.5, 1, 1.5, 2, 3, 4, 6 };

double cr_mx_decode(const uint8_t *elems, uint8_t scale, unsigned int i)
{
	uint8_t code = elems[i / 2] >> (i % 2 * 4) & 15;
	double x = e2m1[code & 7];

	if (scale == 255)
		return NAN;
	/* Beyond FP32 it is infinity. */
	return (float)ldexp(code & 8 ? -x : x, scale - 127);
}

void cr_mx_encode(const double *in, uint8_t *elems, uint8_t *scale)
{
	double max = 0, a;
	int exponent = -127;
	unsigned int best;

	memset(elems, 0, 16);
	for (int i = 0; i < 32; i++) {
		if (!isfinite(in[i])) {
			*scale = 255;
			return;
		}
		max = fmax(max, fabs(in[i]));
	}
	if (max > 0 && ilogb(max) - 2 > exponent)
		exponent = ilogb(max) - 2;
	*scale = exponent + 127;
	for (int i = 0; i < 32; i++) {
		a = ldexp(fabs(in[i]), -exponent);
		best = 0;
		for (unsigned int c = 1; c < 8; c++) {
			double d = fabs(e2m1[c] - a);
			double have = fabs(e2m1[best] - a);

			if (d < have || (d == have && c % 2 == 0))
				best = c;
		}
		if (signbit(in[i]))
			best |= 8;
		elems[i / 2] |= best << (i % 2 * 4);
	}
}

/* --- running -------------------------------------------------------------- */

struct alink_xpu_matrix cr_matrix_at(enum alink_dtype dtype, uintptr_t mem,
				     uint32_t cols)
{
	return (struct alink_xpu_matrix) {
		.addr = mem,
		.stride = ac_bytes(dtype, cols),
		.dtype = dtype,
	};
}

/* Row @i of a region in flat memory; of EMBED's a, the row that b names */
static uint8_t *place(const struct ac_plan *p, enum ac_operand op,
		      const struct ac_region *r, uint32_t i, bool scales)
{
	const struct ac_matrix *mat = &p->mat[op], *b = &p->mat[AC_B];
	uint64_t row = r->row + i;

	if (p->func == ALINK_XPU_FN_EMBED && op == AC_A)
		row = *(uint32_t *)(uintptr_t)(b->addr + row * b->stride);
	if (scales)
		return (uint8_t *)(uintptr_t)(mat->scale +
					      row * mat->scale_stride +
					      r->col / 32);
	return (uint8_t *)(uintptr_t)(mat->addr + row * mat->stride +
				      ac_bytes(mat->dtype, r->col));
}

/*
 * The rows of a region, each in memory of its own, so that a sanitizer sees
 * what is beyond: copies of what lies in flat memory.
 */
static void rows_new(const struct ac_plan *p, enum ac_operand op,
		     const struct ac_region *r, struct ac_data *data)
{
	size_t len = ac_bytes(p->mat[op].dtype, r->cols);
	size_t scales = ac_scale_bytes(p->mat[op].dtype, r->cols);

	data->row = malloc(r->rows * sizeof(*data->row));
	data->scales = malloc(r->rows * sizeof(*data->scales));
	for (uint32_t i = 0; i < r->rows; i++) {
		data->row[i] = malloc(len);
		data->scales[i] = malloc(scales);
		if (op == AC_DST)
			continue;
		memcpy(data->row[i], place(p, op, r, i, false), len);
		if (scales)
			memcpy(data->scales[i], place(p, op, r, i, true),
			       scales);
	}
}

/* A result goes to where it belongs. */
static void rows_free(const struct ac_plan *p, enum ac_operand op,
		      const struct ac_region *r, struct ac_data *data)
{
	size_t len = ac_bytes(p->mat[op].dtype, r->cols);
	size_t scales = ac_scale_bytes(p->mat[op].dtype, r->cols);

	for (uint32_t i = 0; i < r->rows; i++) {
		if (op == AC_DST)
			memcpy(place(p, op, r, i, false), data->row[i], len);
		if (op == AC_DST && scales)
			memcpy(place(p, op, r, i, true), data->scales[i],
			       scales);
		free(data->row[i]);
		free(data->scales[i]);
	}
	free(data->row);
	free(data->scales);
}

enum alink_status cr_run_with(enum alink_xpu_func func,
			      const struct alink_xpu_compute *block,
			      enum ac_level level, struct ac_team *team)
{
	struct ac_region r[AC_NUM_OPERANDS];
	struct ac_work *work = ac_work_new();
	struct ac_piece piece;
	enum alink_status st;
	uint64_t addr = 0;
	struct ac_plan p;

	st = ac_plan_init(&p, func, block, &addr);
	if (st != ALINK_ST_OK) {
		ac_work_free(work);
		return st;
	}
	work->level = level;
	if (!ac_work_begin(work, &p, ac_team_lanes(team)))
		abort();
	ac_piece_first(&p, &piece);
	do {
		struct ac_data data[AC_NUM_OPERANDS] = {};
		bool used[AC_NUM_OPERANDS];

		for (int i = 0; i < AC_NUM_OPERANDS; i++) {
			used[i] = ac_piece_region(&p, &piece, i, &r[i]);
			if (used[i])
				rows_new(&p, i, &r[i], &data[i]);
		}
		ac_run(work, &p, &piece, data, team);
		for (int i = 0; i < AC_NUM_OPERANDS; i++)
			if (used[i])
				rows_free(&p, i, &r[i], &data[i]);
	} while (ac_piece_next(&p, &piece));
	ac_work_end(work);
	ac_work_free(work);
	return ALINK_ST_OK;
}

enum alink_status cr_run(enum alink_xpu_func func,
			 const struct alink_xpu_compute *block)
{
	return cr_run_with(func, block, ac_level(), NULL);
}
