/* SPDX-License-Identifier: ISC */
#include <stdatomic.h>

#include "text/upper-short.h"
#include "text/upper-version.h"

/* So much text it takes for choosing to pay: the portable version does it in the time of the CPUID
 * instructions in a virtual machine. */
#define WORTH_CHOOSING ((size_t)32 << 10)

const struct upper_version *const upper_versions[] = {
	&upper_portable,
#ifdef __x86_64__
	&upper_avx2,
	&upper_avx512,
#endif
	NULL,
};

static const struct upper_version *find_fastest(void)
{
	const struct upper_version *fastest = upper_versions[0];

	for (size_t i = 1; upper_versions[i]; i++)
		if (upper_versions[i]->is_supported())
			fastest = upper_versions[i];
	return fastest;
}

static size_t map_undecided(const unsigned char *in, size_t length, unsigned char *out);

/* Until it pays to choose. */
static const struct upper_version undecided = {.name = "undecided", .map = map_undecided};

/* What is kept between calls is a fact about the processor, and about how much text it took to ask:
 * threads may count past each other, and find the same. */
static _Atomic(const struct upper_version *) chosen = &undecided;
static atomic_size_t seen;

static size_t map_undecided(const unsigned char *in, size_t length, unsigned char *out)
{
	const struct upper_version *version = upper_versions[0];
	size_t before = atomic_load_explicit(&seen, memory_order_relaxed);

	if (length < WORTH_CHOOSING && before < WORTH_CHOOSING) {
		atomic_store_explicit(&seen, before + length, memory_order_relaxed);
	} else {
		version = find_fastest();
		atomic_store_explicit(&chosen, version, memory_order_relaxed);
	}
	return version->map(in, length, out);
}

const struct upper_version *upper_chosen(void)
{
	return atomic_load_explicit(&chosen, memory_order_relaxed);
}

size_t upper_feed(struct upper *upper, const void *in, size_t length, void *out)
{
	if (length <= UPPER_SHORT_MAX && upper->pending_length == 0 && upper_short(in, length, out))
		return length;
	return upper_feed_by(atomic_load_explicit(&chosen, memory_order_relaxed), upper, in, length,
			     out);
}
