/* SPDX-License-Identifier: ISC */

/* Tests of exchange/framing.h. */

#include "exchange/framing.h"
#include "unit.h"
#include "util/error.h"

START_TEST(parses_names)
{
	enum framing framing;

	ck_assert_int_eq(framing_parse("stream", &framing), 0);
	ck_assert_int_eq(framing, FRAMING_STREAM);
	ck_assert_int_eq(framing_parse("line", &framing), 0);
	ck_assert_int_eq(framing, FRAMING_LINE);
	ck_assert_int_eq(framing_parse("length", &framing), 0);
	ck_assert_int_eq(framing, FRAMING_LENGTH);
	/* What is all zero is a stream, as an exchange_options that says nothing. */
	ck_assert_int_eq(FRAMING_STREAM, 0);
}
END_TEST

START_TEST(refuses_other_names)
{
	static const char *const texts[] = {"",      "Line",  "LINE", "lin",     "lines",
					    " line", "line ", "0",    "stream,", "length:4"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		enum framing framing = FRAMING_LENGTH;

		ck_assert_int_eq(framing_parse(texts[i], &framing), -EINVAL);
		ck_assert_int_eq(framing, FRAMING_LENGTH);
	}
}
END_TEST

START_TEST(reads_and_writes_headers)
{
	static const struct {
		unsigned char header[FRAMING_HEADER_SIZE];
		uint32_t length;
	} rows[] = {
		{{0, 0, 0, 0}, 0},
		{{0, 0, 0, 1}, 1},
		{{0x01, 0x02, 0x03, 0x04}, 0x01020304},
		{{0x80, 0, 0, 0}, 0x80000000},
		{{0xff, 0xff, 0xff, 0xff}, UINT32_MAX},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char header[FRAMING_HEADER_SIZE];

		ck_assert_uint_eq(framing_read_header(rows[i].header), rows[i].length);
		framing_write_header(header, rows[i].length);
		ck_assert_mem_eq(header, rows[i].header, sizeof(header));
	}
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("framing_parse", parses_names),
		UNIT_ONCE("framing_parse", refuses_other_names),
		UNIT_ONCE("framing_read_header", reads_and_writes_headers),
		{0},
	};

	return unit_run("framing", rows);
}
