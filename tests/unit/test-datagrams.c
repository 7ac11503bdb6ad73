/* SPDX-License-Identifier: ISC */

/* Tests of server/datagrams.h: what becomes of datagrams, over loopback and AF_UNIX. */

#include <dirent.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loopback.h"
#include "rig.h"

#define UDP_MAX 65507

/* A client's datagram socket, bound to a host and port, 0 for any. */
static int open_client(const char *host, unsigned port)
{
	struct address address = rig_address(host, port);
	int fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int size = 4 << 20;

	ck_assert_int_ge(fd, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	ck_assert_int_eq(bind(fd, &address.any, address.length), 0);
	return fd;
}

static void ask(int fd, const struct address *server, const void *bytes, size_t length)
{
	ck_assert_int_eq(sendto(fd, bytes, length, MSG_DONTWAIT, &server->any, server->length),
			 (ssize_t)length);
}

/* Rounds until an answer comes. Returns its length; *from is who sent it, if not NULL. */
static size_t hear(struct rig *rig, int fd, void *bytes, size_t room, struct address *from)
{
	struct address sender = {.length = sizeof(sender.storage)};
	ssize_t n;

	RIG_UNTIL(rig,
		  (n = recvfrom(fd, bytes, room, MSG_DONTWAIT, &sender.any, &sender.length)) >= 0 ||
			  errno != EAGAIN);
	ck_assert_int_ge(n, 0);
	if (from)
		*from = sender;
	return (size_t)n;
}

static void expect(struct rig *rig, int fd, const char *expected)
{
	char bytes[256];

	ck_assert_uint_eq(hear(rig, fd, bytes, sizeof(bytes), NULL), strlen(expected));
	ck_assert_mem_eq(bytes, expected, strlen(expected));
}

/* One check for all: Check makes a note of each. */
static void expect_all(const char *bytes, size_t length, char expected)
{
	size_t right = 0;

	while (right < length && bytes[right] == expected)
		right++;
	ck_assert_uint_eq(right, length);
}

/* Nothing more has come. */
static void expect_silence(int fd)
{
	char byte;

	ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

static struct address on_host(const char *host, const struct address *server)
{
	return rig_address(host, (unsigned)address_port(server));
}

START_TEST(answers)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0);

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	ask(client, &server, "hello", 5);
	expect(&rig, client, "HELLO");
	/* A message of its own: what is unfinished is not kept for the next. */
	ask(client, &server, "stra\xc3", 5);
	expect(&rig, client, "STRA\xc3");
	ask(client, &server, "\x9f", 1);
	expect(&rig, client, "\x9f");
	ck_assert_uint_eq(rig.status.datagrams_answered, 3);
	ck_assert_uint_eq(rig.status.datagrams_refused, 0);
	ck_assert_uint_eq(rig.status.bytes_in, 11);
	ck_assert_uint_eq(rig.status.bytes_out, 11);
	close(client);
	rig_close(&rig);
}
END_TEST

START_TEST(answers_nothing_with_nothing)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0);
	char byte;

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	ask(client, &server, NULL, 0);
	ck_assert_uint_eq(hear(&rig, client, &byte, 1, NULL), 0);
	ck_assert_uint_eq(rig.status.datagrams_answered, 1);
	close(client);
	rig_close(&rig);
}
END_TEST

START_TEST(answers_the_largest)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0);
	char *bytes = malloc(UDP_MAX + 1);

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	memset(bytes, 'a', UDP_MAX);
	ask(client, &server, bytes, UDP_MAX);
	memset(bytes, 0, UDP_MAX + 1);
	ck_assert_uint_eq(hear(&rig, client, bytes, UDP_MAX + 1, NULL), UDP_MAX);
	expect_all(bytes, UDP_MAX, 'A');
	free(bytes);
	close(client);
	rig_close(&rig);
}
END_TEST

/* IPv6 has 20 bytes more. */
START_TEST(answers_the_largest_of_ipv6)
{
	struct rig rig;
	size_t most = UDP_MAX + 20;
	int client = open_client("::1", 0);
	char *bytes = malloc(most + 1);

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "::1", SOCK_DGRAM);

	memset(bytes, 'a', most);
	ask(client, &server, bytes, most);
	ck_assert_uint_eq(hear(&rig, client, bytes, most + 1, NULL), most);
	expect_all(bytes, most, 'A');
	free(bytes);
	close(client);
	rig_close(&rig);
}
END_TEST

