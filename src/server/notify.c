/* SPDX-License-Identifier: ISC */
#include "server/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/error.h"

/* Room for a status and what goes before it. */
#define MESSAGE_MAX 2048

/* Room for one such, or some ten short ones, that the manager has not read (the kernel takes twice
 * that): who is that far behind is to be left alone, not to find hundreds. */
#define UNREAD_MAX 4096

int notify_open(struct notify *notify)
{
	static const struct timeval patience = {.tv_sec = NOTIFY_PATIENCE_USEC / 1000000};
	static const int unread_max = UNREAD_MAX;
	const char *path = getenv("NOTIFY_SOCKET");
	int fd;

	*notify = (struct notify){.fd = -1};
	if (!path || !strchr("/@", path[0]) || address_from_path(path, &notify->manager) < 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return negative_errno();
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &unread_max, sizeof(unread_max));
	notify->fd = fd;
	return 0;
}

void notify_close(struct notify *notify)
{
	cleanup_close(&notify->fd);
	notify->fd = -1;
}

static int send_once(const struct notify *notify, const struct msghdr *message, int flags)
{
	ssize_t n;

	do
		n = sendmsg(notify->fd, message, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? negative_errno() : 0;
}

static int send_patiently(struct notify *notify, const struct msghdr *message,
			  enum notify_urgency urgency)
{
	int r = send_once(notify, message, MSG_DONTWAIT);

	if (r == -EAGAIN && urgency == NOTIFY_INSIST && !notify->is_stuck)
		r = send_once(notify, message, 0);
	if (r == 0 && notify->is_stuck)
		notify->is_stuck = false;
	else if (r == -EAGAIN && urgency == NOTIFY_INSIST)
		notify->is_stuck = true;
	return r;
}

int notify_send(struct notify *notify, enum notify_urgency urgency, int fd, const char *format, ...)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	char text[MESSAGE_MAX];
	struct iovec part = {.iov_base = text};
	struct msghdr message = {
		.msg_name = &notify->manager.storage,
		.msg_namelen = notify->manager.length,
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	va_list arguments;
	int length;

	if (notify->fd < 0)
		return -ENOTCONN;
	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(text))
		return -EMSGSIZE;
	part.iov_len = (size_t)length;
	if (fd >= 0) {
		struct cmsghdr *header = (struct cmsghdr *)control;

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
	}
	return send_patiently(notify, &message, urgency);
}

/* The manager closes what comes with BARRIER=1 when it gets to it: the pipe's other end. */
int notify_settle(struct notify *notify)
{
	_cleanup_close_ int mine = -1, others = -1;
	struct pollfd wait = {0};
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return negative_errno();
	mine = ends[0];
	wait.fd = mine;
	others = ends[1];
	r = notify_send(notify, NOTIFY_INSIST, others, "BARRIER=1");
	if (r < 0)
		return r;
	(void)close(take_fd(&others));
	do
		r = poll(&wait, 1, NOTIFY_PATIENCE_USEC / 1000);
	while (r < 0 && errno == EINTR);
	return r < 0 ? negative_errno() : r == 0 ? -ETIMEDOUT : 0;
}
