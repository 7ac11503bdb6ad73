/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * play: a daemon's whole life in a world: from its sockets to its end, in which every promise is
 * checked.
 *
 *      script ──over──► calm: no faults, everybody reads ──quiet──► the ending ──► over
 *                                                           │
 *                                  all that was asked is answered, all that ended is closed
 *
 * A daemon that hands its connections over (SIGUSR2) has another life, in which they go on. Not its
 * job: the script.
 */

#include "server/admission.h"
#include "server/server.h"
#include "server/unsent.h"
#include "world.h"

/* The sockets, each a bit of what a play has. */
enum play_socket {
	PLAY_TCP,
	PLAY_UNIX,
	PLAY_UDP4,
	PLAY_UDP6,
	PLAY_UNIX_DATAGRAM,
	PLAY_HANDED_OVER, /* one connection */
	PLAY_SOCKETS,
};

#define PLAY_PORT 12000

enum play_ending {
	PLAY_PEERS_END,         /* then the daemon is told to */
	PLAY_STOP_THEN_END,     /* it is told to while there are connections, which then end */
	PLAY_STOP_AND_WAIT,     /* …which don't */
	PLAY_STOP_TWICE,        /* …and it is told again */
	PLAY_SILENCE,           /* nobody does anything any more, for an hour */
	PLAY_PEERS_END_SILENCE, /* and then nobody does */
	PLAY_ENDINGS,
};

struct play {
	struct server_options options;
	enum activation activation;
	unsigned sockets;
	bool is_logged; /* with a line for everything */
	enum play_ending ending;
	uint64_t begin; /* what the clock shows then */

	/* Lets something happen. If nothing can go on without (is_idle) it has to. Returns false
	 * once it is over. */
	bool (*script)(bool is_idle);

	/* The fail_at-th allocation and fail_count - 1 behind it fail. */
	unsigned fail_at, fail_count;
	enum world_call start_fault; /* and once, while it starts, such a call */
	int start_error;
};

/* Options as they are without a command line. */
struct server_options play_options(void);

/* Plays it. Returns what the server returned. */
int play_run(const struct play *play);

/* The descriptor of a socket while it is played; -1: it has none. */
int play_descriptor(enum play_socket socket);
