/* SPDX-License-Identifier: ISC */

/*
 * fuzz-server: a daemon's life as the input has it: options, then what happens, then how it ends.
 *
 * Each act is a byte for its kind, and a few more for the rest of it; an act that makes no sense is
 * none.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "play.h"
#include "util/parse.h"

static struct input input;

static unsigned choose(const unsigned *from, unsigned count)
{
	return from[input_below(&input, count)];
}

#define CHOOSE(...)                                                                                \
	choose((const unsigned[]){__VA_ARGS__},                                                    \
	       sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned))

/* Whoever may send something, and whether a datagram of theirs may be answered, own ports apart. */
static const struct {
	const char *host;
	in_port_t port;
	bool is_welcome;
} sources[] = {
	{"10.0.0.1", 40000, true},         {"10.0.0.2", 1024, true}, {"127.0.0.1", 5000, true},
	{"10.0.0.1", 1023, false},         {"10.0.0.1", 0, false},   {"10.0.0.3", PLAY_PORT, true},
	{"10.0.0.3", PLAY_PORT + 1, true}, {"0.1.2.3", 4000, false}, {"224.0.0.251", 5353, false},
	{"255.255.255.255", 4000, false},
};

static const struct {
	const char *host;
	in_port_t port;
	bool is_welcome;
} sources6[] = {
	{"2001:db8::1", 40000, true},      {"2001:db8::2", 40000, true},
	{"::ffff:10.0.0.1", 40000, true},  {"::1", 5000, true},
	{"2001:db8::1", 19, false},        {"2001:db8::1", PLAY_PORT, true},
	{"::ffff:0.0.0.1", 5000, false},   {"ff02::1", 5000, false},
	{"::ffff:224.0.0.1", 5000, false}, {"::", 5000, false},
};

static struct address make_address(int family, const char *host, in_port_t port)
{
	struct address address = {.length = 0};

	if (family == AF_INET) {
		address.length = sizeof(address.in);
		address.in.sin_port = htons(port);
		REQUIRE(inet_pton(family, host, &address.in.sin_addr) == 1, "%s", host);
	} else {
		address.length = sizeof(address.in6);
		address.in6.sin6_port = htons(port);
		REQUIRE(inet_pton(family, host, &address.in6.sin6_addr) == 1, "%s", host);
	}
	address.any.sa_family = (sa_family_t)family;
	return address;
}

/* Of AF_UNIX: with a name, without one, or nothing at all. */
static struct address choose_unix(bool *ret_is_welcome)
{
	struct address address = {.length = 0};
	unsigned kind = input_below(&input, 4);

	*ret_is_welcome = kind < 2;
	if (kind < 2)
		REQUIRE(address_from_path(kind ? "/run/client" : "@client", &address) == 0, "path");
	else if (kind == 2)
		address = (struct address){.length = sizeof(sa_family_t), .any.sa_family = AF_UNIX};
	return address;
}

/* A port is our own while one of our datagram sockets has it. */
static bool is_own_port(const struct address *from)
{
	int port = address_port(from);

	return (port == PLAY_PORT && play_descriptor(PLAY_UDP6) >= 0) ||
	       (port == PLAY_PORT + 1 && play_descriptor(PLAY_UDP4) >= 0);
}

static struct address choose_source(int family, bool *ret_is_welcome)
{
	unsigned i = input_below(&input, 10);

	if (family == AF_UNIX)
		return choose_unix(ret_is_welcome);
	*ret_is_welcome = family == AF_INET ? sources[i].is_welcome : sources6[i].is_welcome;
	return family == AF_INET ? make_address(family, sources[i].host, sources[i].port)
				 : make_address(family, sources6[i].host, sources6[i].port);
}

/* The address that was asked; of IPv4 to a socket of IPv6 it is IPv4's. */
static struct address choose_asked(const struct address *from)
{
	static const char *const hosts[] = {"192.0.2.1", "127.0.0.2"};
	static const char *const mapped[] = {"::ffff:192.0.2.1", "::ffff:127.0.0.2"};
	static const char *const hosts6[] = {"2001:db8::99", "::1"};
	unsigned i = input_below(&input, 3);
	uint32_t ipv4;

	if (i == 2 || from->length == 0 || from->any.sa_family == AF_UNIX)
		return (struct address){.length = 0};
	if (from->any.sa_family == AF_INET)
		return make_address(AF_INET, hosts[i], 1);
	return make_address(AF_INET6, address_get_ipv4(from, &ipv4) ? mapped[i] : hosts6[i], 1);
}