/* 65,507 bytes are a datagram's most; 21,835 become 65,505, 21,836 become 65,508. */
START_TEST(counts_replies_too_large)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0);
	char *bytes = malloc(UDP_MAX + 1);

	rig_open(&rig, &rig_tripling);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	memset(bytes, 'a', UDP_MAX);
	ask(client, &server, bytes, 21836);
	ask(client, &server, bytes, UDP_MAX);
	ask(client, &server, bytes, 21835);
	ck_assert_uint_eq(hear(&rig, client, bytes, UDP_MAX + 1, NULL), 65505);
	expect_silence(client);
	ck_assert_uint_eq(rig.status.refused[REFUSAL_TOO_LARGE], 2);
	ck_assert_uint_eq(rig.status.datagrams_refused, 2);
	ck_assert_uint_eq(rig.status.datagrams_answered, 1);
	free(bytes);
	close(client);
	rig_close(&rig);
}
END_TEST

/* Many at once, of equal and of different lengths, of several clients: each gets its own, in
 * order. */
START_TEST(answers_many)
{
	static const size_t lengths[] = {5, 5, 5, 3, 5, 5, 0, 1, 1400, 1400, 1000, 1453, 1453, 4};
	struct rig rig;
	int clients[3];
	char bytes[2000], expected[2000];
	size_t asked = 0;

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	for (int i = 0; i < 3; i++)
		clients[i] = open_client("127.0.0.1", 0);
	for (size_t i = 0; i < 14 * 9; i++) {
		memset(bytes, 'a' + (int)(i % 26), sizeof(bytes));
		/* Now and then two of the same client's in a row. */
		ask(clients[i / 2 % 3], &server, bytes, lengths[i % 14]);
		asked++;
	}
	for (size_t i = 0; i < 14 * 9; i++) {
		memset(expected, 'A' + (int)(i % 26), sizeof(expected));
		ck_assert_uint_eq(hear(&rig, clients[i / 2 % 3], bytes, sizeof(bytes), NULL),
				  lengths[i % 14]);
		ck_assert_mem_eq(bytes, expected, lengths[i % 14]);
	}
	ck_assert_uint_eq(rig.status.datagrams_answered, asked);
	ck_assert_uint_eq(rig.status.bytes_in, rig.status.bytes_out);
	for (int i = 0; i < 3; i++) {
		expect_silence(clients[i]);
		close(clients[i]);
	}
	rig_close(&rig);
}
END_TEST

/* A sender's segmented super-datagram (udp(7) UDP_SEGMENT): its parts are datagrams of their own.
 */
START_TEST(answers_segments)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0), size = 100;
	char bytes[950], answer[1000];

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	ck_assert_int_eq(setsockopt(client, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i / 100);
	ask(client, &server, bytes, sizeof(bytes));
	for (int i = 0; i < 10; i++) {
		size_t length = i < 9 ? 100 : 50;

		ck_assert_uint_eq(hear(&rig, client, answer, sizeof(answer), NULL), length);
		expect_all(answer, length, (char)('A' + i));
	}
	expect_silence(client);
	ck_assert_uint_eq(rig.status.datagrams_answered, 10);
	close(client);
	rig_close(&rig);
}
END_TEST

