/* SPDX-License-Identifier: ISC */

/* Tests of client/stream.c: nothing lost, nothing doubled, whatever the server is like. */

#include <signal.h>

#include "client-rig.h"

#define TEXT_MAX 400000

/* From a file, all of it at once (even), or from a pipe as somebody writes it (odd). */
struct writer {
	int fd;
	const char *text;
	size_t length;
	uint64_t random, piece_max;
	pthread_t thread;
};

static void *write_pieces(void *argument)
{
	struct writer *writer = argument;

	for (size_t done = 0, piece; done < writer->length; done += piece) {
		piece = 1 + random_next(&writer->random) % writer->piece_max;
		if (piece > writer->length - done)
			piece = writer->length - done;
		ck_assert_int_eq(write(writer->fd, writer->text + done, piece), (ssize_t)piece);
	}
	close(writer->fd);
	return NULL;
}

static void check_all_answered(void (*serve)(struct rig *, int), char *text, size_t length,
			       bool is_piped)
{
	struct writer writer = {.text = text,
				.length = length,
				.random = 1 + length,
				.piece_max = length < 10000 ? 7 : 3000};
	struct rig rig;
	int ends[2];

	rig_open(&rig, SOCK_STREAM, serve, text, length);
	if (is_piped) {
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
		rig.client.input.fd = ends[0];
		writer.fd = ends[1];
		ck_assert_int_eq(pthread_create(&writer.thread, NULL, write_pieces, &writer), 0);
	}
	ck_assert_int_eq(rig_ask(&rig, stream_ask), EXIT_ANSWERED);
	if (is_piped) {
		ck_assert_int_eq(pthread_join(writer.thread, NULL), 0);
		close(ends[0]);
	}
	rig_expect_errors(&rig, "");
	rig_upper(text, length);
	file_expect(rig.output, text, length);
	rig_close(&rig);
}

START_TEST(gets_answers_from_a_stream)
{
	_cleanup_free_ char *text = malloc(TEXT_MAX);
	size_t line_max = (size_t[]){3, 80, 5000, 60000}[_i / 2 % 4];

	check_all_answered(rig_answer_stream, text,
			   rig_write_lines(text, TEXT_MAX, line_max, (uint64_t)_i + 1), _i % 2);
}
END_TEST

START_TEST(gets_answers_from_one_answer_a_connection)
{
	_cleanup_free_ char *text = malloc(TEXT_MAX);
	size_t size = (size_t[]){20, 200, 20000}[_i / 2 % 3];

	check_all_answered(rig_answer_once, text,
			   rig_write_lines(text, size, size / 20, (uint64_t)_i + 1), _i % 2);
}
END_TEST

/* Closes for sending at once, for receiving when the client does: what is sent meanwhile vanishes.
 */
static void answer_once_and_listen(struct rig *rig, int fd)
{
	rig_answer_once(rig, fd);
	(void)shutdown(fd, SHUT_WR);
	rig_keep_silent(rig, fd);
}

START_TEST(gets_answers_from_one_that_listens_on)
{
	_cleanup_free_ char *text = malloc(TEXT_MAX);

	check_all_answered(answer_once_and_listen, text,
			   rig_write_lines(text, 5000, 80, (uint64_t)_i + 1), _i % 2);
}
END_TEST

/* Has closed before anybody asked, the first time. */
static void answer_the_second(struct rig *rig, int fd)
{
	if (rig->conversations > 1)
		rig_answer_stream(rig, fd);
}

START_TEST(comes_back_to_one_that_was_tired)
{
	_cleanup_free_ char *text = malloc(TEXT_MAX);

	check_all_answered(answer_the_second, text,
			   rig_write_lines(text, TEXT_MAX, 80, (uint64_t)_i + 1), _i % 2);
}
END_TEST

/* One newline, then nothing but data. */
START_TEST(holds_and_lets_go)
{
	_cleanup_free_ char *text = malloc(4 * TEXT_MAX);

	memset(text, 'x', 4 * TEXT_MAX);
	if (_i < 4)
		text[(size_t[]){0, 10, 4095, 4096}[_i]] = '\n';
	check_all_answered(rig_answer_stream, text, 4 * TEXT_MAX, false);
}
END_TEST

