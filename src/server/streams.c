/* SPDX-License-Identifier: ISC */
#include "server/streams.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"
#include "server/connection.h"
#include "server/store.h"
#include "server/stored.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"

/* Connections accepted before the others have their turn, at most. */
#define ACCEPTS_PER_ROUND 16

/* After so many rounds on end in which all that might be accepted were, they may be twice as many.
 */
#define ROUNDS_TO_GROW 4

/* Walking a table of many has its price: it is not done more often than this. */
#define SWEEP_EVERY_USEC UINT64_C(100000)

struct listener {
	struct loop_source source;
	struct streams *streams;
	struct listener *next;
	int fd;
	unsigned accepts;     /* how many may be accepted in a round */
	unsigned full_rounds; /* on end: as many were */
};

/* A connection has gone: there is a descriptor again. */
static void on_closed(void *userdata)
{
	streams_resume(userdata);
}

int streams_init(struct streams *streams, struct loop *loop,
		 const struct exchange_options *exchange, struct admission *admission,
		 struct unsent_limit *unsent_limit, struct status *status)
{
	*streams = (struct streams){
		.context =
			{
				.loop = loop,
				.exchange = exchange,
				.status = status,
				.admission = admission,
				.unsent_limit = unsent_limit,
				.next_sweep = PARSE_INFINITY,
				.request = malloc(CONNECTION_READ_SIZE),
				.reply = malloc(exchange_room(exchange, CONNECTION_READ_SIZE) +
						exchange_room(exchange, 0)),
				.closed = on_closed,
				.userdata = streams,
			},
	};
	return streams->context.request && streams->context.reply ? 0 : -ENOMEM;
}

void streams_free(struct streams *streams)
{
	struct connection_context *context = &streams->context;

	while (context->connections.count > 0)
		connection_close(connection_at(context, context->connections.count - 1),
				 CONNECTION_END_STOPPED);
	streams_stop(streams);
	table_free(&context->connections);
	free(context->request);
	free(context->reply);
	*streams = (struct streams){0};
}

/* An exclusive wait can't be changed (epoll_ctl(2)): it is begun and ended. */
static int begin_accepting(struct listener *listener)
{
	return loop_add(listener->streams->context.loop, listener->fd, EPOLLIN | EPOLLEXCLUSIVE,
			&listener->source);
}

static void end_accepting(struct streams *streams)
{
	for (const struct listener *l = streams->listeners; l; l = l->next)
		loop_remove(streams->context.loop, l->fd);
}

/* What can't be accepted now waits in the backlog; asking again at once would be spinning. */
static void pause_accepting(struct streams *streams)
{
	streams->paused = true;
	end_accepting(streams);
}

/* Told once, however often it is tried again in vain. */
static void run_short(struct streams *streams, enum shortage why)
{
	pause_accepting(streams);
	if (!streams->is_short)
		status_pause_accepting(streams->context.status, why);
	streams->is_short = true;
}

static void run_on(struct streams *streams)
{
	if (streams->is_short)
		status_resume_accepting(streams->context.status);
	streams->is_short = false;
}

void streams_resume(struct streams *streams)
{
	if (!streams->paused)
		return;
	streams->paused = false;
	for (struct listener *l = streams->listeners; l; l = l->next)
		if (begin_accepting(l) < 0) {
			/* Still no memory: all of them or none, or one would be forgotten. */
			pause_accepting(streams);
			return;
		}
}

static void refuse(struct streams *streams, const struct address *peer, enum refusal why)
{
	status_refuse_connection(streams->context.status, why);
	record_log_refused_connection(peer, why);
}

/* If the manager has no time for it now, the next sweep tries again. */
static void keep(struct streams *streams, struct connection *connection)
{
	struct connection_context *context = &streams->context;
	struct store *store = context->store;
	int slot;

	if (!store || !store->always || connection->slot > 0 ||
	    connection->state == CONNECTION_LINGERING)
		return;
	slot = store_keep(store, connection->fd, connection_is_at_rest(connection),
			  atomic_load(&context->admission->open), context->loop->now);
	if (slot > 0)
		connection_share(connection, (uint32_t)slot);
	else if (slot == -EAGAIN)
		connection_context_expect(context, STORE_PERIOD_USEC);
}

