/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * unit: what the test programs here have in common: a table of cases and one main for it.
 *
 * Check prints one summary line and what failed. CK_FORK=no keeps all in one process (valgrind).
 */

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One test. Rows with the same group stand together and form a test case of Check's. */
struct unit_row {
	const char *group;   /* the function under test */
	const TTest *test;   /* START_TEST()'s name */
	int from, to;        /* _i in it goes from the first to before the second */
	const char *missing; /* what this machine lacks for it: it is left out, and that is said */
};

#define UNIT_ONCE(group, test)                                                                     \
	{                                                                                          \
		group, test, 0, 1, NULL                                                            \
	}
#define UNIT_LOOP(group, test, from, to)                                                           \
	{                                                                                          \
		group, test, from, to, NULL                                                        \
	}
/* As UNIT_LOOP(), where missing is NULL. */
#define UNIT_LOOP_UNLESS(missing, group, test, from, to)                                           \
	{                                                                                          \
		group, test, from, to, missing                                                     \
	}

/* With a sanitizer memory is its own, and code slower by far. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNIT_IS_SANITIZED true
#endif
#endif
#ifndef UNIT_IS_SANITIZED
#define UNIT_IS_SANITIZED false
#endif

static inline bool unit_is_in_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* For UNIT_LOOP_UNLESS(): a limit of the process's memory (setrlimit(2), RLIMIT_AS) stops what
 * checks it, too. */
static inline const char *unit_lacks_memory_limit(void)
{
	return UNIT_IS_SANITIZED || unit_is_in_valgrind() ? "memory but a checker's" : NULL;
}

/* For UNIT_LOOP_UNLESS(): valgrind keeps RLIMIT_NOFILE itself, and closes what is above only after
 * the kernel accepted it: a connection is lost that a real limit leaves in the backlog. */
static inline const char *unit_lacks_descriptor_limit(void)
{
	return unit_is_in_valgrind() ? "limit of descriptors but valgrind's" : NULL;
}

/* Runs the rows up to the one without a group. Returns main's exit status. */
static inline int unit_run(const char *name, const struct unit_row *rows)
{
	Suite *suite = suite_create(name);
	TCase *group = NULL;

	for (const struct unit_row *row = rows; row->group; row++) {
		if (row == rows || strcmp(row->group, row[-1].group) != 0) {
			group = tcase_create(row->group);
			suite_add_tcase(suite, group);
		}
		if (row->missing)
			printf("%s: %s left out: no %s here\n", name, row->test->name,
			       row->missing);
		else
			tcase_add_loop_test(group, row->test, row->from, row->to);
	}

	SRunner *runner = srunner_create(suite);

	fflush(stdout);
	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
