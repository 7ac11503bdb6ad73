/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * program: how a service's two mains begin: the command line, --help and --version, and complaints.
 *
 * The one part of this folder that prints and chooses exit codes: it is a piece of both mains.
 * Not its job: what an option means (the take function's).
 */

#include "exchange/service.h"
#include "util/options.h"

struct program {
	const struct service *service;
	const char *suffix;            /* of the service's name: "" or "d" */
	const char *help_head;         /* what --help says behind the summary, before the options */
	const char *help_tail;         /* and behind the options */
	const struct option_row *rows; /* with EXCHANGE_OPTION_LAST_ROWS */

	/* Takes an option that options_next() returned. Returns 0 or more, or OPTIONS_INVALID with
	 * options->error set. */
	int (*take)(struct options *options, int id, void *userdata);
};

/* Walks over a command line without operands. Returns -1 for main to go on, or its exit code: all
 * is said then. */
int program_begin(const struct program *program, int argc, char **argv, void *userdata);
