/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * options: a program's command line from one table, which is also its --help: the two can't differ.
 *
 * getopt_long(3) does the parsing; what is ours is the table, the help text and the wording of
 * errors. Not its job: what an option means, and printing errors (the caller's main does).
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One option. A table ends with a row whose name is NULL. */
struct option_row {
	const char *name; /* the long name, without dashes */
	int id;           /* what options_next() returns; a letter is its short form too */
	const char
		*argument; /* what --help calls the argument, "[=COUNT]" if optional, NULL: none */
	const char *help;  /* what it does; lines are split at '\n' */
};

/* What options_next() returns besides the table's ids. */
#define OPTIONS_END     (-1)
#define OPTIONS_INVALID (-2)

/* A walk over a command line; options_free() releases it. */
struct options {
	int argc;
	char **argv;
	const struct option_row *rows;
	struct option *long_options;
	char *letters;
	const char *argument; /* of the option just returned, or NULL */
	const char *name;     /* of the option just returned, in full, without dashes */
	int next_operand;     /* after OPTIONS_END: argv[next_operand…argc-1] are operands */
	char error[256];      /* after OPTIONS_INVALID: one line, without the program's name */
};

/* Begins a walk. Returns 0 or -ENOMEM. getopt's state is global: one walk at a time. */
int options_init(struct options *options, int argc, char **argv, const struct option_row *rows);
void options_free(struct options *options);

/* The next option's id, OPTIONS_END or OPTIONS_INVALID. */
int options_next(struct options *options);

/* Sets error to "--NAME=ARGUMENT: why" for the option just returned; returns OPTIONS_INVALID. */
int options_reject(struct options *options, const char *why);

/* Takes the argument as a time span of 30 days at most, or infinity (PARSE_INFINITY), in
 * microseconds. Returns 0, or OPTIONS_INVALID with error set. */
int options_take_time(struct options *options, uint64_t *ret_usec);

/* The rows as --help shows them. */
void options_print_help(FILE *out, const struct option_row *rows);
