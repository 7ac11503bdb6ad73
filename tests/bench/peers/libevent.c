/* SPDX-License-Identifier: ISC */

/*
 * libevent: libevent "stream" | "datagram" PORT|PATH
 *
 * Plain events, an own buffer to read into, and evbuffers only for what the kernel does not take:
 * as memcached does. Bufferevents of libevent 2.1 read 4 KiB at a time (EVBUFFER_MAX_READ) and wait
 * for a second event before they write: a third of this rate in bulk.
 */

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <unistd.h>

#include "peer.h"

#define BUFFER_SIZE ((size_t)128 << 10)

struct connection {
	struct event event;
	struct evbuffer *rest; /* of a reply that did not fit; NULL: none */
};

static char buffer[BUFFER_SIZE];

static void close_connection(struct connection *c)
{
	event_del(&c->event);
	close(event_get_fd(&c->event));
	if (c->rest)
		evbuffer_free(c->rest);
	free(c);
}

static void on_ready(evutil_socket_t fd, short what, void *data);

static void watch(struct connection *c, struct event_base *base, evutil_socket_t fd, short what)
{
	if (event_assign(&c->event, base, fd, what | EV_PERSIST, on_ready, c) < 0 ||
	    event_add(&c->event, NULL) < 0)
		peer_die("event_add");
}

/* Waits for something else from now on. */
static void turn(struct connection *c, short what)
{
	event_del(&c->event);
	watch(c, event_get_base(&c->event), event_get_fd(&c->event), what);
}

static void keep(struct connection *c, const char *bytes, size_t length)
{
	c->rest = evbuffer_new();
	if (!c->rest || evbuffer_add(c->rest, bytes, length) < 0)
		peer_die("evbuffer_add");
	turn(c, EV_WRITE);
}

static void answer(struct connection *c, evutil_socket_t fd)
{
	ssize_t n = recv(fd, buffer, BUFFER_SIZE, 0), sent;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			close_connection(c);
		return;
	}
	peer_upper(buffer, (size_t)n);
	sent = send(fd, buffer, (size_t)n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		close_connection(c);
	else if (sent < n)
		keep(c, buffer + (sent < 0 ? 0 : sent), (size_t)(n - (sent < 0 ? 0 : sent)));
}

static void send_rest(struct connection *c, evutil_socket_t fd)
{
	if (evbuffer_write(c->rest, fd) < 0) {
		if (errno != EAGAIN)
			close_connection(c);
		return;
	}
	if (evbuffer_get_length(c->rest) > 0)
		return;
	evbuffer_free(c->rest);
	c->rest = NULL;
	turn(c, EV_READ);
}

static void on_ready(evutil_socket_t fd, short what, void *data)
{
	struct connection *c = data;

	(void)what;
	if (c->rest)
		send_rest(c, fd);
	else
		answer(c, fd);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
			  struct sockaddr *address, int length, void *unused)
{
	struct connection *c = calloc(1, sizeof(*c));

	(void)address;
	(void)length;
	(void)unused;
	if (!c)
		peer_die("calloc");
	watch(c, evconnlistener_get_base(listener), fd, EV_READ);
}

static void on_datagram(evutil_socket_t fd, short what, void *unused)
{
	(void)what;
	(void)unused;
	for (int i = 0; i < 32; i++) {
		struct sockaddr_storage source;
		socklen_t length = sizeof(source);
		ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&source,
				     &length);

		if (n < 0)
			return;
		peer_upper(buffer, (size_t)n);
		(void)sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&source, length);
	}
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();

	if (argc != 3 || !base)
		return 2;
	if (strcmp(argv[1], "datagram") == 0) {
		int fd = peer_open(argv[2], SOCK_DGRAM | SOCK_NONBLOCK);

		event_add(event_new(base, fd, EV_READ | EV_PERSIST, on_datagram, NULL), NULL);
	} else {
		int fd = peer_open(argv[2], SOCK_STREAM | SOCK_NONBLOCK);

		if (!evconnlistener_new(base, on_connection, NULL, 0, 0, fd))
			peer_die("evconnlistener_new");
	}
	return event_base_dispatch(base);
}
