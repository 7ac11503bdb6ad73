/* SPDX-License-Identifier: ISC */

/*
 * Fuzzes upper's versions: each that this processor runs, whole and cut, against one character
 * after the other by table. An input is a byte that says how the text is repeated, so that it
 * reaches the loops for long ones, a byte that says how it is cut, and the text.
 */

#include <string.h>

#include "fuzz.h"
#include "text/upper-character.h"
#include "text/upper-version.h"
#include "util/cleanup.h"

#define REPEATED_MAX ((size_t)8 << 10)
#define PIECES_MAX   200

/* Each piece in memory of its own size, so that a read or write beyond it is seen. */
static size_t map_in_pieces(const struct upper_version *version, const uint8_t *text, size_t length,
			    size_t piece, uint8_t *out)
{
	struct upper upper = {0};
	size_t written = 0;

	for (size_t from = 0; from < length; from += piece) {
		size_t part = length - from < piece ? length - from : piece, n;
		_cleanup_free_ uint8_t *part_in = malloc(part);
		_cleanup_free_ uint8_t *part_out = malloc(UPPER_ROOM(part));

		REQUIRE(part_in && part_out, "no memory");
		memcpy(part_in, text + from, part);
		n = upper_feed_by(version, &upper, part_in, part, part_out);
		REQUIRE(n <= UPPER_ROOM(part), "%s: more than its room", version->name);
		memcpy(out + written, part_out, n);
		written += n;
	}
	return written + upper_finish(&upper, out + written);
}

static void require_same(const struct upper_version *version, const uint8_t *text, size_t length,
			 size_t piece)
{
	_cleanup_free_ uint8_t *expected = malloc(UPPER_ROOM(length));
	_cleanup_free_ uint8_t *out = malloc(UPPER_ROOM(length) + UPPER_SLACK);
	const uint8_t *in = text;
	size_t wanted, written;

	REQUIRE(expected && out, "no memory");
	wanted = upper_map_characters(&in, text + length, text + length, expected);
	written = map_in_pieces(version, text, length, piece, out);
	REQUIRE(written == wanted && memcmp(out, expected, wanted) == 0,
		"%s: %zu bytes in pieces of %zu", version->name, length, piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = {bytes, size};
	size_t times = (size_t)1 << input_below(&input, 8), piece = 1 + input_below(&input, 256);
	_cleanup_free_ uint8_t *text = NULL;
	size_t length;

	while (times > 1 && times * input.left > REPEATED_MAX)
		times /= 2;
	length = times * input.left;
	if (length == 0)
		return 0;
	if (piece < length / PIECES_MAX)
		piece = length / PIECES_MAX;
	text = malloc(length);
	REQUIRE(text, "no memory");
	for (size_t i = 0; i < times; i++)
		memcpy(text + i * input.left, input.next, input.left);

	for (size_t i = 0; upper_versions[i]; i++) {
		if (!upper_versions[i]->is_supported())
			continue;
		require_same(upper_versions[i], text, length, length);
		require_same(upper_versions[i], text, length, piece);
	}
	return 0;
}
