/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * server: the daemon's life, from READY to its end, on sd-event:
 *
 *   serving ──SIGTERM, SIGINT──────────► draining ──last connection closed──────────────► over
 *      └──idle for exit_idle_time, and──►     └──drain timeout, or a second signal──────► over
 *         somebody else holds the sockets
 *
 * While it drains the service manager is told to wait (EXTEND_TIMEOUT_USEC). SIGHUP reloads: what
 * was learned of sources is forgotten, nothing else changes. SIGUSR2 drains into the service
 * manager's store (store.h): the next process goes on with the connections, unless they are never
 * to be preserved. Not its job: the command line (command-line.h), and which worker serves what
 * (crew.h).
 */

#include "activation/endpoints.h"
#include "server/server-options.h"

/* Serves the endpoints until it is told to end, or nothing is left to serve. They stay their
 * owner's, but for connections, which are taken over. *ret_what names what failed. Returns 0 or a
 * negative errno. */
int server_run(const struct server_options *options, struct endpoints *endpoints,
	       const char **ret_what);
