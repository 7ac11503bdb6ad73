/* SPDX-License-Identifier: ISC */
#pragma once

/* newlines: how many there are in a piece of text. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t newlines_count(const char *bytes, size_t length)
{
	const char *end = bytes + length;
	uint64_t count = 0;

	while ((bytes = memchr(bytes, '\n', (size_t)(end - bytes)))) {
		count++;
		bytes++;
	}
	return count;
}
