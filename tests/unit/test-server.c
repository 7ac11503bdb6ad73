/* SPDX-License-Identifier: ISC */

/*
 * Tests of server/server.h: the daemon's life. It runs in a process of its own; the test is its
 * service manager, which holds the sockets and hears its notices, and its clients.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exchange/exchange-options.h"
#include "loopback.h"
#include "rig.h"
#include "server/server.h"
#include "util/descriptor.h"
#include "util/parse.h"

#define MSEC UINT64_C(1000)

/* As the exit code of the daemon's process, that server_run() failed. */
#define EXIT_RUN_FAILED 99

struct daemon {
	struct server_options options;
	enum activation activation;
	uint64_t watchdog_usec; /* 0: none */
	unsigned descriptors;   /* its limit; 0: as ours */
	void (*prepare)(void);  /* called in its process; NULL: nothing */

	struct endpoint items[4]; /* the test's copies, which it holds as systemd does */
	size_t count;
	struct address stream, datagram; /* where it listens */

	pid_t pid;
	int end_fd; /* a pipe that ends when the process does */
	int notify_fd, error_fd;
	char notice[2048]; /* the last one */
};

static struct server_options quiet_options(void)
{
	struct server_options options = {
		.exchange = exchange_options_default(&service),
		.workers = 1,
		.connections_max = 1000,
		.connections_max_per_source = ADMISSION_ANY,
		.unsent_max = UNSENT_ANY,
		.exit_idle_time = PARSE_INFINITY,
		.drain_timeout = PARSE_INFINITY,
		.preserve = PRESERVE_RESTART,
	};

	options.exchange.idle_timeout = PARSE_INFINITY;
	return options;
}

static void add_endpoint(struct daemon *daemon, int fd, int family, enum endpoint_kind kind)
{
	daemon->items[daemon->count++] =
		(struct endpoint){.fd = fd, .family = family, .kind = kind, .name = NULL};
}

static void add_socket(struct daemon *daemon, int type, struct address *ret_address)
{
	int fd;

	*ret_address = rig_address("127.0.0.1", 0);
	fd = socket_open(ret_address, type);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(socket_get_name(fd, ret_address), 0);
	add_endpoint(daemon, fd, AF_INET,
		     type == SOCK_STREAM ? ENDPOINT_LISTENING : ENDPOINT_DATAGRAM);
}

/* A daemon to be, with a welcoming and a datagram socket. */
static void daemon_prepare(struct daemon *daemon)
{
	*daemon = (struct daemon){
		.options = quiet_options(),
		.activation = ACTIVATION_SYSTEMD,
	};
	add_socket(daemon, SOCK_STREAM, &daemon->stream);
	add_socket(daemon, SOCK_DGRAM, &daemon->datagram);
}

/* The soft limit of a process, 0 being this one. */
static void limit_descriptors(pid_t pid, unsigned count)
{
	struct rlimit limit;

	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = count;
	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

static void daemon_run(struct daemon *daemon, const struct address *notify, int error_fd)
{
	struct endpoints endpoints = {.activation = daemon->activation, .count = daemon->count};
	const char *what = "nothing";
	char text[64];
	int r;

	/* A test that fails takes its daemon along. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(error_fd, STDERR_FILENO);
	setenv("NOTIFY_SOCKET", address_print(notify, daemon->notice), 1);
	if (daemon->watchdog_usec > 0) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)daemon->watchdog_usec);
		setenv("WATCHDOG_USEC", text, 1);
		snprintf(text, sizeof(text), "%d", (int)getpid());
		setenv("WATCHDOG_PID", text, 1);
	}
	if (daemon->prepare)
		daemon->prepare();
	if (daemon->descriptors > 0)
		limit_descriptors(0, daemon->descriptors);
	endpoints.items = calloc(daemon->count, sizeof(*endpoints.items));
	memcpy(endpoints.items, daemon->items, daemon->count * sizeof(*endpoints.items));
	r = server_run(&daemon->options, &endpoints, &what);
	endpoints_close(&endpoints);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(r < 0 ? EXIT_RUN_FAILED : r);
}

/* A notice that says this comes, whatever comes before it. */
static void expect_notice(struct daemon *daemon, const char *expected)
{
	ssize_t n;

	do {
		wait_for(daemon->notify_fd, POLLIN);
		n = recv(daemon->notify_fd, daemon->notice, sizeof(daemon->notice) - 1, 0);
		ck_assert_int_gt(n, 0);
		daemon->notice[n] = '\0';
	} while (!strstr(daemon->notice, expected));
}

static void expect_no_notice(struct daemon *daemon, int msec)
{
	struct pollfd wait = {.fd = daemon->notify_fd, .events = POLLIN};

	ck_assert_int_eq(poll(&wait, 1, msec), 0);
}

static void daemon_start(struct daemon *daemon)
{
	static unsigned number;
	struct address notify;
	char name[64];
	int errors[2], ends[2];

	snprintf(name, sizeof(name), "@test-server-%d-%u", (int)getpid(), number++);
	ck_assert_int_eq(address_from_path(name, &notify), 0);
	daemon->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(daemon->notify_fd, &notify.any, notify.length), 0);
	ck_assert_int_eq(pipe2(errors, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	(void)fflush(NULL);
	daemon->pid = fork();
	ck_assert_int_ge(daemon->pid, 0);
	if (daemon->pid == 0)
		daemon_run(daemon, &notify, errors[1]);
	close(errors[1]);
	daemon->error_fd = errors[0];
	close(ends[1]);
	daemon->end_fd = ends[0];
	for (size_t i = 0; i < daemon->count; i++)
		if (daemon->items[i].kind == ENDPOINT_CONNECTED)
			close(daemon->items[i].fd);
	expect_notice(daemon, "READY=1");
	ck_assert_ptr_nonnull(strstr(daemon->notice, "\nSTATUS=Connections: "));
}

/* It ends by itself. */
static void expect_end_with(struct daemon *daemon, int code)
{
	int status;

	wait_for(daemon->end_fd, POLLIN);
	ck_assert_int_eq(waitpid(daemon->pid, &status, 0), daemon->pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), code);
	close(daemon->end_fd);
	close(daemon->notify_fd);
	close(daemon->error_fd);
	for (size_t i = 0; i < daemon->count; i++)
		if (daemon->items[i].kind != ENDPOINT_CONNECTED)
			close(daemon->items[i].fd);
}

/* In good order. */
static void expect_end(struct daemon *daemon)
{
	expect_end_with(daemon, 0);
}

static bool has_ended(const struct daemon *daemon, int msec)
{
	struct pollfd wait = {.fd = daemon->end_fd, .events = POLLIN};

	return poll(&wait, 1, msec) > 0;
}

static void daemon_signal(const struct daemon *daemon, int number)
{
	ck_assert_int_eq(kill(daemon->pid, number), 0);
}

static void daemon_stop(struct daemon *daemon)
{
	daemon_signal(daemon, SIGTERM);
	expect_end(daemon);
}

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int connect_to(const struct address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, &address->any, address->length), 0);
	return fd;
}

