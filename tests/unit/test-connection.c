/* SPDX-License-Identifier: ISC */

/* Tests of server/connection.h: one conversation, whatever its peer does. Each is held over a
 * socket pair and over TCP (_i, see rig_connect()). */

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loopback.h"
#include "rig.h"
#include "server/connection.h"

/* How often from now on there is no memory to wait for something else. */
static unsigned shortages;

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	if (operation != EPOLL_CTL_DEL && shortages > 0) {
		shortages--;
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

/* More than the sockets' buffers hold. */
#define MUCH ((size_t)16 << 20)

static void half_close(const struct client *client)
{
	ck_assert_int_eq(shutdown(client->fd, SHUT_WR), 0);
}

START_TEST(answers_as_it_comes)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &service);
	rig_connect(&rig, &client, _i);
	client_send(&client, "hel", 3);
	RIG_UNTIL(&rig, client_has(&client, "HEL"));
	client_send(&client, "lo stra\xc3", 8);
	RIG_UNTIL(&rig, client_has(&client, "HELLO STRA"));
	client_send(&client,
		    "\x9f"
		    "e\n",
		    3);
	RIG_UNTIL(&rig, client_has(&client, "HELLO STRASSE\n"));
	ck_assert(!client.ended);
	ck_assert_uint_eq(rig.status.bytes_in, 14);
	ck_assert_uint_eq(rig.status.bytes_out, 14);
	client_close(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	rig_close(&rig);
}
END_TEST

/* All that came is answered, the unfinished too, and then the connection ends. */
START_TEST(half_close_is_answered)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &service);
	rig_connect(&rig, &client, _i);
	client_send(&client, "hello\xce", 6);
	half_close(&client);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert(client_has(&client, "HELLO\xce"));
	ck_assert_int_eq(client.error, 0);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

