/* SPDX-License-Identifier: ISC */

/* Tests of client/source.h. */

#include <unistd.h>

#include "client/source.h"
#include "files.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"

struct fixture {
	int fd;
	struct input input;
	struct source source;
};

static void close_fixture(struct fixture *fixture)
{
	source_free(&fixture->source);
	input_free(&fixture->input);
	cleanup_close(&fixture->fd);
}

/* A source of text, all of it read. */
static void open_fixture(struct fixture *fixture, const char *text, size_t length,
			 enum framing framing, enum source_pace pace)
{
	fixture->fd = file_of(text, length);
	ck_assert_int_eq(input_init(&fixture->input, fixture->fd, 100), 0);
	source_init(&fixture->source, &fixture->input, framing, pace);
}

#define OPEN(fixture, text, framing, pace)                                                         \
	open_fixture(fixture, text, sizeof(text) - 1, framing, pace)

/* What may be sent now is exactly that; sends it. */
static void expect_bytes(struct source *source, const char *wanted, size_t length)
{
	const char *bytes;

	ck_assert_uint_eq(source_look(source, &bytes), length);
	ck_assert_mem_eq(bytes, wanted, length);
	source_advance(source, length);
	ck_assert_uint_eq(source_look(source, &bytes), 0);
}

#define EXPECT(source, wanted) expect_bytes(source, wanted, sizeof(wanted) - 1)

START_TEST(flows)
{
	_cleanup_(close_fixture) struct fixture f = {0};
	const char *bytes;

	OPEN(&f, "one\ntwo", FRAMING_STREAM, SOURCE_FLOW);
	ck_assert(source_wants_input(&f.source));
	ck_assert_int_eq(source_fill(&f.source), 0);
	ck_assert(!source_wants_input(&f.source)); /* before what there is has gone */
	ck_assert_uint_eq(source_look(&f.source, &bytes), 7);
	source_advance(&f.source, 2);
	EXPECT(&f.source, "e\ntwo");
	ck_assert(!source_is_exhausted(&f.source)); /* who knows */
	ck_assert(source_wants_input(&f.source));
	ck_assert_int_eq(source_fill(&f.source), 0);
	ck_assert(source_is_exhausted(&f.source));
	ck_assert(!source_wants_input(&f.source));
}
END_TEST

START_TEST(keeps_to_the_first_line_and_holds)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	OPEN(&f, "one\ntwo\nthree", FRAMING_STREAM, SOURCE_FIRST_LINE);
	ck_assert_int_eq(source_fill(&f.source), 0);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "one\n");
	ck_assert(source_is_kept_waiting(&f.source));
	ck_assert(!source_is_exhausted(&f.source));
	ck_assert_uint_eq(input_pending(&f.input), 13); /* all of it is there still */

	source_set_pace(&f.source, SOURCE_HOLD);
	EXPECT(&f.source, "two\nthree");
	ck_assert(source_is_exhausted(&f.source));
	ck_assert(!source_is_kept_waiting(&f.source));
	ck_assert_uint_eq(input_pending(&f.input), 9);
	ck_assert_mem_eq(f.input.bytes + f.input.begin, "two\nthree", 9);

	source_set_pace(&f.source, SOURCE_FLOW);
	ck_assert(source_is_exhausted(&f.source));
	ck_assert_uint_eq(input_pending(&f.input), 0);
}
END_TEST

START_TEST(waits_for_the_rest_of_a_first_line)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	OPEN(&f, "on", FRAMING_STREAM, SOURCE_FIRST_LINE);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "");
	ck_assert(source_is_kept_waiting(&f.source));
	ck_assert_int_eq(write(f.fd, "e\ntwo", 5), 5);
	ck_assert_int_eq(lseek(f.fd, 2, SEEK_SET), 2);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "one\n");
	ck_assert(source_is_kept_waiting(&f.source));
}
END_TEST

START_TEST(sends_a_first_line_without_newline_at_the_end)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	OPEN(&f, "on", FRAMING_STREAM, SOURCE_FIRST_LINE);
	ck_assert_int_eq(source_fill(&f.source), 0);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "on");
	ck_assert(source_is_exhausted(&f.source));
}
END_TEST

