/* SPDX-License-Identifier: ISC */
#pragma once

/* server-options: what a daemon's user may decide. Not its job: in which words (command-line.h). */

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
	uint64_t exit_idle_time;
	uint64_t drain_timeout;
	enum preserve preserve;
};
