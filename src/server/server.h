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
 * to be preserved. Not its job: the command line (main.c), what is served, and by which thread
 * (worker.h).
 */

#include "activation/endpoints.h"
#include "exchange/exchange.h"

/* What becomes of open connections when another process is to go on. */
enum preserve {
	PRESERVE_NEVER,
	PRESERVE_RESTART, /* they are handed over when somebody asks for that */
	PRESERVE_ALWAYS,  /* they are stored as they are accepted: for a process that is killed, too
			   */
};

/* Times in microseconds, PARSE_INFINITY for none. */
struct server_options {
	struct exchange_options exchange;
	unsigned workers;          /* 1 or more */
	uint32_t datagram_rate;    /* replies a second and source; 0: no limit */
	bool datagram_rate_is_set; /* by the user: it is for loopback, too */
	size_t connections_max;
	size_t connections_max_per_source; /* ADMISSION_ANY: no limit */
	size_t unsent_max;                 /* bytes; UNSENT_ANY: no limit */
	uint64_t idle_timeout;
	uint64_t exit_idle_time;
	uint64_t drain_timeout;
	enum preserve preserve;
};

/* Serves the endpoints until it is told to end, or nothing is left to serve. They stay their
 * owner's, but for connections, which are taken over. *ret_what names what failed. Returns 0 or a
 * negative errno. */
int server_run(const struct server_options *options, struct endpoints *endpoints,
	       const char **ret_what);
