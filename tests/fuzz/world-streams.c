/* SPDX-License-Identifier: ISC */

/* world-streams: welcoming sockets, and peers that connect, send, read, end, reset. */

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "reference.h"
#include "server/connection.h"
#include "world.h"

/* Times of a connection are kept in milliseconds, and the clock is coarse. */
#define TIME_ERROR_USEC 8000

static void *grown(void *bytes, size_t length)
{
	void *more = realloc(bytes, length ? length : 1);

	REQUIRE(more, "no memory");
	return more;
}

/* ─── what peers do ─── */

struct world_peer *world_connect(int listener, const struct address *address, size_t room)
{
	struct world_peer *peer = &world.peers[world.peer_count];

	if (world.peer_count == WORLD_PEERS)
		return NULL;
	world.peer_count++;
	*peer = (struct world_peer){
		.listener = listener, .fd = -1, .address = *address, .room = room};
	peer->is_gone = listener >= 0 && world_look(listener, WORLD_LISTENER)->turns_away;
	if (listener < 0) {
		peer->fd = world_open(WORLD_CONNECTION, address->any.sa_family, 0);
		world_look(peer->fd, WORLD_CONNECTION)->peer = peer;
		peer->last_progress = world.now;
		world.accepted++;
	}
	return peer;
}

void world_send(struct world_peer *peer, const uint8_t *bytes, size_t length)
{
	if (peer->has_ended || peer->was_reset || peer->is_closed)
		return;
	peer->request = grown(peer->request, peer->sent + length);
	memcpy(peer->request + peer->sent, bytes, length);
	peer->sent += length;
}

void world_half_close(struct world_peer *peer)
{
	peer->has_ended = true;
}

void world_reset(struct world_peer *peer, bool takes_all_along)
{
	peer->was_reset = peer->is_excused = true;
	if (takes_all_along)
		peer->sent = peer->delivered;
}

static struct world_peer *next_of(int listener)
{
	for (unsigned i = 0; i < world.peer_count; i++)
		if (world.peers[i].fd < 0 && !world.peers[i].is_gone &&
		    world.peers[i].listener == listener)
			return &world.peers[i];
	return NULL;
}

uint32_t world_stream_events(const struct world_descriptor *descriptor)
{
	const struct world_peer *peer = descriptor->peer;
	uint32_t events = 0;

	if (descriptor->kind == WORLD_LISTENER)
		return next_of(WORLD_FIRST_FD + (int)(descriptor - world.descriptors)) ? EPOLLIN
										       : 0;
	if (peer->delivered < peer->sent || peer->has_ended || peer->was_reset)
		events |= EPOLLIN;
	if (peer->has_ended || peer->was_reset)
		events |= EPOLLRDHUP;
	if (peer->room > 0 || peer->was_reset)
		events |= EPOLLOUT;
	if (peer->was_reset || (peer->has_ended && peer->is_shut))
		events |= EPOLLHUP;
	if (peer->was_reset && !peer->reset_is_seen)
		events |= EPOLLERR;
	return events;
}

/* ─── what the server may and must have done ─── */

static void make_reference(struct reference *ret_reference, const struct world_peer *peer)
{
	const struct conversation conversation = {
		.request = peer->request,
		.length = peer->delivered,
		.first_read = peer->first_read,
		.ended = peer->end_is_seen,
	};

	reference_make(ret_reference, world.exchange, &conversation);
}

/* What it was sent is right as far as it goes. Returns whether that is all, and (*ret_is_over)
 * whether there is no more to come. */
static bool check_reply(const struct world_peer *peer, bool *ret_is_over)
{
	struct reference reference;
	bool is_all;

	make_reference(&reference, peer);
	REQUIRE(peer->received <= reference.length &&
			(peer->received == 0 ||
			 memcmp(peer->reply, reference.reply, peer->received) == 0),
		"wrong answer to peer %d: %zu bytes, of %zu", (int)(peer - world.peers),
		peer->received, reference.length);
	is_all = peer->received == reference.length;
	*ret_is_over = reference.done;
	reference_free(&reference);
	return is_all;
}

static bool was_silent(const struct world_peer *peer)
{
	uint64_t now = world.now + TIME_ERROR_USEC;

	if (peer->is_shut && now - peer->shut_at >= CONNECTION_LINGER_USEC)
		return true;
	return world.idle_timeout != WORLD_TIMELESS &&
	       now - peer->last_progress >= world.idle_timeout;
}

void world_run_short(struct world_peer *peer)
{
	peer->is_excused = peer->is_short = world.has_run_short = true;
}

