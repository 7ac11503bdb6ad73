/* SPDX-License-Identifier: ISC */
#include "server/connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange/exchange-state.h"
#include "net/socket.h"
#include "util/cleanup.h"
#include "util/error.h"

static uint32_t now_msec(const struct connection *connection)
{
	return (uint32_t)(connection->context->loop->now / 1000);
}

uint64_t connection_silence(const struct connection *connection)
{
	return (uint64_t)(uint32_t)(now_msec(connection) - connection->last_progress) * 1000;
}

static void get_on(struct connection *connection)
{
	connection->last_progress = now_msec(connection);
}

_Static_assert(sizeof(struct connection) <= 72, "thousands of them are open and silent");

static const char *const end_names[] = {
	[CONNECTION_END_OVER] = "client closed",      [CONNECTION_END_RESET] = "client reset",
	[CONNECTION_END_IDLE] = "idle-timeout",       [CONNECTION_END_STOPPED] = "stopped",
	[CONNECTION_END_HANDED_OVER] = "handed over", [CONNECTION_END_STATE] = "damaged state",
	[CONNECTION_END_MEMORY] = "out of memory",    [CONNECTION_END_ERROR] = "error",
};

static const char *reason_of(const struct connection *connection, enum connection_end why)
{
	if (why != CONNECTION_END_OVER)
		return end_names[why];
	if (exchange_error(&connection->exchange) < 0)
		return "bad message";
	/* A restored one that lingers had it from the process before. */
	return connection->had_its_one || connection->state == CONNECTION_LINGERING
		       ? "once"
		       : end_names[why];
}

static void tell(const struct connection *connection, enum connection_end why)
{
	if (connection->has_record)
		record_log(connection->record, reason_of(connection, why));
}

bool connection_is_at_rest(const struct connection *connection)
{
	return exchange_state_is_fresh(&connection->exchange) && !connection->unsent &&
	       !connection->input_ended && connection->state == CONNECTION_READING;
}

/* For the process after one that is killed: where a stored connection stands. */
static void mark(const struct connection *connection, enum ledger_mark where)
{
	if (connection->slot > 0)
		ledger_set(&connection->context->store->ledger, connection->slot, where);
}

void connection_share(struct connection *connection, uint32_t slot)
{
	connection->slot = slot & ((1U << LEDGER_SLOT_BITS) - 1);
	connection->is_shared = true;
}

static void mark_rest(const struct connection *connection)
{
	if (connection->slot > 0 && connection_is_at_rest(connection))
		mark(connection, LEDGER_AT_REST);
}

static void release(struct connection *connection)
{
	struct connection_context *context = connection->context;

	exchange_reset(&connection->exchange);
	unsent_release(context->unsent_limit, context->status, connection->unsent);
	if (connection->slot > 0)
		(void)store_leave(context->store, connection->slot, NOTIFY_OFFER);
	(void)close(connection->fd);
	table_leave(&context->connections, &connection->entry);
	status_count(&context->status->connections_open, UINT64_C(-1));
	admission_leave(context->admission, connection->place);
	free(connection);
	context->closed(context->userdata);
}

/* epoll forgets a socket that was closed only once nobody shares it (epoll(7)). */
void connection_let_go(struct connection *connection)
{
	loop_remove(connection->context->loop, connection->fd);
	tell(connection, CONNECTION_END_HANDED_OVER);
	connection->slot = 0;
	release(connection);
}

void connection_cut(struct connection *connection, enum connection_end why)
{
	tell(connection, why);
	socket_end_by_reset(connection->fd);
	if (connection->is_shared) {
		/* A shutdown(2) would be the end that it is not to look like: the reset comes with
		 * the last of those who have it. The manager has to hear that it is not to be. */
		loop_remove(connection->context->loop, connection->fd);
		if (connection->slot > 0 &&
		    store_leave(connection->context->store, connection->slot, NOTIFY_INSIST) < 0)
			(void)shutdown(connection->fd, SHUT_RDWR);
		connection->slot = 0;
	}
	release(connection);
}

void connection_close(struct connection *connection, enum connection_end why)
{
	/* After a reset there is nobody to tell. */
	if (connection->unsent && why != CONNECTION_END_RESET) {
		connection_cut(connection, why);
		return;
	}
	tell(connection, why);
	if (connection->is_shared) {
		loop_remove(connection->context->loop, connection->fd);
		(void)shutdown(connection->fd, SHUT_RDWR);
	}
	release(connection);
}

/* By the network, or whatever it is that an errno of recv(2) or send(2) says. Returns false: it is
 * closed. */
static bool fail(struct connection *connection, int error)
{
	bool is_reset = error == -ECONNRESET || error == -EPIPE;

	if (connection->has_record && !is_reset)
		connection->record->error = -error;
	if (is_reset)
		connection_close(connection, CONNECTION_END_RESET);
	else
		connection_cut(connection, CONNECTION_END_ERROR);
	return false;
}

static void on_request(struct loop_source *source, uint32_t events);
static void on_room(struct loop_source *source, uint32_t events);
static void on_rest(struct loop_source *source, uint32_t events);

