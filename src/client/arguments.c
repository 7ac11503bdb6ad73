/* SPDX-License-Identifier: ISC */
#include "client/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/address.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/options.h"
#include "util/parse.h"

#define TIMEOUT_STREAM   (UINT64_C(5) * 1000000)
#define TIMEOUT_DATAGRAM (UINT64_C(1) * 1000000)
#define RETRIES          3
#define RETRIES_MAX      1000

enum {
	OPTION_TCP = 0x100,
	OPTION_UDP,
	OPTION_UNIX,
	OPTION_FRAMING,
	OPTION_TIMEOUT,
	OPTION_RETRIES,
	OPTION_MESSAGE,
	OPTION_ONCE,
	OPTION_QUIET,
	OPTION_VERSION,
};

static const struct option_row rows[] = {
	{"tcp", OPTION_TCP, NULL, "ask over TCP (the default)"},
	{"udp", OPTION_UDP, NULL, "ask over UDP, a datagram for each line"},
	{"unix", OPTION_UNIX, "PATH",
	 "ask the stream socket at PATH, or @NAME for an\nabstract one"},
	{"ipv4", '4', NULL, "use IPv4 only"},
	{"ipv6", '6', NULL, "use IPv6 only"},
	{"framing", OPTION_FRAMING, "stream|line|length",
	 "where a message ends: nowhere (the default), at a\n"
	 "newline, or as a 4-byte big-endian header says"},
	{"timeout", OPTION_TIMEOUT, "TIME",
	 "the longest wait for a connection or an answer\n(default 5s; with --udp 1s a try)"},
	{"retries", OPTION_RETRIES, "N", "with --udp: ask up to N times again (default 3)"},
	{"message", OPTION_MESSAGE, "TEXT",
	 "ask TEXT instead of standard input; may be given\nseveral times"},
	{"once", OPTION_ONCE, NULL, "a connection of its own for each line"},
	{"quiet", OPTION_QUIET, NULL, "answers alone on a terminal too, no prompts"},
	{"help", 'h', NULL, "show this help"},
	{"version", OPTION_VERSION, NULL, "show the version"},
	{.name = NULL},
};

void arguments_print_help(void)
{
	printf("Usage: uppercase-client [OPTION...] [HOST [PORT]]\n"
	       "Ask a text service at HOST (localhost) and PORT (12000), and print its "
	       "answers.\n\n");
	options_print_help(stdout, rows);
	printf("\nExit status: 0 all answered, 1 an answer is missing, 2 another error.\n"
	       "See uppercase-client(1).\n");
}

static int take_transport(struct arguments *arguments, struct options *options,
			  enum arguments_transport transport)
{
	if (arguments->transport_given && arguments->transport != transport)
		return options_reject(options, "only one of --tcp, --udp and --unix is taken");
	arguments->transport_given = true;
	arguments->transport = transport;
	return 0;
}

static int take_path(struct arguments *arguments, struct options *options)
{
	struct address address;
	int r = address_from_path(options->argument, &address);

	if (r == -ENAMETOOLONG)
		return options_reject(options, "too long for a socket");
	if (r < 0)
		return options_reject(options, "not a path or @NAME");
	arguments->path = options->argument;
	return take_transport(arguments, options, ARGUMENTS_UNIX);
}

static int take_family(struct arguments *arguments, struct options *options, int family)
{
	if (arguments->family != AF_UNSPEC && arguments->family != family)
		return options_reject(options, "only one of -4 and -6 is taken");
	arguments->family = family;
	return 0;
}

static int take_framing(struct arguments *arguments, struct options *options)
{
	arguments->framing_given = true;
	if (framing_parse(options->argument, &arguments->framing) < 0)
		return options_reject(options, "not stream, line or length");
	return 0;
}

static int take_time(struct arguments *arguments, struct options *options)
{
	if (parse_time(options->argument, &arguments->timeout_usec) < 0 ||
	    arguments->timeout_usec == 0)
		return options_reject(options, "not a time like 500ms, 5s or infinity");
	return 0;
}

static int take_retries(struct arguments *arguments, struct options *options)
{
	if (parse_number(options->argument, 0, RETRIES_MAX, &arguments->retries) < 0)
		return options_reject(options, "not a number from 0 to 1000");
	return 0;
}

