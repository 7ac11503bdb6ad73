/* SPDX-License-Identifier: ISC */

/* Tests of client/duplex.h: each way to end, over a pair of sockets whose other end is the test's.
 */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/duplex.h"
#include "files.h"
#include "interrupt.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/descriptor.h"
#include "util/error.h"
#include "util/parse.h"

struct fixture {
	int ends[2]; /* the client's, the server's */
	int text, output;
	struct input input;
	struct source source;
	struct answers answers;
	struct duplex duplex;
};

static void open_fixture(struct fixture *f, const char *text, size_t length, enum framing framing,
			 enum source_pace pace)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->ends), 0);
	ck_assert_int_eq(descriptor_set_nonblocking(f->ends[0], true), 0);
	f->text = file_of(text, length);
	f->output = file_make();
	ck_assert_int_eq(input_init(&f->input, f->text, 1000), 0);
	source_init(&f->source, &f->input, framing, pace);
	ck_assert_int_eq(answers_init(&f->answers, f->output, NULL, false), 0);
	answers_begin(&f->answers, framing);
	ck_assert_int_eq(duplex_init(&f->duplex, f->ends[0], &f->source, &f->answers), 0);
}

static void close_fixture(struct fixture *f)
{
	cleanup_close(&f->ends[0]);
	cleanup_close(&f->ends[1]);
	close(f->text);
	close(f->output);
	input_free(&f->input);
	source_free(&f->source);
	answers_free(&f->answers);
	duplex_free(&f->duplex);
}

static void answer(struct fixture *f, const char *text)
{
	ck_assert_int_eq(write(f->ends[1], text, strlen(text)), (ssize_t)strlen(text));
}

static void expect_output(struct fixture *f, const char *wanted)
{
	file_expect(f->output, wanted, strlen(wanted));
}

static void expect_request(struct fixture *f, const char *wanted)
{
	char text[100];

	ck_assert_int_eq(recv(f->ends[1], text, sizeof(text), MSG_DONTWAIT),
			 (ssize_t)strlen(wanted));
	ck_assert_mem_eq(text, wanted, strlen(wanted));
}

START_TEST(ends_with_the_connection)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	open_fixture(&f, "abc", 3, FRAMING_STREAM, SOURCE_FLOW);
	answer(&f, "ABC");
	ck_assert_int_eq(shutdown(f.ends[1], SHUT_WR), 0);
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_CLOSED);
	expect_output(&f, "ABC");
	ck_assert_uint_eq(f.answers.received, 3);
}
END_TEST

/* The echo of all, through buffers that are far too small for it: nobody waits for the other. */
static void *echo(void *argument)
{
	char bytes[1000];
	int fd = *(int *)argument;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		if (descriptor_write_all(fd, bytes, (size_t)n) < 0)
			break;
	(void)shutdown(fd, SHUT_WR);
	return NULL;
}

START_TEST(sends_and_receives_at_once)
{
	size_t length = (size_t)3 << 20;
	_cleanup_free_ char *text = malloc(length);
	_cleanup_(close_fixture) struct fixture f = {0};
	const int tiny = 1;
	pthread_t thread;

	for (size_t i = 0; i < length; i++)
		text[i] = (char)(i % 251);
	open_fixture(&f, text, length, FRAMING_STREAM, SOURCE_FLOW);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(setsockopt(f.ends[i], SOL_SOCKET, SO_SNDBUF, &tiny, sizeof(tiny)),
				 0);
	f.duplex.half_close = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, echo, &f.ends[1]), 0);
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_CLOSED);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(f.duplex.sent, length);
	file_expect(f.output, text, length);
}
END_TEST

START_TEST(half_closes_only_if_told)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	open_fixture(&f, "abc", 3, FRAMING_STREAM, SOURCE_FLOW);
	f.duplex.half_close = _i;
	f.duplex.expects_answer = true;
	f.duplex.timeout_usec = 1000;
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_SILENT);
	expect_request(&f, "abc");
	ck_assert_int_eq(recv(f.ends[1], &(char){0}, 1, MSG_DONTWAIT), _i ? 0 : -1);
}
END_TEST

START_TEST(stops_at_enough_and_goes_on)
{
	_cleanup_(close_fixture) struct fixture f = {0};
	pthread_t thread;

	open_fixture(&f, "a\nb\n", 4, FRAMING_STREAM, SOURCE_FIRST_LINE);
	ck_assert_int_eq(pthread_create(&thread, NULL, echo, &f.ends[1]), 0);
	f.duplex.half_close = true;
	f.duplex.stop_count = 1;
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_ANSWERED);
	expect_output(&f, "a\n");

	source_set_pace(&f.source, SOURCE_HOLD);
	f.duplex.stop_count = 0;
	f.duplex.stop_received = 3;
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_ANSWERED);
	expect_output(&f, "a\nb\n");

	f.duplex.stop_received = 0;
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_CLOSED);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	expect_output(&f, "a\nb\n");
}
END_TEST

START_TEST(loses_patience_only_with_input_that_waits)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	open_fixture(&f, _i ? "a\n" : "a\nb\n", _i ? 2 : 4, FRAMING_STREAM, SOURCE_FIRST_LINE);
	f.duplex.patience_usec = 1000;
	f.duplex.half_close = true;
	f.duplex.timeout_usec = 20000;
	ck_assert_int_eq(duplex_run(&f.duplex), _i ? DUPLEX_SILENT : DUPLEX_IMPATIENT);
	expect_request(&f, "a\n");
}
END_TEST

/* An answer that comes late, by thirty times the limit. */
static void *answer_late(void *argument)
{
	(void)usleep(30000);
	ck_assert_int_eq(write(*(int *)argument, "A", 1), 1);
	return NULL;
}

