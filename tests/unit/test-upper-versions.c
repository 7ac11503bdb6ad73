/* SPDX-License-Identifier: ISC */

/*
 * upper's versions: each that this processor runs against one character after the other by table,
 * on texts made so that every character meets every place of a block, whole and malformed, cut and
 * uncut. That the table is right is shown elsewhere (test-upper-python.py).
 */

#undef NDEBUG
#include "unit.h"

#include <stdint.h>

#include "random.h"
#include "text/upper-character.h"
#include "text/upper-version.h"

#define TEXT_MAX ((size_t)64 << 10)

static const struct upper_version *supported[8];
static int supported_count;

/* The text under test, growing. */
static unsigned char text[TEXT_MAX];
static size_t length;

static void add_bytes(const void *bytes, size_t n)
{
	if (length + n > TEXT_MAX) /* ck_assert() would write to a file every time */
		ck_abort_msg("the text is too long");
	memcpy(text + length, bytes, n);
	length += n;
}

static void add_character(uint32_t c)
{
	unsigned char bytes[4] = {(unsigned char)c};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		bytes[i] = 0x80 | (c & 0x3f);
	if (n > 1)
		bytes[0] = (unsigned char)(0xf00 >> n | c);
	add_bytes(bytes, n);
}

/* In pieces of piece bytes, each in memory of its own so that a sanitizer sees every overrun. */
static size_t map_in_pieces(const struct upper_version *version, size_t piece, unsigned char *out)
{
	struct upper upper = {0};
	size_t written = 0;

	for (size_t from = 0; from < length; from += piece) {
		size_t part = length - from < piece ? length - from : piece, n;
		unsigned char *part_in = malloc(part), *part_out = malloc(UPPER_ROOM(part));

		memcpy(part_in, text + from, part);
		n = upper_feed_by(version, &upper, part_in, part, part_out);
		memcpy(out + written, part_out, n);
		written += n;
		free(part_in);
		free(part_out);
	}
	return written + upper_finish(&upper, out + written);
}

/* The text of a test goes, whether all is well or not, with its process. */
static void check_in_pieces(int version, size_t piece)
{
	static unsigned char expected[UPPER_ROOM(TEXT_MAX)], out[UPPER_ROOM(TEXT_MAX)];
	const unsigned char *in = text;
	size_t wanted = upper_map_characters(&in, text + length, text + length, expected);
	size_t written = map_in_pieces(supported[version], piece, out), same = 0;

	while (same < wanted && same < written && expected[same] == out[same])
		same++;
	if (same < wanted || same < written)
		ck_abort_msg("%s: %zu bytes in pieces of %zu: wrong from byte %zu of %zu on",
			     supported[version]->name, length, piece, same, wanted);
}

static void check(int version)
{
	check_in_pieces(version, length ? length : 1);
}

/* Every code point, in short texts and with other characters between, so that they come to lie
 * everywhere in a block. */
START_TEST(test_every_code_point)
{
	static const char *const between[] = {"", "a", "\xc3\xa9", "\xe4\xb8\xad", "x\xd0\xb6y "};

	for (uint32_t block = 0; block < 0x110000 >> 6; block++) {
		/* Beyond the planes with letters the blocks are much alike. */
		if (block >= 0x20000 >> 6 && block % 64 != 0)
			continue;
		for (size_t i = 0; i < sizeof(between) / sizeof(*between); i++) {
			length = 0;
			for (uint32_t c = block << 6; c < (block + 1) << 6; c++) {
				add_character(c);
				add_bytes(between[i], strlen(between[i]));
			}
			check(_i);
		}
	}
}
END_TEST

