/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * crew: all workers of a daemon: what they share, and which of them serves what.
 *
 *      socket that stands alone        all workers: the kernel wakes one
 *      sockets of one address          spread over the workers (ReusePort=)
 *      a connection                    the first worker
 *      stored connections (store.h)    in turn
 *
 * Not its job: when they begin and end (server.h), what one of them does (worker.h).
 */

#include "server/server-options.h"
#include "server/worker.h"

struct crew {
	struct worker_options common;
	struct admission admission;
	struct unsent_limit unsent_limit;
	news_wanted news;
	struct rate *rate;      /* owned; NULL: no limit */
	struct worker *workers; /* owned; the first is the main thread's */
	unsigned count;
	bool welcomes; /* has a welcoming or a datagram socket, not one conversation */
};

/* Makes as many workers as the options say; active(), with userdata, is theirs (worker.h). What is
 * handed in must outlive them. Returns 0 or a negative errno; crew_free() releases it in any case.
 */
int crew_init(struct crew *crew, const struct server_options *options, struct store *store,
	      void (*active)(struct worker *worker, void *userdata), void *userdata);
void crew_free(struct crew *crew);

/* The loop of the main thread's worker. */
static inline struct loop *crew_main_loop(const struct crew *crew)
{
	return &crew->workers[0].loop;
}

/* Has all endpoints served, before any worker runs. Sockets stay their owner's; connections, and
 * all that was stored, are taken over. Returns 0 or a negative errno. */
int crew_serve(struct crew *crew, struct endpoints *endpoints);

/* Runs all workers but the main thread's. Returns 0 or a negative errno. */
int crew_start(struct crew *crew);

/* From any thread: all take nothing new; and connections go to the service manager's store. */
void crew_stop(struct crew *crew, bool hand_over);

/* From any thread: have all of them stopped? Who was accepted before is counted by then. */
bool crew_has_stopped(const struct crew *crew);

/* Waits for all threads, whatever is open. */
void crew_join(struct crew *crew);

/* From any thread: the figures of all; when any of them was active last, of the loop's clock; a
 * negative errno if the loop of any has failed, else 0. */
void crew_sum_status(const struct crew *crew, struct status *ret_sum);
uint64_t crew_last_activity(const struct crew *crew);
int crew_failure(const struct crew *crew);

/* Has every loop turned since this was asked last (worker_is_alive())? */
bool crew_is_alive(struct crew *crew);
