/* SPDX-License-Identifier: ISC */

/* Tests of net/socket.h: what a descriptor is, and opening sockets on loopback and in files. */

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loopback.h"
#include "net/socket.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"

/* What socket(2) fails with for AF_INET6, to be a machine without it; 0: it works. */
static int no_ipv6;

/* In the place of libc's. */
int socket(int family, int type, int protocol)
{
	if (family == AF_INET6 && no_ipv6 != 0) {
		errno = no_ipv6;
		return -1;
	}
	return (int)syscall(SYS_socket, family, type, protocol);
}

/* The lowest free descriptor: what failed must have left none behind. */
static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

/* A directory of this program's own, and names in it: a test may fail and leave them. */
static char directory[] = "/tmp/test-socket-XXXXXX";
static char path[sizeof(directory) + 8], target[sizeof(directory) + 8];

static void remove_files(void)
{
	(void)unlink(path);
	(void)unlink(target);
}

static struct address path_address(void)
{
	struct address address;

	ck_assert_int_eq(address_from_path(path, &address), 0);
	return address;
}

static int connected_to(const struct address *address, int type)
{
	int fd = socket(address->any.sa_family, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, &address->any, address->length), 0);
	return fd;
}

/* One byte from a new client to the listening socket. */
static void check_serves(int listener, const struct address *address)
{
	_cleanup_close_ int client = connected_to(address, SOCK_STREAM), server = -1;
	char byte = 0;

	wait_for(listener, POLLIN);
	server = accept(listener, NULL, NULL);
	ck_assert_int_ge(server, 0);
	ck_assert_int_eq(write(client, "x", 1), 1);
	ck_assert_int_eq(read(server, &byte, 1), 1);
	ck_assert_int_eq(byte, 'x');
}

static void check_facts(int fd, int family, int type, bool listening, bool connected)
{
	struct socket_facts facts;

	ck_assert_int_eq(socket_look(fd, &facts), 0);
	ck_assert_int_eq(facts.family, family);
	ck_assert_int_eq(facts.type, type);
	ck_assert_int_eq(facts.listening, listening);
	ck_assert_int_eq(facts.connected, connected);
}

START_TEST(looks_at_stream_sockets)
{
	struct address address = address_with_port("127.0.0.1:1", 0);
	_cleanup_close_ int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int listener = socket_open(&address, SOCK_STREAM);

	ck_assert_int_eq(socket_get_name(listener, &address), 0);

	_cleanup_close_ int client = connected_to(&address, SOCK_STREAM);
	_cleanup_close_ int server = accept(listener, NULL, NULL);

	check_facts(fresh, AF_INET, SOCK_STREAM, false, false);
	check_facts(listener, AF_INET, SOCK_STREAM, true, false);
	check_facts(client, AF_INET, SOCK_STREAM, false, true);
	check_facts(server, AF_INET, SOCK_STREAM, false, true);
	/* A client that has half-closed is still one. */
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	wait_for(server, POLLIN);
	check_facts(server, AF_INET, SOCK_STREAM, false, true);
}
END_TEST

START_TEST(looks_at_datagram_sockets)
{
	struct address address = address_with_port("127.0.0.1:1", 0);
	_cleanup_close_ int server = socket_open(&address, SOCK_DGRAM);

	ck_assert_int_eq(socket_get_name(server, &address), 0);

	_cleanup_close_ int client = connected_to(&address, SOCK_DGRAM);

	check_facts(server, AF_INET, SOCK_DGRAM, false, false);
	check_facts(client, AF_INET, SOCK_DGRAM, false, true);
}
END_TEST

START_TEST(looks_at_unix_sockets)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	_cleanup_close_ int fresh = -1, first = -1, second = -1;
	int pair[2];

	fresh = socket(AF_UNIX, types[_i] | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, types[_i] | SOCK_CLOEXEC, 0, pair), 0);
	first = pair[0];
	second = pair[1];
	check_facts(fresh, AF_UNIX, types[_i], false, false);
	check_facts(first, AF_UNIX, types[_i], false, true);
	check_facts(second, AF_UNIX, types[_i], false, true);
}
END_TEST

