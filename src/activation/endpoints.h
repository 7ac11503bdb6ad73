/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * endpoints: where a daemon's sockets come from, in this order:
 *
 *   1. LISTEN_PID, LISTEN_FDS name us       those sockets, by what each really is (systemd)
 *   2. addresses to listen on were given    opened here
 *   3. descriptor 0 is a socket             that one (inetd wait or nowait, StandardInput=socket)
 *
 * A supervisor's word comes first; what the command line says comes before what descriptor 0
 * happens to be, since many programs start their children with a socket there. Not its job: what is
 * said over a socket.
 */

#include <stddef.h>
#include <sys/types.h>

#include "net/address.h"

enum endpoint_kind {
	ENDPOINT_LISTENING, /* a stream socket to accept on: the welcoming socket */
	ENDPOINT_CONNECTED, /* a stream socket that is one conversation: the connection socket */
	ENDPOINT_DATAGRAM,
	ENDPOINT_STORED, /* whatever an earlier process of ours left with the service manager */
};

/* What the names of stored descriptors begin with (systemd.service(5) FileDescriptorStoreMax=).
 * They are taken over as they are: what they are is known to who stored them. */
#define ENDPOINT_STORED_PREFIX "stored-"

struct endpoint {
	int fd; /* owned, non-blocking, close-on-exec */
	int family;
	enum endpoint_kind kind;
	char *name; /* owned: the LISTEN_FDNAMES name, or the address as text */

	/* Of the path that was bound here; 0: none. */
	dev_t path_device;
	ino_t path_inode;
};

enum activation {
	ACTIVATION_SYSTEMD,
	ACTIVATION_INETD,
	ACTIVATION_OWN,
};

struct endpoints {
	struct endpoint *items; /* owned */
	size_t count;
	enum activation activation;
};

/* An address given with --listen-stream= or --listen-datagram=. */
struct endpoint_address {
	struct address address;
	int type; /* SOCK_STREAM or SOCK_DGRAM */
};

#define ENDPOINTS_ERROR_MAX 768

/* Finds or opens them. error, of ENDPOINTS_ERROR_MAX bytes, says in one line what is wrong, naming
 * the socket: its name, family and type, or its address. Returns 0, -ENOENT (no socket from
 * anywhere), -EPROTOTYPE (a kind that can't be served), or what sd_listen_fds(3) or socket_open()
 * returned. */
int endpoints_find(struct endpoints *ret_endpoints, const struct endpoint_address *addresses,
		   size_t count, char *error);

/* Turns away who comes to the listening sockets that were opened here, and removes their paths, so
 * that another process may open them; without their service manager nobody else would accept. Those
 * that were handed over are left as they are. */
void endpoints_turn_away(struct endpoints *endpoints);

/* Closes the sockets, removes the paths of those that were opened here, and releases the memory. */
void endpoints_close(struct endpoints *endpoints);
