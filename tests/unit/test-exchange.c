/* SPDX-License-Identifier: ISC */

/*
 * Tests of exchange/exchange.h, with a small service that shows what the exchange does to it:
 *
 *    "ab"  "cd"  "e"  end           every two bytes change places; an odd last one waits for the
 *     ba    dc         e!           end, which adds "!": "abcde" is answered with "badce!"
 *
 * Whatever a service may overwrite it does overwrite, and every buffer has exactly the size that
 * exchange_room() says: the sanitizers and valgrind see a byte too many.
 */

#include "exchange/exchange.h"

#include <string.h>

#include "unit.h"
#include "util/error.h"

#define GROWTH 2
#define SLACK  5

static size_t swap_feed(struct service_state *state, const void *in, size_t length, void *out)
{
	unsigned char *pending = state->bytes, *has = state->bytes + 1;
	unsigned char *end = out;

	memset(out, 0xaa, GROWTH * length + SLACK);
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = ((const unsigned char *)in)[i];

		if (*has) {
			*end++ = byte;
			*end++ = *pending;
		}
		*pending = byte;
		*has = !*has;
	}
	return (size_t)(end - (unsigned char *)out);
}

static size_t swap_finish(struct service_state *state, void *out)
{
	unsigned char *end = out;

	memset(out, 0xbb, SLACK);
	if (state->bytes[1])
		*end++ = state->bytes[0];
	*end++ = '!';
	*state = (struct service_state){0};
	return (size_t)(end - (unsigned char *)out);
}

static const struct service swap = {
	.name = "swap",
	.growth = GROWTH,
	.slack = SLACK,
	.feed = swap_feed,
	.finish = swap_finish,
};

/* Bytes with their number: what was asked, what came back. */
struct text {
	size_t length;
	unsigned char bytes[4096];
};

