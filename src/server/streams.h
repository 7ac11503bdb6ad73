/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * streams: the welcoming sockets, and the table of the connections that came from them.
 *
 *      welcoming socket ──accept──► limits ──► connection (connection.h) ──► closed, out of the
 * table
 *
 * Several workers may welcome on the same sockets: the kernel wakes one of them for a connection.
 * Not its job: what one connection does, datagrams, and when the daemon ends.
 */

#include "activation/endpoints.h"
#include "exchange/exchange.h"
#include "server/admission.h"
#include "server/loop.h"
#include "server/status.h"

struct connection;

/* What all connections share. */
struct streams {
	struct loop *loop;
	const struct exchange_options *exchange;
	struct status *status;
	struct admission *admission; /* shared with other workers */
	uint64_t idle_timeout;       /* microseconds; PARSE_INFINITY: none */

	char *request; /* owned: STREAMS_READ_SIZE bytes that whoever reads reads into */
	char *reply;   /* owned: the room for their reply */

	struct connection **connections; /* owned, and each entry */
	size_t count, capacity;
	struct listener *listeners; /* owned list */
	bool paused;                /* accepting waits for descriptors or memory */
	uint64_t next_sweep;        /* when streams_sweep() is due, of loop->now's clock */
};

/* Smaller reads cost system calls, larger ones fall out of the cache. */
#define STREAMS_READ_SIZE ((size_t)128 << 10)

/* Makes the shared buffers; the arguments must outlive it. Returns 0 or -ENOMEM. */
int streams_init(struct streams *streams, struct loop *loop,
                 const struct exchange_options *exchange, struct admission *admission,
                 struct status *status);

/* Closes all connections and releases everything but the endpoints' descriptors. */
void streams_free(struct streams *streams);

/* Accepts on a welcoming socket, whose descriptor stays its owner's. Returns 0 or a negative errno.
 */
int streams_welcome(struct streams *streams, int fd);

/* Takes over fd, a connection that somebody else accepted. Returns 0 or a negative errno. */
int streams_take(struct streams *streams, int fd);

/* Accepts no more. */
void streams_stop(struct streams *streams);

/* Accepts again after descriptors or memory had run out. */
void streams_resume(struct streams *streams);

/* Closes connections that were silent for idle_timeout, or lingered too long; to be called once
 * next_sweep is reached. Late by a tenth of a second at most. */
void streams_sweep(struct streams *streams);

/* For connection.c: a connection joins the table (-ENOMEM), or leaves it and is released. */
int streams_join(struct streams *streams, struct connection *connection);
void streams_leave(struct streams *streams, struct connection *connection);

/* For connection.c: a connection is not to be waited for longer than usec from now. */
void streams_expect(struct streams *streams, uint64_t usec);