/* A character of each kind of change at each distance from the beginning, the end and a cut. */
START_TEST(test_every_place)
{
	static const char *const characters[] = {
		"z",          "\u00b5",     "\u00df",     "\u00e9", "\u00ff", "\u0131", "\u0137",
		"\u013a",     "\u0140",     "\u0149",     "\u017f", "\u01a1", "\u01b0", "\u01c6",
		"\u01f0",     "\u0250",     "\u0390",     "\u03ac", "\u03b0", "\u03c2", "\u03c9",
		"\u03cc",     "\u03d1",     "\u0433",     "\u0444", "\u0451", "\u0491", "\u04d9",
		"\u03b1",     "\u03cf",     "\u03d7",     "\u03e3", "\u03f1", "\u0461", "\u047f",
		"\u0587",     "\u10d0",     "\u1c80",     "\u1e61", "\u1e96", "\u1e9e", "\u1ea1",
		"\u1eff",     "\u1f80",     "\u1fb7",     "\u1fe4", "\u2184", "\u2192", "\u24d0",
		"\u2c65",     "\u2d00",     "\ua64b",     "\uab53", "\uab70", "\ufb03", "\uff41",
		"\U00010428", "\U0001e922", "\U0001f600", "\u4e2d", "\u0928", "\ud55c",
	};
	static const char *const fill[] = {"b", "\u0436", "\u4e2d", "\u03c9", "\u0459"};

	for (size_t i = 0; i < sizeof(characters) / sizeof(*characters); i++)
		for (size_t before = 0; before < 70; before++) {
			const char *after = fill[before % (sizeof(fill) / sizeof(*fill))];

			length = 0;
			for (size_t n = 0; n < before; n++)
				add_bytes("b", 1);
			add_bytes(characters[i], strlen(characters[i]));
			for (size_t n = 0; n < 70; n++)
				add_bytes(after, strlen(after));
			add_bytes(characters[i], strlen(characters[i]));
			check(_i);
			check_in_pieces(_i, before + 1);
		}
}
END_TEST

/* Short texts of every length in one script, behind ASCII or not, with a stranger at each place, or
 * none. */
START_TEST(test_short_texts)
{
	static const char *const scripts[] = {
		"\u00e9", "\u017e", "\u1ebf", "\u01b0", "\u03c9", "\u0444", "\u4e2d", "a\u0451",
	};
	static const char *const strangers[] = {
		"",           "q",    "\u00df", "\u0131", "\u0390", "\u10d0",
		"\U0001f600", "\x8f", "\xd1",   "\u03e3", "\u0461", "\xcf",
	};
	size_t count = sizeof(strangers) / sizeof(*strangers);

	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		for (size_t n = 1; n <= 80; n++)
			for (size_t at = 0; at <= n; at++) {
				const char *stranger = strangers[(at + n) % count];

				length = 0;
				for (size_t ascii = 0; ascii < n % 2 * 64; ascii++)
					add_bytes("b", 1);
				for (size_t before = 0; before < at; before++)
					add_bytes(scripts[i], strlen(scripts[i]));
				add_bytes(stranger, strlen(stranger));
				for (size_t after = at; after < n; after++)
					add_bytes(scripts[i], strlen(scripts[i]));
				check(_i);
			}
}
END_TEST

/* A letter that each loop knows, or its script has, and only the loop over all knows them all. */
static const char *const fillers[] = {
	"b",      "\u4e2d", "\u00e9y", "\u0142", "\u0131y", "\u1ebf",     "\u01b0",
	"\u03c9", "\u0444", "\u00df",  "\u0491", "e\u0301", "\U0001f600",
};
#define FILLERS (sizeof(fillers) / sizeof(*fillers))

static void add_filler(const char *filler, size_t least)
{
	size_t n = strlen(filler);

	for (size_t until = length + least; length < until;)
		add_bytes(filler, n);
}

/* What is given, behind each filler. */
static void add_amid_fillers(const void *bytes, size_t n, size_t least)
{
	length = 0;
	for (size_t i = 0; i < FILLERS; i++) {
		add_filler(fillers[i], least);
		add_bytes(bytes, n);
	}
	add_filler("b", 400);
}

static bool is_cased(uint32_t c)
{
	unsigned char out[UPPER_ROOM(4)];
	const unsigned char *in = text;

	length = 0;
	add_character(c);
	return upper_map_characters(&in, text + length, text + length, out) != length ||
	       memcmp(out, text, length) != 0;
}

/* Every character that changes, and its neighbours, amid texts that some loop is at home in. */
START_TEST(test_every_stranger)
{
	unsigned char stranger[4];
	size_t n;

	for (uint32_t c = 0x80; c < 0x1ea00; c++) {
		if (c == 0x3000)
			c = 0xa600;
		if (c == 0xac00)
			c = 0xfb00;
		if (c > 0x10000 && c % 31 > 0 && !is_cased(c - 1) && !is_cased(c) &&
		    !is_cased(c + 1))
			continue;
		length = 0;
		add_character(c);
		n = length;
		memcpy(stranger, text, n);
		add_amid_fillers(stranger, n, 128 + c % 64);
		check(_i);
	}
}
END_TEST

