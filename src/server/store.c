/* SPDX-License-Identifier: ISC */
#include "server/store.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/error.h"

#define IDLE   ENDPOINT_STORED_PREFIX "idle-"
#define BUSY   ENDPOINT_STORED_PREFIX "busy-"
#define STATE  ENDPOINT_STORED_PREFIX "state-"
#define KEPT   ENDPOINT_STORED_PREFIX "kept-"
#define LEDGER ENDPOINT_STORED_PREFIX "ledger"

/*
 * How much of the manager's time may be asked for: a tenth at most, or a flood of connections would
 * keep it from all else. It compares what it is given with all that it has: 60 microseconds, and
 * 0.3 for each (measured). Where that is too much, since the machine is busy, or systemd newer and
 * slower, it falls behind with reading: then it is half as much from the next period on, and more
 * again by and by.
 */
#define BUDGET_MAX  (STORE_PERIOD_USEC / 10)
#define BUDGET_STEP (BUDGET_MAX / 100)

/* The rest of name behind prefix, or NULL. */
static const char *behind(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(name, prefix, length) == 0 ? name + length : NULL;
}

static bool is_ledger(const struct endpoint *endpoint)
{
	return endpoint->kind == ENDPOINT_STORED && strcmp(endpoint->name, LEDGER) == 0;
}

/* The slot that a name tells, which may be any number; 0: it tells none. */
static uint64_t slot_of(const char *name)
{
	const char *number = behind(name, KEPT);

	return number ? strtoull(number, NULL, 10) : 0;
}

/* Returns whether there was room for so many descriptors. */
static bool take_room(struct store *store, size_t count)
{
	size_t room = store->room;

	do
		if (room < count)
			return false;
	while (!atomic_compare_exchange_weak(&store->room, &room, room - count));
	return true;
}

/* ─── what earlier processes left ─── */

static int find_ledger(struct store *store, struct endpoints *endpoints, size_t connections)
{
	for (size_t i = 0; i < endpoints->count; i++) {
		struct endpoint *endpoint = &endpoints->items[i];
		int r;

		if (!is_ledger(endpoint))
			continue;
		r = ledger_adopt(&store->ledger, endpoint->fd, connections);
		if (r >= 0)
			endpoint->fd = -1;
		return r == -EBADMSG ? 0 : r;
	}
	return 0;
}

struct stored_state {
	const char *number; /* the endpoint's */
	int fd;             /* the same */
};

static int compare_numbers(const void *a, const void *b)
{
	return strcmp(((const struct stored_state *)a)->number,
		      ((const struct stored_state *)b)->number);
}

/* A connection's state may be anywhere among thousands. */
static int sort_states(struct store *store, const struct endpoints *endpoints)
{
	store->states = reallocarray(NULL, endpoints->count + 1, sizeof(*store->states));
	if (!store->states)
		return -ENOMEM;
	for (size_t i = 0; i < endpoints->count; i++) {
		const struct endpoint *endpoint = &endpoints->items[i];
		const char *number =
			endpoint->kind == ENDPOINT_STORED ? behind(endpoint->name, STATE) : NULL;

		if (number)
			store->states[store->state_count++] =
				(struct stored_state){number, endpoint->fd};
	}
	qsort(store->states, store->state_count, sizeof(*store->states), compare_numbers);
	return 0;
}

static void forget_states(struct store *store)
{
	free(store->states);
	store->states = NULL;
	store->state_count = 0;
}

/* Stays it where it is? Whoever was busy is lost, and must not come again. */
static bool stays(const struct store *store, const struct endpoint *endpoint)
{
	enum ledger_mark mark = ledger_get(&store->ledger, slot_of(endpoint->name));

	return store->always && store->ledger.marks &&
	       (is_ledger(endpoint) || mark == LEDGER_AT_REST || mark == LEDGER_STATED);
}

