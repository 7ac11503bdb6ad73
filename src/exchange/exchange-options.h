/* SPDX-License-Identifier: ISC */
#pragma once

/* exchange-options: what handlers and daemons alike let the user say about a conversation. */

#include "exchange/exchange.h"
#include "util/options.h"

enum {
	EXCHANGE_OPTION_FRAMING = 0x200,
	EXCHANGE_OPTION_ONCE,
	EXCHANGE_OPTION_MESSAGE_MAX,
	EXCHANGE_OPTION_IDLE_TIMEOUT,
	EXCHANGE_OPTION_VERSION,
};

/* The rows of a program's option table. */
#define EXCHANGE_OPTION_ROWS                                                                       \
	{"framing", EXCHANGE_OPTION_FRAMING, "stream|line|length",                                 \
	 "where a message ends: nowhere (the default), at a\n"                                     \
	 "newline, or as a 4-byte big-endian header says"},                                        \
		{"once", EXCHANGE_OPTION_ONCE, NULL, "answer one message, then close"},            \
		{"message-max", EXCHANGE_OPTION_MESSAGE_MAX, "SIZE",                               \
		 "refuse longer messages with framing line or length\n(default 64K)"},             \
	{                                                                                          \
		"idle-timeout", EXCHANGE_OPTION_IDLE_TIMEOUT, "TIME",                              \
			"close a connection that was silent, or in the middle\n"                   \
			"of one message, so long (default 10min; infinity:\nnever)"                \
	}

#define EXCHANGE_OPTION_LAST_ROWS                                                                  \
	{"help", 'h', NULL, "show this help"},                                                     \
		{"version", EXCHANGE_OPTION_VERSION, NULL, "show the version"},                    \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* The options as they are when nothing is said. */
struct exchange_options exchange_options_default(const struct service *service);

/* Takes the option that options_next() returned with this id.
 * Returns id, or OPTIONS_INVALID with options->error set; ids that are not ours pass unchanged. */
int exchange_options_take(struct exchange_options *exchange, struct options *options, int id);
