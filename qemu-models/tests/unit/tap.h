/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A few lines of TAP for the unit tests: TEST() registers a function, EXPECT
 * macros print what they found and go on, ASSERT macros leave the test.
 */
#ifndef ALINK_UNIT_TAP_H
#define ALINK_UNIT_TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tap_test {
	const char *name;
	void (*fn)(void);
	struct tap_test *next;
};

extern struct tap_test *tap_tests;
extern int tap_failures;	/* of the test that runs */

#define TEST(id)							\
static void test_##id(void);						\
__attribute__((constructor)) static void reg_##id(void)			\
{									\
	static struct tap_test t = { #id, test_##id, NULL };		\
	struct tap_test **p = &tap_tests;				\
									\
	while (*p)							\
		p = &(*p)->next;					\
	*p = &t;							\
}									\
static void test_##id(void)

#define TAP_FAIL(...) do {						\
	__atomic_fetch_add(&tap_failures, 1, __ATOMIC_RELAXED);		\
	printf("# %s:%d: ", __FILE__, __LINE__);			\
	printf(__VA_ARGS__);						\
	printf("\n");							\
} while (0)

#define EXPECT(cond) do {						\
	if (!(cond))							\
		TAP_FAIL("%s is false", #cond);				\
} while (0)

#define ASSERT(cond) do {						\
	if (!(cond)) {							\
		TAP_FAIL("%s is false", #cond);				\
		return;							\
	}								\
} while (0)

#define EXPECT_EQ(a, b) do {						\
	uint64_t a_ = (uint64_t)(a), b_ = (uint64_t)(b);		\
									\
	if (a_ != b_)							\
		TAP_FAIL("%s is %" PRIu64 " (0x%" PRIx64		\
			 "), %s is %" PRIu64 " (0x%" PRIx64 ")",	\
			 #a, a_, a_, #b, b_, b_);			\
} while (0)

#endif /* ALINK_UNIT_TAP_H */
