/* SPDX-License-Identifier: ISC */
#include "exchange/exchange-options.h"

#include "util/parse.h"

struct exchange_options exchange_options_default(const struct service *s)
{
	return (struct exchange_options){
		.service = s,
		.message_max = EXCHANGE_MESSAGE_MAX_DEFAULT,
	};
}

/* A reply's length must fit its header however much it grows. */
#define MESSAGE_MAX_LIMIT (64 << 20)

int exchange_options_take(struct exchange_options *exchange, struct options *options, int id)
{
	uint64_t size;

	switch (id) {
	case EXCHANGE_OPTION_FRAMING:
		if (framing_parse(options->argument, &exchange->framing) < 0)
			return options_reject(options, "not stream, line or length");
		break;
	case EXCHANGE_OPTION_ONCE:
		exchange->once = true;
		break;
	case EXCHANGE_OPTION_MESSAGE_MAX:
		if (parse_size(options->argument, 1, MESSAGE_MAX_LIMIT, &size) < 0)
			return options_reject(options, "not a size from 1 to 64M");
		exchange->message_max = (uint32_t)size;
		break;
	default:
		break;
	}
	return id;
}
