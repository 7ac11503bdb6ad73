/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * peer: what the C peers have in common, besides their being as small as their authors would make
 * them: each is called with "PORT" (127.0.0.1) or "/path" of the socket to make.
 */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Compilers make vector code of it. */
static inline void peer_upper(char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)(bytes[i] ^ ((unsigned char)(bytes[i] - 'a') < 26) << 5);
}

__attribute__((noreturn)) static inline void peer_die(const char *what)
{
	perror(what);
	exit(1);
}

static inline socklen_t peer_address(const char *text, struct sockaddr_storage *ret_address)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ret_address;
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (*text == '/') {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", text);
		return sizeof(*un);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((unsigned short)atoi(text));
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(*in);
}

/* Bound, and if it is a stream listening. */
static inline int peer_open(const char *text, int type)
{
	struct sockaddr_storage address;
	socklen_t length = peer_address(text, &address);
	int fd = socket(address.ss_family, type, 0);
	const int on = 1;

	if (fd < 0)
		peer_die("socket");
	if ((type & SOCK_STREAM) == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Those accepted from it have it, too. */
	if ((type & SOCK_STREAM) == SOCK_STREAM && address.ss_family == AF_INET)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, length) < 0)
		peer_die("bind");
	if ((type & SOCK_STREAM) == SOCK_STREAM && listen(fd, SOMAXCONN) < 0)
		peer_die("listen");
	return fd;
}
