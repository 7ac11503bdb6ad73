/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * random: numbers that look random and are the same on every machine (Marsaglia's xorshift), so
 * that what a test finds it finds again.
 */

#include <stdint.h>

/* *state is not 0, and the caller's: one for each thread. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* From 0 to limit - 1; for tests of one thread. */
static inline uint32_t random_below(uint32_t limit)
{
	static uint64_t state = 1;

	return (uint32_t)(random_next(&state) % limit);
}
