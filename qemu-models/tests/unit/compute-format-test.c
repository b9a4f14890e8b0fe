// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Casts between all formats, to the bit: every number of 8 and 16 bits, and of
 * 32 bits those around each rounding and at random.
 */
#include <math.h>

#include "compute-rig.h"
#include "rig.h"
#include "tap.h"

/* Casts @n numbers and compares each. */
static void check_cast(enum alink_dtype from, const void *in, size_t n,
		       enum alink_dtype to, bool saturate)
{
	struct alink_xpu_compute block = {
		.flags = saturate ? ALINK_XPU_CF_SATURATE : 0,
		.m = 1, .n = n,
		.a = cr_matrix(from, in, n),
	};
	void *out = malloc(n * cr_size(to));
	int bad = 0;

	block.dst = cr_matrix(to, out, n);
	EXPECT_EQ(cr_run(ALINK_XPU_FN_CAST, &block), ALINK_ST_OK);
	for (size_t i = 0; i < n && bad < 5; i++) {
		double x = cr_decode(from, cr_get(from, in, i));
		uint32_t want = cr_encode(to, x, saturate);
		uint32_t have = cr_get(to, out, i);

		if (want != have) {
			TAP_FAIL("%s %#x (%g) is %s %#x, not %#x%s",
				 cr_name(from), cr_get(from, in, i), x,
				 cr_name(to), have, want,
				 saturate ? ", saturating" : "");
			bad++;
		}
	}
	free(out);
}

static void check_all_targets(enum alink_dtype from, const void *in, size_t n)
{
	for (int t = 0; t < CR_NUM_FORMATS; t++) {
		if (from == ALINK_DT_INT32 && cr_formats[t] == from)
			continue;
		check_cast(from, in, n, cr_formats[t], false);
		check_cast(from, in, n, cr_formats[t], true);
	}
}

TEST(reference_knows_the_formats)
{
	uint8_t elems[16] = { 0x21, 0xf7 }, scale;
	double in[32] = { 3.49, 5, -0.25, 0.75 };

	EXPECT(cr_decode(ALINK_DT_FP32, 0x3fc00000) == 1.5);
	EXPECT(cr_decode(ALINK_DT_TF32, 0x3f801000) == 1);
	EXPECT(cr_decode(ALINK_DT_TF32, 0x3f803000) == 1 + 0x1p-9);
	EXPECT(cr_decode(ALINK_DT_FP8_E4M3, 0x7e) == 448);
	EXPECT(cr_decode(ALINK_DT_FP8_E5M2, 0x7b) == 57344);
	EXPECT(cr_decode(ALINK_DT_INT8, 0x80) == -128);
	EXPECT(cr_decode(ALINK_DT_INT32, 0x01000001) == 0x01000000);
	EXPECT_EQ(cr_encode(ALINK_DT_INT8, -2.5, false), 0xfe);
	EXPECT_EQ(cr_encode(ALINK_DT_INT8, 1e30, false), 127);
	EXPECT_EQ(cr_encode(ALINK_DT_INT32, 0.5, false), 0);
	EXPECT_EQ(cr_encode(ALINK_DT_FP8_E4M3, 1e9, false), 0x7f);
	EXPECT_EQ(cr_encode(ALINK_DT_FP8_E4M3, -1e9, true), 0xfe);
	EXPECT_EQ(cr_encode(ALINK_DT_TF32, NAN, true), 0x7fc00000);
	for (int i = 0; i < 10000; i++) {
		double x = ldexp((double)(int64_t)rig_random(), i % 300 - 215);

		EXPECT_EQ(cr_fp32(x), cr_encode(ALINK_DT_FP32, x, false));
	}
	EXPECT_EQ(cr_fp32(NAN), cr_encode(ALINK_DT_FP32, NAN, false));
	EXPECT_EQ(cr_fp32(-0x1p-150), cr_encode(ALINK_DT_FP32, -0x1p-150,
						false));
	EXPECT(cr_mx_decode(elems, 127, 0) == 0.5);
	EXPECT(cr_mx_decode(elems, 128, 1) == 2);
	EXPECT(cr_mx_decode(elems, 126, 3) == -3);
	EXPECT(cr_mx_decode(elems, 254, 2) == INFINITY);
	cr_mx_encode(in, elems, &scale);
	EXPECT_EQ(scale, 127);
	EXPECT_EQ(elems[0], 0x65);	/* 3 and, from 5, 4 */
	EXPECT_EQ(elems[1], 0x28);	/* -0 and, from 0.75, 1 */
}

