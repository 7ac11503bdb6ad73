/* SPDX-License-Identifier: ISC */

/* fuzz-address: addresses from text and back, and whatever a kernel may say a peer's is. */

#include <stddef.h>
#include <string.h>

#include "fuzz.h"
#include "net/address.h"
#include "server/guard.h"
#include "util/cleanup.h"

static const char *print(const struct address *address, char text[static ADDRESS_TEXT_MAX])
{
	memset(text, 'x', ADDRESS_TEXT_MAX);
	REQUIRE(address_print(address, text) == text, "another text");
	REQUIRE(memchr(text, '\0', ADDRESS_TEXT_MAX), "no end");
	for (const char *c = text; *c; c++)
		REQUIRE(*c >= ' ' && *c < 127, "byte %d in %s", *c, text);
	return text;
}

/* What is printed of it means the same again; an escaped path has no way back. */
static void turn_round(const char *text)
{
	char first[ADDRESS_TEXT_MAX], second[ADDRESS_TEXT_MAX];
	struct address address, again;
	uint32_t ipv4;

	if (address_parse(text, &address) < 0)
		return;
	REQUIRE(address.length <= sizeof(address.storage), "%s", text);
	print(&address, first);
	if (strchr(first, '\\'))
		return;
	REQUIRE(address_parse(first, &again) == 0, "%s, from %s", first, text);
	REQUIRE(strcmp(print(&again, second), first) == 0, "%s, then %s", first, second);
	if (address.any.sa_family != AF_INET6 || !address_get_ipv4(&address, &ipv4))
		REQUIRE(again.length == address.length &&
				memcmp(&again.storage, &address.storage, address.length) == 0,
			"%s, from %s", first, text);
}

/* As accept(2) or recvmsg(2) leave it: any bytes, as many as they say. */
static void look_at(const uint8_t *bytes, size_t size)
{
	static const sa_family_t families[] = {AF_INET, AF_INET6, AF_UNIX, AF_VSOCK, AF_UNSPEC};
	static const socklen_t lengths[] = {sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6),
					    sizeof(struct sockaddr_un) + 1,
					    sizeof(struct sockaddr_vm), 0};
	_cleanup_free_ struct address *address = calloc(1, sizeof(*address));
	struct input input = {bytes, size};
	unsigned kind = input_below(&input, 5);
	char text[ADDRESS_TEXT_MAX];
	enum refusal why = REFUSAL_COUNT;
	uint64_t source;

	REQUIRE(address, "no memory");
	address->length = lengths[kind];
	if (families[kind] == AF_UNIX && input.left + 2 < address->length)
		address->length = (socklen_t)input.left + 2;
	memcpy(&address->storage, input.next,
	       input.left < sizeof(address->storage) ? input.left : sizeof(address->storage));
	address->any.sa_family = families[kind];
	(void)print(address, text);
	REQUIRE(address_port(address) >= -1 && address_port(address) <= 65535, "%s", text);
	(void)address_get_source(address, &source);
	(void)address_is_loopback(address);
	REQUIRE(guard_allows(address, 12000, &why) == (why == REFUSAL_COUNT), "%s", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);

	REQUIRE(text, "no memory");
	memcpy(text, bytes, size);
	text[size] = '\0';
	turn_round(text);
	look_at(bytes, size);
	return 0;
}
