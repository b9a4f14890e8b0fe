// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Formats of the compute engines to and from FP32.
 *
 * Loops over a block have a constant count, so that compilers vectorise them at
 * -O2.
 */
#include "compute_internal.h"

#define N		AC_BLOCK

#define MX_SCALE_NAN	255
#define MX_EMAX		2	/* exponent of the greatest element, 6 */

uint32_t ac_dtypes(void)
{
	return ALINK_BIT(ALINK_DT_INT32) | ALINK_BIT(ALINK_DT_FP32) |
	       ALINK_BIT(ALINK_DT_BF16) | ALINK_BIT(ALINK_DT_FP16) |
	       ALINK_BIT(ALINK_DT_FP8_E4M3) | ALINK_BIT(ALINK_DT_FP8_E5M2) |
	       ALINK_BIT(ALINK_DT_TF32) | ALINK_BIT(ALINK_DT_MXFP4) |
	       ALINK_BIT(ALINK_DT_INT8);
}

uint64_t ac_bytes(enum alink_dtype dtype, uint64_t n)
{
	switch (dtype) {
	case ALINK_DT_INT32:
	case ALINK_DT_FP32:
	case ALINK_DT_TF32:
		return 4 * n;
	case ALINK_DT_BF16:
	case ALINK_DT_FP16:
		return 2 * n;
	case ALINK_DT_MXFP4:
		return n / 2;
	default:
		return n;
	}
}

unsigned int ac_align(enum alink_dtype dtype)
{
	return dtype == ALINK_DT_MXFP4 ? 1 : ac_bytes(dtype, 1);
}

uint64_t ac_scale_bytes(enum alink_dtype dtype, uint64_t n)
{
	return dtype == ALINK_DT_MXFP4 ? n / ALINK_XPU_MX_BLOCK : 0;
}

/* --- words ---------------------------------------------------------------- */

static inline uint32_t f32_to_tf32(uint32_t v)
{
	uint32_t r = (v + 0xfff + (v >> 13 & 1)) & ~0x1fffU;

	return pick((v & F32_ABS) > F32_INF, F32_NAN, r);
}

static inline uint32_t i32_to_f32(uint32_t v)
{
	return bits((float)(int32_t)v);
}

static inline uint32_t i8_to_f32(uint8_t v)
{
	return bits((float)(int8_t)v);
}

static inline uint8_t f32_to_i8(uint32_t v)
{
	float x = f32(pick((v & F32_ABS) > F32_INF, 0, v));

	x = at_least(at_most(x, 127), -128);
	/* At 1.5 * 2^23 the last place is 1: the low bits are the number. */
	return bits(x + 0x1.8p23f);
}

static inline uint32_t f32_to_i32(uint32_t v)
{
	double x = f32(pick((v & F32_ABS) > F32_INF, 0, v));

	x = at_least64(at_most64(x, INT32_MAX), INT32_MIN);
	return bits64(x + 0x1.8p52);
}

/* --- blocks --------------------------------------------------------------- */

/* Words may lie anywhere and stand for whatever is there. */
#define ANYWHERE(type)	typedef type __attribute__((aligned(1), may_alias))

ANYWHERE(uint8_t) any8;
ANYWHERE(uint16_t) any16;
ANYWHERE(uint32_t) any32;

#define AS_IS(v)	(v)

/* Blocks, and what is left in a block of its own */
#define LOAD_ALL(block, bytes)						\
	do {								\
		uint8_t rest[N * (bytes)] = { 0 };			\
									\
		for (; n >= N; n -= N, in += sizeof(rest), out += step)	\
			block(out, in);					\
		if (!n)							\
			break;						\
		memcpy(rest, in, n * (bytes));				\
		block(out, rest);					\
	} while (0)

#define STORE_ALL(block, bytes)						\
	do {								\
		uint8_t rest[N * (bytes)];				\
									\
		for (; n >= N; n -= N, in += N, out += sizeof(rest))	\
			block(out, in);					\
		if (!n)							\
			break;						\
		block(rest, in);					\
		memcpy(out, rest, n * (bytes));				\
	} while (0)

#define DEFINE_LOAD(name, type, conv)					\
AC_INLINE void load_block_##name(float *restrict out,			\
				 const uint8_t *restrict in)		\
{									\
	const type *from = (const type *)in;				\
	any32 *to = (any32 *)out;					\
									\
	for (size_t i = 0; i < N; i++)					\
		to[i] = conv(from[i]);					\
}									\
									\
