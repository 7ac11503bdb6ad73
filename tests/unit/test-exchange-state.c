/* SPDX-License-Identifier: ISC */

/* Tests of exchange/exchange-state.h: a conversation goes on elsewhere as if it had never moved. */

#include <stdint.h>

#include "exchange/exchange-state.h"
#include "unit.h"
#include "util/error.h"

extern const struct service service;

static char out[1 << 20], scratch[1 << 20];

/* Moves the conversation into another struct, through bytes. */
static void move(struct exchange *exchange, const struct exchange_options *options)
{
	size_t size = exchange_state_size(exchange);
	char *bytes = malloc(size);
	struct exchange moved;

	ck_assert_ptr_nonnull(bytes);
	exchange_state_write(exchange, bytes);
	ck_assert_int_eq(exchange_state_read(options, bytes, size, scratch, &moved), 0);
	free(bytes);
	exchange_reset(exchange);
	*exchange = moved;
}

/* The reply to a request that is fed byte by byte, moved after each or never. */
static size_t converse(const struct exchange_options *options, const char *request, size_t length,
		       bool moving, char *reply)
{
	struct exchange exchange = {0};
	size_t total = 0;

	for (size_t i = 0; i < length; i++) {
		total += exchange_feed(&exchange, options, request + i, 1, reply + total);
		ck_assert_int_eq(exchange_error(&exchange), 0);
		if (moving)
			move(&exchange, options);
	}
	total += exchange_finish(&exchange, options, reply + total);
	ck_assert_int_eq(exchange_error(&exchange), 0);
	exchange_reset(&exchange);
	return total;
}

START_TEST(moves_between_any_bytes)
{
	static const struct {
		enum framing framing;
		const char *request;
		size_t length;
	} rows[] = {
		{FRAMING_STREAM, "stra\xc3\x9f\xe2\x80\xef\xac\x81\xf0\x90\x90\xa8\xce", 17},
		{FRAMING_LINE, "one\n\ntw\xc3\xb6\nno newline\xce", 21},
		{FRAMING_LENGTH, "\0\0\0\3abc\0\0\0\0\0\0\0\2\xc3\x9f", 17},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exchange_options options = {
			.service = &service,
			.framing = rows[i].framing,
			.message_max = 100,
		};
		char still[256], moved[256];
		size_t length = converse(&options, rows[i].request, rows[i].length, false, out);

		ck_assert_uint_le(length, sizeof(still));
		memcpy(still, out, length);
		ck_assert_uint_eq(converse(&options, rows[i].request, rows[i].length, true, out),
				  length);
		memcpy(moved, out, length);
		ck_assert_mem_eq(moved, still, length);
	}
}
END_TEST

START_TEST(knows_a_fresh_one)
{
	struct exchange_options options = {.service = &service, .message_max = 100};
	struct exchange exchange = {0};

	ck_assert(exchange_state_is_fresh(&exchange));
	(void)exchange_feed(&exchange, &options, "abc", 3, out);
	ck_assert(exchange_state_is_fresh(&exchange));
	(void)exchange_feed(&exchange, &options, "\xce", 1, out);
	ck_assert(!exchange_state_is_fresh(&exchange));
	exchange_reset(&exchange);
	options.framing = FRAMING_LINE;
	(void)exchange_feed(&exchange, &options, "abc", 3, out);
	ck_assert(!exchange_state_is_fresh(&exchange));
	exchange_reset(&exchange);
	exchange.done = true;
	ck_assert(!exchange_state_is_fresh(&exchange));
}
END_TEST

START_TEST(keeps_that_it_is_done)
{
	struct exchange_options options = {.service = &service, .message_max = 100, .once = true};
	struct exchange exchange = {0};

	(void)exchange_feed(&exchange, &options, "abc", 3, out);
	ck_assert(exchange_is_done(&exchange));
	move(&exchange, &options);
	ck_assert(exchange_is_done(&exchange));
	exchange_reset(&exchange);
}
END_TEST

#define HEAD 9

START_TEST(refuses_what_is_none)
{
	static const struct {
		enum framing framing;
		const char *bytes;
		size_t length;
	} rows[] = {
		{FRAMING_STREAM, "", 0},
		{FRAMING_STREAM, "\0\0\0\0\0\0\0\0", 8},
		/* done is a flag */
		{FRAMING_STREAM, "\0\0\0\0\0\0\0\0\2", HEAD},
		/* three bytes may be pending at most, and only the beginning of a sequence */
		{FRAMING_STREAM, "\xf0\x90\x90\xff\0\0\0\0\0", HEAD},
		{FRAMING_STREAM, "abc\1\0\0\0\0\0", HEAD},
		{FRAMING_STREAM, "\xce\x90\0\2\0\0\0\0\0", HEAD},
		/* a stream holds nothing; a line not a whole one, and no longer than allowed */
		{FRAMING_STREAM, "\0\0\0\0\0\0\0\0\0a", HEAD + 1},
		{FRAMING_LINE, "\0\0\0\0\0\0\0\0\0a\n", HEAD + 2},
		{FRAMING_LINE, "\0\0\0\0\0\0\0\0\0a\nb", HEAD + 3},
		{FRAMING_LINE, "\0\0\0\0\0\0\0\0\0abcdefghijk", HEAD + 11},
		/* nor a whole message with its header, nor the header of one that is too long */
		{FRAMING_LENGTH, "\0\0\0\0\0\0\0\0\0\0\0\0\1a", HEAD + 5},
		{FRAMING_LENGTH, "\0\0\0\0\0\0\0\0\0\0\0\0\13a", HEAD + 5},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exchange_options options = {
			.service = &service,
			.framing = rows[i].framing,
			.message_max = 10,
		};
		struct exchange untouched = {.held_length = 77};

		ck_assert_msg(exchange_state_read(&options, rows[i].bytes, rows[i].length, scratch,
						  &untouched) == -EBADMSG,
			      "row %zu was taken", i);
		ck_assert_uint_eq(untouched.held_length, 77);
	}
}
END_TEST

/* Its answer would not fit where those of one piece do. */
START_TEST(looks_at_no_more_than_can_be_held)
{
	const struct exchange_options options = {
		.service = &service,
		.framing = FRAMING_LINE,
		.message_max = 10,
	};
	char bytes[HEAD + 15] = {0}, kept[sizeof(scratch)];
	struct exchange exchange;

	memset(bytes + HEAD, '\n', sizeof(bytes) - HEAD);
	memset(scratch, 'x', sizeof(scratch));
	memcpy(kept, scratch, sizeof(scratch));
	ck_assert_int_eq(exchange_state_read(&options, bytes, sizeof(bytes), scratch, &exchange),
			 -EBADMSG);
	ck_assert_mem_eq(scratch, kept, sizeof(scratch));
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("exchange_state_is_fresh", knows_a_fresh_one),
		UNIT_ONCE("exchange_state_write", moves_between_any_bytes),
		UNIT_ONCE("exchange_state_write", keeps_that_it_is_done),
		UNIT_ONCE("exchange_state_read", refuses_what_is_none),
		UNIT_ONCE("exchange_state_read", looks_at_no_more_than_can_be_held),
		{0},
	};

	return unit_run("exchange-state", rows);
}
