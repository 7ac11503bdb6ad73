/* SPDX-License-Identifier: ISC */

/* Tests of activation/endpoints.h: from whom a daemon's sockets come, and what is made of them. */

#include "activation/endpoints.h"

#include <linux/netlink.h>
#include <sys/syscall.h>

#include "loopback.h"
#include "stage.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"

/* The addresses of the command line. */
struct addresses {
	struct endpoint_address items[3];
	size_t count;
};

static const char *kind_name(enum endpoint_kind kind)
{
	return kind == ENDPOINT_LISTENING   ? "listening"
	       : kind == ENDPOINT_CONNECTED ? "connected"
					    : "datagram";
}

/* "systemd" and a line for each endpoint: what it is, its name, and what is wrong with it. */
static void show(int out, const void *userdata)
{
	static const char *const activations[] = {"systemd", "inetd", "own"};
	const struct addresses *addresses = userdata;
	struct endpoints endpoints = {.count = 4711};
	char error[ENDPOINTS_ERROR_MAX];
	int r = endpoints_find(&endpoints, addresses->items, addresses->count, error);

	if (r < 0) {
		dprintf(out, "%d %s%s", r, error, endpoints.count == 4711 ? "" : " TOUCHED");
		return;
	}
	dprintf(out, "%s\n", activations[endpoints.activation]);
	for (size_t i = 0; i < endpoints.count; i++) {
		const struct endpoint *endpoint = &endpoints.items[i];
		struct socket_facts facts = {0};

		(void)socket_look(endpoint->fd, &facts);
		dprintf(out, "%s %d '%s'%s%s%s%s%s\n", kind_name(endpoint->kind), endpoint->family,
			endpoint->name, endpoint->fd < 3 ? " STANDARD" : "",
			facts.family == endpoint->family ? "" : " FAMILY",
			facts.listening == (endpoint->kind == ENDPOINT_LISTENING) ? "" : " KIND",
			fcntl(endpoint->fd, F_GETFL) & O_NONBLOCK ? "" : " BLOCKING",
			fcntl(endpoint->fd, F_GETFD) & FD_CLOEXEC ? "" : " INHERITED");
	}
	if (getenv("LISTEN_FDS") || getenv("LISTEN_PID"))
		dprintf(out, "ENVIRONMENT\n");
	endpoints_close(&endpoints);
	if (endpoints.count != 0 || endpoints.items)
		dprintf(out, "CONTENT\n");
	if (stage_count_open() != 2 + (fcntl(STDOUT_FILENO, F_GETFD) >= 0))
		dprintf(out, "%d DESCRIPTORS\n", stage_count_open());
}

static void check(const struct stage *stage, const struct addresses *addresses,
		  const char *expected)
{
	static const struct addresses none;
	char text[STAGE_TEXT_MAX];

	stage_run(stage, show, addresses ? addresses : &none, text);
	ck_assert_str_eq(text, expected);
}

/* One socket of each kind, blocking and inheritable as somebody else may have made it. */
struct cast {
	int listening, datagram, connected, local, peer, null;
};

static void cast_make(struct cast *cast)
{
	struct address address = address_with_port("127.0.0.1:1", 0), name;
	char path[64];
	int pair[2];

	cast->listening = socket_open(&address, SOCK_STREAM);
	cast->datagram = socket_open(&address, SOCK_DGRAM);
	snprintf(path, sizeof(path), "@test-endpoints-%ld", (long)getpid());
	ck_assert_int_eq(address_parse(path, &name), 0);
	cast->local = socket_open(&name, SOCK_STREAM);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cast->connected = pair[0];
	cast->peer = pair[1];
	cast->null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	int fds[] = {cast->listening, cast->datagram, cast->local, cast->connected, cast->null};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		ck_assert_int_ge(fds[i], 0);
		ck_assert_int_eq(fcntl(fds[i], F_SETFL, 0), 0);
	}
}

static void cast_close(struct cast *cast)
{
	close(cast->listening);
	close(cast->datagram);
	close(cast->connected);
	close(cast->local);
	close(cast->peer);
	close(cast->null);
}

START_TEST(takes_what_systemd_passes)
{
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);

	struct stage stage = {
		.input = cast.null,
		.passed = {cast.listening, cast.datagram, cast.local, cast.connected},
		.count = 4,
		.pid = "self",
		.fds = "4",
		.names = "tcp:udp:unix:connection",
	};

	check(&stage, NULL,
	      "systemd\n"
	      "listening 2 'tcp'\n"
	      "datagram 2 'udp'\n"
	      "listening 1 'unix'\n"
	      "connected 1 'connection'\n");

	/* Names are not needed, and need not be different. */
	stage.count = 2;
	stage.fds = "2";
	stage.names = NULL;
	check(&stage, NULL, "systemd\nlistening 2 'unknown'\ndatagram 2 'unknown'\n");
	stage.names = "x:x";
	check(&stage, NULL, "systemd\nlistening 2 'x'\ndatagram 2 'x'\n");
}
END_TEST

