/* SPDX-License-Identifier: ISC */

/*
 * io_uring: io_uring "stream" | "datagram" PORT|PATH
 *
 * One thread and one ring whose work is done when it is asked for (DEFER_TASKRUN). Sockets are
 * direct descriptors; accept, receive and receive-message are multishot, with buffers that the
 * kernel takes from a ring. A batch's answers go out with the call that waits for the next batch.
 *
 * A connection that fills its buffers is served in bulk from then on: one large buffer of its own,
 * an answer and the next receive linked, so that a single call does both.
 *
 *          full buffer: cancel, let the answers go         send ──link──▶ receive
 *   multishot ────────────────────────────────────▶ bulk      ▲             │
 *        ◀──────────────────────────────────────────          └─ transform ◀┘
 *                   little came at once
 */

#include <liburing.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "peer.h"

#define RING_ENTRIES 2048
#define SLOTS_MAX    16384
#define BULK_SIZE    ((size_t)128 << 10)
/* Answers that wait for a client; above that nothing more is received from it. */
#define QUEUE_MAX 16
#define NO_BUFFER UINT16_MAX

enum operation { ACCEPT, RECEIVE, SEND, BULK_RECEIVE, BULK_SEND, OTHER };

struct connection {
	char *bulk;
	uint16_t first, last; /* buffers to be sent; the first one is on its way */
	uint16_t queued;
	bool receiving, sending, cancelled, ended, broken, fast;
};

static struct io_uring ring;
static struct connection connections[SLOTS_MAX];

static struct io_uring_buf_ring *buffers;
static char *memory;
static size_t buffer_size, stride;
static unsigned buffer_count;
static uint16_t *next_buffer;
static unsigned *lengths;

/* Connections that found no buffer, until there is one. */
static unsigned starved[SLOTS_MAX];
static unsigned starved_count;
static bool buffers_came;

static struct io_uring_sqe *new_sqe(void)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&ring)))
		io_uring_submit(&ring);
	return sqe;
}

/* So that a link is not torn by a full queue. */
static void reserve(unsigned count)
{
	if (io_uring_sq_space_left(&ring) < count)
		io_uring_submit(&ring);
}

static uint64_t tag(enum operation operation, unsigned slot, unsigned buffer)
{
	return (uint64_t)buffer << 32 | slot << 8 | operation;
}

static void mark(struct io_uring_sqe *sqe, enum operation operation, unsigned slot, unsigned buffer)
{
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, tag(operation, slot, buffer));
}

static char *buffer_at(unsigned buffer)
{
	return memory + buffer * stride;
}

static void give_buffer(unsigned buffer)
{
	io_uring_buf_ring_add(buffers, buffer_at(buffer), (unsigned)buffer_size,
			      (unsigned short)buffer, io_uring_buf_ring_mask(buffer_count), 0);
	io_uring_buf_ring_advance(buffers, 1);
	buffers_came = true;
}

/* The stride is odd in cache lines: the buffers' heads share no set of the cache. */
static void make_buffers(unsigned count, size_t size)
{
	size_t ring_size = count * sizeof(struct io_uring_buf);
	struct io_uring_buf_reg registration = {.ring_entries = count, .bgid = 0};

	buffer_count = count;
	buffer_size = size;
	stride = size + 64;
	if (posix_memalign((void **)&buffers, 4096, ring_size) != 0 ||
	    posix_memalign((void **)&memory, (size_t)2 << 20, count * stride) != 0)
		peer_die("memory");
	(void)madvise(memory, count * stride, MADV_HUGEPAGE);
	next_buffer = calloc(count, sizeof(*next_buffer));
	lengths = calloc(count, sizeof(*lengths));
	io_uring_buf_ring_init(buffers);
	registration.ring_addr = (uintptr_t)buffers;
	if (!next_buffer || !lengths || io_uring_register_buf_ring(&ring, &registration, 0) != 0)
		peer_die("io_uring_register_buf_ring");
	for (unsigned i = 0; i < count; i++)
		give_buffer(i);
}

