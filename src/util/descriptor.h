/* SPDX-License-Identifier: ISC */
#pragma once

/* descriptor: the few things done to any file descriptor. Not its job: sockets (see net/socket.h).
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Waits for events of poll(2), an error, or the end, until then (clock.h; PARSE_INFINITY: for
 * ever). Returns 0, -ETIMEDOUT, or a negative errno of poll(2). */
int descriptor_wait(int fd, short events, uint64_t until);

/* Reads once from a blocking or non-blocking fd, waiting until then where it must. Who gives a
 * blocking one an end has it give up by itself (socket_limit_wait()).
 * Returns a length in bytes, 0 at the end, -ETIMEDOUT, or a negative errno of read(2) or poll(2).
 */
ssize_t descriptor_read(int fd, void *buffer, size_t size, uint64_t until);

/* Writes all length bytes to a blocking or non-blocking fd, waiting where it must.
 * Returns 0, or a negative errno of write(2) or poll(2). */
int descriptor_write_all(int fd, const void *bytes, size_t length);

/* The same, unless nothing more was taken for so many microseconds: -ETIMEDOUT then. As
 * to a blocking one, see descriptor_read(). */
int descriptor_write_within(int fd, const void *bytes, size_t length, uint64_t usec);

/* Sets or clears O_NONBLOCK. Returns 0 or a negative errno of fcntl(2). */
int descriptor_set_nonblocking(int fd, int nonblocking);

/* Sets or clears FD_CLOEXEC. Returns 0 or a negative errno of fcntl(2). */
int descriptor_set_cloexec(int fd, int cloexec);

/* Fills those of 0, 1 and 2 that are closed, which would come back as sockets otherwise, with what
 * fails when it is used the way it is meant to be. Returns 0 or a negative errno of open(2). */
int descriptor_fill_standard(void);
