/* SPDX-License-Identifier: ISC */

/* Tests of server/streams.h: accepting, limits, the table, sweeping. */

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/socket.h"
#include "rig.h"
#include "server/connection.h"

#define SECOND UINT64_C(1000000)

static struct rig rig;
static struct address server;

/* What accept4(2) fails with, once; 0: nothing. */
static int accept_error;

int accept4(int fd, __SOCKADDR_ARG peer, socklen_t *length, int flags)
{
	errno = accept_error;
	accept_error = 0;
	return errno ? -1 : (int)syscall(SYS_accept4, fd, peer.__sockaddr__, length, flags);
}

/* A rig that listens; whole-program state, since each test is a process of its own or comes after
 * the other's close. */
static void open_listening(void)
{
	rig_open(&rig, &service);
	server = rig_serve(&rig, "127.0.0.1", SOCK_STREAM);
}

static void connect_many(struct client *clients, size_t count)
{
	size_t before = rig.streams.context.connections.count;

	for (size_t i = 0; i < count; i++)
		client_connect(&clients[i], &server);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == before + count);
}

static void close_many(struct client *clients, size_t count)
{
	for (size_t i = 0; i < count; i++)
		client_close(&clients[i]);
}

static void expect_service(struct client *client)
{
	client->length = 0;
	client_send(client, "hello", 5);
	RIG_UNTIL(&rig, client_has(client, "HELLO"));
}

START_TEST(accepts_all)
{
	struct client clients[40];

	open_listening();
	connect_many(clients, 40);
	for (int i = 0; i < 40; i++)
		expect_service(&clients[i]);
	ck_assert_uint_eq(rig.status.connections_open, 40);
	ck_assert_uint_eq(rig.status.connections_served, 40);
	close_many(clients, 40);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	ck_assert_uint_eq(rig.admission.open, 0);
	rig_close(&rig);
}
END_TEST

/* Who comes alone is not asked after (accept4(2) would make a socket in vain); where many wait they
 * are soon accepted together, but not so many that the others' turn never comes. */
START_TEST(accepts_as_many_as_come)
{
	struct client clients[200];
	size_t most = 0;

	open_listening();
	for (int i = 0; i < 200; i++)
		client_connect(&clients[i], &server);
	while (rig.status.connections_open < 200) {
		uint64_t before = rig.status.connections_open;
		size_t now;

		rig_round(&rig);
		now = rig.status.connections_open - before;
		ck_assert_uint_ge(now, 1);
		if (before == 0)
			ck_assert_uint_eq(now, 1);
		most = now > most ? now : most;
	}
	ck_assert_uint_eq(most, 16);
	rig_expect_rest(&rig);
	close_many(clients, 200);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);

	/* One at a time again. */
	for (int i = 0; i < 3; i++)
		connect_many(&clients[i], 1);
	for (int i = 3; i < 6; i++)
		client_connect(&clients[i], &server);
	rig_round(&rig);
	ck_assert_uint_eq(rig.status.connections_open, 4);
	close_many(clients, 6);
	rig_close(&rig);
}
END_TEST

