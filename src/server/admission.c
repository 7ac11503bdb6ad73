/* SPDX-License-Identifier: ISC */
#include "server/admission.h"

#include <search.h>
#include <stdlib.h>

#include "util/error.h"

struct source_count {
	uint64_t source;
	size_t count;
};

static int compare(const void *a, const void *b)
{
	uint64_t left = ((const struct source_count *)a)->source;
	uint64_t right = ((const struct source_count *)b)->source;

	return left < right ? -1 : left > right;
}

void admission_init(struct admission *admission, size_t maximum, size_t maximum_per_source)
{
	admission->maximum = maximum;
	admission->maximum_per_source = maximum_per_source;
	admission->sources = NULL;
	atomic_init(&admission->open, 0);
	(void)pthread_mutex_init(&admission->lock, NULL);
}

void admission_free(struct admission *admission)
{
	tdestroy(admission->sources, free);
	admission->sources = NULL;
	(void)pthread_mutex_destroy(&admission->lock);
}

static struct source_count *find(const struct admission *admission, uint64_t source)
{
	const struct source_count wanted = {.source = source};
	struct source_count **node = tfind(&wanted, &admission->sources, compare);

	return node ? *node : NULL;
}

static int add_source(struct admission *admission, uint64_t source)
{
	struct source_count *added = malloc(sizeof(*added));

	if (!added)
		return -ENOMEM;
	*added = (struct source_count){.source = source, .count = 1};
	if (!tsearch(added, &admission->sources, compare)) {
		free(added);
		return -ENOMEM;
	}
	return 0;
}

static int enter_source(struct admission *admission, uint64_t source)
{
	struct source_count *found = find(admission, source);

	if (!found)
		return add_source(admission, source);
	if (found->count >= admission->maximum_per_source)
		return -EDQUOT;
	found->count++;
	return 0;
}

static void leave_source(struct admission *admission, uint64_t source)
{
	struct source_count *found = find(admission, source);

	if (!found || --found->count > 0)
		return;
	(void)tdelete(found, &admission->sources, compare);
	free(found);
}

/* Only where there is one: who is refused takes none from others, not even for an instant. */
static int take_place(struct admission *admission)
{
	size_t open = atomic_load(&admission->open);

	do
		if (open >= admission->maximum)
			return -EUSERS;
	while (!atomic_compare_exchange_weak(&admission->open, &open, open + 1));
	return 0;
}

static int take_place_of_source(struct admission *admission, uint64_t source)
{
	int r = enter_source(admission, source);

	if (r < 0)
		return r;
	r = take_place(admission);
	if (r < 0)
		leave_source(admission, source);
	return r;
}

int admission_enter(struct admission *admission, const struct address *peer, uint64_t *ret_place)
{
	uint64_t source = ADMISSION_NO_SOURCE;
	int r;

	if (peer && admission->maximum_per_source != ADMISSION_ANY &&
	    address_get_source(peer, &source)) {
		(void)pthread_mutex_lock(&admission->lock);
		r = take_place_of_source(admission, source);
		(void)pthread_mutex_unlock(&admission->lock);
	} else {
		r = take_place(admission);
	}
	if (r >= 0)
		*ret_place = source;
	return r;
}

void admission_leave(struct admission *admission, uint64_t place)
{
	/* First: who is admitted in its source's stead finds room. */
	atomic_fetch_sub(&admission->open, 1);
	if (place == ADMISSION_NO_SOURCE)
		return;
	(void)pthread_mutex_lock(&admission->lock);
	leave_source(admission, place);
	(void)pthread_mutex_unlock(&admission->lock);
}
