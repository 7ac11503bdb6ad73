/* SPDX-License-Identifier: ISC */
#pragma once

/* files: files in memory, for the tests of what reads from a descriptor, or writes to one. */

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/cleanup.h"

/* An empty one. */
static inline int file_make(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* One with a text in it, at its beginning. */
static inline int file_of(const char *text, size_t length)
{
	int fd = file_make();

	ck_assert_int_eq(pwrite(fd, text, length, 0), (ssize_t)length);
	return fd;
}

/* All that is in it. */
static inline void file_expect(int fd, const char *wanted, size_t length)
{
	_cleanup_free_ char *text = malloc(length + 1);

	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(pread(fd, text, length + 1, 0), (ssize_t)length);
	ck_assert_mem_eq(text, wanted, length);
}
