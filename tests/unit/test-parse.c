/* SPDX-License-Identifier: ISC */

/* Tests of util/parse.h. */

#include <string.h>

#include "unit.h"
#include "util/error.h"
#include "util/parse.h"

#define UNTOUCHED UINT64_C(0xdeadbeef)

#define U64_MAX_TEXT  "18446744073709551615"
#define U64_OVER_TEXT "18446744073709551616"

/* What a parser makes of a text: a value, or an error and an output left alone. */
static void check_result(const char *text, int r, int expected_r, uint64_t value, uint64_t expected)
{
	ck_assert_msg(r == expected_r, "\"%s\": returned %d, not %d", text, r, expected_r);
	if (expected_r < 0)
		expected = UNTOUCHED;
	ck_assert_msg(value == expected, "\"%s\": is %ju, not %ju", text, (uintmax_t)value,
		      (uintmax_t)expected);
}

START_TEST(reads_numbers)
{
	static const struct {
		const char *text;
		uint64_t minimum, maximum;
		int r;
		uint64_t number;
	} rows[] = {
		{"0", 0, 0, 0, 0},
		{"7", 0, UINT64_MAX, 0, 7},
		{"0010", 0, UINT64_MAX, 0, 10},
		{U64_MAX_TEXT, 0, UINT64_MAX, 0, UINT64_MAX},
		{U64_OVER_TEXT, 0, UINT64_MAX, -ERANGE, 0},
		{"18446744073709551625", 0, UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999999999999", 0, UINT64_MAX, -ERANGE, 0},
		/* The limits themselves are inside. */
		{"9", 10, 20, -ERANGE, 0},
		{"10", 10, 20, 0, 10},
		{"20", 10, 20, 0, 20},
		{"21", 10, 20, -ERANGE, 0},
		/* All of the text or nothing. */
		{"", 0, UINT64_MAX, -EINVAL, 0},
		{" 1", 0, UINT64_MAX, -EINVAL, 0},
		{"1 ", 0, UINT64_MAX, -EINVAL, 0},
		{"1\n", 0, UINT64_MAX, -EINVAL, 0},
		{"+1", 0, UINT64_MAX, -EINVAL, 0},
		{"-1", 0, UINT64_MAX, -EINVAL, 0},
		{"1.0", 0, UINT64_MAX, -EINVAL, 0},
		{"0x10", 0, UINT64_MAX, -EINVAL, 0},
		{"1e3", 0, UINT64_MAX, -EINVAL, 0},
		{"one", 0, UINT64_MAX, -EINVAL, 0},
		{"١", 0, UINT64_MAX, -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t number = UNTOUCHED;
		int r = parse_number(rows[i].text, rows[i].minimum, rows[i].maximum, &number);

		check_result(rows[i].text, r, rows[i].r, number, rows[i].number);
	}
}
END_TEST

#define MSEC UINT64_C(1000)
#define SEC  (1000 * MSEC)
#define MIN  (60 * SEC)
#define HOUR (60 * MIN)
#define DAY  (24 * HOUR)

START_TEST(reads_times)
{
	static const struct {
		const char *text;
		uint64_t usec;
	} rows[] = {
		/* A bare number is in seconds. */
		{"0", 0},
		{"5", 5 * SEC},
		{"0s", 0},
		/* Each unit by each of its names. */
		{"3us", 3},
		{"3usec", 3},
		{"3\u00b5s", 3}, /* MICRO SIGN */
		{"3\u03bcs", 3}, /* GREEK SMALL LETTER MU */
		{"3ms", 3 * MSEC},
		{"3msec", 3 * MSEC},
		{"3s", 3 * SEC},
		{"3sec", 3 * SEC},
		{"3second", 3 * SEC},
		{"3seconds", 3 * SEC},
		{"3m", 3 * MIN},
		{"3min", 3 * MIN},
		{"3minute", 3 * MIN},
		{"3minutes", 3 * MIN},
		{"3h", 3 * HOUR},
		{"3hr", 3 * HOUR},
		{"3hour", 3 * HOUR},
		{"3hours", 3 * HOUR},
		{"3d", 3 * DAY},
		{"3day", 3 * DAY},
		{"3days", 3 * DAY},
		{"3w", 21 * DAY},
		{"3week", 21 * DAY},
		{"3weeks", 21 * DAY},
		/* Space between number and unit, and around. */
		{"2 h", 2 * HOUR},
		{"2\th", 2 * HOUR},
		{"  2 h  ", 2 * HOUR},
		/* Several values are added, however they are written. */
		{"1min 30s", 90 * SEC},
		{"1min30s", 90 * SEC},
		{"30s 1min", 90 * SEC},
		{"55s500ms", 55 * SEC + 500 * MSEC},
		{"300ms20s 5day", 5 * DAY + 20 * SEC + 300 * MSEC},
		{"1 2", 3 * SEC},
		{"1 2 ms", SEC + 2 * MSEC},
		/* Fractions, down to the microsecond and no further. */
		{"1.5h", 90 * MIN},
		{"0.5", 500 * MSEC},
		{"1.000001s", SEC + 1},
		{"1.0000019s", SEC + 1},
		{"0.9999999999999999999999999999999999s", SEC - 1},
		{"1.5us", 1},
		{"1.25ms 1.75ms", 3 * MSEC},
		{"0.999999w", 604799395200},
		/* No end. */
		{"infinity", PARSE_INFINITY},
		{" infinity ", PARSE_INFINITY},
		/* The longest time that is not infinite. */
		{"18446744073709551614us", PARSE_INFINITY - 1},
		{"18446744073709s 551614us", PARSE_INFINITY - 1},
		{"18446744073709.551614s", PARSE_INFINITY - 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t usec = UNTOUCHED;
		int r = parse_time(rows[i].text, &usec);

		check_result(rows[i].text, r, 0, usec, rows[i].usec);
	}
}
END_TEST

START_TEST(refuses_what_is_no_time)
{
	static const char *const texts[] = {
		"",       " ",      "\t",       "s",        "ms",        "h5",        "five",
		"-5s",    "+5s",    "5x",       "5S",       "5Min",      "5sx",       "5ss",
		"5s.",    "1.s",    ".",        "1.2.3s",   "1..2s",     "0x5s",      "5s,3s",
		"5s 3x",  "5s min", "infinite", "Infinity", "infinity5", "5infinity", "infinity 5s",
		"5s\n3s", "5\xb5s", "5\xc2s",   "1e3s",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint64_t usec = UNTOUCHED;
		int r = parse_time(texts[i], &usec);

		check_result(texts[i], r, -EINVAL, usec, 0);
	}
}
END_TEST

START_TEST(refuses_times_too_long)
{
	static const char *const texts[] = {
		U64_MAX_TEXT "us", /* would read as infinity */
		U64_OVER_TEXT "us",
		U64_MAX_TEXT,
		U64_MAX_TEXT "w",
		"18446744073709.551615s",
		"18446744073709s 551615us",
		"18446744073709551614us 1us",
		"18446744073709551614us 2us",
		"30500569w",
		"99999999999999999999999999",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint64_t usec = UNTOUCHED;
		int r = parse_time(texts[i], &usec);

		check_result(texts[i], r, -ERANGE, usec, 0);
	}
}
END_TEST

START_TEST(reads_sizes)
{
	static const struct {
		const char *text;
		uint64_t minimum, maximum;
		int r;
		uint64_t bytes;
	} rows[] = {
		{"0", 0, UINT64_MAX, 0, 0},
		{"1024", 0, UINT64_MAX, 0, 1024},
		{"1K", 0, UINT64_MAX, 0, UINT64_C(1) << 10},
		{"1M", 0, UINT64_MAX, 0, UINT64_C(1) << 20},
		{"1G", 0, UINT64_MAX, 0, UINT64_C(1) << 30},
		{"1T", 0, UINT64_MAX, 0, UINT64_C(1) << 40},
		{"64K", 0, 65536, 0, 65536},
		{U64_MAX_TEXT, 0, UINT64_MAX, 0, UINT64_MAX},
		{"16777215T", 0, UINT64_MAX, 0, UINT64_C(16777215) << 40},
		{"16777216T", 0, UINT64_MAX, -ERANGE, 0},
		{"18014398509481983K", 0, UINT64_MAX, 0, UINT64_C(18014398509481983) << 10},
		{"18014398509481984K", 0, UINT64_MAX, -ERANGE, 0},
		{U64_OVER_TEXT, 0, UINT64_MAX, -ERANGE, 0},
		{"1023", 1024, 2048, -ERANGE, 0},
		{"1K", 1024, 2048, 0, 1024},
		{"2K", 1024, 2048, 0, 2048},
		{"2049", 1024, 2048, -ERANGE, 0},
		{"", 0, UINT64_MAX, -EINVAL, 0},
		{"K", 0, UINT64_MAX, -EINVAL, 0},
		{"1k", 0, UINT64_MAX, -EINVAL, 0},
		{"1KB", 0, UINT64_MAX, -EINVAL, 0},
		{"1KK", 0, UINT64_MAX, -EINVAL, 0},
		{"1 K", 0, UINT64_MAX, -EINVAL, 0},
		{"1K ", 0, UINT64_MAX, -EINVAL, 0},
		{"1.5K", 0, UINT64_MAX, -EINVAL, 0},
		{"-1K", 0, UINT64_MAX, -EINVAL, 0},
		{"1P", 0, UINT64_MAX, -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t bytes = UNTOUCHED;
		int r = parse_size(rows[i].text, rows[i].minimum, rows[i].maximum, &bytes);

		check_result(rows[i].text, r, rows[i].r, bytes, rows[i].bytes);
	}
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("parse_number", reads_numbers),
		UNIT_ONCE("parse_time", reads_times),
		UNIT_ONCE("parse_time", refuses_what_is_no_time),
		UNIT_ONCE("parse_time", refuses_times_too_long),
		UNIT_ONCE("parse_size", reads_sizes),
		{0},
	};

	return unit_run("parse", rows);
}
