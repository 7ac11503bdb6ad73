/* SPDX-License-Identifier: ISC */

/* Tests of server/voice.h: what a service manager and the log get to hear, and how often. */

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"
#include "manager.h"
#include "server/voice.h"
#include "unit.h"

#define SECOND UINT64_C(1000000)

/* The manager's end of NOTIFY_SOCKET, and the log's. */
static int manager = -1;
static FILE *log_file;
static int kept_stderr;

static struct loop loop;
static struct notify notify;
static struct voice voice;
static struct status numbers;

static void tell(void *userdata, struct status *ret_status)
{
	(void)userdata;
	*ret_status = numbers;
}

static void begin(bool with_manager)
{
	if (with_manager)
		manager = manager_open();
	else
		(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("JOURNAL_STREAM");
	log_open(LOG_NOTICE);
	numbers = (struct status){0};
	ck_assert_int_eq(notify_open(&notify), 0);
	ck_assert_int_eq(loop_init(&loop, true), 0);
	loop.now = 1000 * SECOND;
	ck_assert_int_eq(voice_init(&voice, &loop, &notify, tell, NULL), 0);
	log_file = tmpfile();
	kept_stderr = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fileno(log_file), STDERR_FILENO), 0);
}

static void end(void)
{
	ck_assert_int_ge(dup2(kept_stderr, STDERR_FILENO), 0);
	(void)close(kept_stderr);
	(void)fclose(log_file);
	voice_free(&voice);
	notify_close(&notify);
	loop_free(&loop);
	if (manager >= 0)
		(void)close(manager);
	manager = -1;
}

/* The next message to the manager; "" if there is none. */
static const char *heard(void)
{
	static char message[4096];
	ssize_t n = recv(manager, message, sizeof(message) - 1, MSG_DONTWAIT);

	message[n < 0 ? 0 : n] = '\0';
	return message;
}

/* What stands in the log so far, which is forgotten then. */
static const char *logged(void)
{
	static char text[4096];

	rewind(log_file);
	text[fread(text, 1, sizeof(text) - 1, log_file)] = '\0';
	ck_assert_int_eq(ftruncate(fileno(log_file), 0), 0);
	rewind(log_file);
	return text;
}

static void starts_with(const char *text, const char *beginning)
{
	ck_assert_msg(strncmp(text, beginning, strlen(beginning)) == 0, "\"%s\"", text);
}

/* The clock reaches the timer's deadline. */
static void expire(void)
{
	ck_assert_uint_ne(voice.timer.deadline, TIMER_NEVER);
	loop.now = voice.timer.deadline;
	voice.timer.deadline = TIMER_NEVER;
	voice.timer.expired(voice.timer.userdata);
}

START_TEST(tells_the_manager)
{
	begin(true);
	voice_ready(&voice);
	starts_with(heard(), "READY=1\nSTATUS=Connections: 0 open, 0 served");
	numbers.connections_served = 1;
	voice_stopping(&voice);
	starts_with(heard(), "STOPPING=1\nSTATUS=Connections: 0 open, 1 served");
	ck_assert_str_eq(heard(), "");
	ck_assert_str_eq(logged(), "");
	end();
}
END_TEST

START_TEST(sends_status_once_a_second)
{
	begin(true);
	voice_ready(&voice);
	(void)heard();
	for (unsigned i = 0; i < 1000; i++)
		voice_active(&voice);
	ck_assert_str_eq(heard(), "");
	ck_assert_uint_eq(voice.timer.deadline, 1001 * SECOND);
	expire();
	starts_with(heard(), "STATUS=");
	/* Nothing happens: nothing is said, and nobody is woken. */
	ck_assert_uint_eq(voice.timer.deadline, TIMER_NEVER);
	/* After a quiet time the first news is told at once. */
	loop.now += 5 * SECOND;
	voice_active(&voice);
	starts_with(heard(), "STATUS=");
	end();
}
END_TEST

