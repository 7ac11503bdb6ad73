/* SPDX-License-Identifier: ISC */

/* world-datagrams: datagrams that come, alone or many at once, and what becomes of each. */

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "net/pktinfo.h"
#include "text/upper.h"
#include "world.h"

#define MESSAGES_MAX 256
#define REQUESTS_MAX 2048

/* What the kernel hands over as one. */
struct message {
	int fd;
	struct world_message is;
	uint8_t *bytes; /* owned */
	size_t length;
	bool was_read, is_lost;
};

/* What is answered as one: a message, or a segment of it. */
struct request {
	const struct message *message;
	const uint8_t *bytes;
	size_t length;
	bool is_answered;
};

static struct message messages[MESSAGES_MAX];
static unsigned message_count;
static struct request requests[REQUESTS_MAX];
static unsigned request_count;
static uint64_t answered;
static bool had_fault; /* a reply may have been lost, or sent from where the kernel likes */

void world_datagram(int fd, const struct world_message *is, const uint8_t *bytes, size_t length)
{
	struct message *message = &messages[message_count];

	if (message_count == MESSAGES_MAX)
		return;
	message_count++;
	*message = (struct message){.fd = fd, .is = *is, .length = length};
	message->bytes = malloc(length + 1);
	REQUIRE(message->bytes, "no memory");
	memcpy(message->bytes, bytes, length);
}

static struct message *next_of(int fd)
{
	for (unsigned i = 0; i < message_count; i++)
		if (messages[i].fd == fd && !messages[i].was_read && !messages[i].is_lost)
			return &messages[i];
	return NULL;
}

bool world_has_datagram(int fd)
{
	return next_of(fd);
}

void world_free_datagrams(void)
{
	for (unsigned i = 0; i < message_count; i++)
		free(messages[i].bytes);
	message_count = request_count = 0;
	answered = 0;
	had_fault = false;
}

/* Requests that were read were answered at once, or never will be. */
void world_begin_life_of_datagrams(void)
{
	request_count = 0;
	answered = 0;
}

void world_inherit_datagrams(int fd, int before)
{
	for (unsigned i = 0; i < message_count; i++)
		if (messages[i].fd == before)
			messages[i].fd = fd;
}

/* ─── in ─── */

static void *add_control(struct msghdr *header, int level, int type, size_t length)
{
	struct cmsghdr *control =
		(struct cmsghdr *)((char *)header->msg_control + header->msg_controllen);

	*control = (struct cmsghdr){
		.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(length)};
	header->msg_controllen += CMSG_SPACE(length);
	return CMSG_DATA(control);
}

/* As Linux has them: of IPv4 to a socket of IPv6 both kinds. */
static void add_pktinfo(struct msghdr *header, int family, const struct address *to)
{
	uint32_t ipv4;

	if (family == AF_INET6) {
		struct in6_pktinfo info = {.ipi6_addr = to->in6.sin6_addr, .ipi6_ifindex = 2};

		memcpy(add_control(header, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info)), &info,
		       sizeof(info));
	}
	if (address_get_ipv4(to, &ipv4)) {
		struct in_pktinfo info = {.ipi_ifindex = 2,
					  .ipi_spec_dst.s_addr = htonl(ipv4),
					  .ipi_addr.s_addr = htonl(ipv4)};

		memcpy(add_control(header, IPPROTO_IP, IP_PKTINFO, sizeof(info)), &info,
		       sizeof(info));
	}
}

static void add_requests(const struct message *message, size_t length)
{
	size_t segment = message->is.segment ? message->is.segment : length, at = 0;

	do {
		REQUIRE(request_count < REQUESTS_MAX, "too many requests");
		requests[request_count++] = (struct request){
			.message = message,
			.bytes = message->bytes + at,
			.length = length - at < segment ? length - at : segment,
		};
		at += segment;
	} while (at < length);
}