/* Says at the end what it got, and not before. */
static void answer_at_end(struct rig *rig, int fd)
{
	char bytes[65536], text[32];
	size_t count = 0;
	ssize_t n;

	(void)rig;
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		count += (size_t)n;
	snprintf(text, sizeof(text), "%zu\n", count);
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

START_TEST(waits_for_an_answer_at_the_end)
{
	_cleanup_free_ char *text = calloc(1, TEXT_MAX);
	struct rig rig;

	text[5] = '\n';
	rig_open(&rig, SOCK_STREAM, answer_at_end, text, TEXT_MAX);
	ck_assert_int_eq(rig_ask(&rig, stream_ask), EXIT_ANSWERED);
	file_expect(rig.output, "400000\n", 7);
	ck_assert_uint_eq(rig.conversations, 1);
	rig_close(&rig);
}
END_TEST

/* Closes behind the second answer, before the input has ended, which it then does without more. */
static void answer_twice(struct rig *rig, int fd)
{
	rig_answer_once(rig, fd);
	rig_answer_once(rig, fd);
	(void)shutdown(fd, SHUT_WR);
	close(rig->kept);
	rig->kept = -1;
	rig_keep_silent(rig, fd);
}

START_TEST(is_content_with_what_there_is_to_ask)
{
	struct rig rig;
	int ends[2];

	rig_open(&rig, SOCK_STREAM, answer_twice, "", 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(write(ends[1], "a\nb\n", 4), 4);
	rig.kept = ends[1];
	rig.client.input.fd = ends[0];
	ck_assert_int_eq(rig_ask(&rig, stream_ask), EXIT_ANSWERED);
	rig_expect_errors(&rig, "");
	file_expect(rig.output, "A\nB\n", 4);
	close(ends[0]);
	rig_close(&rig);
}
END_TEST

/* Ways to leave an answer out. Each reads first, so that no reset comes before its answer. */

static void answer_half(struct rig *rig, int fd)
{
	char bytes[1024];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	(void)rig;
	rig_upper(bytes, n > 0 ? (size_t)n : 0);
	(void)send(fd, bytes, n > 0 ? (size_t)n / 2 : 0, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	rig_keep_silent(rig, fd);
}

static void answer_nothing(struct rig *rig, int fd)
{
	(void)shutdown(fd, SHUT_WR);
	rig_keep_silent(rig, fd);
}

static void answer_two_lines(struct rig *rig, int fd)
{
	(void)rig;
	ck_assert_int_gt(recv(fd, &(char){0}, 1, 0), 0);
	(void)send(fd, "A\nB\n", 4, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	rig_keep_silent(rig, fd);
}

static const struct {
	void (*serve)(struct rig *rig, int fd);
	enum framing framing;
	const char *text, *output, *errors;
} gaps[] = {
	{answer_half, FRAMING_STREAM, "abcd", "AB", ""}, /* it can't be known */
	{answer_half, FRAMING_STREAM, "abcde\n", "ABC",
	 "server: closed in the middle of an answer (see --once)\n"},
	{answer_half, FRAMING_STREAM, "abcde\nf", "ABC",
	 "server: closed before all was answered (see --once)\n"},
	{answer_half, FRAMING_LINE, "abcde\n", "ABC",
	 "server: closed in the middle of an answer: 0 of 1 (see --once)\n"},
	{answer_half, FRAMING_LENGTH, "abcd", "",
	 "server: closed in the middle of an answer: 0 of 1 (see --once)\n"},
	{answer_nothing, FRAMING_STREAM, "a\n", "", "server: closed without an answer\n"},
	{answer_nothing, FRAMING_LINE, "a\n", "", "server: closed without an answer: 0 of 1\n"},
	{answer_two_lines, FRAMING_LINE, "a\n", "A\nB\n",
	 "server: more answers than questions: 2 of 1 (see --once)\n"},
	{answer_two_lines, FRAMING_LINE, "a\nb\nc\n", "A\nB\n",
	 "server: closed before all was answered: 2 of 3 (see --once)\n"},
};

START_TEST(misses_what_is_missing)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, gaps[_i].serve, gaps[_i].text, strlen(gaps[_i].text));
	rig.arguments.framing = gaps[_i].framing;
	ck_assert_int_eq(rig_ask(&rig, stream_ask),
			 gaps[_i].errors[0] ? EXIT_MISSING : EXIT_ANSWERED);
	file_expect(rig.output, gaps[_i].output, strlen(gaps[_i].output));
	rig_expect_errors(&rig, gaps[_i].errors);
	rig_close(&rig);
}
END_TEST

START_TEST(gives_up_on_silence)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, rig_keep_silent_and_open, "a\n", 2);
	rig.arguments.framing = (enum framing)_i;
	rig.arguments.timeout_usec = 20000;
	ck_assert_int_eq(rig_ask(&rig, stream_ask), EXIT_MISSING);
	rig_expect_errors(&rig, "server: no answer within 20ms\n");
	rig_close(&rig);
}
END_TEST

