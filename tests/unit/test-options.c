/* SPDX-License-Identifier: ISC */

/* Tests of util/options.h: one table, every way to write an option, every way to get it wrong. */

#include <stdio.h>
#include <string.h>

#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/options.h"
#include "util/parse.h"

enum {
	OPTION_FRAMING = 256,
	OPTION_FRAME_RATE,
	OPTION_PING,
};

static const struct option_row rows[] = {
	{"framing", OPTION_FRAMING, "HOW", "where a message ends:\nstream, line or length"},
	{"frame-rate", OPTION_FRAME_RATE, "N", "frames per second"},
	{"ping", OPTION_PING, "[=COUNT]", "ask again and again"},
	{"number", 'n', "N", "a number"},
	{"once", 'o', NULL, "answer one message, then close"},
	{"verbose-enough-to-need-a-line-of-its-own", 'v', NULL, "say more"},
	{"help", 'h', NULL, "show this help"},
	{0},
};

#define WORDS_MAX 8

/* A walk over words, which end with NULL; getopt moves them about in the copy. */
struct walk {
	struct options options;
	char *argv[WORDS_MAX + 2];
	char program[16];
};

static void begin(struct walk *walk, const char *const words[])
{
	int argc = 0;

	strcpy(walk->program, "program");
	walk->argv[argc++] = walk->program;
	for (; *words; words++)
		walk->argv[argc++] = (char *)*words;
	walk->argv[argc] = NULL;
	ck_assert_int_le(argc, WORDS_MAX + 1);
	ck_assert_int_eq(options_init(&walk->options, argc, walk->argv, rows), 0);
}

#define BEGIN(walk, ...) begin(walk, (const char *const[]){__VA_ARGS__, NULL})

static void check_next(struct walk *walk, int id, const char *name, const char *argument)
{
	ck_assert_int_eq(options_next(&walk->options), id);
	ck_assert_str_eq(walk->options.name, name);
	ck_assert_pstr_eq(walk->options.argument, argument);
}

static void check_end(struct walk *walk, int operands)
{
	ck_assert_int_eq(options_next(&walk->options), OPTIONS_END);
	ck_assert_int_eq(walk->options.argc - walk->options.next_operand, operands);
	options_free(&walk->options);
}

static void check_invalid(struct walk *walk, const char *error)
{
	ck_assert_int_eq(options_next(&walk->options), OPTIONS_INVALID);
	ck_assert_str_eq(walk->options.error, error);
	options_free(&walk->options);
}

START_TEST(takes_long_options)
{
	struct walk walk;

	BEGIN(&walk, "--framing=line", "--framing", "length", "--once", "--number=7", "--framing=");
	check_next(&walk, OPTION_FRAMING, "framing", "line");
	check_next(&walk, OPTION_FRAMING, "framing", "length");
	check_next(&walk, 'o', "once", NULL);
	check_next(&walk, 'n', "number", "7");
	check_next(&walk, OPTION_FRAMING, "framing", "");
	check_end(&walk, 0);
}
END_TEST

START_TEST(takes_short_options)
{
	struct walk walk;

	BEGIN(&walk, "-o", "-n", "7", "-n8", "-on9");
	check_next(&walk, 'o', "once", NULL);
	check_next(&walk, 'n', "number", "7");
	check_next(&walk, 'n', "number", "8");
	check_next(&walk, 'o', "once", NULL);
	check_next(&walk, 'n', "number", "9");
	check_end(&walk, 0);
}
END_TEST

START_TEST(takes_beginnings_of_names)
{
	struct walk walk;

	BEGIN(&walk, "--framing=line", "--frami=x", "--on");
	check_next(&walk, OPTION_FRAMING, "framing", "line");
	check_next(&walk, OPTION_FRAMING, "framing", "x");
	check_next(&walk, 'o', "once", NULL);
	check_end(&walk, 0);
}
END_TEST

START_TEST(takes_optional_arguments)
{
	struct walk walk;

	BEGIN(&walk, "--ping", "3", "--ping=4");
	check_next(&walk, OPTION_PING, "ping", NULL);
	check_next(&walk, OPTION_PING, "ping", "4");
	check_end(&walk, 1);
	ck_assert_str_eq(walk.argv[walk.options.next_operand], "3");
}
END_TEST

START_TEST(leaves_operands)
{
	struct walk walk;

	BEGIN(&walk, "host", "-o", "12000", "--", "--once", "-");
	check_next(&walk, 'o', "once", NULL);
	check_end(&walk, 4);

	char **operands = &walk.argv[walk.options.next_operand];

	ck_assert_str_eq(operands[0], "host");
	ck_assert_str_eq(operands[1], "12000");
	ck_assert_str_eq(operands[2], "--once");
	ck_assert_str_eq(operands[3], "-");
}
END_TEST

