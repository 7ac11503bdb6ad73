/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * log: what the daemon says to its operator, each kind of message under an id that the catalog
 * explains (packaging/catalog, journalctl -x).
 *
 *   standard error is …                    a message goes to
 *   the journal, whose socket is there     sd_journal_sendv(3): the line, and its fields
 *   anything else                          util/report.h: the same line
 *
 * Any thread may log. A line waits for whoever reads the log. Not its job: how often something is
 * said (voice.h), and the words.
 */

#include <stddef.h>

#include "util/report.h"

/* A new kind needs an id of its own (systemd-id128 new) in log.c, and its words in the catalog. */
enum log_kind {
	LOG_KIND_FAILURE,    /* err: the daemon can't start, or go on */
	LOG_KIND_LIMITS,     /* warning: which limits were met since the last such message */
	LOG_KIND_STATUS,     /* notice: the figures, because somebody asked */
	LOG_KIND_CONNECTION, /* info: a connection has ended, or was refused */
	LOG_KIND_REFUSAL,    /* debug: a datagram was refused */
	LOG_KIND_COUNT,
};

/* The level of syslog(3) that has this name: "err", "warning", "notice", "info", "debug"; or
 * -EINVAL. */
int log_level_from_name(const char *name);

/* Logs what has this level or a more urgent one, from now on; LOG_NOTICE if this is not called. To
 * be called before there are threads. */
void log_open(int level);

/* Would a message of this kind be logged? */
bool log_is_on(enum log_kind kind);

#define LOG_FIELDS_MAX 15

/* A message in the making. */
struct log_message {
	enum log_kind kind;
	size_t count;
	size_t lengths[LOG_FIELDS_MAX];
	char fields[LOG_FIELDS_MAX][REPORT_LINE_MAX];
};

/* Begins a message; adds a field, "NAME=VALUE" as systemd.journal-fields(7) has them; logs it with
 * its text, one line, if its kind is on. Control characters are escaped throughout. */
void log_begin(struct log_message *message, enum log_kind kind);
void log_add(struct log_message *message, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_send(struct log_message *message, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Logs that the daemon can't start, or go on: "WHAT: WHY". */
void log_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
