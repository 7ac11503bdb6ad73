/* SPDX-License-Identifier: ISC */

/* fuzz-exchange: a conversation cut anywhere is answered as the whole one is, within its room. */

#include <string.h>

#include "exchange/exchange-options.h"
#include "fuzz.h"
#include "reference.h"
#include "util/cleanup.h"
#include "util/error.h"

struct session {
	struct exchange exchange;
	struct exchange_options options;
	char reply[1 << 16];
	size_t length;
};

/* Feeds a piece, or the end, with exactly the room that was asked for. */
static void feed(struct session *session, const uint8_t *piece, size_t length, bool end)
{
	_cleanup_free_ char *room = malloc(exchange_room(&session->options, length));
	int error = exchange_error(&session->exchange);
	size_t n;

	REQUIRE(room, "no memory");
	n = end ? exchange_finish(&session->exchange, &session->options, room)
		: exchange_feed(&session->exchange, &session->options, piece, length, room);
	REQUIRE(n <= exchange_room(&session->options, length), "%zu bytes", n);
	REQUIRE(session->length + n <= sizeof(session->reply), "%zu bytes", n);
	REQUIRE(error == 0 || (n == 0 && exchange_error(&session->exchange) == error),
		"goes on after an error");
	memcpy(session->reply + session->length, room, n);
	session->length += n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct session session;
	extern const struct service service;
	struct input input = {bytes, size > 4096 ? 4096 : size};
	unsigned mode = input_byte(&input), cut = input_byte(&input);
	struct conversation whole = {.request = NULL};
	struct reference expected;

	session.options = exchange_options_default(&service);
	session.options.framing = (enum framing)(mode % 3);
	session.options.once = mode & 4;
	session.options.message_max = mode & 8 ? EXCHANGE_MESSAGE_MAX_DEFAULT : mode >> 4;
	session.exchange = (struct exchange){0};
	session.length = 0;

	whole = (struct conversation){.request = input.next, .length = input.left, .ended = true};
	while (input.left > 0) {
		/* A cheap generator: where the cuts are should not cost the input bytes. */
		size_t length = 1 + cut % 17;

		cut = (cut * 5 + 1) % 256;
		if (length > input.left || cut == 77)
			length = input.left;
		if (whole.first_read == 0)
			whole.first_read = length;
		feed(&session, input.next, length, false);
		input.next += length;
		input.left -= length;
	}
	feed(&session, NULL, 0, true);
	REQUIRE(exchange_is_done(&session.exchange), "not over at the end");

	reference_make(&expected, &session.options, &whole);
	REQUIRE(session.length == expected.length &&
			memcmp(session.reply, expected.reply, expected.length) == 0,
		"%zu bytes, not %zu", session.length, expected.length);
	REQUIRE((exchange_error(&session.exchange) < 0) == expected.bad, "error %d",
		exchange_error(&session.exchange));
	exchange_reset(&session.exchange);
	reference_free(&expected);
	return 0;
}