/* What each state waits for, and what that leads to. */
static const struct {
	uint32_t events;
	void (*ready)(struct loop_source *source, uint32_t events);
} states[] = {
	[CONNECTION_READING] = {EPOLLIN | EPOLLRDHUP, on_request},
	[CONNECTION_SENDING] = {EPOLLOUT, on_room},
	[CONNECTION_LINGERING] = {EPOLLIN | EPOLLRDHUP, on_rest},
};

static void enter(struct connection *connection, enum connection_state state)
{
	connection->state = state;
	connection->source.ready = states[state].ready;
}

/* From here on functions return whether the connection is still open: once it is closed there is
 * none. */

/* There is no memory for what it takes to go on. */
static bool run_out(struct connection *connection)
{
	status_cut_connection(connection->context->status);
	connection_cut(connection, CONNECTION_END_MEMORY);
	return false;
}

/* Changes what is waited for; without that a connection can't go on. */
static bool wait_for(struct connection *connection, enum connection_state state)
{
	uint32_t events = states[state].events;

	if (connection->is_in_loop && events != states[connection->state].events &&
	    loop_change(connection->context->loop, connection->fd, events, &connection->source) <
		    0) {
		/* A reset only if something is unsent: it takes along what the peer has not read.
		 */
		status_cut_connection(connection->context->status);
		connection_close(connection, CONNECTION_END_MEMORY);
		return false;
	}
	enter(connection, state);
	return true;
}

/* All that will be answered is sent. At the peer's end of input nothing can be unread. */
static bool end(struct connection *connection)
{
	/* More would be, if there were memory to hold it. */
	if (exchange_error(&connection->exchange) == -ENOMEM)
		return run_out(connection);
	if (connection->input_ended) {
		connection_close(connection, CONNECTION_END_OVER);
		return false;
	}
	(void)shutdown(connection->fd, SHUT_WR);
	get_on(connection);
	connection_context_expect(connection->context, CONNECTION_LINGER_USEC);
	return wait_for(connection, CONNECTION_LINGERING);
}

/* Sends what the socket takes. Returns the bytes taken, 0 included, or a negative errno. */
static inline ssize_t send_some(struct connection *connection, const char *bytes, size_t length)
{
	/* Behind the last answer comes our end: it goes along in the same segment. */
	int more = exchange_is_done(&connection->exchange) ? MSG_MORE : 0;
	ssize_t n;

	do
		n = send(connection->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT | more);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : negative_errno();
	status_count(&connection->context->status->bytes_out, (uint64_t)n);
	if (connection->has_record)
		connection->record->bytes_out += (uint64_t)n;
	return n;
}

/* Keeps the rest of a reply until the peer has taken what went before it. */
static bool keep(struct connection *connection, const char *rest, size_t length)
{
	const struct connection_context *context = connection->context;

	connection->unsent = unsent_keep(context->unsent_limit, context->status, rest, length);
	if (!connection->unsent)
		return run_out(connection);
	return wait_for(connection, CONNECTION_SENDING);
}

static bool reply(struct connection *connection, const char *bytes, size_t length)
{
	ssize_t n = 0;

	if (length > 0)
		n = send_some(connection, bytes, length);
	if (n < 0)
		return fail(connection, (int)n);
	if ((size_t)n < length)
		return keep(connection, bytes + n, length - (size_t)n);
	if (exchange_is_done(&connection->exchange))
		return end(connection);
	mark_rest(connection);
	return true;
}

static void on_room(struct loop_source *source, uint32_t events)
{
	struct connection *connection = (struct connection *)source;
	const struct connection_context *context = connection->context;
	struct unsent *unsent = connection->unsent;
	ssize_t n =
		send_some(connection, unsent->bytes + unsent->begin, unsent->end - unsent->begin);

	(void)events;
	if (n < 0) {
		(void)fail(connection, (int)n);
		return;
	}
	if (n > 0)
		get_on(connection);
	unsent->begin += (uint32_t)n;
	if (unsent->begin < unsent->end)
		return;
	unsent_release(context->unsent_limit, context->status, take_pointer(connection->unsent));
	if (exchange_is_done(&connection->exchange))
		(void)end(connection);
	else if (wait_for(connection, CONNECTION_READING))
		mark_rest(connection);
}

