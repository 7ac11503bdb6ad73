/* SPDX-License-Identifier: ISC */

/*
 * sweep-allocations: the first allocation fails, then the second, then the third… up to the last,
 * over a script in which everything that allocates happens. Nothing may crash, no answer may be
 * wrong, nothing may be left.
 *
 * That one alone, and all from there on. With ASan or valgrind it finds the most.
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "activation/endpoints.h"
#include "exchange/exchange-options.h"
#include "handler/filter.h"
#include "play.h"
#include "reference.h"

#define FAILURES_MAX 10000

extern const struct service service;

/* More than a read takes, in messages of every framing. */
static uint8_t request[160000];

static void make_request(enum framing framing)
{
	static const char text[] = "stra\303\237e \357\254\201n \316\220 hello world";
	size_t at = 0, i = 0;

	while (at + 2000 < sizeof(request)) {
		size_t length = i % 7 == 0 ? 1500 : i % 40;

		if (framing == FRAMING_LENGTH)
			framing_write_header(request + at, (uint32_t)length);
		at += framing == FRAMING_LENGTH ? FRAMING_HEADER_SIZE : 0;
		for (size_t j = 0; j < length; j++)
			request[at + j] = (uint8_t)text[(i + j) % (sizeof(text) - 1)];
		at += length;
		if (framing != FRAMING_LENGTH)
			request[at++] = '\n';
		i++;
	}
	/* The last message is not whole. */
	memset(request + at, 0, sizeof(request) - at);
	if (framing == FRAMING_LENGTH)
		framing_write_header(request + at, 60000);
}

/* ─── the daemon ─── */

static unsigned scene;

static struct address make_address(const char *text)
{
	struct address address;

	REQUIRE(address_parse(text, &address) == 0, "%s", text);
	return address;
}

static void connect_all(void)
{
	static const char *const hosts[] = {"[2001:db8::1]:4000", "[2001:db8::2]:4000",
					    "[2001:db8::1]:4001", "[2001:db8:0:1::1]:4000"};

	for (unsigned i = 0; i < 4; i++) {
		struct address address = make_address(hosts[i]);

		(void)world_connect(play_descriptor(PLAY_TCP), &address, i == 0 ? 1000 : SIZE_MAX);
	}
}

/* All of it by the first two alone: it takes its time. */
static void send_all(size_t from, size_t length)
{
	for (unsigned i = 0; i < world.peer_count; i++)
		world_send(&world.peers[i], request + from, i < 2 || length < 3000 ? length : 3000);
}

static void datagrams(void)
{
	struct world_message message = {.from = make_address("10.0.0.1:4000"),
					.to = make_address("192.0.2.1:1"),
					.is_welcome = true};

	world_datagram(play_descriptor(PLAY_UDP4), &message, request, 60000);
	message.segment = 100;
	for (unsigned i = 0; i < 10; i++)
		world_datagram(play_descriptor(PLAY_UDP4), &message, request + i, 1000);
}

static bool script(bool is_idle)
{
	(void)is_idle;
	switch (scene++) {
	case 0:
		connect_all();
		return true;
	case 1:
		send_all(0, 100);
		return true;
	case 2:
		datagrams();
		return true;
	case 3:
		send_all(100, sizeof(request) - 100);
		return true;
	case 4:
		connect_all();
		world_fault(WORLD_ACCEPT, EMFILE);
		return true;
	case 5:
		world_half_close(&world.peers[1]);
		world_signal(SIGUSR1);
		return true;
	case 7:
		world_signal(SIGUSR2);
		return true;
	default:
		return scene < 12;
	}
}

static unsigned sweep_server(enum framing framing, enum preserve preserve, unsigned fail_count)
{
	struct play play = {
		.options = play_options(),
		.activation = ACTIVATION_SYSTEMD,
		.sockets = (1U << PLAY_SOCKETS) - 1,
		.ending = PLAY_STOP_THEN_END,
		.begin = 1000000,
		.script = script,
		.is_logged = fail_count > 1,
		.fail_count = fail_count,
	};
	unsigned n = 0;

	play.options.exchange.framing = framing;
	play.options.preserve = preserve;
	play.options.connections_max = 100;
	play.options.connections_max_per_source = 3;
	play.options.datagram_rate = 1000;
	make_request(framing);
	do {
		REQUIRE(++n < FAILURES_MAX, "no end of allocations");
		play.fail_at = n;
		scene = 0;
		(void)play_run(&play);
	} while (world.has_failed);
	return n - 1;
}

/* ─── what needs no world but its memory ─── */

static void begin(unsigned fail_at, unsigned fail_count)
{
	world_begin(0);
	world.fail_at = fail_at;
	world.fail_count = fail_count;
	world.is_serving = true;
}

