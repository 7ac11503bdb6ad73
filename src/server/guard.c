/* SPDX-License-Identifier: ISC */
#include "server/guard.h"

#include <stddef.h>

/* Ports below are a system's own services: echo, chargen, time… (RFC 6335 section 6). */
#define FIRST_USER_PORT 1024

static bool ipv4_allows(uint32_t source, enum refusal *ret_why)
{
	if (source >> 24 == 0)
		*ret_why = REFUSAL_ZERO_NETWORK; /* RFC 1122 section 3.2.1.3 */
	else if (source >> 28 == 0xe)
		*ret_why = REFUSAL_MULTICAST; /* RFC 5771 */
	else if (source >> 28 == 0xf)
		*ret_why = REFUSAL_BROADCAST; /* 255.255.255.255, and RFC 1112's reserved class E */
	else
		return true;
	return false;
}

static bool ipv6_allows(const struct in6_addr *source, enum refusal *ret_why)
{
	if (IN6_IS_ADDR_UNSPECIFIED(source))
		*ret_why = REFUSAL_ZERO_NETWORK;
	else if (IN6_IS_ADDR_MULTICAST(source))
		*ret_why = REFUSAL_MULTICAST;
	else
		return true;
	return false;
}

bool guard_allows(const struct address *source, int own_port, enum refusal *ret_why)
{
	int port = address_port(source);
	uint32_t ipv4;

	if (source->length <= offsetof(struct sockaddr_un, sun_path)) {
		*ret_why = REFUSAL_UNNAMED;
		return false;
	}
	if (port < 0)
		return true;
	if (port == own_port) {
		*ret_why = REFUSAL_OWN_PORT;
		return false;
	}
	if (port < FIRST_USER_PORT) {
		*ret_why = REFUSAL_LOW_PORT;
		return false;
	}
	if (address_get_ipv4(source, &ipv4))
		return ipv4_allows(ipv4, ret_why);
	return ipv6_allows(&source->in6.sin6_addr, ret_why);
}
