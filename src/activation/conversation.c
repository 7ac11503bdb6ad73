/* SPDX-License-Identifier: ISC */
#include "activation/conversation.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/descriptor.h"
#include "util/error.h"
#include "util/parse.h"

/* sd_listen_fds(3): the first descriptor that is passed. */
#define FIRST_PASSED 3

/* How many descriptors were passed to this very process: 0 if none. */
static int count_passed(char *error)
{
	const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
	uint64_t pid, count;

	if (!pid_text || !count_text)
		return 0;
	if (parse_number(pid_text, 1, INT32_MAX, &pid) < 0) {
		snprintf(error, CONVERSATION_ERROR_MAX, "LISTEN_PID=%.64s: not a process",
			 pid_text);
		return -EINVAL;
	}
	if (pid != (uint64_t)getpid())
		return 0;
	if (parse_number(count_text, 0, INT32_MAX, &count) < 0) {
		snprintf(error, CONVERSATION_ERROR_MAX, "LISTEN_FDS=%.64s: not a number",
			 count_text);
		return -EINVAL;
	}
	return (int)count;
}

/* A handler serves a pipe, a file, a terminal, or a connected stream socket. */
static int check(int fd, const char *name, bool *ret_is_socket, char *error)
{
	char kind[SOCKET_TEXT_MAX];
	struct socket_facts facts;
	int r = socket_look(fd, &facts);

	if (r == -ENOTSOCK) {
		*ret_is_socket = false;
		return 0;
	}
	if (r < 0) {
		snprintf(error, CONVERSATION_ERROR_MAX, "%s: not open", name);
		return r;
	}
	if (facts.type != SOCK_STREAM || facts.listening) {
		snprintf(error, CONVERSATION_ERROR_MAX,
			 "%s: %s socket: not a connection; the daemon serves those", name,
			 socket_print_kind(&facts, kind));
		return -EPROTOTYPE;
	}
	*ret_is_socket = true;
	return 0;
}

int conversation_find(struct conversation *ret_conversation, char *error)
{
	struct conversation found = {.in = STDIN_FILENO, .out = STDOUT_FILENO};
	int passed = count_passed(error), r;

	if (passed < 0)
		return passed;
	if (passed > 1) {
		snprintf(error, CONVERSATION_ERROR_MAX, "LISTEN_FDS=%d: one connection at a time",
			 passed);
		return -EINVAL;
	}
	if (passed == 1) {
		found.in = found.out = FIRST_PASSED;
		(void)descriptor_set_cloexec(FIRST_PASSED, true);
	}
	r = check(found.in, passed ? "LISTEN_FDS" : "standard input", &found.is_socket, error);
	if (r < 0)
		return r;
	*ret_conversation = found;
	return 0;
}
