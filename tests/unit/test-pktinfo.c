/* SPDX-License-Identifier: ISC */

/*
 * Tests of net/pktinfo.h: real datagrams on loopback, answered from where they were sent to, and
 * control messages made by hand where loopback has no such address.
 */

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "loopback.h"
#include "net/pktinfo.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"

/* A datagram as it was received, with room for all that comes with it. */
struct datagram {
	struct msghdr message;
	struct iovec part;
	struct address peer;
	char bytes[16];
	_Alignas(struct cmsghdr) char control[PKTINFO_CONTROL_MAX];
};

static void receive(int fd, struct datagram *datagram)
{
	*datagram = (struct datagram){0};
	datagram->part = (struct iovec){datagram->bytes, sizeof(datagram->bytes)};
	datagram->message = (struct msghdr){
		.msg_name = &datagram->peer.storage,
		.msg_namelen = sizeof(datagram->peer.storage),
		.msg_iov = &datagram->part,
		.msg_iovlen = 1,
		.msg_control = datagram->control,
		.msg_controllen = sizeof(datagram->control),
	};
	wait_for(fd, POLLIN);

	ssize_t n = recvmsg(fd, &datagram->message, 0);

	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(datagram->message.msg_flags & MSG_CTRUNC, 0);
	datagram->part.iov_len = (size_t)n;
}

/* A datagram socket that pktinfo is enabled on. */
static int open_server(const char *text)
{
	struct address address = address_with_port(text, 0);
	int fd = socket_open(&address, SOCK_DGRAM);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pktinfo_enable(fd, address.any.sa_family), 0);
	return fd;
}

/* Answers one datagram with itself. */
static void answer(int server)
{
	struct datagram datagram;

	receive(server, &datagram);
	pktinfo_turn(&datagram.message);
	ck_assert_msg(sendmsg(server, &datagram.message, 0) == 5, "%s", strerror(errno));
}

/* What a server on the first address must manage: a question sent to the second. */
static const struct {
	const char *server, *asked;
} pairs[] = {
	{"0.0.0.0:1", "127.0.0.1:1"},
	{"0.0.0.0:1", "127.0.0.2:1"},
	{"0.0.0.0:1", "127.255.255.254:1"},
	{"127.0.0.3:1", "127.0.0.3:1"},
	/* These need IPv6. */
	{"1", "127.0.0.1:1"},
	{"1", "127.0.0.2:1"},
	{"1", "[::1]:1"},
	{"[::1]:1", "[::1]:1"},
	{"[::ffff:0.0.0.0]:1", "127.0.0.2:1"},
};

#define PAIRS      (sizeof(pairs) / sizeof(pairs[0]))
#define PAIRS_IPV4 4