static void ask(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void hear(int fd, const char *expected)
{
	char bytes[256];
	size_t length = 0, wanted = strlen(expected);

	while (length < wanted) {
		ssize_t n;

		wait_for(fd, POLLIN);
		n = recv(fd, bytes + length, sizeof(bytes) - length, 0);
		ck_assert_int_gt(n, 0);
		length += (size_t)n;
	}
	ck_assert_uint_eq(length, wanted);
	ck_assert_mem_eq(bytes, expected, wanted);
}

static void hear_the_end(int fd)
{
	char byte;

	wait_for(fd, POLLIN);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
}

/* A connection that is served. */
static int converse(const struct daemon *daemon)
{
	int fd = connect_to(&daemon->stream);

	ask(fd, "hello");
	hear(fd, "HELLO");
	return fd;
}

static void ask_by_datagram(const struct daemon *daemon)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, &daemon->datagram.any, daemon->datagram.length), 0);
	ask(fd, "hello");
	hear(fd, "HELLO");
	close(fd);
}

START_TEST(serves_and_tells)
{
	struct daemon daemon;
	int fd;

	daemon_prepare(&daemon);
	daemon_start(&daemon);
	fd = converse(&daemon);
	ask_by_datagram(&daemon);
	expect_notice(&daemon, "STATUS=Connections: 1 open, 1 served, 0 refused. "
			       "Datagrams: 1 answered, 0 refused. Bytes: 10 in, 10 out, 0 unsent.");
	/* Nothing happens: nothing is said. */
	expect_no_notice(&daemon, 1300);
	close(fd);
	/* The last was long ago: at once. */
	expect_notice(&daemon, "STATUS=Connections: 0 open, 1 served");
	daemon_signal(&daemon, SIGTERM);
	expect_notice(&daemon, "STOPPING=1");
	expect_notice(&daemon, "STOPPING=1\nSTATUS=Connections: 0 open, 1 served");
	expect_end(&daemon);
}
END_TEST

/* Status at most once a second, however much happens. */
START_TEST(tells_once_a_second)
{
	struct daemon daemon;
	uint64_t begin;
	unsigned notices = 0;

	daemon_prepare(&daemon);
	daemon_start(&daemon);
	begin = now_usec();
	while (now_usec() - begin < 2200 * MSEC) {
		struct pollfd wait = {.fd = daemon.notify_fd, .events = POLLIN};

		ask_by_datagram(&daemon);
		for (; poll(&wait, 1, 10) > 0; notices++)
			expect_notice(&daemon, "STATUS=");
	}
	ck_assert_uint_ge(notices, 1);
	ck_assert_uint_le(notices, 3);
	daemon_stop(&daemon);
}
END_TEST

static const int stop_signals[] = {SIGTERM, SIGINT};

START_TEST(ends_when_told)
{
	struct daemon daemon;

	daemon_prepare(&daemon);
	daemon_start(&daemon);
	close(converse(&daemon));
	daemon_signal(&daemon, stop_signals[_i]);
	expect_notice(&daemon, "STOPPING=1");
	expect_end(&daemon);
}
END_TEST