static unsigned count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	REQUIRE(folder, "/proc/self/fd: %s", strerror(errno));
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void check_filtered(int out, const struct exchange_options *options, int r,
			   enum filter_failure failure)
{
	static char reply[3 * sizeof(request)];
	const struct conversation conversation = {
		.request = request, .length = sizeof(request), .ended = true};
	struct reference reference;
	ssize_t n = pread(out, reply, sizeof(reply), 0);

	reference_make(&reference, options, &conversation);
	REQUIRE(n >= 0 && (size_t)n <= reference.length &&
			memcmp(reply, reference.reply, (size_t)n) == 0,
		"wrong answer");
	if (world.has_failed)
		REQUIRE(r == -ENOMEM && failure == FILTER_MEMORY, "%d", r);
	else
		REQUIRE((r < 0) == reference.bad && (size_t)n == reference.length, "%d", r);
	reference_free(&reference);
}

static unsigned sweep_filter(enum framing framing, unsigned fail_count)
{
	struct exchange_options options = exchange_options_default(&service);
	int in = memfd_create("in", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC);
	enum filter_failure failure;
	unsigned n = 0;

	options.framing = framing;
	make_request(framing);
	REQUIRE(in >= 0 && out >= 0, "%s", strerror(errno));
	REQUIRE(write(in, request, sizeof(request)) == (ssize_t)sizeof(request), "write");
	do {
		int r;

		REQUIRE(++n < FAILURES_MAX, "no end of allocations");
		REQUIRE(lseek(in, 0, SEEK_SET) == 0 && lseek(out, 0, SEEK_SET) == 0 &&
				ftruncate(out, 0) == 0,
			"%s", strerror(errno));
		begin(n, fail_count);
		r = filter_run(in, out, &options, &failure);
		world.is_serving = false;
		check_filtered(out, &options, r, failure);
	} while (world.has_failed);
	close(in);
	close(out);
	return n - 1;
}

static int find(const struct endpoint_address *addresses, size_t count, unsigned fail_at,
		unsigned fail_count)
{
	char error[ENDPOINTS_ERROR_MAX] = "";
	struct endpoints endpoints = {.count = 77};
	int r;

	begin(fail_at, fail_count);
	r = endpoints_find(&endpoints, addresses, count, error);
	world.is_serving = false;
	if (r < 0) {
		REQUIRE(r == -ENOMEM && strstr(error, strerror(ENOMEM)), "%s", error);
		REQUIRE(endpoints.count == 77, "touched");
		return r;
	}
	REQUIRE(!world.has_failed && endpoints.count == 2, "%zu", endpoints.count);
	endpoints_close(&endpoints);
	return 0;
}

/* Opened here, and handed over. */
static unsigned sweep_endpoints(bool handed_over, unsigned fail_count)
{
	struct endpoint_address addresses[2] = {{.type = SOCK_STREAM}, {.type = SOCK_DGRAM}};
	unsigned n = 0, before;
	char name[64];

	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "@uppercase-sweep-%d-%u", (int)getpid(), i);
		addresses[i].address = make_address(name);
	}
	snprintf(name, sizeof(name), "%d", (int)getpid());
	before = count_descriptors();
	do {
		REQUIRE(++n < FAILURES_MAX, "no end of allocations");
		if (handed_over) {
			REQUIRE(setenv("LISTEN_PID", name, 1) == 0 &&
					setenv("LISTEN_FDS", "2", 1) == 0 &&
					setenv("LISTEN_FDNAMES", "one:two", 1) == 0,
				"no memory");
			for (int i = 0; i < 2; i++) {
				int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

				REQUIRE(fd == SD_LISTEN_FDS_START + i, "descriptor %d", fd);
			}
		}
		(void)find(addresses, handed_over ? 0 : 2, n, fail_count);
		/* Those it did not come to are its owner's, who exits. */
		for (int i = 0; handed_over && i < 2; i++)
			(void)close(SD_LISTEN_FDS_START + i);
		REQUIRE(count_descriptors() == before, "a descriptor is left");
	} while (world.has_failed);
	return n - 1;
}

int main(void)
{
	static const unsigned fail_counts[] = {1, UINT32_MAX};
	static const char *const names[] = {"stream", "line", "length"};

	/* Whoever started this may have left descriptors open where those to hand over go. */
	REQUIRE(close_range(3, ~0U, 0) == 0, "%s", strerror(errno));
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned framing = 0; framing < 3; framing++)
			printf("%s: server %u, filter %u\n", names[framing],
			       sweep_server((enum framing)framing, PRESERVE_RESTART,
					    fail_counts[i]),
			       sweep_filter((enum framing)framing, fail_counts[i]));
		printf("server that is always preserved %u\n",
		       sweep_server(FRAMING_LINE, PRESERVE_ALWAYS, fail_counts[i]));
		printf("endpoints: own %u, handed over %u\n",
		       sweep_endpoints(false, fail_counts[i]),
		       sweep_endpoints(true, fail_counts[i]));
	}
	return 0;
}
