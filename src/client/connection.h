/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * connection: a stream socket connected to a target, the next address tried when one fails.
 *
 * Not its job: what is said over it (duplex.h), and when to connect again (sentences.h, stream.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/target.h"

/* Connects to the first of the target's addresses that accepts within timeout_usec each, beginning
 * with the one that worked last. Returns a non-blocking descriptor, or a negative errno of the last
 * address tried: -ETIMEDOUT, or one of socket(2) and connect(2). */
int connection_open(struct target *target, uint64_t timeout_usec);

/* True if fd's peer is fd itself. The kernel may give a connecting socket the very port that it
 * connects to; nobody listens there. */
bool connection_is_to_itself(int fd);
