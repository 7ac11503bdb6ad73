/* SPDX-License-Identifier: ISC */
#include "net/socket.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"

/* What the headers of Linux before 6.16 don't know yet (asm-generic/socket.h). */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static int get_int(int fd, int option, int *ret_value)
{
	int value = 0;
	socklen_t length = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0)
		return negative_errno();
	*ret_value = value;
	return 0;
}

int socket_look(int fd, struct socket_facts *ret_facts)
{
	struct socket_facts facts = {0};
	struct address peer;
	int listening = 0, r;

	if ((r = get_int(fd, SO_DOMAIN, &facts.family)) < 0 ||
	    (r = get_int(fd, SO_TYPE, &facts.type)) < 0)
		return r;
	if (get_int(fd, SO_ACCEPTCONN, &listening) == 0)
		facts.listening = listening;
	peer.length = sizeof(peer.storage);
	facts.connected = getpeername(fd, &peer.any, &peer.length) == 0;
	*ret_facts = facts;
	return 0;
}

const char *socket_print_kind(const struct socket_facts *facts, char text[static SOCKET_TEXT_MAX])
{
	static const struct {
		int value;
		const char *name;
	} families[] = {{AF_INET, "AF_INET"},       {AF_INET6, "AF_INET6"},
			{AF_UNIX, "AF_UNIX"},       {AF_VSOCK, "AF_VSOCK"},
			{AF_NETLINK, "AF_NETLINK"}, {AF_PACKET, "AF_PACKET"}},
	  types[] = {{SOCK_STREAM, "stream"},
		     {SOCK_DGRAM, "datagram"},
		     {SOCK_SEQPACKET, "seqpacket"},
		     {SOCK_RAW, "raw"}};
	const char *family = NULL, *type = NULL;
	char family_number[32], type_number[16];

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (families[i].value == facts->family)
			family = families[i].name;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].value == facts->type)
			type = types[i].name;
	snprintf(family_number, sizeof(family_number), "address family %d", facts->family);
	snprintf(type_number, sizeof(type_number), "type %d", facts->type);
	snprintf(text, SOCKET_TEXT_MAX, "%s %s%s", family ? family : family_number,
		 facts->listening ? "listening " : "", type ? type : type_number);
	return text;
}

/* A socket file outlives its server; only one that refuses connections is ours to remove. A server
 * whose backlog is full is busy, not gone: it must neither be waited for nor replaced. */
static bool is_stale(const struct address *address, int type)
{
	_cleanup_close_ int probe = -1;
	struct stat status;

	if (address->any.sa_family != AF_UNIX || address->un.sun_path[0] == '\0' ||
	    lstat(address->un.sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	probe = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return probe >= 0 && connect(probe, &address->any, address->length) < 0 &&
	       errno == ECONNREFUSED;
}

/* As systemd does for SendBuffer=: beyond the limit (socket(7) wmem_max) where that is allowed. */
static void enlarge_send_buffer(int fd)
{
	const int size = SOCKET_SEND_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int open_exactly(const struct address *address, int type)
{
	_cleanup_close_ int fd =
		socket(address->any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1, off = 0;

	if (fd < 0)
		return negative_errno();
	/* Streams only: on a datagram socket it would let a second server steal the port unseen. */
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &address->any, address->length) < 0) {
		int r = negative_errno();

		if (r != -EADDRINUSE || !is_stale(address, type))
			return r;
		(void)unlink(address->un.sun_path);
		if (bind(fd, &address->any, address->length) < 0)
			return negative_errno();
	}
	if (type == SOCK_DGRAM)
		enlarge_send_buffer(fd);
	if (type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0)
		return negative_errno();
	return take_fd(&fd);
}

int socket_open(const struct address *address, int type)
{
	int fd = open_exactly(address, type);

	/* No IPv6 in the kernel, or switched off: "any address" is still there, of IPv4. */
	if ((fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) && address->any.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr)) {
		struct address ipv4 = {
			.length = sizeof(ipv4.in),
			.in = {.sin_family = AF_INET, .sin_port = address->in6.sin6_port},
		};

		return open_exactly(&ipv4, type);
	}
	return fd;
}

int socket_get_name(int fd, struct address *ret_address)
{
	struct address address = {.length = sizeof(address.storage)};

	if (getsockname(fd, &address.any, &address.length) < 0)
		return negative_errno();
	*ret_address = address;
	return 0;
}

int socket_get_peer(int fd, struct address *ret_address)
{
	struct address address = {.length = sizeof(address.storage)};

	if (getpeername(fd, &address.any, &address.length) < 0)
		return negative_errno();
	*ret_address = address;
	return 0;
}

void socket_send_at_once(int fd)
{
	const int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void socket_take_urgent(int fd)
{
	const int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

void socket_refuse_descriptors(int fd)
{
	const int off = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

bool socket_is_shut(int fd)
{
	struct pollfd look = {.fd = fd, .events = POLLRDHUP};

	return poll(&look, 1, 0) > 0 && look.revents & (POLLRDHUP | POLLHUP);
}

int socket_open_probe(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? negative_errno() : fd;
}

/* Who is found must have been bound to that very name. Who is connected can't be looked at (EPERM),
 * and need not be: he takes something from us only if he is connected with us. */
int socket_find(int probe, const struct address *name)
{
	struct address found;
	int r;

	if (name->un.sun_path[0] == '\0')
		return 1;
	if (connect(probe, &name->any, name->length) < 0)
		return errno == EPERM ? 1 : negative_errno();
	r = socket_get_peer(probe, &found);
	return r < 0 ? r : address_is_same(&found, name);
}

int socket_limit_wait(int fd, int option, uint64_t usec)
{
	struct timeval limit = {0}; /* none */

	if (usec != PARSE_INFINITY)
		limit = (struct timeval){
			.tv_sec = (time_t)(usec / 1000000),
			.tv_usec = (suseconds_t)(usec % 1000000),
		};
	if (setsockopt(fd, SOL_SOCKET, option, &limit, sizeof(limit)) < 0)
		return negative_errno();
	return 0;
}

void socket_end_by_reset(int fd)
{
	static const struct linger at_once = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}
