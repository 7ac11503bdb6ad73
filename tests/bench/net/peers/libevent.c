/* SPDX-License-Identifier: ISC */

/*
 * libevent: libevent "stream" | "datagram" PORT|PATH
 *
 * Streams with bufferevents: the input is changed in place and moved, not copied, to the output;
 * reading stops while much waits there. Datagrams with an event that drains the socket.
 */

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <unistd.h>

#include "peer.h"

#define WAITING_MAX ((size_t)256 << 10)

static void on_read(struct bufferevent *b, void *unused)
{
	struct evbuffer *in = bufferevent_get_input(b), *out = bufferevent_get_output(b);
	struct evbuffer_iovec parts[16];
	int count = evbuffer_peek(in, -1, NULL, parts, 16);

	(void)unused;
	for (int i = 0; i < count && i < 16; i++)
		peer_upper(parts[i].iov_base, parts[i].iov_len);
	if (count > 16) {
		size_t length = evbuffer_get_length(in);

		peer_upper((char *)evbuffer_pullup(in, -1), length);
	}
	evbuffer_add_buffer(out, in);
	if (evbuffer_get_length(out) > WAITING_MAX)
		bufferevent_disable(b, EV_READ);
}

static void on_written(struct bufferevent *b, void *unused)
{
	(void)unused;
	bufferevent_enable(b, EV_READ);
}

static void on_all_written(struct bufferevent *b, void *unused)
{
	(void)unused;
	bufferevent_free(b);
}

static void on_end(struct bufferevent *b, short what, void *unused)
{
	(void)unused;
	if (what & BEV_EVENT_EOF && evbuffer_get_length(bufferevent_get_output(b)) > 0)
		bufferevent_setcb(b, NULL, on_all_written, on_end, NULL);
	else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		bufferevent_free(b);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
			  struct sockaddr *address, int length, void *unused)
{
	struct bufferevent *b = bufferevent_socket_new(evconnlistener_get_base(listener), fd,
						       BEV_OPT_CLOSE_ON_FREE);

	(void)address;
	(void)length;
	(void)unused;
	bufferevent_setcb(b, on_read, on_written, on_end, NULL);
	bufferevent_set_max_single_read(b, (size_t)128 << 10);
	bufferevent_set_max_single_write(b, (size_t)128 << 10);
	bufferevent_enable(b, EV_READ | EV_WRITE);
}

static void on_datagram(evutil_socket_t fd, short what, void *unused)
{
	static char buffer[65536];

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
	struct sockaddr_storage address;

	if (argc != 3 || !base)
		return 2;
	if (strcmp(argv[1], "datagram") == 0) {
		int fd = peer_open(argv[2], SOCK_DGRAM | SOCK_NONBLOCK);

		event_add(event_new(base, fd, EV_READ | EV_PERSIST, on_datagram, NULL), NULL);
	} else {
		int length = (int)peer_address(argv[2], &address);

		if (!evconnlistener_new_bind(base, on_connection, NULL,
					     LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, SOMAXCONN,
					     (struct sockaddr *)&address, length))
			peer_die("listen");
	}
	return event_base_dispatch(base);
}
