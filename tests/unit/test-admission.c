/* SPDX-License-Identifier: ISC */

/* Tests of server/admission.h. */

#include <pthread.h>

#include "server/admission.h"
#include "unit.h"
#include "util/error.h"

static struct address peer(const char *text)
{
	struct address address;

	ck_assert_int_eq(address_parse(text, &address), 0);
	return address;
}

static int enter(struct admission *admission, const char *text, uint64_t *ret_place)
{
	struct address address = peer(text);

	return admission_enter(admission, &address, ret_place);
}

START_TEST(admits_exactly_the_maximum)
{
	struct admission admission;
	uint64_t places[3], other = 77;

	admission_init(&admission, 3, ADMISSION_ANY);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(enter(&admission, "127.0.0.1:5000", &places[i]), 0);
	ck_assert_int_eq(enter(&admission, "127.0.0.2:5000", &other), -EUSERS);
	ck_assert_uint_eq(other, 77);
	admission_leave(&admission, places[1]);
	ck_assert_int_eq(enter(&admission, "127.0.0.2:5000", &places[1]), 0);
	ck_assert_int_eq(enter(&admission, "127.0.0.2:5000", &other), -EUSERS);
	ck_assert_int_eq(admission_enter(&admission, NULL, &other), -EUSERS);
	for (unsigned i = 0; i < 3; i++)
		admission_leave(&admission, places[i]);
	admission_free(&admission);
}
END_TEST

START_TEST(counts_by_source)
{
	struct admission admission;
	uint64_t place, first, last;

	admission_init(&admission, 100, 2);
	ck_assert_int_eq(enter(&admission, "192.0.2.1:1000", &first), 0);
	ck_assert_int_eq(enter(&admission, "[::ffff:192.0.2.1]:1001", &place), 0);
	ck_assert_int_eq(enter(&admission, "192.0.2.1:1002", &place), -EDQUOT);
	ck_assert_int_eq(enter(&admission, "192.0.2.2:1000", &place), 0);
	/* A host has all of its /64, and not its neighbour's. */
	ck_assert_int_eq(enter(&admission, "[2001:db8:0:1::1]:1000", &place), 0);
	ck_assert_int_eq(enter(&admission, "[2001:db8:0:1:ffff::2]:1000", &last), 0);
	ck_assert_int_eq(enter(&admission, "[2001:db8:0:1::3]:1000", &place), -EDQUOT);
	ck_assert_int_eq(enter(&admission, "[2001:db8:0:2::1]:1000", &place), 0);
	/* Who was refused holds nothing; who left makes room for one. */
	admission_leave(&admission, first);
	ck_assert_int_eq(enter(&admission, "192.0.2.1:1003", &place), 0);
	ck_assert_int_eq(enter(&admission, "192.0.2.1:1004", &place), -EDQUOT);
	admission_leave(&admission, last);
	ck_assert_int_eq(enter(&admission, "[2001:db8:0:1::4]:1000", &place), 0);
	ck_assert_uint_eq(atomic_load(&admission.open), 6);
	admission_free(&admission);
}
END_TEST

/* Nothing of their source's either. */
START_TEST(the_refused_hold_nothing)
{
	struct admission admission;
	uint64_t places[3];

	admission_init(&admission, 2, 1);
	ck_assert_int_eq(enter(&admission, "192.0.2.1:1000", &places[0]), 0);
	ck_assert_int_eq(enter(&admission, "192.0.2.2:1000", &places[1]), 0);
	ck_assert_int_eq(enter(&admission, "192.0.2.3:1000", &places[2]), -EUSERS);
	admission_leave(&admission, places[0]);
	ck_assert_int_eq(enter(&admission, "192.0.2.3:1000", &places[2]), 0);
	admission_leave(&admission, places[1]);
	admission_leave(&admission, places[2]);
	ck_assert_ptr_null(admission.sources);
	admission_free(&admission);
}
END_TEST

START_TEST(has_no_source_for_other_families)
{
	struct admission admission;
	uint64_t place;

	admission_init(&admission, 100, 1);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(enter(&admission, "@peer", &place), 0);
		ck_assert_uint_eq(place, ADMISSION_NO_SOURCE);
		ck_assert_int_eq(admission_enter(&admission, NULL, &place), 0);
		admission_leave(&admission, place);
	}
	ck_assert_uint_eq(atomic_load(&admission.open), 5);
	admission_free(&admission);
}
END_TEST

START_TEST(forgets_sources_without_connections)
{
	struct admission admission;

	admission_init(&admission, 10, 5);
	for (unsigned i = 0; i < 10000; i++) {
		char text[64];
		uint64_t place;

		snprintf(text, sizeof(text), "10.0.%u.%u:1000", i / 250, i % 250);
		ck_assert_int_eq(enter(&admission, text, &place), 0);
		admission_leave(&admission, place);
		ck_assert_ptr_null(admission.sources);
	}
	admission_free(&admission);
}
END_TEST

#define THREADS 4
#define ROUNDS  100000

static struct admission shared;
static atomic_size_t inside;

struct visitor {
	pthread_t thread;
	const char *from;
	size_t most, refused;
};

/* Comes and goes. */
static void *visit(void *userdata)
{
	struct visitor *visitor = userdata;
	struct address address = peer(visitor->from);

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t place;
		size_t now;

		if (admission_enter(&shared, &address, &place) < 0) {
			visitor->refused++;
			continue;
		}
		now = atomic_fetch_add(&inside, 1) + 1;
		visitor->most = now > visitor->most ? now : visitor->most;
		atomic_fetch_sub(&inside, 1);
		admission_leave(&shared, place);
	}
	return NULL;
}

static void visit_all(struct visitor visitors[static THREADS])
{
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(visitors[i].thread, NULL), 0);
	ck_assert_uint_eq(atomic_load(&shared.open), 0);
	ck_assert_ptr_null(shared.sources);
	admission_free(&shared);
}

/* From several threads never one more than there may be, with and without a limit by source (_i).
 */
START_TEST(threads_get_no_place_too_many)
{
	struct visitor visitors[THREADS] = {{.from = "192.0.2.1:1000"},
					    {.from = "192.0.2.2:1000"},
					    {.from = "192.0.2.3:1000"},
					    {.from = "192.0.2.4:1000"}};

	admission_init(&shared, THREADS - 1, _i ? 1 : ADMISSION_ANY);
	visit_all(visitors);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_uint_le(visitors[i].most, THREADS - 1);
}
END_TEST

/* Nor is anybody refused for whom there is one: who is over the limit of their source takes no
 * place from another, not even for an instant. */
START_TEST(threads_get_every_place)
{
	struct visitor visitors[THREADS] = {{.from = "192.0.2.1:1000"},
					    {.from = "192.0.2.1:1001"},
					    {.from = "192.0.2.1:1002"},
					    {.from = "192.0.2.2:1000"}};

	admission_init(&shared, 2, 1);
	visit_all(visitors);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_uint_le(visitors[i].most, 2);
	ck_assert_uint_eq(visitors[THREADS - 1].refused, 0);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("admission_enter", admits_exactly_the_maximum),
		UNIT_ONCE("admission_enter", counts_by_source),
		UNIT_ONCE("admission_enter", the_refused_hold_nothing),
		UNIT_ONCE("admission_enter", has_no_source_for_other_families),
		UNIT_LOOP("admission_enter", threads_get_no_place_too_many, 0, 2),
		UNIT_ONCE("admission_enter", threads_get_every_place),
		UNIT_ONCE("admission_leave", forgets_sources_without_connections),
		{0},
	};

	return unit_run("admission", rows);
}
