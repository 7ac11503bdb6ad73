/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * rig: the server's real parts, driven round by round from one thread, and clients beside them.
 *
 * Everything here checks what it does (Check's ck_assert): a test reads as what it is about. Not
 * its job: a daemon in a process of its own (test-server.c).
 */

#include "server/datagrams.h"
#include "server/loop.h"
#include "server/streams.h"
#include "unit.h"

/* Every byte of a request becomes three of the reply: as much as a text can grow. */
extern const struct service rig_tripling;

/* The real one: services/uppercase.c's. */
extern const struct service service;

struct rig {
	struct exchange_options exchange;
	struct status status;
	struct loop loop;
	struct admission admission;
	struct unsent_limit unsent_limit;
	struct rate *rate;
	struct address manager; /* none, unless a test sets it */
	struct streams streams;
	struct datagrams *datagrams;
	struct endpoint endpoints[64];
	size_t endpoint_count;
};

/* Makes the parts, with no socket yet. Nothing is limited, if not said. */
void rig_open(struct rig *rig, const struct service *service);
void rig_open_limited(struct rig *rig, const struct service *service, uint32_t rate,
		      bool spare_loopback);
void rig_close(struct rig *rig);

/* Opens a socket on an address of this machine, with a port of the kernel's choosing, and has it
 * served. Returns the address with its port. */
struct address rig_serve(struct rig *rig, const char *host, int type);

/* Has a socket served that the test made; it is the rig's from here on. */
void rig_serve_fd(struct rig *rig, int fd, int family, enum endpoint_kind kind);

/* One round that waits for a moment at most. */
void rig_round(struct rig *rig);

/* Rounds until nothing happens in some on end: a source that is ready again and again would be
 * spinning. */
void rig_expect_rest(struct rig *rig);

/* Rounds until condition holds; too many are a failure that names it. */
#define RIG_UNTIL(rig, condition)                                                                  \
	do {                                                                                       \
		for (unsigned rounds_ = 0; !(condition); rounds_++) {                              \
			ck_assert_msg(rounds_ < 2000, "never came: %s", #condition);               \
			rig_round(rig);                                                            \
		}                                                                                  \
	} while (0)

/* The address of a host with a port, 0 for any: "127.0.0.1", "::1", "::". */
struct address rig_address(const char *host, unsigned port);

/* A client's end: what came to it so far. */
struct client {
	int fd; /* owned, non-blocking */
	char *bytes;
	size_t length, capacity;
	bool ended; /* the server's end of output came */
	int error;  /* what recv() failed with, or 0 */
};

/* Connects to an address of the rig's; or takes over a socket. client_close() releases it. */
void client_connect(struct client *client, const struct address *address);
void client_open(struct client *client, int fd);
void client_close(struct client *client);

/* Closes it so that its peer sees a reset. */
void client_reset(struct client *client);

/* Sends all; it must fit the socket's buffer. */
void client_send(const struct client *client, const void *bytes, size_t length);

/* Takes in what has come. Returns how much there is in all. */
size_t client_read(struct client *client);

/* True once the answer so far is text and no more. */
bool client_has(struct client *client, const char *text);

/* A connection in one of the ways they come: over a socket pair (0), or accepted over IPv4 (1). The
 * rig must serve no other welcoming socket. */
#define RIG_WAYS 2
void rig_connect(struct rig *rig, struct client *client, int way);

/* True once the server closed, in good order or not. */
bool client_is_over(struct client *client);

/* Sends without ever reading, until the server takes no more. Returns how many bytes. */
size_t rig_flood(struct rig *rig, const struct client *client, char byte);
