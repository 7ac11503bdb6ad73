/* SPDX-License-Identifier: ISC */

/*
 * Upper case with AVX-512 (BW, VBMI, VBMI2) and GFNI: 64 bytes at a time.
 *
 * A block of 64 code points shares all its bytes but the last, and the last one's six low bits say
 * which it is. So a byte permute (vpermb, a look-up in 64 bytes) tells all of a trail but its lead,
 * another one the lead, and what both have in common a third one turns into what is taken off:
 *
 *     here      ...  c3  a9  ' ' c5  82 ...        latin.trail, at 0x29: 16, at 0x02: 10
 *     before    ...  x   c3  a9  ' ' c5            latin.lead, at 0x03: 03, at 0x05: 10
 *     in common      0   02  0   0   10            latin.change, at 0x02: 20, at 0x10: 01
 *     out       ...  c3  89  ' ' c5  81
 *
 * Greek and Russian have two leads each, whose letters lie in different halves: of the even lead
 * those with bit 5 set change, of the odd one those without it, and then the odd lead becomes the
 * even one. So they share a table that has the new trails themselves, and a byte's upper bits say
 * behind which lead it changes. To make that lead of them takes one instruction (vgf2p8affineqb:
 * each bit the exclusive or of any of a byte's bits), and to see whether it is there one more:
 *
 *     here      ...  d1  8f  ' ' d0  b9 ...        cyrillic_trail, at 0x0f: af, at 0x39: 99
 *     its lead       ff  d1  fc  ff  d0            of what is no trail one that is foreign
 *     before    ...  x   d1  8f  ' ' d0
 *     out       ...  d0  af  ' ' d0  99            d1 whose trail isn't foreign: without bit 0
 *
 * What a loop doesn't know it finds by two more look-ups: lead[] gives a byte's bits as a lead,
 * second[] those of the byte behind it, and a pair that has a bit in common is foreign. Where leads
 * share a table, the odd one has bit 0 to itself.
 *
 * Registers of 512 bits have two ports. Bytes are compared into masks and permuted on one of them
 * only (Intel's port 5), and minima, maxima and GFNI are for the other: a block of Greek takes 6
 * instructions of the first kind and 7 others, one of German 9 and 9.
 *
 * Its tables are 1.4 KiB: 192 bytes for Latin, 64 for each of two pairs, 128 for what is foreign
 * to each of seven loops, and 256 for the loop over all scripts. That one takes the lead and the
 * upper two bits of the trail for the number of a row of 16 characters; there are no more than nine
 * kinds of rows.
 */

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/upper-character.h"
#include "text/upper-version.h"
#include "text/upper-x86.h"

#define BLOCK      64
#define EDGE_LEAST 3

#define INLINE   static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

/* Where foreign characters are: lead[] and second[] by a byte's low six bits. */
struct foreign {
	unsigned char lead[64], second[64];
};

/* What is taken off a trail, by the bits that it has in common with its lead. */
struct latin {
	unsigned char lead[64], trail[64], change[64];
};

#include "text/upper-avx512-tables.h"

/* What a loop knows: any of these. */
enum {
	C3_TO_C6 = 1,
	SHARP_S = 2,
	DOTLESS_I = 4,
	E1_PAIRS = 8, /* U+1E00 to U+1EFF, of which the lower case is the odd one */
	CE_CF = 16,
	D0_D1 = 32,
	ROWS = 64, /* all two-byte leads */

	PAIRS = CE_CF | D0_D1,
	WELL_FORMED = PAIRS,

	CASELESS = 0,
	LATIN = C3_TO_C6 | SHARP_S,
	TURKISH = C3_TO_C6 | DOTLESS_I,
	VIETNAMESE = C3_TO_C6 | E1_PAIRS,
	GREEK = CE_CF,
	CYRILLIC = D0_D1,
	ALL = ROWS | E1_PAIRS | DOTLESS_I,
};

typedef __m512i vector;

struct window {
	vector before2, before, here, next, next2;
};

INLINE vector load_vector(const unsigned char *in)
{
	return _mm512_loadu_si512(in);
}

