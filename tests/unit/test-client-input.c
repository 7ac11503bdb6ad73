/* SPDX-License-Identifier: ISC */

/* Tests of client/input.h. */

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "client/input.h"
#include "files.h"
#include "interrupt.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"

#define LINE_MAX_HERE 20

/* Who is waited for writes this, to there, and goes; NULL: it has come by then. */
static const char *late_text;
static int late_fd;

/* In the place of libc's. */
int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	(void)timeout;
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(fds->events, POLLIN);
	if (late_text) {
		ck_assert_int_eq(write(late_fd, late_text, strlen(late_text)),
				 (ssize_t)strlen(late_text));
		ck_assert_int_eq(close(late_fd), 0);
	}
	fds->revents = POLLIN;
	return 1;
}

static void expect_line(struct input *input, const char *bytes, size_t length, bool newline)
{
	struct input_line line;

	ck_assert_int_eq(input_next_line(input, &line), 1);
	ck_assert_uint_eq(line.length, length);
	ck_assert_mem_eq(line.bytes, bytes, length);
	ck_assert_int_eq(line.newline, newline);
}

static void expect_end(struct input *input)
{
	struct input_line line;

	ck_assert_int_eq(input_next_line(input, &line), 0);
	ck_assert_int_eq(input_next_line(input, &line), 0);
}

START_TEST(gives_lines_of_any_bytes)
{
	static const char text[] = "one\n\ntwo\0\xff\n\nlast";
	_cleanup_close_ int fd = file_of(text, sizeof(text) - 1);
	_cleanup_(input_free) struct input input;

	ck_assert_int_eq(input_init(&input, fd, LINE_MAX_HERE), 0);
	expect_line(&input, "one", 3, true);
	expect_line(&input, "", 0, true);
	expect_line(&input, "two\0\xff", 5, true);
	expect_line(&input, "", 0, true);
	expect_line(&input, "last", 4, false);
	expect_end(&input);
}
END_TEST

START_TEST(gives_nothing_behind_the_last_newline)
{
	_cleanup_close_ int fd = file_of("a\n", 2), empty = file_of("", 0);
	_cleanup_(input_free) struct input input, nothing;

	ck_assert_int_eq(input_init(&input, fd, LINE_MAX_HERE), 0);
	expect_line(&input, "a", 1, true);
	expect_end(&input);
	ck_assert_int_eq(input_init(&nothing, empty, LINE_MAX_HERE), 0);
	expect_end(&nothing);
}
END_TEST

/* Pieces of _i bytes: a line is there when its newline is, and not before. */
START_TEST(gives_the_same_lines_however_they_come)
{
	static const char text[] = "first\nsecond line\n\nx";
	size_t length = sizeof(text) - 1, lines = 0, begin = 0;
	_cleanup_(input_free) struct input input;
	struct input_line line;
	int ends[2], r;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(input_init(&input, ends[0], LINE_MAX_HERE), 0);
	for (size_t done = 0; done < length;) {
		size_t piece = length - done < (size_t)_i ? length - done : (size_t)_i;

		ck_assert_int_eq(write(ends[1], text + done, piece), (ssize_t)piece);
		done += piece;
		ck_assert_int_eq(input_read(&input), (int)piece);
		while ((r = input_take_line(&input, &line)) != 0) {
			ck_assert_int_eq(r, 1);
			ck_assert(line.newline);
			ck_assert_mem_eq(line.bytes, text + begin, line.length + 1);
			begin += line.length + 1;
			lines++;
		}
		ck_assert_uint_eq(input_pending(&input), done - begin);
	}
	close(ends[1]);
	ck_assert_uint_eq(lines, 3);
	expect_line(&input, "x", 1, false);
	expect_end(&input);
	close(ends[0]);
}
END_TEST

/* A line of as many bytes between two short ones. */
static const size_t line_lengths[] = {
	LINE_MAX_HERE - 1,  LINE_MAX_HERE,      LINE_MAX_HERE + 1, 1000,
	INPUT_CAPACITY - 3, INPUT_CAPACITY - 2, INPUT_CAPACITY,    3 * INPUT_CAPACITY,
};

