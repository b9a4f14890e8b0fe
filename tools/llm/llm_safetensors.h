/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of weights in the safetensors format. */
#ifndef ALINK_LLM_SAFETENSORS_H
#define ALINK_LLM_SAFETENSORS_H

#include "llm.h"

#define ST_MAX_DIMS	8

/* What is read; other types may be in a file, but not used. */
enum st_type { ST_OTHER, ST_F32, ST_BF16, ST_F16 };

/**
 * struct st_tensor - one entry of the header
 * @name:	its key
 * @type:	type of the elements, if it can be read
 * @type_name:	as the header has it
 * @dims:	how many sizes there are
 * @shape:	sizes, the last one runs fastest
 * @begin:	where the data begins, behind the header
 * @end:	where it ends
 */
struct st_tensor {
	char *name;
	enum st_type type;
	char type_name[16];
	uint32_t dims;
	uint64_t shape[ST_MAX_DIMS];
	uint64_t begin;
	uint64_t end;
};

/**
 * struct st_file - an open file, its header checked
 * @path:	for messages
 * @fd:		open for reading
 * @data_at:	offset of the data
 * @data_bytes:	its size
 * @n:		tensors
 * @tensor:	in ascending order of their data
 */
struct st_file {
	char *path;
	int fd;
	uint64_t data_at;
	uint64_t data_bytes;
	size_t n;
	struct st_tensor *tensor;
};

/**
 * st_open() - open a file and check its header
 *
 * The data of all tensors must fill the file, without overlap and without gap.
 * Errors: -EINVAL: the file is not as it should be, the text names the tensor;
 * -ENOMEM, or what the system says.
 */
int st_open(struct st_file *f, const char *path, struct llm_error *e);
void st_close(struct st_file *f);
/* NULL: not there */
const struct st_tensor *st_find(const struct st_file *f, const char *name);
/* Elements [first, first + n) as FP32, which is exact. Errors: -EIO, -EDOM. */
int st_read(const struct st_file *f, const struct st_tensor *t, uint64_t first,
	    size_t n, float *out, struct llm_error *e);

/**
 * struct st_writer - a file that is being written
 * @path:	what it shall be called
 * @temp:	what it is called until it is whole
 */
struct st_writer {
	const char *path;
	char *temp;
	int fd;
};

struct st_entry {
	const char *name;
	uint32_t dims;
	uint64_t shape[2];
};

/*
 * Writes the header of @n tensors of FP32; their data follows in that order by
 * st_write(). Only st_commit() makes the file appear; it closes either way, and
 * so does st_abort(). Errors: -ENOMEM, or what the system says.
 */
int st_create(struct st_writer *w, const char *path,
	      const struct st_entry *entry, size_t n, struct llm_error *e);
int st_write(struct st_writer *w, const float *data, size_t n,
	     struct llm_error *e);
int st_commit(struct st_writer *w, struct llm_error *e);
void st_abort(struct st_writer *w);

#endif /* ALINK_LLM_SAFETENSORS_H */
