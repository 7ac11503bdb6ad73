/* SPDX-License-Identifier: ISC */

/* Tests of server/rate.h. */

#include "server/rate.h"

#include <pthread.h>

#include "unit.h"

#define SECOND UINT64_C(1000000)

/* How many answers a source gets at one time, at most tries. */
static unsigned take(struct rate *rate, uint64_t source, uint64_t now, unsigned tries)
{
	unsigned allowed = 0;

	for (unsigned i = 0; i < tries; i++)
		allowed += rate_allows(rate, source, now);
	return allowed;
}

static struct rate *make(uint32_t per_second)
{
	struct rate *rate = NULL;

	ck_assert_int_eq(rate_new(per_second, &rate), 0);
	return rate;
}

START_TEST(gives_a_second_at_once_and_no_more)
{
	struct rate *rate = make(100);

	ck_assert_uint_eq(take(rate, 1, 5 * SECOND, 1000), 100);
	ck_assert_uint_eq(take(rate, 2, 5 * SECOND, 1000), 100);
	ck_assert_uint_eq(take(rate, 1, 5 * SECOND, 1000), 0);
	rate_free(rate);
}
END_TEST

#define THREADS    4
#define PER_SECOND 100000

static struct rate *shared;
static pthread_barrier_t start;

static void *take_much(void *ret_allowed)
{
	(void)pthread_barrier_wait(&start);
	*(unsigned *)ret_allowed = take(shared, 1, SECOND, PER_SECOND);
	return NULL;
}

/* Several workers answer the same source, at the same time: no more than one would. */
START_TEST(counts_for_all_threads)
{
	unsigned allowed[THREADS], sum = 0;
	pthread_t threads[THREADS];

	shared = make(PER_SECOND);
	ck_assert_int_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_much, &allowed[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		sum += allowed[i];
	}
	ck_assert_uint_eq(sum, PER_SECOND);
	(void)pthread_barrier_destroy(&start);
	rate_free(shared);
}
END_TEST

START_TEST(refills_by_time)
{
	struct rate *rate = make(100);

	ck_assert_uint_eq(take(rate, 1, 5 * SECOND, 1000), 100);
	ck_assert_uint_eq(take(rate, 1, 5 * SECOND + 9999, 1000), 0);
	ck_assert_uint_eq(take(rate, 1, 5 * SECOND + 10000, 1000), 1);
	ck_assert_uint_eq(take(rate, 1, 5 * SECOND + SECOND / 2, 1000), 49);
	ck_assert_uint_eq(take(rate, 1, 60 * SECOND, 1000), 100);
	rate_free(rate);
}
END_TEST

START_TEST(takes_the_extremes)
{
	struct rate *slow = make(1), *fast = make(RATE_MAX);

	ck_assert_uint_eq(take(slow, UINT64_MAX, 1, 10), 1);
	ck_assert_uint_eq(take(slow, UINT64_MAX, SECOND, 10), 0);
	ck_assert_uint_eq(take(slow, UINT64_MAX, SECOND + 1, 10), 1);
	ck_assert_uint_eq(take(fast, 0, 1, 100000), 100000);
	rate_free(slow);
	rate_free(fast);
}
END_TEST

/* A flood of forged sources takes nobody's answers away, and gives nobody new ones. */
START_TEST(holds_in_a_flood)
{
	struct rate *rate = make(10);
	uint64_t now = SECOND, forged = 1000;
	unsigned good = 0, victim = 0, others = 0;

	for (unsigned second = 0; second < 5; second++)
		for (unsigned tenth = 0; tenth < 10; tenth++, now += SECOND / 10) {
			for (unsigned i = 0; i < 20000; i++) {
				others += rate_allows(rate, forged++, now);
				/* The victim's forged requests come among them. */
				victim += i % 10 == 0 && rate_allows(rate, 7, now);
			}
			good += rate_allows(rate, 8, now);
		}
	ck_assert_uint_eq(others, 1000000);
	ck_assert_uint_eq(good, 50);
	/* 10 at once and 10 in each second, of 100,000 that asked. */
	ck_assert_uint_le(victim, 60);
	ck_assert_uint_ge(victim, 50);
	rate_free(rate);
}
END_TEST

/* More sources than one set of the table has room for, as somebody finds them who may look inside:
 * each takes the place of the first one, which has its answer anew. */
static void find_of_one_set(struct rate *rate, uint64_t *sources, unsigned count)
{
	unsigned found = 0;

	sources[found++] = 1;
	ck_assert_uint_eq(take(rate, sources[0], SECOND, 2), 1);
	for (uint64_t other = 2; found < count; other++) {
		ck_assert_uint_eq(take(rate, other, SECOND, 2), 1);
		if (take(rate, sources[0], SECOND, 2) > 0)
			sources[found++] = other;
	}
}

/* Sources that push each other out of one table don't in another: they can't be chosen for it. */
START_TEST(keeps_its_sets_secret)
{
	uint64_t sources[20];
	struct rate *rate = make(1), *other = make(1);
	unsigned again = 0;

	find_of_one_set(rate, sources, 20);
	for (unsigned round = 0; round < 10; round++)
		for (unsigned i = 0; i < 20; i++) {
			again += take(rate, sources[i], 10 * SECOND, 2);
			ck_assert_uint_eq(take(other, sources[i], 10 * SECOND, 2), round == 0);
		}
	ck_assert_uint_gt(again, 100);
	rate_free(rate);
	rate_free(other);
}
END_TEST

START_TEST(forgets_all)
{
	struct rate *rate;

	ck_assert_int_eq(rate_new(1, &rate), 0);
	for (uint64_t source = 1; source <= 100; source++) {
		ck_assert(rate_allows(rate, source, 1000000));
		ck_assert(!rate_allows(rate, source, 1000000));
	}
	rate_forget(rate);
	for (uint64_t source = 1; source <= 100; source++) {
		ck_assert(rate_allows(rate, source, 1000000));
		ck_assert(!rate_allows(rate, source, 1000000));
	}
	rate_free(rate);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("rate_allows", gives_a_second_at_once_and_no_more),
		UNIT_ONCE("rate_allows", counts_for_all_threads),
		UNIT_ONCE("rate_allows", refills_by_time),
		UNIT_ONCE("rate_allows", takes_the_extremes),
		UNIT_ONCE("rate_allows", holds_in_a_flood),
		UNIT_ONCE("rate_allows", keeps_its_sets_secret),
		UNIT_ONCE("rate_forget", forgets_all),
		{0},
	};

	return unit_run("rate", rows);
}
