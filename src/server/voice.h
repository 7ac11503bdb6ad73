/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * voice: what the daemon says of itself while it serves: to the service manager (notify.h) READY,
 * STATUS, RELOADING and STOPPING, and to the log which limits were met.
 *
 * Strangers can make it meet a limit, but not speak: STATUS comes once a second at most, the log's
 * line once in ten seconds, with numbers and nothing that a stranger sent. While nothing happens
 * nothing is said. Not its job: what is counted (status.h), and how a line is logged (log.h).
 */

#include <stdbool.h>

#include "server/news.h"
#include "server/notify.h"
#include "server/status.h"
#include "server/timer.h"

struct voice {
	struct timer timer;
	void (*sum)(void *userdata, struct status *ret_status);
	void *userdata;
	struct notify *notify;
	uint64_t last_status, last_line; /* of the loop's clock */
	struct status told;              /* what was logged */
};

/* sum is to tell the daemon's numbers; notify must outlive it. Returns 0 or a negative errno;
 * voice_free() releases it. */
int voice_init(struct voice *voice, struct loop *loop, struct notify *notify,
	       void (*sum)(void *userdata, struct status *ret_status), void *userdata);
void voice_free(struct voice *voice);

/* The daemon serves; there is news; it is about to end, or has. */
void voice_ready(struct voice *voice);
void voice_active(struct voice *voice);
void voice_stopping(struct voice *voice);

/* Of what voice_active() is to be called. Without a manager there is nothing to say but that a
 * limit was met: an idle daemon is not woken for it. */
static inline enum news voice_wants(const struct voice *voice)
{
	return notify_has_manager(voice->notify) ? NEWS_ANY : NEWS_LIMITS;
}

/* A reload begins, and is over; the limit that is met next is logged at once. */
void voice_reloading(struct voice *voice);
void voice_reloaded(struct voice *voice);

/* Logs the numbers because somebody asked. */
void voice_log_status(const struct voice *voice);
