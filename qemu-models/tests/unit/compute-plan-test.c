// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks that are refused, each for one field; pieces cover a plan once; time
 * and traffic.
 */
#include "compute-rig.h"
#include "tap.h"

#define BLOCK_AT	0x1000

static struct alink_xpu_matrix mat(enum alink_dtype dtype, uint32_t cols)
{
	struct alink_xpu_matrix m = {
		.addr = 0x10000,
		.stride = ac_bytes(dtype, cols),
		.dtype = dtype,
	};

	if (dtype == ALINK_DT_MXFP4) {
		m.scale = 0x20001;
		m.scale_stride = cols / 32;
	}
	return m;
}

/* A block that every function can have, but for what is its own */
static struct alink_xpu_compute good(enum alink_xpu_func func,
				     enum alink_dtype dtype)
{
	struct alink_xpu_compute b = {
		.m = 64, .n = 128,
		.dst = mat(dtype, 128), .a = mat(dtype, 128),
	};

	switch (func) {
	case ALINK_XPU_FN_GEMM:
		b.k = 32;
		b.a = mat(dtype, 32);
		b.b = mat(dtype, 128);
		break;
	case ALINK_XPU_FN_ADD:
	case ALINK_XPU_FN_MUL:
	case ALINK_XPU_FN_RMSNORM:
		b.b = mat(dtype, 128);
		break;
	case ALINK_XPU_FN_SOFTMAX:
		b.param = 0x3f800000;
		break;
	case ALINK_XPU_FN_ROPE:
		b.k = 64;
		b.b = mat(dtype, 64);
		break;
	case ALINK_XPU_FN_EMBED:
		b.k = 1000;
		b.b = mat(ALINK_DT_INT32, 1);
		break;
	case ALINK_XPU_FN_TOPK:
		b.k = 4;
		b.dst = mat(ALINK_DT_INT32, 4);
		break;
	default:
		break;
	}
	return b;
}

static void expect(int line, uint32_t func, struct alink_xpu_compute b,
		   enum alink_status want, uint64_t want_addr)
{
	uint64_t addr = BLOCK_AT;
	struct ac_plan p;
	enum alink_status have = ac_plan_init(&p, func, &b, &addr);

	if (have != want || (want && addr != want_addr))
		TAP_FAIL("line %d: function %u gives %d at %#" PRIx64
			 ", not %d at %#" PRIx64, line, func, have, addr, want,
			 want_addr);
}

#define OK(func, b)		expect(__LINE__, func, b, ALINK_ST_OK, 0)
#define BAD(func, b)		\
	expect(__LINE__, func, b, ALINK_ST_BAD_FIELD, BLOCK_AT)
#define UNSUPPORTED(func, b)	\
	expect(__LINE__, func, b, ALINK_ST_UNSUPPORTED, BLOCK_AT)
#define UNALIGNED(func, b)	\
	expect(__LINE__, func, b, ALINK_ST_ALIGN, 0x10001)

/* Changes one field of a good block. */
#define WITH(func, dtype, field, value) ({				\
	struct alink_xpu_compute b_ = good(func, dtype);		\
									\
	b_.field = value;						\
	b_;								\
})

#define FP32	ALINK_DT_FP32
#define FN(f)	ALINK_XPU_FN_##f

TEST(good_blocks)
{
	for (int f = 0; f < ALINK_XPU_NUM_FUNCS; f++)
		for (int d = 0; d < 32; d++)
			if (d != ALINK_DT_INT32 && (ac_dtypes() >> d & 1))
				OK(f, good(f, d));
	UNSUPPORTED(ALINK_XPU_NUM_FUNCS, good(0, FP32));
	UNSUPPORTED(255, good(0, FP32));
}

