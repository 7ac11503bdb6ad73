/* SPDX-License-Identifier: ISC */
#include "server/streams.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/connection.h"
#include "util/error.h"
#include "util/parse.h"

/* Connections accepted before the others have their turn. */
#define ACCEPTS_PER_ROUND 16

/* Walking a table of many has its price: it is not done more often than this. */
#define SWEEP_EVERY_USEC UINT64_C(100000)

struct listener {
	struct loop_source source;
	struct streams *streams;
	struct listener *next;
	int fd;
};

int streams_init(struct streams *streams, struct loop *loop,
                 const struct exchange_options *exchange, struct status *status)
{
	*streams = (struct streams){
	        .loop = loop,
	        .exchange = exchange,
	        .status = status,
	        .connections_max = SIZE_MAX,
	        .connections_max_per_source = SIZE_MAX,
	        .idle_timeout = PARSE_INFINITY,
	        .request = malloc(STREAMS_READ_SIZE),
	        .reply = malloc(exchange_room(exchange, STREAMS_READ_SIZE)),
	};
	return streams->request && streams->reply ? 0 : -ENOMEM;
}

void streams_free(struct streams *streams)
{
	while (streams->count > 0)
		connection_close(streams->connections[streams->count - 1]);
	while (streams->listeners) {
		struct listener *next = streams->listeners->next;

		free(streams->listeners);
		streams->listeners = next;
	}
	sources_free(&streams->sources);
	free(streams->connections);
	free(streams->request);
	free(streams->reply);
	*streams = (struct streams){0};
}

int streams_join(struct streams *streams, struct connection *connection)
{
	if (streams->count == streams->capacity) {
		size_t capacity = streams->capacity ? 2 * streams->capacity : 64;
		struct connection **grown =
		        reallocarray(streams->connections, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		streams->connections = grown;
		streams->capacity = capacity;
	}
	connection->index = (uint32_t)streams->count;
	streams->connections[streams->count++] = connection;
	streams->status->connections_open++;
	streams->status->connections_served++;
	streams_expect(streams, streams->idle_timeout);
	return 0;
}

void streams_leave(struct streams *streams, struct connection *connection)
{
	struct connection *last = streams->connections[--streams->count];

	last->index = connection->index;
	streams->connections[last->index] = last;
	streams->status->connections_open--;
	if (connection->is_counted)
		sources_leave(&streams->sources, connection->source_address);
	free(connection);
	/* There is a descriptor again. */
	streams_resume(streams);
}

static void watch_listeners(struct streams *streams, uint32_t events)
{
	for (struct listener *l = streams->listeners; l; l = l->next)
		(void)loop_change(streams->loop, l->fd, events, &l->source);
}

/* What can't be accepted now waits in the backlog; asking again at once would be spinning. */
static void pause_accepting(struct streams *streams)
{
	streams->paused = true;
	watch_listeners(streams, 0);
}

void streams_resume(struct streams *streams)
{
	if (!streams->paused)
		return;
	streams->paused = false;
	watch_listeners(streams, EPOLLIN);
}

static void admit(struct streams *streams, int fd, const struct address *peer)
{
	int r;

	if (streams->count >= streams->connections_max) {
		status_refuse_connection(streams->status, REFUSAL_CONNECTIONS_MAX);
		(void)close(fd);
		return;
	}
	r = connection_begin(streams, fd, peer);
	if (r < 0)
		status_refuse_connection(streams->status,
		                         r == -EUSERS ? REFUSAL_PER_SOURCE : REFUSAL_MEMORY);
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct listener *listener = (struct listener *)source;
	struct streams *streams = listener->streams;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
		struct address peer = {.length = sizeof(peer.storage)};
		int fd = accept4(listener->fd, &peer.any, &peer.length,
		                 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			admit(streams, fd, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(streams);
		/* Anything else concerns this one connection: it is gone before we came
		 * (accept(2)). */
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static int listen_on(struct streams *streams, int fd)
{
	struct listener *listener = malloc(sizeof(*listener));

	if (!listener)
		return -ENOMEM;
	*listener = (struct listener){
	        .source = {listener_ready},
	        .streams = streams,
	        .next = streams->listeners,
	        .fd = fd,
	};
	streams->listeners = listener;
	return loop_add(streams->loop, fd, EPOLLIN, &listener->source);
}

int streams_serve(struct streams *streams, struct endpoint *endpoint)
{
	int fd = endpoint->fd;

	if (endpoint->kind == ENDPOINT_LISTENING)
		return listen_on(streams, fd);
	endpoint->fd = -1;
	return connection_begin(streams, fd, NULL);
}

void streams_stop(struct streams *streams)
{
	for (const struct listener *l = streams->listeners; l; l = l->next)
		loop_remove(streams->loop, l->fd);
	streams->paused = false;
}

/* Microseconds of silence that a connection is granted. */
static uint64_t patience(const struct streams *streams, const struct connection *connection)
{
	return connection->state == CONNECTION_LINGERING ? CONNECTION_LINGER_USEC
	                                                 : streams->idle_timeout;
}

void streams_expect(struct streams *streams, uint64_t usec)
{
	if (usec < streams->next_sweep - streams->loop->now)
		streams->next_sweep = streams->loop->now + usec;
}

void streams_sweep(struct streams *streams)
{
	streams->next_sweep = PARSE_INFINITY;
	/* Backwards: one that leaves is replaced by the last, which was looked at already. */
	for (size_t i = streams->count; i-- > 0;) {
		struct connection *connection = streams->connections[i];
		uint64_t granted = patience(streams, connection);
		uint64_t silence = connection_silence(connection);
		uint64_t left = granted - silence;

		if (granted == PARSE_INFINITY)
			continue;
		if (silence >= granted)
			connection_close(connection);
		else
			streams_expect(streams, left > SWEEP_EVERY_USEC ? left : SWEEP_EVERY_USEC);
	}
}
