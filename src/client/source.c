/* SPDX-License-Identifier: ISC */
#include "client/source.h"

#include <stdlib.h>
#include <string.h>

#include "client/newlines.h"
#include "util/error.h"

/* Messages with headers are made ready until there are that many bytes. */
#define READY_ENOUGH ((size_t)128 << 10)

void source_init(struct source *source, struct input *input, enum framing framing,
		 enum source_pace pace)
{
	*source = (struct source){.input = input, .framing = framing, .pace = pace};
}

void source_free(struct source *source)
{
	free(source->ready);
	source->ready = NULL;
}

/* Room behind what is ready for so many bytes more. What was sent makes room first: a buffer that
 * the socket never empties must not grow with all that goes through it. */
static int reserve(struct source *source, size_t more)
{
	size_t unsent = source->ready_end - source->ready_begin, capacity = READY_ENOUGH;
	char *bytes;

	if (source->ready_begin > 0 && source->ready_end + more > source->ready_capacity) {
		memmove(source->ready, source->ready + source->ready_begin, unsent);
		source->ready_begin = 0;
		source->ready_end = unsent;
	}
	if (source->ready && source->ready_end + more <= source->ready_capacity)
		return 0;
	while (capacity < unsent + more)
		capacity *= 2;
	bytes = realloc(source->ready, capacity);
	if (!bytes)
		return -ENOMEM;
	source->ready = bytes;
	source->ready_capacity = capacity;
	return 0;
}

static int make_ready(struct source *source, const char *bytes, size_t length, bool newline)
{
	int r = reserve(source, FRAMING_HEADER_SIZE + length + 1);

	if (r < 0)
		return r;
	if (source->framing == FRAMING_LENGTH) {
		framing_write_header((unsigned char *)source->ready + source->ready_end,
				     (uint32_t)length);
		source->ready_end += FRAMING_HEADER_SIZE;
	}
	memcpy(source->ready + source->ready_end, bytes, length);
	source->ready_end += length;
	if (source->framing == FRAMING_LINE || (source->framing == FRAMING_STREAM && newline))
		source->ready[source->ready_end++] = '\n';
	/* Newlines within the message end messages of their own. */
	source->messages +=
		1 + (source->framing == FRAMING_LINE ? newlines_count(bytes, length) : 0);
	return 0;
}

int source_init_message(struct source *source, enum framing framing, const char *bytes,
			size_t length, bool newline)
{
	source_init(source, NULL, framing, SOURCE_FLOW);
	return make_ready(source, bytes, length, newline);
}

static bool is_direct(const struct source *source)
{
	return source->input && source->framing != FRAMING_LENGTH;
}

/* Bytes of the input that its pace allows to be sent, held ones included. */
static size_t allowance(const struct source *source)
{
	const struct input *input = source->input;
	size_t pending = input_pending(input), near = pending;
	const char *newline;

	if (source->pace != SOURCE_FIRST_LINE)
		return pending;
	if (near > SOURCE_SENTENCE_MAX)
		near = SOURCE_SENTENCE_MAX;
	newline = memchr(input->bytes + input->begin, '\n', near);
	if (newline)
		return (size_t)(newline - input->bytes) + 1 - input->begin;
	/* Half a line would be a sentence to a server that answers one. */
	return input->ended || pending > near ? pending : 0;
}

size_t source_look(struct source *source, const char **ret_bytes)
{
	const struct input *input = source->input;

	if (!is_direct(source)) {
		/* Nothing was made ready yet: NULL + 0 is undefined. */
		*ret_bytes = source->ready ? source->ready + source->ready_begin : NULL;
		return source->ready_end - source->ready_begin;
	}
	*ret_bytes = input->bytes + input->begin + source->held;
	return allowance(source) - source->held;
}

void source_advance(struct source *source, size_t length)
{
	struct input *input = source->input;

	if (!is_direct(source)) {
		source->ready_begin += length;
		return;
	}
	if (source->framing == FRAMING_LINE)
		source->messages +=
			newlines_count(input->bytes + input->begin + source->held, length);
	if (source->pace == SOURCE_FLOW)
		input->begin += length;
	else
		source->held += length;
}

bool source_wants_input(const struct source *source)
{
	const struct input *input = source->input;

	if (!input || input->ended)
		return false;
	if (!is_direct(source))
		return source->ready_end - source->ready_begin < READY_ENOUGH;
	/* Flowing, the buffer is refilled when it is empty: nothing is ever moved within it. */
	return source->pace == SOURCE_FLOW ? input_pending(input) == 0
					   : input_pending(input) < input->capacity;
}

/* Lines in the input become messages with headers. */
static int add_headers(struct source *source)
{
	struct input_line line;
	int r;

	while ((r = input_take_line(source->input, &line)) != 0) {
		if (r > 0)
			r = make_ready(source, line.bytes, line.length, false);
		if (r == -EMSGSIZE)
			source->too_long++;
		else if (r < 0)
			return r;
	}
	return 0;
}

int source_fill(struct source *source)
{
	struct input *input = source->input;
	int r = input_read(input);

	if (r < 0)
		return r;
	if (!is_direct(source))
		return add_headers(source);
	if (input->ended && input->open_ended && source->framing == FRAMING_LINE) {
		/* The end was read into an empty buffer, or one that had room. */
		input->bytes[input->end++] = '\n';
		input->open_ended = false;
	}
	if (source->pace == SOURCE_FIRST_LINE && allowance(source) > SOURCE_SENTENCE_MAX)
		source_set_pace(source, SOURCE_FLOW);
	return 0;
}

bool source_is_kept_waiting(const struct source *source)
{
	if (!is_direct(source) || source->pace == SOURCE_FLOW)
		return false;
	return allowance(source) < input_pending(source->input) ||
	       input_pending(source->input) == source->input->capacity;
}

bool source_is_exhausted(const struct source *source)
{
	if (source->ready_begin < source->ready_end)
		return false;
	return !source->input ||
	       (source->input->ended && input_pending(source->input) == source->held);
}

void source_set_pace(struct source *source, enum source_pace pace)
{
	if (source->input)
		source->input->begin += source->held;
	source->held = 0;
	source->pace = pace;
}
