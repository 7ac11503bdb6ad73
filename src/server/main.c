/* SPDX-License-Identifier: ISC */

/* A daemon's main: the command line, the sockets, then the server. */

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "server/command-line.h"
#include "server/log.h"
#include "server/server.h"
#include "util/cleanup.h"
#include "util/descriptor.h"
#include "util/error.h"

/* systemd leaves the soft limit at 1024 for programs that use select(2); this one does not. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	_cleanup_(command_line_free) struct command_line command_line;
	_cleanup_(endpoints_close) struct endpoints endpoints = {0};
	char error[ENDPOINTS_ERROR_MAX];
	const char *what;
	int r = command_line_read(&command_line, argc, argv);

	if (r >= 0)
		return r;
	(void)signal(SIGPIPE, SIG_IGN);
	r = descriptor_fill_standard();
	log_open(command_line.log_level);
	if (r < 0) {
		log_failure("/dev/null: %s", strerror(-r));
		return EXIT_TROUBLE;
	}
	raise_descriptor_limit();
	r = endpoints_find(&endpoints, command_line.addresses, command_line.address_count, error);
	if (r < 0) {
		log_failure("%s", error);
		return EXIT_TROUBLE;
	}
	r = server_run(&command_line.server, &endpoints, &what);
	if (r < 0) {
		log_failure("%s: %s", what, strerror(-r));
		return EXIT_TROUBLE;
	}
	return EXIT_ANSWERED;
}
