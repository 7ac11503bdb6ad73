/* SPDX-License-Identifier: ISC */

/* Tests of activation/conversation.h: where a handler's one conversation comes from. */

#include "activation/conversation.h"

#include <errno.h>
#include <sys/socket.h>

#include "stage.h"
#include "unit.h"
#include "util/cleanup.h"

static void show(int out, const void *userdata)
{
	struct conversation conversation = {.in = 4711};
	char error[CONVERSATION_ERROR_MAX] = "";
	int r = conversation_find(&conversation, error);

	(void)userdata;
	if (r < 0)
		dprintf(out, "%d %s%s", r, error, conversation.in == 4711 ? "" : " TOUCHED");
	else
		dprintf(out, "%d %d%s%s", conversation.in, conversation.out,
			conversation.is_socket ? " socket" : "",
			fcntl(conversation.in, F_GETFD) & FD_CLOEXEC ? " cloexec" : "");
}

static void check(const struct stage *stage, const char *expected)
{
	char text[STAGE_TEXT_MAX];

	ck_assert_str_eq(stage_run(stage, show, NULL, text), expected);
}

/* A descriptor of each kind. */
struct cast {
	int connection, peer, listening, datagram, packets, null;
};

static void cast_make(struct cast *cast)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*cast = (struct cast){
		.connection = pair[0],
		.peer = pair[1],
		.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
		.packets = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0),
		.null = open("/dev/null", O_RDWR | O_CLOEXEC),
	};
	ck_assert_int_eq(listen(cast->listening, 1), 0);
	ck_assert(cast->datagram >= 0 && cast->packets >= 0 && cast->null >= 0);
}

static void cast_close(struct cast *cast)
{
	close(cast->connection);
	close(cast->peer);
	close(cast->listening);
	close(cast->datagram);
	close(cast->packets);
	close(cast->null);
}

START_TEST(takes_standard_input_and_output)
{
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);

	struct stage stage = {.input = cast.null};

	check(&stage, "0 1");
	stage.input = cast.connection;
	check(&stage, "0 1 socket");
}
END_TEST

START_TEST(takes_what_systemd_passes)
{
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);

	/* Both ways over one descriptor, which no child is to inherit. */
	struct stage stage = {
		.input = cast.null,
		.passed = {cast.connection},
		.count = 1,
		.pid = "self",
		.fds = "1",
		.names = "connection",
	};

	check(&stage, "3 3 socket cloexec");
	/* Before a standard input that would do as well. */
	stage.input = cast.connection;
	check(&stage, "3 3 socket cloexec");
}
END_TEST

START_TEST(ignores_what_is_for_another)
{
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);

	struct stage stage = {.input = cast.null, .passed = {cast.listening}, .count = 1};

	stage.pid = "1";
	stage.fds = "1";
	check(&stage, "0 1");
	/* Not even a look at the rest of what is another's. */
	stage.fds = "x";
	check(&stage, "0 1");
	stage.pid = NULL;
	stage.fds = "1";
	check(&stage, "0 1");
	stage.pid = "self";
	stage.fds = NULL;
	check(&stage, "0 1");
	stage.fds = "0";
	check(&stage, "0 1");
}
END_TEST

START_TEST(refuses_bad_variables)
{
	static const struct {
		const char *pid, *fds, *error;
	} rows[] = {
		{"x", "1", "-22 LISTEN_PID=x: not a process"},
		{"", "1", "-22 LISTEN_PID=: not a process"},
		{"0", "1", "-22 LISTEN_PID=0: not a process"},
		{"99999999999", "1", "-22 LISTEN_PID=99999999999: not a process"},
		{"self", "x", "-22 LISTEN_FDS=x: not a number"},
		{"self", "", "-22 LISTEN_FDS=: not a number"},
		{"self", "-1", "-22 LISTEN_FDS=-1: not a number"},
		{"self", "4294967297", "-22 LISTEN_FDS=4294967297: not a number"},
		{"self", "2", "-22 LISTEN_FDS=2: one connection at a time"},
	};
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stage stage = {
			.input = cast.null,
			.passed = {cast.connection, cast.connection},
			.count = 2,
			.pid = rows[i].pid,
			.fds = rows[i].fds,
		};

		check(&stage, rows[i].error);
	}
}
END_TEST

/* Each on standard input, and passed by systemd. */
START_TEST(refuses_what_is_no_connection)
{
	_cleanup_(cast_close) struct cast cast;

	cast_make(&cast);

	const struct {
		int fd;
		const char *result, *error;
	} rows[] = {
		{cast.listening, "-91",
		 "AF_INET listening stream socket: not a connection; the daemon serves those"},
		{cast.datagram, "-91",
		 "AF_INET datagram socket: not a connection; the daemon serves those"},
		{cast.packets, "-91",
		 "AF_UNIX seqpacket socket: not a connection; the daemon serves those"},
		{STAGE_CLOSED, "-9", "not open"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stage stage = {.input = rows[i].fd};
		char expected[256];

		snprintf(expected, sizeof(expected), "%s standard input: %s", rows[i].result,
			 rows[i].error);
		check(&stage, expected);
		stage = (struct stage){
			.input = cast.null,
			.passed = {rows[i].fd},
			.count = 1,
			.pid = "self",
			.fds = "1",
		};
		snprintf(expected, sizeof(expected), "%s LISTEN_FDS: %s", rows[i].result,
			 rows[i].error);
		check(&stage, expected);
	}
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("conversation_find", takes_standard_input_and_output),
		UNIT_ONCE("conversation_find", takes_what_systemd_passes),
		UNIT_ONCE("conversation_find", ignores_what_is_for_another),
		UNIT_ONCE("conversation_find", refuses_bad_variables),
		UNIT_ONCE("conversation_find", refuses_what_is_no_connection),
		{0},
	};

	return unit_run("conversation", rows);
}
