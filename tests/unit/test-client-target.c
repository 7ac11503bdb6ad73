/* SPDX-License-Identifier: ISC */

/* Tests of client/target.h: numbers only, so that no name server is asked. */

#include "client/target.h"
#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"

static const struct {
	const char *host, *port;
	int family;
	const char *text, *address;
} numbers[] = {
	{"127.0.0.1", "12000", AF_UNSPEC, "127.0.0.1:12000", "127.0.0.1:12000"},
	{"127.0.0.1", "1", AF_INET, "127.0.0.1:1", "127.0.0.1:1"},
	{"::1", "65535", AF_UNSPEC, "[::1]:65535", "[::1]:65535"},
	{"::1", "012", AF_INET6, "[::1]:012", "[::1]:12"},
};

START_TEST(takes_numbers)
{
	_cleanup_(target_free) struct target target;
	const char *what, *why;
	char text[ADDRESS_TEXT_MAX];

	ck_assert_int_eq(target_resolve(&target, numbers[_i].host, numbers[_i].port,
					numbers[_i].family, SOCK_STREAM, &what, &why),
			 0);
	ck_assert_uint_eq(target.count, 1);
	ck_assert_uint_eq(target.current, 0);
	ck_assert_str_eq(target.text, numbers[_i].text);
	ck_assert_str_eq(address_print(&target.addresses[0], text), numbers[_i].address);
}
END_TEST

static const struct {
	const char *host, *port;
	int family;
	const char *what;
} wrong[] = {
	{"127.0.0.1", "0", AF_UNSPEC, "0"},
	{"127.0.0.1", "65536", AF_UNSPEC, "65536"},
	{"127.0.0.1", "99999999999999999999", AF_UNSPEC, "99999999999999999999"},
	{"127.0.0.1", "", AF_UNSPEC, ""},
	{"127.0.0.1", "no-such-service", AF_UNSPEC, "no-such-service"},
	{"::1", "12000", AF_INET, "::1"},
	{"127.0.0.1", "12000", AF_INET6, "127.0.0.1"},
	{"", "12000", AF_UNSPEC, ""},
};

START_TEST(says_which_name_is_wrong)
{
	_cleanup_(target_free) struct target target;
	const char *what = NULL, *why = NULL;

	ck_assert_int_eq(target_resolve(&target, wrong[_i].host, wrong[_i].port, wrong[_i].family,
					SOCK_DGRAM, &what, &why),
			 -EINVAL);
	ck_assert_str_eq(what, wrong[_i].what);
	ck_assert_uint_gt(strlen(why), 0);
}
END_TEST

START_TEST(cuts_a_long_name_for_messages)
{
	_cleanup_(target_free) struct target target;
	const char *what, *why;
	char host[1000];

	memset(host, '0', sizeof(host));
	strcpy(host + sizeof(host) - sizeof("127.0.0.1"), "127.0.0.1");
	if (target_resolve(&target, host, "1", AF_UNSPEC, SOCK_STREAM, &what, &why) == 0)
		ck_assert_uint_lt(strlen(target.text), TARGET_TEXT_MAX);
	else
		ck_assert_ptr_eq(what, host);
}
END_TEST

static const struct {
	const char *path, *address;
	int error;
} paths[] = {
	{"/run/x", "/run/x", 0}, {"@x", "@x", 0},      {"relative", "relative", 0},
	{"", NULL, -EINVAL},     {"@", NULL, -EINVAL},
};

START_TEST(takes_paths)
{
	_cleanup_(target_free) struct target target;
	char text[ADDRESS_TEXT_MAX];

	ck_assert_int_eq(target_from_path(&target, paths[_i].path), paths[_i].error);
	if (paths[_i].error < 0)
		return;
	ck_assert_uint_eq(target.count, 1);
	ck_assert_str_eq(target.text, paths[_i].path);
	ck_assert_str_eq(address_print(&target.addresses[0], text), paths[_i].address);
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("target_resolve", takes_numbers, 0, sizeof(numbers) / sizeof(numbers[0])),
		UNIT_LOOP("target_resolve", says_which_name_is_wrong, 0,
			  sizeof(wrong) / sizeof(wrong[0])),
		UNIT_ONCE("target_resolve", cuts_a_long_name_for_messages),
		UNIT_LOOP("target_from_path", takes_paths, 0, sizeof(paths) / sizeof(paths[0])),
		{.group = NULL},
	};

	return unit_run("client/target", rows);
}
