/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * streams: the welcoming sockets, and the connections that came from them as a whole.
 *
 *      welcoming socket ──accept──► admission ──► connection (connection.h)
 *
 * Several workers may welcome on the same sockets: the kernel wakes one of them for a connection.
 * Not its job: what one connection does, datagrams, and when the daemon ends.
 */

#include "activation/endpoints.h"
#include "server/connection-context.h"

struct streams {
	struct connection_context context;
	struct listener *listeners; /* owned list */
	bool paused;                /* accepting waits for descriptors or memory */
	bool is_short;              /* …and nobody was accepted since */
};

/* Makes the shared buffers; the arguments must outlive it. Returns 0 or -ENOMEM. */
int streams_init(struct streams *streams, struct loop *loop,
		 const struct exchange_options *exchange, struct admission *admission,
		 struct unsent_limit *unsent_limit, struct status *status);

/* Closes all connections and releases everything but the endpoints' descriptors. */
void streams_free(struct streams *streams);

/* Accepts on a welcoming socket, whose descriptor stays its owner's. Returns 0 or a negative errno.
 */
int streams_welcome(struct streams *streams, int fd);

/* Takes over fd, a connection that somebody else accepted. Returns 0 or a negative errno. */
int streams_take(struct streams *streams, int fd);

/* Takes over the connection of an entry, and goes on where its state says, which stays its owner's.
 * Returns 0 or a negative errno, -EBADMSG if it is no connection or the state is damaged: it is
 * closed then. */
int streams_restore(struct streams *streams, const struct store_entry *entry);

/* Puts all connections into the service manager's store and closes them here, where their peers do
 * not see it; those that can't be put stay. To be called after streams_stop(). */
void streams_hand_over(struct streams *streams);

/* Accepts no more. */
void streams_stop(struct streams *streams);

/* Accepts again after descriptors or memory had run out; stays paused where there is no memory for
 * that, either. */
void streams_resume(struct streams *streams);

/* Closes connections that were silent for idle_timeout, or lingered too long, and stores those for
 * which the manager had no time; to be called once context.next_sweep is reached. Late by a tenth
 * of a second at most. What waits in a connection's socket is served first: it may have come while
 * the process was stopped, or the machine asleep. */
void streams_sweep(struct streams *streams);