/* Replies to several small pieces do not wait for one another's acknowledgement (tcp(7)). */
START_TEST(sends_at_once)
{
	struct client client;
	int value = 0;
	socklen_t length = sizeof(value);

	open_listening();
	connect_many(&client, 1);
	ck_assert_int_eq(getsockopt(connection_at(&rig.streams.context, 0)->fd, IPPROTO_TCP,
				    TCP_NODELAY, &value, &length),
			 0);
	ck_assert_int_ne(value, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* A real connection, whose server's end the test accepts itself. */
static int connect_to_test(struct client *client)
{
	struct address address = rig_address("127.0.0.1", 0);
	int listener = socket_open(&address, SOCK_STREAM), fd;

	ck_assert_int_eq(socket_get_name(listener, &address), 0);
	client_connect(client, &address);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	close(listener);
	return fd;
}

/* The same of one that was handed over connected. */
START_TEST(sends_at_once_over_a_connection_taken)
{
	struct client client;
	int value = 0, fd = connect_to_test(&client);
	socklen_t length = sizeof(value);

	rig_open(&rig, &service);
	rig_serve_fd(&rig, fd, AF_INET, ENDPOINT_CONNECTED);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
	ck_assert_int_ne(value, 0);
	expect_service(&client);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Exactly as many as allowed; one more is closed at once, and when one ends there is room for one.
 */
START_TEST(connections_max)
{
	struct client clients[3], extra;

	open_listening();
	rig.admission.maximum = 3;
	connect_many(clients, 3);
	for (int round = 1; round <= 2; round++) {
		client_connect(&extra, &server);
		RIG_UNTIL(&rig, client_is_over(&extra));
		ck_assert_int_eq(extra.error, 0);
		ck_assert_uint_eq(extra.length, 0);
		client_close(&extra);
		ck_assert_uint_eq(rig.status.connections_open, 3);
		ck_assert_uint_eq(rig.status.refused[REFUSAL_CONNECTIONS_MAX], (unsigned)round);
		for (int i = 0; i < 3; i++)
			expect_service(&clients[i]);

		client_close(&clients[round]);
		RIG_UNTIL(&rig, rig.status.connections_open == 2);
		connect_many(&clients[round], 1);
	}
	ck_assert_uint_eq(rig.status.connections_served, 5);
	ck_assert_uint_eq(rig.status.connections_refused, 2);
	close_many(clients, 3);
	rig_close(&rig);
}
END_TEST

static void connect_from(struct client *client, const char *host)
{
	struct address own = rig_address(host, 0);

	client_open(client, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ck_assert_int_eq(bind(client->fd, &own.any, own.length), 0);
	ck_assert_int_eq(connect(client->fd, &server.any, server.length), 0);
}

START_TEST(connections_max_per_source)
{
	struct client first[2], second, extra;

	open_listening();
	rig.admission.maximum_per_source = 2;
	connect_from(&first[0], "127.0.0.1");
	connect_from(&first[1], "127.0.0.1");
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 2);
	connect_from(&extra, "127.0.0.1");
	RIG_UNTIL(&rig, client_is_over(&extra));
	ck_assert_uint_eq(rig.status.refused[REFUSAL_PER_SOURCE], 1);
	client_close(&extra);
	connect_from(&second, "127.0.0.2");
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 3);
	expect_service(&second);
	client_close(&first[0]);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 2);
	connect_from(&first[0], "127.0.0.1");
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 3);
	expect_service(&first[0]);
	close_many(first, 2);
	client_close(&second);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 0);
	ck_assert_ptr_null(rig.admission.sources);
	rig_close(&rig);
}
END_TEST

/* Those that an earlier process had count as before, and no more than may be come back. */
START_TEST(connections_max_per_source_of_the_restored)
{
	struct client restored[3], extra;
	int copies[3];

	open_listening();
	rig.admission.maximum_per_source = 2;
	for (int i = 0; i < 3; i++) {
		struct store_entry entry = {.fd = connect_to_test(&restored[i]), .state = -1};

		/* The manager may have it still. */
		copies[i] = dup(entry.fd);
		ck_assert_int_eq(streams_restore(&rig.streams, &entry), i < 2 ? 0 : -EDQUOT);
	}
	RIG_UNTIL(&rig, client_is_over(&restored[2]));
	connect_from(&extra, "127.0.0.1");
	RIG_UNTIL(&rig, client_is_over(&extra));
	ck_assert_uint_eq(rig.status.refused[REFUSAL_PER_SOURCE], 1);
	client_close(&extra);
	for (int i = 0; i < 2; i++)
		expect_service(&restored[i]);
	client_close(&restored[0]);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 1);
	connect_from(&extra, "127.0.0.1");
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 2);
	expect_service(&extra);
	client_close(&extra);
	close_many(&restored[1], 2);
	for (int i = 0; i < 3; i++)
		close(copies[i]);
	rig_close(&rig);
}
END_TEST

/* Those that leave are replaced in the table by the last, which must know where it is. */
START_TEST(table)
{
	static const int order[] = {0, 9, 4, 1, 8, 2, 7, 5};
	struct client clients[10];
	size_t left = 10;

	open_listening();
	connect_many(clients, 10);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		client_close(&clients[order[i]]);
		left--;
		RIG_UNTIL(&rig, rig.streams.context.connections.count == left);
		for (size_t j = 0; j < left; j++)
			ck_assert_uint_eq(connection_at(&rig.streams.context, j)->entry.index, j);
	}
	expect_service(&clients[3]);
	expect_service(&clients[6]);
	close_many(clients, 10);
	rig_close(&rig);
}
END_TEST