START_TEST(logs_refusals_every_ten_seconds)
{
	begin(false);
	voice_ready(&voice);
	loop.now += SECOND;
	status_refuse_connection(&numbers, REFUSAL_CONNECTIONS_MAX);
	voice_active(&voice);
	ck_assert_str_eq(logged(), "test-voice: refused connections: 1 (connections-max 1)\n");
	for (unsigned i = 0; i < 5; i++) {
		loop.now += SECOND;
		status_refuse_connection(&numbers, REFUSAL_CONNECTIONS_MAX);
		status_refuse_datagram(&numbers, REFUSAL_OWN_PORT);
		voice_active(&voice);
		ck_assert_str_eq(logged(), "");
	}
	ck_assert_uint_eq(voice.timer.deadline, (1000 + 1 + 10) * SECOND);
	expire();
	ck_assert_str_eq(logged(), "test-voice: refused connections: 5 (connections-max 5), "
				   "datagrams: 5 (own port 5)\n");
	ck_assert_uint_eq(voice.timer.deadline, TIMER_NEVER);
	end();
}
END_TEST

/* What is no refusal is told in the same way: at once, then every ten seconds at most. */
/* A round may be there before the timer that it makes superfluous. */
START_TEST(speaks_once_when_it_is_time)
{
	begin(true);
	status_refuse_datagram(&numbers, REFUSAL_RATE);
	voice_active(&voice);
	loop.now += SECOND;
	status_refuse_datagram(&numbers, REFUSAL_RATE);
	voice_active(&voice);
	ck_assert_uint_lt(voice.timer.deadline, TIMER_NEVER);
	loop.now += 10 * SECOND;
	voice_active(&voice);
	ck_assert_uint_eq(voice.timer.deadline, TIMER_NEVER);
	end();
}
END_TEST

START_TEST(logs_what_else_was_limited)
{
	begin(false);
	voice_ready(&voice);
	loop.now += SECOND;
	status_pause_accepting(&numbers, SHORTAGE_DESCRIPTORS);
	voice_active(&voice);
	ck_assert_str_eq(logged(), "test-voice: accepting paused: 1 (out of descriptors 1)\n");
	loop.now += SECOND;
	status_resume_accepting(&numbers);
	for (unsigned i = 0; i < 1000; i++)
		status_shorten_read(&numbers);
	voice_active(&voice);
	ck_assert_str_eq(logged(), "");
	expire();
	ck_assert_str_eq(logged(), "test-voice: accepting resumed: 1; "
				   "reads shortened: 1000 (unsent-max)\n");
	end();
}
END_TEST

START_TEST(is_not_woken_for_nobody)
{
	begin(false);
	ck_assert_int_eq(voice_wants(&voice), NEWS_LIMITS);
	voice_ready(&voice);
	for (unsigned i = 0; i < 3; i++) {
		numbers.connections_served++;
		voice_active(&voice);
		ck_assert_uint_eq(voice.timer.deadline, TIMER_NEVER);
		loop.now += SECOND;
	}
	status_refuse_datagram(&numbers, REFUSAL_RATE);
	voice_active(&voice);
	ck_assert_str_eq(logged(), "test-voice: refused datagrams: 1 (datagram-rate 1)\n");
	voice_active(&voice);
	ck_assert_uint_eq(voice.timer.deadline, TIMER_NEVER);
	end();
	begin(true);
	ck_assert_int_eq(voice_wants(&voice), NEWS_ANY);
	end();
}
END_TEST

START_TEST(logs_what_is_left_at_the_end)
{
	begin(false);
	loop.now += SECOND;
	for (unsigned i = 0; i < 3; i++)
		status_refuse_datagram(&numbers, REFUSAL_RATE);
	voice_active(&voice);
	ck_assert_str_eq(logged(), "test-voice: refused datagrams: 3 (datagram-rate 3)\n");
	status_refuse_datagram(&numbers, REFUSAL_RATE);
	voice_active(&voice);
	ck_assert_str_eq(logged(), "");
	voice_stopping(&voice);
	ck_assert_str_eq(logged(), "test-voice: refused datagrams: 1 (datagram-rate 1)\n");
	voice_stopping(&voice);
	ck_assert_str_eq(logged(), "");
	end();
}
END_TEST

/* The clock that RELOADING= names is the manager's, to the microsecond. */
START_TEST(tells_of_a_reload)
{
	struct timespec before;
	unsigned long long usec;

	begin(true);
	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &before), 0);
	voice_reloading(&voice);
	ck_assert_int_eq(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	ck_assert_uint_ge(usec, (unsigned long long)before.tv_sec * SECOND +
					(unsigned long long)before.tv_nsec / 1000);
	voice_reloaded(&voice);
	starts_with(heard(), "READY=1\nSTATUS=");
	end();
}
END_TEST

/* A manager that has much to do, and then reads. Returns whether it comes upon what it waits for.
 */
