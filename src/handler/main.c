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
#include "handler/filter.h"
#include "util/error.h"
#include "util/report.h"

static const struct option_row rows[] = {EXCHANGE_OPTION_ROWS, EXCHANGE_OPTION_LAST_ROWS};

static void print_help(void)
{
	printf("Usage: %s [OPTION...]\n"
	       "%s: standard input to standard output,\n"
	       "or the connection that systemd or an inetd hands over.\n\n",
	       service.name, service.summary);
	options_print_help(stdout, rows);
	printf("\nSee %s(1).\n", service.name);
}

/* Returns -1 to go on, or the exit code. */
static int parse_command_line(int argc, char **argv, struct exchange_options *exchange)
{
	struct options options;
	int id;

	if (options_init(&options, argc, argv, rows) < 0) {
		report(LOG_ERR, "options: %s", strerror(ENOMEM));
		return EXIT_TROUBLE;
	}
	while ((id = exchange_options_take(exchange, &options, options_next(&options))) >= 0)
		if (id == 'h' || id == EXCHANGE_OPTION_VERSION)
			break;
	if (id == OPTIONS_END && options.next_operand < argc) {
		snprintf(options.error, sizeof(options.error), "%.128s: no operands are taken",
		         argv[options.next_operand]);
		id = OPTIONS_INVALID;
	}
	options_free(&options);
	if (id == 'h')
		print_help();
	else if (id == EXCHANGE_OPTION_VERSION)
		exchange_print_version(stdout, service.name, &service);
	else if (id == OPTIONS_INVALID)
		report(LOG_ERR, "%s", options.error);
	return id == OPTIONS_END ? -1 : id == OPTIONS_INVALID ? EXIT_TROUBLE : EXIT_ANSWERED;
}

static bool peer_is_gone(int error)
{
	return error == -ECONNRESET || error == -EPIPE || error == -ETIMEDOUT;
}

/* A close with unread bytes would reset the connection and take the answer along: end our side, and
 * take out what has come. */
static void close_gently(int fd)
{
	char rest[4096];

	(void)shutdown(fd, SHUT_WR);
	while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
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
	if (conversation->is_socket)
		(void)signal(SIGPIPE, SIG_IGN);
	r = filter_run(conversation->in, conversation->out, options, &failure);
	if (conversation->is_socket) {
		if (peer_is_gone(r))
			return EXIT_ANSWERED;
		close_gently(conversation->in);
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
	int r = parse_command_line(argc, argv, &options);

	if (r >= 0) {
		if (fflush(stdout) != 0) {
			report(LOG_ERR, "write: %s", strerror(errno));
			return EXIT_TROUBLE;
		}
		return r;
	}
	if (conversation_find(&conversation, error) < 0) {
		report(LOG_ERR, "%s", error);
		return EXIT_TROUBLE;
	}
	return converse(&conversation, &options);
}
