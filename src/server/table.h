/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * table: things that come and go, all of them to be found again: an array without gaps.
 *
 *      leave(1):   [0] [1] [2] [3]   ──►   [0] [3] [2]      the last takes the gap
 *
 * Not its job: the things themselves, in which an entry is embedded.
 */

#include <stddef.h>
#include <stdint.h>

struct table_entry {
	uint32_t index;
};

/* All zero is an empty one. */
struct table {
	struct table_entry **entries; /* the array is owned, the entries are not */
	size_t count, capacity;
};

void table_free(struct table *table);

/* Appends entry. Returns 0 or -ENOMEM. */
int table_join(struct table *table, struct table_entry *entry);

/* Takes entry out; the last one moves to its place. */
void table_leave(struct table *table, struct table_entry *entry);
