/* SPDX-License-Identifier: ISC */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "exchange/exchange-options.h"
#include "net/socket.h"

static size_t triple(struct service_state *state, const void *in, size_t length, void *out)
{
	const char *from = in;
	char *to = out;

	(void)state;
	for (size_t i = 0; i < length; i++, to += 3)
		memset(to, from[i], 3);
	return 3 * length;
}

static size_t finish(struct service_state *state, void *out)
{
	(void)state;
	(void)out;
	return 0;
}

static bool is_state(const struct service_state *state)
{
	static const struct service_state none;

	return memcmp(state, &none, sizeof(none)) == 0;
}

const struct service rig_tripling = {
	.name = "tripling",
	.growth = 3,
	.feed = triple,
	.finish = finish,
	.is_state = is_state,
};

void rig_open(struct rig *rig, const struct service *s)
{
	rig_open_limited(rig, s, 0, false);
}

void rig_open_limited(struct rig *rig, const struct service *s, uint32_t rate, bool spare_loopback)
{
	struct datagram_limits limits;

	*rig = (struct rig){.exchange = exchange_options_default(s)};
	rig->exchange.idle_timeout = PARSE_INFINITY;
	ck_assert_int_eq(loop_init(&rig->loop, true), 0);
	admission_init(&rig->admission, SIZE_MAX, ADMISSION_ANY);
	if (rate > 0)
		ck_assert_int_eq(rate_new(rate, &rig->rate), 0);
	limits = (struct datagram_limits){rig->rate, spare_loopback, &rig->manager};
	unsent_limit_init(&rig->unsent_limit, UNSENT_ANY, 1, 0);
	ck_assert_int_eq(streams_init(&rig->streams, &rig->loop, &rig->exchange, &rig->admission,
				      &rig->unsent_limit, &rig->status),
			 0);
	ck_assert_int_eq(
		datagrams_new(&rig->loop, &rig->exchange, &limits, &rig->status, &rig->datagrams),
		0);
}

void rig_close(struct rig *rig)
{
	datagrams_free(rig->datagrams);
	streams_free(&rig->streams);
	loop_free(&rig->loop);
	/* Whatever a test did, nothing is kept for clients that are gone. */
	ck_assert_uint_eq(rig->unsent_limit.kept, 0);
	ck_assert_uint_eq(rig->status.bytes_unsent, 0);
	rate_free(rig->rate);
	admission_free(&rig->admission);
	for (size_t i = 0; i < rig->endpoint_count; i++)
		if (rig->endpoints[i].fd >= 0)
			close(rig->endpoints[i].fd);
}

struct address rig_address(const char *host, unsigned port)
{
	struct address address = {.length = sizeof(address.in)};

	if (strchr(host, ':')) {
		address.length = sizeof(address.in6);
		address.in6.sin6_family = AF_INET6;
		address.in6.sin6_port = htons((uint16_t)port);
		ck_assert_int_eq(inet_pton(AF_INET6, host, &address.in6.sin6_addr), 1);
		return address;
	}
	address.in.sin_family = AF_INET;
	address.in.sin_port = htons((uint16_t)port);
	ck_assert_int_eq(inet_pton(AF_INET, host, &address.in.sin_addr), 1);
	return address;
}

void rig_serve_fd(struct rig *rig, int fd, int family, enum endpoint_kind kind)
{
	struct endpoint *endpoint = &rig->endpoints[rig->endpoint_count++];

	*endpoint = (struct endpoint){.fd = fd, .family = family, .kind = kind};
	switch (kind) {
	case ENDPOINT_DATAGRAM:
		ck_assert_int_eq(datagrams_serve(rig->datagrams, endpoint), 0);
		break;
	case ENDPOINT_LISTENING:
		ck_assert_int_eq(streams_welcome(&rig->streams, fd), 0);
		break;
	case ENDPOINT_CONNECTED:
	default:
		endpoint->fd = -1;
		ck_assert_int_eq(streams_take(&rig->streams, fd), 0);
	}
}

struct address rig_serve(struct rig *rig, const char *host, int type)
{
	struct address address = rig_address(host, 0);
	int fd = socket_open(&address, type);

