/* SPDX-License-Identifier: ISC */

/*
 * Upper case on any processor: 16 bytes at a time by comparing and adding, as SSE2, NEON or
 * whatever the compiler makes of GNU C's vectors. No tables but those of upper-character.
 *
 * Cased letters come in ranges that change alike, most of them by ± 0x20 or, where capital and
 * small letters alternate, the odd one by -1. Trails of D1, for example:
 *
 *     here      80..8f        90..9f        a0..bf
 *     add       + 0x20        - 0x10        none here: foreign
 *     lead      d1 -> d0      d1 -> d0
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "text/upper-character.h"
#include "text/upper-version.h"

#define BLOCK 16

#define INLINE   static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

typedef unsigned char vector __attribute__((vector_size(BLOCK)));
typedef uint64_t halves __attribute__((vector_size(BLOCK)));

/* Eight bytes, the first one lowest whatever the machine's order. */
INLINE uint64_t little_endian(uint64_t eight)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(eight);
#else
	return eight;
#endif
}

/* A bit for the lowest one of each byte of eight, the first one lowest. */
INLINE uint64_t gather_bits(uint64_t eight)
{
	/* Each factor's bit moves one byte's lowest bit into the top byte, at a place of its own.
	 */
	return (little_endian(eight) & UINT64_C(0x0101010101010101)) *
		       UINT64_C(0x0102040810204080) >>
	       56;
}

INLINE vector bytes(unsigned char byte)
{
	return byte - (vector){0};
}

INLINE bool is_any(vector v)
{
	return ((halves)v)[0] | ((halves)v)[1];
}

INLINE bool is_ascii(vector v)
{
	return !is_any(v & bytes(0x80));
}

/* A bit for each byte of v; those are 0 or 0xff. */
INLINE uint64_t find_bits(vector v)
{
	if (!is_any(v))
		return 0;
	return gather_bits(((halves)v)[0]) | gather_bits(((halves)v)[1]) << 8;
}

INLINE uint64_t find_non_ascii(vector v)
{
	return find_bits(v >> 7);
}

INLINE vector shift_later(vector v, int n)
{
	uint64_t first = little_endian(((halves)v)[0]), last = little_endian(((halves)v)[1]);

	last = last << 8 * n | first >> (64 - 8 * n);
	return (vector)(halves){little_endian(first << 8 * n), little_endian(last)};
}

INLINE vector shift_earlier(vector v, int n)
{
	uint64_t first = little_endian(((halves)v)[0]), last = little_endian(((halves)v)[1]);

	first = first >> 8 * n | last << (64 - 8 * n);
	return (vector)(halves){little_endian(first), little_endian(last >> 8 * n)};
}

#include "text/upper-arithmetic.h"

/*
 * U+00DF to U+017F: sharp s becomes SS; c3 a0 and on change by 0x20; of those with c4 and c5 the
 * odd ones change by 1, or in two parts the even ones.
 */
INLINE vector find_latin_change(const struct window *w)
{
	vector here = w->here, c3 = is(w->before, 0xc3), c4_c5 = is(w->before & bytes(0xfe), 0xc4);
	vector even = is_above(here, 0xb8) | (is(w->before, 0xc5) & is_below(here, 0x89));
	vector by_20 = is_above(here, 0x9f) & bytes(0x20);
	vector to_s = is(here, 0x9f) & bytes(0x9f - 'S');

	return (c3 & (by_20 | to_s)) | (c4_c5 & (here ^ even) & bytes(1));
}

INLINE vector map_latin(vector out, const struct window *w, vector trail)
{
	vector sharp_s = is(w->here, 0xc3) & is(w->next, 0x9f);

	return out - (trail & find_latin_change(w)) - (sharp_s & bytes(0xc3 - 'S'));
}

INLINE vector map_greek(vector out, const struct window *w, vector trail)
{
	vector here = w->here, ce = trail & is(w->before, 0xce);
	vector cf = is(w->before, 0xcf) & is_below(here, 0x8f);
	vector accented = is_in(here, 0xac, 0xaf) & (bytes(0x25) - is(here, 0xac));
	vector final_or_accented = is(here, 0x82) | is_above(here, 0x8c);

	out -= ce & ((is_above(here, 0xb0) & bytes(0x20)) | accented);
	out += cf & ((is_below(here, 0x8c) & bytes(0x20)) - final_or_accented);
	return out + (is(here, 0xcf) & is_below(w->next, 0x8f));
}

