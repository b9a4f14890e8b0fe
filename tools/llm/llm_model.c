// SPDX-License-Identifier: GPL-2.0-only
/*
 * The weights: which tensors there are, how large they are, and where their
 * numbers come from.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm_safetensors.h"

#define MAX_XPUS	8
#define MAX_LAYERS	256
#define MAX_WIDTH	65536
#define MAX_VOCAB	(1 << 20)
#define MAX_TOKENS	65536

struct llm_model {
	struct llm_shape shape;
	uint64_t seed;
	bool from_file;
	struct st_file file;
};

int llm_fail(struct llm_error *e, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	return err;
}

/* --- shape --------------------------------------------------------------- */

int llm_shape_check(const struct llm_shape *s, struct llm_error *e)
{
	const struct {
		const char *option;
		uint32_t value, min, max;
	} ranges[] = {
		{ "--layers", s->layers, 1, MAX_LAYERS },
		{ "--hidden", s->hidden, 1, MAX_WIDTH },
		{ "--heads", s->heads, 1, MAX_WIDTH },
		{ "--kv-heads", s->kv_heads, 1, s->heads },
		{ "--head-dim", s->head_dim, 2, MAX_WIDTH },
		{ "--ffn", s->ffn, 1, MAX_WIDTH },
		{ "--vocab", s->vocab, 2, MAX_VOCAB },
		{ "--prompt-len", s->prompt, 1, MAX_TOKENS },
		{ "--tokens", s->tokens, 1, MAX_TOKENS },
	};
	size_t i;

	if (!s->xpus || s->xpus > MAX_XPUS || (s->xpus & (s->xpus - 1)))
		return llm_fail(e, -EINVAL, "--xpus %u: 1, 2, 4 or 8 are possible",
				s->xpus);
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (ranges[i].value < ranges[i].min ||
		    ranges[i].value > ranges[i].max)
			return llm_fail(e, -EINVAL, "%s %u: %u to %u are possible",
					ranges[i].option, ranges[i].value,
					ranges[i].min, ranges[i].max);
	if (s->head_dim % 2)
		return llm_fail(e, -EINVAL, "--head-dim %u: RoPE turns pairs, it must be even",
				s->head_dim);
	if ((uint64_t)s->heads * s->head_dim > MAX_WIDTH)
		return llm_fail(e, -EINVAL, "--heads %u of %u: more than %d together",
				s->heads, s->head_dim, MAX_WIDTH);
	if (s->heads % s->kv_heads)
		return llm_fail(e, -EINVAL, "--kv-heads %u: it must divide --heads %u",
				s->kv_heads, s->heads);
	if (s->heads % s->xpus)
		return llm_fail(e, -EINVAL, "--xpus %u: it must divide --heads %u",
				s->xpus, s->heads);
	if (s->kv_heads % s->xpus && s->xpus % s->kv_heads)
		return llm_fail(e, -EINVAL, "--xpus %u: it must divide --kv-heads %u, or be divided by it",
				s->xpus, s->kv_heads);
	if (s->ffn % s->xpus)
		return llm_fail(e, -EINVAL, "--xpus %u: it must divide --ffn %u",
				s->xpus, s->ffn);
	if (s->vocab % s->xpus)
		return llm_fail(e, -EINVAL, "--xpus %u: it must divide --vocab %u",
				s->xpus, s->vocab);
	return 0;
}

/* --- tensors ------------------------------------------------------------- */

/* What sizes a tensor */
enum size { ONE, HIDDEN, QUERY, KEY, HEAD, FFN, VOCAB };

/*
 * Names are those of the Qwen models at their publisher; %u is the layer.
 * @gain: spread of weights from a seed, times 1 / sqrt(columns) for layers
 */
