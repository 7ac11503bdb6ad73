/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * answers: what comes back, freed of its framing, counted, and written to standard output.
 *
 * Framing "stream" is written byte for byte, and so is "line"; of "length" each message as a line.
 * A blocking descriptor blocks: a slow reader of our output slows us, which slows the server.
 *
 * Not its job: the socket (duplex.h, datagrams.c), and whether an answer is missing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange/framing.h"

struct answers {
	int fd;
	const char *prefix; /* written before each answer, or NULL */
	bool as_lines;      /* an answer without a newline at its end gets one */
	int error;          /* the negative errno that writing failed with, or 0 */

	/* Of the conversation at hand: */
	enum framing framing;
	uint64_t count;    /* whole answers; of framing "stream": newlines */
	bool uncounted;    /* framing "stream": nobody wants to know */
	uint64_t received; /* bytes, headers included */
	bool inside;       /* an answer has begun and not ended */
	bool open_ended;   /* the last byte written was not a newline */
	unsigned char header[FRAMING_HEADER_SIZE];
	size_t header_length;
	uint32_t left; /* bytes of the answer to come: framing "length" */

	char *buffer; /* owned */
	size_t buffered;
};

/* Returns 0 or -ENOMEM. The descriptor stays the caller's. answers_free() releases the rest. */
int answers_init(struct answers *answers, int fd, const char *prefix, bool as_lines);
void answers_free(struct answers *answers);

/* A new conversation: nothing received, nothing counted. */
void answers_begin(struct answers *answers, enum framing framing);

/* The next bytes of it. Returns 0, or a negative errno of write(2), which ->error keeps. */
int answers_take(struct answers *answers, const char *bytes, size_t length);

/* No more bytes belong to the answer at hand; if it is a whole one it counts although it may be
 * empty. Returns as answers_take(). */
int answers_end(struct answers *answers, bool answered);

/* A datagram: one whole answer, written as a line. Returns as answers_take(). */
int answers_take_datagram(struct answers *answers, const char *bytes, size_t length);
