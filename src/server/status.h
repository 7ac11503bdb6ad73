/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * status: what the daemon counts, and the one line that shows it.
 *
 * Not its job: when the line is shown, and where (server.c).
 */

#include <stddef.h>
#include <stdint.h>

/* Why a connection was closed at once, or a datagram was not answered. */
enum refusal {
	REFUSAL_CONNECTIONS_MAX,
	REFUSAL_PER_SOURCE,
	REFUSAL_MEMORY,
	REFUSAL_OWN_PORT,
	REFUSAL_LOW_PORT,
	REFUSAL_MULTICAST,
	REFUSAL_BROADCAST,
	REFUSAL_ZERO_NETWORK,
	REFUSAL_UNNAMED,
	REFUSAL_RATE,
	REFUSAL_TOO_LARGE,
	REFUSAL_SEND_FAILED,
	REFUSAL_COUNT,
};

struct status {
	uint64_t connections_open;
	uint64_t connections_served; /* accepted or handed over, and not refused */
	uint64_t connections_refused;
	uint64_t datagrams_answered;
	uint64_t datagrams_refused;
	uint64_t refused[REFUSAL_COUNT]; /* of both, by reason */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

#define STATUS_TEXT_MAX 1024

/* "Connections: 1 open, 7 served, 0 refused. Datagrams: 5 answered, 2 refused (own port 2). Bytes:
 * 60 in, 60 out." Returns text. */
const char *status_print(const struct status *status, char text[static STATUS_TEXT_MAX]);

/* Counts a connection, or a datagram, that was refused. */
void status_refuse_connection(struct status *status, enum refusal why);
void status_refuse_datagram(struct status *status, enum refusal why);
