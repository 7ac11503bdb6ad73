/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * store: the service manager's file descriptor store (systemd.service(5) FileDescriptorStoreMax=),
 * which holds connections while one process of a service ends and the next begins.
 *
 * As connections are handed over, each under a name of its own:
 *
 *      stored-idle-PID-N       a connection in the middle of nothing
 *      stored-busy-PID-N       a connection, and
 *      stored-state-PID-N      what it is in the middle of (stored.h)
 *
 * As they are accepted, so that they outlive a process that is killed:
 *
 *      stored-ledger           where each of these stands (ledger.h)
 *      stored-kept-SLOT        a connection, for as long as it is open
 *      stored-state-SLOT       what it is in the middle of, once it is handed over
 *
 * The latter stay in the store from one process to the next. They are shut down when they are
 * closed, so that the peer sees the end though the store still has a copy. It is asked to drop
 * that, and would by itself, as it hangs up (FDPOLL= of sd_notify(3)), but not while more messages
 * come. One that is to end by a reset is not shut down: it has to drop that.
 *
 * Not its job: what a connection is, when it is stored, and what is in a state.
 */

#include "activation/endpoints.h"
#include "server/ledger.h"
#include "server/notify.h"

struct store {
	struct notify *notify;
	struct ledger ledger;
	bool always; /* connections are stored as they are accepted */

	/* Owned: of earlier processes, by number, until store_settle(). */
	struct stored_state *states;
	size_t state_count;

	atomic_size_t room; /* for so many descriptors more */

	/* Of the manager's time, in microseconds of this period. */
	_Atomic uint64_t period, spent, budget;
};

/* Finds out what earlier processes stored among the endpoints, and has the manager forget what it
 * need not keep. Always: connections are to be stored as they are accepted, up to so many, if there
 * is a manager. In any case no more is stored than so many descriptors of connections and states:
 * the next process is given all of them at once. Returns 0 or a negative errno; store_close()
 * releases it in any case. */
int store_open(struct store *store, struct notify *notify, bool always, size_t connections,
	       size_t descriptors, struct endpoints *endpoints);
void store_close(struct store *store);

/* A connection that an earlier process put into the store. */
struct store_entry {
	int fd;        /* owned by the endpoints */
	int state;     /* the same; -1: in the middle of nothing */
	uint32_t slot; /* it stays in the store, and this is its slot; 0: it is out */
};

/* The i-th endpoint as such a connection; to be asked once. Returns 0; -ENOENT if it is none: a
 * state, no stored thing, or over; -EOWNERDEAD: its process was killed in the middle of an answer;
 * or -EBADMSG: its state is damaged or missing. */
int store_find(struct store *store, const struct endpoints *endpoints, size_t i,
	       struct store_entry *ret_entry);

/* All have been asked for: what was stored and is nowhere any more makes room. */
void store_settle(struct store *store);

/* Stores the connection fd, which is served (store->always), one of so many that are open; now is
 * in microseconds of the loop's clock. Returns its slot, in which its owner marks where it stands
 * from here on; 0: none is free, it goes on without; -EAGAIN: the manager has no time now, try
 * again a period later; or another negative errno: it goes on without. */
int store_keep(struct store *store, int fd, bool is_at_rest, size_t open, uint64_t now);

/* The connection of this slot is closed: shut down, which the manager sees by itself, or
 * (NOTIFY_INSIST) not. Returns 0, or a negative errno if it is not told. */
int store_leave(struct store *store, uint32_t slot, enum notify_urgency urgency);

#define STORE_PERIOD_USEC UINT64_C(100000)

/* Puts the connection fd into the store, or leaves it where it is (its slot; 0: it has none), and
 * its state (-1: in the middle of nothing) beside it. It is still open here, and must do nothing
 * from now on: its slot is the next process'. Returns 0, -ENOTCONN (there is no service manager),
 * -EMFILE (there is no room), or a negative errno. */
int store_put(struct store *store, int fd, uint32_t slot, int state);
