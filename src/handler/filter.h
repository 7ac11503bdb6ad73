/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * filter: one conversation from a descriptor to a descriptor, blocking, in bounded memory.
 *
 * Every read is answered at once: a peer that waits for its answer before it goes on gets it.
 * Not its job: where the descriptors come from (activation/conversation.h), and what a file does
 * while it is read (source.h).
 */

#include "exchange/exchange.h"

/* Why a conversation ended early. */
enum filter_failure {
	FILTER_NONE,
	FILTER_READ,
	FILTER_WRITE,
	FILTER_MESSAGE,
	FILTER_MEMORY,
};

/* Answers in on out until the end of in, until the exchange is done, or until either made no
 * progress for options->idle_timeout: -ETIMEDOUT then. Who is blocking has to give up by itself
 * after as long (descriptor_read()). Returns 0, or a negative errno with *ret_failure saying of
 * what. */
int filter_run(int in, int out, const struct exchange_options *options,
	       enum filter_failure *ret_failure);

/* The end of a conversation over a connected socket, which stays open. A close with bytes unread or
 * still to come would be a reset, and take the answer along: so our side ends, and what comes is
 * taken out until the peer's side ends too, for two seconds at most. */
void filter_end(int fd);
