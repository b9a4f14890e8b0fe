// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the block of a descriptor to a plan, and its pieces.
 */
#include <endian.h>

#include "compute_internal.h"

/* What the functions make of the fields of the block */
enum {
	USES_B		= 1 << 0,
	USES_K		= 1 << 1,
	USES_PARAM	= 1 << 2,
};

#define SATURATE	ALINK_XPU_CF_SATURATE

/* @cost: of an element, ns; roughly, on a slow host */
static const struct func {
	uint8_t uses;
	uint8_t cost;
	uint32_t flags;
} funcs[ALINK_XPU_NUM_FUNCS] = {
	[ALINK_XPU_FN_GEMM] = { USES_B | USES_K, 0, ALINK_XPU_CF_KNOWN },
	[ALINK_XPU_FN_ADD] = { USES_B, 2, SATURATE },
	[ALINK_XPU_FN_MUL] = { USES_B, 2, SATURATE },
	[ALINK_XPU_FN_CAST] = { 0, 2, SATURATE },
	[ALINK_XPU_FN_RMSNORM] = { USES_B | USES_PARAM, 4, SATURATE },
	[ALINK_XPU_FN_SOFTMAX] = { USES_PARAM, 12, SATURATE },
	[ALINK_XPU_FN_SILU] = { 0, 12, SATURATE },
	[ALINK_XPU_FN_GELU] = { 0, 12, SATURATE },
	[ALINK_XPU_FN_ROPE] = { USES_B | USES_K, 4, SATURATE },
	[ALINK_XPU_FN_EMBED] = { USES_B | USES_K, 2, SATURATE },
	[ALINK_XPU_FN_TOPK] = { USES_K, 16, 0 },
};

static bool is_zero(const struct alink_xpu_matrix *m)
{
	static const struct alink_xpu_matrix zero;

	return !memcmp(m, &zero, sizeof(zero));
}

/* --- checks --------------------------------------------------------------- */

static bool dim_ok(uint32_t dim)
{
	return dim >= 1 && dim <= ALINK_XPU_MAX_DIM;
}

static bool param_ok(uint32_t func, float param)
{
	uint32_t b = bits(param);

	if ((b & F32_ABS) >= F32_INF || b >> 31)
		return false;
	return func != ALINK_XPU_FN_SOFTMAX || b;
}

static bool k_ok(const struct ac_plan *p)
{
	switch (p->func) {
	case ALINK_XPU_FN_ROPE:
		return p->k % 2 == 0 && p->n % p->k == 0;
	case ALINK_XPU_FN_TOPK:
		return p->k <= p->n && p->k <= ALINK_XPU_MAX_TOPK;
	default:
		return true;
	}
}

static enum alink_status check_fields(const struct ac_plan *p,
				      const struct alink_xpu_compute *block,
				      const struct func *f)
{
	if ((p->flags & ~f->flags) || block->reserved[0] ||
	    block->reserved[1] || block->reserved[2])
		return ALINK_ST_BAD_FIELD;
	if (!dim_ok(p->m) || !dim_ok(p->n))
		return ALINK_ST_BAD_FIELD;
	if (f->uses & USES_K ? !dim_ok(p->k) || !k_ok(p) : p->k)
		return ALINK_ST_BAD_FIELD;
	if (f->uses & USES_PARAM ? !param_ok(p->func, p->param) : block->param)
		return ALINK_ST_BAD_FIELD;
	if (!(f->uses & USES_B) && !is_zero(&block->b))
		return ALINK_ST_BAD_FIELD;
	return ALINK_ST_OK;
}