void world_serve(struct world_peer *peer)
{
	if (!peer->was_served)
		world.served++;
	peer->was_served = true;
}

/* MSG_MORE is for what an end follows, or the rest of an answer that did not fit. */
void world_check_corks(void)
{
	for (unsigned i = 0; i < world.peer_count; i++) {
		const struct world_peer *peer = &world.peers[i];

		REQUIRE(!peer->is_corked || peer->unsent > 0 || peer->is_shut || peer->is_closed,
			"peer %u waits for what was sent", i);
	}
}

void world_set_linger(int fd)
{
	if (world_look(fd, WORLD_NOTHING)->kind == WORLD_CONNECTION)
		world_look(fd, WORLD_CONNECTION)->peer->is_cut = true;
}

/* There must be a reason to close. Part of an answer is not to look like all of it, and all of it
 * is not to be torn by a reset. */
void world_close_peer(struct world_peer *peer)
{
	bool is_over, is_all = check_reply(peer, &is_over);

	peer->is_closed = true;
	peer->unsent = peer->kept = 0;
	if (!peer->was_served) {
		REQUIRE(peer->is_restored || (peer->delivered == 0 && peer->received == 0),
			"refused too late");
		return;
	}
	REQUIRE(is_all || peer->is_cut || peer->was_reset || peer->is_lost || !world.is_serving,
		"peer %d has %zu bytes of an answer, and a good end", (int)(peer - world.peers),
		peer->received);
	REQUIRE(!is_all || !peer->is_cut || peer->is_excused, "peer %d was reset",
		(int)(peer - world.peers));
	if (world.is_finishing || !world.is_serving || was_silent(peer))
		return;
	world.cut += peer->is_short && !is_all && !peer->was_reset;
	if (peer->is_excused)
		return;
	REQUIRE(is_over && is_all, "closed peer %d, which has %zu bytes", (int)(peer - world.peers),
		peer->received);
	REQUIRE(peer->end_is_seen && peer->delivered == peer->sent,
		"closed peer %d with %zu bytes unread", (int)(peer - world.peers),
		peer->sent - peer->delivered);
}

static void check_quiet(const struct world_peer *peer)
{
	bool is_over, is_all = check_reply(peer, &is_over);

	if (peer->is_closed || peer->is_gone || world_is_stored(peer))
		return;
	if (peer->fd < 0 && world.is_stopping)
		return;
	REQUIRE(peer->fd >= 0, "peer %d waits in the backlog", (int)(peer - world.peers));
	REQUIRE(peer->delivered == peer->sent, "peer %d has %zu bytes unread",
		(int)(peer - world.peers), peer->sent - peer->delivered);
	REQUIRE(is_all || peer->is_excused, "peer %d got %zu bytes only", (int)(peer - world.peers),
		peer->received);
	REQUIRE(!peer->has_ended && !peer->was_reset, "peer %d was left open",
		(int)(peer - world.peers));
}

void world_check_streams(bool is_quiet)
{
	bool is_over;

	for (unsigned i = 0; i < world.peer_count; i++) {
		(void)check_reply(&world.peers[i], &is_over);
		if (is_quiet)
			check_quiet(&world.peers[i]);
	}
}

void world_free_streams(void)
{
	for (unsigned i = 0; i < world.peer_count; i++) {
		free(world.peers[i].request);
		free(world.peers[i].reply);
	}
	world.peer_count = 0;
}

/* ─── the server's calls ─── */

static int fail_to_accept(struct world_peer *peer)
{
	/* This one is gone; any other error is not the connection's. */
	if (errno == ECONNABORTED || errno == EPROTO)
		peer->is_gone = true;
	return -1;
}

int __wrap_accept4(int fd, struct sockaddr *peer_address, socklen_t *length, int flags);
int __wrap_accept4(int fd, struct sockaddr *peer_address, socklen_t *length, int flags)
{
	WORLD_INSIDE;
	struct world_peer *peer = next_of(fd);
	socklen_t room = *length;

	(void)world_look(fd, WORLD_LISTENER);
	REQUIRE(flags == (SOCK_NONBLOCK | SOCK_CLOEXEC), "flags %d", flags);
	if (!peer) {
		errno = EAGAIN;
		return -1;
	}
	if (world_has_fault(WORLD_ACCEPT))
		return fail_to_accept(peer);
	peer->fd = world_open(WORLD_CONNECTION, peer->address.any.sa_family, 0);
	world_look(peer->fd, WORLD_CONNECTION)->peer = peer;
	peer->last_progress = world.now;
	memcpy(peer_address, &peer->address.storage,
	       peer->address.length < room ? peer->address.length : room);
	*length = peer->address.length;
	world.accepted++;
	world_progress(peer->fd);
	return peer->fd;
}

