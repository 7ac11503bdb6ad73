/* SPDX-License-Identifier: ISC */

/* Tests of net/address.h: what systemd.socket(5) writes, there and back. */

#include <arpa/inet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "net/address.h"
#include "unit.h"
#include "util/error.h"

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

/* Bytes that a sockaddr_un's path has room for. */
#define PATH_ROOM sizeof(((struct sockaddr_un *)0)->sun_path)

/* Length 3: what no parser ever makes. */
static const struct address untouched = {.length = 3};

static void check_untouched(const char *text, const struct address *address)
{
	ck_assert_msg(address->length == untouched.length &&
			      memcmp(&address->storage, &untouched.storage,
				     sizeof(untouched.storage)) == 0,
		      "\"%s\": the output was touched", text);
}

static struct address parsed(const char *text)
{
	struct address address;
	int r = address_parse(text, &address);

	ck_assert_msg(r == 0, "\"%s\": %d", text, r);
	return address;
}

START_TEST(parses_and_prints_internet_addresses)
{
	static const struct {
		const char *text;
		int family, port;
		const char *printed, *host;
	} rows[] = {
		{"12000", AF_INET6, 12000, "[::]:12000", "::"},
		{"1", AF_INET6, 1, "[::]:1", "::"},
		{"65535", AF_INET6, 65535, "[::]:65535", "::"},
		{"127.0.0.1:12000", AF_INET, 12000, "127.0.0.1:12000", "127.0.0.1"},
		{"0.0.0.0:1", AF_INET, 1, "0.0.0.0:1", "0.0.0.0"},
		{"255.255.255.255:65535", AF_INET, 65535, "255.255.255.255:65535",
		 "255.255.255.255"},
		{"[::1]:12000", AF_INET6, 12000, "[::1]:12000", "::1"},
		{"[::]:80", AF_INET6, 80, "[::]:80", "::"},
		{"[2001:DB8:0:0:0:0:0:1]:80", AF_INET6, 80, "[2001:db8::1]:80", "2001:db8::1"},
		{"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", AF_INET6, 65535,
		 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		/* IPv4 in IPv6 clothes is printed as what it is. */
		{"[::ffff:127.0.0.1]:12000", AF_INET6, 12000, "127.0.0.1:12000", "127.0.0.1"},
		{"[::ffff:0:127.0.0.1]:12000", AF_INET6, 12000, "[::ffff:0:7f00:1]:12000",
		 "::ffff:0:7f00:1"},
		/* A zone by name or index, in either place. */
		/* An interface by its number: loopback's is 1 in every network. */
		{"[fe80::1%lo]:12000", AF_INET6, 12000, "[fe80::1%1]:12000", "fe80::1%1"},
		{"[fe80::1]:12000%lo", AF_INET6, 12000, "[fe80::1%1]:12000", "fe80::1%1"},
		{"[fe80::1%4294967295]:12000", AF_INET6, 12000, "[fe80::1%4294967295]:12000",
		 "fe80::1%4294967295"},
		{"[fe80::1]:65535%4294967295", AF_INET6, 65535, "[fe80::1%4294967295]:65535",
		 "fe80::1%4294967295"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address = parsed(rows[i].text);
		char text[ADDRESS_TEXT_MAX];

		ck_assert_int_eq(address.any.sa_family, rows[i].family);
		ck_assert_uint_eq(address.length, rows[i].family == AF_INET ? sizeof(address.in)
									    : sizeof(address.in6));
		ck_assert_int_eq(address_port(&address), rows[i].port);
		ck_assert_ptr_eq(address_print(&address, text), text);
		ck_assert_str_eq(text, rows[i].printed);
		ck_assert_ptr_eq(address_print_host(&address, text), text);
		ck_assert_str_eq(text, rows[i].host);
	}
}
END_TEST

START_TEST(knows_zones)
{
	unsigned lo = if_nametoindex("lo");
	char text[64];

	ck_assert_uint_ne(lo, 0);
	ck_assert_uint_eq(parsed("[fe80::1%lo]:1").in6.sin6_scope_id, lo);
	ck_assert_uint_eq(parsed("[fe80::1]:1%lo").in6.sin6_scope_id, lo);
	ck_assert_uint_eq(parsed("[fe80::1%4294967295]:1").in6.sin6_scope_id, UINT32_MAX);
	ck_assert_uint_eq(parsed("[fe80::1]:1").in6.sin6_scope_id, 0);
	snprintf(text, sizeof(text), "[fe80::1%%%u]:1", lo);
	ck_assert_uint_eq(parsed(text).in6.sin6_scope_id, lo);
}
END_TEST

START_TEST(refuses_what_is_no_address)
{
	static const char *const texts[] = {
		/* ports */
		"",
		"0",
		"65536",
		"18446744073709563616", /* 2^64 + 12000 */
		"-1",
		"+1",
		" 12000",
		"12000 ",
		"http",
		"127.0.0.1:0",
		"127.0.0.1:65536",
		"127.0.0.1:",
		"127.0.0.1:x",
		"[::1]:0",
		"[::1]:65536",
		"[::1]:",
		/* IPv4 */
		"127.0.0.1",
		":12000",
		"127.0.0:12000",
		"127.0.0.256:12000",
		"127.0.0.1.2:12000",
		"0127.0.0.1:12000",
		"127.0.0.1000:12000",
		"255.255.255.2555:12000",
		"localhost:12000",
		"*:12000",
		"127.0.0.1:12000:1",
		/* IPv6 */
		"::1",
		"::1:12000",
		"[",
		"[]:12000",
		"[]",
		"[::1",
		"[::1]",
		"[::1]12000",
		"[::1]]:12000",
		"[[::1]]:12000",
		"[::1::]:12000",
		"[:::]:12000",
		"[12345::]:12000",
		"[127.0.0.1]:12000",
		"[::1]:12000]",
		"[::1]:12000:1",
		"[%lo]:12000",
		"[fe80::1%]:12000",
		"[fe80::1%0]:12000",
		"[fe80::1%4294967296]:12000",
		"[fe80::1%no-such-interface]:12000",
		"[fe80::1%lo%lo]:12000",
		"[fe80::1%lo]:12000%lo",
		"[fe80::1]:12000%",
		"[fe80::1]:%lo",
		"[fe80::1]:12000%lo%lo",
		"[fe80::1%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:1",
		"[fe80::1]:1%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"[::1]:000000000000000000000000000000000000000000000000000000012000",
		/* AF_UNIX */
		"@",
		"run/x.sock",
		"./x.sock",
		/* vsock */
		"vsock:",
		"vsock::",
		"vsock:2",
		"vsock:2:",
		"vsock:x:1",
		"vsock::x",
		"vsock:4294967296:1",
		"vsock::4294967296",
		"vsock:2:1:1",
		"vsock: 2:1",
		"vsock:00000000000000000000000000000002:1",
		"vsock",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address address = untouched;
		int r = address_parse(texts[i], &address);

		ck_assert_msg(r == -EINVAL, "\"%s\": returned %d", texts[i], r);
		check_untouched(texts[i], &address);
	}
}
END_TEST

START_TEST(parses_and_prints_vsock)
{
	static const struct {
		const char *text;
		unsigned cid, port;
	} rows[] = {
		{"vsock::12000", VMADDR_CID_ANY, 12000},
		{"vsock:2:12000", VMADDR_CID_HOST, 12000},
		{"vsock:1:0", VMADDR_CID_LOCAL, 0},
		{"vsock:4294967294:4294967295", UINT32_MAX - 1, UINT32_MAX},
	};
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address = parsed(rows[i].text);

		ck_assert_int_eq(address.any.sa_family, AF_VSOCK);
		ck_assert_uint_eq(address.length, sizeof(address.vm));
		ck_assert_uint_eq(address.vm.svm_cid, rows[i].cid);
		ck_assert_uint_eq(address.vm.svm_port, rows[i].port);
		ck_assert_str_eq(address_print(&address, text), rows[i].text);
		ck_assert_int_eq(address_port(&address), -1);
	}

	struct address address = parsed("vsock:2:12000");

	ck_assert_str_eq(address_print_host(&address, text), "vsock:2");
}
END_TEST

START_TEST(parses_paths)
{
	struct address address = parsed("/run/x.sock");
	char text[ADDRESS_TEXT_MAX];

	ck_assert_int_eq(address.any.sa_family, AF_UNIX);
	ck_assert_uint_eq(address.length, PATH_OFFSET + sizeof("/run/x.sock"));
	ck_assert_str_eq(address.un.sun_path, "/run/x.sock");
	ck_assert_str_eq(address_print(&address, text), "/run/x.sock");
	ck_assert_str_eq(address_print_host(&address, text), "/run/x.sock");
	ck_assert_int_eq(address_port(&address), -1);

	/* Any path will do where it is known to be one. */
	ck_assert_int_eq(address_from_path("x.sock", &address), 0);
	ck_assert_str_eq(address_print(&address, text), "x.sock");
}
END_TEST

START_TEST(parses_abstract_names)
{
	struct address address = parsed("@name");
	char text[ADDRESS_TEXT_MAX];

	ck_assert_int_eq(address.any.sa_family, AF_UNIX);
	/* No zero at the end: it would be part of the name. */
	ck_assert_uint_eq(address.length, PATH_OFFSET + strlen("@name"));
	ck_assert_mem_eq(address.un.sun_path, "\0name", 5);
	ck_assert_str_eq(address_print(&address, text), "@name");
}
END_TEST

/* A name of length bytes that begins with first. */
static char *long_name(char first, size_t length, char name[static 128])
{
	memset(name, 'x', length);
	name[0] = first;
	name[length] = '\0';
	return name;
}

START_TEST(knows_the_longest_names)
{
	struct address address;
	char name[128], text[ADDRESS_TEXT_MAX];

	/* A path leaves room for its zero (unix(7)), an abstract name fills sun_path. */
	address = parsed(long_name('/', PATH_ROOM - 1, name));
	ck_assert_uint_eq(address.length, sizeof(struct sockaddr_un));
	ck_assert_str_eq(address_print(&address, text), name);
	address = parsed(long_name('@', PATH_ROOM, name));
	ck_assert_uint_eq(address.length, sizeof(struct sockaddr_un));
	ck_assert_str_eq(address_print(&address, text), name);

	address = untouched;
	ck_assert_int_eq(address_parse(long_name('/', PATH_ROOM, name), &address), -ENAMETOOLONG);
	check_untouched(name, &address);
	ck_assert_int_eq(address_parse(long_name('@', PATH_ROOM + 1, name), &address),
			 -ENAMETOOLONG);
	check_untouched(name, &address);
	ck_assert_int_eq(address_from_path("", &address), -EINVAL);
	ck_assert_int_eq(address_from_path("@", &address), -EINVAL);
	check_untouched("", &address);
}
END_TEST

/* An AF_UNIX address as the kernel may hand it out: any bytes, any length. */
static struct address unix_address(const char *bytes, size_t length)
{
	struct address address = {.length = (socklen_t)(PATH_OFFSET + length)};

	address.un.sun_family = AF_UNIX;
	memcpy((char *)&address.un + PATH_OFFSET, bytes, length);
	return address;
}

START_TEST(prints_any_name_of_a_peer)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *text;
	} rows[] = {
		{"", 0, "unnamed"},
		{"\0a\0b", 4, "@a\\x00b"},
		{"\0\0", 2, "@\\x00"},
		{"\0", 1, "@"},
		{"\0@", 2, "@@"},
		{"/a b", 5, "/a\\x20b"},
		{"/a\nb\x7f\xff\\x", 9, "/a\\x0ab\\x7f\\xff\\x5cx"},
		{"/a\0behind", 9, "/a"},
		/* The kernel need not end a path with a zero. */
		{"/a", 2, "/a"},
	};
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address = unix_address(rows[i].bytes, rows[i].length);

		ck_assert_str_eq(address_print(&address, text), rows[i].text);
		ck_assert_str_eq(address_print_host(&address, text), rows[i].text);
	}
}
END_TEST

