/* SPDX-License-Identifier: ISC */
#include "server/table.h"

#include <stdlib.h>

#include "util/error.h"

#define FIRST_CAPACITY 64

void table_free(struct table *table)
{
	free(table->entries);
	*table = (struct table){0};
}

int table_join(struct table *table, struct table_entry *entry)
{
	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? 2 * table->capacity : FIRST_CAPACITY;
		struct table_entry **grown =
			reallocarray(table->entries, capacity, sizeof(struct table_entry *));

		if (!grown)
			return -ENOMEM;
		table->entries = grown;
		table->capacity = capacity;
	}
	entry->index = (uint32_t)table->count;
	table->entries[table->count++] = entry;
	return 0;
}

void table_leave(struct table *table, struct table_entry *entry)
{
	struct table_entry *last = table->entries[--table->count];

	last->index = entry->index;
	table->entries[last->index] = last;
}
