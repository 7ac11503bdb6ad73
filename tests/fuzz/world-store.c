/* SPDX-License-Identifier: ISC */

/*
 * world-store: the service manager's file descriptor store (sd_pid_notify_with_fds(3)), through
 * which a connection comes from one process, which is a life here, to the next.
 */

#include <errno.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "world.h"

/* The store has a copy; what the peer is connected to is that from here on. */
static int copy(int fd)
{
	struct world_peer *peer;
	int copied;

	if (!world_is_fake(fd)) {
		copied = dup(fd);
		REQUIRE(copied >= 0, "%s", strerror(errno));
		return copied;
	}
	peer = world_look(fd, WORLD_CONNECTION)->peer;
	copied = world_open(WORLD_CONNECTION, peer->address.any.sa_family, 0);
	world_look(copied, WORLD_CONNECTION)->peer = peer;
	peer->fd = copied;
	return copied;
}

static struct world_stored *find(const char *name)
{
	for (unsigned i = 0; i < world.stored_count; i++)
		if (strcmp(world.stored[i].name, name) == 0)
			return &world.stored[i];
	return NULL;
}

int __wrap_sd_pid_notify_with_fds(pid_t pid, int unset, const char *state, const int *fds,
				  unsigned count);
int __wrap_sd_pid_notify_with_fds(pid_t pid, int unset, const char *state, const int *fds,
				  unsigned count)
{
	WORLD_INSIDE;
	static const char before[] = "FDSTORE=1\nFDNAME=";
	struct world_stored *stored = &world.stored[world.stored_count];

	REQUIRE(pid == 0 && !unset && count == 1, "%u descriptors", count);
	REQUIRE(strncmp(state, before, strlen(before)) == 0, "%s", state);
	state += strlen(before);
	if (world_has_fault(WORLD_NOTIFY))
		return -errno;
	REQUIRE(world.stored_count < WORLD_STORED, "too many");
	REQUIRE(!find(state) && strlen(state) < sizeof(stored->name), "%s", state);
	strcpy(stored->name, state);
	stored->fd = copy(fds[0]);
	world.stored_count++;
	return 1;
}

int __wrap_sd_notify_barrier(int unset, uint64_t usec);
int __wrap_sd_notify_barrier(int unset, uint64_t usec)
{
	(void)usec;
	REQUIRE(!unset, "the environment is not ours");
	return 1;
}

bool world_is_stored(const struct world_peer *peer)
{
	for (unsigned i = 0; i < world.stored_count; i++)
		if (peer->fd >= 0 && world.stored[i].fd == peer->fd)
			return true;
	return false;
}

void world_forget(const char *name)
{
	struct world_stored *stored = find(name);

	REQUIRE(stored && stored->fd < 0, "%s", name);
	*stored = world.stored[--world.stored_count];
}

void world_empty_store(void)
{
	for (unsigned i = 0; i < world.stored_count; i++)
		if (world.stored[i].fd >= 0)
			(void)close(world.stored[i].fd);
	world.stored_count = 0;
}

void world_begin_life(void)
{
	memset(world.faults, 0, sizeof(world.faults));
	memset(&world.status, 0, sizeof(world.status));
	world.accepted = world.served = world.bytes_in = world.bytes_out = 0;
	world.is_finishing = world.is_stopping = false;
	world.rounds = world.waste = 0;
	for (unsigned i = 0; i < world.stored_count; i++) {
		struct world_peer *peer =
			world_is_fake(world.stored[i].fd)
				? world_look(world.stored[i].fd, WORLD_CONNECTION)->peer
				: NULL;

		if (!peer)
			continue;
		world.accepted++;
		peer->was_served = false;
		peer->is_restored = true;
		peer->last_event = world.now;
	}
	world_begin_life_of_datagrams();
}