/* Some text of the input's, again and again up to length bytes. */
static size_t make_text(uint8_t *text, size_t length)
{
	size_t piece = 1 + input_below(&input, 24);

	if (piece > length)
		piece = length;
	for (size_t i = 0; i < piece; i++)
		text[i] = input_byte(&input);
	for (size_t i = piece; i < length; i++)
		text[i] = text[i - piece];
	return length;
}

static size_t choose_length(void)
{
	unsigned scale = input_byte(&input);

	return scale < 128   ? scale % 40
	       : scale < 200 ? scale * 17
	       : scale < 250 ? scale * 150
			     : 200000;
}

#define TEXT_MAX 200000

static uint8_t text[TEXT_MAX];

static struct world_peer *choose_peer(void)
{
	unsigned choice = input_byte(&input);

	return world.peer_count > 0 ? &world.peers[choice % world.peer_count] : NULL;
}

static void act_connect(void)
{
	enum play_socket socket = input_below(&input, 4) ? PLAY_TCP : PLAY_UNIX;
	size_t room = CHOOSE(1000000000, 0, 1, 100, 5000);
	struct address from;
	bool is_welcome;

	if (play_descriptor(socket) < 0)
		return;
	from = choose_source(socket == PLAY_TCP ? AF_INET6 : AF_UNIX, &is_welcome);
	(void)world_connect(play_descriptor(socket), &from, room);
}

static void act_on_peer(unsigned kind)
{
	struct world_peer *peer = choose_peer();
	size_t length;

	if (!peer)
		return;
	switch (kind) {
	case 0:
		length = choose_length();
		if (peer->sent + length <= 2 * TEXT_MAX)
			world_send(peer, text, make_text(text, length));
		break;
	case 1:
		world_half_close(peer);
		break;
	case 2:
		world_reset(peer, input_byte(&input) & 1);
		break;
	default:
		length = CHOOSE(1, 7, 1000, 100000);
		if (peer->room < SIZE_MAX - length)
			peer->room += length;
	}
}

static void act_datagram(void)
{
	enum play_socket socket = PLAY_UDP4 + input_below(&input, 3);
	struct world_message message = {.is_cut = false};
	int fd = play_descriptor(socket);
	size_t length = choose_length(), most = socket == PLAY_UNIX_DATAGRAM ? TEXT_MAX : 65507;
	unsigned kind = input_byte(&input), count;

	if (fd < 0)
		return;
	message.from = choose_source(world_look(fd, WORLD_DATAGRAM)->family, &message.is_welcome);
	message.is_welcome &= !is_own_port(&message.from);
	message.to = choose_asked(&message.from);
	message.is_cut = kind == 255;
	length = make_text(text, length < most ? length : most);
	if (socket != PLAY_UNIX_DATAGRAM && kind % 4 == 1 && length > 1)
		message.segment = 1 + (unsigned)(length * (kind / 4) / 64) % (unsigned)(length - 1);
	if (message.segment > 0 && length / message.segment >= 64)
		message.segment = (unsigned)length / 64 + 1;
	/* Now and then more than a batch. */
	count = kind >= 250 && kind < 255 ? 40 : 1;
	while (count-- > 0)
		world_datagram(fd, &message, text, length);
}

static void act_fault(void)
{
	static const struct {
		enum world_call call;
		unsigned errors[8];
	} rows[] = {
		{WORLD_ACCEPT,
		 {EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO}},
		{WORLD_RECV,
		 {EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, ENOMEM, EHOSTUNREACH, EINTR, EINTR}},
		{WORLD_SEND,
		 {EINTR, EAGAIN, ECONNRESET, EPIPE, ENOBUFS, ENOMEM, EHOSTUNREACH, ETIMEDOUT}},
		{WORLD_SHUTDOWN,
		 {ENOTCONN, ENOTCONN, ENOTCONN, ENOTCONN, ENOTCONN, ENOTCONN, ENOBUFS, ENOBUFS}},
		{WORLD_RECVMMSG,
		 {EINTR, EAGAIN, ECONNREFUSED, ENOMEM, EHOSTUNREACH, ENETDOWN, EAGAIN, EMSGSIZE}},
		{WORLD_SENDMMSG,
		 {EINTR, EAGAIN, ECONNREFUSED, ENOBUFS, EINVAL, EMSGSIZE, EPERM, EIO}},
		{WORLD_SENDMSG,
		 {EINTR, EAGAIN, ECONNREFUSED, ENOBUFS, EINVAL, EADDRNOTAVAIL, EPERM, EMSGSIZE}},
		{WORLD_POLL, {EINTR, ETIME, EINTR, ETIME, EINTR, ETIME, EINTR, ETIME}},
		{WORLD_EPOLL_CTL, {ENOMEM, ENOSPC, ENOMEM, ENOSPC, ENOMEM, ENOSPC, ENOMEM, ENOSPC}},
		{WORLD_EPOLL_WAIT, {EINTR, EINTR, EINTR, EINTR, EINTR, EINTR, EINTR, EINTR}},
		{WORLD_NOTIFY, {ENOBUFS, EPERM, EAGAIN, ENOBUFS, ENOBUFS, EPERM, EPERM, EPERM}},
		{WORLD_ALLOCATE, {ENOMEM, ENOMEM, ENOMEM, ENOMEM, ENOMEM, ENOMEM, ENOMEM, ENOMEM}},
	};
	unsigned row = input_below(&input, sizeof(rows) / sizeof(rows[0]));

	world_fault(rows[row].call, (int)rows[row].errors[input_below(&input, 8)]);
}

