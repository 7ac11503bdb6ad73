/* SPDX-License-Identifier: ISC */
#include "server/server.h"

#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "server/datagrams.h"
#include "server/loop.h"
#include "server/streams.h"
#include "server/timer.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"
#include "util/report.h"

/* STATUS is sent this often at most, and never while nothing happens. */
#define STATUS_EVERY_USEC UINT64_C(1000000)

/* How long accepting waits, once descriptors or memory ran out, before it tries again by itself. */
#define RESUME_USEC UINT64_C(1000000)

struct server {
	const struct server_options *options;
	struct loop loop;
	struct status status;
	struct streams streams;
	struct datagrams *datagrams; /* owned */
	bool welcomes;     /* has a welcoming or a datagram socket, not one conversation */
	bool may_idle_out; /* somebody else holds the sockets, and starts us again */
	bool has_manager;  /* there is one to notify */
	bool draining;
	uint64_t last_activity;
	uint64_t last_status;
	struct timer status_timer, sweep_timer, idle_timer, resume_timer, drain_timer;
};

static void finish(struct server *server)
{
	(void)sd_event_exit(server->loop.control, 0);
	loop_wake_control(&server->loop);
}

static void send_status(void *userdata)
{
	struct server *server = userdata;
	char text[STATUS_TEXT_MAX];

	server->last_status = server->loop.now;
	(void)sd_notifyf(false, "STATUS=%s", status_print(&server->status, text));
}

static void sweep(void *userdata)
{
	struct server *server = userdata;

	streams_sweep(&server->streams);
	timer_set(&server->sweep_timer, server->streams.next_sweep);
}

static void resume(void *userdata)
{
	struct server *server = userdata;

	streams_resume(&server->streams);
}

/* A deadline that infinity as a time span never comes to. */
static uint64_t after(uint64_t begin, uint64_t span)
{
	return span == PARSE_INFINITY ? TIMER_NEVER : begin + span;
}

static void idle_out(void *userdata)
{
	struct server *server = userdata;
	uint64_t span = server->options->exit_idle_time, due = after(server->last_activity, span);

	/* What waits in a backlog or a socket's buffer starts the next process: nothing is lost. */
	if (server->streams.count == 0 && due <= server->loop.now)
		finish(server);
	else
		timer_set(&server->idle_timer,
		          server->streams.count > 0 ? after(server->loop.now, span) : due);
}

static void drain_out(void *userdata)
{
	finish(userdata);
}

/* The sockets are given back, and what is open may end by itself for a while. */
static void begin_draining(struct server *server)
{
	if (server->draining) {
		finish(server);
		return;
	}
	server->draining = true;
	(void)sd_notify(false, "STOPPING=1");
	streams_stop(&server->streams);
	datagrams_stop(server->datagrams);
	if (server->streams.count == 0)
		finish(server);
	else
		timer_set(&server->drain_timer,
		          after(server->loop.now, server->options->drain_timeout));
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *signal,
                          void *userdata)
{
	(void)source;
	(void)signal;
	begin_draining(userdata);
	return 0;
}

static int on_status_signal(sd_event_source *source, const struct signalfd_siginfo *signal,
                            void *userdata)
{
	struct server *server = userdata;
	char text[STATUS_TEXT_MAX];

	(void)source;
	(void)signal;
	report(LOG_NOTICE, "%s", status_print(&server->status, text));
	return 0;
}

/* Data came or went: whatever depends on that. */
static void round_done(void *userdata)
{
	struct server *server = userdata;
	uint64_t now = server->loop.now;

	server->last_activity = now;
	timer_set(&server->sweep_timer, server->streams.next_sweep);
	if (server->streams.paused && server->resume_timer.deadline == TIMER_NEVER)
		timer_set(&server->resume_timer, now + RESUME_USEC);
	if (server->streams.count == 0 && (server->draining || !server->welcomes))
		finish(server);
	if (!server->has_manager)
		return;
	if (now - server->last_status >= STATUS_EVERY_USEC)
		send_status(server);
	else if (server->status_timer.deadline == TIMER_NEVER)
		timer_set(&server->status_timer, server->last_status + STATUS_EVERY_USEC);
}

