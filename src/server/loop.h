/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * loop: the data path's event loop: plain epoll, level-triggered. sd-event, which has the signals,
 * the watchdog and the timers, hangs in it with its one descriptor:
 *
 *      epoll ──┬── listening sockets, connections, datagram sockets
 *              └── sd-event's descriptor ── signals, watchdog, timers
 *
 * So a message costs what it costs a bare epoll loop (sd-event dispatches one source per wait), and
 * control is still libsystemd's. Control events are dispatched after the data events of their
 * round: only they may release a source that another event of the round could name.
 *
 * Not its job: what the events mean.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

/* What an event leads to; embedded as the first member of whatever is waited for. */
struct loop_source {
	void (*ready)(struct loop_source *source, uint32_t events);
};

struct loop {
	int epoll_fd;
	sd_event *control;    /* owned */
	bool control_pending; /* sd-event is to be run at the end of this round */
	uint64_t now; /* CLOCK_MONOTONIC_COARSE at the round's beginning, microseconds; never
		       * goes back */
	struct loop_source control_source;

	/* The one that is asked in every round (loop_begin_polling()); source is NULL if none is.
	 */
	struct {
		struct loop_source *source;
		int fd;
		uint32_t events; /* to wait for afterwards */
		int pause_msec;  /* between two rounds: 0, or it was to end and could not */
	} polled;

	/* Called at the end of each round that had data events; control events alone are none. */
	void (*round_done)(void *userdata);
	void *userdata;
};

/* Makes the epoll set, and sd-event's default loop of this thread, or one of its own.
 * Returns 0 or a negative errno. */
int loop_init(struct loop *loop, bool is_default);
void loop_free(struct loop *loop);

/* Waits for events (EPOLLIN…) on fd; the source must outlive that. 0 events: for errors only.
 * Return 0 or a negative errno of epoll_ctl(2). */
int loop_add(struct loop *loop, int fd, uint32_t events, struct loop_source *source);
int loop_change(struct loop *loop, int fd, uint32_t events, struct loop_source *source);
void loop_remove(struct loop *loop, int fd);

/* Has source asked in every round, as if fd were readable, instead of waiting for fd; to be ended
 * when nothing is there. For a datagram socket under load: as long as somebody waits for it, the
 * kernel wakes them for each datagram that leaves, which is a tenth of what answering one costs.
 * One source at a time: nothing changes if there is one. events are to be waited for afterwards. */
void loop_begin_polling(struct loop *loop, int fd, uint32_t events, struct loop_source *source);

/* Waits for it again if it is the one that is polled. What came meanwhile is found; without memory
 * to wait with it goes on being polled, a hundred times a second. */
void loop_end_polling(struct loop *loop, const struct loop_source *source);

/* To be called after sd_event_exit() or a change to an sd-event source by the data path: sd-event
 * sees it at the end of this round. */
void loop_wake_control(struct loop *loop);

/* One round: waits for events up to timeout_msec (-1: without end; not at all while sd-event is to
 * be run) and handles them, data first. Returns 0, -ESTALE once sd_event_exit() was called on
 * control, or another negative errno. */
int loop_round(struct loop *loop, int timeout_msec);

/* Runs until sd_event_exit() is called on control. Returns the code it was given, or a negative
 * errno. */
int loop_run(struct loop *loop);
