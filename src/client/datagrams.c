/* SPDX-License-Identifier: ISC */

/*
 * datagrams: UDP asked one sentence after another, each in one datagram, without its newline.
 *
 * An answer says nothing of the question it belongs to. So each sentence is asked from a socket,
 * and with it a port, of its own: an answer that comes late, or twice, finds that port closed.
 */

#include <string.h>
#include <sys/socket.h>

#include "client/client.h"
#include "client/connection.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/descriptor.h"

struct datagrams {
	struct client *client;
	int fd;             /* of the last sentence, or negative */
	char buffer[65536]; /* the longest answer there can be */
};

static int open_socket(const struct address *address)
{
	_cleanup_close_ int fd =
		socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, &address->any, address->length) < 0)
		return negative_errno();
	if (connection_is_to_itself(fd))
		return -ECONNREFUSED;
	return take_fd(&fd);
}

/* Waits for an answer. Returns its length, -ETIMEDOUT, or a negative errno of read(2): what an ICMP
 * message said. */
static ssize_t receive(struct datagrams *datagrams)
{
	return descriptor_read(datagrams->fd, datagrams->buffer, sizeof(datagrams->buffer),
			       clock_after(datagrams->client->arguments->timeout_usec));
}

/* Asks one address, and again if need be. Returns as receive(). */
static ssize_t ask_address(struct datagrams *datagrams, const struct address *address,
			   const struct input_line *line)
{
	int fd = open_socket(address);
	ssize_t n = -ETIMEDOUT;

	/* Only now, so that the new socket's port is another one. */
	cleanup_close(&datagrams->fd);
	datagrams->fd = fd;
	if (datagrams->fd < 0)
		return datagrams->fd;
	for (uint64_t tries = 0; n == -ETIMEDOUT && tries <= datagrams->client->arguments->retries;
	     tries++) {
		/* A full send buffer loses a datagram as the network may: it is sent again. */
		if (send(datagrams->fd, line->bytes, line->length, 0) < 0 && errno != EAGAIN &&
		    errno != ENOBUFS)
			return negative_errno();
		n = receive(datagrams);
	}
	return n;
}

/* Asks the target's addresses in turn, beginning with the one that answered last. That one was
 * silent says more than that another refused. Returns as receive(). */
static ssize_t ask(struct datagrams *datagrams, const struct input_line *line)
{
	struct target *target = &datagrams->client->target;
	ssize_t result = -EADDRNOTAVAIL;

	for (size_t i = 0; i < target->count; i++) {
		size_t tried = (target->current + i) % target->count;
		ssize_t n = ask_address(datagrams, &target->addresses[tried], line);

		if (n >= 0) {
			target->current = tried;
			return n;
		}
		if (result != -ETIMEDOUT)
			result = n;
	}
	return result;
}

static void report_missing(struct client *client, int error)
{
	uint64_t tries = client->arguments->retries + 1;
	char which[QUESTIONS_TEXT_MAX], time[CLIENT_TIME_MAX];

	questions_print(&client->questions, which);
	if (error != -ETIMEDOUT) {
		client_miss(client, "no answer%s: %s", which, strerror(-error));
		return;
	}
	client_print_time(client->arguments->timeout_usec, time);
	if (tries == 1)
		client_miss(client, "no answer%s within %s", which, time);
	else
		client_miss(client, "no answer%s after %u tries of %s", which, (unsigned)tries,
			    time);
}

enum program_exit datagrams_ask(struct client *client)
{
	struct datagrams datagrams = {.client = client, .fd = -1};
	struct input_line line;
	int r;

	while ((r = questions_next(&client->questions, &line)) != 0) {
		ssize_t n;

		if (r < 0 && r != -EMSGSIZE) {
			cleanup_close(&datagrams.fd);
			return client_fail_input(r);
		}
		n = r < 0 || line.length > CLIENT_DATAGRAM_MAX ? -EMSGSIZE : ask(&datagrams, &line);
		if (n < 0) {
			report_missing(client, (int)n);
			continue;
		}
		r = answers_take_datagram(&client->answers, datagrams.buffer, (size_t)n);
		if (r < 0) {
			cleanup_close(&datagrams.fd);
			return client_fail_output(r);
		}
	}
	cleanup_close(&datagrams.fd);
	return client_exit(client);
}
