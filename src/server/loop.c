/* SPDX-License-Identifier: ISC */
#include "server/loop.h"

#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"

#define EVENTS_PER_ROUND 256

/* Between two rounds while a source is polled only for want of memory. */
#define POLL_PAUSE_MSEC 10

static void control_ready(struct loop_source *source, uint32_t events)
{
	struct loop *loop = (struct loop *)((char *)source - offsetof(struct loop, control_source));

	(void)events;
	loop->control_pending = true;
}

static uint64_t coarse_now(void)
{
	struct timespec now;

	/* A vDSO read of what the last tick stored: good to a few milliseconds, and next to free.
	 */
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int loop_init(struct loop *loop, bool is_default)
{
	int r;

	/* sd-event is armed by its first run: data that waits already comes before that. */
	*loop = (struct loop){
		.epoll_fd = -1,
		.control_pending = true,
		.control_source = {control_ready},
	};
	r = is_default ? sd_event_default(&loop->control) : sd_event_new(&loop->control);
	if (r < 0)
		return r;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return negative_errno();
	loop->now = coarse_now();
	return loop_add(loop, sd_event_get_fd(loop->control), EPOLLIN, &loop->control_source);
}

void loop_free(struct loop *loop)
{
	if (loop->epoll_fd >= 0)
		(void)close(loop->epoll_fd);
	loop->control = sd_event_unref(loop->control);
	loop->epoll_fd = -1;
}

static int control(struct loop *loop, int operation, int fd, uint32_t events,
		   struct loop_source *source)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(loop->epoll_fd, operation, fd, &event) < 0 ? negative_errno() : 0;
}

int loop_add(struct loop *loop, int fd, uint32_t events, struct loop_source *source)
{
	return control(loop, EPOLL_CTL_ADD, fd, events, source);
}

int loop_change(struct loop *loop, int fd, uint32_t events, struct loop_source *source)
{
	return control(loop, EPOLL_CTL_MOD, fd, events, source);
}

void loop_remove(struct loop *loop, int fd)
{
	if (loop->polled.source && loop->polled.fd == fd)
		loop->polled.source = NULL;
	(void)control(loop, EPOLL_CTL_DEL, fd, 0, NULL);
}

void loop_begin_polling(struct loop *loop, int fd, uint32_t events, struct loop_source *source)
{
	if (loop->polled.source == source)
		loop->polled.pause_msec = 0;
	if (loop->polled.source)
		return;
	loop_remove(loop, fd);
	loop->polled.source = source;
	loop->polled.fd = fd;
	loop->polled.events = events;
	loop->polled.pause_msec = 0;
}

void loop_end_polling(struct loop *loop, const struct loop_source *source)
{
	if (loop->polled.source != source)
		return;
	if (loop_add(loop, loop->polled.fd, loop->polled.events, loop->polled.source) < 0)
		loop->polled.pause_msec = POLL_PAUSE_MSEC;
	else
		loop->polled.source = NULL;
}

void loop_wake_control(struct loop *loop)
{
	loop->control_pending = true;
}

/*
 * Dispatches what sd-event has, and leaves it armed: its descriptor then tells of all it waits for.
 *
 *      INITIAL ──prepare──► ARMED ──wait──► PENDING ──dispatch──► INITIAL
 *         ▲                   └── nothing ──► INITIAL                │
 *         └──────────────────────────────────────────────────────────┘
 *
 * Returns 0, a negative errno, or -ESTALE once the loop was told to exit.
 */
static int run_control(struct loop *loop)
{
	for (;;) {
		bool armed = sd_event_get_state(loop->control) == SD_EVENT_ARMED;
		int r = armed ? sd_event_wait(loop->control, 0) : sd_event_prepare(loop->control);

		if (r > 0) {
			r = sd_event_dispatch(loop->control);
			if (r >= 0 && sd_event_get_state(loop->control) == SD_EVENT_FINISHED)
				return -ESTALE;
		} else if (r == 0 && !armed) {
			loop->control_pending = false;
			return 0;
		}
		if (r < 0)
			return r;
	}
}

/* How long a round may wait for events, in milliseconds. */
static int patience(const struct loop *loop, int timeout_msec)
{
	if (loop->control_pending)
		return 0;
	return loop->polled.source ? loop->polled.pause_msec : timeout_msec;
}

/* Handles what is ready. Returns whether there was data among it. */
static bool handle(struct loop *loop, const struct epoll_event *events, int count)
{
	bool data = loop->polled.source;

	if (data)
		loop->polled.source->ready(loop->polled.source, EPOLLIN);
	for (int i = 0; i < count; i++) {
		struct loop_source *source = events[i].data.ptr;

		data |= source != &loop->control_source;
		source->ready(source, events[i].events);
	}
	return data;
}

/* One round, or one after another until there is something else than 0 to return. */
static int turn(struct loop *loop, int timeout_msec, bool once)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	int r = 0;

	do {
		int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_ROUND,
				       patience(loop, timeout_msec));
		uint64_t now = coarse_now();

		if (count < 0 && errno != EINTR)
			return negative_errno();
		/* A timer may have moved it on to its deadline, ahead of the coarse clock. */
		if (loop->now < now)
			loop->now = now;
		if (handle(loop, events, count) && loop->round_done)
			loop->round_done(loop->userdata);
		if (loop->control_pending)
			r = run_control(loop);
	} while (r == 0 && !once);
	return r;
}

int loop_round(struct loop *loop, int timeout_msec)
{
	return turn(loop, timeout_msec, true);
}

int loop_run(struct loop *loop)
{
	int r = turn(loop, -1, false), code;

	if (r != -ESTALE)
		return r;
	return sd_event_get_exit_code(loop->control, &code) < 0 ? -EIO : code;
}
