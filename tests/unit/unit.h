/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * unit: what the test programs here have in common: a table of cases and one main for it.
 *
 * Check prints one summary line and what failed. CK_FORK=no keeps all in one process (valgrind).
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* One test. Rows with the same group stand together and form a test case of Check's. */
struct unit_row {
	const char *group; /* the function under test */
	const TTest *test; /* START_TEST()'s name */
	int count;         /* 0: once; else a loop of as many, with _i in it */
};

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
		tcase_add_loop_test(group, row->test, 0, row->count > 0 ? row->count : 1);
	}

	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
