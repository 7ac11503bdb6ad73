/* SPDX-License-Identifier: ISC */
#include "server/ledger.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/error.h"

#define MAGIC     UINT64_C(0x72656764656c7075) /* no text's beginning */
#define VERSION   1
#define SEALS     (F_SEAL_SEAL | F_SEAL_SHRINK)
#define SIZE_MOST ((size_t)1 << LEDGER_SLOT_BITS)

struct head {
	uint64_t magic;
	uint32_t version;
	uint32_t unused;
};

#define FIRST_SLOT sizeof(struct head)

/* Twice as many slots as connections: a free one is found soon, and is not used again soon. */
static size_t size_for(size_t connections)
{
	return connections > (SIZE_MOST - FIRST_SLOT) / 2 ? SIZE_MOST
							  : FIRST_SLOT + 2 * connections;
}

static int map(struct ledger *ledger, int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return negative_errno();
	*ledger = (struct ledger){.marks = memory, .size = size, .fd = fd};
	return 0;
}

int ledger_make(struct ledger *ledger, size_t connections)
{
	static const struct head head = {.magic = MAGIC, .version = VERSION};
	_cleanup_close_ int fd = memfd_create("connections", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return negative_errno();
	if (ftruncate(fd, (off_t)size_for(connections)) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return negative_errno();
	r = map(ledger, fd, size_for(connections));
	if (r < 0)
		return r;
	(void)take_fd(&fd);
	memcpy((void *)ledger->marks, &head, sizeof(head));
	return 0;
}

static bool is_ours(int fd, const struct stat *status)
{
	struct head head;

	return fcntl(fd, F_GET_SEALS) == SEALS && status->st_size > (off_t)FIRST_SLOT &&
	       status->st_size <= (off_t)SIZE_MOST &&
	       pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) && head.magic == MAGIC &&
	       head.version == VERSION;
}

int ledger_adopt(struct ledger *ledger, int fd, size_t connections)
{
	_cleanup_free_ bool *taken = NULL;
	struct stat status;
	size_t size;
	int r;

	if (fstat(fd, &status) < 0 || !is_ours(fd, &status))
		return -EBADMSG;
	size = size_for(connections);
	if (size < (size_t)status.st_size)
		size = (size_t)status.st_size;
	taken = calloc(size, sizeof(*taken));
	if (!taken)
		return -ENOMEM;
	if (size > (size_t)status.st_size && ftruncate(fd, (off_t)size) < 0)
		return negative_errno();
	r = map(ledger, fd, size);
	if (r < 0)
		return r;
	ledger->taken = take_pointer(taken);
	return 0;
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger->marks)
		return;
	(void)munmap((void *)ledger->marks, ledger->size);
	(void)close(ledger->fd);
	free(ledger->taken);
	*ledger = (struct ledger){.fd = -1};
}

uint32_t ledger_enter(struct ledger *ledger)
{
	size_t slots = ledger->size - FIRST_SLOT;

	for (size_t tries = 0; tries < slots; tries++) {
		size_t slot = FIRST_SLOT + atomic_fetch_add(&ledger->next, 1) % slots;
		uint8_t mark = LEDGER_FREE;

		if (atomic_compare_exchange_strong(&ledger->marks[slot], &mark, LEDGER_AT_REST))
			return (uint32_t)slot;
	}
	return 0;
}

enum ledger_mark ledger_get(const struct ledger *ledger, uint64_t slot)
{
	uint8_t mark = LEDGER_FREE;

	if (ledger->marks && slot >= FIRST_SLOT && slot < ledger->size)
		mark = ledger->marks[slot];
	return mark < LEDGER_MARKS ? mark : LEDGER_FREE;
}

enum ledger_mark ledger_take(struct ledger *ledger, uint64_t slot)
{
	enum ledger_mark mark = ledger_get(ledger, slot);

	if (mark == LEDGER_FREE || ledger->taken[slot])
		return LEDGER_FREE;
	ledger->taken[slot] = true;
	return mark;
}

void ledger_sweep(struct ledger *ledger)
{
	for (size_t slot = FIRST_SLOT; ledger->taken && slot < ledger->size; slot++)
		if (!ledger->taken[slot])
			ledger->marks[slot] = LEDGER_FREE;
	free(take_pointer(ledger->taken));
}