/* They come as one, too (udp(7) UDP_GRO): more of them than messages are read at once. */
START_TEST(takes_segments_together)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0), size = 10;
	char bytes[640] = {0};

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	ck_assert_int_eq(setsockopt(client, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	ask(client, &server, bytes, sizeof(bytes));
	RIG_UNTIL(&rig, rig.status.datagrams_answered > 0);
	ck_assert_uint_eq(rig.status.datagrams_answered, sizeof(bytes) / 10);
	close(client);
	rig_close(&rig);
}
END_TEST

/* Sends one datagram that is not answered, for one reason. */
static void expect_refusal(struct rig *rig, int client, const struct address *server,
			   enum refusal why)
{
	uint64_t before = rig->status.refused[why], all = rig->status.datagrams_refused;

	ask(client, server, "hello", 5);
	RIG_UNTIL(rig, rig->status.datagrams_refused > all);
	ck_assert_uint_eq(rig->status.refused[why], before + 1);
	ck_assert_uint_eq(rig->status.datagrams_refused, all + 1);
	ck_assert_uint_eq(rig->status.datagrams_answered, 0);
	expect_silence(client);
}

START_TEST(refuses_own_port)
{
	struct rig rig;
	int client;

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	client = open_client("127.0.0.2", (unsigned)address_port(&server));
	expect_refusal(&rig, client, &server, REFUSAL_OWN_PORT);
	close(client);
	rig_close(&rig);
}
END_TEST

/* Two of our own sockets could answer each other as well as themselves. */
START_TEST(refuses_the_port_of_another_own_socket)
{
	struct rig rig;
	int client;

	rig_open(&rig, &service);

	struct address first = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);
	struct address second = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	client = open_client("127.0.0.2", (unsigned)address_port(&second));
	expect_refusal(&rig, client, &first, REFUSAL_OWN_PORT);
	close(client);
	client = open_client("127.0.0.2", (unsigned)address_port(&first));
	expect_refusal(&rig, client, &second, REFUSAL_OWN_PORT);
	close(client);
	rig_close(&rig);
}
END_TEST

/* A socket with a port below 1024, or a negative number where that takes a right that is missing.
 * Not to disturb a service that really is there: one of the ports is free. */
static int open_low_client(void)
{
	for (uint16_t port = 1023; port > 900; port--) {
		struct sockaddr_in address = {
			.sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr.s_addr = htonl(0x7f000003),
		};
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		close(fd);
	}
	return -1;
}

static bool may_use_low_ports(void)
{
	int fd = open_low_client();

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

START_TEST(refuses_low_ports)
{
	struct rig rig;
	int client = open_low_client();

	ck_assert_int_ge(client, 0);
	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	expect_refusal(&rig, client, &server, REFUSAL_LOW_PORT);
	close(client);
	rig_close(&rig);
}
END_TEST

/* A wildcard socket, of IPv4 (0) or of both (1): the reply comes from where it was asked. */
START_TEST(answers_from_the_address_asked)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0);
	char bytes[16];

	rig_open(&rig, &service);

	struct address any = rig_serve(&rig, _i ? "::" : "0.0.0.0", SOCK_DGRAM);
	struct address asked = on_host("127.0.0.2", &any), from;

	ask(client, &asked, "hello", 5);
	ck_assert_uint_eq(hear(&rig, client, bytes, sizeof(bytes), &from), 5);
	ck_assert_mem_eq(bytes, "HELLO", 5);
	ck_assert_uint_eq(from.length, asked.length);
	ck_assert_mem_eq(&from.in, &asked.in, offsetof(struct sockaddr_in, sin_zero));

	/* And so does a connected one see it. */
	ck_assert_int_eq(connect(client, &asked.any, asked.length), 0);
	ck_assert_int_eq(send(client, "again", 5, 0), 5);
	expect(&rig, client, "AGAIN");
	close(client);
	rig_close(&rig);
}
END_TEST

START_TEST(answers_both_families)
{
	struct rig rig;
	int client = open_client("::1", 0);

	rig_open(&rig, &service);

	struct address any = rig_serve(&rig, "::", SOCK_DGRAM);
	struct address asked = on_host("::1", &any), mapped = on_host("::ffff:127.0.0.2", &any);

	ck_assert_int_eq(connect(client, &asked.any, asked.length), 0);
	ck_assert_int_eq(send(client, "hello", 5, 0), 5);
	expect(&rig, client, "HELLO");
	close(client);

	/* IPv4 in its IPv6 clothes. */
	client = open_client("::ffff:127.0.0.1", 0);
	ask(client, &mapped, "mapped", 6);
	expect(&rig, client, "MAPPED");
	close(client);
	rig_close(&rig);
}
END_TEST

/* AF_UNIX: a name in the abstract namespace that no other process has. */
static struct address unix_name(const char *what)
{
	struct address address;
	char name[64];

