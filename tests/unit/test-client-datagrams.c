/* SPDX-License-Identifier: ISC */

/* Tests of client/datagrams.c. */

#include "client-rig.h"

/* One request at a time, upper case; what is done with it is the character's. */
struct request {
	char text[65536];
	size_t length;
	struct address peer;
};

static bool receive(int fd, struct request *request)
{
	ssize_t n;

	request->peer.length = sizeof(request->peer.storage);
	n = recvfrom(fd, request->text, sizeof(request->text), 0, &request->peer.any,
		     &request->peer.length);
	/* Shut down, it is empty and from nobody. */
	if (n < 0 || request->peer.length == 0)
		return false;
	request->length = (size_t)n;
	rig_upper(request->text, request->length);
	return true;
}

static void answer(int fd, const struct request *request)
{
	(void)sendto(fd, request->text, request->length, 0, &request->peer.any,
		     request->peer.length);
}

static bool is_same_peer(const struct request *a, const struct request *b)
{
	return a->peer.in.sin_port == b->peer.in.sin_port;
}

static void answer_all(struct rig *rig, int fd)
{
	static struct request request;

	while (receive(fd, &request)) {
		rig->conversations++;
		answer(fd, &request);
	}
}

/* The last try, after that many have been lost. */
static void answer_the_third(struct rig *rig, int fd)
{
	static struct request requests[3];

	for (;;) {
		for (size_t i = 0; i < 3; i++)
			if (!receive(fd, &requests[i]))
				return;
		ck_assert(is_same_peer(&requests[0], &requests[2]));
		rig->conversations++;
		answer(fd, &requests[2]);
	}
}

/* Three tries, three answers, when it is too late for two of them. */
static void answer_all_three(struct rig *rig, int fd)
{
	static struct request requests[3];

	for (;;) {
		for (size_t i = 0; i < 3; i++)
			if (!receive(fd, &requests[i]))
				return;
		for (size_t i = 0; i < 3; i++)
			answer(fd, &requests[i]);
		rig->conversations++;
	}
}

/* The answer to the sentence before comes first, again or at last. */
static void answer_the_one_before_too(struct rig *rig, int fd)
{
	static struct request now, before;

	before.length = 0;
	while (receive(fd, &now)) {
		rig->conversations++;
		if (before.length > 0) {
			ck_assert(!is_same_peer(&now, &before));
			answer(fd, &before);
		}
		if (now.text[0] != 'L') /* late */
			answer(fd, &now);
		before = now;
	}
}

static void answer_nobody(struct rig *rig, int fd)
{
	static struct request request;

	while (receive(fd, &request))
		rig->conversations++;
}

static const struct {
	void (*serve)(struct rig *rig, int fd);
	const char *text, *output, *errors;
	uint64_t timeout_usec, retries;
	unsigned conversations;
} cases[] = {
	{answer_all, "a\n\nb", "A\n\nB\n", "", 5000000, 0, 3},
	{answer_the_third, "a\nb\n", "A\nB\n", "", 200000, 2, 2},
	{answer_all_three, "a\nb\nc\n", "A\nB\nC\n", "", 200000, 2, 3},
	{answer_the_one_before_too, "a\nb\nc\n", "A\nB\nC\n", "", 5000000, 0, 3},
	{answer_the_one_before_too, "a\nlate\nc\n", "A\nC\n",
	 "server: no answer to line 2 within 300ms\n", 300000, 0, 3},
	{answer_nobody, "a\nb\n", "",
	 "server: no answer to line 1 after 3 tries of 10ms\n"
	 "server: no answer to line 2 after 3 tries of 10ms\n",
	 10000, 2, 6},
};

START_TEST(gets_the_right_answer_or_none)
{
	struct rig rig;

	rig_open(&rig, SOCK_DGRAM, cases[_i].serve, cases[_i].text, strlen(cases[_i].text));
	rig.arguments.timeout_usec = cases[_i].timeout_usec;
	rig.arguments.retries = cases[_i].retries;
	ck_assert_int_eq(rig_ask(&rig, datagrams_ask),
			 cases[_i].errors[0] ? EXIT_MISSING : EXIT_ANSWERED);
	rig_expect_errors(&rig, cases[_i].errors);
	file_expect(rig.output, cases[_i].output, strlen(cases[_i].output));
	rig_close(&rig);
	ck_assert_uint_eq(rig.conversations, cases[_i].conversations);
}
END_TEST

