/* SPDX-License-Identifier: ISC */

/*
 * upper-arithmetic: what the versions without masks share. Vectors of GNU C, which every processor
 * has or the compiler makes of what it has; a block and its neighbours; what a loop knows; and the
 * letters that both map by comparing and adding. Included once by a version's file, which defines
 * BLOCK, the bytes in a vector, the type vector of so many unsigned char, bytes() (one with that
 * byte throughout), and shift_later() and shift_earlier(), by n bytes in the text's order, with
 * zeros behind them.
 *
 * Comparisons are of signed bytes: trails (0x80 to 0xbf) are the least, -128 to -65; then come
 * leads, then ASCII. So "below 0xa0" says trail and range at once.
 */

#define EDGE_LEAST 8

typedef signed char signed_vector __attribute__((vector_size(BLOCK)));

/* What a loop knows: any of these. */
enum {
	LATIN_1_A = 1, /* U+00C0 to U+017F, leads C3 to C5 */
	DOTLESS_I = 2,
	C6_E1 = 4, /* those of Vietnamese; all of U+1E00 to U+1EFF but for 1E80 to 1E9F */
	CE_CF = 8,
	D0_D1 = 16,
	D2_D3 = 32,

	CASELESS = 0,
	WELL_FORMED = 0, /* none: trails are looked at as such */

	LATIN = LATIN_1_A,
	TURKISH = LATIN_1_A | DOTLESS_I,
	VIETNAMESE = LATIN_1_A | C6_E1,
	GREEK = CE_CF,
	CYRILLIC = D0_D1,
	ALL = LATIN_1_A | C6_E1 | CE_CF | D0_D1 | D2_D3 | DOTLESS_I,
};

struct window {
	vector before2, before, here, next, next2;
};

typedef vector unaligned_vector __attribute__((aligned(1), may_alias));

INLINE vector load_vector(const unsigned char *in)
{
	return *(const unaligned_vector *)in;
}

INLINE void store_vector(unsigned char *out, vector v)
{
	*(unaligned_vector *)out = v;
}

INLINE struct window load_copied(const unsigned char *in, size_t before, size_t left)
{
	unsigned char around[2 + BLOCK + 2] = {0};

	memcpy(around + 2 - before, in - before, before + left);
	return (struct window){
		.before2 = load_vector(around),
		.before = load_vector(around + 1),
		.here = load_vector(around + 2),
		.next = load_vector(around + 3),
		.next2 = load_vector(around + 4),
	};
}

/* What is missing is shifted in where that will do: a copy takes until the processor has stored it.
 */
INLINE struct window load_edge(const unsigned char *in, size_t before, size_t left)
{
	vector here;

	if (before == 1 || left < BLOCK || left == BLOCK + 1)
		return load_copied(in, before, left);
	here = load_vector(in);
	return (struct window){
		.before2 = before ? load_vector(in - 2) : shift_later(here, 2),
		.before = before ? load_vector(in - 1) : shift_later(here, 1),
		.here = here,
		.next = left > BLOCK ? load_vector(in + 1) : shift_earlier(here, 1),
		.next2 = left > BLOCK ? load_vector(in + 2) : shift_earlier(here, 2),
	};
}

INLINE vector is(vector v, unsigned char byte)
{
	return (vector)(v == bytes(byte));
}

INLINE vector is_below(vector v, unsigned char byte)
{
	return (vector)((signed_vector)v < (signed_vector)bytes(byte));
}

INLINE vector is_above(vector v, unsigned char byte)
{
	return (vector)((signed_vector)v > (signed_vector)bytes(byte));
}

/* From first to last, wherever 0x80 lies: what is first becomes the least there is. */
INLINE vector is_in(vector v, unsigned char first, unsigned char last)
{
	return is_below(v + bytes((unsigned char)(0x80 - first)),
			(unsigned char)(0x81 + last - first));
}

/* Of U+1E00 to U+1EFF the leads that loops with C6_E1 don't know. */
INLINE vector find_foreign_e1(const struct window *w)
{
	return is(w->here, 0xe1) & is(w->next, 0xba) & is_below(w->next2, 0xa0);
}

/* And of those with the lead C6. */
INLINE vector find_known_c6(const struct window *w)
{
	return is(w->here, 0xc6) & (is(w->next & bytes(0xfe), 0xa0) | is_in(w->next, 0xaf, 0xb0));
}

INLINE vector map_ascii(vector v)
{
	return v - (is_in(v, 'a', 'z') & bytes(0x20));
}

/* The trail of a dotless i, which map_latin() took for an odd one; its lead is dropped. */
INLINE vector map_dotless_i(vector out, const struct window *w)
{
	return out - (is(w->before, 0xc4) & is(w->here, 0xb1) & bytes(0xb0 - 'I'));
}

INLINE vector map_vietnamese(vector out, const struct window *w, vector trail)
{
	vector c6 = is(w->before, 0xc6) & (is(w->here, 0xa1) | is(w->here, 0xb0));
	vector e1 = is(w->before2, 0xe1) & is(w->before & bytes(0xfc), 0xb8) & trail & w->here;

	return out - ((c6 | e1) & bytes(1));
}

INLINE vector map_more_cyrillic(vector out, const struct window *w, vector trail)
{
	vector d2 = trail & is(w->before & bytes(0xfe), 0xd2) & is_above(w->here, 0x8f);

	return out - (d2 & w->here & bytes(1));
}
