/* SPDX-License-Identifier: ISC */
#include "server/command-line.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange/exchange-options.h"
#include "exchange/program.h"
#include "server/admission.h"
#include "server/log.h"
#include "server/rate.h"
#include "server/unsent.h"
#include "util/error.h"
#include "util/parse.h"

#define WORKERS_MAX             256
#define CONNECTIONS_MAX_DEFAULT 16384
#define UNSENT_MAX_DEFAULT      ((size_t)512 << 20)
#define DATAGRAM_RATE_DEFAULT   1000
#define DRAIN_TIMEOUT_DEFAULT   (UINT64_C(5) * 1000000)

enum {
	OPTION_LISTEN_STREAM = 0x300,
	OPTION_LISTEN_DATAGRAM,
	OPTION_WORKERS,
	OPTION_CONNECTIONS_MAX,
	OPTION_CONNECTIONS_MAX_PER_SOURCE,
	OPTION_UNSENT_MAX,
	OPTION_DATAGRAM_RATE,
	OPTION_EXIT_IDLE_TIME,
	OPTION_DRAIN_TIMEOUT,
	OPTION_LOG_LEVEL,
	OPTION_PRESERVE,
};

static const struct option_row rows[] = {
	{"listen-stream", OPTION_LISTEN_STREAM, "ADDRESS",
	 "open this stream socket, where nobody hands one over;\n"
	 "repeatable: 12000, 127.0.0.1:12000, [::1]:12000,\n"
	 "/run/x.sock, @abstract, vsock::12000"},
	{"listen-datagram", OPTION_LISTEN_DATAGRAM, "ADDRESS", "the same, a datagram socket"},
	EXCHANGE_OPTION_ROWS,
	{"workers", OPTION_WORKERS, "N|auto",
	 "serve with so many threads; auto: one per processor\n(default 1)"},
	{"connections-max", OPTION_CONNECTIONS_MAX, "N",
	 "close connections above this number at once\n(default 16384)"},
	{"connections-max-per-source", OPTION_CONNECTIONS_MAX_PER_SOURCE, "N",
	 "the same for one IPv4 address or IPv6 /64\n(default infinity)"},
	{"unsent-max", OPTION_UNSENT_MAX, "SIZE",
	 "keep so much of what clients don't take of their\n"
	 "answers, and read in small pieces near that\n(default 512M)"},
	{"datagram-rate", OPTION_DATAGRAM_RATE, "N",
	 "answer one IPv4 address or IPv6 /64 so many times a\n"
	 "second (default 1000, and loopback any number;\n0: no limit)"},
	{"exit-idle-time", OPTION_EXIT_IDLE_TIME, "TIME",
	 "exit when there was nothing to do for so long, if\n"
	 "somebody else holds the sockets (default infinity)"},
	{"drain-timeout", OPTION_DRAIN_TIMEOUT, "TIME",
	 "when told to stop, let open connections end by\nthemselves for so long (default 5s)"},
	{"log-level", OPTION_LOG_LEVEL, "LEVEL",
	 "log err, warning, notice (the default), info: every\n"
	 "connection, or debug: every refused datagram"},
	{"preserve", OPTION_PRESERVE, "never|restart|always",
	 "keep open connections for the next process: never,\n"
	 "through a restart (default), or always, even when\nthis one is killed"},
	EXCHANGE_OPTION_LAST_ROWS,
};

void command_line_free(struct command_line *command_line)
{
	free(command_line->addresses);
}

#define NOT_AN_ADDRESS "not an address such as 12000, 127.0.0.1:12000 or [::1]:12000"

static int take_address(struct command_line *command_line, struct options *options, int type)
{
	struct endpoint_address added = {.type = type}, *addresses;
	int r = address_parse(options->argument, &added.address);

	if (r < 0)
		return options_reject(options, r == -ENAMETOOLONG ? "path too long for a socket"
								  : NOT_AN_ADDRESS);
	if (type == SOCK_DGRAM && added.address.any.sa_family == AF_VSOCK)
		return options_reject(options, "vsock has streams only");
	addresses = reallocarray(command_line->addresses, command_line->address_count + 1,
				 sizeof(*addresses));
	if (!addresses)
		return options_reject(options, strerror(ENOMEM));
	addresses[command_line->address_count++] = added;
	command_line->addresses = addresses;
	return 0;
}