/* Lanes that are masked are not read, wherever they lie. */
INLINE struct window load_edge(const unsigned char *in, size_t before, size_t left)
{
	__mmask64 after2 = _bzhi_u64(~UINT64_C(0), left < 2 ? 0 : (unsigned int)left - 2);
	__mmask64 after = _bzhi_u64(~UINT64_C(0), (unsigned int)left - 1);
	__mmask64 here = _bzhi_u64(~UINT64_C(0), (unsigned int)left);

	return (struct window){
		.before2 = _mm512_maskz_loadu_epi8(here & ~UINT64_C(0) << (2 - before), in - 2),
		.before = _mm512_maskz_loadu_epi8(here & ~UINT64_C(0) << (before < 1), in - 1),
		.here = _mm512_maskz_loadu_epi8(here, in),
		.next = _mm512_maskz_loadu_epi8(after, in + 1),
		.next2 = _mm512_maskz_loadu_epi8(after2, in + 2),
	};
}

INLINE void store_vector(unsigned char *out, vector v)
{
	_mm512_storeu_si512(out, v);
}

INLINE void store_without(unsigned char *out, vector v, uint64_t dropped)
{
	_mm512_storeu_si512(out, _mm512_maskz_compress_epi8(~dropped, v));
}

/* A byte in every lane, loaded as four of them. The compiler is kept from knowing it: else it makes
 * it anew in every turn of a loop, on the port that has to permute and compare. */
INLINE vector bytes(unsigned char byte)
{
	vector all;

	__asm__("vpbroadcastd %1, %0" : "=v"(all) : "m"(upper_four_times[byte]));
	return all;
}

/* What is no lead counts as C0, of which there is nothing in any table. */
INLINE vector only_leads(vector v)
{
	return _mm512_max_epu8(v, bytes(0xc0));
}

/* What is no trail counts as BF. As signed bytes, trails are the least. */
INLINE vector only_trails(vector v)
{
	return _mm512_min_epi8(v, bytes(0xbf));
}

INLINE __mmask64 find_ascii_letters(vector v)
{
	return _mm512_cmplt_epu8_mask(_mm512_sub_epi8(v, bytes('a')), bytes(26));
}

INLINE vector map_ascii(vector v)
{
	return _mm512_mask_sub_epi8(v, find_ascii_letters(v), v, bytes(0x20));
}

/* Trails of C3 to C6; BF is none of theirs that changes here. */
INLINE vector map_latin(vector out, const struct window *w)
{
	vector lead = _mm512_permutexvar_epi8(only_leads(w->before), load_vector(latin.lead));
	vector trail = _mm512_permutexvar_epi8(only_trails(w->here), load_vector(latin.trail));
	vector bit = _mm512_and_si512(lead, trail);

	return _mm512_sub_epi8(out, _mm512_permutexvar_epi8(bit, load_vector(latin.change)));
}

/* The lead goes down by one where its trail is below limit. Both are signed, so only trails are. */
INLINE vector map_lead(vector out, const struct window *w, unsigned char lead, unsigned char limit)
{
	__mmask64 here = _mm512_cmpeq_epi8_mask(w->here, bytes(lead));

	here = _mm512_mask_cmplt_epi8_mask(here, w->next, bytes(limit));
	return _mm512_mask_mov_epi8(out, here, bytes((unsigned char)(lead - 1)));
}

INLINE vector find_lead_bits(const struct window *w, const struct foreign *foreign)
{
	return _mm512_permutexvar_epi8(only_leads(w->here), load_vector(foreign->lead));
}

