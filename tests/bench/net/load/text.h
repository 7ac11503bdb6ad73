/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * text: an endless text to send, and the endless answer to expect, each a file over and over.
 *
 * Both are kept twice in a row, so that a piece up to the file's length is found in one place
 * wherever it begins.
 */

#include <stddef.h>
#include <stdint.h>

struct text {
	char *bytes; /* twice */
	size_t period;
};

/* Reads a file, or ends the program. The text is never released. */
struct text text_read(const char *path);

/* length bytes from offset on; length is at most the period. */
static inline const char *text_at(const struct text *text, uint64_t offset)
{
	return text->bytes + offset % text->period;
}

/* Ends the program unless bytes are what the text has at offset. */
void text_check(const struct text *text, uint64_t offset, const char *bytes, size_t length);
