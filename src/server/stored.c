/* SPDX-License-Identifier: ISC */
#include "server/stored.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exchange/exchange-state.h"
#include "util/cleanup.h"
#include "util/descriptor.h"
#include "util/error.h"

#define MAGIC   UINT64_C(0x6e6f697461727065) /* no text's beginning */
#define VERSION 1
#define SEALS   (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct stored_head {
	uint64_t magic;
	uint32_t version;
	uint16_t framing;
	uint8_t state;
	uint8_t input_ended;
	uint32_t exchange_length;
	uint32_t unsent_length;
	uint64_t checksum; /* of all of it, taken as 0 itself */
};

/* FNV-1a, 64 bits: tells damage, not forgery; only the service manager hands these over. */
static uint64_t checksum(const void *bytes, size_t length)
{
	const unsigned char *next = bytes;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ next[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint32_t unsent_length(const struct connection *connection)
{
	return connection->unsent ? connection->unsent->end - connection->unsent->begin : 0;
}

static int write_sealed(const void *bytes, size_t length)
{
	_cleanup_close_ int fd = memfd_create("connection", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return negative_errno();
	r = descriptor_write_all(fd, bytes, length);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return negative_errno();
	return take_fd(&fd);
}

int stored_write(const struct connection *connection)
{
	struct stored_head head = {
		.magic = MAGIC,
		.version = VERSION,
		.framing = (uint16_t)connection->context->exchange->framing,
		.state = connection->state,
		.input_ended = connection->input_ended,
		.exchange_length = (uint32_t)exchange_state_size(&connection->exchange),
		.unsent_length = unsent_length(connection),
	};
	size_t length = sizeof(head) + head.exchange_length + head.unsent_length;
	_cleanup_free_ char *bytes = malloc(length);

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, &head, sizeof(head));
	exchange_state_write(&connection->exchange, bytes + sizeof(head));
	if (head.unsent_length > 0)
		memcpy(bytes + sizeof(head) + head.exchange_length,
		       connection->unsent->bytes + connection->unsent->begin, head.unsent_length);
	head.checksum = checksum(bytes, length);
	memcpy(bytes, &head, sizeof(head));
	return write_sealed(bytes, length);
}

/* All bytes of a sealed memfd of a size that we could have written. Returns their number. */
static ssize_t read_sealed(const struct connection_context *context, int fd, char **ret_bytes)
{
	/* Unsent is a whole reply at most, held less than a message. */
	size_t most = sizeof(struct stored_head) +
		      2 * exchange_room(context->exchange, CONNECTION_READ_SIZE);
	_cleanup_free_ char *bytes = NULL;
	struct stat status;
	ssize_t n;

	if (fcntl(fd, F_GET_SEALS) != SEALS || fstat(fd, &status) < 0 ||
	    status.st_size < (off_t)sizeof(struct stored_head) || (size_t)status.st_size > most)
		return -EBADMSG;
	bytes = malloc((size_t)status.st_size);
	if (!bytes)
		return -ENOMEM;
	n = pread(fd, bytes, (size_t)status.st_size, 0);
	if (n != status.st_size)
		return -EBADMSG;
	*ret_bytes = take_pointer(bytes);
	return n;
}

/* Takes the head off, if it is one of ours and all is as it was written. */
static int check(const struct connection_context *context, char *bytes, size_t length,
		 struct stored_head *ret_head)
{
	struct stored_head head, unsigned_head;

	memcpy(&head, bytes, sizeof(head));
	unsigned_head = head;
	unsigned_head.checksum = 0;
	memcpy(bytes, &unsigned_head, sizeof(head));
	if (head.magic != MAGIC || head.version != VERSION ||
	    head.checksum != checksum(bytes, length) ||
	    head.framing != (uint16_t)context->exchange->framing ||
	    head.state > CONNECTION_LINGERING || head.input_ended > 1 ||
	    (uint64_t)sizeof(head) + head.exchange_length + head.unsent_length != length ||
	    (head.state == CONNECTION_SENDING) != (head.unsent_length > 0))
		return -EBADMSG;
	*ret_head = head;
	return 0;
}

int stored_read(struct connection *connection, int state)
{
	struct connection_context *context = connection->context;
	_cleanup_free_ char *bytes = NULL;
	struct unsent *unsent = NULL;
	struct exchange exchange;
	struct stored_head head;
	ssize_t length = read_sealed(context, state, &bytes);
	int r;

	if (length < 0)
		return (int)length;
	r = check(context, bytes, (size_t)length, &head);
	if (r < 0)
		return r;
	r = exchange_state_read(context->exchange, bytes + sizeof(head), head.exchange_length,
				context->reply, &exchange);
	if (r < 0)
		return r;
	if (head.unsent_length > 0) {
		unsent = unsent_keep(context->unsent_limit, context->status,
				     bytes + sizeof(head) + head.exchange_length,
				     head.unsent_length);
		if (!unsent) {
			exchange_reset(&exchange);
			return -ENOMEM;
		}
	}
	return connection_resume(connection, &exchange, unsent, (enum connection_state)head.state,
				 head.input_ended);
}
