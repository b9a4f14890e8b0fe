/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating-point formats to and from FP32, as bits: for reductions and for the
 * compute engines. No branches, so that loops over them are vectorised.
 */
#ifndef ALINK_FLOAT_H
#define ALINK_FLOAT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define F32_INF		0x7f800000U
#define F32_NAN		0x7fc00000U	/* the one NaN that results have */
#define F32_ABS		0x7fffffffU

static inline float f32(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static inline uint32_t bits(float f)
{
	uint32_t b;

	memcpy(&b, &f, sizeof(b));
	return b;
}

/*
 * @yes or @no. With masks, because a conditional may be compiled to a branch
 * around the floating-point operation, which then keeps loops from being
 * vectorised.
 */
static inline uint32_t pick(bool cond, uint32_t yes, uint32_t no)
{
	uint32_t mask = -(uint32_t)cond;

	return (yes & mask) | (no & ~mask);
}

/* --- to FP32: exact ---------------------------------------------------------- */

static inline uint32_t bf16_to_f32(uint16_t v)
{
	return (uint32_t)v << 16;
}

/*
 * Small formats: put exponent and mantissa into FP32's place and correct the
 * bias. Subnormals get an implicit one on the way, which is subtracted.
 */
static inline uint32_t fp16_to_f32(uint16_t v)
{
	uint32_t abs = v & 0x7fff, sign = (uint32_t)(v & 0x8000) << 16;
	uint32_t normal = (abs << 13) + (112U << 23);
	uint32_t sub = bits(f32((abs << 13) + (113U << 23)) - 0x1p-14f);
	uint32_t special = (abs << 13) | F32_INF;
	uint32_t r = pick(abs < 0x0400, sub, normal);

	return sign | pick(abs >= 0x7c00, special, r);
}

static inline uint32_t e5m2_to_f32(uint8_t v)
{
	return fp16_to_f32((uint16_t)v << 8);
}

static inline uint32_t e4m3_to_f32(uint8_t v)
{
	uint32_t abs = v & 0x7f, sign = (uint32_t)(v & 0x80) << 24;
	uint32_t normal = (abs << 20) + (120U << 23);
	uint32_t sub = bits(f32((abs << 20) + (121U << 23)) - 0x1p-6f);
	uint32_t r = pick(abs < 0x08, sub, normal);

	return sign | pick(abs == 0x7f, F32_NAN, r);
}

/* --- from FP32: to nearest even ------------------------------------------------ */

static inline uint16_t f32_to_bf16(uint32_t v)
{
	uint32_t r = (v + 0x7fff + (v >> 16 & 1)) >> 16;

	return pick((v & F32_ABS) > F32_INF, F32_NAN >> 16, r);
}

/*
 * Normal results are rounded by integer addition, a carry into the exponent
 * being right; subnormal ones by adding a power of two whose last place is
 * the last place of the result.
 */
static inline uint16_t f32_to_fp16(uint32_t v)
{
	uint32_t abs = v & F32_ABS, sign = v >> 16 & 0x8000;
	uint32_t normal = (abs + 0xfff + (abs >> 13 & 1) - (112U << 23)) >> 13;
	uint32_t sub = bits(f32(abs) + 0x1p-1f) - 0x3f000000;
	uint32_t r = pick(abs < 0x38800000, sub, normal);	/* 2^-14 */

	r = pick(abs >= 0x47800000, 0x7c00, r);		/* 2^16 */
	return pick(abs > F32_INF, 0x7e00, sign | r);
}

static inline uint8_t f32_to_e5m2(uint32_t v)
{
	uint32_t abs = v & F32_ABS, sign = v >> 24 & 0x80;
	uint32_t normal = (abs + 0xfffff + (abs >> 21 & 1) - (112U << 23)) >> 21;
	uint32_t sub = bits(f32(abs) + 0x1p7f) - 0x43000000;
	uint32_t r = pick(abs < 0x38800000, sub, normal);

	r = pick(abs >= 0x47800000, 0x7c, r);
	return pick(abs > F32_INF, 0x7e, sign | r);
}

/* No infinity: what rounds to more than 448, from 464 on, is NaN. */
static inline uint8_t f32_to_e4m3(uint32_t v)
{
	uint32_t abs = v & F32_ABS, sign = v >> 24 & 0x80;
	uint32_t normal = (abs + 0x7ffff + (abs >> 20 & 1) - (120U << 23)) >> 20;
	uint32_t sub = bits(f32(abs) + 0x1p14f) - 0x46800000;
	uint32_t r = pick(abs < 0x3c800000, sub, normal);	/* 2^-6 */

	return pick(abs > 0x43e80000, 0x7f, sign | r);	/* 464 */
}

static inline uint32_t f32_to_f32(uint32_t v)
{
	return pick((v & F32_ABS) > F32_INF, F32_NAN, v);
}

#endif /* ALINK_FLOAT_H */