	snprintf(name, sizeof(name), "@test-datagrams-%d-%s", (int)getpid(), what);
	ck_assert_int_eq(address_from_path(name, &address), 0);
	return address;
}

static int open_unix(const struct address *address)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	if (address)
		ck_assert_int_eq(bind(fd, &address->any, address->length), 0);
	return fd;
}

START_TEST(answers_unix)
{
	struct rig rig;
	struct address server = unix_name("server"), name = unix_name("client");
	int client = open_unix(&name), unnamed = open_unix(NULL);

	rig_open(&rig, &service);
	rig_serve_fd(&rig, open_unix(&server), AF_UNIX, ENDPOINT_DATAGRAM);
	ask(unnamed, &server, "nobody", 6);
	ask(client, &server, "hello", 5);
	ask(client, &server, "again", 5);
	ask(client, &server, NULL, 0);
	ask(client, &server, "well", 4);
	expect(&rig, client, "HELLO");
	expect(&rig, client, "AGAIN");
	expect(&rig, client, "");
	expect(&rig, client, "WELL");
	expect_silence(unnamed);
	ck_assert_uint_eq(rig.status.refused[REFUSAL_UNNAMED], 1);
	ck_assert_uint_eq(rig.status.datagrams_answered, 4);
	close(client);
	close(unnamed);
	rig_close(&rig);
}
END_TEST

static unsigned count_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	ck_assert_ptr_nonnull(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* Files that senders pass along are not opened here: nobody would close them. A network socket
 * beside has what it needs to answer from the address asked. */
START_TEST(takes_no_descriptors)
{
	struct rig rig;
	struct address server = unix_name("server"), name = unix_name("client");
	int client = open_unix(&name), unnamed = open_unix(NULL);
	int other = open_client("127.0.0.1", 0);
	unsigned before;

	rig_open(&rig, &service);
	rig_serve_fd(&rig, open_unix(&server), AF_UNIX, ENDPOINT_DATAGRAM);

	struct address any = rig_serve(&rig, "0.0.0.0", SOCK_DGRAM);
	struct address asked = on_host("127.0.0.2", &any);

	ck_assert_int_eq(connect(other, &asked.any, asked.length), 0);
	before = count_open();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(send(other, "ip", 2, 0), 2);
		expect(&rig, other, "IP");
		ck_assert_int_eq(pass_descriptors(client, &server, 28), 0);
		ck_assert_int_eq(pass_descriptors(unnamed, &server, 1), 0);
		expect(&rig, client, "X");
	}
	ck_assert_uint_eq(rig.status.refused[REFUSAL_UNNAMED], 3);
	ck_assert_uint_eq(count_open(), before);
	close(client);
	close(unnamed);
	close(other);
	rig_close(&rig);
}
END_TEST

/* A folder for sockets with paths, in which the test is. */
static void enter_folder(char folder[static 64])
{
	snprintf(folder, 64, "/tmp/test-datagrams.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkdir("elsewhere", 0700), 0);
}

static void leave_folder(const char *folder)
{
	static const char *const names[] = {
		"elsewhere/server", "elsewhere/victim", "elsewhere", "server",
		"victim",           "client",           "link"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)remove(names[i]);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(folder), 0);
}

static struct address unix_path(const char *folder, const char *name)
{
	struct address address;
	char path[128];

	snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", name);
	ck_assert_int_eq(address_from_path(path, &address), 0);
	return address;
}

/* By its path, also a relative one in the same folder; whether it is connected with the server or
 * not. */
START_TEST(answers_paths)
{
	struct rig rig;
	char folder[64];
	struct address server, name;
	int client;

	enter_folder(folder);
	server = unix_path(folder, "server");
	name = unix_path(_i % 2 ? folder : "", "client");
	client = open_unix(&name);
	rig_open(&rig, &service);
	rig_serve_fd(&rig, open_unix(&server), AF_UNIX, ENDPOINT_DATAGRAM);
	if (_i / 2)
		ck_assert_int_eq(connect(client, &server.any, server.length), 0);
	ask(client, &server, "one", 3);
	ask(client, &server, "two", 3);
	expect(&rig, client, "ONE");
	expect(&rig, client, "TWO");
	ck_assert_uint_eq(rig.status.datagrams_refused, 0);
	close(client);
	rig_close(&rig);
	leave_folder(folder);
}
END_TEST

