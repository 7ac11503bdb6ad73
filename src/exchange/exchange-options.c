/* SPDX-License-Identifier: ISC */
#include "exchange/exchange-options.h"

#include "util/parse.h"

#define IDLE_TIMEOUT_DEFAULT (UINT64_C(600) * 1000000)

struct exchange_options exchange_options_default(const struct service *s)
{
	return (struct exchange_options){
		.service = s,
		.message_max = EXCHANGE_MESSAGE_MAX_DEFAULT,
		.idle_timeout = IDLE_TIMEOUT_DEFAULT,
	};
}

/* A reply's length must fit its header however much it grows. */
#define MESSAGE_MAX_LIMIT (64 << 20)

/* None at all is silence enough for 0: it would close everything. */
static int take_idle_timeout(struct exchange_options *exchange, struct options *options)
{
	uint64_t usec;
	int r = options_take_time(options, &usec);

	if (r < 0)
		return r;
	if (usec == 0)
		return options_reject(options, "closes every connection; infinity closes none");
	exchange->idle_timeout = usec;
	return 0;
}

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
	case EXCHANGE_OPTION_IDLE_TIMEOUT:
		if (take_idle_timeout(exchange, options) < 0)
			return OPTIONS_INVALID;
		break;
	default:
		break;
	}
	return id;
}
