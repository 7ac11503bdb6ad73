# SPDX-License-Identifier: ISC
"""Limits against clients that hold on to what they can get: exact, told, and nobody else is hurt."""

import contextlib
import os
import re
import socket
import unittest

import support
from support import converse

# Grows three times: 2 bytes to 6.
WORST = "\u0390".encode()
WORST_ANSWER = "\u0399\u0308\u0301".encode()

# What somebody asks who reads the answer.
REQUEST = (support.SENTENCE * 2000).encode()
ANSWER = (support.ANSWER * 2000).encode()


class Stuck:
    """A client that asks for much and takes nothing, until it is told to."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.setblocking(False)
        self.sent = 0

    def push(self):
        """Sends what can be sent. Returns how much that was."""
        before = self.sent
        try:
            while True:
                self.sent += self.socket.send((WORST * 50000)[self.sent % 2:])
        except BlockingIOError:
            return self.sent - before

    def answer(self):
        with self.socket:
            self.socket.settimeout(support.PATIENCE)
            self.socket.shutdown(socket.SHUT_WR)
            return support.read_to_end(self.socket)

    def wanted(self):
        return WORST_ANSWER * (self.sent // 2) + WORST[:self.sent % 2]


class Connections(support.SystemTest):

    def connect(self, port, source):
        """A connection from that address, which lasts as long as the test."""
        connection = socket.create_connection(("127.0.0.1", port), support.PATIENCE, (source, 0))
        self.addCleanup(connection.close)
        return connection

    def expect_served(self, *connections):
        for connection in connections:
            connection.sendall(b"a")
            self.assertEqual(connection.recv(1), b"A")

    def expect_refused(self, connection):
        """Closed at once, in good order for who has said nothing."""
        self.assertEqual(connection.recv(1), b"")

    def test_exactly_so_many(self):
        """In all and from one source; who is connected goes on, who leaves makes room for one."""
        port = support.free_port()
        daemon = self.start_daemon(f"--listen-stream={port}", "--connections-max=3",
                                   "--connections-max-per-source=2")
        first, second = (self.connect(port, "127.0.0.1") for _ in range(2))
        self.expect_served(first, second)
        self.expect_refused(self.connect(port, "127.0.0.1"))
        third = self.connect(port, "127.0.0.2")
        self.expect_served(third)
        self.expect_refused(self.connect(port, "127.0.0.3"))
        self.expect_served(first, second, third)
        daemon.wait_for_line(r"^uppercased: refused connections: [12] \(connections-max")
        daemon.wait_for_notice(r"STATUS=Connections: 3 open, 3 served, 2 refused \(connections-max 1, "
                               r"connections-max-per-source 1\)\.")
        first.close()
        daemon.wait_for_notice("STATUS=Connections: 2 open")
        self.expect_served(self.connect(port, "127.0.0.3"), second, third)
        self.expect_refused(self.connect(port, "127.0.0.3"))

    def test_idle_timeout(self):
        """Who is silent falls to it, and who takes nothing; who sends a byte now and then does not."""
        port = support.free_port()
        daemon = self.start_daemon(f"--listen-stream={port}", "--idle-timeout=1s", "--log-level=info")
        silent, active, stuck = (self.connect(port, "127.0.0.1") for _ in range(3))
        stuck.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while stuck.send(WORST * 50000):
                pass
        silent.settimeout(0.05)
        ended = None
        while ended is None:
            self.expect_served(active)
            with contextlib.suppress(TimeoutError):
                ended = silent.recv(1)
        self.assertEqual(ended, b"")
        daemon.wait_for_line(" 0 bytes in, 0 bytes out, .*: idle-timeout$")
        self.expect_served(active)
        daemon.wait_for_line(" [1-9][0-9]{5,} bytes in, .*: idle-timeout$")


@unittest.skipIf(os.environ.get("TEST_WRAPPER"), "valgrind's memory is not the daemon's")
class UnsentMax(support.SystemTest):

    STUCK = 150
    LIMIT = 8 << 20

    # The limit, and the answer to a piece of 4 KiB for each.
    MOST = LIMIT + STUCK * (3 * 4096 + 64)

    # What a daemon takes at rest, with up to two workers.
    BASE = 20 << 20

    def push_all(self, stuck, port):
        """Until nobody can send a byte though the daemon has answered others ten times."""
        quiet = 0
        while quiet < 10:
            pushed = sum(client.push() for client in stuck)
            quiet = 0 if pushed else quiet + 1
            self.assertTrue(converse(support.connect("127.0.0.1", port), REQUEST) == ANSWER)

    def hold(self, limit, workers):
        """So many stuck clients beside one that is served. The daemon, and the clients."""
        path, port = self.path(f"socket-{limit}-{workers}"), support.free_port()
        # Meson's way of finding what is not initialized writes to buffers that would never be used.
        daemon = self.start_daemon(f"--listen-stream={path}", f"--listen-stream={port}",
                                   f"--unsent-max={limit}", f"--workers={workers}", env={"MALLOC_PERTURB_": "0"})
        stuck = [Stuck(path) for _ in range(self.STUCK)]
        for client in stuck:
            self.addCleanup(client.socket.close)
        self.push_all(stuck, port)
        return daemon, stuck

    def unsent(self, daemon):
        return [int(bytes) for bytes in re.findall(r"(\d+) unsent\.", "\n".join(daemon.notices))]

    def test_stuck_clients(self):
        """All of them together cost the limit, whatever they ask for; who reads is answered meanwhile,
        and so are they in the end, byte for byte."""
        for workers in 1, 2:
            daemon, stuck = self.hold(self.LIMIT, workers)
            daemon.wait_for_notice(r"Reads: shortened \(unsent-max \d+\)")
            daemon.wait_for_line(r"^uppercased: reads shortened: \d+ \(unsent-max\)$")
            self.assertGreater(max(self.unsent(daemon)), self.LIMIT / 2)
            self.assertLessEqual(max(self.unsent(daemon)), self.MOST)
            if not support.MEMORY_IS_SHADOWED:
                self.assertLess(support.memory_peak(daemon.pid), self.BASE + self.MOST)
            for client in stuck:
                # Not assertEqual(): nobody wants to see the difference.
                self.assertTrue(client.answer() == client.wanted())
            daemon.wait_for_notice(r"Connections: 0 open.* 0 unsent\.")
            self.assertLessEqual(max(self.unsent(daemon)), self.MOST)

    def test_without_the_limit(self):
        """It is the limit that held them."""
        daemon, _ = self.hold("infinity", 1)
        support.until(lambda: self.unsent(daemon)[-1] > 2 * self.MOST, "more than with the limit")
        self.assertNotIn("Reads:", "\n".join(daemon.notices))
        self.assertGreater(support.memory_peak(daemon.pid), self.BASE + self.MOST)


@unittest.skipIf(os.environ.get("TEST_WRAPPER"), "valgrind closes what it has no descriptors for")
class Descriptors(support.SystemTest):

    CLIENTS = 100

    def test_out_of_descriptors(self):
        """Who is connected goes on, the others wait until somebody leaves; both is told, once."""
        port = support.free_port()
        daemon = self.start_daemon(f"--listen-stream={port}",
                                   prefix=("sh", "-c", 'ulimit -n 64; exec "$@"', "sh"))
        waiting = [support.connect("127.0.0.1", port) for _ in range(self.CLIENTS)]
        for client in waiting:
            self.addCleanup(client.close)
        daemon.wait_for_line(r"^uppercased: accepting paused: 1 \(out of descriptors 1\)$")
        daemon.wait_for_notice(r"Accepting: paused \(out of descriptors 1\), resumed 0\.$")
        # They were accepted in the order in which they came.
        for _ in range(3):
            for client in waiting[:32]:
                client.sendall(b"still here")
                self.assertEqual(support.read_exactly(client, 10), b"STILL HERE")
        for client in waiting:
            self.assertEqual(converse(client, b"at last"), b"AT LAST")
        self.assertEqual(converse(support.connect("127.0.0.1", port), b"and now"), b"AND NOW")
        daemon.wait_for_notice(r"Connections: 0 open, 101 served, 0 refused\.")
        self.assertEqual(daemon.stop(), 0)
        told = re.findall(r"^uppercased: accepting (.*)$", daemon.output(), re.M)
        paused = sum(int(number) for line in told for number in re.findall(r"paused: (\d+)", line))
        resumed = sum(int(number) for line in told for number in re.findall(r"resumed: (\d+)", line))
        self.assertEqual(paused, resumed)

    def test_soft_limit_is_raised(self):
        """As far as is allowed: 1024, which many begin with, is for programs that use select(2)."""
        daemon = self.start_daemon(f"--listen-stream={support.free_port()}",
                                   prefix=("sh", "-c", 'ulimit -S -n 64; ulimit -H -n 200; exec "$@"', "sh"))
        with open(f"/proc/{daemon.pid}/limits") as limits:
            self.assertRegex(limits.read(), r"(?m)^Max open files +200 +200 ")


if __name__ == "__main__":
    support.main()
