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

size_t upper_find_sequence(const unsigned char *in, size_t length, size_t *ret_missing)
{
	unsigned char lead = in[0];
	size_t wanted, i;

	UPPER_READ_ONCE(lead);
	wanted = sequence_length(lead);
	*ret_missing = 0;
	for (i = 1; i < wanted; i++) {
		if (i == length) {
			*ret_missing = wanted - i;
			return i;
		}
		if (i == 1 ? !second_fits(lead, in[1]) : (in[i] & 0xc0) != 0x80)
			return 1;
	}
	return wanted ? wanted : 1;
}

static inline uint32_t decode(const unsigned char *in, size_t length)
{
	uint32_t code_point = length == 1 ? in[0] : in[0] & (0x7fu >> length);

	for (size_t i = 1; i < length; i++)
		code_point = code_point << 6 | (in[i] & 0x3f);
	return code_point;
}

static unsigned char trail(uint32_t code_point, int shift)
{
	return (unsigned char)(0x80 | (code_point >> shift & 0x3f));
}

static size_t encode(uint32_t code_point, unsigned char *out)
{
	if (code_point < 0x80) {
		out[0] = (unsigned char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		out[0] = (unsigned char)(0xc0 | code_point >> 6);
		out[1] = trail(code_point, 0);
		return 2;
	}
	if (code_point < 0x10000) {
		out[0] = (unsigned char)(0xe0 | code_point >> 12);
		out[1] = trail(code_point, 6);
		out[2] = trail(code_point, 0);
		return 3;
	}
	out[0] = (unsigned char)(0xf0 | code_point >> 18);
	out[1] = trail(code_point, 12);
	out[2] = trail(code_point, 6);
	out[3] = trail(code_point, 0);
	return 4;
}

/* What the character becomes; returns how many bytes that is, 0 if it doesn't change. */
static size_t map_code_point(uint32_t code_point, unsigned char *out)
{
	unsigned int change;

	if (code_point >= UPPER_CODE_POINTS || !upper_block[code_point >> 6])
		return 0;
	change = upper_change[upper_block[code_point >> 6]][code_point & 0x3f];
	if (change == 0)
		return 0;
	if (change <= UPPER_DELTAS)
		return encode((uint32_t)((int32_t)code_point + upper_delta[change]), out);
	change -= UPPER_DELTAS + 1;
	memcpy(out, upper_string[change].bytes, sizeof(upper_string[change].bytes));
	return upper_string[change].length;
}

size_t upper_map_sequence(const unsigned char *in, size_t length, unsigned char *out)
{
	/* A stray byte decodes to 0x80 and up, in which U+00B5 and others would be found. */
	bool is_stray = length == 1 && in[0] >= 0x80;
	size_t written = is_stray ? 0 : map_code_point(decode(in, length), out);

	if (written == 0)
		memcpy(out, in, length);
	return written ? written : length;
}

static bool is_trail(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The length of what looks like a sequence, a lead with as many trails as it has; 1 for all else.
 */
static size_t apparent_length(const unsigned char *in, size_t left)
{
	if (in[0] < 0xc2 || left < 2 || !is_trail(in[1]))
		return 1;
	if (in[0] < 0xe0)
		return 2;
	if (left < 3 || !is_trail(in[2]))
		return 1;
	if (in[0] < 0xf0)
		return 3;
	return left < 4 || !is_trail(in[3]) || in[0] > 0xf4 ? 1 : 4;
}

bool upper_changes(const unsigned char *in, const unsigned char *end)
{
	size_t length = apparent_length(in, (size_t)(end - in));
	uint32_t code_point = decode(in, length);

	UPPER_READ_ONCE(code_point);
	return (length > 1 || in[0] < 0x80) && code_point < UPPER_CODE_POINTS &&
	       upper_change[upper_block[code_point >> 6]][code_point & 0x3f] != 0;
}

/*
 * One character after the other without a branch on how long they are or whether they change: in
 * text that makes it worth coming here, nobody could guess. A character is four bytes as one
 * number, of which so many count:
 *
 *     0xd18f2061   form 2: of 16 bits, 110xxxxx 10xxxxxx   ->   U+044F
 *     delta of U+044F: -32                                 ->   U+042F, also two bytes
 *     0xd0af....   two bytes of the four stored count
 */
static const struct form {
	uint32_t marks, mark_bits; /* what tells leads and trails, and where they have it */
	uint32_t last;             /* the bits that its last byte has for the code point */
	uint32_t least;            /* those below are not to be written so (table 3-7) */
} forms[] = {
	[1] = {0x00000000, 0x00000080, 0x7f, 0x00},
	[2] = {0x0000c080, 0x0000e0c0, 0x3f, 0x80},
	[3] = {0x00e08080, 0x00f0c0c0, 0x3f, 0x800},
	[4] = {0xf0808080, 0xf8c0c0c0, 0x3f, 0x10000},
};

/* By the upper five bits of a first byte. */
static const unsigned char form_of[32] = {
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* ASCII */
	1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 1,
};

static inline uint32_t load_four(const unsigned char *in, size_t left)
{
	unsigned char four[4] = {0};
	uint32_t bytes;

	if (left >= sizeof(four))
		memcpy(four, in, sizeof(four));
	else
		memcpy(four, in, left);
	bytes = (uint32_t)four[0] << 24 | (uint32_t)four[1] << 16 | (uint32_t)four[2] << 8 |
		four[3];
	UPPER_READ_ONCE(bytes);
	return bytes;
}

static inline void store_four(unsigned char *out, uint32_t bytes)
{
	out[0] = (unsigned char)(bytes >> 24);
	out[1] = (unsigned char)(bytes >> 16);
	out[2] = (unsigned char)(bytes >> 8);
	out[3] = (unsigned char)bytes;
}

/* Without the marks: six bits of each byte, of the first one up to seven. */
static inline uint32_t gather(uint32_t bytes, const struct form *form)
{
	return (bytes & form->last) | (bytes >> 2 & 0xfc0) | (bytes >> 4 & 0x3f000) |
	       (bytes >> 6 & 0x1c0000);
}

static inline uint32_t spread(uint32_t code_point, const struct form *form)
{
	return (code_point & form->last) | (code_point & 0xfc0 & ~form->last) << 2 |
	       (code_point & 0x3f000) << 4 | (code_point & 0x1c0000) << 6;
}

static inline size_t encoded_length(uint32_t code_point)
{
	return 1 + (code_point >= 0x80) + (code_point >= 0x800) + (code_point >= 0x10000);
}

size_t upper_map_characters(const unsigned char **in, const unsigned char *until,
			    const unsigned char *end, unsigned char *out)
{
	const unsigned char *from = *in;
	unsigned char *to = out;

	while (from < until) {
		uint32_t four = load_four(from, (size_t)(end - from));
		size_t length = form_of[four >> 27];
		const struct form *form = &forms[length];
		uint32_t bytes = four >> (32 - 8 * length), code_point, known, mapped;
		unsigned int change;

		code_point = gather(bytes ^ form->marks, form);
		if ((bytes & form->mark_bits) != form->marks || code_point < form->least) {
			*to++ = *from++;
			continue;
		}
		known = code_point & -(uint32_t)(code_point < UPPER_CODE_POINTS);
		change = upper_change[upper_block[known >> 6]][known & 0x3f];
		mapped = code_point + (uint32_t)upper_delta[change <= UPPER_DELTAS ? change : 0];
		store_four(to, (spread(mapped, form) | form->marks) << (32 - 8 * length));
		from += length;
		if (change > UPPER_DELTAS || encoded_length(mapped) != length)
			length = map_code_point(code_point, to);
		to += length;
	}
	*in = from;
	return (size_t)(to - out);
}

const char *upper_unicode_version(void)
{
	return UPPER_UNICODE_VERSION;
}