/* Names that do not lead back to their sender: a relative one, which here is the server's (0) or
 * another's (1); a link to the server (2), or to another (3); the server's itself (4), as a sender
 * with another root directory may have it, and the manager's (5). */
START_TEST(refuses_forged_names)
{
	static const char *const targets[] = {"server", "victim"};
	const char *target = targets[_i % 2];
	struct rig rig;
	char folder[64];
	struct address server, victim_name, name;
	int victim, fd, sender;

	enter_folder(folder);
	server = unix_path(folder, "server");
	victim_name = unix_path(folder, "victim");
	victim = open_unix(&victim_name);
	fd = open_unix(&server);
	name = _i < 2 ? unix_path("", target) : unix_path(folder, "link");
	rig_open(&rig, &service);
	rig_serve_fd(&rig, fd, AF_UNIX, ENDPOINT_DATAGRAM);
	if (_i < 2)
		ck_assert_int_eq(chdir("elsewhere"), 0);
	sender = _i < 4 ? open_unix(&name) : _i == 4 ? fd : victim;
	ck_assert_int_eq(chdir(folder), 0);
	if (_i == 2 || _i == 3) {
		ck_assert_int_eq(unlink("link"), 0);
		ck_assert_int_eq(symlink(target, "link"), 0);
	}
	if (_i == 5)
		rig.manager = victim_name;
	ask(sender, &server, "hello", 5);
	RIG_UNTIL(&rig, rig.status.datagrams_refused == 1);
	rig_expect_rest(&rig);
	ck_assert_uint_eq(rig.status.refused[REFUSAL_FORGED_NAME], 1);
	ck_assert_uint_eq(rig.status.datagrams_answered, 0);
	expect_silence(victim);
	if (_i < 4)
		close(sender);
	close(victim);
	rig_close(&rig);
	leave_folder(folder);
}
END_TEST

/* An AF_UNIX datagram is as long as its sender's buffer: longer than UDP's. */
START_TEST(answers_large_unix)
{
	struct rig rig;
	struct address server = unix_name("server"), name = unix_name("client");
	int client = open_unix(&name);
	size_t length = 150000;
	char *bytes = malloc(length + 1);

	rig_open(&rig, &service);
	rig_serve_fd(&rig, open_unix(&server), AF_UNIX, ENDPOINT_DATAGRAM);
	memset(bytes, 'a', length);
	ask(client, &server, bytes, length);
	ck_assert_uint_eq(hear(&rig, client, bytes, length + 1, NULL), length);
	expect_all(bytes, length, 'A');
	free(bytes);
	close(client);
	rig_close(&rig);
}
END_TEST

/* As many long answers as fit the send buffer of a socket that is opened here, some of them at
 * most, of somebody who does not read them: that is more than two, and silences nobody. */
START_TEST(unread_replies_hold_up_nobody)
{
	struct rig rig;
	struct address server = unix_name("server"), lazy_name = unix_name("lazy");
	struct address name = unix_name("client");
	int lazy = open_unix(&lazy_name), client = open_unix(&name), size = 0;
	int fd = socket_open(&server, SOCK_DGRAM);
	socklen_t option_length = sizeof(size);
	size_t length = 180000;
	char *bytes = malloc(length);
	uint64_t unread;

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &option_length), 0);
	unread = (uint64_t)size / (length + (16 << 10));
	ck_assert_uint_ge(unread, 2);
	if (unread > 8)
		unread = 8;
	rig_open(&rig, &service);
	rig_serve_fd(&rig, fd, AF_UNIX, ENDPOINT_DATAGRAM);
	memset(bytes, 'a', length);
	for (uint64_t i = 0; i < unread; i++) {
		ask(lazy, &server, bytes, length);
		RIG_UNTIL(&rig, rig.status.datagrams_answered == i + 1);
	}
	ask(client, &server, "hello", 5);
	expect(&rig, client, "HELLO");
	ck_assert_uint_eq(rig.status.datagrams_refused, 0);
	free(bytes);
	close(lazy);
	close(client);
	rig_close(&rig);
}
END_TEST