/* Where INT32 is, where it must be, and where it may not be */
static bool int32_ok(const struct ac_plan *p)
{
	bool a = p->mat[AC_A].dtype == ALINK_DT_INT32;
	bool b = p->mat[AC_B].rows && p->mat[AC_B].dtype == ALINK_DT_INT32;
	bool dst = p->mat[AC_DST].dtype == ALINK_DT_INT32;

	switch (p->func) {
	case ALINK_XPU_FN_GEMM:
		return !a && !b && (!dst ||
				    (p->mat[AC_A].dtype == ALINK_DT_INT8 &&
				     p->mat[AC_B].dtype == ALINK_DT_INT8));
	case ALINK_XPU_FN_CAST:
		return !(a && dst);
	case ALINK_XPU_FN_EMBED:
		return !a && b && !dst;
	case ALINK_XPU_FN_TOPK:
		return !a && dst;
	default:
		return !a && !b && !dst;
	}
}

static bool dtype_ok(const struct ac_matrix *mat)
{
	return !mat->rows ||
	       (mat->dtype < 32 && (ac_dtypes() & ALINK_BIT(mat->dtype)));
}

static enum alink_status check_matrix(const struct ac_matrix *mat, bool result)
{
	bool mx = mat->dtype == ALINK_DT_MXFP4;

	if (mat->stride > ALINK_XPU_MAX_LEN)
		return ALINK_ST_BAD_FIELD;
	if (mx ? mat->cols % ALINK_XPU_MX_BLOCK :
		 mat->scale || mat->scale_stride)
		return ALINK_ST_BAD_FIELD;
	if (result && mat->rows > 1 &&
	    (mat->stride < ac_bytes(mat->dtype, mat->cols) ||
	     mat->scale_stride < ac_scale_bytes(mat->dtype, mat->cols)))
		return ALINK_ST_BAD_FIELD;
	return ALINK_ST_OK;
}

static bool aligned(const struct ac_matrix *mat)
{
	unsigned int align = ac_align(mat->dtype);

	return mat->addr % align == 0 && mat->stride % align == 0;
}

/* --- figures -------------------------------------------------------------- */

uint64_t ac_macs(const struct ac_plan *p)
{
	if (p->func != ALINK_XPU_FN_GEMM)
		return 0;
	return (uint64_t)p->m * p->n * p->k;
}

static uint64_t format_rate(enum alink_dtype dtype)
{
	switch (dtype) {
	case ALINK_DT_MXFP4:
		return 32768;
	case ALINK_DT_INT8:
	case ALINK_DT_FP8_E4M3:
	case ALINK_DT_FP8_E5M2:
		return 16384;
	case ALINK_DT_BF16:
	case ALINK_DT_FP16:
		return 8192;
	case ALINK_DT_TF32:
		return 4096;
	default:
		return 1024;
	}
}

uint64_t ac_mac_rate(const struct ac_plan *p)
{
	uint64_t a = format_rate(p->mat[AC_A].dtype);
	uint64_t b = format_rate(p->mat[AC_B].dtype);

	return a < b ? a : b;
}

uint64_t ac_traffic(const struct ac_plan *p)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < AC_NUM_OPERANDS; i++) {
		const struct ac_matrix *mat = &p->mat[i];
		uint64_t rows = mat->rows;

		if (p->func == ALINK_XPU_FN_EMBED && i == AC_A)
			rows = p->m;
		else if (rows && !mat->stride)
			rows = 1;
		sum += rows * (ac_bytes(mat->dtype, mat->cols) +
			       ac_scale_bytes(mat->dtype, mat->cols));
	}
	return sum;
}

/* --- making the plan ------------------------------------------------------ */

static bool take_matrix(struct ac_matrix *mat, const struct alink_xpu_matrix *m,
			uint32_t rows, uint32_t cols)
{
	*mat = (struct ac_matrix) {
		.addr = le64toh(m->addr),
		.stride = le64toh(m->stride),
		.scale = le64toh(m->scale),
		.scale_stride = le32toh(m->scale_stride),
		.dtype = m->dtype,
		.rows = rows,
		.cols = cols,
	};
	return !m->reserved[0] && !m->reserved[1] && !m->reserved[2];
}

