/* SPDX-License-Identifier: ISC */

/* Tests of server/ledger.h: slots, and finding them again in another process. */

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/ledger.h"
#include "unit.h"
#include "util/error.h"

/* What another process has of it. */
static int descriptor_of(const struct ledger *ledger)
{
	int fd = fcntl(ledger->fd, F_DUPFD_CLOEXEC, 3);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(has_a_slot_for_each)
{
	struct ledger ledger;
	bool seen[64] = {false};
	uint32_t slot, count = 0;

	ck_assert_int_eq(ledger_make(&ledger, 10), 0);
	while ((slot = ledger_enter(&ledger)) > 0) {
		ck_assert_uint_lt(slot, 64);
		ck_assert(!seen[slot]);
		seen[slot] = true;
		ck_assert_int_eq(ledger_get(&ledger, slot), LEDGER_AT_REST);
		count++;
	}
	ck_assert_uint_eq(count, 20);
	for (slot = 0; slot < 64; slot++)
		if (seen[slot] && slot % 3 == 0)
			ledger_set(&ledger, slot, LEDGER_FREE);
	while ((slot = ledger_enter(&ledger)) > 0)
		ck_assert_uint_eq(slot % 3, 0);
	ledger_free(&ledger);
}
END_TEST

/* One that was left is not used again while there are others. */
START_TEST(takes_turns)
{
	struct ledger ledger;
	uint32_t last = 0;

	ck_assert_int_eq(ledger_make(&ledger, 10), 0);
	for (int i = 0; i < 20; i++) {
		uint32_t slot = ledger_enter(&ledger);

		ck_assert_uint_gt(slot, last);
		last = slot;
		ledger_set(&ledger, slot, LEDGER_FREE);
	}
	ck_assert_uint_lt(ledger_enter(&ledger), last);
	ledger_free(&ledger);
}
END_TEST

/* The next process finds the marks, has room for more connections, and frees what it did not find.
 */
START_TEST(goes_on)
{
	struct ledger first, second;
	uint32_t slots[4];

	ck_assert_int_eq(ledger_make(&first, 4), 0);
	for (int i = 0; i < 4; i++)
		slots[i] = ledger_enter(&first);
	ledger_set(&first, slots[1], LEDGER_BUSY);
	ledger_set(&first, slots[2], LEDGER_STATED);
	ck_assert_int_eq(ledger_adopt(&second, descriptor_of(&first), (size_t)_i), 0);
	ledger_free(&first);
	ck_assert_uint_eq(second.size, 16 + 2 * (_i > 4 ? (size_t)_i : 4));

	ck_assert_int_eq(ledger_take(&second, slots[0]), LEDGER_AT_REST);
	ck_assert_int_eq(ledger_take(&second, slots[0]), LEDGER_FREE);
	ck_assert_int_eq(ledger_take(&second, slots[1]), LEDGER_BUSY);
	ck_assert_int_eq(ledger_take(&second, slots[2]), LEDGER_STATED);
	ck_assert_int_eq(ledger_get(&second, slots[3]), LEDGER_AT_REST);
	ledger_sweep(&second);
	ck_assert_int_eq(ledger_get(&second, slots[0]), LEDGER_AT_REST);
	ck_assert_int_eq(ledger_get(&second, slots[3]), LEDGER_FREE);
	ledger_free(&second);
}
END_TEST

/* By more than what is left of its last page. */
START_TEST(grows)
{
	struct ledger first, second;
	uint32_t count = 0;

	ck_assert_int_eq(ledger_make(&first, 4), 0);
	ck_assert_int_eq(ledger_adopt(&second, descriptor_of(&first), 10000), 0);
	ledger_free(&first);
	ledger_sweep(&second);
	while (ledger_enter(&second) > 0)
		count++;
	ck_assert_uint_eq(count, 20000);
	ledger_free(&second);
}
END_TEST

START_TEST(knows_no_other_slots)
{
	static const uint64_t others[] = {0, 1, 15, 36, 37, UINT64_C(1) << 32 | 16, UINT64_MAX};
	struct ledger ledger, none = {.fd = -1};

	ck_assert_int_eq(ledger_make(&ledger, 10), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ck_assert_int_eq(ledger_get(&ledger, others[i]), LEDGER_FREE);
		ck_assert_int_eq(ledger_take(&ledger, others[i]), LEDGER_FREE);
	}
	ck_assert_int_eq(ledger_get(&none, 16), LEDGER_FREE);
	ck_assert_int_eq(ledger_take(&none, 16), LEDGER_FREE);
	ledger_set(&ledger, 16, (enum ledger_mark)200);
	ck_assert_int_eq(ledger_get(&ledger, 16), LEDGER_FREE);
	ledger_free(&ledger);
	ledger_free(&none);
}
END_TEST

/* As many slots as a connection can name, whatever the limit. */
START_TEST(has_an_end)
{
	struct ledger ledger;

	ck_assert_int_eq(ledger_make(&ledger, SIZE_MAX), 0);
	ck_assert_uint_eq(ledger.size, 1 << LEDGER_SLOT_BITS);
	ledger_free(&ledger);
}
END_TEST

static void expect_refusal(int fd)
{
	struct ledger ledger;

	ck_assert_int_eq(ledger_adopt(&ledger, fd, 10), -EBADMSG);
	ck_assert_int_eq(close(fd), 0);
}

START_TEST(refuses_what_it_is_not)
{
	const uint64_t nothing = 0;
	struct ledger ledger;
	int fd;

	/* No memfd; without seals; with the head damaged; another version; nothing behind the head.
	 */
	expect_refusal(open("/dev/null", O_RDWR | O_CLOEXEC));
	fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(fd, 36), 0);
	expect_refusal(fd);
	for (off_t at = 0; at <= 8; at += 8) {
		ck_assert_int_eq(ledger_make(&ledger, 10), 0);
		ck_assert_int_eq(pwrite(ledger.fd, &nothing, sizeof(nothing), at), sizeof(nothing));
		fd = descriptor_of(&ledger);
		ledger_free(&ledger);
		expect_refusal(fd);
	}
	ck_assert_int_eq(ledger_make(&ledger, 0), 0);
	fd = descriptor_of(&ledger);
	ledger_free(&ledger);
	expect_refusal(fd);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("ledger_enter", has_a_slot_for_each),
		UNIT_ONCE("ledger_enter", takes_turns),
		UNIT_LOOP("ledger_adopt", goes_on, 3, 6),
		UNIT_ONCE("ledger_adopt", grows),
		UNIT_ONCE("ledger_adopt", refuses_what_it_is_not),
		UNIT_ONCE("ledger_take", knows_no_other_slots),
		UNIT_ONCE("ledger_make", has_an_end),
		{0},
	};

	return unit_run("ledger", rows);
}
