/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * The error contract of everything below the three drivers:
 *
 *  - a function that can fail returns a negative errno for its caller to forward, 0 or more on
 * success;
 *  - what it returns through a ret_ argument is untouched when it fails;
 *  - it prints nothing and never exits; only a program's main does, in one line,
 *    "PROGRAM: what failed: why", with the exit codes below.
 */

#include <errno.h>

enum program_exit {
	EXIT_ANSWERED = 0, /* all answered, and right where that was checked */
	EXIT_MISSING = 1,  /* an answer is missing or wrong */
	EXIT_TROUBLE = 2,  /* usage, or another error */
};

/* errno as a negative number, whatever it holds: a failure never reads as success. */
static inline int negative_errno(void)
{
	return errno > 0 ? -errno : -EIO;
}