TEST(fields_of_all)
{
	for (int f = 0; f < ALINK_XPU_NUM_FUNCS; f++) {
		BAD(f, WITH(f, FP32, m, 0));
		BAD(f, WITH(f, FP32, m, ALINK_XPU_MAX_DIM + 1));
		BAD(f, WITH(f, FP32, n, 0));
		BAD(f, WITH(f, FP32, n, ALINK_XPU_MAX_DIM + 1));
		BAD(f, WITH(f, FP32, k, ALINK_XPU_MAX_DIM + 1));
		BAD(f, WITH(f, FP32, flags, 1 << 4));
		BAD(f, WITH(f, FP32, flags, 1U << 31));
		for (int i = 0; i < 3; i++) {
			BAD(f, WITH(f, FP32, reserved[i], 1));
			BAD(f, WITH(f, FP32, a.reserved[i], 1));
			BAD(f, WITH(f, FP32, b.reserved[i], 1));
			BAD(f, WITH(f, FP32, dst.reserved[i], 1));
		}
		BAD(f, WITH(f, FP32, a.scale, 64));
		BAD(f, WITH(f, FP32, a.scale_stride, 1));
		BAD(f, WITH(f, FP32, dst.scale, 64));
		BAD(f, WITH(f, FP32, dst.scale_stride, 1));
		BAD(f, WITH(f, FP32, a.stride, ALINK_XPU_MAX_LEN + 4));
		BAD(f, WITH(f, FP32, dst.stride, ALINK_XPU_MAX_LEN + 4));
		BAD(f, WITH(f, FP32, dst.stride, 12));
		OK(f, WITH(f, FP32, a.stride, ALINK_XPU_MAX_LEN));
		OK(f, WITH(f, FP32, a.stride, 0));
		UNALIGNED(f, WITH(f, FP32, a.addr, 0x10001));
		UNALIGNED(f, WITH(f, FP32, dst.addr, 0x10001));
		UNSUPPORTED(f, WITH(f, FP32, a.dtype, ALINK_DT_UINT8));
		UNSUPPORTED(f, WITH(f, FP32, dst.dtype, ALINK_DT_UINT8));
		UNSUPPORTED(f, WITH(f, FP32, a.dtype, 10));
		UNSUPPORTED(f, WITH(f, FP32, dst.dtype, 255));
	}
}

TEST(fields_that_a_function_has_not)
{
	for (int f = 0; f < ALINK_XPU_NUM_FUNCS; f++) {
		bool has_k = f == FN(GEMM) || f == FN(ROPE) || f == FN(EMBED) ||
			     f == FN(TOPK);
		bool has_b = f == FN(GEMM) || f == FN(ADD) || f == FN(MUL) ||
			     f == FN(RMSNORM) || f == FN(ROPE) ||
			     f == FN(EMBED);

		BAD(f, WITH(f, FP32, k, has_k ? 0 : 2));
		if (f != FN(RMSNORM) && f != FN(SOFTMAX))
			BAD(f, WITH(f, FP32, param, 0x3f800000));
		if (!has_b) {
			BAD(f, WITH(f, FP32, b.addr, 64));
			BAD(f, WITH(f, FP32, b.dtype, 1));
		} else {
			UNALIGNED(f, WITH(f, FP32, b.addr, 0x10001));
			UNSUPPORTED(f, WITH(f, FP32, b.dtype, ALINK_DT_UINT8));
		}
		if (f != FN(GEMM)) {
			BAD(f, WITH(f, FP32, flags, ALINK_XPU_CF_TRANS_A));
			BAD(f, WITH(f, FP32, flags, ALINK_XPU_CF_TRANS_B));
			BAD(f, WITH(f, FP32, flags, ALINK_XPU_CF_ACCUMULATE));
		}
		if (f == FN(TOPK))
			BAD(f, WITH(f, FP32, flags, ALINK_XPU_CF_SATURATE));
		else
			OK(f, WITH(f, FP32, flags, ALINK_XPU_CF_SATURATE));
	}
}