INLINE vector map_cyrillic(vector out, const struct window *w, vector trail)
{
	vector here = w->here;
	vector d0 = trail & is(w->before, 0xd0) & is_above(here, 0xaf);
	vector d1 = is(w->before, 0xd1) & is_below(here, 0xa0);

	out -= d0 & bytes(0x20);
	out += d1 & (bytes(0xf0) + (is_below(here, 0x90) & bytes(0x30)));
	return out + (is(here, 0xd1) & is_below(w->next, 0xa0));
}

INLINE vector map_block(const struct window *w, unsigned int scripts, uint64_t *ret_dropped)
{
	vector out = map_ascii(w->here), trail = is_below(w->here, 0xc0);

	if (scripts & LATIN_1_A)
		out = map_latin(out, w, trail);
	if (scripts & DOTLESS_I) {
		out = map_dotless_i(out, w);
		*ret_dropped = find_bits(is(w->here, 0xc4) & is(w->next, 0xb1));
	}
	if (scripts & C6_E1)
		out = map_vietnamese(out, w, trail);
	if (scripts & CE_CF)
		out = map_greek(out, w, trail);
	if (scripts & D0_D1)
		out = map_cyrillic(out, w, trail);
	if (scripts & D2_D3)
		out = map_more_cyrillic(out, w, trail);
	return out;
}

/* Leads of three and four bytes: where next is among the second bytes of cased characters. */
INLINE vector find_long(vector here, vector next)
{
	vector e1 = is_in(next, 0x82, 0x83) | is(next, 0x8f) | (is_above(next, 0xb1));
	vector e2 = is_in(next, 0x84, 0x86) | is(next, 0x93) | is_in(next, 0xb0, 0xb4);

	return (is(here, 0xe1) & e1) | (is(here, 0xe2) & e2) |
	       (is(here, 0xea) & is_in(next, 0x99, 0xae)) |
	       (is(here, 0xef) & (is(next, 0xac) | is(next, 0xbd))) |
	       (is(here, 0xf0) & is_in(next, 0x90, 0x9e));
}

/* Of the two-byte leads from C3 to D6 those that scripts doesn't know at all, or not with next. */
INLINE vector find_short(const struct window *w, unsigned int scripts)
{
	vector here = w->here, next = w->next;
	vector found = is_in(here, scripts & LATIN_1_A ? 0xc6 : 0xc3, 0xd6);

	if (scripts & C6_E1)
		found &= ~find_known_c6(w);
	if (scripts & CE_CF) {
		found &= ~is(here & bytes(0xfe), 0xce);
		found |= is(here, 0xce) & is(next & bytes(0xdf), 0x90);
		found |= is(here, 0xcf) & is_above(next, 0x8e);
	}
	if (scripts & D0_D1) {
		found &= ~is(here & bytes(0xfe), 0xd0);
		found |= is(here, 0xd1) & is_above(next, 0x9f);
	}
	if (scripts & D2_D3)
		found &= ~(is(here & bytes(0xfe), 0xd2) & is_above(next, 0x8f));
	if (scripts & LATIN_1_A) {
		found |= is(here | bytes(6), 0xc7) & is(next | bytes(8), 0xbf); /* C3, C5 */
		found |= is(here, 0xc5) & (is(next, 0x80) | is(next, 0x89));
	}
	if ((scripts & LATIN_1_A) && !(scripts & DOTLESS_I))
		found |= is(here, 0xc4) & is(next, 0xb1);
	return found | (is(here, 0xc2) & is(next, 0xb5));
}

INLINE uint64_t find_foreign(const struct window *w, unsigned int scripts)
{
	vector found = find_long(w->here, w->next);

	if (scripts & C6_E1) {
		found &= ~(is(w->here, 0xe1) & is(w->next & bytes(0xfc), 0xb8));
		found |= find_foreign_e1(w);
	}
	return find_bits(found | find_short(w, scripts));
}

/* The bytes behind each one that is dropped are stored once more, one place further to the left. */
INLINE void store_without(unsigned char *out, vector v, uint64_t dropped)
{
	unsigned char copy[2 * BLOCK];

	store_vector(out, v);
	if (!dropped)
		return;
	store_vector(copy, v);
	store_vector(copy + BLOCK, v);
	for (; dropped; dropped &= dropped - 1, out--) {
		int i = __builtin_ctzll(dropped);

		store_vector(out + i, load_vector(copy + i + 1));
	}
}

static bool is_supported(void)
{
	return true;
}

#include "text/upper-loops.h"

const struct upper_version upper_portable = {"portable", is_supported, map};
