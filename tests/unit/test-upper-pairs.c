/* SPDX-License-Identifier: ISC */

/*
 * upper's versions: every cased character, before and behind one neighbour of each kind that the
 * code tells apart, at every cut: between two pieces, and at every border of a block, amid a text
 * of each loop's script. What is to come out is what both become by table, each by itself.
 *
 *     ...bbbbbbbßd|b...      a pair, from wholly before a border
 *     ...bbbbbbbbß|db...     byte by byte
 *     ...bbbbbbbbb|bßdb...   to wholly behind it
 */

#undef NDEBUG
#include "unit.h"

#include <stdint.h>

#include "text/upper-character.h"
#include "text/upper-version.h"

/* With a sanitizer one cased character in so many: the code is the same, and slower by far. */
#define CASED_STEP (UNIT_IS_SANITIZED ? 7 : 1)

/* A text grows to about this length before it is mapped: it stays in the processor's cache. */
#define TEXT_ENOUGH ((size_t)48 << 10)
#define TEXT_MAX    (TEXT_ENOUGH + 4096)

/* A few bytes, and what becomes of. */
struct part {
	unsigned char in[6], out[12];
	size_t length, out_length;
};

/* All that there are: 1,525 in Unicode 15. */
#define CASED_MAX 2000
static struct part cased[CASED_MAX];
static size_t cased_count;

/* One of each kind. */
static const char *const neighbours[] = {
	/* ASCII: a letter, none */
	"q",
	"5",
	/* uncased: two bytes, by leads that no loop knows, and three, by those that some know; four
	 */
	"\u00a9",
	"\u05d0",
	"\u4e2d",
	"\u2192",
	"\u1e9f",
	"\U0001f600",
	/* letters that loops know, by their leads: C3 to C6, E1; CE, CF; D0, D1; D2 */
	"\u00e9",
	"\u011f",
	"\u017e",
	"\u01b0",
	"\u1ebf",
	"\u03b1",
	"\u03ac",
	"\u03c9",
	"\u0436",
	"\u044f",
	"\u0491",
	/* letters that none knows: two bytes, three, four */
	"\u0561",
	"\u1f00",
	"\uab70",
	"\U00010428",
	/* whose length changes: 2 to 1, dropped or not; 2 to "SS", 3, 4, 6; 3 to 1, 2, 5 */
	"\u0131",
	"\u017f",
	"\u00df",
	"\u0250",
	"\u0587",
	"\u0390",
	"\ufb03",
	"\u2c65",
	"\u1f80",
	/* capitals beside those, and changes of the lead alone */
	"\u0130",
	"\u00b5",
	"\u00ff",
	/* cut short: of two bytes, three, four */
	"\xc4",
	"\xcf",
	"\xd1",
	"\xe1",
	"\xe1\xba",
	"\xf0",
	"\xf0\x90",
	"\xf0\x90\x90",
	/* a trail too many: sharp s', dotless i's */
	"\x9f",
	"\xb1",
	/* overlong, a surrogate, beyond the last code point, no lead */
	"\xc1\xa1",
	"\xe0\x81\xa1",
	"\xed\xa0\x80",
	"\xf4\x90\x80\x80",
	"\xf5",
};
#define NEIGHBOURS (sizeof(neighbours) / sizeof(*neighbours))

/* A text for each loop. Where the output is aligned most loops have their borders. An unaligned one
 * has its first where it begins, which other text before it sees to. */
enum {
	CYRILLIC = 3, /* in fillers */
};

static const struct filler {
	const char *unit;
	bool is_unaligned;
} fillers[] = {
	{"b", false},      /* ASCII */
	{"\u4e2d", false}, /* caseless */
	{"\u00e9", false}, /* Latin */
	[CYRILLIC] = {"\u0436\u044f", false},
	{"\u03b1\u03c9", false}, /* Greek */
	{"\u0131\u011f", true},  /* Turkish */
	{"\u01b0\u1ebf", false}, /* Vietnamese */
	{"\u0491\u00e9", true},  /* all */
};
#define FILLERS (sizeof(fillers) / sizeof(*fillers))

/* A version, and the bytes of its blocks. */
static struct {
	const struct upper_version *version;
	size_t block;
} supported[8];

/* The one that a test is about. */
static const struct upper_version *version;
static size_t block;

