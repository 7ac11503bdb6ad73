/* SPDX-License-Identifier: ISC */
#pragma once

/* clock: time spans by a clock that never jumps (CLOCK_MONOTONIC), in microseconds. */

#include <limits.h>
#include <stdint.h>
#include <time.h>

#include "util/parse.h"

static inline uint64_t clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* When a span that begins now ends; PARSE_INFINITY stays that. */
static inline uint64_t clock_after(uint64_t usec)
{
	uint64_t end;

	if (usec == PARSE_INFINITY)
		return PARSE_INFINITY;
	return __builtin_add_overflow(clock_now(), usec, &end) ? PARSE_INFINITY : end;
}

/* What poll(2) is to wait until then: milliseconds rounded up, -1 for ever. */
static inline int clock_poll_timeout(uint64_t until)
{
	uint64_t now = clock_now(), left;

	if (until == PARSE_INFINITY)
		return -1;
	if (until <= now)
		return 0;
	left = (until - now - 1) / 1000 + 1;
	return left > INT_MAX ? INT_MAX : (int)left;
}