START_TEST(nothing_is_answered_with_an_end)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &service);
	rig_connect(&rig, &client, _i);
	half_close(&client);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert(client_has(&client, ""));
	ck_assert_int_eq(client.error, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* All of an answer came, three bytes of 'x' for each that was sent. */
static void expect_tripled(const struct client *client, size_t sent)
{
	ck_assert_uint_eq(client->length, 3 * sent);
	for (size_t i = 0; i < client->length; i++)
		if (client->bytes[i] != 'x')
			ck_abort_msg("wrong at %zu", i);
}

/* Who sends and does not read: reading stops, one bounded buffer is kept, nothing spins, and
 * another is served all the while. When it reads at last, all is there. */
START_TEST(slow_reader_costs_one_buffer)
{
	struct rig rig;
	struct client slow, other;
	size_t sent, most;

	rig_open(&rig, &rig_tripling);
	rig_connect(&rig, &slow, _i);
	rig_connect(&rig, &other, _i);
	sent = rig_flood(&rig, &slow, 'x');

	const struct connection *connection = connection_at(&rig.streams.context, 0);

	most = exchange_room(&rig.exchange, CONNECTION_READ_SIZE);
	ck_assert_int_eq(connection->state, CONNECTION_SENDING);
	ck_assert_ptr_nonnull(connection->unsent);
	ck_assert_uint_le(connection->unsent->end, most);
	/* What was read is what was sent and what is kept: there is no other place. */
	ck_assert_uint_eq(3 * rig.status.bytes_in, rig.status.bytes_out + connection->unsent->end -
							   connection->unsent->begin);
	ck_assert_uint_lt(rig.status.bytes_in, sent);
	rig_expect_rest(&rig);

	client_send(&other, "ab", 2);
	for (int i = 0; i < 3 && other.length < 6; i++) {
		rig_round(&rig);
		client_read(&other);
	}
	ck_assert(client_has(&other, "aaabbb"));

	half_close(&slow);
	RIG_UNTIL(&rig, client_is_over(&slow));
	ck_assert_int_eq(slow.error, 0);
	expect_tripled(&slow, sent);
	client_close(&slow);
	client_close(&other);
	rig_close(&rig);
}
END_TEST

/* It reads again once all is sent, and the buffer is gone. */
START_TEST(goes_on_after_a_slow_reader)
{
	struct rig rig;
	struct client client;
	size_t sent;

	rig_open(&rig, &rig_tripling);
	rig_connect(&rig, &client, _i);
	sent = rig_flood(&rig, &client, 'x');
	RIG_UNTIL(&rig, client_read(&client) == 3 * sent);
	ck_assert_int_eq(connection_at(&rig.streams.context, 0)->state, CONNECTION_READING);
	ck_assert_ptr_null(connection_at(&rig.streams.context, 0)->unsent);
	client_send(&client, "x", 1);
	RIG_UNTIL(&rig, client_read(&client) == 3 * (sent + 1));
	expect_tripled(&client, sent + 1);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Near the limit of what is unsent everybody is read in small pieces: who takes nothing can't make
 * the sum grow by more than one of them, and who does has all answers. In full ones again below. */
START_TEST(small_pieces_near_the_limit)
{
	struct rig rig;
	struct client stuck, slow, other;
	size_t largest, least, sent, before;
	char bytes[8 * CONNECTION_READ_SIZE_LEAST];

	rig_open(&rig, &rig_tripling);
	largest = exchange_room(&rig.exchange, CONNECTION_READ_SIZE);
	least = exchange_room(&rig.exchange, CONNECTION_READ_SIZE_LEAST);
	unsent_limit_init(&rig.unsent_limit, largest - least, 1, largest - least);
	rig_connect(&rig, &stuck, _i);
	rig_connect(&rig, &slow, _i);
	rig_connect(&rig, &other, _i);
	sent = rig_flood(&rig, &stuck, 'x');
	ck_assert_uint_eq(rig.status.reads_shortened, 0);
	before = rig.unsent_limit.kept;
	ck_assert_uint_gt(before, 0);
	ck_assert_uint_le(before, largest);
	ck_assert_uint_eq(rig.status.bytes_unsent, before);

	(void)rig_flood(&rig, &slow, 'x');
	RIG_UNTIL(&rig, rig.unsent_limit.kept > before);
	ck_assert_uint_le(rig.unsent_limit.kept, before + least);
	ck_assert_uint_gt(rig.status.reads_shortened, 0);

	memset(bytes, 'x', sizeof(bytes));
	client_send(&other, bytes, sizeof(bytes));
	RIG_UNTIL(&rig, client_read(&other) == 3 * sizeof(bytes));
	expect_tripled(&other, sizeof(bytes));

	/* They go or read on: the sum falls, to nothing at last. */
	client_close(&slow);
	RIG_UNTIL(&rig, client_read(&stuck) == 3 * sent);
	expect_tripled(&stuck, sent);
	RIG_UNTIL(&rig, rig.unsent_limit.kept == 0);
	before = rig.status.reads_shortened;
	client_send(&other, bytes, sizeof(bytes));
	RIG_UNTIL(&rig, client_read(&other) == 6 * sizeof(bytes));
	ck_assert_uint_eq(rig.status.reads_shortened, before);
	client_close(&stuck);
	client_close(&other);
	rig_close(&rig);
}
END_TEST

/* A send buffer that takes little at a time: every reply goes out in many pieces. */
START_TEST(short_writes)
{
	struct rig rig;
	struct client client;
	const int small = 1;
	size_t sent = 0;
	char bytes[50000];

	rig_open(&rig, &rig_tripling);
	rig_connect(&rig, &client, _i);
	ck_assert_int_eq(setsockopt(connection_at(&rig.streams.context, 0)->fd, SOL_SOCKET,
				    SO_SNDBUF, &small, sizeof(small)),
			 0);
	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < 10; i++) {
		client_send(&client, bytes, sizeof(bytes));
		sent += sizeof(bytes);
		RIG_UNTIL(&rig, client_read(&client) == 3 * sent);
	}
	expect_tripled(&client, sent);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* --once: the answer, the end, and no reset though the client sends on. */
START_TEST(once_ends_gently)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &service);
	rig.exchange.once = true;
	rig_connect(&rig, &client, _i);
	client_send(&client, "hello", 5);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert(client_has(&client, "HELLO"));
	ck_assert_int_eq(client.error, 0);
	ck_assert_int_eq(connection_at(&rig.streams.context, 0)->state, CONNECTION_LINGERING);

	for (int i = 0; i < 5; i++) {
		client_send(&client, "more", 4);
		rig_round(&rig);
	}
	rig_expect_rest(&rig);
	ck_assert_uint_eq(rig.status.connections_open, 1);
	client_close(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	rig_close(&rig);
}
END_TEST

/* Its client does not close: two seconds, whatever it sends, and not a millisecond less. */
START_TEST(lingers_so_long_and_no_longer)
{
	struct rig rig;
	struct client client;
	uint64_t begin;

	rig_open(&rig, &service);
	rig.exchange.once = true;
	rig_connect(&rig, &client, _i);
	client_send(&client, "hello", 5);
	RIG_UNTIL(&rig, client_is_over(&client));
	begin = rig.streams.context.next_sweep - CONNECTION_LINGER_USEC;

	rig.loop.now = begin + CONNECTION_LINGER_USEC - 1000;
	client_send(&client, "more", 4);
	rig_round(&rig);
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.status.connections_open, 1);
	rig.loop.now = begin + CONNECTION_LINGER_USEC;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* From its end on, however long ago anything that counts had come before. */
START_TEST(lingers_as_long_after_a_message_that_dripped)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &service);
	rig.exchange.framing = FRAMING_LINE;
	rig.exchange.message_max = 8;
	rig_connect(&rig, &client, _i);
	client_send(&client, "exactly8", 8);
	RIG_UNTIL(&rig, rig.status.bytes_in == 8);
	rig.loop.now += 2 * CONNECTION_LINGER_USEC;
	client_send(&client, "more", 4);
	RIG_UNTIL(&rig, client_is_over(&client));
	rig.loop.now += CONNECTION_LINGER_USEC / 2;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.status.connections_open, 1);
	client_close(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	rig_close(&rig);
}
END_TEST

