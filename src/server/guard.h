/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * guard: which datagrams must not be answered, so that nobody is hurt.
 *
 * Upper-casing is idempotent: two such servers and one datagram with a forged source would answer
 * each other for ever (CVE-2024-2169). So none is answered that may come from a server, ours or
 * another's, and none whose source is not one host. Not its job: how often one source is answered.
 */

#include <stdbool.h>

#include "net/address.h"
#include "server/status.h"

/* May a datagram from source, received on a socket bound to own_port (host order, -1 for none), be
 * answered? If not, *ret_why says why. */
bool guard_allows(const struct address *source, int own_port, enum refusal *ret_why);
