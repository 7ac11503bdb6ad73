/* SPDX-License-Identifier: ISC */

/* Tests of exchange/exchange-options.h: what the command line makes of a conversation. */

#include "exchange/exchange-options.h"

#include <string.h>

#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"

static const struct option_row rows[] = {
	{"own", 'x', "ARGUMENT", "an option of the program's own"},
	EXCHANGE_OPTION_ROWS,
	EXCHANGE_OPTION_LAST_ROWS,
};

static const struct service plain = {.name = "plain"};
/* Takes one option from a command line. Returns what the program's loop would see. */
static int take(struct exchange_options *exchange, const char *word, char error[static 256])
{
	char program[] = "program", copy[128];
	char *argv[] = {program, copy, NULL};
	struct options options;
	int id;

	snprintf(copy, sizeof(copy), "%s", word);
	ck_assert_int_eq(options_init(&options, 2, argv, rows), 0);
	id = exchange_options_take(exchange, &options, options_next(&options));
	strcpy(error, options.error);
	options_free(&options);
	return id;
}

static void check_defaults(const struct exchange_options *exchange)
{
	ck_assert_ptr_eq(exchange->service, &plain);
	ck_assert_int_eq(exchange->framing, FRAMING_STREAM);
	ck_assert(!exchange->once);
	ck_assert_uint_eq(exchange->message_max, 65536);
	ck_assert_uint_eq(exchange->idle_timeout, 600000000);
}

START_TEST(has_defaults)
{
	struct exchange_options exchange = exchange_options_default(&plain);

	check_defaults(&exchange);
}
END_TEST

START_TEST(takes_options)
{
	struct exchange_options exchange = exchange_options_default(&plain);
	char error[256];

	ck_assert_int_eq(take(&exchange, "--framing=length", error), EXCHANGE_OPTION_FRAMING);
	ck_assert_int_eq(exchange.framing, FRAMING_LENGTH);
	ck_assert_int_eq(take(&exchange, "--framing=line", error), EXCHANGE_OPTION_FRAMING);
	ck_assert_int_eq(exchange.framing, FRAMING_LINE);
	ck_assert_int_eq(take(&exchange, "--once", error), EXCHANGE_OPTION_ONCE);
	ck_assert(exchange.once);
	ck_assert_int_eq(take(&exchange, "--message-max=1", error), EXCHANGE_OPTION_MESSAGE_MAX);
	ck_assert_uint_eq(exchange.message_max, 1);
	ck_assert_int_eq(take(&exchange, "--message-max=64M", error), EXCHANGE_OPTION_MESSAGE_MAX);
	ck_assert_uint_eq(exchange.message_max, 64U << 20);
	ck_assert_int_eq(take(&exchange, "--idle-timeout=1us", error),
			 EXCHANGE_OPTION_IDLE_TIMEOUT);
	ck_assert_uint_eq(exchange.idle_timeout, 1);
	ck_assert_int_eq(take(&exchange, "--idle-timeout=30d", error),
			 EXCHANGE_OPTION_IDLE_TIMEOUT);
	ck_assert_uint_eq(exchange.idle_timeout, UINT64_C(30) * 24 * 3600 * 1000000);
	ck_assert_int_eq(take(&exchange, "--idle-timeout=infinity", error),
			 EXCHANGE_OPTION_IDLE_TIMEOUT);
	ck_assert_uint_eq(exchange.idle_timeout, PARSE_INFINITY);
}
END_TEST

START_TEST(passes_others)
{
	struct exchange_options exchange = exchange_options_default(&plain);
	char error[256];

	ck_assert_int_eq(take(&exchange, "-xy", error), 'x');
	ck_assert_int_eq(take(&exchange, "--help", error), 'h');
	ck_assert_int_eq(take(&exchange, "-h", error), 'h');
	ck_assert_int_eq(take(&exchange, "--version", error), EXCHANGE_OPTION_VERSION);
	ck_assert_int_eq(take(&exchange, "operand", error), OPTIONS_END);
	ck_assert_int_eq(take(&exchange, "--bogus", error), OPTIONS_INVALID);
	ck_assert_str_eq(error, "--bogus: no such option");
	check_defaults(&exchange);
}
END_TEST

START_TEST(rejects_bad_values)
{
	static const struct {
		const char *word, *error;
	} words[] = {
		{"--framing=", "--framing=: not stream, line or length"},
		{"--framing=lines", "--framing=lines: not stream, line or length"},
		{"--message-max=0", "--message-max=0: not a size from 1 to 64M"},
		{"--message-max=65M", "--message-max=65M: not a size from 1 to 64M"},
		{"--message-max=67108865", "--message-max=67108865: not a size from 1 to 64M"},
		{"--message-max=4294967297", "--message-max=4294967297: not a size from 1 to 64M"},
		{"--message-max=x", "--message-max=x: not a size from 1 to 64M"},
		{"--idle-timeout=x",
		 "--idle-timeout=x: not a time span such as 500ms, 5s or infinity"},
		{"--idle-timeout=31d", "--idle-timeout=31d: longer than 30 days, but not infinity"},
		{"--idle-timeout=0",
		 "--idle-timeout=0: closes every connection; infinity closes none"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct exchange_options exchange = exchange_options_default(&plain);
		char error[256];

		ck_assert_int_eq(take(&exchange, words[i].word, error), OPTIONS_INVALID);
		ck_assert_str_eq(error, words[i].error);
		check_defaults(&exchange);
	}
}
END_TEST

int main(void)
{
	const struct unit_row tests[] = {
		UNIT_ONCE("exchange_options_default", has_defaults),
		UNIT_ONCE("exchange_options_take", takes_options),
		UNIT_ONCE("exchange_options_take", passes_others),
		UNIT_ONCE("exchange_options_take", rejects_bad_values),
		{0},
	};

	return unit_run("exchange-options", tests);
}