	ck_assert_int_ge(fd, 0);
	rig_serve_fd(rig, fd, address.any.sa_family,
		     type == SOCK_DGRAM ? ENDPOINT_DATAGRAM : ENDPOINT_LISTENING);
	ck_assert_int_eq(socket_get_name(fd, &address), 0);
	return address;
}

void rig_round(struct rig *rig)
{
	int r = loop_round(&rig->loop, 2);

	ck_assert_msg(r == 0, "loop_round: %s", strerror(-r));
}

static void count_round(void *userdata)
{
	(*(unsigned *)userdata)++;
}

void rig_expect_rest(struct rig *rig)
{
	unsigned busy = 0, before, quiet = 0;

	rig->loop.round_done = count_round;
	rig->loop.userdata = &busy;
	/* What is under way on loopback comes to its end, late on a machine that is busy. */
	while (quiet < 3) {
		before = busy;
		rig_round(rig);
		quiet = busy == before ? quiet + 1 : 0;
		ck_assert_uint_lt(busy, 10);
	}
	rig->loop.round_done = NULL;
}

void client_open(struct client *client, int fd)
{
	ck_assert_int_ge(fd, 0);
	*client = (struct client){.fd = fd};
}

void client_connect(struct client *client, const struct address *address)
{
	client_open(client, socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ck_assert_int_eq(connect(client->fd, &address->any, address->length), 0);
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->bytes);
	*client = (struct client){.fd = -1};
}

void client_reset(struct client *client)
{
	const struct linger at_once = {.l_onoff = 1};

	ck_assert_int_eq(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
			 0);
	client_close(client);
}

void client_send(const struct client *client, const void *bytes, size_t length)
{
	ck_assert_int_eq(send(client->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT),
			 (ssize_t)length);
}

size_t client_read(struct client *client)
{
	char buffer[65536];
	ssize_t n;

	while (!client->ended && !client->error &&
	       (n = recv(client->fd, buffer, sizeof(buffer), MSG_DONTWAIT)) != 0) {
		if (n < 0) {
			if (errno != EAGAIN)
				client->error = errno;
			return client->length;
		}
		if (client->length + (size_t)n > client->capacity) {
			client->capacity = 2 * client->capacity + sizeof(buffer);
			client->bytes = realloc(client->bytes, client->capacity);
			ck_assert_ptr_nonnull(client->bytes);
		}
		memcpy(client->bytes + client->length, buffer, (size_t)n);
		client->length += (size_t)n;
	}
	if (!client->error)
		client->ended = true;
	return client->length;
}

bool client_has(struct client *client, const char *text)
{
	size_t length = client_read(client);

	return length == strlen(text) && (length == 0 || memcmp(client->bytes, text, length) == 0);
}

bool client_is_over(struct client *client)
{
	(void)client_read(client);
	return client->ended || client->error;
}

size_t rig_flood(struct rig *rig, const struct client *client, char byte)
{
	size_t sent = 0;
	char bytes[4096];
	ssize_t n;

	memset(bytes, byte, sizeof(bytes));
	/* Full for some rounds on end: what the server still takes would have been taken. */
	for (unsigned full = 0; full < 10; full++) {
		while ((n = send(client->fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT)) >
		       0) {
			sent += (size_t)n;
			full = 0;
		}
		ck_assert_int_eq(errno, EAGAIN);
		rig_round(rig);
	}
	return sent;
}

void rig_connect(struct rig *rig, struct client *client, int way)
{
	size_t before = rig->streams.context.connections.count;
	struct address server;
	int ends[2];

	if (way == 0) {
		ck_assert_int_eq(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			0);
		rig_serve_fd(rig, ends[0], AF_UNIX, ENDPOINT_CONNECTED);
		client_open(client, ends[1]);
		return;
	}
	if (rig->endpoint_count == 0)
		(void)rig_serve(rig, "127.0.0.1", SOCK_STREAM);
	ck_assert_int_eq(socket_get_name(rig->endpoints[0].fd, &server), 0);
	client_connect(client, &server);
	RIG_UNTIL(rig, rig->streams.context.connections.count == before + 1);
}
