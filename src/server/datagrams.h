/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * datagrams: the datagram sockets: a batch in, guarded, transformed, a batch out.
 *
 *   recvmmsg ──► segments (UDP_GRO) ──► guard ──► rate ──► exchange ──► replies.h ──► sendmmsg
 *
 * Each reply leaves from the address that was asked (net/pktinfo.h). What can't be answered or sent
 * is counted and forgotten; nothing that a datagram brings disables its socket. Not its job:
 * streams, and when the daemon ends.
 */

#include "activation/endpoints.h"
#include "exchange/exchange.h"
#include "server/loop.h"
#include "server/rate.h"
#include "server/status.h"

struct datagrams;

/* What the datagram sockets are limited to. */
struct datagram_limits {
	struct rate *rate;             /* shared with other workers; NULL: no limit */
	bool spare_loopback;           /* the rate is not for sources on this machine */
	const struct address *manager; /* to whom a stranger is not to have us talk; NULL: nobody */
};

/* Makes the batch that all datagram sockets share; the arguments must outlive it.
 * Returns 0 or -ENOMEM; datagrams_free() releases it. */
int datagrams_new(struct loop *loop, const struct exchange_options *options,
		  const struct datagram_limits *limits, struct status *status,
		  struct datagrams **ret_datagrams);
void datagrams_free(struct datagrams *datagrams);

/* Serves a datagram endpoint, whose descriptor stays its owner's; other workers may serve it too.
 * Returns 0 or a negative errno. */
int datagrams_serve(struct datagrams *datagrams, const struct endpoint *endpoint);

/* Reads no more; what is queued in the sockets is for whoever holds them next. */
void datagrams_stop(struct datagrams *datagrams);
