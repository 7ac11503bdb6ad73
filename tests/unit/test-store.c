/* SPDX-License-Identifier: ISC */

/* Tests of server/store.h: what a service manager is given, and finding it again by name. */

#include <sys/socket.h>
#include <unistd.h>

#include "manager.h"
#include "rig.h"
#include "server/connection.h"
#include "server/store.h"
#include "util/error.h"

static struct rig rig;
static struct notify notify;
static int manager;

/* The next message to the manager. Returns the descriptor that came along, or -1. */
static int take(char message[static 256])
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int)) + 64];
	struct iovec part = {message, 255};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(manager, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = -1;

	message[n < 0 ? 0 : n] = '\0';
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&header); c;
	     c = CMSG_NXTHDR(&header, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* A name's kind and number: "idle" and 3 of "stored-idle-PID-3". */
static unsigned parse(const char *message, char kind[static 16])
{
	unsigned pid, number;

	ck_assert_msg(sscanf(message, "FDSTORE=1\nFDNAME=stored-%15[a-z]-%u-%u", kind, &pid,
			     &number) == 3,
		      "%s", message);
	ck_assert_uint_eq(pid, (unsigned)getpid());
	return number;
}

START_TEST(puts_connections)
{
	struct client idle, busy;
	char message[256], kind[16];
	unsigned first, second;
	int fd;

	rig_open(&rig, &service);
	manager = manager_open();
	ck_assert_int_eq(notify_open(&notify), 0);
	rig.streams.context.notify = &notify;
	rig_connect(&rig, &idle, 0);
	rig_connect(&rig, &busy, 0);
	client_send(&busy, "a\xc3", 2);
	RIG_UNTIL(&rig, client_has(&busy, "A"));
	streams_hand_over(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 0);

	/* From the last to the first. */
	fd = take(message);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	first = parse(message, kind);
	ck_assert_str_eq(kind, "state");
	fd = take(message);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(parse(message, kind), first);
	ck_assert_str_eq(kind, "busy");
	ck_assert(!client_is_over(&busy));
	ck_assert_int_eq(close(fd), 0);
	ck_assert(client_is_over(&busy));
	fd = take(message);
	second = parse(message, kind);
	ck_assert_str_eq(kind, "idle");
	ck_assert_uint_ne(second, first);
	ck_assert_int_eq(close(fd), 0);
	(void)take(message);
	ck_assert_str_eq(message, "");
	client_close(&idle);
	client_close(&busy);
	notify_close(&notify);
	ck_assert_int_eq(close(manager), 0);
	rig_close(&rig);
}
END_TEST

/* Without a manager a connection that would be lost stays. */
START_TEST(keeps_them_where_nobody_stores)
{
	struct client client;

	rig_open(&rig, &service);
	(void)unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_open(&notify), 0);
	rig.streams.context.notify = &notify;
	rig_connect(&rig, &client, 0);
	ck_assert_int_eq(store_put(&notify, connection_at(&rig.streams.context, 0)), -ENOTCONN);
	streams_hand_over(&rig.streams);
	client_send(&client, "still", 5);
	RIG_UNTIL(&rig, client_has(&client, "STILL"));
	client_close(&client);
	rig_close(&rig);
}
END_TEST

START_TEST(finds_by_name)
{
	static struct endpoint items[] = {
		{.fd = 10, .kind = ENDPOINT_LISTENING, .name = (char *)"stored-idle-1-1"},
		{.fd = 11, .kind = ENDPOINT_STORED, .name = (char *)"stored-idle-1-2"},
		{.fd = 12, .kind = ENDPOINT_STORED, .name = (char *)"stored-busy-1-3"},
		{.fd = 13, .kind = ENDPOINT_STORED, .name = (char *)"stored-busy-1-4"},
		{.fd = 14, .kind = ENDPOINT_STORED, .name = (char *)"stored-state-1-33"},
		{.fd = 15, .kind = ENDPOINT_STORED, .name = (char *)"stored-state-1-4"},
		{.fd = 16, .kind = ENDPOINT_STORED, .name = (char *)"stored-state-1-3"},
		{.fd = 17, .kind = ENDPOINT_STORED, .name = (char *)"stored-busy-2-3"},
		{.fd = 18, .kind = ENDPOINT_STORED, .name = (char *)"stored-other-1-3"},
		{.fd = 19, .kind = ENDPOINT_STORED, .name = (char *)"stored-"},
	};
	static const struct {
		int r, fd, state;
	} found[] = {
		{-ENOENT, 0, 0},  {0, 11, -1},      {0, 12, 16},     {0, 13, 15},
		{-ENOENT, 0, 0},  {-ENOENT, 0, 0},  {-ENOENT, 0, 0}, {-EBADMSG, 0, 0},
		{-EBADMSG, 0, 0}, {-EBADMSG, 0, 0},
	};
	const struct endpoints endpoints = {items, sizeof(items) / sizeof(items[0]), 0};

	for (size_t i = 0; i < endpoints.count; i++) {
		struct store_entry entry = {0};

		ck_assert_msg(store_find(&endpoints, i, &entry) == found[i].r, "item %zu", i);
		if (found[i].r < 0)
			continue;
		ck_assert_int_eq(entry.fd, found[i].fd);
		ck_assert_int_eq(entry.state, found[i].state);
	}
}
END_TEST

START_TEST(forgets_by_name)
{
	char message[256];

	manager = manager_open();
	ck_assert_int_eq(notify_open(&notify), 0);
	store_forget(&notify, "stored-idle-1-2");
	ck_assert_int_eq(take(message), -1);
	ck_assert_str_eq(message, "FDSTOREREMOVE=1\nFDNAME=stored-idle-1-2");
	notify_close(&notify);
	ck_assert_int_eq(close(manager), 0);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("store_put", puts_connections),
		UNIT_ONCE("store_put", keeps_them_where_nobody_stores),
		UNIT_ONCE("store_find", finds_by_name),
		UNIT_ONCE("store_forget", forgets_by_name),
		{0},
	};

	return unit_run("store", rows);
}
