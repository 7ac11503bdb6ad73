/* SPDX-License-Identifier: ISC */

/* The client's main: from the command line to one of the ways of asking, and an exit code. */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client.h"
#include "util/cleanup.h"
#include "util/descriptor.h"
#include "util/report.h"

/* A sentence on its own, or with a header, is held in memory as a whole. */
#define SENTENCE_MAX ((size_t)16 << 20)

#define PROMPT        "Input lowercase sentence: "
#define ANSWER_PREFIX "From server: "

static void client_free(struct client *client)
{
	target_free(&client->target);
	input_free(&client->input);
	answers_free(&client->answers);
}

/* Returns 0, or the exit code when it is reported that there is nobody to ask. */
static int find_target(struct client *client)
{
	const struct arguments *arguments = client->arguments;
	const char *what = NULL, *why = NULL;
	int r;

	if (arguments->transport == ARGUMENTS_UNIX) {
		what = arguments->path;
		r = target_from_path(&client->target, arguments->path);
	} else {
		r = target_resolve(&client->target, arguments->host, arguments->port,
				   arguments->family,
				   arguments->transport == ARGUMENTS_UDP ? SOCK_DGRAM : SOCK_STREAM,
				   &what, &why);
	}
	if (r == 0)
		return 0;
	if (r == -ENOMEM)
		return (int)client_fail_memory();
	report(LOG_ERR, "%s: %s", what, why ? why : strerror(-r));
	return EXIT_TROUBLE;
}

static int prepare(struct client *client)
{
	const struct arguments *arguments = client->arguments;
	bool is_datagram = arguments->transport == ARGUMENTS_UDP;
	bool is_typed = !arguments->message_count && isatty(STDIN_FILENO);
	bool is_prompted = is_typed && !arguments->quiet;
	bool is_shown = isatty(STDOUT_FILENO);

	client->questions = (struct questions){
		.given = arguments->message_count ? arguments->messages : NULL,
		.given_count = arguments->message_count,
		.input = &client->input,
		.prompt = is_prompted ? PROMPT : NULL,
		.prompt_fd = is_shown ? STDOUT_FILENO : STDERR_FILENO,
	};
	if (input_init(&client->input, STDIN_FILENO,
		       is_datagram ? CLIENT_DATAGRAM_MAX : SENTENCE_MAX) < 0 ||
	    answers_init(&client->answers, STDOUT_FILENO,
			 is_prompted && is_shown ? ANSWER_PREFIX : NULL,
			 is_typed || arguments->message_count) < 0)
		return (int)client_fail_memory();
	return find_target(client);
}

static enum program_exit ask(const struct arguments *arguments)
{
	_cleanup_(client_free) struct client client = {.arguments = arguments};
	int r = prepare(&client);

	if (r > 0)
		return (enum program_exit)r;
	if (arguments->transport == ARGUMENTS_UDP)
		return datagrams_ask(&client);
	if (arguments->message_count || arguments->once || isatty(STDIN_FILENO))
		return sentences_ask(&client, arguments->once);
	return stream_ask(&client);
}

static enum program_exit print(const struct arguments *arguments)
{
	if (arguments->action == ARGUMENTS_HELP)
		arguments_print_help();
	else
		printf("uppercase-client %s\n", PROJECT_VERSION);
	return fflush(stdout) == 0 ? EXIT_ANSWERED : client_fail_output(negative_errno());
}

int main(int argc, char **argv)
{
	_cleanup_(arguments_free) struct arguments arguments = {0};
	char error[ARGUMENTS_ERROR_MAX];
	int r = descriptor_fill_standard();

	if (r < 0) {
		report(LOG_ERR, "/dev/null: %s", strerror(-r));
		return EXIT_TROUBLE;
	}
	/* A server that has closed is an error to report, a reader that has gone is one to keep. */
	(void)signal(SIGPIPE, SIG_IGN);
	r = arguments_parse(&arguments, argc, argv, error);
	if (r < 0) {
		report(LOG_ERR, "%s", r == -ENOMEM ? strerror(ENOMEM) : error);
		return EXIT_TROUBLE;
	}
	return (int)(arguments.action == ARGUMENTS_ASK ? ask(&arguments) : print(&arguments));
}
