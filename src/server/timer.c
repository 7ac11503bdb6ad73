/* SPDX-License-Identifier: ISC */
#include "server/timer.h"

#include <time.h>

/* sd-event may move a timer by this much to save a wake-up. */
#define ACCURACY_USEC 10000

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct timer *timer = userdata;

	(void)source;
	timer->deadline = TIMER_NEVER;
	/* The loop's clock is coarse: never let it lag behind a deadline that has come. */
	if (timer->loop->now < usec)
		timer->loop->now = usec;
	timer->expired(timer->userdata);
	return 0;
}

int timer_init(struct timer *timer, struct loop *loop, void (*expired)(void *userdata),
	       void *userdata)
{
	int r;

	*timer = (struct timer){
		.loop = loop,
		.deadline = TIMER_NEVER,
		.expired = expired,
		.userdata = userdata,
	};
	r = sd_event_add_time(loop->control, &timer->source, CLOCK_MONOTONIC, TIMER_NEVER,
			      ACCURACY_USEC, on_time, timer);
	return r < 0 ? r : sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
}

void timer_free(struct timer *timer)
{
	timer->source = sd_event_source_unref(timer->source);
}

void timer_change(struct timer *timer, uint64_t deadline)
{
	timer->deadline = deadline;
	(void)sd_event_source_set_time(timer->source, deadline);
	(void)sd_event_source_set_enabled(
		timer->source, deadline == TIMER_NEVER ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
	loop_wake_control(timer->loop);
}