/* All at once, in the same round. */
START_TEST(many_end_together)
{
	struct client clients[100];

	open_listening();
	connect_many(clients, 100);
	for (int i = 0; i < 100; i++)
		client_close(&clients[i]);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 0);
	connect_many(clients, 2);
	expect_service(&clients[1]);
	close_many(clients, 2);
	rig_close(&rig);
}
END_TEST

/* The soft limit becomes so many more descriptors than are open now. Returns what it was. */
static struct rlimit limit_descriptors(unsigned more)
{
	struct rlimit before, limit;
	int next = dup(rig.endpoints[0].fd);

	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)next + more;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void expect_counts(unsigned paused, unsigned resumed)
{
	ck_assert_uint_eq(rig.status.accepting_paused[SHORTAGE_DESCRIPTORS], paused);
	ck_assert_uint_eq(rig.status.accepting_paused[SHORTAGE_MEMORY], 0);
	ck_assert_uint_eq(rig.status.accepting_resumed, resumed);
}

/* Out of descriptors: those that are connected go on, nothing spins, and as soon as one ends the
 * next is accepted. */
START_TEST(out_of_descriptors)
{
	struct client clients[5];
	struct rlimit before;

	open_listening();
	for (int i = 0; i < 5; i++)
		client_connect(&clients[i], &server);
	before = limit_descriptors(2);
	RIG_UNTIL(&rig, rig.streams.paused);
	ck_assert_uint_eq(rig.streams.context.connections.count, 2);
	rig_expect_rest(&rig);
	expect_service(&clients[0]);
	expect_service(&clients[1]);
	ck_assert_uint_eq(rig.status.connections_refused, 0);
	/* Trying again in vain is told of no more. */
	streams_resume(&rig.streams);
	RIG_UNTIL(&rig, rig.streams.paused);
	expect_counts(1, 0);

	/* A client's descriptor is one, and its connection's another. */
	client_close(&clients[0]);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 3);
	expect_service(&clients[2]);
	expect_service(&clients[3]);
	RIG_UNTIL(&rig, rig.streams.paused);
	rig_expect_rest(&rig);
	expect_counts(2, 1);

	/* Room that nobody of ours made: a timer tries again. */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	rig_expect_rest(&rig);
	streams_resume(&rig.streams);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 4);
	expect_service(&clients[4]);
	ck_assert(!rig.streams.paused);
	expect_counts(2, 2);
	close_many(clients, 5);
	rig_close(&rig);
}
END_TEST

