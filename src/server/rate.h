/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * rate: how often one source is answered: a token bucket for each, in a table of fixed size.
 *
 *   seeded hash of the source ──► a set of 4 entries ──► the source's, or the one with most credit
 *
 * A source that is not in the table has a full bucket, and so has (nearly) the one whose entry goes
 * for it: a flood of forged sources neither grows the table nor takes anybody's answers away. The
 * seed keeps a stranger from choosing who shares a set.
 *
 * The bucket is the GCRA's (ITU-T I.371): one time per source, at which its bucket would be full.
 * All workers share it: a source has one bucket, whoever answers.
 * Not its job: which sources are one (net/address.h), and what is limited.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate;

/* Allows per_second answers to each source, and a second's worth of them at once. per_second is 1
 * to RATE_MAX. Returns 0, -ENOMEM or a negative errno of getrandom(2); rate_free() releases it. */
#define RATE_MAX 1000000000
int rate_new(uint32_t per_second, struct rate **ret_rate);
void rate_free(struct rate *rate);

/* Forgets all sources: each has a full bucket again. */
void rate_forget(struct rate *rate);

/* May the source be answered at now, microseconds of a clock that never goes back? Counts the
 * answer if so. */
bool rate_allows(struct rate *rate, uint64_t source, uint64_t now);