static void admit(struct streams *streams, int fd, const struct address *peer)
{
	struct connection *connection;
	uint64_t place;
	int r = admission_enter(streams->context.admission, peer, &place);

	/* Politely: a close at once, which the peer sees as the end. */
	if (r < 0)
		(void)close(fd);
	else
		r = connection_begin(&streams->context, fd, peer, place, &connection);
	if (r >= 0 && connection)
		keep(streams, connection);
	else if (r == -EUSERS)
		refuse(streams, peer, REFUSAL_CONNECTIONS_MAX);
	else if (r == -EDQUOT)
		refuse(streams, peer, REFUSAL_PER_SOURCE);
	else if (r < 0)
		refuse(streams, peer, REFUSAL_MEMORY);
}

/* Returns whether it is worth asking for another. */
static bool accept_one(struct listener *listener)
{
	struct streams *streams = listener->streams;
	struct address peer = {.length = sizeof(peer.storage)};
	int fd = accept4(listener->fd, &peer.any, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		run_on(streams);
		if (peer.any.sa_family == AF_UNIX)
			socket_take_urgent(fd);
		admit(streams, fd, &peer);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE)
		run_short(streams, SHORTAGE_DESCRIPTORS);
	else if (errno == ENOBUFS || errno == ENOMEM)
		run_short(streams, SHORTAGE_MEMORY);
	/* Shut down, also by ss -K. AF_UNIX has no error for that. */
	else if (errno == EINVAL || (errno == EAGAIN && socket_is_shut(listener->fd)))
		loop_remove(streams->context.loop, listener->fd);
	/* Anything else concerns this one connection: it is gone before we came (accept(2)). */
	return errno == EINTR || errno == ECONNABORTED;
}

/* As many as there were lately: to find that nobody else is there costs a tenth of what a short
 * connection does, as accept4(2) makes the socket and its descriptor first. Who is left waits for
 * one more round. */
static void learn(struct listener *listener, unsigned accepted)
{
	if (accepted < listener->accepts) {
		listener->accepts = accepted > 0 ? accepted : 1;
		listener->full_rounds = 0;
	} else if (++listener->full_rounds == ROUNDS_TO_GROW) {
		listener->accepts =
			2 * accepted < ACCEPTS_PER_ROUND ? 2 * accepted : ACCEPTS_PER_ROUND;
		listener->full_rounds = 0;
	}
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct listener *listener = (struct listener *)source;
	unsigned accepted = 0;

	(void)events;
	while (accepted < listener->accepts && accept_one(listener))
		accepted++;
	learn(listener, accepted);
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
		.accepts = 1,
	};
	streams->listeners = listener;
	socket_send_at_once(fd);
	socket_take_urgent(fd);
	return begin_accepting(listener);
}

/* Begins a conversation on a connection that somebody else accepted, and may still hold. Whole: all
 * that was read of it is answered and sent. */
static int take(struct streams *streams, int fd, bool is_whole, struct connection **ret_connection)
{
	struct address peer;
	/* Who has gone has no name any more, and counts for no source. */
	bool is_known = socket_get_peer(fd, &peer) >= 0;
	uint64_t place;
	int r = admission_enter(streams->context.admission, is_known ? &peer : NULL, &place);

	if (r < 0) {
		if (is_whole)
			(void)shutdown(fd, SHUT_RDWR);
		else
			socket_end_by_reset(fd);
		(void)close(fd);
		return r;
	}
	return connection_begin(&streams->context, fd, NULL, place, ret_connection);
}

int streams_take(struct streams *streams, int fd)
{
	struct connection *connection;

	socket_send_at_once(fd);
	socket_take_urgent(fd);
	return take(streams, fd, true, &connection);
}

