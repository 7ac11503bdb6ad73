/* SPDX-License-Identifier: ISC */

/* Tests of server/guard.h: who is not answered, and why. */

#include <net/if.h>

#include "rig.h"
#include "server/guard.h"

/* No reason at all: the source is answered. */
#define ALLOWED REFUSAL_COUNT

#define OWN 12000

static const struct {
	const char *host;
	unsigned port;
	enum refusal expected;
} cases[] = {
	{"127.0.0.1", 1024, ALLOWED},
	{"127.0.0.1", 65535, ALLOWED},
	{"127.0.0.1", 1023, REFUSAL_LOW_PORT},
	{"127.0.0.1", 7, REFUSAL_LOW_PORT},
	{"127.0.0.1", 0, REFUSAL_LOW_PORT},
	{"127.0.0.1", OWN, REFUSAL_OWN_PORT},
	{"192.0.2.1", OWN, REFUSAL_OWN_PORT},
	{"0.0.0.0", 5000, REFUSAL_ZERO_NETWORK},
	{"0.255.255.255", 5000, REFUSAL_ZERO_NETWORK},
	{"1.0.0.0", 5000, ALLOWED},
	{"223.255.255.255", 5000, ALLOWED},
	{"224.0.0.0", 5000, REFUSAL_MULTICAST},
	{"239.255.255.255", 5000, REFUSAL_MULTICAST},
	{"240.0.0.0", 5000, REFUSAL_BROADCAST},
	{"255.255.255.255", 5000, REFUSAL_BROADCAST},
	{"::1", 5000, ALLOWED},
	{"::1", 1023, REFUSAL_LOW_PORT},
	{"::1", OWN, REFUSAL_OWN_PORT},
	{"2001:db8::1", 5000, ALLOWED},
	{"fe80::1", 5000, ALLOWED},
	{"::", 5000, REFUSAL_ZERO_NETWORK},
	{"ff02::1", 5000, REFUSAL_MULTICAST},
	{"::ffff:127.0.0.1", 5000, ALLOWED},
	{"::ffff:127.0.0.1", OWN, REFUSAL_OWN_PORT},
	{"::ffff:0.1.2.3", 5000, REFUSAL_ZERO_NETWORK},
	{"::ffff:224.0.0.1", 5000, REFUSAL_MULTICAST},
	{"::ffff:255.255.255.255", 5000, REFUSAL_BROADCAST},
};

START_TEST(tells_sources)
{
	struct address source = rig_address(cases[_i].host, cases[_i].port);
	enum refusal why = ALLOWED;

	ck_assert_int_eq(guard_allows(&source, OWN, &why), cases[_i].expected == ALLOWED);
	ck_assert_msg(why == cases[_i].expected, "%s:%u: %d, not %d", cases[_i].host,
		      cases[_i].port, (int)why, (int)cases[_i].expected);
}
END_TEST

START_TEST(without_own_port)
{
	struct address source = rig_address("127.0.0.1", OWN);
	enum refusal why;

	ck_assert(guard_allows(&source, -1, &why));
}
END_TEST

START_TEST(unix_sources)
{
	/* What recvmsg(2) leaves of an unnamed sender: nothing, or the family alone. */
	struct address none = {0}, unnamed = {.length = sizeof(sa_family_t)}, named;
	enum refusal why = ALLOWED;

	unnamed.any.sa_family = AF_UNIX;
	ck_assert(!guard_allows(&none, -1, &why));
	ck_assert_int_eq(why, REFUSAL_UNNAMED);
	why = ALLOWED;
	ck_assert(!guard_allows(&unnamed, -1, &why));
	ck_assert_int_eq(why, REFUSAL_UNNAMED);

	ck_assert_int_eq(address_from_path("@a", &named), 0);
	ck_assert(guard_allows(&named, -1, &why));
	ck_assert_int_eq(address_from_path("/run/a", &named), 0);
	ck_assert(guard_allows(&named, -1, &why));
}
END_TEST

int main(void)
{
	const struct unit_row rows[] = {
		UNIT_LOOP("guard_allows", tells_sources, 0, sizeof(cases) / sizeof(cases[0])),
		UNIT_ONCE("guard_allows", without_own_port),
		UNIT_ONCE("guard_allows", unix_sources),
		{0},
	};

	return unit_run("guard", rows);
}
