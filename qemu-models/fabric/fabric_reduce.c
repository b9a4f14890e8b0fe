// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arithmetic of the reduction engines.
 *
 * Sums of floating point run in FP32, one operand after the other in ascending
 * member order, each addition rounded to nearest even; a narrower type is
 * rounded once more, at the end. So a result depends on the operands and their
 * order only: not on striping, on block size, or on who asks.
 *
 * Blocks have a fixed size and loops a constant count, so that compilers
 * vectorise them at -O2. A sum is never fed by a product: there is nothing
 * that contraction to fused multiply-add could change.
 */
#include "alink_float.h"
#include "fabric_internal.h"

#define N	AF_RED_BLOCK

size_t af_dtype_size(enum alink_dtype dtype)
{
	switch (dtype) {
	case ALINK_DT_INT32:
	case ALINK_DT_FP32:
		return 4;
	case ALINK_DT_BF16:
	case ALINK_DT_FP16:
		return 2;
	case ALINK_DT_FP8_E4M3:
	case ALINK_DT_FP8_E5M2:
	case ALINK_DT_UINT8:
		return 1;
	/* Not for engines of the fabric. */
	case ALINK_DT_TF32:
	case ALINK_DT_MXFP4:
	case ALINK_DT_INT8:
		return 0;
	}
	return 0;
}

bool af_dtype_reducible(enum alink_dtype dtype)
{
	return af_dtype_size(dtype) && dtype != ALINK_DT_UINT8;
}

/* --- blocks -------------------------------------------------------------------- */

#define DEFINE_LOAD(name, type, conv)					\
static void load_##name(uint32_t *dst, const void *src, size_t num)	\
{									\
	type raw[N];							\
									\
	memcpy(raw, src, num * sizeof(type));				\
	memset(raw + num, 0, (N - num) * sizeof(type));			\
	for (size_t i = 0; i < N; i++)					\
		dst[i] = conv(raw[i]);					\
}

#define DEFINE_STORE(name, type, conv)					\
static void store_##name(void *dst, const uint32_t *src, size_t num)	\
{									\
	type raw[N];							\
									\
	for (size_t i = 0; i < N; i++)					\
		raw[i] = conv(src[i]);					\
	memcpy(dst, raw, num * sizeof(type));				\
}

#define AS_IS(v)	(v)

DEFINE_LOAD(w32, uint32_t, AS_IS)
DEFINE_LOAD(bf16, uint16_t, bf16_to_f32)
DEFINE_LOAD(fp16, uint16_t, fp16_to_f32)
DEFINE_LOAD(e4m3, uint8_t, e4m3_to_f32)
DEFINE_LOAD(e5m2, uint8_t, e5m2_to_f32)

DEFINE_STORE(i32, uint32_t, AS_IS)
DEFINE_STORE(fp32, uint32_t, f32_to_f32)
DEFINE_STORE(bf16, uint16_t, f32_to_bf16)
DEFINE_STORE(fp16, uint16_t, f32_to_fp16)
DEFINE_STORE(e4m3, uint8_t, f32_to_e4m3)
DEFINE_STORE(e5m2, uint8_t, f32_to_e5m2)

static const struct {
	void (*load)(uint32_t *dst, const void *src, size_t num);
	void (*store)(void *dst, const uint32_t *src, size_t num);
} dtypes[] = {
	[ALINK_DT_INT32] = { load_w32, store_i32 },
	[ALINK_DT_FP32] = { load_w32, store_fp32 },
	[ALINK_DT_BF16] = { load_bf16, store_bf16 },
	[ALINK_DT_FP16] = { load_fp16, store_fp16 },
	[ALINK_DT_FP8_E4M3] = { load_e4m3, store_e4m3 },
	[ALINK_DT_FP8_E5M2] = { load_e5m2, store_e5m2 },
};

static void sum_i32(uint32_t *acc, const uint32_t *v)
{
	for (size_t i = 0; i < N; i++)
		acc[i] += v[i];
}

static void sum_f32(uint32_t *acc, const uint32_t *v)
{
	for (size_t i = 0; i < N; i++)
		acc[i] = bits(f32(acc[i]) + f32(v[i]));
}

static void min_s32(int32_t *acc, const int32_t *v)
{
	for (size_t i = 0; i < N; i++)
		acc[i] = v[i] < acc[i] ? v[i] : acc[i];
}

static void max_s32(int32_t *acc, const int32_t *v)
{
	for (size_t i = 0; i < N; i++)
		acc[i] = v[i] > acc[i] ? v[i] : acc[i];
}

/*
 * FP32 as a signed integer of the same order, -0 below +0. NaN becomes the
 * least value for minimum and the greatest for maximum, so that it prevails.
 * The same function turns it back.
 */
static void order_f32(uint32_t *v, enum alink_redop op)
{
	uint32_t nan = op == ALINK_OP_MIN ? F32_NAN | ~F32_ABS : F32_NAN;

	for (size_t i = 0; i < N; i++) {
		uint32_t b = pick((v[i] & F32_ABS) > F32_INF, nan, v[i]);

		v[i] = b ^ ((uint32_t)((int32_t)b >> 31) & F32_ABS);
	}
}

static void unorder_f32(uint32_t *v)
{
	for (size_t i = 0; i < N; i++)
		v[i] ^= (uint32_t)((int32_t)v[i] >> 31) & F32_ABS;
}

void af_reduce_block(void *dst, const void *const *src, size_t n, size_t num,
		     enum alink_dtype dtype, enum alink_redop op)
{
	bool order = op != ALINK_OP_SUM && dtype != ALINK_DT_INT32;
	uint32_t acc[N], v[N];

	dtypes[dtype].load(acc, src[0], num);
	if (order)
		order_f32(acc, op);
	for (size_t k = 1; k < n; k++) {
		dtypes[dtype].load(v, src[k], num);
		if (order)
			order_f32(v, op);
		if (op == ALINK_OP_MIN)
			min_s32((int32_t *)acc, (int32_t *)v);
		else if (op == ALINK_OP_MAX)
			max_s32((int32_t *)acc, (int32_t *)v);
		else if (dtype == ALINK_DT_INT32)
			sum_i32(acc, v);
		else
			sum_f32(acc, v);
	}
	if (order)
		unorder_f32(acc);
	dtypes[dtype].store(dst, acc, num);
}

int af_reduce2(void *dst, const void *a, const void *b, size_t n,
	       enum alink_dtype dtype, enum alink_redop op)
{
	size_t size = af_dtype_size(dtype), num;
	const void *src[2];

	if (!af_dtype_reducible(dtype) || (uint32_t)op > ALINK_OP_MAX)
		return ALINK_ST_UNSUPPORTED;
	for (size_t i = 0; i < n; i += num) {
		num = n - i < N ? n - i : N;
		src[0] = (const uint8_t *)a + i * size;
		src[1] = (const uint8_t *)b + i * size;
		af_reduce_block((uint8_t *)dst + i * size, src, 2, num, dtype,
				op);
	}
	return ALINK_ST_OK;
}
