/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * upper-version: the ways to map a stretch of text, one for each kind of processor, all with the
 * same result for every input. upper-choose.c chooses one; tests and the bench name one.
 *
 * Not its job: sequences that are cut by the end of a piece (upper.c).
 */

#include <stdbool.h>
#include <stddef.h>

#include "text/upper.h"

struct upper_version {
	const char *name;

	/* Whether this processor can run it. May be slow: in a virtual machine each CPUID
	 * instruction is a trap of microseconds. */
	bool (*is_supported)(void);

	/* Maps length bytes; an unfinished sequence at their end passes unchanged. out has
	 * UPPER_ROOM(length) bytes. Returns the number of bytes written. */
	size_t (*map)(const unsigned char *in, size_t length, unsigned char *out);
};

extern const struct upper_version upper_portable, upper_avx2, upper_avx512;

/* From the slowest to the fastest, NULL at the end; the first one runs everywhere. */
extern const struct upper_version *const upper_versions[];

/* As upper_feed(), by the version given. */
size_t upper_feed_by(const struct upper_version *version, struct upper *upper, const void *in,
		     size_t length, void *out);

/* For tests: what upper_feed() maps by. One that is called "undecided", and is none of
 * upper_versions, until there was text enough for choosing to pay. */
const struct upper_version *upper_chosen(void);