static void forget(const struct store *store, const char *name)
{
	(void)notify_send(store->notify, NOTIFY_INSIST, -1, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

int store_open(struct store *store, struct notify *notify, bool always, size_t connections,
	       size_t descriptors, struct endpoints *endpoints)
{
	int r;

	*store = (struct store){
		.notify = notify,
		.ledger.fd = -1,
		.always = always && notify_has_manager(notify),
		.room = descriptors,
		.budget = BUDGET_MAX,
	};
	if ((r = sort_states(store, endpoints)) < 0 ||
	    (r = find_ledger(store, endpoints, connections)) < 0)
		return r;
	for (size_t i = 0; i < endpoints->count; i++)
		if (endpoints->items[i].kind == ENDPOINT_STORED &&
		    !stays(store, &endpoints->items[i]))
			forget(store, endpoints->items[i].name);
	if (!store->always || store->ledger.marks)
		return 0;
	r = ledger_make(&store->ledger, connections);
	if (r < 0)
		return r;
	/* Without a ledger no connection could be told from one in the middle of something. */
	store->always = notify_send(notify, NOTIFY_INSIST, store->ledger.fd,
				    "FDSTORE=1\nFDNAME=" LEDGER) >= 0;
	return 0;
}

void store_close(struct store *store)
{
	ledger_free(&store->ledger);
	forget_states(store);
}

static int find_state(const struct store *store, const char *number, int *ret_state)
{
	const struct stored_state wanted = {.number = number};
	const struct stored_state *found = NULL;

	if (number && store->state_count > 0)
		found = bsearch(&wanted, store->states, store->state_count, sizeof(wanted),
				compare_numbers);
	if (!found)
		return -EBADMSG;
	*ret_state = found->fd;
	return 0;
}

/* The manager may not have come to drop it. */
static bool is_over(int fd)
{
	struct pollfd look = {.fd = fd};

	return poll(&look, 1, 0) > 0 && look.revents & POLLHUP;
}

static int find_kept(struct store *store, const struct endpoints *endpoints, size_t i,
		     struct store_entry *ret_entry)
{
	const struct endpoint *endpoint = &endpoints->items[i];
	uint64_t slot = slot_of(endpoint->name);
	struct store_entry entry = {.fd = endpoint->fd, .state = -1};
	int r = 0;

	if (is_over(endpoint->fd))
		return -ENOENT;
	switch (ledger_take(&store->ledger, slot)) {
	case LEDGER_AT_REST:
		break;
	case LEDGER_STATED:
		r = find_state(store, behind(endpoint->name, KEPT), &entry.state);
		if (r >= 0 || !store->always)
			break;
		forget(store, endpoint->name);
		ledger_set(&store->ledger, (uint32_t)slot, LEDGER_FREE);
		break;
	case LEDGER_BUSY:
		r = -EOWNERDEAD;
		break;
	default:
		r = -EBADMSG;
	}
	if (r >= 0) {
		entry.slot = store->always ? (uint32_t)slot : 0;
		if (store->always)
			(void)take_room(store, 1);
		*ret_entry = entry;
	}
	return r;
}

int store_find(struct store *store, const struct endpoints *endpoints, size_t i,
	       struct store_entry *ret_entry)
{
	const struct endpoint *endpoint = &endpoints->items[i];
	int state = -1, r;

	if (endpoint->kind != ENDPOINT_STORED || behind(endpoint->name, STATE) ||
	    is_ledger(endpoint))
		return -ENOENT;
	if (behind(endpoint->name, KEPT))
		return find_kept(store, endpoints, i, ret_entry);
	if (!behind(endpoint->name, IDLE)) {
		r = find_state(store, behind(endpoint->name, BUSY), &state);
		if (r < 0)
			return r;
	}
	*ret_entry = (struct store_entry){.fd = endpoint->fd, .state = state};
	return 0;
}

void store_settle(struct store *store)
{
	forget_states(store);
	if (store->always)
		ledger_sweep(&store->ledger);
	else
		ledger_free(&store->ledger);
}

/* ─── what the next one will find ─── */

static bool has_turn(struct store *store, size_t open, uint64_t now)
{
	uint64_t period = now / STORE_PERIOD_USEC, last = store->period;
	uint64_t cost = 60 + open * 3 / 10;

	if (period > last && atomic_compare_exchange_strong(&store->period, &last, period)) {
		uint64_t budget = store->budget + BUDGET_STEP;

		store->budget = budget < BUDGET_MAX ? budget : BUDGET_MAX;
		store->spent = 0;
	}
	return atomic_fetch_add(&store->spent, cost) < store->budget;
}

/* The manager is behind: nothing more in this period. */
static void give_way(struct store *store)
{
	store->budget = store->budget / 2;
	store->spent = BUDGET_MAX;
}

int store_keep(struct store *store, int fd, bool is_at_rest, size_t open, uint64_t now)
{
	uint32_t slot;
	int r;

	if (!has_turn(store, open, now))
		return -EAGAIN;
	if (!take_room(store, 1))
		return 0;
	slot = ledger_enter(&store->ledger);
	if (slot == 0) {
		store->room++;
		return 0;
	}
	if (!is_at_rest)
		ledger_set(&store->ledger, slot, LEDGER_BUSY);
	r = notify_send(store->notify, NOTIFY_OFFER, fd, "FDSTORE=1\nFDNAME=" KEPT "%" PRIu32,
			slot);
	if (r < 0) {
		give_way(store);
		ledger_set(&store->ledger, slot, LEDGER_FREE);
		store->room++;
		return r;
	}
	return (int)slot;
}

int store_leave(struct store *store, uint32_t slot, enum notify_urgency urgency)
{
	int r = notify_send(store->notify, urgency, -1, "FDSTOREREMOVE=1\nFDNAME=" KEPT "%" PRIu32,
			    slot);

	if (r < 0)
		give_way(store);
	ledger_set(&store->ledger, slot, LEDGER_FREE);
	store->room++;
	return r;
}

static int put(struct store *store, const char *prefix, unsigned number, int fd)
{
	return notify_send(store->notify, NOTIFY_INSIST, fd, "FDSTORE=1\nFDNAME=%s%d-%u", prefix,
			   getpid(), number);
}

/* It is there already; what it is in the middle of is not. */
static int put_kept(struct store *store, uint32_t slot, int state)
{
	int r;

	if (state < 0)
		return 0;
	r = notify_send(store->notify, NOTIFY_INSIST, state, "FDSTORE=1\nFDNAME=" STATE "%" PRIu32,
			slot);
	if (r >= 0)
		ledger_set(&store->ledger, slot, LEDGER_STATED);
	return r;
}

int store_put(struct store *store, int fd, uint32_t slot, int state)
{
	static atomic_uint last_number;
	unsigned number = atomic_fetch_add(&last_number, 1) + 1;
	int r;

	if (!take_room(store, (slot == 0) + (state >= 0)))
		return -EMFILE;
	if (slot > 0)
		return put_kept(store, slot, state);
	if (state < 0)
		return put(store, IDLE, number, fd);
	r = put(store, STATE, number, state);
	return r < 0 ? r : put(store, BUSY, number, fd);
}
