/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * status: what the daemon counts, and the one line that shows it.
 *
 * Not its job: when the line is shown, and where (server.c).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a connection was closed at once, or a datagram was not answered. */
enum refusal {
	REFUSAL_CONNECTIONS_MAX,
	REFUSAL_PER_SOURCE,
	REFUSAL_STATE,
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

/* A number that one worker counts and any thread may read. */
typedef _Atomic uint64_t status_counter;

struct status {
	status_counter connections_open;
	status_counter connections_served; /* accepted or handed over, and not refused */
	status_counter connections_refused;
	status_counter datagrams_answered;
	status_counter datagrams_refused;
	status_counter bytes_in;
	status_counter bytes_out;
	status_counter refused[REFUSAL_COUNT]; /* of both kinds, by reason */
};

/* Counts n more, modulo 2^64. As only one worker writes, a plain addition is enough. */
static inline void status_count(status_counter *counter, uint64_t n)
{
	uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, before + n, memory_order_relaxed);
}

/* Adds another worker's numbers to sum. */
void status_add(struct status *sum, const struct status *other);

#define STATUS_TEXT_MAX 1024

/* "Connections: 1 open, 7 served, 0 refused. Datagrams: 5 answered, 2 refused (own port 2). Bytes:
 * 60 in, 60 out." Returns text. */
const char *status_print(const struct status *status, char text[static STATUS_TEXT_MAX]);

/* Connections and datagrams refused so far. */
static inline uint64_t status_count_refused(const struct status *status)
{
	return atomic_load_explicit(&status->connections_refused, memory_order_relaxed) +
	       atomic_load_explicit(&status->datagrams_refused, memory_order_relaxed);
}

/* Was anything refused that was not before? */
bool status_has_refusals(const struct status *status, const struct status *before);

/* "refused connections: 17 (connections-max 17), datagrams: 3 (own port 3)": what was refused since
 * before. Returns text, or NULL if nothing was. */
const char *status_print_refusals(const struct status *status, const struct status *before,
				  char text[static STATUS_TEXT_MAX]);

/* "connections-max", "own port". */
const char *status_refusal_name(enum refusal why);

/* Counts a connection, or a datagram, that was refused. */
void status_refuse_connection(struct status *status, enum refusal why);
void status_refuse_datagram(struct status *status, enum refusal why);
