/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * address: socket addresses to and from text, and what can be told from one alone.
 *
 * Not its job: names (the client resolves those), and opening sockets (net/socket.h).
 */

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	socklen_t length; /* 0: none; sizeof(sa_family_t) of an AF_UNIX one: unnamed */
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_vm vm;
		struct sockaddr_storage storage;
	};
};

/* Room that address_print() needs at most: an AF_UNIX path with every byte escaped. */
#define ADDRESS_TEXT_MAX 512

/* An address as systemd.socket(5) writes it in ListenStream=: "12000" (any address, IPv6 and IPv4),
 * "127.0.0.1:12000", "[::1]:12000", "[fe80::1]:12000%eth0", "/run/x.sock", "@abstract",
 * "vsock::12000", "vsock:2:12000"; also "[fe80::1%eth0]:12000" as RFC 4007 has it.
 * Returns 0, -EINVAL (not such an address) or -ENAMETOOLONG (a path too long for a socket). */
int address_parse(const char *text, struct address *ret_address);

/* An AF_UNIX address of a path, or of "@name" in the abstract namespace (unix(7)).
 * Returns 0, -EINVAL (empty) or -ENAMETOOLONG. */
int address_from_path(const char *path, struct address *ret_address);

/* The same syntax backwards, with RFC 4007's zone as a number: a service without a network of its
 * own would look its name up among other interfaces. An IPv4 address in IPv6 clothes is printed as
 * IPv4; "unnamed" for an AF_UNIX socket without a name. Bytes that are not printable ASCII are
 * escaped as \xHH. Returns text. */
const char *address_print(const struct address *address, char text[static ADDRESS_TEXT_MAX]);

/* The same without the port: "127.0.0.1", "::1". */
const char *address_print_host(const struct address *address, char text[static ADDRESS_TEXT_MAX]);

/* The port in host order, or -1 where the family has none. */
int address_port(const struct address *address);

/* The IPv4 address in host order if it is one, also in IPv6 clothes (RFC 4291 section 2.5.5.2). */
bool address_get_ipv4(const struct address *address, uint32_t *ret_ipv4);

/* Are they the same, to the last byte? */
bool address_is_same(const struct address *a, const struct address *b);

/* What limits count as one source: an IPv4 address, or the /64 that an IPv6 host chooses its
 * address from. Returns false for families in which everybody can have as many addresses as they
 * like. */
bool address_get_source(const struct address *address, uint64_t *ret_source);

/* 127.0.0.0/8 or ::1: nobody on the network can forge it (RFC 1122 section 3.2.1.3, RFC
 * 4291 2.5.3). */
bool address_is_loopback(const struct address *address);
