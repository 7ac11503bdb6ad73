/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * status: what the daemon counts, and the lines that show it.
 *
 * Not its job: when a line is shown, and where (voice.h).
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
	REFUSAL_FORGED_NAME,
	REFUSAL_RATE,
	REFUSAL_TOO_LARGE,
	REFUSAL_SEND_FAILED,
	REFUSAL_COUNT,
};

/* For want of what accepting was paused. */
enum shortage {
	SHORTAGE_DESCRIPTORS,
	SHORTAGE_MEMORY,
	SHORTAGE_COUNT,
};

/* A number that one worker counts and any thread may read. */
typedef _Atomic uint64_t status_counter;

struct status {
	status_counter connections_open;
	status_counter connections_served; /* accepted or handed over, and not refused */
	status_counter connections_refused;
	status_counter connections_cut; /* in the middle of it, for want of memory */
	status_counter datagrams_answered;
	status_counter datagrams_refused;
	status_counter bytes_in;
	status_counter bytes_out;
	status_counter bytes_unsent;    /* kept now, for clients that don't take them */
	status_counter reads_shortened; /* as too much was kept */
	status_counter accepting_paused[SHORTAGE_COUNT];
	status_counter accepting_resumed;      /* somebody was accepted after a pause */
	status_counter refused[REFUSAL_COUNT]; /* of both kinds, by reason */
	status_counter limited; /* all that was refused, cut, shortened, paused, resumed */
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
 * 60 in, 60 out, 0 unsent." And where that happened: ", 1 cut (out of memory)" of connections,
 * " Accepting: paused (out of descriptors 1), resumed 1." and " Reads: shortened (unsent-max 3)."
 * Returns text. */
const char *status_print(const struct status *status, char text[static STATUS_TEXT_MAX]);

/* How often a limit was met so far, of whichever kind. */
static inline uint64_t status_count_limited(const struct status *status)
{
	return atomic_load_explicit(&status->limited, memory_order_relaxed);
}

/* "refused connections: 17 (connections-max 17), datagrams: 3 (own port 3); connections cut: 1 (out
 * of memory); accepting paused: 1 (out of descriptors 1), resumed: 1; reads shortened: 9
 * (unsent-max)": which limits were met since before. Returns text, or NULL if none was. */
const char *status_print_limited(const struct status *status, const struct status *before,
				 char text[static STATUS_TEXT_MAX]);

/* "connections-max", "own port". */
const char *status_refusal_name(enum refusal why);

/* How often accepting was paused, for want of anything. */
uint64_t status_count_paused(const struct status *status);

/* Counts a connection, or a datagram, that was refused. */
void status_refuse_connection(struct status *status, enum refusal why);
void status_refuse_datagram(struct status *status, enum refusal why);

/* Counts a connection that was served, and cut for want of memory. */
void status_cut_connection(struct status *status);

/* Counts that accepting was paused; that somebody was accepted after that; a read that was smaller
 * than it would have been. */
void status_pause_accepting(struct status *status, enum shortage why);
void status_resume_accepting(struct status *status);
void status_shorten_read(struct status *status);
