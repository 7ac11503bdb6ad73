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
	if (family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
		return negative_errno();
	return 0;
}

/* ipi_spec_dst is already the local address to answer from, also for a broadcast (ip(7)). */
static void turn_ipv4(struct cmsghdr *header)
{
	struct in_pktinfo info;

	memcpy(&info, CMSG_DATA(header), sizeof(info));
	info.ipi_ifindex = 0;
	memcpy(CMSG_DATA(header), &info, sizeof(info));
}

static void turn_ipv6(struct cmsghdr *header)
{
	struct in6_pktinfo info;

	memcpy(&info, CMSG_DATA(header), sizeof(info));
	if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr) ||
	    (IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr) && (info.ipi6_addr.s6_addr[12] >= 224)))
		memset(&info.ipi6_addr, 0, sizeof(info.ipi6_addr));
	if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		info.ipi6_ifindex = 0;
	memcpy(CMSG_DATA(header), &info, sizeof(info));
}

static bool turn(struct cmsghdr *header)
{
	if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO)
		turn_ipv4(header);
	else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO)
		turn_ipv6(header);
	else
		return false;
	return true;
}

void pktinfo_turn(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	/* One is enough, and the kernel refuses to send what it does not know: keep that one alone.
	 */
	for (; header; header = CMSG_NXTHDR(message, header))
		if (turn(header)) {
			size_t space = CMSG_ALIGN(header->cmsg_len);

			memmove(message->msg_control, header, header->cmsg_len);
			message->msg_controllen = space;
			return;
		}
	message->msg_control = NULL;
	message->msg_controllen = 0;
}
