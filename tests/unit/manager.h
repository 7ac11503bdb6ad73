/* SPDX-License-Identifier: ISC */
#pragma once

/* manager: the service manager's end of NOTIFY_SOCKET (sd_notify(3)), for tests of who speaks to
 * it. */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"

/* Opens it under a name of this process's own and says so in the environment. Returns the socket.
 */
static inline int manager_open(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct address address;
	char name[64];

	snprintf(name, sizeof(name), "@uppercase-test-manager-%d", getpid());
	ck_assert_int_eq(address_from_path(name, &address), 0);
	ck_assert_int_eq(bind(fd, &address.any, address.length), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}
