/* SPDX-License-Identifier: ISC */

/*
 * world-store: the service manager's file descriptor store (FDSTORE=1 of sd_notify(3)), through
 * which a connection comes from one process, which is a life here, to the next.
 */

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "server/notify.h"
#include "world.h"

static bool is_kept(const char *name)
{
	return strncmp(name, "stored-kept-", 12) == 0 || strcmp(name, "stored-ledger") == 0;
}

/* A copy; what the peer is connected to is that from here on. */
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

/* The manager has room for as many descriptors as the world has. */
static void store(const char *name, int fd)
{
	struct world_stored *stored = &world.stored[world.stored_count];
	struct world_peer *peer;

	REQUIRE(world.stored_count < WORLD_STORED, "too many");
	REQUIRE(!find(name) && strlen(name) < sizeof(stored->name), "%s", name);
	strcpy(stored->name, name);
	stored->is_kept = is_kept(name);
	/* The server goes on with what is stored while it is open. */
	peer = stored->is_kept && world_is_fake(fd) ? world_look(fd, WORLD_NOTHING)->peer : NULL;
	stored->fd = copy(fd);
	if (peer)
		peer->fd = fd;
	world.stored_count++;
}

int __wrap_notify_open(struct notify *notify);
int __wrap_notify_open(struct notify *notify)
{
	notify->fd = 0;
	return 0;
}

void __wrap_notify_close(struct notify *notify);
void __wrap_notify_close(struct notify *notify)
{
	notify->fd = -1;
}

__attribute__((format(printf, 4, 5))) int __wrap_notify_send(struct notify *notify,
							     enum notify_urgency urgency, int fd,
							     const char *format, ...);
int __wrap_notify_send(struct notify *notify, enum notify_urgency urgency, int fd,
		       const char *format, ...)
{
	WORLD_INSIDE;
	static const char put[] = "FDSTORE=1\nFDNAME=", forget[] = "FDSTOREREMOVE=1\nFDNAME=";
	char message[1024];
	va_list arguments;

	(void)urgency;
	REQUIRE(notify->fd == 0, "nobody is there");
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (fd >= 0) {
		if (world_has_fault(WORLD_NOTIFY))
			return -errno;
		REQUIRE(strncmp(message, put, strlen(put)) == 0, "%s", message);
		store(message + strlen(put), fd);
	} else if (strncmp(message, forget, strlen(forget)) == 0) {
		world_forget(message + strlen(forget));
	}
	world.is_stopping |= strstr(message, "STOPPING=1") != NULL;
	return 0;
}

int __wrap_notify_settle(struct notify *notify);
int __wrap_notify_settle(struct notify *notify)
{
	REQUIRE(notify->fd == 0, "nobody is there");
	return 0;
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
	int fd;

	/* What hung up is gone already. */
	if (!stored && is_kept(name))
		return;
	REQUIRE(stored && (stored->fd < 0 || stored->is_kept), "%s", name);
	fd = stored->fd;
	*stored = world.stored[--world.stored_count];
	if (fd >= 0)
		(void)close(fd);
}

int world_take_stored(unsigned i)
{
	WORLD_INSIDE;
	struct world_stored *stored = &world.stored[i];
	int fd = stored->fd;

	if (stored->is_kept)
		return copy(fd);
	stored->fd = -1;
	return fd;
}

static struct world_stored *copy_of(const struct world_peer *peer)
{
	for (unsigned i = 0; i < world.stored_count; i++)
		if (world_is_fake(world.stored[i].fd) &&
		    world_look(world.stored[i].fd, WORLD_CONNECTION)->peer == peer)
			return &world.stored[i];
	return NULL;
}

void world_hang_up(const struct world_peer *peer)
{
	struct world_stored *stored = copy_of(peer);

	if (stored && stored->is_kept)
		world_forget(stored->name);
}

bool world_leave_to_store(struct world_peer *peer)
{
	const struct world_stored *stored = copy_of(peer);

	if (stored)
		peer->fd = stored->fd;
	return stored != NULL;
}

bool world_has_stored(void)
{
	for (unsigned i = 0; i < world.stored_count; i++)
		if (world_is_fake(world.stored[i].fd))
			return true;
	return false;
}

void world_empty_store(void)
{
	while (world.stored_count > 0) {
		int fd = world.stored[--world.stored_count].fd;

		if (fd >= 0)
			(void)close(fd);
	}
}

void world_begin_life(void)
{
	memset(world.faults, 0, sizeof(world.faults));
	memset(&world.status, 0, sizeof(world.status));
	world.accepted = world.served = world.logged = world.cut = world.logged_cut =
		world.bytes_in = world.bytes_out = 0;
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
		peer->kept = peer->unsent;
		peer->last_progress = world.now;
	}
	world_begin_life_of_datagrams();
}
