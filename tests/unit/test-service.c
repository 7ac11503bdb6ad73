/* SPDX-License-Identifier: ISC */

/*
 * Tests of a service, whichever it is linked with: what exchange/service.h has all of them promise,
 * for texts that make much or little of a reply, cut in many ways. Not its job: what the reply is.
 */

#include "exchange/service.h"

#include "random.h"
#include "unit.h"
#include "util/cleanup.h"

/* What a service may look for: newlines, blanks, numbers, letters that grow, what is no text.
 * Behind these come texts of every byte. */
static const struct {
	size_t length;
	const char *bytes;
} patterns[] = {
	{1, "\n"},
	{1, "\0"},
	{2, "a\n"},
	{10, "0123456789"},
	{12, " one two\r\n\t."},
	{2, "\u0390"},
	{11, "stra\u00dfe \ufb03"},
	{4, "\xff\xf0\x90\x80"},
};
#define PATTERNS ((int)(sizeof(patterns) / sizeof(patterns[0])))
#define KINDS    (PATTERNS + 2)

#define TEXT_MAX 300

static void fill(unsigned char text[static TEXT_MAX], int kind)
{
	for (size_t i = 0; i < TEXT_MAX; i++)
		if (kind < PATTERNS)
			text[i] = (unsigned char)patterns[kind].bytes[i % patterns[kind].length];
		else
			text[i] = (unsigned char)(kind == PATTERNS ? i : random_below(256));
}

/* The lengths of texts: every short one, and one that is long. */
static size_t length_after(size_t length)
{
	return length < 40 || length >= TEXT_MAX ? length + 1 : TEXT_MAX;
}

/* Room with a guard behind it: whoever writes there is found out without a sanitizer, too. */
#define GUARD 64

static unsigned char *make_room(size_t room)
{
	unsigned char *out = malloc(room + GUARD);

	ck_assert_ptr_nonnull(out);
	memset(out, 0xa5, room + GUARD);
	return out;
}

static void check_guard(const unsigned char *out, size_t room)
{
	size_t intact = 0;

	while (intact < GUARD && out[room + intact] == 0xa5)
		intact++;
	ck_assert_msg(intact == GUARD, "writes behind its room of %zu bytes", room);
}

static void check_beginning(const struct service_state *state)
{
	static const struct service_state beginning;

	ck_assert_mem_eq(state, &beginning, sizeof(beginning));
}

/* The reply to a text in one piece. Returns its length. */
static size_t answer(const unsigned char *text, size_t length, unsigned char **ret_reply)
{
	size_t room = service.growth * length + service.slack, n, end;
	struct service_state state = {0};

	*ret_reply = make_room(room);
	n = service.feed(&state, text, length, *ret_reply);
	ck_assert_uint_le(n, service.growth * length);
	end = service.finish(&state, *ret_reply + n);
	ck_assert_uint_le(end, service.slack);
	check_guard(*ret_reply, room);
	check_beginning(&state);
	return n + end;
}

START_TEST(has_what_programs_show)
{
	ck_assert_str_ne(service.name, "");
	ck_assert_uint_eq(strcspn(service.name, " /"), strlen(service.name));
	ck_assert_str_ne(service.summary, "");
	ck_assert_int_eq(service.data != NULL, service.data_version != NULL);
	ck_assert_uint_ge(service.growth, 1);
	ck_assert_uint_le(service.growth, 63);
}
END_TEST

START_TEST(keeps_to_its_room)
{
	unsigned char text[TEXT_MAX];

	fill(text, _i);
	for (size_t length = 0; length <= TEXT_MAX; length = length_after(length)) {
		_cleanup_free_ unsigned char *reply = NULL;

		ck_assert_uint_lt(answer(text, length, &reply), service.growth * (length + 1));
	}
}
END_TEST

/* One piece, or the end (NULL), with the state as another process would have it. Checks that the
 * reply goes on with it; returns its length. */
static size_t go_on(struct service_state *state, const unsigned char *piece, size_t length,
		    const unsigned char *expected)
{
	size_t room = service.growth * length + service.slack, n;
	_cleanup_free_ unsigned char *out = make_room(room);
	struct service_state elsewhere = *state;

	n = piece ? service.feed(&elsewhere, piece, length, out) : service.finish(&elsewhere, out);
	ck_assert_uint_le(n, room);
	check_guard(out, room);
	ck_assert_mem_eq(out, expected, n);
	ck_assert(service.is_state(&elsewhere));
	*state = elsewhere;
	return n;
}

static void check_pieces(const unsigned char *text, size_t length, size_t piece)
{
	_cleanup_free_ unsigned char *reply = NULL;
	size_t reply_length = answer(text, length, &reply), n = 0;
	struct service_state state = {0};

	for (size_t from = 0; from < length; from += piece)
		n += go_on(&state, text + from, length - from < piece ? length - from : piece,
			   reply + n);
	n += go_on(&state, NULL, 0, reply + n);
	ck_assert_uint_eq(n, reply_length);
	check_beginning(&state);
}

START_TEST(answers_alike_however_cut)
{
	static const size_t pieces[] = {1, 2, 3, 7, 64, 129};
	unsigned char text[TEXT_MAX];

	fill(text, _i);
	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++)
		for (size_t length = 0; length <= TEXT_MAX; length = length_after(length))
			check_pieces(text, length, pieces[p]);
}
END_TEST

START_TEST(knows_the_beginning)
{
	static const struct service_state beginning;

	ck_assert(service.is_state(&beginning));
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("service", has_what_programs_show),
		UNIT_ONCE("is_state", knows_the_beginning),
		UNIT_LOOP("feed", keeps_to_its_room, 0, KINDS),
		UNIT_LOOP("feed", answers_alike_however_cut, 0, KINDS),
		{0},
	};

	return unit_run(service.name, rows);
}