/* Also one whose peer has gone, which has no peer's name any more. */
static bool is_connection(int fd)
{
	struct socket_facts facts;

	return socket_look(fd, &facts) >= 0 && facts.type == SOCK_STREAM && !facts.listening;
}

static int take_stored(struct streams *streams, const struct store_entry *entry,
		       struct connection **ret_connection)
{
	if (is_connection(entry->fd))
		return take(streams, entry->fd, entry->state < 0, ret_connection);
	(void)close(entry->fd);
	return -EBADMSG;
}

int streams_restore(struct streams *streams, const struct store_entry *entry)
{
	struct store *store = streams->context.store;
	struct connection *connection;
	int r = take_stored(streams, entry, &connection);

	if (r < 0) {
		if (entry->slot > 0)
			(void)store_leave(store, entry->slot, NOTIFY_INSIST);
		return r;
	}
	connection_share(connection, entry->slot);
	if (entry->state >= 0)
		r = stored_read(connection, entry->state);
	if (r >= 0)
		keep(streams, connection);
	if (r < 0) {
		/* Refused after all, and counted so by whoever is told. */
		status_count(&streams->context.status->connections_served, UINT64_C(-1));
		connection_cut(connection,
			       r == -EBADMSG ? CONNECTION_END_STATE : CONNECTION_END_MEMORY);
	}
	return r;
}

static int hand_over(struct store *store, const struct connection *connection)
{
	_cleanup_close_ int state = -1;

	/* It ends once the rest is sent; the next process would take that for a good end. */
	if (exchange_error(&connection->exchange) == -ENOMEM)
		return -ENOMEM;
	if (!connection_is_at_rest(connection)) {
		state = stored_write(connection);
		if (state < 0)
			return state;
	}
	return store_put(store, connection->fd, connection->slot, state);
}

/* Backwards: one that leaves is replaced by the last, which was looked at already. */
void streams_hand_over(struct streams *streams)
{
	struct connection_context *context = &streams->context;

	for (size_t i = context->connections.count; i-- > 0;) {
		struct connection *connection = connection_at(context, i);

		if (hand_over(context->store, connection) >= 0)
			connection_let_go(connection);
	}
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

/* Microseconds of silence that a connection is still granted; 0: its time is over. */
static uint64_t time_left(const struct connection *connection)
{
	uint64_t granted = connection->state == CONNECTION_LINGERING
				   ? CONNECTION_LINGER_USEC
				   : connection->context->exchange->idle_timeout;
	uint64_t silence = connection_silence(connection);

	if (granted == PARSE_INFINITY)
		return granted;
	return silence < granted ? granted - silence : 0;
}

/* As if the loop had come to it, until it gets on or all that came for it is read, which is a
 * message at most. Returns false if that was its end. */
static bool serve(struct connection *connection)
{
	const struct connection_context *context = connection->context;
	size_t before = context->connections.count;
	uint64_t bytes_in;

	do {
		bytes_in = context->status->bytes_in;
		connection->source.ready(&connection->source, 0);
		if (context->connections.count < before)
			return false;
	} while (time_left(connection) == 0 && context->status->bytes_in > bytes_in);
	return true;
}

void streams_sweep(struct streams *streams)
{
	struct connection_context *context = &streams->context;

	context->next_sweep = PARSE_INFINITY;
	/* Backwards: one that leaves is replaced by the last, which was looked at already. */
	for (size_t i = context->connections.count; i-- > 0;) {
		struct connection *connection = connection_at(context, i);
		uint64_t left;

		keep(streams, connection);
		if (time_left(connection) == 0 && !serve(connection))
			continue;
		left = time_left(connection);
		if (left == 0)
			connection_close(connection, connection->state == CONNECTION_LINGERING
							     ? CONNECTION_END_OVER
							     : CONNECTION_END_IDLE);
		else
			connection_context_expect(
				context, left > SWEEP_EVERY_USEC ? left : SWEEP_EVERY_USEC);
	}
}
