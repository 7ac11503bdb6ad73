/* SPDX-License-Identifier: ISC */
#include "client/answers.h"

#include <stdlib.h>
#include <string.h>

#include "client/newlines.h"
#include "util/descriptor.h"
#include "util/error.h"

/* Short answers are gathered, so that those that came together are written together. */
#define BUFFER_SIZE ((size_t)64 << 10)

int answers_init(struct answers *answers, int fd, const char *prefix, bool as_lines)
{
	*answers = (struct answers){
		.fd = fd,
		.prefix = prefix,
		.as_lines = as_lines,
		.buffer = malloc(BUFFER_SIZE),
	};
	return answers->buffer ? 0 : -ENOMEM;
}

void answers_free(struct answers *answers)
{
	free(answers->buffer);
	answers->buffer = NULL;
}

void answers_begin(struct answers *answers, enum framing framing)
{
	answers->framing = framing;
	answers->count = 0;
	answers->received = 0;
	answers->uncounted = false;
	answers->inside = false;
	answers->open_ended = false;
	answers->header_length = 0;
	answers->left = 0;
}

/* After a failure nothing more is written: it would leave a gap. */
static void write_out(struct answers *answers, const char *bytes, size_t length)
{
	if (answers->error == 0 && length > 0)
		answers->error = descriptor_write_all(answers->fd, bytes, length);
}

static int flush(struct answers *answers)
{
	write_out(answers, answers->buffer, answers->buffered);
	answers->buffered = 0;
	return answers->error;
}

static void put(struct answers *answers, const char *bytes, size_t length)
{
	if (length == 0)
		return;
	if (length > BUFFER_SIZE - answers->buffered)
		(void)flush(answers);
	if (length >= BUFFER_SIZE) {
		write_out(answers, bytes, length);
	} else {
		memcpy(answers->buffer + answers->buffered, bytes, length);
		answers->buffered += length;
	}
	answers->open_ended = bytes[length - 1] != '\n';
}

static void begin_answer(struct answers *answers)
{
	if (!answers->inside && answers->prefix)
		put(answers, answers->prefix, strlen(answers->prefix));
	if (!answers->inside)
		answers->open_ended = true;
	answers->inside = true;
}

static void end_answer(struct answers *answers)
{
	answers->inside = false;
	answers->count++;
}

/* One answer may hold newlines: what came with its last one belongs to it still. */
static void take_bytes(struct answers *answers, const char *bytes, size_t length)
{
	begin_answer(answers);
	put(answers, bytes, length);
	if (!answers->uncounted)
		answers->count += newlines_count(bytes, length);
}

static size_t take_header(struct answers *answers, const char *bytes, size_t length)
{
	size_t missing = FRAMING_HEADER_SIZE - answers->header_length;
	size_t taken = length < missing ? length : missing;

	memcpy(answers->header + answers->header_length, bytes, taken);
	answers->header_length += taken;
	if (answers->header_length == FRAMING_HEADER_SIZE) {
		answers->left = framing_read_header(answers->header);
		begin_answer(answers);
	}
	return taken;
}

static void take_messages(struct answers *answers, const char *bytes, size_t length)
{
	while (length > 0) {
		size_t taken = 0;

		if (answers->header_length < FRAMING_HEADER_SIZE) {
			taken = take_header(answers, bytes, length);
		} else {
			taken = length < answers->left ? length : answers->left;
			put(answers, bytes, taken);
			answers->left -= (uint32_t)taken;
		}
		if (answers->header_length == FRAMING_HEADER_SIZE && answers->left == 0) {
			put(answers, "\n", 1);
			end_answer(answers);
			answers->header_length = 0;
		}
		bytes += taken;
		length -= taken;
	}
}

int answers_take(struct answers *answers, const char *bytes, size_t length)
{
	answers->received += length;
	if (answers->framing == FRAMING_LENGTH)
		take_messages(answers, bytes, length);
	else
		take_bytes(answers, bytes, length);
	return flush(answers);
}

int answers_end(struct answers *answers, bool answered)
{
	if (answered && answers->count == 0)
		begin_answer(answers);
	if (answers->inside && answers->as_lines && answers->open_ended)
		put(answers, "\n", 1);
	answers->inside = false;
	return flush(answers);
}

int answers_take_datagram(struct answers *answers, const char *bytes, size_t length)
{
	begin_answer(answers);
	put(answers, bytes, length);
	put(answers, "\n", 1);
	end_answer(answers);
	return flush(answers);
}
