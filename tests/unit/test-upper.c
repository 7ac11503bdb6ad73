/* SPDX-License-Identifier: ISC */

/*
 * upper: the promises of upper.h, by example and over all ways to cut. Every code point's mapping
 * is not its job: test-upper-python.py compares those with an implementation of somebody else's.
 */

#undef NDEBUG
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/upper-version.h"
#include "text/upper.h"

/* Feeds in pieces of piece bytes, each in memory of its own so that a sanitizer sees every overrun.
 * Returns the answer's length; out has UPPER_ROOM(length). */
static size_t upper_in_pieces(const char *in, size_t length, size_t piece, char *out)
{
	struct upper upper = {0};
	size_t written = 0;

	for (size_t from = 0; from < length; from += piece) {
		size_t part = length - from < piece ? length - from : piece;
		unsigned char *part_in = malloc(part), *part_out = malloc(UPPER_ROOM(part));
		size_t part_written;

		ck_assert(part_in && part_out);
		memcpy(part_in, in + from, part);
		part_written = upper_feed(&upper, part_in, part, part_out);
		ck_assert_uint_le(part_written, UPPER_GROWTH * (part + sizeof upper.pending));
		memcpy(out + written, part_out, part_written);
		written += part_written;
		free(part_in);
		free(part_out);
	}
	return written + upper_finish(&upper, out + written);
}

static void assert_upper(const char *in, size_t length, const char *expected,
			 size_t expected_length)
{
	for (size_t piece = length ? length : 1; piece > 0; piece--) {
		char *out = malloc(UPPER_ROOM(length));
		size_t written;

		ck_assert(out);
		written = upper_in_pieces(in, length, piece, out);
		ck_assert_mem_eq(out, expected,
				 written < expected_length ? written : expected_length);
		ck_assert_uint_eq(written, expected_length);
		free(out);
	}
}

/* Literals may hold NUL bytes: their length is their array's. */
#define ASSERT_UPPER(in, expected) assert_upper(in, sizeof(in) - 1, expected, sizeof(expected) - 1)
#define ASSERT_UNCHANGED(in)       ASSERT_UPPER(in, in)

START_TEST(test_ascii)
{
	ASSERT_UPPER("", "");
	ASSERT_UPPER("hello, world\r\n", "HELLO, WORLD\r\n");
	ASSERT_UPPER("`az{@AZ[ \t\0x\x7f", "`AZ{@AZ[ \t\0X\x7f");
}
END_TEST

/* Texts about as long as what a shorter way is taken for (upper-short.h): every byte at every
 * place, in memory of exactly their size, as the portable version has them. */
