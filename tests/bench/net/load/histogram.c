/* SPDX-License-Identifier: ISC */
#include "histogram.h"

static double value_of(unsigned index)
{
	unsigned power = index >> HISTOGRAM_STEPS_LOG2;
	unsigned step = index & (HISTOGRAM_STEPS - 1);

	if (power == 0)
		return step;
	/* the middle of what falls into this step */
	return ((double)(HISTOGRAM_STEPS + step) + 0.5) * (double)(UINT64_C(1) << (power - 1));
}

double histogram_quantile(const struct histogram *histogram, double quantile)
{
	double wanted = quantile * (double)histogram->total, seen = 0;

	for (unsigned i = 0; i < 40 * HISTOGRAM_STEPS; i++) {
		seen += histogram->counts[i];
		if (histogram->counts[i] > 0 && seen >= wanted)
			return value_of(i);
	}
	return 0;
}
