/* SPDX-License-Identifier: ISC */
#include "util/descriptor.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/error.h"

int descriptor_wait(int fd, short events, uint64_t until)
{
	struct pollfd wait = {.fd = fd, .events = events};
	int r;

	do
		r = poll(&wait, 1, clock_poll_timeout(until));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return negative_errno();
	return r == 0 ? -ETIMEDOUT : 0;
}

ssize_t descriptor_read(int fd, void *buffer, size_t size, uint64_t until)
{
	ssize_t n;

	while ((n = read(fd, buffer, size)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return negative_errno();

		int r = descriptor_wait(fd, POLLIN, until);

		if (r < 0)
			return r;
	}
	return n;
}

int descriptor_write_all(int fd, const void *bytes, size_t length)
{
	return descriptor_write_within(fd, bytes, length, PARSE_INFINITY);
}

int descriptor_write_within(int fd, const void *bytes, size_t length, uint64_t usec)
{
	const char *next = bytes;
	uint64_t until = clock_after(usec);

	while (length > 0) {
		ssize_t n = write(fd, next, length);

		if (n >= 0) {
			next += n;
			length -= (size_t)n;
			until = clock_after(usec);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return negative_errno();

		int r = descriptor_wait(fd, POLLOUT, until);

		if (r < 0)
			return r;
	}
	return 0;
}

static int change_flag(int fd, int get, int set, int flag, int on)
{
	int before = fcntl(fd, get);

	if (before < 0)
		return negative_errno();

	int after = on ? before | flag : before & ~flag;

	if (after != before && fcntl(fd, set, after) < 0)
		return negative_errno();
	return 0;
}

int descriptor_set_nonblocking(int fd, int nonblocking)
{
	return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, nonblocking);
}

int descriptor_set_cloexec(int fd, int cloexec)
{
	return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, cloexec);
}

int descriptor_fill_standard(void)
{
	/* From below, so that the next one opened is the one that is missing. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return negative_errno();
	return 0;
}