/* While the input goes on, a server that answers a stream owes nothing yet; one that answers
 * messages does. */
START_TEST(limits_only_what_is_owed)
{
	_cleanup_(close_fixture) struct fixture f = {0};
	pthread_t thread;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	open_fixture(&f, "", 0, (enum framing)_i, SOURCE_FLOW);
	f.input.fd = ends[0];
	f.duplex.timeout_usec = 1000;
	f.duplex.stop_received = 1;
	ck_assert_int_eq(write(ends[1], "a\n", 2), 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, answer_late, &f.ends[1]), 0);
	ck_assert_int_eq(duplex_run(&f.duplex),
			 _i == FRAMING_STREAM ? DUPLEX_ANSWERED : DUPLEX_SILENT);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static int interrupted_fd;

static void answer_in_a_signal(int number)
{
	int error = errno;

	(void)number;
	if (write(interrupted_fd, "A", 1) != 1)
		abort();
	errno = error;
}

START_TEST(goes_on_when_interrupted)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	open_fixture(&f, "a", 1, FRAMING_STREAM, SOURCE_FLOW);
	f.duplex.stop_received = 1;
	interrupted_fd = f.ends[1];
	interrupt_after(20000, answer_in_a_signal);
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_ANSWERED);
	expect_output(&f, "A");
}
END_TEST

#define MUCH ((size_t)2 << 20)

/* Reads all, though it takes its time. */
static void *read_slowly(void *fd)
{
	static char bytes[100000];

	do
		(void)poll(NULL, 0, 40);
	while (recv(*(int *)fd, bytes, sizeof(bytes), MSG_WAITALL) > 0);
	(void)shutdown(*(int *)fd, SHUT_WR);
	return NULL;
}

/* To take what is sent is a sign of life. */
START_TEST(waits_for_a_slow_reader)
{
	_cleanup_(close_fixture) struct fixture f = {0};
	_cleanup_free_ char *text = calloc(1, MUCH);
	pthread_t thread;

	open_fixture(&f, text, MUCH, FRAMING_STREAM, SOURCE_FLOW);
	f.duplex.half_close = true;
	f.duplex.expects_answer = true;
	f.duplex.timeout_usec = 400000;
	ck_assert_int_eq(pthread_create(&thread, NULL, read_slowly, &f.ends[1]), 0);
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_CLOSED);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static int full_pipe[2];

/* Reads the client's answers late, and answers once more then. */
static void *read_answers_late(void *fd)
{
	static char bytes[1 << 20];

	(void)poll(NULL, 0, 700);
	if (read(full_pipe[0], bytes, sizeof(bytes)) > 0)
		(void)poll(NULL, 0, 50);
	ck_assert_int_eq(write(*(int *)fd, "B", 1), 1);
	return NULL;
}

/* How slow our reader is, is not the server's fault. */
START_TEST(waits_for_its_own_reader)
{
	_cleanup_(close_fixture) struct fixture f = {0};
	pthread_t thread;

	ck_assert_int_eq(pipe2(full_pipe, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(full_pipe[1], "x", 1) == 1)
		;
	open_fixture(&f, "", 0, FRAMING_STREAM, SOURCE_FLOW);
	f.answers.fd = full_pipe[1];
	f.duplex.expects_answer = true;
	f.duplex.timeout_usec = 500000;
	f.duplex.stop_received = 2;
	answer(&f, "A");
	ck_assert_int_eq(pthread_create(&thread, NULL, read_answers_late, &f.ends[1]), 0);
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_ANSWERED);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	close(full_pipe[0]);
	close(full_pipe[1]);
}
END_TEST

START_TEST(breaks)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	/* AF_UNIX resets a connection that is closed with unread bytes; answers before it count. */
	open_fixture(&f, "abc", 3, FRAMING_STREAM, SOURCE_FLOW);
	ck_assert_int_eq(write(f.ends[0], "x", 1), 1);
	answer(&f, "A");
	close(f.ends[1]);
	f.ends[1] = -1;
	ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_BROKEN);
	ck_assert(f.duplex.error == -ECONNRESET || f.duplex.error == -EPIPE);
	expect_output(&f, "A");
}
END_TEST

START_TEST(reports_its_input_and_output)
{
	_cleanup_(close_fixture) struct fixture f = {0};
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	_cleanup_close_ int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	open_fixture(&f, "abc", 3, FRAMING_STREAM, SOURCE_FLOW);
	if (_i == 0) {
		f.answers.fd = full;
		answer(&f, "ABC");
		ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_NO_OUTPUT);
		ck_assert_int_eq(f.duplex.error, -ENOSPC);
	} else {
		f.input.fd = folder;
		ck_assert_int_eq(duplex_run(&f.duplex), DUPLEX_NO_INPUT);
		ck_assert_int_eq(f.duplex.error, -EISDIR);
	}
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("ends", ends_with_the_connection),
		UNIT_ONCE("ends", sends_and_receives_at_once),
		UNIT_LOOP("ends", half_closes_only_if_told, 0, 2),
		UNIT_ONCE("ends", stops_at_enough_and_goes_on),
		UNIT_LOOP("waits", loses_patience_only_with_input_that_waits, 0, 2),
		UNIT_LOOP("waits", limits_only_what_is_owed, FRAMING_STREAM, FRAMING_LENGTH + 1),
		UNIT_ONCE("errors", goes_on_when_interrupted),
		UNIT_ONCE("errors", waits_for_a_slow_reader),
		UNIT_ONCE("errors", waits_for_its_own_reader),
		UNIT_ONCE("errors", breaks),
		UNIT_LOOP("errors", reports_its_input_and_output, 0, 2),
		{.group = NULL},
	};

	return unit_run("client/duplex", rows);
}