START_TEST(looks_at_what_is_no_socket)
{
	struct socket_facts facts = {.family = 4711};
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(socket_look(null, &facts), -ENOTSOCK);
	ck_assert_int_eq(socket_look(-1, &facts), -EBADF);
	ck_assert_int_eq(facts.family, 4711);
}
END_TEST

START_TEST(prints_kinds)
{
	static const struct {
		struct socket_facts facts;
		const char *text;
	} rows[] = {
		{{AF_INET, SOCK_STREAM, true, false}, "AF_INET listening stream"},
		{{AF_INET6, SOCK_STREAM, false, true}, "AF_INET6 stream"},
		{{AF_UNIX, SOCK_DGRAM, false, false}, "AF_UNIX datagram"},
		{{AF_UNIX, SOCK_SEQPACKET, true, false}, "AF_UNIX listening seqpacket"},
		{{AF_VSOCK, SOCK_STREAM, false, false}, "AF_VSOCK stream"},
		{{AF_NETLINK, SOCK_RAW, false, false}, "AF_NETLINK raw"},
		{{AF_PACKET, SOCK_RAW, false, false}, "AF_PACKET raw"},
		{{4711, SOCK_RDM, true, false}, "address family 4711 listening type 4"},
	};
	char text[SOCKET_TEXT_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_str_eq(socket_print_kind(&rows[i].facts, text), rows[i].text);
}
END_TEST

/* The first two are there without IPv6. */
static const char *const streams[] = {"127.0.0.1:1", "0.0.0.0:1", "[::1]:1", "1",
				      "[::ffff:127.0.0.1]:1"};

START_TEST(opens_streams)
{
	struct address address = address_with_port(streams[_i], 0);
	_cleanup_close_ int fd = socket_open(&address, SOCK_STREAM);

	check_facts(fd, address.any.sa_family, SOCK_STREAM, true, false);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(accept(fd, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(socket_get_name(fd, &address), 0);
	check_serves(fd, &address);
}
END_TEST

static int send_buffer_of(int fd)
{
	int size = 0;
	socklen_t length = sizeof(size);

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length), 0);
	return size;
}

START_TEST(opens_datagram_sockets)
{
	struct address address = address_with_port("127.0.0.1:1", 0);
	_cleanup_close_ int fd = socket_open(&address, SOCK_DGRAM);
	const int size = SOCKET_SEND_BUFFER;
	char bytes[8];

	check_facts(fd, AF_INET, SOCK_DGRAM, false, false);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(recv(fd, bytes, sizeof(bytes), 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(socket_get_name(fd, &address), 0);

	_cleanup_close_ int client = connected_to(&address, SOCK_DGRAM);

	ck_assert_int_eq(send(client, "abc", 3, 0), 3);
	wait_for(fd, POLLIN);
	ck_assert_int_eq(recv(fd, bytes, sizeof(bytes), 0), 3);
	/* How large it may be, the machine says; to some it leaves that. */
	ck_assert_int_gt(send_buffer_of(fd), send_buffer_of(client));
	if (setsockopt(client, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0)
		ck_assert_int_eq(send_buffer_of(fd), send_buffer_of(client));
}
END_TEST

/* "Any address" is that of both families; an address of one family is that one alone. */
START_TEST(opens_both_families)
{
	struct address any = address_with_port("1", 0), only = address_with_port("[::1]:1", 0);
	_cleanup_close_ int both = socket_open(&any, SOCK_STREAM);
	_cleanup_close_ int one = socket_open(&only, SOCK_STREAM);
	_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct address ipv4 = address_with_port("127.0.0.1:1", port_of(both));
	struct address ipv6 = address_with_port("[::1]:1", port_of(both));

	check_serves(both, &ipv4);
	check_serves(both, &ipv6);
	ipv4 = address_with_port("127.0.0.1:1", port_of(one));
	ck_assert_int_eq(connect(client, &ipv4.any, ipv4.length), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
}
END_TEST

START_TEST(does_without_ipv6)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
	static const int reasons[] = {EAFNOSUPPORT, EADDRNOTAVAIL};
	struct address any = address_with_port("1", 0), name;
	struct address loopback = address_with_port("[::1]:1", 0);

	no_ipv6 = reasons[_i / 2];

	_cleanup_close_ int fd = socket_open(&any, types[_i % 2]);

	check_facts(fd, AF_INET, types[_i % 2], _i % 2 == 0, false);
	ck_assert_int_eq(socket_get_name(fd, &name), 0);
	ck_assert_uint_eq(name.in.sin_addr.s_addr, INADDR_ANY);

	/* The same port, which is taken now. */
	any = address_with_port("1", port_of(fd));
	ck_assert_int_eq(socket_open(&any, types[_i % 2]), -EADDRINUSE);
	/* An address that only IPv6 has is not there. */
	ck_assert_int_eq(socket_open(&loopback, types[_i % 2]), -reasons[_i / 2]);
	no_ipv6 = 0;
}
END_TEST

START_TEST(does_without_ipv6_for_no_other_reason)
{
	struct address any = address_with_port("1", 0);

	no_ipv6 = EMFILE;
	ck_assert_int_eq(socket_open(&any, SOCK_STREAM), -EMFILE);
	no_ipv6 = 0;
}
END_TEST

START_TEST(refuses_a_taken_port)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
	struct address address = address_with_port("127.0.0.1:1", 0);
	_cleanup_close_ int fd = socket_open(&address, types[_i]);
	int next = next_fd();

	ck_assert_int_eq(socket_get_name(fd, &address), 0);
	ck_assert_int_eq(socket_open(&address, types[_i]), -EADDRINUSE);
	ck_assert_int_eq(next_fd(), next);
}
END_TEST

/* The port of a server that has just gone is free, though its connections linger (TIME_WAIT). */
START_TEST(opens_again_at_once)
{
	struct address address = address_with_port("127.0.0.1:1", 0);
	int listener = socket_open(&address, SOCK_STREAM);
	char byte;

	ck_assert_int_eq(socket_get_name(listener, &address), 0);

	_cleanup_close_ int client = connected_to(&address, SOCK_STREAM);
	int server = accept(listener, NULL, NULL);

	close(server);
	close(listener);
	ck_assert_int_eq(read(client, &byte, 1), 0);
	close(client);
	client = -1;

	_cleanup_close_ int again = socket_open(&address, SOCK_STREAM);

	ck_assert_int_ge(again, 0);
}
END_TEST

START_TEST(forwards_errors)
{
	/* Addresses for documentation (RFC 5737, RFC 3849): nobody has them. */
	struct address ipv4 = address_with_port("203.0.113.1:1", 0);
	struct address ipv6 = address_with_port("[2001:db8:ffff::1]:1", 0), nowhere;
	int next = next_fd();
	int r;

	ck_assert_int_eq(socket_open(&ipv4, SOCK_STREAM), -EADDRNOTAVAIL);
	ck_assert_int_eq(address_from_path("/nonexistent/socket", &nowhere), 0);
	ck_assert_int_eq(socket_open(&nowhere, SOCK_STREAM), -ENOENT);
	r = socket_open(&ipv6, SOCK_DGRAM);
	ck_assert(r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT);
	ck_assert_int_eq(next_fd(), next);
}
END_TEST

START_TEST(opens_paths)
{
	struct address address, name;
	char text[ADDRESS_TEXT_MAX];

	remove_files();
	address = path_address();

	_cleanup_close_ int fd = socket_open(&address, SOCK_STREAM);

	check_facts(fd, AF_UNIX, SOCK_STREAM, true, false);
	check_serves(fd, &address);
	ck_assert_int_eq(socket_get_name(fd, &name), 0);
	ck_assert_str_eq(address_print(&name, text), path);
}
END_TEST

START_TEST(replaces_a_stale_path)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

	remove_files();

	struct address address = path_address();
	int gone = socket_open(&address, types[_i / 2]);

	ck_assert_int_ge(gone, 0);
	close(gone);

	/* Also one that was left by a server of the other type. */
	_cleanup_close_ int fd = socket_open(&address, types[_i % 2]);

	check_facts(fd, AF_UNIX, types[_i % 2], _i % 2 == 0, false);
	if (_i % 2 == 0)
		check_serves(fd, &address);
}
END_TEST

START_TEST(leaves_a_live_path)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

	remove_files();

	struct address address = path_address();
	_cleanup_close_ int fd = socket_open(&address, types[_i / 2]), client = -1;
	struct stat before, after;
	int next = next_fd();

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(socket_open(&address, types[_i % 2]), -EADDRINUSE);
	ck_assert_int_eq(next_fd(), next);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);

	client = connected_to(&address, types[_i / 2]);
	ck_assert_int_ge(client, 0);
}
END_TEST

