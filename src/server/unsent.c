/* SPDX-License-Identifier: ISC */
#include "server/unsent.h"

#include <stdlib.h>
#include <string.h>

void unsent_limit_init(struct unsent_limit *limit, size_t maximum, unsigned workers, size_t surplus)
{
	size_t reserve;

	if (__builtin_mul_overflow(workers, surplus, &reserve))
		reserve = SIZE_MAX;
	limit->full_below = maximum == UNSENT_ANY ? SIZE_MAX
			    : maximum < reserve   ? 0
						  : maximum - reserve + 1;
	atomic_init(&limit->kept, 0);
}

struct unsent *unsent_keep(struct unsent_limit *limit, struct status *status, const char *bytes,
			   size_t length)
{
	struct unsent *unsent = malloc(sizeof(*unsent) + length);

	if (!unsent)
		return NULL;
	unsent->begin = 0;
	unsent->end = (uint32_t)length;
	memcpy(unsent->bytes, bytes, length);
	atomic_fetch_add_explicit(&limit->kept, length, memory_order_relaxed);
	status_count(&status->bytes_unsent, length);
	return unsent;
}

void unsent_release(struct unsent_limit *limit, struct status *status, struct unsent *unsent)
{
	if (!unsent)
		return;
	atomic_fetch_sub_explicit(&limit->kept, unsent->end, memory_order_relaxed);
	status_count(&status->bytes_unsent, -(uint64_t)unsent->end);
	free(unsent);
}