static void start_receiving(unsigned slot)
{
	struct io_uring_sqe *sqe = new_sqe();

	io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
	mark(sqe, RECEIVE, slot, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	connections[slot].receiving = true;
	connections[slot].cancelled = false;
}

static void stop_receiving(unsigned slot)
{
	struct io_uring_sqe *sqe;

	if (!connections[slot].receiving || connections[slot].cancelled)
		return;
	sqe = new_sqe();
	io_uring_prep_cancel64(sqe, tag(RECEIVE, slot, 0), 0);
	io_uring_sqe_set_data64(sqe, tag(OTHER, slot, 0));
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	connections[slot].cancelled = true;
}

static void send_first(unsigned slot)
{
	struct connection *c = &connections[slot];
	struct io_uring_sqe *sqe = new_sqe();

	io_uring_prep_send(sqe, (int)slot, buffer_at(c->first), lengths[c->first],
			   MSG_NOSIGNAL | MSG_WAITALL);
	mark(sqe, SEND, slot, c->first);
	c->sending = true;
}

static void close_slot(unsigned slot)
{
	struct connection *c = &connections[slot];
	struct io_uring_sqe *sqe = new_sqe();

	io_uring_prep_close_direct(sqe, slot);
	io_uring_sqe_set_data64(sqe, tag(OTHER, slot, 0));
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	free(c->bulk);
	*c = (struct connection){.first = NO_BUFFER};
}

static void receive_bulk(unsigned slot)
{
	struct connection *c = &connections[slot];
	struct io_uring_sqe *sqe = new_sqe();

	io_uring_prep_recv(sqe, (int)slot, c->bulk, BULK_SIZE, 0);
	mark(sqe, BULK_RECEIVE, slot, 0);
	c->receiving = true;
}

static void start_bulk(unsigned slot)
{
	struct connection *c = &connections[slot];

	if (!c->bulk && !(c->bulk = malloc(BULK_SIZE)))
		peer_die("malloc");
	receive_bulk(slot);
}

/* What is next, where nothing is on its way. */
static void go_on(unsigned slot)
{
	struct connection *c = &connections[slot];

	if (c->sending || c->receiving)
		return;
	if (c->ended || c->broken)
		close_slot(slot);
	else if (c->fast)
		start_bulk(slot);
	else
		start_receiving(slot);
}

static void feed_starved(void)
{
	unsigned count = starved_count;

	starved_count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct connection *c = &connections[starved[i]];

		c->receiving = false;
		if (c->first == NO_BUFFER)
			go_on(starved[i]);
	}
}

static void received(unsigned slot, const struct io_uring_cqe *cqe)
{
	struct connection *c = &connections[slot];

	if (cqe->res > 0) {
		uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

		peer_upper(buffer_at(buffer), (size_t)cqe->res);
		lengths[buffer] = (unsigned)cqe->res;
		next_buffer[buffer] = NO_BUFFER;
		if (c->first == NO_BUFFER)
			c->first = buffer;
		else
			next_buffer[c->last] = buffer;
		c->last = buffer;
		c->queued++;
		if (!c->sending)
			send_first(slot);
		c->fast = c->fast || (size_t)cqe->res == buffer_size;
		if (c->fast || c->queued >= QUEUE_MAX)
			stop_receiving(slot);
	}
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	if (cqe->res == -ENOBUFS && c->first == NO_BUFFER) {
		starved[starved_count++] = slot;
		return;
	}
	c->receiving = false;
	if (cqe->res == 0)
		c->ended = true;
	else if (cqe->res < 0 && cqe->res != -ENOBUFS && cqe->res != -ECANCELED)
		c->broken = true;
	go_on(slot);
}

static void sent(unsigned slot, unsigned buffer, const struct io_uring_cqe *cqe)
{
	struct connection *c = &connections[slot];

	c->sending = false;
	if (cqe->res < (int)lengths[buffer]) {
		c->broken = true;
		stop_receiving(slot);
	}
	do {
		c->first = next_buffer[buffer];
		c->queued--;
		give_buffer(buffer);
		buffer = c->first;
	} while (c->broken && buffer != NO_BUFFER);
	if (c->first != NO_BUFFER)
		send_first(slot);
	else
		go_on(slot);
}

static void received_bulk(unsigned slot, const struct io_uring_cqe *cqe)
{
	struct connection *c = &connections[slot];
	struct io_uring_sqe *sqe;
	bool again;

	c->receiving = false;
	if (cqe->res <= 0) {
		c->ended = true;
		go_on(slot);
		return;
	}
	peer_upper(c->bulk, (size_t)cqe->res);
	again = (size_t)cqe->res > buffer_size;
	reserve(2);
	sqe = new_sqe();
	io_uring_prep_send(sqe, (int)slot, c->bulk, (size_t)cqe->res, MSG_NOSIGNAL | MSG_WAITALL);
	mark(sqe, BULK_SEND, slot, 0);
	c->sending = true;
	c->fast = again;
	if (!again)
		return;
	/* A send that succeeded has nothing to tell: the receive is there. */
	sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
	c->sending = false;
	receive_bulk(slot);
}

