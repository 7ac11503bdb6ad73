/* SPDX-License-Identifier: ISC */

/*
 * uppercase: text answered with the same text in upper case (Kurose & Ross, section 2.7).
 *
 * The whole service: the build makes the handler `uppercase` and the daemon `uppercased` of it.
 */

#include "exchange/service.h"
#include "text/upper.h"

_Static_assert(sizeof(struct upper) <= sizeof(struct service_state), "state fits");

static size_t feed(struct service_state *state, const void *in, size_t length, void *out)
{
	return upper_feed((struct upper *)state->bytes, in, length, out);
}

static size_t finish(struct service_state *state, void *out)
{
	return upper_finish((struct upper *)state->bytes, out);
}

/* The beginning of a sequence, which gives no answer yet and is left as it was when fed again. */
static bool is_state(const struct service_state *state)
{
	const struct upper *upper = (const struct upper *)state->bytes;
	unsigned char out[UPPER_ROOM(sizeof(upper->pending))];
	struct upper again = {0};

	return upper->pending_length <= sizeof(upper->pending) &&
	       upper_feed(&again, upper->pending, upper->pending_length, out) == 0 &&
	       again.pending_length == upper->pending_length;
}

const struct service service = {
	.name = "uppercase",
	.summary = "Answer text with the same text in upper case",
	.data = "Unicode",
	.data_version = upper_unicode_version,
	.growth = UPPER_GROWTH,
	.slack = UPPER_SLACK,
	.in_may_change = true,
	.feed = feed,
	.finish = finish,
	.is_state = is_state,
};
