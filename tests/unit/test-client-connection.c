/* SPDX-License-Identifier: ISC */

/* Tests of client/connection.h. */

#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "client/connection.h"
#include "interrupt.h"
#include "net/socket.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/error.h"

#define SECOND UINT64_C(1000000)

/* A socket of this machine alone, bound to a port, or name, that the kernel has chosen. */
static int bind_any(int family, int type, struct address *ret_address)
{
	struct address any = {.length = sizeof(sa_family_t), .any = {.sa_family = AF_UNIX}};
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		any = (struct address){
			.length = sizeof(any.in),
			.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
		};
	ck_assert_int_eq(bind(fd, &any.any, any.length), 0);
	ck_assert_int_eq(socket_get_name(fd, ret_address), 0);
	return fd;
}

/* For AF_INET (0) and AF_UNIX (1). */
static const int families[] = {AF_INET, AF_UNIX};

START_TEST(connects)
{
	struct address address;
	struct target target = {.addresses = &address, .count = 1};
	_cleanup_close_ int server = bind_any(families[_i], SOCK_STREAM, &address), fd = -1;
	int at_once = 0;
	socklen_t length = sizeof(at_once);

	ck_assert_int_eq(listen(server, 1), 0);
	fd = connection_open(&target, SECOND);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert(!connection_is_to_itself(fd));
	if (families[_i] != AF_UNIX) {
		ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, &length), 0);
		ck_assert_int_ne(at_once, 0);
	}
}
END_TEST

/* Much text would go in small pieces otherwise. */
START_TEST(has_a_large_buffer_for_unix)
{
	struct address address;
	struct target target = {.addresses = &address, .count = 1};
	_cleanup_close_ int server = bind_any(AF_UNIX, SOCK_STREAM, &address), fd = -1;
	int before, after;
	socklen_t length = sizeof(before);

	ck_assert_int_eq(listen(server, 1), 0);
	fd = connection_open(&target, SECOND);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getsockopt(server, SOL_SOCKET, SO_SNDBUF, &before, &length), 0);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &after, &length), 0);
	ck_assert_int_gt(after, before);
}
END_TEST

START_TEST(says_that_nobody_is_there)
{
	struct address address;
	struct target target = {.addresses = &address, .count = 1};
	int server = bind_any(families[_i], SOCK_STREAM, &address);

	/* Bound, and nobody listens: nobody else can. */
	ck_assert_int_eq(connection_open(&target, SECOND), -ECONNREFUSED);
	close(server);
}
END_TEST

START_TEST(tries_the_next_address_and_stays_with_it)
{
	struct address addresses[3];
	struct target target = {.addresses = addresses, .count = 3};
	_cleanup_close_ int closed = bind_any(families[_i], SOCK_STREAM, &addresses[0]);
	_cleanup_close_ int server = bind_any(families[_i], SOCK_STREAM, &addresses[1]);
	_cleanup_close_ int other = bind_any(families[_i], SOCK_STREAM, &addresses[2]);
	_cleanup_close_ int fd = -1;

	ck_assert_int_eq(listen(server, 5), 0);
	ck_assert_int_eq(listen(other, 5), 0);
	fd = connection_open(&target, SECOND);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(target.current, 1);

	/* Gone: the one behind it, then from the beginning again. */
	cleanup_close(&server);
	server = -1;
	cleanup_close(&fd);
	fd = connection_open(&target, SECOND);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(target.current, 2);
	cleanup_close(&other);
	other = -1;
	cleanup_close(&fd);
	ck_assert_int_eq(listen(closed, 5), 0);
	fd = connection_open(&target, SECOND);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(target.current, 0);
}
END_TEST

static void do_nothing(int number)
{
	(void)number;
}

/* A backlog is full when connecting does not come to an end. That it is interrupted is none. */
START_TEST(waits_no_longer_than_it_may)
{
	struct address address;
	struct target target = {.addresses = &address, .count = 1};
	_cleanup_close_ int server = bind_any(families[_i], SOCK_STREAM, &address);
	int fds[16], count = 0;
	uint64_t began;

	ck_assert_int_eq(listen(server, 0), 0);
	do {
		began = clock_now();
		interrupt_after(30000, do_nothing);
		fds[count] = connection_open(&target, SECOND / 10);
	} while (fds[count] >= 0 && ++count < 16);
	ck_assert_int_lt(count, 16);
	ck_assert_int_eq(fds[count], -ETIMEDOUT);
	ck_assert_uint_ge(clock_now() - began, SECOND / 20); /* jiffies */
	while (count > 0)
		close(fds[--count]);
}
END_TEST

START_TEST(knows_itself)
{
	struct address address;
	_cleanup_close_ int udp = bind_any(AF_INET, SOCK_DGRAM, &address);
	_cleanup_close_ int tcp = bind_any(AF_INET, SOCK_STREAM, &address);

	/* Two sockets that connect to each other at once, and are one (RFC 9293 section 3.5). */
	ck_assert_int_eq(connect(tcp, &address.any, address.length), 0);
	ck_assert(connection_is_to_itself(tcp));
	ck_assert(!connection_is_to_itself(udp));
	ck_assert_int_eq(socket_get_name(udp, &address), 0);
	ck_assert_int_eq(connect(udp, &address.any, address.length), 0);
	ck_assert(connection_is_to_itself(udp));
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("connection_open", connects, 0, 2),
		UNIT_ONCE("connection_open", has_a_large_buffer_for_unix),
		UNIT_LOOP("connection_open", says_that_nobody_is_there, 0, 2),
		UNIT_LOOP("connection_open", tries_the_next_address_and_stays_with_it, 0, 2),
		UNIT_LOOP("connection_open", waits_no_longer_than_it_may, 0, 2),
		UNIT_ONCE("connection_is_to_itself", knows_itself),
		{.group = NULL},
	};

	return unit_run("client/connection", rows);
}
