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
	[REFUSAL_FORGED_NAME] = "forged name",
	[REFUSAL_RATE] = "datagram-rate",
	[REFUSAL_TOO_LARGE] = "too large",
	[REFUSAL_SEND_FAILED] = "send failed",
};

static const char *const shortage_names[SHORTAGE_COUNT] = {
	[SHORTAGE_DESCRIPTORS] = "out of descriptors",
	[SHORTAGE_MEMORY] = "out of memory",
};

const char *status_refusal_name(enum refusal why)
{
	return refusal_names[why];
}

/* Counts it, and that something happened which the log is to tell. */
static void limit(struct status *status, status_counter *counter)
{
	status_count(counter, 1);
	status_count(&status->limited, 1);
}

void status_refuse_connection(struct status *status, enum refusal why)
{
	status_count(&status->refused[why], 1);
	limit(status, &status->connections_refused);
}

void status_refuse_datagram(struct status *status, enum refusal why)
{
	status_count(&status->refused[why], 1);
	limit(status, &status->datagrams_refused);
}

void status_cut_connection(struct status *status)
{
	limit(status, &status->connections_cut);
}

void status_pause_accepting(struct status *status, enum shortage why)
{
	limit(status, &status->accepting_paused[why]);
}

void status_resume_accepting(struct status *status)
{
	limit(status, &status->accepting_resumed);
}

void status_shorten_read(struct status *status)
{
	limit(status, &status->reads_shortened);
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

uint64_t status_count_paused(const struct status *status)
{
	return status->accepting_paused[SHORTAGE_DESCRIPTORS] +
	       status->accepting_paused[SHORTAGE_MEMORY];
}

static void add_shortages(struct writer *writer, const struct status *status)
{
	const char *before = " (";

	for (unsigned why = 0; why < SHORTAGE_COUNT; why++) {
		if (status->accepting_paused[why] == 0)
			continue;
		add(writer, "%s%s %" PRIu64, before, shortage_names[why],
		    status->accepting_paused[why]);
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
	if (status->connections_cut > 0)
		add(&writer, ", %" PRIu64 " cut (out of memory)", status->connections_cut);
	add(&writer, ". Datagrams: %" PRIu64 " answered, %" PRIu64 " refused",
	    status->datagrams_answered, status->datagrams_refused);
	add_reasons(&writer, status, REFUSAL_OWN_PORT, REFUSAL_SEND_FAILED);
	add(&writer, ". Bytes: %" PRIu64 " in, %" PRIu64 " out, %" PRIu64 " unsent.",
	    status->bytes_in, status->bytes_out, status->bytes_unsent);
	if (status_count_paused(status) > 0) {
		add(&writer, " Accepting: paused");
		add_shortages(&writer, status);
		add(&writer, ", resumed %" PRIu64 ".", status->accepting_resumed);
	}
	if (status->reads_shortened > 0)
		add(&writer, " Reads: shortened (unsent-max %" PRIu64 ").",
		    status->reads_shortened);
	return text;
}

/* What happened between the two. */
static void subtract(struct status *ret_since, const struct status *status,
		     const struct status *before)
{
	status_counter *to = (status_counter *)ret_since;
	const status_counter *now = (const status_counter *)status;
	const status_counter *then = (const status_counter *)before;

	for (size_t i = 0; i < sizeof(*status) / sizeof(*to); i++)
		to[i] = now[i] - then[i];
}

static void add_refused(struct writer *writer, const struct status *since)
{
	const char *between = "refused ";

	if (since->connections_refused > 0) {
		add(writer, "%sconnections: %" PRIu64, between, since->connections_refused);
		add_reasons(writer, since, REFUSAL_CONNECTIONS_MAX, REFUSAL_MEMORY);
		between = ", ";
	}
	if (since->datagrams_refused > 0) {
		add(writer, "%sdatagrams: %" PRIu64, between, since->datagrams_refused);
		add_reasons(writer, since, REFUSAL_OWN_PORT, REFUSAL_SEND_FAILED);
	}
}

static const char *semicolon(const struct writer *writer)
{
	return writer->length > 0 ? "; " : "";
}

static void add_accepting(struct writer *writer, const struct status *since)
{
	uint64_t paused = status_count_paused(since);

	if (paused > 0) {
		add(writer, "%saccepting paused: %" PRIu64, semicolon(writer), paused);
		add_shortages(writer, since);
	}
	if (since->accepting_resumed > 0)
		add(writer, "%s%s: %" PRIu64, paused > 0 ? "" : semicolon(writer),
		    paused > 0 ? ", resumed" : "accepting resumed", since->accepting_resumed);
}

const char *status_print_limited(const struct status *status, const struct status *before,
				 char text[static STATUS_TEXT_MAX])
{
	struct writer writer = {.text = text};
	struct status since;

	subtract(&since, status, before);
	add_refused(&writer, &since);
	if (since.connections_cut > 0)
		add(&writer, "%sconnections cut: %" PRIu64 " (out of memory)", semicolon(&writer),
		    since.connections_cut);
	add_accepting(&writer, &since);
	if (since.reads_shortened > 0)
		add(&writer, "%sreads shortened: %" PRIu64 " (unsent-max)", semicolon(&writer),
		    since.reads_shortened);
	/* Another worker may be about to count what it has only begun to. */
	return writer.length > 0 ? text : NULL;
}
