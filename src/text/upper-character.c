/* SPDX-License-Identifier: ISC */
#include "text/upper-character.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "text/upper-tables.h"
#include "text/upper.h"

/* How long a well-formed sequence is that begins with this byte; 0: none begins with it. */
static size_t sequence_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2)
		return 0;
	if (lead < 0xe0)
		return 2;
	if (lead < 0xf0)
		return 3;
	return lead < 0xf5 ? 4 : 0;
}

/* Unicode, table 3-7: what may follow a lead byte, so that nothing is overlong, a surrogate or
 * beyond U+10FFFF. All further bytes are any continuation. */
static bool second_fits(unsigned char lead, unsigned char second)
{
	switch (lead) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return second >= 0x80 && second <= 0xbf;
	}
}

/*
 * What in begins with: returns how many of its bytes (1 to 4) are a well-formed sequence, or the
 * beginning of one that ends behind length; ret_missing says how many bytes lie there. A byte that
 * begins no sequence counts as one of length 1.
 */
size_t upper_find_sequence(const unsigned char *in, size_t length, size_t *ret_missing)
{
	size_t wanted = sequence_length(in[0]), i;

	*ret_missing = 0;
	for (i = 1; i < wanted; i++) {
		if (i == length) {
			*ret_missing = wanted - i;
			return i;
		}
		if (i == 1 ? !second_fits(in[0], in[1]) : (in[i] & 0xc0) != 0x80)
			return 1;
	}
	return wanted ? wanted : 1;
}

static uint32_t decode(const unsigned char *in, size_t length)
{
	uint32_t code_point = length == 1 ? in[0] : in[0] & (0x7fu >> length);

	for (size_t i = 1; i < length; i++)
		code_point = code_point << 6 | (in[i] & 0x3f);
	return code_point;
}

static size_t encode(uint32_t code_point, unsigned char *out)
{
	size_t length = code_point < 0x80      ? 1
	                : code_point < 0x800   ? 2
	                : code_point < 0x10000 ? 3
	                                       : 4;

	for (size_t i = length - 1; i > 0; i--, code_point >>= 6)
		out[i] = (unsigned char)(0x80 | (code_point & 0x3f));
	out[0] = (unsigned char)(length == 1 ? code_point : (0xf00u >> length & 0xff) | code_point);
	return length;
}

/* One sequence that upper_find_sequence() found whole; returns how many bytes it became. */
size_t upper_map_sequence(const unsigned char *in, size_t length, unsigned char *out)
{
	uint32_t code_point = decode(in, length);
	unsigned int change = 0;

	/* A stray byte decodes to 0x80 and up, in which U+00B5 and others would be found. */
	if (code_point < UPPER_CODE_POINTS && (length > 1 || code_point < 0x80))
		change = upper_change[upper_block[code_point >> 6]][code_point & 0x3f];
	if (change == 0) {
		memcpy(out, in, length);
		return length;
	}
	if (change <= UPPER_DELTAS)
		return encode((uint32_t)((int32_t)code_point + upper_delta[change]), out);
	change -= UPPER_DELTAS + 1;
	memcpy(out, upper_string[change].bytes, upper_string[change].length);
	return upper_string[change].length;
}

bool upper_changes(const unsigned char *in, const unsigned char *end)
{
	unsigned char out[6];
	size_t missing, length = upper_find_sequence(in, (size_t)(end - in), &missing);

	if (missing > 0)
		return false;
	return upper_map_sequence(in, length, out) != length || memcmp(in, out, length) != 0;
}

size_t upper_map_characters(const unsigned char **in, const unsigned char *until,
                            const unsigned char *end, unsigned char *out)
{
	const unsigned char *from = *in;
	unsigned char *to = out;
	size_t length, missing;

	while (from < until) {
		length = upper_find_sequence(from, (size_t)(end - from), &missing);
		if (missing > 0)
			length = 1;
		to += upper_map_sequence(from, length, to);
		from += length;
	}
	*in = from;
	return (size_t)(to - out);
}

const char *upper_unicode_version(void)
{
	return UPPER_UNICODE_VERSION;
}