/* What is open goes on, what is new waits for the next process, and the end comes with the last. */
START_TEST(drains)
{
	struct daemon daemon;
	int fd, second, late, next;

	daemon_prepare(&daemon);
	daemon.options.workers = (unsigned)_i;
	daemon_start(&daemon);
	fd = converse(&daemon);
	second = converse(&daemon);
	daemon_signal(&daemon, SIGTERM);
	expect_notice(&daemon, "STOPPING=1");
	/* All workers have stopped once none answers datagrams any more; until then, ask. */
	late = connect_to(&daemon.stream);
	ask(late, "late");
	ask(fd, "still here");
	hear(fd, "STILL HERE");
	close(fd);
	ask(second, "me too");
	hear(second, "ME TOO");
	ck_assert(!has_ended(&daemon, 0));
	shutdown(second, SHUT_WR);
	hear_the_end(second);
	close(second);

	struct pollfd wait = {.fd = late, .events = POLLIN};

	if (_i == 1) {
		wait_for(daemon.end_fd, POLLIN);
		ck_assert_int_eq(poll(&wait, 1, 0), 0);
		next = accept(daemon.items[0].fd, NULL, NULL);
		ck_assert_int_ge(next, 0);
		hear(next, "late");
		close(next);
	}
	close(late);
	expect_end(&daemon);
}
END_TEST

START_TEST(second_signal_ends_at_once)
{
	struct daemon daemon;
	int fd;

	daemon_prepare(&daemon);
	daemon.options.workers = (unsigned)_i;
	daemon_start(&daemon);
	fd = converse(&daemon);
	daemon_signal(&daemon, SIGTERM);
	expect_notice(&daemon, "STOPPING=1");
	daemon_signal(&daemon, SIGTERM);
	expect_end(&daemon);
	hear_the_end(fd);
	close(fd);
}
END_TEST

/* All of them, however little time there is; then the manager is asked whether it has them, or it
 * might not come to that before the daemon is gone. */
START_TEST(hands_over)
{
	enum { CLIENTS = 40 };
	struct daemon daemon;
	unsigned stored = 0;
	int fds[CLIENTS];

	daemon_prepare(&daemon);
	daemon.options.workers = (unsigned)_i;
	daemon.options.drain_timeout = 0;
	daemon_start(&daemon);
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = converse(&daemon);
	daemon_signal(&daemon, SIGUSR2);
	do {
		expect_notice(&daemon, "=");
		stored += strstr(daemon.notice, "FDSTORE=1\nFDNAME=stored-idle-") != NULL;
	} while (!strstr(daemon.notice, "BARRIER=1"));
	ck_assert_uint_eq(stored, CLIENTS);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	expect_end(&daemon);
}
END_TEST

/* Nobody else would accept them; a client must not wait for the end of others. */
START_TEST(turns_away_while_it_drains)
{
	struct daemon daemon;
	int fd, late;

	daemon_prepare(&daemon);
	daemon.activation = ACTIVATION_OWN;
	daemon.options.workers = (unsigned)_i;
	daemon_start(&daemon);
	fd = converse(&daemon);
	daemon_signal(&daemon, SIGTERM);
	expect_notice(&daemon, "STOPPING=1");
	late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_lt(connect(late, &daemon.stream.any, daemon.stream.length), 0);
	ck_assert_int_eq(errno, ECONNREFUSED);
	ask(fd, "still");
	hear(fd, "STILL");
	close(late);
	close(fd);
	expect_end(&daemon);
}
END_TEST

/* What an earlier process left is of no use, and there is nothing else: an end, not a wait. */
START_TEST(ends_if_there_is_nothing_to_serve)
{
	struct daemon daemon = {.options = quiet_options(), .activation = ACTIVATION_SYSTEMD};

	add_endpoint(&daemon, open("/dev/null", O_RDONLY | O_CLOEXEC), AF_UNSPEC, ENDPOINT_STORED);
	daemon.items[0].name = strdup(ENDPOINT_STORED_PREFIX "nonsense");
	daemon_start(&daemon);
	expect_end(&daemon);
	free(daemon.items[0].name);
}
END_TEST

START_TEST(drains_so_long)
{
	struct daemon daemon;
	uint64_t begin;
	int fd;

	daemon_prepare(&daemon);
	daemon.options.drain_timeout = _i ? 0 : 200 * MSEC;
	daemon_start(&daemon);
	fd = converse(&daemon);
	begin = now_usec();
	daemon_signal(&daemon, SIGTERM);
	wait_for(daemon.end_fd, POLLIN);
	/* The loop's clock is coarse: some milliseconds. */
	if (_i == 0)
		ck_assert_uint_ge(now_usec() - begin, 190 * MSEC);
	expect_end(&daemon);
	hear_the_end(fd);
	close(fd);
}
END_TEST

/* A silent connection holds a drain up until the idle timeout, not for ever. */
START_TEST(drains_the_silent)
{
	struct daemon daemon;
	int fd;

	daemon_prepare(&daemon);
	daemon.options.exchange.idle_timeout = 300 * MSEC;
	daemon.options.workers = (unsigned)_i;
	daemon_start(&daemon);
	fd = converse(&daemon);
	daemon_signal(&daemon, SIGTERM);
	expect_end(&daemon);
	hear_the_end(fd);
	close(fd);
}
END_TEST

