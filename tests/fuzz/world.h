/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * world: all that a server meets, made up: sockets, peers, a clock, a service manager.
 *
 *      server ──its system calls, its sd-event──► world ◄──what happens next── step(), a script
 *
 * The linker leads the server's calls here (--wrap in meson.build). Nothing is real, so what a
 * kernel does once in a year is as easy to have as what it always does, a run is the same each
 * time, and an hour passes at once. Every call is checked: a descriptor that is not open, a wrong
 * byte, a reply to nobody end the process.
 *
 * There is one world at a time, and its numbers for descriptors are used once each. Not its job:
 * what happens when (fuzz-server.c, sweep-server.c).
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "exchange/exchange.h"
#include "fuzz.h"
#include "net/address.h"
#include "server/status.h"

#define WORLD_FIRST_FD    1000000
#define WORLD_DESCRIPTORS 256
#define WORLD_PEERS       40
#define WORLD_STORED      128
#define WORLD_TIMELESS    UINT64_MAX

/* Calls that a fault can be given to. */
enum world_call {
	WORLD_ACCEPT,
	WORLD_RECV,
	WORLD_SEND,
	WORLD_SHUTDOWN,
	WORLD_RECVMMSG,
	WORLD_SENDMMSG,
	WORLD_SENDMSG,
	WORLD_POLL,
	WORLD_EPOLL_CTL,
	WORLD_EPOLL_WAIT,
	WORLD_SETSOCKOPT,
	WORLD_NOTIFY,
	WORLD_ALLOCATE, /* any errno: it is ENOMEM */
	WORLD_CALLS,
};

enum world_kind {
	WORLD_NOTHING,
	WORLD_EPOLL,
	WORLD_CONTROL, /* sd-event's */
	WORLD_LISTENER,
	WORLD_CONNECTION,
	WORLD_DATAGRAM,
	WORLD_CLOSED,
};

/* A descriptor, and what the epoll set has of it. */
struct world_descriptor {
	enum world_kind kind;
	int family;
	in_port_t port; /* host order */
	struct world_peer *peer;
	bool is_waited_for;
	bool turns_away; /* a listener that was shut down */
	uint32_t events;
	epoll_data_t data;
};

/* A client of a stream. */
struct world_peer {
	int listener; /* whose backlog it is in, or was; -1: handed over */
	int fd;       /* the server's end; -1: not accepted */
	struct address address;

	uint8_t *request;              /* owned: what it sent */
	size_t sent, delivered, whole; /* of what is delivered, in whole messages */
	size_t first_read;             /* what the server's first read brought */
	char *reply;                   /* owned: what it was sent */
	size_t received;
	size_t room;         /* bytes that it takes before it reads */
	size_t unsent, kept; /* of an answer; and with what was sent of that since */

	bool is_gone;     /* from the backlog */
	bool has_ended;   /* half-closed */
	bool end_is_seen; /* by the server */
	bool was_reset, reset_is_seen;
	bool was_served;  /* read from, or waited for, at least once in this life */
	bool is_restored; /* from an earlier one */
	bool is_shut;     /* by the server */
	bool is_corked;   /* what it was sent waits for more, or for the server's end */
	bool is_closed;   /* by the server */
	bool is_lost;     /* the server was told that it is gone: how it is closed is all one */
	bool is_cut;      /* its close is to be a reset */
	bool is_short;    /* memory failed it, and nothing else */
	bool is_excused;  /* a fault was its: what it was sent is good, but may not be all */
	uint64_t last_progress, shut_at;
};

/* A descriptor that the service manager keeps from one life to the next; -1: it was passed on. */
struct world_stored {
	char name[64];
	int fd;
	bool is_kept; /* beyond that, for as long as it is open */
};

struct world {
	const struct exchange_options *exchange;
	uint64_t idle_timeout;
	size_t unsent_max;
	bool (*step)(bool is_idle); /* lets something happen; false: nothing ever will */

	struct world_descriptor descriptors[WORLD_DESCRIPTORS];
	unsigned descriptor_count;
	struct world_peer peers[WORLD_PEERS];
	unsigned peer_count;
	struct world_stored stored[WORLD_STORED];
	unsigned stored_count;

