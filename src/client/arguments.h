/* SPDX-License-Identifier: ISC */
#pragma once

/* arguments: the client's command line, and its --help. Not its job: asking. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange/framing.h"

enum arguments_transport {
	ARGUMENTS_TCP,
	ARGUMENTS_UDP,
	ARGUMENTS_UNIX,
};

enum arguments_action {
	ARGUMENTS_ASK,
	ARGUMENTS_HELP,
	ARGUMENTS_VERSION,
};

/* Strings are those of argv. */
struct arguments {
	enum arguments_action action;
	enum arguments_transport transport;
	bool transport_given;
	const char *host, *port;
	const char *path; /* of ARGUMENTS_UNIX */
	int family;       /* AF_UNSPEC, AF_INET or AF_INET6 */
	enum framing framing;
	bool framing_given;
	bool once;
	bool quiet;
	uint64_t timeout_usec; /* PARSE_INFINITY: none */
	uint64_t retries;
	const char **messages; /* owned array */
	size_t message_count;  /* 0: ask what standard input says */
};

#define ARGUMENTS_ERROR_MAX 256

/* Returns 0; -ENOMEM; or -EINVAL with one line in error that says what is wrong.
 * arguments_free() releases what a success gave. */
int arguments_parse(struct arguments *arguments, int argc, char **argv,
		    char error[static ARGUMENTS_ERROR_MAX]);
void arguments_free(struct arguments *arguments);

/* --help, on standard output. */
void arguments_print_help(void);
