/* SPDX-License-Identifier: ISC */

/* Tests of server/crew.h: which worker serves what; limits that all of them keep together. */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "exchange/exchange-options.h"
#include "net/socket.h"
#include "rig.h"
#include "server/crew.h"
#include "util/parse.h"

static struct crew crew;
static struct server_options options;
static struct notify notify;
static struct store store;
static struct endpoint items[8];
static struct endpoints endpoints;
static atomic_uint activity;

static void on_active(struct worker *worker, void *userdata)
{
	(void)worker;
	ck_assert_ptr_eq(userdata, &activity);
	atomic_fetch_add(&activity, 1);
}

static void begin(unsigned workers)
{
	options = (struct server_options){
		.exchange = exchange_options_default(&service),
		.workers = workers,
		.connections_max = 100,
		.connections_max_per_source = ADMISSION_ANY,
		.unsent_max = UNSENT_ANY,
	};
	options.exchange.idle_timeout = PARSE_INFINITY;
	endpoints = (struct endpoints){.items = items};
	(void)unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_open(&notify), 0);
	ck_assert_int_eq(store_open(&store, &notify, false, 100, SIZE_MAX, &endpoints), 0);
}

static void end(void)
{
	crew_join(&crew);
	crew_free(&crew);
	store_close(&store);
	notify_close(&notify);
	for (size_t i = 0; i < endpoints.count; i++)
		if (items[i].fd >= 0)
			(void)close(items[i].fd);
}

static void add(int fd, enum endpoint_kind kind)
{
	ck_assert_int_ge(fd, 0);
	items[endpoints.count++] = (struct endpoint){.fd = fd, .family = AF_INET, .kind = kind};
}

/* One more of the sockets of an address (ReusePort=). */
static int open_twin(struct address *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	ck_assert_int_eq(bind(fd, &address->any, address->length), 0);
	ck_assert_int_eq(listen(fd, 100), 0);
	ck_assert_int_eq(socket_get_name(fd, address), 0);
	return fd;
}

static void serve(void)
{
	ck_assert_int_eq(crew_init(&crew, &options, &store, on_active, &activity), 0);
	ck_assert_int_eq(crew_serve(&crew, &endpoints), 0);
}

static bool is_ready(unsigned worker)
{
	struct pollfd wait = {.fd = crew.workers[worker].loop.epoll_fd, .events = POLLIN};

	return crew.workers[worker].loop.control_pending || poll(&wait, 1, 0) > 0;
}

/* How many of the workers are woken when somebody connects to address, who is then served. */
static unsigned count_welcoming(const struct address *address)
{
	struct client client;
	unsigned count = 0;

	for (unsigned i = 0; i < crew.count; i++)
		while (is_ready(i))
			ck_assert_int_eq(loop_round(&crew.workers[i].loop, 0), 0);
	client_connect(&client, address);
	for (unsigned i = 0; i < crew.count; i++)
		count += is_ready(i);
	client_close(&client);
	return count;
}

/* For what a worker waits on a descriptor (proc_pid_fdinfo(5)); 0: it does not. */
static uint32_t find_events(unsigned worker, int fd)
{
	uint32_t found = 0, events;
	char path[64], line[256];
	int waited;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", crew.workers[worker].loop.epoll_fd);
	info = fopen(path, "re");
	ck_assert_ptr_nonnull(info);
	while (fgets(line, sizeof(line), info))
		if (sscanf(line, "tfd: %d events: %x", &waited, &events) == 2 && waited == fd)
			found = events;
	(void)fclose(info);
	return found;
}

/* A socket that stands alone is everybody's; who comes wakes one of them (epoll_ctl(2)). */
START_TEST(shares_a_socket)
{
	const bool is_stream = _i;
	struct address address = rig_address("127.0.0.1", 0);

	begin(3);
	add(socket_open(&address, is_stream ? SOCK_STREAM : SOCK_DGRAM),
	    is_stream ? ENDPOINT_LISTENING : ENDPOINT_DATAGRAM);
	serve();
	ck_assert(crew.welcomes);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(find_events(i, items[0].fd) & (EPOLLIN | EPOLLEXCLUSIVE),
				  EPOLLIN | EPOLLEXCLUSIVE);
	end();
}
END_TEST

/* A port that nobody else has, over both transports. */
static void open_both(int *ret_stream, int *ret_datagram)
{
	struct address address = rig_address("127.0.0.1", 0);

	*ret_stream = socket_open(&address, SOCK_STREAM);
	ck_assert_int_eq(socket_get_name(*ret_stream, &address), 0);
	*ret_datagram = socket_open(&address, SOCK_DGRAM);
	if (*ret_datagram >= 0)
		return;
	(void)close(*ret_stream);
	open_both(ret_stream, ret_datagram);
}