TEST(cast_8_bits_exhaustive)
{
	uint8_t in[256];

	for (int i = 0; i < 256; i++)
		in[i] = i;
	check_all_targets(ALINK_DT_FP8_E4M3, in, 256);
	check_all_targets(ALINK_DT_FP8_E5M2, in, 256);
	check_all_targets(ALINK_DT_INT8, in, 256);
}

TEST(cast_16_bits_exhaustive)
{
	uint16_t *in = malloc(65536 * sizeof(*in));

	for (int i = 0; i < 65536; i++)
		in[i] = i;
	check_all_targets(ALINK_DT_BF16, in, 65536);
	check_all_targets(ALINK_DT_FP16, in, 65536);
	free(in);
}

TEST(cast_32_bits_random)
{
	enum { N = 100000 };
	uint32_t *in = malloc(N * sizeof(*in));

	rig_fill(in, N * sizeof(*in));
	check_all_targets(ALINK_DT_FP32, in, N);
	check_all_targets(ALINK_DT_TF32, in, N);
	check_all_targets(ALINK_DT_INT32, in, N);
	/* Small integers, where INT8 is not always at its limits */
	for (int i = 0; i < N; i++)
		in[i] = i - N / 2;
	check_all_targets(ALINK_DT_INT32, in, N);
	free(in);
}

/* Each number of 16 bits and less, half way to the next one, 1 ulp beside */
TEST(cast_ties)
{
	static const enum alink_dtype to[] = {
		ALINK_DT_BF16, ALINK_DT_FP16, ALINK_DT_FP8_E4M3,
		ALINK_DT_FP8_E5M2, ALINK_DT_TF32,
	};
	float *in = malloc(5 * 65536 * sizeof(*in));

	for (size_t t = 0; t < sizeof(to) / sizeof(to[0]); t++) {
		uint32_t step = to[t] == ALINK_DT_TF32 ? 1 << 13 : 1;
		uint32_t codes = cr_size(to[t]) == 1 ? 256 : 65536;
		size_t n = 0;

		for (uint32_t i = 0; i < codes; i++) {
			/* Of TF32 every eighth code, from all exponents */
			uint32_t c = step == 1 ? i : i * 8 * step;
			float a = cr_decode(to[t], c);
			float b = cr_decode(to[t], c + step), half;

			half = a / 2 + b / 2;
			in[n++] = a;
			in[n++] = half;
			in[n++] = nextafterf(half, INFINITY);
			in[n++] = nextafterf(half, -INFINITY);
			in[n++] = -half;
		}
		check_cast(ALINK_DT_FP32, in, n, to[t], false);
		check_cast(ALINK_DT_FP32, in, n, to[t], true);
	}
	free(in);
}

TEST(cast_integer_ties)
{
	enum { N = 2048 };
	float in[N + 10] = {
		0x1p31f, -0x1p31f, 0x1.fffffep30f, -0x1.000002p31f, 0x1p32f,
		INFINITY, -INFINITY, NAN, 0x1p-149f, -0.0f,
	};

	for (int i = 0; i < N; i++)
		in[10 + i] = (i - N / 2) * 0.25f;
	check_cast(ALINK_DT_FP32, in, N + 10, ALINK_DT_INT8, false);
	check_cast(ALINK_DT_FP32, in, N + 10, ALINK_DT_INT32, false);
}