static void deliver(struct message *message, struct mmsghdr *into)
{
	struct msghdr *header = &into->msg_hdr;
	int family = world_look(message->fd, WORLD_DATAGRAM)->family;
	size_t length = message->length, room = header->msg_iov[0].iov_len;
	const socklen_t name_room = header->msg_namelen;

	message->was_read = true;
	header->msg_flags = 0;
	if (message->is.is_cut || length > room)
		header->msg_flags |= MSG_TRUNC;
	if (length > room)
		length = room;
	memcpy(header->msg_iov[0].iov_base, message->bytes, length);
	into->msg_len = (unsigned)length;
	memcpy(header->msg_name, &message->is.from.storage,
	       message->is.from.length < name_room ? message->is.from.length : name_room);
	header->msg_namelen = message->is.from.length;
	/* From AF_UNIX open files would come in it, which are nobody's to close. */
	REQUIRE(family == AF_UNIX ? header->msg_controllen == 0
				  : header->msg_controllen >= PKTINFO_CONTROL_MAX,
		"room for control messages");
	header->msg_controllen = 0;
	if (message->is.to.length > 0)
		add_pktinfo(header, family, &message->is.to);
	if (message->is.segment > 0) {
		int segment = (int)message->is.segment;

		memcpy(add_control(header, IPPROTO_UDP, UDP_GRO, sizeof(segment)), &segment,
		       sizeof(segment));
	}
	world.bytes_in += length;
	add_requests(message, length);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *into, unsigned count, int flags,
		    struct timespec *timeout);
int __wrap_recvmmsg(int fd, struct mmsghdr *into, unsigned count, int flags,
		    struct timespec *timeout)
{
	WORLD_INSIDE;
	struct message *next = next_of(fd);
	unsigned n = 0;

	(void)world_look(fd, WORLD_DATAGRAM);
	REQUIRE(flags == MSG_DONTWAIT && !timeout, "flags %d", flags);
	if (world_has_fault(WORLD_RECVMMSG)) {
		/* A bad checksum: it was there when the server was woken. */
		if (errno == EAGAIN && next)
			next->is_lost = true;
		return -1;
	}
	if (world.most > 0 && world.most < count)
		count = world.most;
	world.most = 0;
	while (n < count && (next = next_of(fd)))
		deliver(next, &into[n++]);
	if (n == 0) {
		errno = EAGAIN;
		return -1;
	}
	world_progress(fd);
	return (int)n;
}

/* ─── out ─── */

static bool has_equal_address(const struct address *a, const struct msghdr *header)
{
	return a->length == header->msg_namelen &&
	       memcmp(&a->storage, header->msg_name, a->length) == 0;
}

static bool is_reply_to(const struct request *request, const uint8_t *bytes, size_t length)
{
	static char expected[3 * (1 << 18) + 2 * UPPER_SLACK];
	struct upper upper = {0};
	size_t n;

	REQUIRE(UPPER_ROOM(request->length) <= sizeof(expected), "a long request");
	if (length < request->length / 3)
		return false;
	n = upper_feed(&upper, request->bytes, request->length, expected);
	n += upper_finish(&upper, expected + n);
	return n == length && memcmp(expected, bytes, n) == 0;
}

/* The address that a message leaves from: what was asked, unless nothing can be sent from there. */
static bool has_right_source(const struct request *request, const struct msghdr *header)
{
	struct address own = {.length = 0};
	uint32_t asked, ipv4;
	struct msghdr *message = (struct msghdr *)header;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct in_pktinfo info;
		struct in6_pktinfo info6;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			REQUIRE(info.ipi_ifindex == 0, "bound to an interface");
			own.length = sizeof(own.in);
			own.in.sin_family = AF_INET;
			own.in.sin_addr = info.ipi_spec_dst;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(c), sizeof(info6));
			own.length = sizeof(own.in6);
			own.in6.sin6_family = AF_INET6;
			own.in6.sin6_addr = info6.ipi6_addr;
		} else {
			REQUIRE(c->cmsg_level == IPPROTO_UDP, "level %d", c->cmsg_level);
		}
	}
	if (own.length == 0 || request->message->is.to.length == 0)
		return had_fault || request->message->is.to.length == 0 ||
		       (request->message->is.to.any.sa_family == AF_INET6 &&
			IN6_IS_ADDR_MULTICAST(&request->message->is.to.in6.sin6_addr));
	if (address_get_ipv4(&own, &ipv4))
		return address_get_ipv4(&request->message->is.to, &asked) && asked == ipv4;
	return memcmp(&own.in6.sin6_addr, &request->message->is.to.in6.sin6_addr,
		      sizeof(own.in6.sin6_addr)) == 0;
}