START_TEST(takes_systemd_before_all)
{
	_cleanup_(cast_close) struct cast cast;
	struct addresses addresses = {
		.items = {{address_with_port("127.0.0.1:1", 0), SOCK_STREAM}},
		.count = 1,
	};

	cast_make(&cast);

	struct stage stage = {
		.input = cast.listening,
		.passed = {cast.datagram},
		.count = 1,
		.pid = "self",
		.fds = "1",
		.names = "udp",
	};

	check(&stage, &addresses, "systemd\ndatagram 2 'udp'\n");
}
END_TEST

START_TEST(ignores_what_is_for_another)
{
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);

	struct stage stage = {.input = cast.listening, .pid = "1", .fds = "1"};
	static const char expected[] = "inetd\nlistening 2 'standard input'\n";

	check(&stage, NULL, expected);
	stage = (struct stage){.input = cast.listening, .fds = "1"};
	check(&stage, NULL, expected);
	stage = (struct stage){.input = cast.listening, .pid = "self"};
	check(&stage, NULL, expected);
}
END_TEST

START_TEST(refuses_bad_variables)
{
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);

	struct stage stage = {
		.input = cast.null,
		.passed = {cast.listening},
		.count = 1,
		.pid = "self",
		.fds = "x",
	};

	check(&stage, NULL, "-22 LISTEN_FDS: Invalid argument");
	stage.fds = "0";
	check(&stage, NULL, "-22 LISTEN_FDS: Invalid argument");
	stage.fds = "1";
	stage.names = "a:b";
	check(&stage, NULL, "-22 LISTEN_FDS: Invalid argument");
	stage.names = NULL;
	stage.passed[0] = STAGE_CLOSED;
	check(&stage, NULL, "-9 LISTEN_FDS: Bad file descriptor");
}
END_TEST

START_TEST(refuses_what_cannot_be_served)
{
	_cleanup_(cast_close) struct cast cast;
	_cleanup_close_ int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	_cleanup_close_ int netlink_dgram =
		socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_ROUTE);
	_cleanup_close_ int packets = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	_cleanup_close_ int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cast_make(&cast);

	/* Behind a good one, which is released. */
	struct stage stage = {
		.input = cast.null,
		.passed = {cast.listening, netlink},
		.count = 2,
		.pid = "self",
		.fds = "2",
		.names = "good:bad",
	};

	check(&stage, NULL, "-91 socket 'bad': AF_NETLINK raw: cannot be served");
	stage.passed[1] = netlink_dgram;
	check(&stage, NULL, "-91 socket 'bad': AF_NETLINK datagram: cannot be served");
	stage.passed[1] = packets;
	check(&stage, NULL, "-91 socket 'bad': AF_UNIX seqpacket: cannot be served");
	stage.passed[1] = fresh;
	check(&stage, NULL, "-91 socket 'bad': AF_INET stream: cannot be served");
	stage.passed[1] = cast.null;
	check(&stage, NULL, "-88 descriptor 4 'bad': not a socket");
}
END_TEST

START_TEST(takes_standard_input)
{
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);

	struct stage stage = {.input = cast.listening};

	check(&stage, NULL, "inetd\nlistening 2 'standard input'\n");
	stage.input = cast.datagram;
	check(&stage, NULL, "inetd\ndatagram 2 'standard input'\n");
	stage.input = cast.connected;
	check(&stage, NULL, "inetd\nconnected 1 'standard input'\n");
	/* What is printed must not go to a socket, where there is no standard output. */
	stage.no_output = true;
	check(&stage, NULL, "inetd\nconnected 1 'standard input'\n");
}
END_TEST

START_TEST(refuses_other_standard_inputs)
{
	_cleanup_close_ int packets = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	static const char none[] =
		"-2 no socket: start by a systemd socket unit, by an inetd, or give "
		"--listen-stream= or --listen-datagram=";
	struct stage stage = {.input = null};

	check(&stage, NULL, none);
	stage.input = STAGE_CLOSED;
	check(&stage, NULL, none);
	stage.input = packets;
	check(&stage, NULL, "-91 socket 'standard input': AF_UNIX seqpacket: cannot be served");
}
END_TEST

