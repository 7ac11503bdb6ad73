/* SPDX-License-Identifier: ISC */
#pragma once

/* journal: what is sent to the journal, for tests of messages' fields. Its functions stand in the
 * place of libsystemd's and libc's. */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server/log.h"

/* The fields of the last message, a line each. */
static char journal_fields[4096];

int sd_journal_sendv(const struct iovec *fields, int count);
int sd_journal_sendv(const struct iovec *fields, int count)
{
	char *end = journal_fields;

	for (int i = 0; i < count; i++)
		end += sprintf(end, "%.*s\n", (int)fields[i].iov_len, (char *)fields[i].iov_base);
	return 0;
}

int access(const char *path, int mode)
{
	ck_assert_str_eq(path, "/run/systemd/journal/socket");
	return mode == F_OK ? 0 : -1;
}

/* Whatever standard error is, it is the journal's from now on. */
static inline void journal_begin(int level)
{
	struct stat status;
	char stream[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_open(level);
}