START_TEST(closes_the_silent)
{
	struct daemon daemon;
	uint64_t begin;
	int fd, active;

	daemon_prepare(&daemon);
	daemon.options.exchange.idle_timeout = 600 * MSEC;
	daemon_start(&daemon);
	begin = now_usec();
	fd = connect_to(&daemon.stream);
	active = converse(&daemon);

	struct pollfd wait = {.fd = fd, .events = POLLIN};

	while (poll(&wait, 1, 50) == 0) {
		ask(active, "x");
		hear(active, "X");
	}
	hear_the_end(fd);
	ck_assert_uint_ge(now_usec() - begin, 580 * MSEC);
	/* A tenth of a second more, and what a busy machine adds. */
	ck_assert_uint_le(now_usec() - begin, 2600 * MSEC);
	ask(active, "hello");
	hear(active, "HELLO");
	close(active);
	close(fd);
	daemon_stop(&daemon);
}
END_TEST

/* Nobody asked anything at all: that is idle, too. */
START_TEST(exits_when_idle)
{
	static const enum activation ways[] = {ACTIVATION_SYSTEMD, ACTIVATION_INETD};
	struct daemon daemon;
	uint64_t begin = now_usec();

	daemon_prepare(&daemon);
	daemon.activation = ways[_i];
	daemon.options.exit_idle_time = 150 * MSEC;
	daemon_start(&daemon);
	expect_notice(&daemon, "STOPPING=1");
	ck_assert_uint_ge(now_usec() - begin, 140 * MSEC);
	expect_end(&daemon);
}
END_TEST

/* Nobody would start it again. */
START_TEST(stays_if_it_opened_its_sockets)
{
	struct daemon daemon;

	daemon_prepare(&daemon);
	daemon.activation = ACTIVATION_OWN;
	daemon.options.exit_idle_time = 20 * MSEC;
	daemon_start(&daemon);
	ck_assert(!has_ended(&daemon, 300));
	ask_by_datagram(&daemon);
	ck_assert(!has_ended(&daemon, 300));
	daemon_stop(&daemon);
}
END_TEST

/* Not while a connection is open, nor sooner than the time after the last. */
START_TEST(is_not_idle_while_connected)
{
	struct daemon daemon;
	uint64_t closed;
	int fd;

	daemon_prepare(&daemon);
	daemon.options.exit_idle_time = 300 * MSEC;
	daemon.options.workers = (unsigned)_i;
	fd = connect_to(&daemon.stream);
	ask(fd, "hello");
	daemon_start(&daemon);
	hear(fd, "HELLO");
	ck_assert(!has_ended(&daemon, 600));
	ask(fd, "still");
	hear(fd, "STILL");
	closed = now_usec();
	/* The daemon's process was forked with it open. */
	shutdown(fd, SHUT_RDWR);
	expect_end(&daemon);
	ck_assert_uint_ge(now_usec() - closed, 290 * MSEC);
	close(fd);
}
END_TEST

/* The end of a connection that was silent for too long is an end as any other. */
START_TEST(is_not_idle_while_a_silent_one_is_connected)
{
	struct daemon daemon;
	uint64_t begin;
	int fd;

	daemon_prepare(&daemon);
	daemon.options.exchange.idle_timeout = 400 * MSEC;
	daemon.options.exit_idle_time = 500 * MSEC;
	daemon.options.workers = (unsigned)_i;
	daemon_start(&daemon);
	begin = now_usec();
	fd = converse(&daemon);
	hear_the_end(fd);
	expect_end(&daemon);
	/* One time after the other. The loop's clock is coarse: some milliseconds. */
	ck_assert_uint_ge(now_usec() - begin, 880 * MSEC);
	close(fd);
}
END_TEST

START_TEST(is_not_idle_while_asked)
{
	struct daemon daemon;

	daemon_prepare(&daemon);
	/* Time for a busy machine to ask again, too, but less than all of it takes. */
	daemon.options.exit_idle_time = 1500 * MSEC;
	daemon_start(&daemon);
	for (int i = 0; i < 8; i++) {
		ask_by_datagram(&daemon);
		ck_assert(!has_ended(&daemon, 200));
	}
	expect_end(&daemon);
}
END_TEST

/* What it was started for waits in its sockets: that is served first, however short its time. */
START_TEST(serves_what_waits_before_it_is_idle)
{
	struct daemon daemon;
	int fd, datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	daemon_prepare(&daemon);
	daemon.options.exit_idle_time = 0;
	ck_assert_int_eq(connect(datagram, &daemon.datagram.any, daemon.datagram.length), 0);
	ask(datagram, "datagram");
	fd = connect_to(&daemon.stream);
	ask(fd, "hello");
	shutdown(fd, SHUT_WR);
	daemon_start(&daemon);
	hear(fd, "HELLO");
	hear(datagram, "DATAGRAM");
	expect_end(&daemon);
	close(fd);
	close(datagram);
}
END_TEST

