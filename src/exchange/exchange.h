/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * exchange: one conversation without any I/O: request bytes in, reply bytes out.
 *
 *      feed(bytes) ─► [ framing: whole messages ] ─► service ─► reply bytes
 *                          └─ held: the beginning of a message whose rest has not come
 *
 * The filter, a stream connection and a datagram are three drivers of it. Not its job: descriptors,
 * time, how much is read at once, and what becomes of a reply that can't be sent yet.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange/framing.h"
#include "exchange/service.h"

/* The longest message that framing "line" or "length" holds, in bytes, by default. */
#define EXCHANGE_MESSAGE_MAX_DEFAULT 65536

/* What all conversations of a program have in common. */
struct exchange_options {
	const struct service *service;
	enum framing framing;
	bool once;            /* answer one message, then be done: the textbook's TCPServer */
	uint32_t message_max; /* bytes; a longer message ends the conversation */

	/* Of the driver that has the connection, not looked at here: for how long it may make no
	 * progress, in microseconds; PARSE_INFINITY: for ever. */
	uint64_t idle_timeout;
};

/* One conversation. All zero is its beginning. */
struct exchange {
	struct service_state state;
	char *held; /* owned; NULL while no message is unfinished */
	uint32_t held_length;
	int16_t error; /* see exchange_error() */
	bool done;
};

/* Room in bytes that out must have for feeding length bytes, and for finishing (length 0). */
size_t exchange_room(const struct exchange_options *options, size_t length);

/* Takes the next length bytes of request; writes the reply to out, which does not overlap in.
 * Returns the reply's length: after an error (exchange_error()) what was answered before it is
 * good. */
size_t exchange_feed(struct exchange *exchange, const struct exchange_options *options,
		     const void *in, size_t length, void *out);

/* The end of the request: writes the rest of the reply. A line without its newline is a message;
 * less than a header announced is an error. Otherwise as exchange_feed(). */
size_t exchange_finish(struct exchange *exchange, const struct exchange_options *options,
		       void *out);

/* 0, or what ended the conversation: -EMSGSIZE (a message longer than message_max), -EPROTO (its
 * rest never came), or -ENOMEM. It is done then. */
static inline int exchange_error(const struct exchange *exchange)
{
	return exchange->error;
}

/* True once no more is to be read: all is answered that will be. */
static inline bool exchange_is_done(const struct exchange *exchange)
{
	return exchange->done;
}

/* True if the last length bytes that were fed only made a message longer that had begun before, and
 * is not whole yet. */
static inline bool exchange_is_dripping(const struct exchange *exchange, size_t length)
{
	return exchange->held_length > length;
}

/* Releases what is held. The exchange is as at its beginning afterwards. */
void exchange_reset(struct exchange *exchange);

/* The reply to one datagram: a whole message, whatever the framing. out as above.
 * Returns the reply's length in bytes. */
size_t exchange_datagram(const struct exchange_options *options, const void *in, size_t length,
			 void *out);
