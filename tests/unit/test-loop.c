/* SPDX-License-Identifier: ISC */

/* Tests of server/loop.h: data and control in one epoll set. */

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"
#include "util/descriptor.h"

/* A pipe that is waited for, and what happened to it. */
struct probe {
	struct loop_source source;
	struct loop *loop;
	int fd, other;
	unsigned ready;
	uint32_t events;
	bool exits, was_first;
	unsigned *control_runs;
};

static void probe_ready(struct loop_source *source, uint32_t events)
{
	struct probe *probe = (struct probe *)source;
	char byte;

	probe->ready++;
	probe->events = events;
	if (events & EPOLLIN)
		ck_assert_int_eq(read(probe->fd, &byte, 1), 1);
	if (probe->control_runs)
		probe->was_first = *probe->control_runs == 0;
	if (probe->exits) {
		ck_assert_int_eq(sd_event_exit(probe->loop->control, 7), 0);
		loop_wake_control(probe->loop);
	}
}

static void probe_open(struct probe *probe, struct loop *loop)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	*probe = (struct probe){
		.source = {probe_ready},
		.loop = loop,
		.fd = ends[0],
		.other = ends[1],
	};
	ck_assert_int_eq(loop_add(loop, probe->fd, EPOLLIN, &probe->source), 0);
}

static void probe_close(struct probe *probe)
{
	close(probe->fd);
	close(probe->other);
}

static void count(void *userdata)
{
	(*(unsigned *)userdata)++;
}

static int count_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	count(userdata);
	return 0;
}

static int count_deferred(sd_event_source *source, void *userdata)
{
	(void)source;
	count(userdata);
	return 0;
}

START_TEST(dispatches_data)
{
	struct loop loop;
	struct probe a, b;
	unsigned rounds = 0;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	loop.round_done = count;
	loop.userdata = &rounds;
	probe_open(&a, &loop);
	probe_open(&b, &loop);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(a.ready + b.ready + rounds, 0);

	/* Level-triggered: what is not taken comes again. */
	ck_assert_int_eq(write(a.other, "xy", 2), 2);
	ck_assert_int_eq(loop_round(&loop, -1), 0);
	ck_assert_int_eq(loop_round(&loop, -1), 0);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(a.ready, 2);
	ck_assert_uint_eq(b.ready, 0);
	ck_assert_uint_eq(rounds, 2);

	/* One round for both. */
	ck_assert_int_eq(write(a.other, "x", 1), 1);
	ck_assert_int_eq(write(b.other, "x", 1), 1);
	ck_assert_int_eq(loop_round(&loop, -1), 0);
	ck_assert_uint_eq(a.ready, 3);
	ck_assert_uint_eq(b.ready, 1);
	ck_assert_uint_eq(rounds, 3);

	probe_close(&a);
	probe_close(&b);
	loop_free(&loop);
}
END_TEST

START_TEST(changes_and_removes)
{
	struct loop loop;
	struct probe probe;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	probe_open(&probe, &loop);
	ck_assert_int_eq(loop_add(&loop, probe.fd, EPOLLIN, &probe.source), -EEXIST);
	ck_assert_int_eq(loop_change(&loop, probe.fd, 0, &probe.source), 0);
	ck_assert_int_eq(write(probe.other, "x", 1), 1);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(probe.ready, 0);
	ck_assert_int_eq(loop_change(&loop, probe.fd, EPOLLIN, &probe.source), 0);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(probe.ready, 1);

	loop_remove(&loop, probe.fd);
	ck_assert_int_eq(write(probe.other, "x", 1), 1);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(probe.ready, 1);
	ck_assert_int_eq(loop_change(&loop, probe.fd, EPOLLIN, &probe.source), -ENOENT);
	ck_assert_int_eq(loop_add(&loop, -1, EPOLLIN, &probe.source), -EBADF);
	probe_close(&probe);
	loop_free(&loop);
}
END_TEST

static void asked_ready(struct loop_source *source, uint32_t events)
{
	struct probe *probe = (struct probe *)source;

	ck_assert_uint_eq(events, EPOLLIN);
	probe->ready++;
}

/* A source that is polled is asked in every round, which waits for nothing; afterwards it is waited
 * for again, and what came meanwhile is found. */
START_TEST(polls)
{
	struct loop loop;
	struct probe busy, other;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	probe_open(&busy, &loop);
	probe_open(&other, &loop);
	busy.source.ready = asked_ready;
	loop_begin_polling(&loop, busy.fd, EPOLLIN, &busy.source);
	ck_assert_int_eq(write(busy.other, "x", 1), 1);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(loop_round(&loop, -1), 0);
		ck_assert_uint_eq(busy.ready, i + 1);
	}

	/* There is one; another source goes on as before. */
	loop_begin_polling(&loop, other.fd, EPOLLIN, &other.source);
	loop_end_polling(&loop, &other.source);
	ck_assert_int_eq(write(other.other, "x", 1), 1);
	ck_assert_int_eq(loop_round(&loop, -1), 0);
	ck_assert_uint_eq(other.ready, 1);
	ck_assert_uint_eq(busy.ready, 4);

	busy.source.ready = probe_ready;
	loop_end_polling(&loop, &busy.source);
	ck_assert_int_eq(loop_round(&loop, -1), 0);
	ck_assert_uint_eq(busy.ready, 5);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(busy.ready, 5);
	probe_close(&busy);
	probe_close(&other);
	loop_free(&loop);
}
END_TEST