/* A server with a full backlog is alive: neither waited for nor replaced. */
START_TEST(leaves_a_busy_path)
{
	remove_files();

	struct address address = path_address();
	_cleanup_close_ int fd = socket_open(&address, SOCK_STREAM);
	_cleanup_close_ int waiting =
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	_cleanup_close_ int refused =
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(listen(fd, 0), 0);
	ck_assert_int_eq(connect(waiting, &address.any, address.length), 0);
	ck_assert_int_eq(connect(refused, &address.any, address.length), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(socket_open(&address, SOCK_STREAM), -EADDRINUSE);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(leaves_what_is_no_socket)
{
	struct address stale;
	struct stat status;

	remove_files();

	struct address address = path_address();
	int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(file, "kept", 4), 4);
	close(file);
	ck_assert_int_eq(socket_open(&address, SOCK_STREAM), -EADDRINUSE);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_size, 4);
	ck_assert_int_eq(unlink(path), 0);

	/* Not even through a link that leads nowhere. */
	ck_assert_int_eq(symlink("nowhere", path), 0);
	ck_assert_int_eq(socket_open(&address, SOCK_STREAM), -EADDRINUSE);
	ck_assert_int_eq(lstat(path, &status), 0);
	ck_assert_int_eq(unlink(path), 0);

	/* Nor through one that leads to a stale socket. */
	ck_assert_int_eq(address_from_path(target, &stale), 0);
	int gone = socket_open(&stale, SOCK_STREAM);
	ck_assert_int_ge(gone, 0);
	close(gone);
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_int_eq(socket_open(&address, SOCK_STREAM), -EADDRINUSE);
	ck_assert_int_eq(lstat(path, &status), 0);
	ck_assert(S_ISLNK(status.st_mode));
}
END_TEST

