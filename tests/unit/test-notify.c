/* SPDX-License-Identifier: ISC */

/* Tests of server/notify.h: what comes to a service manager, and to one that does not read. */

#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "interrupt.h"
#include "manager.h"
#include "server/notify.h"
#include "unit.h"
#include "util/error.h"

static struct notify notify;
static int manager;

static void begin(void)
{
	manager = manager_open();
	ck_assert_int_eq(notify_open(&notify), 0);
	ck_assert(notify_has_manager(&notify));
}

static void end(void)
{
	notify_close(&notify);
	ck_assert_int_eq(close(manager), 0);
}

/* The next message; fds that came along go to *ret_fd, -1 for none. */
static const char *heard(int *ret_fd)
{
	static char message[4096];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = {message, sizeof(message) - 1};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(manager, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	message[n < 0 ? 0 : n] = '\0';
	*ret_fd = -1;
	if (n >= 0 && CMSG_FIRSTHDR(&header))
		memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(*ret_fd));
	return message;
}

START_TEST(sends_text)
{
	int fd;

	begin();
	ck_assert_int_eq(notify_send(&notify, NOTIFY_OFFER, -1, "STATUS=%s %d", "no", 1), 0);
	ck_assert_str_eq(heard(&fd), "STATUS=no 1");
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(notify_send(&notify, NOTIFY_INSIST, -1, "READY=1"), 0);
	ck_assert_str_eq(heard(&fd), "READY=1");
	ck_assert_str_eq(heard(&fd), "");
	end();
}
END_TEST

START_TEST(sends_a_descriptor)
{
	struct stat sent, came;
	int fd;

	begin();
	ck_assert_int_eq(notify_send(&notify, NOTIFY_INSIST, manager, "FDSTORE=1"), 0);
	ck_assert_str_eq(heard(&fd), "FDSTORE=1");
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &came), 0);
	ck_assert_int_eq(fstat(manager, &sent), 0);
	ck_assert_uint_eq(came.st_ino, sent.st_ino);
	ck_assert_int_eq(close(fd), 0);
	end();
}
END_TEST

START_TEST(refuses_what_is_too_long)
{
	int fd;

	begin();
	ck_assert_int_eq(notify_send(&notify, NOTIFY_OFFER, -1, "%5000d", 1), -EMSGSIZE);
	ck_assert_str_eq(heard(&fd), "");
	end();
}
END_TEST

/* No variable, or one that names no AF_UNIX socket. */
START_TEST(goes_without_a_manager)
{
	static const char *const paths[] = {NULL, "", "vsock:2:1234", "relative", "@"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (paths[i])
			ck_assert_int_eq(setenv("NOTIFY_SOCKET", paths[i], 1), 0);
		else
			ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
		ck_assert_int_eq(notify_open(&notify), 0);
		ck_assert(!notify_has_manager(&notify));
		ck_assert_int_eq(notify_send(&notify, NOTIFY_INSIST, -1, "READY=1"), -ENOTCONN);
		ck_assert_int_eq(notify_settle(&notify), -ENOTCONN);
		notify_close(&notify);
	}
}
END_TEST

START_TEST(says_that_the_manager_has_gone)
{
	begin();
	ck_assert_int_eq(close(manager), 0);
	ck_assert_int_eq(notify_send(&notify, NOTIFY_INSIST, -1, "READY=1"), -ECONNREFUSED);
	manager = manager_open();
	ck_assert_int_eq(notify_send(&notify, NOTIFY_INSIST, -1, "READY=1"), 0);
	end();
}
END_TEST

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void fill(void)
{
	int r;

	while ((r = notify_send(&notify, NOTIFY_OFFER, -1, "STATUS=x")) == 0)
		;
	ck_assert_int_eq(r, -EAGAIN);
}

