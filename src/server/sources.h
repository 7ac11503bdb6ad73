/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * sources: how many connections each source has open.
 *
 * A tree of libc's (tsearch(3)) that holds the sources with a connection and no others: it is
 * bounded by the connections, and no choice of addresses makes it slow. Not its job: which sources
 * are one (net/address.h), and what is refused.
 */

#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one. */
struct sources {
	void *root; /* owned */
};

void sources_free(struct sources *sources);

/* One more connection of source, unless it has maximum already.
 * Returns 0, -EUSERS (it has), or -ENOMEM. */
int sources_enter(struct sources *sources, uint64_t source, size_t maximum);

/* One less, of a source that entered. */
void sources_leave(struct sources *sources, uint64_t source);
