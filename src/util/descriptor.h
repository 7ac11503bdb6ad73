/* SPDX-License-Identifier: ISC */
#pragma once

/* descriptor: the few things done to any file descriptor. Not its job: sockets (see net/socket.h).
 */

#include <stddef.h>

/* Writes all length bytes to a blocking or non-blocking fd, waiting where it must.
 * Returns 0, or a negative errno of write(2) or poll(2). */
int descriptor_write_all(int fd, const void *bytes, size_t length);

/* Sets or clears O_NONBLOCK. Returns 0 or a negative errno of fcntl(2). */
int descriptor_set_nonblocking(int fd, int nonblocking);

/* Sets or clears FD_CLOEXEC. Returns 0 or a negative errno of fcntl(2). */
int descriptor_set_cloexec(int fd, int cloexec);

/* Fills those of 0, 1 and 2 that are closed, which would come back as sockets otherwise, with what
 * fails when it is used the way it is meant to be. Returns 0 or a negative errno of open(2). */
int descriptor_fill_standard(void);