/* A line with so many bytes before its newline flows, or is a sentence. */
START_TEST(tells_data_from_a_sentence)
{
	char text[SOURCE_SENTENCE_MAX + 10];
	_cleanup_(close_fixture) struct fixture f = {0};
	size_t length = SOURCE_SENTENCE_MAX - 2 + (size_t)_i;

	memset(text, 'x', sizeof(text));
	text[length] = '\n';
	open_fixture(&f, text, sizeof(text), FRAMING_STREAM, SOURCE_FIRST_LINE);
	ck_assert_int_eq(source_fill(&f.source), 0);
	ck_assert_int_eq(f.source.pace,
			 length < SOURCE_SENTENCE_MAX ? SOURCE_FIRST_LINE : SOURCE_FLOW);
	expect_bytes(&f.source, text, length < SOURCE_SENTENCE_MAX ? length + 1 : sizeof(text));
}
END_TEST

START_TEST(holds_no_more_than_the_buffer)
{
	_cleanup_free_ char *text = calloc(1, INPUT_CAPACITY + 10);
	_cleanup_(close_fixture) struct fixture f = {0};
	const char *bytes;

	ck_assert_ptr_nonnull(text);
	text[0] = '\n';
	open_fixture(&f, text, INPUT_CAPACITY + 10, FRAMING_STREAM, SOURCE_FIRST_LINE);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "\n");
	source_set_pace(&f.source, SOURCE_HOLD);
	while (source_wants_input(&f.source)) {
		source_advance(&f.source, source_look(&f.source, &bytes));
		ck_assert_int_eq(source_fill(&f.source), 0);
	}
	source_advance(&f.source, source_look(&f.source, &bytes));
	ck_assert_uint_eq(f.source.held, INPUT_CAPACITY);
	ck_assert(source_is_kept_waiting(&f.source));
	source_set_pace(&f.source, SOURCE_FLOW);
	ck_assert_int_eq(source_fill(&f.source), 0);
	ck_assert_uint_eq(source_look(&f.source, &bytes), 9);
}
END_TEST

START_TEST(ends_and_counts_lines)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	OPEN(&f, "a\n\nb", FRAMING_LINE, SOURCE_FLOW);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "a\n\nb");
	ck_assert_uint_eq(f.source.messages, 2);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "\n");
	ck_assert_uint_eq(f.source.messages, 3);
	ck_assert(source_is_exhausted(&f.source));
}
END_TEST

START_TEST(adds_no_line_to_whole_ones)
{
	_cleanup_(close_fixture) struct fixture f = {0}, empty = {0};

	OPEN(&f, "a\n", FRAMING_LINE, SOURCE_FLOW);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "a\n");
	ck_assert_int_eq(source_fill(&f.source), 0);
	ck_assert(source_is_exhausted(&f.source));
	OPEN(&empty, "", FRAMING_LINE, SOURCE_FLOW);
	ck_assert_int_eq(source_fill(&empty.source), 0);
	ck_assert(source_is_exhausted(&empty.source));
}
END_TEST

START_TEST(adds_headers)
{
	_cleanup_(close_fixture) struct fixture f = {0};

	OPEN(&f, "abc\n\nd", FRAMING_LENGTH, SOURCE_FLOW);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "\0\0\0\3abc\0\0\0\0");
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "\0\0\0\1d");
	ck_assert_uint_eq(f.source.messages, 3);
	ck_assert(source_is_exhausted(&f.source));
}
END_TEST

START_TEST(leaves_out_what_is_too_long)
{
	char text[300];
	_cleanup_(close_fixture) struct fixture f = {0};

	memset(text, 'x', sizeof(text));
	memcpy(text, "a\n", 2);
	memcpy(text + 297, "\nb\n", 3);
	open_fixture(&f, text, sizeof(text), FRAMING_LENGTH, SOURCE_FLOW);
	ck_assert_int_eq(source_fill(&f.source), 0);
	EXPECT(&f.source, "\0\0\0\1a\0\0\0\1b");
	ck_assert_uint_eq(f.source.messages, 2);
	ck_assert_uint_eq(f.source.too_long, 1);
}
END_TEST

