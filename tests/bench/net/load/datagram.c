/* SPDX-License-Identifier: ISC */

/*
 * datagram: UDP messages from one socket; each is known by its number, and found again in its
 * reply.
 *
 *      datagram SERVER SIZE OUTSTANDING RATE SEGMENTS
 *
 * RATE 0: as many as are answered, OUTSTANDING at a time. Else RATE a second whatever comes back.
 * SEGMENTS above 1: so many are handed to the kernel as one buffer (UDP_SEGMENT), and taken back
 * the same way (UDP_GRO), as QUIC stacks do.
 *
 *      a datagram:  n n n n n n n n  t e x t   t e x t …
 *                   └ its number, ┘
 *                   in letters a–p
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "load.h"

#define BATCH       64
#define SIZE_MIN    8
#define SIZE_MAX_   1472
#define BUFFER_SIZE (64u << 10)

/* Datagrams that are remembered: at 500,000 a second the last eighth of a second. */
#define FLIGHTS (1u << 16)

/* A reply that is not there by then is lost. */
#define LOST_AFTER_NSEC UINT64_C(100000000)

struct flight {
	uint64_t sent_at;
	bool open;
};

struct datagram {
	struct load_server server;
	struct flight flights[FLIGHTS];
	uint32_t next, oldest; /* numbers */
	uint32_t open;
	uint32_t size, outstanding, rate, segments;
	char *in, *out; /* BATCH buffers each */
	int fd;
};

/* The text behind the number begins somewhere else in each: an answer of another is noticed. */
static char letter(uint32_t number, uint32_t place)
{
	return (char)('a' + (number + place) % 26);
}

static void write_datagram(const struct datagram *d, uint32_t number, char *out)
{
	static char alphabet[26 + SIZE_MAX_];

	if (!alphabet[0])
		for (uint32_t i = 0; i < sizeof(alphabet); i++)
			alphabet[i] = letter(0, i);
	for (uint32_t i = 0; i < 8; i++)
		out[i] = (char)('a' + (number >> (28 - 4 * i) & 0xf));
	memcpy(out + 8, alphabet + number % 26, d->size - 8);
}

/* Returns the number, or ends the program if the rest is not its answer. */
static uint32_t check_datagram(const struct datagram *d, const char *bytes, size_t length)
{
	static char alphabet[26 + SIZE_MAX_];
	uint32_t number = 0;

	if (!alphabet[0])
		for (uint32_t i = 0; i < sizeof(alphabet); i++)
			alphabet[i] = (char)(letter(0, i) - 'a' + 'A');
	errno = 0;
	if (length != d->size)
		load_die("an answer of %zu bytes", length);
	for (uint32_t i = 0; i < 8; i++) {
		if (bytes[i] < 'A' || bytes[i] > 'P')
			load_die("wrong answer");
		number = number << 4 | (uint32_t)(bytes[i] - 'A');
	}
	if (memcmp(bytes + 8, alphabet + number % 26, length - 8) != 0)
		load_die("wrong answer to number %u", number);
	return number;
}

static void open_socket(struct datagram *d)
{
	const int on = 1, room = 4 << 20;

	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (d->fd < 0 ||
	    connect(d->fd, (struct sockaddr *)&d->server.address, d->server.length) < 0)
		load_die("connect");
	/* What is lost is to be lost by the server. */
	(void)setsockopt(d->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (d->segments > 1 && setsockopt(d->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) < 0)
		load_die("UDP_GRO");
}

/* Takes the next number for the datagram written at out. */
static void launch(struct datagram *d, char *out, uint64_t now)
{
	struct flight *flight = &d->flights[d->next % FLIGHTS];

	*flight = (struct flight){.sent_at = now, .open = true};
	write_datagram(d, d->next++, out);
	d->open++;
}

/* Sends count datagrams, which is at most BATCH buffers of them. */
static void send_datagrams(struct datagram *d, uint32_t count)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
	struct cmsghdr *header = (struct cmsghdr *)control;
	uint16_t size = (uint16_t)d->size;
	uint64_t now = load_now();
	int buffers = 0, sent = 0;

	header->cmsg_level = IPPROTO_UDP;
	header->cmsg_type = UDP_SEGMENT;
	header->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(header), &size, sizeof(size));
	while (count > 0) {
		char *out = d->out + (size_t)buffers * BUFFER_SIZE;
		uint32_t segments = count < d->segments ? count : d->segments;

		for (uint32_t i = 0; i < segments; i++)
			launch(d, out + (size_t)i * d->size, now);
		parts[buffers] = (struct iovec){out, (size_t)segments * d->size};
		messages[buffers].msg_hdr.msg_iov = &parts[buffers];
		messages[buffers].msg_hdr.msg_iovlen = 1;
		if (segments > 1) {
			messages[buffers].msg_hdr.msg_control = control;
			messages[buffers].msg_hdr.msg_controllen = sizeof(control);
		}
		buffers++;
		count -= segments;
	}
	while (sent < buffers) {
		int n = sendmmsg(d->fd, messages + sent, (unsigned)(buffers - sent), MSG_NOSIGNAL);

		/* Refused: what an earlier datagram met. */
		if (n < 0 && errno != ECONNREFUSED && errno != EINTR)
			load_die("send");
		sent += n > 0 ? n : 0;
	}
}

