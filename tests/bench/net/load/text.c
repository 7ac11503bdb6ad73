/* SPDX-License-Identifier: ISC */
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

struct text text_read(const char *path)
{
	FILE *file = fopen(path, "re");
	struct text text;
	long size;

	if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) <= 0)
		load_die("%s", path);
	text.period = (size_t)size;
	text.bytes = malloc(2 * text.period);
	rewind(file);
	if (!text.bytes || fread(text.bytes, 1, text.period, file) != text.period)
		load_die("%s", path);
	(void)fclose(file);
	memcpy(text.bytes + text.period, text.bytes, text.period);
	return text;
}

void text_check(const struct text *text, uint64_t offset, const char *bytes, size_t length)
{
	while (length > 0) {
		size_t piece = length < text->period ? length : text->period;

		if (memcmp(bytes, text_at(text, offset), piece) != 0) {
			errno = 0;
			load_die("wrong answer within the %zu bytes at %" PRIu64, piece, offset);
		}
		bytes += piece;
		offset += piece;
		length -= piece;
	}
}
