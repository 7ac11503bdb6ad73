/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * connection-context: what all connections of a worker share: the loop, the limits, the buffers
 * that whoever reads and answers uses, and the table of them all.
 *
 * streams.h makes and releases it; connection.h works in it.
 */

#include "exchange/exchange.h"
#include "server/admission.h"
#include "server/loop.h"
#include "server/status.h"
#include "server/store.h"
#include "server/table.h"
#include "server/unsent.h"
#include "util/parse.h"

/* Smaller reads cost system calls, larger ones fall out of the cache. A reply of about this length
 * fills three of the largest segments that loopback carries (65,464 bytes over IPv6): with a power
 * of two a sliver would go in a packet of its own behind the full ones. */
#define CONNECTION_READ_SIZE ((size_t)190 << 10)

/* Near the limit of what is unsent. Thousands of clients that take nothing have such an answer each
 * then, and everybody else is served by more system calls. */
#define CONNECTION_READ_SIZE_LEAST ((size_t)4 << 10)

struct connection_context {
	struct loop *loop;
	const struct exchange_options *exchange;
	struct status *status;
	struct admission *admission;       /* shared with other workers */
	struct unsent_limit *unsent_limit; /* the same */
	struct store *store;               /* the same; NULL: none is ever stored */

	char *request; /* owned: CONNECTION_READ_SIZE bytes */
	char *reply;   /* owned: the room for their reply, and for that to the end of input */

	struct table connections; /* of struct connection's entry */
	uint64_t next_sweep;      /* when a connection may be due, of loop->now's clock */

	/* Called when a connection has gone: there is a descriptor, and memory. */
	void (*closed)(void *userdata);
	void *userdata;
};

/* A connection is not to be waited for longer than usec from now. One that is overdue stays so. */
static inline void connection_context_expect(struct connection_context *context, uint64_t usec)
{
	uint64_t due = context->loop->now + usec;

	if (usec != PARSE_INFINITY && due < context->next_sweep)
		context->next_sweep = due;
}
