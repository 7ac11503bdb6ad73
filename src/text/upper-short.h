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
 * at the beginning and one at the end of the text, or two at each; of less than four bytes the
 * first, the middle one and the last. They may overlap: all are loaded before any is stored, so
 * twice does no harm. Not its job: everything else (upper-version.h).
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

/* 8 bytes to 15. */
static inline bool upper_short_words(const char *in, size_t length, char *out)
{
	uint64_t first, last;

	memcpy(&first, in, sizeof(first));
	memcpy(&last, in + length - sizeof(last), sizeof(last));
	if (!upper_short_is_ascii(first | last))
		return false;
	first = UPPER_SHORT_MAP(first);
	last = UPPER_SHORT_MAP(last);
	memcpy(out, &first, sizeof(first));
	memcpy(out + length - sizeof(last), &last, sizeof(last));
	return true;
}

/* Two words of half its size: 4 bytes to 7. */
static inline uint64_t upper_short_load_halves(const char *in, size_t length)
{
	uint32_t first, last;

	memcpy(&first, in, sizeof(first));
	memcpy(&last, in + length - sizeof(last), sizeof(last));
	return first | (uint64_t)last << 32;
}

static inline void upper_short_store_halves(char *out, size_t length, uint64_t bytes)
{
	uint32_t first = (uint32_t)bytes, last = (uint32_t)(bytes >> 32);

	memcpy(out, &first, sizeof(first));
	memcpy(out + length - sizeof(last), &last, sizeof(last));
}

/* The first byte, the middle one, and the last: 1 to 3. */
static inline uint64_t upper_short_load_bytes(const char *in, size_t length)
{
	return (unsigned char)in[0] | (uint64_t)(unsigned char)in[length / 2] << 8 |
	       (uint64_t)(unsigned char)in[length - 1] << 16;
}

static inline void upper_short_store_bytes(char *out, size_t length, uint64_t bytes)
{
	out[0] = (char)bytes;
	out[length / 2] = (char)(bytes >> 8);
	out[length - 1] = (char)(bytes >> 16);
}

/* Maps length bytes, UPPER_SHORT_MAX at most, if all are ASCII. If not it returns false, and out,
 * which has room for as many, holds nothing of use. */
static inline bool upper_short(const void *in, size_t length, void *out)
{
	const char *from = in;
	char *to = out;
	uint64_t bytes;

	if (length >= 2 * sizeof(bytes))
		return upper_short_pairs(from, length, to);
	if (length >= sizeof(bytes))
		return upper_short_words(from, length, to);
	if (length == 0)
		return true;
	bytes = length >= 4 ? upper_short_load_halves(from, length)
			    : upper_short_load_bytes(from, length);
	if (!upper_short_is_ascii(bytes))
		return false;
	bytes = UPPER_SHORT_MAP(bytes);
	if (length >= 4)
		upper_short_store_halves(to, length, bytes);
	else
		upper_short_store_bytes(to, length, bytes);
	return true;
}