START_TEST(opens_its_own)
{
	_cleanup_(cast_close) struct cast cast;
	struct addresses addresses = {
		.items = {{address_with_port("127.0.0.1:1", 0), SOCK_STREAM},
			  {address_with_port("127.0.0.2:1", 0), SOCK_DGRAM}},
		.count = 2,
	};
	char name[64], expected[256];

	cast_make(&cast);
	snprintf(name, sizeof(name), "@test-endpoints-own-%ld", (long)getpid());
	ck_assert_int_eq(address_parse(name, &addresses.items[2].address), 0);
	addresses.items[2].type = SOCK_STREAM;
	addresses.count = 3;
	snprintf(expected, sizeof(expected),
		 "own\nlistening 2 '127.0.0.1:0'\ndatagram 2 '127.0.0.2:0'\nlistening 1 '%s'\n",
		 name);

	/* Whatever descriptor 0 is: many programs start their children with a socket there. */
	struct stage stage = {.input = cast.null};

	check(&stage, &addresses, expected);
	stage.input = cast.listening;
	check(&stage, &addresses, expected);
	stage.pid = "1";
	stage.fds = "1";
	check(&stage, &addresses, expected);
}
END_TEST

START_TEST(removes_its_paths)
{
	struct endpoint_address addresses[2] = {{.type = SOCK_STREAM}, {.type = SOCK_DGRAM}};
	char directory[] = "/tmp/test-endpoints-XXXXXX", paths[2][64];
	char error[ENDPOINTS_ERROR_MAX];
	struct endpoints endpoints;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	for (unsigned i = 0; i < 2; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%u", directory, i);
		ck_assert_int_eq(address_parse(paths[i], &addresses[i].address), 0);
	}
	/* Both at the end, and the one that was opened when the other can't be. */
	ck_assert_int_eq(endpoints_find(&endpoints, addresses, 2, error), 0);
	ck_assert(access(paths[0], F_OK) == 0 && access(paths[1], F_OK) == 0);
	endpoints_close(&endpoints);
	ck_assert(access(paths[0], F_OK) < 0 && access(paths[1], F_OK) < 0);
	addresses[1] = addresses[0];
	ck_assert_int_eq(endpoints_find(&endpoints, addresses, 2, error), -EADDRINUSE);
	ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

/* What somebody has put in their place is his. */
START_TEST(leaves_the_paths_of_others)
{
	struct endpoint_address address = {.type = _i ? SOCK_STREAM : SOCK_DGRAM};
	char directory[] = "/tmp/test-endpoints-XXXXXX", path[64], error[ENDPOINTS_ERROR_MAX];
	struct endpoints first, second;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/socket", directory);
	ck_assert_int_eq(address_parse(path, &address.address), 0);
	ck_assert_int_eq(endpoints_find(&first, &address, 1, error), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(endpoints_find(&second, &address, 1, error), 0);
	endpoints_close(&first);
	ck_assert_int_eq(access(path, F_OK), 0);
	endpoints_close(&second);
	ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

/* In the place of libc's: a machine without IPv6. */
static bool has_no_ipv6;

int socket(int family, int type, int protocol)
{
	if (has_no_ipv6 && family == AF_INET6) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return (int)syscall(SYS_socket, family, type, protocol);
}

/* A port alone is any address, of the family that there is. */
START_TEST(knows_what_it_opened)
{
	struct endpoint_address address = {address_with_port("1", 0), SOCK_DGRAM};
	char error[ENDPOINTS_ERROR_MAX];
	struct endpoints endpoints;

	has_no_ipv6 = true;
	ck_assert_int_eq(endpoints_find(&endpoints, &address, 1, error), 0);
	has_no_ipv6 = false;
	ck_assert_int_eq(endpoints.items[0].family, AF_INET);
	endpoints_close(&endpoints);
}
END_TEST

static bool is_refused(const struct address *address)
{
	_cleanup_close_ int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	return connect(fd, &address->any, address->length) < 0 && errno == ECONNREFUSED;
}

/* Who comes is refused, who wants to open the same may, and keeps what is then there. */
START_TEST(turns_away)
{
	struct endpoint_address addresses[2] = {{address_with_port("127.0.0.1:1", 0), SOCK_STREAM},
						{.type = SOCK_STREAM}};
	char directory[] = "/tmp/test-endpoints-XXXXXX", path[64], error[ENDPOINTS_ERROR_MAX];
	struct endpoints before, after;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/0", directory);
	ck_assert_int_eq(address_parse(path, &addresses[1].address), 0);
	ck_assert_int_eq(endpoints_find(&before, addresses, 2, error), 0);
	ck_assert_int_eq(socket_get_name(before.items[0].fd, &addresses[0].address), 0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert(!is_refused(&addresses[i].address));
	endpoints_turn_away(&before);
	ck_assert(is_refused(&addresses[0].address));
	ck_assert(access(path, F_OK) < 0);
	ck_assert_int_eq(endpoints_find(&after, addresses, 2, error), 0);
	endpoints_close(&before);
	for (unsigned i = 0; i < 2; i++)
		ck_assert(!is_refused(&addresses[i].address));
	endpoints_close(&after);
	ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

/* Others hold them, and accept. */
START_TEST(turns_nobody_away_for_others)
{
	_cleanup_close_ int copy = -1;
	struct address address = address_with_port("127.0.0.1:1", 0);
	struct endpoint item = {.fd = socket_open(&address, SOCK_STREAM),
				.kind = ENDPOINT_LISTENING};
	struct endpoints endpoints = {&item, 1, ACTIVATION_SYSTEMD};

	ck_assert_int_ge(item.fd, 0);
	copy = item.fd;
	ck_assert_int_eq(socket_get_name(copy, &address), 0);
	endpoints_turn_away(&endpoints);
	ck_assert(!is_refused(&address));
}
END_TEST

START_TEST(says_what_it_could_not_open)
{
	static const char *const options[] = {"stream", "datagram"};
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);

	int port = port_of(_i == 0 ? cast.listening : cast.datagram);
	struct addresses addresses = {
		.items = {{address_with_port("127.0.0.1:1", 0), SOCK_STREAM},
			  {address_with_port("127.0.0.1:1", port),
			   _i == 0 ? SOCK_STREAM : SOCK_DGRAM}},
		.count = 2,
	};
	struct stage stage = {.input = cast.null};
	char expected[128];

	snprintf(expected, sizeof(expected), "-98 --listen-%s=127.0.0.1:%d: Address already in use",
		 options[_i], port);
	check(&stage, &addresses, expected);
}
END_TEST

/* Those that were opened here (0), and handed over (1). */
START_TEST(refuses_descriptors)
{
	struct endpoint_address addresses[2] = {{.type = SOCK_STREAM}, {.type = SOCK_DGRAM}};
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct stage stage = {.input = null, .count = 2, .pid = "self", .fds = "2"};
	char name[64], error[ENDPOINTS_ERROR_MAX];
	struct endpoints own = {.count = 0};

	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "@test-endpoints-%u-%ld", i, (long)getpid());
		ck_assert_int_eq(address_parse(name, &addresses[i].address), 0);
		if (_i == 1)
			stage.passed[i] = socket_open(&addresses[i].address, addresses[i].type);
	}
	if (_i == 1)
		check(&stage, NULL, "systemd\nlistening 1 'unknown'\ndatagram 1 'unknown'\n");
	else
		ck_assert_int_eq(endpoints_find(&own, addresses, 2, error), 0);
	for (unsigned i = 0; i < 2; i++) {
		_cleanup_close_ int fd = socket(AF_UNIX, addresses[i].type | SOCK_CLOEXEC, 0);
		const struct address *to = &addresses[i].address;

		ck_assert_int_eq(connect(fd, &to->any, to->length), 0);
		ck_assert_int_eq(pass_descriptors(fd, NULL, 1), -EPERM);
		if (_i == 1)
			close(stage.passed[i]);
	}
	endpoints_close(&own);
}
END_TEST

int main(void)
{
	const char *old = can_refuse_descriptors() ? NULL : "SO_PASSRIGHTS";
	const struct unit_row rows[] = {
		UNIT_ONCE("endpoints_find", takes_what_systemd_passes),
		UNIT_ONCE("endpoints_find", takes_systemd_before_all),
		UNIT_ONCE("endpoints_find", ignores_what_is_for_another),
		UNIT_ONCE("endpoints_find", refuses_bad_variables),
		UNIT_ONCE("endpoints_find", refuses_what_cannot_be_served),
		UNIT_ONCE("endpoints_find", takes_standard_input),
		UNIT_ONCE("endpoints_find", refuses_other_standard_inputs),
		UNIT_ONCE("endpoints_find", opens_its_own),
		UNIT_ONCE("endpoints_close", removes_its_paths),
		UNIT_LOOP("endpoints_close", leaves_the_paths_of_others, 0, 2),
		UNIT_ONCE("endpoints_find", knows_what_it_opened),
		UNIT_ONCE("endpoints_turn_away", turns_away),
		UNIT_ONCE("endpoints_turn_away", turns_nobody_away_for_others),
		UNIT_LOOP("endpoints_find", says_what_it_could_not_open, 0, 2),
		UNIT_LOOP_UNLESS(old, "endpoints_find", refuses_descriptors, 0, 2),
		{0},
	};

	return unit_run("endpoints", rows);
}