START_TEST(answers_from_where_it_was_asked)
{
	_cleanup_close_ int server = open_server(pairs[_i].server);
	struct address asked = address_with_port(pairs[_i].asked, port_of(server));
	_cleanup_close_ int client =
		socket(asked.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char bytes[16];

	/* A connected socket hears nobody but whom it asked. */
	ck_assert_int_eq(connect(client, &asked.any, asked.length), 0);
	ck_assert_int_eq(send(client, "hello", 5, 0), 5);
	answer(server);
	wait_for(client, POLLIN);
	ck_assert_int_eq(recv(client, bytes, sizeof(bytes), 0), 5);
	ck_assert_mem_eq(bytes, "hello", 5);
}
END_TEST

/* Asks server at asked (broadcast or multicast); the answer comes from an address of one host. */
static void ask_many(int server, const char *asked)
{
	const int on = 1;
	struct address address = address_with_port(asked, port_of(server));
	struct ip_mreqn loopback = {.imr_ifindex = (int)if_nametoindex("lo")};
	_cleanup_close_ int client =
		socket(address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct datagram datagram;
	uint32_t answered;

	ck_assert_int_eq(setsockopt(client, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	ck_assert_int_eq(
		setsockopt(client, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof(loopback)), 0);
	ck_assert_int_eq(sendto(client, "hello", 5, 0, &address.any, address.length), 5);
	answer(server);
	receive(client, &datagram);
	datagram.peer.length = datagram.message.msg_namelen;
	ck_assert(address_get_ipv4(&datagram.peer, &answered));
	ck_assert_uint_lt(answered, INADDR_UNSPEC_GROUP);
	ck_assert_uint_ne(answered, ntohl(address.in.sin_addr.s_addr));
	ck_assert_int_eq(address_port(&datagram.peer), port_of(server));
}

START_TEST(answers_a_broadcast)
{
	static const char *const servers[] = {"0.0.0.0:1", "1"};
	_cleanup_close_ int server = open_server(servers[_i]);

	ask_many(server, "127.255.255.255:1");
}
END_TEST

START_TEST(answers_a_multicast)
{
	static const char *const servers[] = {"0.0.0.0:1", "1"};
	_cleanup_close_ int server = open_server(servers[_i]);
	struct ip_mreqn group = {.imr_ifindex = (int)if_nametoindex("lo")};

	group.imr_multiaddr.s_addr = htonl(0xefff0102); /* 239.255.1.2: site-local, RFC 2365 */
	ck_assert_int_eq(setsockopt(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)),
			 0);
	ask_many(server, "239.255.1.2:1");
}
END_TEST

START_TEST(enables_what_there_is)
{
	_cleanup_close_ int local = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(pktinfo_enable(local, AF_UNIX), 0);
	ck_assert_int_eq(pktinfo_enable(-1, AF_UNIX), 0);
	ck_assert_int_eq(pktinfo_enable(-1, AF_INET), -EBADF);
	ck_assert_int_eq(pktinfo_enable(-1, AF_INET6), -EBADF);
}
END_TEST

/* A message whose control messages are added one by one. */
struct handmade {
	struct msghdr message;
	_Alignas(struct cmsghdr) char control[256];
};

static void begin(struct handmade *made)
{
	*made = (struct handmade){0};
	made->message.msg_control = made->control;
}

static void add(struct handmade *made, int level, int type, const void *data, size_t length)
{
	char *end = made->control + made->message.msg_controllen;
	struct cmsghdr header = {
		.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(length)};

	ck_assert_uint_le(made->message.msg_controllen + CMSG_SPACE(length), sizeof(made->control));
	memcpy(end, &header, sizeof(header));
	memcpy(end + CMSG_LEN(0), data, length);
	made->message.msg_controllen += CMSG_SPACE(length);
}

static void add_ipv4(struct handmade *made, uint32_t specific, uint32_t destination)
{
	struct in_pktinfo info = {
		.ipi_ifindex = 7,
		.ipi_spec_dst.s_addr = htonl(specific),
		.ipi_addr.s_addr = htonl(destination),
	};

	add(made, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

static void add_ipv6(struct handmade *made, const char *text)
{
	struct in6_pktinfo info = {.ipi6_ifindex = 7};

	ck_assert_int_eq(inet_pton(AF_INET6, text, &info.ipi6_addr), 1);
	add(made, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

/* The only control message there is, of that kind. */
static void get_only(struct handmade *made, int level, int type, void *data, size_t length)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(&made->message);

	ck_assert_ptr_nonnull(header);
	ck_assert_int_eq(header->cmsg_level, level);
	ck_assert_int_eq(header->cmsg_type, type);
	ck_assert_uint_eq(header->cmsg_len, CMSG_LEN(length));
	ck_assert_uint_eq(made->message.msg_controllen, CMSG_SPACE(length));
	ck_assert_ptr_null(CMSG_NXTHDR(&made->message, header));
	memcpy(data, CMSG_DATA(header), length);
}

static void check_ipv4(struct handmade *made, uint32_t source)
{
	struct in_pktinfo info;

	get_only(made, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	ck_assert_int_eq(info.ipi_ifindex, 0);
	ck_assert_uint_eq(ntohl(info.ipi_spec_dst.s_addr), source);
}

static void check_ipv6(struct handmade *made, const char *source, unsigned interface)
{
	struct in6_pktinfo info;
	struct in6_addr expected;

	get_only(made, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	ck_assert_uint_eq(info.ipi6_ifindex, interface);
	ck_assert_int_eq(inet_pton(AF_INET6, source, &expected), 1);
	ck_assert_mem_eq(&info.ipi6_addr, &expected, sizeof(expected));
}

static void check_none(struct handmade *made)
{
	ck_assert_ptr_null(made->message.msg_control);
	ck_assert_uint_eq(made->message.msg_controllen, 0);
}

START_TEST(turns_ipv4)
{
	struct handmade made;

	begin(&made);
	add_ipv4(&made, 0xc0000201, 0xc0000201);
	pktinfo_turn(&made.message);
	check_ipv4(&made, 0xc0000201);

	/* A broadcast: from our address on that net, not from the broadcast's. */
	begin(&made);
	add_ipv4(&made, 0xc0000201, 0xc00002ff);
	pktinfo_turn(&made.message);
	check_ipv4(&made, 0xc0000201);
}
END_TEST

START_TEST(turns_ipv6)
{
	static const struct {
		const char *address;
		unsigned interface;
	} rows[] = {
		{"2001:db8::1", 0}, {"::1", 0},     {"fd00::1", 0},
		{"fe80::1", 7}, /* means nothing without its interface */
		{"febf::1", 7},     {"fec0::1", 0}, {"::ffff:192.0.2.1", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct handmade made;

		begin(&made);
		add_ipv6(&made, rows[i].address);
		pktinfo_turn(&made.message);
		check_ipv6(&made, rows[i].address, rows[i].interface);
	}
}
END_TEST

START_TEST(lets_the_kernel_choose)
{
	/* Nothing can be sent from these. */
	static const char *const addresses[] = {
		"ff02::1",
		"ff05::1:3",
		"ff0e::1",
		"::ffff:224.0.0.1",
		"::ffff:239.255.255.255",
		"::ffff:255.255.255.255",
	};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct handmade made;

		begin(&made);
		add_ipv6(&made, addresses[i]);
		pktinfo_turn(&made.message);
		check_none(&made);
	}
}
END_TEST

START_TEST(keeps_one)
{
	struct handmade made;
	const struct timeval time = {1, 2};
	const uint16_t segment = 1400;

	/* Whatever else arrived is not to be sent. */
	begin(&made);
	add(&made, SOL_SOCKET, SO_TIMESTAMP, &time, sizeof(time));
	add_ipv4(&made, 0x7f000002, 0x7f000002);
	add(&made, IPPROTO_UDP, 104, &segment, sizeof(segment));
	pktinfo_turn(&made.message);
	check_ipv4(&made, 0x7f000002);

	begin(&made);
	add(&made, SOL_SOCKET, SO_TIMESTAMP, &time, sizeof(time));
	add_ipv6(&made, "2001:db8::1");
	pktinfo_turn(&made.message);
	check_ipv6(&made, "2001:db8::1", 0);

	/* On a dual-stack socket, in the kernel's order and in the other. */
	begin(&made);
	add_ipv6(&made, "::ffff:192.0.2.255");
	add_ipv4(&made, 0xc0000201, 0xc00002ff);
	pktinfo_turn(&made.message);
	check_ipv4(&made, 0xc0000201);

	begin(&made);
	add_ipv4(&made, 0xc0000201, 0xc00002ff);
	add_ipv6(&made, "::ffff:192.0.2.255");
	pktinfo_turn(&made.message);
	check_ipv4(&made, 0xc0000201);
}
END_TEST

START_TEST(takes_none)
{
	struct handmade made;
	const struct timeval time = {1, 2};

	begin(&made);
	pktinfo_turn(&made.message);
	check_none(&made);

	begin(&made);
	add(&made, SOL_SOCKET, SO_TIMESTAMP, &time, sizeof(time));
	/* The same numbers at other levels. */
	add(&made, SOL_SOCKET, IP_PKTINFO, &time, sizeof(time));
	add(&made, IPPROTO_IP, IPV6_PKTINFO, &time, sizeof(time));
	pktinfo_turn(&made.message);
	check_none(&made);
}
END_TEST

/* A control buffer that was too small: the kernel cuts the last message (MSG_CTRUNC). */
START_TEST(ignores_what_was_cut)
{
	struct handmade made;
	const char part[8] = {0};

	begin(&made);
	add(&made, IPPROTO_IP, IP_PKTINFO, part, sizeof(part));
	pktinfo_turn(&made.message);
	check_none(&made);

	begin(&made);
	add(&made, IPPROTO_IPV6, IPV6_PKTINFO, part, sizeof(part));
	pktinfo_turn(&made.message);
	check_none(&made);
}
END_TEST

int main(void)
{
	const char *no = loopback_has_ipv6() ? NULL : "IPv6";
	const struct unit_row rows[] = {
		UNIT_ONCE("pktinfo_enable", enables_what_there_is),
		UNIT_LOOP("pktinfo_turn", answers_from_where_it_was_asked, 0, PAIRS_IPV4),
		UNIT_LOOP_UNLESS(no, "pktinfo_turn", answers_from_where_it_was_asked, PAIRS_IPV4,
				 PAIRS),
		UNIT_ONCE("pktinfo_turn", answers_a_broadcast),
		UNIT_LOOP_UNLESS(no, "pktinfo_turn", answers_a_broadcast, 1, 2),
		UNIT_ONCE("pktinfo_turn", answers_a_multicast),
		UNIT_LOOP_UNLESS(no, "pktinfo_turn", answers_a_multicast, 1, 2),
		UNIT_ONCE("pktinfo_turn", turns_ipv4),
		UNIT_ONCE("pktinfo_turn", turns_ipv6),
		UNIT_ONCE("pktinfo_turn", lets_the_kernel_choose),
		UNIT_ONCE("pktinfo_turn", keeps_one),
		UNIT_ONCE("pktinfo_turn", takes_none),
		UNIT_ONCE("pktinfo_turn", ignores_what_was_cut),
		{0},
	};

	return unit_run("pktinfo", rows);
}