/* Each bit of each byte an exclusive or of some of that byte's bits, and of plus. */
#define TRANSFORM(v, name)                                                                         \
	_mm512_gf2p8affine_epi64_epi8(v, _mm512_set1_epi64(name##_MATRIX), name##_PLUS)

#define A_WITHOUT_B_AND_C 0x70 /* a & ~(b & c), as an immediate of ternary logic */

/* Two leads that share a table. The odd one becomes the even one: it has bit 0 to itself. */
INLINE vector map_lead_pair(const struct window *w, vector lead_of_here,
			    const unsigned char *trails, const struct foreign *foreign)
{
	vector out = map_ascii(w->here);
	__mmask64 here = _mm512_cmpeq_epi8_mask(w->before, lead_of_here);

	out = _mm512_mask_permutexvar_epi8(out, here, w->here, load_vector(trails));
	return _mm512_ternarylogic_epi32(out, find_lead_bits(w, foreign), bytes(1),
					 A_WITHOUT_B_AND_C);
}

INLINE vector rows_of(vector lead, vector trail)
{
	return _mm512_ternarylogic_epi32(_mm512_slli_epi16(lead, 2), _mm512_srli_epi16(trail, 4),
					 bytes(3), 0xd8);
}

INLINE vector map_rows(vector out, const struct window *w, __mmask64 trails)
{
	vector place = rows_of(w->before, w->here), at, change;
	__mmask64 here = _mm512_mask_cmplt_epu8_mask(
		trails, _mm512_sub_epi8(w->before, bytes(0xc2)), bytes(0x1e));

	at = _mm512_permutex2var_epi8(load_vector(row_kind), place, load_vector(row_kind + 64));
	at = _mm512_ternarylogic_epi32(at, w->here, bytes(15), 0xf8);
	change = _mm512_permutex2var_epi8(load_vector(row_trail), at, load_vector(row_trail + 64));
	change = _mm512_mask_mov_epi8(change, _mm512_movepi8_mask(at),
				      bytes((unsigned char)LAST_KIND_TRAIL));
	out = _mm512_mask_add_epi8(out, here, out, change);
	out = map_lead(out, w, 0xcf, 0x8f);
	out = map_lead(out, w, 0xd1, 0xa0);
	return out;
}

INLINE const struct foreign *foreign_to(unsigned int scripts)
{
	switch (scripts) {
	case CASELESS:
		return &foreign_caseless;
	case LATIN:
		return &foreign_latin;
	case TURKISH:
		return &foreign_turkish;
	case VIETNAMESE:
		return &foreign_vietnamese;
	case GREEK:
		return &foreign_greek;
	case CYRILLIC:
		return &foreign_cyrillic;
	default:
		return &foreign_all;
	}
}

INLINE uint64_t find_foreign(const struct window *w, unsigned int scripts)
{
	const struct foreign *foreign = foreign_to(scripts);
	vector next = scripts & PAIRS ? only_trails(w->next) : w->next;
	vector second = _mm512_permutexvar_epi8(next, load_vector(foreign->second));
	__mmask64 found = _mm512_test_epi8_mask(find_lead_bits(w, foreign), second), here;

	if (scripts & E1_PAIRS) { /* but for U+1E80 to U+1E9F, some of which change otherwise */
		here = _mm512_cmpeq_epi8_mask(w->here, bytes(0xe1));
		here = _mm512_mask_cmpeq_epi8_mask(here, w->next, bytes(0xba));
		found |= _mm512_mask_cmplt_epi8_mask(here, w->next2, bytes(0xa0));
	}
	return found;
}

INLINE uint64_t find_non_ascii(vector v)
{
	return _mm512_movepi8_mask(v);
}

INLINE bool is_ascii(vector v)
{
	return find_non_ascii(v) == 0;
}

INLINE vector map_block(const struct window *w, unsigned int scripts, uint64_t *ret_dropped)
{
	__mmask64 trails = _mm512_cmplt_epi8_mask(w->here, bytes(0xc0)), here; /* signed */
	vector out;

	if (scripts == GREEK)
		return map_lead_pair(w, TRANSFORM(w->here, GREEK_LEAD), greek_trail,
				     &foreign_greek);
	if (scripts == CYRILLIC)
		return map_lead_pair(w, TRANSFORM(w->here, CYRILLIC_LEAD), cyrillic_trail,
				     &foreign_cyrillic);
	out = map_ascii(w->here);
	if (scripts & C3_TO_C6)
		out = map_latin(out, w);
	if (scripts & ROWS)
		out = map_rows(out, w, trails);
	if (scripts & E1_PAIRS) {
		here = _mm512_mask_cmpeq_epi8_mask(trails, w->before2, bytes(0xe1));
		here = _mm512_mask_cmpeq_epi8_mask(here, _mm512_and_si512(w->before, bytes(0xfc)),
						   bytes(0xb8));
		out = _mm512_mask_sub_epi8(out, here, out, _mm512_and_si512(out, bytes(1)));
	}
	if (scripts & SHARP_S) { /* its trail is among latin's */
		here = _mm512_cmpeq_epi8_mask(w->here, bytes(0xc3));
		here = _mm512_mask_cmpeq_epi8_mask(here, w->next, bytes(0x9f));
		out = _mm512_mask_mov_epi8(out, here, bytes('S'));
	}
	if (scripts & DOTLESS_I) { /* its trail becomes the I, its lead goes */
		here = _mm512_cmpeq_epi8_mask(w->here, bytes(0xc4));
		*ret_dropped = _mm512_mask_cmpeq_epi8_mask(here, w->next, bytes(0xb1));
	}
	return out;
}

static bool is_supported(void)
{
	return x86_has(X86_BMI1 | X86_BMI2 | X86_AVX2 | X86_AVX512F | X86_AVX512BW,
		       X86_AVX512_VBMI | X86_AVX512_VBMI2 | X86_GFNI, X86_STATE_AVX512);
}

#include "text/upper-loops.h"

const struct upper_version upper_avx512 = {"avx512", is_supported, map};
