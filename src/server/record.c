/* SPDX-License-Identifier: ISC */
#include "server/record.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "server/log.h"

/* loop->now is too coarse for a short connection. */
static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool record_is_wanted(void)
{
	return log_is_on(LOG_KIND_CONNECTION);
}

void record_begin(struct record *record, int fd, const struct address *peer)
{
	*record = (struct record){.begin = now_usec(), .peer.length = sizeof(record->peer.storage)};
	if (peer)
		record->peer = *peer;
	else if (getpeername(fd, &record->peer.any, &record->peer.length) < 0)
		record->peer.length = 0;
}

static void add_peer(struct log_message *message, const struct address *peer)
{
	char text[ADDRESS_TEXT_MAX];

	log_add(message, "CLIENT_ADDR=%s", address_print_host(peer, text));
	if (address_port(peer) >= 0)
		log_add(message, "CLIENT_PORT=%d", address_port(peer));
}

void record_log(const struct record *record, const char *reason)
{
	uint64_t usec = now_usec() - record->begin;
	struct log_message message;
	char peer[ADDRESS_TEXT_MAX];

	log_begin(&message, LOG_KIND_CONNECTION);
	add_peer(&message, &record->peer);
	log_add(&message, "BYTES_IN=%" PRIu64, record->bytes_in);
	log_add(&message, "BYTES_OUT=%" PRIu64, record->bytes_out);
	log_add(&message, "DURATION_USEC=%" PRIu64, usec);
	log_add(&message, "REASON=%s", reason);
	if (record->error)
		log_add(&message, "ERRNO=%d", record->error);
	log_send(&message,
		 "connection from %s: %" PRIu64 " bytes in, %" PRIu64 " bytes out, %" PRIu64
		 ".%06" PRIu64 " s: %s%s%s",
		 address_print(&record->peer, peer), record->bytes_in, record->bytes_out,
		 usec / 1000000, usec % 1000000, reason, record->error ? ": " : "",
		 record->error ? strerror(record->error) : "");
}

static void log_refused(enum log_kind kind, const char *what, const struct address *peer,
			enum refusal why)
{
	struct log_message message;
	char text[ADDRESS_TEXT_MAX];

	if (!log_is_on(kind))
		return;
	log_begin(&message, kind);
	add_peer(&message, peer);
	log_add(&message, "REASON=%s", status_refusal_name(why));
	log_send(&message, "%s from %s: refused: %s", what, address_print(peer, text),
		 status_refusal_name(why));
}

void record_log_refused_connection(const struct address *peer, enum refusal why)
{
	log_refused(LOG_KIND_CONNECTION, "connection", peer, why);
}

void record_log_refused_datagram(const struct address *source, enum refusal why)
{
	log_refused(LOG_KIND_REFUSAL, "datagram", source, why);
}
