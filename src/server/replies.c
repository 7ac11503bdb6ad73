/* SPDX-License-Identifier: ISC */
#include "server/replies.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "net/pktinfo.h"
#include "server/record.h"
#include "util/error.h"

/* Messages that one sendmmsg(2) takes. */
#define MESSAGES 64

/* An address to send from, and a segment size. */
#define CONTROL_MAX (PKTINFO_CONTROL_MAX + CMSG_SPACE(sizeof(uint16_t)))

/* Bytes of replies that are collected before they are sent. */
#define ARENA_SIZE ((size_t)1 << 20)

/* What the kernel takes as one: UDP_MAX_SEGMENTS, and an IP datagram's payload. */
#define SEGMENTS_MAX 64
#define TOGETHER_MAX 65507
/* A segment must fit the path's packets. 1,452 is what Ethernet carries over IPv6; where that is
 * too much the kernel says so, and they go one by one. */
#define SEGMENT_MAX 1452

/* How long to wait for room in a network socket's send buffer, in milliseconds; and where that was
 * in vain, for how long not to again, in microseconds. The buffer may stay full for seconds, though
 * some of it comes free now and then: the kernel keeps what goes to an address of an own network
 * that nobody has while it asks for it (arp(7)). */
#define ROOM_WAIT_MS   10
#define STUCK_FOR_USEC UINT64_C(1000000)

struct replies {
	const struct loop *loop;
	struct status *status;
	char *arena; /* owned */
	size_t arena_size, arena_used;
	unsigned count;
	bool may_join; /* the socket's kernel knows segments */
	struct mmsghdr messages[MESSAGES];
	struct iovec parts[MESSAGES];
	unsigned segments[MESSAGES];     /* replies that a message is made of */
	size_t segment_length[MESSAGES]; /* of all but the last, which may be shorter */
	_Alignas(struct cmsghdr) char controls[MESSAGES][CONTROL_MAX];
};

void reply_socket_init(struct reply_socket *socket, int fd, int family)
{
	int size;
	socklen_t length = sizeof(size);

	*socket = (struct reply_socket){
		.fd = fd,
		.family = family,
		/* Linux before 4.18 passes over a control message that it doesn't know: what is
		 * joined would arrive as one. Other families than IP's have no such option. */
		.may_join = getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, &length) == 0,
	};
}

int replies_new(const struct loop *loop, size_t largest, struct status *status,
		struct replies **ret_replies)
{
	struct replies *replies = calloc(1, sizeof(*replies));

	if (!replies)
		return -ENOMEM;
	replies->loop = loop;
	replies->status = status;
	replies->arena_size = ARENA_SIZE + largest;
	replies->arena = malloc(replies->arena_size);
	if (!replies->arena) {
		free(replies);
		return -ENOMEM;
	}
	*ret_replies = replies;
	return 0;
}

void replies_free(struct replies *replies)
{
	if (replies)
		free(replies->arena);
	free(replies);
}

char *replies_begin(struct replies *replies, struct reply_socket *socket, size_t room)
{
	if (replies->count == MESSAGES || replies->arena_size - replies->arena_used < room)
		replies_send(replies, socket);
	replies->may_join = socket->may_join;
	return replies->arena + replies->arena_used;
}

static bool have_equal_bytes(const void *a, size_t a_length, const void *b, size_t b_length)
{
	return a_length == b_length && memcmp(a, b, a_length) == 0;
}

/* Can a reply of length bytes, with these control messages, leave as a segment of the last message?
 */
static bool joins_last(const struct replies *replies, const struct msghdr *reply, size_t length)
{
	unsigned last = replies->count - 1;
	size_t segment = replies->segment_length[replies->count ? last : 0];
	const struct msghdr *before;

	if (replies->count == 0 || !replies->may_join)
		return false;
	before = &replies->messages[last].msg_hdr;
	return length > 0 && length <= segment && segment <= SEGMENT_MAX &&
	       /* a short one ends its message */
	       replies->parts[last].iov_len == segment * replies->segments[last] &&
	       replies->segments[last] < SEGMENTS_MAX &&
	       replies->parts[last].iov_len + length <= TOGETHER_MAX &&
	       have_equal_bytes(before->msg_name, before->msg_namelen, reply->msg_name,
				reply->msg_namelen) &&
	       have_equal_bytes(before->msg_control, before->msg_controllen, reply->msg_control,
				reply->msg_controllen);
}

void replies_end(struct replies *replies, const struct msghdr *request, size_t length)
{
	unsigned next = replies->count;
	struct msghdr reply = {
		.msg_name = request->msg_name,
		.msg_namelen = request->msg_namelen,
		.msg_iov = &replies->parts[next],
		.msg_iovlen = 1,
		.msg_control = replies->controls[next],
		.msg_controllen = request->msg_controllen,
	};

	if (request->msg_controllen > 0)
		memcpy(reply.msg_control, request->msg_control, request->msg_controllen);
	if (joins_last(replies, &reply, length)) {
		replies->parts[next - 1].iov_len += length;
		replies->segments[next - 1]++;
	} else {
		replies->parts[next] = (struct iovec){replies->arena + replies->arena_used, length};
		replies->messages[next].msg_hdr = reply;
		replies->segments[next] = 1;
		replies->segment_length[next] = length;
		replies->count++;
	}
	replies->arena_used += length;
}

