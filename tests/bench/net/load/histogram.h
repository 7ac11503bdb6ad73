/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * histogram: how often which time was seen, to within 1.6 %, in constant space (the idea of
 * HdrHistogram: each power of two is divided into as many steps).
 */

#include <stdint.h>

#define HISTOGRAM_STEPS_LOG2 6
#define HISTOGRAM_STEPS      (1u << HISTOGRAM_STEPS_LOG2)

struct histogram {
	uint64_t total;
	uint32_t counts[40 * HISTOGRAM_STEPS]; /* up to 2^45: nine hours in nanoseconds */
};

static inline unsigned histogram_index(uint64_t value)
{
	unsigned power, index;

	if (value < HISTOGRAM_STEPS)
		return (unsigned)value;
	power = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEPS_LOG2;
	index = (power << HISTOGRAM_STEPS_LOG2) + (unsigned)(value >> power);
	return index < 40 * HISTOGRAM_STEPS ? index : 40 * HISTOGRAM_STEPS - 1;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->counts[histogram_index(value)]++;
	histogram->total++;
}

/* The value that quantile (0 to 1) of all are not above; 0 of none. */
double histogram_quantile(const struct histogram *histogram, double quantile);
