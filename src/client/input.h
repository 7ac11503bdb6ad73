/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * input: what is to be asked, from a descriptor, in one buffer: as bytes, or line by line.
 *
 *      bytes  ├─ gone ─┤── unread by the caller ──┤─ room ─┤
 *                    begin                       end    capacity
 *
 * Lines may hold any bytes; the last one counts without its newline too. Not its job: what becomes
 * of a line.
 */

#include <stdbool.h>
#include <stddef.h>

#define INPUT_CAPACITY ((size_t)256 << 10)

struct input {
	int fd;
	char *bytes; /* owned */
	size_t begin, end, capacity;
	size_t searched; /* bytes from begin on that are known to hold no newline */
	size_t line_max; /* a longer line is skipped; at least 1 */
	bool skipping;   /* inside such a line */
	bool ended;      /* the end of fd was seen */
	bool open_ended; /* the last byte read was not a newline */
};

/* A line in the buffer, valid until the input is touched again. */
struct input_line {
	const char *bytes;
	size_t length; /* without the newline */
	bool newline;  /* false: the last one, and it had none */
};

/* Returns 0 or -ENOMEM. The descriptor stays the caller's and as it is: its flags are shared with
 * other processes. input_free() releases the buffer. */
int input_init(struct input *input, int fd, size_t line_max);
void input_free(struct input *input);

/* One read(2), into a buffer that has or gets room: begin may move to 0, the buffer is not
 * enlarged. Waits where it must: a descriptor that is shared may be non-blocking. Returns the bytes
 * read, 0 at the end or for want of room, or a negative errno of read(2). */
int input_read(struct input *input);

/* The next line, if the whole of it is in the buffer. Returns 1, 0 (none, or not yet; the buffer
 * has room to read on), -EMSGSIZE (it was longer than line_max, and is skipped) or -ENOMEM. */
int input_take_line(struct input *input, struct input_line *ret_line);

/* The next line, read as need be. Returns 1, 0 at the end, -EMSGSIZE as above, -ENOMEM, or a
 * negative errno of read(2). */
int input_next_line(struct input *input, struct input_line *ret_line);

static inline size_t input_pending(const struct input *input)
{
	return input->end - input->begin;
}
