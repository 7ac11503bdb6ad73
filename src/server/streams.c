/* SPDX-License-Identifier: ISC */
#include "server/streams.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"
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
                 const struct exchange_options *exchange, struct admission *admission,
                 struct status *status)
{
	*streams = (struct streams){
	        .loop = loop,
	        .exchange = exchange,
	        .status = status,
	        .admission = admission,
	        .idle_timeout = PARSE_INFINITY,
	        .next_sweep = PARSE_INFINITY,
	        .request = malloc(STREAMS_READ_SIZE),
	        .reply = malloc(exchange_room(exchange, STREAMS_READ_SIZE)),
	};
	return streams->request && streams->reply ? 0 : -ENOMEM;
}

void streams_free(struct streams *streams)
{
	while (streams->count > 0)
		connection_close(streams->connections[streams->count - 1]);
	streams_stop(streams);
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
	status_count(&streams->status->connections_open, 1);
	streams_expect(streams, streams->idle_timeout);
	return 0;
}

void streams_leave(struct streams *streams, struct connection *connection)
{
	struct connection *last = streams->connections[--streams->count];

	last->index = connection->index;
	streams->connections[last->index] = last;
	status_count(&streams->status->connections_open, UINT64_C(-1));
	admission_leave(streams->admission, connection->place);
	free(connection);
	/* There is a descriptor again. */
	streams_resume(streams);
}

/* An exclusive wait can't be changed (epoll_ctl(2)): it is begun and ended. */
static int begin_accepting(struct listener *listener)
{
	return loop_add(listener->streams->loop, listener->fd, EPOLLIN | EPOLLEXCLUSIVE,
	                &listener->source);
}

static void end_accepting(struct streams *streams)
{
	for (const struct listener *l = streams->listeners; l; l = l->next)
		loop_remove(streams->loop, l->fd);
}

/* What can't be accepted now waits in the backlog; asking again at once would be spinning. */
static void pause_accepting(struct streams *streams)
{
	streams->paused = true;
	end_accepting(streams);
}

void streams_resume(struct streams *streams)
{
	if (!streams->paused)
		return;
	streams->paused = false;
	for (struct listener *l = streams->listeners; l; l = l->next)
		(void)begin_accepting(l);
}

static void admit(struct streams *streams, int fd, const struct address *peer)
{
	uint64_t place;
	int r = admission_enter(streams->admission, peer, &place);

	/* Politely: a close at once, which the peer sees as the end. */
	if (r < 0)
		(void)close(fd);
	else
		r = connection_begin(streams, fd, place);
	if (r == -EUSERS)
		status_refuse_connection(streams->status, REFUSAL_CONNECTIONS_MAX);
	else if (r == -EDQUOT)
		status_refuse_connection(streams->status, REFUSAL_PER_SOURCE);
	else if (r < 0)
		status_refuse_connection(streams->status, REFUSAL_MEMORY);
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
		/* Somebody who shares the socket shut it down (or ss -K): it would be ready for
		 * ever. */
		else if (errno == EINVAL)
			loop_remove(streams->loop, listener->fd);
		/* Anything else concerns this one connection: it is gone before we came
		 * (accept(2)). */
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

int streams_welcome(struct streams *streams, int fd)
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
	socket_send_at_once(fd);
	return begin_accepting(listener);
}

int streams_take(struct streams *streams, int fd)
{
	uint64_t place;
	int r = admission_enter(streams->admission, NULL, &place);

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	socket_send_at_once(fd);
	return connection_begin(streams, fd, place);
}

void streams_stop(struct streams *streams)
{
	if (!streams->paused)
		end_accepting(streams);
	streams->paused = false;
	while (streams->listeners) {
		struct listener *next = streams->listeners->next;

		free(streams->listeners);
		streams->listeners = next;
	}
}

/* Microseconds of silence that a connection is granted. */
static uint64_t patience(const struct streams *streams, const struct connection *connection)
{
	return connection->state == CONNECTION_LINGERING ? CONNECTION_LINGER_USEC
	                                                 : streams->idle_timeout;
}

void streams_expect(struct streams *streams, uint64_t usec)
{
	uint64_t due = streams->loop->now + usec;

	/* One that is overdue stays so. */
	if (usec != PARSE_INFINITY && due < streams->next_sweep)
		streams->next_sweep = due;
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