static const struct {
	const char *name;
	enum size rows, cols;
	float gain;
} tensors[LLM_NUM_TENSORS] = {
	[LLM_EMBED] = { "model.embed_tokens.weight", VOCAB, HIDDEN, 2 },
	[LLM_NORM] = { "model.norm.weight", ONE, HIDDEN, 0 },
	[LLM_HEAD] = { "lm_head.weight", VOCAB, HIDDEN, 2 },
	[LLM_ATTN_NORM] = { "model.layers.%u.input_layernorm.weight", ONE, HIDDEN, 0 },
	[LLM_Q] = { "model.layers.%u.self_attn.q_proj.weight", QUERY, HIDDEN, 1.5 },
	[LLM_K] = { "model.layers.%u.self_attn.k_proj.weight", KEY, HIDDEN, 1.5 },
	[LLM_V] = { "model.layers.%u.self_attn.v_proj.weight", KEY, HIDDEN, 1 },
	[LLM_Q_BIAS] = { "model.layers.%u.self_attn.q_proj.bias", ONE, QUERY, 0 },
	[LLM_K_BIAS] = { "model.layers.%u.self_attn.k_proj.bias", ONE, KEY, 0 },
	[LLM_V_BIAS] = { "model.layers.%u.self_attn.v_proj.bias", ONE, KEY, 0 },
	[LLM_Q_NORM] = { "model.layers.%u.self_attn.q_norm.weight", ONE, HEAD, 0 },
	[LLM_K_NORM] = { "model.layers.%u.self_attn.k_norm.weight", ONE, HEAD, 0 },
	[LLM_O] = { "model.layers.%u.self_attn.o_proj.weight", HIDDEN, QUERY, 1 },
	[LLM_FFN_NORM] = { "model.layers.%u.post_attention_layernorm.weight", ONE, HIDDEN, 0 },
	[LLM_GATE] = { "model.layers.%u.mlp.gate_proj.weight", FFN, HIDDEN, 1 },
	[LLM_UP] = { "model.layers.%u.mlp.up_proj.weight", FFN, HIDDEN, 1 },
	[LLM_DOWN] = { "model.layers.%u.mlp.down_proj.weight", HIDDEN, FFN, 2 },
};

bool llm_layered(enum llm_tensor t)
{
	return t >= LLM_ATTN_NORM;
}

static uint32_t copies(const struct llm_shape *s, enum llm_tensor t)
{
	return llm_layered(t) ? s->layers : 1;
}

bool llm_has(const struct llm_shape *s, enum llm_tensor t)
{
	switch (t) {
	case LLM_HEAD:
		return !s->tied;
	case LLM_Q_BIAS:
	case LLM_K_BIAS:
	case LLM_V_BIAS:
		return s->bias;
	case LLM_Q_NORM:
	case LLM_K_NORM:
		return s->qk_norm;
	default:
		return true;
	}
}

void llm_dims(const struct llm_shape *s, enum llm_tensor t, uint32_t *rows,
	      uint32_t *cols)
{
	const uint32_t sizes[] = {
		[ONE] = 1,
		[HIDDEN] = s->hidden,
		[QUERY] = s->heads * s->head_dim,
		[KEY] = s->kv_heads * s->head_dim,
		[HEAD] = s->head_dim,
		[FFN] = s->ffn,
		[VOCAB] = s->vocab,
	};

	*rows = sizes[tensors[t].rows];
	*cols = sizes[tensors[t].cols];
}

static bool is_vector(enum llm_tensor t)
{
	return tensors[t].rows == ONE;
}

static void tensor_name(enum llm_tensor t, uint32_t layer, char *buf,
			size_t room)
{
	const char *name = tensors[t].name, *mark = strstr(name, "%u");

	if (mark)
		snprintf(buf, room, "%.*s%u%s", (int)(mark - name), name,
			 layer, mark + 2);
	else
		snprintf(buf, room, "%s", name);
}

uint64_t llm_parameters(const struct llm_shape *s)
{
	uint32_t rows, cols, t;
	uint64_t n = 0;

	for (t = 0; t < LLM_NUM_TENSORS; t++) {
		if (!llm_has(s, t))
			continue;
		llm_dims(s, t, &rows, &cols);
		n += (uint64_t)rows * cols * copies(s, t);
	}
	return n;
}

/* --- from a file --------------------------------------------------------- */