START_TEST(opens_abstract_names)
{
	char name[64];
	struct address address;

	snprintf(name, sizeof(name), "@test-socket-%ld", (long)getpid());
	ck_assert_int_eq(address_parse(name, &address), 0);

	_cleanup_close_ int fd = socket_open(&address, SOCK_STREAM);

	check_serves(fd, &address);
	ck_assert_int_eq(socket_open(&address, SOCK_STREAM), -EADDRINUSE);
	check_serves(fd, &address);
}
END_TEST

START_TEST(gets_names)
{
	struct address address = {.length = 3};
	char text[ADDRESS_TEXT_MAX];
	_cleanup_close_ int unnamed = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(socket_get_name(-1, &address), -EBADF);
	ck_assert_uint_eq(address.length, 3);
	ck_assert_int_eq(socket_get_name(unnamed, &address), 0);
	ck_assert_uint_eq(address.length, sizeof(sa_family_t));
	ck_assert_str_eq(address_print(&address, text), "unnamed");
}
END_TEST

/* A path of 108 bytes has no room for its zero; the kernel adds one and says length 111. */
START_TEST(gets_the_longest_name)
{
	struct address address, full;
	char text[ADDRESS_TEXT_MAX], expected[sizeof(full.un.sun_path) + 1];

	memset(expected, 'x', sizeof(expected));
	memcpy(expected, directory, strlen(directory));
	expected[strlen(directory)] = '/';
	expected[sizeof(expected) - 1] = '\0';
	memset(&full, 0, sizeof(full));
	full.un.sun_family = AF_UNIX;
	memcpy(full.un.sun_path, expected, sizeof(full.un.sun_path));

	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, &full.any, sizeof(full.un)), 0);
	ck_assert_int_eq(unlink(expected), 0);
	ck_assert_int_eq(socket_get_name(fd, &address), 0);
	ck_assert_uint_ge(address.length, sizeof(full.un));
	ck_assert_str_eq(address_print(&address, text), expected);
}
END_TEST

