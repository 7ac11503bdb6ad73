/* SPDX-License-Identifier: ISC */

/* Tests of server/replies.h: how replies leave when a socket is not what it should be. What it does
 * over real ones, test-datagrams.c shows. */

#include "server/replies.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stddef.h>

#include "rig.h"

/* What the socket is like. */
static int together_error;                      /* sendmmsg(2) fails with, 0: sends all */
static int addressed_error;                     /* sendmsg(2) with control messages fails with */
static unsigned interrupted, alone_interrupted; /* the next sendmmsg(2)s and sendmsg(2)s that are */
static int stuck_for;                           /* sends that find no room; -1: all */
static int room_comes;                          /* what poll(2) returns */
static unsigned polls, tries, left_together;    /* what was done to it */
static size_t left[64];                         /* lengths of what was sent one by one */
static unsigned left_count;

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	(void)fd;
	(void)flags;
	tries++;
	if (interrupted > 0) {
		interrupted--;
		errno = EINTR;
		return -1;
	}
	if (together_error || stuck_for) {
		errno = together_error ? together_error : EAGAIN;
		return -1;
	}
	for (unsigned i = 0; i < count; i++)
		messages[i].msg_len = (unsigned)messages[i].msg_hdr.msg_iov->iov_len;
	left_together += count;
	return (int)count;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	(void)fd;
	(void)flags;
	tries++;
	if (alone_interrupted > 0) {
		alone_interrupted--;
		errno = EINTR;
		return -1;
	}
	if (stuck_for) {
		stuck_for -= stuck_for > 0;
		errno = EAGAIN;
		return -1;
	}
	if (addressed_error && message->msg_controllen > 0) {
		errno = addressed_error;
		return -1;
	}
	left[left_count++ % 64] = message->msg_iov->iov_len;
	return (ssize_t)message->msg_iov->iov_len;
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	(void)fds;
	ck_assert_uint_eq(count, 1);
	ck_assert_int_gt(timeout, 0);
	ck_assert_int_le(timeout, 100);
	polls++;
	return room_comes;
}

static bool knows_segments;

int getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
	(void)fd;
	ck_assert_int_eq(level, IPPROTO_UDP);
	ck_assert_int_eq(option, UDP_SEGMENT);
	ck_assert_uint_eq(*length, sizeof(int));
	memset(value, 0, sizeof(int));
	errno = ENOPROTOOPT;
	return knows_segments ? 0 : -1;
}

static struct loop loop; /* for its time alone */
static struct status status;
static struct replies *replies;
static struct reply_socket network;

static void begin(void)
{
	together_error = addressed_error = stuck_for = 0;
	room_comes = 0;
	polls = tries = left_together = left_count = 0;
	loop.now = 1;
	knows_segments = true;
	reply_socket_init(&network, -1, AF_INET);
	memset((void *)&status, 0, sizeof(status));
	ck_assert_int_eq(replies_new(&loop, 65536, &status, &replies), 0);
}

static struct address peers[8];

/* A reply of so many bytes to one of the peers, with a control message that stands for an address.
 */
static void add(unsigned peer, size_t length)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr request = {
		.msg_name = &peers[peer].storage,
		.msg_namelen = sizeof(peers[peer].in),
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	*CMSG_FIRSTHDR(&request) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int))};
	peers[peer] = rig_address("127.0.0.1", 2000 + peer);
	memset(replies_begin(replies, &network, length), 'x', length);
	replies_end(replies, &request, length);
}

/* A send buffer that does not empty is waited for once, not once for each reply. */
START_TEST(a_stuck_socket_is_waited_for_once)
{
	begin();
	stuck_for = -1;
	for (unsigned i = 0; i < 60; i++)
		add(i % 8, 100);
	replies_send(replies, &network);
	ck_assert_uint_eq(polls, 1);
	ck_assert_uint_eq(status.refused[REFUSAL_SEND_FAILED], 60);
	ck_assert_uint_eq(status.datagrams_answered, 0);

	/* Nor once for each batch, even if something leaves now and then; each costs one call. */
	for (unsigned i = 0; i < 5; i++) {
		loop.now += 150000;
		stuck_for = i % 2 ? -1 : 0;
		for (unsigned peer = 0; peer < 8; peer++)
			add(peer, 100);
		tries = 0;
		replies_send(replies, &network);
		ck_assert_uint_eq(tries, 1);
	}
	ck_assert_uint_eq(polls, 1);
	ck_assert_uint_eq(status.refused[REFUSAL_SEND_FAILED], 60 + 2 * 8);
	ck_assert_uint_eq(status.datagrams_answered, 3 * 8);

	/* It is after a second. */
	loop.now += 250000;
	add(0, 100);
	stuck_for = 1;
	room_comes = 1;
	replies_send(replies, &network);
	ck_assert_uint_eq(polls, 2);
	ck_assert_uint_eq(status.datagrams_answered, 3 * 8 + 1);
	replies_free(replies);
}
END_TEST

