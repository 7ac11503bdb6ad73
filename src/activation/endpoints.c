/* SPDX-License-Identifier: ISC */
#include "activation/endpoints.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "net/socket.h"
#include "util/cleanup.h"
#include "util/descriptor.h"
#include "util/error.h"

static bool look_at_path(int fd, struct address *ret_own, struct stat *ret_status)
{
	return socket_get_name(fd, ret_own) >= 0 && ret_own->any.sa_family == AF_UNIX &&
	       ret_own->length > offsetof(struct sockaddr_un, sun_path) &&
	       ret_own->un.sun_path[0] != '\0' && lstat(ret_own->un.sun_path, ret_status) >= 0;
}

static void note_path(struct endpoint *endpoint)
{
	struct address own;
	struct stat status;

	if (!look_at_path(endpoint->fd, &own, &status))
		return;
	endpoint->path_device = status.st_dev;
	endpoint->path_inode = status.st_ino;
}

/* A path that was bound here goes with its socket; not one that somebody has put in its place. */
static void remove_path(struct endpoint *endpoint)
{
	struct address own;
	struct stat status;

	if (endpoint->path_inode != 0 && look_at_path(endpoint->fd, &own, &status) &&
	    status.st_dev == endpoint->path_device && status.st_ino == endpoint->path_inode)
		(void)unlink(own.un.sun_path);
	endpoint->path_inode = 0;
}

void endpoints_turn_away(struct endpoints *endpoints)
{
	if (endpoints->activation != ACTIVATION_OWN)
		return;
	for (size_t i = 0; i < endpoints->count; i++) {
		if (endpoints->items[i].kind != ENDPOINT_LISTENING)
			continue;
		remove_path(&endpoints->items[i]);
		(void)shutdown(endpoints->items[i].fd, SHUT_RDWR);
	}
}

void endpoints_close(struct endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->count; i++) {
		remove_path(&endpoints->items[i]);
		if (endpoints->items[i].fd >= 0)
			(void)close(endpoints->items[i].fd);
		free(endpoints->items[i].name);
	}
	free(endpoints->items);
	*endpoints = (struct endpoints){0};
}

/* Appends fd, which is owned from here on, whatever is returned. */
static int append(struct endpoints *endpoints, int fd, int family, enum endpoint_kind kind,
		  const char *name)
{
	_cleanup_close_ int owned = fd;
	_cleanup_free_ char *copy = strdup(name);
	struct endpoint *items =
		reallocarray(endpoints->items, endpoints->count + 1, sizeof(*endpoints->items));

	if (items)
		endpoints->items = items;
	if (!items || !copy)
		return -ENOMEM;
	if (family == AF_UNIX)
		socket_refuse_descriptors(fd);
	items[endpoints->count++] = (struct endpoint){
		.fd = take_fd(&owned),
		.family = family,
		.kind = kind,
		.name = take_pointer(copy),
	};
	return 0;
}

static bool tell_kind(const struct socket_facts *facts, enum endpoint_kind *ret_kind)
{
	static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_VSOCK};
	bool known = false;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		known |= families[i] == facts->family;
	if (!known)
		return false;
	if (facts->type == SOCK_DGRAM)
		*ret_kind = ENDPOINT_DATAGRAM;
	else if (facts->type == SOCK_STREAM && facts->listening)
		*ret_kind = ENDPOINT_LISTENING;
	else if (facts->type == SOCK_STREAM && facts->connected)
		*ret_kind = ENDPOINT_CONNECTED;
	else
		return false;
	return true;
}

