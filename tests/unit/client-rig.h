/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * client-rig: a client with its standard streams in files, and a server for it in a thread.
 *
 *      text ─► input ─► client ─► output
 *                        │  ▲      errors
 *                        ▼  │
 *                 server's character: one function, called for each connection or datagram
 *
 * All of it lives in one test.
 */

#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client.h"
#include "files.h"
#include "net/socket.h"
#include "random.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/parse.h"

struct rig {
	struct arguments arguments;
	struct client client;
	struct address addresses[2]; /* of the client's target; the second one is the server's */
	int input, output, errors;

	int server;
	void (*serve)(struct rig *rig, int fd); /* a connection, or the datagram socket itself */
	unsigned conversations;                 /* that the server has had */
	uint64_t random;                        /* the server's own */
	int kept;                               /* a connection that is not closed */
	pthread_t thread;
};

static inline void rig_upper(char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)toupper((unsigned char)bytes[i]);
}

/* Ends when the listening socket is shut down, or the datagram socket. */
static inline void *rig_serve(void *argument)
{
	struct rig *rig = argument;
	int type, fd;
	socklen_t length = sizeof(type);

	ck_assert_int_eq(getsockopt(rig->server, SOL_SOCKET, SO_TYPE, &type, &length), 0);
	if (type == SOCK_DGRAM) {
		rig->serve(rig, rig->server);
		return NULL;
	}
	while ((fd = accept4(rig->server, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		rig->conversations++;
		rig->serve(rig, fd);
		close(fd);
	}
	return NULL;
}

static inline int rig_bind(int type, struct address *ret_address)
{
	struct address any = {
		.length = sizeof(any.in),
		.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
	};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, &any.any, any.length), 0);
	ck_assert_int_eq(socket_get_name(fd, ret_address), 0);
	return fd;
}

/* Starts a server of a type and a character, and a client that will ask it text. */
static inline void rig_open(struct rig *rig, int type, void (*serve)(struct rig *, int),
			    const char *text, size_t length)
{
	*rig = (struct rig){
		.arguments = {.timeout_usec = 5000000},
		.input = file_of(text, length),
		.output = file_make(),
		.errors = file_make(),
		.serve = serve,
		.kept = -1,
		.random = 88172645463325252,
	};
	rig->server = rig_bind(type, &rig->addresses[1]);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(rig->server, 100), 0);
	ck_assert_int_eq(pthread_create(&rig->thread, NULL, rig_serve, rig), 0);

	rig->client.arguments = &rig->arguments;
	rig->client.target = (struct target){
		.addresses = &rig->addresses[1],
		.count = 1,
		.text = "server",
	};
	rig->client.questions.input = &rig->client.input;
	ck_assert_int_eq(input_init(&rig->client.input, rig->input, 65507), 0);
	ck_assert_int_eq(answers_init(&rig->client.answers, rig->output, NULL, false), 0);
}

/* Asks, its errors in a file. Returns the exit code. */
static inline int rig_ask(struct rig *rig, enum program_exit (*ask)(struct client *))
{
	int before = dup(STDERR_FILENO), code;

	ck_assert_int_ge(dup2(rig->errors, STDERR_FILENO), 0);
	code = (int)ask(&rig->client);
	ck_assert_int_ge(dup2(before, STDERR_FILENO), 0);
	close(before);
	return code;
}

/* The lines reported, without the program's name in front of each. */
static inline void rig_expect_errors(struct rig *rig, const char *wanted)
{
	char text[1024] = "", lines[1024] = "", *line, *rest = text;

	ck_assert_int_ge(pread(rig->errors, text, sizeof(text) - 1, 0), 0);
	while ((line = strsep(&rest, "\n")) && *line) {
		ck_assert_ptr_nonnull(strstr(line, ": "));
		strcat(strcat(lines, strstr(line, ": ") + 2), "\n");
	}
	ck_assert_str_eq(lines, wanted);
}

/* Asks, with answers that can't be written (0) or an input that can't be read (1). */
static inline void rig_expect_trouble(struct rig *rig, enum program_exit (*ask)(struct client *),
				      int where)
{
	int fd = where == 0 ? open("/dev/full", O_WRONLY | O_CLOEXEC)
			    : open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (where == 0)
		rig->client.answers.fd = fd;
	else
		rig->client.input.fd = fd;
	ck_assert_int_eq(rig_ask(rig, ask), EXIT_TROUBLE);
	rig_expect_errors(rig, where == 0 ? "standard output: No space left on device\n"
					  : "standard input: Is a directory\n");
	close(fd);
}

static inline void rig_close(struct rig *rig)
{
	(void)shutdown(rig->server, SHUT_RDWR);
	ck_assert_int_eq(pthread_join(rig->thread, NULL), 0);
	cleanup_close(&rig->kept);
	close(rig->server);
	close(rig->input);
	close(rig->output);
	close(rig->errors);
	input_free(&rig->client.input);
	answers_free(&rig->client.answers);
}

/* Characters that several tests need. */

/* The textbook's: one recv(), one answer. */
static inline void rig_answer_once(struct rig *rig, int fd)
{
	char bytes[1024];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	(void)rig;
	if (n <= 0)
		return;
	rig_upper(bytes, (size_t)n);
	(void)send(fd, bytes, (size_t)n, MSG_NOSIGNAL);
}

/* Bytes as they come, in pieces of any size. */
static inline void rig_answer_stream(struct rig *rig, int fd)
{
	static char bytes[70000];
	ssize_t n;

	while ((n = recv(fd, bytes, 1 + random_next(&rig->random) % sizeof(bytes), 0)) > 0) {
		rig_upper(bytes, (size_t)n);
		for (ssize_t done = 0, sent; done < n; done += sent) {
			size_t piece = 1 + random_next(&rig->random) % (size_t)(n - done);

			sent = send(fd, bytes + done, piece, MSG_NOSIGNAL);
			if (sent < 0)
				return;
		}
	}
}

/* Reads all, answers nothing. */
static inline void rig_keep_silent(struct rig *rig, int fd)
{
	char bytes[1024];

	(void)rig;
	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

/* The same, and does not even close. */
static inline void rig_keep_silent_and_open(struct rig *rig, int fd)
{
	cleanup_close(&rig->kept);
	rig->kept = dup(fd);
	rig_keep_silent(rig, fd);
}

/* A text of lines up to a length, from a seed; with a newline at its end or without. */
static inline size_t rig_write_lines(char *text, size_t size, size_t line_max, uint64_t seed)
{
	size_t length = 0;

	while (length + line_max + 1 < size) {
		size_t line = random_next(&seed) % (line_max + 1);

		for (size_t i = 0; i < line; i++)
			text[length++] = (char)('a' + random_next(&seed) % 26);
		text[length++] = '\n';
	}
	return length - random_next(&seed) % 2;
}
