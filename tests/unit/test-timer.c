/* SPDX-License-Identifier: ISC */

/* Tests of server/timer.h: deadlines that the data path sets. */

#include "rig.h"
#include "server/timer.h"

struct alarm_clock {
	struct loop loop;
	struct timer timer;
	unsigned rings;
	uint64_t rang_at, again_in;
};

static void ring(void *userdata)
{
	struct alarm_clock *clock = userdata;

	clock->rings++;
	clock->rang_at = clock->loop.now;
	ck_assert_uint_eq(clock->timer.deadline, TIMER_NEVER);
	if (clock->again_in > 0)
		timer_set(&clock->timer, clock->loop.now + clock->again_in);
}

static void clock_open(struct alarm_clock *clock)
{
	*clock = (struct alarm_clock){0};
	ck_assert_int_eq(loop_init(&clock->loop, true), 0);
	ck_assert_int_eq(timer_init(&clock->timer, &clock->loop, ring, clock), 0);
}

static void clock_close(struct alarm_clock *clock)
{
	timer_free(&clock->timer);
	loop_free(&clock->loop);
}

static void wait_for_rings(struct alarm_clock *clock, unsigned rings)
{
	for (unsigned rounds = 0; clock->rings < rings; rounds++) {
		ck_assert_uint_lt(rounds, 1000);
		ck_assert_int_eq(loop_round(&clock->loop, 10), 0);
	}
}

START_TEST(is_off_at_first)
{
	struct alarm_clock clock;

	clock_open(&clock);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_round(&clock.loop, 5), 0);
	ck_assert_uint_eq(clock.rings, 0);
	clock_close(&clock);
}
END_TEST

/* Not before the loop's own clock, which is coarse, has come to the deadline. */
START_TEST(never_rings_early)
{
	struct alarm_clock clock;

	clock_open(&clock);
	for (unsigned i = 1; i <= 40; i++) {
		uint64_t deadline = clock.loop.now + 5000 + i;

		timer_set(&clock.timer, deadline);
		wait_for_rings(&clock, i);
		ck_assert_uint_ge(clock.rang_at, deadline);
	}
	clock_close(&clock);
}
END_TEST

START_TEST(rings_once)
{
	struct alarm_clock clock;
	uint64_t deadline;

	clock_open(&clock);
	deadline = clock.loop.now + 20000;
	timer_set(&clock.timer, deadline);
	wait_for_rings(&clock, 1);
	ck_assert_uint_ge(clock.rang_at, deadline);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_round(&clock.loop, 5), 0);
	ck_assert_uint_eq(clock.rings, 1);
	clock_close(&clock);
}
END_TEST

START_TEST(rings_for_the_past)
{
	struct alarm_clock clock;

	clock_open(&clock);
	timer_set(&clock.timer, 0);
	wait_for_rings(&clock, 1);
	clock_close(&clock);
}
END_TEST

START_TEST(is_set_again_while_ringing)
{
	struct alarm_clock clock;
	uint64_t begin;

	clock_open(&clock);
	clock.again_in = 5000;
	begin = clock.loop.now;
	timer_set(&clock.timer, begin);
	wait_for_rings(&clock, 5);
	ck_assert_uint_ge(clock.rang_at, begin + 4 * clock.again_in);
	clock_close(&clock);
}
END_TEST

START_TEST(is_put_off_and_switched_off)
{
	struct alarm_clock clock;

	clock_open(&clock);
	timer_set(&clock.timer, clock.loop.now + 5000);
	ck_assert_int_eq(loop_round(&clock.loop, 0), 0);
	timer_set(&clock.timer, clock.loop.now + 3600000000);
	ck_assert_int_eq(loop_round(&clock.loop, 0), 0);
	timer_set(&clock.timer, clock.loop.now + 5000);
	timer_set(&clock.timer, TIMER_NEVER);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(loop_round(&clock.loop, 5), 0);
	ck_assert_uint_eq(clock.rings, 0);
	clock_close(&clock);
}
END_TEST

/* Set to what it is set to: sd-event is not even told. */
START_TEST(same_deadline_costs_nothing)
{
	struct alarm_clock clock;
	uint64_t deadline;

	clock_open(&clock);
	deadline = clock.loop.now + 3600000000;
	timer_set(&clock.timer, deadline);
	ck_assert(clock.loop.control_pending);
	ck_assert_int_eq(loop_round(&clock.loop, 0), 0);
	timer_set(&clock.timer, deadline);
	ck_assert(!clock.loop.control_pending);
	clock_close(&clock);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("timer_set", is_off_at_first),
		UNIT_ONCE("timer_set", never_rings_early),
		UNIT_ONCE("timer_set", rings_once),
		UNIT_ONCE("timer_set", rings_for_the_past),
		UNIT_ONCE("timer_set", is_set_again_while_ringing),
		UNIT_ONCE("timer_set", is_put_off_and_switched_off),
		UNIT_ONCE("timer_set", same_deadline_costs_nothing),
		{0},
	};

	return unit_run("timer", rows);
}
