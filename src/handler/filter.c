/* SPDX-License-Identifier: ISC */
#include "handler/filter.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handler/source.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/descriptor.h"
#include "util/error.h"
#include "util/parse.h"

/* A pipe is 64 KiB at first: every so much both its sides change places on the processor. */
#define PIPE_SIZE_DEFAULT ((ssize_t)64 << 10)
#define PIPE_SIZE         (256 << 10)

/* The kernel copies to and from whole pages fastest. */
#define PAGE_SIZE ((size_t)4096)

static void *allocate_pages(size_t size)
{
	return aligned_alloc(PAGE_SIZE, (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
}

/* Where fd is a pipe and the system allows; nothing depends on it. */
static void enlarge_pipe(int fd)
{
	int size = fcntl(fd, F_GETPIPE_SZ);

	if (size > 0 && size < PIPE_SIZE)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
}

/* How long a peer may take to end its side after ours. */
#define LINGER_USEC 2000000

/* What was made of a mapped piece may have to be taken back, which a message that is held could not
 * be; and not every service bears a text that changes. */
static bool may_map(const struct exchange_options *options)
{
	return options->framing == FRAMING_STREAM && options->service->in_may_change;
}

/* A message that drips in has less time than a blocking read would wait. */
static ssize_t take(struct source *source, uint64_t until, bool is_dripping,
		    const char **ret_request)
{
	int r = 0;

	if (is_dripping && until != PARSE_INFINITY)
		r = descriptor_wait(source->fd, POLLIN, until);
	return r < 0 ? r : source_take(source, until, ret_request);
}

int filter_run(int in, int out, const struct exchange_options *options,
	       enum filter_failure *ret_failure)
{
	_cleanup_(exchange_reset) struct exchange exchange = {0};
	_cleanup_free_ char *buffer = allocate_pages(SOURCE_PIECE);
	_cleanup_free_ char *reply = allocate_pages(exchange_room(options, SOURCE_PIECE));
	_cleanup_(source_reset) struct source source = source_of(in, buffer, may_map(options));
	uint64_t until = clock_after(options->idle_timeout);
	bool enlarged = false, is_dripping = false;

	*ret_failure = FILTER_NONE;
	if (!buffer || !reply) {
		*ret_failure = FILTER_MEMORY;
		return -ENOMEM;
	}

	while (!exchange_is_done(&exchange)) {
		const struct exchange before = exchange;
		const char *request;
		ssize_t n = take(&source, until, is_dripping, &request);
		size_t length;
		int r;

		if (n < 0) {
			*ret_failure = FILTER_READ;
			return (int)n;
		}
		if (n >= PIPE_SIZE_DEFAULT && !enlarged) { /* much text, no short conversation */
			enlarge_pipe(in);
			enlarge_pipe(out);
			enlarged = true;
		}
		length = n > 0 ? exchange_feed(&exchange, options, request, (size_t)n, reply)
			       : exchange_finish(&exchange, options, reply);
		if (!source_confirm(&source)) { /* it comes once more */
			exchange = before;
			continue;
		}
		/* What was answered before a bad message is good. */
		r = descriptor_write_within(out, reply, length, options->idle_timeout);
		if (r < 0) {
			*ret_failure = FILTER_WRITE;
			return r;
		}
		r = exchange_error(&exchange);
		if (r < 0) {
			*ret_failure = r == -ENOMEM ? FILTER_MEMORY : FILTER_MESSAGE;
			return r;
		}
		is_dripping = exchange_is_dripping(&exchange, (size_t)n);
		if (!is_dripping)
			until = clock_after(options->idle_timeout);
	}
	return 0;
}

void filter_end(int fd)
{
	uint64_t until = clock_after(LINGER_USEC);
	char rest[4096];

	(void)shutdown(fd, SHUT_WR);
	while (clock_now() < until) {
		ssize_t n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
		if (n < 0)
			(void)descriptor_wait(fd, POLLIN, until);
	}
}
