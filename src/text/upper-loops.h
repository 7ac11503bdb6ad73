/* SPDX-License-Identifier: ISC */

/*
 * upper-loops: how a vector version goes through a text. Each version's file includes this once, at
 * its end, after it has said what a block is and how one is mapped (below).
 *
 * UTF-8 tells leads from trails, and what a byte becomes depends on at most three neighbours to
 * each side. So a block of text is mapped without knowing where its characters begin, by looking at
 * it five times, shifted by -2 to 2 bytes:
 *
 *     here       x   d1  8f  20  c3  a9  y        "xя éy"
 *     before     ?   x   d1  8f  20  c3  a9       8f is a trail: of d1, so it becomes af
 *     next       d1  8f  20  c3  a9  y   ?        d1 is a lead: with 8f, so it becomes d0
 *     out        X   d0  af  20  c3  89  Y        "XЯ ÉY"
 *
 * Knowing every script costs more than knowing one, so there is a loop for each group of scripts
 * that share a text, and one for all. A loop stops at the first character that is "foreign": cased
 * or of a changing length, and not among what it knows. That letter tells which loop goes on, or
 * the block that it begins does. Where scripts alternate so quickly that this costs more than it
 * gains, the loop over all takes a while; what is foreign even there, upper-character maps.
 *
 *     run_best ──► ascii, caseless, latin, ... ──(foreign)──► run_best
 *        └─(short runs)──► all ──(foreign)──► one character ──► all
 *
 * Loops change only between two characters: one that knows a lead also maps its trail.
 *
 * A short text is worth no search: the loop of its first letter's script maps it where it lies. As
 * for 45 bytes by blocks of 32, with zeros for neighbours where there are none:
 *
 *     block 1    [0] bytes  0 to 31                    here's neighbours to the left are zeros
 *     block 2               bytes 13 to 44 [0]         those of 13 to 31 once more, the same
 *
 * The including file defines:
 *   BLOCK                             bytes in a vector, at most 64
 *   vector, load_vector(), store_vector()
 *   struct window                     the five vectors, by these names
 *   load_edge(in, before, left)       a window with only so many bytes around in, and 0 beyond
 *   EDGE_LEAST                        so few bytes are done faster one by one
 *   map_block(window, scripts, ret_dropped)   in *ret_dropped the bytes to leave out, as bits
 *   find_foreign(window, scripts)     where characters are that scripts doesn't know, as bits
 *   WELL_FORMED                       those of scripts that map what stands behind a lead without a
 *                                     trail as if it were one, and find that lead foreign
 *   store_without(out, vector, dropped)       stores a block without the bytes dropped
 *   is_ascii(vector), map_ascii(vector)
 *   find_non_ascii(vector)            as bits
 */

#include <stdint.h>
#include <string.h>

/* Bytes that a loop goes on for at most before it is looked for a better one. */
#define STAY ((ptrdiff_t)8 << 10)

/* And the loop over all scripts at least. */
#define STAY_LEAST (16 * BLOCK)

/* Bytes that must be left for a loop: its last block, one that is cut, and their neighbours. */
#define MARGIN (5 * BLOCK + 64)

/* Text that isn't in the cache yet is asked for so many bytes ahead: from memory into the second
 * cache, which has more on its way than the first, and from there into the first. The processor's
 * own guess begins anew on every page, and sees less far past what is computed here. */
#define PREFETCH_FAR  4096
#define PREFETCH_NEAR 768

/* Where foreign characters are closer than this, so many bytes are mapped one by one: the wider a
 * block, the sooner it pays to go back to it. */
#define DENSE     16
#define DENSE_RUN (1024 / BLOCK)

/* So many characters of a block are looked at that a loop is not sure about. */
#define MAYBE_FOREIGN 4

/* Texts longer than this gain by the loops' look ahead. */
#define LONG (3 * MARGIN)

/* Runs that come to so many bytes on average pay: more in one makes up for less in others. */
#define RUN_PAYS      (2 * BLOCK)
#define BALANCE_MOST  (3 * RUN_PAYS)
#define BALANCE_AGAIN (2 * RUN_PAYS)

