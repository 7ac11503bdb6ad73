/* SPDX-License-Identifier: ISC */

/* Tests of util/descriptor.h and of what util/cleanup.h does to descriptors. */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/descriptor.h"
#include "util/error.h"

/* How many of the next calls a signal interrupts. */
static int interrupted_writes, interrupted_polls;

/* In the place of libc's. */
ssize_t write(int fd, const void *bytes, size_t length)
{
	if (interrupted_writes > 0) {
		interrupted_writes--;
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_write, fd, bytes, length);
}

/* The test's clock, in microseconds: a wait with an end passes at once, and so much of it is gone.
 * A reader at taken_fd takes something in each wait that lasts longer than it is slow. */
static uint64_t passed;
static int taken_fd = -1;

#define SECOND          UINT64_C(1000000)
#define READER_SLOWNESS (4 * SECOND)

int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	(void)clock;
	*ret_now = (struct timespec){.tv_sec = (time_t)(1000 + passed / SECOND),
				     .tv_nsec = (long)(passed % SECOND * 1000)};
	return 0;
}

int poll(struct pollfd *fds, nfds_t count, int msec)
{
	const struct timespec at_once = {0};
	char buffer[65536];
	int r;

	if (interrupted_polls > 0) {
		interrupted_polls--;
		errno = EINTR;
		return -1;
	}
	r = ppoll(fds, count, msec < 0 ? NULL : &at_once, NULL);
	if (r != 0)
		return r;
	if (taken_fd < 0 || (uint64_t)msec * 1000 < READER_SLOWNESS) {
		passed += (uint64_t)msec * 1000;
		return 0;
	}
	passed += READER_SLOWNESS;
	ck_assert_int_gt(read(taken_fd, buffer, sizeof(buffer)), 0);
	return ppoll(fds, count, &at_once, NULL);
}

/* More than any pipe or socket buffer of the kernel's default sizes holds. */
#define MUCH (4U << 20)

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i % 251);
}

/* Reads fd to its end, slowly at first; counts what came and whether it was the pattern. */
struct reader {
	int fd;
	size_t count;
	size_t wrong;
};

static void *read_all(void *argument)
{
	struct reader *reader = argument;
	unsigned char buffer[4099];
	ssize_t n;

	while ((n = read(reader->fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++)
			reader->wrong += buffer[i] != pattern(reader->count++);
	return NULL;
}

/* A write of more than fits, on a blocking (0) or non-blocking (1) pipe or socket (2, 3). */
START_TEST(writes_all)
{
	int ends[2];
	pthread_t thread;
	_cleanup_free_ unsigned char *bytes = malloc(MUCH);

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = pattern(i);
	if (_i < 2)
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(descriptor_set_nonblocking(ends[1], _i % 2), 0);

	struct reader reader = {.fd = ends[0]};

	ck_assert_int_eq(pthread_create(&thread, NULL, read_all, &reader), 0);
	interrupted_writes = interrupted_polls = 2;
	ck_assert_int_eq(descriptor_write_all(ends[1], bytes, MUCH), 0);
	ck_assert_int_eq(interrupted_writes, 0);
	if (_i % 2 == 1)
		ck_assert_int_eq(interrupted_polls, 0);
	interrupted_polls = 0;
	close(ends[1]);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(reader.count, MUCH);
	ck_assert_uint_eq(reader.wrong, 0);
	close(ends[0]);
}
END_TEST

START_TEST(writes_nothing)
{
	/* Not even a look at the descriptor. */
	ck_assert_int_eq(descriptor_write_all(-1, "", 0), 0);
}
END_TEST

START_TEST(reports_errors_of_write)
{
	int ends[2];
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(descriptor_write_all(-1, "x", 1), -EBADF);
	ck_assert_int_eq(descriptor_write_all(null, "x", 1), -EBADF);
	ck_assert_int_eq(descriptor_write_all(full, "x", 1), -ENOSPC);

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	ck_assert_int_eq(descriptor_write_all(ends[1], "x", 1), -EPIPE);
	close(ends[1]);
	signal(SIGPIPE, SIG_DFL);
}
END_TEST

/* A reader that goes away early, while the writer writes or waits in poll(2) for room. */
static void *close_early(void *argument)
{
	int *ends = argument;
	unsigned char byte;

	if (read(ends[0], &byte, 1) == 1)
		close(ends[0]);
	return NULL;
}

START_TEST(ends_when_the_reader_goes)
{
	int ends[2];
	pthread_t thread;
	_cleanup_free_ char *bytes = calloc(1, MUCH);

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(descriptor_set_nonblocking(ends[0], 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, close_early, ends), 0);
	ck_assert_int_eq(descriptor_write_all(ends[1], bytes, MUCH), -EPIPE);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	close(ends[1]);
	signal(SIGPIPE, SIG_DFL);
}
END_TEST

/* Until then, whatever interrupts it, and not longer; but what is there by then is there. */
START_TEST(waits_until_then)
{
	uint64_t begin = clock_now();
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	interrupted_polls = 2;
	ck_assert_int_eq(descriptor_wait(ends[0], POLLIN, begin + 5 * SECOND + 1), -ETIMEDOUT);
	ck_assert_int_eq(interrupted_polls, 0);
	ck_assert_uint_eq(clock_now() - begin, 5 * SECOND + 1000); /* poll() has milliseconds */
	ck_assert_int_eq(descriptor_wait(ends[0], POLLIN, begin), -ETIMEDOUT);
	ck_assert_uint_eq(clock_now() - begin, 5 * SECOND + 1000);
	ck_assert_int_eq(descriptor_wait(ends[1], POLLOUT, PARSE_INFINITY), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(descriptor_wait(ends[0], POLLIN, begin), 0);
	ck_assert_int_eq(descriptor_wait(ends[0], POLLIN, PARSE_INFINITY), 0);
	close(ends[0]);
	ck_assert_int_eq(descriptor_wait(ends[1], POLLIN, begin), 0); /* an error */
	close(ends[1]);
}
END_TEST

/* A non-blocking pipe (0), or a blocking socket that gives up by itself (1). */
START_TEST(reads_until_then)
{
	const struct timeval soon = {.tv_usec = 1000};
	uint64_t begin = clock_now();
	int ends[2];
	char text[8];

	if (_i == 0)
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	if (_i == 1)
		ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)),
				 0);
	ck_assert_int_eq(descriptor_read(ends[0], text, 8, begin + 5 * SECOND), -ETIMEDOUT);
	ck_assert_uint_eq(clock_now() - begin, 5 * SECOND);
	ck_assert_int_eq(write(ends[1], "abc", 3), 3);
	ck_assert_int_eq(descriptor_read(ends[0], text, 8, begin), 3);
	ck_assert_mem_eq(text, "abc", 3);
	close(ends[1]);
	ck_assert_int_eq(descriptor_read(ends[0], text, 8, begin), 0);
	close(ends[0]);
	ck_assert_int_eq(descriptor_read(-1, text, 8, PARSE_INFINITY), -EBADF);
}
END_TEST

