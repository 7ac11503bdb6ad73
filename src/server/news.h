/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * news: what the server wants to hear of, so that its workers need not tell of every round.
 *
 *      NEWS_NONE ──news_want()──► NEWS_LIMITS, NEWS_ANY        NEWS_ALL, for good
 *          ▲                               │
 *          └──── told, by one of them ─────┘
 *
 * The main thread wants, all workers look: as long as nothing is wanted it stays in each
 * processor's cache. Not its job: how the server hears, and what it makes of that (server.c).
 */

#include <stdatomic.h>
#include <stdbool.h>

enum news {
	NEWS_NONE,
	NEWS_LIMITS, /* of the next round in which a limit was met */
	NEWS_ANY,    /* of the next round in which data came or went */
	NEWS_ALL,    /* of each of them */
};

typedef _Atomic enum news news_wanted;

/* From the main thread, before it looks at what there is by now: the next is news. NEWS_ALL can't
 * be taken back. */
static inline void news_want(news_wanted *wanted, enum news what)
{
	if (atomic_load_explicit(wanted, memory_order_relaxed) != NEWS_ALL)
		atomic_store(wanted, what);
}

/* From any worker, after a round in which data came or went, and maybe a limit was met. Returns
 * whether it is to tell: one of them is; with NEWS_ALL each, and each time. */
static inline bool news_take(news_wanted *wanted, bool limit_was_met)
{
	enum news now = atomic_load_explicit(wanted, memory_order_relaxed);

	if (now == NEWS_NONE || (now == NEWS_LIMITS && !limit_was_met))
		return false;
	return now == NEWS_ALL || atomic_compare_exchange_strong(wanted, &now, NEWS_NONE) ||
	       now == NEWS_ALL;
}