	uint64_t now; /* microseconds of CLOCK_MONOTONIC */
	int faults[WORLD_CALLS];
	unsigned most;          /* of the next call's bytes or messages; 0: all of them */
	unsigned first_event;   /* where the next round of events begins */
	bool is_serving;        /* the server runs: its allocations may fail */
	unsigned inside;        /* and is not inside one of the world's calls */
	unsigned fail_at;       /* allocations until one fails; 0: none does */
	unsigned fail_count;    /* how many fail from there */
	bool has_failed;        /* one did */
	bool has_run_short;     /* that, or an epoll set's */
	int current;            /* the descriptor that the server is busy with */
	bool is_stopping;       /* the server takes nothing new */
	bool is_finishing;      /* sd_event_exit() was called */
	unsigned rounds, waste; /* of epoll_wait(): in all; on end without any progress */

	/* Of this life: */
	struct status status; /* as the server showed it last */
	uint64_t accepted, served, logged;
	uint64_t cut, logged_cut; /* in the middle of an answer, for want of memory */
	uint64_t bytes_in, bytes_out;
};

extern struct world world;

/* An empty world, whose clock begins at now. world_end() checks that nothing is left of it. */
void world_begin(uint64_t now);
void world_end(void);

/* While this is in scope what is allocated is the world's. */
#define WORLD_INSIDE __attribute__((cleanup(world_leave), unused)) unsigned inside_ = world.inside++
static inline void world_leave(const unsigned *before)
{
	world.inside = *before;
}

/* The next such call fails with error. */
void world_fault(enum world_call call, int error);

/* Takes the fault of a call. Returns whether there is one, in errno. */
bool world_has_fault(enum world_call call);

/* True if the server's next allocation is to fail. */
bool world_allocation_fails(void);

/* A new descriptor. */
int world_open(enum world_kind kind, int family, in_port_t port);
bool world_is_fake(int fd);

/* What a descriptor that must be open is; NULL kinds end the process. */
struct world_descriptor *world_look(int fd, enum world_kind kind);

/* The clock, as far as the server can tell. */
uint64_t world_coarse_now(void);

/* The server got on: it does not turn around itself. */
void world_progress(int fd);

/* The signal comes. */
void world_signal(int number);

/* Lets the clock jump to the next timer, if it is before the limit. Returns whether there was one.
 */
bool world_jump(uint64_t limit);

/* No faults any more. */
void world_calm(void);

/* Streams: a peer that connects, or (listener -1) whose connection is handed over: its descriptor
 * is peer->fd. NULL: enough of them. */
struct world_peer *world_connect(int listener, const struct address *address, size_t room);
void world_send(struct world_peer *peer, const uint8_t *bytes, size_t length);
void world_half_close(struct world_peer *peer);
void world_reset(struct world_peer *peer, bool takes_all_along);
uint32_t world_stream_events(const struct world_descriptor *descriptor);
void world_close_peer(struct world_peer *peer);
void world_set_linger(int fd);
/* Memory fails the server while it is busy with it. */
void world_run_short(struct world_peer *peer);
/* The server has taken its connection on. */
void world_serve(struct world_peer *peer);
/* Nothing that was sent to a peer waits any longer than the round. */
void world_check_corks(void);
/* Every byte that the server could answer is answered, and right. */
void world_check_streams(bool is_quiet);
void world_free_streams(void);
/* Bytes that the server must keep for peers that don't take them. */
size_t world_count_unsent(void);

/* Datagrams: one, or (segment > 0) several that come as one, for the socket fd at to. May the
 * source be answered? */
struct world_message {
	struct address from, to;
	bool is_welcome, is_cut;
	unsigned segment;
};
void world_datagram(int fd, const struct world_message *message, const uint8_t *bytes,
		    size_t length);
bool world_has_datagram(int fd);
void world_check_datagrams(void);
void world_free_datagrams(void);

/* A process ended, and the next one begins, with what was stored. */
void world_begin_life(void);
void world_begin_life_of_datagrams(void);
/* The socket is the one that the life before had. */
void world_inherit(int fd, int before);
void world_inherit_datagrams(int fd, int before);
/* The server wants no more of this name. */
void world_forget(const char *name);
void world_empty_store(void);
/* What the next process is passed. */
int world_take_stored(unsigned i);
bool world_has_stored(void);
/* The connection is shut down: the manager drops it. */
void world_hang_up(const struct world_peer *peer);
/* The server's end of it is closed. Returns whether the store has another. */
bool world_leave_to_store(struct world_peer *peer);
/* True while the store alone has the connection. */
bool world_is_stored(const struct world_peer *peer);

/* sd-event's descriptor, for world.c. */
bool world_control_is_ready(void);
void world_check_control(void);
