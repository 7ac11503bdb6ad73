/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * fuzz: what the fuzz targets have in common.
 *
 * A target is libFuzzer's function and no main: libFuzzer brings one, which makes up inputs, and
 * replay.c is another, which takes those it is given, so that any compiler's build runs the corpus.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* One input. Returns 0; ends the process where a promise is broken. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Ends the process with a line that says what does not hold. The text after the condition is as
 * printf(3) takes it. */
#define REQUIRE(condition, ...)                                                                    \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition);    \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Choices are read off an input's front; all are 0 once it is used up. */
struct input {
	const uint8_t *next;
	size_t left;
};

static inline uint8_t input_byte(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->next++;
}

/* A number from 0 to limit - 1; limit is 65536 at most. */
static inline unsigned input_below(struct input *input, unsigned limit)
{
	unsigned choice = input_byte(input);

	if (limit > 256)
		choice = choice << 8 | input_byte(input);
	return choice % limit;
}
