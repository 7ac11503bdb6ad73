/* SPDX-License-Identifier: ISC */

/*
 * Upper case with AVX2: 32 bytes at a time by what upper-arithmetic.h says, and two things of which
 * AVX2 has its own: a comparison's bits, and a look-up by four bits (vpshufb) for what is foreign
 * among longer characters.
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

/* The compiler is kept from knowing the byte: else it makes the vector anew in every turn of a
 * loop, which takes longer than to load it. */
INLINE vector bytes(unsigned char byte)
{
	vector all = byte - (vector){0};

	__asm__("" : "+x"(all));
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

#include "text/upper-arithmetic.h"

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

/*
 * Leads of three and four bytes: where next is among the second bytes of cased characters. Those
 * are unions of rectangles of the second byte's halves, or a little more, and each has a bit:
 *
 *     bit  lead    second                         bit  lead    second
 *       1  e1      8: 2 3 f                        10  e2      9: 3
 *       2  e1      b: 2 5 6 8..f                   20  ea      9 a: 9 a c..f
 *       4  e2      8: 4 5 6                        40  ef      a: c
 *       8  e2 ef   b: 0..4 d                       80  f0      9: 0..e
 *
 * A character is foreign where the bits agree of all four halves of both bytes.
 */
INLINE vector find_long(vector here, vector next)
{
	static const unsigned char lead_high[16] = {[14] = 0x7f, [15] = 0x80};
	static const unsigned char lead_low[16] = {0x80, 0x03, 0x1c, [10] = 0x20, [15] = 0x48};
	static const unsigned char second_high[16] = {[8] = 0x05, 0xb0, 0x60, 0x0a};
	static const unsigned char second_low[16] = {
	        0x88, 0x88, 0x8b, 0x99, 0x8c, 0x86, 0x86, 0x80,
	        0x82, 0xa2, 0xa2, 0x82, 0xe2, 0xaa, 0xa2, 0x23,
	};
	vector bits = look_up(lead_high, high_half(here)) & look_up(lead_low, here & bytes(15));

	bits &= look_up(second_high, high_half(next)) & look_up(second_low, next & bytes(15));
	return ~is(bits, 0);
}

static bool is_supported(void)
{
	return x86_has(X86_BMI1 | X86_BMI2 | X86_AVX2, 0, X86_STATE_AVX);
}

#include "text/upper-loops.h"

const struct upper_version upper_avx2 = {"avx2", is_supported, map};
