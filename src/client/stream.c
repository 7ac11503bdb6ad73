/* SPDX-License-Identifier: ISC */

/*
 * stream: all of an input over one connection, both ways at once.
 *
 * With framing "stream" nothing in the bytes tells a server that answers a stream from one that
 * answers one sentence and closes, as the textbook's does. The latter must not be sent, and then
 * thought to have answered, more than a sentence. So the beginning is careful:
 *
 *    FIRST LINE ─── its newline came back ───► HOLD ─── more of an answer ───► FLOW
 *     │     └────────── patience is over ──────┴───── patience is over ────────►┘
 *     │ closed: an answer is missing            │ closed: one sentence a connection
 *     ▼                                         ▼
 *    exit 1                              sentences_ask(once), from the second sentence on
 *
 * In HOLD all that was sent behind the first line is kept: if the connection closes without another
 * byte of answer none of it was answered, and all of it is asked again. Nothing is lost or doubled.
 */

#include <inttypes.h>
#include <string.h>

#include "client/client.h"
#include "client/connection.h"
#include "client/duplex.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* How long the rest of the input waits for the first sentence's answer: a service that answers at
 * the end of the input gives none. */
#define PATIENCE_LEAST    UINT64_C(1000000)
#define PATIENCE_CONNECTS 4 /* that many times what connecting took, if it is more */

struct stream {
	struct client *client;
	int fd;
	uint64_t patience_usec;
	struct source source;
	struct duplex duplex;
};

static void free_stream(struct stream *stream)
{
	cleanup_close(&stream->fd);
	stream->fd = -1;
	source_free(&stream->source);
	duplex_free(&stream->duplex);
}

/* Connects, and starts with the input as it is. Returns 0, or an exit code when it is reported. */
static int open_stream(struct stream *stream)
{
	struct client *client = stream->client;
	enum framing framing = client->arguments->framing;
	uint64_t began = clock_now();

	stream->fd = connection_open(&client->target, client->arguments->timeout_usec);
	if (stream->fd < 0) {
		client_miss(client, "%s", strerror(-stream->fd));
		return EXIT_MISSING;
	}
	stream->patience_usec = PATIENCE_CONNECTS * (clock_now() - began);
	if (stream->patience_usec < PATIENCE_LEAST)
		stream->patience_usec = PATIENCE_LEAST;
	source_init(&stream->source, &client->input, framing,
		    framing == FRAMING_STREAM ? SOURCE_FIRST_LINE : SOURCE_FLOW);
	answers_begin(&client->answers, framing);
	if (duplex_init(&stream->duplex, stream->fd, &stream->source, &client->answers) < 0)
		return client_fail_memory();
	stream->duplex.half_close = true;
	stream->duplex.timeout_usec = client->arguments->timeout_usec;
	return 0;
}

/* Why the connection's end leaves something unanswered, or NULL. */
static const char *find_gap(const struct stream *stream)
{
	const struct source *source = &stream->source;
	const struct answers *answers = &stream->client->answers;

	if (stream->duplex.sent > 0 && answers->received == 0)
		return "closed without an answer";
	/* What ends in a newline is answered with a newline at the end. */
	if (answers->header_length > 0 ||
	    (answers->open_ended && source_is_exhausted(source) && !source->input->open_ended))
		return "closed in the middle of an answer";
	if (!source_is_exhausted(source) ||
	    (source->framing != FRAMING_STREAM && answers->count < source->messages))
		return "closed before all was answered";
	if (source->framing != FRAMING_STREAM && answers->count > source->messages)
		return "more answers than questions";
	return NULL;
}

static void report_gap(struct stream *stream, const char *gap)
{
	struct client *client = stream->client;
	const char *hint = client->answers.received > 0 ? " (see --once)" : "";

	if (stream->source.framing == FRAMING_STREAM)
		client_miss(client, "%s%s", gap, hint);
	else
		client_miss(client, "%s: %" PRIu64 " of %" PRIu64 "%s", gap, client->answers.count,
			    stream->source.messages, hint);
}

/* A server that closed behind an answer, with more of ours unread: its stack makes a reset of that.
 */
static bool is_close(const struct stream *stream)
{
	const struct answers *answers = &stream->client->answers;

	return answers->received > 0 && answers->header_length == 0 && !answers->open_ended &&
	       (stream->duplex.error == -ECONNRESET || stream->duplex.error == -EPIPE);
}

static enum program_exit finish(struct stream *stream, enum duplex_end end)
{
	struct client *client = stream->client;
	char time[CLIENT_TIME_MAX];
	const char *gap;

