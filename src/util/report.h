/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * report: a program's one-line messages, where somebody will see them.
 *
 *   stderr is …                            the line goes to
 *   the journal (JOURNAL_STREAM)           stderr, with its <priority> in front (sd-daemon(3))
 *   the conversation itself, as inetd      syslog(3): the peer asked for an answer, not for
 *     makes it of descriptors 0, 1, 2        our troubles
 *   anything else                          stderr, with the program's name in front
 *
 * For the mains and the daemon's control path only: nothing below the drivers prints.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

/* One line at a syslog(3) priority, LOG_ERR… Control characters of the formatted text are escaped:
 * a stranger's bytes can't forge a line. */
void report(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Formats one line, without its newline, as report() does: escaped, cut where it is too long.
 * Returns its length in bytes. */
#define REPORT_LINE_MAX 1024
size_t report_format(char line[static REPORT_LINE_MAX], const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* Is standard error the journal's stream? */
bool report_goes_to_journal(void);
