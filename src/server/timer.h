/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * timer: a one-shot deadline on sd-event, which the data path may set.
 *
 * Setting it to what it is set to costs nothing, so it can be set in every round.
 */

#include "server/loop.h"

/* The deadline of a timer that is off. */
#define TIMER_NEVER UINT64_MAX

struct timer {
	struct loop *loop;
	sd_event_source *source; /* owned */
	uint64_t deadline;       /* microseconds of CLOCK_MONOTONIC */
	void (*expired)(void *userdata);
	void *userdata;
};

/* Makes a timer that is off. Returns 0 or a negative errno; timer_free() releases it. */
int timer_init(struct timer *timer, struct loop *loop, void (*expired)(void *userdata),
	       void *userdata);
void timer_free(struct timer *timer);

/* As timer_set(), whatever it is set to. */
void timer_change(struct timer *timer, uint64_t deadline);

/* Sets it to a deadline, microseconds of CLOCK_MONOTONIC, or TIMER_NEVER. loop->now has reached the
 * deadline when expired() is called, and the timer is off then. */
static inline void timer_set(struct timer *timer, uint64_t deadline)
{
	if (deadline != timer->deadline)
		timer_change(timer, deadline);
}
