/* SPDX-License-Identifier: ISC */

/*
 * bulk: an endless text in both directions of one connection, as fast as it goes, every byte of the
 * answer compared.
 *
 *      bulk SERVER REQUESTS ANSWERS
 *
 * A run ends with a whole repetition of the text: at that point all of it must have been answered.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load.h"
#include "text.h"

#define PIECE_MAX ((size_t)256 << 10)

struct bulk {
	struct text requests, answers;
	char *buffer;
	uint64_t sent, received, due; /* bytes; due: what was sent will become */
	int fd;
};

static bool is_nothing(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Returns whether anything could be sent. */
static bool send_some(struct bulk *b)
{
	size_t left = b->requests.period - b->sent % b->requests.period;
	ssize_t n = send(b->fd, text_at(&b->requests, b->sent), left < PIECE_MAX ? left : PIECE_MAX,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (is_nothing(n))
		return false;
	if (n < 0)
		load_die("send");
	b->sent += (uint64_t)n;
	if (b->sent % b->requests.period == 0)
		b->due += b->answers.period;
	return true;
}

/* Returns whether anything was there. */
static bool receive_some(struct bulk *b)
{
	ssize_t n = recv(b->fd, b->buffer, PIECE_MAX, MSG_DONTWAIT);

	if (is_nothing(n))
		return false;
	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0)
		load_die("receive");
	text_check(&b->answers, b->received, b->buffer, (size_t)n);
	b->received += (uint64_t)n;
	return true;
}

static void run(void *context, uint64_t until, struct load_figures *figures)
{
	struct bulk *b = context;
	uint64_t begun = b->sent;

	for (;;) {
		bool sending = b->sent % b->requests.period != 0 || load_now() < until;
		struct pollfd poll_fd = {.fd = b->fd,
					 .events = (short)(POLLIN | (sending ? POLLOUT : 0))};
		bool sent, received;

		if (!sending && b->received == b->due)
			break;
		sent = sending && send_some(b);
		received = receive_some(b);
		if (!sent && !received &&
		    poll(&poll_fd, 1, (int)(LOAD_PATIENCE_USEC / 1000)) <= 0) {
			errno = ETIMEDOUT;
			load_die("the answer's rest");
		}
	}
	figures->bytes = b->sent - begun;
	figures->answers = figures->bytes / b->requests.period;
}

int main(int argc, char **argv)
{
	struct load_server server;
	struct bulk b = {0};

	if (argc != 4)
		load_die("usage: bulk SERVER REQUESTS ANSWERS");
	server = load_parse_server(argv[1]);
	b.requests = text_read(argv[2]);
	b.answers = text_read(argv[3]);
	b.buffer = malloc(PIECE_MAX);
	b.fd = socket(server.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!b.buffer || b.fd < 0 ||
	    connect(b.fd, (struct sockaddr *)&server.address, server.length) < 0)
		load_die("connect");
	load_obey(run, &b);
	return 0;
}