/* Tells the kernel where to cut. */
static void add_segment_size(struct msghdr *message, uint16_t size)
{
	struct cmsghdr *header =
		(struct cmsghdr *)((char *)message->msg_control + message->msg_controllen);

	*header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(size)),
		.cmsg_level = IPPROTO_UDP,
		.cmsg_type = UDP_SEGMENT,
	};
	memcpy(CMSG_DATA(header), &size, sizeof(size));
	message->msg_controllen += CMSG_SPACE(sizeof(size));
}

static bool is_stuck(const struct replies *replies, const struct reply_socket *socket)
{
	return replies->loop->now < socket->stuck_until;
}

/* The send buffer of a network socket empties by itself; an AF_UNIX peer's may never. One that does
 * not in time is not waited for again with each reply: others are to be served. */
static bool wait_for_room(const struct replies *replies, struct reply_socket *socket)
{
	struct pollfd room = {.fd = socket->fd, .events = POLLOUT};

	if (socket->family == AF_UNIX || is_stuck(replies, socket))
		return false;
	if (poll(&room, 1, ROOM_WAIT_MS) > 0)
		return true;
	socket->stuck_until = replies->loop->now + STUCK_FOR_USEC;
	return false;
}

/* Sends one reply with its own address, or the kernel's choice where that is none to send from (a
 * subnet's broadcast address). Returns whether it left. */
static bool send_one(const struct replies *replies, const struct msghdr *message,
		     struct reply_socket *socket)
{
	struct msghdr single = *message;
	bool waited = false;

	for (;;) {
		if (sendmsg(socket->fd, &single, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return true;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN && !waited) {
			waited = true;
			if (wait_for_room(replies, socket))
				continue;
		} else if ((errno == EINVAL || errno == EADDRNOTAVAIL) &&
			   single.msg_controllen > 0) {
			single.msg_controllen = 0;
			continue;
		}
		return false;
	}
}

static void refuse(const struct replies *replies, const struct msghdr *reply, enum refusal why)
{
	struct address to = {.length = reply->msg_namelen};

	if (to.length > 0)
		memcpy(&to.storage, reply->msg_name, to.length);
	status_refuse_datagram(replies->status, why);
	record_log_refused_datagram(&to, why);
}

/* A message that did not leave as it is: its replies one by one. */
static void send_singly(struct replies *replies, unsigned i, struct reply_socket *socket)
{
	struct msghdr message = replies->messages[i].msg_hdr;
	struct iovec part, all = replies->parts[i];

	message.msg_iov = &part;
	if (replies->segments[i] > 1)
		message.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
	for (unsigned segment = 0; segment < replies->segments[i]; segment++) {
		size_t from = segment * replies->segment_length[i], length = all.iov_len - from;

		if (length > replies->segment_length[i])
			length = replies->segment_length[i];
		part = (struct iovec){(char *)all.iov_base + from, length};
		if (send_one(replies, &message, socket)) {
			status_count(&replies->status->datagrams_answered, 1);
			status_count(&replies->status->bytes_out, length);
		} else {
			refuse(replies, &message,
			       errno == EMSGSIZE ? REFUSAL_TOO_LARGE : REFUSAL_SEND_FAILED);
		}
	}
}

/* What is left of a batch: where one found no room, none does. */
static void drop_rest(const struct replies *replies, unsigned next)
{
	for (; next < replies->count; next++)
		for (unsigned segment = 0; segment < replies->segments[next]; segment++)
			refuse(replies, &replies->messages[next].msg_hdr, REFUSAL_SEND_FAILED);
}

void replies_send(struct replies *replies, struct reply_socket *socket)
{
	unsigned next = 0;

	for (unsigned i = 0; i < replies->count; i++)
		if (replies->segments[i] > 1)
			add_segment_size(&replies->messages[i].msg_hdr,
					 (uint16_t)replies->segment_length[i]);
	while (next < replies->count) {
		int sent = sendmmsg(socket->fd, replies->messages + next, replies->count - next,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		for (int i = 0; i < sent; i++, next++) {
			status_count(&replies->status->datagrams_answered, replies->segments[next]);
			status_count(&replies->status->bytes_out, replies->parts[next].iov_len);
		}
		if (sent < 0 && errno == EAGAIN && is_stuck(replies, socket)) {
			drop_rest(replies, next);
			break;
		}
		if (sent <= 0)
			send_singly(replies, next++, socket);
	}
	replies->count = 0;
	replies->arena_used = 0;
}