/* The reply would be longer than a send buffer (unix(7)): that is its length's fault. */
START_TEST(counts_unix_replies_too_large)
{
	struct rig rig;
	struct address server = unix_name("server"), name = unix_name("client");
	int client = open_unix(&name), fd = open_unix(&server);
	const int small = 50000;
	char *bytes = calloc(1, 150000);

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	rig_open(&rig, &rig_tripling);
	rig_serve_fd(&rig, fd, AF_UNIX, ENDPOINT_DATAGRAM);
	ask(client, &server, bytes, 150000);
	ask(client, &server, "x", 1);
	expect(&rig, client, "xxx");
	ck_assert_uint_eq(rig.status.refused[REFUSAL_TOO_LARGE], 1);
	ck_assert_uint_eq(rig.status.datagrams_refused, 1);
	free(bytes);
	close(client);
	rig_close(&rig);
}
END_TEST

/* A peer that went away, and one that does not read: both are counted, and those who asked in
 * between are answered. */
/* Sends to a socket until it takes no more. Several do, since a sender's buffer may be full before
 * the receiver's queue is (net.unix.max_dgram_qlen). Returns how many it holds. */
static unsigned fill(const struct address *address)
{
	unsigned total = 0, sent;

	do {
		int filler = open_unix(NULL);

		sent = 0;
		while (sendto(filler, "x", 1, MSG_DONTWAIT, &address->any, address->length) == 1)
			sent++;
		ck_assert_int_eq(errno, EAGAIN);
		close(filler);
		total += sent;
	} while (sent > 0);
	return total;
}

START_TEST(failing_replies_hold_up_nobody)
{
	struct rig rig;
	struct address server = unix_name("server"), gone_name = unix_name("gone");
	struct address full_name = unix_name("full"), name = unix_name("client");
	int gone = open_unix(&gone_name), full = open_unix(&full_name), client = open_unix(&name);
	unsigned filled;
	char byte;

	rig_open(&rig, &service);
	rig_serve_fd(&rig, open_unix(&server), AF_UNIX, ENDPOINT_DATAGRAM);
	filled = fill(&full_name);

	ask(client, &server, "one", 3);
	ask(gone, &server, "dead", 4);
	ask(full, &server, "full", 4);
	ask(client, &server, "two", 3);
	close(gone);
	expect(&rig, client, "ONE");
	expect(&rig, client, "TWO");
	ck_assert_uint_eq(rig.status.refused[REFUSAL_SEND_FAILED], 2);
	ck_assert_uint_eq(rig.status.datagrams_answered, 2);

	while (filled-- > 0)
		ck_assert_int_eq(recv(full, &byte, 1, MSG_DONTWAIT), 1);
	expect_silence(full);
	ask(full, &server, "again", 5);
	expect(&rig, full, "AGAIN");
	close(full);
	close(client);
	rig_close(&rig);
}
END_TEST

/* UDP's port is unreachable when the reply comes: that is not the next client's trouble. */
START_TEST(icmp_errors_concern_nobody)
{
	struct rig rig;
	int gone = open_client("127.0.0.1", 0), client = open_client("127.0.0.1", 0);

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	for (int i = 0; i < 10; i++) {
		ask(gone, &server, "gone", 4);
		ask(client, &server, "here", 4);
	}
	close(gone);
	for (int i = 0; i < 10; i++)
		expect(&rig, client, "HERE");
	ask(client, &server, "still", 5);
	expect(&rig, client, "STILL");
	close(client);
	rig_close(&rig);
}
END_TEST

