/* SPDX-License-Identifier: ISC */

/* Tests of client/sentences.c. */

#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>

#include "client-rig.h"

static enum program_exit ask_over_one(struct client *client)
{
	return sentences_ask(client, false);
}

static enum program_exit ask_over_many(struct client *client)
{
	return sentences_ask(client, true);
}

/* Answers line by line, each connection as many as rig->random says, closing after the last. */
static void answer_some(struct rig *rig, int fd)
{
	for (uint64_t i = 0; i < rig->random; i++)
		rig_answer_once(rig, fd);
}

/* Closes when the next sentence comes, without a byte. */
static void answer_one_and_close_on_the_next(struct rig *rig, int fd)
{
	rig_answer_once(rig, fd);
	(void)recv(fd, &(char){0}, 1, 0);
}

static const struct {
	void (*serve)(struct rig *rig, int fd);
	uint64_t answers;
	unsigned conversations; /* for five lines */
} servers[] = {
	{answer_some, 100, 1},
	{answer_some, 1, 5},
	{answer_some, 2, 3},
	{answer_some, 5, 1},
	{answer_one_and_close_on_the_next, 0, 5},
};

START_TEST(connects_again_when_it_has_to)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, servers[_i].serve, "a\nbb\n\nc\nd", 9);
	rig.random = servers[_i].answers;
	ck_assert_int_eq(rig_ask(&rig, ask_over_one), EXIT_ANSWERED);
	rig_expect_errors(&rig, "");
	/* The last line, too, needs a newline here: it ends its answer. */
	file_expect(rig.output, "A\nBB\n\nC\nD\n", 10);
	ck_assert_uint_eq(rig.conversations, servers[_i].conversations);
	rig_close(&rig);
}
END_TEST

/* Where the client's second sentence comes from, once it has printed its first answer. */
static int late_input;

/* Says more than it was asked. */
static void answer_twice(struct rig *rig, int fd)
{
	rig_answer_once(rig, fd);
	if (rig->conversations == 1) {
		while (lseek(rig->output, 0, SEEK_END) < 2)
			(void)poll(NULL, 0, 1);
		(void)send(fd, "X\n", 2, MSG_NOSIGNAL);
		ck_assert_int_eq(write(late_input, "b\n", 2), 2);
		close(late_input);
	}
	rig_answer_once(rig, fd);
}

/* Whatever is answered over it from then on may belong to another question. */
START_TEST(gives_up_a_connection_that_cannot_be_trusted)
{
	struct rig rig;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	late_input = ends[1];
	rig_open(&rig, SOCK_STREAM, answer_twice, "", 0);
	rig.arguments.framing = FRAMING_LINE;
	rig.client.input.fd = ends[0];
	ck_assert_int_eq(write(ends[1], "a\n", 2), 2);
	ck_assert_int_eq(rig_ask(&rig, ask_over_one), EXIT_ANSWERED);
	file_expect(rig.output, "A\nB\n", 4);
	ck_assert_uint_eq(rig.conversations, 2);
	rig_close(&rig);
	close(ends[0]);
}
END_TEST

START_TEST(connects_for_each_sentence)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "a\n\nb", 4);
	ck_assert_int_eq(rig_ask(&rig, ask_over_many), EXIT_ANSWERED);
	file_expect(rig.output, "A\n\nB", 4);
	ck_assert_uint_eq(rig.conversations, 3);
	rig_close(&rig);
}
END_TEST

START_TEST(asks_given_messages_as_they_are)
{
	static const char *const texts[] = {"a", "", "b\nc\n"};
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "", 0);
	rig.client.questions.given = texts;
	rig.client.questions.given_count = 3;
	rig.client.answers.as_lines = true;
	ck_assert_int_eq(rig_ask(&rig, ask_over_one), EXIT_ANSWERED);
	file_expect(rig.output, "A\n\nB\nC\n", 7);
	ck_assert_uint_eq(rig.conversations, 3);
	rig_close(&rig);
}
END_TEST