START_TEST(limits_waits)
{
	struct timeval limit;
	socklen_t length = sizeof(limit);
	int ends[2];
	char byte;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(socket_limit_wait(ends[0], SO_RCVTIMEO, 1), 0);
	ck_assert_int_eq(read(ends[0], &byte, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(socket_limit_wait(ends[0], SO_SNDTIMEO, 2592000500000), 0);
	ck_assert_int_eq(getsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, &length), 0);
	ck_assert_int_eq(limit.tv_sec, 2592000);
	ck_assert_int_eq(limit.tv_usec, 500000);
	ck_assert_int_eq(socket_limit_wait(ends[0], SO_SNDTIMEO, PARSE_INFINITY), 0);
	ck_assert_int_eq(getsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, &length), 0);
	ck_assert_int_eq(limit.tv_sec, 0);
	ck_assert_int_eq(limit.tv_usec, 0);
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(socket_limit_wait(-1, SO_RCVTIMEO, 1), -EBADF);
}
END_TEST

/* Over it, and over what is accepted from it. */
START_TEST(refuses_descriptors)
{
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
	struct address address;
	char name[64], byte;

	snprintf(name, sizeof(name), "@test-socket-refuses-%ld", (long)getpid());
	ck_assert_int_eq(address_parse(name, &address), 0);

	_cleanup_close_ int server = socket_open(&address, types[_i]);
	_cleanup_close_ int before = connected_to(&address, types[_i]);

	ck_assert_int_eq(pass_descriptors(before, NULL, 1), 0);
	socket_refuse_descriptors(server);

	_cleanup_close_ int client = connected_to(&address, types[_i]), accepted = -1;

	ck_assert_int_eq(pass_descriptors(client, NULL, 1), -EPERM);
	if (types[_i] == SOCK_STREAM) {
		close(accept(server, NULL, NULL));
		accepted = accept(server, NULL, NULL);
		ck_assert_int_eq(pass_descriptors(client, NULL, 1), -EPERM);
	}
	/* All else goes on. */
	ck_assert_int_eq(send(client, "x", 1, MSG_NOSIGNAL), 1);
	ck_assert_int_eq(recv(accepted < 0 ? server : accepted, &byte, 1, 0), 1);
}
END_TEST

int main(void)
{
	const char *no = loopback_has_ipv6() ? NULL : "IPv6";
	const char *old = can_refuse_descriptors() ? NULL : "SO_PASSRIGHTS";
	const struct unit_row rows[] = {
		UNIT_ONCE("socket_look", looks_at_stream_sockets),
		UNIT_ONCE("socket_look", looks_at_datagram_sockets),
		UNIT_LOOP("socket_look", looks_at_unix_sockets, 0, 3),
		UNIT_ONCE("socket_look", looks_at_what_is_no_socket),
		UNIT_ONCE("socket_print_kind", prints_kinds),
		UNIT_LOOP("socket_open", opens_streams, 0, 2),
		UNIT_LOOP_UNLESS(no, "socket_open", opens_streams, 2, 5),
		UNIT_ONCE("socket_open", opens_datagram_sockets),
		UNIT_LOOP_UNLESS(no, "socket_open", opens_both_families, 0, 1),
		UNIT_LOOP("socket_open", does_without_ipv6, 0, 4),
		UNIT_ONCE("socket_open", does_without_ipv6_for_no_other_reason),
		UNIT_LOOP("socket_open", refuses_a_taken_port, 0, 2),
		UNIT_ONCE("socket_open", opens_again_at_once),
		UNIT_ONCE("socket_open", forwards_errors),
		UNIT_ONCE("socket_open", opens_paths),
		UNIT_LOOP("socket_open", replaces_a_stale_path, 0, 4),
		UNIT_LOOP("socket_open", leaves_a_live_path, 0, 4),
		UNIT_ONCE("socket_open", leaves_a_busy_path),
		UNIT_ONCE("socket_open", leaves_what_is_no_socket),
		UNIT_ONCE("socket_open", opens_abstract_names),
		UNIT_ONCE("socket_get_name", gets_names),
		UNIT_ONCE("socket_get_name", gets_the_longest_name),
		UNIT_ONCE("socket_limit_wait", limits_waits),
		UNIT_LOOP_UNLESS(old, "socket_refuse_descriptors", refuses_descriptors, 0, 2),
		{0},
	};

	int r;

	if (!mkdtemp(directory)) {
		perror(directory);
		return EXIT_FAILURE;
	}
	snprintf(path, sizeof(path), "%s/socket", directory);
	snprintf(target, sizeof(target), "%s/target", directory);
	r = unit_run("socket", rows);
	remove_files();
	(void)rmdir(directory);
	return r;
}
