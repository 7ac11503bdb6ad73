/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * watchdog: says WATCHDOG=1 to the service manager for as long as all that serves is alive, so that
 * a process of which a part is stuck is ended and started again (WatchdogSec= of
 * systemd.service(5)).
 *
 *      every quarter of its time: is everybody alive? ── yes ──► WATCHDOG=1
 *                                                      └─ no ──► nothing: who stays so is the end
 *
 * Not its job: how somebody shows to be alive.
 */

#include "server/notify.h"
#include "server/timer.h"

struct watchdog {
	struct timer timer;
	struct notify *notify;
	uint64_t interval; /* microseconds; 0: nobody watches */
	bool (*is_alive)(void *userdata);
	void *userdata;
};

/* Begins to say so, if the manager asked for it (WATCHDOG_USEC). is_alive is asked each time, and
 * must not wait. Returns 0 or a negative errno; watchdog_free() releases it in any case. */
int watchdog_init(struct watchdog *watchdog, struct loop *loop, struct notify *notify,
		  bool (*is_alive)(void *userdata), void *userdata);
void watchdog_free(struct watchdog *watchdog);
