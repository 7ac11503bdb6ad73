/* SPDX-License-Identifier: ISC */
#include "world.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "util/error.h"

/* A jiffy's worth: what CLOCK_MONOTONIC_COARSE is good to. */
#define COARSE_USEC 4000

/* More of either is no work, but turning around oneself. */
#define ROUNDS_MAX 100000
#define WASTE_MAX  8

struct world world;

void world_begin(uint64_t now)
{
	memset(&world, 0, sizeof(world));
	world.now = now;
	world.current = -1;
}

void world_end(void)
{
	for (unsigned i = 0; i < world.descriptor_count; i++)
		REQUIRE(world.descriptors[i].kind == WORLD_CLOSED, "descriptor %u of kind %d", i,
			(int)world.descriptors[i].kind);
	world_check_control();
	REQUIRE(world.stored_count == 0, "something is stored");
	world_free_streams();
	world_free_datagrams();
}

void world_inherit(int fd, int before)
{
	for (unsigned i = 0; i < world.peer_count; i++)
		if (world.peers[i].listener == before)
			world.peers[i].listener = fd;
	world_inherit_datagrams(fd, before);
}

void world_fault(enum world_call call, int error)
{
	world.faults[call] = error;
}

void world_calm(void)
{
	memset(world.faults, 0, sizeof(world.faults));
	world.most = 0;
	world.fail_count = 0;
	for (unsigned i = 0; i < world.peer_count; i++)
		world.peers[i].room = SIZE_MAX;
}

bool world_has_fault(enum world_call call)
{
	if (world.faults[call] == 0)
		return false;
	errno = world.faults[call];
	world.faults[call] = 0;
	world.waste = 0;
	return true;
}

/* Whoever the server was busy with may suffer from it. */
bool world_allocation_fails(void)
{
	if (!world.is_serving || world.inside > 0)
		return false;
	if (world.fail_at > 0)
		world.fail_at--;
	if (!(world.fail_at == 0 && world.fail_count > 0 && world.fail_count--) &&
	    !world_has_fault(WORLD_ALLOCATE))
		return false;
	world.has_failed = true;
	for (unsigned i = 0; world.rounds == 0 && i < world.peer_count; i++)
		world_run_short(&world.peers[i]);
	if (world.current >= 0 && world_look(world.current, WORLD_NOTHING)->peer)
		world_run_short(world_look(world.current, WORLD_NOTHING)->peer);
	errno = ENOMEM;
	return true;
}

bool world_is_fake(int fd)
{
	return fd >= WORLD_FIRST_FD;
}

int world_open(enum world_kind kind, int family, in_port_t port)
{
	unsigned next = world.descriptor_count++;

	REQUIRE(next < WORLD_DESCRIPTORS, "too many descriptors");
	world.descriptors[next] =
		(struct world_descriptor){.kind = kind, .family = family, .port = port};
	return WORLD_FIRST_FD + (int)next;
}

struct world_descriptor *world_look(int fd, enum world_kind kind)
{
	struct world_descriptor *descriptor = &world.descriptors[fd - WORLD_FIRST_FD];

	REQUIRE(world_is_fake(fd) && fd < WORLD_FIRST_FD + (int)world.descriptor_count, "%d", fd);
	if (kind != WORLD_NOTHING)
		REQUIRE(descriptor->kind == kind, "descriptor %d is of kind %d, not %d",
			fd - WORLD_FIRST_FD, (int)descriptor->kind, (int)kind);
	return descriptor;
}

void world_progress(int fd)
{
	world.waste = 0;
	world.current = fd;
}

uint64_t world_coarse_now(void)
{
	return world.now - world.now % COARSE_USEC;
}

static uint32_t events_of(const struct world_descriptor *descriptor)
{
	uint32_t events = 0;

	switch (descriptor->kind) {
	case WORLD_CONTROL:
		return world_control_is_ready() ? EPOLLIN : 0;
	case WORLD_LISTENER:
	case WORLD_CONNECTION:
		events = world_stream_events(descriptor);
		break;
	case WORLD_DATAGRAM:
		events = world_has_datagram(WORLD_FIRST_FD + (int)(descriptor - world.descriptors))
				 ? EPOLLIN
				 : 0;
		break;
	case WORLD_NOTHING:
	case WORLD_EPOLL:
	case WORLD_CLOSED:
		break;
	}
	return events & (descriptor->events | EPOLLERR | EPOLLHUP);
}

/* Level-triggered; in turns, as the kernel's list of what is ready is. */
static int collect(struct epoll_event *events, int maximum)
{
	unsigned n = world.descriptor_count, first = world.first_event;
	int count = 0;

	for (unsigned i = 0; i < n && count < maximum; i++) {
		struct world_descriptor *descriptor = &world.descriptors[(first + i) % n];
		uint32_t ready = descriptor->is_waited_for ? events_of(descriptor) : 0;

		if (ready == 0)
			continue;
		events[count++] = (struct epoll_event){.events = ready, .data = descriptor->data};
	}
	return count;
}

