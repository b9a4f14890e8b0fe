// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of weights in the safetensors format: 8 bytes with the length of the
 * header, the header in JSON, the data. A file may come from anywhere: nothing
 * of it is used before all of the header has been checked.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "llm_safetensors.h"

/* The format's own limit */
#define MAX_HEADER	100000000
#define MAX_DEPTH	8
#define CHUNK		16384

static const struct {
	const char *name;
	unsigned int bytes;
	enum st_type type;
} types[] = {
	{ "F32", 4, ST_F32 }, { "BF16", 2, ST_BF16 }, { "F16", 2, ST_F16 },
	{ "BOOL", 1, ST_OTHER }, { "U8", 1, ST_OTHER }, { "I8", 1, ST_OTHER },
	{ "F8_E4M3", 1, ST_OTHER }, { "F8_E5M2", 1, ST_OTHER },
	{ "U16", 2, ST_OTHER }, { "I16", 2, ST_OTHER },
	{ "U32", 4, ST_OTHER }, { "I32", 4, ST_OTHER },
	{ "U64", 8, ST_OTHER }, { "I64", 8, ST_OTHER }, { "F64", 8, ST_OTHER },
};

static unsigned int type_bytes(const char *name, enum st_type *type)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, name)) {
			*type = types[i].type;
			return types[i].bytes;
		}
	return 0;
}

/* --- header -------------------------------------------------------------- */

/* A number that JSON can hold exactly and that is not negative */
static bool take_u64(struct json_object *o, uint64_t *value)
{
	int64_t v;

	if (!o || !json_object_is_type(o, json_type_int))
		return false;
	errno = 0;
	v = json_object_get_int64(o);
	/* json-c clamps what is too large. */
	if (v < 0 || v == INT64_MAX)
		return false;
	*value = (uint64_t)v;
	return true;
}

static int take_type(const struct st_file *f, struct st_tensor *t,
		     struct json_object *o, unsigned int *bytes,
		     struct llm_error *e)
{
	const char *name;

	if (!o || !json_object_is_type(o, json_type_string))
		return llm_fail(e, -EINVAL, "%s: %s: no dtype", f->path, t->name);
	name = json_object_get_string(o);
	*bytes = type_bytes(name, &t->type);
	if (!*bytes)
		return llm_fail(e, -EINVAL, "%s: %s: unknown dtype \"%.32s\"",
				f->path, t->name, name);
	snprintf(t->type_name, sizeof(t->type_name), "%s", name);
	return 0;
}

static int take_shape(const struct st_file *f, struct st_tensor *t,
		      struct json_object *o, uint64_t *count,
		      struct llm_error *e)
{
	size_t i, n;

	if (!o || !json_object_is_type(o, json_type_array))
		return llm_fail(e, -EINVAL, "%s: %s: no shape", f->path, t->name);
	n = json_object_array_length(o);
	if (n > ST_MAX_DIMS)
		return llm_fail(e, -EINVAL, "%s: %s: shape of %zu sizes, %d are the most",
				f->path, t->name, n, ST_MAX_DIMS);
	*count = 1;
	for (i = 0; i < n; i++) {
		if (!take_u64(json_object_array_get_idx(o, i), &t->shape[i]))
			return llm_fail(e, -EINVAL, "%s: %s: shape: size %zu is no number",
					f->path, t->name, i);
		if (__builtin_mul_overflow(*count, t->shape[i], count))
			return llm_fail(e, -EINVAL, "%s: %s: shape: too large",
					f->path, t->name);
	}
	t->dims = (uint32_t)n;
	return 0;
}

static int take_offsets(const struct st_file *f, struct st_tensor *t,
			struct json_object *o, struct llm_error *e)
{
	if (!o || !json_object_is_type(o, json_type_array) ||
	    json_object_array_length(o) != 2 ||
	    !take_u64(json_object_array_get_idx(o, 0), &t->begin) ||
	    !take_u64(json_object_array_get_idx(o, 1), &t->end))
		return llm_fail(e, -EINVAL, "%s: %s: data_offsets: two numbers are wanted",
				f->path, t->name);
	if (t->begin > t->end)
		return llm_fail(e, -EINVAL, "%s: %s: data_offsets: ends before it begins",
				f->path, t->name);
	if (t->end > f->data_bytes)
		return llm_fail(e, -EINVAL,
				"%s: %s: data_offsets: ends at %llu, the file has %llu bytes of data",
				f->path, t->name, (unsigned long long)t->end,
				(unsigned long long)f->data_bytes);
	return 0;
}