int __real_getpeername(int fd, struct sockaddr *name, socklen_t *length);
int __wrap_getpeername(int fd, struct sockaddr *name, socklen_t *length);
int __wrap_getpeername(int fd, struct sockaddr *name, socklen_t *length)
{
	const struct world_peer *peer;

	if (!world_is_fake(fd))
		return __real_getpeername(fd, name, length);
	peer = world_look(fd, WORLD_CONNECTION)->peer;
	if (peer->was_reset) {
		errno = ENOTCONN;
		return -1;
	}
	REQUIRE(*length >= peer->address.length, "room");
	memcpy(name, &peer->address.storage, peer->address.length);
	*length = peer->address.length;
	return 0;
}

/* What is restored is looked at; of a datagram socket it is asked whether the kernel cuts what is
 * joined. */
int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
	int number = 0;

	if (!world_is_fake(fd))
		return __real_getsockopt(fd, level, option, value, length);
	REQUIRE(*length == sizeof(number), "length %u", *length);
	if (level == IPPROTO_UDP) {
		REQUIRE(option == UDP_SEGMENT, "option %d", option);
		errno = EOPNOTSUPP;
		return world_look(fd, WORLD_DATAGRAM)->family == AF_UNIX ? -1 : 0;
	}
	REQUIRE(level == SOL_SOCKET, "level %d", level);
	if (option == SO_TYPE)
		number = SOCK_STREAM;
	else if (option == SO_DOMAIN)
		number = world_look(fd, WORLD_CONNECTION)->family;
	else
		REQUIRE(option == SO_ACCEPTCONN, "option %d", option);
	memcpy(value, &number, sizeof(number));
	return 0;
}

static size_t limited(size_t length)
{
	size_t most = world.most;

	world.most = 0;
	return most > 0 && most < length ? most : length;
}

size_t world_count_unsent(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < world.peer_count; i++)
		if (!world_is_stored(&world.peers[i]))
			sum += world.peers[i].kept;
	return sum;
}

/* All that was kept is so until all is sent. The sum is never above the limit and one small answer
 * for each connection. */
static void keep_unsent(struct world_peer *peer, size_t length)
{
	size_t floor = exchange_room(world.exchange, CONNECTION_READ_SIZE_LEAST), sum;

	peer->unsent = length;
	if (peer->kept == 0 || length == 0)
		peer->kept = length;
	sum = world_count_unsent();
	REQUIRE(world.unsent_max == UNSENT_ANY ||
			sum <= world.unsent_max + floor * world.peer_count,
		"%zu bytes unsent", sum);
}

/* As much as may be read at once: what the answer to a full piece has more than that to a small one
 * fits into the limit. */
static void check_piece(const struct world_peer *peer, size_t length)
{
	size_t surplus = exchange_room(world.exchange, CONNECTION_READ_SIZE) -
			 exchange_room(world.exchange, CONNECTION_READ_SIZE_LEAST);
	bool is_full = world.unsent_max == UNSENT_ANY ||
		       world_count_unsent() + surplus <= world.unsent_max || peer->is_shut;

	REQUIRE(length == (is_full ? CONNECTION_READ_SIZE : CONNECTION_READ_SIZE_LEAST),
		"reads %zu bytes with %zu unsent", length, world_count_unsent());
}

/* Of the connection: EINTR and EAGAIN are not its end. */
static bool has_peer_fault(struct world_peer *peer, enum world_call call)
{
	if (!world_has_fault(call))
		return false;
	if (errno != EINTR && errno != EAGAIN)
		peer->is_excused = true;
	peer->is_short &= !peer->is_excused;
	peer->is_lost |= errno == ECONNRESET || errno == EPIPE;
	return true;
}

/* How much is in whole messages now that length bytes more are delivered. */
static size_t count_whole(const struct world_peer *peer, size_t length)
{
	const uint8_t *newline;
	size_t whole = peer->whole, message;

	switch (world.exchange->framing) {
	case FRAMING_LINE:
		newline = memrchr(peer->request + peer->delivered - length, '\n', length);
		return newline ? (size_t)(newline + 1 - peer->request) : whole;
	case FRAMING_LENGTH:
		while (peer->delivered - whole >= FRAMING_HEADER_SIZE) {
			message = FRAMING_HEADER_SIZE + framing_read_header(peer->request + whole);
			if (message > peer->delivered - whole)
				break;
			whole += message;
		}
		return whole;
	case FRAMING_STREAM:
	default:
		return peer->delivered;
	}
}