TEST(fields_of_one)
{
	static const uint32_t no_eps[] = { 0x80000000, 0xbf800000, 0x7f800000,
					   0x7fc00000, 0xffffffff };
	struct alink_xpu_compute b;

	for (size_t i = 0; i < sizeof(no_eps) / sizeof(no_eps[0]); i++) {
		BAD(FN(RMSNORM), WITH(FN(RMSNORM), FP32, param, no_eps[i]));
		BAD(FN(SOFTMAX), WITH(FN(SOFTMAX), FP32, param, no_eps[i]));
	}
	OK(FN(RMSNORM), WITH(FN(RMSNORM), FP32, param, 0));
	BAD(FN(SOFTMAX), WITH(FN(SOFTMAX), FP32, param, 0));
	OK(FN(SOFTMAX), WITH(FN(SOFTMAX), FP32, param, 1));
	BAD(FN(ROPE), WITH(FN(ROPE), FP32, k, 63));
	BAD(FN(ROPE), WITH(FN(ROPE), FP32, k, 6));
	BAD(FN(ROPE), WITH(FN(ROPE), FP32, k, 256));
	b = WITH(FN(TOPK), FP32, k, ALINK_XPU_MAX_TOPK);
	b.dst.stride = 4 * ALINK_XPU_MAX_TOPK;
	OK(FN(TOPK), b);
	b.k++;
	b.dst.stride += 4;
	BAD(FN(TOPK), b);
	b = WITH(FN(TOPK), FP32, n, 3);
	BAD(FN(TOPK), b);
	b = good(FN(GEMM), ALINK_DT_MXFP4);
	b.k = 48;
	BAD(FN(GEMM), b);
	b = good(FN(GEMM), ALINK_DT_MXFP4);
	b.dst.scale_stride = 3;
	BAD(FN(GEMM), b);
	b.dst.stride = 63;
	BAD(FN(GEMM), b);
	/* Rows of a that is stored transposed have m elements. */
	b.dst.stride = 64;
	b.dst.scale_stride = 4;
	b.k = 33;
	b.flags = ALINK_XPU_CF_TRANS_A;
	OK(FN(GEMM), b);
	b.m = 65;
	BAD(FN(GEMM), b);
	b.k = 32;
	b.flags = 0;
	OK(FN(GEMM), b);
	b.dst.scale_stride = 3;
	/* One row needs no distance. */
	b.m = 1;
	OK(FN(GEMM), b);
}

TEST(where_int32_may_be)
{
	for (int f = 0; f < ALINK_XPU_NUM_FUNCS; f++) {
		if (f != FN(CAST))
			UNSUPPORTED(f, WITH(f, FP32, a.dtype, ALINK_DT_INT32));
		if (f != FN(CAST) && f != FN(TOPK))
			UNSUPPORTED(f, WITH(f, FP32, dst.dtype,
					    ALINK_DT_INT32));
	}
	OK(FN(CAST), WITH(FN(CAST), FP32, a.dtype, ALINK_DT_INT32));
	OK(FN(CAST), WITH(FN(CAST), FP32, dst.dtype, ALINK_DT_INT32));
	UNSUPPORTED(FN(CAST), good(FN(CAST), ALINK_DT_INT32));
	UNSUPPORTED(FN(ADD), WITH(FN(ADD), FP32, b.dtype, ALINK_DT_INT32));
	UNSUPPORTED(FN(EMBED), WITH(FN(EMBED), FP32, b.dtype, FP32));
	UNSUPPORTED(FN(TOPK), WITH(FN(TOPK), FP32, dst.dtype, FP32));
	OK(FN(GEMM), good(FN(GEMM), ALINK_DT_INT8));
}

