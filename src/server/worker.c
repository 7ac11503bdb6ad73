/* SPDX-License-Identifier: ISC */
#include "server/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "util/error.h"

/* How long accepting waits, once descriptors or memory ran out, before it tries again by itself. */
#define RESUME_USEC UINT64_C(1000000)

/* As bits: one that is not heard yet is not lost when the next one comes. */
enum command {
	COMMAND_STOP = 1,
	COMMAND_HAND_OVER = 2,
	COMMAND_END = 4,
};

/* After data came or went. */
static inline void tell(struct worker *worker)
{
	uint64_t limits = status_count_limited(&worker->status);
	bool limit_was_met = limits != worker->limits_seen;

	worker->limits_seen = limits;
	if (news_take(worker->news, limit_was_met))
		worker->active(worker, worker->userdata);
}

static void set_active(struct worker *worker)
{
	atomic_store_explicit(&worker->last_activity, worker->loop.now, memory_order_relaxed);
}

static void sweep(void *userdata)
{
	struct worker *worker = userdata;
	const struct table *connections = &worker->streams.context.connections;
	size_t before = connections->count;

	streams_sweep(&worker->streams);
	/* The daemon is idle from the end of its last connection on. */
	if (connections->count < before)
		set_active(worker);
	timer_set(&worker->sweep_timer, worker->streams.context.next_sweep);
	tell(worker);
}

static void resume(void *userdata)
{
	struct worker *worker = userdata;

	streams_resume(&worker->streams);
	if (worker->streams.paused)
		timer_set(&worker->resume_timer, worker->loop.now + RESUME_USEC);
}

static void round_done(void *userdata)
{
	struct worker *worker = userdata;

	set_active(worker);
	timer_set(&worker->sweep_timer, worker->streams.context.next_sweep);
	if (worker->streams.paused && worker->resume_timer.deadline == TIMER_NEVER)
		timer_set(&worker->resume_timer, worker->loop.now + RESUME_USEC);
	tell(worker);
}

static void stop(struct worker *worker, bool hand_over)
{
	streams_stop(&worker->streams);
	datagrams_stop(worker->datagrams);
	if (hand_over)
		streams_hand_over(&worker->streams);
	atomic_store(&worker->has_stopped, true);
	worker->active(worker, worker->userdata);
}

static int on_command(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct worker *worker = userdata;
	eventfd_t value;

	(void)source;
	(void)events;
	(void)eventfd_read(fd, &value);
	atomic_store(&worker->answered, atomic_load(&worker->asked));

	int what = atomic_exchange(&worker->command, 0);

	if (what & (COMMAND_STOP | COMMAND_HAND_OVER))
		stop(worker, what & COMMAND_HAND_OVER);
	if (what & COMMAND_END)
		(void)sd_event_exit(worker->loop.control, 0);
	return 0;
}

static void ignore_activity(struct worker *worker, void *userdata)
{
	(void)worker;
	(void)userdata;
}

static int listen_for_commands(struct worker *worker)
{
	worker->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->command_fd < 0)
		return negative_errno();
	return sd_event_add_io(worker->loop.control, NULL, worker->command_fd, EPOLLIN, on_command,
			       worker);
}

int worker_init(struct worker *worker, const struct worker_options *options, bool is_main)
{
	int r;

	*worker = (struct worker){
		.command_fd = -1,
		.active = ignore_activity,
		.news = options->news,
	};
	if ((r = loop_init(&worker->loop, is_main)) < 0 ||
	    (!is_main && (r = listen_for_commands(worker)) < 0) ||
	    (r = timer_init(&worker->sweep_timer, &worker->loop, sweep, worker)) < 0 ||
	    (r = timer_init(&worker->resume_timer, &worker->loop, resume, worker)) < 0 ||
	    (r = streams_init(&worker->streams, &worker->loop, &options->exchange,
			      options->admission, options->unsent_limit, &worker->status)) < 0 ||
	    (r = datagrams_new(&worker->loop, &options->exchange, &options->datagrams,
			       &worker->status, &worker->datagrams)) < 0)
		return r;
	worker->streams.context.store = options->store;
	worker->last_activity = worker->loop.now;
	worker->loop.round_done = round_done;
	worker->loop.userdata = worker;
	return 0;
}

void worker_free(struct worker *worker)
{
	timer_free(&worker->sweep_timer);
	timer_free(&worker->resume_timer);
	datagrams_free(worker->datagrams);
	streams_free(&worker->streams);
	loop_free(&worker->loop);
	if (worker->command_fd >= 0)
		(void)close(worker->command_fd);
	*worker = (struct worker){.command_fd = -1, .loop.epoll_fd = -1};
}

/* A connection that others had may be silent from the first: no event would set this. */
static void watch_silence(struct worker *worker)
{
	timer_set(&worker->sweep_timer, worker->streams.context.next_sweep);
}

int worker_serve(struct worker *worker, struct endpoint *endpoint)
{
	int fd = endpoint->fd, r;

	switch (endpoint->kind) {
	case ENDPOINT_DATAGRAM:
		return datagrams_serve(worker->datagrams, endpoint);
	case ENDPOINT_LISTENING:
		return streams_welcome(&worker->streams, fd);
	case ENDPOINT_CONNECTED:
	case ENDPOINT_STORED:
	default:
		endpoint->fd = -1;
		r = streams_take(&worker->streams, fd);
		watch_silence(worker);
		return r;
	}
}

int worker_restore(struct worker *worker, const struct store_entry *entry)
{
	int r = streams_restore(&worker->streams, entry);

	watch_silence(worker);
	return r;
}

static void *run(void *userdata)
{
	struct worker *worker = userdata;

	int r = loop_run(&worker->loop);

	if (r < 0) {
		atomic_store(&worker->failure, r);
		worker->active(worker, worker->userdata);
	}
	return NULL;
}

int worker_start(struct worker *worker)
{
	int error = pthread_create(&worker->thread, NULL, run, worker);

	worker->has_thread = error == 0;
	return -error;
}

static void command(struct worker *worker, enum command what)
{
	atomic_fetch_or(&worker->command, (int)what);
	(void)eventfd_write(worker->command_fd, 1);
}

void worker_stop(struct worker *worker)
{
	if (worker->has_thread)
		command(worker, COMMAND_STOP);
	else
		stop(worker, false);
}

void worker_hand_over(struct worker *worker)
{
	if (worker->has_thread)
		command(worker, COMMAND_HAND_OVER);
	else
		stop(worker, true);
}

bool worker_is_alive(struct worker *worker)
{
	if (!worker->has_thread)
		return true;
	if (atomic_load(&worker->answered) != atomic_load(&worker->asked))
		return false;
	atomic_fetch_add(&worker->asked, 1);
	(void)eventfd_write(worker->command_fd, 1);
	return true;
}

void worker_join(struct worker *worker)
{
	if (!worker->has_thread)
		return;
	command(worker, COMMAND_END);
	(void)pthread_join(worker->thread, NULL);
	worker->has_thread = false;
}
