/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * target: whom to ask: a host and a port, or a socket's path, as addresses to try in turn.
 *
 * Not its job: sockets (connection.h, datagrams.c).
 */

#include <stddef.h>

#include "net/address.h"

/* "HOST:PORT" as the user wrote them, for messages; longer ones are cut. */
#define TARGET_TEXT_MAX 300

struct target {
	struct address *addresses; /* owned; in the order of getaddrinfo(3): RFC 6724 */
	size_t count;              /* at least one */
	size_t current;            /* the one to try first: the last that worked */
	char text[TARGET_TEXT_MAX];
};

/* Resolves a host's name and a port's, or numbers; family is AF_INET, AF_INET6 or AF_UNSPEC, type
 * SOCK_STREAM or SOCK_DGRAM. Returns 0, -ENOMEM, or -EINVAL; with the latter *ret_what and *ret_why
 * say in words which of the two names is wrong and how. target_free() releases the target. */
int target_resolve(struct target *target, const char *host, const char *port, int family, int type,
		   const char **ret_what, const char **ret_why);

/* The target at an AF_UNIX path or "@name". Returns as address_from_path(), or -ENOMEM. */
int target_from_path(struct target *target, const char *path);

void target_free(struct target *target);
