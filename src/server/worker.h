/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * worker: everything that serves, once per thread: a loop, its connections, its datagram sockets.
 *
 *      main thread   worker 0: its loop has the signals and the watchdog, too (server.h)
 *      thread 1…     worker 1…: told what to do through an eventfd, tell by calling back
 *
 * Workers share sockets, the limits and nothing else. With one worker there is no thread.
 * Not its job: when to stop, and what the numbers are shown for.
 */

#include <pthread.h>

#include "server/datagrams.h"
#include "server/loop.h"
#include "server/news.h"
#include "server/streams.h"
#include "server/timer.h"

/* What all workers have in common, and the server decides. */
struct worker_options {
	struct exchange_options exchange;
	struct admission *admission;
	struct unsent_limit *unsent_limit;
	struct store *store;
	news_wanted *news;
	struct datagram_limits datagrams;
};

struct worker {
	struct loop loop;
	struct status status;
	struct streams streams;
	struct datagrams *datagrams; /* owned */
	struct timer sweep_timer, resume_timer;
	_Atomic uint64_t last_activity; /* of loop.now's clock */
	uint64_t limits_seen;           /* of status.limited */

	/* Called in the worker's thread when there is news that is wanted, when it was told to
	 * stop, and when its loop has failed. */
	void (*active)(struct worker *worker, void *userdata);
	void *userdata;
	news_wanted *news; /* of all workers */

	pthread_t thread;
	bool has_thread;
	int command_fd; /* owned: an eventfd that wakes it; -1 for worker 0 */
	_Atomic int command;
	atomic_bool has_stopped;     /* it takes nothing new any more, and what it has is counted */
	atomic_uint asked, answered; /* how often whether it is alive, and up to which it was */
	atomic_int failure;          /* what its loop ended with: a negative errno; 0: it did not */
};

/* Makes a worker whose control is sd-event's default loop of the calling thread (is_main), or one
 * of its own. Everything the options name must outlive it. Returns 0 or a negative errno;
 * worker_free() releases it in any case. */
int worker_init(struct worker *worker, const struct worker_options *options, bool is_main);
void worker_free(struct worker *worker);

/* Serves an endpoint, before the worker runs: sockets stay their owner's, a connection is taken
 * over. Returns 0 or a negative errno. */
int worker_serve(struct worker *worker, struct endpoint *endpoint);

/* Goes on with a connection that an earlier process handed over, before the worker runs. As
 * streams_restore(). */
int worker_restore(struct worker *worker, const struct store_entry *entry);

/* Runs a worker that is not the main one in a thread of its own. Returns 0 or a negative errno. */
int worker_start(struct worker *worker);

/* From any thread: take nothing new; then be active() once more, so that it is seen. */
void worker_stop(struct worker *worker);

/* The same, and connections go to the service manager's store (streams_hand_over()). */
void worker_hand_over(struct worker *worker);

/* From any thread, the same each time: has its loop turned since this was asked last? Asks anew, if
 * so. A worker that sleeps is woken for it; the main one is alive where it asks. */
bool worker_is_alive(struct worker *worker);

/* From any thread: end, with whatever is open. Waits for the worker's thread. */
void worker_join(struct worker *worker);
