/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * admission: how many connections there may be, in all and from one source; exactly as many.
 *
 * All workers share it. A source is an IPv4 address or an IPv6 /64 (address_get_source()); they are
 * counted in a tree of libc's (tsearch(3)), which holds those with a connection and no others: it
 * is bounded by the connections, and no choice of addresses makes it slow. Not its job: what
 * becomes of a connection that is refused.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"

/* No limit for one source. */
#define ADMISSION_ANY SIZE_MAX

struct admission {
	size_t maximum, maximum_per_source;
	atomic_size_t open;
	pthread_mutex_t lock; /* of sources */
	void *sources;        /* owned */
};

/* What a connection keeps to give its place back: its source, or that it counts for none (as a /64
 * this would be a multicast group's: nobody connects from there). */
#define ADMISSION_NO_SOURCE UINT64_MAX

void admission_init(struct admission *admission, size_t maximum, size_t maximum_per_source);
void admission_free(struct admission *admission);

/* A place for a connection of peer; NULL for one that came without an address.
 * Returns 0, -EUSERS (as many as there may be), -EDQUOT (of its source), or -ENOMEM. */
int admission_enter(struct admission *admission, const struct address *peer, uint64_t *ret_place);

/* Gives a place back. */
void admission_leave(struct admission *admission, uint64_t place);
