/* SPDX-License-Identifier: ISC */
#include "net/address.h"

#include <arpa/inet.h>
#include <endian.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "util/parse.h"

static int parse_port(const char *text, in_port_t *ret_port)
{
	uint64_t port;

	if (parse_number(text, 1, 65535, &port) < 0)
		return -EINVAL;
	*ret_port = htons((uint16_t)port);
	return 0;
}

int address_from_path(const char *path, struct address *ret_address)
{
	struct address address = {.un.sun_family = AF_UNIX};
	size_t length = strlen(path);
	bool abstract = path[0] == '@';

	if (length <= (abstract ? 1 : 0))
		return -EINVAL;
	/* A path keeps its final zero within sun_path; an abstract name has none. */
	if (length + !abstract > sizeof(address.un.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.un.sun_path, path, length);
	if (abstract)
		address.un.sun_path[0] = '\0';
	address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
	*ret_address = address;
	return 0;
}

/* vsock:CID:PORT, the CID empty for any (vsock(7)). */
static int parse_vsock(const char *text, struct address *ret_address)
{
	struct address address = {.length = sizeof(address.vm)};
	const char *colon = strchr(text, ':');
	uint64_t cid = VMADDR_CID_ANY, port;
	char digits[16];

	if (!colon || (size_t)(colon - text) >= sizeof(digits))
		return -EINVAL;
	if (colon > text) {
		snprintf(digits, sizeof(digits), "%.*s", (int)(colon - text), text);
		if (parse_number(digits, 0, UINT32_MAX, &cid) < 0)
			return -EINVAL;
	}
	if (parse_number(colon + 1, 0, UINT32_MAX, &port) < 0)
		return -EINVAL;
	address.vm.svm_family = AF_VSOCK;
	address.vm.svm_cid = (unsigned)cid;
	address.vm.svm_port = (unsigned)port;
	*ret_address = address;
	return 0;
}

/* Cuts "%ZONE", an interface's name or index, off text if it is there. */
static int take_zone(char *text, uint32_t *zone)
{
	char *percent = strchr(text, '%');
	uint64_t index;

	if (!percent)
		return 0;
	*percent++ = '\0';
	index = if_nametoindex(percent);
	if (*zone != 0 || (index == 0 && parse_number(percent, 1, UINT32_MAX, &index) < 0))
		return -EINVAL;
	*zone = (uint32_t)index;
	return 0;
}

/* [HOST%ZONE]:PORT or [HOST]:PORT%ZONE, text being behind the opening bracket. */
static int parse_ipv6(const char *text, struct address *ret_address)
{
	struct address address = {.length = sizeof(address.in6)};
	const char *end = strchr(text, ']');
	char host[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE], port[8 + IF_NAMESIZE];

	if (!end || end[1] != ':' || (size_t)(end - text) >= sizeof(host) ||
	    strlen(end + 2) >= sizeof(port))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(end - text), text);
	strcpy(port, end + 2);
	if (take_zone(host, &address.in6.sin6_scope_id) < 0 ||
	    take_zone(port, &address.in6.sin6_scope_id) < 0 ||
	    inet_pton(AF_INET6, host, &address.in6.sin6_addr) != 1 ||
	    parse_port(port, &address.in6.sin6_port) < 0)
		return -EINVAL;
	address.in6.sin6_family = AF_INET6;
	*ret_address = address;
	return 0;
}

