/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * upper-short: short texts that are ASCII, as most questions are, without a look at the rest of
 * Unicode.
 *
 *      bytes    'H'  'i'  '{'       the top bit of b + 31 says b >= 'a', of b + 5 that b > 'z':
 *      top      ..   1.   11        where the first is set and the second is not, 0x20 is taken off
 *
 * So many bytes at a time as fit into a plain register, or a vector that every processor has. The
 * last ones overlap what went before: they are mapped from the text, so twice does no harm. Not its
 * job: everything else (upper-version.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The longest text that is worth trying: beyond that the versions are as quick. */
#define UPPER_SHORT_MAX 64

#define UPPER_SHORT_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

typedef uint64_t upper_short_pair __attribute__((vector_size(16)));

/* Of one word, or a pair of them; no byte carries into the next while all are ASCII. */
#define UPPER_SHORT_MAP(bytes)                                                                     \
	((bytes) - ((((bytes) + UPPER_SHORT_EACH(0x80 - 'a')) &                                    \
		     ~((bytes) + UPPER_SHORT_EACH(0x7f - 'z')) & UPPER_SHORT_EACH(0x80)) >>        \
		    2))

static inline bool upper_short_is_ascii(uint64_t bytes)
{
	return !(bytes & UPPER_SHORT_EACH(0x80));
}

/* From 16 bytes on. */
static inline bool upper_short_pairs(const char *in, size_t length, char *out)
{
	upper_short_pair bytes, all = {0};

	for (size_t i = 0; i < length; i += sizeof(bytes)) {
		size_t at = i + sizeof(bytes) <= length ? i : length - sizeof(bytes);

		memcpy(&bytes, in + at, sizeof(bytes));
		all |= bytes;
		if (!upper_short_is_ascii(all[0] | all[1]))
			return false;
		bytes = UPPER_SHORT_MAP(bytes);
		memcpy(out + at, &bytes, sizeof(bytes));
	}
	return true;
}

/* Maps length bytes, UPPER_SHORT_MAX at most, if all are ASCII. If not it returns false, and out,
 * which has room for as many, holds nothing of use. */
static inline bool upper_short(const void *in, size_t length, void *out)
{
	const char *from = in;
	uint64_t first = 0, last = 0;
	char *to = out;

	if (length >= 2 * sizeof(first))
		return upper_short_pairs(from, length, to);
	if (length >= sizeof(first)) {
		memcpy(&first, from, sizeof(first));
		memcpy(&last, from + length - sizeof(last), sizeof(last));
		if (!upper_short_is_ascii(first | last))
			return false;
		first = UPPER_SHORT_MAP(first);
		last = UPPER_SHORT_MAP(last);
		memcpy(to, &first, sizeof(first));
		memcpy(to + length - sizeof(last), &last, sizeof(last));
		return true;
	}
	if (length > 0) {
		memcpy(&first, from, length);
		if (!upper_short_is_ascii(first))
			return false;
		first = UPPER_SHORT_MAP(first);
		memcpy(to, &first, length);
	}
	return true;
}
