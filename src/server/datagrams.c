/* SPDX-License-Identifier: ISC */
#include "server/datagrams.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "net/pktinfo.h"
#include "net/socket.h"
#include "server/guard.h"
#include "server/record.h"
#include "server/replies.h"
#include "util/cleanup.h"
#include "util/error.h"

#define BATCH 32

/* An IP datagram holds 65,527 bytes at most, an AF_UNIX one what its sender's buffer does: 208 KiB
 * unless somebody raised it. */
#define DATAGRAM_MAX ((size_t)256 << 10)

/* Slots begin at different cache sets: at a power of two they would push each other out. */
#define SLOT_SIZE (DATAGRAM_MAX + 192)

/* One of the workers that wait is woken for a datagram. */
#define WAIT_EVENTS (EPOLLIN | EPOLLEXCLUSIVE)

struct datagram_socket {
	struct loop_source source;
	struct datagrams *datagrams;
	struct datagram_socket *next;
	struct reply_socket out; /* the socket itself */
	struct address own;
	int own_port;
};

struct datagrams {
	struct loop *loop;
	const struct exchange_options *options;
	struct datagram_limits limits;
	struct status *status;
	struct datagram_socket *sockets; /* owned list */
	struct replies *replies;         /* owned */
	int probe;                       /* owned: of socket_find(); -1: none yet */

	char *slots;         /* owned: BATCH requests */
	int used;            /* of the messages, by the last batch */
	size_t control_room; /* that each of them has */
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	struct address sources[BATCH];
	_Alignas(struct cmsghdr) char controls[BATCH][PKTINFO_CONTROL_MAX];
};

static void datagrams_freep(struct datagrams **datagrams)
{
	datagrams_free(*datagrams);
}

int datagrams_new(struct loop *loop, const struct exchange_options *options,
		  const struct datagram_limits *limits, struct status *status,
		  struct datagrams **ret_datagrams)
{
	_cleanup_(datagrams_freep) struct datagrams *datagrams = calloc(1, sizeof(*datagrams));
	int r;

	if (!datagrams)
		return -ENOMEM;
	datagrams->loop = loop;
	datagrams->options = options;
	datagrams->limits = *limits;
	datagrams->status = status;
	datagrams->probe = -1;
	datagrams->control_room = SIZE_MAX; /* none is made yet */
	datagrams->slots = malloc(BATCH * SLOT_SIZE);
	if (!datagrams->slots)
		return -ENOMEM;
	r = replies_new(loop, exchange_room(options, DATAGRAM_MAX), status, &datagrams->replies);
	if (r < 0)
		return r;
	*ret_datagrams = take_pointer(datagrams);
	return 0;
}

void datagrams_free(struct datagrams *datagrams)
{
	if (!datagrams)
		return;
	while (datagrams->sockets) {
		struct datagram_socket *next = datagrams->sockets->next;

		free(datagrams->sockets);
		datagrams->sockets = next;
	}
	replies_free(datagrams->replies);
	cleanup_close(&datagrams->probe);
	free(datagrams->slots);
	free(datagrams);
}

/* Makes room in the first count messages. */
static void make_room(struct datagrams *d, int count, size_t control_room)
{
	for (int i = 0; i < count; i++) {
		d->parts[i] = (struct iovec){d->slots + (size_t)i * SLOT_SIZE, DATAGRAM_MAX};
		d->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &d->sources[i].storage,
			.msg_namelen = sizeof(d->sources[i].storage),
			.msg_iov = &d->parts[i],
			.msg_iovlen = 1,
			.msg_control = control_room > 0 ? d->controls[i] : NULL,
			.msg_controllen = control_room,
		};
	}
}

/* Reads up to a batch. Returns its size, or a negative errno. */
static int receive(struct datagrams *d, const struct datagram_socket *socket)
{
	/* Where there is room for them, the kernel opens the files that an AF_UNIX sender passes
	 * (SCM_RIGHTS of unix(7)); without, it drops them itself. */
	size_t control_room = socket->out.family == AF_UNIX ? 0 : sizeof(d->controls[0]);
	int count;

	/* What the last batch did not come to is as it was. */
	make_room(d, d->control_room == control_room ? d->used : BATCH, control_room);
	d->control_room = control_room;
	count = recvmmsg(socket->out.fd, d->messages, BATCH, MSG_DONTWAIT, NULL);
	d->used = count < 0 ? 0 : count;
	return count < 0 ? negative_errno() : count;
}

/* How long each of the datagrams is that the kernel handed over as one (UDP_GRO of udp(7)); the
 * last may be shorter. */
static size_t segment_length(const struct mmsghdr *message)
{
	struct msghdr *header = (struct msghdr *)&message->msg_hdr;
	int length = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			memcpy(&length, CMSG_DATA(c), sizeof(length));
	return length > 0 ? (size_t)length : message->msg_len;
}

static bool is_within_rate(struct datagrams *d, const struct address *from)
{
	uint64_t source;

	return !d->limits.rate || (d->limits.spare_loopback && address_is_loopback(from)) ||
	       !address_get_source(from, &source) ||
	       rate_allows(d->limits.rate, source, d->loop->now);
}

static void refuse(const struct datagrams *d, const struct address *from, enum refusal why)
{
	status_refuse_datagram(d->status, why);
	record_log_refused_datagram(from, why);
}

