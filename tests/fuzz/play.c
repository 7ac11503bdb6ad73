/* SPDX-License-Identifier: ISC */
#include "play.h"

#include <signal.h>
#include <string.h>

#include "exchange/exchange-options.h"
#include "server/log.h"
#include "util/parse.h"

/* A connection lingers for two seconds, accepting rests for one. */
#define QUIET_USEC UINT64_C(3000000)
#define HOUR_USEC  UINT64_C(3600000000)

static struct {
	const struct play *play;
	struct endpoints endpoints;
	int fds[PLAY_SOCKETS];
	unsigned lives; /* that are over: processes, of which one takes over from the other */
	unsigned acts;  /* of the ending */
	bool is_calm, is_quiet;
	uint64_t limit;
} stage;

struct server_options play_options(void)
{
	extern const struct service service;

	struct server_options options = {
		.exchange = exchange_options_default(&service),
		.workers = 1,
		.connections_max = SIZE_MAX,
		.connections_max_per_source = ADMISSION_ANY,
		.unsent_max = UNSENT_ANY,
		.exit_idle_time = PARSE_INFINITY,
		.drain_timeout = 5000000,
		.preserve = PRESERVE_RESTART,
	};

	options.exchange.idle_timeout = PARSE_INFINITY;
	return options;
}

int play_descriptor(enum play_socket socket)
{
	return stage.fds[socket];
}

static void end_all(void)
{
	for (unsigned i = 0; i < world.peer_count; i++)
		world_half_close(&world.peers[i]);
}

static bool is_any_open(void)
{
	for (unsigned i = 0; i < world.peer_count; i++)
		if (world.peers[i].fd >= 0 && !world.peers[i].is_closed &&
		    !world_is_stored(&world.peers[i]))
			return true;
	return false;
}

/* What an ending is made of; each act begins once nothing goes on by itself. */
enum act {
	ACT_NONE,
	ACT_PEERS_END,
	ACT_ALL_ARE_CLOSED,
	ACT_SILENT_ARE_CLOSED,
	ACT_STOP,
	ACT_HOUR,
};

static const enum act endings[PLAY_ENDINGS][5] = {
	[PLAY_PEERS_END] = {ACT_PEERS_END, ACT_ALL_ARE_CLOSED, ACT_STOP},
	[PLAY_STOP_THEN_END] = {ACT_STOP, ACT_PEERS_END},
	[PLAY_STOP_AND_WAIT] = {ACT_STOP, ACT_HOUR, ACT_STOP},
	[PLAY_STOP_TWICE] = {ACT_STOP, ACT_STOP},
	[PLAY_SILENCE] = {ACT_HOUR, ACT_SILENT_ARE_CLOSED, ACT_STOP, ACT_STOP},
	[PLAY_PEERS_END_SILENCE] = {ACT_PEERS_END, ACT_ALL_ARE_CLOSED, ACT_HOUR, ACT_STOP},
};

/* Returns whether it made something happen. */
static bool do_act(enum act act)
{
	switch (act) {
	case ACT_PEERS_END:
		end_all();
		return is_any_open();
	case ACT_SILENT_ARE_CLOSED:
		if (stage.play->options.exchange.idle_timeout > HOUR_USEC / 2)
			return false;
		__attribute__((fallthrough));
	case ACT_ALL_ARE_CLOSED:
		REQUIRE(!is_any_open(), "a connection is left");
		return false;
	case ACT_STOP:
		world_signal(SIGTERM);
		return true;
	case ACT_HOUR:
		return world_jump(stage.limit);
	case ACT_NONE:
		break;
	}
	return false;
}

static bool end(void)
{
	for (; stage.acts < 5; stage.acts++) {
		enum act act = endings[stage.play->ending][stage.acts];
		bool has_happened = do_act(act);

		/* An hour has many timers. */
		if (has_happened && act == ACT_HOUR)
			return true;
		stage.limit = world.now + HOUR_USEC;
		if (has_happened) {
			stage.acts++;
			return true;
		}
	}
	return world_jump(stage.limit);
}

static bool step(bool is_idle)
{
	if (stage.play->script(is_idle))
		return true;
	if (!stage.is_calm) {
		world_calm();
		stage.is_calm = true;
		stage.limit = world.now + QUIET_USEC;
		return true;
	}
	if (!is_idle)
		return true;
	if (!stage.is_quiet) {
		if (world_jump(stage.limit))
			return true;
		world_check_streams(true);
		stage.is_quiet = true;
		stage.limit = world.now + HOUR_USEC;
	}
	return end();
}

static void add_endpoint(int fd, int family, enum endpoint_kind kind, const char *name)
{
	char *copy = strdup(name);

	REQUIRE(copy, "no memory");
	stage.endpoints.items[stage.endpoints.count++] =
		(struct endpoint){.fd = fd, .family = family, .kind = kind, .name = copy};
}

