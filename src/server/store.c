/* SPDX-License-Identifier: ISC */
#include "server/store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/stored.h"
#include "util/cleanup.h"
#include "util/error.h"

#define IDLE  ENDPOINT_STORED_PREFIX "idle-"
#define BUSY  ENDPOINT_STORED_PREFIX "busy-"
#define STATE ENDPOINT_STORED_PREFIX "state-"

static int put(struct notify *notify, const char *prefix, unsigned number, int fd)
{
	return notify_send(notify, NOTIFY_INSIST, fd, "FDSTORE=1\nFDNAME=%s%d-%u", prefix, getpid(),
			   number);
}

int store_put(struct notify *notify, const struct connection *connection)
{
	static atomic_uint last_number;
	unsigned number = atomic_fetch_add(&last_number, 1) + 1;
	_cleanup_close_ int state = -1;
	int r;

	if (stored_is_needless(connection))
		return put(notify, IDLE, number, connection->fd);
	state = stored_write(connection);
	if (state < 0)
		return state;
	r = put(notify, STATE, number, state);
	return r < 0 ? r : put(notify, BUSY, number, connection->fd);
}

/* The rest of name behind prefix, or NULL. */
static const char *behind(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(name, prefix, length) == 0 ? name + length : NULL;
}

static bool is_state_of(const struct endpoints *endpoints, size_t i, const char *number,
			int *ret_state)
{
	const char *found = i < endpoints->count ? behind(endpoints->items[i].name, STATE) : NULL;

	if (!found || strcmp(found, number) != 0)
		return false;
	*ret_state = endpoints->items[i].fd;
	return true;
}

int store_find(const struct endpoints *endpoints, size_t i, struct store_entry *ret_entry)
{
	const struct endpoint *endpoint = &endpoints->items[i];
	const char *number = behind(endpoint->name, BUSY);

	if (endpoint->kind != ENDPOINT_STORED || behind(endpoint->name, STATE))
		return -ENOENT;
	if (behind(endpoint->name, IDLE)) {
		*ret_entry = (struct store_entry){endpoint->fd, -1};
		return 0;
	}
	/* They were put next to each other, and come so as a rule. */
	for (size_t distance = 1; number && distance < endpoints->count; distance++)
		if (is_state_of(endpoints, i + distance, number, &ret_entry->state) ||
		    is_state_of(endpoints, i - distance, number, &ret_entry->state)) {
			ret_entry->fd = endpoint->fd;
			return 0;
		}
	return -EBADMSG;
}

void store_forget(struct notify *notify, const char *name)
{
	(void)notify_send(notify, NOTIFY_INSIST, -1, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}
