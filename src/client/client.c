/* SPDX-License-Identifier: ISC */
#include "client/client.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/report.h"

const char *client_print_time(uint64_t usec, char text[static CLIENT_TIME_MAX])
{
	if (usec % 1000000 == 0)
		snprintf(text, CLIENT_TIME_MAX, "%" PRIu64 "s", usec / 1000000);
	else if (usec % 1000 == 0)
		snprintf(text, CLIENT_TIME_MAX, "%" PRIu64 "ms", usec / 1000);
	else
		snprintf(text, CLIENT_TIME_MAX, "%" PRIu64 "us", usec);
	return text;
}

void client_miss(struct client *client, const char *format, ...)
{
	char why[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	(void)answers_end(&client->answers, false);
	report(LOG_ERR, "%s: %s", client->target.text, why);
	client->is_missing = true;
}

enum program_exit client_fail_memory(void)
{
	report(LOG_ERR, "%s", strerror(ENOMEM));
	return EXIT_TROUBLE;
}

enum program_exit client_fail_input(int error)
{
	report(LOG_ERR, "standard input: %s", strerror(-error));
	return EXIT_TROUBLE;
}

enum program_exit client_fail_output(int error)
{
	if (error == -EPIPE)
		return EXIT_MISSING;
	report(LOG_ERR, "standard output: %s", strerror(-error));
	return EXIT_TROUBLE;
}