START_TEST(takes_an_empty_command_line)
{
	struct walk walk;

	BEGIN(&walk, NULL);
	check_end(&walk, 0);
}
END_TEST

START_TEST(begins_anew)
{
	struct walk walk;

	/* A walk that was given up within a word must not show in the next. */
	BEGIN(&walk, "-oo", "--once");
	check_next(&walk, 'o', "once", NULL);
	options_free(&walk.options);

	BEGIN(&walk, "-n5", "x");
	check_next(&walk, 'n', "number", "5");
	check_end(&walk, 1);
}
END_TEST

/* Every error says which word it is about, wherever that stands. */
static const struct {
	const char *words[WORDS_MAX];
	const char *error;
} mistakes[] = {
	{{"--bogus"}, "--bogus: no such option"},
	{{"--bogus=x"}, "--bogus: no such option"},
	{{"a", "--bogus", "b"}, "--bogus: no such option"},
	{{"a", "b", "--bogus=", "c"}, "--bogus: no such option"},
	{{"--fram"}, "--fram: no such option"}, /* --framing or --frame-rate? */
	{{"a", "--fram=3"}, "--fram: no such option"},
	{{"--once=yes"}, "--once: takes no argument"},
	{{"a", "--onc=yes"}, "--once: takes no argument"},
	{{"--framing"}, "--framing: needs an argument"},
	{{"a", "--frami"}, "--framing: needs an argument"},
	{{"--number"}, "--number: needs an argument"},
	{{"-n"}, "-n: needs an argument"},
	{{"-x"}, "-x: no such option"},
	{{"-xo"}, "-x: no such option"},
	{{"a", "-x", "b"}, "-x: no such option"},
	{{"-?"}, "-?: no such option"},
	{{"-:"}, "-:: no such option"},
};

START_TEST(explains_mistakes)
{
	struct walk walk;

	begin(&walk, mistakes[_i].words);
	check_invalid(&walk, mistakes[_i].error);
}
END_TEST

START_TEST(explains_a_mistake_behind_others)
{
	struct walk walk;

	BEGIN(&walk, "a", "-o", "b", "--number=1", "c", "--bogus", "d");
	check_next(&walk, 'o', "once", NULL);
	check_next(&walk, 'n', "number", "1");
	check_invalid(&walk, "--bogus: no such option");

	BEGIN(&walk, "-ox");
	check_next(&walk, 'o', "once", NULL);
	check_invalid(&walk, "-x: no such option");
}
END_TEST

START_TEST(bounds_an_error)
{
	struct walk walk;
	char word[2048];

	memset(word, 'y', sizeof(word) - 1);
	memcpy(word, "--", 2);
	word[sizeof(word) - 1] = '\0';
	BEGIN(&walk, word);
	ck_assert_int_eq(options_next(&walk.options), OPTIONS_INVALID);
	ck_assert_ptr_nonnull(strstr(walk.options.error, "yyyy: no such option"));
	options_free(&walk.options);

	memcpy(word, "-n", 2);
	BEGIN(&walk, word);
	ck_assert_int_eq(options_next(&walk.options), 'n');
	ck_assert_int_eq(options_reject(&walk.options, "too long"), OPTIONS_INVALID);
	ck_assert_ptr_nonnull(strstr(walk.options.error, "yyyy: too long"));
	options_free(&walk.options);
}
END_TEST

START_TEST(rejects_what_a_program_refuses)
{
	struct walk walk;

	BEGIN(&walk, "-n", "x", "--on", "--ping", "--number=");
	check_next(&walk, 'n', "number", "x");
	ck_assert_int_eq(options_reject(&walk.options, "not a number"), OPTIONS_INVALID);
	ck_assert_str_eq(walk.options.error, "--number=x: not a number");
	check_next(&walk, 'o', "once", NULL);
	ck_assert_int_eq(options_reject(&walk.options, "not today"), OPTIONS_INVALID);
	ck_assert_str_eq(walk.options.error, "--once: not today");
	check_next(&walk, OPTION_PING, "ping", NULL);
	ck_assert_int_eq(options_reject(&walk.options, "no"), OPTIONS_INVALID);
	ck_assert_str_eq(walk.options.error, "--ping: no");
	check_next(&walk, 'n', "number", "");
	ck_assert_int_eq(options_reject(&walk.options, "not a number"), OPTIONS_INVALID);
	ck_assert_str_eq(walk.options.error, "--number=: not a number");
	check_end(&walk, 0);
}
END_TEST

