/* SPDX-License-Identifier: ISC */

/*
 * ping-pong: messages over many connections; the next is sent when one is answered.
 *
 *      ping-pong SERVER REQUESTS ANSWERS TYPE CONNECTIONS SIZE IN-FLIGHT STUCK
 *
 * TYPE is stream or datagram: then a connection is a socket that asks one server. STUCK more
 * connections send as much as fits and never read. A run of 0 seconds asks once on each connection.
 * Latency is a message's, from its being sent to its last byte's being read.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"
#include "text.h"

#define EVENTS_MAX    256
#define IN_FLIGHT_MAX 64

/* Of a stuck client's socket, each way, in bytes. Left to itself the kernel gives 8 MB to each, and
 * a hundred of each server would be more than it grants to TCP in all. */
#define STUCK_BUFFER (64 << 10)

struct connection {
	uint64_t sent, received; /* bytes */
	uint64_t sent_at[IN_FLIGHT_MAX];
	uint32_t asked, answered; /* messages */
	int fd;
};

struct ping_pong {
	struct load_server server;
	struct text requests, answers;
	struct connection *connections;
	uint32_t count, size, in_flight, stuck;
	int type;
	uint32_t open; /* messages without an answer */
	int epoll_fd;
};

/* buffer: of the socket, in bytes; 0: as the kernel likes. */
static int open_connection(const struct ping_pong *p, int buffer)
{
	int fd = socket(p->server.address.ss_family, p->type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		load_die("socket");
	if (buffer > 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)) < 0 ||
			   setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)) < 0))
		load_die("buffers");
	if (connect(fd, (const struct sockaddr *)&p->server.address, p->server.length) < 0)
		load_die("connect");
	return fd;
}

/* Connections at once are never more than a backlog holds: each is answered before the next. */
static void ask_once(const struct ping_pong *p, struct connection *c);

static void connect_all(struct ping_pong *p)
{
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->connections = calloc(p->count, sizeof(*p->connections));
	if (p->epoll_fd < 0 || !p->connections)
		load_die("start");
	for (uint32_t i = 0; i < p->count; i++) {
		struct connection *c = &p->connections[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

		c->fd = open_connection(p, 0);
		ask_once(p, c);
		if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
			load_die("epoll_ctl");
	}
}

/* Fills what lies between the stuck client and the server: it is full once the server reads no
 * more, which nobody tells; a while in which nothing fits means it. */
static void open_stuck(const struct ping_pong *p)
{
	for (uint32_t i = 0; i < p->stuck; i++) {
		int fd = open_connection(p, STUCK_BUFFER);
		struct epoll_event event = {.events = EPOLLOUT}, ready;
		int alone = epoll_create1(EPOLL_CLOEXEC);
		uint64_t sent = 0;

		if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || alone < 0 ||
		    epoll_ctl(alone, EPOLL_CTL_ADD, fd, &event) < 0)
			load_die("stuck connection");
		while (epoll_wait(alone, &ready, 1, 20) > 0) {
			ssize_t n = send(fd, text_at(&p->requests, sent), p->requests.period,
					 MSG_NOSIGNAL);

			if (n < 0 && errno != EAGAIN)
				load_die("stuck send");
			sent += n > 0 ? (uint64_t)n : 0;
		}
		(void)close(alone);
	}
}

static void send_messages(const struct ping_pong *p, struct connection *c, uint32_t messages,
			  uint64_t now)
{
	size_t length = (size_t)messages * p->size;
	ssize_t n = send(c->fd, text_at(&p->requests, c->sent), length, MSG_NOSIGNAL);

	if (n != (ssize_t)length)
		load_die("send");
	for (uint32_t i = 0; i < messages; i++)
		c->sent_at[c->asked++ % IN_FLIGHT_MAX] = now;
	c->sent += length;
}

/* Reads what is there; returns how many messages became complete. */
static uint32_t read_answers(const struct ping_pong *p, struct connection *c)
{
	char buffer[64 << 10];
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);

	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0)
		load_die("receive");
	text_check(&p->answers, c->received, buffer, (size_t)n);
	c->received += (uint64_t)n;
	return (uint32_t)(c->received / p->size - c->answered);
}

static void ask_once(const struct ping_pong *p, struct connection *c)
{
	send_messages(p, c, 1, 0);
	while (c->answered < c->asked)
		c->answered += read_answers(p, c);
}

static void readable(struct ping_pong *p, struct connection *c, uint64_t until,
		     struct load_figures *figures)
{
	uint32_t messages = read_answers(p, c);
	uint64_t now = load_now();

	for (uint32_t i = 0; i < messages; i++)
		histogram_add(&figures->latency, now - c->sent_at[c->answered++ % IN_FLIGHT_MAX]);
	p->open -= messages;
	figures->answers += messages;
	figures->bytes += (uint64_t)messages * p->size;
	if (messages > 0 && now < until) {
		send_messages(p, c, messages, now);
		p->open += messages;
	}
}

static void run(void *context, uint64_t until, struct load_figures *figures)
{
	struct ping_pong *p = context;
	struct epoll_event events[EVENTS_MAX];

	for (uint32_t i = 0; i < p->count; i++) {
		send_messages(p, &p->connections[i], p->in_flight, load_now());
		p->open += p->in_flight;
	}
	while (p->open > 0) {
		int count = epoll_wait(p->epoll_fd, events, EVENTS_MAX, LOAD_PATIENCE_USEC / 1000);

		if (count == 0)
			errno = ETIMEDOUT;
		if (count <= 0)
			load_die("%u answers missing", p->open);
		for (int i = 0; i < count; i++)
			readable(p, events[i].data.ptr, until, figures);
	}
}

int main(int argc, char **argv)
{
	struct ping_pong p = {0};

	if (argc != 9)
		load_die("usage: ping-pong SERVER REQUESTS ANSWERS TYPE CONNECTIONS SIZE "
			 "IN-FLIGHT STUCK");
	p.server = load_parse_server(argv[1]);
	p.requests = text_read(argv[2]);
	p.answers = text_read(argv[3]);
	p.type = strcmp(argv[4], "datagram") == 0 ? SOCK_DGRAM : SOCK_STREAM;
	p.count = (uint32_t)load_parse_number(argv[5], 100000);
	p.size = (uint32_t)load_parse_number(argv[6], 1024);
	p.in_flight = (uint32_t)load_parse_number(argv[7], IN_FLIGHT_MAX);
	p.stuck = (uint32_t)load_parse_number(argv[8], 10000);
	open_stuck(&p);
	connect_all(&p);
	load_obey(run, &p);
	return 0;
}
