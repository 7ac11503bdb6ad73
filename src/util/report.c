/* SPDX-License-Identifier: ISC */
#include "util/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/descriptor.h"
#include "util/error.h"

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* systemd.exec(5): JOURNAL_STREAM is "DEVICE:INODE" of the stream that is the journal. */
static bool is_journal(const struct stat *stderr_status)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       device == stderr_status->st_dev && inode == stderr_status->st_ino;
}

static bool is_conversation(const struct stat *stderr_status)
{
	struct stat stdin_status;

	return S_ISSOCK(stderr_status->st_mode) && fstat(STDIN_FILENO, &stdin_status) == 0 &&
	       is_same_file(stderr_status, &stdin_status);
}

bool report_goes_to_journal(void)
{
	struct stat status;

	return fstat(STDERR_FILENO, &status) == 0 && is_journal(&status);
}

size_t report_format(char line[static REPORT_LINE_MAX], const char *format, va_list arguments)
{
	char text[REPORT_LINE_MAX], *end = line;

	vsnprintf(text, sizeof(text), format, arguments);
	for (const char *next = text; *next && end < line + REPORT_LINE_MAX - 8; next++) {
		unsigned char c = (unsigned char)*next;

		if (c >= ' ' && c != 127)
			*end++ = (char)c;
		else
			end += sprintf(end, "\\x%02x", c);
	}
	*end = '\0';
	return (size_t)(end - line);
}

void report(int priority, const char *format, ...)
{
	char line[REPORT_LINE_MAX], whole[REPORT_LINE_MAX + 64];
	struct stat status = {0};
	va_list arguments;
	int length;

	va_start(arguments, format);
	(void)report_format(line, format, arguments);
	va_end(arguments);

	if (fstat(STDERR_FILENO, &status) < 0)
		return;
	if (is_conversation(&status)) {
		syslog(LOG_DAEMON | priority, "%s", line);
		return;
	}
	if (is_journal(&status))
		length = snprintf(whole, sizeof(whole), "<%d>%s\n", priority, line);
	else
		length = snprintf(whole, sizeof(whole), "%.32s: %s\n",
				  program_invocation_short_name, line);
	/* One write, so that lines of several processes do not mix; there is nowhere to say it
	 * failed. */
	(void)descriptor_write_all(STDERR_FILENO, whole, (size_t)length);
}
