/* SPDX-License-Identifier: ISC */
#include "client/questions.h"

#include <stdio.h>
#include <string.h>

#include "util/descriptor.h"

static int next_given(struct questions *questions, struct input_line *ret_question)
{
	const char *text;

	if (questions->number >= questions->given_count)
		return 0;
	text = questions->given[questions->number++];
	*ret_question = (struct input_line){.bytes = text, .length = strlen(text)};
	return 1;
}

int questions_next(struct questions *questions, struct input_line *ret_question)
{
	int r;

	if (questions->given)
		return next_given(questions, ret_question);
	if (questions->prompt)
		(void)descriptor_write_all(questions->prompt_fd, questions->prompt,
					   strlen(questions->prompt));
	r = input_next_line(questions->input, ret_question);
	questions->number++;
	/* The end of input, typed, leaves the cursor behind the prompt, or behind what was typed.
	 */
	if (questions->prompt && (r == 0 || (r > 0 && !ret_question->newline)))
		(void)descriptor_write_all(questions->prompt_fd, "\n", 1);
	return r;
}

const char *questions_print(const struct questions *questions, char text[static QUESTIONS_TEXT_MAX])
{
	text[0] = '\0';
	if (questions->given_count > 1)
		snprintf(text, QUESTIONS_TEXT_MAX, " to message %zu", questions->number);
	else if (!questions->given && !questions->prompt)
		snprintf(text, QUESTIONS_TEXT_MAX, " to line %zu", questions->number);
	return text;
}