/* A connected datagram socket that was handed over: an ICMP error shows in its recvmmsg(2). */
START_TEST(survives_a_refused_connection)
{
	struct rig rig;
	struct address peer, server;
	int fd = open_client("127.0.0.1", 0), client = open_client("127.0.0.1", 0);
	int error = 0;
	socklen_t length = sizeof(error);

	ck_assert_int_eq(socket_get_name(client, &peer), 0);
	ck_assert_int_eq(socket_get_name(fd, &server), 0);
	ck_assert_int_eq(connect(fd, &peer.any, peer.length), 0);
	rig_open(&rig, &service);
	rig_serve_fd(&rig, fd, AF_INET, ENDPOINT_DATAGRAM);

	ask(client, &server, "hello", 5);
	close(client);
	RIG_UNTIL(&rig, rig.status.datagrams_answered == 1);
	for (int i = 0; i < 5; i++)
		rig_round(&rig);
	/* The error was taken out, and the socket goes on. */
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	ck_assert_int_eq(error, 0);
	client = open_client("127.0.0.1", (unsigned)address_port(&peer));
	ask(client, &server, "again", 5);
	expect(&rig, client, "AGAIN");
	close(client);
	rig_close(&rig);
}
END_TEST

/* What woke us is gone when we read it (a bad checksum does that): nothing comes of it. */
START_TEST(vanished_datagram)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0), thief;
	char bytes[16];

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);
	int fd = rig.endpoints[0].fd;

	/* Edge-triggered in a second life of the same socket: ready() is called for nothing. */
	thief = dup(fd);
	ask(client, &server, "stolen", 6);
	wait_for(thief, POLLIN);

	struct epoll_event event;

	ck_assert_int_eq(epoll_wait(rig.loop.epoll_fd, &event, 1, PATIENCE), 1);
	if (event.data.ptr == &rig.loop.control_source)
		ck_abort_msg("no control event was expected");
	ck_assert_int_eq(recv(thief, bytes, sizeof(bytes), 0), 6);

	struct loop_source *source = event.data.ptr;

	source->ready(source, EPOLLIN);
	ck_assert_uint_eq(rig.status.bytes_in + rig.status.datagrams_refused, 0);
	ask(client, &server, "hello", 5);
	expect(&rig, client, "HELLO");
	close(thief);
	close(client);
	rig_close(&rig);
}
END_TEST

/* A socket that somebody shut down is ready for ever and has nothing: it is left alone, the others
 * are not. */
START_TEST(dead_socket)
{
	struct rig rig;
	static const int ways[] = {SHUT_RDWR, SHUT_RD};
	struct address dead = unix_name("dead");
	int client = open_client("127.0.0.1", 0);

	rig_open(&rig, &service);
	(void)rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);
	rig_serve_fd(&rig, open_unix(&dead), AF_UNIX, ENDPOINT_DATAGRAM);
	/* An unconnected one is shut down, though it says that it is not connected. */
	(void)shutdown(rig.endpoints[0].fd, ways[_i]);
	(void)shutdown(rig.endpoints[1].fd, ways[_i]);
	rig_expect_rest(&rig);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	ask(client, &server, "hello", 5);
	expect(&rig, client, "HELLO");
	close(client);
	rig_close(&rig);
}
END_TEST

/* Of a batch's worth and more in one socket, another one's is not held up until all are done. */
START_TEST(sockets_take_turns)
{
	struct rig rig;
	int busy = open_client("127.0.0.1", 0), client = open_client("127.0.0.1", 0);
	char byte;

	rig_open(&rig, &service);

	struct address first = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);
	struct address second = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	for (int i = 0; i < 150; i++)
		ask(busy, &first, "x", 1);
	ask(client, &second, "y", 1);
	rig_round(&rig);
	ck_assert_int_eq(recv(client, &byte, 1, MSG_DONTWAIT), 1);
	ck_assert_uint_lt(rig.status.datagrams_answered, 100);
	for (int i = 0; i < 150; i++)
		ck_assert_uint_eq(hear(&rig, busy, &byte, 1, NULL), 1);
	close(busy);
	close(client);
	rig_close(&rig);
}
END_TEST

/* Under load a socket is not waited for; it is again once it has nothing, or is to stop. */
START_TEST(polls_a_busy_socket)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0);
	char byte;

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	for (int i = 0; i < 100; i++)
		ask(client, &server, "x", 1);
	rig_round(&rig);
	ck_assert_ptr_nonnull(rig.loop.polled.source);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(hear(&rig, client, &byte, 1, NULL), 1);
	rig_expect_rest(&rig);
	ck_assert_ptr_null(rig.loop.polled.source);
	ask(client, &server, "y", 1);
	expect(&rig, client, "Y");

	for (int i = 0; i < 100; i++)
		ask(client, &server, "z", 1);
	rig_round(&rig);
	ck_assert_ptr_nonnull(rig.loop.polled.source);
	datagrams_stop(rig.datagrams);
	ck_assert_ptr_null(rig.loop.polled.source);
	close(client);
	rig_close(&rig);
}
END_TEST

