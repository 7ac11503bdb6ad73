/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * client: what all ways of asking share, and the lines they report failures with.
 *
 *      sentences_ask()  streams, one sentence after another: a terminal, --message, --once
 *      stream_ask()     streams, all of an input over one connection
 *      datagrams_ask()  UDP
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/answers.h"
#include "client/arguments.h"
#include "client/questions.h"
#include "client/target.h"
#include "util/error.h"

struct client {
	const struct arguments *arguments;
	struct target target;
	struct input input;
	struct questions questions;
	struct answers answers;
	bool is_missing; /* an answer is */
};

/* What fits into an IPv4 datagram: 65,535 bytes but for the headers of IP and UDP. The same for
 * IPv6, so that a line's fate does not hang on a name's address. */
#define CLIENT_DATAGRAM_MAX 65507

/* Asks until all is asked. Failures are reported. Returns the exit code. */
enum program_exit sentences_ask(struct client *client, bool once);
enum program_exit stream_ask(struct client *client);
enum program_exit datagrams_ask(struct client *client);

/* "500ms", "5s". Returns text. */
#define CLIENT_TIME_MAX 32
const char *client_print_time(uint64_t usec, char text[static CLIENT_TIME_MAX]);

/* An answer is missing: ends what there is of it, and reports why in one line that begins with the
 * target. */
void client_miss(struct client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Report that memory ran out; that reading or writing failed, and how, quietly where nobody reads
 * our output any more. Return the exit code. */
enum program_exit client_fail_memory(void);
enum program_exit client_fail_input(int error);
enum program_exit client_fail_output(int error);

static inline enum program_exit client_exit(const struct client *client)
{
	return client->is_missing ? EXIT_MISSING : EXIT_ANSWERED;
}
