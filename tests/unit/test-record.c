/* SPDX-License-Identifier: ISC */

/* Tests of server/record.h: one line for each connection, whatever ended it; and for each refused
 * datagram. */

#include <errno.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "journal.h"
#include "net/socket.h"
#include "rig.h"
#include "server/connection.h"
#include "server/log.h"

/* What recv(2) fails with, once; 0: nothing. */
static int receive_error;

ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
	errno = receive_error;
	receive_error = 0;
	return errno ? -1 : syscall(SYS_recvfrom, fd, bytes, length, flags, NULL, NULL);
}

static struct rig rig;
static FILE *log_file;
static int kept_stderr;

static void begin_with(const struct service *with, int level)
{
	(void)unsetenv("JOURNAL_STREAM");
	log_open(level);
	log_file = tmpfile();
	ck_assert_ptr_nonnull(log_file);
	kept_stderr = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fileno(log_file), STDERR_FILENO), 0);
	rig_open(&rig, with);
}

static void begin(int level)
{
	begin_with(&service, level);
}

/* All that was logged, once the rig is closed. */
static const char *end(void)
{
	static char text[4096];

	rig_close(&rig);
	ck_assert_int_ge(dup2(kept_stderr, STDERR_FILENO), 0);
	(void)close(kept_stderr);
	rewind(log_file);
	text[fread(text, 1, sizeof(text) - 1, log_file)] = '\0';
	(void)fclose(log_file);
	return text;
}

/* The log is one line that says this of a connection from the kind of address that came _i's way
 * (rig_connect()): its numbers, and why it ended. */
static void expect_line(const char *line, int way, const char *numbers, const char *reason)
{
	const char *peer = way == 0 ? "unnamed: " : "127.0.0.1:";
	const char *beginning = "test-record: connection from ";
	unsigned seconds, micros;
	char expected[256];
	int length = 0;

	ck_assert_msg(strncmp(line, beginning, strlen(beginning)) == 0, "%s", line);
	line += strlen(beginning);
	ck_assert_msg(strncmp(line, peer, strlen(peer)) == 0, "%s", line);
	line = strstr(line, ": ") + 2;
	ck_assert_msg(strncmp(line, numbers, strlen(numbers)) == 0, "%s", line);
	line += strlen(numbers);
	ck_assert_msg(sscanf(line, ", %u.%6u s: %n", &seconds, &micros, &length) == 2 && length > 0,
		      "%s", line);
	snprintf(expected, sizeof(expected), "%s\n", reason);
	ck_assert_str_eq(line + length, expected);
}

