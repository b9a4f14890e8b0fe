// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the tests that were registered, or those whose names hold one of the
 * arguments.
 */
#include "tap.h"

struct tap_test *tap_tests;
int tap_failures;

static bool wanted(const struct tap_test *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(t->name, argv[i]))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	int n = 0, failed = 0;

	for (struct tap_test *t = tap_tests; t; t = t->next)
		n += wanted(t, argc, argv);
	printf("TAP version 13\n1..%d\n", n);

	n = 0;
	for (struct tap_test *t = tap_tests; t; t = t->next) {
		if (!wanted(t, argc, argv))
			continue;
		tap_failures = 0;
		t->fn();
		printf("%sok %d - %s\n", tap_failures ? "not " : "", ++n,
		       t->name);
		fflush(stdout);
		failed += !!tap_failures;
	}
	return failed ? 1 : 0;
}
