/* SPDX-License-Identifier: ISC */

/* Tests of server/watchdog.h: when the manager hears that all are alive. */

#include "manager.h"
#include "server/watchdog.h"
#include "unit.h"
#include "util/error.h"

#define MSEC UINT64_C(1000)

static struct loop loop;
static struct notify notify;
static struct watchdog watchdog;
static int manager;
static bool alive;
static unsigned questions;

static bool is_alive(void *userdata)
{
	ck_assert_ptr_eq(userdata, &alive);
	questions++;
	return alive;
}

/* With the variables that a manager sets; NULL: none. */
static int begin(const char *usec, const char *pid)
{
	manager = manager_open();
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	if (usec)
		ck_assert_int_eq(setenv("WATCHDOG_USEC", usec, 1), 0);
	if (pid)
		ck_assert_int_eq(setenv("WATCHDOG_PID", pid, 1), 0);
	alive = true;
	questions = 0;
	ck_assert_int_eq(loop_init(&loop, true), 0);
	ck_assert_int_eq(notify_open(&notify), 0);
	return watchdog_init(&watchdog, &loop, &notify, is_alive, &alive);
}

static void end(void)
{
	watchdog_free(&watchdog);
	notify_close(&notify);
	loop_free(&loop);
	ck_assert_int_eq(close(manager), 0);
}

/* The clock comes to the timer. */
static void expire(void)
{
	ck_assert_uint_ne(watchdog.timer.deadline, TIMER_NEVER);
	loop.now = watchdog.timer.deadline;
	watchdog.timer.deadline = TIMER_NEVER;
	watchdog.timer.expired(watchdog.timer.userdata);
}

static bool barks(void)
{
	char message[64];
	ssize_t n = recv(manager, message, sizeof(message), MSG_DONTWAIT);

	if (n < 0)
		return false;
	ck_assert_int_eq(n, (ssize_t)strlen("WATCHDOG=1"));
	ck_assert_mem_eq(message, "WATCHDOG=1", (size_t)n);
	return true;
}

START_TEST(says_so_four_times_as_often)
{
	ck_assert_int_eq(begin("2000000", NULL), 0);
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_eq(watchdog.timer.deadline, loop.now + 500 * MSEC);
		expire();
		ck_assert(barks());
	}
	ck_assert(!barks());
	ck_assert_uint_eq(questions, 5);
	end();
}
END_TEST

START_TEST(says_nothing_for_the_dead)
{
	ck_assert_int_eq(begin("2000000", NULL), 0);
	alive = false;
	for (int i = 0; i < 5; i++) {
		expire();
		ck_assert(!barks());
	}
	alive = true;
	expire();
	ck_assert(barks());
	end();
}
END_TEST

/* Nobody is woken where nobody watches, or not us. */
START_TEST(sleeps_unwatched)
{
	static const char *const rows[][2] = {{NULL, NULL}, {"2000000", "1"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(begin(rows[i][0], rows[i][1]), 0);
		ck_assert_uint_eq(watchdog.timer.deadline, TIMER_NEVER);
		end();
	}
	ck_assert_int_eq(begin("soon", NULL), -EINVAL);
	end();
}
END_TEST

/* A queue that is full is not waited for. */
START_TEST(never_waits)
{
	ck_assert_int_eq(begin("2000000", NULL), 0);
	while (notify_send(&notify, NOTIFY_OFFER, -1, "WATCHDOG=1") == 0)
		;
	for (int i = 0; i < 100; i++)
		expire();
	ck_assert(!notify.is_stuck);
	while (barks())
		;
	expire();
	ck_assert(barks());
	end();
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("watchdog_init", says_so_four_times_as_often),
		UNIT_ONCE("watchdog_init", says_nothing_for_the_dead),
		UNIT_ONCE("watchdog_init", sleeps_unwatched),
		UNIT_ONCE("watchdog_init", never_waits),
		{0},
	};

	return unit_run("watchdog", rows);
}
