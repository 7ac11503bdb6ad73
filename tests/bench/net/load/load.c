/* SPDX-License-Identifier: ISC */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void load_die(const char *format, ...)
{
	int error = errno;
	va_list arguments;

	fputs("load: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s%s\n", error ? ": " : "", error ? strerror(error) : "");
	exit(1);
}

uint64_t load_parse_number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || number > max) {
		errno = 0;
		load_die("%s: not a number from 0 to %" PRIu64, text, max);
	}
	return number;
}

struct load_server load_parse_server(const char *text)
{
	struct load_server server = {0};

	if (*text == '/') {
		struct sockaddr_un *un = (struct sockaddr_un *)&server.address;

		if (strlen(text) >= sizeof(un->sun_path)) {
			errno = ENAMETOOLONG;
			load_die("%s", text);
		}
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, text, strlen(text) + 1);
		server.length = sizeof(*un);
	} else {
		*(struct sockaddr_in *)&server.address = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons((uint16_t)load_parse_number(text, UINT16_MAX)),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		server.length = sizeof(struct sockaddr_in);
	}
	return server;
}

uint64_t load_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void print(const struct load_figures *figures)
{
	printf("{\"answers\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"lost\": %" PRIu64
	       ", \"seconds\": %.9f, \"p50\": %.3e, \"p99\": %.3e}\n",
	       figures->answers, figures->bytes, figures->lost, (double)figures->nanoseconds / 1e9,
	       histogram_quantile(&figures->latency, 0.5) / 1e9,
	       histogram_quantile(&figures->latency, 0.99) / 1e9);
	(void)fflush(stdout);
}

void load_obey(void (*run)(void *context, uint64_t until, struct load_figures *figures),
	       void *context)
{
	char line[64];
	double seconds;

	puts("ready");
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		struct load_figures figures = {0};
		uint64_t begin = load_now();

		errno = 0;
		if (sscanf(line, "run %lf", &seconds) != 1 || seconds < 0 || seconds > 3600)
			load_die("not understood: %s", line);
		run(context, begin + (uint64_t)(seconds * 1e9), &figures);
		figures.nanoseconds = load_now() - begin;
		print(&figures);
	}
}