/* Each way to be short of something (accept(2)): it is told which, and nothing spins. */
START_TEST(short_of_something)
{
	static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
	enum shortage why = _i < 2 ? SHORTAGE_DESCRIPTORS : SHORTAGE_MEMORY;
	struct client client;

	open_listening();
	client_connect(&client, &server);
	accept_error = errors[_i];
	RIG_UNTIL(&rig, rig.streams.paused);
	rig_expect_rest(&rig);
	ck_assert_uint_eq(rig.status.accepting_paused[why], 1);
	streams_resume(&rig.streams);
	expect_service(&client);
	ck_assert_uint_eq(rig.status.accepting_resumed, 1);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Any other error is of one who has gone: the next is accepted. */
START_TEST(others_errors)
{
	static const int errors[] = {EINTR, EAGAIN, ECONNABORTED, EPROTO, ENETDOWN, EPERM};
	struct client client;

	open_listening();
	client_connect(&client, &server);
	accept_error = errors[_i];
	expect_service(&client);
	ck_assert_uint_eq(rig.status.limited, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* To stop while paused, and to resume what is stopped, are both nothing. */
START_TEST(stops_while_paused)
{
	struct client clients[3];
	struct rlimit before;

	open_listening();
	for (int i = 0; i < 3; i++)
		client_connect(&clients[i], &server);
	before = limit_descriptors(2);
	RIG_UNTIL(&rig, rig.streams.paused);
	streams_stop(&rig.streams);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	streams_resume(&rig.streams);
	client_close(&clients[0]);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 1);
	rig_expect_rest(&rig);
	expect_service(&clients[1]);
	close_many(clients, 3);
	rig_close(&rig);
}
END_TEST

/* Who connects after the stop is left to whoever holds the socket next; who is connected is served.
 */
START_TEST(stops)
{
	struct client before, after;

	open_listening();
	connect_many(&before, 1);
	streams_stop(&rig.streams);
	client_connect(&after, &server);
	rig_expect_rest(&rig);
	ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	expect_service(&before);
	ck_assert_uint_eq(client_read(&after), 0);
	ck_assert(!client_is_over(&after));
	client_close(&before);
	client_close(&after);
	rig_close(&rig);
}
END_TEST

/* Gone before it was accepted (ECONNABORTED on other systems): the next is served. */
START_TEST(reset_in_the_backlog)
{
	struct client gone, client;

	open_listening();
	client_connect(&gone, &server);
	client_reset(&gone);
	client_connect(&client, &server);
	expect_service(&client);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 1);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* A welcoming socket that somebody shut down (ss -K does it) is never ready to accept and always
 * ready: it is left alone, and the others are served. */
START_TEST(dead_listener)
{
	static const int ways[] = {SHUT_RDWR, SHUT_RD};
	struct address address;
	struct client client;
	char name[64];
	int fd;

	open_listening();
	snprintf(name, sizeof(name), "@test-streams-%d", (int)getpid());
	ck_assert_int_eq(address_from_path(name, &address), 0);
	fd = socket_open(&address, SOCK_STREAM);
	ck_assert_int_ge(fd, 0);
	rig_serve_fd(&rig, fd, AF_UNIX, ENDPOINT_LISTENING);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(shutdown(rig.endpoints[i].fd, ways[_i]), 0);
	rig_expect_rest(&rig);
	server = rig_serve(&rig, "127.0.0.1", SOCK_STREAM);
	client_connect(&client, &server);
	expect_service(&client);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* To walk all of them has its price, however little time one has left. */
START_TEST(sweeps_now_and_then)
{
	struct client client;

	open_listening();
	rig.exchange.idle_timeout = SECOND;
	connect_many(&client, 1);
	rig.loop.now += SECOND - 1000;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.next_sweep, rig.loop.now + SECOND / 10);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Silent for exactly so long: closed, and those that were active meanwhile are not. */
START_TEST(sweeps_the_silent)
{
	struct client silent, active;
	uint64_t begin;

	open_listening();
	rig.exchange.idle_timeout = 10 * SECOND;
	connect_many(&silent, 1);
	/* At a whole millisecond, as silence is measured in. */
	begin = rig.loop.now = (rig.loop.now / 1000 + 1000) * 1000;
	expect_service(&silent);
	connect_many(&active, 1);
	ck_assert_uint_eq(rig.loop.now, begin);
	ck_assert_uint_le(rig.streams.context.next_sweep, begin + 10 * SECOND);

	rig.loop.now = begin + 6 * SECOND;
	expect_service(&active);
	ck_assert_uint_le(rig.streams.context.next_sweep, begin + 10 * SECOND);

	rig.loop.now = begin + 10 * SECOND - 1;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 2);
	/* At most a tenth of a second late. */
	ck_assert_uint_gt(rig.streams.context.next_sweep, rig.loop.now);
	ck_assert_uint_le(rig.streams.context.next_sweep, begin + 10 * SECOND + SECOND / 10);

	rig.loop.now = begin + 10 * SECOND;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	ck_assert_uint_eq(rig.streams.context.next_sweep, begin + 16 * SECOND);
	RIG_UNTIL(&rig, client_is_over(&silent));
	ck_assert_int_eq(silent.error, 0);
	expect_service(&active);
	client_close(&silent);
	client_close(&active);
	rig_close(&rig);
}
END_TEST

/* One that does not read its answers is silent, too. */
START_TEST(sweeps_who_never_reads)
{
	struct client client;

	open_listening();
	rig.exchange.idle_timeout = 10 * SECOND;
	connect_many(&client, 1);
	(void)rig_flood(&rig, &client, 'x');
	rig.loop.now += 9 * SECOND;
	rig_expect_rest(&rig);
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	rig.loop.now += SECOND;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Sends one byte after another, some seconds between, the first 9 seconds after it connected. */
static void drip(struct client *client, const char *bytes, size_t length, uint64_t seconds)
{
	rig.exchange.idle_timeout = 10 * SECOND;
	connect_many(client, 1);
	rig.loop.now += 9 * SECOND;
	for (size_t i = 0; i < length; i++) {
		uint64_t before = rig.status.bytes_in;

		rig.loop.now += i ? seconds * SECOND : 0;
		client_send(client, bytes + i, 1);
		RIG_UNTIL(&rig, rig.status.bytes_in == before + 1);
		streams_sweep(&rig.streams);
		ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	}
}

static const struct {
	enum framing framing;
	const char *message; /* of 8 bytes */
	const char *reply;
} drips[] = {
	{FRAMING_LINE, "dripped\n", "DRIPPED\n"},
	{FRAMING_LENGTH, "\0\0\0\4drip", "\0\0\0\4DRIP"},
	{FRAMING_STREAM, "dripping", "DRIPPING"},
};

/* A message has idle_timeout from its first byte on to become whole in, however it drips in; and so
 * has the next one. */
START_TEST(sweeps_who_drips)
{
	struct client client;

	open_listening();
	rig.exchange.framing = drips[_i].framing;
	drip(&client, drips[_i].message, 7, 1);
	/* 9 seconds after the first byte. */
	rig.loop.now += 3 * SECOND;
	client_send(&client, drips[_i].message + 7, 1);
	RIG_UNTIL(&rig, client_read(&client) == 8);
	ck_assert_mem_eq(client.bytes, drips[_i].reply, 8);
	rig.loop.now += 9 * SECOND;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	client_close(&client);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 0);

	drip(&client, drips[_i].message, 5, 2);
	rig.loop.now += 2 * SECOND;
	/* One more just when it is too late: nothing comes of it, and where there is no message it
	 * is answered. */
	client_send(&client, drips[_i].message + 5, 1);
	streams_sweep(&rig.streams);
	if (drips[_i].framing == FRAMING_STREAM) {
		RIG_UNTIL(&rig, client_read(&client) == 6);
		ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	} else {
		ck_assert_uint_eq(rig.streams.context.connections.count, 0);
		RIG_UNTIL(&rig, client_is_over(&client));
	}
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Who has sent something while the process was stopped, or taken what was waiting for it, was not
 * silent, though the timer comes first. */
START_TEST(serves_before_it_sweeps)
{
	struct client silent, speaks, ends, reads;
	size_t sent;

	open_listening();
	rig.exchange.idle_timeout = 10 * SECOND;
	connect_many(&silent, 1);
	connect_many(&speaks, 1);
	connect_many(&ends, 1);
	connect_many(&reads, 1);
	sent = rig_flood(&rig, &reads, 'x');
	ck_assert_uint_lt(client_read(&reads), sent);
	client_send(&speaks, "hello", 5);
	client_send(&ends, "bye", 3);
	ck_assert_int_eq(shutdown(ends.fd, SHUT_WR), 0);
	rig.loop.now += 60 * SECOND;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 3);
	RIG_UNTIL(&rig, client_is_over(&silent));
	RIG_UNTIL(&rig, client_has(&speaks, "HELLO"));
	RIG_UNTIL(&rig, client_has(&ends, "BYE") && client_is_over(&ends));
	RIG_UNTIL(&rig, client_read(&reads) == sent);
	ck_assert_uint_eq(rig.streams.context.connections.count, 2);
	client_close(&silent);
	client_close(&speaks);
	client_close(&ends);
	client_close(&reads);
	rig_close(&rig);
}
END_TEST

/* Nor was who has sent the rest of a message that takes several reads; what is still unfinished
 * then is too late. */
START_TEST(reads_all_before_it_sweeps)
{
	enum { LENGTH = 8 * CONNECTION_READ_SIZE_LEAST };
	const size_t sent = LENGTH - (size_t)_i;
	char message[LENGTH];
	struct client client;

	memset(message, 'x', sizeof(message));
	message[LENGTH - 1] = '\n';
	open_listening();
	rig.exchange.framing = FRAMING_LINE;
	unsent_limit_init(&rig.unsent_limit, 0, 1, 1); /* small reads */
	rig.exchange.idle_timeout = 10 * SECOND;
	connect_many(&client, 1);
	client_send(&client, message, 1);
	RIG_UNTIL(&rig, rig.status.bytes_in == 1);
	client_send(&client, message + 1, sent - 1);
	rig.loop.now += 60 * SECOND;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.status.bytes_in, sent);
	ck_assert_uint_eq(rig.streams.context.connections.count, _i ? 0 : 1);
	RIG_UNTIL(&rig, _i ? client_is_over(&client) : client_read(&client) == LENGTH);
	ck_assert_uint_eq(client.length, _i ? 0 : LENGTH);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

START_TEST(sweeps_many)
{
	struct client clients[64];

	open_listening();
	rig.exchange.idle_timeout = 10 * SECOND;
	connect_many(clients, 64);
	rig.loop.now += 5 * SECOND;
	for (int i = 0; i < 64; i += 3)
		expect_service(&clients[i]);
	rig.loop.now += 5 * SECOND;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 22);
	for (int i = 0; i < 64; i += 3)
		expect_service(&clients[i]);
	close_many(clients, 64);
	rig_close(&rig);
}
END_TEST

/* A connection that comes while a sweep is overdue does not put it off. */
START_TEST(overdue_sweep_stays_due)
{
	struct client silent, late;
	uint64_t due;

	open_listening();
	rig.exchange.idle_timeout = 10 * SECOND;
	connect_many(&silent, 1);
	due = rig.streams.context.next_sweep;
	rig.loop.now = due + 5000;
	connect_many(&late, 1);
	ck_assert_uint_eq(rig.streams.context.next_sweep, due);
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	ck_assert_uint_eq(rig.streams.context.next_sweep, due + 5000 + 10 * SECOND);
	client_close(&silent);
	client_close(&late);
	rig_close(&rig);
}
END_TEST

/* Without an idle timeout nothing is ever due, but for those that linger. */
START_TEST(never_sweeps)
{
	struct client silent, done;

	open_listening();
	connect_many(&silent, 1);
	ck_assert_uint_eq(rig.streams.context.next_sweep, UINT64_MAX);
	rig.exchange.once = true;
	connect_many(&done, 1);
	expect_service(&done);
	ck_assert_uint_ne(rig.streams.context.next_sweep, UINT64_MAX);
	rig.loop.now = rig.streams.context.next_sweep;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	ck_assert_uint_eq(rig.streams.context.next_sweep, UINT64_MAX);
	client_close(&silent);
	client_close(&done);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	const char *no_limit = unit_lacks_descriptor_limit();
	const struct unit_row rows[] = {
		UNIT_ONCE("accepting", accepts_all),
		UNIT_ONCE("accepting", accepts_as_many_as_come),
		UNIT_ONCE("accepting", sends_at_once),
		UNIT_ONCE("accepting", sends_at_once_over_a_connection_taken),
		UNIT_ONCE("accepting", reset_in_the_backlog),
		UNIT_LOOP("accepting", dead_listener, 0, 2),
		UNIT_LOOP("accepting", others_errors, 0, 6),
		UNIT_ONCE("limits", connections_max),
		UNIT_ONCE("limits", connections_max_per_source),
		UNIT_ONCE("limits", connections_max_per_source_of_the_restored),
		UNIT_LOOP_UNLESS(no_limit, "limits", out_of_descriptors, 0, 1),
		UNIT_LOOP("limits", short_of_something, 0, 4),
		UNIT_ONCE("table", table),
		UNIT_ONCE("table", many_end_together),
		UNIT_ONCE("streams_stop", stops),
		UNIT_LOOP_UNLESS(no_limit, "streams_stop", stops_while_paused, 0, 1),
		UNIT_ONCE("streams_sweep", sweeps_now_and_then),
		UNIT_ONCE("streams_sweep", sweeps_the_silent),
		UNIT_ONCE("streams_sweep", sweeps_who_never_reads),
		UNIT_LOOP("streams_sweep", sweeps_who_drips, 0, 3),
		UNIT_ONCE("streams_sweep", serves_before_it_sweeps),
		UNIT_LOOP("streams_sweep", reads_all_before_it_sweeps, 0, 2),
		UNIT_ONCE("streams_sweep", sweeps_many),
		UNIT_ONCE("streams_sweep", overdue_sweep_stays_due),
		UNIT_ONCE("streams_sweep", never_sweeps),
		{0},
	};

	return unit_run("streams", rows);
}