static void answer_messages(struct rig *rig, int fd)
{
	unsigned char message[1024];

	(void)rig;
	while (recv(fd, message, FRAMING_HEADER_SIZE, MSG_WAITALL) == FRAMING_HEADER_SIZE) {
		uint32_t length = framing_read_header(message);
		char *text = (char *)message + FRAMING_HEADER_SIZE;

		ck_assert_uint_le(length, sizeof(message) - FRAMING_HEADER_SIZE);
		if (length > 0)
			ck_assert_int_eq(recv(fd, text, length, MSG_WAITALL), (ssize_t)length);
		rig_upper(text, length);
		(void)send(fd, message, FRAMING_HEADER_SIZE + length, MSG_NOSIGNAL);
	}
}

START_TEST(asks_messages_over_one_connection)
{
	static const char *const texts[] = {"a", "", "b\nc"};
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, answer_messages, "", 0);
	rig.arguments.framing = FRAMING_LENGTH;
	rig.client.questions.given = texts;
	rig.client.questions.given_count = 3;
	rig.client.answers.as_lines = true;
	ck_assert_int_eq(rig_ask(&rig, ask_over_one), EXIT_ANSWERED);
	file_expect(rig.output, "A\n\nB\nC\n", 7);
	ck_assert_uint_eq(rig.conversations, 1);
	rig_close(&rig);
}
END_TEST

/* Longer than all buffers on the way: sending and receiving must not wait for each other. */
START_TEST(asks_a_sentence_of_megabytes)
{
	size_t length = (size_t)12 << 20;
	_cleanup_free_ char *text = malloc(length);
	struct rig rig;

	memset(text, 'x', length);
	text[length - 1] = '\n';
	rig_open(&rig, SOCK_STREAM, rig_answer_stream, text, length);
	rig.client.input.line_max = length;
	ck_assert_int_eq(rig_ask(&rig, ask_over_one), EXIT_ANSWERED);
	rig_upper(text, length);
	file_expect(rig.output, text, length);
	rig_close(&rig);
}
END_TEST

/* "mute" is not answered, "half" not wholly; the rest is, over a new connection. */
static void answer_what_it_likes(struct rig *rig, int fd)
{
	char text[64];
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text), 0)) > 0) {
		if (strncmp(text, "mute", 4) == 0) {
			rig_keep_silent(rig, fd);
			return;
		}
		if (strncmp(text, "gone", 4) == 0)
			return;
		rig_upper(text, (size_t)n);
		if (strncmp(text, "HALF", 4) == 0) {
			(void)send(fd, text, 2, MSG_NOSIGNAL);
			return;
		}
		(void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
	}
}

START_TEST(goes_on_after_a_missing_answer)
{
	static const char text[] = "a\nmute\nb\nhalf\nc\ngone\nmuch too long\nd\n";
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, answer_what_it_likes, text, sizeof(text) - 1);
	rig.client.input.line_max = 10;
	rig.client.answers.as_lines = true;
	rig.arguments.timeout_usec = 300000;
	ck_assert_int_eq(rig_ask(&rig, ask_over_one), EXIT_MISSING);
	rig_expect_errors(&rig,
			  "server: no answer to line 2 within 300ms\n"
			  "server: closed in the middle of the answer to line 4 (see --once)\n"
			  "server: closed without an answer to line 6\n"
			  "server: too long a sentence, no answer to line 7\n");
	file_expect(rig.output, "A\nB\nHA\nC\nD\n", 11);
	rig_close(&rig);
}
END_TEST

/* Without a newline, and stays. */
static void answer_stripped(struct rig *rig, int fd)
{
	(void)recv(fd, &(char){0}, 1, 0);
	(void)send(fd, "A", 1, MSG_NOSIGNAL);
	rig_keep_silent(rig, fd);
}

