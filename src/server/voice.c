/* SPDX-License-Identifier: ISC */
#include "server/voice.h"

#include <inttypes.h>
#include <time.h>

#include "server/log.h"

#define STATUS_EVERY_USEC UINT64_C(1000000)
#define LINE_EVERY_USEC   UINT64_C(10000000)

static void notify(const struct voice *voice, enum notify_urgency urgency, const char *before,
		   const struct status *status)
{
	char text[STATUS_TEXT_MAX];

	if (notify_has_manager(voice->notify))
		(void)notify_send(voice->notify, urgency, -1, "%sSTATUS=%s", before,
				  status_print(status, text));
}

/* Logs which limits were met since the last line. */
static void log_limits(struct voice *voice, const struct status *status)
{
	struct log_message message;
	char text[STATUS_TEXT_MAX];

	if (!status_print_limited(status, &voice->told, text))
		return;
	log_begin(&message, LOG_KIND_LIMITS);
	log_add(&message, "CONNECTIONS_REFUSED=%" PRIu64,
		status->connections_refused - voice->told.connections_refused);
	log_add(&message, "CONNECTIONS_CUT=%" PRIu64,
		status->connections_cut - voice->told.connections_cut);
	log_add(&message, "DATAGRAMS_REFUSED=%" PRIu64,
		status->datagrams_refused - voice->told.datagrams_refused);
	log_add(&message, "READS_SHORTENED=%" PRIu64,
		status->reads_shortened - voice->told.reads_shortened);
	log_add(&message, "ACCEPTING_PAUSED=%" PRIu64,
		status_count_paused(status) - status_count_paused(&voice->told));
	log_send(&message, "%s", text);
	voice->last_line = voice->timer.loop->now;
	voice->told = *status;
}

static void speak(void *userdata)
{
	struct voice *voice = userdata;
	uint64_t now = voice->timer.loop->now;
	struct status status;

	voice->sum(voice->userdata, &status);
	voice->last_status = now;
	/* A round that spoke when it was time has overtaken the timer. */
	timer_set(&voice->timer, TIMER_NEVER);
	notify(voice, NOTIFY_OFFER, "", &status);
	if (status_count_limited(&status) == status_count_limited(&voice->told))
		return;
	if (now - voice->last_line >= LINE_EVERY_USEC)
		log_limits(voice, &status);
	else
		timer_set(&voice->timer, voice->last_line + LINE_EVERY_USEC);
}

int voice_init(struct voice *voice, struct loop *loop, struct notify *notify,
	       void (*sum)(void *userdata, struct status *ret_status), void *userdata)
{
	*voice = (struct voice){
		.sum = sum,
		.userdata = userdata,
		.notify = notify,
	};
	return timer_init(&voice->timer, loop, speak, voice);
}

void voice_free(struct voice *voice)
{
	timer_free(&voice->timer);
}

void voice_ready(struct voice *voice)
{
	struct status status;

	voice->sum(voice->userdata, &status);
	voice->last_status = voice->timer.loop->now;
	notify(voice, NOTIFY_INSIST, "READY=1\n", &status);
}

static bool has_news(const struct voice *voice)
{
	struct status status;

	if (notify_has_manager(voice->notify))
		return true;
	voice->sum(voice->userdata, &status);
	return status_count_limited(&status) != status_count_limited(&voice->told);
}

void voice_active(struct voice *voice)
{
	uint64_t due = voice->last_status + STATUS_EVERY_USEC;

	if (voice->timer.deadline <= due || !has_news(voice))
		return;
	if (voice->timer.loop->now >= due)
		speak(voice);
	else
		timer_set(&voice->timer, due);
}

void voice_stopping(struct voice *voice)
{
	struct status status;

	voice->sum(voice->userdata, &status);
	notify(voice, NOTIFY_INSIST, "STOPPING=1\n", &status);
	log_limits(voice, &status);
}

/* By the exact clock: the manager wants to know that this was after it asked. */
void voice_reloading(struct voice *voice)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)notify_send(voice->notify, NOTIFY_INSIST, -1, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
			  (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void voice_reloaded(struct voice *voice)
{
	voice->last_line = 0;
	voice_ready(voice);
}

void voice_log_status(const struct voice *voice)
{
	struct log_message message;
	char text[STATUS_TEXT_MAX];
	struct status status;

	voice->sum(voice->userdata, &status);
	log_begin(&message, LOG_KIND_STATUS);
	log_add(&message, "CONNECTIONS_OPEN=%" PRIu64, status.connections_open);
	log_add(&message, "CONNECTIONS_SERVED=%" PRIu64, status.connections_served);
	log_add(&message, "CONNECTIONS_REFUSED=%" PRIu64, status.connections_refused);
	log_add(&message, "CONNECTIONS_CUT=%" PRIu64, status.connections_cut);
	log_add(&message, "DATAGRAMS_ANSWERED=%" PRIu64, status.datagrams_answered);
	log_add(&message, "DATAGRAMS_REFUSED=%" PRIu64, status.datagrams_refused);
	log_add(&message, "BYTES_IN=%" PRIu64, status.bytes_in);
	log_add(&message, "BYTES_OUT=%" PRIu64, status.bytes_out);
	log_add(&message, "BYTES_UNSENT=%" PRIu64, status.bytes_unsent);
	log_add(&message, "READS_SHORTENED=%" PRIu64, status.reads_shortened);
	log_add(&message, "ACCEPTING_PAUSED=%" PRIu64, status_count_paused(&status));
	log_send(&message, "%s", status_print(&status, text));
}