static bool may_be_answered(const struct request *request)
{
	return request->message->is.is_welcome && !request->message->is.is_cut &&
	       !request->is_answered;
}

/* One datagram leaves: it must be the answer to somebody who was not answered yet. */
static void take_reply(int fd, const struct msghdr *header, const uint8_t *bytes, size_t length)
{
	struct request *request = NULL;

	for (unsigned i = 0; i < request_count && !request; i++)
		if (requests[i].message->fd == fd && may_be_answered(&requests[i]) &&
		    has_equal_address(&requests[i].message->is.from, header) &&
		    has_right_source(&requests[i], header) &&
		    is_reply_to(&requests[i], bytes, length))
			request = &requests[i];
	REQUIRE(request, "%zu bytes to somebody who did not ask for them, or did elsewhere",
		length);
	request->is_answered = true;
	answered++;
	world.bytes_out += length;
}

static unsigned segment_size(const struct msghdr *header)
{
	struct msghdr *message = (struct msghdr *)header;
	uint16_t size = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT)
			memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size;
}

static void take_message(int fd, const struct msghdr *header)
{
	const uint8_t *bytes = header->msg_iov[0].iov_base;
	size_t left = header->msg_iov[0].iov_len, segment = segment_size(header);

	REQUIRE(header->msg_iovlen == 1, "parts");
	REQUIRE(segment == 0 || (left > segment && left <= 64 * segment && left <= 65507 &&
				 world_look(fd, WORLD_DATAGRAM)->family != AF_UNIX),
		"%zu bytes in segments of %zu", left, segment);
	do {
		size_t length = segment > 0 && segment < left ? segment : left;

		take_reply(fd, header, bytes, length);
		bytes += length;
		left -= length;
	} while (left > 0);
}

/* A header of UDP has room for so much (RFC 768), one of IPv4 for so much less (RFC 791). */
static bool is_too_long(int fd, const struct msghdr *header)
{
	struct address to = {.length = header->msg_namelen};
	uint32_t ipv4;

	if (world_look(fd, WORLD_DATAGRAM)->family == AF_UNIX)
		return false;
	memcpy(&to.storage, header->msg_name, header->msg_namelen);
	return header->msg_iov[0].iov_len > (address_get_ipv4(&to, &ipv4) ? 65507 : 65527);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *out, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *out, unsigned count, int flags)
{
	WORLD_INSIDE;

	(void)world_look(fd, WORLD_DATAGRAM);
	REQUIRE(count > 0 && flags == (MSG_DONTWAIT | MSG_NOSIGNAL), "flags %d", flags);
	if (world_has_fault(WORLD_SENDMMSG))
		return -1;
	if (world.most > 0 && world.most < count)
		count = world.most;
	world.most = 0;
	for (unsigned i = 0; i < count; i++) {
		if (is_too_long(fd, &out[i].msg_hdr)) {
			errno = EMSGSIZE;
			return i > 0 ? (int)i : -1;
		}
		take_message(fd, &out[i].msg_hdr);
	}
	return (int)count;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *out, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *out, int flags)
{
	WORLD_INSIDE;

	(void)world_look(fd, WORLD_DATAGRAM);
	REQUIRE(flags == (MSG_DONTWAIT | MSG_NOSIGNAL), "flags %d", flags);
	REQUIRE(segment_size(out) == 0, "in segments");
	if (world_has_fault(WORLD_SENDMSG)) {
		had_fault = true;
		return -1;
	}
	if (is_too_long(fd, out)) {
		errno = EMSGSIZE;
		return -1;
	}
	take_message(fd, out);
	return (ssize_t)out->msg_iov[0].iov_len;
}

