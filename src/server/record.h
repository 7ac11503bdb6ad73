/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * record: what the log says of one peer: a connection when it has ended, one that was refused, a
 * datagram that was refused.
 *
 * A connection has a record only while such lines are logged (log.h): thousands of silent ones
 * would pay for it.
 */

#include "net/address.h"
#include "server/status.h"

/* Of a connection, in this process. */
struct record {
	uint64_t begin; /* microseconds of CLOCK_MONOTONIC */
	uint64_t bytes_in, bytes_out;
	int error; /* what ended it, as an errno; 0: nothing unusual */
	struct address peer;
};

/* Is a connection that begins to have a record? */
bool record_is_wanted(void);

/* Begins a record of the connection fd with peer; NULL: whoever the kernel says. */
void record_begin(struct record *record, int fd, const struct address *peer);

/* Logs a connection that has ended: "connection from 127.0.0.1:40000: 5 bytes in, 5 bytes out,
 * 1.002003 s: client closed". */
void record_log(const struct record *record, const char *reason);

/* Logs a connection, or a datagram, that was refused. */
void record_log_refused_connection(const struct address *peer, enum refusal why);
void record_log_refused_datagram(const struct address *source, enum refusal why);
