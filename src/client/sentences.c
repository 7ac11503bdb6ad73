/* SPDX-License-Identifier: ISC */

/*
 * sentences: streams asked one sentence after another.
 *
 * A connection is used as long as the server lets it live. A server that closes after one answer,
 * as the textbook's does, is met by connecting again: a sentence whose connection ends before any
 * byte of its answer, but was there before the sentence, is asked once more over a new one.
 *
 * Where an answer ends: with framing "stream" at the newline that comes back for the sentence's
 * own, or, where each sentence has a connection to itself, at the connection's end.
 */

#include <string.h>
#include <sys/socket.h>

#include "client/client.h"
#include "client/connection.h"
#include "client/duplex.h"
#include "util/cleanup.h"

struct sentences {
	struct client *client;
	bool own_connection; /* one for each sentence */
	int fd;              /* the connection, or -1 */
};

enum verdict {
	VERDICT_ANSWERED,
	VERDICT_UNANSWERED, /* closed before any byte of an answer */
	VERDICT_MISSING,    /* reported */
	VERDICT_OUTPUT,     /* standard output failed */
	VERDICT_MEMORY,
};

static void drop(struct sentences *sentences)
{
	cleanup_close(&sentences->fd);
	sentences->fd = -1;
}

/* Returns 0, or -1 when it is reported that nobody is there. */
static int reconnect(struct sentences *sentences)
{
	struct client *client = sentences->client;
	int fd;

	drop(sentences);
	fd = connection_open(&client->target, client->arguments->timeout_usec);
	if (fd < 0) {
		client_miss(client, "%s", strerror(-fd));
		return -1;
	}
	sentences->fd = fd;
	return 0;
}

/* Before a sentence: drops a connection that has ended. What else came unasked belongs to the
 * answer before, and is shown; with framing it belongs to nothing, and the connection can't be
 * trusted. */
static void look_after(struct sentences *sentences)
{
	struct answers *answers = &sentences->client->answers;
	char bytes[4096];
	ssize_t n;

	if (sentences->fd < 0)
		return;
	while ((n = recv(sentences->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0 &&
	       answers->framing == FRAMING_STREAM)
		(void)answers_take(answers, bytes, (size_t)n);
	if (n >= 0 || errno != EAGAIN)
		drop(sentences);
	(void)answers_end(answers, false);
}

static enum verdict judge(struct sentences *sentences, const struct duplex *duplex,
			  enum duplex_end end, bool is_empty)
{
	struct client *client = sentences->client;
	bool until_end = sentences->own_connection && client->answers.framing == FRAMING_STREAM;
	char which[QUESTIONS_TEXT_MAX], time[CLIENT_TIME_MAX];

	questions_print(&client->questions, which);
	switch (end) {
	case DUPLEX_ANSWERED:
		return VERDICT_ANSWERED;
	case DUPLEX_NO_OUTPUT:
		return VERDICT_OUTPUT;
	case DUPLEX_SILENT:
		client_print_time(client->arguments->timeout_usec, time);
		client_miss(client, "no %sanswer%s within %s",
			    client->answers.received > 0 ? "end of the " : "", which, time);
		return VERDICT_MISSING;
	case DUPLEX_CLOSED:
		if (until_end && (client->answers.received > 0 || is_empty))
			return VERDICT_ANSWERED;
		break;
	default:
		break;
	}
	if (client->answers.received == 0)
		return VERDICT_UNANSWERED;
	client_miss(client, "%s in the middle of the answer%s%s",
		    end == DUPLEX_CLOSED ? "closed" : strerror(-duplex->error), which,
		    sentences->own_connection ? "" : " (see --once)");
	return VERDICT_MISSING;
}

/* Over the connection that there is. */
static enum verdict ask(struct sentences *sentences, const struct input_line *line)
{
	struct client *client = sentences->client;
	enum framing framing = client->arguments->framing;
	_cleanup_(source_free) struct source source = {0};
	_cleanup_(duplex_free) struct duplex duplex = {0};
	enum verdict verdict;
	enum duplex_end end;

	if (source_init_message(&source, framing, line->bytes, line->length, line->newline) < 0 ||
	    duplex_init(&duplex, sentences->fd, &source, &client->answers) < 0)
		return VERDICT_MEMORY;
	duplex.half_close = sentences->own_connection;
	duplex.expects_answer = true;
	duplex.timeout_usec = client->arguments->timeout_usec;
	if (!sentences->own_connection || framing != FRAMING_STREAM)
		duplex.stop_count = source.messages;

	answers_begin(&client->answers, framing);
	end = duplex_run(&duplex);
	verdict = judge(sentences, &duplex, end, line->length == 0 && !line->newline);
	if (answers_end(&client->answers, verdict == VERDICT_ANSWERED) < 0)
		verdict = VERDICT_OUTPUT;
	if (verdict != VERDICT_ANSWERED || sentences->own_connection)
		drop(sentences);
	return verdict;
}

static enum verdict ask_until_answered(struct sentences *sentences, const struct input_line *line)
{
	struct client *client = sentences->client;
	char which[QUESTIONS_TEXT_MAX];
	enum verdict verdict;

	look_after(sentences);
	if (sentences->fd >= 0) {
		verdict = ask(sentences, line);
		if (verdict != VERDICT_UNANSWERED)
			return verdict;
	}
	if (reconnect(sentences) < 0)
		return VERDICT_UNANSWERED;
	verdict = ask(sentences, line);
	if (verdict == VERDICT_UNANSWERED) {
		client_miss(client, "closed without an answer%s",
			    questions_print(&client->questions, which));
		return VERDICT_MISSING;
	}
	return verdict;
}

/* A line asked over a connection that goes on needs its newline: it ends the answer. */
static bool needs_newline(const struct sentences *sentences)
{
	return !sentences->own_connection;
}

enum program_exit sentences_ask(struct client *client, bool once)
{
	const struct arguments *arguments = client->arguments;
	struct sentences sentences __attribute__((cleanup(drop))) = {
		.client = client,
		.own_connection =
			once || (arguments->framing == FRAMING_STREAM && client->questions.given),
		.fd = -1,
	};
	char which[QUESTIONS_TEXT_MAX];
	struct input_line line;
	int r;

	/* Whether anybody is there is said before a person types. */
	if (client->questions.prompt && reconnect(&sentences) < 0)
		return EXIT_MISSING;
	while ((r = questions_next(&client->questions, &line)) != 0) {
		if (r == -EMSGSIZE) {
			client_miss(client, "too long a sentence, no answer%s",
				    questions_print(&client->questions, which));
			continue;
		}
		if (r < 0)
			return client_fail_input(r);
		line.newline |= needs_newline(&sentences);
		switch (ask_until_answered(&sentences, &line)) {
		case VERDICT_OUTPUT:
			return client_fail_output(client->answers.error);
		case VERDICT_MEMORY:
			return client_fail_memory();
		case VERDICT_UNANSWERED:
			return EXIT_MISSING; /* nobody there */
		default:
			break;
		}
	}
	return client_exit(client);
}