/* The same port over both transports is two that stand alone. */
START_TEST(shares_both_transports)
{
	int stream, datagram;

	begin(2);
	open_both(&stream, &datagram);
	add(stream, ENDPOINT_LISTENING);
	add(datagram, ENDPOINT_DATAGRAM);
	serve();
	for (unsigned i = 0; i < 2; i++)
		for (unsigned socket = 0; socket < 2; socket++)
			ck_assert_uint_ne(find_events(i, items[socket].fd), 0);
	end();
}
END_TEST

/* One of several with the same address is one worker's, in turn. */
START_TEST(spreads_twins)
{
	struct address address = rig_address("127.0.0.1", 0);

	begin(2);
	for (unsigned i = 0; i < 3; i++)
		add(open_twin(&address), ENDPOINT_LISTENING);
	serve();
	for (unsigned i = 0; i < 20; i++)
		ck_assert_uint_eq(count_welcoming(&address), 1);
	end();
}
END_TEST

/* A connection is the first worker's, and no reason to wait for others. */
START_TEST(takes_a_connection)
{
	struct status status;
	int ends[2];

	begin(2);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	add(ends[0], ENDPOINT_CONNECTED);
	serve();
	ck_assert_int_eq(items[0].fd, -1);
	ck_assert(!crew.welcomes);
	ck_assert_uint_eq(crew.workers[0].streams.context.connections.count, 1);
	crew_sum_status(&crew, &status);
	ck_assert_uint_eq(status.connections_open, 1);
	ck_assert_int_eq(close(ends[1]), 0);
	end();
}
END_TEST

/* A connection whose state is not there: part of its answer may be missing. */
START_TEST(refuses_without_a_state_by_reset)
{
	struct address address = rig_address("127.0.0.1", 0);
	int listener = socket_open(&address, SOCK_STREAM);
	struct status status;
	struct client client;

	begin(1);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(socket_get_name(listener, &address), 0);
	client_connect(&client, &address);
	add(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), ENDPOINT_STORED);
	items[0].name = (char[]){ENDPOINT_STORED_PREFIX "busy-1-1"};
	serve();
	crew_sum_status(&crew, &status);
	ck_assert_uint_eq(status.refused[REFUSAL_STATE], 1);
	ck_assert(client_is_over(&client));
	ck_assert_int_eq(client.error, ECONNRESET);
	ck_assert_int_eq(close(listener), 0);
	client_close(&client);
	end();
}
END_TEST

/* Those that an earlier process had are everybody's, in turn. */
START_TEST(spreads_the_stored)
{
	int others[4], ends[2];

	begin(2);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			0);
		others[i] = ends[1];
		add(ends[0], ENDPOINT_STORED);
		items[i].name = (char *)"stored-idle-1-1";
	}
	serve();
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(crew.workers[i].streams.context.connections.count, 2);
	end();
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(close(others[i]), 0);
}
END_TEST

/* A TCP connection that was accepted; *ret_client is its other end. */
static int accept_one(int *ret_client)
{
	struct address address = rig_address("127.0.0.1", 0);
	int listener = socket_open(&address, SOCK_STREAM), fd;
	struct pollfd wait = {.fd = listener, .events = POLLIN};

	ck_assert_int_eq(socket_get_name(listener, &address), 0);
	*ret_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(*ret_client, &address.any, address.length), 0);
	ck_assert_int_eq(poll(&wait, 1, 10000), 1);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	close(listener);
	return fd;
}

/* By the reason for which it is not taken over. */
START_TEST(counts_what_it_refuses_of_the_stored)
{
	static const enum refusal reasons[] = {REFUSAL_CONNECTIONS_MAX, REFUSAL_PER_SOURCE,
					       REFUSAL_STATE};
	struct status status;
	int clients[2];

	begin(1);
	if (_i == 0)
		options.connections_max = 1;
	else if (_i == 1)
		options.connections_max_per_source = 1;
	for (unsigned i = 0; i < 2; i++) {
		add(accept_one(&clients[i]), ENDPOINT_STORED);
		items[i].name = (char *)(_i == 2 && i == 1 ? "stored-busy-1-1" : "stored-idle-1-1");
	}
	serve();
	crew_sum_status(&crew, &status);
	ck_assert_uint_eq(status.connections_open, 1);
	ck_assert_uint_eq(status.connections_served, 1);
	ck_assert_uint_eq(status.connections_refused, 1);
	ck_assert_uint_eq(status.refused[reasons[_i]], 1);
	end();
	close(clients[0]);
	close(clients[1]);
}
END_TEST

/* Not before the last of them. */
START_TEST(stops_with_its_last_worker)
{
	begin(3);
	serve();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(!crew_has_stopped(&crew));
		worker_stop(&crew.workers[i]);
	}
	ck_assert(crew_has_stopped(&crew));
	end();
}
END_TEST

