/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * conversation: where a handler's one conversation comes from. libc only: a handler is executed
 * once per connection, and libsystemd makes every start 1.6 times slower.
 *
 *   LISTEN_PID, LISTEN_FDS name us    descriptor 3, both ways (systemd Accept=yes)
 *   else                              descriptor 0 in, 1 out (filter, inetd nowait,
 * StandardInput=socket)
 */

#include "net/socket.h"

struct conversation {
	int in, out;
	bool is_socket; /* in is a connected socket */
};

#define CONVERSATION_ERROR_MAX 256

/* Finds it; error, of CONVERSATION_ERROR_MAX bytes, says in one line what is wrong with it.
 * Returns 0, -EBADF (no open descriptor), -EINVAL (bad LISTEN_ variables, or several sockets),
 * -EPROTOTYPE (a socket that is no connected stream: a daemon's, not a handler's). */
int conversation_find(struct conversation *ret_conversation, char *error);
