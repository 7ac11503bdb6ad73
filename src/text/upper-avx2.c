/* SPDX-License-Identifier: ISC */

/*
 * Upper case with AVX2: 32 bytes at a time by what upper-arithmetic.h says. What is foreign it
 * finds by look-ups of half a byte (vpshufb). The pairs of a lead and a second byte that are
 * foreign are covered by rectangles, products of sets of halves, and each rectangle has a bit:
 *
 *     bit 6 of foreign_long: leads EA and EF, second 9a x 9acdef     for ea 9c = U+A700 and on
 *
 *     lead_high[e]  lead_low[a]  second_high[9]  second_low[c]
 *        0xfc     &    0x40    &     0x52      &     0xc2        = 0x40: foreign
 *
 * There are eight bits, so most loops take letters of three bytes altogether for foreign; only
 * those for uncased scripts, Vietnamese and all scripts look closer. Each table is 64 bytes.
 */

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "text/upper-character.h"
#include "text/upper-version.h"
#include "text/upper-x86.h"

#define BLOCK 32

#define INLINE   static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

typedef unsigned char vector __attribute__((vector_size(BLOCK)));

/* Loaded as four of them. The compiler is kept from knowing the byte: else it makes the vector anew
 * in every turn of a loop, which takes longer. */
INLINE vector bytes(unsigned char byte)
{
	vector all;

	__asm__("vpbroadcastd %1, %0" : "=x"(all) : "m"(upper_four_times[byte]));
	return all;
}

INLINE bool is_ascii(vector v)
{
	return _mm256_movemask_epi8((__m256i)v) == 0;
}

/* A bit for each byte of v; those are 0 or 0xff. */
INLINE uint64_t find_bits(vector v)
{
	return (uint32_t)_mm256_movemask_epi8((__m256i)v);
}

INLINE uint64_t find_non_ascii(vector v)
{
	return find_bits(v);
}

/* Bytes shift within halves of the vector: the other operand is the half that comes in. */
#define shift_later(v, n)                                                                          \
	((vector)_mm256_alignr_epi8((__m256i)(v),                                                  \
				    _mm256_permute2x128_si256((__m256i)(v), (__m256i)(v), 0x08),   \
				    16 - (n)))
#define shift_earlier(v, n)                                                                        \
	((vector)_mm256_alignr_epi8(_mm256_permute2x128_si256((__m256i)(v), (__m256i)(v), 0x81),   \
				    (__m256i)(v), n))

#include "text/upper-arithmetic.h"

struct halves {
	unsigned char lead_high[16], lead_low[16], second_high[16], second_low[16];
};

#include "text/upper-avx2-tables.h"

/* table[v & 15], for v below 0x80. */
INLINE vector look_up(const unsigned char table[16], vector v)
{
	__m128i half = _mm_loadu_si128((const __m128i *)table);

	return (vector)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), (__m256i)v);
}

INLINE vector high_half(vector v)
{
	return (vector)_mm256_srli_epi16((__m256i)v, 4) & bytes(15);
}

/* Which bits are in all four tables. */
INLINE vector find_pairs(const struct halves *tables, vector lead, vector second)
{
	return look_up(tables->lead_high, high_half(lead)) &
	       look_up(tables->lead_low, lead & bytes(15)) &
	       look_up(tables->second_high, high_half(second)) &
	       look_up(tables->second_low, second & bytes(15));
}

INLINE const struct halves *foreign_to(unsigned int scripts)
{
	switch (scripts) {
	case CASELESS:
		return &foreign_long;
	case LATIN:
		return &foreign_latin;
	case TURKISH:
		return &foreign_turkish;
	case GREEK:
		return &foreign_greek;
	case CYRILLIC:
		return &foreign_cyrillic;
	default:
		return &foreign_long_but_e1;
	}
}

INLINE uint64_t find_foreign(const struct window *w, unsigned int scripts)
{
	vector found = find_pairs(foreign_to(scripts), w->here, w->next);

	if (scripts == CASELESS) /* all cased ones of two bytes, and some more */
		found |= is_in(w->here, 0xc3, 0xd6);
	if (scripts & C6_E1)
		found |= find_foreign_e1(w);
	if (scripts == VIETNAMESE)
		found |= find_pairs(&foreign_vietnamese, w->here, w->next);
	if (scripts == ALL)
		found |= find_pairs(&foreign_all, w->here, w->next) & ~find_known_c6(w);
	return (uint32_t)~find_bits(is(found, 0));
}

/* Eight bytes at a time: a bit for each that is kept becomes a mask (pdep, and 0x01 becomes 0xff),
 * by which they move together (pext). */
INLINE void store_without(unsigned char *out, vector v, uint64_t dropped)
{
	typedef uint64_t words __attribute__((vector_size(BLOCK)));

	for (int i = 0; i < BLOCK / 8; i++) {
		uint64_t kept = ~(dropped >> 8 * i) & 0xff;
		uint64_t lowest = _pdep_u64(kept, UINT64_C(0x0101010101010101));
		uint64_t together = _pext_u64(((words)v)[i], (lowest << 8) - lowest);

		memcpy(out, &together, sizeof(together));
		out += __builtin_popcountll(kept);
	}
}

static bool is_supported(void)
{
	return x86_has(X86_BMI1 | X86_BMI2 | X86_AVX2, 0, X86_STATE_AVX);
}

#include "text/upper-loops.h"

const struct upper_version upper_avx2 = {"avx2", is_supported, map};
