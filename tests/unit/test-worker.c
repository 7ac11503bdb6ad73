/* SPDX-License-Identifier: ISC */

/* Tests of server/worker.h: a worker in its thread that is alive, stuck, or failed. */

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exchange/exchange-options.h"
#include "net/socket.h"
#include "rig.h"
#include "server/worker.h"
#include "util/error.h"

static struct admission admission;
static news_wanted news;
static struct worker_options options;
static struct worker worker;

/* A descriptor that is always ready: the worker gets stuck on it. */
static struct loop_source trap;
static sem_t is_stuck, may_go_on;

static sem_t was_active;

static void on_active(struct worker *who, void *userdata)
{
	(void)userdata;
	ck_assert_ptr_eq(who, &worker);
	(void)sem_post(&was_active);
}

static void begin(void)
{
	admission_init(&admission, SIZE_MAX, ADMISSION_ANY);
	options = (struct worker_options){
		.exchange = exchange_options_default(&service),
		.admission = &admission,
		.news = &news,
	};
	options.exchange.idle_timeout = PARSE_INFINITY;
	atomic_init(&news, NEWS_NONE);
	ck_assert_int_eq(sem_init(&was_active, 0, 0), 0);
	ck_assert_int_eq(sem_init(&is_stuck, 0, 0), 0);
	ck_assert_int_eq(sem_init(&may_go_on, 0, 0), 0);
	ck_assert_int_eq(worker_init(&worker, &options, false), 0);
	worker.active = on_active;
}

static void end(void)
{
	worker_join(&worker);
	worker_free(&worker);
	admission_free(&admission);
}

