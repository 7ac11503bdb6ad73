/* SPDX-License-Identifier: ISC */

/* Tests of server/store.h: what a service manager is given, and finding it again by name. */

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager.h"
#include "rig.h"
#include "server/connection.h"
#include "server/store.h"
#include "util/error.h"

static struct rig rig;
static struct notify notify;
static struct store store;
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

/* The rig's, with what earlier processes stored. */
static void open_store(bool always, struct endpoints *endpoints)
{
	struct endpoints none = {0};

	ck_assert_int_eq(notify_open(&notify), 0);
	ck_assert_int_eq(
		store_open(&store, &notify, always, 100, SIZE_MAX, endpoints ? endpoints : &none),
		0);
	rig.streams.context.store = &store;
}

static void close_store(void)
{
	store_close(&store);
	notify_close(&notify);
}

/* A manager, and a process that serves. */
static void begin(bool always)
{
	rig_open(&rig, &service);
	manager = manager_open();
	open_store(always, NULL);
}

/* All clients have gone, and so go the process and its manager. */
static void end(void)
{
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 0);
	close_store();
	ck_assert_int_eq(close(manager), 0);
	rig_close(&rig);
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

	begin(false);
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
	end();
}
END_TEST

/* So many descriptors and no more go: one that is at rest is one, one in the middle of something
 * two. What has no room stays. */
START_TEST(keeps_what_has_no_room)
{
	struct client busy[3], idle;

	begin(false);
	for (int i = 0; i < 3; i++) {
		rig_connect(&rig, &busy[i], 0);
		client_send(&busy[i], "\xc3", 1);
	}
	RIG_UNTIL(&rig, rig.status.bytes_in == 3);
	rig_connect(&rig, &idle, 0);
	store.room = 5;
	streams_hand_over(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	ck_assert_uint_eq(store.room, 0);
	client_send(&busy[0], "\x9f", 1);
	RIG_UNTIL(&rig, client_has(&busy[0], "SS"));
	for (int i = 0; i < 3; i++)
		client_close(&busy[i]);
	client_close(&idle);
	end();
}
END_TEST

/* Without a manager a connection that would be lost stays. */
START_TEST(keeps_them_where_nobody_stores)
{
	struct client client;

	rig_open(&rig, &service);
	(void)unsetenv("NOTIFY_SOCKET");
	open_store(_i, NULL);
	rig_connect(&rig, &client, 0);
	ck_assert_int_eq(store_put(&store, connection_at(&rig.streams.context, 0)->fd, 0, -1),
			 -ENOTCONN);
	streams_hand_over(&rig.streams);
	client_send(&client, "still", 5);
	RIG_UNTIL(&rig, client_has(&client, "STILL"));
	client_close(&client);
	close_store();
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
	struct endpoints endpoints = {items, sizeof(items) / sizeof(items[0]), 0};

	(void)unsetenv("NOTIFY_SOCKET");
	open_store(false, &endpoints);

	for (size_t i = 0; i < endpoints.count; i++) {
		struct store_entry entry = {0};

		ck_assert_msg(store_find(&store, &endpoints, i, &entry) == found[i].r, "item %zu",
			      i);
		if (found[i].r < 0)
			continue;
		ck_assert_int_eq(entry.fd, found[i].fd);
		ck_assert_int_eq(entry.state, found[i].state);
	}
	close_store();
}
END_TEST

/* What was handed over is out of the store before it goes on. */
START_TEST(forgets_by_name)
{
	static struct endpoint items[] = {
		{.fd = 10, .kind = ENDPOINT_LISTENING, .name = (char *)"stored-idle-1-1"},
		{.fd = 11, .kind = ENDPOINT_STORED, .name = (char *)"stored-idle-1-2"},
		{.fd = -1, .kind = ENDPOINT_STORED, .name = (char *)"stored-ledger"},
		{.fd = -1, .kind = ENDPOINT_STORED, .name = (char *)"stored-kept-17"},
	};
	static const char *const names[] = {"idle-1-2", "ledger", "kept-17"};
	struct endpoints endpoints = {items, sizeof(items) / sizeof(items[0]), 0};
	char message[256], expected[256];

	manager = manager_open();
	open_store(_i, &endpoints);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_int_eq(take(message), -1);
		snprintf(expected, sizeof(expected), "FDSTOREREMOVE=1\nFDNAME=stored-%s", names[i]);
		ck_assert_str_eq(message, expected);
	}
	close_store();
	ck_assert_int_eq(close(manager), 0);
}
END_TEST