/* These bytes at every place of a block, seen from where the text begins and from where they were
 * last: each distance is longer by one, and the sums of 1, 2, 3... meet every place as well. */
static void check_at_every_place(int version, const unsigned char *bytes, size_t n, uint32_t turn)
{
	length = 0;
	for (size_t place = 0; place < 64; place++) {
		const char *filler = fillers[(turn + place) % FILLERS];
		size_t distance = 96 + place, rest = distance % strlen(filler);

		add_bytes("bbb", rest); /* which no whole filler fills */
		add_filler(filler, distance - rest);
		add_bytes(bytes, n);
	}
	add_filler("b", 400);
	check(version);
}

/* Every sequence of three of these bytes, which is malformed or not, at every place of a block. */
START_TEST(test_malformed)
{
	static const unsigned char bytes[] = {
		'a',  0x80, 0x8f, 0x9f, 0xa1, 0xb1, 0xba, 0xbf, 0xc1, 0xc3, 0xc4, 0xc5,
		0xce, 0xcf, 0xd0, 0xd1, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf4, 0xf8, 0xff,
	};
	uint32_t count = sizeof(bytes);

	for (uint32_t i = 0; i < count * count * count; i++) {
		const unsigned char malformed[3] = {
			bytes[i % count],
			bytes[i / count % count],
			bytes[i / count / count],
		};

		check_at_every_place(_i, malformed, sizeof(malformed), i);
		length = 0;
		/* Close to the beginning and the end. Primes, so that all meet. */
		add_filler(fillers[i % 197 % FILLERS], i % 199);
		add_bytes(malformed, sizeof(malformed));
		if (i % 5) /* not always at the end */
			add_filler(fillers[i % 193 % FILLERS], 120);
		check(_i);
		if (i % 8 == 0)
			check_in_pieces(_i, 1 + i % 61);
	}
}
END_TEST

/* Overlong forms of shorter ones, what is beyond the last code point, and other sequences of four
 * bytes, cut short or whole. */
START_TEST(test_four_bytes)
{
	static const unsigned char leads[] = {0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7};
	static const unsigned char seconds[] = {'a', 0x80, 0x81, 0x8f, 0x90, 0x9e, 0x9f, 0xbf};
	static const unsigned char thirds[] = {'z', 0x80, 0x90, 0x91, 0xa4, 0xbf, 0xc3};
	static const unsigned char fourths[] = {'i', 0x80, 0xa1, 0xa8, 0xbf, 0xd1};
	uint32_t turn = 0;

	for (size_t i = 0; i < sizeof(leads); i++)
		for (size_t j = 0; j < sizeof(seconds); j++)
			for (size_t k = 0; k < sizeof(thirds); k++)
				for (size_t l = 0; l < sizeof(fourths); l++) {
					const unsigned char bytes[4] = {leads[i], seconds[j],
									thirds[k], fourths[l]};

					check_at_every_place(_i, bytes, sizeof(bytes), turn++);
				}
}
END_TEST

/* A lead that no trail follows, amid two-byte letters: those are told by all bits of a lead and few
 * of the trail. At every place of a block, far from the end and close to it. */
START_TEST(test_lead_without_trail)
{
	static const unsigned char nexts[] = {
		0x00, 0x1f, 0x2f, 0x30, 0x4f, 0x50, 'a',  'o',  'p',  'z',
		0x7f, 0xc0, 0xce, 0xcf, 0xd0, 0xd1, 0xdf, 0xe1, 0xf0, 0xff,
	};
	static const char *const scripts[] = {"\u03c9", "\u0444", "\u00e9", "\u0175"};
	static const size_t ends[] = {0, 3, 64, 130, 400, 8192};

	for (uint32_t lead = 0xc0; lead <= 0xff; lead++)
		for (uint32_t i = 0; i < sizeof(nexts); i++)
			for (uint32_t place = 0; place < 64; place++) {
				const char *script = scripts[(lead + i + place) % 4];
				size_t least = i % 2 ? 128 : 0;

				length = 0;
				add_filler("b", (place % 8 ? 0 : 80) + place % 2);
				add_filler(script, least + place);
				add_bytes((const unsigned char[]){(unsigned char)lead, nexts[i]},
					  2);
				add_filler(script, ends[(place + i) % 6]);
				check(_i);
			}
}
END_TEST

