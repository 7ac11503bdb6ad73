/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * upper: UTF-8 text in, the same text in upper case out, in pieces of any size.
 *
 * The mapping is the Unicode standard's full one (section 5.18; UnicodeData.txt and the
 * unconditional lines of SpecialCasing.txt), without regard to locale or context. Bytes that belong
 * to no well-formed UTF-8 sequence (Unicode section 3.9, table 3-7) pass unchanged. The bytes that
 * come out do not depend on how the bytes that go in were cut into pieces.
 *
 * Not its job: buffers, framing, descriptors. It does no I/O, allocates nothing and cannot fail.
 */

#include <stddef.h>

/* The state between two pieces: the beginning of a sequence whose rest has not come yet. All zero
 * is the beginning of a text. */
struct upper {
	unsigned char pending[3];
	unsigned char pending_length;
};

/* A character grows to three times its bytes at most (U+0390: 2 bytes become 6). */
#define UPPER_GROWTH 3

/* Bytes beyond growth that a piece can need: what was pending, and room for a vector's last store.
 */
#define UPPER_SLACK 80

/* Room in bytes that out must have for a piece of length bytes. */
#define UPPER_ROOM(length) (UPPER_GROWTH * (size_t)(length) + UPPER_SLACK)

/* Maps length bytes of in; out has UPPER_ROOM(length) bytes and does not overlap in.
 * Returns the number of bytes written; those behind them, within the room, may be overwritten.
 * If in changes meanwhile, as a mapped file may, only that holds: what is written is of no use. */
size_t upper_feed(struct upper *upper, const void *in, size_t length, void *out);

/* The end of the text: an unfinished sequence passes unchanged. out has UPPER_SLACK bytes.
 * Returns the number of bytes written, and leaves the state as at the beginning of a text. */
size_t upper_finish(struct upper *upper, void *out);

/* The version of Unicode's data that the mapping was made from, such as "15.0.0". */
const char *upper_unicode_version(void);