/* Within a second so many are answered and no more; loopback may be spared. */
START_TEST(limits_the_rate)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0), other = open_client("127.0.0.2", 0);

	rig_open_limited(&rig, &service, 5, _i);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	/* All in one round, so that no time passes. */
	for (int i = 0; i < 12; i++)
		ask(client, &server, "x", 1);
	ask(other, &server, "y", 1);
	expect(&rig, other, "Y");
	ck_assert_uint_eq(rig.status.refused[REFUSAL_RATE], _i ? 0 : 7);
	ck_assert_uint_eq(rig.status.datagrams_answered, _i ? 13 : 6);
	close(client);
	close(other);
	rig_close(&rig);
}
END_TEST

START_TEST(stops)
{
	struct rig rig;
	int client = open_client("127.0.0.1", 0), waiting = 0;

	rig_open(&rig, &service);

	struct address server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);

	datagrams_stop(rig.datagrams);
	ask(client, &server, "hello", 5);
	wait_for(rig.endpoints[0].fd, POLLIN);
	for (int i = 0; i < 3; i++)
		rig_round(&rig);
	expect_silence(client);
	/* It is still there, for whoever holds the socket next. */
	ck_assert_int_eq(ioctl(rig.endpoints[0].fd, FIONREAD, &waiting), 0);
	ck_assert_int_eq(waiting, 5);
	close(client);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	const char *no = loopback_has_ipv6() ? NULL : "IPv6";
	const char *unfit = may_use_low_ports() ? NULL : "right to bind a port below 1024";
	const struct unit_row rows[] = {
		UNIT_ONCE("answers", answers),
		UNIT_ONCE("answers", answers_nothing_with_nothing),
		UNIT_ONCE("answers", answers_the_largest),
		UNIT_LOOP_UNLESS(no, "answers", answers_the_largest_of_ipv6, 0, 1),
		UNIT_ONCE("answers", counts_replies_too_large),
		UNIT_ONCE("answers", answers_many),
		UNIT_ONCE("answers", answers_segments),
		UNIT_ONCE("answers", takes_segments_together),
		UNIT_ONCE("guard", refuses_own_port),
		UNIT_ONCE("guard", refuses_the_port_of_another_own_socket),
		UNIT_LOOP_UNLESS(unfit, "guard", refuses_low_ports, 0, 1),
		UNIT_ONCE("address", answers_from_the_address_asked),
		UNIT_LOOP_UNLESS(no, "address", answers_from_the_address_asked, 1, 2),
		UNIT_LOOP_UNLESS(no, "address", answers_both_families, 0, 1),
		UNIT_ONCE("AF_UNIX", answers_unix),
		UNIT_LOOP("AF_UNIX", answers_paths, 0, 4),
		UNIT_LOOP("AF_UNIX", refuses_forged_names, 0, 6),
		UNIT_ONCE("AF_UNIX", takes_no_descriptors),
		UNIT_ONCE("AF_UNIX", answers_large_unix),
		UNIT_ONCE("AF_UNIX", counts_unix_replies_too_large),
		UNIT_ONCE("failures", unread_replies_hold_up_nobody),
		UNIT_ONCE("failures", failing_replies_hold_up_nobody),
		UNIT_ONCE("failures", icmp_errors_concern_nobody),
		UNIT_ONCE("failures", survives_a_refused_connection),
		UNIT_ONCE("failures", vanished_datagram),
		UNIT_LOOP("failures", dead_socket, 0, 2),
		UNIT_ONCE("fairness", sockets_take_turns),
		UNIT_ONCE("fairness", polls_a_busy_socket),
		UNIT_LOOP("rate", limits_the_rate, 0, 2),
		UNIT_ONCE("datagrams_stop", stops),
		{0},
	};

	return unit_run("datagrams", rows);
}