/* Its last answer is one, too: time to take it begins with the end of the question. */
START_TEST(half_close_is_progress)
{
	static char bytes[100000];
	struct rig rig;
	struct client client;

	rig_open(&rig, &rig_tripling);
	rig.exchange.framing = FRAMING_LINE;
	rig.exchange.message_max = sizeof(bytes);
	rig.exchange.idle_timeout = 10000000;
	rig_connect(&rig, &client, 0);
	client_send(&client, bytes, sizeof(bytes));
	RIG_UNTIL(&rig, rig.status.bytes_in == sizeof(bytes));
	rig.loop.now += 9000000;
	half_close(&client);
	RIG_UNTIL(&rig, rig.status.bytes_unsent > 0);
	rig.loop.now += 9000000;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.status.connections_open, 1);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert_uint_eq(client.length, 3 * sizeof(bytes));
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* A bad message: what was answered before it is sent, then the end. */
START_TEST(bad_message_ends_it)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &service);
	rig.exchange.framing = FRAMING_LINE;
	rig.exchange.message_max = 8;
	rig_connect(&rig, &client, _i);
	client_send(&client, "good\nexactly8\nlonger than eight\nlost\n", 37);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert(client_has(&client, "GOOD\nEXACTLY8\n"));
	ck_assert_int_eq(client.error, 0);
	client_close(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	rig_close(&rig);
}
END_TEST

