/* SPDX-License-Identifier: ISC */

/* world-control: sd-event and the service manager, as far as the server knows them: timers by the
 * world's clock, signals when the world says so. */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "world.h"

#define SOURCES_MAX 16

struct sd_event_source {
	bool is_used, is_enabled, is_pending;
	uint64_t deadline;
	int number;
	sd_event_time_handler_t on_time;
	sd_event_signal_handler_t on_signal;
	void *userdata;
};

struct sd_event {
	int fd, state, exit_code;
	bool is_used, is_to_exit;
	uint64_t armed_for; /* the deadline that the descriptor knows of */
	struct sd_event_source sources[SOURCES_MAX];
};

static struct sd_event control;

static bool is_due(const struct sd_event_source *source, uint64_t now)
{
	return source->is_used && source->is_enabled &&
	       (source->is_pending || (source->on_time && source->deadline <= now));
}

static bool has_due(void)
{
	for (unsigned i = 0; i < SOURCES_MAX; i++)
		if (is_due(&control.sources[i], world.now))
			return true;
	return false;
}

static uint64_t next_deadline(void)
{
	uint64_t next = WORLD_TIMELESS;

	for (unsigned i = 0; i < SOURCES_MAX; i++) {
		const struct sd_event_source *source = &control.sources[i];

		if (source->is_used && source->is_enabled && source->on_time &&
		    source->deadline < next)
			next = source->deadline;
	}
	return next;
}

/* A timer that was set since it was armed is not known to the descriptor. */
bool world_control_is_ready(void)
{
	bool has_signal = false;

	for (unsigned i = 0; i < SOURCES_MAX; i++)
		has_signal |= control.sources[i].is_used && control.sources[i].is_pending;
	return control.state == SD_EVENT_ARMED && (has_signal || control.armed_for <= world.now);
}

void world_check_control(void)
{
	REQUIRE(!control.is_used, "sd-event is left");
	for (unsigned i = 0; i < SOURCES_MAX; i++)
		REQUIRE(!control.sources[i].is_used || control.sources[i].on_signal,
			"a timer is left");
	memset(&control, 0, sizeof(control));
}

void world_signal(int number)
{
	for (unsigned i = 0; i < SOURCES_MAX; i++)
		if (control.sources[i].on_signal && control.sources[i].number == number)
			control.sources[i].is_pending = true;
}

bool world_jump(uint64_t limit)
{
	uint64_t next = next_deadline();

	if (next >= limit || next == WORLD_TIMELESS)
		return false;
	/* Late, but not by so much that the coarse clock were always there, too. */
	if (world.now < next)
		world.now = next + 500;
	return true;
}

int __wrap_sd_event_default(sd_event **ret_event);
int __wrap_sd_event_default(sd_event **ret_event)
{
	if (world_allocation_fails())
		return -ENOMEM;
	REQUIRE(!control.is_used, "a second one");
	control = (struct sd_event){
		.is_used = true,
		.fd = world_open(WORLD_CONTROL, 0, 0),
		.state = SD_EVENT_INITIAL,
	};
	*ret_event = &control;
	return 1;
}

sd_event *__wrap_sd_event_unref(sd_event *event);
sd_event *__wrap_sd_event_unref(sd_event *event)
{
	if (event) {
		world_look(event->fd, WORLD_CONTROL)->kind = WORLD_CLOSED;
		event->is_used = false;
	}
	return NULL;
}

int __wrap_sd_event_get_fd(sd_event *event);
int __wrap_sd_event_get_fd(sd_event *event)
{
	return event->fd;
}

int __wrap_sd_event_get_state(sd_event *event);
int __wrap_sd_event_get_state(sd_event *event)
{
	return event->state;
}

/* Nobody watches. */
int __wrap_sd_watchdog_enabled(int unset, uint64_t *ret_usec);
int __wrap_sd_watchdog_enabled(int unset, uint64_t *ret_usec)
{
	(void)ret_usec;
	REQUIRE(!unset, "the environment is not ours");
	return 0;
}

/* ─── sources ─── */

static int add_source(sd_event *event, struct sd_event_source source, sd_event_source **ret_source)
{
	unsigned i = 0;

	if (world_allocation_fails())
		return -ENOMEM;
	while (event->sources[i].is_used)
		REQUIRE(++i < SOURCES_MAX, "too many sources");
	event->sources[i] = source;
	event->sources[i].is_used = event->sources[i].is_enabled = true;
	if (ret_source)
		*ret_source = &event->sources[i];
	return 0;
}

int __wrap_sd_event_add_time(sd_event *event, sd_event_source **ret_source, clockid_t clock,
			     uint64_t usec, uint64_t accuracy, sd_event_time_handler_t handler,
			     void *userdata);
int __wrap_sd_event_add_time(sd_event *event, sd_event_source **ret_source, clockid_t clock,
			     uint64_t usec, uint64_t accuracy, sd_event_time_handler_t handler,
			     void *userdata)
{
	(void)accuracy;
	REQUIRE(clock == CLOCK_MONOTONIC, "clock %d", (int)clock);
	return add_source(event,
			  (struct sd_event_source){
				  .deadline = usec, .on_time = handler, .userdata = userdata},
			  ret_source);
}

