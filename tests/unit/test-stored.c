/* SPDX-License-Identifier: ISC */

/* Tests of server/stored.h: connections that go on from a memfd, and memfds that none goes on from.
 */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"
#include "server/connection.h"
#include "server/stored.h"
#include "util/error.h"

static struct rig rig;

/* The one connection of the rig. */
static struct connection *only(void)
{
	ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	return connection_at(&rig.streams.context, 0);
}

/* Hands the connection to a new one on the same socket, as a restart does. */
static void hand_over(void)
{
	bool at_rest = connection_is_at_rest(only());
	int state = at_rest ? -1 : stored_write(only());
	int fd = fcntl(only()->fd, F_DUPFD_CLOEXEC, 10);

	ck_assert(at_rest || state >= 0);
	ck_assert_int_ge(fd, 0);
	connection_let_go(only());
	ck_assert_int_eq(streams_restore(&rig.streams, &(struct store_entry){fd, state, 0}), 0);
	if (state >= 0)
		ck_assert_int_eq(close(state), 0);
}

START_TEST(goes_on_between_messages)
{
	struct client client;

	rig_open(&rig, &service);
	rig_connect(&rig, &client, _i);
	client_send(&client, "one", 3);
	RIG_UNTIL(&rig, client_has(&client, "ONE"));
	ck_assert(connection_is_at_rest(only()));
	hand_over();
	client_send(&client, "two", 3);
	RIG_UNTIL(&rig, client_has(&client, "ONETWO"));
	client_close(&client);
	rig_close(&rig);
}
END_TEST

START_TEST(goes_on_in_a_character)
{
	struct client client;

	rig_open(&rig, &service);
	rig_connect(&rig, &client, _i);
	client_send(&client, "a\xc3", 2);
	RIG_UNTIL(&rig, client_has(&client, "A"));
	ck_assert(!connection_is_at_rest(only()));
	hand_over();
	client_send(&client, "\x9f", 1);
	RIG_UNTIL(&rig, client_has(&client, "ASS"));
	client_close(&client);
	rig_close(&rig);
}
END_TEST

