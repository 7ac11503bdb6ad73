/* SPDX-License-Identifier: ISC */
#include "server/server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "server/crew.h"
#include "server/store.h"
#include "server/voice.h"
#include "server/watchdog.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"

/* While it drains, the service manager is asked so often for so much more time: it may grant less
 * (TimeoutStopSec=) than draining may take. A daemon that is stuck does not ask. */
#define EXTEND_EVERY_USEC UINT64_C(5000000)
#define EXTEND_BY_USEC    UINT64_C(15000000)

/* As long as somebody is connected, whether that has changed is not looked for more often. */
#define IDLE_LOOK_USEC UINT64_C(100000)

/* Descriptors that a process, and systemd while it begins one, have beside its sockets and what is
 * stored; and some to spare. */
#define DESCRIPTORS_OWN       24
#define DESCRIPTORS_OF_WORKER 5

struct server {
	const struct server_options *options;
	struct endpoints *endpoints;
	struct crew crew;
	struct notify notify;
	struct store store;
	struct voice voice;
	struct watchdog watchdog;
	struct timer idle_timer, drain_timer;
	uint64_t drain_deadline; /* of the loop's clock */

	bool draining;
	bool handing_over; /* draining, into the service manager's store */
	int news_fd;       /* owned: an eventfd by which other workers say that there are some */
};

static struct loop *main_loop(struct server *server)
{
	return crew_main_loop(&server->crew);
}

static void finish(struct server *server)
{
	(void)sd_event_exit(main_loop(server)->control, 0);
	loop_wake_control(main_loop(server));
}

static void sum_status(void *userdata, struct status *ret_sum)
{
	struct server *server = userdata;

	/* What is counted from here on is news again. */
	news_want(&server->crew.news, voice_wants(&server->voice));
	crew_sum_status(&server->crew, ret_sum);
}

static uint64_t count_open(const struct server *server)
{
	struct status sum;

	crew_sum_status(&server->crew, &sum);
	return sum.connections_open;
}

/* A deadline that infinity as a time span never comes to. */
static uint64_t after(uint64_t begin, uint64_t span)
{
	return span == PARSE_INFINITY ? TIMER_NEVER : begin + span;
}

/* As long as connections may take to end, until the deadline. */
static void drain(void *userdata)
{
	struct server *server = userdata;
	uint64_t now = main_loop(server)->now, next = now + EXTEND_EVERY_USEC;

	if (now >= server->drain_deadline) {
		finish(server);
		return;
	}
	(void)notify_send(&server->notify, NOTIFY_INSIST, -1, "EXTEND_TIMEOUT_USEC=%" PRIu64,
			  EXTEND_BY_USEC);
	timer_set(&server->drain_timer,
		  next < server->drain_deadline ? next : server->drain_deadline);
}

/* The sockets are given back, and what is open may end by itself for a while, or goes over to the
 * next process. */
static void begin_draining(struct server *server, bool hand_over)
{
	if (server->draining) {
		finish(server);
		return;
	}
	server->draining = true;
	server->handing_over = hand_over;
	news_want(&server->crew.news, NEWS_ALL);
	endpoints_turn_away(server->endpoints);
	voice_stopping(&server->voice);
	server->drain_deadline = after(main_loop(server)->now, server->options->drain_timeout);
	drain(server);
	crew_stop(&server->crew, hand_over);
}

static void idle_out(void *userdata)
{
	struct server *server = userdata;
	uint64_t now = main_loop(server)->now, idle_time = server->options->exit_idle_time;
	uint64_t idle_at = crew_last_activity(&server->crew) + idle_time;

	if (count_open(server) > 0)
		idle_at = now + (idle_time > IDLE_LOOK_USEC ? idle_time : IDLE_LOOK_USEC);
	/* What waits in a backlog or a socket's buffer starts the next process: nothing is lost. */
	if (idle_at <= now)
		begin_draining(server, false);
	else
		timer_set(&server->idle_timer, idle_at);
}

/* The watchdog's question. */
static bool is_alive(void *userdata)
{
	struct server *server = userdata;

	return crew_is_alive(&server->crew);
}

/* A worker whose loop has failed serves nobody: no good end, but an end. */
static bool has_failed_worker(struct server *server)
{
	int failure = crew_failure(&server->crew);

	if (failure == 0)
		return false;
	(void)sd_event_exit(main_loop(server)->control, failure);
	loop_wake_control(main_loop(server));
	return true;
}

/* Can nobody come any more? While it drains somebody can, until the last worker has stopped. */
static bool is_closed(const struct server *server)
{
	return server->draining ? crew_has_stopped(&server->crew) : !server->crew.welcomes;
}

/* There is news: whatever depends on that. In the main thread. */
static void take_notice(struct server *server)
{
	if (has_failed_worker(server))
		return;
	/* In this order: who was accepted is counted before his worker has stopped. */
	if (is_closed(server) && count_open(server) == 0)
		finish(server);
	voice_active(&server->voice);
}

/* In the worker's thread. */
static void on_active(struct worker *worker, void *userdata)
{
	struct server *server = userdata;

	if (worker == &server->crew.workers[0])
		take_notice(server);
	else
		(void)eventfd_write(server->news_fd, 1);
}

static int on_news(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	eventfd_t value;

	(void)source;
	(void)events;
	(void)eventfd_read(fd, &value);
	take_notice(userdata);
	return 0;
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *signal,
			  void *userdata)
{
	struct server *server = userdata;

	(void)source;
	begin_draining(server,
		       signal->ssi_signo == SIGUSR2 && server->options->preserve != PRESERVE_NEVER);
	return 0;
}

