/* SPDX-License-Identifier: ISC */

/*
 * Upper case with AVX2: 32 bytes at a time by look-ups of half a byte (vpshufb) and what
 * upper-arithmetic.h has. What is foreign to a loop are pairs of a lead and a second byte; they are
 * covered by rectangles, products of sets of halves, and each rectangle has a bit:
 *
 *     bit 6 of foreign_long: leads EA and EF, second 9a x 9acdef     for ea 9c = U+A700 and on
 *
 *     lead_high[e]  lead_low[a]  second_high[9]  second_low[c]
 *        0xfc     &    0x40    &     0x52      &     0xc2        = 0x40: foreign
 *
 * There are eight bits, so a loop takes for foreign what its languages haven't got: the one for
 * Vietnamese most of U+0100 to U+017F, the one for Turkish sharp s, nearly all of them cased
 * letters of three bytes. Where C2, D2, E2 and F2 may share their rectangles, lead_high is saved,
 * and the loop compares with the leads that it would confuse. Each table is 16 bytes.
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

/* Which rectangles have the halves of a lead and of the byte behind it. */
struct four_halves {
	unsigned char lead_high[16], lead_low[16], second_high[16], second_low[16];
};

struct three_halves {
	unsigned char lead_low[16], second_high[16], second_low[16];
};

#include "text/upper-avx2-tables.h"

/* table[v & 15], or 0 for v above 0x7f. */
INLINE vector look_up(const unsigned char table[16], vector v)
{
	__m128i row = _mm_loadu_si128((const __m128i *)table);

	return (vector)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(row), (__m256i)v);
}

/* As signed bytes. */
INLINE vector is_less(vector a, vector b)
{
	return (vector)((signed_vector)a < (signed_vector)b);
}

INLINE vector add_up_to_255(vector a, vector b)
{
	return (vector)_mm256_adds_epu8((__m256i)a, (__m256i)b);
}

/* a - b, or 0 for a below b. */
INLINE vector above(vector a, vector b)
{
	return (vector)_mm256_subs_epu8((__m256i)a, (__m256i)b);
}

/* Of v from first to first + 15, where first ends in 0, what look_up() takes; it takes all others,
 * which stay above 0x7f, for 0. */
INLINE vector index_from(vector v, unsigned char first)
{
	return add_up_to_255(v ^ bytes(first), bytes(0x70));
}

INLINE vector high_half(vector v)
{
	return (vector)_mm256_srli_epi16((__m256i)v, 4) & bytes(15);
}

/* Which bits are in all four tables. */
INLINE vector find_pairs(const struct four_halves *tables, vector lead, vector second)
{
	return look_up(tables->lead_high, high_half(lead)) &
	       look_up(tables->lead_low, lead & bytes(15)) &
	       look_up(tables->second_high, high_half(second)) &
	       look_up(tables->second_low, second & bytes(15));
}

/* The same with three; lead counts from any place on, and is above 0x7f for no lead. */
INLINE vector find_pairs_by_three(const struct three_halves *tables, vector lead, vector second)
{
	return look_up(tables->lead_low, lead) & look_up(tables->second_high, high_half(second)) &
	       look_up(tables->second_low, second & bytes(15));
}

/* Leads become 00 to 3f, trails are above 7f. */
INLINE vector find_short_pairs(const struct three_halves *tables, const struct window *w)
{
	return find_pairs_by_three(tables, w->here + bytes(0x40), w->next);
}

/* Of leads of two bytes those from C3 to D6, as all cased ones are, become EC to FF, the highest
 * there are. C2 becomes EB: it counts too where B5 stands behind it (micro). */
INLINE vector find_caseless_foreign(const struct window *w)
{
	vector most = bytes(0xeb) + is(w->next, 0xb5);
	vector two_bytes = above(w->here + bytes(0xff - 0xd6), most);

	/* As in map_ascii(): E1 to F0 become 00 to 0f, and what is below them is above 7f. */
	return two_bytes |
	       find_pairs_by_three(&foreign_caseless, w->here + bytes(0x80 - 'a'), w->next);
}

/* Of E1 only BA and BB aren't covered. */
INLINE vector find_vietnamese_foreign(const struct window *w)
{
	return find_short_pairs(&foreign_vietnamese, w) | is_in(w->here, 0xd0, 0xd5) |
	       find_foreign_e1(w);
}

INLINE vector find_all_foreign(const struct window *w)
{
	return find_pairs(&foreign_long, w->here, w->next) | find_foreign_e1(w) |
	       (find_pairs(&foreign_all, w->here, w->next) & ~find_known_c6(w));
}

