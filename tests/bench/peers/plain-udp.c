/* SPDX-License-Identifier: ISC */

/* plain-udp: the datagram loop that everything is compared to. */

#include "peer.h"

int main(int argc, char **argv)
{
	static char buffer[65536];
	int fd = peer_open(argc > 1 ? argv[1] : "12000", SOCK_DGRAM);

	for (;;) {
		struct sockaddr_in source;
		socklen_t length = sizeof(source);
		ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&source,
				     &length);

		if (n < 0)
			continue;
		peer_upper(buffer, (size_t)n);
		(void)sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&source, length);
	}
}
