/* SPDX-License-Identifier: ISC */
#include "exchange/framing.h"

#include <string.h>

#include "util/error.h"

int framing_parse(const char *text, enum framing *ret_framing)
{
	static const char *const names[] = {
		[FRAMING_STREAM] = "stream",
		[FRAMING_LINE] = "line",
		[FRAMING_LENGTH] = "length",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*ret_framing = (enum framing)i;
			return 0;
		}
	return -EINVAL;
}
