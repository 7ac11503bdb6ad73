/* SPDX-License-Identifier: ISC */

/* Tests of util/report.h: where a line goes, by what standard error is. */

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"
#include "util/descriptor.h"
#include "util/error.h"
#include "util/report.h"

/* What would have gone to the system's log. */
static char logged[2048];
static int logged_priority;

/* In the place of libc's, in both forms that a compiler may call it by. */
void __syslog_chk(int priority, int flag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void log_here(int priority, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void log_here(int priority, const char *format, va_list arguments)
{
	(void)vsnprintf(logged, sizeof(logged), format, arguments);
	logged_priority = priority;
}

#undef syslog
void syslog(int priority, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_here(priority, format, arguments);
	va_end(arguments);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list arguments;

	(void)flag;
	va_start(arguments, format);
	log_here(priority, format, arguments);
	va_end(arguments);
}

/* Standard input and error while a test has others in their place. */
static int kept_input, kept_error;

static void redirect(int input, int error)
{
	kept_input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
	kept_error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	ck_assert(kept_input >= 0 && kept_error >= 0);
	if (input >= 0)
		ck_assert_int_eq(dup2(input, STDIN_FILENO), STDIN_FILENO);
	ck_assert_int_eq(dup2(error, STDERR_FILENO), STDERR_FILENO);
	logged[0] = '\0';
}

static void restore(void)
{
	(void)dup2(kept_input, STDIN_FILENO);
	(void)dup2(kept_error, STDERR_FILENO);
	close(kept_input);
	close(kept_error);
}

/* What can be read from fd without waiting. */
static const char *rest(int fd, char text[static 4096])
{
	ck_assert_int_eq(descriptor_set_nonblocking(fd, 1), 0);

	ssize_t n = read(fd, text, 4095);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void set_journal(dev_t device, ino_t inode)
{
	char stream[64];

	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)device,
		 (unsigned long long)inode);
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
}

START_TEST(writes_plain_lines)
{
	char text[4096], expected[128];
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
	redirect(-1, ends[1]);
	report(LOG_ERR, "%s: %d", "what", 7);
	restore();
	snprintf(expected, sizeof(expected), "%.32s: what: 7\n", program_invocation_short_name);
	ck_assert_str_eq(rest(ends[0], text), expected);
	ck_assert_str_eq(logged, "");
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(writes_to_the_journal)
{
	char text[4096], expected[128];
	struct stat status;
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(fstat(ends[1], &status), 0);
	set_journal(status.st_dev, status.st_ino);
	redirect(-1, ends[1]);
	report(LOG_WARNING, "one");
	report(LOG_INFO, "two");
	restore();
	ck_assert_str_eq(rest(ends[0], text), "<4>one\n<6>two\n");

	/* The variable is inherited by who has another standard error. */
	snprintf(expected, sizeof(expected), "%.32s: three\n", program_invocation_short_name);
	for (int other = 0; other < 2; other++) {
		set_journal(status.st_dev + (dev_t)other, status.st_ino + (ino_t)!other);
		redirect(-1, ends[1]);
		report(LOG_INFO, "three");
		restore();
		ck_assert_str_eq(rest(ends[0], text), expected);
	}
	ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* inetd makes the connection descriptors 0, 1 and 2: the peer must not read our troubles. */
START_TEST(keeps_out_of_a_conversation)
{
	char text[4096];
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	redirect(ends[1], ends[1]);
	report(LOG_ERR, "trouble %d%%", 7);
	restore();
	ck_assert_str_eq(rest(ends[0], text), "");
	ck_assert_str_eq(logged, "trouble 7%");
	ck_assert_int_eq(logged_priority, LOG_DAEMON | LOG_ERR);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* A terminal is descriptors 0 and 2 as well, and that is where its user looks. */
START_TEST(writes_where_it_reads_if_that_is_no_socket)
{
	char text[4096], expected[128];
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	redirect(ends[1], ends[1]);
	report(LOG_ERR, "trouble");
	restore();
	snprintf(expected, sizeof(expected), "%.32s: trouble\n", program_invocation_short_name);
	ck_assert_str_eq(rest(ends[0], text), expected);
	ck_assert_str_eq(logged, "");
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(escapes_what_a_stranger_sent)
{
	char text[4096], *line;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	redirect(-1, ends[1]);
	report(LOG_ERR, "a\nb\r\033[1m\177\xc3\x9f\t%s", "%n\n");
	restore();
	line = strchr(rest(ends[0], text), ' ');
	ck_assert_ptr_nonnull(line);
	ck_assert_str_eq(line, " a\\x0ab\\x0d\\x1b[1m\\x7f\xc3\x9f\\x09%n\\x0a\n");
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Longer than a line may be, of bytes that need no escape, or of those alone but for some; its room
 * ends in the middle of one. */
START_TEST(bounds_a_line)
{
	char text[4096], much[4096];
	int ends[2];

	memset(much, _i == 0 ? 'x' : '\n', sizeof(much) - 1);
	memset(much, 'x', (size_t)_i);
	much[sizeof(much) - 1] = '\0';
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	redirect(-1, ends[1]);
	report(LOG_ERR, "%s", much);
	restore();
	ck_assert_uint_gt(strlen(rest(ends[0], text)), 1000);
	ck_assert_uint_le(strlen(strchr(text, ' ') + 1), REPORT_LINE_MAX);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(does_without_standard_error)
{
	kept_error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	ck_assert_int_ge(kept_error, 0);
	close(STDERR_FILENO);
	report(LOG_ERR, "nowhere");
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFD), -1);
	ck_assert_int_eq(dup2(kept_error, STDERR_FILENO), STDERR_FILENO);
	close(kept_error);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("report", writes_plain_lines),
		UNIT_ONCE("report", writes_to_the_journal),
		UNIT_ONCE("report", keeps_out_of_a_conversation),
		UNIT_ONCE("report", writes_where_it_reads_if_that_is_no_socket),
		UNIT_ONCE("report", escapes_what_a_stranger_sent),
		UNIT_LOOP("report", bounds_a_line, 0, 6),
		UNIT_ONCE("report", does_without_standard_error),
		{0},
	};

	return unit_run("report", rows);
}
