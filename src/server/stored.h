/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * stored: a connection on its way from one process to the next: what it is in the middle of, as a
 * sealed memfd (memfd_create(2), fcntl(2) F_ADD_SEALS).
 *
 *      magic │ version │ framing, flags │ lengths │ checksum │ exchange-state │ unsent bytes
 *
 * Whatever is not exactly that is refused: another version, other seals, a length or a checksum
 * that is off. Native byte order: both processes run on this machine. Not its job: how it gets from
 * one to the other (store.h).
 */

#include "server/connection.h"

/* Writes what the connection is in the middle of. Returns a sealed memfd, or a negative errno. */
int stored_write(const struct connection *connection);

/* Has a connection that was just begun, and did nothing yet, go on where state, a memfd, says.
 * Returns 0, -EBADMSG (not such a memfd, or damaged), or -ENOMEM; the connection is as it was then.
 */
int stored_read(struct connection *connection, int state);
