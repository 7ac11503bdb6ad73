/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * unsent: what clients don't take of their answers: the rest of one, and the limit for all of them
 * together.
 *
 *      kept bytes   0 ─────────────────────────── maximum - reserve ──────────── maximum
 *      reading              full pieces                   │    small pieces: nobody waits,
 *                                                         │    and nobody can make it grow much
 *
 * Above the maximum each connection has the answer to one small piece at most. The reserve is by
 * how much the longest answer to a full piece exceeds that, once for each worker: none has more
 * than one on its way between looking at the sum and adding to it.
 *
 * All workers share the limit. Its sum changes only when an answer is not wholly sent, and is but
 * looked at otherwise: as long as everybody reads, it stays in each processor's cache. Not its job:
 * when a rest is sent.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/status.h"

/* No limit. */
#define UNSENT_ANY SIZE_MAX

struct unsent_limit {
	size_t full_below; /* how much may be kept for full pieces to be read */
	atomic_size_t kept;
};

/* Limits what is kept to maximum bytes: so many workers read full pieces, whose longest answer
 * exceeds that to a small one by surplus bytes. A maximum below the reserve has them read small
 * pieces always. */
void unsent_limit_init(struct unsent_limit *limit, size_t maximum, unsigned workers,
		       size_t surplus);

/* May a full piece be read? */
static inline bool unsent_limit_has_room(const struct unsent_limit *limit)
{
	return atomic_load_explicit(&limit->kept, memory_order_relaxed) < limit->full_below;
}

/* The rest of a reply: bytes[begin] to bytes[end - 1]. All of it is kept until all is sent. */
struct unsent {
	uint32_t begin, end;
	char bytes[];
};

/* Keeps length bytes, counted for the limit and among the worker's figures. NULL: no memory. */
struct unsent *unsent_keep(struct unsent_limit *limit, struct status *status, const char *bytes,
			   size_t length);

/* Releases it; NULL is nothing. */
void unsent_release(struct unsent_limit *limit, struct status *status, struct unsent *unsent);
