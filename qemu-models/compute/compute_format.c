// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Formats of the compute engines to and from FP32.
 *
 * Inner loops have a constant count, so that compilers vectorise them at -O2.
 */
#include "compute_internal.h"

#define N		64	/* elements of a step; whole blocks of MXFP4 */

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

	x = x < 127 ? x : 127;
	x = x > -128 ? x : -128;
	/* At 1.5 * 2^23 the last place is 1: the low bits are the number. */
	return bits(x + 0x1.8p23f);
}

static inline uint32_t f32_to_i32(uint32_t v)
{
	double x = f32(pick((v & F32_ABS) > F32_INF, 0, v));
	uint64_t b;

	x = x < INT32_MAX ? x : INT32_MAX;
	x = x > INT32_MIN ? x : INT32_MIN;
	x += 0x1.8p52;
	memcpy(&b, &x, sizeof(b));
	return b;
}

/* --- rows ----------------------------------------------------------------- */

#define AS_IS(v)	(v)

#define DEFINE_LOAD(name, type, conv)					\
static void load_##name(float *out, const uint8_t *in, size_t n)	\
{									\
	uint32_t val[N];						\
	type raw[N] = { 0 };						\
									\
	for (size_t i = 0; i < n; i += N) {				\
		size_t num = n - i < N ? n - i : N;			\
									\
		memcpy(raw, in + i * sizeof(type), num * sizeof(type));	\
		for (size_t j = 0; j < N; j++)				\
			val[j] = conv(raw[j]);				\
		memcpy(out + i, val, num * sizeof(*out));		\
	}								\
}

#define DEFINE_STORE(name, type, conv)					\
static void store_##name(uint8_t *out, const float *in, size_t n)	\
{									\
	uint32_t val[N] = { 0 };					\
	type raw[N];							\
									\
	for (size_t i = 0; i < n; i += N) {				\
		size_t num = n - i < N ? n - i : N;			\
									\
		memcpy(val, in + i, num * sizeof(*in));			\
		for (size_t j = 0; j < N; j++)				\
			raw[j] = conv(val[j]);				\
		memcpy(out + i * sizeof(type), raw, num * sizeof(type)); \
	}								\
}

DEFINE_LOAD(fp32, uint32_t, AS_IS)
DEFINE_LOAD(tf32, uint32_t, f32_to_tf32)
DEFINE_LOAD(bf16, uint16_t, bf16_to_f32)
DEFINE_LOAD(fp16, uint16_t, fp16_to_f32)
DEFINE_LOAD(e4m3, uint8_t, e4m3_to_f32)
DEFINE_LOAD(e5m2, uint8_t, e5m2_to_f32)
DEFINE_LOAD(int32, uint32_t, i32_to_f32)
DEFINE_LOAD(int8, uint8_t, i8_to_f32)

DEFINE_STORE(fp32, uint32_t, f32_to_f32)
DEFINE_STORE(tf32, uint32_t, f32_to_tf32)
DEFINE_STORE(bf16, uint16_t, f32_to_bf16)
DEFINE_STORE(fp16, uint16_t, f32_to_fp16)
DEFINE_STORE(e4m3, uint8_t, f32_to_e4m3)
DEFINE_STORE(e5m2, uint8_t, f32_to_e5m2)
DEFINE_STORE(int32, uint32_t, f32_to_i32)
DEFINE_STORE(int8, uint8_t, f32_to_i8)

/* @max: greatest finite value, as FP32; 0: saturates always */
static const struct {
	void (*load)(float *out, const uint8_t *in, size_t n);
	void (*store)(uint8_t *out, const float *in, size_t n);
	float max;
} formats[] = {
	[ALINK_DT_INT32] = { load_int32, store_int32, 0 },
	[ALINK_DT_FP32] = { load_fp32, store_fp32, 0x1.fffffep127f },
	[ALINK_DT_BF16] = { load_bf16, store_bf16, 0x1.fep127f },
	[ALINK_DT_FP16] = { load_fp16, store_fp16, 65504 },
	[ALINK_DT_FP8_E4M3] = { load_e4m3, store_e4m3, 448 },
	[ALINK_DT_FP8_E5M2] = { load_e5m2, store_e5m2, 57344 },
	[ALINK_DT_TF32] = { load_tf32, store_tf32, 0x1.ffcp127f },
	[ALINK_DT_INT8] = { load_int8, store_int8, 0 },
};

/* --- MXFP4 ---------------------------------------------------------------- */

/* 2^(scale - 127) */
static float mx_scale(uint8_t scale)
{
	if (scale == MX_SCALE_NAN)
		return f32(F32_NAN);
	return f32(scale ? (uint32_t)scale << 23 : 0x00400000);
}

static void load_mxfp4(float *out, const uint8_t *in, const uint8_t *scales,
		       size_t n)
{
	static const float value[16] = {
		0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6
	};

	for (size_t i = 0; i < n; i += ALINK_XPU_MX_BLOCK) {
		float s = mx_scale(*scales++);

		for (size_t j = 0; j < ALINK_XPU_MX_BLOCK / 2; j++, in++) {
			out[i + 2 * j] = value[*in & 15] * s;
			out[i + 2 * j + 1] = value[*in >> 4] * s;
		}
	}
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

void ac_load(enum alink_dtype dtype, float *out, const void *in,
	     const uint8_t *scales, size_t n)
{
	if (dtype == ALINK_DT_MXFP4)
		load_mxfp4(out, in, scales, n);
	else
		formats[dtype].load(out, in, n);
}

/* NaN is neither less nor greater. */
static void clamp(float *x, size_t n, float max)
{
	for (size_t i = 0; i < n; i++) {
		x[i] = x[i] > max ? max : x[i];
		x[i] = x[i] < -max ? -max : x[i];
	}
}

void ac_store(enum alink_dtype dtype, void *out, uint8_t *scales, float *in,
	      size_t n, bool saturate)
{
	if (dtype == ALINK_DT_MXFP4) {
		store_mxfp4(out, scales, in, n);
		return;
	}
	if (saturate && formats[dtype].max)
		clamp(in, n, formats[dtype].max);
	formats[dtype].store(out, in, n);
}