/* SIGHUP came last: to what was kept before a byte means what it did. */
static void act_signal(void)
{
	static const int signals[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT};
	unsigned choice = input_byte(&input);

	world_signal(choice == 255 ? SIGHUP : signals[choice % 4]);
}

static void act(unsigned kind)
{
	switch (kind) {
	case 1:
	case 2:
		act_connect();
		break;
	case 3:
	case 4:
		act_on_peer(0);
		break;
	case 5:
		act_on_peer(1);
		break;
	case 6:
		act_on_peer(2);
		break;
	case 7:
		act_on_peer(3);
		break;
	case 8:
	case 9:
		act_datagram();
		break;
	case 10:
	case 11:
		act_fault();
		break;
	case 12:
		world.most = 1 + input_below(&input, 64);
		break;
	case 13:
		world.now += CHOOSE(1000, 10000, 500000, 2000000, 700000000);
		break;
	case 14:
		act_signal();
		break;
	case 15:
		world.first_event = input_byte(&input);
		break;
	default:
		break;
	}
}

/* Acts up to the next one of kind 0, which lets the server go on. */
static bool script(bool is_idle)
{
	unsigned kind = 1;

	(void)is_idle;
	if (input.left == 0)
		return false;
	while (input.left > 0 && kind > 0) {
		kind = input_byte(&input) % 16;
		act(kind);
	}
	return true;
}

static void choose_options(struct play *play)
{
	struct server_options *options = &play->options;
	unsigned mode = input_byte(&input), limits = input_byte(&input), times = input_byte(&input);

	options->exchange.framing = (enum framing)(mode % 3);
	options->exchange.once = mode & 8;
	if (mode & 16)
		options->exchange.message_max = 1 + input_byte(&input);
	if (mode & 32)
		options->datagram_rate = 1 + limits / 16;
	options->datagram_rate_is_set = mode & 64;
	if (limits & 1)
		options->connections_max = 1 + limits / 16;
	if (limits & 2)
		options->connections_max_per_source = 1 + (limits >> 2 & 3);
	/* Room for two full answers and a bit, for one, or for none. */
	if (mode & 128)
		options->unsent_max = limits / 16 * (size_t)100000;
	if (times & 1)
		options->exchange.idle_timeout = UINT64_C(501000) << (times >> 1 & 7);
	if (times & 16)
		options->exit_idle_time = 200000;
	if (times & 128) {
		options->preserve = PRESERVE_ALWAYS;
		/* No ledger for more than there is. */
		if (options->connections_max > WORLD_PEERS)
			options->connections_max = 2 * (size_t)WORLD_PEERS;
	}
	if (times & 32)
		options->drain_timeout = times & 64 ? PARSE_INFINITY : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct play play = {.options = play_options(), .script = script};
	unsigned sockets;

	input = (struct input){bytes, size};
	choose_options(&play);
	sockets = input_byte(&input);
	play.sockets = sockets % (1 << PLAY_SOCKETS);
	if (play.sockets == 0)
		play.sockets = 1U << PLAY_TCP;
	play.is_logged = sockets & 128;
	play.activation = sockets & 64 ? ACTIVATION_OWN : ACTIVATION_SYSTEMD;
	play.ending = (enum play_ending)input_below(&input, PLAY_ENDINGS);
	/* Where 32 bits of milliseconds come to their end, or not. */
	play.begin = input_byte(&input) & 1 ? (UINT64_C(1) << 32) * 1000 - 500000 : 1000000;
	(void)play_run(&play);
	return 0;
}
