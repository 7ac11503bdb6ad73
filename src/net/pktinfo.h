/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * pktinfo: which local address a datagram was sent to, so that its reply can leave from there
 * (ip(7) IP_PKTINFO, RFC 3542 section 6 IPV6_PKTINFO).
 *
 * A reply from any other address is dropped by a peer with a connected socket; on a wildcard or
 * multi-homed socket the kernel would choose by route, not by what was asked.
 */

#include <stdbool.h>
#include <sys/socket.h>

/* Room for the control messages that a datagram arrives with, or leaves with. */
#define PKTINFO_CONTROL_MAX 128

/* Asks the kernel to say it with each datagram on fd, an AF_INET or AF_INET6 one; other families
 * have no such thing and need none. Returns 0 or a negative errno of setsockopt(2). */
int pktinfo_enable(int fd, int family);

/* Makes the control messages of a received datagram those of its reply, in place. Interface indices
 * are taken out (the route back may be another), but for link-local addresses. A request that was
 * sent to a multicast group or a broadcast address is answered from the address the kernel chooses.
 */
void pktinfo_turn(struct msghdr *message);
