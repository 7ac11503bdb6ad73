/* SPDX-License-Identifier: ISC */

/* Tests of handler/filter.h: one conversation over pipes and sockets, with a peer in a thread. */

#include "handler/filter.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exchange/exchange-options.h"
#include "loopback.h"
#include "net/socket.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/descriptor.h"
#include "util/error.h"
#include "util/parse.h"

/* What the next reads fail with, from the last to the first. */
static int read_failures[4], read_failure_count;
static atomic_int read_count; /* by the threads of a test */

/* So long each piece takes that is read, in microseconds; 0: as long as it takes. Otherwise waits
 * pass at once, and the clock is ahead by them. */
static uint64_t piece_usec, ahead;

#define SECOND UINT64_C(1000000)

/* In the place of libc's. */
int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	int r = (int)syscall(SYS_clock_gettime, clock, ret_now);

	ret_now->tv_sec += (time_t)(ahead / SECOND);
	return r;
}

int poll(struct pollfd *fds, nfds_t count, int msec)
{
	const struct timespec wait = {
		.tv_sec = piece_usec > 0 ? 0 : msec / 1000,
		.tv_nsec = piece_usec > 0 ? 0 : msec % 1000 * 1000000L,
	};
	int r = ppoll(fds, count, msec < 0 ? NULL : &wait, NULL);

	if (r == 0 && piece_usec > 0)
		ahead += (uint64_t)(msec + 999) / 1000 * SECOND;
	return r;
}

ssize_t read(int fd, void *buffer, size_t size)
{
	read_count++;
	if (read_failure_count > 0) {
		errno = read_failures[--read_failure_count];
		return -1;
	}
	ssize_t n = syscall(SYS_read, fd, buffer, size);

	if (n > 0 && piece_usec > 0)
		ahead += piece_usec;
	return n;
}

/* More than a read takes, and than pipes and socket buffers hold. */
#define MUCH (3U << 20)

/* A filter in a thread, between a pipe or a socket that it reads and one that it writes. */
struct run {
	struct exchange_options options;
	pthread_t thread;
	int in, out;    /* the filter's ends */
	int to, from;   /* the test's ends */
	bool is_socket; /* both ways are one socket */
	int r;
	enum filter_failure failure;
};

static struct exchange_options options_for(enum framing framing)
{
	struct exchange_options options = exchange_options_default(&service);

	options.framing = framing;
	options.message_max = 8;
	options.idle_timeout = PARSE_INFINITY;
	return options;
}

static void *run_filter(void *argument)
{
	struct run *run = argument;

	run->r = filter_run(run->in, run->out, &run->options, &run->failure);
	/* As the program's exit does. */
	close(run->in);
	if (!run->is_socket)
		close(run->out);
	return NULL;
}

