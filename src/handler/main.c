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
	.help_tail = "See ",
	.rows = rows,
	.take = take,
};

static bool peer_is_gone(int error)
{
	return error == -ECONNRESET || error == -EPIPE || error == -ETIMEDOUT;
}

static int converse(const struct conversation *conversation, const struct exchange_options *options)
{
	static const char *const what[] = {
		[FILTER_READ] = "read",
		[FILTER_WRITE] = "write",
		[FILTER_MESSAGE] = "message",
		[FILTER_MEMORY] = "memory",
	};
	enum filter_failure failure;
	int r;

	/* A vanished peer is that connection's end; in a pipeline SIGPIPE ends us, as is usual
	 * there. */
	if (conversation->is_socket) {
		(void)signal(SIGPIPE, SIG_IGN);
		socket_send_at_once(conversation->out);
		socket_take_urgent(conversation->in);
	}
	r = filter_run(conversation->in, conversation->out, options, &failure);
	if (conversation->is_socket) {
		if (peer_is_gone(r))
			return EXIT_ANSWERED;
		filter_end(conversation->in);
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
