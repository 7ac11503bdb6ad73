/* SPDX-License-Identifier: ISC */
#include "exchange/program.h"

#include <stdio.h>
#include <string.h>

#include "exchange/exchange-options.h"
#include "util/error.h"
#include "util/report.h"

static void print_help(const struct program *program)
{
	const char *name = program->service->name;

	printf("Usage: %s%s [OPTION...]\n%s%s\n\n", name, program->suffix,
	       program->service->summary, program->help_head);
	options_print_help(stdout, program->rows);
	printf("\n%s%s%s(%c).\n", program->help_tail, name, program->suffix,
	       *program->suffix ? '8' : '1');
}

/* "uppercase 0.1.0 (Unicode 15.0.0)" */
static void print_version(const struct program *program)
{
	const struct service *s = program->service;

	printf("%s%s %s", s->name, program->suffix, PROJECT_VERSION);
	if (s->data)
		printf(" (%s %s)", s->data, s->data_version());
	putchar('\n');
}

/* Takes options until the end, one that only asks, or one that is wrong. Returns the last id. */
static int take_all(const struct program *program, struct options *options, void *userdata)
{
	int id;

	while ((id = options_next(options)) >= 0) {
		if (id == 'h' || id == EXCHANGE_OPTION_VERSION)
			return id;
		if (program->take(options, id, userdata) < 0)
			return OPTIONS_INVALID;
	}
	if (id == OPTIONS_END && options->next_operand < options->argc) {
		snprintf(options->error, sizeof(options->error), "%.128s: no operands are taken",
			 options->argv[options->next_operand]);
		return OPTIONS_INVALID;
	}
	return id;
}

int program_begin(const struct program *program, int argc, char **argv, void *userdata)
{
	struct options options;
	int id;

	if (options_init(&options, argc, argv, program->rows) < 0) {
		report(LOG_ERR, "options: %s", strerror(ENOMEM));
		return EXIT_TROUBLE;
	}
	id = take_all(program, &options, userdata);
	options_free(&options);
	if (id == OPTIONS_END)
		return -1;
	if (id == OPTIONS_INVALID) {
		report(LOG_ERR, "%s", options.error);
		return EXIT_TROUBLE;
	}
	if (id == 'h')
		print_help(program);
	else
		print_version(program);
	if (fflush(stdout) == 0)
		return EXIT_ANSWERED;
	report(LOG_ERR, "write: %s", strerror(errno));
	return EXIT_TROUBLE;
}