/* What a manager keeps from one process to the next; its descriptors are whoever's they are passed
 * to. */
static struct endpoint passed[8];

static void free_names(struct endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->count; i++)
		free(endpoints->items[i].name);
}

/* The next message stores something under this name, the same descriptor that is passed on. */
static void keep(struct endpoints *endpoints, const char *name)
{
	char message[256], expected[256];
	int fd = take(message);

	snprintf(expected, sizeof(expected), "FDSTORE=1\nFDNAME=%s", name);
	ck_assert_str_eq(message, expected);
	ck_assert_int_ge(fd, 0);
	endpoints->items = passed;
	passed[endpoints->count++] =
		(struct endpoint){.fd = fd, .kind = ENDPOINT_STORED, .name = strdup(name)};
}

static void expect_silence(void)
{
	char message[256];

	ck_assert_int_eq(take(message), -1);
	ck_assert_str_eq(message, "");
}

/* The process is killed: what it holds is closed, and nothing else happens. */
static void kill_process(void)
{
	struct connection_context *context = &rig.streams.context;

	while (context->connections.count > 0) {
		struct connection *connection = connection_at(context, 0);

		/* Neither the socket nor the ledger may notice. */
		connection->slot = 0;
		connection_let_go(connection);
	}
	close_store();
}

/* Clients of a process that always stores, over a welcoming socket: at rest, in the middle of a
 * character, and with an answer that is not sent. */
START_TEST(keeps_what_was_at_rest)
{
	struct endpoints endpoints = {0};
	struct client resting, busy, slow;
	struct store_entry entry;

	begin(true);
	keep(&endpoints, "stored-ledger");
	rig_connect(&rig, &resting, 1);
	keep(&endpoints, "stored-kept-16");
	rig_connect(&rig, &busy, 1);
	keep(&endpoints, "stored-kept-17");
	rig_connect(&rig, &slow, 1);
	keep(&endpoints, "stored-kept-18");
	client_send(&resting, "one", 3);
	RIG_UNTIL(&rig, client_has(&resting, "ONE"));
	client_send(&busy, "a\xc3", 2);
	RIG_UNTIL(&rig, client_has(&busy, "A"));
	(void)rig_flood(&rig, &slow, 'x');
	expect_silence();
	kill_process();
	ck_assert(!client_is_over(&busy));

	open_store(_i, &endpoints);
	if (!_i) {
		char message[256];

		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(take(message), -1);
	} else {
		char message[256];

		(void)take(message);
		ck_assert_str_eq(message, "FDSTOREREMOVE=1\nFDNAME=stored-kept-17");
		(void)take(message);
		ck_assert_str_eq(message, "FDSTOREREMOVE=1\nFDNAME=stored-kept-18");
	}
	expect_silence();
	ck_assert_int_eq(store_find(&store, &endpoints, 0, &entry), -ENOENT);
	ck_assert_int_eq(store_find(&store, &endpoints, 2, &entry), -EOWNERDEAD);
	ck_assert_int_eq(store_find(&store, &endpoints, 3, &entry), -EOWNERDEAD);
	ck_assert_int_eq(store_find(&store, &endpoints, 1, &entry), 0);
	ck_assert_int_eq(entry.fd, passed[1].fd);
	ck_assert_int_eq(entry.state, -1);
	ck_assert_uint_eq(entry.slot, _i ? 16 : 0);
	/* Once each. */
	ck_assert_int_eq(store_find(&store, &endpoints, 1, &entry), -EBADMSG);
	ck_assert_int_eq(streams_restore(&rig.streams, &entry), 0);
	store_settle(&store);
	client_send(&resting, "two", 3);
	RIG_UNTIL(&rig, client_has(&resting, "ONETWO"));
	expect_silence();

	for (size_t i = 2; i < endpoints.count; i++)
		ck_assert_int_eq(close(passed[i].fd), 0);
	free_names(&endpoints);
	ck_assert(client_is_over(&busy));
	client_close(&resting);
	client_close(&busy);
	client_close(&slow);
	end();
}
END_TEST

