/* SPDX-License-Identifier: ISC */
#include "server/datagrams.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "net/pktinfo.h"
#include "net/socket.h"
#include "server/guard.h"
#include "util/cleanup.h"
#include "util/error.h"

#define BATCH 32

/* An IP datagram holds 65,507 bytes at most, an AF_UNIX one what its sender's buffer does: 208 KiB
 * unless somebody raised it. */
#define DATAGRAM_MAX ((size_t)256 << 10)

/* Slots begin at different cache sets: at a power of two they would push each other out. */
#define SLOT_SIZE (DATAGRAM_MAX + 192)

/* The largest payload of UDP over IPv4; a longer reply can't be sent (RFC 768). */
#define UDP_PAYLOAD_MAX 65507

/* Where replies are written, one behind the other, until they are sent. */
#define ARENA_SIZE ((size_t)1 << 20)

/* How long to wait for room in a network socket's send buffer, in milliseconds. */
#define SEND_WAIT_MS 10

struct datagram_socket {
	struct loop_source source;
	struct datagrams *datagrams;
	struct datagram_socket *next;
	int fd;
	int family;
	int own_port;
};

struct datagrams {
	struct loop *loop;
	const struct exchange_options *options;
	struct status *status;
	struct datagram_socket *sockets; /* owned list */

	char *slots; /* owned: BATCH requests */
	char *arena; /* owned: their replies */
	size_t arena_size;
	size_t arena_used;

	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_parts[BATCH], out_parts[BATCH];
	struct address sources[BATCH];
	_Alignas(struct cmsghdr) char controls[BATCH][PKTINFO_CONTROL_MAX];
	unsigned out_count;
};

int datagrams_new(struct loop *loop, const struct exchange_options *options, struct status *status,
                  struct datagrams **ret_datagrams)
{
	struct datagrams *datagrams = calloc(1, sizeof(*datagrams));
	size_t largest = exchange_room(options, DATAGRAM_MAX);

	if (!datagrams)
		return -ENOMEM;
	datagrams->loop = loop;
	datagrams->options = options;
	datagrams->status = status;
	datagrams->arena_size = ARENA_SIZE + largest;
	datagrams->arena = malloc(datagrams->arena_size);
	datagrams->slots = malloc(BATCH * SLOT_SIZE);
	if (!datagrams->arena || !datagrams->slots) {
		datagrams_free(datagrams);
		return -ENOMEM;
	}
	*ret_datagrams = datagrams;
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
	free(datagrams->arena);
	free(datagrams->slots);
	free(datagrams);
}

/* Reads up to a batch. Returns its size, or a negative errno. */
static int receive(struct datagrams *d, int fd)
{
	int count;

	for (unsigned i = 0; i < BATCH; i++) {
		d->in_parts[i] = (struct iovec){d->slots + i * SLOT_SIZE, DATAGRAM_MAX};
		d->in[i].msg_hdr = (struct msghdr){
		        .msg_name = &d->sources[i].storage,
		        .msg_namelen = sizeof(d->sources[i].storage),
		        .msg_iov = &d->in_parts[i],
		        .msg_iovlen = 1,
		        .msg_control = d->controls[i],
		        .msg_controllen = sizeof(d->controls[i]),
		};
	}
	count = recvmmsg(fd, d->in, BATCH, MSG_DONTWAIT, NULL);
	return count < 0 ? negative_errno() : count;
}

/* The send buffer of a network socket empties by itself; an AF_UNIX peer's may never. */
static bool wait_for_room(const struct datagram_socket *socket)
{
	struct pollfd room = {.fd = socket->fd, .events = POLLOUT};

	return socket->family != AF_UNIX && poll(&room, 1, SEND_WAIT_MS) > 0;
}

/* The address that was asked is none to send from (a subnet's broadcast): let the kernel choose. */
static bool retry_without_pktinfo(struct msghdr *message, int error)
{
	if (message->msg_controllen == 0 || (error != EINVAL && error != EADDRNOTAVAIL))
		return false;
	message->msg_control = NULL;
	message->msg_controllen = 0;
	return true;
}

