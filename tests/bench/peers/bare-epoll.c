/* SPDX-License-Identifier: ISC */

/*
 * bare-epoll: the loop that everything is compared to: one thread, level-triggered epoll, one
 * buffer for all connections. No limits, no timers, no log.
 *
 * With -DCOPY the reply is a copy of the request in a buffer of its own: what a transform that
 * costs no more than memcpy(3) would come to. With -DECHO nothing is done to it at all.
 */

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "peer.h"

/* As much as the daemon reads at once, for the reasons it has. */
#define BUFFER_SIZE ((size_t)190 << 10)
#define EVENTS      256

struct connection {
	int fd;
	char *rest; /* of a reply that did not fit */
	size_t rest_begin, rest_end;
};

static int epoll_fd;
static char buffer[BUFFER_SIZE];
#ifdef COPY
static char reply[BUFFER_SIZE];
#else
static char *const reply = buffer;
#endif

static void watch(struct connection *c, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	if (epoll_ctl(epoll_fd, operation, c->fd, &event) < 0)
		peer_die("epoll_ctl");
}

static void close_connection(struct connection *c)
{
	close(c->fd);
	free(c->rest);
	free(c);
}

static void keep(struct connection *c, const char *bytes, size_t length)
{
	c->rest = malloc(length);
	if (!c->rest)
		peer_die("malloc");
	memcpy(c->rest, bytes, length);
	c->rest_begin = 0;
	c->rest_end = length;
	watch(c, EPOLL_CTL_MOD, EPOLLOUT);
}

static void readable(struct connection *c)
{
	ssize_t n = recv(c->fd, buffer, BUFFER_SIZE, 0), sent;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			close_connection(c);
		return;
	}
#ifdef COPY
	memcpy(reply, buffer, (size_t)n);
#elif !defined(ECHO)
	peer_upper(buffer, (size_t)n);
#endif
	sent = send(c->fd, reply, (size_t)n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		close_connection(c);
	else if (sent < n)
		keep(c, reply + (sent < 0 ? 0 : sent), (size_t)(n - (sent < 0 ? 0 : sent)));
}

static void writable(struct connection *c)
{
	ssize_t n = send(c->fd, c->rest + c->rest_begin, c->rest_end - c->rest_begin, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN)
			close_connection(c);
		return;
	}
	c->rest_begin += (size_t)n;
	if (c->rest_begin < c->rest_end)
		return;
	free(c->rest);
	c->rest = NULL;
	watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

static void accept_some(int fd)
{
	int new_fd;

	for (int i = 0; i < 16 && (new_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0; i++) {
		struct connection *c = calloc(1, sizeof(*c));

		if (!c)
			peer_die("calloc");
		c->fd = new_fd;
		watch(c, EPOLL_CTL_ADD, EPOLLIN);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct connection listener = {
		.fd = peer_open(argc > 1 ? argv[1] : "12000", SOCK_STREAM | SOCK_NONBLOCK)};

	epoll_fd = epoll_create1(0);
	watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			struct connection *c = events[i].data.ptr;

			if (c == &listener)
				accept_some(c->fd);
			else if (c->rest)
				writable(c);
			else
				readable(c);
		}
	}
}