/* To a reader who takes nothing (0), or who is slow but always in time (1). */
START_TEST(writes_while_it_gets_on)
{
	static const char bytes[MUCH];
	uint64_t begin = clock_now();
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	if (_i == 0) {
		ck_assert_int_eq(descriptor_write_within(ends[1], bytes, MUCH, 6 * SECOND),
				 -ETIMEDOUT);
		ck_assert_uint_eq(clock_now() - begin, 6 * SECOND);
	} else {
		taken_fd = ends[0];
		ck_assert_int_eq(descriptor_write_within(ends[1], bytes, MUCH, 6 * SECOND), 0);
		ck_assert_uint_ge(clock_now() - begin, 10 * READER_SLOWNESS);
		taken_fd = -1;
	}
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(changes_nonblocking_alone)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_ASYNC), 0);

	int before = fcntl(ends[0], F_GETFL);

	/* Twice each: what is so already stays so. */
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(descriptor_set_nonblocking(ends[0], 1), 0);
		ck_assert_int_eq(fcntl(ends[0], F_GETFL), before | O_NONBLOCK);
	}
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(descriptor_set_nonblocking(ends[0], 0), 0);
		ck_assert_int_eq(fcntl(ends[0], F_GETFL), before);
	}
	ck_assert_int_eq(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(descriptor_set_nonblocking(-1, 1), -EBADF);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static bool fails_both_ways(int fd)
{
	char byte = 0;

	return (fd == STDIN_FILENO ? read(fd, &byte, 1) : write(fd, &byte, 1)) < 0 &&
	       errno == EBADF;
}

/* In a process of its own, without those of 0, 1 and 2 that have a bit. */
static int fill_without(int closed)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int room, next = fcntl(STDIN_FILENO, F_DUPFD, 3);

		close(next);
		for (int fd = 0; fd <= STDERR_FILENO; fd++)
			if (closed & 1 << fd)
				close(fd);
		if (descriptor_fill_standard() < 0)
			_exit(1);
		for (int fd = 0; fd <= STDERR_FILENO; fd++)
			if (fcntl(fd, F_GETFD) < 0 || (closed & 1 << fd && !fails_both_ways(fd)))
				_exit(2);
		room = open("/dev/null", O_RDONLY);
		_exit(room == next ? 0 : 3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(fills_what_is_closed)
{
	ck_assert_int_eq(fill_without(_i), 0);
}
END_TEST

START_TEST(changes_cloexec)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, 0), 0);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(descriptor_set_cloexec(ends[0], 1), 0);
		ck_assert_int_eq(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	}
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(descriptor_set_cloexec(ends[0], 0), 0);
		ck_assert_int_eq(fcntl(ends[0], F_GETFD), 0);
	}
	ck_assert_int_eq(descriptor_set_cloexec(-1, 1), -EBADF);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(closes_what_was_not_taken)
{
	int kept, dropped;

	{
		_cleanup_close_ int a = open("/dev/null", O_RDONLY | O_CLOEXEC);
		_cleanup_close_ int b = open("/dev/null", O_RDONLY | O_CLOEXEC);

		ck_assert_int_ge(a, 0);
		ck_assert_int_ge(b, 0);
		dropped = b;
		kept = take_fd(&a);
		ck_assert_int_eq(a, -1);
	}
	ck_assert_int_ge(fcntl(kept, F_GETFD), 0);
	ck_assert_int_eq(fcntl(dropped, F_GETFD), -1);
	close(kept);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("descriptor_wait", waits_until_then),
		UNIT_LOOP("descriptor_read", reads_until_then, 0, 2),
		UNIT_LOOP("descriptor_write_within", writes_while_it_gets_on, 0, 2),
		UNIT_LOOP("descriptor_write_all", writes_all, 0, 4),
		UNIT_ONCE("descriptor_write_all", writes_nothing),
		UNIT_ONCE("descriptor_write_all", reports_errors_of_write),
		UNIT_ONCE("descriptor_write_all", ends_when_the_reader_goes),
		UNIT_ONCE("descriptor_set_nonblocking", changes_nonblocking_alone),
		UNIT_ONCE("descriptor_set_cloexec", changes_cloexec),
		UNIT_LOOP("descriptor_fill_standard", fills_what_is_closed, 0, 8),
		UNIT_ONCE("take_fd", closes_what_was_not_taken),
		{0},
	};

	return unit_run("descriptor", rows);
}
