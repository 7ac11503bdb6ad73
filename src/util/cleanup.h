/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * Ownership by attribute: a local is released when its scope ends, unless it was handed over by
 * setting it to NULL or -1 (take_fd(), take_pointer()).
 */

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define _cleanup_free_  _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

/* Hands a descriptor over: returns it and leaves -1 behind. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Hands a pointer over: returns it and leaves NULL behind. */
#define take_pointer(pointer)                                                                      \
	(__extension__({                                                                           \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	}))
