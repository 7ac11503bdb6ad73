/* SPDX-License-Identifier: ISC */
#include "util/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "util/error.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The digits at *text; moves *text behind them. */
static int take_digits(const char **text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!is_digit(**text))
		return -EINVAL;
	for (; is_digit(**text); (*text)++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(**text - '0'), &number))
			return -ERANGE;
	*ret_number = number;
	return 0;
}

int parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_number)
{
	uint64_t number;
	int r = take_digits(&text, &number);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	if (number < minimum || number > maximum)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

#define MSEC UINT64_C(1000)
#define SEC  (1000 * MSEC)
#define MIN  (60 * SEC)
#define HOUR (60 * MIN)
#define DAY  (24 * HOUR)

/* The units of systemd.time(7) that make sense for a timeout; the µ of either code point. */
static const struct {
	const char *name;
	uint64_t usec;
} time_units[] = {
	{"us", 1},      {"usec", 1},    {"\u00b5s", 1},    {"\u03bcs", 1},     {"ms", MSEC},
	{"msec", MSEC}, {"s", SEC},     {"sec", SEC},      {"second", SEC},    {"seconds", SEC},
	{"m", MIN},     {"min", MIN},   {"minute", MIN},   {"minutes", MIN},   {"h", HOUR},
	{"hr", HOUR},   {"hour", HOUR}, {"hours", HOUR},   {"d", DAY},         {"day", DAY},
	{"days", DAY},  {"w", 7 * DAY}, {"week", 7 * DAY}, {"weeks", 7 * DAY}, {"", SEC},
};

/* The unit at *text; moves *text behind it. */
static int take_unit(const char **text, uint64_t *ret_usec)
{
	size_t length = strcspn(*text, "0123456789 \t");

	for (size_t i = 0; i < sizeof(time_units) / sizeof(time_units[0]); i++)
		if (strlen(time_units[i].name) == length &&
		    memcmp(time_units[i].name, *text, length) == 0) {
			*text += length;
			*ret_usec = time_units[i].usec;
			return 0;
		}
	return -EINVAL;
}

/* Six decimal digits at most, as millionths; further ones are below a microsecond's worth. */
static uint64_t take_fraction(const char **text)
{
	uint64_t millionths = 0, place = 100000;

	for (; is_digit(**text); (*text)++, place /= 10)
		millionths += place * (uint64_t)(**text - '0');
	return millionths;
}

static const char *skip_space(const char *text)
{
	return text + strspn(text, " \t");
}

int parse_time(const char *text, uint64_t *ret_usec)
{
	uint64_t total = 0;

	text = skip_space(text);
	if (strncmp(text, "infinity", strlen("infinity")) == 0) {
		if (*skip_space(text + strlen("infinity")))
			return -EINVAL;
		*ret_usec = PARSE_INFINITY;
		return 0;
	}

	do {
		uint64_t number, unit, millionths = 0, part, fraction;
		int r = take_digits(&text, &number);

		if (r < 0)
			return r;
		if (*text == '.') {
			text++;
			if (!is_digit(*text))
				return -EINVAL;
			millionths = take_fraction(&text);
		}
		text = skip_space(text);
		r = take_unit(&text, &unit);
		if (r < 0)
			return r;
		fraction = unit * millionths / 1000000;
		if (__builtin_mul_overflow(number, unit, &part) ||
		    __builtin_add_overflow(part, fraction, &part) ||
		    __builtin_add_overflow(total, part, &total) || total == PARSE_INFINITY)
			return -ERANGE;
		text = skip_space(text);
	} while (*text);

	*ret_usec = total;
	return 0;
}

int parse_size(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t bytes;
	int r = take_digits(&text, &bytes);

	if (r < 0)
		return r;
	if (*text) {
		const char *suffix = strchr(suffixes, *text);

		if (!suffix || text[1])
			return -EINVAL;
		for (ptrdiff_t i = 0; i <= suffix - suffixes; i++)
			if (__builtin_mul_overflow(bytes, 1024, &bytes))
				return -ERANGE;
	}
	if (bytes < minimum || bytes > maximum)
		return -ERANGE;
	*ret_bytes = bytes;
	return 0;
}
