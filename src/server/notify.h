/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * notify: messages to the service manager, as sd_notify(3) describes them: datagrams to
 * NOTIFY_SOCKET.
 *
 * sd_notify() waits for as long as the manager does not read, and opens a socket for each message.
 * Here one socket sends them all; what is worth nothing later is offered and forgotten, and for the
 * rest a manager that does not read is waited for once, and then no more until it does. Any thread
 * may send. Not its job: what is said, and when (voice.h, store.h, watchdog.h).
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "net/address.h"

struct notify {
	int fd; /* owned; -1: there is no manager */
	struct address manager;
	atomic_bool is_stuck; /* it did not read for NOTIFY_PATIENCE_USEC */
};

#define NOTIFY_PATIENCE_USEC 5000000

/* Finds the manager by NOTIFY_SOCKET; one that is no AF_UNIX socket is none. Returns 0 or a
 * negative errno; notify_close() releases it. */
int notify_open(struct notify *notify);
void notify_close(struct notify *notify);

static inline bool notify_has_manager(const struct notify *notify)
{
	return notify->fd >= 0;
}

enum notify_urgency {
	NOTIFY_OFFER, /* only if the manager has room for it now */
	NOTIFY_INSIST,
};

/* Sends a message, lines of NAME=VALUE, and fd along with it (-1: none), which stays its owner's.
 * Returns 0, -ENOTCONN (there is no manager), -EAGAIN (it does not read), or another negative errno
 * of sendmsg(2). */
__attribute__((format(printf, 4, 5))) int
notify_send(struct notify *notify, enum notify_urgency urgency, int fd, const char *format, ...);

/* Waits until the manager has taken in all that was sent. Returns 0, -ETIMEDOUT after
 * NOTIFY_PATIENCE_USEC, or as notify_send(). */
int notify_settle(struct notify *notify);
