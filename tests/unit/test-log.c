/* SPDX-License-Identifier: ISC */

/* Tests of server/log.h: what is logged at which level, where it goes, and with which fields. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server/log.h"
#include "unit.h"

/* What came to the journal's socket: the fields, a line each; and what sd_journal_sendv() returns,
 * unless it lacks the descriptor that it takes. */
static char sent[8192];
static int journal_answer;
static bool journal_takes_descriptor;

/* In the place of libsystemd's. */
int sd_journal_sendv(const struct iovec *fields, int count);
int sd_journal_sendv(const struct iovec *fields, int count)
{
	size_t length = 0;
	int fd;

	if (journal_takes_descriptor) {
		fd = dup(STDERR_FILENO);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	for (int i = 0; i < count; i++) {
		memcpy(sent + length, fields[i].iov_base, fields[i].iov_len);
		length += fields[i].iov_len;
		sent[length++] = '\n';
	}
	sent[length] = '\0';
	return journal_answer;
}

/* In the place of libc's: the journal's socket is there, or not. */
static bool has_socket;

int access(const char *path, int mode)
{
	ck_assert_str_eq(path, "/run/systemd/journal/socket");
	ck_assert_int_eq(mode, F_OK);
	errno = ENOENT;
	return has_socket ? 0 : -1;
}

/* Standard error while a test has a socket in its place, which may be the journal's. */
static int kept_error, ends[2];

static void begin(bool is_journal, int level)
{
	struct stat status;
	char stream[64];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	ck_assert_int_eq(fstat(ends[1], &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	if (is_journal)
		ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
	else
		ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
	kept_error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	sent[0] = '\0';
	journal_answer = 0;
	log_open(level);
}

/* Returns what went to standard error. */
static const char *end(void)
{
	static char text[8192];
	ssize_t n;

	ck_assert_int_eq(dup2(kept_error, STDERR_FILENO), STDERR_FILENO);
	n = read(ends[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(kept_error);
	close(ends[0]);
	close(ends[1]);
	return text;
}

static void say(enum log_kind kind)
{
	struct log_message message;

	log_begin(&message, kind);
	log_add(&message, "NUMBER=%d", 7);
	log_add(&message, "NAME=%s", "a\nb");
	log_send(&message, "%d times %s", 7, "a\nb");
}

START_TEST(sends_fields_to_the_journal)
{
	has_socket = true;
	begin(true, LOG_NOTICE);
	say(LOG_KIND_STATUS);
	ck_assert_str_eq(end(), "");
	/* A stranger's newline begins no field and no line. */
	ck_assert_str_eq(sent, "MESSAGE_ID=3d01fa834ef8419cabe13445f5d4d41e\nPRIORITY=5\n"
			       "NUMBER=7\nNAME=a\\x0ab\nMESSAGE=7 times a\\x0ab\n");
}
END_TEST

/* In a root directory without the socket libsystemd would drop them, and say all is well. */
START_TEST(falls_back_where_its_socket_is_not)
{
	has_socket = false;
	begin(true, LOG_NOTICE);
	say(LOG_KIND_STATUS);
	ck_assert_str_eq(end(), "<5>7 times a\\x0ab\n");
	ck_assert_str_eq(sent, "");
}
END_TEST

START_TEST(falls_back_when_it_does_not_listen)
{
	has_socket = true;
	begin(true, LOG_NOTICE);
	journal_answer = -ECONNREFUSED;
	say(LOG_KIND_FAILURE);
	journal_answer = 0;
	say(LOG_KIND_STATUS);
	ck_assert_str_eq(end(), "<3>7 times a\\x0ab\n");
	ck_assert_ptr_nonnull(strstr(sent, "PRIORITY=5\n"));
}
END_TEST

/* There is one more for the first message, which may be that there are none; libsystemd keeps it,
 * but not here. */
START_TEST(has_a_descriptor_in_reserve)
{
	struct rlimit before, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	has_socket = true;
	begin(true, LOG_NOTICE);
	none.rlim_cur = (rlim_t)dup(STDERR_FILENO);
	close((int)none.rlim_cur);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	journal_takes_descriptor = true;
	say(LOG_KIND_LIMITS);
	ck_assert_ptr_nonnull(strstr(sent, "PRIORITY=4\n"));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_str_eq(end(), "");
}
END_TEST

START_TEST(writes_plain_lines_where_no_journal_reads)
{
	has_socket = true;
	begin(false, LOG_NOTICE);
	say(LOG_KIND_LIMITS);
	ck_assert_str_eq(end(), "test-log: 7 times a\\x0ab\n");
	ck_assert_str_eq(sent, "");
}
END_TEST

/* Each kind has its level; each level of its name has the more urgent ones. */
START_TEST(has_levels)
{
	static const char *const names[] = {"err", "warning", "notice", "info", "debug"};
	static const enum log_kind kinds[] = {LOG_KIND_FAILURE, LOG_KIND_LIMITS, LOG_KIND_STATUS,
					      LOG_KIND_CONNECTION, LOG_KIND_REFUSAL};

	ck_assert_int_eq(log_level_from_name(names[_i]), LOG_ERR + _i);
	for (int i = 0; i < 5; i++) {
		char expected[64];

		has_socket = false;
		begin(true, LOG_ERR + _i);
		ck_assert_int_eq(log_is_on(kinds[i]), i <= _i);
		say(kinds[i]);
		snprintf(expected, sizeof(expected), "<%d>7 times a\\x0ab\n", LOG_ERR + i);
		ck_assert_str_eq(end(), i <= _i ? expected : "");
	}
}
END_TEST

START_TEST(knows_no_other_level)
{
	static const char *const others[] = {"", "3", "error", "INFO", "emerg", "info "};

	ck_assert_int_eq(log_level_from_name(others[_i]), -EINVAL);
}
END_TEST

/* Nobody called log_open(). */
START_TEST(is_quiet_by_default)
{
	ck_assert(log_is_on(LOG_KIND_STATUS));
	ck_assert(!log_is_on(LOG_KIND_CONNECTION));
}
END_TEST

START_TEST(tells_failures)
{
	has_socket = true;
	begin(true, LOG_ERR);
	log_failure("%s: %s", "sockets", strerror(EPERM));
	ck_assert_str_eq(end(), "");
	ck_assert_str_eq(sent, "MESSAGE_ID=b72b680fb70b49f7be8d5162e2910955\nPRIORITY=3\n"
			       "MESSAGE=sockets: Operation not permitted\n");
}
END_TEST

/* A message with all fields that there may be, each longer than it may be. */
START_TEST(bounds_a_message)
{
	struct log_message message;
	char much[4096];

	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	has_socket = true;
	begin(true, LOG_NOTICE);
	log_begin(&message, LOG_KIND_STATUS);
	for (int i = 0; i < 4; i++)
		log_add(&message, "FIELD%d=%s", i, much);
	log_send(&message, "%s", much);
	ck_assert_str_eq(end(), "");
	ck_assert_uint_lt(strlen(sent), (5 + 2) * REPORT_LINE_MAX);
	ck_assert_ptr_nonnull(strstr(sent, "\nFIELD3=xxx"));
	ck_assert_ptr_nonnull(strstr(sent, "\nMESSAGE=xxx"));
}
END_TEST

int main(void)
{
	const char *no_limit = unit_lacks_descriptor_limit();
	const struct unit_row rows[] = {
		UNIT_ONCE("log_is_on", is_quiet_by_default),
		UNIT_LOOP("log_is_on", has_levels, 0, 5),
		UNIT_LOOP("log_level_from_name", knows_no_other_level, 0, 6),
		UNIT_ONCE("log_send", sends_fields_to_the_journal),
		UNIT_ONCE("log_send", falls_back_where_its_socket_is_not),
		UNIT_ONCE("log_send", falls_back_when_it_does_not_listen),
		UNIT_LOOP_UNLESS(no_limit, "log_send", has_a_descriptor_in_reserve, 0, 1),
		UNIT_ONCE("log_send", writes_plain_lines_where_no_journal_reads),
		UNIT_ONCE("log_send", bounds_a_message),
		UNIT_ONCE("log_failure", tells_failures),
		{0},
	};

	return unit_run("log", rows);
}