INLINE vector find_foreign_bytes(const struct window *w, unsigned int scripts)
{
	switch (scripts) {
	case CASELESS:
		return find_caseless_foreign(w);
	case LATIN:
		return find_short_pairs(&foreign_latin, w) | is_in(w->here, 0xd0, 0xd5);
	case TURKISH:
		return find_short_pairs(&foreign_turkish, w) | is_in(w->here, 0xd0, 0xd5);
	case GREEK:
		return find_short_pairs(&foreign_greek, w) | is_in(w->here, 0xd0, 0xd2);
	case CYRILLIC:
		return find_pairs(&foreign_cyrillic, w->here, w->next);
	case VIETNAMESE:
		return find_vietnamese_foreign(w);
	default:
		return find_all_foreign(w);
	}
}

/* E2 86 begins U+2184, which is cased, and then arrows, which stand in many a text. The third byte
 * is shifted here, as few blocks need it, so an arrow at the end isn't seen. */
INLINE uint64_t find_arrows(const struct window *w)
{
	vector third = shift_earlier(w->next, 1);

	return find_bits(is(w->here, 0xe2) & is(w->next, 0x86) & is_in(third, 0x85, 0xbf));
}

/* Whatever the text, no trail is found: a loop that stopped at one would cut a character. */
INLINE uint64_t find_foreign(const struct window *w, unsigned int scripts)
{
	uint64_t found = find_bits(add_up_to_255(find_foreign_bytes(w, scripts), bytes(0x7f)));

	return __builtin_expect(found != 0, 0) ? found & ~find_arrows(w) : 0;
}

/*
 * U+00E0 to U+017E. The lead says which bit of its trail is taken off where it is set: 0x20 for C3,
 * 1 for C4 and C5, of which the odd ones are small.
 *
 *     c3 a9    a9 has 0x20: 89       c4 83    83 has 1: 82
 *
 * From U+0139 to U+0148 and from U+0179 on the even ones are: there 1 is added before looking.
 */
INLINE vector find_latin_bits(const struct window *w, vector lead)
{
	static const unsigned char even_below[16] = {[3] = 0x80, [4] = 0x80, [5] = 0x89};

	return w->here - (is_above(w->here, 0xb8) | is_less(w->here, look_up(even_below, lead)));
}

INLINE vector map_latin_but_sharp_s(vector out, const struct window *w, vector trail)
{
	static const unsigned char change[16] = {[3] = 0x20, [4] = 1, [5] = 1};
	vector lead = index_from(w->before, 0xc0);

	return out - (find_latin_bits(w, lead) & look_up(change, lead) & trail);
}

/* Sharp s becomes SS: of c3 more bits are let through, and nothing but 9f has them. */
INLINE vector map_latin(vector out, const struct window *w, vector trail)
{
	static const unsigned char change[16] = {[3] = 0x20 | (0x9f - 'S'), [4] = 1, [5] = 1};
	vector lead = index_from(w->before, 0xc0);
	vector bits =
		(find_latin_bits(w, lead) & bytes(0x21)) | (is(w->here, 0x9f) & bytes(0x9f - 'S'));
	vector sharp_s = is(w->here, 0xc3) & is(w->next, 0x9f);

	return out - (bits & look_up(change, lead) & trail) - (sharp_s & bytes(0xc3 - 'S'));
}

/*
 * Vietnamese letters alone. Of leads of two bytes as above, but with the odd ones small up to AE
 * and the even ones from there on:
 *
 *     c6 a1    1 is taken off: a0    c6 af    b0 is even: no change    c6 b0    b1 is odd: af
 *
 * Of e1 ba and e1 bb the odd third bytes are small.
 */
INLINE vector map_vietnamese_alone(vector out, const struct window *w, vector trail)
{
	static const unsigned char bits[16] = {[3] = 0x20, [4] = 1, [5] = 1, [6] = 1};
	vector two =
		look_up(bits, index_from(w->before, 0xc0)) & (w->here - is_above(w->here, 0xae));
	vector three = is(w->before2, 0xe1) & is_below(w->before, 0xc0) & w->here & bytes(1);

	return out - ((two | three) & trail);
}

/*
 * U+03AC to U+03CE. Of ce a0 to af some are accented, of ce b0 to bf all change by 0x20, and of cf
 * what isn't foreign is below 90:
 *
 *     index    70..7f           80..8f          90..9f                 a0..
 *     of       ce a0..af        ce b0..bf       cf 80..8f              others
 *     change   by the table     - 0x20          by the table, + 0x20   none
 */
