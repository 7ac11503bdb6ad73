/* SPDX-License-Identifier: ISC */
#include "server/sources.h"

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

void sources_free(struct sources *sources)
{
	tdestroy(sources->root, free);
	sources->root = NULL;
}

static struct source_count *find(const struct sources *sources, uint64_t source)
{
	const struct source_count wanted = {.source = source};
	struct source_count **node = tfind(&wanted, &sources->root, compare);

	return node ? *node : NULL;
}

static int add(struct sources *sources, uint64_t source)
{
	struct source_count *added = malloc(sizeof(*added));

	if (!added)
		return -ENOMEM;
	*added = (struct source_count){.source = source, .count = 1};
	if (!tsearch(added, &sources->root, compare)) {
		free(added);
		return -ENOMEM;
	}
	return 0;
}

int sources_enter(struct sources *sources, uint64_t source, size_t maximum)
{
	struct source_count *found = find(sources, source);

	if (!found)
		return maximum > 0 ? add(sources, source) : -EUSERS;
	if (found->count >= maximum)
		return -EUSERS;
	found->count++;
	return 0;
}

void sources_leave(struct sources *sources, uint64_t source)
{
	struct source_count *found = find(sources, source);

	if (!found || --found->count > 0)
		return;
	(void)tdelete(found, &sources->root, compare);
	free(found);
}
