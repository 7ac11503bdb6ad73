/* SPDX-License-Identifier: ISC */
#include "server/watchdog.h"

#include <systemd/sd-daemon.h>

/* So often in the manager's time: who is late once, or a message that finds no room, is not the
 * end. */
#define TICKS 4

static void rearm(struct watchdog *watchdog)
{
	timer_set(&watchdog->timer, watchdog->timer.loop->now + watchdog->interval);
}

static void tick(void *userdata)
{
	struct watchdog *watchdog = userdata;

	if (watchdog->is_alive(watchdog->userdata))
		(void)notify_send(watchdog->notify, NOTIFY_OFFER, -1, "WATCHDOG=1");
	rearm(watchdog);
}

int watchdog_init(struct watchdog *watchdog, struct loop *loop, struct notify *notify,
		  bool (*is_alive)(void *userdata), void *userdata)
{
	uint64_t usec = 0;
	int r;

	*watchdog = (struct watchdog){
		.notify = notify,
		.is_alive = is_alive,
		.userdata = userdata,
	};
	r = timer_init(&watchdog->timer, loop, tick, watchdog);
	if (r < 0)
		return r;
	r = sd_watchdog_enabled(false, &usec);
	if (r <= 0)
		return r;
	watchdog->interval = usec / TICKS;
	rearm(watchdog);
	return 0;
}

void watchdog_free(struct watchdog *watchdog)
{
	timer_free(&watchdog->timer);
}