static void take_answer(struct datagram *d, const char *bytes, size_t length, uint64_t now,
			struct load_figures *figures)
{
	uint32_t number = check_datagram(d, bytes, length);
	struct flight *flight = &d->flights[number % FLIGHTS];

	/* Too late, or a second answer: it counts as lost already, or not at all. */
	if (d->next - number > FLIGHTS || !flight->open)
		return;
	flight->open = false;
	d->open--;
	histogram_add(&figures->latency, now - flight->sent_at);
	figures->answers++;
	figures->bytes += length;
}

static size_t segment_size(struct msghdr *message, size_t length)
{
	int size;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h))
		if (h->cmsg_level == IPPROTO_UDP && h->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(h), sizeof(size));
			return (size_t)size;
		}
	return length;
}

/* Reads what is there. */
static void receive_datagrams(struct datagram *d, struct load_figures *figures)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	_Alignas(struct cmsghdr) char controls[BATCH][CMSG_SPACE(sizeof(int))];
	uint64_t now;
	int count;

	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){d->in + (size_t)i * BUFFER_SIZE, BUFFER_SIZE};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_control = controls[i];
		messages[i].msg_hdr.msg_controllen = sizeof(controls[i]);
	}
	count = recvmmsg(d->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	if (count < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
		load_die("receive");
	now = load_now();
	for (int i = 0; i < count; i++) {
		const char *bytes = parts[i].iov_base;
		size_t left = messages[i].msg_len;
		size_t size = segment_size(&messages[i].msg_hdr, left);

		for (; left > 0; left -= size < left ? size : left, bytes += size)
			take_answer(d, bytes, size < left ? size : left, now, figures);
	}
}

/* Numbers are forgotten in their order: those too old, and those that the next ones displace. */
static void give_up(struct datagram *d, uint64_t now, struct load_figures *figures)
{
	while (d->oldest != d->next) {
		struct flight *flight = &d->flights[d->oldest % FLIGHTS];

		if (flight->open && now - flight->sent_at < LOST_AFTER_NSEC &&
		    d->next - d->oldest < FLIGHTS - BATCH)
			return;
		if (flight->open) {
			flight->open = false;
			d->open--;
			figures->lost++;
		}
		d->oldest++;
	}
}

/* How many are to be sent now. */
static uint32_t due(const struct datagram *d, uint64_t now, uint64_t begin, uint32_t sent)
{
	uint64_t wanted;

	if (d->rate == 0) {
		uint32_t room = d->outstanding - d->open;

		/* whole buffers only, else they would fall apart for good */
		room -= room % d->segments;
		return room < BATCH ? room : BATCH;
	}
	wanted = (uint64_t)((double)(now - begin) * d->rate / 1e9) - sent;
	return wanted < BATCH ? (uint32_t)wanted : BATCH;
}

static void run(void *context, uint64_t until, struct load_figures *figures)
{
	struct datagram *d = context;
	struct pollfd poll_fd = {.fd = d->fd, .events = POLLIN};
	uint64_t begin = load_now(), now;
	uint32_t sent = 0;

	while ((now = load_now()) < until || d->open > 0) {
		uint32_t count = now < until ? due(d, now, begin, sent) : 0;

		if (count > 0)
			send_datagrams(d, count);
		sent += count;
		/* With a rate the clock is what is waited for, which takes looking at it. */
		if (d->rate == 0 || now >= until)
			(void)poll(&poll_fd, 1, (int)(LOST_AFTER_NSEC / 1000000));
		receive_datagrams(d, figures);
		give_up(d, load_now(), figures);
	}
}

int main(int argc, char **argv)
{
	static struct datagram d;

	if (argc != 6)
		load_die("usage: datagram SERVER SIZE OUTSTANDING RATE SEGMENTS");
	d.server = load_parse_server(argv[1]);
	d.size = (uint32_t)load_parse_number(argv[2], SIZE_MAX_);
	d.outstanding = (uint32_t)load_parse_number(argv[3], FLIGHTS / 2);
	d.rate = (uint32_t)load_parse_number(argv[4], 10000000);
	d.segments = (uint32_t)load_parse_number(argv[5], BATCH);
	d.in = malloc((size_t)BATCH * BUFFER_SIZE);
	d.out = malloc((size_t)BATCH * BUFFER_SIZE);
	if (d.size < SIZE_MIN || d.segments < 1 || d.outstanding < d.segments ||
	    (size_t)d.size * d.segments > BUFFER_SIZE - 1 || !d.in || !d.out)
		load_die("sizes that do not fit");
	open_socket(&d);
	load_obey(run, &d);
	return 0;
}