START_TEST(unfinished_message_ends_it)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &service);
	rig.exchange.framing = FRAMING_LENGTH;
	rig_connect(&rig, &client, _i);
	client_send(&client, "\0\0\0\2hi\0\0\0\12abc", 13);
	half_close(&client);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert_uint_eq(client.length, 6);
	ck_assert_mem_eq(client.bytes, "\0\0\0\2HI", 6);
	ck_assert_int_eq(client.error, 0);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

static size_t count_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++) {
		int copy = dup(fd);

		count += copy >= 0;
		if (copy >= 0)
			close(copy);
	}
	return count;
}

/* Where a connection is when its peer goes away without a good-bye. */
enum stage {
	STAGE_SILENT,
	STAGE_ASKED,
	STAGE_ANSWERED,
	STAGE_HALF_CLOSED,
	STAGE_SENDING,
	STAGE_SENDING_HALF_CLOSED,
	STAGE_UNFINISHED,
	STAGE_LINGERING,
	STAGE_COUNT,
};

static void come_to(struct rig *rig, struct client *client, enum stage stage)
{
	switch (stage) {
	case STAGE_ASKED:
		client_send(client, "hello", 5);
		break;
	case STAGE_ANSWERED:
		client_send(client, "hello", 5);
		RIG_UNTIL(rig, rig->status.bytes_out > 0);
		break;
	case STAGE_HALF_CLOSED:
		client_send(client, "hello", 5);
		half_close(client);
		break;
	case STAGE_SENDING:
	case STAGE_SENDING_HALF_CLOSED:
		(void)rig_flood(rig, client, 'x');
		if (stage == STAGE_SENDING_HALF_CLOSED)
			half_close(client);
		break;
	case STAGE_UNFINISHED:
		rig->exchange.framing = FRAMING_LINE;
		client_send(client, "hel", 3);
		RIG_UNTIL(rig, rig->status.bytes_in > 0);
		break;
	case STAGE_LINGERING:
		rig->exchange.once = true;
		client_send(client, "hello", 5);
		RIG_UNTIL(rig, client_is_over(client));
		break;
	case STAGE_SILENT:
	case STAGE_COUNT:
	default:
		break;
	}
}

/* A reset at any stage ends this connection, and nothing is left of it. */
START_TEST(reset_at_any_stage)
{
	int way = _i / STAGE_COUNT;
	struct rig rig;
	struct client client, other;
	size_t descriptors;

	rig_open(&rig, &rig_tripling);
	rig_connect(&rig, &other, way);
	descriptors = count_descriptors();
	rig_connect(&rig, &client, way);
	come_to(&rig, &client, _i % STAGE_COUNT);
	client_reset(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 1);
	ck_assert_uint_eq(count_descriptors(), descriptors);
	rig_expect_rest(&rig);

	rig.exchange.framing = FRAMING_STREAM;
	client_send(&other, "x", 1);
	RIG_UNTIL(&rig, client_has(&other, "xxx"));
	client_close(&other);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	rig_close(&rig);
}
END_TEST