static void add_random_characters(size_t wanted)
{
	static const uint16_t blocks[] = {
		0x20,   0xc0,   0x100,  0x140,  0x180,  0x1c0,  0x240,  0x1e80, 0x1ea0,
		0x1ec0, 0x390,  0x3c0,  0x400,  0x440,  0x480,  0x4c0,  0x530,  0x560,
		0x10d0, 0x1f00, 0x1fc0, 0x2c00, 0x2d00, 0xa640, 0xab70, 0xfb00, 0xff40,
		0x4e00, 0x900,  0x1c80, 0x80,   0x2180, 0x2480, 0xd580,
	};
	uint32_t count = sizeof(blocks) / sizeof(*blocks);
	uint32_t often = blocks[random_below(count)], seldom = blocks[random_below(count)];

	while (length < wanted) {
		uint32_t block = random_below(4) ? often : seldom;

		add_character((random_below(3) ? block : 0x40) + random_below(64));
	}
}

/* Two scripts at a time; then bytes of it changed. */
static void check_and_mutate(int version)
{
	check(version);
	check_in_pieces(version, 1 + random_below(300));
	for (int n = 0; n < 5; n++)
		text[random_below((uint32_t)length)] = (unsigned char)random_below(256);
	check(version);
	check_in_pieces(version, 1 + random_below(300));
}

START_TEST(test_random_text)
{
	for (int i = 0; i < 1000; i++) {
		length = 0;
		add_random_characters(1 + random_below(3000));
		check_and_mutate(_i);
	}
}
END_TEST

/* What people write, by the page: one language, and now and then a sentence of another. */
START_TEST(test_sentences)
{
	static const char *const sentences[] = {
		"The kettle sang, and nobody in the house had the heart to take it off.\n",
		"Größere Füße heißen nicht, daß man schneller über die Straße läuft.\n",
		"L’été dernier, où l’œuvre fut achevée, le garçon rêvait déjà d’être maître.\n",
		"El pingüino pidió más piñas; ¿quién se las negó mañana?\n",
		"Zażółć gęślą jaźń, powiedział wuj, i wyszedł bez kapelusza w śnieg.\n",
		"Příliš tichý kůň šel úzkou ulicí až k řece, kde čekal žíznivý pes.\n",
		"Işıklar söndü; çocuğun gölgesi İzmir’in dağlarına doğru ağır ağır yürüdü.\n",
		"Người bạn ấy đã đi từ sáng sớm, trước khi trời mưa xuống ruộng.\n",
		"Ο γέρος ψαράς ταΐζει τους γλάρους και γυρίζει αργά από τη θάλασσα του.\n",
		"Съешь же ещё этих мягких булок, сказала бабушка, да и чаю выпей.\n",
		"Їжак з’їв ґрунтову гусінь і щасливо ліг під ялиною.\n",
		"Љубав је ђаку тешка као џак, а њему ћутање чини добро.\n",
		"Қазір ауылда әжем өзі пісірген нанды ұсынып, үйге шақырады.\n",
		"Ծերունին նստեց ծառի տակ և սպասեց իր ընկերոջը։\n",
		"მოხუცი ხის ქვეშ იჯდა და მეგობარს ელოდა.\n",
		"雨が上がったので、子どもたちは外へ走り出した（ａｂｃ）。\n",
		"老人坐在树下，等他的朋友从城里回来。→ 明天\n",
		"비가 그치자 아이들이 밖으로 뛰어나갔다.\n",
		"बारिश रुकते ही बच्चे बाहर दौड़ पड़े।\n",
		"كان الشيخ ينتظر صديقه تحت الشجرة.\n",
		"The ﬁrst oﬃce: ŉ, ǰ, ᾳ, 😀 and 𐐨𐐩 are seldom met.\n",
	};
	uint32_t count = sizeof(sentences) / sizeof(*sentences);

	for (uint32_t i = 0; i < 40 * count; i++) {
		size_t wanted = 1024 + random_below(7 * 1024);

		length = 0;
		while (length < wanted) {
			uint32_t which = random_below(12) ? i % count : random_below(count);

			add_bytes(sentences[which], strlen(sentences[which]));
		}
		check_and_mutate(_i);
	}
}
END_TEST

