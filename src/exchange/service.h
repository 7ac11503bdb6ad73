/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * service: what a file in services/ defines and everything else knows a service by.
 *
 * A service is pure: bytes in, bytes out, and eight bytes of state between two pieces of a text. A
 * text is
 *
 *      all that comes over a connection     framing "stream"
 *      one message, and no newline          framing "line"
 *      one message, and no header           framing "length"
 *      one datagram                         whatever the framing
 *
 * and its reply is the same however it was cut into pieces; of the text before nothing is known.
 * tests/unit/test-service.c holds each service against what is promised here. Not its job: framing,
 * limits (exchange.h), descriptors and time (the drivers).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a service remembers between two pieces of one text; all zero is the beginning. Another
 * process may go on with it. They are bytes: numbers are copied in and out (memcpy(3)). */
struct service_state {
	_Alignas(8) unsigned char bytes[8];
};

struct service {
	const char *name;    /* of the handler; the daemon's adds a "d" */
	const char *summary; /* what it does, for --help: "answer text in upper case" */
	const char *data;    /* name of the data it was made from, for --version, or NULL */
	const char *(*data_version)(void);

	/* Room for replies is made by these two, and nobody looks whether a reply keeps to them:
	 * one that is longer overwrites memory.
	 *
	 * A text of length bytes, which may be 0, has a reply of less than growth * (length + 1)
	 * bytes. growth is 1 to 63, or the reply to a message of 64 MiB could be too long for its
	 * header. Above 3 the service is no good over UDP: a forged sender's victim gets so many
	 * times what he was sent (RFC 9000 section 8.1). */
	size_t growth;

	/* What a piece of length bytes may need beyond growth * length: for what was pending, and
	 * to overwrite. */
	size_t slack;

	/* The reply to the next piece of a text: growth * length + slack bytes at most, and to the
	 * first piece growth * length. out has room for the former and does not overlap in.
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
