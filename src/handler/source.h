/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * source: where a filter's bytes come from. A descriptor is read; a large file is mapped, which
 * saves the copy that read() makes of it.
 *
 *     read() ──(a full piece, of a file with much more)──► mapped, piece by piece
 *       ▲                                                        │
 *       └──(the rest, or the file changed, or can't be mapped)───┘
 *
 * Where the bytes come from makes no difference to anybody: the descriptor's offset stands behind
 * each piece when it is handed out, and those who share it get each byte once between them; a file
 * that grows or shrinks meanwhile gives what it would give to read(). But the bytes of a mapped
 * piece change when somebody writes to the file, while they are looked at. One such change is seen
 * by nobody: where a file is cut off in the midst of a page, and is long again before
 * source_confirm() asks, the rest of that page may have been zeros for a while.
 *
 * At most one source in a process maps; others read. Not its job: what becomes of the bytes.
 */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes in a piece at most. Larger ones fall out of the cache, smaller ones cost system calls. */
#define SOURCE_PIECE ((size_t)128 << 10)

struct source {
	int fd;         /* not owned */
	char *buffer;   /* SOURCE_PIECE bytes, not owned */
	bool may_map;   /* that is still to be considered */
	bool is_mapped; /* the piece that was handed out */

	/* While it maps: */
	off_t end;       /* of that piece; the descriptor was moved there */
	bool is_claimed; /* that piece is still to be read, at its own place */
	off_t size;      /* of the file, as last seen */
	char *window;
	off_t window_begin;
	volatile sig_atomic_t is_lost; /* the window is no longer the file's */
};

/* fd is read into buffer; with may_map, it is for the caller to bear that a piece's bytes change.
 */
static inline struct source source_of(int fd, char *buffer, bool may_map)
{
	return (struct source){.fd = fd, .buffer = buffer, .may_map = may_map};
}

/* The next piece, waiting where it must until then (descriptor_read()): a descriptor that is shared
 * may have become non-blocking. Returns its length in bytes, 0 at the end, -ETIMEDOUT, or another
 * negative errno. *ret_piece is the source's, and good until the next call. */
ssize_t source_take(struct source *source, uint64_t until, const char **ret_piece);

/* To be asked before anything is done with what was made of a piece. False: those bytes were not
 * the file's, and the next piece is what there is of it, from where they began. */
bool source_confirm(struct source *source);

/* Undoes what mapping took. The descriptor stays open. */
void source_reset(struct source *source);
