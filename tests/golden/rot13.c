/* SPDX-License-Identifier: ISC */

/* rot13: every letter thirteen places further; as short as a service can be (README.md). */

#include <string.h>

#include "exchange/service.h"

static size_t feed(struct service_state *state, const void *in, size_t length, void *out)
{
	const unsigned char *from = in;
	unsigned char *to = out;

	(void)state;
	for (size_t i = 0; i < length; i++) {
		int letter = from[i] | 0x20, step = letter < 'n' ? 13 : -13;

		to[i] = (unsigned char)(from[i] + (letter >= 'a' && letter <= 'z' ? step : 0));
	}
	return length;
}

static size_t finish(struct service_state *state, void *out)
{
	(void)state;
	(void)out;
	return 0;
}

static bool is_state(const struct service_state *state)
{
	static const struct service_state beginning;

	return memcmp(state, &beginning, sizeof(beginning)) == 0;
}

const struct service service = {
	.name = "rot13",
	.summary = "Answer text with every letter thirteen places further",
	.growth = 1,
	.feed = feed,
	.finish = finish,
	.is_state = is_state,
};
