/* SPDX-License-Identifier: ISC */
#include "text/upper.h"

#include <stdbool.h>
#include <string.h>

#include "text/upper-character.h"
#include "text/upper-version.h"

/* What is pending and as many bytes of in as complete its sequence (or show that none comes of it).
 * Returns how many bytes of in that took; *out is moved on. */
static size_t feed_pending(struct upper *upper, const unsigned char *in, size_t length,
			   unsigned char **out)
{
	unsigned char bytes[sizeof(upper->pending) + 1];
	size_t held = upper->pending_length, taken = 0, found, missing;

	memcpy(bytes, upper->pending, held);
	do {
		bytes[held + taken] = in[taken];
		taken++;
		found = upper_find_sequence(bytes, held + taken, &missing);
	} while (missing > 0 && taken < length);
	if (missing > 0) {
		memcpy(upper->pending, bytes, held + taken);
		upper->pending_length = (unsigned char)(held + taken);
		return taken;
	}
	/* Nothing stays behind: between characters the state is as at the beginning. */
	*upper = (struct upper){0};
	if (found == held + taken) {
		*out += upper_map_sequence(bytes, found, *out);
		return taken;
	}
	/* Malformed: what was pending passes; its bytes behind the first begin nothing. The byte
	 * that broke it may. */
	memcpy(*out, bytes, held + taken - 1);
	*out += held + taken - 1;
	return taken - 1;
}

/* Leads from these on want more than so many bytes, themselves counted. */
static const unsigned char unfinished_from[] = {0, 0xc0, 0xe0, 0xf0};

/* Whether the last three bytes may begin a sequence that isn't all there. One branch that is
 * guessed well comes of it, in place of one for each way a text may end. */
static bool may_be_unfinished(const unsigned char *end)
{
	return (end[-1] >= unfinished_from[1]) | (end[-2] >= unfinished_from[2]) |
	       (end[-3] >= unfinished_from[3]);
}

/* How many bytes at the end of in are the beginning of a sequence that isn't all there. */
static size_t count_unfinished(const unsigned char *in, size_t length)
{
	size_t missing;

	for (size_t tail = 1; tail <= sizeof(((struct upper *)0)->pending) && tail <= length;
	     tail++) {
		unsigned char byte = in[length - tail];

		if (byte < 0x80)
			return 0;
		if (byte >= 0xc0) {
			if (byte < unfinished_from[tail])
				return 0;
			(void)upper_find_sequence(in + length - tail, tail, &missing);
			return missing > 0 ? tail : 0;
		}
	}
	return 0;
}

/* What few pieces need is not inlined: all would pay for its frame. */
#define APART __attribute__((noinline))

/* A piece that may end in the middle of a sequence, whose beginning is pending from here on. */
APART static size_t feed_until_pending(const struct upper_version *version, struct upper *upper,
				       const unsigned char *in, size_t length, unsigned char *out)
{
	size_t held = count_unfinished(in, length);

	memcpy(upper->pending, in + length - held, held);
	upper->pending_length = (unsigned char)held;
	return version->map(in, length - held, out);
}

/* A piece behind what is pending. */
APART static size_t feed_behind_pending(const struct upper_version *version, struct upper *upper,
					const unsigned char *in, size_t length, unsigned char *out)
{
	unsigned char *to = out;
	size_t taken = feed_pending(upper, in, length, &to), answered = (size_t)(to - out);

	return answered + upper_feed_by(version, upper, in + taken, length - taken, to);
}

size_t upper_feed_by(const struct upper_version *version, struct upper *upper, const void *in,
		     size_t length, void *out)
{
	const unsigned char *from = in;

	if (length == 0)
		return 0;
	if (upper->pending_length > 0)
		return feed_behind_pending(version, upper, from, length, out);
	if (length < sizeof(upper->pending) || may_be_unfinished(from + length))
		return feed_until_pending(version, upper, from, length, out);
	return version->map(from, length, out);
}

size_t upper_finish(struct upper *upper, void *out)
{
	size_t length = upper->pending_length;

	memcpy(out, upper->pending, length);
	*upper = (struct upper){0};
	return length;
}