/* Sends the replies that are written. One that can't be sent does not hold up the next. */
static void send_replies(struct datagrams *d, const struct datagram_socket *socket)
{
	unsigned next = 0;
	bool waited = false;

	while (next < d->out_count) {
		int sent = sendmmsg(socket->fd, d->out + next, d->out_count - next,
		                    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			for (int i = 0; i < sent; i++)
				d->status->bytes_out += d->out[next + (unsigned)i].msg_len;
			d->status->datagrams_answered += (unsigned)sent;
			next += (unsigned)sent;
			waited = false;
			continue;
		}
		if (errno == EINTR || retry_without_pktinfo(&d->out[next].msg_hdr, errno))
			continue;
		if (errno == EAGAIN && !waited) {
			waited = true;
			if (wait_for_room(socket))
				continue;
		}
		status_refuse_datagram(d->status, REFUSAL_SEND_FAILED);
		next++;
		waited = false;
	}
	d->out_count = 0;
	d->arena_used = 0;
}

/* Writes the reply to request i of a batch. */
static void answer(struct datagrams *d, const struct datagram_socket *socket, unsigned i)
{
	struct msghdr *request = &d->in[i].msg_hdr;
	size_t length = d->in[i].msg_len, reply;
	enum refusal why;
	char *out;

	d->sources[i].length = request->msg_namelen;
	d->status->bytes_in += length;
	if (!guard_allows(&d->sources[i], socket->own_port, &why)) {
		status_refuse_datagram(d->status, why);
		return;
	}
	if (request->msg_flags & MSG_TRUNC) {
		status_refuse_datagram(d->status, REFUSAL_TOO_LARGE);
		return;
	}
	if (d->arena_size - d->arena_used < exchange_room(d->options, length))
		send_replies(d, socket);
	out = d->arena + d->arena_used;
	reply = exchange_datagram(d->options, d->in_parts[i].iov_base, length, out);
	if (socket->family != AF_UNIX && reply > UDP_PAYLOAD_MAX) {
		status_refuse_datagram(d->status, REFUSAL_TOO_LARGE);
		return;
	}

	d->out_parts[d->out_count] = (struct iovec){out, reply};
	d->out[d->out_count].msg_hdr = *request;
	d->out[d->out_count].msg_hdr.msg_iov = &d->out_parts[d->out_count];
	d->out[d->out_count].msg_hdr.msg_flags = 0;
	pktinfo_turn(&d->out[d->out_count].msg_hdr);
	d->out_count++;
	d->arena_used += reply;
}

/* One batch a round: other sockets have their turn before the next. */
static void socket_ready(struct loop_source *source, uint32_t events)
{
	struct datagram_socket *socket = (struct datagram_socket *)source;
	struct datagrams *d = socket->datagrams;
	int count = receive(d, socket->fd);

	(void)events;
	/* Whatever it was (nothing there after all, an ICMP error, no memory), it concerns no other
	 * datagram: what is there stays there. */
	for (int i = 0; i < count; i++)
		answer(d, socket, (unsigned)i);
	send_replies(d, socket);
}

int datagrams_serve(struct datagrams *d, const struct endpoint *endpoint)
{
	struct datagram_socket *socket = calloc(1, sizeof(*socket));
	struct address own;
	int r;

	if (!socket)
		return -ENOMEM;
	*socket = (struct datagram_socket){
	        .source = {socket_ready},
	        .datagrams = d,
	        .next = d->sockets,
	        .fd = endpoint->fd,
	        .family = endpoint->family,
	        .own_port = -1,
	};
	d->sockets = socket;
	r = socket_get_name(endpoint->fd, &own);
	if (r < 0)
		return r;
	socket->own_port = address_port(&own);
	r = pktinfo_enable(endpoint->fd, endpoint->family);
	if (r < 0)
		return r;
	return loop_add(d->loop, endpoint->fd, EPOLLIN, &socket->source);
}

void datagrams_stop(struct datagrams *d)
{
	for (const struct datagram_socket *socket = d->sockets; socket; socket = socket->next)
		loop_remove(d->loop, socket->fd);
}