static void sent_bulk(unsigned slot, const struct io_uring_cqe *cqe)
{
	struct connection *c = &connections[slot];

	c->sending = false;
	/* A torn link's receive ends with ECANCELED, and closes. */
	c->broken = c->broken || cqe->res < 0;
	go_on(slot);
}

static void accepted(int listener, const struct io_uring_cqe *cqe)
{
	if (cqe->res >= 0) {
		connections[cqe->res] = (struct connection){.first = NO_BUFFER};
		start_receiving((unsigned)cqe->res);
	}
	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		struct io_uring_sqe *sqe = new_sqe();

		io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
		io_uring_sqe_set_data64(sqe, tag(ACCEPT, 0, 0));
	}
}

static void stream_event(int listener, const struct io_uring_cqe *cqe)
{
	unsigned slot = (unsigned)(cqe->user_data >> 8) & 0xffffff;

	switch ((enum operation)(cqe->user_data & 0xff)) {
	case ACCEPT:
		accepted(listener, cqe);
		break;
	case RECEIVE:
		received(slot, cqe);
		break;
	case SEND:
		sent(slot, (unsigned)(cqe->user_data >> 32), cqe);
		break;
	case BULK_RECEIVE:
		received_bulk(slot, cqe);
		break;
	case BULK_SEND:
		sent_bulk(slot, cqe);
		break;
	case OTHER:
		break;
	}
}

/* The name is received in front of the payload, both in one buffer. */
static struct msghdr datagram_layout = {.msg_namelen = sizeof(struct sockaddr_in)};

static void receive_datagrams(void)
{
	struct io_uring_sqe *sqe = new_sqe();

	io_uring_prep_recvmsg_multishot(sqe, 0, &datagram_layout, 0);
	mark(sqe, RECEIVE, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
}

static void answer_datagram(const struct io_uring_cqe *cqe)
{
	unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	struct io_uring_recvmsg_out *out =
		io_uring_recvmsg_validate(buffer_at(buffer), cqe->res, &datagram_layout);
	struct io_uring_sqe *sqe;
	unsigned length;
	char *payload;

	if (!out) {
		give_buffer(buffer);
		return;
	}
	payload = io_uring_recvmsg_payload(out, &datagram_layout);
	length = io_uring_recvmsg_payload_length(out, cqe->res, &datagram_layout);
	peer_upper(payload, length);
	sqe = new_sqe();
	io_uring_prep_send(sqe, 0, payload, length, 0);
	io_uring_prep_send_set_addr(sqe, io_uring_recvmsg_name(out), (__u16)out->namelen);
	mark(sqe, SEND, 0, buffer);
}

static void datagram_event(int unused, const struct io_uring_cqe *cqe)
{
	(void)unused;
	if ((enum operation)(cqe->user_data & 0xff) == SEND) {
		give_buffer((unsigned)(cqe->user_data >> 32));
		return;
	}
	if (cqe->flags & IORING_CQE_F_BUFFER)
		answer_datagram(cqe);
	if (!(cqe->flags & IORING_CQE_F_MORE))
		receive_datagrams();
}

static void make_ring(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE,
		.cq_entries = 4 * RING_ENTRIES,
	};
	struct rlimit limit = {SLOTS_MAX + 100, SLOTS_MAX + 100};

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (io_uring_queue_init_params(RING_ENTRIES, &ring, &params) < 0)
		peer_die("io_uring_queue_init_params");
	if (io_uring_register_ring_fd(&ring) < 0)
		peer_die("io_uring_register_ring_fd");
}

static void loop(int listener, void (*event)(int, const struct io_uring_cqe *))
{
	for (;;) {
		struct io_uring_cqe *cqe;
		unsigned head, count = 0;

		buffers_came = false;
		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			event(listener, cqe);
			count++;
		}
		io_uring_cq_advance(&ring, count);
		if (starved_count > 0 && buffers_came)
			feed_starved();
	}
}

int main(int argc, char **argv)
{
	const struct io_uring_cqe first = {.res = -1};
	int fd;

	if (argc != 3)
		return 2;
	make_ring();
	if (strcmp(argv[1], "datagram") == 0) {
		fd = peer_open(argv[2], SOCK_DGRAM);
		if (io_uring_register_files(&ring, &fd, 1) < 0)
			peer_die("io_uring_register_files");
		make_buffers(256, 65536 + 128);
		receive_datagrams();
		loop(fd, datagram_event);
	}
	fd = peer_open(argv[2], SOCK_STREAM);
	if (io_uring_register_files_sparse(&ring, SLOTS_MAX) < 0)
		peer_die("io_uring_register_files_sparse");
	make_buffers(4096, 2048);
	accepted(fd, &first);
	loop(fd, stream_event);
}