START_TEST(knows_no_end_without_a_newline)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, answer_stripped, "a\n", 2);
	rig.arguments.timeout_usec = 300000;
	ck_assert_int_eq(rig_ask(&rig, ask_over_one), EXIT_MISSING);
	rig_expect_errors(&rig, "server: no end of the answer to line 1 within 300ms\n");
	file_expect(rig.output, "A", 1);
	rig_close(&rig);
}
END_TEST

/* What comes unasked is not taken for the next sentence's answer: it is shown before. */
static void answer_with_more(struct rig *rig, int fd)
{
	char text[64];

	(void)rig;
	while (recv(fd, text, sizeof(text), 0) > 0)
		(void)send(fd, "A\nmore\n", 7, MSG_NOSIGNAL);
}

START_TEST(shows_all_of_an_answer)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, answer_with_more, "a\na\n", 4);
	ck_assert_int_eq(rig_ask(&rig, ask_over_one), EXIT_ANSWERED);
	file_expect(rig.output, "A\nmore\nA\nmore\n", 14);
	rig_close(&rig);
}
END_TEST

START_TEST(says_so_before_a_person_types)
{
	struct rig rig;
	int closed;

	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "a\n", 2);
	closed = rig_bind(SOCK_STREAM, &rig.addresses[0]);
	rig.client.target.addresses = rig.addresses;
	rig.client.questions.prompt = "? ";
	rig.client.questions.prompt_fd = rig.output;
	ck_assert_int_eq(rig_ask(&rig, ask_over_one), EXIT_MISSING);
	rig_expect_errors(&rig, "server: Connection refused\n");
	file_expect(rig.output, "", 0);
	close(closed);
	rig_close(&rig);
}
END_TEST

START_TEST(fails_where_it_cannot_read_or_write)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "a\nb\n", 4);
	rig_expect_trouble(&rig, ask_over_one, _i);
	rig_close(&rig);
}
END_TEST

/* No more memory than there is, for this process from here on. */
static void end_memory(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	struct rlimit limit;
	unsigned long pages;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
	limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

/* Not an answer that is missing, but trouble. */
START_TEST(runs_out_of_memory)
{
	struct rlimit before;
	struct rig rig;
	int code;

	/* Or the server's thread would have some for us. */
	ck_assert_int_eq(mallopt(M_ARENA_MAX, 1), 1);
	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "a\nb\n", 4);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
	end_memory();
	code = (int)rig_ask(&rig, _i == 0 ? ask_over_one : ask_over_many);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
	ck_assert_int_eq(code, EXIT_TROUBLE);
	rig_expect_errors(&rig, "Cannot allocate memory\n");
	file_expect(rig.output, "", 0);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	const char *no_limit = unit_lacks_memory_limit();
	const struct unit_row rows[] = {
		UNIT_LOOP("connections", connects_again_when_it_has_to, 0,
			  sizeof(servers) / sizeof(servers[0])),
		UNIT_ONCE("connections", connects_for_each_sentence),
		UNIT_ONCE("connections", gives_up_a_connection_that_cannot_be_trusted),
		UNIT_ONCE("connections", asks_given_messages_as_they_are),
		UNIT_ONCE("connections", asks_messages_over_one_connection),
		UNIT_ONCE("connections", asks_a_sentence_of_megabytes),
		UNIT_ONCE("gaps", goes_on_after_a_missing_answer),
		UNIT_ONCE("gaps", knows_no_end_without_a_newline),
		UNIT_ONCE("gaps", shows_all_of_an_answer),
		UNIT_ONCE("errors", says_so_before_a_person_types),
		UNIT_LOOP("errors", fails_where_it_cannot_read_or_write, 0, 2),
		UNIT_LOOP_UNLESS(no_limit, "errors", runs_out_of_memory, 0, 2),
		{.group = NULL},
	};

	return unit_run("client/sentences", rows);
}
