/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * source: the bytes to send next over a connection: one message, or all of an input.
 *
 * Framings "stream" and "line" send an input's bytes where they lie. "length" sends them with
 * headers, out of a second buffer, as does a single message.
 *
 * How far ahead of the answers an input is sent is its pace; what was sent at the two slower ones
 * is held until the pace changes, and can be sent again over another connection:
 *
 *      FIRST_LINE  the first line, when it is whole
 *      HOLD        what the buffer has room for
 *      FLOW        without end, nothing held
 *
 * Not its job: the socket (duplex.h), and when the pace changes (stream.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/input.h"
#include "exchange/framing.h"

/* A first line longer than that is no sentence, but data: it flows. */
#define SOURCE_SENTENCE_MAX 4096

enum source_pace {
	SOURCE_FIRST_LINE,
	SOURCE_HOLD,
	SOURCE_FLOW,
};

struct source {
	struct input *input; /* not owned; NULL: one message */
	enum framing framing;
	enum source_pace pace;
	size_t held; /* bytes from input->begin on that were sent */
	char *ready; /* owned: messages with their headers */
	size_t ready_begin, ready_end, ready_capacity;
	uint64_t messages; /* sent, or ready to be: framings "line" and "length" */
	uint64_t too_long; /* lines that were skipped: framing "length" */
};

/* All of an input, which is at its beginning. source_free() releases what the source holds. */
void source_init(struct source *source, struct input *input, enum framing framing,
		 enum source_pace pace);

/* One message of length bytes; with framing "stream" newline says whether it ends in one. Returns 0
 * or -ENOMEM. */
int source_init_message(struct source *source, enum framing framing, const char *bytes,
			size_t length, bool newline);
void source_free(struct source *source);

/* The bytes that may be sent now; returns how many. */
size_t source_look(struct source *source, const char **ret_bytes);

/* The first length of them are sent. */
void source_advance(struct source *source, size_t length);

/* True if the input has more to give and there is room for it. */
bool source_wants_input(const struct source *source);

/* One read(2) of the input. Returns 0, or a negative errno of read(2), or -ENOMEM. */
int source_fill(struct source *source);

/* True if input has to wait for the pace to change. */
bool source_is_kept_waiting(const struct source *source);

/* True if all is sent that there will ever be. */
bool source_is_exhausted(const struct source *source);

/* Lets go of what was held, and goes on at another pace. */
void source_set_pace(struct source *source, enum source_pace pace);
