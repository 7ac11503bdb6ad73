/* SPDX-License-Identifier: ISC */

/* Tests of client/answers.h. */

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "client/answers.h"
#include "files.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"

static const struct {
	const char *title;
	enum framing framing;
	const char *prefix;
	bool as_lines;
	const char *taken;
	size_t taken_length;
	const char *written;
	uint64_t count; /* whole answers */
	bool inside;    /* at the end of what was taken */
} cases[] = {
	{"bytes as they are", FRAMING_STREAM, NULL, false, "A\nB\0C", 5, "A\nB", 1, true},
	{"a line is ended", FRAMING_STREAM, NULL, true, "A\nB", 3, "A\nB\n", 1, true},
	{"a whole line is not", FRAMING_STREAM, NULL, true, "A\n", 2, "A\n", 1, true},
	{"behind a prefix", FRAMING_STREAM, "From: ", true, "AB", 2, "From: AB\n", 0, true},
	{"lines", FRAMING_LINE, NULL, false, "A\n\nB\n", 5, "A\n\nB\n", 3, true},
	{"messages become lines", FRAMING_LENGTH, NULL, false, "\0\0\0\2AB\0\0\0\0\0\0\0\1C", 15,
	 "AB\n\nC\n", 3, false},
	{"each behind a prefix", FRAMING_LENGTH, "> ", true, "\0\0\0\1A\0\0\0\0", 9, "> A\n> \n", 2,
	 false},
	{"half a message", FRAMING_LENGTH, NULL, false, "\0\0\0\4AB", 6, "AB", 0, true},
	{"half a message, ended", FRAMING_LENGTH, NULL, true, "\0\0\0\4AB", 6, "AB\n", 0, true},
	{"half a header", FRAMING_LENGTH, NULL, true, "\0\0", 2, "", 0, false},
};

/* In pieces of one byte, of two… */
START_TEST(writes_the_same_however_it_comes)
{
	size_t length = cases[_i].taken_length, written = strlen(cases[_i].written);

	for (size_t piece = 1; piece <= length; piece++) {
		_cleanup_close_ int fd = file_make();
		_cleanup_(answers_free) struct answers answers;

		ck_assert_int_eq(answers_init(&answers, fd, cases[_i].prefix, cases[_i].as_lines),
				 0);
		answers_begin(&answers, cases[_i].framing);
		for (size_t done = 0; done < length; done += piece)
			ck_assert_int_eq(
				answers_take(&answers, cases[_i].taken + done,
					     length - done < piece ? length - done : piece),
				0);
		ck_assert_uint_eq(answers.received, length);
		ck_assert_uint_eq(answers.count, cases[_i].count);
		ck_assert_int_eq(answers.inside, cases[_i].inside);
		ck_assert_int_eq(answers_end(&answers, false), 0);
		/* The one with a zero within says how long it is. */
		file_expect(fd, _i == 0 ? cases[_i].taken : cases[_i].written,
			    _i == 0 ? length : written);
	}
}
END_TEST

/* Larger than the buffer, and mixed with what is smaller. */
START_TEST(keeps_the_order_of_large_and_small)
{
	_cleanup_close_ int fd = file_make();
	_cleanup_(answers_free) struct answers answers;
	size_t large = 200000, total = 2 * (4 + large) + 2 * (4 + 3);
	_cleanup_free_ char *wire = malloc(total), *text = malloc(total);
	char *w = wire, *t = text;

	for (int i = 0; i < 4; i++) {
		size_t length = i % 2 ? large : 3;

		framing_write_header((unsigned char *)w, (uint32_t)length);
		for (size_t k = 0; k < length; k++)
			t[k] = w[4 + k] = (char)('A' + (k + (size_t)i) % 26);
		w += 4 + length;
		t += length;
		*t++ = '\n';
	}
	ck_assert_int_eq(answers_init(&answers, fd, NULL, false), 0);
	answers_begin(&answers, FRAMING_LENGTH);
	ck_assert_int_eq(answers_take(&answers, wire, total), 0);
	ck_assert_uint_eq(answers.count, 4);
	file_expect(fd, text, (size_t)(t - text));
}
END_TEST

START_TEST(writes_an_empty_answer_only_as_a_line)
{
	_cleanup_close_ int fd = file_make();
	_cleanup_(answers_free) struct answers answers;

	ck_assert_int_eq(answers_init(&answers, fd, NULL, false), 0);
	answers_begin(&answers, FRAMING_STREAM);
	ck_assert_int_eq(answers_end(&answers, true), 0);
	file_expect(fd, "", 0);
	answers.as_lines = true;
	answers.prefix = "> ";
	ck_assert_int_eq(answers_end(&answers, false), 0);
	file_expect(fd, "", 0);
	ck_assert_int_eq(answers_end(&answers, true), 0);
	file_expect(fd, "> \n", 3);
}
END_TEST

START_TEST(forgets_the_conversation_before)
{
	_cleanup_close_ int fd = file_make();
	_cleanup_(answers_free) struct answers answers;

	ck_assert_int_eq(answers_init(&answers, fd, NULL, false), 0);
	answers_begin(&answers, FRAMING_LENGTH);
	ck_assert_int_eq(answers_take(&answers, "\0\0\0\5A", 5), 0);
	answers_begin(&answers, FRAMING_LENGTH);
	ck_assert_int_eq(answers_take(&answers, "\0\0\0\1B", 5), 0);
	ck_assert_uint_eq(answers.count, 1);
	ck_assert_uint_eq(answers.received, 5);
	file_expect(fd, "AB\n", 3);
}
END_TEST

START_TEST(writes_datagrams_as_lines)
{
	_cleanup_close_ int fd = file_make();
	_cleanup_(answers_free) struct answers answers;

	ck_assert_int_eq(answers_init(&answers, fd, "> ", true), 0);
	ck_assert_int_eq(answers_take_datagram(&answers, "A", 1), 0);
	ck_assert_int_eq(answers_take_datagram(&answers, "", 0), 0);
	ck_assert_int_eq(answers_take_datagram(&answers, "B\n", 2), 0);
	file_expect(fd, "> A\n> \n> B\n\n", 12);
}
END_TEST

START_TEST(keeps_the_error_of_writing)
{
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	_cleanup_(answers_free) struct answers answers;
	int ends[2];

	ck_assert_int_eq(answers_init(&answers, full, NULL, false), 0);
	answers_begin(&answers, FRAMING_STREAM);
	ck_assert_int_eq(answers_take(&answers, "A", 1), -ENOSPC);

	/* Nothing is written behind the gap. */
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	answers.fd = ends[1];
	ck_assert_int_eq(answers_take(&answers, "B", 1), -ENOSPC);
	ck_assert_int_eq(read(ends[0], &(char){0}, 1), -1);
	close(ends[0]);

	(void)signal(SIGPIPE, SIG_IGN);
	answers.error = 0;
	ck_assert_int_eq(answers_take_datagram(&answers, "A", 1), -EPIPE);
	close(ends[1]);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("answers_take", writes_the_same_however_it_comes, 0,
			  sizeof(cases) / sizeof(cases[0])),
		UNIT_ONCE("answers_take", keeps_the_order_of_large_and_small),
		UNIT_ONCE("answers_end", writes_an_empty_answer_only_as_a_line),
		UNIT_ONCE("answers_begin", forgets_the_conversation_before),
		UNIT_ONCE("answers_take_datagram", writes_datagrams_as_lines),
		UNIT_ONCE("errors", keeps_the_error_of_writing),
		{.group = NULL},
	};

	return unit_run("client/answers", rows);
}