int __real_poll(struct pollfd *waits, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *waits, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *waits, nfds_t count, int timeout)
{
	WORLD_INSIDE;

	if (count == 0 || !world_is_fake(waits[0].fd))
		return __real_poll(waits, count, timeout);
	REQUIRE(count == 1 && timeout >= 0 && timeout <= 10, "%d milliseconds", timeout);
	if (world_has_fault(WORLD_POLL))
		return errno == EINTR ? -1 : 0;
	waits[0].revents = waits[0].events;
	return 1;
}

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	if (!world_is_fake(fd))
		return __real_setsockopt(fd, level, option, value, length);
	if (level == SOL_SOCKET && option == SO_LINGER)
		world_set_linger(fd);
	return world_has_fault(WORLD_SETSOCKOPT) ? -1 : 0;
}

/* Nobody does; one that we shut down ourselves says so when it is asked. */
bool __wrap_socket_is_shut(int fd);
bool __wrap_socket_is_shut(int fd)
{
	(void)world_look(fd, WORLD_NOTHING);
	return false;
}

/* Names lead back to who has them. */
int __wrap_socket_find(int probe, const struct address *name);
int __wrap_socket_find(int probe, const struct address *name)
{
	REQUIRE(probe >= 0 && name->any.sa_family == AF_UNIX && name->length > sizeof(sa_family_t),
		"nothing to look for");
	return 1;
}

int __real_getsockname(int fd, struct sockaddr *name, socklen_t *length);
int __wrap_getsockname(int fd, struct sockaddr *name, socklen_t *length);
int __wrap_getsockname(int fd, struct sockaddr *name, socklen_t *length)
{
	const struct world_descriptor *descriptor;
	struct address own = {.length = sizeof(sa_family_t)};

	if (!world_is_fake(fd))
		return __real_getsockname(fd, name, length);
	descriptor = world_look(fd, WORLD_NOTHING);
	own.any.sa_family = (sa_family_t)descriptor->family;
	if (descriptor->family == AF_INET) {
		own.length = sizeof(own.in);
		own.in.sin_port = htons(descriptor->port);
	} else if (descriptor->family == AF_INET6) {
		own.length = sizeof(own.in6);
		own.in6.sin6_port = htons(descriptor->port);
	}
	REQUIRE(*length >= own.length, "room");
	memcpy(name, &own.storage, own.length);
	*length = own.length;
	return 0;
}

/* ─── the account ─── */

/* Each one that was read is answered, or counted as not answered for a reason that it has. */
void world_check_datagrams(void)
{
	const struct status *status = &world.status;
	uint64_t unwelcome = 0, cut = 0, wrong = 0;

	for (enum refusal why = REFUSAL_OWN_PORT; why <= REFUSAL_FORGED_NAME; why++)
		wrong += status->refused[why];
	for (unsigned i = 0; i < request_count; i++) {
		unwelcome += !requests[i].message->is.is_welcome;
		cut += requests[i].message->is.is_welcome && requests[i].message->is.is_cut;
	}
	REQUIRE(status->datagrams_answered == answered, "%d answers, not %d",
		(int)status->datagrams_answered, (int)answered);
	REQUIRE(answered + status->datagrams_refused == request_count, "%d of %u datagrams",
		(int)(answered + status->datagrams_refused), request_count);
	REQUIRE(wrong == unwelcome, "%d were not welcome, not %d", (int)wrong, (int)unwelcome);
	REQUIRE(status->refused[REFUSAL_TOO_LARGE] >= cut, "%d were cut", (int)cut);
	REQUIRE(had_fault || status->refused[REFUSAL_SEND_FAILED] == 0, "lost without a fault");
}
