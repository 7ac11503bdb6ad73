/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * duplex: one connection used both ways at once: a source is sent while answers are taken, so that
 * neither end ever waits for the other to take what it has to say.
 *
 *      input ──► source ──► socket ──► answers ──► standard output
 *
 * Not its job: what the way it ended means (sentences.h, stream.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/answers.h"
#include "client/source.h"

enum duplex_end {
	DUPLEX_ANSWERED, /* there are stop_count answers, or stop_received bytes of them */
	DUPLEX_CLOSED,   /* the server has closed the connection */
	DUPLEX_BROKEN,   /* it broke: ->error */
	DUPLEX_SILENT, /* for timeout_usec nothing moved although the server had something to do */
	DUPLEX_IMPATIENT, /* input has waited for its pace to change for patience_usec */
	DUPLEX_NO_INPUT,  /* reading the input failed: ->error */
	DUPLEX_NO_OUTPUT, /* writing the answers failed: ->error */
};

struct duplex {
	int fd; /* a non-blocking stream socket, not owned */
	struct source *source;
	struct answers *answers;
	bool half_close;        /* say so to the server when all is sent */
	bool expects_answer;    /* all that is sent is to be answered at once */
	uint64_t timeout_usec;  /* PARSE_INFINITY: none */
	uint64_t patience_usec; /* PARSE_INFINITY: none */
	uint64_t stop_count;    /* 0: until the connection ends */
	uint64_t stop_received; /* 0: the same */

	int error;           /* a negative errno */
	uint64_t sent;       /* bytes */
	bool over;           /* nothing more can be sent */
	uint64_t since;      /* when something last moved; 0: the server has nothing to do */
	uint64_t held_since; /* the same for input that has to wait for its pace */
	char *buffer;        /* owned */
};

/* Returns 0 or -ENOMEM. duplex_free() releases what the duplex owns. */
int duplex_init(struct duplex *duplex, int fd, struct source *source, struct answers *answers);
void duplex_free(struct duplex *duplex);

/* Runs until one of the ends above; can be called again after DUPLEX_ANSWERED and DUPLEX_IMPATIENT,
 * with other limits. */
enum duplex_end duplex_run(struct duplex *duplex);
