/* SPDX-License-Identifier: ISC */

/* Tests of client/client.h: failures, their lines and exit codes. */

#include "client-rig.h"

static const struct {
	uint64_t usec;
	const char *text;
} times[] = {
	{1, "1us"},          {999, "999us"},  {1000, "1ms"},     {1500, "1500us"},
	{1500000, "1500ms"}, {5000000, "5s"}, {90000000, "90s"}, {86400000000, "86400s"},
};

START_TEST(prints_times)
{
	char text[CLIENT_TIME_MAX];

	ck_assert_str_eq(client_print_time(times[_i].usec, text), times[_i].text);
}
END_TEST

static enum program_exit miss_two(struct client *client)
{
	ck_assert_int_eq(client_exit(client), EXIT_ANSWERED);
	client_miss(client, "%s", "one");
	ck_assert_int_eq(client_exit(client), EXIT_MISSING);
	client_miss(client, "two of %d", 3);
	return client_exit(client);
}

START_TEST(reports_what_is_missing)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "", 0);
	rig.client.answers.as_lines = true;
	ck_assert_int_eq(answers_take(&rig.client.answers, "half", 4), 0);
	ck_assert_int_eq(rig_ask(&rig, miss_two), EXIT_MISSING);
	rig_expect_errors(&rig, "server: one\nserver: two of 3\n");
	file_expect(rig.output, "half\n", 5); /* the line is the error's alone */
	rig_close(&rig);
}
END_TEST

static enum program_exit fail_all(struct client *client)
{
	(void)client;
	ck_assert_int_eq(client_fail_input(-EIO), EXIT_TROUBLE);
	ck_assert_int_eq(client_fail_output(-EPIPE), EXIT_MISSING); /* quietly */
	return client_fail_output(-ENOSPC);
}

START_TEST(reports_failures_of_its_own)
{
	struct rig rig;

	rig_open(&rig, SOCK_STREAM, rig_answer_stream, "", 0);
	ck_assert_int_eq(rig_ask(&rig, fail_all), EXIT_TROUBLE);
	rig_expect_errors(&rig, "standard input: Input/output error\n"
				"standard output: No space left on device\n");
	rig_close(&rig);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("client_print_time", prints_times, 0, sizeof(times) / sizeof(times[0])),
		UNIT_ONCE("client_miss", reports_what_is_missing),
		UNIT_ONCE("client_fail", reports_failures_of_its_own),
		{.group = NULL},
	};

	return unit_run("client", rows);
}
