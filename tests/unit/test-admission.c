/* SPDX-License-Identifier: ISC */

/* Tests of server/admission.h. */

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

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("admission_enter", admits_exactly_the_maximum),
		UNIT_ONCE("admission_enter", counts_by_source),
		UNIT_ONCE("admission_enter", has_no_source_for_other_families),
		UNIT_ONCE("admission_leave", forgets_sources_without_connections),
		{0},
	};

	return unit_run("admission", rows);
}
