/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * stage: a process of its own for code that looks at its descriptors 0, 3… and its environment, as
 * a supervisor would set them up. What it finds comes back as text.
 *
 * The process may not use Check: its messages might go where descriptors have been moved to.
 */

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAGE_PASSED_MAX 5
#define STAGE_TEXT_MAX   4096

/* No descriptor there. */
#define STAGE_CLOSED (-1)

struct stage {
	int input;                    /* what becomes descriptor 0 */
	int passed[STAGE_PASSED_MAX]; /* what become descriptors 3… */
	int count;                    /* of those */
	bool no_output;               /* descriptor 1 is closed */
	const char *pid;              /* LISTEN_PID; NULL: none; "self": the process itself */
	const char *fds, *names;      /* LISTEN_FDS, LISTEN_FDNAMES; NULL: none */
};

/* Below are the descriptors that a stage is set up with, and all that are opened on it. */
#define STAGE_HIGH 100

/* Descriptors that are open on the stage. */
static inline int stage_count_open(void)
{
	int count = 0;

	for (int fd = 0; fd < STAGE_HIGH; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static inline void stage_set(const char *variable, const char *value)
{
	if (value)
		(void)setenv(variable, value, 1);
	else
		(void)unsetenv(variable);
}

static inline void stage_put(int fd, int place)
{
	if (fd < 0)
		(void)close(place);
	else if (dup2(fd, place) != place)
		_exit(100);
}

static inline void stage_enter(const struct stage *stage)
{
	int copies[1 + STAGE_PASSED_MAX];
	char self[16];

	/* Out of the way first, so that none is overwritten before it is moved. */
	copies[0] = stage->input < 0 ? -1 : fcntl(stage->input, F_DUPFD, STAGE_HIGH);
	for (int i = 0; i < stage->count; i++)
		copies[1 + i] =
			stage->passed[i] < 0 ? -1 : fcntl(stage->passed[i], F_DUPFD, STAGE_HIGH);
	stage_put(copies[0], STDIN_FILENO);
	if (stage->no_output)
		(void)close(STDOUT_FILENO);
	for (int fd = 3; fd < STAGE_HIGH; fd++)
		(void)close(fd);
	for (int i = 0; i < stage->count; i++)
		stage_put(copies[1 + i], 3 + i);
	for (int i = 0; i <= stage->count; i++)
		if (copies[i] >= 0)
			(void)close(copies[i]);

	snprintf(self, sizeof(self), "%ld", (long)getpid());
	stage_set("LISTEN_PID", stage->pid && strcmp(stage->pid, "self") == 0 ? self : stage->pid);
	stage_set("LISTEN_FDS", stage->fds);
	stage_set("LISTEN_FDNAMES", stage->names);
}

/* Runs play on the stage; it writes what it finds to out. Text is all of that. */
static inline const char *stage_run(const struct stage *stage,
				    void (*play)(int out, const void *userdata),
				    const void *userdata, char text[static STAGE_TEXT_MAX])
{
	size_t length = 0;
	ssize_t n;
	int ends[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int out = fcntl(ends[1], F_DUPFD_CLOEXEC, STAGE_HIGH);

		stage_enter(stage);
		play(out, userdata);
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], text + length, STAGE_TEXT_MAX - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x: %s",
		      (unsigned)status, text);
	return text;
}