static int check_tensor(const struct llm_model *m, enum llm_tensor t,
			uint32_t layer, struct llm_error *e)
{
	uint32_t want[2], dims = is_vector(t) ? 1 : 2, d, rows, cols;
	const struct st_tensor *st;
	char name[96], have[96];
	size_t len = 0;
	bool same;

	tensor_name(t, layer, name, sizeof(name));
	st = st_find(&m->file, name);
	if (!st)
		return llm_fail(e, -EINVAL, "%s: %s: not there", m->file.path,
				name);
	if (st->type == ST_OTHER)
		return llm_fail(e, -EINVAL, "%s: %s: dtype %s: F32, BF16 and F16 can be read",
				m->file.path, name, st->type_name);
	llm_dims(&m->shape, t, &rows, &cols);
	want[0] = dims == 1 ? cols : rows;
	want[1] = cols;
	same = st->dims == dims;
	for (d = 0; d < dims && same; d++)
		same = st->shape[d] == want[d];
	if (same)
		return 0;
	have[0] = 0;
	for (d = 0; d < st->dims && len < sizeof(have) - 24; d++)
		len += (size_t)snprintf(have + len, sizeof(have) - len,
					"%s%llu", d ? ", " : "",
					(unsigned long long)st->shape[d]);
	if (dims == 1)
		return llm_fail(e, -EINVAL, "%s: %s: shape [%s], the options want [%u]",
				m->file.path, name, have, want[0]);
	return llm_fail(e, -EINVAL, "%s: %s: shape [%s], the options want [%u, %u]",
			m->file.path, name, have, want[0], want[1]);
}

static bool file_has(const struct llm_model *m, enum llm_tensor t)
{
	char name[96];

	tensor_name(t, 0, name, sizeof(name));
	return st_find(&m->file, name);
}

/* A layer too many is a mistake in the options, not a tensor to be ignored. */
static int check_layers(const struct llm_model *m, struct llm_error *e)
{
	char name[96];

	tensor_name(LLM_ATTN_NORM, m->shape.layers, name, sizeof(name));
	if (st_find(&m->file, name))
		return llm_fail(e, -EINVAL, "%s: %s: --layers %u does not reach it",
				m->file.path, name, m->shape.layers);
	return 0;
}

static int check_file(struct llm_model *m, struct llm_error *e)
{
	uint32_t t, layer;
	int err = 0;

	m->shape.tied = !file_has(m, LLM_HEAD);
	m->shape.bias = file_has(m, LLM_Q_BIAS);
	m->shape.qk_norm = file_has(m, LLM_Q_NORM);
	for (t = 0; t < LLM_NUM_TENSORS && !err; t++) {
		if (!llm_has(&m->shape, t))
			continue;
		for (layer = 0; layer < copies(&m->shape, t) && !err; layer++)
			err = check_tensor(m, t, layer, e);
	}
	return err ? err : check_layers(m, e);
}

/* --- from a seed --------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/*
 * Evenly spread from -1 to 1, 24 bits: each number depends on its place alone,
 * so that parts can be made in any order.
 */
static float noise(uint64_t stream, uint64_t i)
{
	return (float)(mix(stream + i) >> 40) * 0x1p-23f - 1;
}

static void seed_rows(const struct llm_model *m, enum llm_tensor t,
		      uint32_t layer, uint64_t first, size_t n, float *out)
{
	uint64_t stream = mix(mix(m->seed) + ((uint64_t)layer << 8 | t));
	uint32_t rows, cols;
	bool norm, bias;
	float scale;
	size_t i;

	llm_dims(&m->shape, t, &rows, &cols);
	bias = t == LLM_Q_BIAS || t == LLM_K_BIAS || t == LLM_V_BIAS;
	norm = is_vector(t) && !bias;
	/* sqrt(3): a spread of 1 */
	scale = is_vector(t) ? 0.25f :
		tensors[t].gain * sqrtf(3) / sqrtf((float)cols);
	for (i = 0; i < n; i++)
		out[i] = (norm ? 1.0f : 0.0f) +
			 scale * noise(stream, first + i);
}

/* --- either -------------------------------------------------------------- */

int llm_model_new(struct llm_shape *s, const char *file, uint64_t seed,
		  struct llm_model **model, struct llm_error *e)
{
	struct llm_model *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return llm_fail(e, -ENOMEM, "out of memory");
	m->shape = *s;
	m->seed = seed;
	m->file.fd = -1;
	if (file) {
		m->from_file = true;
		err = st_open(&m->file, file, e);
		if (!err)
			err = check_file(m, e);
		if (err) {
			llm_model_free(m);
			return err;
		}
		*s = m->shape;
	}
	*model = m;
	return 0;
}

