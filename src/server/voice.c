/* SPDX-License-Identifier: ISC */
#include "server/voice.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "util/report.h"

#define STATUS_EVERY_USEC UINT64_C(1000000)
#define LINE_EVERY_USEC   UINT64_C(10000000)

static void notify(const struct voice *voice, const char *before, const struct status *status)
{
	char text[STATUS_TEXT_MAX];

	if (voice->has_manager)
		(void)sd_notifyf(false, "%sSTATUS=%s", before, status_print(status, text));
}

/* Logs what was refused since the last line. */
static void log_refusals(struct voice *voice, const struct status *status)
{
	char text[STATUS_TEXT_MAX];

	if (!status_print_refusals(status, &voice->told, text))
		return;
	report(LOG_WARNING, "%s", text);
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
	notify(voice, "", &status);
	if (!status_has_refusals(&status, &voice->told))
		return;
	if (now - voice->last_line >= LINE_EVERY_USEC)
		log_refusals(voice, &status);
	else
		timer_set(&voice->timer, voice->last_line + LINE_EVERY_USEC);
}

int voice_init(struct voice *voice, struct loop *loop,
	       void (*sum)(void *userdata, struct status *ret_status), void *userdata)
{
	*voice = (struct voice){
		.sum = sum,
		.userdata = userdata,
		.has_manager = getenv("NOTIFY_SOCKET") != NULL,
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
	notify(voice, "READY=1\n", &status);
}

void voice_active(struct voice *voice)
{
	uint64_t now = voice->timer.loop->now, due = voice->last_status + STATUS_EVERY_USEC;

	if (now >= due)
		speak(voice);
	else if (voice->timer.deadline > due)
		timer_set(&voice->timer, due);
}

void voice_stopping(struct voice *voice)
{
	struct status status;

	voice->sum(voice->userdata, &status);
	notify(voice, "STOPPING=1\n", &status);
	log_refusals(voice, &status);
}

void voice_log_status(const struct voice *voice)
{
	char text[STATUS_TEXT_MAX];
	struct status status;

	voice->sum(voice->userdata, &status);
	report(LOG_NOTICE, "%s", status_print(&status, text));
}
