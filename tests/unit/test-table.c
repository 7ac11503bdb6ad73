/* SPDX-License-Identifier: ISC */

/* Tests of server/table.h. */

#include "server/table.h"
#include "unit.h"

#define MANY 1000

static struct table_entry entries[MANY];

/* Every entry is where it says, and none is there twice. */
static void check(const struct table *table, size_t count)
{
	size_t wrong = 0;

	ck_assert_uint_eq(table->count, count);
	for (size_t i = 0; i < count; i++)
		wrong += table->entries[i]->index != i;
	ck_assert_uint_eq(wrong, 0);
}

static void fill(struct table *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(table_join(table, &entries[i]), 0);
}

START_TEST(grows)
{
	struct table table = {0};

	fill(&table, MANY);
	check(&table, MANY);
	for (size_t i = 0; i < MANY; i++)
		ck_assert_ptr_eq(table.entries[i], &entries[i]);
	table_free(&table);
	check(&table, 0);
}
END_TEST

START_TEST(closes_gaps)
{
	struct table table = {0};

	fill(&table, 4);
	table_leave(&table, &entries[1]);
	check(&table, 3);
	ck_assert_ptr_eq(table.entries[1], &entries[3]);
	table_leave(&table, &entries[2]); /* the last one */
	check(&table, 2);
	table_leave(&table, &entries[0]);
	check(&table, 1);
	ck_assert_ptr_eq(table.entries[0], &entries[3]);
	table_leave(&table, &entries[3]);
	check(&table, 0);
	fill(&table, 2);
	check(&table, 2);
	table_free(&table);
}
END_TEST

START_TEST(empties_in_any_order)
{
	struct table table = {0};

	fill(&table, MANY);
	/* 7 and 1000 have no common divisor: each comes once. */
	for (size_t i = 0; i < MANY; i++) {
		table_leave(&table, &entries[i * 7 % MANY]);
		check(&table, MANY - 1 - i);
	}
	table_free(&table);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("table_join", grows),
		UNIT_ONCE("table_leave", closes_gaps),
		UNIT_ONCE("table_leave", empties_in_any_order),
		{0},
	};

	return unit_run("table", rows);
}