/* A socket that always takes a little less than there is: the buffer is never empty, nor ever
 * larger for it, and every message goes through it whole. */
START_TEST(is_bounded_though_never_empty)
{
	static char text[4 << 20];
	_cleanup_(close_fixture) struct fixture f = {0};
	size_t sent = 0, most = 0;
	const char *bytes;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 8 == 7 ? '\n' : (char)('a' + i / 8 % 26);
	open_fixture(&f, text, sizeof(text), FRAMING_LENGTH, SOURCE_FLOW);
	while (!f.input.ended || source_look(&f.source, &bytes) > 0) {
		size_t left;

		if (source_wants_input(&f.source))
			ck_assert_int_eq(source_fill(&f.source), 0);
		left = source_look(&f.source, &bytes);
		left -= f.input.ended ? 0 : 1;
		/* A header of 4 bytes, then the 7 of a line without its newline. */
		for (size_t i = 0; i < left; i++, sent++)
			if (sent % 11 >= 4 && bytes[i] != text[sent / 11 * 8 + sent % 11 - 4])
				ck_abort_msg("byte %zu is wrong", sent);
		source_advance(&f.source, left);
		if (f.source.ready_capacity > most)
			most = f.source.ready_capacity;
	}
	ck_assert_uint_eq(sent, sizeof(text) / 8 * 11);
	ck_assert_uint_eq(f.source.messages, sizeof(text) / 8);
	ck_assert_uint_le(most, (size_t)1 << 20);
}
END_TEST

static const struct {
	enum framing framing;
	const char *text;
	bool newline;
	const char *sent;
	size_t sent_length, messages;
} messages[] = {
	{FRAMING_STREAM, "ab", false, "ab", 2, 1},
	{FRAMING_STREAM, "ab", true, "ab\n", 3, 1},
	{FRAMING_STREAM, "", false, "", 0, 1},
	{FRAMING_LINE, "ab", false, "ab\n", 3, 1},
	{FRAMING_LINE, "a\nb", true, "a\nb\n", 4, 2},
	{FRAMING_LENGTH, "ab", false, "\0\0\0\2ab", 6, 1},
	{FRAMING_LENGTH, "", true, "\0\0\0\0", 4, 1},
};

START_TEST(sends_one_message)
{
	_cleanup_(source_free) struct source source;

	ck_assert_int_eq(source_init_message(&source, messages[_i].framing, messages[_i].text,
					     strlen(messages[_i].text), messages[_i].newline),
			 0);
	ck_assert_uint_eq(source.messages, messages[_i].messages);
	ck_assert(!source_wants_input(&source));
	ck_assert(!source_is_kept_waiting(&source));
	expect_bytes(&source, messages[_i].sent, messages[_i].sent_length);
	ck_assert(source_is_exhausted(&source));
}
END_TEST

START_TEST(reports_errors_of_its_input)
{
	_cleanup_(input_free) struct input input;
	_cleanup_(source_free) struct source source;

	ck_assert_int_eq(input_init(&input, -1, 100), 0);
	source_init(&source, &input, FRAMING_STREAM, SOURCE_FLOW);
	ck_assert_int_eq(source_fill(&source), -EBADF);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("pace", flows),
		UNIT_ONCE("pace", keeps_to_the_first_line_and_holds),
		UNIT_ONCE("pace", waits_for_the_rest_of_a_first_line),
		UNIT_ONCE("pace", sends_a_first_line_without_newline_at_the_end),
		UNIT_LOOP("pace", tells_data_from_a_sentence, 0, 5),
		UNIT_ONCE("pace", holds_no_more_than_the_buffer),
		UNIT_ONCE("framing", ends_and_counts_lines),
		UNIT_ONCE("framing", adds_no_line_to_whole_ones),
		UNIT_ONCE("framing", adds_headers),
		UNIT_ONCE("framing", leaves_out_what_is_too_long),
		UNIT_ONCE("framing", is_bounded_though_never_empty),
		UNIT_LOOP("framing", sends_one_message, 0, sizeof(messages) / sizeof(messages[0])),
		UNIT_ONCE("errors", reports_errors_of_its_input),
		{.group = NULL},
	};

	return unit_run("client/source", rows);
}