/* For the process after one that is killed: at every moment where each of them stands. */
START_TEST(marks_who_is_at_rest)
{
	static char bytes[60000];
	const int small = 1;
	struct endpoints endpoints = {0};
	struct connection *connection;
	struct address server;
	struct client client;

	begin(true);
	keep(&endpoints, "stored-ledger");
	server = rig_serve(&rig, "127.0.0.1", SOCK_STREAM);
	ck_assert_int_eq(
		setsockopt(rig.endpoints[0].fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	client_connect(&client, &server);
	/* In the middle of something from the first. */
	client_send(&client, "\xc3", 1);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 1);
	keep(&endpoints, "stored-kept-16");
	ck_assert_int_eq(ledger_get(&store.ledger, 16), LEDGER_BUSY);
	client_send(&client, "\x9f", 1);
	RIG_UNTIL(&rig, client_has(&client, "SS"));
	ck_assert_int_eq(ledger_get(&store.ledger, 16), LEDGER_AT_REST);
	/* It is looked at in vain. */
	connection = connection_at(&rig.streams.context, 0);
	connection->source.ready(&connection->source, EPOLLIN);
	ck_assert_int_eq(ledger_get(&store.ledger, 16), LEDGER_AT_REST);
	/* The rest of an answer is sent late. */
	client_send(&client, bytes, sizeof(bytes));
	RIG_UNTIL(&rig, rig.status.bytes_in == 2 + sizeof(bytes));
	ck_assert_uint_gt(rig.status.bytes_unsent, 0);
	ck_assert_int_eq(ledger_get(&store.ledger, 16), LEDGER_BUSY);
	RIG_UNTIL(&rig, (client_read(&client), ledger_get(&store.ledger, 16) == LEDGER_AT_REST));
	client_close(&client);
	for (size_t i = 0; i < endpoints.count; i++)
		ck_assert_int_eq(close(passed[i].fd), 0);
	free_names(&endpoints);
	end();
}
END_TEST

/* Who has gone, and who could not be stored, has no part of the room. */
START_TEST(has_the_same_room_again)
{
	struct endpoints none = {0};
	uint64_t now = 0, budget;
	char message[256];

	manager = manager_open();
	ck_assert_int_eq(notify_open(&notify), 0);
	ck_assert_int_eq(store_open(&store, &notify, true, 1, 2, &none), 0);
	ck_assert_int_eq(close(take(message)), 0);
	for (int i = 0; i < 10; i++, now += STORE_PERIOD_USEC) {
		int slot = store_keep(&store, manager, true, 0, now);

		ck_assert_int_gt(slot, 0);
		ck_assert_uint_eq(store.room, 1);
		ck_assert_int_eq(close(take(message)), 0);
		ck_assert_int_eq(store_leave(&store, (uint32_t)slot, NOTIFY_OFFER), 0);
		(void)take(message);
	}
	/* A manager that does not read, which is less to do each time; and a ledger that is full.
	 */
	while (notify_send(&notify, NOTIFY_OFFER, -1, "STATUS=x") == 0)
		;
	budget = store.budget;
	ck_assert_int_eq(store_keep(&store, manager, true, 0, now), -EAGAIN);
	ck_assert_uint_eq(store.room, 2);
	ck_assert_uint_eq(store.budget, budget / 2);
	store.room--;
	ck_assert_int_eq(store_leave(&store, 16, NOTIFY_OFFER), -EAGAIN);
	ck_assert_uint_eq(store.room, 2);
	ck_assert_uint_eq(store.budget, budget / 4);
	while (ledger_enter(&store.ledger) > 0)
		;
	now += STORE_PERIOD_USEC;
	ck_assert_int_eq(store_keep(&store, manager, true, 0, now), 0);
	ck_assert_uint_eq(store.room, 2);
	close_store();
	ck_assert_int_eq(close(manager), 0);
}
END_TEST

/* Nothing is left to go on with. */
START_TEST(keeps_nobody_who_is_answered)
{
	struct endpoints endpoints = {0};
	struct address server;
	struct client client;

	begin(true);
	keep(&endpoints, "stored-ledger");
	rig.exchange.once = true;
	server = rig_serve(&rig, "127.0.0.1", SOCK_STREAM);
	client_connect(&client, &server);
	client_send(&client, "x", 1);
	RIG_UNTIL(&rig, client_has(&client, "X"));
	ck_assert_uint_eq(rig.streams.context.connections.count, 1);
	streams_sweep(&rig.streams);
	expect_silence();
	client_close(&client);
	free_names(&endpoints);
	ck_assert_int_eq(close(passed[0].fd), 0);
	end();
}
END_TEST

/* What is stored is shut down where it is closed: the peer sees the end, the manager a hang-up. */
START_TEST(a_close_reaches_the_peer)
{
	struct endpoints endpoints = {0};
	struct client client, next;
	struct store_entry entry;
	char message[256];

	begin(true);
	keep(&endpoints, "stored-ledger");
	rig_connect(&rig, &client, 1);
	keep(&endpoints, "stored-kept-16");
	connection_close(connection_at(&rig.streams.context, 0), CONNECTION_END_IDLE);
	ck_assert(client_is_over(&client));
	ck_assert_int_eq(client.error, 0);
	ck_assert_int_eq(take(message), -1);
	ck_assert_str_eq(message, "FDSTOREREMOVE=1\nFDNAME=stored-kept-16");
	rig_connect(&rig, &next, 1);
	keep(&endpoints, "stored-kept-17");
	expect_silence();
	kill_process();
	/* The manager has not come to drop it. */
	open_store(true, &endpoints);
	ck_assert_int_eq(store_find(&store, &endpoints, 1, &entry), -ENOENT);
	ck_assert_int_eq(store_find(&store, &endpoints, 2, &entry), 0);
	ck_assert_int_eq(close(entry.fd), 0);
	ck_assert_int_eq(close(passed[1].fd), 0);
	store_settle(&store);
	free_names(&endpoints);
	client_close(&client);
	client_close(&next);
	end();
}
END_TEST

/* One with an answer that is not wholly sent is not shut down, which would look like its end: the
 * manager is told, and as it closes its copy the peer sees a reset. */
START_TEST(a_cut_reaches_the_peer)
{
	struct endpoints endpoints = {0};
	struct client client;
	char message[256];

	begin(true);
	keep(&endpoints, "stored-ledger");
	rig_connect(&rig, &client, 1);
	keep(&endpoints, "stored-kept-16");
	(void)rig_flood(&rig, &client, 'x');
	ck_assert_ptr_nonnull(connection_at(&rig.streams.context, 0)->unsent);
	connection_close(connection_at(&rig.streams.context, 0), CONNECTION_END_IDLE);
	ck_assert_int_eq(take(message), -1);
	ck_assert_str_eq(message, "FDSTOREREMOVE=1\nFDNAME=stored-kept-16");
	ck_assert(!client_is_over(&client));
	ck_assert_int_eq(close(passed[1].fd), 0);
	ck_assert(client_is_over(&client));
	ck_assert_int_eq(client.error, ECONNRESET);
	ck_assert_int_eq(close(passed[0].fd), 0);
	free_names(&endpoints);
	client_close(&client);
	end();
}
END_TEST

/* Reads until it is told to drop a connection. */
static void *read_late(void *userdata)
{
	struct pollfd wait = {.fd = manager, .events = POLLIN};
	char message[256];

	(void)poll(NULL, 0, 50);
	while (poll(&wait, 1, 1000) > 0) {
		ck_assert_int_eq(take(message), -1);
		if (strncmp(message, "FDSTOREREMOVE=1\n", strlen("FDSTOREREMOVE=1\n")) == 0)
			return userdata;
	}
	return NULL;
}

/* A manager that is behind hears of it all the same, and the peer of no end. */
START_TEST(insists_on_a_cut)
{
	struct endpoints endpoints = {0};
	struct client client;
	pthread_t thread;
	void *came;

	begin(true);
	keep(&endpoints, "stored-ledger");
	rig_connect(&rig, &client, 1);
	keep(&endpoints, "stored-kept-16");
	(void)rig_flood(&rig, &client, 'x');
	while (notify_send(&notify, NOTIFY_OFFER, -1, "STATUS=x") == 0)
		;
	ck_assert_int_eq(pthread_create(&thread, NULL, read_late, &client), 0);
	connection_close(connection_at(&rig.streams.context, 0), CONNECTION_END_IDLE);
	ck_assert_int_eq(pthread_join(thread, &came), 0);
	ck_assert_ptr_nonnull(came);
	ck_assert(!client_is_over(&client));
	for (size_t i = 0; i < endpoints.count; i++)
		ck_assert_int_eq(close(passed[i].fd), 0);
	free_names(&endpoints);
	client_close(&client);
	end();
}
END_TEST

/* A restart of a process that always stores: states are added to what is there. */
START_TEST(hands_over_what_is_kept)
{
	struct endpoints endpoints = {0};
	struct client idle, busy;
	struct store_entry entry;
	char message[256];

	begin(true);
	keep(&endpoints, "stored-ledger");
	rig_connect(&rig, &idle, 1);
	keep(&endpoints, "stored-kept-16");
	rig_connect(&rig, &busy, 1);
	keep(&endpoints, "stored-kept-17");
	client_send(&busy, "a\xc3", 2);
	RIG_UNTIL(&rig, client_has(&busy, "A"));
	streams_hand_over(&rig.streams);
	ck_assert_uint_eq(rig.streams.context.connections.count, 0);
	keep(&endpoints, "stored-state-17");
	expect_silence();
	close_store();

	open_store(true, &endpoints);
	(void)take(message);
	ck_assert_str_eq(message, "FDSTOREREMOVE=1\nFDNAME=stored-state-17");
	expect_silence();
	for (size_t i = 1; i <= 2; i++) {
		ck_assert_int_eq(store_find(&store, &endpoints, i, &entry), 0);
		ck_assert_uint_eq(entry.slot, 15 + i);
		ck_assert_int_eq(entry.state, i == 2 ? passed[3].fd : -1);
		ck_assert_int_eq(streams_restore(&rig.streams, &entry), 0);
	}
	store_settle(&store);
	/* They have their part of the room. */
	ck_assert_uint_eq(store.room, SIZE_MAX - 2);
	ck_assert_int_eq(ledger_get(&store.ledger, 16), LEDGER_AT_REST);
	ck_assert_int_eq(ledger_get(&store.ledger, 17), LEDGER_BUSY);
	client_send(&busy, "\xbc", 1);
	RIG_UNTIL(&rig, client_has(&busy, "A\xc3\x9c"));
	RIG_UNTIL(&rig, ledger_get(&store.ledger, 17) == LEDGER_AT_REST);
	client_send(&idle, "x", 1);
	RIG_UNTIL(&rig, client_has(&idle, "X"));
	client_close(&idle);
	client_close(&busy);
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 0);
	ck_assert_int_eq(ledger_get(&store.ledger, 16), LEDGER_FREE);
	ck_assert_int_eq(ledger_get(&store.ledger, 17), LEDGER_FREE);
	ck_assert_int_eq(close(passed[3].fd), 0);
	free_names(&endpoints);
	end();
}
END_TEST

