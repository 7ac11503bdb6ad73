/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * upper-character: one UTF-8 sequence after the other, by tables of everything that Unicode maps.
 *
 * What the versions of upper-version.h leave to it is what is rare, and therefore nothing they need
 * to know. Not its job: speed.
 */

#include <stdbool.h>
#include <stddef.h>

/* What was read of a text that may change (upper.h) is one value from here on: the compiler doesn't
 * read it again. For all that decides which entry of a table counts, or where code goes on. How far
 * to go must not depend on two looks at the same byte. */
#define UPPER_READ_ONCE(value) __asm__("" : "+r"(value))

/* What in begins with: returns how many of its bytes (1 to 4) are a well-formed sequence, or the
 * beginning of one that ends behind length; ret_missing says how many bytes lie there. A byte that
 * begins no sequence counts as one of length 1. */
size_t upper_find_sequence(const unsigned char *in, size_t length, size_t *ret_missing);

/* One sequence that upper_find_sequence() found whole; returns how many bytes it became. */
size_t upper_map_sequence(const unsigned char *in, size_t length, unsigned char *out);

/* Whether the character that in begins with becomes another one. Of a malformed one it may say so
 * wrongly. */
bool upper_changes(const unsigned char *in, const unsigned char *end);

/* Maps the sequences that begin before until, and moves *in behind the last of them; none reaches
 * behind end. out has UPPER_ROOM() for them. Returns the number of bytes written. */
size_t upper_map_characters(const unsigned char **in, const unsigned char *until,
			    const unsigned char *end, unsigned char *out);