static int take_workers(struct server_options *server, struct options *options)
{
	uint64_t number;

	if (strcmp(options->argument, "auto") == 0) {
		long processors = sysconf(_SC_NPROCESSORS_ONLN);

		number = processors < 1             ? 1
			 : processors > WORKERS_MAX ? WORKERS_MAX
						    : (uint64_t)processors;
	} else if (parse_number(options->argument, 1, WORKERS_MAX, &number) < 0) {
		return options_reject(options, "not a number from 1 to 256, nor auto");
	}
	server->workers = (unsigned)number;
	return 0;
}

static int take_per_source(struct server_options *server, struct options *options)
{
	uint64_t number = ADMISSION_ANY;

	if (strcmp(options->argument, "infinity") != 0 &&
	    parse_number(options->argument, 1, 1 << 24, &number) < 0)
		return options_reject(options, "not a number from 1 to 16777216, nor infinity");
	server->connections_max_per_source = (size_t)number;
	return 0;
}

static int take_unsent_max(struct server_options *server, struct options *options)
{
	uint64_t bytes = UNSENT_ANY;

	if (strcmp(options->argument, "infinity") != 0 &&
	    parse_size(options->argument, 0, UNSENT_ANY - 1, &bytes) < 0)
		return options_reject(options, "not a size such as 512M, nor infinity");
	server->unsent_max = (size_t)bytes;
	return 0;
}

static int take_preserve(struct server_options *server, struct options *options)
{
	static const char *const names[] = {
		[PRESERVE_NEVER] = "never",
		[PRESERVE_RESTART] = "restart",
		[PRESERVE_ALWAYS] = "always",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(options->argument, names[i]) == 0) {
			server->preserve = (enum preserve)i;
			return 0;
		}
	return options_reject(options, "not never, restart or always");
}

static int take_option(struct options *options, int id, void *userdata)
{
	struct command_line *command_line = userdata;
	struct server_options *server = &command_line->server;
	uint64_t number;

	switch (id) {
	case OPTION_LISTEN_STREAM:
		return take_address(command_line, options, SOCK_STREAM);
	case OPTION_LISTEN_DATAGRAM:
		return take_address(command_line, options, SOCK_DGRAM);
	case OPTION_WORKERS:
		return take_workers(server, options);
	case OPTION_CONNECTIONS_MAX:
		if (parse_number(options->argument, 1, 1 << 24, &number) < 0)
			return options_reject(options, "not a number from 1 to 16777216");
		server->connections_max = (size_t)number;
		return 0;
	case OPTION_CONNECTIONS_MAX_PER_SOURCE:
		return take_per_source(server, options);
	case OPTION_UNSENT_MAX:
		return take_unsent_max(server, options);
	case OPTION_DATAGRAM_RATE:
		if (parse_number(options->argument, 0, RATE_MAX, &number) < 0)
			return options_reject(options, "not a number from 0 to 1000000000");
		server->datagram_rate = (uint32_t)number;
		server->datagram_rate_is_set = true;
		return 0;
	case OPTION_EXIT_IDLE_TIME:
		return options_take_time(options, &server->exit_idle_time);
	case OPTION_DRAIN_TIMEOUT:
		return options_take_time(options, &server->drain_timeout);
	case OPTION_LOG_LEVEL:
		command_line->log_level = log_level_from_name(options->argument);
		if (command_line->log_level < 0)
			return options_reject(options, "not err, warning, notice, info or debug");
		return 0;
	case OPTION_PRESERVE:
		return take_preserve(server, options);
	default:
		return exchange_options_take(&server->exchange, options, id);
	}
}

static const struct program program = {
	.service = &service,
	.suffix = "d",
	.help_head = ", over the sockets that systemd or an\n"
		     "inetd hands over, or that are opened here.",
	.help_tail = "Times are as in systemd.time(7): 500ms, 5s, 1min, infinity. See ",
	.rows = rows,
	.take = take_option,
};

int command_line_read(struct command_line *command_line, int argc, char **argv)
{
	*command_line = (struct command_line){
		.server =
			{
				.exchange = exchange_options_default(&service),
				.workers = 1,
				.datagram_rate = DATAGRAM_RATE_DEFAULT,
				.connections_max = CONNECTIONS_MAX_DEFAULT,
				.connections_max_per_source = ADMISSION_ANY,
				.unsent_max = UNSENT_MAX_DEFAULT,
				.exit_idle_time = PARSE_INFINITY,
				.drain_timeout = DRAIN_TIMEOUT_DEFAULT,
				.preserve = PRESERVE_RESTART,
			},
		.log_level = LOG_NOTICE,
	};
	return program_begin(&program, argc, argv, command_line);
}
