/* SPDX-License-Identifier: ISC */

/* Tests of client/questions.h. */

#include <fcntl.h>
#include <unistd.h>

#include "client/questions.h"
#include "files.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"

static void expect(struct questions *questions, const char *wanted, const char *named)
{
	struct input_line question;
	char text[QUESTIONS_TEXT_MAX];

	ck_assert_int_eq(questions_next(questions, &question), 1);
	ck_assert_uint_eq(question.length, strlen(wanted));
	ck_assert_mem_eq(question.bytes, wanted, strlen(wanted));
	ck_assert_str_eq(questions_print(questions, text), named);
}

START_TEST(are_given)
{
	static const char *const texts[] = {"one", "", "two\nlines"};
	struct questions questions = {.given = texts, .given_count = 3};
	struct input_line question;

	expect(&questions, "one", " to message 1");
	expect(&questions, "", " to message 2");
	expect(&questions, "two\nlines", " to message 3");
	ck_assert_int_eq(questions_next(&questions, &question), 0);
	ck_assert_int_eq(questions_next(&questions, &question), 0);
}
END_TEST

START_TEST(need_no_number_if_there_is_one)
{
	static const char *const texts[] = {"one"};
	struct questions questions = {.given = texts, .given_count = 1};

	expect(&questions, "one", "");
}
END_TEST

START_TEST(are_lines)
{
	_cleanup_close_ int fd = file_of("one\nmuch too long\ntwo", 21);
	_cleanup_(input_free) struct input input;
	struct questions questions = {.input = &input};
	struct input_line question;
	char text[QUESTIONS_TEXT_MAX];

	ck_assert_int_eq(input_init(&input, fd, 10), 0);
	expect(&questions, "one", " to line 1");
	ck_assert_int_eq(questions_next(&questions, &question), -EMSGSIZE);
	ck_assert_str_eq(questions_print(&questions, text), " to line 2");
	expect(&questions, "two", " to line 3");
	ck_assert_int_eq(questions_next(&questions, &question), 0);
}
END_TEST

START_TEST(are_prompted_for)
{
	_cleanup_close_ int fd = file_of("one\ntwo\n", 8), terminal = file_make();
	_cleanup_(input_free) struct input input;
	struct questions questions = {.input = &input, .prompt = "? ", .prompt_fd = terminal};
	struct input_line question;

	ck_assert_int_eq(input_init(&input, fd, 10), 0);
	expect(&questions, "one", "");
	file_expect(terminal, "? ", 2);
	expect(&questions, "two", "");
	ck_assert_int_eq(questions_next(&questions, &question), 0);
	file_expect(terminal, "? ? ? \n", 7);
}
END_TEST

/* ^D behind a text is its end: the answer is not to stand beside it. */
START_TEST(end_where_they_are_typed)
{
	_cleanup_close_ int fd = file_of("one", 3), terminal = file_make();
	_cleanup_(input_free) struct input input;
	struct questions questions = {.input = &input, .prompt = "? ", .prompt_fd = terminal};
	struct input_line question;

	ck_assert_int_eq(input_init(&input, fd, 10), 0);
	expect(&questions, "one", "");
	file_expect(terminal, "? \n", 3);
	ck_assert_int_eq(questions_next(&questions, &question), 0);
	file_expect(terminal, "? \n? \n", 6);
}
END_TEST

START_TEST(cannot_be_read)
{
	_cleanup_(input_free) struct input input;
	struct questions questions = {.input = &input};
	struct input_line question;

	ck_assert_int_eq(input_init(&input, -1, 10), 0);
	ck_assert_int_eq(questions_next(&questions, &question), -EBADF);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("questions", are_given),
		UNIT_ONCE("questions", need_no_number_if_there_is_one),
		UNIT_ONCE("questions", are_lines),
		UNIT_ONCE("questions", are_prompted_for),
		UNIT_ONCE("questions", end_where_they_are_typed),
		UNIT_ONCE("questions", cannot_be_read),
		{.group = NULL},
	};

	return unit_run("client/questions", rows);
}
