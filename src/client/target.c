/* SPDX-License-Identifier: ISC */
#include "client/target.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"

static void cleanup_addrinfo(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

static const char *explain(int failure)
{
	switch (failure) {
	case EAI_SYSTEM:
		return strerror(errno);
	case EAI_SERVICE:
		return "no such service";
	case EAI_ADDRFAMILY:
		return "not an address that -4 or -6 asks for";
	default:
		return gai_strerror(failure);
	}
}

/* glibc takes 70000 for 4464: numbers are looked at here. */
static bool is_wrong_number(const char *port)
{
	uint64_t number;

	return port[strspn(port, "0123456789")] == '\0' &&
	       parse_number(port, 1, 65535, &number) < 0;
}

static int copy_addresses(struct target *target, const struct addrinfo *list)
{
	size_t count = 0;

	for (const struct addrinfo *next = list; next; next = next->ai_next)
		count++;
	target->addresses = calloc(count, sizeof(*target->addresses));
	if (!target->addresses)
		return -ENOMEM;
	for (const struct addrinfo *next = list; next; next = next->ai_next) {
		struct address *address = &target->addresses[target->count];

		if (next->ai_addrlen > sizeof(address->storage))
			continue;
		memcpy(&address->storage, next->ai_addr, next->ai_addrlen);
		address->length = next->ai_addrlen;
		target->count++;
	}
	return 0;
}

int target_resolve(struct target *target, const char *host, const char *port, int family, int type,
		   const char **ret_what, const char **ret_why)
{
	const struct addrinfo hints = {.ai_family = family, .ai_socktype = type};
	_cleanup_(cleanup_addrinfo) struct addrinfo *list = NULL;
	int r;

	*target = (struct target){0};
	if (is_wrong_number(port)) {
		*ret_what = port;
		*ret_why = "not a port between 1 and 65535";
		return -EINVAL;
	}
	r = getaddrinfo(host, port, &hints, &list);
	if (r == EAI_MEMORY)
		return -ENOMEM;
	if (r != 0) {
		*ret_what = r == EAI_SERVICE ? port : host;
		*ret_why = explain(r);
		return -EINVAL;
	}
	r = copy_addresses(target, list);
	if (r < 0)
		return r;
	snprintf(target->text, sizeof(target->text),
		 strchr(host, ':') ? "[%.255s]:%.32s" : "%.255s:%.32s", host, port);
	return 0;
}

int target_from_path(struct target *target, const char *path)
{
	struct address address;
	int r = address_from_path(path, &address);

	*target = (struct target){0};
	if (r < 0)
		return r;
	target->addresses = malloc(sizeof(*target->addresses));
	if (!target->addresses)
		return -ENOMEM;
	target->addresses[0] = address;
	target->count = 1;
	snprintf(target->text, sizeof(target->text), "%s", path);
	return 0;
}

void target_free(struct target *target)
{
	free(target->addresses);
	*target = (struct target){0};
}