/* Offers never wait; the first that insists does, the next ones do not until the manager reads. */
START_TEST(waits_once_for_one_that_does_not_read)
{
	uint64_t before;
	int fd;

	begin();
	fill();
	before = now_usec();
	ck_assert_int_eq(notify_send(&notify, NOTIFY_INSIST, -1, "READY=1"), -EAGAIN);
	/* The kernel counts in jiffies. */
	ck_assert_uint_ge(now_usec() - before, NOTIFY_PATIENCE_USEC - 20000);
	before = now_usec();
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(notify_send(&notify, NOTIFY_INSIST, -1, "READY=1"), -EAGAIN);
	ck_assert_uint_lt(now_usec() - before, NOTIFY_PATIENCE_USEC / 2);
	ck_assert(notify.is_stuck);
	(void)heard(&fd);
	ck_assert_int_eq(notify_send(&notify, NOTIFY_OFFER, -1, "STATUS=y"), 0);
	ck_assert(!notify.is_stuck);
	end();
}
END_TEST

/* A manager that is behind does not find hundreds, however long its queue may be: what is unread
 * counts as the sender's (unix(7)). */
START_TEST(leaves_little_unread)
{
	int size;
	socklen_t length = sizeof(size);

	begin();
	ck_assert_int_eq(getsockopt(notify.fd, SOL_SOCKET, SO_SNDBUF, &size, &length), 0);
	ck_assert_int_le(size, 8192);
	end();
}
END_TEST

static void read_one(int number)
{
	int error = errno;
	char bytes[64];

	(void)number;
	if (recv(manager, bytes, sizeof(bytes), 0) < 0)
		abort();
	errno = error;
}

/* A signal comes while it waits (one that is sent to stop a process, and go on, is enough:
 * signal(7)). */
START_TEST(goes_on_when_interrupted)
{
	begin();
	fill();
	interrupt_after(50000, read_one);
	ck_assert_int_eq(notify_send(&notify, NOTIFY_INSIST, -1, "READY=1"), 0);
	end();
}
END_TEST

/* Reads one message, once somebody has waited for room for a while. */
static void *read_late(void *userdata)
{
	int fd;

	(void)userdata;
	(void)poll(NULL, 0, 50);
	(void)heard(&fd);
	return NULL;
}

START_TEST(what_is_insisted_on_comes_late)
{
	pthread_t thread;
	int fd;
	bool came = false;

	begin();
	fill();
	ck_assert_int_eq(pthread_create(&thread, NULL, read_late, NULL), 0);
	ck_assert_int_eq(notify_send(&notify, NOTIFY_INSIST, -1, "READY=1"), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert(!notify.is_stuck);
	for (const char *message = heard(&fd); *message; message = heard(&fd))
		came = strcmp(message, "READY=1") == 0;
	ck_assert(came);
	end();
}
END_TEST

/* A manager that takes its time to close what came. */
static void *take_in(void *userdata)
{
	const char *message;
	int fd;

	(void)userdata;
	while (*(message = heard(&fd)) == '\0')
		(void)poll(NULL, 0, 1);
	(void)poll(NULL, 0, 50);
	if (fd >= 0)
		(void)close(fd);
	ck_assert_str_eq(message, "BARRIER=1");
	return NULL;
}

START_TEST(settles)
{
	pthread_t thread;
	uint64_t before;

	begin();
	before = now_usec();
	ck_assert_int_eq(pthread_create(&thread, NULL, take_in, NULL), 0);
	ck_assert_int_eq(notify_settle(&notify), 0);
	ck_assert_uint_ge(now_usec() - before, 49000);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	end();
}
END_TEST

START_TEST(settles_no_longer_than_that)
{
	begin();
	ck_assert_int_eq(notify_settle(&notify), -ETIMEDOUT);
	end();
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("notify_send", sends_text),
		UNIT_ONCE("notify_send", sends_a_descriptor),
		UNIT_ONCE("notify_send", refuses_what_is_too_long),
		UNIT_ONCE("notify_send", goes_without_a_manager),
		UNIT_ONCE("notify_send", says_that_the_manager_has_gone),
		UNIT_ONCE("notify_send", waits_once_for_one_that_does_not_read),
		UNIT_ONCE("notify_send", leaves_little_unread),
		UNIT_ONCE("notify_send", goes_on_when_interrupted),
		UNIT_ONCE("notify_send", what_is_insisted_on_comes_late),
		UNIT_ONCE("notify_settle", settles),
		UNIT_ONCE("notify_settle", settles_no_longer_than_that),
		{0},
	};

	return unit_run("notify", rows);
}