static size_t take_all(void)
{
	char message[256];
	size_t count = 0;
	int fd;

	while ((fd = take(message)) >= 0) {
		ck_assert_int_eq(close(fd), 0);
		count++;
	}
	return count;
}

/* The manager does not read: little waits for it, and less is sent from then on. */
START_TEST(gives_way_to_a_manager_that_is_behind)
{
	struct client clients[100];
	uint64_t budget;
	char message[256];

	begin(true);
	(void)take(message);
	budget = store.budget;
	for (unsigned i = 0; i < 100; i++)
		rig_connect(&rig, &clients[i], 1);
	ck_assert_uint_le(store.budget, budget / 2 + budget / 10);
	ck_assert_uint_le(take_all(), 50);
	/* It has read, so it is asked again, but for half at most. */
	rig.loop.now += STORE_PERIOD_USEC;
	streams_sweep(&rig.streams);
	ck_assert_uint_ge(take_all(), 1);
	for (unsigned periods = 0; store.budget < budget; periods++) {
		ck_assert_uint_lt(periods, 200);
		rig.loop.now += STORE_PERIOD_USEC;
		streams_sweep(&rig.streams);
		(void)take_all();
		/* There is always one more to store. */
		if (connection_at(&rig.streams.context, 0)->slot > 0)
			connection_at(&rig.streams.context, 0)->slot = 0;
	}
	for (unsigned i = 0; i < 100; i++)
		client_close(&clients[i]);
	end();
}
END_TEST