int __real_epoll_wait(int fd, struct epoll_event *events, int maximum, int timeout);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int maximum, int timeout);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int maximum, int timeout)
{
	WORLD_INSIDE;
	int count;

	if (!world_is_fake(fd))
		return __real_epoll_wait(fd, events, maximum, timeout);
	(void)world_look(fd, WORLD_EPOLL);
	REQUIRE(++world.rounds < ROUNDS_MAX && ++world.waste < WASTE_MAX,
		"turns around itself: %u rounds, %u for nothing", world.rounds, world.waste);
	world_check_corks();
	(void)world.step(false);
	while ((count = collect(events, maximum)) == 0 && timeout != 0) {
		/* As the kernel has it: only who waits is interrupted. */
		if (world_has_fault(WORLD_EPOLL_WAIT))
			return -1;
		REQUIRE(world.step(true), "waits for what never comes");
		world.waste = 0;
	}
	world.current = -1;
	return count;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static int change_wait(struct world_descriptor *descriptor, int operation,
		       const struct epoll_event *event)
{
	bool is_waited_for = descriptor->is_waited_for;

	if (operation == EPOLL_CTL_DEL) {
		descriptor->is_waited_for = false;
		return is_waited_for ? 0 : fail(ENOENT);
	}
	if (operation == EPOLL_CTL_ADD)
		REQUIRE(!is_waited_for, "EEXIST");
	else
		REQUIRE(is_waited_for && !(descriptor->events & EPOLLEXCLUSIVE), "EINVAL");
	if (world_has_fault(WORLD_EPOLL_CTL)) {
		if (descriptor->peer)
			world_run_short(descriptor->peer);
		return -1;
	}
	descriptor->is_waited_for = true;
	descriptor->events = event->events;
	descriptor->data = event->data;
	if (descriptor->peer)
		world_serve(descriptor->peer);
	return 0;
}

int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	WORLD_INSIDE;
	struct world_descriptor *descriptor = world_look(fd, WORLD_NOTHING);

	(void)world_look(epoll_fd, WORLD_EPOLL);
	REQUIRE(descriptor->kind != WORLD_CLOSED, "descriptor %d is closed", fd - WORLD_FIRST_FD);
	return change_wait(descriptor, operation, event);
}

int __wrap_epoll_create1(int flags);
int __wrap_epoll_create1(int flags)
{
	REQUIRE(flags == EPOLL_CLOEXEC, "flags %d", flags);
	return world_allocation_fails() ? -1 : world_open(WORLD_EPOLL, 0, 0);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	WORLD_INSIDE;
	struct world_descriptor *descriptor;

	if (!world_is_fake(fd))
		return __real_close(fd);
	descriptor = world_look(fd, WORLD_NOTHING);
	REQUIRE(descriptor->kind != WORLD_CLOSED, "descriptor %d is closed", fd - WORLD_FIRST_FD);
	if (descriptor->peer && descriptor->peer->fd == fd &&
	    !world_leave_to_store(descriptor->peer))
		world_close_peer(descriptor->peer);
	else if (descriptor->peer)
		REQUIRE(!descriptor->is_waited_for, "epoll still waits for what others hold open");
	descriptor->kind = WORLD_CLOSED;
	descriptor->is_waited_for = false;
	descriptor->peer = NULL;
	world_progress(-1);
	return 0;
}

int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	uint64_t now = world_coarse_now();

	if (clock != CLOCK_MONOTONIC_COARSE)
		return __real_clock_gettime(clock, ret_time);
	*ret_time = (struct timespec){(time_t)(now / 1000000), (long)(now % 1000000 * 1000)};
	return 0;
}

/* The same seeds each time. */
ssize_t __wrap_getrandom(void *buffer, size_t length, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t length, unsigned flags)
{
	REQUIRE(flags == 0, "flags %u", flags);
	memset(buffer, 0x5a, length);
	return (ssize_t)length;
}

/* The numbers as they are, instead of their text. */
const char *__wrap_status_print(const struct status *status, char text[static STATUS_TEXT_MAX]);
const char *__wrap_status_print(const struct status *status, char text[static STATUS_TEXT_MAX])
{
	memset(&world.status, 0, sizeof(world.status));
	status_add(&world.status, status);
	REQUIRE(status->bytes_unsent == world_count_unsent(), "%zu bytes unsent, not %zu",
		(size_t)status->bytes_unsent, world_count_unsent());
	text[0] = '\0';
	return text;
}
