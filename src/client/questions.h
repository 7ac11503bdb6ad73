/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * questions: the sentences to ask, one after another: given ones, or an input's lines, with a
 * prompt before each if a person types them.
 *
 * Not its job: asking them.
 */

#include "client/input.h"

struct questions {
	const char *const *given; /* not owned; NULL: the input's lines */
	size_t given_count;
	struct input *input; /* not owned */
	const char *prompt;  /* NULL: none */
	int prompt_fd;
	size_t number; /* of the question handed out last, from 1 on */
};

/* The next one, valid until the one after it. Returns as input_next_line(). */
int questions_next(struct questions *questions, struct input_line *ret_question);

/* " to line 3", " to message 2", or nothing where it is plain which one is meant; for messages. */
#define QUESTIONS_TEXT_MAX 48
const char *questions_print(const struct questions *questions,
			    char text[static QUESTIONS_TEXT_MAX]);
