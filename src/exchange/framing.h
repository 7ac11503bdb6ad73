/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * framing: where a message ends in a byte stream.
 *
 *   stream   nowhere: every byte is answered as it comes
 *   line     at a newline, which is none of it; its reply ends in one, too, unless it is the last
 *            line and has none
 *   length   behind as many bytes as a 4-byte big-endian header says; its reply has such a header
 */

#include <stdint.h>

enum framing {
	FRAMING_STREAM,
	FRAMING_LINE,
	FRAMING_LENGTH,
};

#define FRAMING_HEADER_SIZE 4

/* "stream", "line" or "length". Returns 0 or -EINVAL. */
int framing_parse(const char *text, enum framing *ret_framing);

static inline uint32_t framing_read_header(const unsigned char header[static FRAMING_HEADER_SIZE])
{
	return (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 |
	       header[3];
}

static inline void framing_write_header(unsigned char header[static FRAMING_HEADER_SIZE],
					uint32_t length)
{
	header[0] = (unsigned char)(length >> 24);
	header[1] = (unsigned char)(length >> 16);
	header[2] = (unsigned char)(length >> 8);
	header[3] = (unsigned char)length;
}