static uint64_t processor_usec(const struct daemon *daemon)
{
	struct timespec used;
	clockid_t clock;

	ck_assert_int_eq(clock_getcpuclockid(daemon->pid, &clock), 0);
	ck_assert_int_eq(clock_gettime(clock, &used), 0);
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

/* Who is connected and silent is no idleness, however short its time: others are accepted beside
 * him. Waiting for his end takes next to nothing. */
START_TEST(is_not_idle_while_somebody_is_connected)
{
	struct daemon daemon;
	uint64_t before;
	int first, second;

	daemon_prepare(&daemon);
	daemon.options.exit_idle_time = (uint64_t)_i;
	first = connect_to(&daemon.stream);
	daemon_start(&daemon);
	ask(first, "hello");
	hear(first, "HELLO");
	before = processor_usec(&daemon);
	ck_assert(!has_ended(&daemon, 500));
	ck_assert_uint_lt(processor_usec(&daemon) - before, 100 * MSEC);
	second = converse(&daemon);
	/* The daemon, which began later, has a copy of it. */
	shutdown(first, SHUT_WR);
	ck_assert(!has_ended(&daemon, 200));
	ask(second, "again");
	hear(second, "AGAIN");
	close(second);
	expect_end(&daemon);
	close(first);
}
END_TEST

/* One conversation and no welcoming socket (inetd nowait): it ends with it. */
START_TEST(ends_with_its_only_conversation)
{
	struct daemon daemon = {.options = quiet_options(), .activation = ACTIVATION_INETD};
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(descriptor_set_nonblocking(ends[0], true), 0);
	add_endpoint(&daemon, ends[0], AF_UNIX, ENDPOINT_CONNECTED);
	/* The second time it ends since its client is silent. */
	if (_i > 0)
		daemon.options.exchange.idle_timeout = 100 * MSEC;
	daemon_start(&daemon);
	ask(ends[1], "hello");
	hear(ends[1], "HELLO");
	if (_i == 0)
		ck_assert_int_eq(shutdown(ends[1], SHUT_WR), 0);
	hear_the_end(ends[1]);
	expect_end(&daemon);
	close(ends[1]);
}
END_TEST

static void limit_store(void)
{
	setenv("FDSTORE", "3", 1);
}

/* systemd would close what is more than it keeps (FileDescriptorStoreMax=, which it says from 254
 * on): those connections go on until they end. The ledger has its place there. */
START_TEST(hands_over_what_the_store_takes)
{
	struct daemon daemon;
	int clients[4], left = 0;

	daemon_prepare(&daemon);
	daemon.prepare = limit_store;
	daemon_start(&daemon);
	for (int i = 0; i < 4; i++)
		clients[i] = converse(&daemon);
	daemon_signal(&daemon, SIGUSR2);
	for (int i = 0; i < 2; i++)
		expect_notice(&daemon, "FDSTORE=1\nFDNAME=stored-idle-");
	expect_notice(&daemon, "STATUS=Connections: 2 open");
	/* Those that were handed over ended here, in the manager's place. */
	for (int i = 0; i < 4; i++) {
		char byte;

		if (recv(clients[i], &byte, 1, MSG_DONTWAIT) == 0) {
			close(clients[i]);
			continue;
		}
		ask(clients[i], "again");
		hear(clients[i], "AGAIN");
		close(clients[i]);
		left++;
	}
	ck_assert_int_eq(left, 2);
	expect_notice(&daemon, "BARRIER=1");
	expect_end(&daemon);
}
END_TEST

START_TEST(reports_when_asked)
{
	struct daemon daemon;
	char line[1024];
	ssize_t n;

	daemon_prepare(&daemon);
	daemon_start(&daemon);
	close(converse(&daemon));
	ask_by_datagram(&daemon);
	daemon_signal(&daemon, SIGUSR1);
	wait_for(daemon.error_fd, POLLIN);
	n = read(daemon.error_fd, line, sizeof(line) - 1);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	ck_assert_ptr_nonnull(
		strstr(line, " served, 0 refused. Datagrams: 1 answered, 0 refused."));
	ck_assert_int_eq(line[n - 1], '\n');
	daemon_stop(&daemon);
}
END_TEST

START_TEST(feeds_the_watchdog)
{
	struct daemon daemon;

	daemon_prepare(&daemon);
	daemon.watchdog_usec = 200 * MSEC;
	daemon_start(&daemon);
	for (int i = 0; i < 3; i++)
		expect_notice(&daemon, "WATCHDOG=1");
	daemon_stop(&daemon);
}
END_TEST

/* The signal that a thread is stopped with: its handler never returns. */
#define WORKER_SIGNAL SIGRTMIN

static void get_stuck(int number)
{
	(void)number;
	for (;;)
		(void)pause();
}

static void prepare_to_be_stuck(void)
{
	(void)signal(WORKER_SIGNAL, get_stuck);
}

/* A thread of the daemon's that is not its first. */
static pid_t find_worker(const struct daemon *daemon)
{
	const struct dirent *entry;
	char path[64];
	pid_t found = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)daemon->pid);
	tasks = opendir(path);
	ck_assert_ptr_nonnull(tasks);
	while ((entry = readdir(tasks)))
		if (atoi(entry->d_name) > daemon->pid)
			found = atoi(entry->d_name);
	(void)closedir(tasks);
	ck_assert_int_gt(found, 0);
	return found;
}

/* One worker of several is stuck: the manager hears no more that all is well. */
START_TEST(does_not_feed_the_watchdog_for_a_stuck_worker)
{
	struct daemon daemon;

	daemon_prepare(&daemon);
	daemon.options.workers = 3;
	daemon.options.drain_timeout = 0;
	daemon.watchdog_usec = 400 * MSEC;
	daemon.prepare = prepare_to_be_stuck;
	daemon_start(&daemon);
	for (int i = 0; i < 3; i++)
		expect_notice(&daemon, "WATCHDOG=1");
	ck_assert_int_eq(syscall(SYS_tgkill, daemon.pid, find_worker(&daemon), WORKER_SIGNAL), 0);
	/* One that was under way, and one for the answer to the question before. */
	(void)has_ended(&daemon, 250);
	while (recv(daemon.notify_fd, daemon.notice, sizeof(daemon.notice), MSG_DONTWAIT) > 0)
		;
	expect_no_notice(&daemon, 600);
	daemon_signal(&daemon, SIGKILL);
	ck_assert_int_eq(waitpid(daemon.pid, NULL, 0), daemon.pid);
}
END_TEST

