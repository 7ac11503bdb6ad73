/* SPDX-License-Identifier: ISC */
#include "server/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* Where a message came from in the source is told by its id. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static const struct {
	int level;
	const char *id;
} kinds[LOG_KIND_COUNT] = {
	[LOG_KIND_FAILURE] = {LOG_ERR, "b72b680fb70b49f7be8d5162e2910955"},
	[LOG_KIND_LIMITS] = {LOG_WARNING, "e58cd2524a7540cabfe8494d8b5152bd"},
	[LOG_KIND_STATUS] = {LOG_NOTICE, "3d01fa834ef8419cabe13445f5d4d41e"},
	[LOG_KIND_CONNECTION] = {LOG_INFO, "1c61899e1c184a41a2f2198260be00ab"},
	[LOG_KIND_REFUSAL] = {LOG_DEBUG, "99c72c3f62414aa28c3b0ee79228c710"},
};

/* What --log-level says, and whether the journal takes fields. */
static int maximum = LOG_NOTICE;
static bool is_native;

/* libsystemd opens the journal's socket with the first message, and keeps it. This descriptor makes
 * room for it should that message be that there are none left; -1: it did, or there is no journal.
 */
static atomic_int reserve = -1;

int log_level_from_name(const char *name)
{
	static const char *const names[] = {
		[LOG_ERR] = "err",   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
		[LOG_INFO] = "info", [LOG_DEBUG] = "debug",
	};

	for (int level = LOG_ERR; level <= LOG_DEBUG; level++)
		if (strcmp(name, names[level]) == 0)
			return level;
	return -EINVAL;
}

void log_open(int level)
{
	maximum = level;
	/* Where its socket is not, libsystemd drops messages and says it went well. */
	is_native = report_goes_to_journal() && access(JOURNAL_SOCKET, F_OK) == 0;
	if (is_native && reserve < 0)
		reserve = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

bool log_is_on(enum log_kind kind)
{
	return kinds[kind].level <= maximum;
}

__attribute__((format(printf, 2, 0))) static const char *add(struct log_message *message,
							     const char *format, va_list arguments)
{
	size_t i = message->count++;

	assert(i < LOG_FIELDS_MAX);
	message->lengths[i] = report_format(message->fields[i], format, arguments);
	return message->fields[i];
}

void log_add(struct log_message *message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)add(message, format, arguments);
	va_end(arguments);
}

void log_begin(struct log_message *message, enum log_kind kind)
{
	message->kind = kind;
	message->count = 0;
	log_add(message, "MESSAGE_ID=%s", kinds[kind].id);
	log_add(message, "PRIORITY=%d", kinds[kind].level);
}

static bool give_reserve(void)
{
	int fd = atomic_exchange(&reserve, -1);

	return fd >= 0 && close(fd) == 0;
}

/* Returns 0 or a negative errno. */
static int send_native(struct log_message *message, const char *text)
{
	struct iovec fields[LOG_FIELDS_MAX];
	int r;

	log_add(message, "MESSAGE=%s", text);
	for (size_t i = 0; i < message->count; i++)
		fields[i] = (struct iovec){message->fields[i], message->lengths[i]};
	r = sd_journal_sendv(fields, (int)message->count);
	if (r == -EMFILE && give_reserve())
		r = sd_journal_sendv(fields, (int)message->count);
	return r;
}

__attribute__((format(printf, 2, 0))) static void send_line(struct log_message *message,
							    const char *format, va_list arguments)
{
	char text[REPORT_LINE_MAX];

	if (!log_is_on(message->kind))
		return;
	(void)report_format(text, format, arguments);
	if (!is_native || send_native(message, text) < 0)
		report(kinds[message->kind].level, "%s", text);
}

void log_send(struct log_message *message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	send_line(message, format, arguments);
	va_end(arguments);
}

void log_failure(const char *format, ...)
{
	struct log_message message;
	va_list arguments;

	log_begin(&message, LOG_KIND_FAILURE);
	va_start(arguments, format);
	send_line(&message, format, arguments);
	va_end(arguments);
}
