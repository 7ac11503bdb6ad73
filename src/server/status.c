/* SPDX-License-Identifier: ISC */
#include "server/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const refusal_names[REFUSAL_COUNT] = {
	[REFUSAL_CONNECTIONS_MAX] = "connections-max",
	[REFUSAL_PER_SOURCE] = "connections-max-per-source",
	[REFUSAL_STATE] = "damaged state",
	[REFUSAL_MEMORY] = "out of memory",
	[REFUSAL_OWN_PORT] = "own port",
	[REFUSAL_LOW_PORT] = "port below 1024",
	[REFUSAL_MULTICAST] = "multicast",
	[REFUSAL_BROADCAST] = "broadcast",
	[REFUSAL_ZERO_NETWORK] = "zero network",
	[REFUSAL_UNNAMED] = "unnamed",
	[REFUSAL_RATE] = "datagram-rate",
	[REFUSAL_TOO_LARGE] = "too large",
	[REFUSAL_SEND_FAILED] = "send failed",
};

const char *status_refusal_name(enum refusal why)
{
	return refusal_names[why];
}

void status_refuse_connection(struct status *status, enum refusal why)
{
	status_count(&status->connections_refused, 1);
	status_count(&status->refused[why], 1);
}

void status_refuse_datagram(struct status *status, enum refusal why)
{
	status_count(&status->datagrams_refused, 1);
	status_count(&status->refused[why], 1);
}

void status_add(struct status *sum, const struct status *other)
{
	status_counter *to = (status_counter *)sum;
	const status_counter *from = (const status_counter *)other;

	_Static_assert(sizeof(*sum) % sizeof(*to) == 0, "counters and nothing else");
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		status_count(&to[i], atomic_load_explicit(&from[i], memory_order_relaxed));
}

/* Text that grows at its end, and stops at its limit. */
struct writer {
	char *text;
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct writer *writer, const char *format,
						      ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(writer->text + writer->length, STATUS_TEXT_MAX - writer->length, format,
		      arguments);
	va_end(arguments);
	if (n > 0)
		writer->length += (size_t)n;
	if (writer->length >= STATUS_TEXT_MAX)
		writer->length = STATUS_TEXT_MAX - 1;
}

/* The reasons from first to last that occurred, in brackets. */
static void add_reasons(struct writer *writer, const struct status *status, enum refusal first,
			enum refusal last)
{
	const char *before = " (";

	for (unsigned why = first; why <= last; why++) {
		if (status->refused[why] == 0)
			continue;
		add(writer, "%s%s %" PRIu64, before, refusal_names[why], status->refused[why]);
		before = ", ";
	}
	if (*before == ',')
		add(writer, ")");
}

const char *status_print(const struct status *status, char text[static STATUS_TEXT_MAX])
{
	struct writer writer = {.text = text};

	add(&writer, "Connections: %" PRIu64 " open, %" PRIu64 " served, %" PRIu64 " refused",
	    status->connections_open, status->connections_served, status->connections_refused);
	add_reasons(&writer, status, REFUSAL_CONNECTIONS_MAX, REFUSAL_MEMORY);
	add(&writer, ". Datagrams: %" PRIu64 " answered, %" PRIu64 " refused",
	    status->datagrams_answered, status->datagrams_refused);
	add_reasons(&writer, status, REFUSAL_OWN_PORT, REFUSAL_SEND_FAILED);
	add(&writer, ". Bytes: %" PRIu64 " in, %" PRIu64 " out.", status->bytes_in,
	    status->bytes_out);
	return text;
}

bool status_has_refusals(const struct status *status, const struct status *before)
{
	return status->connections_refused != before->connections_refused ||
	       status->datagrams_refused != before->datagrams_refused;
}

const char *status_print_refusals(const struct status *status, const struct status *before,
				  char text[static STATUS_TEXT_MAX])
{
	struct writer writer = {.text = text};
	struct status since = {
		.connections_refused = status->connections_refused - before->connections_refused,
		.datagrams_refused = status->datagrams_refused - before->datagrams_refused};
	const char *between = "";

	for (unsigned why = 0; why < REFUSAL_COUNT; why++)
		since.refused[why] = status->refused[why] - before->refused[why];
	if (!status_has_refusals(status, before))
		return NULL;
	add(&writer, "refused ");
	if (since.connections_refused > 0) {
		add(&writer, "connections: %" PRIu64, since.connections_refused);
		add_reasons(&writer, &since, REFUSAL_CONNECTIONS_MAX, REFUSAL_MEMORY);
		between = ", ";
	}
	if (since.datagrams_refused > 0) {
		add(&writer, "%sdatagrams: %" PRIu64, between, since.datagrams_refused);
		add_reasons(&writer, &since, REFUSAL_OWN_PORT, REFUSAL_SEND_FAILED);
	}
	return text;
}
