/* SPDX-License-Identifier: ISC */

/*
 * A handler's main: one conversation, then exit. It is executed once per connection: libc only, and
 * nothing at start-up that a short conversation does not need.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "activation/conversation.h"
#include "exchange/exchange-options.h"
#include "exchange/program.h"
#include "handler/filter.h"
#include "util/error.h"
#include "util/parse.h"
#include "util/report.h"

static const struct option_row rows[] = {EXCHANGE_OPTION_ROWS, EXCHANGE_OPTION_LAST_ROWS};

static int take(struct options *options, int id, void *userdata)
{
	return exchange_options_take(userdata, options, id);
}

static const struct program program = {
	.service = &service,
	.suffix = "",
	.help_head = ": standard input to standard output,\n"
		     "or the connection that systemd or an inetd hands over.",
	.help_tail = "Times are as in systemd.time(7): 500ms, 5s, 1min, infinity. See ",
	.rows = rows,
	.take = take,
};

/* Or silent for too long, which its own death looks like. */
static bool peer_is_gone(int error)
{
	return error == -ECONNRESET || error == -EPIPE || error == -ETIMEDOUT;
}

/* in is a connected socket. Where out is none, whoever takes the answers may take his time. */
static void begin_connection(const struct conversation *conversation, uint64_t *idle_timeout)
{
	/* A vanished peer is that connection's end; in a pipeline SIGPIPE ends us, as is usual
	 * there. */
	(void)signal(SIGPIPE, SIG_IGN);
	socket_send_at_once(conversation->out);
	socket_take_urgent(conversation->in);
	if (socket_limit_wait(conversation->out, SO_SNDTIMEO, *idle_timeout) < 0 ||
	    socket_limit_wait(conversation->in, SO_RCVTIMEO, *idle_timeout) < 0)
		*idle_timeout = PARSE_INFINITY;
}

/* Where part of an answer is missing it is not to look like all of it. */
static void end_connection(const struct conversation *conversation, int r,
			   enum filter_failure failure)
{
	if (failure == FILTER_WRITE)
		socket_end_by_reset(conversation->out);
	else if (!peer_is_gone(r))
		filter_end(conversation->in);
}

static int converse(const struct conversation *conversation, struct exchange_options *options)
{
	static const char *const what[] = {
		[FILTER_READ] = "read",
		[FILTER_WRITE] = "write",
		[FILTER_MESSAGE] = "message",
		[FILTER_MEMORY] = "memory",
	};
	enum filter_failure failure;
	int r;

	if (conversation->is_socket)
		begin_connection(conversation, &options->idle_timeout);
	else
		options->idle_timeout = PARSE_INFINITY;
	r = filter_run(conversation->in, conversation->out, options, &failure);
	if (conversation->is_socket) {
		end_connection(conversation, r, failure);
		if (peer_is_gone(r))
			return EXIT_ANSWERED;
	}
	if (r < 0) {
		report(LOG_ERR, "%s: %s", what[failure],
		       r == -EMSGSIZE ? "longer than --message-max allows"
		       : r == -EPROTO ? "the input ends before it is whole"
				      : strerror(-r));
		return failure == FILTER_MESSAGE ? EXIT_MISSING : EXIT_TROUBLE;
	}
	return EXIT_ANSWERED;
}

int main(int argc, char **argv)
{
	struct exchange_options options = exchange_options_default(&service);
	struct conversation conversation;
	char error[CONVERSATION_ERROR_MAX];
	int r = program_begin(&program, argc, argv, &options);

	if (r >= 0)
		return r;
	if (conversation_find(&conversation, error) < 0) {
		report(LOG_ERR, "%s", error);
		return EXIT_TROUBLE;
	}
	return converse(&conversation, &options);
}