void llm_model_free(struct llm_model *m)
{
	if (!m)
		return;
	st_close(&m->file);
	free(m);
}

int llm_rows(struct llm_model *m, enum llm_tensor t, uint32_t layer,
	     uint32_t first, uint32_t n, float *out, struct llm_error *e)
{
	uint32_t rows, cols;
	char name[96];

	if (t == LLM_HEAD && m->shape.tied)
		t = LLM_EMBED;
	llm_dims(&m->shape, t, &rows, &cols);
	if (m->from_file) {
		tensor_name(t, layer, name, sizeof(name));
		return st_read(&m->file, st_find(&m->file, name),
			       (uint64_t)first * cols, (size_t)n * cols, out,
			       e);
	}
	seed_rows(m, t, layer, (uint64_t)first * cols, (size_t)n * cols, out);
	return 0;
}

int llm_max(struct llm_model *m, enum llm_tensor t, uint32_t layer, float *max,
	    struct llm_error *e)
{
	uint32_t rows, cols, i, j;
	float *row;
	int err = 0;

	llm_dims(&m->shape, t, &rows, &cols);
	row = malloc(cols * sizeof(*row));
	if (!row)
		return llm_fail(e, -ENOMEM, "out of memory");
	*max = 0;
	for (i = 0; i < rows && !err; i++) {
		err = llm_rows(m, t, layer, i, 1, row, e);
		for (j = 0; j < cols && !err; j++)
			*max = fmaxf(*max, fabsf(row[j]));
	}
	free(row);
	return err;
}

/* --- to a file ----------------------------------------------------------- */

static int save_tensor(struct llm_model *m, struct st_writer *w,
		       enum llm_tensor t, uint32_t layer, struct llm_error *e)
{
	uint32_t rows, cols, i;
	float *row;
	int err = 0;

	llm_dims(&m->shape, t, &rows, &cols);
	row = malloc(cols * sizeof(*row));
	if (!row)
		return llm_fail(e, -ENOMEM, "out of memory");
	for (i = 0; i < rows && !err; i++) {
		err = llm_rows(m, t, layer, i, 1, row, e);
		if (!err)
			err = st_write(w, row, cols, e);
	}
	free(row);
	return err;
}

static size_t list_entries(const struct llm_shape *s, struct st_entry *entry,
			   char (*names)[96])
{
	uint32_t t, layer, rows, cols;
	size_t n = 0;

	for (t = 0; t < LLM_NUM_TENSORS; t++) {
		if (!llm_has(s, t))
			continue;
		llm_dims(s, t, &rows, &cols);
		for (layer = 0; layer < copies(s, t); layer++) {
			tensor_name(t, layer, names[n], sizeof(names[n]));
			entry[n].name = names[n];
			entry[n].dims = is_vector(t) ? 1 : 2;
			entry[n].shape[0] = is_vector(t) ? cols : rows;
			entry[n].shape[1] = cols;
			n++;
		}
	}
	return n;
}

int llm_save(struct llm_model *m, const char *file, struct llm_error *e)
{
	const struct llm_shape *s = &m->shape;
	size_t room = LLM_NUM_TENSORS * s->layers, n;
	struct st_entry *entry = calloc(room, sizeof(*entry));
	char (*names)[96] = calloc(room, sizeof(*names));
	struct st_writer w;
	uint32_t t, layer;
	int err;

	if (!entry || !names) {
		err = llm_fail(e, -ENOMEM, "out of memory");
		goto out;
	}
	n = list_entries(s, entry, names);
	err = st_create(&w, file, entry, n, e);
	if (err)
		goto out;
	for (t = 0; t < LLM_NUM_TENSORS && !err; t++) {
		if (!llm_has(s, t))
			continue;
		for (layer = 0; layer < copies(s, t) && !err; layer++)
			err = save_tensor(m, &w, t, layer, e);
	}
	if (err)
		st_abort(&w);
	else
		err = st_commit(&w, e);
out:
	free(entry);
	free(names);
	return err;
}