static uint64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* It can't be waited for: it is asked on, with pauses, until it can. */
START_TEST(polls_until_it_can_wait)
{
	struct loop loop;
	struct probe probe;
	uint64_t begin;
	int kept;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	probe_open(&probe, &loop);
	probe.source.ready = asked_ready;
	loop_begin_polling(&loop, probe.fd, EPOLLIN, &probe.source);
	kept = dup(probe.fd);
	ck_assert_int_eq(close(probe.fd), 0);
	loop_end_polling(&loop, &probe.source);
	ck_assert_int_gt(loop.polled.pause_msec, 0);
	begin = now_msec();
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(loop_round(&loop, -1), 0);
		ck_assert_uint_eq(probe.ready, i + 1);
	}
	/* The first round is of what there was before. */
	ck_assert_uint_ge(now_msec() - begin, 3 * (uint64_t)loop.polled.pause_msec - 1);
	/* As busy as before, no pauses. */
	loop_begin_polling(&loop, probe.fd, EPOLLIN, &probe.source);
	ck_assert_int_eq(loop.polled.pause_msec, 0);

	ck_assert_int_eq(dup2(kept, probe.fd), probe.fd);
	loop_end_polling(&loop, &probe.source);
	ck_assert_ptr_null(loop.polled.source);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(probe.ready, 4);

	loop_begin_polling(&loop, probe.fd, EPOLLIN, &probe.source);
	loop_remove(&loop, probe.fd);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(probe.ready, 4);
	close(kept);
	probe_close(&probe);
	loop_free(&loop);
}
END_TEST

/* No events asked for: a hang-up is still told. */
START_TEST(tells_errors)
{
	struct loop loop;
	struct probe probe;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	probe_open(&probe, &loop);
	ck_assert_int_eq(loop_change(&loop, probe.fd, 0, &probe.source), 0);
	close(probe.other);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(probe.events, EPOLLHUP);
	close(probe.fd);
	loop_free(&loop);
}
END_TEST

START_TEST(exits_from_data)
{
	struct loop loop;
	struct probe probe;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	probe_open(&probe, &loop);
	probe.exits = true;
	ck_assert_int_eq(write(probe.other, "x", 1), 1);
	ck_assert_int_eq(loop_run(&loop), 7);
	probe_close(&probe);
	loop_free(&loop);
}
END_TEST

static int on_exit_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)usec;
	(void)userdata;
	return sd_event_exit(sd_event_source_get_event(source), 3);
}

START_TEST(exits_from_control)
{
	struct loop loop;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	ck_assert_int_eq(sd_event_add_time_relative(loop.control, NULL, CLOCK_MONOTONIC, 5000, 1000,
						    on_exit_time, NULL),
			 0);
	ck_assert_int_eq(loop_run(&loop), 3);
	loop_free(&loop);
}
END_TEST

/* Several sources that are due at once are all dispatched in one round; a round of control events
 * alone is not one of data. */
START_TEST(dispatches_control)
{
	struct loop loop;
	unsigned runs = 0, rounds = 0;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	loop.round_done = count;
	loop.userdata = &rounds;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(sd_event_add_defer(loop.control, NULL, count_deferred, &runs), 0);
	ck_assert_int_eq(loop_round(&loop, -1), 0);
	ck_assert_uint_eq(runs, 3);
	ck_assert_int_eq(sd_event_add_time_relative(loop.control, NULL, CLOCK_MONOTONIC, 1000, 1,
						    count_time, &runs),
			 0);
	loop_wake_control(&loop);
	for (unsigned i = 0; i < 100 && runs < 4; i++)
		ck_assert_int_eq(loop_round(&loop, 100), 0);
	ck_assert_uint_eq(runs, 4);
	ck_assert_uint_eq(rounds, 0);
	loop_free(&loop);
}
END_TEST

/* What waits already when the loop begins comes before control. */
START_TEST(data_comes_first)
{
	struct loop loop;
	struct probe probe;
	unsigned runs = 0;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	probe_open(&probe, &loop);
	probe.control_runs = &runs;
	ck_assert_int_eq(sd_event_add_defer(loop.control, NULL, count_deferred, &runs), 0);
	ck_assert_int_eq(write(probe.other, "x", 1), 1);
	ck_assert_int_eq(loop_round(&loop, -1), 0);
	ck_assert_uint_eq(runs, 1);
	ck_assert_uint_eq(probe.ready, 1);
	ck_assert(probe.was_first);
	probe_close(&probe);
	loop_free(&loop);
}
END_TEST

/* While nothing is due the loop sleeps, and sd-event stays armed. */
START_TEST(sleeps)
{
	struct loop loop;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert(!loop.control_pending);
		ck_assert_int_eq(sd_event_get_state(loop.control), SD_EVENT_ARMED);
		ck_assert_int_eq(loop_round(&loop, 1), 0);
	}
	loop_free(&loop);
}
END_TEST

START_TEST(clock_never_goes_back)
{
	struct loop loop;
	uint64_t ahead;

	ck_assert_int_eq(loop_init(&loop, true), 0);
	ahead = loop.now += 5000000;
	ck_assert_int_eq(loop_round(&loop, 0), 0);
	ck_assert_uint_eq(loop.now, ahead);
	loop_free(&loop);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("data", dispatches_data),
		UNIT_ONCE("data", changes_and_removes),
		UNIT_ONCE("data", tells_errors),
		UNIT_ONCE("control", exits_from_data),
		UNIT_ONCE("control", exits_from_control),
		UNIT_ONCE("control", dispatches_control),
		UNIT_ONCE("control", data_comes_first),
		UNIT_ONCE("control", sleeps),
		UNIT_ONCE("data", polls),
		UNIT_ONCE("data", polls_until_it_can_wait),
		UNIT_ONCE("clock", clock_never_goes_back),
		{0},
	};

	return unit_run("loop", rows);
}