static void append(struct text *text, const void *bytes, size_t length)
{
	ck_assert_uint_le(text->length + length, sizeof(text->bytes));
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

#define APPEND(text, literal) append(text, literal, sizeof(literal) - 1)

static void check_text(const struct text *text, const void *bytes, size_t length)
{
	ck_assert_uint_eq(text->length, length);
	ck_assert_mem_eq(text->bytes, bytes, length);
}

#define CHECK_TEXT(text, literal) check_text(text, literal, sizeof(literal) - 1)

/* Feeds a copy of the bytes, in and out in buffers of exactly their size; appends the reply. */
static int feed(struct exchange *exchange, const struct exchange_options *options, const void *in,
		size_t length, struct text *reply)
{
	unsigned char *copy = malloc(length > 0 ? length : 1);
	unsigned char *out = malloc(exchange_room(options, length));

	ck_assert(copy && out);
	memcpy(copy, in, length);
	append(reply, out, exchange_feed(exchange, options, copy, length, out));
	free(copy);
	free(out);
	return exchange_error(exchange);
}

#define FEED(exchange, options, literal, reply)                                                    \
	feed(exchange, options, literal, sizeof(literal) - 1, reply)

static int finish(struct exchange *exchange, const struct exchange_options *options,
		  struct text *reply)
{
	unsigned char *out = malloc(exchange_room(options, 0));

	ck_assert_ptr_nonnull(out);
	append(reply, out, exchange_finish(exchange, options, out));
	free(out);
	ck_assert(exchange_is_done(exchange));
	return exchange_error(exchange);
}

static struct exchange_options options_for(enum framing framing)
{
	return (struct exchange_options){.service = &swap, .framing = framing, .message_max = 8};
}

/* A conversation: its request, and after how many bytes of it which reply must have been written.
 */
struct script {
	struct exchange_options options;
	struct text request, reply;
	size_t due[4096]; /* by bytes of the request: bytes of the reply */
};

/* Adds bytes to the request, and to the reply what must have come as soon as they have. */
static void add(struct script *script, const void *request, size_t request_length,
		const void *reply, size_t reply_length)
{
	for (size_t i = 0; i < request_length; i++)
		script->due[script->request.length + i] = script->reply.length;
	append(&script->request, request, request_length);
	append(&script->reply, reply, reply_length);
	script->due[script->request.length] = script->reply.length;
}

#define ADD(script, request, reply)                                                                \
	add(script, request, sizeof(request) - 1, reply, sizeof(reply) - 1)

/* The request in pieces that end at the cuts: the reply is the same, and none of it comes late. */
static void play(const struct script *script, const size_t *cuts, size_t count)
{
	struct exchange exchange = {0};
	struct text reply = {0};
	size_t from = 0;

	for (size_t i = 0; i <= count; i++) {
		size_t to = i < count ? cuts[i] : script->request.length;

		ck_assert_int_eq(feed(&exchange, &script->options, script->request.bytes + from,
				      to - from, &reply),
				 0);
		ck_assert_uint_eq(reply.length, script->due[to]);
		ck_assert(!exchange_is_done(&exchange));
		from = to;
	}
	ck_assert_int_eq(finish(&exchange, &script->options, &reply), 0);
	check_text(&reply, script->reply.bytes, script->reply.length);
	ck_assert_ptr_null(exchange.held);
	exchange_reset(&exchange);
}

/* Whole, in two pieces, in three, and in single bytes. */
static void play_every_cut(const struct script *script)
{
	size_t length = script->request.length, single[256];

	ck_assert_uint_lt(length, sizeof(single) / sizeof(single[0]));
	play(script, NULL, 0);
	for (size_t i = 0; i <= length; i++)
		for (size_t j = i; j <= length; j++)
			play(script, (const size_t[]){i, j}, 2);
	for (size_t i = 0; i < length; i++)
		single[i] = i;
	play(script, single, length);
}

START_TEST(answers_streams)
{
	struct script script = {.options = options_for(FRAMING_STREAM)};

	/* Longer than message_max, which is nothing to a stream. */
	ADD(&script, "a", "");
	ADD(&script, "b", "ba");
	ADD(&script, "\n", "");
	ADD(&script, "\n", "\n\n");
	ADD(&script, "c", "");
	ADD(&script, "\0", "\0c");
	ADD(&script, "d", "");
	ADD(&script, "e", "ed");
	ADD(&script, "f", "");
	ADD(&script, "g", "gf");
	ADD(&script, "h", "");
	append(&script.reply, "h!", 2);
	play_every_cut(&script);
}
END_TEST

START_TEST(answers_lines)
{
	struct script script = {.options = options_for(FRAMING_LINE)};

	ADD(&script, "ab\n", "ba!\n");
	ADD(&script, "\n", "!\n");
	ADD(&script, "\n", "!\n");
	ADD(&script, "abc\n", "bac!\n");
	ADD(&script, "\0\r\n", "\r\0!\n");
	ADD(&script, "12345678\n", "21436587!\n");
	ADD(&script, "1234567\n", "2143657!\n");
	play_every_cut(&script);

	/* A last line without its newline is answered at the end, without one. */
	ADD(&script, "xyz", "");
	append(&script.reply, "yxz!", 4);
	play_every_cut(&script);
}
END_TEST

START_TEST(answers_messages_with_a_length)
{
	struct script script = {.options = options_for(FRAMING_LENGTH)};

	ADD(&script, "\0\0\0\2ab", "\0\0\0\3ba!");
	ADD(&script, "\0\0\0\0", "\0\0\0\1!");
	ADD(&script, "\0\0\0\0", "\0\0\0\1!");
	ADD(&script, "\0\0\0\3\0\0\n", "\0\0\0\4\0\0\n!");
	ADD(&script,
	    "\0\0\0\10"
	    "12345678",
	    "\0\0\0\11"
	    "21436587!");
	play_every_cut(&script);
}
END_TEST

START_TEST(answers_nothing_with_nothing)
{
	static const enum framing framings[] = {FRAMING_LINE, FRAMING_LENGTH};
	struct exchange_options options = options_for(framings[_i]);
	struct exchange exchange = {0};
	struct text reply = {0};

	ck_assert_int_eq(FEED(&exchange, &options, "", &reply), 0);
	ck_assert(!exchange_is_done(&exchange));
	ck_assert_int_eq(finish(&exchange, &options, &reply), 0);
	ck_assert_uint_eq(reply.length, 0);
}
END_TEST

/* The input ends at every position: only between messages is that no error. */
START_TEST(misses_the_rest_of_a_message)
{
	static const unsigned char request[] = "\0\0\0\2ab\0\0\0\0\0\0\0\3cde";
	static const size_t ends[] = {0, 6, 10, 17};
	static const size_t replies[] = {0, 7, 12, 20};
	struct exchange_options options = options_for(FRAMING_LENGTH);

	for (size_t length = 0; length < sizeof(request); length++) {
		struct exchange exchange = {0};
		struct text reply = {0};
		size_t whole = 0;

		while (whole + 1 < 4 && ends[whole + 1] <= length)
			whole++;
		ck_assert_int_eq(feed(&exchange, &options, request, length, &reply), 0);
		ck_assert_int_eq(finish(&exchange, &options, &reply),
				 ends[whole] == length ? 0 : -EPROTO);
		ck_assert_uint_eq(reply.length, replies[whole]);
		ck_assert_ptr_null(exchange.held);
		exchange_reset(&exchange);
	}
}
END_TEST

/* What is too long, and the fewest bytes of it that show it. */
static const struct {
	enum framing framing;
	size_t length, shows;
	const char *request;
} long_messages[] = {
	{FRAMING_LINE, 10, 9, "123456789\n"},
	{FRAMING_LINE, 9, 9, "123456789"},
	{FRAMING_LINE, 20, 9, "1234567890123456789\n"},
	{FRAMING_LENGTH, 4, 4, "\0\0\0\11"},
	{FRAMING_LENGTH, 13, 4,
	 "\0\0\0\11"
	 "123456789"},
	{FRAMING_LENGTH, 5, 4, "\0\0\1\0a"},
	{FRAMING_LENGTH, 5, 4, "\1\0\0\0a"},
	{FRAMING_LENGTH, 5, 4, "\377\377\377\377a"},
};

/* Good messages first, whose answers are kept; then a long one, cut anywhere. */
START_TEST(refuses_long_messages)
{
	struct exchange_options options = options_for(long_messages[_i].framing);
	struct text request = {0}, good = {0};
	size_t shows;

	if (options.framing == FRAMING_LINE) {
		APPEND(&request, "ab\ncd\n");
		APPEND(&good, "ba!\ndc!\n");
	} else {
		APPEND(&request, "\0\0\0\2ab\0\0\0\2cd");
		APPEND(&good, "\0\0\0\3ba!\0\0\0\3dc!");
	}
	shows = request.length + long_messages[_i].shows;
	append(&request, long_messages[_i].request, long_messages[_i].length);

	for (size_t cut = 0; cut <= request.length; cut++) {
		struct exchange exchange = {0};
		struct text reply = {0};
		int r = feed(&exchange, &options, request.bytes, cut, &reply);

		ck_assert_int_eq(r, cut < shows ? 0 : -EMSGSIZE);
		ck_assert_int_eq(exchange_is_done(&exchange), cut >= shows);
		r = feed(&exchange, &options, request.bytes + cut, request.length - cut, &reply);
		ck_assert_int_eq(r, -EMSGSIZE);
		ck_assert(exchange_is_done(&exchange));

		/* Nothing more comes of it, and nothing is kept. */
		ck_assert_int_eq(FEED(&exchange, &options, "ab\n", &reply), -EMSGSIZE);
		ck_assert_int_eq(finish(&exchange, &options, &reply), -EMSGSIZE);
		check_text(&reply, good.bytes, good.length);
		exchange_reset(&exchange);
		ck_assert_ptr_null(exchange.held);
	}
}
END_TEST

START_TEST(answers_one_line_once)
{
	struct exchange_options options = options_for(FRAMING_LINE);
	struct exchange exchange = {0};
	struct text reply = {0};

	options.once = true;
	ck_assert_int_eq(FEED(&exchange, &options, "a", &reply), 0);
	ck_assert(!exchange_is_done(&exchange));
	ck_assert_int_eq(FEED(&exchange, &options, "b\ncd\n", &reply), 0);
	ck_assert(exchange_is_done(&exchange));
	ck_assert_int_eq(FEED(&exchange, &options, "ef\n", &reply), 0);
	ck_assert_int_eq(finish(&exchange, &options, &reply), 0);
	CHECK_TEXT(&reply, "ba!\n");
	ck_assert_ptr_null(exchange.held);

	/* The end ends a line, too. */
	exchange = (struct exchange){0};
	reply.length = 0;
	ck_assert_int_eq(FEED(&exchange, &options, "ab", &reply), 0);
	ck_assert_int_eq(finish(&exchange, &options, &reply), 0);
	CHECK_TEXT(&reply, "ba!");
}
END_TEST

START_TEST(answers_one_length_once)
{
	struct exchange_options options = options_for(FRAMING_LENGTH);
	struct exchange exchange = {0};
	struct text reply = {0};

	options.once = true;
	ck_assert_int_eq(FEED(&exchange, &options, "\0\0\0", &reply), 0);
	ck_assert(!exchange_is_done(&exchange));
	/* Behind the message stands what would be an error. */
	ck_assert_int_eq(FEED(&exchange, &options, "\2ab\377\377\377\377", &reply), 0);
	ck_assert(exchange_is_done(&exchange));
	ck_assert_int_eq(finish(&exchange, &options, &reply), 0);
	CHECK_TEXT(&reply, "\0\0\0\3ba!");
	ck_assert_ptr_null(exchange.held);
}
END_TEST

START_TEST(answers_one_read_once)
{
	struct exchange_options options = options_for(FRAMING_STREAM);
	struct exchange exchange = {0};
	struct text reply = {0};

	options.once = true;
	/* A read that brought nothing is no message. */
	ck_assert_int_eq(FEED(&exchange, &options, "", &reply), 0);
	ck_assert(!exchange_is_done(&exchange));
	ck_assert_int_eq(FEED(&exchange, &options, "abc", &reply), 0);
	ck_assert(exchange_is_done(&exchange));
	ck_assert_int_eq(FEED(&exchange, &options, "def", &reply), 0);
	ck_assert_int_eq(finish(&exchange, &options, &reply), 0);
	CHECK_TEXT(&reply, "bac!");
}
END_TEST

START_TEST(starts_anew_after_reset)
{
	static const enum framing framings[] = {FRAMING_STREAM, FRAMING_LINE, FRAMING_LENGTH};
	struct exchange_options options = options_for(framings[_i]);
	struct exchange exchange = {0}, zero = {0};
	struct text reply = {0};

	/* An odd byte, a line and a header that are not whole. */
	ck_assert_int_eq(FEED(&exchange, &options, "\0\0\0", &reply), 0);
	exchange_reset(&exchange);
	ck_assert_mem_eq(&exchange.state, &zero.state, sizeof(zero.state));
	ck_assert_ptr_null(exchange.held);
	ck_assert_uint_eq(exchange.held_length, 0);
	ck_assert(!exchange_is_done(&exchange));
	exchange_reset(&exchange);
}
END_TEST

START_TEST(holds_nothing_between_messages)
{
	struct exchange_options options = options_for(FRAMING_LINE);
	struct exchange exchange = {0};
	struct text reply = {0};

	ck_assert_int_eq(FEED(&exchange, &options, "ab\n", &reply), 0);
	ck_assert_ptr_null(exchange.held);
	ck_assert_int_eq(FEED(&exchange, &options, "a", &reply), 0);
	ck_assert_ptr_nonnull(exchange.held);
	ck_assert_int_eq(FEED(&exchange, &options, "b\n", &reply), 0);
	ck_assert_ptr_null(exchange.held);
	CHECK_TEXT(&reply, "ba!\nba!\n");
}
END_TEST

/* A long message grows byte by byte over every capacity that is allocated on the way. */
START_TEST(holds_long_messages)
{
	static const enum framing framings[] = {FRAMING_LINE, FRAMING_LENGTH};
	struct exchange_options options = options_for(framings[_i]);
	struct exchange exchange = {0};
	struct text reply = {0};
	size_t header = framings[_i] == FRAMING_LENGTH ? 4 : 0;

	options.message_max = 1000;
	if (header > 0)
		ck_assert_int_eq(FEED(&exchange, &options, "\0\0\3\350", &reply), 0);
	for (int i = 0; i < 500; i++) {
		ck_assert_int_eq(FEED(&exchange, &options, "a", &reply), 0);
		ck_assert_uint_eq(reply.length, 0);
		ck_assert_int_eq(FEED(&exchange, &options, "b", &reply), 0);
	}
	if (header == 0) {
		ck_assert_uint_eq(reply.length, 0);
		ck_assert_int_eq(FEED(&exchange, &options, "\n", &reply), 0);
	}
	ck_assert_uint_eq(reply.length, 1000 + 1 + (header > 0 ? 4 : 1));
	if (header > 0)
		ck_assert_mem_eq(reply.bytes, "\0\0\3\351", 4);
	for (size_t i = 0; i < 1000; i++)
		ck_assert_int_eq(reply.bytes[header + i], i % 2 ? 'a' : 'b');
	ck_assert_ptr_null(exchange.held);
	ck_assert_int_eq(finish(&exchange, &options, &reply), 0);
}
END_TEST

/* As many messages as there can be in a piece, behind the longest that can be held: the reply's
 * room must do. */
START_TEST(has_room_for_the_most)
{
	static const enum framing framings[] = {FRAMING_LINE, FRAMING_LENGTH};
	struct exchange_options options = options_for(framings[_i]);
	struct exchange exchange = {0};
	struct text request = {0}, reply = {0};

	if (framings[_i] == FRAMING_LINE) {
		ck_assert_int_eq(FEED(&exchange, &options, "12345678", &reply), 0);
		for (int i = 0; i < 500; i++)
			APPEND(&request, "\n");
	} else {
		ck_assert_int_eq(FEED(&exchange, &options, "\0\0\0\0101234567", &reply), 0);
		APPEND(&request, "8");
		for (int i = 0; i < 125; i++)
			APPEND(&request, "\0\0\0\0");
	}
	ck_assert_int_eq(feed(&exchange, &options, request.bytes, request.length, &reply), 0);
	ck_assert_uint_eq(reply.length, framings[_i] == FRAMING_LINE ? 10 + 499 * 2 : 13 + 125 * 5);
	ck_assert_int_eq(finish(&exchange, &options, &reply), 0);
}
END_TEST

START_TEST(answers_datagrams)
{
	static const enum framing framings[] = {FRAMING_STREAM, FRAMING_LINE, FRAMING_LENGTH};
	struct exchange_options options = options_for(framings[_i]);

	/* Whole, whatever stands in it; longer than message_max, which is not for datagrams. */
	for (options.once = false;; options.once = true) {
		unsigned char *out = malloc(exchange_room(&options, 10));

		ck_assert_uint_eq(exchange_datagram(&options, "a\nb\n\0\0\0\1\n", 9, out), 10);
		ck_assert_mem_eq(out, "\na\nb\0\0\1\0\n!", 10);
		ck_assert_uint_eq(exchange_datagram(&options, "", 0, out), 1);
		ck_assert_mem_eq(out, "!", 1);
		free(out);
		if (options.once)
			break;
	}
}
END_TEST

/* The service itself: text cut at every byte, in the framings that cut it up again. */
START_TEST(answers_in_upper_case)
{
	static const enum framing framings[] = {FRAMING_STREAM, FRAMING_LINE};
	struct exchange_options options = options_for(framings[_i]);
	static const char request[] = "stra\303\237e \357\254\201n\n\305\211 \316\220\303";
	static const char answer[] = "STRASSE FIN\n\312\274N \316\231\314\210\314\201\303";

	options.service = &service;
	options.message_max = 64;
	for (size_t cut = 0; cut < sizeof(request); cut++) {
		struct exchange exchange = {0};
		struct text reply = {0};

		ck_assert_int_eq(feed(&exchange, &options, request, cut, &reply), 0);
		ck_assert_int_eq(
			feed(&exchange, &options, request + cut, sizeof(request) - 1 - cut, &reply),
			0);
		/* The unfinished sequence at the end passes unchanged. */
		ck_assert_int_eq(finish(&exchange, &options, &reply), 0);
		CHECK_TEXT(&reply, answer);
	}
}
END_TEST

/* What grows most: every byte of the request becomes three of the reply. */
START_TEST(has_room_for_growth)
{
	static const enum framing framings[] = {FRAMING_STREAM, FRAMING_LINE, FRAMING_LENGTH};
	struct exchange_options options = options_for(framings[_i]);
	struct exchange exchange = {0};
	struct text request = {0}, reply = {0};

	options.service = &service;
	options.message_max = 1200;
	if (framings[_i] == FRAMING_LENGTH)
		APPEND(&request, "\0\0\4\260");
	for (int i = 0; i < 600; i++)
		APPEND(&request, "\316\260");
	if (framings[_i] == FRAMING_LINE)
		APPEND(&request, "\n");
	ck_assert_int_eq(feed(&exchange, &options, request.bytes, request.length, &reply), 0);
	ck_assert_int_eq(finish(&exchange, &options, &reply), 0);
	ck_assert_uint_eq(reply.length, 3600 + (framings[_i] == FRAMING_STREAM ? 0
						: framings[_i] == FRAMING_LINE ? 1
									       : 4));
	if (framings[_i] == FRAMING_LENGTH)
		ck_assert_mem_eq(reply.bytes, "\0\0\16\20", 4);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("exchange_feed", answers_streams),
		UNIT_ONCE("exchange_feed", answers_lines),
		UNIT_ONCE("exchange_feed", answers_messages_with_a_length),
		UNIT_LOOP("exchange_feed", answers_nothing_with_nothing, 0, 2),
		UNIT_LOOP("exchange_feed", refuses_long_messages, 0,
			  sizeof(long_messages) / sizeof(long_messages[0])),
		UNIT_ONCE("exchange_feed", answers_one_line_once),
		UNIT_ONCE("exchange_feed", answers_one_length_once),
		UNIT_ONCE("exchange_feed", answers_one_read_once),
		UNIT_ONCE("exchange_feed", holds_nothing_between_messages),
		UNIT_LOOP("exchange_feed", holds_long_messages, 0, 2),
		UNIT_LOOP("exchange_room", has_room_for_the_most, 0, 2),
		UNIT_ONCE("exchange_finish", misses_the_rest_of_a_message),
		UNIT_LOOP("exchange_reset", starts_anew_after_reset, 0, 3),
		UNIT_LOOP("exchange_datagram", answers_datagrams, 0, 3),
		UNIT_LOOP("uppercase", answers_in_upper_case, 0, 2),
		UNIT_LOOP("uppercase", has_room_for_growth, 0, 3),
		{0},
	};

	return unit_run("exchange", rows);
}
