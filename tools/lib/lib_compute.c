// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands for the compute engines.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "alink_priv.h"

struct alink_matrix alink_dense(enum alink_dtype dtype, uint64_t va,
				uint32_t cols)
{
	return (struct alink_matrix) {
		.va = va,
		.stride = (uint64_t)cols * alink_dtype_bytes(dtype),
		.dtype = dtype,
	};
}

struct alink_matrix alink_dense_mxfp4(uint64_t va, uint64_t scale_va,
				      uint32_t cols)
{
	return (struct alink_matrix) {
		.va = va,
		.stride = cols / 2,
		.scale_va = scale_va,
		.scale_stride = cols / ALINK_XPU_MX_BLOCK,
		.dtype = ALINK_DT_MXFP4,
	};
}

static struct alink_xpu_matrix encode(const struct alink_matrix *m)
{
	return (struct alink_xpu_matrix) {
		.addr = htole64(m->va),
		.stride = htole64(m->stride),
		.scale = htole64(m->scale_va),
		.scale_stride = htole32(m->scale_stride),
		.dtype = (uint8_t)m->dtype,
	};
}

int alink_cmd_compute(struct alink_queue *q, enum alink_xpu_func func,
		      const struct alink_compute *c, uint64_t *seq)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COMPUTE,
		.subop = (uint8_t)func,
		.len = htole64(sizeof(struct alink_xpu_compute)),
	};
	struct alink_xpu_compute *block;
	uint32_t param;
	uint64_t va;
	int err;

	err = alink_queue_func(q, func);
	if (err)
		return err;
	err = alink_queue_block(q, &block, &va);
	if (err)
		return err;
	memcpy(&param, &c->param, sizeof(param));
	*block = (struct alink_xpu_compute) {
		.flags = htole32(c->flags),
		.m = htole32(c->m),
		.n = htole32(c->n),
		.k = htole32(c->k),
		.param = htole32(param),
		.dst = encode(&c->dst),
		.a = encode(&c->a),
		.b = encode(&c->b),
	};
	d.src = htole64(va);
	return alink_cmd(q, &d, seq);
}

int alink_cmd_gemm(struct alink_queue *q, uint32_t m, uint32_t n, uint32_t k,
		   const struct alink_matrix *dst, const struct alink_matrix *a,
		   const struct alink_matrix *b, uint32_t flags, uint64_t *seq)
{
	struct alink_compute c = {
		.flags = flags,
		.m = m, .n = n, .k = k,
		.dst = *dst, .a = *a, .b = *b,
	};

	return alink_cmd_compute(q, ALINK_XPU_FN_GEMM, &c, seq);
}

int alink_cmd_cast(struct alink_queue *q, uint32_t m, uint32_t n,
		   const struct alink_matrix *dst, const struct alink_matrix *a,
		   uint32_t flags, uint64_t *seq)
{
	struct alink_compute c = {
		.flags = flags,
		.m = m, .n = n,
		.dst = *dst, .a = *a,
	};

	return alink_cmd_compute(q, ALINK_XPU_FN_CAST, &c, seq);
}