/* As many blocks of ASCII make up for one that isn't, and the loop for ASCII goes on; how many such
 * may come close together. */
#define OTHER_COSTS 6
#define OTHERS_MOST (4 * OTHER_COSTS)

struct text {
	const unsigned char *begin, *in, *end;
	unsigned char *out;
};

/* How far a loop has come. Two registers hold it: runs may be short, and what a function stores of
 * a larger structure the next one would have to wait for. */
struct place {
	const unsigned char *in;
	unsigned char *out;
};

/* As loops see it: what stands before it has been mapped. */
INLINE struct text rest_of(struct place from, const unsigned char *end)
{
	return (struct text){from.in, from.in, end, from.out};
}

INLINE struct place place_of(const struct text *t)
{
	return (struct place){t->in, t->out};
}

INLINE void go_on(struct text *t, struct place place)
{
	t->in = place.in;
	t->out = place.out;
}

INLINE void prefetch(const unsigned char *in)
{
	__builtin_prefetch(in + PREFETCH_FAR, 0, 2);
	__builtin_prefetch(in + PREFETCH_NEAR, 0, 3);
}

/* From out to where the stores of whole blocks no longer cross lines of the cache. */
INLINE size_t to_aligned(const unsigned char *out)
{
	return BLOCK - (uintptr_t)out % BLOCK;
}

