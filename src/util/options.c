/* SPDX-License-Identifier: ISC */
#include "util/options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/parse.h"

/* Ids of options without a letter, as getopt_long() hands them to us. */
#define FIRST_LONG_VALUE 0x10000

static bool has_letter(const struct option_row *row)
{
	return row->id > ' ' && row->id < 127;
}

static int argument_kind(const struct option_row *row)
{
	if (!row->argument)
		return no_argument;
	return row->argument[0] == '[' ? optional_argument : required_argument;
}

int options_init(struct options *options, int argc, char **argv, const struct option_row *rows)
{
	size_t count = 0;

	while (rows[count].name)
		count++;

	struct option *long_options = calloc(count + 1, sizeof(*long_options));
	char *letters = calloc(3 * count + 2, 1);

	if (!long_options || !letters) {
		free(long_options);
		free(letters);
		return -ENOMEM;
	}

	/* A leading colon tells "missing argument" from "unknown option". */
	char *letter = letters;
	*letter++ = ':';
	for (size_t i = 0; i < count; i++) {
		int kind = argument_kind(&rows[i]);

		long_options[i] = (struct option){
			.name = rows[i].name,
			.has_arg = kind,
			.val = FIRST_LONG_VALUE + (int)i,
		};
		if (has_letter(&rows[i])) {
			*letter++ = (char)rows[i].id;
			for (int colon = 0; colon < kind; colon++)
				*letter++ = ':';
		}
	}

	*options = (struct options){
		.argc = argc,
		.argv = argv,
		.rows = rows,
		.long_options = long_options,
		.letters = letters,
	};
	opterr = 0;
	optind = 0; /* glibc: begin anew */
	return 0;
}

void options_free(struct options *options)
{
	free(options->long_options);
	free(options->letters);
	options->long_options = NULL;
	options->letters = NULL;
}

static const struct option_row *row_of(const struct options *options, int value)
{
	const struct option_row *row = options->rows;

	if (value >= FIRST_LONG_VALUE)
		return &row[value - FIRST_LONG_VALUE];
	/* getopt_long() returns a letter of the table's, or what was handled before. */
	while (row->id != value && row[1].name)
		row++;
	return row;
}

static int explain(struct options *options, int failure, const char *word)
{
	const char *why = failure == ':' ? "needs an argument" : "no such option";

	if (optopt >= FIRST_LONG_VALUE) {
		/* A known name, wrongly used: without its argument, or with one it does not take.
		 */
		snprintf(options->error, sizeof(options->error), "--%s: %s",
			 options->rows[optopt - FIRST_LONG_VALUE].name,
			 failure == ':' ? why : "takes no argument");
	} else if (optopt) {
		snprintf(options->error, sizeof(options->error), "-%c: %s", optopt, why);
	} else {
		/* An unknown long name, or one cut so short that it could be several. */
		size_t length = strcspn(word, "=");

		snprintf(options->error, sizeof(options->error), "%.*s: %s",
			 (int)(length < 128 ? length : 128), word, why);
	}
	return OPTIONS_INVALID;
}

int options_next(struct options *options)
{
	int value = getopt_long(options->argc, options->argv, options->letters,
				options->long_options, NULL);

	options->argument = optarg;
	if (value == -1) {
		options->next_operand = optind;
		return OPTIONS_END;
	}
	/* The word that it choked on is the one before optind, wherever operands stood. */
	if (value == '?' || value == ':')
		return explain(options, value, options->argv[optind - 1]);

	const struct option_row *row = row_of(options, value);

	options->name = row->name;
	return row->id;
}

int options_reject(struct options *options, const char *why)
{
	snprintf(options->error, sizeof(options->error), "--%s%s%.128s: %s", options->name,
		 options->argument ? "=" : "", options->argument ? options->argument : "", why);
	return OPTIONS_INVALID;
}

/* Whoever keeps times in 32 bits has room for them in milliseconds. */
#define TIME_MAX (UINT64_C(30) * 24 * 3600 * 1000000)

int options_take_time(struct options *options, uint64_t *ret_usec)
{
	uint64_t usec;

	if (parse_time(options->argument, &usec) < 0)
		return options_reject(options, "not a time span such as 500ms, 5s or infinity");
	if (usec != PARSE_INFINITY && usec > TIME_MAX)
		return options_reject(options, "longer than 30 days, but not infinity");
	*ret_usec = usec;
	return 0;
}

#define HELP_COLUMN 36

static void print_row(FILE *out, const struct option_row *row)
{
	const char *argument = row->argument ? row->argument : "";
	const char *equals = row->argument && row->argument[0] != '[' ? "=" : "";
	int width = has_letter(row) ? fprintf(out, "  -%c, ", row->id) : fprintf(out, "      ");

	width += fprintf(out, "--%s%s%s", row->name, equals, argument);
	for (const char *line = row->help; line;) {
		size_t length = strcspn(line, "\n");

		if (width >= HELP_COLUMN - 1) {
			fputc('\n', out);
			width = 0;
		}
		fprintf(out, "%*s%.*s\n", HELP_COLUMN - width, "", (int)length, line);
		width = 0;
		line = line[length] ? line + length + 1 : NULL;
	}
}

void options_print_help(FILE *out, const struct option_row *rows)
{
	for (const struct option_row *row = rows; row->name; row++)
		print_row(out, row);
}