/* Takes over a descriptor that somebody passed under a name; it is close-on-exec already. */
static int adopt(struct endpoints *endpoints, int fd, const char *name, char *error)
{
	_cleanup_close_ int owned = fd;
	char kind_text[SOCKET_TEXT_MAX];
	struct socket_facts facts;
	enum endpoint_kind kind;
	int r;

	if (strncmp(name, ENDPOINT_STORED_PREFIX, strlen(ENDPOINT_STORED_PREFIX)) == 0)
		return append(endpoints, take_fd(&owned), AF_UNSPEC, ENDPOINT_STORED, name);
	r = socket_look(fd, &facts);
	if (r < 0) {
		snprintf(error, ENDPOINTS_ERROR_MAX, "descriptor %d '%.255s': %s", fd, name,
			 r == -ENOTSOCK ? "not a socket" : strerror(-r));
		return r;
	}
	if (!tell_kind(&facts, &kind)) {
		snprintf(error, ENDPOINTS_ERROR_MAX, "socket '%.255s': %s: cannot be served", name,
			 socket_print_kind(&facts, kind_text));
		return -EPROTOTYPE;
	}
	r = descriptor_set_nonblocking(fd, true);
	if (r < 0) {
		snprintf(error, ENDPOINTS_ERROR_MAX, "socket '%.255s': %s", name, strerror(-r));
		return r;
	}
	return append(endpoints, take_fd(&owned), facts.family, kind, name);
}

static void free_names(char ***names)
{
	for (char **name = *names; name && *name; name++)
		free(*name);
	free(*names);
}

static int adopt_from_systemd(struct endpoints *endpoints, char *error)
{
	_cleanup_(free_names) char **names = NULL;
	int count = sd_listen_fds_with_names(true, &names), r = 0;

	if (count < 0) {
		snprintf(error, ENDPOINTS_ERROR_MAX, "LISTEN_FDS: %s", strerror(-count));
		return count;
	}
	for (int i = 0; i < count && r >= 0; i++)
		r = adopt(endpoints, SD_LISTEN_FDS_START + i,
			  names && names[i] ? names[i] : "unknown", error);
	return r < 0 ? r : count;
}

static int open_all(struct endpoints *endpoints, const struct endpoint_address *addresses,
		    size_t count, char *error)
{
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		int fd = socket_open(&addresses[i].address, addresses[i].type), r;
		struct socket_facts facts = {0};

		address_print(&addresses[i].address, text);
		if (fd < 0) {
			snprintf(error, ENDPOINTS_ERROR_MAX, "--listen-%s=%s: %s",
				 addresses[i].type == SOCK_STREAM ? "stream" : "datagram", text,
				 strerror(-fd));
			return fd;
		}
		/* The family that was opened: a machine without IPv6 gets IPv4 for "any address".
		 */
		(void)socket_look(fd, &facts);
		r = append(endpoints, fd, facts.family,
			   addresses[i].type == SOCK_STREAM ? ENDPOINT_LISTENING
							    : ENDPOINT_DATAGRAM,
			   text);
		if (r < 0)
			return r;
		note_path(&endpoints->items[endpoints->count - 1]);
	}
	return 0;
}

/* Descriptor 0 as inetd hands it over; a copy is kept, so that closing it makes no room at 0 for
 * something else. Whoever is done with it must shut it down: 0 (and 1, and 2) still hold it open.
 */
static int adopt_standard_input(struct endpoints *endpoints, char *error)
{
	struct socket_facts facts;
	int fd;

	if (socket_look(STDIN_FILENO, &facts) < 0) {
		snprintf(error, ENDPOINTS_ERROR_MAX,
			 "no socket: start by a systemd socket unit, by an inetd, or give "
			 "--listen-stream= or --listen-datagram=");
		return -ENOENT;
	}
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0) {
		snprintf(error, ENDPOINTS_ERROR_MAX, "standard input: %s", strerror(errno));
		return negative_errno();
	}
	return adopt(endpoints, fd, "standard input", error);
}

int endpoints_find(struct endpoints *ret_endpoints, const struct endpoint_address *addresses,
		   size_t count, char *error)
{
	_cleanup_(endpoints_close) struct endpoints found = {0};
	int r;

	snprintf(error, ENDPOINTS_ERROR_MAX, "sockets: %s", strerror(ENOMEM));
	r = adopt_from_systemd(&found, error);
	if (r > 0) {
		found.activation = ACTIVATION_SYSTEMD;
	} else if (r == 0 && count > 0) {
		found.activation = ACTIVATION_OWN;
		r = open_all(&found, addresses, count, error);
	} else if (r == 0) {
		found.activation = ACTIVATION_INETD;
		r = adopt_standard_input(&found, error);
	}
	if (r < 0)
		return r;
	*ret_endpoints = found;
	found = (struct endpoints){0};
	return 0;
}
