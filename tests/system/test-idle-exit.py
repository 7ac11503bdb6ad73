# SPDX-License-Identifier: ISC
"""The daemon exits when it is idle, again and again: whoever comes at that moment is served by the next."""

import json
import random
import time

import clients
import machine
import support
from machine import run, show

EXITS = machine.count("IDLE_EXITS", 20)

# Seconds. Clients pause up to twice as long, so that many come while a process is about to leave.
IDLE = 0.02

# systemd's message that a unit has ended well (sd-messages(3): SD_MESSAGE_UNIT_SUCCESS).
UNIT_SUCCESS = "7ad2d189f7e94e70a38c781354912448"


def setUpModule():
    machine.install()


def with_pauses(kind):
    """A client of that kind that pauses after each answer, and remembers when it waited for it."""
    class WithPauses(kind):
        def __init__(self, stop):
            super().__init__(stop)
            self.waits = []
            self.begin = time.monotonic()

        def answered(self):
            super().answered()
            self.waits.append((self.begin, time.monotonic()))
            self.stop.wait(random.uniform(0, 2 * IDLE))
            self.begin = time.monotonic()
    return WithPauses


class IdleExits(machine.MachineTest):

    def follow_exits(self, service):
        """Its ends, as systemd logs them: a process whose lines they are."""
        return self.start("journalctl", "--follow", "--lines=0", "--output=json",
                          f"UNIT={service}", f"MESSAGE_ID={UNIT_SUCCESS}")

    def check(self, name, kind, workers=1, exits=EXITS):
        service = f"uppercase-{name}.service"
        self.configure(service, "[Service]", "ExecStart=",
                       f"ExecStart=/usr/sbin/uppercased --exit-idle-time={IDLE * 1000:.0f}ms --workers={workers}")
        run("systemctl", "start", f"uppercase-{name}.socket")
        journal = self.follow_exits(service)

        def count_leaving():
            """How many asked while one process was leaving, and were answered by the next."""
            exits = [int(json.loads(line)["__MONOTONIC_TIMESTAMP"]) / 1e6 for line in journal.lines]
            return sum(begin < exit < end for begin, end in client.waits for exit in exits)

        with clients.asking(with_pauses(kind)) as (client,):
            for number in range(exits):
                support.until(lambda: len(journal.lines) > number or client.failure, "the next exit")
            support.until(lambda: count_leaving() or client.failure, "somebody who comes while it leaves")
        self.assertEqual(show(service, "NRestarts"), "0")
        self.assertEqual(show(f"uppercase-{name}.socket", "Result"), "success")
        machine.report(f"{len(journal.lines)} idle exits, {name}, --workers={workers}: none of {client.answers} requests lost, "
                       f"{count_leaving()} of them came while a process was leaving")

    def test_connections(self):
        self.check("tcp", clients.OneShot)

    def test_connections_of_several_workers(self):
        self.check("tcp", clients.OneShot, workers=2, exits=EXITS // 2)

    def test_datagrams(self):
        self.check("udp", clients.Datagrams)


if __name__ == "__main__":
    machine.main()
