/* SPDX-License-Identifier: ISC */
#include "text/upper-x86.h"

#define FOUR(byte) ((byte)*UINT32_C(0x01010101))
#define EIGHT(first)                                                                               \
	FOUR(first), FOUR(first + 1), FOUR(first + 2), FOUR(first + 3), FOUR(first + 4),           \
		FOUR(first + 5), FOUR(first + 6), FOUR(first + 7)
#define SIXTY_FOUR(first)                                                                          \
	EIGHT(first), EIGHT(first + 8), EIGHT(first + 16), EIGHT(first + 24), EIGHT(first + 32),   \
		EIGHT(first + 40), EIGHT(first + 48), EIGHT(first + 56)

const uint32_t upper_four_times[256] = {
	SIXTY_FOUR(0U),
	SIXTY_FOUR(64U),
	SIXTY_FOUR(128U),
	SIXTY_FOUR(192U),
};