/* The server closes while a reply waits: all is released (a leak would show in ASan, valgrind). */
START_TEST(closed_while_sending)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &rig_tripling);
	rig_connect(&rig, &client, _i);
	(void)rig_flood(&rig, &client, 'x');
	connection_close(connection_at(&rig.streams.context, 0), CONNECTION_END_STOPPED);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	ck_assert_uint_eq(rig.streams.context.connections.count, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Asks for more than the buffers of both ends take, in one piece. */
static void ask_for_much(struct rig *rig, const struct client *client)
{
	char bytes[20000];

	memset(bytes, 'x', sizeof(bytes));
	client_send(client, bytes, sizeof(bytes));
	RIG_UNTIL(rig, rig->status.bytes_in == sizeof(bytes));
	ck_assert_ptr_nonnull(connection_at(&rig->streams.context, 0)->unsent);
}

/* What is cut off does not look like its end. Where somebody else has the socket, too (_i), he
 * can't be hurried. */
START_TEST(cut_answer_is_reset)
{
	struct address server = rig_address("127.0.0.1", 0);
	const int small = 1;
	struct client client;
	struct rig rig;
	int listener = socket_open(&server, SOCK_STREAM), fd, copy;

	rig_open(&rig, &rig_tripling);
	ck_assert_int_eq(socket_get_name(listener, &server), 0);
	ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	client_open(&client, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ck_assert_int_eq(setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	ck_assert_int_eq(connect(client.fd, &server.any, server.length), 0);
	if (_i == 0) {
		rig_serve_fd(&rig, listener, AF_INET, ENDPOINT_LISTENING);
		RIG_UNTIL(&rig, rig.status.connections_open == 1);
	} else {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		copy = dup(fd);
		rig_serve_fd(&rig, fd, AF_INET, ENDPOINT_CONNECTED);
		close(listener);
	}
	ask_for_much(&rig, &client);
	connection_close(connection_at(&rig.streams.context, 0), CONNECTION_END_STOPPED);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	if (_i > 0) {
		ck_assert(!client_is_over(&client));
		close(copy);
	}
	while (!client_is_over(&client))
		wait_for(client.fd, POLLIN);
	ck_assert_int_eq(client.error, ECONNRESET);
	ck_assert_uint_lt(client.length, 60000);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* The rest of its answer can't be waited with: it is cut, and counted. */
START_TEST(cut_where_nothing_can_be_waited_for)
{
	static char bytes[100000];
	struct client client;
	struct rig rig;

	rig_open(&rig, &rig_tripling);
	rig_connect(&rig, &client, 0);
	shortages = 1;
	client_send(&client, bytes, sizeof(bytes));
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	ck_assert_uint_eq(shortages, 0);
	ck_assert_uint_eq(rig.status.connections_cut, 1);
	ck_assert_uint_eq(rig.status.limited, 1);
	RIG_UNTIL(&rig, client_is_over(&client));
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* A descriptor that can't be waited for is closed, and not counted as served. */
START_TEST(refuses_what_epoll_refuses)
{
	struct rig rig;
	int fd = memfd_create("no poll", MFD_CLOEXEC);

	rig_open(&rig, &service);
	ck_assert_int_eq(streams_take(&rig.streams, fd), -EPERM);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	ck_assert_uint_eq(rig.status.connections_served, 0);
	ck_assert_uint_eq(rig.admission.open, 0);
	rig_close(&rig);
}
END_TEST

/* Who has sent all of it before the connection is accepted is answered in the same round, the
 * unfinished too, and it is over. */
START_TEST(answers_on_accepting)
{
	struct rig rig;
	struct client client;
	struct address server;

	rig_open(&rig, &service);
	server = rig_serve(&rig, "127.0.0.1", SOCK_STREAM);
	client_connect(&client, &server);
	client_send(&client, "hello\xce", 6);
	half_close(&client);
	rig_round(&rig);
	ck_assert_uint_eq(rig.status.connections_served, 1);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	ck_assert_uint_eq(rig.admission.open, 0);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert(client_has(&client, "HELLO\xce"));
	ck_assert_int_eq(client.error, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* As rig_connect(), or accepted over AF_UNIX (2). */
static void connect_any(struct rig *rig, struct client *client, int way)
{
	struct address server;
	char name[64];
	int fd;

	if (way < RIG_WAYS) {
		rig_connect(rig, client, way);
		return;
	}
	snprintf(name, sizeof(name), "@test-connection-%d", (int)getpid());
	ck_assert_int_eq(address_from_path(name, &server), 0);
	fd = socket_open(&server, SOCK_STREAM);
	ck_assert_int_ge(fd, 0);
	rig_serve_fd(rig, fd, AF_UNIX, ENDPOINT_LISTENING);
	client_connect(client, &server);
	RIG_UNTIL(rig, rig->status.connections_open == 1);
}

/* An urgent byte is answered in its place; behind it the end is a good one. */
START_TEST(urgent_byte_has_its_place)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &service);
	connect_any(&rig, &client, _i);
	client_send(&client, "abc", 3);
	/* Linux before 5.15, and others that were built so, have none over AF_UNIX. */
	if (send(client.fd, "d", 1, MSG_OOB) == 1) {
		half_close(&client);
		RIG_UNTIL(&rig, client_is_over(&client));
		ck_assert(client_has(&client, "ABCD"));
		ck_assert_int_eq(client.error, 0);
	} else {
		ck_assert_int_ne(_i, 1);
		ck_assert_int_eq(errno, EOPNOTSUPP);
	}
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Who may send more is waited for, asked or not. */
START_TEST(goes_on_after_accepting)
{
	struct rig rig;
	struct client client;
	struct address server;

	rig_open(&rig, &service);
	server = rig_serve(&rig, "127.0.0.1", SOCK_STREAM);
	client_connect(&client, &server);
	if (_i == 1)
		client_send(&client, "hello", 5);
	rig_round(&rig);
	ck_assert_uint_eq(rig.status.connections_open, 1);
	ck_assert_uint_eq(rig.status.bytes_out, _i == 1 ? 5 : 0);
	client_send(&client, " world", 6);
	RIG_UNTIL(&rig, client_has(&client, _i == 1 ? "HELLO WORLD" : " WORLD"));
	half_close(&client);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert_uint_eq(rig.status.connections_open, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* The end, too, is answered together with what came before it. */
START_TEST(answers_the_end_along)
{
	struct rig rig;
	struct client client;

	rig_open(&rig, &service);
	rig_connect(&rig, &client, _i);
	client_send(&client, "hello\xce", 6);
	half_close(&client);
	rig_round(&rig);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert(client_has(&client, "HELLO\xce"));
	client_close(&client);
	rig_close(&rig);
}
END_TEST

static struct tcp_info look_at(const struct client *client)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	ck_assert_int_eq(getsockopt(client->fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

/* The last answer and our end are one segment (send(2), MSG_MORE), whoever ends first: the client,
 * on accepting or later, or --once. */
START_TEST(last_answer_and_end_are_one_segment)
{
	struct rig rig;
	struct client client;
	struct address server;
	unsigned before;

	rig_open(&rig, &service);
	server = rig_serve(&rig, "127.0.0.1", SOCK_STREAM);
	rig.exchange.once = _i == 2;
	client_connect(&client, &server);
	if (_i > 0)
		RIG_UNTIL(&rig, rig.status.connections_open == 1);
	client_send(&client, "hello", 5);
	if (_i < 2)
		half_close(&client);
	/* Once all of it is acknowledged, what comes is what the server sends. */
	while (look_at(&client).tcpi_unacked > 0)
		(void)poll(NULL, 0, 1);
	before = look_at(&client).tcpi_segs_in;
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert(client_has(&client, "HELLO"));
	ck_assert_uint_eq(look_at(&client).tcpi_segs_in - before, 1);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

#define ASKED 60000

/* A client whose answer does not fit when it is accepted. */
static void ask_much_on_connecting(struct rig *rig, struct client *client)
{
	static char bytes[ASKED];
	const int small = 1;
	struct address server;

	memset(bytes, 'x', sizeof(bytes));
	rig_open(rig, &rig_tripling);
	server = rig_serve(rig, "127.0.0.1", SOCK_STREAM);
	/* Those accepted from it have it, too. */
	ck_assert_int_eq(
		setsockopt(rig->endpoints[0].fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	client_connect(client, &server);
	client_send(client, bytes, sizeof(bytes));
}

/* The rest comes later, and then the end. */
START_TEST(slow_reader_on_accepting)
{
	struct rig rig;
	struct client client;

	ask_much_on_connecting(&rig, &client);
	half_close(&client);
	rig_round(&rig);
	ck_assert_int_eq(connection_at(&rig.streams.context, 0)->state, CONNECTION_SENDING);
	RIG_UNTIL(&rig, client_is_over(&client));
	expect_tripled(&client, ASKED);
	ck_assert_int_eq(client.error, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Without memory to wait until he does, his answer does not look complete. */
START_TEST(slow_reader_who_is_refused)
{
	struct rig rig;
	struct client client;

	ask_much_on_connecting(&rig, &client);
	shortages = 1;
	rig_round(&rig);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	ck_assert_uint_eq(rig.status.refused[REFUSAL_MEMORY], 1);
	while (!client_is_over(&client))
		wait_for(client.fd, POLLIN);
	ck_assert_int_eq(client.error, ECONNRESET);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Much in both directions at once, in pieces of all sizes: nothing is lost or mixed up. */
START_TEST(duplex)
{
	struct rig rig;
	struct client client;
	char *bytes = malloc(MUCH);
	size_t sent = 0;

	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (char)('a' + i % 23);
	rig_open(&rig, &service);
	rig_connect(&rig, &client, _i);
	while (client.length < MUCH) {
		size_t piece = MUCH - sent < sent % 70001 + 1 ? MUCH - sent : sent % 70001 + 1;
		ssize_t n = send(client.fd, bytes + sent, piece, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		rig_round(&rig);
		client_read(&client);
		ck_assert(!client_is_over(&client));
	}
	for (size_t i = 0; i < MUCH; i++)
		if (client.bytes[i] != bytes[i] - 'a' + 'A')
			ck_abort_msg("wrong at %zu", i);
	free(bytes);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("reading", answers_as_it_comes, 0, RIG_WAYS),
		UNIT_LOOP("reading", half_close_is_answered, 0, RIG_WAYS),
		UNIT_LOOP("reading", nothing_is_answered_with_an_end, 0, RIG_WAYS),
		UNIT_LOOP("reading", answers_the_end_along, 0, RIG_WAYS),
		UNIT_LOOP("reading", urgent_byte_has_its_place, 0, RIG_WAYS + 1),
		UNIT_LOOP("reading", duplex, 0, RIG_WAYS),
		UNIT_LOOP("sending", slow_reader_costs_one_buffer, 0, RIG_WAYS),
		UNIT_LOOP("sending", goes_on_after_a_slow_reader, 0, RIG_WAYS),
		UNIT_LOOP("sending", small_pieces_near_the_limit, 0, RIG_WAYS),
		UNIT_LOOP("sending", short_writes, 0, RIG_WAYS),
		UNIT_LOOP("lingering", once_ends_gently, 0, RIG_WAYS),
		UNIT_LOOP("lingering", lingers_so_long_and_no_longer, 0, RIG_WAYS),
		UNIT_LOOP("lingering", bad_message_ends_it, 0, RIG_WAYS),
		UNIT_LOOP("lingering", unfinished_message_ends_it, 0, RIG_WAYS),
		UNIT_LOOP("reset", reset_at_any_stage, 0, RIG_WAYS * STAGE_COUNT),
		UNIT_LOOP("connection_close", closed_while_sending, 0, RIG_WAYS),
		UNIT_LOOP("ends", lingers_as_long_after_a_message_that_dripped, 0, RIG_WAYS),
		UNIT_ONCE("ends", half_close_is_progress),
		UNIT_LOOP("connection_close", cut_answer_is_reset, 0, 2),
		UNIT_ONCE("connection_begin", answers_on_accepting),
		UNIT_LOOP("connection_begin", goes_on_after_accepting, 0, 2),
		UNIT_LOOP("connection_begin", last_answer_and_end_are_one_segment, 0, 3),
		UNIT_ONCE("connection_begin", slow_reader_on_accepting),
		UNIT_ONCE("connection_begin", slow_reader_who_is_refused),
		UNIT_ONCE("connection_close", cut_where_nothing_can_be_waited_for),
		UNIT_ONCE("connection_begin", refuses_what_epoll_refuses),
		{0},
	};

	return unit_run("connection", rows);
}
