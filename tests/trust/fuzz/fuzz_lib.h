/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers of the drivers share: input as a stream of choices, coverage
 * from KCOV to libFuzzer, and the inputs that are shown to the host.
 *
 * An input is a sequence of calls. A call begins with the byte that names it;
 * each of its fields takes one byte more, the choice. Below FUZZ_SPECIAL the
 * choice picks one of the values that make sense there (a live handle, an
 * address that something is bound at), from there on it asks for one that does
 * not. When the input is at its end, all choices are 0: the first of the
 * values, the latest of the objects. So zeros are calls that work.
 */
#ifndef FUZZ_LIB_H
#define FUZZ_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define FUZZ_SPECIAL	0xe0
#define FUZZ_MAX_CALLS	24

/* A scalar of a structure; members of structures within have dots */
struct fuzz_field {
	const char *name;
	uint16_t offset;
	uint8_t size;
	bool out;
};

struct fuzz_ioctl {
	const char *name;
	unsigned long request;
	uint16_t size;
	uint16_t num_fields;
	const struct fuzz_field *fields;
};

struct fuzz_attr {
	const char *name;
	const char *type;
	uint16_t number;
};

struct fuzz_request {
	const char *name;
	uint8_t cmd;
	bool dump;
	uint8_t num_attrs;
	const struct fuzz_attr *attrs;
};

struct fuzz_in {
	const uint8_t *at;
	const uint8_t *end;
};

static inline uint8_t take(struct fuzz_in *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline uint64_t take_n(struct fuzz_in *in, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | take(in);
	return v;
}

/* A value that makes no sense: an edge of the type, @good changed, or any */
uint64_t special(struct fuzz_in *in, uint8_t choice, uint64_t good);

/* One of a list; the first with choice 0 */
#define pick(choice, ...) ({					\
	static const uint64_t list_[] = { __VA_ARGS__ };	\
	list_[(choice) % ARRAY_SIZE(list_)];			\
})

/*
 * Called by each fuzzer once, in the thread that runs the inputs, and round
 * each input. fuzz_call() counts a call, and stops whoever does too many.
 */
void fuzz_init(void);
void fuzz_begin(const uint8_t *data, size_t size);
void fuzz_end(void);
bool fuzz_call(void);

#endif