static int add_signals(struct server *server)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} signals[] = {
	        {SIGTERM, on_stop_signal},
	        {SIGINT, on_stop_signal},
	        {SIGUSR1, on_status_signal},
	};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigset_t mask;
		int r;

		(void)sigemptyset(&mask);
		(void)sigaddset(&mask, signals[i].number);
		if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
			return negative_errno();
		r = sd_event_add_signal(server->loop.control, NULL, signals[i].number,
		                        signals[i].handler, server);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_timers(struct server *server)
{
	const struct {
		struct timer *timer;
		void (*expired)(void *userdata);
	} timers[] = {
	        {&server->status_timer, send_status}, {&server->sweep_timer, sweep},
	        {&server->idle_timer, idle_out},      {&server->resume_timer, resume},
	        {&server->drain_timer, drain_out},
	};

	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		int r = timer_init(timers[i].timer, &server->loop, timers[i].expired, server);

		if (r < 0)
			return r;
	}
	return 0;
}

static int serve_endpoints(struct server *server, struct endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->count; i++) {
		struct endpoint *endpoint = &endpoints->items[i];
		int r;

		if (endpoint->kind == ENDPOINT_DATAGRAM)
			r = datagrams_serve(server->datagrams, endpoint);
		else
			r = streams_serve(&server->streams, endpoint);
		if (r < 0)
			return r;
		server->welcomes |= endpoint->kind != ENDPOINT_CONNECTED;
	}
	return 0;
}

static int start(struct server *server, struct endpoints *endpoints, const char **ret_what)
{
	int r;

	*ret_what = "event loop";
	if ((r = loop_init(&server->loop)) < 0 || (r = add_signals(server)) < 0 ||
	    (r = add_timers(server)) < 0 ||
	    (r = sd_event_set_watchdog(server->loop.control, true)) < 0)
		return r;
	server->loop.round_done = round_done;
	server->loop.userdata = server;

	*ret_what = "buffers";
	if ((r = streams_init(&server->streams, &server->loop, &server->options->exchange,
	                      &server->status)) < 0 ||
	    (r = datagrams_new(&server->loop, &server->options->exchange,
	                       &server->options->datagrams, &server->status, &server->datagrams)) <
	            0)
		return r;
	server->streams.connections_max = server->options->connections_max;
	server->streams.connections_max_per_source = server->options->connections_max_per_source;
	server->streams.idle_timeout = server->options->idle_timeout;

	*ret_what = "sockets";
	r = serve_endpoints(server, endpoints);
	if (r < 0)
		return r;
	server->has_manager = getenv("NOTIFY_SOCKET") != NULL;
	server->may_idle_out = endpoints->activation != ACTIVATION_OWN;
	server->last_activity = server->loop.now;
	timer_set(&server->sweep_timer, server->streams.next_sweep);
	if (server->may_idle_out)
		timer_set(&server->idle_timer,
		          after(server->loop.now, server->options->exit_idle_time));
	return 0;
}

static void server_free(struct server *server)
{
	timer_free(&server->status_timer);
	timer_free(&server->sweep_timer);
	timer_free(&server->idle_timer);
	timer_free(&server->resume_timer);
	timer_free(&server->drain_timer);
	datagrams_free(server->datagrams);
	streams_free(&server->streams);
	loop_free(&server->loop);
}

int server_run(const struct server_options *options, struct endpoints *endpoints,
               const char **ret_what)
{
	_cleanup_(server_free) struct server server = {
	        .options = options,
	        .loop.epoll_fd = -1,
	};
	char text[STATUS_TEXT_MAX];
	int r = start(&server, endpoints, ret_what);

	if (r < 0)
		return r;
	(void)sd_notifyf(false, "READY=1\nSTATUS=%s", status_print(&server.status, text));
	server.last_status = server.loop.now;
	*ret_what = "event loop";
	r = loop_run(&server.loop);
	(void)sd_notifyf(false, "STOPPING=1\nSTATUS=%s", status_print(&server.status, text));
	return r;
}
