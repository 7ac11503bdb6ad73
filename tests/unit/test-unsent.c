/* SPDX-License-Identifier: ISC */

/* Tests of server/unsent.h: rests of answers, counted exactly, below one limit for all workers. */

#include <limits.h>
#include <pthread.h>

#include "server/unsent.h"
#include "unit.h"

#define LARGEST ((size_t)1000)

static char bytes[LARGEST];

START_TEST(keeps_and_counts)
{
	struct unsent_limit limit;
	struct status status = {0};
	struct unsent *first, *second;

	unsent_limit_init(&limit, 2000, 1, LARGEST);
	memcpy(bytes, "abc", 3);
	first = unsent_keep(&limit, &status, bytes, 3);
	second = unsent_keep(&limit, &status, bytes, LARGEST);
	ck_assert(first && second);
	ck_assert_uint_eq(first->begin, 0);
	ck_assert_uint_eq(first->end, 3);
	ck_assert_mem_eq(first->bytes, "abc", 3);
	ck_assert_uint_eq(limit.kept, 1003);
	ck_assert_uint_eq(status.bytes_unsent, 1003);
	/* Until all is sent all of it is kept. */
	first->begin = 2;
	unsent_release(&limit, &status, first);
	ck_assert_uint_eq(limit.kept, 1000);
	unsent_release(&limit, &status, second);
	unsent_release(&limit, &status, NULL);
	ck_assert_uint_eq(limit.kept, 0);
	ck_assert_uint_eq(status.bytes_unsent, 0);
}
END_TEST

/* As much as the reserve leaves, to the byte. */
START_TEST(has_room_up_to_the_reserve)
{
	static const struct {
		size_t maximum;
		unsigned workers;
		size_t kept;
		bool has_room;
	} rows[] = {{5000, 1, 0, true},        {5000, 1, 4000, true},
		    {5000, 1, 4001, false},    {5000, 2, 3000, true},
		    {5000, 2, 3001, false},    {5000, 5, 0, true},
		    {5000, 5, 1, false},       {4999, 5, 0, false},
		    {0, 1, 0, false},          {UNSENT_ANY, 256, SIZE_MAX - 1, true},
		    {5000, UINT_MAX, 0, false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unsent_limit limit;

		unsent_limit_init(&limit, rows[i].maximum, rows[i].workers, LARGEST);
		limit.kept = rows[i].kept;
		ck_assert_msg(unsent_limit_has_room(&limit) == rows[i].has_room, "row %zu", i);
	}
	for (size_t surplus = SIZE_MAX; surplus > SIZE_MAX / 2; surplus -= SIZE_MAX / 3) {
		struct unsent_limit limit;

		unsent_limit_init(&limit, UNSENT_ANY - 1, 2, surplus);
		ck_assert(!unsent_limit_has_room(&limit));
	}
}
END_TEST

/* At worst: all workers look at the sum before any adds to it. It comes to the maximum then, and
 * not above. */
START_TEST(all_workers_at_once)
{
	enum { WORKERS = 7 };
	struct unsent_limit limit;
	struct status status = {0};
	struct unsent *kept[WORKERS];

	unsent_limit_init(&limit, 10000, WORKERS, LARGEST);
	limit.kept = 3000;
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert(unsent_limit_has_room(&limit));
	for (unsigned i = 0; i < WORKERS; i++) {
		kept[i] = unsent_keep(&limit, &status, bytes, LARGEST);
		ck_assert_uint_le(limit.kept, 10000);
		ck_assert(!unsent_limit_has_room(&limit));
	}
	ck_assert_uint_eq(limit.kept, 10000);
	for (unsigned i = 0; i < WORKERS; i++)
		unsent_release(&limit, &status, kept[i]);
}
END_TEST

#define THREADS  4
#define CLIENTS  8
#define ROUNDS   20000
#define SMALLEST 10
#define MAXIMUM  (THREADS * LARGEST + 5000)

struct worker_thread {
	pthread_t thread;
	struct unsent_limit *limit;
	struct status status;
	size_t most;
};

/* Clients that take nothing for a while, served as connections are. */
static void *keep_and_release(void *userdata)
{
	struct worker_thread *worker = userdata;
	struct unsent *kept[CLIENTS] = {NULL};

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct unsent **client = &kept[i * 7 % CLIENTS];
		size_t length = unsent_limit_has_room(worker->limit) ? LARGEST : SMALLEST, sum;

		unsent_release(worker->limit, &worker->status, *client);
		*client = unsent_keep(worker->limit, &worker->status, bytes, length);
		sum = worker->limit->kept;
		worker->most = sum > worker->most ? sum : worker->most;
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		unsent_release(worker->limit, &worker->status, kept[i]);
	return NULL;
}

START_TEST(threads_share_it)
{
	struct worker_thread workers[THREADS];
	struct unsent_limit limit;

	unsent_limit_init(&limit, MAXIMUM, THREADS, LARGEST - SMALLEST);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker_thread){.limit = &limit};
		ck_assert_int_eq(
			pthread_create(&workers[i].thread, NULL, keep_and_release, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
		ck_assert_uint_eq(workers[i].status.bytes_unsent, 0);
		ck_assert_uint_gt(workers[i].most, 5000);
		ck_assert_uint_le(workers[i].most, MAXIMUM + THREADS * CLIENTS * SMALLEST);
	}
	ck_assert_uint_eq(limit.kept, 0);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("unsent_keep", keeps_and_counts),
		UNIT_ONCE("unsent_limit_has_room", has_room_up_to_the_reserve),
		UNIT_ONCE("unsent_limit_has_room", all_workers_at_once),
		UNIT_ONCE("unsent_limit_has_room", threads_share_it),
		{0},
	};

	return unit_run("unsent", rows);
}
