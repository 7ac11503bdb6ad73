/* SPDX-License-Identifier: ISC */
#include "server/crew.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/socket.h"
#include "util/cleanup.h"
#include "util/error.h"

static int make_limits(struct crew *crew, const struct server_options *options)
{
	admission_init(&crew->admission, options->connections_max,
		       options->connections_max_per_source);
	unsent_limit_init(&crew->unsent_limit, options->unsent_max, options->workers,
			  exchange_room(&options->exchange, CONNECTION_READ_SIZE) -
				  exchange_room(&options->exchange, CONNECTION_READ_SIZE_LEAST));
	return options->datagram_rate > 0 ? rate_new(options->datagram_rate, &crew->rate) : 0;
}

int crew_init(struct crew *crew, const struct server_options *options, struct store *store,
	      void (*active)(struct worker *worker, void *userdata), void *userdata)
{
	int r;

	*crew = (struct crew){.count = 0};
	r = make_limits(crew, options);
	if (r < 0)
		return r;
	crew->common = (struct worker_options){
		.exchange = options->exchange,
		.admission = &crew->admission,
		.unsent_limit = &crew->unsent_limit,
		.store = store,
		.news = &crew->news,
		.datagrams = {crew->rate, !options->datagram_rate_is_set, &store->notify->manager},
	};
	crew->workers = calloc(options->workers, sizeof(*crew->workers));
	if (!crew->workers)
		return -ENOMEM;
	while (crew->count < options->workers && r >= 0) {
		struct worker *worker = &crew->workers[crew->count];

		r = worker_init(worker, &crew->common, crew->count == 0);
		worker->active = active;
		worker->userdata = userdata;
		crew->count++;
	}
	return r;
}

void crew_free(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		worker_free(&crew->workers[i]);
	free(crew->workers);
	rate_free(crew->rate);
	admission_free(&crew->admission);
	*crew = (struct crew){.count = 0};
}

/* Sockets of one address (ReusePort=) are spread by the kernel, a worker's worth each; one that
 * stands alone is shared by all workers. Returns which of its twins it is; *ret_twins counts them
 * all. */
static unsigned rank_among_twins(const struct endpoints *endpoints, size_t i, unsigned *ret_twins)
{
	struct address own, other;
	unsigned rank = 0, twins = 0;

	if (socket_get_name(endpoints->items[i].fd, &own) < 0)
		own.length = 0;
	for (size_t j = 0; j < endpoints->count; j++) {
		bool is_twin = j == i || (endpoints->items[j].kind == endpoints->items[i].kind &&
					  socket_get_name(endpoints->items[j].fd, &other) >= 0 &&
					  address_is_same(&other, &own));

		rank += is_twin && j < i;
		twins += is_twin;
	}
	*ret_twins = twins;
	return rank;
}

static enum refusal why_lost(int error)
{
	switch (error) {
	case -EBADMSG:
	case -EOWNERDEAD:
		return REFUSAL_STATE;
	case -EUSERS:
		return REFUSAL_CONNECTIONS_MAX;
	case -EDQUOT:
		return REFUSAL_PER_SOURCE;
	default:
		return REFUSAL_MEMORY;
	}
}

/* A connection that the process before us had: none is an error of ours. */
static void restore(struct crew *crew, struct endpoints *endpoints, size_t i)
{
	struct worker *worker = &crew->workers[i % crew->count];
	struct store_entry entry = {.slot = 0};
	int r = store_find(crew->common.store, endpoints, i, &entry);

	if (r == -ENOENT)
		return;
	if (r >= 0) {
		endpoints->items[i].fd = -1;
		r = worker_restore(worker, &entry);
	} else {
		/* Part of an answer may be missing: this is not to look like its end. */
		socket_end_by_reset(endpoints->items[i].fd);
	}
	if (r < 0)
		status_refuse_connection(&worker->status, why_lost(r));
}

/* What was stored is ours now, or nobody's. */
static void close_stored(struct crew *crew, struct endpoints *endpoints)
{
	store_settle(crew->common.store);
	for (size_t i = 0; i < endpoints->count; i++)
		if (endpoints->items[i].kind == ENDPOINT_STORED) {
			cleanup_close(&endpoints->items[i].fd);
			endpoints->items[i].fd = -1;
		}
}

static int serve_endpoint(struct crew *crew, struct endpoints *endpoints, size_t i)
{
	struct endpoint *endpoint = &endpoints->items[i];
	unsigned twins, rank;
	int r = 0;

	if (endpoint->kind == ENDPOINT_STORED) {
		restore(crew, endpoints, i);
		return 0;
	}
	if (endpoint->kind == ENDPOINT_CONNECTED)
		return worker_serve(&crew->workers[0], endpoint);
	crew->welcomes = true;
	rank = rank_among_twins(endpoints, i, &twins);
	if (twins > 1)
		return worker_serve(&crew->workers[rank % crew->count], endpoint);
	for (unsigned w = 0; w < crew->count && r >= 0; w++)
		r = worker_serve(&crew->workers[w], endpoint);
	return r;
}

int crew_serve(struct crew *crew, struct endpoints *endpoints)
{
	int r = 0;

	for (size_t i = 0; i < endpoints->count && r >= 0; i++)
		r = serve_endpoint(crew, endpoints, i);
	close_stored(crew, endpoints);
	return r;
}

int crew_start(struct crew *crew)
{
	int r = 0;

	for (unsigned i = 1; i < crew->count && r >= 0; i++)
		r = worker_start(&crew->workers[i]);
	return r;
}

void crew_stop(struct crew *crew, bool hand_over)
{
	for (unsigned i = 0; i < crew->count; i++)
		if (hand_over)
			worker_hand_over(&crew->workers[i]);
		else
			worker_stop(&crew->workers[i]);
}

bool crew_has_stopped(const struct crew *crew)
{
	bool all = true;

	for (unsigned i = 0; i < crew->count; i++)
		all &= crew->workers[i].has_stopped;
	return all;
}

void crew_join(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		worker_join(&crew->workers[i]);
}

void crew_sum_status(const struct crew *crew, struct status *ret_sum)
{
	memset((void *)ret_sum, 0, sizeof(*ret_sum));
	for (unsigned i = 0; i < crew->count; i++)
		status_add(ret_sum, &crew->workers[i].status);
}

uint64_t crew_last_activity(const struct crew *crew)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < crew->count; i++)
		if (crew->workers[i].last_activity > last)
			last = crew->workers[i].last_activity;
	return last;
}

int crew_failure(const struct crew *crew)
{
	int failure = 0;

	for (unsigned i = 0; i < crew->count && failure == 0; i++)
		failure = crew->workers[i].failure;
	return failure;
}

bool crew_is_alive(struct crew *crew)
{
	bool all = true;

	for (unsigned i = 0; i < crew->count; i++)
		all &= worker_is_alive(&crew->workers[i]);
	return all;
}
