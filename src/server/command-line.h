/* SPDX-License-Identifier: ISC */
#pragma once

/* command-line: a daemon's command line, and its --help. Not its job: doing what it says. */

#include "activation/endpoints.h"
#include "server/server-options.h"

struct command_line {
	struct server_options server;
	struct endpoint_address *addresses; /* owned: to open */
	size_t address_count;
	int log_level; /* of syslog(3) */
};

/* Reads it; what it does not say is the default. Returns -1 for main to go on, or its exit code:
 * all is said then (program_begin()). command_line_free() releases it in any case. */
int command_line_read(struct command_line *command_line, int argc, char **argv);
void command_line_free(struct command_line *command_line);