static void start(struct run *run, bool is_socket)
{
	run->is_socket = is_socket;
	if (is_socket) {
		int pair[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		run->in = run->out = pair[0];
		run->to = run->from = pair[1];
	} else {
		int in[2], out[2];

		ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
		ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
		run->in = in[0];
		run->to = in[1];
		run->out = out[1];
		run->from = out[0];
	}
	run->failure = FILTER_MEMORY;
	ck_assert_int_eq(pthread_create(&run->thread, NULL, run_filter, run), 0);
}

/* The end of what the test sends. */
static void end(struct run *run)
{
	if (run->is_socket)
		ck_assert_int_eq(shutdown(run->to, SHUT_WR), 0);
	else
		close(run->to);
}

static void check_ends(struct run *run, int r, enum filter_failure failure)
{
	ck_assert_int_eq(pthread_join(run->thread, NULL), 0);
	close(run->from);
	ck_assert_int_eq(run->r, r);
	ck_assert_int_eq(run->failure, failure);
}

static void send_text(const struct run *run, const char *text)
{
	ck_assert_int_eq(descriptor_write_all(run->to, text, strlen(text)), 0);
}

/* As many bytes as expected has come next. */
static void check_answer(const struct run *run, const char *expected)
{
	char text[256];
	size_t length = 0;

	while (length < strlen(expected)) {
		wait_for(run->from, POLLIN);

		ssize_t n = read(run->from, text + length, strlen(expected) - length);

		ck_assert_int_gt(n, 0);
		length += (size_t)n;
	}
	text[length] = '\0';
	ck_assert_str_eq(text, expected);
}

static void check_no_more(const struct run *run)
{
	char byte;

	wait_for(run->from, POLLIN);
	ck_assert_int_eq(read(run->from, &byte, 1), 0);
}

/* Over pipes (0) and over a socket (1): no newline, no end, and yet an answer. */
START_TEST(answers_at_once)
{
	struct run run = {.options = options_for(FRAMING_STREAM)};

	start(&run, _i);
	send_text(&run, "hello");
	check_answer(&run, "HELLO");
	send_text(&run, " world\n");
	check_answer(&run, " WORLD\n");
	/* Half of a sequence waits for its rest; the end brings it out as it is. */
	send_text(&run, "\303");
	send_text(&run, "\244");
	check_answer(&run, "\303\204");
	send_text(&run, "x\303");
	end(&run);
	check_answer(&run, "X\303");
	check_ends(&run, 0, FILTER_NONE);
}
END_TEST

struct sender {
	const struct run *run;
	const unsigned char *bytes;
	int r;
};

static void *send_much(void *argument)
{
	struct sender *sender = argument;

	sender->r = descriptor_write_all(sender->run->to, sender->bytes, MUCH);
	return NULL;
}

START_TEST(answers_much)
{
	struct run run = {.options = options_for(FRAMING_STREAM)};
	_cleanup_free_ unsigned char *bytes = malloc(MUCH);
	struct sender sender = {.run = &run, .bytes = bytes};
	unsigned char buffer[8192];
	size_t count = 0, wrong = 0;
	pthread_t thread;
	ssize_t n;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (unsigned char)('a' + i % 23);
	start(&run, _i);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_much, &sender), 0);
	while (count < MUCH && (n = read(run.from, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++)
			wrong += buffer[i] != 'A' + count++ % 23;
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(sender.r, 0);
	/* Pipes are larger by then. */
	if (fcntl(run.from, F_GETPIPE_SZ) > 0)
		ck_assert_int_ge(fcntl(run.from, F_GETPIPE_SZ), 256 << 10);
	if (fcntl(run.to, F_GETPIPE_SZ) > 0)
		ck_assert_int_ge(fcntl(run.to, F_GETPIPE_SZ), 256 << 10);
	end(&run);
	ck_assert_uint_eq(count, MUCH);
	ck_assert_uint_eq(wrong, 0);
	check_ends(&run, 0, FILTER_NONE);
}
END_TEST

START_TEST(answers_nothing)
{
	struct run run = {.options = options_for(FRAMING_STREAM)};

	start(&run, _i);
	end(&run);
	check_ends(&run, 0, FILTER_NONE);
}
END_TEST

/* A signal may come, and somebody else who has the descriptor may have made it non-blocking. */
START_TEST(reads_again)
{
	struct exchange_options options = options_for(FRAMING_STREAM);
	enum filter_failure failure;
	int in[2], out[2];
	char text[4];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(write(in[1], "abc", 3), 3);
	close(in[1]);
	read_failures[0] = EAGAIN;
	read_failures[1] = EINTR;
	read_failures[2] = EAGAIN;
	read_failures[3] = EINTR;
	read_failure_count = 4;
	ck_assert_int_eq(filter_run(in[0], out[1], &options, &failure), 0);
	ck_assert_int_eq(read_failure_count, 0);
	ck_assert_int_eq(read(out[0], text, sizeof(text)), 3);
	ck_assert_mem_eq(text, "ABC", 3);
	close(in[0]);
	close(out[0]);
	close(out[1]);
}
END_TEST

/* A socket, blocking (0) or not (1), as long as the program has it wait. */
static void open_socket(int ends[static 2], bool is_nonblocking, uint64_t usec)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(descriptor_set_nonblocking(ends[0], is_nonblocking), 0);
	ck_assert_int_eq(socket_limit_wait(ends[0], SO_RCVTIMEO, usec), 0);
	ck_assert_int_eq(socket_limit_wait(ends[0], SO_SNDTIMEO, usec), 0);
}

