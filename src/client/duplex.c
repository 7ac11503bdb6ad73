/* SPDX-License-Identifier: ISC */
#include "client/duplex.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "util/clock.h"
#include "util/error.h"

/* As much as a socket gives at once; larger ones only cost cache. */
#define BUFFER_SIZE ((size_t)256 << 10)

/* What a step says while the conversation goes on. */
#define GOES_ON (-1)

enum { SOCKET, INPUT, POLLED };

int duplex_init(struct duplex *duplex, int fd, struct source *source, struct answers *answers)
{
	*duplex = (struct duplex){
		.fd = fd,
		.source = source,
		.answers = answers,
		.timeout_usec = PARSE_INFINITY,
		.patience_usec = PARSE_INFINITY,
		.buffer = malloc(BUFFER_SIZE),
	};
	return duplex->buffer ? 0 : -ENOMEM;
}

void duplex_free(struct duplex *duplex)
{
	free(duplex->buffer);
	duplex->buffer = NULL;
}

static int fail(struct duplex *duplex, enum duplex_end end, int error)
{
	duplex->error = error;
	return (int)end;
}

/* Sends what can be sent. That the server has closed is told by what is received, in its turn:
 * answers may lie before it. */
static void send_more(struct duplex *duplex)
{
	const char *bytes;
	size_t length;

	while (!duplex->over && (length = source_look(duplex->source, &bytes)) > 0) {
		ssize_t n = send(duplex->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			source_advance(duplex->source, (size_t)n);
			duplex->sent += (uint64_t)n;
			duplex->since = clock_now();
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			duplex->error = negative_errno();
			duplex->over = true;
		}
	}
	if (!duplex->over && duplex->half_close && source_is_exhausted(duplex->source)) {
		(void)shutdown(duplex->fd, SHUT_WR);
		duplex->over = true;
	}
}

static int receive_more(struct duplex *duplex)
{
	ssize_t n = recv(duplex->fd, duplex->buffer, BUFFER_SIZE, MSG_DONTWAIT);
	int r;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR
			       ? GOES_ON
			       : fail(duplex, DUPLEX_BROKEN, negative_errno());
	if (n == 0)
		return duplex->error < 0 ? DUPLEX_BROKEN : DUPLEX_CLOSED;
	r = answers_take(duplex->answers, duplex->buffer, (size_t)n);
	if (r < 0)
		return fail(duplex, DUPLEX_NO_OUTPUT, r);
	duplex->since =
		clock_now(); /* after writing: how slow our reader is, is not the server's fault */
	return GOES_ON;
}

static bool has_enough(const struct duplex *duplex)
{
	const struct answers *answers = duplex->answers;

	return (duplex->stop_count > 0 && answers->count >= duplex->stop_count) ||
	       (duplex->stop_received > 0 && answers->received >= duplex->stop_received);
}

/* True if it is the server's turn: to read, to answer or to close. */
static bool is_owed(const struct duplex *duplex)
{
	const char *bytes;

	return duplex->over || duplex->expects_answer || source_look(duplex->source, &bytes) > 0 ||
	       (duplex->answers->framing != FRAMING_STREAM &&
		duplex->source->messages > duplex->answers->count);
}

/* Begins or ends a wait. Returns when it has lasted too long. */
static uint64_t update_wait(uint64_t *since, bool waiting, uint64_t limit)
{
	uint64_t end;

	if (!waiting || limit == PARSE_INFINITY) {
		*since = 0;
		return PARSE_INFINITY;
	}
	if (*since == 0)
		*since = clock_now();
	return __builtin_add_overflow(*since, limit, &end) ? PARSE_INFINITY : end;
}

static int wait_events(struct duplex *duplex, struct pollfd polled[static POLLED])
{
	const char *bytes;
	bool sends = !duplex->over && source_look(duplex->source, &bytes) > 0;
	bool reads = !duplex->over && source_wants_input(duplex->source);
	uint64_t silent = update_wait(&duplex->since, is_owed(duplex), duplex->timeout_usec);
	uint64_t impatient = update_wait(
		&duplex->held_since, source_is_kept_waiting(duplex->source), duplex->patience_usec);
	int r;

	polled[SOCKET] =
		(struct pollfd){.fd = duplex->fd, .events = POLLIN | (sends ? POLLOUT : 0)};
	polled[INPUT] =
		(struct pollfd){.fd = reads ? duplex->source->input->fd : -1, .events = POLLIN};

	r = poll(polled, POLLED, clock_poll_timeout(silent < impatient ? silent : impatient));
	if (r < 0)
		return errno == EINTR ? GOES_ON : fail(duplex, DUPLEX_BROKEN, negative_errno());
	if (r > 0)
		return GOES_ON;
	if (clock_now() >= silent)
		return DUPLEX_SILENT;
	return clock_now() >= impatient ? DUPLEX_IMPATIENT : GOES_ON;
}

enum duplex_end duplex_run(struct duplex *duplex)
{
	struct pollfd polled[POLLED];
	int end = GOES_ON;

	while (end == GOES_ON && !has_enough(duplex)) {
		send_more(duplex);
		end = wait_events(duplex, polled);
		if (end != GOES_ON)
			break;
		if (polled[INPUT].revents) {
			int r = source_fill(duplex->source);

			if (r < 0)
				return (enum duplex_end)fail(duplex, DUPLEX_NO_INPUT, r);
		}
		if (polled[SOCKET].revents & ~POLLOUT)
			end = receive_more(duplex);
	}
	return end == GOES_ON ? DUPLEX_ANSWERED : (enum duplex_end)end;
}