/* Reads once: if there is more the loop comes back, after the others had their turn. */
static inline ssize_t receive(const struct connection *connection, size_t size, int flags)
{
	ssize_t n;

	do
		n = recv(connection->fd, connection->context->request, size, MSG_DONTWAIT | flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? negative_errno() : n;
}

/* As much as the limit of what is unsent lets be answered. */
static ssize_t receive_piece(const struct connection *connection)
{
	const struct connection_context *context = connection->context;
	size_t size = unsent_limit_has_room(context->unsent_limit) ? CONNECTION_READ_SIZE
								   : CONNECTION_READ_SIZE_LEAST;
	ssize_t n = receive(connection, size, 0);

	if (size == CONNECTION_READ_SIZE_LEAST && n == (ssize_t)size)
		status_shorten_read(context->status);
	return n;
}

/* 0 at the peer's end of input, if that is all there is; otherwise a negative errno, or more. What
 * was read before must be answered: its first byte makes room. */
static ssize_t look_for_end(const struct connection *connection)
{
	return receive(connection, 1, MSG_PEEK);
}

/* Answers n bytes that were read. Returns the reply's length: after a bad message what was answered
 * before it is sent, and the conversation is over. */
static size_t feed(struct connection *connection, size_t n)
{
	const struct connection_context *context = connection->context;
	size_t length;

	status_count(&context->status->bytes_in, n);
	if (connection->has_record)
		connection->record->bytes_in += n;
	length = exchange_feed(&connection->exchange, context->exchange, context->request, n,
			       context->reply);
	if (!exchange_is_dripping(&connection->exchange, n))
		get_on(connection);
	return length;
}

/* Answers the end of input, behind length bytes of the reply. Returns the reply's length. */
static size_t finish(struct connection *connection, size_t length)
{
	const struct connection_context *context = connection->context;

	get_on(connection);
	connection->input_ended = true;
	connection->had_its_one = exchange_is_done(&connection->exchange);
	return length +
	       exchange_finish(&connection->exchange, context->exchange, context->reply + length);
}

/* Reads once, and answers. If the end of input may be there, too, it is looked for: who asks once
 * and is done has the answer and our end at once. */
static bool read_request(struct connection *connection, bool may_have_ended)
{
	size_t length = 0;
	ssize_t n;

	mark(connection, LEDGER_BUSY);
	n = receive_piece(connection);
	if (n == -EAGAIN) {
		mark_rest(connection);
		return true;
	}
	if (n > 0) {
		length = feed(connection, (size_t)n);
		if (may_have_ended)
			n = look_for_end(connection);
	}
	if (n == 0)
		length = finish(connection, length);
	else if (n < 0 && n != -EAGAIN)
		return fail(connection, (int)n);
	return reply(connection, connection->context->reply, length);
}

static void on_request(struct loop_source *source, uint32_t events)
{
	(void)read_request((struct connection *)source, events & EPOLLRDHUP);
}

/* Takes out what the peer still sends after our end, so that its stack does not see a reset. */
static void on_rest(struct loop_source *source, uint32_t events)
{
	struct connection *connection = (struct connection *)source;
	ssize_t n = receive(connection, CONNECTION_READ_SIZE, 0);

	(void)events;
	if (n == 0 || (n < 0 && n != -EAGAIN))
		connection_close(connection, CONNECTION_END_OVER);
}

/* Returns NULL where there is no memory. */
static struct connection *make(struct connection_context *context, int fd,
			       const struct address *peer, uint64_t place)
{
	bool has_record = record_is_wanted();
	struct connection *connection =
		calloc(1, sizeof(*connection) + (has_record ? sizeof(struct record) : 0));

	if (!connection || table_join(&context->connections, &connection->entry) < 0) {
		free(connection);
		return NULL;
	}
	enter(connection, CONNECTION_READING);
	connection->context = context;
	connection->place = place;
	connection->fd = fd;
	connection->is_shared = peer == NULL;
	connection->has_record = has_record;
	if (has_record)
		record_begin(connection->record, fd, peer);
	get_on(connection);
	return connection;
}

int connection_begin(struct connection_context *context, int fd, const struct address *peer,
		     uint64_t place, struct connection **ret_connection)
{
	struct connection *connection = make(context, fd, peer, place);
	int r;

	if (!connection) {
		admission_leave(context->admission, place);
		if (!peer)
			(void)shutdown(fd, SHUT_RDWR);
		(void)close(fd);
		return -ENOMEM;
	}
	status_count(&context->status->connections_open, 1);
	status_count(&context->status->connections_served, 1);
	connection_context_expect(context, context->exchange->idle_timeout);
	/* What was sent on connecting is there by now, and often all there will ever be. */
	if (peer && !read_request(connection, true)) {
		*ret_connection = NULL;
		return 0;
	}
	r = loop_add(context->loop, fd, states[connection->state].events, &connection->source);
	if (r < 0) {
		status_count(&context->status->connections_served, UINT64_C(-1));
		if (!peer)
			(void)shutdown(fd, SHUT_RDWR);
		else if (connection->unsent)
			socket_end_by_reset(fd);
		release(connection);
		return r;
	}
	connection->is_in_loop = true;
	*ret_connection = connection;
	return 0;
}

int connection_resume(struct connection *connection, const struct exchange *exchange,
		      struct unsent *unsent, enum connection_state state, bool input_ended)
{
	connection->exchange = *exchange;
	connection->unsent = unsent;
	connection->input_ended = input_ended;
	enter(connection, state);
	mark(connection, connection_is_at_rest(connection) ? LEDGER_AT_REST : LEDGER_BUSY);
	if (state == CONNECTION_LINGERING)
		connection_context_expect(connection->context, CONNECTION_LINGER_USEC);
	return loop_change(connection->context->loop, connection->fd, states[state].events,
			   &connection->source);
}