/* The manager has other things to do: many come at once, and are stored by and by. */
START_TEST(leaves_the_manager_its_time)
{
	struct client clients[20];
	size_t stored = 0;
	char message[256];

	begin(true);
	(void)take(message);
	/* As if there were 20,000: two of them are a period's worth of its time. */
	atomic_fetch_add(&rig.admission.open, 20000);
	for (unsigned i = 0; i < 20; i++)
		rig_connect(&rig, &clients[i], 1);
	for (unsigned periods = 0; stored < 20; periods++) {
		size_t now = take_all();

		ck_assert_uint_lt(periods, 20);
		/* The clock may have come to the next one while they connected. */
		ck_assert_uint_ge(now, 1);
		ck_assert_uint_le(now, periods == 0 ? 16 : 4);
		stored += now;
		ck_assert(stored == 20 ||
			  rig.streams.context.next_sweep <= rig.loop.now + STORE_PERIOD_USEC);
		rig.loop.now += STORE_PERIOD_USEC;
		streams_sweep(&rig.streams);
	}
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_uint_gt(connection_at(&rig.streams.context, i)->slot, 0);
		client_close(&clients[i]);
	}
	RIG_UNTIL(&rig, rig.streams.context.connections.count == 0);
	atomic_fetch_sub(&rig.admission.open, 20000);
	end();
}
END_TEST

