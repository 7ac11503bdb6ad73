/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * socket: what a descriptor is, and opening listening and datagram sockets.
 *
 * Not its job: who hands a socket over (activation/), what is read from it (the drivers).
 */

#include <stdbool.h>

#include "net/address.h"

/* What a descriptor is, as the kernel tells. */
struct socket_facts {
	int family; /* SO_DOMAIN: AF_INET… */
	int type;   /* SO_TYPE: SOCK_STREAM… */
	bool listening;
	bool connected;
};

/* Looks at fd. Returns 0, -ENOTSOCK (no socket) or another negative errno of getsockopt(2). */
int socket_look(int fd, struct socket_facts *ret_facts);

/* "AF_INET stream", "AF_UNIX seqpacket", for messages. Returns text. */
#define SOCKET_TEXT_MAX 64
const char *socket_print_kind(const struct socket_facts *facts, char text[static SOCKET_TEXT_MAX]);

/* Of datagram sockets, in bytes (SO_SNDBUF of socket(7)): all peers of one share it, and what can't
 * leave yet is in it. */
#define SOCKET_SEND_BUFFER (4 << 20)

/* Opens a non-blocking, close-on-exec socket on address: a listening one for SOCK_STREAM, a bound
 * one for SOCK_DGRAM. "Any address" of IPv6 takes IPv4 too, and falls back to IPv4 alone on a
 * machine without IPv6. A stale AF_UNIX socket file, which nobody listens on, is replaced. A
 * datagram socket gets a send buffer of SOCKET_SEND_BUFFER, or as much of it as there may be.
 * Returns the descriptor, or a negative errno of socket(2), bind(2) or listen(2). */
int socket_open(const struct address *address, int type);

/* The socket's own address. Returns 0 or a negative errno of getsockname(2). */
int socket_get_name(int fd, struct address *ret_address);

/* The address of who it is connected with. Returns 0 or a negative errno of getpeername(2):
 * -ENOTCONN too where that one has gone. */
int socket_get_peer(int fd, struct address *ret_address);

/* Has what is sent over a TCP socket, or over those accepted from it, leave at once (tcp(7)
 * TCP_NODELAY): an answer must not wait until the one before it is acknowledged. Others need none.
 */
void socket_send_at_once(int fd);

/* Has a byte that a peer sends as urgent (tcp(7); over AF_UNIX where the kernel knows such) come in
 * its place among the others. It would be skipped otherwise, and unread at the connection's end:
 * that would be a reset then. A TCP socket hands this down to those accepted from it, an AF_UNIX
 * one does not. */
void socket_take_urgent(int fd);

/* Has who sends open files along (unix(7) SCM_RIGHTS) over an AF_UNIX socket, or over those
 * accepted from it, fail with EPERM. Linux before 6.16 can't: it closes them when their message is
 * read, which takes as long as they like. Other sockets have no such thing. */
void socket_refuse_descriptors(int fd);

/* Has somebody who shares a listening or datagram socket shut it down? To be asked where nothing is
 * there although it is ready: it would be so for ever. */
bool socket_is_shut(int fd);

/* Whom an AF_UNIX datagram's sender is found at by its name. A path may lead elsewhere here, since
 * it is relative, or goes by way of a link, or since the sender has another root directory: to
 * somebody whom he would have us write to. An abstract name is the same for all who share the
 * socket's network, which need not be ours: it is not looked for. probe is an AF_UNIX datagram
 * socket for nothing but this. Returns 1 if it leads back, 0 if it leads elsewhere, or a negative
 * errno of connect(2): to nobody. */
int socket_find(int probe, const struct address *name);

/* Opens such a socket. Returns its descriptor, or a negative errno of socket(2). */
int socket_open_probe(void);

/* Has a blocking call that waits give up after so many microseconds, with EAGAIN, or EINPROGRESS of
 * connect(2); PARSE_INFINITY: never. option is SO_RCVTIMEO or SO_SNDTIMEO (socket(7)).
 * Returns 0 or a negative errno of setsockopt(2). */
int socket_limit_wait(int fd, int option, uint64_t usec);

/* Has the close of a TCP socket, or the last one of those who share it, be a reset: its peer is not
 * to take it for a good end (socket(7) SO_LINGER). */
void socket_end_by_reset(int fd);
