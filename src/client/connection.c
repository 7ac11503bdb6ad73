/* SPDX-License-Identifier: ISC */
#include "client/connection.h"

#include <netinet/tcp.h>
#include <poll.h>

#include "net/socket.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/descriptor.h"
#include "util/error.h"

/* AF_UNIX bulk is slow with the default: a few packets fill it. */
#define UNIX_SEND_BUFFER (512 * 1024)

bool connection_is_to_itself(int fd)
{
	struct address here, there;

	return socket_get_name(fd, &here) == 0 && socket_get_peer(fd, &there) == 0 &&
	       here.any.sa_family != AF_UNIX && address_is_same(&here, &there);
}

/* The kernel's verdict on a connect() under way. */
static int wait_connected(int fd, uint64_t until)
{
	int error = 0, r = descriptor_wait(fd, POLLOUT, until);
	socklen_t length = sizeof(error);

	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return negative_errno();
	return -error;
}

/* A full backlog makes AF_UNIX's connect() block, or fail with EAGAIN, but never go on behind our
 * back: here it blocks, with the socket's own time limit. */
static int connect_unix(int fd, const struct address *address, uint64_t timeout_usec)
{
	const int size = UNIX_SEND_BUFFER;
	int r = socket_limit_wait(fd, SO_SNDTIMEO, timeout_usec);

	if (r < 0)
		return r;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while (connect(fd, &address->any, address->length) < 0)
		if (errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : negative_errno();
	return descriptor_set_nonblocking(fd, true);
}

static int connect_inet(int fd, const struct address *address, uint64_t timeout_usec)
{
	const int on = 1;
	int r = descriptor_set_nonblocking(fd, true);

	if (r < 0)
		return r;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &address->any, address->length) < 0) {
		if (errno != EINPROGRESS && errno != EINTR)
			return negative_errno();
		r = wait_connected(fd, clock_after(timeout_usec));
		if (r < 0)
			return r;
	}
	return connection_is_to_itself(fd) ? -ECONNREFUSED : 0;
}

static int open_one(const struct address *address, uint64_t timeout_usec)
{
	_cleanup_close_ int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return negative_errno();
	if (address->any.sa_family == AF_UNIX)
		r = connect_unix(fd, address, timeout_usec);
	else
		r = connect_inet(fd, address, timeout_usec);
	return r < 0 ? r : take_fd(&fd);
}

int connection_open(struct target *target, uint64_t timeout_usec)
{
	int fd = -EADDRNOTAVAIL;

	for (size_t i = 0; i < target->count; i++) {
		size_t tried = (target->current + i) % target->count;

		fd = open_one(&target->addresses[tried], timeout_usec);
		if (fd >= 0) {
			target->current = tried;
			return fd;
		}
	}
	return fd;
}
