/* SPDX-License-Identifier: ISC */
#include "exchange/exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/error.h"

/* Where the rest of the request is, and where the rest of the reply goes. */
struct cursor {
	const char *in;
	size_t left;
	char *out;
};

size_t exchange_room(const struct exchange_options *options, size_t length)
{
	const struct service *s = options->service;

	if (options->framing != FRAMING_STREAM)
		length += (size_t)options->message_max + FRAMING_HEADER_SIZE;
	return s->growth * length + s->slack;
}

void exchange_reset(struct exchange *exchange)
{
	free(exchange->held);
	*exchange = (struct exchange){0};
}

/* The reply to one whole message. */
static size_t answer(const struct exchange_options *options, const void *in, size_t length,
		     void *out)
{
	const struct service *s = options->service;
	struct service_state state = {0};
	size_t n = s->feed(&state, in, length, out);

	n += s->finish(&state, (char *)out + n);
	/* As the service promises, or the next message has no room. */
	assert(n < s->growth * (length + 1));
	return n;
}

size_t exchange_datagram(const struct exchange_options *options, const void *in, size_t length,
			 void *out)
{
	return answer(options, in, length, out);
}

/* Allocations are powers of two, so the capacity of what is held need not be remembered. */
static size_t capacity_for(size_t length)
{
	size_t capacity = 64;

	while (capacity < length)
		capacity *= 2;
	return capacity;
}

/* Keeps length bytes of the request until the rest of their message comes. */
static int hold(struct exchange *exchange, struct cursor *cursor, size_t length)
{
	size_t total = exchange->held_length + length;

	if (length == 0)
		return 0;
	if (!exchange->held || capacity_for(total) > capacity_for(exchange->held_length)) {
		char *held = realloc(exchange->held, capacity_for(total));

		if (!held)
			return -ENOMEM;
		exchange->held = held;
	}
	memcpy(exchange->held + exchange->held_length, cursor->in, length);
	exchange->held_length = (uint32_t)total;
	cursor->in += length;
	cursor->left -= length;
	return 0;
}

static void release(struct exchange *exchange)
{
	free(exchange->held);
	exchange->held = NULL;
	exchange->held_length = 0;
}

/*
 * Takes the next length bytes as the rest of a message: *message is all of it, in the request
 * itself where nothing was held. What is held stays so until release().
 */
static int take(struct exchange *exchange, struct cursor *cursor, size_t length,
		const char **message, size_t *message_length)
{
	if (exchange->held_length == 0) {
		*message = cursor->in;
		*message_length = length;
		cursor->in += length;
		cursor->left -= length;
		return 0;
	}

	int r = hold(exchange, cursor, length);

	if (r < 0)
		return r;
	*message = exchange->held;
	*message_length = exchange->held_length;
	return 0;
}

/* One line, newline taken off and put on again. Returns 1, 0 (not all here yet), or an error. */
static int feed_line(struct exchange *exchange, const struct exchange_options *options,
		     struct cursor *cursor)
{
	const char *newline = memchr(cursor->in, '\n', cursor->left);
	size_t rest = newline ? (size_t)(newline - cursor->in) : cursor->left;
	const char *message;
	size_t length;
	int r;

	if (exchange->held_length + rest > options->message_max)
		return -EMSGSIZE;
	if (!newline)
		return hold(exchange, cursor, rest);
	r = take(exchange, cursor, rest, &message, &length);
	if (r < 0)
		return r;
	cursor->in++;
	cursor->left--;
	cursor->out += answer(options, message, length, cursor->out);
	*cursor->out++ = '\n';
	release(exchange);
	return 1;
}

/* Bytes that the message still lacks; where its header is not whole yet, those of the header, which
 * are more than have come. */
static int missing(const struct exchange *exchange, const struct exchange_options *options,
		   const struct cursor *cursor, size_t *ret_missing)
{
	unsigned char header[FRAMING_HEADER_SIZE];
	size_t held = exchange->held_length;
	size_t from_held = held < sizeof(header) ? held : sizeof(header);
	size_t from_in = sizeof(header) - from_held;
	uint32_t length;

	if (from_in > cursor->left) {
		*ret_missing = from_in;
		return 0;
	}
	if (from_held > 0)
		memcpy(header, exchange->held, from_held);
	memcpy(header + from_held, cursor->in, from_in);
	length = framing_read_header(header);
	if (length > options->message_max)
		return -EMSGSIZE;
	*ret_missing = sizeof(header) + length - held;
	return 0;
}

/* One header and its message. Returns as feed_line(). */
static int feed_length(struct exchange *exchange, const struct exchange_options *options,
		       struct cursor *cursor)
{
	const char *message;
	size_t length, needed;
	int r = missing(exchange, options, cursor, &needed);

	if (r < 0)
		return r;
	if (needed > cursor->left)
		return hold(exchange, cursor, cursor->left);
	r = take(exchange, cursor, needed, &message, &length);
	if (r < 0)
		return r;

	size_t reply = answer(options, message + FRAMING_HEADER_SIZE, length - FRAMING_HEADER_SIZE,
			      cursor->out + FRAMING_HEADER_SIZE);

	framing_write_header((unsigned char *)cursor->out, (uint32_t)reply);
	cursor->out += FRAMING_HEADER_SIZE + reply;
	release(exchange);
	return 1;
}

static void fail(struct exchange *exchange, int error)
{
	exchange->error = (int16_t)error;
	exchange->done = true;
}

/* What most conversations have no part in is not inlined: they would pay for its frame. */
#define APART __attribute__((noinline))

/* Message by message, as far as they have come. */
APART static size_t feed_messages(struct exchange *exchange, const struct exchange_options *options,
				  const void *in, size_t length, void *out)
{
	struct cursor cursor = {.in = in, .left = length, .out = out};

	while (cursor.left > 0 && !exchange->done) {
		int r = options->framing == FRAMING_LINE ? feed_line(exchange, options, &cursor)
							 : feed_length(exchange, options, &cursor);

		if (r < 0)
			fail(exchange, r);
		else if (r > 0)
			exchange->done = options->once;
	}
	return (size_t)(cursor.out - (char *)out);
}

/* What one read brought is the message, as the textbook has it. */
APART static size_t feed_once(struct exchange *exchange, const struct exchange_options *options,
			      const void *in, size_t length, void *out)
{
	const struct service *s = options->service;
	size_t n = s->feed(&exchange->state, in, length, out);

	exchange->done = true;
	return n + s->finish(&exchange->state, (char *)out + n);
}

size_t exchange_feed(struct exchange *exchange, const struct exchange_options *options,
		     const void *in, size_t length, void *out)
{
	if (length == 0 || exchange->done)
		return 0;
	if (options->framing != FRAMING_STREAM)
		return feed_messages(exchange, options, in, length, out);
	if (options->once)
		return feed_once(exchange, options, in, length, out);
	return options->service->feed(&exchange->state, in, length, out);
}

size_t exchange_finish(struct exchange *exchange, const struct exchange_options *options, void *out)
{
	size_t n = 0;

	if (exchange->done)
		return 0;
	exchange->done = true;
	if (options->framing == FRAMING_STREAM)
		n = options->service->finish(&exchange->state, out);
	else if (options->framing == FRAMING_LINE && exchange->held_length > 0)
		n = answer(options, exchange->held, exchange->held_length, out);
	else if (exchange->held_length > 0)
		fail(exchange, -EPROTO);
	release(exchange);
	return n;
}
