/* SPDX-License-Identifier: ISC */

/* filter: what an inetd starts for each connection: standard input to standard output. */

#include <unistd.h>

#include "peer.h"

int main(void)
{
	static char buffer[128 << 10];
	ssize_t n, written;

	while ((n = read(0, buffer, sizeof(buffer))) > 0) {
		peer_upper(buffer, (size_t)n);
		for (ssize_t done = 0; done < n; done += written)
			if ((written = write(1, buffer + done, (size_t)(n - done))) < 0)
				return 1;
	}
	return n < 0;
}