/* How often from now on there is no memory to wait for one descriptor more. */
static unsigned shortages;

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	if (operation == EPOLL_CTL_ADD && shortages > 0) {
		shortages--;
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

/* Until the worker was seen to turn; asked for as the watchdog does. */
static void expect_life(void)
{
	for (unsigned i = 0; !worker_is_alive(&worker); i++) {
		ck_assert_uint_lt(i, 10000);
		(void)poll(NULL, 0, 1);
	}
}

static void get_stuck(struct loop_source *source, uint32_t events)
{
	(void)source;
	(void)events;
	(void)sem_post(&is_stuck);
	(void)sem_wait(&may_go_on);
}

static void do_nothing(struct loop_source *source, uint32_t events)
{
	(void)source;
	(void)events;
}

/* Rounds with data, as many; returns how often the server heard of them. */
static int count_news(unsigned rounds)
{
	int heard = 0;

	for (unsigned i = 0; i < rounds; i++)
		ck_assert_int_eq(loop_round(&worker.loop, 0), 0);
	while (sem_trywait(&was_active) == 0)
		heard++;
	return heard;
}

START_TEST(tells_what_is_wanted)
{
	int ends[2];

	begin();
	ck_assert_int_eq(pipe(ends), 0);
	trap.ready = do_nothing;
	ck_assert_int_eq(loop_add(&worker.loop, ends[1], EPOLLOUT, &trap), 0);
	ck_assert_int_eq(count_news(3), 0);
	news_want(&news, NEWS_ANY);
	ck_assert_int_eq(count_news(3), 1);

	/* A limit that was met while nobody asked is known by who asks for more. */
	status_refuse_connection(&worker.status, REFUSAL_CONNECTIONS_MAX);
	ck_assert_int_eq(count_news(1), 0);
	news_want(&news, NEWS_LIMITS);
	ck_assert_int_eq(count_news(3), 0);
	status_refuse_connection(&worker.status, REFUSAL_CONNECTIONS_MAX);
	ck_assert_int_eq(count_news(3), 1);

	news_want(&news, NEWS_ALL);
	ck_assert_int_eq(count_news(3), 3);
	end();
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(is_alive_while_its_loop_turns)
{
	begin();
	ck_assert_int_eq(worker_start(&worker), 0);
	for (int i = 0; i < 10; i++)
		expect_life();
	end();
}
END_TEST

START_TEST(is_not_alive_while_it_is_stuck)
{
	int ends[2];

	begin();
	ck_assert_int_eq(pipe(ends), 0);
	trap.ready = get_stuck;
	ck_assert_int_eq(loop_add(&worker.loop, ends[1], EPOLLOUT | EPOLLONESHOT, &trap), 0);
	ck_assert_int_eq(worker_start(&worker), 0);
	(void)sem_wait(&is_stuck);
	ck_assert(worker_is_alive(&worker)); /* until it was asked once */
	(void)poll(NULL, 0, 20);
	ck_assert(!worker_is_alive(&worker));
	ck_assert(!worker_is_alive(&worker));
	(void)sem_post(&may_go_on);
	expect_life();
	end();
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Its descriptor is taken from under it: epoll_wait(2) fails the next time. */
START_TEST(says_that_it_failed)
{
	begin();
	ck_assert_int_eq(worker_start(&worker), 0);
	expect_life();
	ck_assert_int_eq(worker.failure, 0);
	/* Behind the back of ThreadSanitizer, which would be right. */
	ck_assert_int_eq(syscall(SYS_close, worker.loop.epoll_fd), 0);
	(void)worker_is_alive(&worker);
	while (worker.failure == 0) {
		(void)sem_wait(&was_active);
		(void)worker_is_alive(&worker);
	}
	ck_assert_int_eq(worker.failure, -EBADF);
	(void)poll(NULL, 0, 20);
	(void)worker_is_alive(&worker);
	ck_assert(!worker_is_alive(&worker));
	worker_join(&worker);
	worker.loop.epoll_fd = -1;
	end();
}
END_TEST

/* What it is told is done, though it is asked at the same time. */
START_TEST(is_told_while_it_is_asked)
{
	begin();
	ck_assert_int_eq(worker_start(&worker), 0);
	(void)worker_is_alive(&worker);
	worker_stop(&worker);
	(void)worker_is_alive(&worker);
	(void)sem_wait(&was_active);
	/* The second time it has turned since the first. */
	expect_life();
	expect_life();
	ck_assert_int_ne(sem_trywait(&was_active), 0);
	end();
}
END_TEST

/* Once the worker is told more than this, it hears of it. */
static void *release_later(void *before)
{
	while (worker.command == *(const int *)before)
		(void)poll(NULL, 0, 1);
	(void)sem_post(&may_go_on);
	return NULL;
}

/* What it was told before it was told to end is done, though it hears of both at once. */
START_TEST(does_all_before_it_ends)
{
	struct address address = rig_address("127.0.0.1", 0);
	struct endpoint endpoint = {.fd = socket_open(&address, SOCK_STREAM),
				    .kind = ENDPOINT_LISTENING};
	pthread_t thread;
	int ends[2], told;

	begin();
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(worker_serve(&worker, &endpoint), 0);
	trap.ready = get_stuck;
	ck_assert_int_eq(loop_add(&worker.loop, ends[1], EPOLLOUT | EPOLLONESHOT, &trap), 0);
	ck_assert_int_eq(worker_start(&worker), 0);
	(void)sem_wait(&is_stuck);
	worker_stop(&worker);
	told = worker.command;
	ck_assert_int_eq(pthread_create(&thread, NULL, release_later, &told), 0);
	worker_join(&worker);
	ck_assert(!worker.has_thread);
	ck_assert_ptr_null(worker.streams.listeners);
	(void)pthread_join(thread, NULL);
	end();
	close(endpoint.fd);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* No descriptor is left to accept with. */
static void run_out_of_descriptors(const struct address *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), next = dup(fd);
	struct rlimit before, none;

	ck_assert_int_eq(connect(fd, &address->any, address->length), 0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	while (!worker.streams.paused)
		ck_assert_int_eq(loop_round(&worker.loop, 1000), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(fd);
}

/* Though nothing happens meanwhile. */
START_TEST(tries_to_accept_until_it_can)
{
	struct address address = rig_address("127.0.0.1", 0);
	struct endpoint endpoint = {.fd = socket_open(&address, SOCK_STREAM),
				    .kind = ENDPOINT_LISTENING};

	begin();
	ck_assert_int_eq(worker_serve(&worker, &endpoint), 0);
	ck_assert_int_eq(socket_get_name(endpoint.fd, &address), 0);
	run_out_of_descriptors(&address);
	shortages = 2;
	for (unsigned tries = 0; tries < 3; tries++) {
		ck_assert(worker.streams.paused);
		ck_assert_uint_le(worker.resume_timer.deadline, worker.loop.now + 1000000);
		timer_set(&worker.resume_timer, worker.loop.now);
		while (worker.resume_timer.deadline <= worker.loop.now)
			ck_assert_int_eq(loop_round(&worker.loop, 1000), 0);
	}
	ck_assert(!worker.streams.paused);
	ck_assert_uint_eq(worker.resume_timer.deadline, TIMER_NEVER);
	end();
	close(endpoint.fd);
}
END_TEST

int main(void)
{
	const char *no_limit = unit_lacks_descriptor_limit();
	const struct unit_row rows[] = {
		UNIT_ONCE("worker_init", tells_what_is_wanted),
		UNIT_ONCE("worker_is_alive", is_alive_while_its_loop_turns),
		UNIT_ONCE("worker_is_alive", is_not_alive_while_it_is_stuck),
		UNIT_ONCE("worker_is_alive", is_told_while_it_is_asked),
		UNIT_ONCE("worker_start", says_that_it_failed),
		UNIT_LOOP_UNLESS(no_limit, "worker_serve", tries_to_accept_until_it_can, 0, 1),
		UNIT_ONCE("worker_join", does_all_before_it_ends),
		{0},
	};

	return unit_run("worker", rows);
}