INLINE uint64_t first_bits(size_t n)
{
	return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

INLINE struct window load_window(const unsigned char *in)
{
	return (struct window){
		.before2 = load_vector(in - 2),
		.before = load_vector(in - 1),
		.here = load_vector(in),
		.next = load_vector(in + 1),
		.next2 = load_vector(in + 2),
	};
}

/* At an edge of the text, which has no neighbours there: zeros stand for them. */
INLINE struct window load_within(const struct text *t)
{
	size_t before = (size_t)(t->in - t->begin), left = (size_t)(t->end - t->in);

	return load_edge(t->in, before < 2 ? before : 2, left < BLOCK + 2 ? left : BLOCK + 2);
}

/* n, or up to 3 less in order not to cut a character that goes on at in[n]. */
INLINE size_t whole_characters(const unsigned char *in, size_t n)
{
	if ((in[n] & 0xc0) != 0x80)
		return n;
	for (size_t i = 1; i <= 3; i++)
		if ((in[n - i] & 0xc0) != 0x80)
			return in[n - i] < 0x80 ? n : n - i;
	return n;
}

/* What is told by a character's first two bytes is only that it may be foreign: leaves of found
 * what comes from the first on that does change, or that isn't looked at: a block with many of
 * them is for another loop. Leads from E2 on, and C2, and what is no character, no loop touches:
 * but for those that are only for well-formed text. */
static NOINLINE uint64_t find_changing(const unsigned char *block, const unsigned char *end,
				       uint64_t found, bool well_formed)
{
	for (int looked_at = 0; found && looked_at < MAYBE_FOREIGN; looked_at++) {
		const unsigned char *in = block + __builtin_ctzll(found);

		bool has_trail = end - in > 1 && (in[1] & 0xc0) == 0x80;

		if (has_trail ? (*in < 0xe2 && *in != 0xc2) || upper_changes(in, end) : well_formed)
			break;
		found &= found - 1;
	}
	return found;
}

INLINE uint64_t find_changing_foreign(const struct text *t, const struct window *w,
				      unsigned int scripts)
{
	uint64_t found = find_foreign(w, scripts);

	return __builtin_expect(found != 0, 0)
		       ? find_changing(t->in, t->end, found, scripts & WELL_FORMED)
		       : 0;
}

/* Stores the first n bytes of the block that in begins with. */
INLINE void store_first(struct text *t, size_t n, vector out, uint64_t dropped, bool may_drop)
{
	if (may_drop) {
		dropped &= first_bits(n);
		store_without(t->out, out, dropped);
		t->out -= __builtin_popcountll(dropped);
	} else {
		store_vector(t->out, out);
	}
	t->in += n;
	t->out += n;
}

/* Up to the first foreign character, or as far as until, but always to between two characters. */
INLINE struct place run(struct place from, const unsigned char *end, unsigned int scripts)
{
	struct text t = rest_of(from, end);
	const unsigned char *until = t.end - t.in > STAY + MARGIN ? t.in + STAY : t.end - MARGIN;
	size_t step = scripts & DOTLESS_I ? BLOCK : to_aligned(t.out);

	if ((scripts & WELL_FORMED) && t.in[-1] >= 0xc0)
		return from;
	for (;; step = BLOCK) {
		struct window w = load_window(t.in);
		uint64_t dropped = 0, found;
		/* First: a call may follow, over which no register is kept for both. */
		vector out = map_block(&w, scripts, &dropped);

		found = find_changing_foreign(&t, &w, scripts);
		if (found || t.in > until) {
			size_t n = found ? (size_t)__builtin_ctzll(found)
					 : whole_characters(t.in, BLOCK);

			store_first(&t, n, out, dropped, scripts & DOTLESS_I);
			return place_of(&t);
		}
		prefetch(t.in);
		store_first(&t, step, out, dropped, scripts & DOTLESS_I);
	}
}

static NOINLINE struct place run_caseless(struct place from, const unsigned char *end)
{
	return run(from, end, CASELESS);
}

static NOINLINE struct place run_latin(struct place from, const unsigned char *end)
{
	return run(from, end, LATIN);
}

static NOINLINE struct place run_turkish(struct place from, const unsigned char *end)
{
	return run(from, end, TURKISH);
}

static NOINLINE struct place run_vietnamese(struct place from, const unsigned char *end)
{
	return run(from, end, VIETNAMESE);
}

static NOINLINE struct place run_greek(struct place from, const unsigned char *end)
{
	return run(from, end, GREEK);
}

static NOINLINE struct place run_cyrillic(struct place from, const unsigned char *end)
{
	return run(from, end, CYRILLIC);
}

/* The first n bytes of a block by the loop over all scripts, or fewer and the character that
 * stopped it. Where such characters are close together it goes on without vectors for a bit. */
INLINE void step_all(struct text *t, const struct window *w, size_t n)
{
	uint64_t dropped = 0, found = find_foreign(w, ALL) & first_bits(n);
	vector out = map_block(w, ALL, &dropped);
	const unsigned char *until;

	if (__builtin_expect(found != 0, 0))
		found = find_changing(t->in, t->end, found, ALL & WELL_FORMED);
	if (found)
		n = (size_t)__builtin_ctzll(found);
	store_first(t, n, out, dropped, dropped);
	if (found) {
		until = t->in + (n < DENSE && t->end - t->in > DENSE_RUN ? DENSE_RUN : 1);
		t->out += upper_map_characters(&t->in, until, t->end, t->out);
	}
}

static NOINLINE struct place run_all(struct place from, const unsigned char *end, ptrdiff_t stay)
{
	struct text t = rest_of(from, end);
	const unsigned char *until = t.end - t.in > stay + MARGIN ? t.in + stay : t.end - MARGIN;

	for (;;) {
		struct window w = load_window(t.in);

		if (t.in > until) {
			step_all(&t, &w, whole_characters(t.in, BLOCK));
			return place_of(&t);
		}
		prefetch(t.in);
		step_all(&t, &w, BLOCK);
	}
}

static NOINLINE struct place step_inner(struct place from, const unsigned char *end)
{
	struct text t = rest_of(from, end);
	struct window w = load_window(t.in);

	step_all(&t, &w, whole_characters(t.in, BLOCK));
	return place_of(&t);
}

static NOINLINE struct text step_edge(struct text t)
{
	size_t left = (size_t)(t.end - t.in);
	struct window w;

	if (left <= EDGE_LEAST) {
		t.out += upper_map_characters(&t.in, t.end, t.end, t.out);
		return t;
	}
	w = load_within(&t);
	step_all(&t, &w, left > BLOCK ? whole_characters(t.in, BLOCK) : left);
	return t;
}

/* A block of ASCII and uncased characters. Such may go on in the next block: no loop touches them.
 */
INLINE bool step_caseless(struct text *t)
{
	struct window w = load_window(t->in);

	if (find_foreign(&w, CASELESS))
		return false;
	store_vector(t->out, map_ascii(w.here));
	t->in += BLOCK;
	t->out += BLOCK;
	return true;
}

/* A block of ASCII, or the first of it. */
INLINE void step_ascii(struct text *t, vector v)
{
	size_t step = to_aligned(t->out);

	store_vector(t->out, map_ascii(v));
	t->in += step;
	t->out += step;
}

/* ASCII, four blocks a turn. A block that has anything else is mapped in between where such are
 * few; where they aren't, another loop takes less. */
static NOINLINE struct place run_ascii(struct place from, const unsigned char *end)
{
	struct text t = rest_of(from, end);
	const unsigned char *until = t.end - MARGIN;
	int balance = 0;

	step_ascii(&t, load_vector(t.in));
	while (t.in <= until) {
		vector a = load_vector(t.in), b = load_vector(t.in + BLOCK);
		vector c = load_vector(t.in + 2 * BLOCK), d = load_vector(t.in + 3 * BLOCK);

		if (is_ascii(a | b | c | d)) {
			balance += balance < OTHERS_MOST ? 4 : 0;
			for (int line = 0; line < 4 * BLOCK; line += 64)
				prefetch(t.in + line);
			store_vector(t.out, map_ascii(a));
			store_vector(t.out + BLOCK, map_ascii(b));
			store_vector(t.out + 2 * BLOCK, map_ascii(c));
			store_vector(t.out + 3 * BLOCK, map_ascii(d));
			t.in += 4 * BLOCK;
			t.out += 4 * BLOCK;
		} else if (is_ascii(a)) {
			balance++;
			step_ascii(&t, a);
		} else {
			balance -= OTHER_COSTS;
			if (balance < 0)
				break;
			if (!step_caseless(&t))
				go_on(&t, step_inner(place_of(&t), end));
		}
	}
	return place_of(&t);
}

/* By the first loop that knows all of the next block, which begins with a letter of Latin. */
static struct place run_some_latin(struct place from, const unsigned char *end)
{
	struct window w = load_window(from.in);

	if (!find_foreign(&w, LATIN))
		return run_latin(from, end);
	if (!find_foreign(&w, TURKISH))
		return run_turkish(from, end);
	if (!find_foreign(&w, VIETNAMESE))
		return run_vietnamese(from, end);
	return run_all(from, end, BLOCK);
}

/* By the first loop that knows all of the next block. */
static struct place run_any(struct place from, const unsigned char *end)
{
	struct window w = load_window(from.in);

	if (is_ascii(w.here))
		return run_ascii(from, end);
	if (!find_foreign(&w, CASELESS))
		return run_caseless(from, end);
	if (!find_foreign(&w, CYRILLIC))
		return run_cyrillic(from, end);
	if (!find_foreign(&w, GREEK))
		return run_greek(from, end);
	return run_some_latin(from, end);
}

/* A loop most often stops at a letter that one other knows: to read it takes less than to look the
 * block up. Where that loop doesn't know this very letter after all it returns at once. */
static struct place run_best(struct place from, const unsigned char *end)
{
	unsigned char letter = *from.in;

	UPPER_READ_ONCE(letter);
	switch (letter) {
	case 0xc3:
	case 0xc4:
	case 0xc5:
		return run_some_latin(from, end);
	case 0xc6:
	case 0xe1:
		return run_vietnamese(from, end);
	case 0xce:
	case 0xcf:
		return run_greek(from, end);
	case 0xd0:
	case 0xd1:
		return run_cyrillic(from, end);
	default:
		return run_any(from, end);
	}
}

INLINE struct place run_text(struct place at, const unsigned char *end)
{
	ptrdiff_t stay = STAY_LEAST, balance = BALANCE_MOST;

	while (end - at.in >= MARGIN) {
		const unsigned char *from = at.in;

		if (balance < 0) {
			at = run_all(at, end, stay);
			stay = stay < STAY ? 2 * stay : STAY;
			balance = BALANCE_AGAIN;
			continue;
		}
		at = run_best(at, end);
		if (at.in == from)
			at = run_all(at, end, BLOCK);
		balance += at.in - from - RUN_PAYS;
		if (balance > BALANCE_MOST) {
			balance = BALANCE_MOST;
			stay = STAY_LEAST;
		}
	}
	return at;
}

/* ASCII at the beginning and at the end: many a text has nothing else. What is left over at its end
 * is less than a block, and done once more with what was mapped right here before it: of other
 * bytes a text that changes could tell that they became as many. A long text is for the loops above
 * once it has neighbours to the left. */
INLINE struct text run_ascii_edge(struct text t)
{
	const unsigned char *from = t.in;

	while (t.end - t.in >= BLOCK && is_ascii(load_vector(t.in))) {
		store_vector(t.out, map_ascii(load_vector(t.in)));
		t.in += BLOCK;
		t.out += BLOCK;
		if (t.end - t.in > LONG)
			return t;
	}
	if (t.in < t.end && t.end - t.in < BLOCK && t.end - from >= BLOCK) {
		vector last = load_vector(t.end - BLOCK);

		if (is_ascii(last)) {
			t.out += t.end - t.in;
			t.in = t.end;
			store_vector(t.out - BLOCK, map_ascii(last));
		}
	}
	return t;
}

/* Block by block, the last one over the end of the one before it, until something is foreign: back
 * to where its character begins. So far a byte has become a byte. */
INLINE struct text run_within(struct text t, unsigned int scripts)
{
	const unsigned char *from = t.in;

	for (;;) {
		size_t left = (size_t)(t.end - t.in), step = left;
		struct window w = load_within(&t);
		uint64_t dropped;

		if (find_foreign(&w, scripts))
			break;
		store_vector(t.out, map_block(&w, scripts, &dropped));
		if (left > BLOCK)
			step = left < 2 * BLOCK ? left - BLOCK : BLOCK;
		t.in += step;
		t.out += step;
		if (left <= BLOCK)
			return t;
	}
	for (; t.in > from && (*t.in & 0xc0) == 0x80; t.in--)
		t.out--;
	return t;
}

/* A short text, or the last of one, from in on, for as long as it is of one script, the first
 * letter's. Returns the number of bytes that it mapped. */
static NOINLINE size_t run_short(const unsigned char *in, const unsigned char *end,
				 unsigned char *out)
{
	struct text t = {in, in, end, out};
	uint64_t others = find_non_ascii(load_within(&t).here);
	unsigned char letter = others ? in[__builtin_ctzll(others)] : 0;

	UPPER_READ_ONCE(letter);
	switch (letter) {
	case 0xc3:
	case 0xc4:
	case 0xc5:
		return (size_t)(run_within(t, LATIN).in - in);
	case 0xc6:
	case 0xe1:
		return (size_t)(run_within(t, VIETNAMESE).in - in);
	case 0xce:
	case 0xcf:
		return (size_t)(run_within(t, GREEK).in - in);
	case 0xd0:
	case 0xd1:
		return (size_t)(run_within(t, CYRILLIC).in - in);
	default:
		return (size_t)(run_within(t, CASELESS).in - in);
	}
}

INLINE struct text run_script(struct text t)
{
	size_t n = run_short(t.in, t.end, t.out);

	t.in += n;
	t.out += n;
	return t;
}

static NOINLINE unsigned char *run_long(struct text t)
{
	while (t.in < t.end && t.in - t.begin < 2)
		t = step_edge(t);
	go_on(&t, run_text(place_of(&t), t.end));
	t = run_ascii_edge(t);
	if (t.in < t.end)
		t = run_script(t);
	while (t.end - t.in >= BLOCK + 2)
		go_on(&t, step_inner(place_of(&t), t.end));
	while (t.in < t.end)
		t = step_edge(t);
	return t.out;
}

static size_t map(const unsigned char *in, size_t length, unsigned char *out)
{
	struct text t = {in, in, in + length, out};

	if (length > BLOCK)
		t = run_ascii_edge(t);
	if (t.in < t.end && t.end - t.in <= LONG)
		t = run_script(t);
	return (size_t)((t.in < t.end ? run_long(t) : t.out) - out);
}