static int parse_ipv4(const char *text, const char *colon, struct address *ret_address)
{
	struct address address = {.length = sizeof(address.in)};
	char host[INET_ADDRSTRLEN];

	if ((size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (inet_pton(AF_INET, host, &address.in.sin_addr) != 1 ||
	    parse_port(colon + 1, &address.in.sin_port) < 0)
		return -EINVAL;
	address.in.sin_family = AF_INET;
	*ret_address = address;
	return 0;
}

int address_parse(const char *text, struct address *ret_address)
{
	const char *colon;

	if (text[0] == '/' || text[0] == '@')
		return address_from_path(text, ret_address);
	if (strncmp(text, "vsock:", strlen("vsock:")) == 0)
		return parse_vsock(text + strlen("vsock:"), ret_address);
	if (text[0] == '[')
		return parse_ipv6(text + 1, ret_address);
	colon = strchr(text, ':');
	if (colon)
		return parse_ipv4(text, colon, ret_address);

	struct address any = {
		.length = sizeof(any.in6),
		.in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT},
	};

	if (parse_port(text, &any.in6.sin6_port) < 0)
		return -EINVAL;
	*ret_address = any;
	return 0;
}

/* AF_UNSPEC where there is no address: what recvmsg(2) leaves then is not worth reading. */
static int family_of(const struct address *address)
{
	return address->length < sizeof(sa_family_t) ? AF_UNSPEC : address->any.sa_family;
}

bool address_get_ipv4(const struct address *address, uint32_t *ret_ipv4)
{
	in_addr_t ipv4;

	if (family_of(address) == AF_INET)
		ipv4 = address->in.sin_addr.s_addr;
	else if (family_of(address) == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
		memcpy(&ipv4, &address->in6.sin6_addr.s6_addr[12], sizeof(ipv4));
	else
		return false;
	*ret_ipv4 = ntohl(ipv4);
	return true;
}

int address_port(const struct address *address)
{
	switch (family_of(address)) {
	case AF_INET:
		return ntohs(address->in.sin_port);
	case AF_INET6:
		return ntohs(address->in6.sin6_port);
	default:
		return -1;
	}
}

static const char *print_unix(const struct address *address, char *text)
{
	/* The kernel's length counts a zero that a longest path leaves no room for in sun_path. */
	const char *path = (const char *)&address->storage + offsetof(struct sockaddr_un, sun_path);
	size_t length = address->length - offsetof(struct sockaddr_un, sun_path);
	char *end = text;

	if (address->length <= offsetof(struct sockaddr_un, sun_path))
		return strcpy(text, "unnamed");
	/* A path ends at its zero; an abstract name begins with one and may hold others. */
	if (path[0] != '\0')
		length = strnlen(path, length);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)path[i];

		if (i == 0 && c == '\0')
			*end++ = '@';
		else if (c > ' ' && c < 127 && c != '\\')
			*end++ = (char)c;
		else
			end += sprintf(end, "\\x%02x", c);
	}
	*end = '\0';
	return text;
}

const char *address_print_host(const struct address *address, char text[static ADDRESS_TEXT_MAX])
{
	uint32_t ipv4;

	if (address_get_ipv4(address, &ipv4)) {
		struct in_addr in = {htonl(ipv4)};

		return inet_ntop(AF_INET, &in, text, ADDRESS_TEXT_MAX);
	}
	switch (family_of(address)) {
	case AF_INET6:
		inet_ntop(AF_INET6, &address->in6.sin6_addr, text, INET6_ADDRSTRLEN);
		if (address->in6.sin6_scope_id != 0)
			sprintf(text + strlen(text), "%%%u", address->in6.sin6_scope_id);
		break;
	case AF_UNIX:
		return print_unix(address, text);
	case AF_VSOCK:
		if (address->vm.svm_cid == VMADDR_CID_ANY)
			return strcpy(text, "vsock:");
		sprintf(text, "vsock:%u", address->vm.svm_cid);
		break;
	case AF_UNSPEC:
		return strcpy(text, "unknown");
	default:
		sprintf(text, "address family %d", address->any.sa_family);
	}
	return text;
}

const char *address_print(const struct address *address, char text[static ADDRESS_TEXT_MAX])
{
	char host[ADDRESS_TEXT_MAX];
	uint32_t ipv4;

	address_print_host(address, host);
	switch (family_of(address)) {
	case AF_INET:
	case AF_INET6:
		snprintf(text, ADDRESS_TEXT_MAX,
			 address_get_ipv4(address, &ipv4) ? "%s:%d" : "[%s]:%d", host,
			 address_port(address));
		break;
	case AF_VSOCK:
		snprintf(text, ADDRESS_TEXT_MAX, "%.64s:%u", host, address->vm.svm_port);
		break;
	default:
		strcpy(text, host);
	}
	return text;
}

bool address_is_same(const struct address *a, const struct address *b)
{
	return a->length == b->length && memcmp(&a->storage, &b->storage, a->length) == 0;
}

bool address_get_source(const struct address *address, uint64_t *ret_source)
{
	uint64_t prefix;
	uint32_t ipv4;

	if (address_get_ipv4(address, &ipv4)) {
		/* As a /64 it would be reserved (RFC 4291 section 2.5.5.2): no IPv6 host has it. */
		*ret_source = UINT64_C(0xffff) << 32 | ipv4;
		return true;
	}
	if (address->any.sa_family != AF_INET6)
		return false;
	memcpy(&prefix, &address->in6.sin6_addr, sizeof(prefix));
	*ret_source = be64toh(prefix);
	return true;
}

bool address_is_loopback(const struct address *address)
{
	uint32_t ipv4;

	if (address_get_ipv4(address, &ipv4))
		return ipv4 >> 24 == 127;
	return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
}
