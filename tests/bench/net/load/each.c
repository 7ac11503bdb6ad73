/* SPDX-License-Identifier: ISC */

/*
 * each: a connection for each request: connect, send, end of output, the answer, the server's end.
 *
 *      each SERVER REQUESTS ANSWERS CLIENTS SIZE
 *
 * A port of ours can't be used again for a while (TIME-WAIT), so the clients take turns with the
 * addresses of 127.0.1.0/24. Latency is a connection's, from socket() to its end.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"
#include "text.h"

#define CLIENTS_MAX 1024

struct client {
	uint64_t began, at; /* nanoseconds; where its request begins in the text */
	uint32_t received;
	int fd;
	bool sent;
};

struct each {
	struct load_server server;
	struct text requests, answers;
	struct client clients[CLIENTS_MAX];
	uint32_t count, size;
	uint32_t open;
	uint64_t turn;
	int epoll_fd;
};

static void bind_in_turn(struct each *e, int fd)
{
	struct sockaddr_in own = {.sin_family = AF_INET};
	const int on = 1;

	if (e->server.address.ss_family != AF_INET)
		return;
	own.sin_addr.s_addr = htonl(0x7f000101 + (uint32_t)(e->turn % 250));
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		load_die("bind");
}

/* Returns false if the connection is not made yet. */
static bool try_send(struct each *e, struct client *c)
{
	ssize_t n = send(c->fd, text_at(&e->requests, c->at), e->size, MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n != (ssize_t)e->size || shutdown(c->fd, SHUT_WR) < 0)
		load_die("send");
	return c->sent = true;
}

static void begin(struct each *e, struct client *c)
{
	struct epoll_event event = {.data.ptr = c};

	c->began = load_now();
	c->received = 0;
	c->sent = false;
	c->at = e->turn++ * e->size;
	c->fd = socket(e->server.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		load_die("socket");
	bind_in_turn(e, c->fd);
	if (connect(c->fd, (struct sockaddr *)&e->server.address, e->server.length) < 0 &&
	    errno != EINPROGRESS)
		load_die("connect");
	/* On loopback the connection is made by now, as a rule. */
	event.events = try_send(e, c) ? EPOLLIN : EPOLLOUT;
	if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
		load_die("epoll_ctl");
	e->open++;
}

static void writable(struct each *e, struct client *c)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	if (try_send(e, c) && epoll_ctl(e->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0)
		load_die("epoll_ctl");
}

static void readable(struct each *e, struct client *c, uint64_t until, struct load_figures *figures)
{
	char buffer[4096];
	ssize_t n;
	uint64_t now;

	while ((n = recv(c->fd, buffer, sizeof(buffer), 0)) > 0) {
		text_check(&e->answers, c->at + c->received, buffer, (size_t)n);
		c->received += (uint32_t)n;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0 || c->received != e->size)
		load_die("an answer of %u bytes", c->received);
	(void)close(c->fd);
	e->open--;
	now = load_now();
	histogram_add(&figures->latency, now - c->began);
	figures->answers++;
	figures->bytes += e->size;
	if (now < until)
		begin(e, c);
}

static void run(void *context, uint64_t until, struct load_figures *figures)
{
	struct each *e = context;
	struct epoll_event events[CLIENTS_MAX];

	for (uint32_t i = 0; i < e->count; i++)
		begin(e, &e->clients[i]);
	while (e->open > 0) {
		int count = epoll_wait(e->epoll_fd, events, CLIENTS_MAX, LOAD_PATIENCE_USEC / 1000);

		if (count == 0)
			errno = ETIMEDOUT;
		if (count <= 0)
			load_die("%u answers missing", e->open);
		for (int i = 0; i < count; i++) {
			struct client *c = events[i].data.ptr;

			if (c->sent)
				readable(e, c, until, figures);
			else
				writable(e, c);
		}
	}
}

int main(int argc, char **argv)
{
	static struct each e;

	if (argc != 6)
		load_die("usage: each SERVER REQUESTS ANSWERS CLIENTS SIZE");
	e.server = load_parse_server(argv[1]);
	e.requests = text_read(argv[2]);
	e.answers = text_read(argv[3]);
	e.count = (uint32_t)load_parse_number(argv[4], CLIENTS_MAX);
	e.size = (uint32_t)load_parse_number(argv[5], 4096);
	e.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (e.epoll_fd < 0)
		load_die("epoll_create1");
	load_obey(run, &e);
	return 0;
}