/* Without room for it in the manager's queue, or in the ledger, a connection is served all the
 * same. */
START_TEST(serves_what_it_cannot_keep)
{
	struct client client;

	begin(true);
	ck_assert(store.always);
	ck_assert_int_eq(close(manager), 0);
	rig_connect(&rig, &client, 1);
	ck_assert_uint_eq(connection_at(&rig.streams.context, 0)->slot, 0);
	ck_assert_int_eq(ledger_get(&store.ledger, 16), LEDGER_FREE);
	client_send(&client, "still", 5);
	RIG_UNTIL(&rig, client_has(&client, "STILL"));
	client_close(&client);
	close_store();
	rig_close(&rig);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("store_put", puts_connections),
		UNIT_ONCE("store_put", keeps_what_has_no_room),
		UNIT_LOOP("store_put", keeps_them_where_nobody_stores, 0, 2),
		UNIT_ONCE("store_put", hands_over_what_is_kept),
		UNIT_ONCE("store_find", finds_by_name),
		UNIT_LOOP("store_open", forgets_by_name, 0, 2),
		UNIT_LOOP("store_keep", keeps_what_was_at_rest, 0, 2),
		UNIT_ONCE("store_keep", keeps_nobody_who_is_answered),
		UNIT_ONCE("store_keep", a_close_reaches_the_peer),
		UNIT_ONCE("store_keep", a_cut_reaches_the_peer),
		UNIT_ONCE("store_keep", insists_on_a_cut),
		UNIT_ONCE("store_keep", marks_who_is_at_rest),
		UNIT_ONCE("store_keep", has_the_same_room_again),
		UNIT_ONCE("store_keep", leaves_the_manager_its_time),
		UNIT_ONCE("store_keep", gives_way_to_a_manager_that_is_behind),
		UNIT_ONCE("store_keep", serves_what_it_cannot_keep),
		{0},
	};

	return unit_run("store", rows);
}