START_TEST(adds_up)
{
	struct status status;

	begin(3);
	serve();
	for (unsigned i = 0; i < 3; i++) {
		crew.workers[i].last_activity = 100 + i * i * 7 % 5;
		status_count(&crew.workers[i].status.bytes_in, 1 + i);
	}
	crew_sum_status(&crew, &status);
	ck_assert_uint_eq(status.bytes_in, 6);
	ck_assert_uint_eq(crew_last_activity(&crew), 103);
	ck_assert_int_eq(crew_failure(&crew), 0);
	crew.workers[1].failure = -EIO;
	ck_assert_int_eq(crew_failure(&crew), -EIO);
	end();
}
END_TEST

/* However long a message may be: as long as nothing is kept, full pieces are read. */
START_TEST(long_messages_leave_room)
{
	begin(2);
	options.exchange.framing = FRAMING_LINE;
	options.exchange.message_max = 2 << 20;
	options.unsent_max = 4 << 20;
	serve();
	ck_assert(unsent_limit_has_room(&crew.unsent_limit));
	end();
}
END_TEST

#define MOST    5
#define CLIENTS 12
#define TIMES   150

static struct address server;
static atomic_uint inside, at_most, served, refused, finished;

/* Is it served? Who is hears an answer, who is not the end. */
static bool ask(int fd)
{
	char answer;

	return send(fd, "a", 1, MSG_NOSIGNAL) == 1 && recv(fd, &answer, 1, 0) == 1 && answer == 'A';
}

static void *come_and_go(void *userdata)
{
	for (unsigned i = 0; i < TIMES; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		unsigned now, most;

		if (fd < 0 || connect(fd, &server.any, server.length) < 0)
			abort();
		if (ask(fd)) {
			now = atomic_fetch_add(&inside, 1) + 1;
			most = at_most;
			while (now > most && !atomic_compare_exchange_weak(&at_most, &most, now))
				;
			/* Those who come meanwhile find it full. */
			(void)poll(NULL, 0, (int)(i % 2));
			atomic_fetch_add(&served, 1);
			atomic_fetch_sub(&inside, 1);
		} else {
			atomic_fetch_add(&refused, 1);
		}
		(void)close(fd);
	}
	atomic_fetch_add(&finished, 1);
	return userdata;
}

/* As many as there may be are let in, and stay; whoever comes then is not. */
static void fill_up(void)
{
	struct client clients[MOST + 1];
	struct status status;
	uint64_t before;

	crew_sum_status(&crew, &status);
	before = status.connections_refused;
	for (unsigned i = 0; i <= MOST; i++) {
		client_connect(&clients[i], &server);
		do {
			ck_assert_int_eq(loop_round(crew_main_loop(&crew), 1), 0);
			crew_sum_status(&crew, &status);
		} while (status.connections_open + status.connections_refused - before <= i);
	}
	ck_assert_uint_eq(status.connections_open, MOST);
	for (unsigned i = 0; i <= MOST; i++)
		client_close(&clients[i]);
	while (status.connections_open > 0) {
		ck_assert_int_eq(loop_round(crew_main_loop(&crew), 1), 0);
		crew_sum_status(&crew, &status);
	}
}

/* Workers that accept at the same time never admit one more than there may be. */
START_TEST(connections_max_is_exact)
{
	pthread_t clients[CLIENTS];
	struct status status;

	begin(3);
	served = refused = inside = at_most = finished = 0;
	options.connections_max = MOST;
	if (_i)
		options.connections_max_per_source = MOST;
	server = rig_address("127.0.0.1", 0);
	add(socket_open(&server, SOCK_STREAM), ENDPOINT_LISTENING);
	ck_assert_int_eq(socket_get_name(items[0].fd, &server), 0);
	serve();
	ck_assert_int_eq(crew_start(&crew), 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&clients[i], NULL, come_and_go, NULL), 0);
	do {
		ck_assert_int_eq(loop_round(crew_main_loop(&crew), 1), 0);
		crew_sum_status(&crew, &status);
	} while (finished < CLIENTS || status.connections_open > 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_join(clients[i], NULL), 0);
	ck_assert_uint_le(at_most, MOST);
	ck_assert_uint_gt(refused, 0);
	ck_assert_uint_eq(status.connections_served, served);
	ck_assert_uint_eq(status.connections_refused, refused);
	ck_assert_uint_eq(served + refused, CLIENTS * TIMES);
	fill_up();
	end();
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("crew_serve", shares_a_socket, 0, 2),
		UNIT_ONCE("crew_serve", shares_both_transports),
		UNIT_ONCE("crew_serve", spreads_twins),
		UNIT_ONCE("crew_serve", spreads_the_stored),
		UNIT_LOOP("crew_serve", counts_what_it_refuses_of_the_stored, 0, 3),
		UNIT_ONCE("crew_serve", takes_a_connection),
		UNIT_ONCE("crew_serve", refuses_without_a_state_by_reset),
		UNIT_ONCE("crew_has_stopped", stops_with_its_last_worker),
		UNIT_ONCE("crew_sum_status", adds_up),
		UNIT_ONCE("crew_init", long_messages_leave_room),
		UNIT_LOOP("crew_start", connections_max_is_exact, 0, 2),
		{0},
	};

	return unit_run("crew", rows);
}
