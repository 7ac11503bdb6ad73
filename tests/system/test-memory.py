# SPDX-License-Identifier: ISC
"""What 10,000 silent connections cost a packaged daemon in memory where it lives: beside the journal, D-Bus
and logins, which have most of its libraries in use, too.

Not its job: how that compares with others (tests/bench/net), and bounds under load (test-streams.py).
"""

import resource
import socket

import machine
from clients import HOST, PORT
from machine import run, show

CONNECTIONS = 10000

# Bytes: all memory, with what is shared divided by its sharers; and of the daemon's own, for a connection.
PSS_MAX, CONNECTION_MAX = 2 << 20, 96


def setUpModule():
    machine.install()


def memory(pid):
    """Bytes of memory in all, and of that what is nobody else's (proc(5))."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        sizes = dict(line.split(":") for line in rollup.readlines()[1:])
    return tuple(int(sizes[what].split()[0]) << 10 for what in ("Pss", "Anonymous"))


class Memory(machine.MachineTest):

    def hold(self, count):
        """Connections that were served once and stay open."""
        for _ in range(count):
            connection = socket.create_connection((HOST, PORT))
            self.addCleanup(connection.close)
            connection.sendall(b"a")
            self.assertEqual(connection.recv(10), b"A")

    def test_of_idle_connections(self):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        # When all else is there that a system runs: who shares libraries with us takes part of them.
        run("systemctl", "is-system-running", "--wait", check=False)
        run("systemctl", "start", "uppercase-tcp.socket")
        self.hold(1)
        pid = int(show("uppercase-tcp.service", "MainPID"))
        _, before = memory(pid)
        self.hold(CONNECTIONS - 1)
        pss, own = memory(pid)
        each = (own - before) / CONNECTIONS
        machine.report(f"{CONNECTIONS} idle connections: {pss / (1 << 20):.2f} MiB PSS, {own >> 10} KiB of it "
                       f"its own, {each:.1f} bytes for a connection")
        self.assertLessEqual(pss, PSS_MAX)
        self.assertLessEqual(each, CONNECTION_MAX)


if __name__ == "__main__":
    machine.main()