/* A worker that is interrupted says so, and goes on when it is told to. */
static int says[2], told[2];

static void wait_to_be_told(int number)
{
	int error = errno;
	char byte = 0;

	(void)number;
	if (write(says[1], &byte, 1) != 1 || read(told[0], &byte, 1) != 1)
		abort();
	errno = error;
}

static void prepare_to_wait(void)
{
	(void)signal(WORKER_SIGNAL, wait_to_be_told);
}

/* Whoever is accepted by a worker that hears of the stop last is answered, not cut off. */
START_TEST(drains_who_comes_to_a_late_worker)
{
	struct daemon daemon;
	char byte = 0;
	int fd;

	ck_assert_int_eq(pipe2(says, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
	daemon_prepare(&daemon);
	daemon.options.workers = 2;
	daemon.prepare = prepare_to_wait;
	daemon_start(&daemon);
	ck_assert_int_eq(syscall(SYS_tgkill, daemon.pid, find_worker(&daemon), WORKER_SIGNAL), 0);
	ck_assert_int_eq(read(says[0], &byte, 1), 1);
	daemon_signal(&daemon, SIGTERM);
	/* From here on the first worker accepts nobody. */
	expect_notice(&daemon, "STOPPING=1");
	fd = connect_to(&daemon.stream);
	ck_assert_int_eq(write(told[1], &byte, 1), 1);
	expect_notice(&daemon, "STATUS=Connections: 1 open");
	ask(fd, "hello");
	hear(fd, "HELLO");
	shutdown(fd, SHUT_WR);
	hear_the_end(fd);
	expect_end(&daemon);
	close(fd);
	for (int i = 0; i < 2; i++) {
		close(says[i]);
		close(told[i]);
	}
}
END_TEST

static bool is_epoll(int fd)
{
	char path[64], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	return strcmp(target, "anon_inode:[eventpoll]") == 0;
}

/* One in which another one hangs, libsystemd's, is a loop's own (epoll(7), proc_pid_fdinfo(5)). */
static bool is_loop(int fd)
{
	char path[64], text[4096], *next = text;
	bool found = false;
	int waited, info;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	/* In a signal handler: no streams, which allocate. */
	info = open(path, O_RDONLY | O_CLOEXEC);
	n = info < 0 ? 0 : read(info, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	while (!found && (next = strstr(next, "tfd:")))
		found = sscanf(next++, "tfd: %d", &waited) == 1 && is_epoll(waited);
	if (info >= 0)
		(void)close(info);
	return found;
}

/* Interrupts a worker, the last that was made, whose loop has lost its descriptor meanwhile. */
static void break_last_loop(int number)
{
	int last = -1;
	int error = errno;

	(void)number;
	for (int fd = 0; fd < 100; fd++)
		if (is_epoll(fd) && is_loop(fd))
			last = fd;
	/* Behind the back of ThreadSanitizer, which would be right. */
	(void)syscall(SYS_close, last);
	errno = error;
}

static void prepare_to_break(void)
{
	(void)signal(WORKER_SIGNAL, break_last_loop);
}

START_TEST(a_worker_that_fails_is_the_end)
{
	struct daemon daemon;
	char line[256];
	ssize_t n;

	daemon_prepare(&daemon);
	daemon.options.workers = 2;
	daemon.prepare = prepare_to_break;
	daemon_start(&daemon);
	ck_assert_int_eq(syscall(SYS_tgkill, daemon.pid, find_worker(&daemon), WORKER_SIGNAL), 0);
	n = read(daemon.error_fd, line, sizeof(line) - 1);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	ck_assert_str_eq(line, "event loop: Bad file descriptor\n");
	expect_end_with(&daemon, EXIT_RUN_FAILED);
}
END_TEST

/* The manager's queue is full, and stays so: who asks is answered all the same. */
START_TEST(is_not_held_up_by_a_deaf_manager)
{
	struct daemon daemon;
	struct address manager;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t begin;

	daemon_prepare(&daemon);
	daemon.watchdog_usec = 200 * MSEC;
	daemon_start(&daemon);
	ck_assert_int_eq(socket_get_name(daemon.notify_fd, &manager), 0);
	begin = now_usec();
	while (now_usec() - begin < 1500 * MSEC) {
		/* Also what it took away itself. */
		while (sendto(fd, "", 1, MSG_DONTWAIT, &manager.any, manager.length) == 1)
			;
		ck_assert_int_eq(errno, EAGAIN);
		ask_by_datagram(&daemon);
		close(converse(&daemon));
	}
	close(fd);
	while (recv(daemon.notify_fd, daemon.notice, sizeof(daemon.notice), MSG_DONTWAIT) > 0)
		;
	ask_by_datagram(&daemon);
	expect_notice(&daemon, "WATCHDOG=1");
	daemon_stop(&daemon);
}
END_TEST

/* Longer than the manager's patience may be: it is asked for more time, again and again. */
START_TEST(asks_for_time_to_drain)
{
	struct daemon daemon;
	int fd;

	daemon_prepare(&daemon);
	daemon.options.drain_timeout = _i ? PARSE_INFINITY : 7000 * MSEC;
	daemon_start(&daemon);
	fd = converse(&daemon);
	daemon_signal(&daemon, SIGTERM);
	expect_notice(&daemon, "STOPPING=1");
	expect_notice(&daemon, "EXTEND_TIMEOUT_USEC=15000000");
	expect_notice(&daemon, "EXTEND_TIMEOUT_USEC=15000000");
	if (_i)
		close(fd);
	expect_end(&daemon);
	if (!_i)
		close(fd);
}
END_TEST

static void expect_answer_by_datagram(const struct daemon *daemon, bool is_expected)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(connect(fd, &daemon->datagram.any, daemon->datagram.length), 0);
	ask(fd, "hello");
	ck_assert_int_eq(poll(&wait, 1, is_expected ? PATIENCE : 50), is_expected);
	close(fd);
}

/* What is open and what is served stays; what was learned of sources does not. */
START_TEST(reloads)
{
	struct daemon daemon;
	int fd;

	daemon_prepare(&daemon);
	daemon.options.datagram_rate = (uint32_t)_i;
	daemon.options.datagram_rate_is_set = true;
	daemon_start(&daemon);
	fd = converse(&daemon);
	for (int i = 0; i < 3; i++) {
		expect_answer_by_datagram(&daemon, true);
		if (_i > 0)
			expect_answer_by_datagram(&daemon, false);
		daemon_signal(&daemon, SIGHUP);
		expect_notice(&daemon, "RELOADING=1\nMONOTONIC_USEC=");
		expect_notice(&daemon, "READY=1\nSTATUS=Connections: 1 open, 1 served");
		ask(fd, "still here");
		hear(fd, "STILL HERE");
	}
	/* Not in the middle of ending. */
	daemon_signal(&daemon, SIGTERM);
	expect_notice(&daemon, "EXTEND_TIMEOUT_USEC=");
	daemon_signal(&daemon, SIGHUP);
	ask(fd, "and here");
	hear(fd, "AND HERE");
	close(fd);
	do
		expect_notice(&daemon, "=");
	while (!strstr(daemon.notice, "STOPPING=1") && !strstr(daemon.notice, "READY=1"));
	ck_assert_ptr_null(strstr(daemon.notice, "READY=1"));
	expect_end(&daemon);
}
END_TEST

/* Out of descriptors; then there is room, and nothing of ours says so: a second later at most who
 * waits is served. */
START_TEST(accepts_again)
{
	enum { CLIENTS = 24 };
	struct daemon daemon;
	int fds[CLIENTS], next, answered = 0;

	daemon_prepare(&daemon);
	/* Enough for its own, and for less than all clients. */
	next = dup(daemon.items[0].fd);
	daemon.descriptors = (unsigned)next + CLIENTS;
	close(next);
	daemon_start(&daemon);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = connect_to(&daemon.stream);
		ask(fds[i], "x");
	}
	for (int i = 0; i < CLIENTS; i++) {
		struct pollfd wait = {.fd = fds[i], .events = POLLIN};

		answered += poll(&wait, 1, i == 0 ? PATIENCE : 20) == 1;
	}
	ck_assert_int_gt(answered, 0);
	ck_assert_int_lt(answered, CLIENTS);
	limit_descriptors(daemon.pid, 64 + CLIENTS);
	for (int i = 0; i < CLIENTS; i++) {
		hear(fds[i], "X");
		close(fds[i]);
	}
	daemon_stop(&daemon);
}
END_TEST

/* How often a thread was put to work, or taken from it, which is what one meets that never sleeps.
 * 0 for a sanitizer's own, which wakes now and then, and blocks every signal. */
static unsigned long count_switches(pid_t process, const char *thread)
{
	unsigned long voluntary = 0, involuntary = 0, blocked = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", (int)process, thread);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "SigBlk: %lx", &blocked);
		(void)sscanf(line, "voluntary_ctxt_switches: %lu", &voluntary);
		(void)sscanf(line, "nonvoluntary_ctxt_switches: %lu", &involuntary);
	}
	fclose(file);
	ck_assert_uint_gt(voluntary, 0);
	return blocked & 1UL << (SIGCHLD - 1) ? 0 : voluntary + involuntary;
}

