/* SPDX-License-Identifier: ISC */
#include "net/pktinfo.h"

#include <netinet/in.h>
#include <string.h>

#include "util/error.h"

int pktinfo_enable(int fd, int family)
{
	const int on = 1;

	if (family == AF_INET && setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
		return negative_errno();
	if (family != AF_INET6)
		return 0;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
		return negative_errno();
	/* A dual-stack socket gets IPv4 too, and only IPv4's own knows what a broadcast needs. */
	(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	return 0;
}

/* ipi_spec_dst is already the local address to answer from, also for a broadcast (ip(7)). */
static bool turn_ipv4(struct cmsghdr *header)
{
	struct in_pktinfo info;

	if (header->cmsg_level != IPPROTO_IP || header->cmsg_type != IP_PKTINFO ||
	    header->cmsg_len < CMSG_LEN(sizeof(info)))
		return false;
	memcpy(&info, CMSG_DATA(header), sizeof(info));
	info.ipi_ifindex = 0;
	memcpy(CMSG_DATA(header), &info, sizeof(info));
	return true;
}

/* False also for an address that nothing can be sent from. */
static bool turn_ipv6(struct cmsghdr *header)
{
	struct in6_pktinfo info;

	if (header->cmsg_level != IPPROTO_IPV6 || header->cmsg_type != IPV6_PKTINFO ||
	    header->cmsg_len < CMSG_LEN(sizeof(info)))
		return false;
	memcpy(&info, CMSG_DATA(header), sizeof(info));
	if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr) ||
	    (IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr) && info.ipi6_addr.s6_addr[12] >= 224))
		return false;
	if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		info.ipi6_ifindex = 0;
	memcpy(CMSG_DATA(header), &info, sizeof(info));
	return true;
}

void pktinfo_turn(struct msghdr *message)
{
	struct cmsghdr *kept = NULL;

	/* One is enough, and the kernel refuses to send what it does not know. IPv4's goes first:
	 * on a dual-stack socket the other one may hold a broadcast address in IPv6 clothes. */
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (turn_ipv4(header)) {
			kept = header;
			break;
		}
		if (turn_ipv6(header))
			kept = header;
	}
	if (!kept) {
		message->msg_control = NULL;
		message->msg_controllen = 0;
		return;
	}

	size_t length = kept->cmsg_len;

	memmove(message->msg_control, kept, length);
	message->msg_controllen = CMSG_ALIGN(length);
}