int __wrap_sd_event_add_signal(sd_event *event, sd_event_source **ret_source, int number,
			       sd_event_signal_handler_t handler, void *userdata);
int __wrap_sd_event_add_signal(sd_event *event, sd_event_source **ret_source, int number,
			       sd_event_signal_handler_t handler, void *userdata)
{
	return add_source(event,
			  (struct sd_event_source){
				  .number = number, .on_signal = handler, .userdata = userdata},
			  ret_source);
}

int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t usec)
{
	source->deadline = usec;
	return 0;
}

int __wrap_sd_event_source_set_enabled(sd_event_source *source, int enabled);
int __wrap_sd_event_source_set_enabled(sd_event_source *source, int enabled)
{
	source->is_enabled = enabled != SD_EVENT_OFF;
	return 0;
}

sd_event_source *__wrap_sd_event_source_unref(sd_event_source *source);
sd_event_source *__wrap_sd_event_source_unref(sd_event_source *source)
{
	if (source)
		*source = (struct sd_event_source){0};
	return NULL;
}

/* ─── a round of it, as sd_event_wait(3) draws it ─── */

int __wrap_sd_event_prepare(sd_event *event);
int __wrap_sd_event_prepare(sd_event *event)
{
	REQUIRE(event->state == SD_EVENT_INITIAL, "state %d", event->state);
	event->state = event->is_to_exit ? SD_EVENT_PENDING : SD_EVENT_ARMED;
	event->armed_for = next_deadline();
	return event->is_to_exit;
}

int __wrap_sd_event_wait(sd_event *event, uint64_t usec);
int __wrap_sd_event_wait(sd_event *event, uint64_t usec)
{
	bool is_pending = event->is_to_exit || has_due();

	REQUIRE(event->state == SD_EVENT_ARMED && usec == 0, "state %d", event->state);
	event->state = is_pending ? SD_EVENT_PENDING : SD_EVENT_INITIAL;
	return is_pending;
}

static void call(struct sd_event_source *source)
{
	struct signalfd_siginfo signal = {.ssi_signo = (uint32_t)source->number};

	if (source->on_time) {
		source->is_enabled = false;
		(void)source->on_time(source, source->deadline, source->userdata);
		return;
	}
	source->is_pending = false;
	(void)source->on_signal(source, &signal, source->userdata);
}

int __wrap_sd_event_dispatch(sd_event *event);
int __wrap_sd_event_dispatch(sd_event *event)
{
	REQUIRE(event->state == SD_EVENT_PENDING, "state %d", event->state);
	world_progress(-1);
	if (event->is_to_exit) {
		event->state = SD_EVENT_FINISHED;
		return 0;
	}
	for (unsigned i = 0; i < SOURCES_MAX; i++)
		if (is_due(&event->sources[i], world.now)) {
			call(&event->sources[i]);
			break;
		}
	event->state = SD_EVENT_INITIAL;
	return 1;
}

int __wrap_sd_event_exit(sd_event *event, int code);
int __wrap_sd_event_exit(sd_event *event, int code)
{
	event->is_to_exit = world.is_finishing = true;
	event->exit_code = code;
	return 0;
}

int __wrap_sd_event_get_exit_code(sd_event *event, int *ret_code);
int __wrap_sd_event_get_exit_code(sd_event *event, int *ret_code)
{
	*ret_code = event->exit_code;
	return event->is_to_exit ? 0 : -ENODATA;
}

/* ─── around it ─── */

/* Nobody reads the log here, but for its lines of connections. */
void __wrap_report(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __wrap_report(int priority, const char *format, ...)
{
	char line[2048];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (priority == LOG_INFO && strncmp(line, "connection from ", 16) == 0)
		world.logged++;
	world.logged_cut += strstr(line, " s: out of memory") != NULL;
}

int __wrap_sd_journal_sendv(const struct iovec *fields, int count);
int __wrap_sd_journal_sendv(const struct iovec *fields, int count)
{
	(void)fields;
	REQUIRE(false, "%d fields for a journal that is none of ours", count);
	return 0;
}

/* A next process may have as many descriptors as there are. Other limits are AddressSanitizer's
 * business, which asks before anything else is there. */
int __real_getrlimit(int resource, struct rlimit *ret_limit);
int __wrap_getrlimit(int resource, struct rlimit *ret_limit);
int __wrap_getrlimit(int resource, struct rlimit *ret_limit)
{
	if (resource != RLIMIT_NOFILE)
		return __real_getrlimit(resource, ret_limit);
	*ret_limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	return 0;
}

/* The process of the test stays as it is. */
int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *ret_before);
int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *ret_before)
{
	(void)how;
	(void)set;
	REQUIRE(!ret_before, "not asked for");
	return 0;
}
