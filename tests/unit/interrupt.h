/* SPDX-License-Identifier: ISC */
#pragma once

/* interrupt: a signal that comes while the code under test waits: its call fails with EINTR. */

#include <check.h>
#include <signal.h>
#include <sys/time.h>

/* In so many microseconds handler is called, once. */
static inline void interrupt_after(suseconds_t usec, void (*handler)(int number))
{
	const struct itimerval soon = {.it_value = {.tv_usec = usec}};
	const struct sigaction action = {.sa_handler = handler}; /* not SA_RESTART */

	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
}