static int on_status_signal(sd_event_source *source, const struct signalfd_siginfo *signal,
			    void *userdata)
{
	const struct server *server = userdata;

	(void)source;
	(void)signal;
	voice_log_status(&server->voice);
	return 0;
}

/* There is no configuration to read again; but who was answered too often may ask anew. */
static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *signal,
			    void *userdata)
{
	struct server *server = userdata;

	(void)source;
	(void)signal;
	if (server->draining)
		return 0;
	voice_reloading(&server->voice);
	if (server->crew.rate)
		rate_forget(server->crew.rate);
	voice_reloaded(&server->voice);
	return 0;
}

/* Blocked before there are threads: signals come through the main loop and nowhere else. */
static int add_signals(struct server *server)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} signals[] = {
		{SIGTERM, on_stop_signal},   {SIGINT, on_stop_signal},   {SIGUSR2, on_stop_signal},
		{SIGUSR1, on_status_signal}, {SIGHUP, on_reload_signal},
	};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigset_t mask;
		int r;

		(void)sigemptyset(&mask);
		(void)sigaddset(&mask, signals[i].number);
		if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
			return negative_errno();
		r = sd_event_add_signal(main_loop(server)->control, NULL, signals[i].number,
					signals[i].handler, server);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_control(struct server *server)
{
	struct loop *loop = main_loop(server);
	int r;

	if ((r = add_signals(server)) < 0 ||
	    (r = voice_init(&server->voice, loop, &server->notify, sum_status, server)) < 0 ||
	    (r = timer_init(&server->idle_timer, loop, idle_out, server)) < 0 ||
	    (r = timer_init(&server->drain_timer, loop, drain, server)) < 0)
		return r;
	if (server->crew.count == 1)
		return 0;
	server->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->news_fd < 0)
		return negative_errno();
	return sd_event_add_io(loop->control, NULL, server->news_fd, EPOLLIN, on_news, server);
}

/* What systemd keeps at most (systemd.exec(5) FDSTORE, of systemd 254 and newer); it closes what is
 * more. Our own ledger may be among it. */
static size_t most_in_store(void)
{
	const char *most = getenv("FDSTORE");
	uint64_t number;

	if (!most || parse_number(most, 0, UINT32_MAX, &number) < 0)
		return SIZE_MAX;
	return number > 0 ? (size_t)number - 1 : 0;
}

/* How many stored descriptors the next process can be given, if its limit is ours (LimitNOFILE=):
 * systemd can't begin one that is given more. */
static size_t room_in_store(const struct server *server)
{
	size_t own = DESCRIPTORS_OWN + DESCRIPTORS_OF_WORKER * server->options->workers;
	size_t most = most_in_store();
	struct rlimit limit;

	for (size_t i = 0; i < server->endpoints->count; i++)
		own += server->endpoints->items[i].kind != ENDPOINT_STORED;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < own)
		return 0;
	return limit.rlim_cur - own < most ? limit.rlim_cur - own : most;
}

static int start(struct server *server, struct endpoints *endpoints, const char **ret_what)
{
	int r;

	*ret_what = "service manager";
	if ((r = notify_open(&server->notify)) < 0)
		return r;
	*ret_what = "connection store";
	if ((r = store_open(
		     &server->store, &server->notify, server->options->preserve == PRESERVE_ALWAYS,
		     server->options->connections_max, room_in_store(server), endpoints)) < 0)
		return r;
	*ret_what = "workers";
	if ((r = crew_init(&server->crew, server->options, &server->store, on_active, server)) < 0)
		return r;
	*ret_what = "event loop";
	if ((r = add_control(server)) < 0)
		return r;
	*ret_what = "watchdog";
	if ((r = watchdog_init(&server->watchdog, main_loop(server), &server->notify, is_alive,
			       server)) < 0)
		return r;
	*ret_what = "sockets";
	if ((r = crew_serve(&server->crew, endpoints)) < 0)
		return r;
	/* The end of its last connection is the end of the daemon. */
	if (!server->crew.welcomes)
		news_want(&server->crew.news, NEWS_ALL);
	*ret_what = "threads";
	if ((r = crew_start(&server->crew)) < 0)
		return r;
	if (endpoints->activation != ACTIVATION_OWN)
		timer_set(&server->idle_timer,
			  after(main_loop(server)->now, server->options->exit_idle_time));
	return 0;
}

static void server_free(struct server *server)
{
	crew_join(&server->crew);
	voice_free(&server->voice);
	watchdog_free(&server->watchdog);
	timer_free(&server->idle_timer);
	timer_free(&server->drain_timer);
	crew_free(&server->crew);
	cleanup_close(&server->news_fd);
	store_close(&server->store);
	notify_close(&server->notify);
}

int server_run(const struct server_options *options, struct endpoints *endpoints,
	       const char **ret_what)
{
	_cleanup_(server_free) struct server server = {.options = options,
						       .endpoints = endpoints,
						       .news_fd = -1,
						       .notify.fd = -1,
						       .store.ledger.fd = -1};
	int r = start(&server, endpoints, ret_what);

	if (r < 0)
		return r;
	voice_ready(&server.voice);
	/* Nothing was handed over that can be served. */
	if (!server.crew.welcomes && count_open(&server) == 0)
		finish(&server);
	*ret_what = "event loop";
	r = loop_run(main_loop(&server));
	voice_stopping(&server.voice);
	if (server.handing_over) {
		/* Theirs, too, is to be with the manager before it is asked whether it has all. */
		crew_join(&server.crew);
		(void)notify_settle(&server.notify);
	}
	return r;
}
