# SPDX-License-Identifier: ISC
"""goals: what the daemon has to reach in the works, and whether it did."""

import dataclasses

import table

OURS = "uppercased"
ON_BOTH = "uppercased with 2 workers on both cores"
SHARDED = "uppercased with 2 sharded workers on both cores"

ALONE = ("PSS divides what is shared by its sharers. Where no systemd runs, nobody else has libsystemd and what "
         "it links; in a system, beside the journal, D-Bus and logind, it is 1.9 MiB "
         "(`tests/system/test-memory.py`).")

# A core that works this much of the time is what limits the rate.
FULL = 0.95


@dataclasses.dataclass
class Goal:
    """figure of server in work: at least or at most limit; times another's, if against is given."""
    work: str
    figure: str  # speed (below), or of a measurement: rate, cpu, p99, lost, pss…
    limit: float
    against: str = ""
    against_work: str = ""  # if it is another one
    server: str = OURS
    scale: float = 1.0  # of a figure without against, for the table
    unit: str = ""
    note: str = ""  # what is to be known if it is not met

    def is_least(self):
        return self.figure in ("speed", "rate")


def speed(work, limit, *against, **more):
    return [Goal(work, "speed", limit, server, **more) for server in against]


def ping_pong(work):
    """As quick as the bare loop, and as libuv; p99 no worse, which shows to a twentieth."""
    return [*speed(work, 0.98, "bare epoll"), *speed(work, 1.0, "libuv"),
            Goal(work, "p99", 1.05, "bare epoll")]


def bulk(work):
    return [*speed(work, 0.95, "bare epoll that copies"), *speed(work, 1.1, "libuv")]


GOALS = [
    *ping_pong("tcp-1"),
    *ping_pong("tcp-64"),
    *ping_pong("tcp-1000"),
    *speed("tcp-64x16", 0.98, "bare epoll"),
    Goal("tcp-each", "cpu", 1.05, "bare epoll"),
    Goal("tcp-each", "cpu", 1.0, "libuv"),
    Goal("tcp-each", "cpu", 1.0, "Go"),
    *speed("tcp-stuck", 0.98, "bare epoll"),
    Goal("tcp-stuck", "p99", 1.05, "bare epoll"),
    *bulk("tcp-bulk-english"),
    *bulk("tcp-bulk-greek"),
    *speed("unix-64", 0.98, "bare epoll"),
    *speed("unix-bulk", 0.98, "bare epoll"),
    Goal("unix-bulk", "rate", 1.0, OURS, "tcp-bulk-english"),
    *speed("udp-32", 1.0, "recvfrom/sendto"),
    *speed("udp-512", 1.0, "recvfrom/sendto"),
    *speed("udp-1400", 1.0, "recvfrom/sendto"),
    *speed("udp-clients", 1.0, "recvfrom/sendto"),
    Goal("udp-paced", "lost", 0, scale=100, unit=" %"),
    *speed("udp-gso", 1.5, "recvfrom/sendto"),
    Goal("tcp-64", "rate", 0.9, OURS, server=ON_BOTH),
    Goal("tcp-1000", "rate", 0.9, OURS, server=ON_BOTH),
    Goal("udp-clients", "rate", 0.9, OURS, server=ON_BOTH),
    Goal("tcp-64", "rate", 0.9, OURS, server=SHARDED),
    Goal("udp-clients", "rate", 0.9, OURS, server=SHARDED),
    Goal("idle", "wakeups", 0, unit=" a second"),
    Goal("idle-10000", "connection_bytes", 96, unit=" bytes"),
    Goal("idle-10000", "pss", 2 << 20, scale=1 / (1 << 20), unit=" MiB", note=ALONE),
]


def servers():
    """Who must take part for all goals to be looked at."""
    names = [name for goal in GOALS for name in (goal.server, goal.against) if name]
    return list(dict.fromkeys(names))


def is_server_full(measurements):
    """Whether the server, and not the load, was what limited the rate."""
    return table.median(measurements, "rate") * table.median(measurements, "cpu") >= FULL


def measured_of(results, work, server):
    return [m for m in results.get(work, []) if m["server"] == server]


def compare(goal, mine, others):
    """(what was compared, the value). Speed is the rate where the server's core was full, else how
    many times as much CPU the other took for an answer."""
    if goal.against_work:
        return goal.figure, table.median(mine, goal.figure) / table.median(others, goal.figure)
    if goal.figure != "speed":
        return goal.figure, table.ratio(mine, others, goal.figure)
    if is_server_full(mine):
        return "rate", table.ratio(mine, others, "rate")
    return "speed by CPU", 1 / table.ratio(mine, others, "cpu")


def row(goal, results):
    """The line of one goal; None if it was not measured."""
    mine = measured_of(results, goal.work, goal.server)
    others = measured_of(results, goal.against_work or goal.work, goal.against)
    if not mine or (goal.against and not others):
        return None
    if goal.against:
        what, value = compare(goal, mine, others)
        where = f" in `{goal.against_work}`" if goal.against_work else ""
        what = f"{what}, as a ratio to {goal.against}{where}"
    else:
        what, value = goal.figure, table.median(mine, goal.figure)
    met = value >= goal.limit if goal.is_least() else value <= goal.limit
    if goal.server != OURS:
        what = f"{goal.server}: {what}"
    wanted, reached = (f"{table.number(n, goal.scale)}{goal.unit}" for n in (goal.limit, value))
    return [f"`{goal.work}`", what, f"{'≥' if goal.is_least() else '≤'} {wanted}", reached,
            "met" if met else "**not met**"]


def lines(results):
    """The table of all goals whose work was measured, and notes."""
    looked_at = [(goal, r) for goal in GOALS if (r := row(goal, results))]
    if not looked_at:
        return
    yield from table.lines_of(["work", "figure", "goal", "measured", ""], [r for _, r in looked_at])
    for goal, (*_, verdict) in looked_at:
        if goal.note and verdict != "met":
            yield f"\n`{goal.work}`, {goal.figure}: {goal.note}"
