/* SPDX-License-Identifier: ISC */

/* Tests of server/command-line.h. What is wrong in which words: tests/golden/uppercased.cases. */

#include <sys/socket.h>

#include "server/admission.h"
#include "server/command-line.h"
#include "server/log.h"
#include "server/unsent.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"

#define WORDS_MAX 20
#define SECOND    UINT64_C(1000000)

/* Reads words, up to the first NULL. */
static int read_words(struct command_line *command_line, const char *const words[static WORDS_MAX])
{
	char *argv[WORDS_MAX + 2] = {(char *)(uintptr_t) "uppercased"};
	int argc = 1;

	for (; argc <= WORDS_MAX && words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	return command_line_read(command_line, argc, argv);
}

START_TEST(has_defaults)
{
	static const char *const words[WORDS_MAX] = {NULL};
	_cleanup_(command_line_free) struct command_line command_line;
	const struct server_options *options = &command_line.server;

	ck_assert_int_eq(read_words(&command_line, words), -1);
	ck_assert_int_eq(options->exchange.framing, FRAMING_STREAM);
	ck_assert(!options->exchange.once);
	ck_assert_uint_eq(options->exchange.message_max, 65536);
	ck_assert_uint_eq(options->workers, 1);
	ck_assert_uint_eq(options->connections_max, 16384);
	ck_assert_uint_eq(options->connections_max_per_source, ADMISSION_ANY);
	ck_assert_uint_eq(options->unsent_max, (size_t)512 << 20);
	ck_assert_uint_eq(options->datagram_rate, 1000);
	ck_assert(!options->datagram_rate_is_set);
	ck_assert_uint_eq(options->exchange.idle_timeout, 600 * SECOND);
	ck_assert_uint_eq(options->exit_idle_time, PARSE_INFINITY);
	ck_assert_uint_eq(options->drain_timeout, 5 * SECOND);
	ck_assert_int_eq(options->preserve, PRESERVE_RESTART);
	ck_assert_int_eq(command_line.log_level, LOG_NOTICE);
	ck_assert_uint_eq(command_line.address_count, 0);
}
END_TEST

START_TEST(takes_every_option)
{
	static const char *const words[WORDS_MAX] = {
		"--framing=line",           "--once",
		"--message-max=1K",         "--workers=3",
		"--connections-max=7",      "--connections-max-per-source=2",
		"--unsent-max=9M",          "--datagram-rate=0",
		"--idle-timeout=1min",      "--exit-idle-time=2s",
		"--drain-timeout=infinity", "--preserve=always",
		"--log-level=debug"};
	_cleanup_(command_line_free) struct command_line command_line;
	const struct server_options *options = &command_line.server;

	ck_assert_int_eq(read_words(&command_line, words), -1);
	ck_assert_int_eq(options->exchange.framing, FRAMING_LINE);
	ck_assert(options->exchange.once);
	ck_assert_uint_eq(options->exchange.message_max, 1024);
	ck_assert_uint_eq(options->workers, 3);
	ck_assert_uint_eq(options->connections_max, 7);
	ck_assert_uint_eq(options->connections_max_per_source, 2);
	ck_assert_uint_eq(options->unsent_max, 9 << 20);
	ck_assert_uint_eq(options->datagram_rate, 0);
	ck_assert(options->datagram_rate_is_set);
	ck_assert_uint_eq(options->exchange.idle_timeout, 60 * SECOND);
	ck_assert_uint_eq(options->exit_idle_time, 2 * SECOND);
	ck_assert_uint_eq(options->drain_timeout, PARSE_INFINITY);
	ck_assert_int_eq(options->preserve, PRESERVE_ALWAYS);
	ck_assert_int_eq(command_line.log_level, LOG_DEBUG);
}
END_TEST

START_TEST(takes_what_has_no_limit)
{
	static const char *const words[WORDS_MAX] = {
		"--connections-max-per-source=infinity", "--unsent-max=infinity",
		"--idle-timeout=infinity", "--workers=auto", "--preserve=never"};
	_cleanup_(command_line_free) struct command_line command_line;
	const struct server_options *options = &command_line.server;

	ck_assert_int_eq(read_words(&command_line, words), -1);
	ck_assert_uint_eq(options->connections_max_per_source, ADMISSION_ANY);
	ck_assert_uint_eq(options->unsent_max, UNSENT_ANY);
	ck_assert_uint_eq(options->exchange.idle_timeout, PARSE_INFINITY);
	ck_assert_uint_ge(options->workers, 1);
	ck_assert_int_eq(options->preserve, PRESERVE_NEVER);
}
END_TEST

/* In their order, each of its kind. */
START_TEST(collects_addresses)
{
	static const char *const words[WORDS_MAX] = {"--listen-stream=12000",
						     "--listen-datagram=127.0.0.1:12001",
						     "--listen-stream=/run/x.sock"};
	_cleanup_(command_line_free) struct command_line command_line;

	ck_assert_int_eq(read_words(&command_line, words), -1);
	ck_assert_uint_eq(command_line.address_count, 3);
	ck_assert_int_eq(command_line.addresses[0].type, SOCK_STREAM);
	ck_assert_int_eq(address_port(&command_line.addresses[0].address), 12000);
	ck_assert_int_eq(command_line.addresses[1].type, SOCK_DGRAM);
	ck_assert_int_eq(address_port(&command_line.addresses[1].address), 12001);
	ck_assert_int_eq(command_line.addresses[2].type, SOCK_STREAM);
	ck_assert_int_eq(command_line.addresses[2].address.any.sa_family, AF_UNIX);
}
END_TEST

/* What came before a mistake is released. */
START_TEST(ends_at_a_mistake)
{
	static const char *const words[WORDS_MAX] = {"--listen-stream=12000", "--workers=0"};
	_cleanup_(command_line_free) struct command_line command_line;

	ck_assert_int_eq(read_words(&command_line, words), EXIT_TROUBLE);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("command_line_read", has_defaults),
		UNIT_ONCE("command_line_read", takes_every_option),
		UNIT_ONCE("command_line_read", takes_what_has_no_limit),
		UNIT_ONCE("command_line_read", collects_addresses),
		UNIT_ONCE("command_line_read", ends_at_a_mistake),
		{0},
	};

	return unit_run("command-line", rows);
}
