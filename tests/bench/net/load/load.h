/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * load: what the load generators have in common: who tells them when, and what they tell.
 *
 *      runner                      generator
 *        │ ◄──────────── ready ────────┤ connected
 *        ├── run SECONDS ────────────► │ asks and checks; then waits for the answers still due
 *        │ ◄──────────── {figures} ────┤
 *        ├── run SECONDS ────────────► │ again, on the same sockets
 *        └── end of input ───────────► │ exits
 *
 * So warming up and measuring are two runs, no answer lies between two measurements, and what the
 * server holds for idle connections can be looked at while the generator waits.
 * A wrong answer ends the generator with exit code 1: a figure never comes from wrong answers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "histogram.h"

/* Microseconds that an answer may take before it is missing. */
#define LOAD_PATIENCE_USEC UINT64_C(5000000)

struct load_figures {
	uint64_t answers; /* right ones */
	uint64_t bytes;   /* of requests that were answered */
	uint64_t lost;    /* requests without an answer; streams lose nothing, or the run is void */
	uint64_t nanoseconds;
	struct histogram latency; /* nanoseconds */
};

struct load_server {
	struct sockaddr_storage address;
	socklen_t length;
};

/* "/path" or "PORT" on 127.0.0.1; ends the program if it is neither. */
struct load_server load_parse_server(const char *text);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t load_now(void);

/* Does what the runner says until it has no more to say: run() is called with the time to stop
 * asking at, and fills in answers, bytes, lost and latency. */
void load_obey(void (*run)(void *context, uint64_t until, struct load_figures *figures),
	       void *context);

/* Prints "load: MESSAGE: strerror(errno)", errno 0: without that, and ends the program. */
__attribute__((noreturn, format(printf, 1, 2))) void load_die(const char *format, ...);

/* The number in text between 0 and max, or the program's end. */
uint64_t load_parse_number(const char *text, uint64_t max);