/* The text under test, and what is to become of it. */
static struct {
	unsigned char in[TEXT_MAX], out[3 * TEXT_MAX];
	size_t length, out_length;
} text;

static struct part make_part(const void *bytes, size_t length)
{
	struct part part = {.length = length, .out_length = length};
	size_t missing;

	memcpy(part.in, bytes, length);
	memcpy(part.out, bytes, length);
	if (upper_find_sequence(part.in, length, &missing) == length && missing == 0)
		part.out_length = upper_map_sequence(part.in, length, part.out);
	return part;
}

static void add_part(const struct part *part)
{
	memcpy(text.in + text.length, part->in, sizeof(part->in));
	memcpy(text.out + text.out_length, part->out, sizeof(part->out));
	text.length += part->length;
	text.out_length += part->out_length;
}

static void add_ascii(size_t n)
{
	memset(text.in + text.length, 'b', n);
	memset(text.out + text.out_length, 'B', n);
	text.length += n;
	text.out_length += n;
}

/* A filler's units over and over, and the same as mapped. */
struct belt {
	unsigned char in[1024], out[1024];
	size_t unit, out_unit;
};

static struct belt belts[FILLERS];

static void make_belt(struct belt *belt, const char *unit)
{
	size_t length = strlen(unit), n;

	text.length = text.out_length = 0;
	for (size_t i = 0; i < length; i += n) {
		size_t missing;
		struct part part;

		n = upper_find_sequence((const unsigned char *)unit + i, length - i, &missing);
		part = make_part(unit + i, n);
		add_part(&part);
	}
	*belt = (struct belt){.unit = text.length, .out_unit = text.out_length};
	for (size_t i = 0; i + belt->unit <= sizeof(belt->in); i++)
		belt->in[i] = text.in[i % belt->unit];
	for (size_t i = 0; i + belt->out_unit <= sizeof(belt->out); i++)
		belt->out[i] = text.out[i % belt->out_unit];
}

static void add_units(const struct belt *belt, size_t units)
{
	memcpy(text.in + text.length, belt->in, units * belt->unit);
	memcpy(text.out + text.out_length, belt->out, units * belt->out_unit);
	text.length += units * belt->unit;
	text.out_length += units * belt->out_unit;
}

/* So many bytes that end in whole units; before the last two there is ASCII where it is none. */
static void add_filler(const struct belt *belt, size_t bytes)
{
	size_t units = bytes / belt->unit, last = units < 2 ? units : 2;

	add_units(belt, units - last);
	add_ascii(bytes % belt->unit);
	add_units(belt, last);
}

/* Bytes up to a border of the output's blocks. */
static size_t to_border(void)
{
	return -text.out_length % block;
}

/* Text of the filler, up to where a pair is to begin: so far from a border. Behind what is foreign
 * it takes some blocks until a loop is at home again. */
static void add_approach(size_t filler, int from_border)
{
	size_t home = 4 * block + 128;

	if (!fillers[filler].is_unaligned) {
		add_filler(&belts[filler], home + to_border() + (size_t)from_border);
		return;
	}
	add_filler(&belts[filler], home);
	add_units(&belts[CYRILLIC], 1);
	add_ascii(home + to_border());
	add_filler(&belts[filler], 3 * block + (size_t)from_border);
}

static void report(const unsigned char *out, size_t out_length, const char *how)
{
	char expected[3 * 20 + 1] = "", found[3 * 20 + 1] = "";
	size_t same = 0, from;

	while (same < out_length && same < text.out_length && text.out[same] == out[same])
		same++;
	from = same < 10 ? 0 : same - 10;
	for (size_t i = 0; i < 20 && from + i < text.out_length && from + i < out_length; i++) {
		sprintf(expected + 3 * i, " %02x", text.out[from + i]);
		sprintf(found + 3 * i, " %02x", out[from + i]);
	}
	ck_abort_msg("%s, %s: wrong from byte %zu of %zu on:%s instead of%s", version->name, how,
		     same, text.out_length, found, expected);
}

static void expect(const unsigned char *out, size_t out_length, const char *how)
{
	if (out_length != text.out_length || memcmp(out, text.out, out_length) != 0)
		report(out, out_length, how);
	text.length = text.out_length = 0;
}