START_TEST(fails_where_it_cannot_read_or_write)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "a\n", 2);
	rig_expect_trouble(&rig, stream_ask, _i);
	rig_close(&rig);
}
END_TEST

/* Whoever read the answers has gone: it matters, quietly, when there is one more. */
START_TEST(ends_when_nobody_reads)
{
	struct rig rig;
	int out[2];

	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	close(out[0]);
	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "a\n", _i == 0 ? 0 : 2);
	rig.client.answers.fd = out[1];
	ck_assert_int_eq(rig_ask(&rig, stream_ask), _i == 0 ? EXIT_ANSWERED : EXIT_MISSING);
	rig_expect_errors(&rig, "");
	close(out[1]);
	rig_close(&rig);
}
END_TEST

START_TEST(says_that_nobody_is_there)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "a\n", 2);

	int closed = rig_bind(SOCK_STREAM, &rig.addresses[0]);

	rig.client.target.addresses = rig.addresses;
	ck_assert_int_eq(rig_ask(&rig, stream_ask), EXIT_MISSING);
	rig_expect_errors(&rig, "server: Connection refused\n");

	/* It is, at the next address. */
	rig.client.target.count = 2;
	rig.client.is_missing = false;
	ck_assert_int_eq(rig_ask(&rig, stream_ask), EXIT_ANSWERED);
	file_expect(rig.output, "A\n", 2);
	close(closed);
	rig_close(&rig);
}
END_TEST

/* It can't be asked: that is said, and the others are. */
START_TEST(misses_what_is_too_long)
{
	static char text[70010];
	struct rig rig;

	memset(text, 'b', sizeof(text));
	memcpy(text, "a\n", 2);
	memcpy(text + sizeof(text) - 3, "\nc\n", 3);
	rig_open(&rig, SOCK_STREAM, rig_answer_stream, text, sizeof(text));
	rig.arguments.framing = FRAMING_LENGTH;
	ck_assert_int_eq(rig_ask(&rig, stream_ask), EXIT_MISSING);
	rig_expect_errors(&rig, "server: lines too long to ask: 1\n");
	file_expect(rig.output, "A\nC\n", 4);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("answers", gets_answers_from_a_stream, 0, 16),
		UNIT_LOOP("answers", gets_answers_from_one_answer_a_connection, 0, 24),
		UNIT_LOOP("answers", gets_answers_from_one_that_listens_on, 0, 8),
		UNIT_LOOP("answers", comes_back_to_one_that_was_tired, 0, 8),
		UNIT_LOOP("answers", holds_and_lets_go, 0, 5),
		UNIT_ONCE("answers", is_content_with_what_there_is_to_ask),
		UNIT_ONCE("answers", waits_for_an_answer_at_the_end),
		UNIT_LOOP("gaps", misses_what_is_missing, 0, sizeof(gaps) / sizeof(gaps[0])),
		UNIT_ONCE("gaps", misses_what_is_too_long),
		UNIT_LOOP("gaps", gives_up_on_silence, FRAMING_STREAM, FRAMING_LENGTH + 1),
		UNIT_LOOP("errors", fails_where_it_cannot_read_or_write, 0, 2),
		UNIT_LOOP("errors", ends_when_nobody_reads, 0, 2),
		UNIT_ONCE("errors", says_that_nobody_is_there),
		{.group = NULL},
	};

	return unit_run("client/stream", rows);
}