INLINE vector map_greek(vector out, const struct window *w)
{
	static const unsigned char accented[16] = {
		[0xc] = 0x26,
		[0xd] = 0x25,
		[0xe] = 0x25,
		[0xf] = 0x25,
	};
	static const unsigned char more[16] = {
		0x20, 0x20, 0x21, 0x20, 0x20, 0x20, 0x20, 0x20,
		0x20, 0x20, 0x20, 0x20, 0x00, 0x01, 0x01, 0x00,
	};
	vector index = index_from(w->here, 0xa0);
	vector less = look_up(accented, index) | (is_below(index, 0x90) & bytes(0x20));

	out -= is(w->before, 0xce) & less;
	out += is(w->before, 0xcf) & look_up(more, index - bytes(0x20));
	return out + (is(w->here, 0xcf) & is_below(w->next, 0x8f));
}

/*
 * U+0430 to U+045F: by the trail's upper half and the lead.
 *
 *     trail      80..8f     90..9f     a0..af     b0..bf
 *     of d0         0          0          0       - 0x20
 *     of d1      + 0x20     - 0x10     foreign    foreign
 *
 * D0 becomes 7e, D1 7f and all else more, which look_up() takes for 0. Of the trail's upper half
 * two bits are exclusive or-ed into that: 6 for b, 2 for 9, 0 for 8.
 */
INLINE vector map_cyrillic(vector out, const struct window *w, vector trail)
{
	static const unsigned char changes[16] = {
		[0xe ^ 6] = 0xe0,
		[0xf ^ 0] = 0x20,
		[0xf ^ 2] = 0xf0,
	};
	vector lead = add_up_to_255(w->before ^ bytes(0xd0), bytes(0x7e));
	vector half = (vector)_mm256_srli_epi16((__m256i)w->here, 3) & bytes(6);

	out += look_up(changes, lead ^ half) & trail;
	return out + (is(w->here, 0xd1) & is_below(w->next, 0xa0));
}

INLINE vector map_block(const struct window *w, unsigned int scripts, uint64_t *ret_dropped)
{
	vector out = map_ascii(w->here), trail = is_below(w->here, 0xc0);

	if (scripts == VIETNAMESE)
		return map_vietnamese_alone(out, w, trail);
	if (scripts == TURKISH)
		out = map_latin_but_sharp_s(out, w, trail);
	else if (scripts & LATIN_1_A)
		out = map_latin(out, w, trail);
	if (scripts & DOTLESS_I) {
		out = map_dotless_i(out, w);
		*ret_dropped = find_bits(is(w->here, 0xc4) & is(w->next, 0xb1));
	}
	if (scripts & C6_E1)
		out = map_vietnamese(out, w, trail);
	if (scripts & CE_CF)
		out = map_greek(out, w);
	if (scripts & D0_D1)
		out = map_cyrillic(out, w, trail);
	if (scripts & D2_D3)
		out = map_more_cyrillic(out, w, trail);
	return out;
}

/* Eight bytes at a time move together by the table of those that are kept, 2 KiB. */
INLINE void store_half_without(unsigned char *out, __m128i half, uint64_t dropped)
{
	uint64_t first = dropped & 0xff, second = dropped >> 8 & 0xff;
	__m128i from = _mm_set_epi64x((long long)kept[second], (long long)kept[first]) +
		       _mm_set_epi64x(UINT64_C(0x0808080808080808), 0);
	__m128i together = _mm_shuffle_epi8(half, from);

	_mm_storel_epi64((__m128i *)out, together);
	_mm_storeh_pi((__m64 *)(out + 8 - __builtin_popcountll(first)), _mm_castsi128_ps(together));
}

INLINE void store_without(unsigned char *out, vector v, uint64_t dropped)
{
	uint64_t first = dropped & 0xffff;

	store_half_without(out, _mm256_castsi256_si128((__m256i)v), first);
	store_half_without(out + 16 - __builtin_popcountll(first),
			   _mm256_extracti128_si256((__m256i)v, 1), dropped >> 16);
}

static bool is_supported(void)
{
	return x86_has(X86_BMI1 | X86_BMI2 | X86_AVX2, 0, X86_STATE_AVX);
}

#include "text/upper-loops.h"

const struct upper_version upper_avx2 = {"avx2", is_supported, map};