static void *read_late(void *expected)
{
	struct pollfd wait = {.fd = manager, .events = POLLIN};

	(void)poll(NULL, 0, 50);
	while (poll(&wait, 1, 1000) > 0)
		if (strncmp(heard(), expected, strlen(expected)) == 0)
			return expected;
	return NULL;
}

/* It would wait for them in vain, for as long as its units say, and then kill. */
START_TEST(insists_on_what_is_waited_for)
{
	static void (*const say[])(struct voice * voice) = {voice_ready, voice_reloading,
							    voice_stopping};
	static const char *const said[] = {"READY=1", "RELOADING=1", "STOPPING=1"};
	pthread_t thread;
	void *came;

	begin(true);
	while (notify_send(&notify, NOTIFY_OFFER, -1, "STATUS=x") == 0)
		;
	ck_assert_int_eq(pthread_create(&thread, NULL, read_late, (void *)said[_i]), 0);
	say[_i](&voice);
	ck_assert_int_eq(pthread_join(thread, &came), 0);
	ck_assert_ptr_nonnull(came);
	end();
}
END_TEST

/* The log's ten seconds begin anew. */
START_TEST(a_reload_lets_it_speak)
{
	begin(false);
	for (unsigned i = 1; i <= 2; i++) {
		loop.now += SECOND;
		status_refuse_datagram(&numbers, REFUSAL_RATE);
		voice_active(&voice);
		ck_assert_str_eq(logged(), "test-voice: refused datagrams: 1 (datagram-rate 1)\n");
		voice_reloaded(&voice);
	}
	end();
}
END_TEST

START_TEST(logs_the_status_when_asked)
{
	begin(false);
	voice_log_status(&voice);
	starts_with(logged(), "test-voice: Connections: 0 open, 0 served, 0 refused.");
	end();
}
END_TEST

/* Every counter that a monitor may look for. */
START_TEST(has_fields)
{
	begin(false);
	journal_begin(LOG_NOTICE);
	numbers.connections_open = 1;
	numbers.connections_served = 2;
	numbers.connections_refused = 3;
	numbers.connections_cut = 4;
	numbers.datagrams_answered = 5;
	numbers.datagrams_refused = 6;
	numbers.bytes_in = 7;
	numbers.bytes_out = 8;
	numbers.bytes_unsent = 9;
	numbers.reads_shortened = 10;
	numbers.accepting_paused[SHORTAGE_MEMORY] = 11;
	voice_log_status(&voice);
	ck_assert_ptr_nonnull(strstr(journal_fields,
				     "PRIORITY=5\nCONNECTIONS_OPEN=1\nCONNECTIONS_SERVED=2\n"
				     "CONNECTIONS_REFUSED=3\nCONNECTIONS_CUT=4\n"
				     "DATAGRAMS_ANSWERED=5\nDATAGRAMS_REFUSED=6\nBYTES_IN=7\n"
				     "BYTES_OUT=8\nBYTES_UNSENT=9\nREADS_SHORTENED=10\n"
				     "ACCEPTING_PAUSED=11\nMESSAGE="));
	numbers.limited = 1;
	voice_stopping(&voice);
	ck_assert_ptr_nonnull(strstr(journal_fields,
				     "PRIORITY=4\nCONNECTIONS_REFUSED=3\nCONNECTIONS_CUT=4\n"
				     "DATAGRAMS_REFUSED=6\nREADS_SHORTENED=10\n"
				     "ACCEPTING_PAUSED=11\nMESSAGE="));
	end();
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("voice_ready", tells_the_manager),
		UNIT_ONCE("voice_active", sends_status_once_a_second),
		UNIT_ONCE("voice_active", logs_refusals_every_ten_seconds),
		UNIT_ONCE("voice_active", speaks_once_when_it_is_time),
		UNIT_ONCE("voice_active", logs_what_else_was_limited),
		UNIT_ONCE("voice_wants", is_not_woken_for_nobody),
		UNIT_LOOP("voice_ready", insists_on_what_is_waited_for, 0, 3),
		UNIT_ONCE("voice_stopping", logs_what_is_left_at_the_end),
		UNIT_ONCE("voice_reloading", tells_of_a_reload),
		UNIT_ONCE("voice_reloading", a_reload_lets_it_speak),
		UNIT_ONCE("voice_log_status", logs_the_status_when_asked),
		UNIT_ONCE("voice_log_status", has_fields),
		{0},
	};

	return unit_run("voice", rows);
}