/* Of all its threads, which are as many as its workers. */
static unsigned long count_wakeups(const struct daemon *daemon)
{
	unsigned long count = 0, switches;
	unsigned found = 0;
	struct dirent *thread;
	char path[64];
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)daemon->pid);
	threads = opendir(path);
	ck_assert_ptr_nonnull(threads);
	while ((thread = readdir(threads))) {
		if (thread->d_name[0] == '.')
			continue;
		switches = count_switches(daemon->pid, thread->d_name);
		found += switches > 0;
		count += switches;
	}
	closedir(threads);
	ck_assert_uint_eq(found, daemon->options.workers);
	return count;
}

/* With an idle connection, timeouts far away and a manager that was told: it sleeps, also after
 * more datagrams than it reads at once. */
START_TEST(sleeps_while_idle)
{
	enum { DATAGRAMS = 100 };
	struct daemon daemon;
	unsigned long before;
	int fd, busy = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	daemon_prepare(&daemon);
	daemon.options.workers = (unsigned)_i;
	daemon.options.exchange.idle_timeout = 3600000 * MSEC;
	daemon.options.exit_idle_time = 3600000 * MSEC;
	ck_assert_int_eq(connect(busy, &daemon.datagram.any, daemon.datagram.length), 0);
	for (int i = 0; i < DATAGRAMS; i++)
		ask(busy, "x");
	daemon_start(&daemon);
	for (int i = 0; i < DATAGRAMS; i++)
		hear(busy, "X");
	fd = converse(&daemon);
	expect_notice(&daemon, "STATUS=Connections: 1 open, 1 served, 0 refused. "
			       "Datagrams: 100 answered");
	(void)has_ended(&daemon, 50);
	before = count_wakeups(&daemon);
	ck_assert(!has_ended(&daemon, 1000));
	ck_assert_uint_eq(count_wakeups(&daemon), before);
	close(busy);
	close(fd);
	daemon_stop(&daemon);
}
END_TEST

