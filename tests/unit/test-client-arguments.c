/* SPDX-License-Identifier: ISC */

/* Tests of client/arguments.h. What is wrong in which words: tests/golden/client.cases. */

#include <sys/socket.h>

#include "client/arguments.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"

#define WORDS_MAX 8

/* Parses words, up to the first NULL. */
static int parse(struct arguments *arguments, const char *const words[static WORDS_MAX],
		 char error[static ARGUMENTS_ERROR_MAX])
{
	char *argv[WORDS_MAX + 2] = {(char *)(uintptr_t) "uppercase-client"};
	int argc = 1;

	for (; argc <= WORDS_MAX && words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	return arguments_parse(arguments, argc, argv, error);
}

START_TEST(asks_localhost_by_default)
{
	static const char *const words[WORDS_MAX] = {NULL};
	_cleanup_(arguments_free) struct arguments arguments;
	char error[ARGUMENTS_ERROR_MAX];

	ck_assert_int_eq(parse(&arguments, words, error), 0);
	ck_assert_int_eq(arguments.action, ARGUMENTS_ASK);
	ck_assert_int_eq(arguments.transport, ARGUMENTS_TCP);
	ck_assert_str_eq(arguments.host, "localhost");
	ck_assert_str_eq(arguments.port, "12000");
	ck_assert_int_eq(arguments.family, AF_UNSPEC);
	ck_assert_int_eq(arguments.framing, FRAMING_STREAM);
	ck_assert(!arguments.once && !arguments.quiet);
	ck_assert_uint_eq(arguments.timeout_usec, 5000000);
	ck_assert_uint_eq(arguments.retries, 3);
	ck_assert_uint_eq(arguments.message_count, 0);
}
END_TEST

START_TEST(takes_options_and_operands_in_any_order)
{
	static const char *const words[WORDS_MAX] = {"example", "--udp", "--retries=0",
						     "7",       "-6",    "--quiet"};
	_cleanup_(arguments_free) struct arguments arguments;
	char error[ARGUMENTS_ERROR_MAX];

	ck_assert_int_eq(parse(&arguments, words, error), 0);
	ck_assert_int_eq(arguments.transport, ARGUMENTS_UDP);
	ck_assert_str_eq(arguments.host, "example");
	ck_assert_str_eq(arguments.port, "7");
	ck_assert_int_eq(arguments.family, AF_INET6);
	ck_assert(arguments.quiet);
	ck_assert_uint_eq(arguments.timeout_usec, 1000000); /* of one try */
	ck_assert_uint_eq(arguments.retries, 0);
}
END_TEST

START_TEST(takes_messages_in_their_order)
{
	static const char *const words[WORDS_MAX] = {
		"--message=a", "--once", "--message", "b", "--message=", "--timeout=infinity"};
	_cleanup_(arguments_free) struct arguments arguments;
	char error[ARGUMENTS_ERROR_MAX];

	ck_assert_int_eq(parse(&arguments, words, error), 0);
	ck_assert_uint_eq(arguments.message_count, 3);
	ck_assert_str_eq(arguments.messages[0], "a");
	ck_assert_str_eq(arguments.messages[1], "b");
	ck_assert_str_eq(arguments.messages[2], "");
	ck_assert(arguments.once);
	ck_assert_uint_eq(arguments.timeout_usec, PARSE_INFINITY);
}
END_TEST

START_TEST(takes_a_path)
{
	static const char *const words[WORDS_MAX] = {"--unix=@name", "--framing=length"};
	_cleanup_(arguments_free) struct arguments arguments;
	char error[ARGUMENTS_ERROR_MAX];

	ck_assert_int_eq(parse(&arguments, words, error), 0);
	ck_assert_int_eq(arguments.transport, ARGUMENTS_UNIX);
	ck_assert_str_eq(arguments.path, "@name");
	ck_assert_int_eq(arguments.framing, FRAMING_LENGTH);
}
END_TEST

static const struct {
	const char *words[WORDS_MAX];
	enum arguments_action action;
} actions[] = {
	{{"--help", "--nosuch"}, ARGUMENTS_HELP},
	{{"-h"}, ARGUMENTS_HELP},
	{{"--udp", "--version", "a", "b", "c"}, ARGUMENTS_VERSION},
};

START_TEST(looks_no_further_behind_help_and_version)
{
	_cleanup_(arguments_free) struct arguments arguments;
	char error[ARGUMENTS_ERROR_MAX];

	ck_assert_int_eq(parse(&arguments, actions[_i].words, error), 0);
	ck_assert_int_eq(arguments.action, actions[_i].action);
}
END_TEST

/* Strange, but what they seem to be is not forbidden. */
static const char *const strange[][WORDS_MAX] = {
	{"0"}, {"65536"}, {"12000", "12000"}, {"::1"}, {"fe80::1%lo"}, {""},
};

START_TEST(leaves_hosts_to_the_resolver)
{
	_cleanup_(arguments_free) struct arguments arguments;
	char error[ARGUMENTS_ERROR_MAX];

	ck_assert_int_eq(parse(&arguments, strange[_i], error), 0);
	ck_assert_str_eq(arguments.host, strange[_i][0]);
	ck_assert_str_eq(arguments.port, "12000");
}
END_TEST

static const char *const wrong[][WORDS_MAX] = {
	{"--nosuch"},          {"--framing=lines"}, {"--timeout=0"},
	{"--timeout=-1s"},     {"--retries=many"},  {"--unix="},
	{"--unix=/x", "host"}, {"--unix=/x", "-4"}, {"--unix=/x", "--tcp"},
	{"--tcp", "--udp"},    {"-4", "-6"},        {"--udp", "--framing=stream"},
	{"a", "1", "b"},       {"12000"},           {"localhost:12000"},
	{"[::1]", "12000"},    {"[::1]:12000"},     {"a:1", "b"},
};

START_TEST(refuses)
{
	struct arguments arguments = {.host = "untouched"};
	char error[ARGUMENTS_ERROR_MAX] = "";

	ck_assert_int_eq(parse(&arguments, wrong[_i], error), -EINVAL);
	ck_assert_str_eq(arguments.host, "untouched");
	ck_assert_ptr_nonnull(strchr(error, ' '));
	ck_assert_ptr_null(strchr(error, '\n'));
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("options", asks_localhost_by_default),
		UNIT_ONCE("options", takes_options_and_operands_in_any_order),
		UNIT_ONCE("options", takes_messages_in_their_order),
		UNIT_ONCE("options", takes_a_path),
		UNIT_LOOP("options", looks_no_further_behind_help_and_version, 0,
			  sizeof(actions) / sizeof(actions[0])),
		UNIT_LOOP("operands", leaves_hosts_to_the_resolver, 0,
			  sizeof(strange) / sizeof(strange[0])),
		UNIT_LOOP("mistakes", refuses, 0, sizeof(wrong) / sizeof(wrong[0])),
		{.group = NULL},
	};

	return unit_run("client/arguments", rows);
}