/* Of the first life, or again of the next. */
static void open_sockets(const struct play *play)
{
	static const struct {
		enum world_kind kind;
		int family;
		in_port_t port;
		enum endpoint_kind endpoint;
	} rows[PLAY_HANDED_OVER] = {
		[PLAY_TCP] = {WORLD_LISTENER, AF_INET6, PLAY_PORT, ENDPOINT_LISTENING},
		[PLAY_UNIX] = {WORLD_LISTENER, AF_UNIX, 0, ENDPOINT_LISTENING},
		[PLAY_UDP4] = {WORLD_DATAGRAM, AF_INET, PLAY_PORT + 1, ENDPOINT_DATAGRAM},
		[PLAY_UDP6] = {WORLD_DATAGRAM, AF_INET6, PLAY_PORT, ENDPOINT_DATAGRAM},
		[PLAY_UNIX_DATAGRAM] = {WORLD_DATAGRAM, AF_UNIX, 0, ENDPOINT_DATAGRAM},
	};

	for (unsigned i = 0; i < PLAY_HANDED_OVER; i++) {
		int before = stage.fds[i];

		stage.fds[i] = -1;
		if (!(play->sockets & 1U << i))
			continue;
		stage.fds[i] = world_open(rows[i].kind, rows[i].family, rows[i].port);
		world_inherit(stage.fds[i], before);
		add_endpoint(stage.fds[i], rows[i].family, rows[i].endpoint, "made up");
	}
}

static void open_endpoints(const struct play *play)
{
	const struct address unnamed = {.length = sizeof(sa_family_t), .any.sa_family = AF_UNIX};

	stage.endpoints.items =
		calloc(PLAY_SOCKETS + world.stored_count, sizeof(*stage.endpoints.items));
	REQUIRE(stage.endpoints.items, "no memory");
	stage.endpoints.activation = stage.lives == 0 ? play->activation : ACTIVATION_SYSTEMD;
	open_sockets(play);
	if (stage.lives == 0 && play->sockets & 1U << PLAY_HANDED_OVER)
		add_endpoint(world_connect(-1, &unnamed, SIZE_MAX)->fd, AF_UNIX, ENDPOINT_CONNECTED,
			     "handed over");
	for (unsigned i = 0; i < world.stored_count; i++) {
		int fd = world_take_stored(i);

		add_endpoint(fd, AF_UNIX, ENDPOINT_STORED, world.stored[i].name);
	}
}

static void check_log(const struct status *status)
{
	if (!stage.play->is_logged) {
		REQUIRE(world.logged == 0, "%d lines that nobody asked for", (int)world.logged);
		return;
	}
	/* A line for each connection, but for those that could not be restored. */
	REQUIRE(world.logged <= world.accepted &&
			world.logged + status->connections_refused >= world.accepted,
		"%d lines for %d accepted", (int)world.logged, (int)world.accepted);
	REQUIRE(world.logged_cut >= status->connections_cut, "%d lines for %d cut",
		(int)world.logged_cut, (int)status->connections_cut);
}

/* What the daemon showed last is what happened. */
static void check_status(void)
{
	const struct status *status = &world.status;
	uint64_t reasons = 0;

	for (unsigned why = 0; why < REFUSAL_COUNT; why++)
		reasons += status->refused[why];
	REQUIRE(reasons == status->connections_refused + status->datagrams_refused, "%d reasons",
		(int)reasons);
	/* One that could not be restored is refused after all. */
	REQUIRE(status->connections_served <= world.served, "%d served, not %d",
		(int)status->connections_served, (int)world.served);
	REQUIRE(status->connections_served + status->connections_refused == world.accepted,
		"%d served, %d refused, %d accepted", (int)status->connections_served,
		(int)status->connections_refused, (int)world.accepted);
	/* What could not be restored, or waited for, is refused. */
	REQUIRE(status->connections_cut + status->refused[REFUSAL_MEMORY] >= world.cut,
		"%d cut, not %d", (int)status->connections_cut, (int)world.cut);
	REQUIRE(status->connections_cut == 0 || world.has_run_short, "%d cut for nothing",
		(int)status->connections_cut);
	REQUIRE(status->bytes_in == world.bytes_in, "%d bytes in, not %d", (int)status->bytes_in,
		(int)world.bytes_in);
	REQUIRE(status->bytes_out == world.bytes_out, "%d bytes out, not %d",
		(int)status->bytes_out, (int)world.bytes_out);
	check_log(status);
	world_check_datagrams();
}

static int live(const struct play *play)
{
	const char *what;
	int r;

	world_begin_life();
	open_endpoints(play);
	if (stage.lives == 0)
		world_fault(play->start_fault, play->start_error);
	stage.is_quiet = false;
	stage.acts = 0;
	stage.limit = world.now + QUIET_USEC;

	world.is_serving = true;
	r = server_run(&play->options, &stage.endpoints, &what);
	world.is_serving = false;
	REQUIRE(r == 0 || world.rounds == 0, "%s: %s", what, strerror(-r));
	REQUIRE(r == 0 || world.has_failed || play->start_error, "%s: %s", what, strerror(-r));
	world_check_streams(false);
	if (r == 0)
		check_status();
	endpoints_close(&stage.endpoints);
	stage.lives++;
	for (unsigned i = 0; r == 0 && i < world.stored_count; i++)
		REQUIRE(world.stored[i].fd >= 0, "%s is still stored", world.stored[i].name);
	return r;
}

int play_run(const struct play *play)
{
	int r;

	memset(&stage, 0, sizeof(stage));
	stage.play = play;
	log_open(play->is_logged ? LOG_DEBUG : LOG_NOTICE);
	world_begin(play->begin);
	world.exchange = &play->options.exchange;
	world.idle_timeout = play->options.exchange.idle_timeout;
	world.unsent_max = play->options.unsent_max;
	world.step = step;
	world.fail_at = play->fail_at;
	world.fail_count = play->fail_count;
	REQUIRE(setenv("NOTIFY_SOCKET", "@nobody", 1) == 0, "no memory");
	do
		r = live(play);
	while (r == 0 && world_has_stored());
	world_empty_store();
	world_end();
	return r;
}
