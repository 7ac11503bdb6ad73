/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * exchange-state: a conversation as bytes, so that another process can go on with it.
 *
 *      service state (8 bytes) │ done (1) │ what is held of a message (the rest)
 *
 * The bytes are for the same machine and the same version of a service, and are checked as if a
 * stranger had written them. Not its job: where they are kept, and telling damage
 * (server/stored.h).
 */

#include "exchange/exchange.h"

/* True if the conversation is as at its beginning: there is nothing to be kept. */
bool exchange_state_is_fresh(const struct exchange *exchange);

/* How many bytes there are of it. */
size_t exchange_state_size(const struct exchange *exchange);

/* Writes that many bytes. */
void exchange_state_write(const struct exchange *exchange, void *out);

/* Makes a conversation of length bytes. scratch has exchange_room() for them and is overwritten.
 * Returns 0, -EBADMSG (no state that the options allow) or -ENOMEM. */
int exchange_state_read(const struct exchange_options *options, const void *in, size_t length,
			void *scratch, struct exchange *ret_exchange);
