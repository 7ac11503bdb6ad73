/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * upper-short: short texts that are ASCII, as most questions are, without a look at the rest of
 * Unicode.
 *
 *      bytes    'H'  'i'  '{'       the top bit of b + 31 says b >= 'a', that of b + 5 says b >
 * 'z': top      ..   1.   11        where the first is set and the second is not, 0x20 is taken
 * off.
 *
 * Eight bytes at a time in a plain register, the last eight overlapping what went before: it is
 * mapped from the text, so twice does no harm. Not its job: everything else (upper-version.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The longest text that is worth trying: beyond that the versions are as quick. */
#define UPPER_SHORT_MAX 64

#define UPPER_SHORT_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t upper_short_map(uint64_t bytes)
{
	uint64_t from_a = bytes + UPPER_SHORT_EACH(0x80 - 'a');
	uint64_t behind_z = bytes + UPPER_SHORT_EACH(0x80 - 'z' - 1);

	return bytes - ((from_a & ~behind_z & UPPER_SHORT_EACH(0x80)) >> 2);
}

/* Maps length bytes, UPPER_SHORT_MAX at most, if all are ASCII. If not it returns false, and out,
 * which has room for as many, holds nothing of use. */
static inline bool upper_short(const void *in, size_t length, void *out)
{
	const char *from = in;
	uint64_t bytes = 0, all = 0;
	char *to = out;

	if (length < sizeof(bytes)) {
		if (length > 0)
			memcpy(&bytes, from, length);
		all = bytes;
		bytes = upper_short_map(bytes);
		if (length > 0)
			memcpy(to, &bytes, length);
		return !(all & UPPER_SHORT_EACH(0x80));
	}
	for (size_t i = 0; i < length; i += sizeof(bytes)) {
		size_t at = i + sizeof(bytes) <= length ? i : length - sizeof(bytes);

		memcpy(&bytes, from + at, sizeof(bytes));
		all |= bytes;
		bytes = upper_short_map(bytes);
		memcpy(to + at, &bytes, sizeof(bytes));
	}
	return !(all & UPPER_SHORT_EACH(0x80));
}
