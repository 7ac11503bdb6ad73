/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * store: the service manager's file descriptor store (systemd.service(5) FileDescriptorStoreMax=),
 * which holds connections while one process of a service ends and the next begins.
 *
 *      stored-idle-PID-N       a connection in the middle of nothing
 *      stored-busy-PID-N       a connection, and
 *      stored-state-PID-N      what it is in the middle of (stored.h)
 *
 * Names are unique: the store is asked to forget by name. Not its job: when, and what is in a
 * state.
 */

#include "activation/endpoints.h"
#include "server/connection.h"
#include "server/notify.h"

/* Puts a connection into the store. It is still open here, and must do nothing from now on.
 * Returns 0, -ENOTCONN (there is no service manager), or a negative errno. */
int store_put(struct notify *notify, const struct connection *connection);

/* A connection that an earlier process put into the store. */
struct store_entry {
	int fd;    /* owned by the endpoints */
	int state; /* the same; -1: in the middle of nothing */
};

/* The i-th endpoint as such a connection. Returns 0; -ENOENT if it is none, a state or no stored
 * thing; or -EBADMSG: it was in the middle of something, and its state is missing. */
int store_find(const struct endpoints *endpoints, size_t i, struct store_entry *ret_entry);

/* Has the store forget what it passed to us under this name. */
void store_forget(struct notify *notify, const char *name);
