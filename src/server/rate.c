/* SPDX-License-Identifier: ISC */
#include "server/rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "util/cleanup.h"
#include "util/error.h"

/* 256 KiB of entries: 16,384 sources, of which those that were heard last are remembered. */
#define SETS 4096
#define WAYS 4

#define SECOND_NSEC UINT64_C(1000000000)

struct entry {
	uint64_t source;
	uint64_t full_at; /* nanoseconds: when the bucket is full again */
};

struct rate {
	pthread_mutex_t lock;
	uint64_t interval; /* nanoseconds that an answer costs */
	uint64_t seed[2];
	struct entry sets[SETS][WAYS];
};

int rate_new(uint32_t per_second, struct rate **ret_rate)
{
	_cleanup_free_ struct rate *rate = calloc(1, sizeof(*rate));

	if (!rate)
		return -ENOMEM;
	if (getrandom(rate->seed, sizeof(rate->seed), 0) != (ssize_t)sizeof(rate->seed))
		return negative_errno();
	(void)pthread_mutex_init(&rate->lock, NULL);
	rate->seed[1] |= 1;
	rate->interval = SECOND_NSEC / per_second;
	*ret_rate = take_pointer(rate);
	return 0;
}

void rate_free(struct rate *rate)
{
	if (rate)
		(void)pthread_mutex_destroy(&rate->lock);
	free(rate);
}

/* Two rounds of multiplying by a secret odd number; the upper bits depend on all of the source's.
 */
static struct entry *set_of(struct rate *rate, uint64_t source)
{
	uint64_t hash = (source ^ rate->seed[0]) * rate->seed[1];

	hash = (hash ^ hash >> 32) * rate->seed[1];
	return rate->sets[(hash >> 32) % SETS];
}

static struct entry *entry_of(struct rate *rate, uint64_t source)
{
	struct entry *set = set_of(rate, source), *fullest = set;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].source == source)
			return &set[i];
		if (set[i].full_at < fullest->full_at)
			fullest = &set[i];
	}
	*fullest = (struct entry){.source = source};
	return fullest;
}

/* The answer must be paid from one second's worth of credit. */
static bool pay(struct rate *rate, struct entry *entry, uint64_t now_nsec)
{
	if (entry->full_at < now_nsec)
		entry->full_at = now_nsec;
	if (entry->full_at + rate->interval > now_nsec + SECOND_NSEC)
		return false;
	entry->full_at += rate->interval;
	return true;
}

bool rate_allows(struct rate *rate, uint64_t source, uint64_t now)
{
	bool allowed;

	(void)pthread_mutex_lock(&rate->lock);
	allowed = pay(rate, entry_of(rate, source), now * 1000);
	(void)pthread_mutex_unlock(&rate->lock);
	return allowed;
}

void rate_forget(struct rate *rate)
{
	(void)pthread_mutex_lock(&rate->lock);
	memset(rate->sets, 0, sizeof(rate->sets));
	(void)pthread_mutex_unlock(&rate->lock);
}