START_TEST(gives_up_a_silent_peer)
{
	struct exchange_options options = options_for(FRAMING_STREAM);
	enum filter_failure failure;
	uint64_t begin = clock_now();
	char text[4];
	int ends[2];

	options.idle_timeout = 50000;
	open_socket(ends, _i, options.idle_timeout);
	ck_assert_int_eq(write(ends[1], "abc", 3), 3);
	ck_assert_int_eq(filter_run(ends[0], ends[0], &options, &failure), -ETIMEDOUT);
	ck_assert_int_eq(failure, FILTER_READ);
	ck_assert_uint_ge(clock_now() - begin, 50000);
	ck_assert_int_eq(read(ends[1], text, sizeof(text)), 3);
	ck_assert_mem_eq(text, "ABC", 3);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(gives_up_a_peer_that_takes_nothing)
{
	struct exchange_options options = options_for(FRAMING_STREAM);
	_cleanup_close_ int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	enum filter_failure failure;
	int ends[2];

	options.idle_timeout = 50000;
	open_socket(ends, _i, options.idle_timeout);
	ck_assert_int_eq(filter_run(zero, ends[0], &options, &failure), -ETIMEDOUT);
	ck_assert_int_eq(failure, FILTER_WRITE);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* A message has a minute from its first byte on, of which each piece takes 40 seconds here: it
 * drips in, to a blocking (0) or non-blocking (1) end; or the next one has a minute of its own (2).
 */
START_TEST(gives_up_a_message_that_drips_in)
{
	struct exchange_options options = options_for(FRAMING_LINE);
	uint64_t begin = clock_now();
	enum filter_failure failure;
	int ends[2];

	options.idle_timeout = 60 * SECOND;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(descriptor_set_nonblocking(ends[0], _i > 0), 0);
	ck_assert_int_eq(write(ends[1], "a", 1), 1);
	ck_assert_int_eq(write(ends[1], _i < 2 ? "b" : "b\nc", _i < 2 ? 1 : 3), _i < 2 ? 1 : 3);
	piece_usec = 40 * SECOND;
	ck_assert_int_eq(filter_run(ends[0], ends[0], &options, &failure), -ETIMEDOUT);
	ck_assert_int_eq(failure, FILTER_READ);
	ck_assert_uint_eq((clock_now() - begin) / SECOND, _i < 2 ? 100 : 140);
	close(ends[0]);
	close(ends[1]);
	piece_usec = ahead = 0;
}
END_TEST

START_TEST(ends_after_one)
{
	struct run run = {.options = options_for(FRAMING_LINE)};

	run.options.once = true;
	start(&run, false);
	send_text(&run, "one\ntwo\n");
	/* Without an end of ours. */
	check_answer(&run, "ONE\n");
	check_no_more(&run);
	check_ends(&run, 0, FILTER_NONE);
	close(run.to);
}
END_TEST

START_TEST(answers_before_it_fails)
{
	struct run run = {.options = options_for(FRAMING_LINE)};

	start(&run, false);
	send_text(&run, "good\nmuch too long\n");
	check_answer(&run, "GOOD\n");
	check_no_more(&run);
	check_ends(&run, -EMSGSIZE, FILTER_MESSAGE);
	close(run.to);

	run = (struct run){.options = options_for(FRAMING_LENGTH)};
	start(&run, false);
	ck_assert_int_eq(descriptor_write_all(run.to, "\0\0\0\1a\0\0\0\2b", 10), 0);
	end(&run);
	ck_assert_int_eq(read(run.from, &(char[8]){0}, 5), 5);
	check_no_more(&run);
	check_ends(&run, -EPROTO, FILTER_MESSAGE);
}
END_TEST

START_TEST(says_what_failed)
{
	struct exchange_options options = options_for(FRAMING_STREAM);
	_cleanup_close_ int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	enum filter_failure failure = FILTER_NONE;
	int ends[2];

	ck_assert_int_eq(filter_run(directory, null, &options, &failure), -EISDIR);
	ck_assert_int_eq(failure, FILTER_READ);
	ck_assert_int_eq(filter_run(-1, null, &options, &failure), -EBADF);
	ck_assert_int_eq(failure, FILTER_READ);
	ck_assert_int_eq(filter_run(zero, full, &options, &failure), -ENOSPC);
	ck_assert_int_eq(failure, FILTER_WRITE);

	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	ck_assert_int_eq(filter_run(zero, ends[1], &options, &failure), -EPIPE);
	ck_assert_int_eq(failure, FILTER_WRITE);
	close(ends[1]);
	(void)signal(SIGPIPE, SIG_DFL);

	/* Nothing to read is nothing to write. */
	ck_assert_int_eq(filter_run(null, full, &options, &failure), 0);
	ck_assert_int_eq(failure, FILTER_NONE);
}
END_TEST

/* A file with so much in it that it is mapped: an x, and then a letter of two bytes, which every
 * piece cuts. */
#define LARGE ((3U << 20) + 1)
#define PIECE 131072

static unsigned char large[LARGE];

static int make_large(void)
{
	int fd = memfd_create("large", MFD_CLOEXEC);

	for (size_t i = 0; i < LARGE; i++)
		large[i] = i == 0 ? 'x' : i % 2 ? 0xc3 : 0xa4;
	ck_assert_int_eq(descriptor_write_all(fd, large, LARGE), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	read_count = 0;
	return fd;
}

/* length bytes of it were read, and each of them was answered once. */
static void check_large(int in, int out, size_t length)
{
	size_t wrong = 0;

	ck_assert_int_eq(lseek(in, 0, SEEK_CUR), (off_t)length);
	ck_assert_int_eq(lseek(out, 0, SEEK_CUR), (off_t)length);
	ck_assert_int_eq(pread(out, large, LARGE, 0), (ssize_t)length);
	for (size_t i = 0; i < length; i++)
		wrong += large[i] != (i == 0 ? 'X' : i % 2 ? 0xc3 : 0x84);
	ck_assert_uint_eq(wrong, 0);
}

/* A large file is mapped (0), but with framing messages are held (1), and not every service bears a
 * text that changes (2). */
START_TEST(answers_a_large_file)
{
	struct service other = service;
	struct exchange_options options = options_for(_i == 1 ? FRAMING_LINE : FRAMING_STREAM);
	_cleanup_close_ int in = make_large(), out = memfd_create("out", MFD_CLOEXEC);
	enum filter_failure failure;

	options.service = &other;
	options.message_max = LARGE;
	other.in_may_change = _i != 2;
	ck_assert_int_eq(filter_run(in, out, &options, &failure), 0);
	check_large(in, out, LARGE);
	if (_i == 0)
		ck_assert_int_le(read_count, 3);
	else
		ck_assert_int_eq(read_count, LARGE / PIECE + 2);
}
END_TEST

/* A service in whose fifth piece the file becomes shorter. */
static int pieces, shorter_file;
static off_t shorter_size;

static size_t feed_and_truncate(struct service_state *state, const void *in, size_t length,
				void *out)
{
	if (++pieces == 5)
		ck_assert_int_eq(ftruncate(shorter_file, shorter_size), 0);
	return service.feed(state, in, length, out);
}

/* Truncated while a mapped piece is looked at: neither is the letter that the piece before it ended
 * in answered twice, nor what was no longer there. */
START_TEST(answers_what_is_left)
{
	static const off_t sizes[] = {4 * PIECE + 8193, 5 * PIECE - 1, 4 * PIECE + 1};
	struct service truncating = service;
	struct exchange_options options = options_for(FRAMING_STREAM);
	_cleanup_close_ int in = make_large(), out = memfd_create("out", MFD_CLOEXEC);
	enum filter_failure failure;

	options.service = &truncating;
	truncating.feed = feed_and_truncate;
	shorter_file = in;
	shorter_size = sizes[_i];
	ck_assert_int_eq(filter_run(in, out, &options, &failure), 0);
	check_large(in, out, (size_t)sizes[_i]);
	/* The first piece and the end; what is left is read at its place, with pread(). */
	ck_assert_int_eq(read_count, 2);
}
END_TEST

/* A large file's beginning is one read, and the descriptor stands behind that. */
START_TEST(takes_one_read_for_one_message)
{
	struct exchange_options options = options_for(_i == 0 ? FRAMING_LINE : FRAMING_STREAM);
	_cleanup_close_ int in = make_large(), out = memfd_create("out", MFD_CLOEXEC);
	enum filter_failure failure;

	options.once = true;
	ck_assert_int_eq(pwrite(in, "abc\n", 4, 0), 4);
	ck_assert_int_eq(filter_run(in, out, &options, &failure), 0);
	ck_assert_int_eq(lseek(in, 0, SEEK_CUR), PIECE);
	ck_assert_int_eq(lseek(out, 0, SEEK_CUR), _i == 0 ? 4 : PIECE);
}
END_TEST

/* A TCP connection: [0] is the filter's end, [1] its peer's. */
static void connect_pair(int ends[2])
{
	struct address address = address_with_port("127.0.0.1:1", 0);
	int listener = socket_open(&address, SOCK_STREAM);

	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(socket_get_name(listener, &address), 0);
	ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(ends[1], &address.any, address.length), 0);
	wait_for(listener, POLLIN);
	ends[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(ends[0], 0);
	close(listener);
}

static void *end_and_close(void *argument)
{
	int *fd = argument;

	filter_end(*fd);
	close(*fd);
	return NULL;
}

static int join_within(pthread_t thread, int msec)
{
	struct timespec until;

	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &until), 0);
	until.tv_sec += msec / 1000;
	until.tv_nsec += msec % 1000 * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return pthread_timedjoin_np(thread, NULL, &until);
}

/* The peer had sent more, and sends on: it gets the answer and the end, and no reset. It may close
 * then (0), or never (1), which is not waited for without end. */
START_TEST(ends_gently)
{
	pthread_t thread;
	int ends[2];
	char text[16];

	connect_pair(ends);
	ck_assert_int_eq(send(ends[1], "unread", 6, 0), 6);
	ck_assert_int_eq(send(ends[0], "ANSWER", 6, 0), 6);
	ck_assert_int_eq(pthread_create(&thread, NULL, end_and_close, &ends[0]), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(join_within(thread, 50), ETIMEDOUT);
		ck_assert_int_eq(send(ends[1], "more", 4, MSG_NOSIGNAL), 4);
	}
	wait_for(ends[1], POLLIN);
	ck_assert_int_eq(recv(ends[1], text, sizeof(text), 0), 6);
	ck_assert_mem_eq(text, "ANSWER", 6);
	ck_assert_int_eq(recv(ends[1], text, sizeof(text), 0), 0);
	/* The end came before the filter's. */
	ck_assert_int_eq(join_within(thread, _i == 0 ? 1 : 1000), ETIMEDOUT);
	if (_i == 0)
		close(ends[1]);
	ck_assert_int_eq(join_within(thread, _i == 0 ? 1000 : 4000), 0);
	if (_i > 0)
		close(ends[1]);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("filter_run", answers_at_once, 0, 2),
		UNIT_LOOP("filter_run", answers_much, 0, 2),
		UNIT_LOOP("filter_run", answers_nothing, 0, 2),
		UNIT_ONCE("filter_run", reads_again),
		UNIT_LOOP("filter_run", gives_up_a_silent_peer, 0, 2),
		UNIT_LOOP("filter_run", gives_up_a_peer_that_takes_nothing, 0, 2),
		UNIT_LOOP("filter_run", gives_up_a_message_that_drips_in, 0, 3),
		UNIT_ONCE("filter_run", ends_after_one),
		UNIT_ONCE("filter_run", answers_before_it_fails),
		UNIT_ONCE("filter_run", says_what_failed),
		UNIT_LOOP("filter_run", answers_a_large_file, 0, 3),
		UNIT_LOOP_UNLESS(unit_is_in_valgrind() ? "faults that go on" : NULL, "filter_run",
				 answers_what_is_left, 0, 3),
		UNIT_LOOP("filter_run", takes_one_read_for_one_message, 0, 2),
		UNIT_LOOP("filter_end", ends_gently, 0, 2),
		{0},
	};

	return unit_run("filter", rows);
}