START_TEST(is_told_at_the_end)
{
	struct client client;

	begin(LOG_INFO);
	rig_connect(&rig, &client, _i);
	client_send(&client, "stra\xc3\x9f", 6);
	RIG_UNTIL(&rig, client_has(&client, "STRASS"));
	client_send(&client, "\xc5\x89", 2);
	RIG_UNTIL(&rig, client_has(&client, "STRASS\xca\xbcN"));
	client_close(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	expect_line(end(), _i, "8 bytes in, 9 bytes out", "client closed");
}
END_TEST

/* Its answer was sent in pieces, from the kept rest. */
START_TEST(counts_what_was_sent_late)
{
	struct client client;
	char numbers[64];
	size_t sent;

	begin_with(&rig_tripling, LOG_INFO);
	rig_connect(&rig, &client, _i);
	sent = rig_flood(&rig, &client, 'x');
	RIG_UNTIL(&rig, client_read(&client) == 3 * sent);
	ck_assert_int_eq(shutdown(client.fd, SHUT_WR), 0);
	RIG_UNTIL(&rig, client_is_over(&client));
	snprintf(numbers, sizeof(numbers), "%zu bytes in, %zu bytes out", sent, 3 * sent);
	client_close(&client);
	expect_line(end(), _i, numbers, "client closed");
}
END_TEST

START_TEST(tells_a_reset)
{
	struct client client;

	begin(LOG_INFO);
	rig_connect(&rig, &client, 1);
	client_reset(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	expect_line(end(), 1, "0 bytes in, 0 bytes out", "client reset");
}
END_TEST

/* Over AF_UNIX what is sent to one who has gone is refused (EPIPE). */
START_TEST(tells_who_did_not_wait)
{
	struct client client;

	begin(LOG_INFO);
	rig_connect(&rig, &client, 0);
	client_send(&client, "x", 1);
	client_close(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	expect_line(end(), 0, "1 bytes in, 0 bytes out", "client reset");
}
END_TEST

/* It comes from the network, by the connection. */
START_TEST(tells_which_error)
{
	struct client client;

	begin(LOG_INFO);
	rig_connect(&rig, &client, 1);
	client_send(&client, "x", 1);
	receive_error = EHOSTUNREACH;
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	client_close(&client);
	expect_line(end(), 1, "0 bytes in, 0 bytes out", "error: No route to host");
}
END_TEST

/* What ended the conversation is why, not that the client then closed its end. */
START_TEST(tells_our_own_end)
{
	static const char *const reasons[] = {"once", "bad message"};
	struct client client;

	begin(LOG_INFO);
	rig.exchange.framing = FRAMING_LINE;
	rig.exchange.once = _i == 0;
	rig.exchange.message_max = 4;
	rig_connect(&rig, &client, 1);
	client_send(&client, _i == 0 ? "ab\ncd\n" : "abcdef", 6);
	RIG_UNTIL(&rig, client_is_over(&client));
	client_close(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	expect_line(end(), 1, _i == 0 ? "6 bytes in, 3 bytes out" : "6 bytes in, 0 bytes out",
		    reasons[_i]);
}
END_TEST

/* Also where the client does not close its end, which is waited for so long and no longer. */
START_TEST(tells_our_own_end_of_who_stays)
{
	struct client client;

	begin(LOG_INFO);
	rig.exchange.once = true;
	rig_connect(&rig, &client, _i);
	client_send(&client, "ab", 2);
	RIG_UNTIL(&rig, client_is_over(&client));
	rig.loop.now += CONNECTION_LINGER_USEC;
	streams_sweep(&rig.streams);
	ck_assert_uint_eq(rig.status.connections_open, 0);
	client_close(&client);
	expect_line(end(), _i, "2 bytes in, 2 bytes out", "once");
}
END_TEST

START_TEST(tells_silence)
{
	struct client client;

	begin(LOG_INFO);
	rig.exchange.idle_timeout = 1000000;
	rig_connect(&rig, &client, _i);
	rig.loop.now += 1000000;
	streams_sweep(&rig.streams);
	ck_assert(client_is_over(&client));
	client_close(&client);
	expect_line(end(), _i, "0 bytes in, 0 bytes out", "idle-timeout");
}
END_TEST

START_TEST(tells_that_the_daemon_ends)
{
	struct client client;

	begin(LOG_INFO);
	rig_connect(&rig, &client, _i);
	expect_line(end(), _i, "0 bytes in, 0 bytes out", "stopped");
	client_close(&client);
}
END_TEST

START_TEST(tells_that_it_goes_on_elsewhere)
{
	struct client client;

	begin(LOG_INFO);
	rig_connect(&rig, &client, _i);
	connection_let_go(connection_at(&rig.streams.context, 0));
	expect_line(end(), _i, "0 bytes in, 0 bytes out", "handed over");
	client_close(&client);
}
END_TEST

START_TEST(tells_an_error)
{
	const struct address peer = rig_address("192.0.2.1", 40000);
	struct record record;
	const char *line;

	begin(LOG_INFO);
	record_begin(&record, -1, &peer);
	record.bytes_in = 7;
	record.error = ETIMEDOUT;
	record_log(&record, "error");
	line = end();
	ck_assert_ptr_nonnull(strstr(line, " from 192.0.2.1:40000: 7 bytes in, 0 bytes out, 0.0"));
	ck_assert_ptr_nonnull(strstr(line, " s: error: Connection timed out\n"));
}
END_TEST

/* For whoever looks for them with journalctl(1). */
START_TEST(has_fields)
{
	const struct address peer = rig_address("192.0.2.1", 40000);
	struct record record;

	begin(LOG_INFO);
	journal_begin(LOG_INFO);
	record_begin(&record, -1, &peer);
	record.bytes_in = 7;
	record.bytes_out = 9;
	record.error = ETIMEDOUT;
	record_log(&record, "error");
	ck_assert_str_eq(end(), "");
	ck_assert_ptr_nonnull(strstr(journal_fields,
				     "PRIORITY=6\nCLIENT_ADDR=192.0.2.1\nCLIENT_PORT=40000\n"
				     "BYTES_IN=7\nBYTES_OUT=9\nDURATION_USEC="));
	ck_assert_ptr_nonnull(strstr(
		journal_fields, "\nREASON=error\nERRNO=110\nMESSAGE=connection from 192.0.2.1:"));
}
END_TEST

START_TEST(tells_who_was_refused)
{
	struct client first, second;
	struct address server, own;
	char expected[256], text[ADDRESS_TEXT_MAX];

	begin(LOG_INFO);
	rig.admission.maximum = 1;
	rig_connect(&rig, &first, 1);
	ck_assert_int_eq(socket_get_name(rig.endpoints[0].fd, &server), 0);
	client_connect(&second, &server);
	ck_assert_int_eq(socket_get_name(second.fd, &own), 0);
	RIG_UNTIL(&rig, client_is_over(&second));
	client_close(&second);
	connection_let_go(connection_at(&rig.streams.context, 0));
	snprintf(expected, sizeof(expected),
		 "test-record: connection from %s: refused: connections-max\n"
		 "test-record: connection from 127.0.0.1:",
		 address_print(&own, text));
	ck_assert_ptr_nonnull(strstr(end(), expected));
	client_close(&first);
}
END_TEST

START_TEST(tells_each_datagram_refused)
{
	struct address server, own = rig_address("127.0.0.1", 0);
	char expected[256], text[ADDRESS_TEXT_MAX];
	int client;

	begin(_i);
	server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);
	client = socket_open(&own, SOCK_DGRAM);
	ck_assert_int_ge(client, 0);
	ck_assert_int_eq(socket_get_name(client, &own), 0);
	/* As if it were one of ours. */
	rig_serve_fd(&rig, client, AF_INET, ENDPOINT_DATAGRAM);
	ck_assert_int_eq(sendto(client, "x", 1, 0, &server.any, server.length), 1);
	RIG_UNTIL(&rig, rig.status.datagrams_refused == 1);
	snprintf(expected, sizeof(expected), "test-record: datagram from %s: refused: own port\n",
		 address_print(&own, text));
	ck_assert_str_eq(end(), _i == LOG_DEBUG ? expected : "");
}
END_TEST

/* Refused by the kernel: the answer would be too long. */
START_TEST(tells_each_answer_refused)
{
	static char bytes[30000];
	struct address server, own = rig_address("127.0.0.1", 0);
	char expected[256], text[ADDRESS_TEXT_MAX];
	int client;

	begin_with(&rig_tripling, LOG_DEBUG);
	server = rig_serve(&rig, "127.0.0.1", SOCK_DGRAM);
	client = socket_open(&own, SOCK_DGRAM);
	ck_assert_int_eq(socket_get_name(client, &own), 0);
	ck_assert_int_eq(sendto(client, bytes, sizeof(bytes), 0, &server.any, server.length),
			 sizeof(bytes));
	RIG_UNTIL(&rig, rig.status.datagrams_refused == 1);
	snprintf(expected, sizeof(expected), "test-record: datagram from %s: refused: too large\n",
		 address_print(&own, text));
	ck_assert_str_eq(end(), expected);
	close(client);
}
END_TEST

/* Thousands of silent connections do not pay for a log that nobody asked for. */
START_TEST(is_not_there_by_default)
{
	struct client client;

	begin(LOG_NOTICE);
	rig_connect(&rig, &client, _i);
	ck_assert(!connection_at(&rig.streams.context, 0)->has_record);
	ck_assert_uint_le(malloc_usable_size(connection_at(&rig.streams.context, 0)), 72);
	client_send(&client, "hello", 5);
	RIG_UNTIL(&rig, client_has(&client, "HELLO"));
	client_close(&client);
	RIG_UNTIL(&rig, rig.status.connections_open == 0);
	ck_assert_str_eq(end(), "");
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("record_is_wanted", is_not_there_by_default, 0, RIG_WAYS),
		UNIT_LOOP("record_log", is_told_at_the_end, 0, RIG_WAYS),
		UNIT_LOOP("record_log", counts_what_was_sent_late, 0, RIG_WAYS),
		UNIT_ONCE("record_log", tells_a_reset),
		UNIT_ONCE("record_log", tells_who_did_not_wait),
		UNIT_LOOP("record_log", tells_our_own_end, 0, 2),
		UNIT_LOOP("record_log", tells_our_own_end_of_who_stays, 0, RIG_WAYS),
		UNIT_LOOP("record_log", tells_silence, 0, RIG_WAYS),
		UNIT_LOOP("record_log", tells_that_the_daemon_ends, 0, RIG_WAYS),
		UNIT_LOOP("record_log", tells_that_it_goes_on_elsewhere, 0, RIG_WAYS),
		UNIT_ONCE("record_log", tells_an_error),
		UNIT_ONCE("record_log", tells_which_error),
		UNIT_ONCE("record_log", has_fields),
		UNIT_ONCE("record_log_refused_connection", tells_who_was_refused),
		UNIT_LOOP("record_log_refused_datagram", tells_each_datagram_refused, LOG_INFO,
			  LOG_DEBUG + 1),
		UNIT_ONCE("record_log_refused_datagram", tells_each_answer_refused),
		{0},
	};

	return unit_run("record", rows);
}
