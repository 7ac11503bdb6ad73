/* SPDX-License-Identifier: ISC */

/* fuzz-values: what options take: times, sizes, numbers, framings. */

#include <inttypes.h>
#include <string.h>

#include "exchange/framing.h"
#include "fuzz.h"
#include "util/cleanup.h"
#include "util/parse.h"

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

/* Two spans behind each other are their sum, and a span in microseconds is itself. */
static void check_time(const char *text)
{
	char again[64], twice[1024];
	uint64_t usec = UNTOUCHED, other = UNTOUCHED;

	if (parse_time(text, &usec) < 0) {
		REQUIRE(usec == UNTOUCHED, "%s: touched", text);
		return;
	}
	if (usec == PARSE_INFINITY)
		return;
	snprintf(again, sizeof(again), "%" PRIu64 "us", usec);
	REQUIRE(parse_time(again, &other) == 0 && other == usec, "%s is not %s", again, text);
	if ((size_t)snprintf(twice, sizeof(twice), "%s %s", text, text) >= sizeof(twice))
		return;
	/* "5" alone is seconds; "5 5" must be, too. */
	if (usec <= UINT64_MAX / 2)
		REQUIRE(parse_time(twice, &other) == 0 && other == 2 * usec, "%s", twice);
	else
		REQUIRE(parse_time(twice, &other) < 0, "%s", twice);
}

static void check_size(const char *text, uint64_t minimum, uint64_t maximum)
{
	char again[64];
	uint64_t bytes = UNTOUCHED, other;

	if (parse_size(text, minimum, maximum, &bytes) < 0) {
		REQUIRE(bytes == UNTOUCHED, "%s: touched", text);
		return;
	}
	REQUIRE(bytes >= minimum && bytes <= maximum, "%s: %" PRIu64, text, bytes);
	snprintf(again, sizeof(again), "%" PRIu64, bytes);
	REQUIRE(parse_number(again, minimum, maximum, &other) == 0 && other == bytes, "%s", text);
}

static void check_number(const char *text)
{
	uint64_t number = UNTOUCHED, size;

	if (parse_number(text, 0, UINT64_MAX, &number) < 0)
		REQUIRE(number == UNTOUCHED, "%s: touched", text);
	else
		REQUIRE(parse_size(text, 0, UINT64_MAX, &size) == 0 && size == number &&
				number == strtoull(text, NULL, 10),
			"%s: %" PRIu64, text, number);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);
	enum framing framing;

	REQUIRE(text, "no memory");
	memcpy(text, bytes, size);
	text[size] = '\0';
	check_time(text);
	check_size(text, 0, UINT64_MAX);
	check_size(text, 1, 64 << 20);
	check_number(text);
	(void)framing_parse(text, &framing);
	return 0;
}
