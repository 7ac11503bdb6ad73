/* SPDX-License-Identifier: ISC */
#include "exchange/exchange-state.h"

#include <string.h>

#include "util/cleanup.h"
#include "util/error.h"

#define HEAD_SIZE (sizeof(struct service_state) + 1)

bool exchange_state_is_fresh(const struct exchange *exchange)
{
	static const struct service_state beginning;

	return memcmp(&exchange->state, &beginning, sizeof(beginning)) == 0 &&
	       exchange->held_length == 0 && !exchange->done;
}

size_t exchange_state_size(const struct exchange *exchange)
{
	return HEAD_SIZE + exchange->held_length;
}

void exchange_state_write(const struct exchange *exchange, void *out)
{
	char *next = out;

	memcpy(next, &exchange->state, sizeof(exchange->state));
	next[sizeof(exchange->state)] = (char)exchange->done;
	if (exchange->held_length > 0)
		memcpy(next + HEAD_SIZE, exchange->held, exchange->held_length);
}

/* What is held is fed again: only the beginning of one message is held without an answer. */
static int read_held(struct exchange *exchange, const struct exchange_options *options,
		     const char *held, size_t length, void *scratch)
{
	size_t reply;

	if (length == 0)
		return 0;
	if (length > (size_t)options->message_max + FRAMING_HEADER_SIZE)
		return -EBADMSG;
	reply = exchange_feed(exchange, options, held, length, scratch);
	if (exchange_error(exchange) == -ENOMEM)
		return -ENOMEM;
	return exchange_error(exchange) < 0 || reply > 0 || exchange->held_length != length
		       ? -EBADMSG
		       : 0;
}

int exchange_state_read(const struct exchange_options *options, const void *in, size_t length,
			void *scratch, struct exchange *ret_exchange)
{
	_cleanup_(exchange_reset) struct exchange exchange = {0};
	const char *bytes = in;
	char done;
	int r;

	if (length < HEAD_SIZE)
		return -EBADMSG;
	done = bytes[sizeof(exchange.state)];
	r = read_held(&exchange, options, bytes + HEAD_SIZE, length - HEAD_SIZE, scratch);
	if (r < 0)
		return r;
	memcpy(&exchange.state, bytes, sizeof(exchange.state));
	if ((done != 0 && done != 1) || !options->service->is_state(&exchange.state))
		return -EBADMSG;
	exchange.done = done;
	*ret_exchange = exchange;
	exchange = (struct exchange){0};
	return 0;
}
