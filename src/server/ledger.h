/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * ledger: where the connections stand that are stored while they are served, as a process that was
 * killed left it: a byte for each, in memory (memfd_create(2)) that outlives the process.
 *
 *      FREE ──enter──► AT_REST ◄──before a read, all is answered──► BUSY
 *                         └───────── handed over with a state ◄──────┘ ──► STATED
 *
 * Marking is a store to memory: it costs no system call, and a kill between any two instructions
 * finds what was marked before. The next process goes on with the same ledger. Not its job: the
 * connections, and where the memory is kept meanwhile (store.h).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ledger_mark {
	LEDGER_FREE,
	LEDGER_AT_REST, /* nothing is read that is not answered */
	LEDGER_BUSY,
	LEDGER_STATED, /* what it is in the middle of is stored beside it */
	LEDGER_MARKS,
};

struct ledger {
	_Atomic uint8_t *marks; /* owned: mapped; NULL: there is none */
	size_t size;            /* bytes, the head's among them: what is before the first slot */
	int fd;                 /* owned */
	atomic_size_t next;     /* where a free slot is looked for */
	bool *taken;            /* owned: slots that were found again, until ledger_sweep() */
};

/* A slot is a byte's offset; 0 is none. */
#define LEDGER_SLOT_BITS 24

/* Makes one for so many connections. Returns 0 or a negative errno; ledger_free() releases it. */
int ledger_make(struct ledger *ledger, size_t connections);

/* Goes on with the ledger that an earlier process made; more connections make it grow. fd is taken
 * over on success. Returns 0, -EBADMSG (it is none), or another negative errno. */
int ledger_adopt(struct ledger *ledger, int fd, size_t connections);
void ledger_free(struct ledger *ledger);

/* A slot for a connection at rest; 0 if there is none. From any thread. */
uint32_t ledger_enter(struct ledger *ledger);

/* An adopted ledger's slot is some connection's. Returns its mark; LEDGER_FREE if it is no slot, or
 * another's already. Once all are taken ledger_sweep() frees the rest. */
enum ledger_mark ledger_take(struct ledger *ledger, uint64_t slot);
void ledger_sweep(struct ledger *ledger);

/* A slot of ledger_enter() or ledger_take(), whose connection one thread alone has. */
static inline void ledger_set(struct ledger *ledger, uint32_t slot, enum ledger_mark mark)
{
	atomic_store_explicit(&ledger->marks[slot], (uint8_t)mark, memory_order_relaxed);
}

/* The mark of any number; LEDGER_FREE where it is no slot. */
enum ledger_mark ledger_get(const struct ledger *ledger, uint64_t slot);