/* Writes the reply to one datagram. Whether it is too long for another one is known to the kernel.
 */
static void answer(struct datagrams *d, struct datagram_socket *socket,
		   const struct msghdr *request, const char *bytes, size_t length)
{
	char *out = replies_begin(d->replies, &socket->out, exchange_room(d->options, length));

	replies_end(d->replies, request, exchange_datagram(d->options, bytes, length, out));
}

/* The source's port if one of our sockets has it, else -1: two of ours would answer each other,
 * too.
 */
static int find_own_port(const struct datagrams *d, const struct address *from)
{
	const struct datagram_socket *socket = d->sockets;
	int port = address_port(from);

	while (socket && socket->own_port != port)
		socket = socket->next;
	return socket ? port : -1;
}

/* Is an AF_UNIX name its sender's, and not ours, the manager's, or what leads to somebody else? Two
 * sockets would answer each other for ever, and what we send to the manager it takes for our word.
 */
static bool is_senders_name(const struct datagrams *d, const struct address *from,
			    enum refusal *ret_why)
{
	const struct datagram_socket *socket = d->sockets;
	int r = 0;

	while (socket && !address_is_same(&socket->own, from))
		socket = socket->next;
	if (!socket && !(d->limits.manager && address_is_same(d->limits.manager, from)))
		r = socket_find(d->probe, from);
	*ret_why = r < 0 ? REFUSAL_SEND_FAILED : REFUSAL_FORGED_NAME;
	return r > 0;
}

/* May this message be answered, as far as its source tells? */
static bool is_welcome(const struct datagrams *d, const struct msghdr *request,
		       const struct address *from, enum refusal *ret_why)
{
	if (!guard_allows(from, find_own_port(d, from), ret_why))
		return false;
	if (from->any.sa_family == AF_UNIX && !is_senders_name(d, from, ret_why))
		return false;
	*ret_why = REFUSAL_TOO_LARGE;
	return !(request->msg_flags & MSG_TRUNC);
}

/* Answers message i of a batch: a datagram, or several of one source that came together. */
static void take(struct datagrams *d, struct datagram_socket *socket, unsigned i)
{
	struct msghdr *request = &d->messages[i].msg_hdr;
	size_t left = d->messages[i].msg_len, segment = segment_length(&d->messages[i]);
	const char *next = d->parts[i].iov_base;
	struct address *from = &d->sources[i];
	enum refusal why;
	bool welcome;

	from->length = request->msg_namelen;
	status_count(&d->status->bytes_in, left);
	welcome = is_welcome(d, request, from, &why);
	pktinfo_turn(request);
	do {
		size_t length = left < segment ? left : segment;

		if (!welcome)
			refuse(d, from, why);
		else if (!is_within_rate(d, from))
			refuse(d, from, REFUSAL_RATE);
		else
			answer(d, socket, request, next, length);
		next += length;
		left -= length;
	} while (left > 0);
}

/* One batch a round: other sockets have their turn before the next. */
static void socket_ready(struct loop_source *source, uint32_t events)
{
	struct datagram_socket *socket = (struct datagram_socket *)source;
	struct datagrams *d = socket->datagrams;
	int count = receive(d, socket);

	(void)events;
	if (count < 0 && socket_is_shut(socket->out.fd))
		loop_remove(d->loop, socket->out.fd);
	/* Whatever it was (nothing there after all, an ICMP error, no memory), it concerns no other
	 * datagram: what is there stays there. */
	for (int i = 0; i < count; i++)
		take(d, socket, (unsigned)i);
	if (count == BATCH)
		loop_begin_polling(d->loop, socket->out.fd, WAIT_EVENTS, source);
	else if (count < 0)
		loop_end_polling(d->loop, source);
	replies_send(d->replies, &socket->out);
}

int datagrams_serve(struct datagrams *d, const struct endpoint *endpoint)
{
	struct datagram_socket *socket = calloc(1, sizeof(*socket));
	const int on = 1;
	int r;

	if (!socket)
		return -ENOMEM;
	*socket = (struct datagram_socket){
		.source = {socket_ready},
		.datagrams = d,
		.next = d->sockets,
		.own_port = -1,
	};
	reply_socket_init(&socket->out, endpoint->fd, endpoint->family);
	d->sockets = socket;
	r = socket_get_name(endpoint->fd, &socket->own);
	if (r < 0)
		return r;
	socket->own_port = address_port(&socket->own);
	if (endpoint->family == AF_UNIX && d->probe < 0)
		d->probe = socket_open_probe();
	if (endpoint->family == AF_UNIX && d->probe < 0)
		return d->probe;
	r = pktinfo_enable(endpoint->fd, endpoint->family);
	if (r < 0)
		return r;
	/* Without it (Linux before 5.0) senders in bulk are served one datagram at a time. */
	if (endpoint->family != AF_UNIX)
		(void)setsockopt(endpoint->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	return loop_add(d->loop, endpoint->fd, WAIT_EVENTS, &socket->source);
}

void datagrams_stop(struct datagrams *d)
{
	for (const struct datagram_socket *socket = d->sockets; socket; socket = socket->next)
		loop_remove(d->loop, socket->out.fd);
}