/* --- MXFP4 ---------------------------------------------------------------- */

/* All elements at all scales */
TEST(mxfp4_to_fp32_exhaustive)
{
	uint8_t elems[256 * 16], scales[256];
	static float out[256 * 32];
	struct alink_xpu_compute block = {
		.m = 256, .n = 32,
		.a = cr_matrix(ALINK_DT_MXFP4, elems, 32),
		.dst = cr_matrix(ALINK_DT_FP32, out, 32),
	};

	block.a.scale = (uintptr_t)scales;
	block.a.scale_stride = 1;
	for (int i = 0; i < 256 * 16; i++)
		elems[i] = i % 16 * 17;
	for (int i = 0; i < 256; i++)
		scales[i] = i;
	EXPECT_EQ(cr_run(ALINK_XPU_FN_CAST, &block), ALINK_ST_OK);
	for (int i = 0; i < 256 * 32; i++) {
		double want = cr_mx_decode(elems + i / 32 * 16, scales[i / 32],
					   i % 32);

		if (cr_get(ALINK_DT_FP32, out, i) !=
		    cr_encode(ALINK_DT_FP32, want, false))
			TAP_FAIL("element %d, scale %d: %g, not %g", i % 32,
				 i / 32, out[i], want);
	}
}

/* Blocks of any magnitude, ties, NaN and infinity, from several formats */
static void check_to_mxfp4(enum alink_dtype from, const void *in, size_t rows,
			   size_t cols)
{
	uint8_t *elems = malloc(rows * cols / 2);
	uint8_t *scales = malloc(rows * cols / 32), want[16], scale;
	struct alink_xpu_compute block = {
		.m = rows, .n = cols,
		.a = cr_matrix(from, in, cols),
		.dst = cr_matrix(ALINK_DT_MXFP4, elems, cols),
	};
	double x[32];
	int bad = 0;

	block.dst.scale = (uintptr_t)scales;
	block.dst.scale_stride = cols / 32;
	EXPECT_EQ(cr_run(ALINK_XPU_FN_CAST, &block), ALINK_ST_OK);
	for (size_t i = 0; i < rows * cols / 32 && bad < 5; i++) {
		for (size_t j = 0; j < 32; j++)
			x[j] = cr_decode(from, cr_get(from, in, i * 32 + j));
		cr_mx_encode(x, want, &scale);
		if (scale != scales[i] || memcmp(want, elems + i * 16, 16)) {
			TAP_FAIL("%s: block %zu, scale %u, not %u",
				 cr_name(from), i, scales[i], scale);
			bad++;
		}
	}
	free(elems);
	free(scales);
}

TEST(cast_to_mxfp4)
{
	enum { ROWS = 40, COLS = 320, N = ROWS * COLS };
	float *in = malloc(N * sizeof(*in));
	uint16_t *half = malloc(65536 * sizeof(*half));

	/* Any bits; then blocks of like magnitude with quarters, for ties. */
	rig_fill(in, N * sizeof(*in));
	check_to_mxfp4(ALINK_DT_FP32, in, ROWS, COLS);
	for (int i = 0; i < N; i++)
		in[i] = ldexpf(((int)(rig_random() % 65) - 32) * 0.25f,
			       (i / 32) * 277 / (N / 32) - 151);
	check_to_mxfp4(ALINK_DT_FP32, in, ROWS, COLS);
	in[40] = NAN;
	in[100] = -INFINITY;
	memset(in + 128, 0, 128);
	check_to_mxfp4(ALINK_DT_FP32, in, ROWS, COLS);
	for (int i = 0; i < 65536; i++)
		half[i] = i;
	check_to_mxfp4(ALINK_DT_FP16, half, 64, 1024);
	check_to_mxfp4(ALINK_DT_BF16, half, 64, 1024);
	check_to_mxfp4(ALINK_DT_INT8, half, 64, 2048);
	free(half);
	free(in);
}