/* The text, in two pieces. */
static void check_cut(size_t cut, const char *how)
{
	static unsigned char out[UPPER_ROOM(TEXT_MAX)] __attribute__((aligned(64)));
	struct upper upper = {0};
	size_t n = upper_feed_by(version, &upper, text.in, cut, out);

	n += upper_feed_by(version, &upper, text.in + cut, text.length - cut, out + n);
	expect(out, n + upper_finish(&upper, out + n), how);
}

/* What follows the last pair is long enough for the loops to reach it. */
static void check_long(size_t filler)
{
	add_filler(&belts[filler], 8 * block);
	check_cut(text.length, "at a border");
}

/* The pairs with this neighbour, one after the other at the same distance from a border: they touch
 * it, or there is one byte between. */
static void check_borders(size_t filler, const struct part *beside, bool is_first)
{
	for (int from_border = -1 - (int)(4 + beside->length); from_border <= 1; from_border++) {
		for (size_t i = 0; i < cased_count; i += CASED_STEP) {
			if (-from_border > 1 + (int)(cased[i].length + beside->length))
				continue;
			add_approach(filler, from_border);
			add_part(is_first ? beside : &cased[i]);
			add_part(is_first ? &cased[i] : beside);
			if (text.length >= TEXT_ENOUGH)
				check_long(filler);
		}
		check_long(filler);
	}
}

/* Short pieces, amid each script in turn, with nothing behind the pair now and then. */
static void check_cuts(size_t turn, const struct part *beside, bool is_first)
{
	for (size_t i = 0; i < cased_count; i += CASED_STEP) {
		const struct belt *belt = &belts[(turn + i) % FILLERS];
		size_t before = block + i % 5, behind = i % 3 ? block + i % 7 : 0;

		for (size_t cut = 0; cut <= cased[i].length + beside->length; cut++) {
			add_filler(belt, before);
			add_part(is_first ? beside : &cased[i]);
			add_part(is_first ? &cased[i] : beside);
			add_filler(belt, behind);
			check_cut(before + cut, "in two pieces");
		}
	}
}

static void choose(int i)
{
	version = supported[i].version;
	block = supported[i].block;
}

START_TEST(test_borders)
{
	choose(_i / FILLERS);
	for (size_t i = 0; i < NEIGHBOURS; i++) {
		struct part beside = make_part(neighbours[i], strlen(neighbours[i]));

		check_borders(_i % FILLERS, &beside, false);
		check_borders(_i % FILLERS, &beside, true);
	}
}
END_TEST

START_TEST(test_cuts)
{
	choose(_i);
	for (size_t i = 0; i < NEIGHBOURS; i++) {
		struct part beside = make_part(neighbours[i], strlen(neighbours[i]));

		check_cuts(i, &beside, false);
		check_cuts(i, &beside, true);
	}
}
END_TEST

static size_t encode(uint32_t c, unsigned char *out)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = 0x80 | (c & 0x3f);
	out[0] = n == 1 ? (unsigned char)c : (unsigned char)(0xf00 >> n | c);
	return n;
}

static void find_cased(void)
{
	unsigned char bytes[4];

	for (uint32_t c = 0; c < 0x110000; c++) {
		struct part part = make_part(bytes, encode(c, bytes));

		if (part.out_length == part.length && memcmp(part.in, part.out, part.length) == 0)
			continue;
		if (cased_count == CASED_MAX)
			abort();
		cased[cased_count++] = part;
	}
}

int main(void)
{
	static const size_t blocks[] = {16, 32, 64};
	int supported_count = 0;

	for (size_t i = 0; upper_versions[i]; i++) {
		if (!upper_versions[i]->is_supported()) {
			printf("upper-pairs: %s left out: not on this processor\n",
			       upper_versions[i]->name);
			continue;
		}
		supported[supported_count].version = upper_versions[i];
		supported[supported_count++].block = blocks[i];
	}
	for (size_t i = 0; i < FILLERS; i++)
		make_belt(&belts[i], fillers[i].unit);
	find_cased();
	printf("upper-pairs: %zu cased characters, one in %d tried, beside %zu kinds\n",
	       cased_count, CASED_STEP, NEIGHBOURS);

	const struct unit_row rows[] = {
		UNIT_LOOP("pairs", test_borders, 0, supported_count * (int)FILLERS),
		UNIT_LOOP("pairs", test_cuts, 0, supported_count),
		{0},
	};

	return unit_run("upper-pairs", rows);
}
