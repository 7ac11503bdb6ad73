/* SPDX-License-Identifier: ISC */
#include "client/input.h"

#include <stdlib.h>
#include <string.h>

#include "util/descriptor.h"
#include "util/error.h"
#include "util/parse.h"

int input_init(struct input *input, int fd, size_t line_max)
{
	*input = (struct input){
		.fd = fd,
		.bytes = malloc(INPUT_CAPACITY),
		.capacity = INPUT_CAPACITY,
		.line_max = line_max,
	};
	return input->bytes ? 0 : -ENOMEM;
}

void input_free(struct input *input)
{
	free(input->bytes);
	input->bytes = NULL;
}

static void make_room(struct input *input)
{
	if (input->begin == input->end) {
		input->begin = input->end = 0;
	} else if (input->end == input->capacity && input->begin > 0) {
		memmove(input->bytes, input->bytes + input->begin, input_pending(input));
		input->end -= input->begin;
		input->begin = 0;
	}
}

int input_read(struct input *input)
{
	ssize_t n;

	make_room(input);
	if (input->ended || input->end == input->capacity)
		return 0;
	n = descriptor_read(input->fd, input->bytes + input->end, input->capacity - input->end,
			    PARSE_INFINITY);
	if (n < 0)
		return (int)n;
	if (n == 0) {
		input->ended = true;
		return 0;
	}
	input->end += (size_t)n;
	input->open_ended = input->bytes[input->end - 1] != '\n';
	return (int)n;
}

static int enlarge(struct input *input)
{
	size_t capacity = input->capacity * 2;
	char *bytes = realloc(input->bytes, capacity);

	if (!bytes)
		return -ENOMEM;
	input->bytes = bytes;
	input->capacity = capacity;
	return 0;
}

/* Hands out length bytes from begin on, or finds that they are too many. */
static int finish_line(struct input *input, size_t length, bool newline,
		       struct input_line *ret_line)
{
	bool too_long = input->skipping || length > input->line_max;

	*ret_line = (struct input_line){
		.bytes = input->bytes + input->begin,
		.length = length,
		.newline = newline,
	};
	input->begin += length + newline;
	input->searched = 0;
	input->skipping = false;
	return too_long ? -EMSGSIZE : 1;
}

int input_take_line(struct input *input, struct input_line *ret_line)
{
	const char *from = input->bytes + input->begin + input->searched;
	const char *newline = memchr(from, '\n', input_pending(input) - input->searched);

	if (newline)
		return finish_line(input, (size_t)(newline - input->bytes) - input->begin, true,
				   ret_line);
	if (input->ended && (input_pending(input) > 0 || input->skipping))
		return finish_line(input, input_pending(input), false, ret_line);
	if (input->skipping || input_pending(input) > input->line_max) {
		/* No more of it is kept than that it is there. */
		input->skipping = true;
		input->begin = input->end;
	}
	input->searched = input_pending(input);
	if (input_pending(input) == input->capacity)
		return enlarge(input);
	return 0;
}

int input_next_line(struct input *input, struct input_line *ret_line)
{
	for (;;) {
		int r = input_take_line(input, ret_line);

		if (r != 0)
			return r;
		if (input->ended)
			return 0;
		r = input_read(input);
		if (r < 0)
			return r;
	}
}