/* Returns 0 or OPTIONS_INVALID. */
static int take(struct arguments *arguments, struct options *options, int id)
{
	switch (id) {
	case OPTION_TCP:
		return take_transport(arguments, options, ARGUMENTS_TCP);
	case OPTION_UDP:
		return take_transport(arguments, options, ARGUMENTS_UDP);
	case OPTION_UNIX:
		return take_path(arguments, options);
	case '4':
		return take_family(arguments, options, AF_INET);
	case '6':
		return take_family(arguments, options, AF_INET6);
	case OPTION_FRAMING:
		return take_framing(arguments, options);
	case OPTION_TIMEOUT:
		return take_time(arguments, options);
	case OPTION_RETRIES:
		return take_retries(arguments, options);
	case OPTION_MESSAGE:
		arguments->messages[arguments->message_count++] = options->argument;
		return 0;
	case OPTION_ONCE:
		arguments->once = true;
		return 0;
	case OPTION_QUIET:
		arguments->quiet = true;
		return 0;
	case 'h':
		arguments->action = ARGUMENTS_HELP;
		return 0;
	default:
		arguments->action = ARGUMENTS_VERSION;
		return 0;
	}
}

/* What is wrong with an operand, or NULL: what it may be is for target.h to find out, but these are
 * mistaken for names, or for addresses that nobody means. */
static const char *find_fault(char **operands, int count, const char **ret_operand)
{
	const char *host = operands[0], *colon = count > 0 ? strchr(host, ':') : NULL;
	uint64_t number;

	*ret_operand = count > 2 ? operands[2] : host;
	if (count > 2)
		return "no more than HOST and PORT are taken";
	if (count == 1 && parse_number(host, 1, 65535, &number) == 0)
		return "a PORT comes behind a HOST";
	if (colon && host[0] == '[')
		return "an IPv6 address has no brackets here";
	if (colon && !strchr(colon + 1, ':'))
		return "HOST and PORT are two words";
	return NULL;
}

/* What each word says may be right and not fit together. */
static int check(struct arguments *arguments, char **operands, int count,
		 char error[static ARGUMENTS_ERROR_MAX])
{
	const char *operand, *fault = find_fault(operands, count, &operand), *why = NULL;

	if (arguments->path && (count > 0 || arguments->family != AF_UNSPEC))
		why = "--unix excludes HOST, PORT, -4 and -6";
	else if (arguments->transport == ARGUMENTS_UDP && arguments->framing_given)
		why = "--udp excludes --framing: a datagram is a message";
	if (why || fault) {
		snprintf(error, ARGUMENTS_ERROR_MAX, "%.128s%s%s", why ? "" : operand,
			 why ? "" : ": ", why ? why : fault);
		return -EINVAL;
	}
	arguments->host = count > 0 ? operands[0] : "localhost";
	arguments->port = count > 1 ? operands[1] : "12000";
	if (arguments->timeout_usec == 0)
		arguments->timeout_usec =
			arguments->transport == ARGUMENTS_UDP ? TIMEOUT_DATAGRAM : TIMEOUT_STREAM;
	return 0;
}

int arguments_parse(struct arguments *arguments, int argc, char **argv,
		    char error[static ARGUMENTS_ERROR_MAX])
{
	_cleanup_(options_free) struct options options = {0};
	_cleanup_(arguments_free) struct arguments parsed = {
		.family = AF_UNSPEC,
		.retries = RETRIES,
		.messages = calloc((size_t)argc, sizeof(*parsed.messages)),
	};
	int id = 0, r = options_init(&options, argc, argv, rows);

	if (r < 0 || !parsed.messages)
		return -ENOMEM;
	while (parsed.action == ARGUMENTS_ASK && (id = options_next(&options)) >= 0) {
		id = take(&parsed, &options, id);
		if (id < 0)
			break;
	}
	if (id == OPTIONS_INVALID) {
		snprintf(error, ARGUMENTS_ERROR_MAX, "%s", options.error);
		return -EINVAL;
	}
	if (parsed.action == ARGUMENTS_ASK) {
		r = check(&parsed, argv + options.next_operand, argc - options.next_operand, error);
		if (r < 0)
			return r;
	}
	*arguments = parsed;
	parsed.messages = NULL;
	return 0;
}

void arguments_free(struct arguments *arguments)
{
	free(arguments->messages);
	arguments->messages = NULL;
}