/* Replies that were joined are as many when they are dropped. */
START_TEST(drops_what_was_joined)
{
	begin();
	stuck_for = -1;
	network.stuck_until = loop.now + 1;
	for (unsigned i = 0; i < 10; i++)
		add(i / 5, 100);
	replies_send(replies, &network);
	ck_assert_uint_eq(tries, 1);
	ck_assert_uint_eq(status.refused[REFUSAL_SEND_FAILED], 10);
	ck_assert_uint_eq(status.datagrams_refused, 10);
	replies_free(replies);
}
END_TEST

START_TEST(nobody_waits_for_a_unix_peer)
{
	struct reply_socket local = {.fd = -1, .family = AF_UNIX};

	begin();
	stuck_for = -1;
	add(0, 100);
	replies_send(replies, &local);
	ck_assert_uint_eq(polls, 0);
	ck_assert_uint_eq(status.refused[REFUSAL_SEND_FAILED], 1);
	replies_free(replies);
}
END_TEST

/* As one leave 64 segments at most, and no more bytes than one datagram has. */
START_TEST(joins_what_the_kernel_takes)
{
	static const struct {
		unsigned count;
		size_t length;
		unsigned messages;
	} rows[] = {{64, 100, 1}, {65, 100, 2}, {45, 1452, 1}, {46, 1452, 2}, {2, 1453, 2}};

	begin();
	for (unsigned i = 0; i < rows[_i].count; i++)
		add(0, rows[_i].length);
	replies_send(replies, &network);
	ck_assert_uint_eq(left_together, rows[_i].messages);
	ck_assert_uint_eq(status.datagrams_answered, rows[_i].count);
	replies_free(replies);
}
END_TEST

/* Together, and one by one. */
START_TEST(goes_on_when_interrupted)
{
	begin();
	together_error = EIO;
	interrupted = alone_interrupted = 2;
	add(0, 100);
	replies_send(replies, &network);
	ck_assert_uint_eq(interrupted, 0);
	ck_assert_uint_eq(alone_interrupted, 0);
	ck_assert_uint_eq(status.datagrams_answered, 1);
	ck_assert_uint_eq(status.bytes_out, 100);
	replies_free(replies);
}
END_TEST

/* Where the kernel does not take segments together, each leaves alone, and whole. */
START_TEST(segments_leave_alone)
{
	begin();
	together_error = EIO;
	for (int i = 0; i < 3; i++)
		add(0, 100);
	add(0, 40);
	add(1, 7);
	replies_send(replies, &network);
	ck_assert_uint_eq(left_count, 5);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(left[i], 100);
	ck_assert_uint_eq(left[3], 40);
	ck_assert_uint_eq(left[4], 7);
	ck_assert_uint_eq(status.datagrams_answered, 5);
	ck_assert_uint_eq(status.bytes_out, 347);
	replies_free(replies);
}
END_TEST

/* The address that was asked is none to send from: the kernel chooses. */
START_TEST(leaves_from_elsewhere)
{
	static const int errors[] = {EINVAL, EADDRNOTAVAIL};

	begin();
	together_error = addressed_error = errors[_i];
	add(0, 100);
	replies_send(replies, &network);
	ck_assert_uint_eq(left_count, 1);
	ck_assert_uint_eq(status.datagrams_answered, 1);
	replies_free(replies);
}
END_TEST

/* Four equal ones to a peer are one message; a shorter one ends it. */
START_TEST(joins_neighbours)
{
	begin();
	for (int i = 0; i < 4; i++)
		add(0, 100);
	add(0, 99);
	add(0, 100);
	add(1, 100);
	add(1, 101);
	replies_send(replies, &network);
	ck_assert_uint_eq(left_together, 4);
	ck_assert_uint_eq(status.datagrams_answered, 8);
	ck_assert_uint_eq(status.bytes_out, 800);
	replies_free(replies);
}
END_TEST

/* A kernel that doesn't know segments would send them as one. */
START_TEST(joins_only_what_is_cut_again)
{
	begin();
	knows_segments = false;
	reply_socket_init(&network, -1, AF_INET);
	for (int i = 0; i < 4; i++)
		add(0, 100);
	replies_send(replies, &network);
	ck_assert_uint_eq(left_together, 4);
	ck_assert_uint_eq(status.datagrams_answered, 4);
	replies_free(replies);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("replies_send", a_stuck_socket_is_waited_for_once),
		UNIT_ONCE("replies_send", drops_what_was_joined),
		UNIT_ONCE("replies_send", nobody_waits_for_a_unix_peer),
		UNIT_LOOP("replies_end", joins_what_the_kernel_takes, 0, 5),
		UNIT_ONCE("replies_send", goes_on_when_interrupted),
		UNIT_ONCE("replies_send", segments_leave_alone),
		UNIT_LOOP("replies_send", leaves_from_elsewhere, 0, 2),
		UNIT_ONCE("replies_end", joins_neighbours),
		UNIT_ONCE("replies_end", joins_only_what_is_cut_again),
		{0},
	};

	return unit_run("replies", rows);
}