/* Each element of dst once, and for each the whole of k in ascending order */
TEST(pieces_cover_all_once)
{
	static const uint32_t shape[][3] = {
		{ 1, 1, 1 }, { 512, 512, 256 }, { 513, 1025, 513 },
		{ 257, 511, 2049 }, { 3, 1000, 5000 }, { 3000, 1, 5 },
		{ 2, ALINK_XPU_MAX_DIM, 1 },
	};

	for (size_t i = 0; i < 2 * sizeof(shape) / sizeof(shape[0]); i++) {
		const uint32_t *s = shape[i / 2];
		uint32_t func = i % 2 ? FN(CAST) : FN(GEMM);
		struct alink_xpu_compute b = good(func, FP32);
		uint64_t addr = 0, elements = 0, work = 0;
		struct ac_piece piece;
		struct ac_region r;
		struct ac_plan p;
		uint32_t inner = 0;

		b.m = s[0];
		b.n = s[1];
		b.k = i % 2 ? 0 : s[2];
		b.dst.stride = 4 * b.n;
		ASSERT(ac_plan_init(&p, func, &b, &addr) == ALINK_ST_OK);
		ac_piece_first(&p, &piece);
		do {
			EXPECT_EQ(piece.inner, inner);
			inner += piece.inners;
			if (ac_piece_region(&p, &piece, AC_DST, &r)) {
				elements += (uint64_t)r.rows * r.cols;
				EXPECT(r.row + r.rows <= b.m);
				EXPECT(r.col + r.cols <= b.n);
				EXPECT_EQ(inner, b.k);
				inner = 0;
			}
			EXPECT(!ac_piece_region(&p, &piece, AC_DST_IN, &r));
			/* Blocks that share a scale stay whole. */
			if (func == FN(GEMM))
				EXPECT(!((piece.inner | piece.dst.row |
					  piece.dst.col) % 32));
			/* Rows are translated under the BQL. */
			for (int op = 0; op < AC_NUM_OPERANDS; op++)
				if (ac_piece_region(&p, &piece, op, &r))
					EXPECT(r.rows <= 2048);
			EXPECT(ac_piece_cost(&p, &piece) < 50000000);
			work += (uint64_t)piece.dst.rows * piece.dst.cols *
				piece.inners;
		} while (ac_piece_next(&p, &piece));
		EXPECT_EQ(elements, (uint64_t)b.m * b.n);
		EXPECT_EQ(work, ac_macs(&p));
	}
}

TEST(traffic_and_rates)
{
	static const struct {
		enum alink_dtype dtype;
		uint64_t rate, bytes;
	} want[] = {
		{ ALINK_DT_FP32, 1024, 4 * (64 * 32 + 32 * 128 + 64 * 128) },
		{ ALINK_DT_TF32, 4096, 4 * (64 * 32 + 32 * 128 + 64 * 128) },
		{ ALINK_DT_BF16, 8192, 2 * (64 * 32 + 32 * 128 + 64 * 128) },
		{ ALINK_DT_FP8_E4M3, 16384, 64 * 32 + 32 * 128 + 64 * 128 },
		{ ALINK_DT_MXFP4, 32768,
		  (64 * 32 + 32 * 128 + 64 * 128) / 32 * 17 },
	};
	struct alink_xpu_compute b;
	uint64_t addr = 0;
	struct ac_plan p;

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		b = good(FN(GEMM), want[i].dtype);
		ASSERT(ac_plan_init(&p, FN(GEMM), &b, &addr) == ALINK_ST_OK);
		EXPECT_EQ(ac_macs(&p), 64 * 128 * 32);
		EXPECT_EQ(ac_mac_rate(&p), want[i].rate);
		EXPECT_EQ(ac_traffic(&p), want[i].bytes);
	}
	/* The wider format decides; dst read is dst counted twice. */
	b.a = mat(ALINK_DT_BF16, 32);
	b.flags = ALINK_XPU_CF_ACCUMULATE;
	ASSERT(ac_plan_init(&p, FN(GEMM), &b, &addr) == ALINK_ST_OK);
	EXPECT_EQ(ac_mac_rate(&p), 8192);
	EXPECT_EQ(ac_traffic(&p), 2 * 64 * 32 +
		  (32 * 128 + 2 * 64 * 128) / 32 * 17);
	/* A repeated row is one; of a table, the rows fetched. */
	b = good(FN(ADD), FP32);
	b.b.stride = 0;
	ASSERT(ac_plan_init(&p, FN(ADD), &b, &addr) == ALINK_ST_OK);
	EXPECT_EQ(ac_macs(&p), 0);
	EXPECT_EQ(ac_traffic(&p), 4 * 129 * 128);
	b = good(FN(EMBED), FP32);
	ASSERT(ac_plan_init(&p, FN(EMBED), &b, &addr) == ALINK_ST_OK);
	EXPECT_EQ(ac_traffic(&p), 4 * (64 * 128 + 64 + 64 * 128));
}
