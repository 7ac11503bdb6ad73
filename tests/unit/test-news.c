/* SPDX-License-Identifier: ISC */

/* Tests of server/news.h: what is wanted is told once, by whoever comes first. */

#include <pthread.h>

#include "server/news.h"
#include "unit.h"

#define WORKERS 4
#define ROUNDS  100000

static news_wanted wanted;

START_TEST(is_told_once)
{
	atomic_init(&wanted, NEWS_NONE);
	ck_assert(!news_take(&wanted, true));

	news_want(&wanted, NEWS_ANY);
	ck_assert(news_take(&wanted, false));
	ck_assert(!news_take(&wanted, false));
	ck_assert(!news_take(&wanted, true));

	news_want(&wanted, NEWS_LIMITS);
	ck_assert(!news_take(&wanted, false));
	ck_assert(news_take(&wanted, true));
	ck_assert(!news_take(&wanted, true));
}
END_TEST

START_TEST(is_told_each_time_near_the_end)
{
	atomic_init(&wanted, NEWS_NONE);
	news_want(&wanted, NEWS_ALL);
	/* For good: the voice goes on wanting less. */
	news_want(&wanted, NEWS_LIMITS);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(news_take(&wanted, false));
}
END_TEST

static void *take(void *told)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		*(unsigned *)told += news_take(&wanted, false);
	return NULL;
}

START_TEST(is_told_by_one_of_many)
{
	unsigned told[WORKERS] = {0}, sum = 0, wishes = 1;
	pthread_t threads[WORKERS];

	atomic_init(&wanted, NEWS_NONE);
	news_want(&wanted, NEWS_ANY);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take, &told[i]), 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		if (wanted == NEWS_NONE) {
			news_want(&wanted, NEWS_ANY);
			wishes++;
		}
	for (unsigned i = 0; i < WORKERS; i++) {
		(void)pthread_join(threads[i], NULL);
		sum += told[i];
	}
	sum += news_take(&wanted, false);
	ck_assert_uint_eq(sum, wishes);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("news_take", is_told_once),
		UNIT_ONCE("news_want", is_told_each_time_near_the_end),
		UNIT_ONCE("news_take", is_told_by_one_of_many),
		{0},
	};

	return unit_run("news", rows);
}