/* The shapes of the operands; false: something reserved is not 0. */
static bool take_matrices(struct ac_plan *p,
			  const struct alink_xpu_compute *block)
{
	uint32_t a_rows = p->m, a_cols = p->n, b_rows = p->m, b_cols = p->n;
	uint32_t cols = p->n;
	bool ok;

	switch (p->func) {
	case ALINK_XPU_FN_GEMM:
		a_rows = p->flags & ALINK_XPU_CF_TRANS_A ? p->k : p->m;
		a_cols = p->flags & ALINK_XPU_CF_TRANS_A ? p->m : p->k;
		b_rows = p->flags & ALINK_XPU_CF_TRANS_B ? p->n : p->k;
		b_cols = p->flags & ALINK_XPU_CF_TRANS_B ? p->k : p->n;
		break;
	case ALINK_XPU_FN_ROPE:
		b_cols = p->k;
		break;
	case ALINK_XPU_FN_EMBED:
		a_rows = p->k;
		b_cols = 1;
		break;
	case ALINK_XPU_FN_TOPK:
		cols = p->k;
		break;
	default:
		break;
	}
	if (!(funcs[p->func].uses & USES_B))
		b_rows = 0;
	ok = take_matrix(&p->mat[AC_A], &block->a, a_rows, a_cols);
	ok &= take_matrix(&p->mat[AC_B], &block->b, b_rows, b_cols);
	ok &= take_matrix(&p->mat[AC_DST], &block->dst, p->m, cols);
	return ok;
}

/*
 * Multiply-accumulates of a piece of a GEMM, at most: some milliseconds of a
 * host, and in modelled time a part of a turn. And elements of a, as packed.
 */
#define PIECE_MACS	(128U << 20)
#define PIECE_NS	65536
#define PIECE_A		(512U << 10)

/* Whole blocks of MXFP4 in each direction */
static void gemm_steps(struct ac_plan *p)
{
	uint32_t rows = ac_min(p->m, AC_GEMM_ROWS), cols, inners;
	uint64_t macs = PIECE_NS * ac_mac_rate(p);

	macs = macs < PIECE_MACS ? macs : PIECE_MACS;
	cols = rows > AC_GEMM_ROWS / 2 ? AC_GEMM_COLS / 2 : AC_GEMM_COLS;
	cols = ac_min(p->n, cols);
	inners = ac_min(macs / (rows * cols), PIECE_A / rows);
	inners = ac_min(inners, AC_GEMM_INNERS);
	inners -= inners % AC_GEMM_DEPTH;
	p->step_rows = rows;
	p->step_cols = cols;
	p->step_inners = ac_min(inners, p->k);
}

static void take_steps(struct ac_plan *p)
{
	if (p->func == ALINK_XPU_FN_GEMM) {
		gemm_steps(p);
		return;
	}
	p->step_cols = p->mat[AC_DST].cols;
	p->step_rows = p->n > AC_ROW_BLOCK ? 1 : AC_ROW_BLOCK / p->n;
	p->step_rows = ac_min(ac_min(p->step_rows, AC_MAX_ROWS), p->m);
}

enum alink_status ac_plan_init(struct ac_plan *p, uint32_t func,
			       const struct alink_xpu_compute *block,
			       uint64_t *addr)
{
	enum alink_status st;

	memset(p, 0, sizeof(*p));
	if (func >= ALINK_XPU_NUM_FUNCS)
		return ALINK_ST_UNSUPPORTED;
	p->func = func;
	p->flags = le32toh(block->flags);
	p->m = le32toh(block->m);
	p->n = le32toh(block->n);
	p->k = le32toh(block->k);
	p->param = f32(le32toh(block->param));
	st = check_fields(p, block, &funcs[func]);
	if (st != ALINK_ST_OK)
		return st;
	if (!take_matrices(p, block))
		return ALINK_ST_BAD_FIELD;
	if (!dtype_ok(&p->mat[AC_A]) || !dtype_ok(&p->mat[AC_B]) ||
	    !dtype_ok(&p->mat[AC_DST]) || !int32_ok(p))
		return ALINK_ST_UNSUPPORTED;
	p->integer = func == ALINK_XPU_FN_GEMM &&
		     p->mat[AC_DST].dtype == ALINK_DT_INT32;
	if (p->flags & ALINK_XPU_CF_ACCUMULATE)
		p->mat[AC_DST_IN] = p->mat[AC_DST];
	for (unsigned int i = 0; i < AC_NUM_OPERANDS; i++) {
		const struct ac_matrix *mat = &p->mat[i];

		st = mat->rows ? check_matrix(mat, i == AC_DST) : ALINK_ST_OK;
		if (st != ALINK_ST_OK)
			return st;
	}
	for (unsigned int i = 0; i < AC_NUM_OPERANDS; i++) {
		if (p->mat[i].rows && !aligned(&p->mat[i])) {
			*addr = p->mat[i].addr;
			return ALINK_ST_ALIGN;
		}
	}
	take_steps(p);
	return ALINK_ST_OK;
}