/* The next length bytes are delivered: a message that begins with them, or becomes whole, is
 * progress. */
static void deliver(struct world_peer *peer, size_t length)
{
	bool begins = peer->whole == peer->delivered;
	size_t before = peer->whole;

	if (length == 0) /* the end */
		return;
	peer->delivered += length;
	peer->whole = count_whole(peer, length);
	if (begins || peer->whole > before)
		peer->last_progress = world_coarse_now();
}

ssize_t __wrap_recv(int fd, void *buffer, size_t length, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t length, int flags)
{
	WORLD_INSIDE;
	struct world_peer *peer = world_look(fd, WORLD_CONNECTION)->peer;
	size_t there = peer->sent - peer->delivered;

	if (flags & MSG_PEEK)
		REQUIRE(length == 1, "looks at %zu bytes", length);
	else
		check_piece(peer, length);
	REQUIRE((flags & ~MSG_PEEK) == MSG_DONTWAIT, "flags %d", flags);
	world_serve(peer);
	if (has_peer_fault(peer, WORLD_RECV))
		return -1;
	if (there == 0 && peer->was_reset && !peer->reset_is_seen) {
		world_progress(fd);
		peer->reset_is_seen = true;
		errno = ECONNRESET;
		return -1;
	}
	if (there == 0 && !peer->was_reset && !peer->has_ended) {
		errno = EAGAIN;
		return -1;
	}
	REQUIRE(there > 0 || !peer->end_is_seen || peer->is_shut, "read behind the end");
	if (flags & MSG_PEEK && there > 0)
		return 1;
	world_progress(fd);
	length = limited(length < there ? length : there);
	if (length > 0)
		memcpy(buffer, peer->request + peer->delivered, length);
	else
		peer->end_is_seen = true;
	/* What comes after the server's own end is none of the conversation. */
	if (peer->first_read == 0)
		peer->first_read = length;
	deliver(peer, length);
	world.bytes_in += peer->is_shut ? 0 : length;
	return (ssize_t)length;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags)
{
	WORLD_INSIDE;
	struct world_peer *peer = world_look(fd, WORLD_CONNECTION)->peer;
	size_t left;

	REQUIRE(length > 0 && (flags & ~MSG_MORE) == (MSG_NOSIGNAL | MSG_DONTWAIT), "flags %d",
		flags);
	REQUIRE(!peer->is_shut, "sent after shutdown");
	world.current = fd;
	if (has_peer_fault(peer, WORLD_SEND)) {
		if (errno == EAGAIN)
			keep_unsent(peer, length);
		return -1;
	}
	if (peer->was_reset || peer->room == 0) {
		errno = peer->was_reset ? EPIPE : EAGAIN;
		if (errno == EAGAIN)
			keep_unsent(peer, length);
		return -1;
	}
	world_progress(fd);
	left = length;
	length = limited(length < peer->room ? length : peer->room);
	peer->is_corked = flags & MSG_MORE;
	keep_unsent(peer, left - length);
	peer->reply = grown(peer->reply, peer->received + length);
	memcpy(peer->reply + peer->received, bytes, length);
	peer->received += length;
	peer->last_progress = world_coarse_now();
	if (peer->room != SIZE_MAX)
		peer->room -= length;
	world.bytes_out += length;
	return (ssize_t)length;
}

/* Those who wait in the backlog, and who comes from here on, are reset. */
static void turn_away(int fd)
{
	struct world_peer *peer;

	world.descriptors[fd - WORLD_FIRST_FD].turns_away = true;
	while ((peer = next_of(fd)))
		peer->is_gone = true;
}

int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how)
{
	WORLD_INSIDE;
	struct world_peer *peer;
	bool is_over, is_all;

	if (world.descriptors[fd - WORLD_FIRST_FD].kind == WORLD_LISTENER) {
		turn_away(fd);
		return 0;
	}
	peer = world_look(fd, WORLD_CONNECTION)->peer;
	is_all = check_reply(peer, &is_over);

	/* Whoever shares the connection is to see its end, too: it is about to be closed. */
	if (how == SHUT_RDWR) {
		world_hang_up(peer);
		return 0;
	}
	REQUIRE(how == SHUT_WR && !peer->is_shut, "how %d", how);
	REQUIRE(is_over && is_all, "ended peer %d, which has %zu bytes", (int)(peer - world.peers),
		peer->received);
	peer->is_shut = true;
	peer->shut_at = world.now;
	return world_has_fault(WORLD_SHUTDOWN) ? -1 : 0;
}
