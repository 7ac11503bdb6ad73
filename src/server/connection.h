/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * connection: one conversation over a connected stream socket.
 *
 *            readable                    not all could be sent
 *   ┌──► READING ──recv, exchange, send──────────────► SENDING ──┐ writable: send the rest
 *   │       │ ▲                                            │     │
 *   │       │ └───────────── all is sent ──────────────────┘◄────┘
 *   │       │ peer's end of input: all is answered ──► closed
 *   │       └ done before that (--once, bad message) ──► LINGERING ──peer's end, or 2 s──► closed
 *   accepted, and read from at once
 *
 * While a reply waits nothing is read: a slow reader holds one bounded buffer (unsent.h) and the
 * sockets' own, and delays nobody. A silent connection has no buffer.
 * Not its job: limits and timers (streams.h).
 */

#include "server/connection-context.h"
#include "server/record.h"

enum connection_state {
	CONNECTION_READING,
	CONNECTION_SENDING,
	CONNECTION_LINGERING,
};

/* 72 bytes, and malloc(3)'s 8: thousands of them may be open and silent. */
struct connection {
	struct loop_source source;
	struct connection_context *context;
	struct exchange exchange;
	struct unsent *unsent;            /* owned; NULL if there is none */
	uint64_t place;                   /* in context->admission */
	struct table_entry entry;         /* in context->connections */
	uint32_t last_progress;           /* milliseconds of loop->now, modulo 2^32 */
	int fd;                           /* owned */
	uint32_t slot : LEDGER_SLOT_BITS; /* in the ledger of context->store; 0: it is not stored */
	enum connection_state state : 2;
	bool input_ended : 1; /* the peer's: nothing can be unread */
	bool is_shared : 1;   /* other descriptors, here or elsewhere, are the same socket */
	bool had_its_one : 1; /* its one message, which is all that --once grants */
	bool is_in_loop : 1;  /* not before what it came with was looked at */
	bool has_record : 1;  /* for the log: there is one behind it */
	struct record record[];
};

/* Why a connection was closed. */
enum connection_end {
	CONNECTION_END_OVER,  /* as its state tells: by the client, or after --once or a bad message
			       */
	CONNECTION_END_RESET, /* by the client */
	CONNECTION_END_IDLE,
	CONNECTION_END_STOPPED, /* the daemon ends */
	CONNECTION_END_HANDED_OVER,
	CONNECTION_END_STATE, /* of an earlier process was damaged */
	CONNECTION_END_MEMORY,
	CONNECTION_END_ERROR, /* the network's */
};

/* How long a connection that we ended waits for the peer's end: a close with unread bytes would be
 * a reset, and take the answer along. */
#define CONNECTION_LINGER_USEC UINT64_C(2000000)

/* Begins a conversation with peer (NULL: whoever the kernel says; somebody else accepted it, and
 * may share it) on fd, a non-blocking connected socket, at a place of context->admission; both are
 * taken over, whatever is returned. What its peer has sent already is answered at once:
 * *ret_connection is NULL if that was all, and it is closed. Returns 0, -ENOMEM, or a negative
 * errno of epoll_ctl(2). */
int connection_begin(struct connection_context *context, int fd, const struct address *peer,
		     uint64_t place, struct connection **ret_connection);

/* Has a connection that was just begun go on in the middle: of an exchange, of sending unsent (NULL
 * if nothing is), in a state. Both are taken over; its silence began just now, too. Returns 0 or a
 * negative errno of epoll_ctl(2). */
int connection_resume(struct connection *connection, const struct exchange *exchange,
		      struct unsent *unsent, enum connection_state state, bool input_ended);

/* It is in the store, at this slot of its ledger (0: of no ledger): somebody else has the same
 * socket. */
void connection_share(struct connection *connection, uint32_t slot);

/* True if it is in the middle of nothing: all that was read is answered, and all of that is sent.
 */
bool connection_is_at_rest(const struct connection *connection);

/* Closes it at once and releases it; as connection_cut() if part of an answer was not sent. */
void connection_close(struct connection *connection, enum connection_end why);

/* The same where part of an answer is missing: by a reset, since that is not to look like its end
 * (over AF_UNIX there is none). Whoever shares the socket puts it off for as long as he keeps it.
 */
void connection_cut(struct connection *connection, enum connection_end why);

/* Releases it and leaves the socket to whoever shares it: the peer sees nothing. */
void connection_let_go(struct connection *connection);

/* Microseconds since it got on, or since it began to linger. A message that begins, or becomes
 * whole, is progress, and so are bytes of a reply that waited, once the peer takes them; more bytes
 * of a message that stays unfinished are none, or it could drip in for ever. */
uint64_t connection_silence(const struct connection *connection);

/* The i-th connection of the table. */
static inline struct connection *connection_at(const struct connection_context *context, size_t i)
{
	return (struct connection *)((char *)context->connections.entries[i] -
				     offsetof(struct connection, entry));
}
