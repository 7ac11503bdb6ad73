# SPDX-License-Identifier: ISC
"""The units' limits on descriptors and memory, met: small ones, by drop-ins, and what the daemon does then."""

import contextlib
import re
import select
import socket
import unittest

import machine
import support
from machine import run, show

SERVICE, SOCKET = "uppercase-tcp.service", "uppercase-tcp.socket"


def setUpModule():
    machine.install()


class Shortage(machine.MachineTest):

    def begin(self, options, *settings):
        self.configure(SERVICE, "[Service]", "ExecStart=", f"ExecStart=/usr/sbin/uppercased {options}", *settings)
        run("systemctl", "start", SOCKET)

    def connect(self, count):
        clients = [support.connect("127.0.0.1", 12000) for _ in range(count)]
        for client in clients:
            self.addCleanup(client.close)
        return clients

    def expect_answers(self, clients, request, answer):
        for client in clients:
            client.sendall(request)
            self.assertEqual(support.read_exactly(client, len(answer)), answer)

    def wait_for_message(self, *matches):
        return support.until(lambda: run("journalctl", "--boot", "--quiet", "--output=cat", f"--unit={SERVICE}",
                                         *matches, check=False), " ".join(matches))


class Descriptors(Shortage):
    """LimitNOFILE=: who is connected goes on, the others wait until somebody leaves, and both is told."""

    def wait_for_status(self, pattern):
        support.until(lambda: re.search(pattern, show(SERVICE, "StatusText")), pattern)

    def test_who_is_connected_goes_on(self):
        self.begin("", "LimitNOFILE=64")
        clients = self.connect(100)
        self.wait_for_message("ACCEPTING_PAUSED=1")
        self.wait_for_status(r"Accepting: paused \(out of descriptors 1\), resumed 0\.$")
        self.expect_answers(clients[:32], b"still here", b"STILL HERE")
        for client in clients[:50]:
            client.close()
        self.expect_answers(clients[50:], b"at last", b"AT LAST")
        self.wait_for_status(r"resumed [1-9]\d*\.$")

    def test_restart(self):
        """systemd can't start a process that is given more than its limit: who has no room there is drained.
        Who is in the middle of something takes two."""
        self.begin("--drain-timeout=0", "LimitNOFILE=64")
        for request, expected in (b"stra", 34), (b"stra\xc3", 17):
            with self.subTest(request):
                clients = self.connect(50)
                self.expect_answers(clients, request, b"STRA")
                run("systemctl", "restart", SERVICE)
                self.assertEqual(sum(self.goes_on(client) for client in clients), expected)
                self.expect_answers(self.connect(1), b"and now", b"AND NOW")
                self.assertEqual(show(SERVICE, "NRestarts"), "0")
                for client in clients:
                    client.close()

    def test_restart_with_a_small_store(self):
        """systemd closes what its store has no room for: the process keeps that, until they go."""
        if int(run("systemctl", "--version").split()[1]) < 254:
            self.skipTest("this systemd does not say how much it keeps")
        self.begin("--drain-timeout=infinity", "FileDescriptorStoreMax=9")
        clients = self.connect(20)
        self.expect_answers(clients, b"before", b"BEFORE")
        run("systemctl", "restart", "--no-block", SERVICE)
        self.wait_for_status("^Connections: 12 open")
        for client in clients:
            client.sendall(b"now")
        drained = []
        while len(drained) < 12:
            drained += select.select([client for client in clients if client not in drained], [], [],
                                     support.PATIENCE)[0]
        for client in drained:
            self.assertEqual(support.read_exactly(client, 3), b"NOW")
            client.close()
        for client in clients:
            if client not in drained:
                self.assertEqual(support.read_exactly(client, 3), b"NOW")

    def goes_on(self, client):
        """Or was it closed?"""
        with contextlib.suppress(ConnectionError):
            client.sendall(b"\x9fe")
            return client.recv(1) != b""
        return False


class Stuck:
    """Clients that ask for much, by turns, and take nothing."""

    REQUEST = ("\u0390" * 100000).encode()  # becomes three times as much

    def __init__(self, clients):
        self.clients = clients
        for client in clients:
            client.setblocking(False)

    def push(self):
        """Sends what can be sent. Returns how many bytes that were."""
        sent = 0
        for client in self.clients:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while True:
                    sent += client.send(self.REQUEST)
        return sent


@unittest.skipUnless("memory" in machine.controllers(), "this machine has no cgroup controller for memory")
class Memory(Shortage):
    """MemoryMax=: what clients don't take stays below it, by --unsent-max=; without that the kernel kills the
    daemon, and systemd starts the next, behind the same socket."""

    PATH = "/run/test.socket"

    # The daemon at rest takes 10M, and for 100 clients who take nothing 30M to 50M more.
    LIMIT = "MemoryMax=32M", "MemorySwapMax=0"

    def begin(self, options):
        # What the kernel keeps for the daemon's sockets counts, too; here next to nothing.
        with open("/proc/sys/net/core/wmem_default", "w") as setting:
            setting.write("16384")
        self.configure(SOCKET, "[Socket]", "ListenStream=" + self.PATH)
        super().begin(options, *self.LIMIT)

    def connect(self, count):
        clients = [socket.socket(socket.AF_UNIX) for _ in range(count)]
        for client in clients:
            self.addCleanup(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200000)
            client.connect(self.PATH)
        return clients

    def test_held_below_it(self):
        self.begin("--unsent-max=4M")
        stuck = Stuck(self.connect(100))
        quiet = 0
        while quiet < 5:
            quiet = 0 if stuck.push() else quiet + 1
            self.expect_answers(self.connect(1), b"others", b"OTHERS")
        machine.report(f"{show(SERVICE, 'MemoryCurrent')} bytes are held")
        self.assertEqual(show(SERVICE, "NRestarts"), "0")

    def test_killed_at_it(self):
        self.begin("--unsent-max=infinity --preserve=always")
        resting, = self.connect(1)
        self.expect_answers([resting], b"at rest", b"AT REST")
        stuck = Stuck(self.connect(100))

        def was_killed():
            stuck.push()
            return show(SERVICE, "NRestarts") != "0"
        support.until(was_killed, "its end")
        self.wait_for_message("--grep=oom-kill")
        self.assertEqual(show(SOCKET, "ActiveState"), "active")
        self.expect_answers([resting, *self.connect(1)], b"still here", b"STILL HERE")


if __name__ == "__main__":
    machine.main()