START_TEST(skips_lines_that_are_too_long)
{
	size_t length = line_lengths[_i / 2];
	bool is_last = _i % 2;
	_cleanup_free_ char *text = malloc(length + 6);
	_cleanup_(input_free) struct input input;
	struct input_line line;

	ck_assert_ptr_nonnull(text);
	memcpy(text, "a\n", 2);
	memset(text + 2, 'x', length);
	memcpy(text + 2 + length, "\nb\n", 3);

	_cleanup_close_ int fd = file_of(text, 2 + length + (is_last ? 0 : 3));

	ck_assert_int_eq(input_init(&input, fd, LINE_MAX_HERE), 0);
	expect_line(&input, "a", 1, true);
	if (length <= LINE_MAX_HERE)
		expect_line(&input, text + 2, length, !is_last);
	else
		ck_assert_int_eq(input_next_line(&input, &line), -EMSGSIZE);
	if (!is_last)
		expect_line(&input, "b", 1, true);
	expect_end(&input);
	ck_assert_uint_eq(input.capacity, INPUT_CAPACITY);
}
END_TEST

START_TEST(grows_for_lines_that_may_be_long)
{
	size_t length = 5 * INPUT_CAPACITY;
	_cleanup_free_ char *text = malloc(length + 2);
	_cleanup_(input_free) struct input input;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < length; i++)
		text[i] = (char)('a' + i % 23);
	memcpy(text + length, "\nb", 2);

	_cleanup_close_ int fd = file_of(text, length + 2);

	ck_assert_int_eq(input_init(&input, fd, length), 0);
	expect_line(&input, text, length, true);
	expect_line(&input, "b", 1, false);
	expect_end(&input);
}
END_TEST

START_TEST(reads_no_more_than_it_has_room_for)
{
	_cleanup_close_ int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	_cleanup_(input_free) struct input input;

	ck_assert_int_eq(input_init(&input, fd, LINE_MAX_HERE), 0);
	ck_assert_int_eq(input_read(&input), (int)INPUT_CAPACITY);
	ck_assert_int_eq(input_read(&input), 0);
	ck_assert(!input.ended);
	ck_assert(input.open_ended);
	input.begin = 10;
	ck_assert_int_eq(input_read(&input), 10);
	ck_assert_uint_eq(input_pending(&input), INPUT_CAPACITY);
}
END_TEST

/* Another process, which shares it, may have made it so. */
START_TEST(waits_for_a_descriptor_that_is_non_blocking)
{
	_cleanup_(input_free) struct input input;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	late_text = "late\n";
	late_fd = ends[1];
	ck_assert_int_eq(input_init(&input, ends[0], LINE_MAX_HERE), 0);
	expect_line(&input, "late", 4, true);
	expect_end(&input);
	close(ends[0]);
}
END_TEST

static void write_late(int number)
{
	int error = errno;

	(void)number;
	if (write(late_fd, "a\n", 2) != 2)
		abort();
	errno = error;
}

START_TEST(reads_on_when_interrupted)
{
	struct input input;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(input_init(&input, ends[0], LINE_MAX_HERE), 0);
	late_fd = ends[1];
	interrupt_after(20000, write_late);
	expect_line(&input, "a", 1, true);
	input_free(&input);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(reports_errors_of_read)
{
	_cleanup_close_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(input_free) struct input input;
	struct input_line line;

	ck_assert_int_eq(input_init(&input, fd, LINE_MAX_HERE), 0);
	ck_assert_int_eq(input_read(&input), -EISDIR);
	ck_assert_int_eq(input_next_line(&input, &line), -EISDIR);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("lines", gives_lines_of_any_bytes),
		UNIT_ONCE("lines", gives_nothing_behind_the_last_newline),
		UNIT_LOOP("lines", gives_the_same_lines_however_they_come, 1, 21),
		UNIT_LOOP("lines", skips_lines_that_are_too_long, 0,
			  2 * sizeof(line_lengths) / sizeof(line_lengths[0])),
		UNIT_ONCE("lines", grows_for_lines_that_may_be_long),
		UNIT_ONCE("bytes", reads_no_more_than_it_has_room_for),
		UNIT_ONCE("bytes", waits_for_a_descriptor_that_is_non_blocking),
		UNIT_ONCE("bytes", reads_on_when_interrupted),
		UNIT_ONCE("bytes", reports_errors_of_read),
		{.group = NULL},
	};

	return unit_run("client/input", rows);
}