static int take_tensor(const struct st_file *f, struct st_tensor *t,
		       struct json_object *o, struct llm_error *e)
{
	struct json_object *v = NULL;
	unsigned int bytes = 0;
	uint64_t count = 0;
	int err;

	if (!json_object_is_type(o, json_type_object))
		return llm_fail(e, -EINVAL, "%s: %s: not an object", f->path,
				t->name);
	json_object_object_get_ex(o, "dtype", &v);
	err = take_type(f, t, v, &bytes, e);
	if (err)
		return err;
	v = NULL;
	json_object_object_get_ex(o, "shape", &v);
	err = take_shape(f, t, v, &count, e);
	if (err)
		return err;
	v = NULL;
	json_object_object_get_ex(o, "data_offsets", &v);
	err = take_offsets(f, t, v, e);
	if (err)
		return err;
	if (__builtin_mul_overflow(count, bytes, &count) ||
	    count != t->end - t->begin)
		return llm_fail(e, -EINVAL,
				"%s: %s: data_offsets: %llu bytes, its shape and dtype need %llu",
				f->path, t->name,
				(unsigned long long)(t->end - t->begin),
				(unsigned long long)count);
	return 0;
}

static int by_data(const void *a, const void *b)
{
	const struct st_tensor *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/*
 * No byte belongs to two tensors or to none. So a name that is there twice is
 * found too: JSON keeps only the last of them, which leaves a gap.
 */
static int check_cover(const struct st_file *f, struct llm_error *e)
{
	const char *last = "the header";
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < f->n; i++) {
		const struct st_tensor *t = &f->tensor[i];

		if (t->begin < at)
			return llm_fail(e, -EINVAL, "%s: %s: data_offsets: overlaps %s",
					f->path, t->name, last);
		if (t->begin > at)
			return llm_fail(e, -EINVAL,
					"%s: %s: data_offsets: %llu bytes before it are nobody's",
					f->path, t->name,
					(unsigned long long)(t->begin - at));
		at = t->end;
		last = t->name;
	}
	if (at != f->data_bytes)
		return llm_fail(e, -EINVAL, "%s: %llu bytes behind %s are nobody's",
				f->path,
				(unsigned long long)(f->data_bytes - at), last);
	return 0;
}

static int take_header(struct st_file *f, struct json_object *root,
		       struct llm_error *e)
{
	size_t n = (size_t)json_object_object_length(root);
	int err;

	f->tensor = calloc(n ? n : 1, sizeof(*f->tensor));
	if (!f->tensor)
		return llm_fail(e, -ENOMEM, "out of memory");
	json_object_object_foreach(root, name, value) {
		struct st_tensor *t = &f->tensor[f->n];

		if (!strcmp(name, "__metadata__"))
			continue;
		t->name = strdup(name);
		if (!t->name)
			return llm_fail(e, -ENOMEM, "out of memory");
		f->n++;
		err = take_tensor(f, t, value, e);
		if (err)
			return err;
	}
	qsort(f->tensor, f->n, sizeof(*f->tensor), by_data);
	return check_cover(f, e);
}

static int parse(struct st_file *f, const char *text, size_t len,
		 struct llm_error *e)
{
	struct json_tokener *tok = json_tokener_new_ex(MAX_DEPTH);
	struct json_object *root;
	enum json_tokener_error bad;
	size_t end;
	int err;

	if (!tok)
		return llm_fail(e, -ENOMEM, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT |
				    JSON_TOKENER_ALLOW_TRAILING_CHARS |
				    JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tok, text, (int)len);
	bad = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	/* Padding is of spaces only. */
	while (end < len && text[end] == ' ')
		end++;
	json_tokener_free(tok);
	if (bad != json_tokener_success || end != len) {
		err = llm_fail(e, -EINVAL, "%s: header: byte %zu: %s", f->path,
			       end, bad == json_tokener_continue ?
			       "it ends too early" :
			       bad != json_tokener_success ?
			       json_tokener_error_desc(bad) :
			       "more than one value");
	} else if (!json_object_is_type(root, json_type_object)) {
		err = llm_fail(e, -EINVAL, "%s: header: not an object", f->path);
	} else {
		err = take_header(f, root, e);
	}
	json_object_put(root);
	return err;
}