/* Several workers: all is served and counted together, and ended together. */
START_TEST(works_in_threads)
{
	struct daemon daemon;
	int fds[32];

	daemon_prepare(&daemon);
	daemon.options.workers = 3;
	daemon.options.connections_max = 32;
	daemon_start(&daemon);
	for (int i = 0; i < 32; i++)
		fds[i] = converse(&daemon);
	for (int i = 0; i < 32; i++)
		ask_by_datagram(&daemon);

	int extra = connect_to(&daemon.stream);

	hear_the_end(extra);
	close(extra);
	for (int i = 0; i < 32; i++) {
		ask(fds[i], "again");
		hear(fds[i], "AGAIN");
		close(fds[i]);
	}
	daemon_signal(&daemon, SIGTERM);
	expect_notice(&daemon, "STOPPING=1\nSTATUS=Connections: 0 open, 32 served, 1 refused "
			       "(connections-max 1). Datagrams: 32 answered, 0 refused. "
			       "Bytes: 480 in, 480 out, 0 unsent.");
	expect_end(&daemon);
}
END_TEST

/* What can't be served is told by the name of what failed, before READY. */
START_TEST(names_what_failed)
{
	struct server_options options = quiet_options();
	struct endpoint item = {
		.fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
		.kind = ENDPOINT_LISTENING,
	};
	struct endpoints endpoints = {.items = &item, .count = 1};
	const char *what = NULL;

	options.workers = (unsigned)_i;
	ck_assert_int_eq(server_run(&options, &endpoints, &what), -EPERM);
	ck_assert_str_eq(what, "sockets");
	close(item.fd);
}
END_TEST

int main(void)
{
	const char *no_limit = unit_lacks_descriptor_limit();
	const struct unit_row rows[] = {
		UNIT_ONCE("notices", serves_and_tells),
		UNIT_ONCE("notices", tells_once_a_second),
		UNIT_ONCE("notices", reports_when_asked),
		UNIT_ONCE("notices", feeds_the_watchdog),
		UNIT_ONCE("notices", does_not_feed_the_watchdog_for_a_stuck_worker),
		UNIT_ONCE("notices", is_not_held_up_by_a_deaf_manager),
		UNIT_LOOP("notices", reloads, 0, 2),
		UNIT_LOOP("notices", asks_for_time_to_drain, 0, 2),
		UNIT_LOOP("stopping", ends_when_told, 0, 2),
		UNIT_LOOP("stopping", drains, 1, 3),
		UNIT_LOOP("stopping", second_signal_ends_at_once, 1, 3),
		UNIT_LOOP("stopping", drains_so_long, 0, 2),
		UNIT_LOOP("stopping", drains_the_silent, 1, 3),
		UNIT_LOOP("stopping", hands_over, 1, 4),
		UNIT_LOOP("stopping", turns_away_while_it_drains, 1, 3),
		UNIT_ONCE("stopping", drains_who_comes_to_a_late_worker),
		UNIT_LOOP("idle", exits_when_idle, 0, 2),
		UNIT_ONCE("stopping", hands_over_what_the_store_takes),
		UNIT_ONCE("idle", stays_if_it_opened_its_sockets),
		UNIT_LOOP("idle", is_not_idle_while_connected, 1, 3),
		UNIT_LOOP("idle", is_not_idle_while_a_silent_one_is_connected, 1, 3),
		UNIT_ONCE("idle", is_not_idle_while_asked),
		UNIT_ONCE("idle", serves_what_waits_before_it_is_idle),
		UNIT_LOOP("idle", is_not_idle_while_somebody_is_connected, 0, 2),
		UNIT_ONCE("idle", closes_the_silent),
		UNIT_LOOP("idle", ends_with_its_only_conversation, 0, 2),
		UNIT_ONCE("life", ends_if_there_is_nothing_to_serve),
		UNIT_LOOP("idle", sleeps_while_idle, 1, 3),
		UNIT_LOOP_UNLESS(no_limit, "limits", accepts_again, 0, 1),
		UNIT_ONCE("workers", works_in_threads),
		UNIT_ONCE("workers", a_worker_that_fails_is_the_end),
		UNIT_LOOP("failures", names_what_failed, 1, 3),
		{0},
	};

	return unit_run("server", rows);
}