START_TEST(prints_the_longest_text)
{
	char bytes[PATH_ROOM], text[ADDRESS_TEXT_MAX];
	struct address address;

	memset(bytes, '\n', sizeof(bytes));
	address = unix_address(bytes, sizeof(bytes));
	ck_assert_uint_eq(strlen(address_print(&address, text)), 4 * PATH_ROOM);
	memset(bytes, '\0', sizeof(bytes));
	address = unix_address(bytes, sizeof(bytes));
	ck_assert_uint_eq(strlen(address_print(&address, text)), 1 + 4 * (PATH_ROOM - 1));
}
END_TEST

START_TEST(prints_no_address)
{
	struct address address;
	char text[ADDRESS_TEXT_MAX];

	memset(&address, 0, sizeof(address));
	ck_assert_str_eq(address_print(&address, text), "unknown");
	ck_assert_str_eq(address_print_host(&address, text), "unknown");

	/* recvmsg(2) from an unnamed AF_UNIX socket leaves length 0 and whatever was there. */
	address = parsed("127.0.0.1:12000");
	address.length = 0;

	uint32_t ipv4 = 7;

	ck_assert_str_eq(address_print(&address, text), "unknown");
	ck_assert_str_eq(address_print_host(&address, text), "unknown");
	ck_assert_int_eq(address_port(&address), -1);
	ck_assert(!address_get_ipv4(&address, &ipv4));
	ck_assert_uint_eq(ipv4, 7);

	memset(&address, 0, sizeof(address));
	address.length = sizeof(struct sockaddr);
	address.any.sa_family = AF_NETLINK;
	ck_assert_str_eq(address_print(&address, text), "address family 16");
	ck_assert_int_eq(address_port(&address), -1);
}
END_TEST