/* --- pieces --------------------------------------------------------------- */

static void piece_fit(const struct ac_plan *p, struct ac_piece *piece)
{
	struct ac_region *dst = &piece->dst;

	dst->rows = ac_min(p->step_rows, p->m - dst->row);
	dst->cols = ac_min(p->step_cols, p->mat[AC_DST].cols - dst->col);
	if (p->func == ALINK_XPU_FN_GEMM)
		piece->inners = ac_min(p->step_inners, p->k - piece->inner);
}

void ac_piece_first(const struct ac_plan *p, struct ac_piece *piece)
{
	memset(piece, 0, sizeof(*piece));
	piece_fit(p, piece);
}

bool ac_piece_next(const struct ac_plan *p, struct ac_piece *piece)
{
	struct ac_region *dst = &piece->dst;

	piece->inner += piece->inners;
	if (p->func != ALINK_XPU_FN_GEMM || piece->inner == p->k) {
		piece->inner = 0;
		dst->row += dst->rows;
		if (dst->row == p->m) {
			dst->row = 0;
			dst->col += dst->cols;
			if (dst->col == p->mat[AC_DST].cols)
				return false;
		}
	}
	piece_fit(p, piece);
	return true;
}

static bool gemm_region(const struct ac_plan *p, const struct ac_piece *piece,
			enum ac_operand op, struct ac_region *r)
{
	switch (op) {
	case AC_A:
		if (p->flags & ALINK_XPU_CF_TRANS_A)
			*r = (struct ac_region) {
				piece->inner, piece->inners,
				piece->dst.row, piece->dst.rows
			};
		else
			*r = (struct ac_region) {
				piece->dst.row, piece->dst.rows,
				piece->inner, piece->inners
			};
		return true;
	case AC_B:
		if (p->flags & ALINK_XPU_CF_TRANS_B)
			*r = (struct ac_region) {
				piece->dst.col, piece->dst.cols,
				piece->inner, piece->inners
			};
		else
			*r = (struct ac_region) {
				piece->inner, piece->inners,
				piece->dst.col, piece->dst.cols
			};
		return true;
	case AC_DST_IN:
		return !piece->inner;
	default:
		return piece->inner + piece->inners == p->k;
	}
}

bool ac_piece_region(const struct ac_plan *p, const struct ac_piece *piece,
		     enum ac_operand op, struct ac_region *region)
{
	if (!p->mat[op].rows)
		return false;
	*region = piece->dst;
	if (p->func == ALINK_XPU_FN_GEMM)
		return gemm_region(p, piece, op, region);
	region->col = 0;
	region->cols = p->mat[op].cols;
	return true;
}

/* Figures of one slow core: only their magnitude matters. */
uint64_t ac_piece_cost(const struct ac_plan *p, const struct ac_piece *piece)
{
	uint64_t rows = piece->dst.rows, cols = piece->dst.cols;
	uint64_t cost = funcs[p->func].cost;

	if (p->func == ALINK_XPU_FN_GEMM)
		return rows * cols * piece->inners / 16 +
		       piece->inners * (rows + cols) + rows * cols;
	/* One more number moves up to k of them. */
	if (p->func == ALINK_XPU_FN_TOPK)
		cost += p->k;
	return cost * rows * p->n;
}