/* --- reading ------------------------------------------------------------- */

static int read_at(const struct st_file *f, uint64_t at, void *buf, size_t n,
		   const char *what, struct llm_error *e)
{
	char *to = buf;
	ssize_t got;

	while (n) {
		got = pread(f->fd, to, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return llm_fail(e, -EIO, "%s: %s: %s", f->path, what,
					strerror(errno));
		if (!got)
			return llm_fail(e, -EIO, "%s: %s: the file has become shorter",
					f->path, what);
		to += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int read_header(struct st_file *f, struct llm_error *e)
{
	struct stat st;
	uint64_t len;
	char *text;
	int err;

	if (fstat(f->fd, &st))
		return llm_fail(e, -errno, "%s: %s", f->path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(len))
		return llm_fail(e, -EINVAL, "%s: no safetensors file: too short",
				f->path);
	err = read_at(f, 0, &len, sizeof(len), "header", e);
	if (err)
		return err;
	len = le64toh(len);
	if (len > MAX_HEADER || len > (uint64_t)st.st_size - sizeof(len))
		return llm_fail(e, -EINVAL,
				"%s: no safetensors file: a header of %llu bytes in a file of %llu",
				f->path, (unsigned long long)len,
				(unsigned long long)st.st_size);
	f->data_at = sizeof(len) + len;
	f->data_bytes = (uint64_t)st.st_size - f->data_at;
	text = malloc(len + 1);
	if (!text)
		return llm_fail(e, -ENOMEM, "out of memory");
	err = read_at(f, sizeof(len), text, len, "header", e);
	text[len] = 0;
	if (!err && (!len || text[0] != '{'))
		err = llm_fail(e, -EINVAL, "%s: header: it does not begin with {",
			       f->path);
	if (!err)
		err = parse(f, text, len, e);
	free(text);
	return err;
}

int st_open(struct st_file *f, const char *path, struct llm_error *e)
{
	int err;

	*f = (struct st_file) { .path = strdup(path), .fd = -1 };
	if (!f->path)
		return llm_fail(e, -ENOMEM, "out of memory");
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	err = f->fd < 0 ? llm_fail(e, -errno, "%s: %s", path, strerror(errno)) :
			  read_header(f, e);
	if (err)
		st_close(f);
	return err;
}

void st_close(struct st_file *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free(f->tensor[i].name);
	free(f->tensor);
	free(f->path);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct st_file) { .fd = -1 };
}

const struct st_tensor *st_find(const struct st_file *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (!strcmp(f->tensor[i].name, name))
			return &f->tensor[i];
	return NULL;
}

static float from_bits(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static float from_f16(uint16_t v)
{
	int exp = v >> 10 & 31, man = v & 1023;
	float x = exp == 31 ? (man ? NAN : INFINITY) :
		  exp ? ldexpf((float)(man | 1024), exp - 25) :
			ldexpf((float)man, -24);

	return v >> 15 ? -x : x;
}

static float element(enum st_type type, const uint8_t *raw, size_t i)
{
	uint32_t word;
	uint16_t half;

	if (type == ST_F32) {
		memcpy(&word, raw + 4 * i, 4);
		return from_bits(le32toh(word));
	}
	memcpy(&half, raw + 2 * i, 2);
	half = le16toh(half);
	return type == ST_BF16 ? from_bits((uint32_t)half << 16) :
				 from_f16(half);
}

int st_read(const struct st_file *f, const struct st_tensor *t, uint64_t first,
	    size_t n, float *out, struct llm_error *e)
{
	const size_t bytes = t->type == ST_F32 ? 4 : 2;
	uint8_t raw[CHUNK];
	size_t i, j, num;
	int err;

	if (first + n > (t->end - t->begin) / bytes)
		return llm_fail(e, -EINVAL, "%s: %s: read beyond its end",
				f->path, t->name);
	for (i = 0; i < n; i += num) {
		num = n - i < CHUNK / bytes ? n - i : CHUNK / bytes;
		err = read_at(f, f->data_at + t->begin + (first + i) * bytes,
			      raw, num * bytes, t->name, e);
		if (err)
			return err;
		for (j = 0; j < num; j++) {
			unsigned long long at = first + i + j;

			out[i + j] = element(t->type, raw, j);
			if (!isfinite(out[i + j]))
				return llm_fail(e, -EDOM,
						"%s: %s: element %llu is no finite number",
						f->path, t->name, at);
		}
	}
	return 0;
}

/* --- writing ------------------------------------------------------------- */

static int write_all(struct st_writer *w, const void *buf, size_t n,
		     struct llm_error *e)
{
	const char *from = buf;
	ssize_t put;

	while (n) {
		put = write(w->fd, from, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return llm_fail(e, -errno, "%s: %s", w->path,
					strerror(errno));
		from += put;
		n -= (size_t)put;
	}
	return 0;
}

static struct json_object *int64(uint64_t v)
{
	return json_object_new_int64((int64_t)v);
}

static struct json_object *make_header(const struct st_entry *entry, size_t n)
{
	struct json_object *root = json_object_new_object();
	uint64_t at = 0, bytes;
	size_t i, d;

	for (i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();
		struct json_object *shape = json_object_new_array();
		struct json_object *where = json_object_new_array();

		bytes = sizeof(float);
		for (d = 0; d < entry[i].dims; d++) {
			json_object_array_add(shape, int64(entry[i].shape[d]));
			bytes *= entry[i].shape[d];
		}
		json_object_array_add(where, int64(at));
		at += bytes;
		json_object_array_add(where, int64(at));
		json_object_object_add(o, "dtype",
				       json_object_new_string("F32"));
		json_object_object_add(o, "shape", shape);
		json_object_object_add(o, "data_offsets", where);
		json_object_object_add(root, entry[i].name, o);
	}
	return root;
}

int st_create(struct st_writer *w, const char *path,
	      const struct st_entry *entry, size_t n, struct llm_error *e)
{
	static const char pad[8] = "        ";
	struct json_object *root;
	const char *text;
	size_t len, whole;
	uint64_t word;
	int err;

	*w = (struct st_writer) { .path = path, .fd = -1 };
	if (asprintf(&w->temp, "%s.XXXXXX", path) < 0) {
		w->temp = NULL;
		return llm_fail(e, -ENOMEM, "out of memory");
	}
	w->fd = mkostemp(w->temp, O_CLOEXEC);
	if (w->fd < 0) {
		err = llm_fail(e, -errno, "%s: %s", w->temp, strerror(errno));
		free(w->temp);
		w->temp = NULL;
		return err;
	}
	root = make_header(entry, n);
	text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	len = strlen(text);
	/* Data begins at a multiple of 8. */
	whole = (len + 7) / 8 * 8;
	word = htole64(whole);
	err = write_all(w, &word, sizeof(word), e);
	if (!err)
		err = write_all(w, text, len, e);
	if (!err)
		err = write_all(w, pad, whole - len, e);
	json_object_put(root);
	if (err)
		st_abort(w);
	return err;
}

int st_write(struct st_writer *w, const float *data, size_t n,
	     struct llm_error *e)
{
	uint32_t raw[CHUNK / 4];
	size_t i, j, num;
	int err;

	for (i = 0; i < n; i += num) {
		num = n - i < CHUNK / 4 ? n - i : CHUNK / 4;
		memcpy(raw, data + i, num * 4);
		for (j = 0; j < num; j++)
			raw[j] = htole32(raw[j]);
		err = write_all(w, raw, num * 4, e);
		if (err)
			return err;
	}
	return 0;
}

int st_commit(struct st_writer *w, struct llm_error *e)
{
	mode_t mask = umask(0);
	int err = 0;

	umask(mask);
	/* mkostemp() gave it to the owner alone. */
	if (fchmod(w->fd, 0666 & ~mask) || fsync(w->fd) ||
	    rename(w->temp, w->path))
		err = llm_fail(e, -errno, "%s: %s", w->path, strerror(errno));
	if (err) {
		st_abort(w);
		return err;
	}
	close(w->fd);
	free(w->temp);
	*w = (struct st_writer) { .fd = -1 };
	return 0;
}

void st_abort(struct st_writer *w)
{
	if (w->fd >= 0) {
		close(w->fd);
		unlink(w->temp);
	}
	free(w->temp);
	*w = (struct st_writer) { .fd = -1 };
}