START_TEST(finds_ipv4)
{
	static const struct {
		const char *text;
		bool is_ipv4;
		uint32_t ipv4;
	} rows[] = {
		{"1.2.3.4:5", true, 0x01020304},
		{"255.0.0.255:5", true, 0xff0000ff},
		{"0.0.0.0:5", true, 0},
		{"[::ffff:1.2.3.4]:5", true, 0x01020304},
		{"[::1.2.3.4]:5", false, 0},
		{"[::1]:5", false, 0},
		{"[64:ff9b::1.2.3.4]:5", false, 0},
		{"/1.2.3.4:5", false, 0},
		{"vsock:16909060:5", false, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address = parsed(rows[i].text);
		uint32_t ipv4 = 7;
		bool found = address_get_ipv4(&address, &ipv4);

		ck_assert_msg(found == rows[i].is_ipv4, "%s", rows[i].text);
		ck_assert_uint_eq(ipv4, rows[i].is_ipv4 ? rows[i].ipv4 : 7);
	}
}
END_TEST

START_TEST(knows_loopback)
{
	static const struct {
		const char *text;
		bool is_loopback;
	} rows[] = {
		{"127.0.0.1:1", true},
		{"127.255.255.254:1", true},
		{"[::ffff:127.1.2.3]:1", true},
		{"[::1]:1", true},
		{"126.255.255.255:1", false},
		{"128.0.0.1:1", false},
		{"[::2]:1", false},
		{"[::ffff:128.0.0.1]:1", false},
		{"@name", false},
	};
	struct address address;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(address_parse(rows[i].text, &address), 0);
		ck_assert_msg(address_is_loopback(&address) == rows[i].is_loopback, "%s",
			      rows[i].text);
	}
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_ONCE("address_parse", parses_and_prints_internet_addresses),
		UNIT_ONCE("address_parse", knows_zones),
		UNIT_ONCE("address_parse", refuses_what_is_no_address),
		UNIT_ONCE("address_parse", parses_and_prints_vsock),
		UNIT_ONCE("address_parse", parses_paths),
		UNIT_ONCE("address_parse", parses_abstract_names),
		UNIT_ONCE("address_parse", knows_the_longest_names),
		UNIT_ONCE("address_print", prints_any_name_of_a_peer),
		UNIT_ONCE("address_print", prints_the_longest_text),
		UNIT_ONCE("address_print", prints_no_address),
		UNIT_ONCE("address_get_ipv4", finds_ipv4),
		UNIT_ONCE("address_is_loopback", knows_loopback),
		{0},
	};

	return unit_run("address", rows);
}
