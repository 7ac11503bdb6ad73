/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * replies: datagrams on their way out: written one behind the other, sent with few system calls.
 *
 * Neighbours that are equally long and go to the same peer leave as one, which the kernel (or the
 * network card) cuts again: UDP_SEGMENT of udp(7). A sender whose requests came in bulk gets its
 * answers in bulk; what arrives is the same datagrams.
 * Not its job: who is answered (datagrams.c).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "server/loop.h"
#include "server/status.h"

struct replies;

/* A socket that replies leave over, and what was learned of it. */
struct reply_socket {
	int fd;
	int family;
	bool may_join;        /* the kernel cuts messages into segments */
	uint64_t stuck_until; /* the loop's time: till then nobody waits for room in its buffer */
};

/* Finds out what is to be known of a datagram socket, which stays its owner's. */
void reply_socket_init(struct reply_socket *socket, int fd, int family);

/* Makes a store for replies of up to largest bytes. loop and status must outlive it; the latter
 * counts what is sent and what can't be. Returns 0 or -ENOMEM; replies_free() releases it. */
int replies_new(const struct loop *loop, size_t largest, struct status *status,
		struct replies **ret_replies);
void replies_free(struct replies *replies);

/* Where the next reply, of up to room bytes, is to be written. Sends what is in the way to socket
 * first. */
char *replies_begin(struct replies *replies, struct reply_socket *socket, size_t room);

/* The length bytes written there answer request: they go back to where that came from, with its
 * control messages (see pktinfo_turn()). Its address must stay where it is until replies_send(). */
void replies_end(struct replies *replies, const struct msghdr *request, size_t length);

/* Sends them all to socket. One that can't be sent is counted, and does not hold up the next. For
 * room in a buffer that is full there is a short wait, and where that is in vain none for a second.
 */
void replies_send(struct replies *replies, struct reply_socket *socket);
