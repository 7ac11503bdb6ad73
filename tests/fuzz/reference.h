/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * reference: what the reply to a whole conversation must be, written as plainly as can be.
 *
 * It sees all of the request at once, where the exchange sees pieces. Not its job: the text (the
 * mapping is tests/unit's and other targets').
 */

#include <stdbool.h>

#include "exchange/exchange.h"

struct conversation {
	const uint8_t *request;
	size_t length;
	size_t first_read; /* bytes that the first read brought: with once, a stream's message */
	bool ended;        /* the end of input was seen, too */
};

/* The reply to all of it. */
struct reference {
	char *reply; /* owned */
	size_t length;
	bool done; /* nothing more is answered, whatever may come */
	bool bad;  /* a message that was too long, or not whole at the end of input */
};

void reference_make(struct reference *ret_reference, const struct exchange_options *options,
		    const struct conversation *conversation);
void reference_free(struct reference *reference);
