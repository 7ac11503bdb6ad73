/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * upper-short: short texts that are ASCII, as most questions are, without a look at the rest of
 * Unicode.
 *
 *      bytes    'H'  'i'  '{'       the top bit of b + 31 says b >= 'a', of b + 5 that b > 'z':
 *      top      ..   1.   11        where the first is set and the second is not, 0x20 is taken off
 *
 * So many bytes at a time as fit into a plain register, or a vector that every processor has: one
 * at the beginning and one at the end of the text, or two at each. They may overlap: all are loaded
 * before any is stored, so twice does no harm. Not its job: everything else (upper-version.h).
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

static inline upper_short_pair upper_short_load(const char *in)
{
	upper_short_pair bytes;

	memcpy(&bytes, in, sizeof(bytes));
	return bytes;
}

static inline void upper_short_store(char *out, upper_short_pair bytes)
{
	bytes = UPPER_SHORT_MAP(bytes);
	memcpy(out, &bytes, sizeof(bytes));
}

/* From 16 bytes on. */
static inline bool upper_short_pairs(const char *in, size_t length, char *out)
{
	const size_t size = sizeof(upper_short_pair), last = length - size;
	upper_short_pair a = upper_short_load(in), d = upper_short_load(in + last), all = a | d;

	if (length > 2 * size) {
		upper_short_pair b = upper_short_load(in + size);
		upper_short_pair c = upper_short_load(in + last - size);

		all |= b | c;
		if (!upper_short_is_ascii(all[0] | all[1]))
			return false;
		upper_short_store(out + size, b);
		upper_short_store(out + last - size, c);
	} else if (!upper_short_is_ascii(all[0] | all[1])) {
		return false;
	}
	upper_short_store(out, a);
	upper_short_store(out + last, d);
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