/* Long enough for every loop to end by itself and for the one over all scripts to take turns. */
START_TEST(test_long_text)
{
	for (int i = 0; i < 10; i++) {
		length = 0;
		while (length < TEXT_MAX - 4096)
			add_random_characters(length + 1 + random_below(4000));
		check(_i);
		check_in_pieces(_i, 4097);
	}
}
END_TEST

START_TEST(test_random_bytes)
{
	for (int i = 0; i < 400; i++) {
		length = 1 + random_below(3000);
		for (size_t n = 0; n < length; n++)
			text[n] = (unsigned char)random_below(256);
		check(_i);
		check_in_pieces(_i, 1 + random_below(100));
	}
}
END_TEST

/* Text that does not pay to choose for, and no byte more. */
#define UNDECIDED_UNTIL ((size_t)32 << 10)

/* Gives upper_feed() the text, which is to become what it becomes by table. */
static void feed_text(void)
{
	static unsigned char expected[UPPER_ROOM(TEXT_MAX)], out[UPPER_ROOM(TEXT_MAX)];
	struct upper upper = {0};
	const unsigned char *in = text;
	size_t wanted = upper_map_characters(&in, text + length, text + length, expected);

	ck_assert_uint_eq(upper_feed(&upper, text, length, out), wanted);
	ck_assert_mem_eq(out, expected, wanted);
}

/* So much of a text that no shortcut for ASCII takes. */
static void feed_bytes(size_t n)
{
	length = 0;
	if (n % 2)
		add_bytes("q", 1);
	while (length < n)
		add_character(0xe9);
	feed_text();
}

/* To ask the processor takes longer than a short conversation: nobody does before 32 KiB went by,
 * in many pieces (0), or are there at once (1). What is chosen then says what was said before. */
START_TEST(test_choice)
{
	size_t fed = 0, piece = 73;

	while (_i == 0 && fed < UNDECIDED_UNTIL - 1) {
		size_t left = UNDECIDED_UNTIL - 1 - fed, n = left < piece ? left : piece;

		feed_bytes(n);
		fed += n;
		ck_assert_str_eq(upper_chosen()->name, "undecided");
	}
	if (_i == 1) {
		feed_bytes(UNDECIDED_UNTIL - 1);
		ck_assert_str_eq(upper_chosen()->name, "undecided");
	}
	feed_bytes(_i == 0 ? 2 : UNDECIDED_UNTIL);
	feed_bytes(3);
	ck_assert_str_eq(upper_chosen()->name, supported[supported_count - 1]->name);
	for (int i = 0; i < 40; i++) {
		length = 0;
		add_random_characters(1 + random_below(3000));
		feed_text();
	}
}
END_TEST

int main(void)
{
	for (size_t i = 0; upper_versions[i]; i++) {
		if (upper_versions[i]->is_supported())
			supported[supported_count++] = upper_versions[i];
		else
			printf("upper-versions: %s left out: not on this processor\n",
			       upper_versions[i]->name);
	}

	/* What was chosen stays so in a process. */
	const char *forks = getenv("CK_FORK");
	const char *same = forks && strcmp(forks, "no") == 0 ? "process for each test" : NULL;
	const struct unit_row rows[] = {
		UNIT_LOOP("every character", test_every_code_point, 0, supported_count),
		UNIT_LOOP("every character", test_every_place, 0, supported_count),
		UNIT_LOOP("every character", test_short_texts, 0, supported_count),
		UNIT_LOOP("every character", test_every_stranger, 0, supported_count),
		UNIT_LOOP("malformed", test_malformed, 0, supported_count),
		UNIT_LOOP("malformed", test_four_bytes, 0, supported_count),
		UNIT_LOOP("malformed", test_lead_without_trail, 0, supported_count),
		UNIT_LOOP("random", test_random_text, 0, supported_count),
		UNIT_LOOP("random", test_sentences, 0, supported_count),
		UNIT_LOOP("random", test_long_text, 0, supported_count),
		UNIT_LOOP("random", test_random_bytes, 0, supported_count),
		UNIT_LOOP_UNLESS(same, "upper_feed()", test_choice, 0, 2),
		{0},
	};

	return unit_run("upper-versions", rows);
}