	switch (end) {
	case DUPLEX_NO_INPUT:
		return client_fail_input(stream->duplex.error);
	case DUPLEX_NO_OUTPUT:
		return client_fail_output(stream->duplex.error);
	case DUPLEX_SILENT:
		client_miss(client, "no answer within %s",
			    client_print_time(client->arguments->timeout_usec, time));
		break;
	case DUPLEX_BROKEN:
	default:
		gap = find_gap(stream);
		if (end == DUPLEX_BROKEN && !(gap && is_close(stream)))
			client_miss(client, "%s", strerror(-stream->duplex.error));
		else if (gap)
			report_gap(stream, gap);
	}
	if (stream->source.too_long > 0)
		client_miss(client, "lines too long to ask: %" PRIu64, stream->source.too_long);
	return client_exit(client);
}

static bool is_over(enum duplex_end end)
{
	return end == DUPLEX_CLOSED || end == DUPLEX_BROKEN;
}

/* The careful beginning, up to FLOW. */
static enum duplex_end run_beginning(struct stream *stream)
{
	struct duplex *duplex = &stream->duplex;
	struct answers *answers = &stream->client->answers;
	enum duplex_end end;

	duplex->patience_usec = stream->patience_usec;
	duplex->stop_count = 1;
	end = duplex_run(duplex);
	if (end == DUPLEX_ANSWERED && stream->source.pace == SOURCE_FIRST_LINE) {
		source_set_pace(&stream->source, SOURCE_HOLD);
		duplex->stop_count = 0;
		duplex->stop_received = answers->received + 1;
		end = duplex_run(duplex);
	}
	return end;
}

/* All of it, over a connection that is there. */
static enum duplex_end run(struct stream *stream)
{
	struct duplex *duplex = &stream->duplex;
	enum duplex_end end = DUPLEX_IMPATIENT;

	if (stream->source.framing == FRAMING_STREAM)
		end = run_beginning(stream);
	if (end == DUPLEX_ANSWERED || end == DUPLEX_IMPATIENT) {
		source_set_pace(&stream->source, SOURCE_FLOW);
		stream->client->answers.uncounted = stream->source.framing == FRAMING_STREAM;
		duplex->patience_usec = PARSE_INFINITY;
		duplex->stop_count = duplex->stop_received = 0;
		end = duplex_run(duplex);
	}
	return end;
}

/* True if the server closed before it answered anything, and all that it was asked is still here:
 * it may have been tired of waiting for us. */
static bool can_ask_anew(const struct stream *stream, enum duplex_end end)
{
	return is_over(end) && stream->client->answers.received == 0 &&
	       (stream->source.pace == SOURCE_FIRST_LINE ||
		(stream->duplex.sent == 0 && stream->source.messages == 0));
}

/* The same over a new connection, once there is something to ask. Returns 0, -1 if there is
 * nothing, or an exit code. */
static int ask_anew(struct stream *stream, enum duplex_end *ret_end)
{
	struct input *input = &stream->client->input;
	int r;

	free_stream(stream);
	if (input_pending(input) == 0) {
		r = input_read(input);
		if (r < 0)
			return client_fail_input(r);
		if (r == 0)
			return -1;
	}
	r = open_stream(stream);
	if (r == 0)
		*ret_end = run(stream);
	return r;
}

/* Closed, with all answered that was asked: whether that was all there is to ask, the input says.
 */
static enum duplex_end look_for_more(struct stream *stream)
{
	struct source *source = &stream->source;
	const char *bytes;

	while (source_look(source, &bytes) == 0 && source_wants_input(source)) {
		int r = source_fill(source);

		if (r < 0) {
			stream->duplex.error = r;
			return DUPLEX_NO_INPUT;
		}
	}
	return DUPLEX_CLOSED;
}

enum program_exit stream_ask(struct client *client)
{
	_cleanup_(free_stream) struct stream stream = {.client = client, .fd = -1};
	enum duplex_end end;
	int r = open_stream(&stream);

	if (r > 0)
		return (enum program_exit)r;
	end = run(&stream);
	if (can_ask_anew(&stream, end)) {
		r = ask_anew(&stream, &end);
		if (r != 0)
			return r < 0 ? EXIT_ANSWERED : (enum program_exit)r;
	}
	if (is_over(end) && stream.source.pace == SOURCE_HOLD) {
		client->questions.number = 1;
		free_stream(&stream); /* the server may wait for that before it looks at others */
		return sentences_ask(client, true);
	}
	if (end == DUPLEX_CLOSED)
		end = look_for_more(&stream);
	return finish(&stream, end);
}
