/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * loopback: what the tests of sockets share: addresses with a port of the kernel's choice, waiting
 * on events with an end, and what a kernel or a machine may lack.
 */

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "net/address.h"
#include "net/socket.h"

/* Milliseconds after which what a test waits for has failed, on however busy a machine. */
#define PATIENCE 30000

/* An address as address_parse() takes it, its port replaced by port; 0: the kernel chooses. */
static inline struct address address_with_port(const char *text, int port)
{
	struct address address;

	ck_assert_int_eq(address_parse(text, &address), 0);
	if (address.any.sa_family == AF_INET)
		address.in.sin_port = htons((uint16_t)port);
	else
		address.in6.sin6_port = htons((uint16_t)port);
	return address;
}

static inline void wait_for(int fd, short events)
{
	struct pollfd wait = {.fd = fd, .events = events};

	ck_assert_int_eq(poll(&wait, 1, PATIENCE), 1);
}

static inline int port_of(int fd)
{
	struct address address;

	ck_assert_int_eq(socket_get_name(fd, &address), 0);
	return address_port(&address);
}

/* Sends a byte to an AF_UNIX socket, NULL where fd is connected, with standard input passed along
 * so many times (unix(7) SCM_RIGHTS). Returns 0 or a negative errno. */
static inline int pass_descriptors(int fd, const struct address *to, unsigned count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {0};
	char byte = 'x';
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_name = (void *)(to ? &to->any : NULL),
		.msg_namelen = to ? to->length : 0,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};

	/* Standard input is 0, as all of it is already. */
	*(struct cmsghdr *)control = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(count * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Whether a socket can refuse what is passed (Linux 6.16). */
static inline bool can_refuse_descriptors(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), value;
	socklen_t length = sizeof(value);
	bool can = getsockopt(fd, SOL_SOCKET, 83, &value, &length) == 0; /* SO_PASSRIGHTS */

	close(fd);
	return can;
}

/* Whether this machine has IPv6 on its loopback device: build machines often have not. */
static inline bool loopback_has_ipv6(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}
