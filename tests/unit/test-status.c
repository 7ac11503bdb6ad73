/* SPDX-License-Identifier: ISC */

/* Tests of server/status.h: the counters, and the line that shows them. */

#include "server/status.h"
#include "unit.h"

START_TEST(prints_nothing_yet)
{
	struct status status = {0};
	char text[STATUS_TEXT_MAX];

	ck_assert_ptr_eq(status_print(&status, text), text);
	ck_assert_str_eq(text, "Connections: 0 open, 0 served, 0 refused. "
			       "Datagrams: 0 answered, 0 refused. "
			       "Bytes: 0 in, 0 out, 0 unsent.");
}
END_TEST

START_TEST(prints_reasons)
{
	struct status status = {
		.connections_open = 1,
		.connections_served = 7,
		.datagrams_answered = 5,
		.bytes_in = 60,
		.bytes_out = 61,
		.bytes_unsent = 9,
	};
	char text[STATUS_TEXT_MAX];

	status_refuse_connection(&status, REFUSAL_CONNECTIONS_MAX);
	status_refuse_connection(&status, REFUSAL_CONNECTIONS_MAX);
	status_refuse_connection(&status, REFUSAL_MEMORY);
	status_refuse_datagram(&status, REFUSAL_OWN_PORT);
	status_refuse_datagram(&status, REFUSAL_SEND_FAILED);
	ck_assert_str_eq(status_print(&status, text),
			 "Connections: 1 open, 7 served, 3 refused (connections-max 2, "
			 "out of memory 1). Datagrams: 5 answered, 2 refused (own port 1, "
			 "send failed 1). Bytes: 60 in, 61 out, 9 unsent.");
	ck_assert_uint_eq(status_count_limited(&status), 5);
	status_cut_connection(&status);
	ck_assert_ptr_nonnull(
		strstr(status_print(&status, text),
		       "out of memory 1), 1 cut (out of memory). Datagrams: 5 answered"));
	status_pause_accepting(&status, SHORTAGE_DESCRIPTORS);
	status_shorten_read(&status);
	ck_assert_str_eq(strstr(status_print(&status, text), "9 unsent."),
			 "9 unsent. Accepting: paused (out of descriptors 1), resumed 0. "
			 "Reads: shortened (unsent-max 1).");
}
END_TEST

/* Every reason is shown, by a name of its own, and with the longest figures all still fits. */
START_TEST(prints_the_longest)
{
	struct status status;
	char text[STATUS_TEXT_MAX];
	size_t figures = 0;

	memset((void *)&status, 0xff, sizeof(status));
	status_print(&status, text);
	for (const char *next = text; (next = strstr(next, "18446744073709551615")); next++)
		figures++;
	/* All but the sum of those that are limits. */
	ck_assert_uint_eq(figures, sizeof(status) / sizeof(uint64_t) - 1);
	ck_assert_ptr_null(strstr(text, "(null)"));
	ck_assert_int_eq(text[strlen(text) - 1], '.');
}
END_TEST

/* What happened since, and nothing else. */
START_TEST(prints_what_was_limited)
{
	struct status status = {0}, before = {0};
	char text[STATUS_TEXT_MAX];

	ck_assert_ptr_null(status_print_limited(&status, &before, text));
	status_pause_accepting(&status, SHORTAGE_MEMORY);
	ck_assert_str_eq(status_print_limited(&status, &before, text),
			 "accepting paused: 1 (out of memory 1)");
	before = status;
	status_resume_accepting(&status);
	ck_assert_str_eq(status_print_limited(&status, &before, text), "accepting resumed: 1");
	status_pause_accepting(&status, SHORTAGE_DESCRIPTORS);
	status_refuse_connection(&status, REFUSAL_PER_SOURCE);
	status_refuse_datagram(&status, REFUSAL_RATE);
	status_cut_connection(&status);
	status_shorten_read(&status);
	status_shorten_read(&status);
	ck_assert_str_eq(status_print_limited(&status, &before, text),
			 "refused connections: 1 (connections-max-per-source 1), datagrams: 1 "
			 "(datagram-rate 1); connections cut: 1 (out of memory); accepting paused: "
			 "1 (out of descriptors 1), "
			 "resumed: 1; reads shortened: 2 (unsent-max)");
	before = status;
	status_cut_connection(&status);
	ck_assert_str_eq(status_print_limited(&status, &before, text),
			 "connections cut: 1 (out of memory)");
	before = status;
	status_shorten_read(&status);
	ck_assert_str_eq(status_print_limited(&status, &before, text),
			 "reads shortened: 1 (unsent-max)");
	status_count(&status.bytes_in, 1);
	ck_assert_ptr_null(status_print_limited(&status, &status, text));
	before = status;
	status_count(&status.limited, 1);
	ck_assert_ptr_null(status_print_limited(&status, &before, text));
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("status_print", prints_nothing_yet),
		UNIT_ONCE("status_print", prints_reasons),
		UNIT_ONCE("status_print", prints_the_longest),
		UNIT_ONCE("status_print_limited", prints_what_was_limited),
		{0},
	};

	return unit_run("status", rows);
}