/* Up to the longest there is, and the one that is longer than that. */
START_TEST(asks_long_lines_or_says_that_they_are)
{
	size_t length = (size_t[]){1, 1473, 65506, 65507, 65508, 300000}[_i];
	_cleanup_free_ char *text = malloc(length + 3);
	struct rig rig;

	memset(text, 'x', length);
	memcpy(text + length, "\nb\n", 3);
	rig_open(&rig, SOCK_DGRAM, answer_all, text, length + 3);
	rig_upper(text, length + 3);
	if (length <= 65507) {
		ck_assert_int_eq(rig_ask(&rig, datagrams_ask), EXIT_ANSWERED);
		file_expect(rig.output, text, length + 3);
	} else {
		ck_assert_int_eq(rig_ask(&rig, datagrams_ask), EXIT_MISSING);
		rig_expect_errors(&rig, "server: no answer to line 1: Message too long\n");
		file_expect(rig.output, "B\n", 2);
	}
	rig_close(&rig);
}
END_TEST

/* Nobody at the first address: an ICMP message says so, and the next one is asked at once. */
START_TEST(tries_the_next_address_and_stays_with_it)
{
	struct rig rig;
	int closed;

	rig_open(&rig, SOCK_DGRAM, answer_all, "a\nb\n", 4);
	closed = rig_bind(SOCK_DGRAM, &rig.addresses[0]);
	close(closed);
	rig.client.target.addresses = rig.addresses;
	rig.client.target.count = 2;
	ck_assert_int_eq(rig_ask(&rig, datagrams_ask), EXIT_ANSWERED);
	file_expect(rig.output, "A\nB\n", 4);
	ck_assert_uint_eq(rig.client.target.current, 1);
	rig_close(&rig);
	ck_assert_uint_eq(rig.conversations, 2);
}
END_TEST

START_TEST(says_that_nobody_is_there)
{
	struct rig rig;

	rig_open(&rig, SOCK_DGRAM, answer_all, "a\n", 2);
	close(rig_bind(SOCK_DGRAM, &rig.addresses[0]));
	rig.client.target.addresses = rig.addresses;
	ck_assert_int_eq(rig_ask(&rig, datagrams_ask), EXIT_MISSING);
	rig_expect_errors(&rig, "server: no answer to line 1: Connection refused\n");
	rig_close(&rig);
}
END_TEST

/* That one did not answer says more than that another is not there. */
START_TEST(says_that_one_was_silent)
{
	struct address addresses[2];
	struct rig rig;

	rig_open(&rig, SOCK_DGRAM, rig_keep_silent, "a\n", 2);
	addresses[0] = rig.addresses[1];
	close(rig_bind(SOCK_DGRAM, &addresses[1]));
	rig.client.target.addresses = addresses;
	rig.client.target.count = 2;
	rig.arguments.timeout_usec = 20000;
	ck_assert_int_eq(rig_ask(&rig, datagrams_ask), EXIT_MISSING);
	rig_expect_errors(&rig, "server: no answer to line 1 within 20ms\n");
	rig_close(&rig);
}
END_TEST

START_TEST(fails_where_it_cannot_read_or_write)
{
	struct rig rig;

	rig_open(&rig, SOCK_DGRAM, answer_all, "a\nb\n", 4);
	rig_expect_trouble(&rig, datagrams_ask, _i);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("answers", gets_the_right_answer_or_none, 0,
			  sizeof(cases) / sizeof(cases[0])),
		UNIT_LOOP("answers", asks_long_lines_or_says_that_they_are, 0, 6),
		UNIT_ONCE("addresses", tries_the_next_address_and_stays_with_it),
		UNIT_ONCE("addresses", says_that_nobody_is_there),
		UNIT_ONCE("addresses", says_that_one_was_silent),
		UNIT_LOOP("errors", fails_where_it_cannot_read_or_write, 0, 2),
		{.group = NULL},
	};

	return unit_run("client/datagrams", rows);
}