START_TEST(takes_times)
{
	struct walk walk;
	uint64_t usec = 7;

	BEGIN(&walk, "-n", "1min 5s", "-n30d", "-n", "infinity", "-n0", "-n30d1us", "-nsoon");
	check_next(&walk, 'n', "number", "1min 5s");
	ck_assert_int_eq(options_take_time(&walk.options, &usec), 0);
	ck_assert_uint_eq(usec, 65000000);
	check_next(&walk, 'n', "number", "30d");
	ck_assert_int_eq(options_take_time(&walk.options, &usec), 0);
	ck_assert_uint_eq(usec, UINT64_C(2592000000000));
	check_next(&walk, 'n', "number", "infinity");
	ck_assert_int_eq(options_take_time(&walk.options, &usec), 0);
	ck_assert_uint_eq(usec, PARSE_INFINITY);
	check_next(&walk, 'n', "number", "0");
	ck_assert_int_eq(options_take_time(&walk.options, &usec), 0);
	ck_assert_uint_eq(usec, 0);
	check_next(&walk, 'n', "number", "30d1us");
	ck_assert_int_eq(options_take_time(&walk.options, &usec), OPTIONS_INVALID);
	ck_assert_str_eq(walk.options.error,
			 "--number=30d1us: longer than 30 days, but not infinity");
	check_next(&walk, 'n', "number", "soon");
	ck_assert_int_eq(options_take_time(&walk.options, &usec), OPTIONS_INVALID);
	ck_assert_str_eq(walk.options.error,
			 "--number=soon: not a time span such as 500ms, 5s or infinity");
	ck_assert_uint_eq(usec, 0);
	check_end(&walk, 0);
}
END_TEST

START_TEST(prints_help)
{
	static const char expected[] =
		"      --framing=HOW                 where a message ends:\n"
		"                                    stream, line or length\n"
		"      --frame-rate=N                frames per second\n"
		"      --ping[=COUNT]                ask again and again\n"
		"  -n, --number=N                    a number\n"
		"  -o, --once                        answer one message, then close\n"
		"  -v, --verbose-enough-to-need-a-line-of-its-own\n"
		"                                    say more\n"
		"  -h, --help                        show this help\n";
	_cleanup_free_ char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	ck_assert_ptr_nonnull(out);
	options_print_help(out, rows);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_str_eq(text, expected);
}
END_TEST

/* A name that ends just before, at and behind the last column that leaves a gap. */
START_TEST(prints_help_with_a_gap)
{
	/* "      --" and 26, 27 or 28 letters: 34, 35, 36 columns. */
	static const char names[3][29] = {
		"abcdefghijklmnopqrstuvwxyz",
		"abcdefghijklmnopqrstuvwxyz1",
		"abcdefghijklmnopqrstuvwxyz12",
	};
	static const char *const between[3] = {
		"  ",
		"\n                                    ",
		"\n                                    ",
	};
	const struct option_row table[] = {{names[_i], 300, NULL, "text"}, {0}};
	_cleanup_free_ char *text = NULL;
	char expected[128];
	size_t length;
	FILE *out = open_memstream(&text, &length);

	ck_assert_ptr_nonnull(out);
	options_print_help(out, table);
	ck_assert_int_eq(fclose(out), 0);
	snprintf(expected, sizeof(expected), "      --%s%stext\n", names[_i], between[_i]);
	ck_assert_str_eq(text, expected);
}
END_TEST

int main(void)
{
	const struct unit_row tests[] = {
		UNIT_ONCE("options_next", takes_long_options),
		UNIT_ONCE("options_next", takes_short_options),
		UNIT_ONCE("options_next", takes_beginnings_of_names),
		UNIT_ONCE("options_next", takes_optional_arguments),
		UNIT_ONCE("options_next", leaves_operands),
		UNIT_ONCE("options_next", takes_an_empty_command_line),
		UNIT_ONCE("options_next", begins_anew),
		UNIT_LOOP("options_next", explains_mistakes, 0,
			  sizeof(mistakes) / sizeof(mistakes[0])),
		UNIT_ONCE("options_next", explains_a_mistake_behind_others),
		UNIT_ONCE("options_next", bounds_an_error),
		UNIT_ONCE("options_reject", rejects_what_a_program_refuses),
		UNIT_ONCE("options_take_time", takes_times),
		UNIT_ONCE("options_print_help", prints_help),
		UNIT_LOOP("options_print_help", prints_help_with_a_gap, 0, 3),
		{0},
	};

	return unit_run("options", tests);
}