static void load_##name(float *out, size_t step, const uint8_t *in,	\
			const uint8_t *scales, size_t n)		\
{									\
	(void)scales;							\
	LOAD_ALL(load_block_##name, sizeof(type));			\
}									\
									\
AC_TARGET_AVX2								\
static void load_##name##_avx2(float *out, size_t step,			\
			       const uint8_t *in,			\
			       const uint8_t *scales, size_t n)		\
{									\
	(void)scales;							\
	LOAD_ALL(load_block_##name, sizeof(type));			\
}

#define DEFINE_STORE(name, type, conv)					\
AC_INLINE void store_block_##name(uint8_t *restrict out,		\
				  const float *restrict in)		\
{									\
	const any32 *from = (const any32 *)in;				\
	type *to = (type *)out;						\
									\
	for (size_t i = 0; i < N; i++)					\
		to[i] = conv(from[i]);					\
}									\
									\
static void store_##name(uint8_t *out, const float *in, size_t n)	\
{									\
	STORE_ALL(store_block_##name, sizeof(type));			\
}									\
									\
AC_TARGET_AVX2								\
static void store_##name##_avx2(uint8_t *out, const float *in, size_t n) \
{									\
	STORE_ALL(store_block_##name, sizeof(type));			\
}

#define I8_AS_INT(v)	((uint32_t)(int8_t)(v))

DEFINE_LOAD(fp32, any32, AS_IS)
DEFINE_LOAD(tf32, any32, f32_to_tf32)
DEFINE_LOAD(bf16, any16, bf16_to_f32)
DEFINE_LOAD(fp16, any16, fp16_to_f32)
DEFINE_LOAD(e4m3, any8, e4m3_to_f32)
DEFINE_LOAD(e5m2, any8, e5m2_to_f32)
DEFINE_LOAD(int32, any32, i32_to_f32)
DEFINE_LOAD(int8, any8, i8_to_f32)
DEFINE_LOAD(int8_as_int, any8, I8_AS_INT)

DEFINE_STORE(fp32, any32, f32_to_f32)
DEFINE_STORE(tf32, any32, f32_to_tf32)
DEFINE_STORE(bf16, any16, f32_to_bf16)
DEFINE_STORE(fp16, any16, f32_to_fp16)
DEFINE_STORE(e4m3, any8, f32_to_e4m3)
DEFINE_STORE(e5m2, any8, f32_to_e5m2)
DEFINE_STORE(int32, any32, f32_to_i32)
DEFINE_STORE(int8, any8, f32_to_i8)

/* --- MXFP4 ---------------------------------------------------------------- */

/* 2^(scale - 127) */
static inline float mx_scale(uint8_t scale)
{
	if (scale == MX_SCALE_NAN)
		return f32(F32_NAN);
	return f32(scale ? (uint32_t)scale << 23 : 0x00400000);
}

/* As the small formats of alink_float.h: 0.5 is the one subnormal. */
static inline uint32_t e2m1_to_f32(uint32_t v)
{
	uint32_t abs = v & 7, sign = (v & 8) << 28;
	uint32_t normal = (abs << 22) + (126U << 23);
	uint32_t sub = bits(f32((abs << 22) + (127U << 23)) - 1.0f);

	return sign | pick(abs < 2, sub, normal);
}

AC_INLINE void load_mx(float *out, size_t step, const uint8_t *in,
		       const uint8_t *scales, size_t n)
{
	for (; n; n -= N, out += step, in += N / 2) {
		float s = mx_scale(*scales++), low[N / 2], high[N / 2];

		for (size_t i = 0; i < N / 2; i++)
			low[i] = f32(e2m1_to_f32(in[i])) * s;
		for (size_t i = 0; i < N / 2; i++)
			high[i] = f32(e2m1_to_f32(in[i] >> 4)) * s;
		for (size_t i = 0; i < N / 2; i++) {
			out[2 * i] = low[i];
			out[2 * i + 1] = high[i];
		}
	}
}

static void load_mxfp4(float *out, size_t step, const uint8_t *in,
		       const uint8_t *scales, size_t n)
{
	load_mx(out, step, in, scales, n);
}

AC_TARGET_AVX2
static void load_mxfp4_avx2(float *out, size_t step, const uint8_t *in,
			    const uint8_t *scales, size_t n)
{
	load_mx(out, step, in, scales, n);
}

/* To nearest, ties to the even code; more than 6 is 6. */
static uint8_t f32_to_e2m1(float x)
{
	uint32_t b = bits(x);
	float a = f32(b & F32_ABS);

	return (b >> 31) << 3 |
	       ((a > 0.25f) + (a >= 0.75f) + (a > 1.25f) + (a >= 1.75f) +
		(a > 2.5f) + (a >= 3.5f) + (a > 5));
}

static void store_mxfp4(uint8_t *out, uint8_t *scales, const float *in,
			size_t n)
{
	for (size_t i = 0; i < n; i += ALINK_XPU_MX_BLOCK) {
		uint32_t max = 0, scale;
		float factor;

		for (size_t j = 0; j < ALINK_XPU_MX_BLOCK; j++) {
			uint32_t b = bits(in[i + j]) & F32_ABS;

			max = b > max ? b : max;
		}
		scale = max >> 23;
		if (scale == 255) {
			*scales++ = MX_SCALE_NAN;
			memset(out, 0, ALINK_XPU_MX_BLOCK / 2);
			out += ALINK_XPU_MX_BLOCK / 2;
			continue;
		}
		scale = scale > MX_EMAX ? scale - MX_EMAX : 0;
		*scales++ = scale;
		/* 1 / mx_scale(scale): a normal number, for 0 to 252. */
		factor = f32((254 - scale) << 23);
		for (size_t j = 0; j < ALINK_XPU_MX_BLOCK; j += 2)
			*out++ = f32_to_e2m1(in[i + j] * factor) |
				 f32_to_e2m1(in[i + j + 1] * factor) << 4;
	}
}

/* --- any ------------------------------------------------------------------ */

#define BOTH(way, name)	{ way##_##name, way##_##name##_avx2 }

/* @max: greatest finite value, as FP32; 0: saturates always */
static const struct {
	ac_load_fn *load[2];
	void (*store[2])(uint8_t *out, const float *in, size_t n);
	float max;
} formats[] = {
	[ALINK_DT_INT32] = {
		BOTH(load, int32), BOTH(store, int32), 0
	},
	[ALINK_DT_FP32] = {
		BOTH(load, fp32), BOTH(store, fp32), 0x1.fffffep127f
	},
	[ALINK_DT_BF16] = {
		BOTH(load, bf16), BOTH(store, bf16), 0x1.fep127f
	},
	[ALINK_DT_FP16] = {
		BOTH(load, fp16), BOTH(store, fp16), 65504
	},
	[ALINK_DT_FP8_E4M3] = {
		BOTH(load, e4m3), BOTH(store, e4m3), 448
	},
	[ALINK_DT_FP8_E5M2] = {
		BOTH(load, e5m2), BOTH(store, e5m2), 57344
	},
	[ALINK_DT_TF32] = {
		BOTH(load, tf32), BOTH(store, tf32), 0x1.ffcp127f
	},
	[ALINK_DT_MXFP4] = { .load = BOTH(load, mxfp4) },
	[ALINK_DT_INT8] = {
		BOTH(load, int8), BOTH(store, int8), 0
	},
};

ac_load_fn *ac_loader(enum ac_level level, enum alink_dtype dtype)
{
	return formats[dtype].load[level >= AC_AVX2];
}

ac_load_fn *ac_loader_int(enum ac_level level, enum alink_dtype dtype)
{
	static ac_load_fn *const load[][2] = {
		BOTH(load, int8_as_int), BOTH(load, fp32)
	};

	return load[dtype != ALINK_DT_INT8][level >= AC_AVX2];
}

/* Whole blocks */
static void clamp(float *x, size_t n, float max)
{
	for (float *end = x + n; x < end; x += N)
		for (size_t i = 0; i < N; i++)
			x[i] = at_least(at_most(x[i], max), -max);
}

void ac_store(enum ac_level level, enum alink_dtype dtype, uint8_t *out,
	      uint8_t *scales, float *in, size_t n, bool saturate)
{
	if (dtype == ALINK_DT_MXFP4) {
		store_mxfp4(out, scales, in, n);
		return;
	}
	if (saturate && formats[dtype].max)
		clamp(in, n, formats[dtype].max);
	formats[dtype].store[level >= AC_AVX2](out, in, n);
}

enum ac_level ac_level(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512f"))
		return AC_AVX512;
	if (__builtin_cpu_supports("avx2"))
		return AC_AVX2;
#endif
	return AC_BASE;
}
