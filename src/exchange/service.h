/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * service: what a file in services/ defines and everything else knows a service by.
 *
 * A service is pure: bytes in, bytes out, and eight bytes of state between two pieces of a text.
 * Not its job: framing, limits (exchange.h), descriptors and time (the drivers).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a service remembers between two pieces of one text; all zero is the beginning. */
struct service_state {
	_Alignas(8) unsigned char bytes[8];
};

struct service {
	const char *name;    /* of the handler; the daemon's adds a "d" */
	const char *summary; /* what it does, for --help: "answer text in upper case" */
	const char *data;    /* name of the data it was made from, for --version, or NULL */
	const char *(*data_version)(void);

	/* A piece of length bytes needs room for growth * length + slack bytes; of a whole
	 * message's reply growth * (length + 1) - 1 bytes are kept at most. */
	size_t growth;
	size_t slack;

	/* The reply to the next piece of a text; out has the room above and does not overlap in.
	 * Returns the bytes written; those behind them, within the room, may be overwritten. */
	size_t (*feed)(struct service_state *state, const void *in, size_t length, void *out);

	/* Whether feed() does so even if in changes while it is read, as a file that is mapped may:
	 * its reply is of no use then. Where it doesn't, files are read. */
	bool in_may_change;

	/* The rest of the reply at the end of a text; out has slack bytes. The state is as at the
	 * beginning afterwards. Returns the bytes written. */
	size_t (*finish)(struct service_state *state, void *out);

	/* Could feed() have left this state behind? Asked of one that came from outside. */
	bool (*is_state)(const struct service_state *state);
};

/* The one service that a program is built with: a file in services/ defines it. */
extern const struct service service;