START_TEST(test_short_texts)
{
	size_t wrong = 0;

	for (size_t length = 0; length <= 72; length++)
		for (size_t at = 0; at < length; at++)
			for (unsigned byte = 0; byte < 256; byte++) {
				char *in = malloc(length), expected[UPPER_ROOM(72)];
				char *out = malloc(UPPER_ROOM(length));
				struct upper one = {0}, other = {0};
				size_t n, m;

				for (size_t i = 0; i < length; i++)
					in[i] = (char)('_' + (i * 7 + length) % 32);
				in[at] = (char)byte;
				n = upper_feed(&one, in, length, out);
				n += upper_finish(&one, out + n);
				m = upper_feed_by(upper_versions[0], &other, in, length, expected);
				m += upper_finish(&other, expected + m);
				wrong += n != m || memcmp(out, expected, n) != 0;
				free(in);
				free(out);
			}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(test_languages)
{
	ASSERT_UPPER("Größe, Straße, fußläufig", "GRÖSSE, STRASSE, FUSSLÄUFIG");
	ASSERT_UPPER("où ça ? l’œuvre, Noël, ÿ", "OÙ ÇA ? L’ŒUVRE, NOËL, Ÿ");
	ASSERT_UPPER("zażółć gęślą jaźń", "ZAŻÓŁĆ GĘŚLĄ JAŹŃ");
	ASSERT_UPPER("ılık süt, iğne, İzmir", "ILIK SÜT, IĞNE, İZMIR");
	ASSERT_UPPER("tiếng Việt, người, đường", "TIẾNG VIỆT, NGƯỜI, ĐƯỜNG");
	ASSERT_UPPER("Οδυσσεύς, ταΐζω, ὀξεῖᾳ", "ΟΔΥΣΣΕΎΣ, ΤΑ\u0399\u0308\u0301ΖΩ, ὈΞΕΙ͂ΑΙ");
	ASSERT_UPPER("съешь ещё, їжак, ґанок, ћао", "СЪЕШЬ ЕЩЁ, ЇЖАК, ҐАНОК, ЋАО");
	ASSERT_UPPER("և խաչ", "ԵՒ ԽԱՉ");
	ASSERT_UPPER("ქართული", "ᲥᲐᲠᲗᲣᲚᲘ");
	ASSERT_UPPER("ꭰꮿ 𐐨𐑏 𞤢", "ᎠᏯ 𐐀𐐧 𞤀");
	ASSERT_UPPER("日本語ａｂｃ、한국어, हिन्दी, 😀x", "日本語ＡＢＣ、한국어, हिन्दी, 😀X");
}
END_TEST

START_TEST(test_lengths_that_change)
{
	ASSERT_UPPER("\u0390|\u03b0", "\u0399\u0308\u0301|\u03a5\u0308\u0301"); /* 2 to 6 */
	ASSERT_UPPER("\ufb03\ufb04", "FFIFFL");                                 /* 3 to 3 */
	ASSERT_UPPER("\u0131\u017f", "IS");                                     /* 2 to 1 */
	ASSERT_UPPER("\u0250\u023f", "\u2c6f\u2c7e");                           /* 2 to 3 */
	ASSERT_UPPER("\u1fb7\u1ff7", "\u0391\u0342\u0399\u03a9\u0342\u0399");   /* 3 to 6 */
	ASSERT_UPPER("\u0149", "\u02bcN");
}
END_TEST

START_TEST(test_malformed_passes)
{
	ASSERT_UNCHANGED("\x80\xbf\xb5\xe0");
	ASSERT_UNCHANGED("\xc1\xa1\xc0\x80");                     /* overlong, two bytes */
	ASSERT_UNCHANGED("\xe0\x81\xa1\xe0\x83\xa0\xe0\x9f\xbf"); /* overlong, three */
	ASSERT_UNCHANGED("\xf0\x80\x81\xa1\xf0\x8f\xbd\x81");     /* overlong, four */
	ASSERT_UNCHANGED("\xed\xa0\x80\xed\xbf\xbf");             /* surrogates */
	ASSERT_UNCHANGED("\xf4\x90\x80\x80\xf5\x80\x80\x80\xf8\x88\x80\x80\x80\xfe\xff");
	ASSERT_UPPER("\xc3z\xc3\xa4\xa4z", "\xc3Z\xc3\x84\xa4Z");
	ASSERT_UPPER("\xe1\xbaz\xe1\xba\xa1", "\xe1\xbaZ\xe1\xba\xa0");
	ASSERT_UPPER("\xf0\x90\x90z\xf0\x90\x90\xa8", "\xf0\x90\x90Z\xf0\x90\x90\x80");
	ASSERT_UPPER("\xf0\xc3\xa4\xe1\xc3\xa4\xe1\xba\xc3\xa4",
		     "\xf0\xc3\x84\xe1\xc3\x84\xe1\xba\xc3\x84");
	ASSERT_UPPER("\xc3\xc3\xa4", "\xc3\xc3\x84");
}
END_TEST

START_TEST(test_truncated_passes)
{
	ASSERT_UNCHANGED("\xc3");
	ASSERT_UPPER("a\xe1", "A\xe1");
	ASSERT_UPPER("a\xe1\xba", "A\xe1\xba");
	ASSERT_UPPER("a\xf0\x90\x90", "A\xf0\x90\x90");
}
END_TEST

START_TEST(test_waits_only_for_the_unfinished)
{
	struct upper upper = {0};
	char out[UPPER_ROOM(8)];

	ck_assert_uint_eq(upper_feed(&upper, "a\xc3", 2, out), 1);
	ck_assert_uint_eq(upper_feed(&upper, "", 0, out), 0);
	ck_assert_uint_eq(upper_feed(&upper, "\xa4", 1, out), 2);
	ck_assert_mem_eq(out, "Ä", 2);
	/* Malformed already, so nothing to wait for. */
	ck_assert_uint_eq(upper_feed(&upper, "\xe0\x80", 2, out), 2);
	ck_assert_uint_eq(upper_finish(&upper, out), 0);
}
END_TEST

START_TEST(test_finish_begins_anew)
{
	struct upper upper = {0};
	char out[UPPER_SLACK];

	ck_assert_uint_eq(upper_feed(&upper, "\xe1\xba", 2, out), 0);
	ck_assert_uint_eq(upper_finish(&upper, out), 2);
	ck_assert_mem_eq(out, "\xe1\xba", 2);
	ck_assert_uint_eq(upper_finish(&upper, out), 0);
	ck_assert_uint_eq(upper_feed(&upper, "\xa1", 1, out), 1);
	ck_assert_mem_eq(out, "\xa1", 1);
}
END_TEST

/* The most that any character grows is what UPPER_GROWTH promises, and it is reached. */
START_TEST(test_growth)
{
	size_t growing = 0, most = 0;

	for (unsigned long c = 0x80; c < 0x110000; c++) {
		struct upper upper = {0};
		unsigned char in[4], out[UPPER_ROOM(4)];
		size_t length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, written;

		for (size_t i = length - 1, rest = c; i > 0; i--, rest >>= 6)
			in[i] = 0x80 | (rest & 0x3f);
		in[0] = (unsigned char)(0xf00 >> length | c >> 6 * (length - 1));
		written = upper_feed(&upper, in, length, out);
		written += upper_finish(&upper, out);
		growing += written > length;
		if (written > UPPER_GROWTH * length)
			ck_abort_msg("U+%04lX grows too much", c);
		if (written == UPPER_GROWTH * length)
			most = written;
	}
	ck_assert_uint_eq(growing, 107);
	ck_assert_uint_eq(most, 6);
}
END_TEST

START_TEST(test_version)
{
	ck_assert_str_eq(upper_unicode_version(), "15.0.0");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upper");
	TCase *tests = tcase_create("upper");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, test_ascii);
	tcase_add_test(tests, test_short_texts);
	tcase_add_test(tests, test_languages);
	tcase_add_test(tests, test_lengths_that_change);
	tcase_add_test(tests, test_malformed_passes);
	tcase_add_test(tests, test_truncated_passes);
	tcase_add_test(tests, test_waits_only_for_the_unfinished);
	tcase_add_test(tests, test_finish_begins_anew);
	tcase_add_test(tests, test_growth);
	tcase_add_test(tests, test_version);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