START_TEST(goes_on_with_an_unsent_answer)
{
	struct client client;
	size_t sent, wrong = 0;

	rig_open(&rig, &service);
	rig_connect(&rig, &client, _i);
	sent = rig_flood(&rig, &client, 'x');
	ck_assert_int_eq(only()->state, CONNECTION_SENDING);
	hand_over();
	hand_over();
	/* It counts where it is restored. */
	ck_assert_uint_gt(rig.unsent_limit.kept, 0);
	ck_assert_uint_eq(rig.unsent_limit.kept, only()->unsent->end);
	ck_assert_uint_eq(rig.status.bytes_unsent, only()->unsent->end);
	RIG_UNTIL(&rig, client_read(&client) == sent);
	for (size_t i = 0; i < sent; i++)
		wrong += client.bytes[i] != 'X';
	ck_assert_uint_eq(wrong, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Part of it is sent by then, and part of what was kept of it. */
START_TEST(goes_on_in_the_middle_of_an_answer)
{
	static char bytes[150000];
	struct client client;
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % 251);
	rig_open(&rig, &rig_tripling);
	rig_connect(&rig, &client, 0);
	client_send(&client, bytes, sizeof(bytes));
	RIG_UNTIL(&rig, rig.status.bytes_in == sizeof(bytes));
	(void)client_read(&client);
	rig_round(&rig);
	ck_assert_ptr_nonnull(only()->unsent);
	ck_assert_uint_gt(only()->unsent->begin, 0);
	hand_over();
	RIG_UNTIL(&rig, client_read(&client) == 3 * sizeof(bytes));
	for (size_t i = 0; i < client.length; i++)
		wrong += client.bytes[i] != bytes[i / 3];
	ck_assert_uint_eq(wrong, 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

START_TEST(goes_on_to_the_end)
{
	struct client client;

	rig_open(&rig, &service);
	rig.exchange.once = true;
	rig_connect(&rig, &client, _i);
	client_send(&client, "one", 3);
	RIG_UNTIL(&rig, client_has(&client, "ONE") && client.ended);
	rig.streams.context.next_sweep = PARSE_INFINITY;
	ck_assert_int_eq(only()->state, CONNECTION_LINGERING);
	hand_over();
	ck_assert_int_eq(only()->state, CONNECTION_LINGERING);
	ck_assert_uint_le(rig.streams.context.next_sweep, rig.loop.now + CONNECTION_LINGER_USEC);
	client_close(&client);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 0);
	rig_close(&rig);
}
END_TEST

/* In the next process a message that drips in has its time once more, and no more than that. */
START_TEST(goes_on_with_a_message_that_drips)
{
	struct client client;

	rig_open(&rig, &service);
	rig.exchange.framing = FRAMING_LINE;
	rig_connect(&rig, &client, _i);
	client_send(&client, "dr", 2);
	RIG_UNTIL(&rig, rig.status.bytes_in == 2);
	rig.loop.now += 9000000;
	ck_assert_uint_ge(connection_silence(only()), 9000000);
	hand_over();
	ck_assert_uint_eq(connection_silence(only()), 0);
	rig.loop.now += 9000000;
	client_send(&client, "ip", 2);
	RIG_UNTIL(&rig, rig.status.bytes_in == 4);
	ck_assert_uint_ge(connection_silence(only()), 9000000);
	client_send(&client, "\n", 1);
	RIG_UNTIL(&rig, client_has(&client, "DRIP\n"));
	ck_assert_uint_eq(connection_silence(only()), 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* A peer sees the end though somebody else still holds the socket. */
START_TEST(closes_what_is_shared)
{
	struct client client;
	int fd;

	rig_open(&rig, &service);
	rig_connect(&rig, &client, _i);
	fd = fcntl(only()->fd, F_DUPFD_CLOEXEC, 10);
	hand_over();
	connection_close(only(), CONNECTION_END_STOPPED);
	RIG_UNTIL(&rig, client_is_over(&client));
	rig_expect_rest(&rig);
	ck_assert_int_eq(close(fd), 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int make(const void *bytes, size_t length, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, length), length);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* Offers a state to a fresh connection, which is to be refused and closed. */
static void refuse(int state, const char *what)
{
	int pair[2], r;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	r = streams_restore(&rig.streams, &(struct store_entry){pair[0], state, 0});
	ck_assert_msg(r == -EBADMSG, "%s: returned %d", what, r);
	ck_assert_uint_eq(rig.streams.context.connections.count, 0);
	ck_assert_int_eq(read(pair[1], &r, 1), 0);
	ck_assert_int_eq(close(pair[1]), 0);
	ck_assert_int_eq(close(state), 0);
}

/* A state with something in each part: a pending byte, and an unsent answer. */
static size_t take_state(char bytes[static 65536])
{
	struct client client;
	ssize_t length;
	int state;

	rig_connect(&rig, &client, 0);
	client_send(&client, "a\xc3", 2);
	RIG_UNTIL(&rig, client_has(&client, "A"));
	state = stored_write(only());
	ck_assert_int_ge(state, 0);
	ck_assert_int_eq(fcntl(state, F_GET_SEALS), SEALS);
	length = pread(state, bytes, 65536, 0);
	ck_assert_int_gt(length, 0);
	ck_assert_int_eq(close(state), 0);
	connection_close(only(), CONNECTION_END_STOPPED);
	client_close(&client);
	return (size_t)length;
}

START_TEST(refuses_damage)
{
	static char bytes[65536];
	size_t length;

	rig_open(&rig, &service);
	length = take_state(bytes);
	for (size_t i = 0; i < length; i++) {
		char what[64];

		snprintf(what, sizeof(what), "byte %zu", i);
		bytes[i] ^= 0x20;
		refuse(make(bytes, length, SEALS), what);
		bytes[i] ^= 0x20;
	}
	for (size_t cut = 0; cut < length; cut++)
		refuse(make(bytes, cut, SEALS), "a piece");
	bytes[length] = 0;
	refuse(make(bytes, length + 1, SEALS), "one byte more");
	rig_close(&rig);
}
END_TEST

START_TEST(refuses_what_is_not_sealed)
{
	static char bytes[65536];
	size_t length;
	int pair[2];

	rig_open(&rig, &service);
	length = take_state(bytes);
	refuse(make(bytes, length, 0), "no seals");
	refuse(make(bytes, length, SEALS & ~F_SEAL_WRITE), "no seal against writing");
	refuse(open("/dev/null", O_RDONLY | O_CLOEXEC), "a device");
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	refuse(pair[0], "a pipe");
	ck_assert_int_eq(close(pair[1]), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(refuses_another_framing)
{
	static char bytes[65536];
	size_t length;

	rig_open(&rig, &service);
	length = take_state(bytes);
	rig.exchange.framing = FRAMING_LINE;
	refuse(make(bytes, length, SEALS), "another framing");
	rig_close(&rig);
}
END_TEST

/* Part of its answer may be missing: over TCP that does not look like the end. The state is damaged
 * (0), or there is no place for its connection any more (1). */
START_TEST(refuses_by_reset)
{
	struct client client;
	int state, fd;

	rig_open(&rig, &service);
	rig_connect(&rig, &client, 1);
	client_send(&client, "a\xc3", 2);
	RIG_UNTIL(&rig, client_has(&client, "A"));
	state = _i == 0 ? make("abc", 3, SEALS) : stored_write(only());
	fd = fcntl(only()->fd, F_DUPFD_CLOEXEC, 10);
	connection_let_go(only());
	if (_i == 1)
		rig.admission.maximum = 0;
	ck_assert_int_eq(streams_restore(&rig.streams, &(struct store_entry){fd, state, 0}),
			 _i == 0 ? -EBADMSG : -EUSERS);
	RIG_UNTIL(&rig, client_is_over(&client));
	ck_assert_int_eq(client.error, ECONNRESET);
	ck_assert_int_eq(close(state), 0);
	client_close(&client);
	rig_close(&rig);
}
END_TEST

/* Whatever else the store holds under a connection's name. */
START_TEST(refuses_what_is_no_connection)
{
	int pair[2], fds[4];

	rig_open(&rig, &service);
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	fds[0] = pair[0];
	fds[1] = make("abc", 3, SEALS);
	fds[2] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fds[3] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(
		bind(fds[3], &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(listen(fds[3], 1), 0);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		ck_assert_int_eq(
			streams_restore(&rig.streams, &(struct store_entry){fds[i], -1, 0}),
			-EBADMSG);
		ck_assert_int_lt(fcntl(fds[i], F_GETFD), 0);
	}
	ck_assert_uint_eq(rig.streams.context.connections.count, 0);
	ck_assert_int_eq(close(pair[1]), 0);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("stored_write", goes_on_between_messages, 0, RIG_WAYS),
		UNIT_LOOP("stored_write", goes_on_in_a_character, 0, RIG_WAYS),
		UNIT_LOOP("stored_write", goes_on_with_a_message_that_drips, 0, RIG_WAYS),
		UNIT_LOOP("stored_write", goes_on_with_an_unsent_answer, 0, RIG_WAYS),
		UNIT_ONCE("stored_write", goes_on_in_the_middle_of_an_answer),
		UNIT_LOOP("stored_write", goes_on_to_the_end, 0, RIG_WAYS),
		UNIT_LOOP("connection_close", closes_what_is_shared, 0, RIG_WAYS),
		UNIT_ONCE("stored_read", refuses_damage),
		UNIT_ONCE("stored_read", refuses_what_is_not_sealed),
		UNIT_ONCE("stored_read", refuses_another_framing),
		UNIT_LOOP("streams_restore", refuses_by_reset, 0, 2),
		UNIT_ONCE("streams_restore", refuses_what_is_no_connection),
		{0},
	};

	return unit_run("stored", rows);
}
