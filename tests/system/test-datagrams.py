# SPDX-License-Identifier: ISC
"""Datagrams: each one answered, from where it was asked, and none that could start a loop."""

import os
import re
import signal
import socket
import struct

import support
from support import ANSWER, SENTENCE, ask_datagram, program

# The largest datagrams: 65,535 bytes less the headers of IPv4 and UDP, or of UDP alone (RFC 8200).
LARGEST = {"127.0.0.1": 65507, "::1": 65527}


class DatagramTest(support.SystemTest):
    """What the tests below share: one daemon, and what it has counted."""

    def serve(self, address):
        self.port = int(address.rpartition(":")[2])
        self.daemon = self.start_daemon(f"--listen-datagram={address}")

    def counted(self, pattern):
        """A number of its status, which it says on standard error when asked by SIGUSR1."""
        def status_lines():
            return [line for line in self.daemon.lines if line and " answered, " in line]
        before = len(status_lines())
        os.kill(self.daemon.pid, signal.SIGUSR1)
        support.until(lambda: len(status_lines()) > before, "a line of status")
        found = re.search(pattern, status_lines()[-1])
        return int(found.group(1)) if found else 0

    def send_and_pass_by(self, sending, host, requests=1):
        """Sends datagrams that must not be answered; one behind them, which is, shows they were seen."""
        for _ in range(requests):
            sending.sendto(b"loop", (host, self.port))
        self.assertEqual(ask_datagram(host, self.port, b"behind"), b"BEHIND")
        with self.assertRaises(BlockingIOError):
            sending.recv(100, socket.MSG_DONTWAIT)


class Datagrams(DatagramTest):

    def setUp(self):
        super().setUp()
        self.serve(str(support.free_port()))

    def test_answer(self):
        for host in "127.0.0.1", "::1":
            self.assertEqual(ask_datagram(host, self.port, SENTENCE.encode()).decode(), ANSWER)

    def test_sizes(self):
        """From none to the largest that can be; the textbook's server stops at 2048."""
        for host, largest in LARGEST.items():
            for size in 0, 1, 1472, 1473, 2047, 2048, 2049, 8192, largest - 1, largest:
                with self.subTest(host=host, size=size):
                    self.assertEqual(ask_datagram(host, self.port, b"a" * size), b"A" * size)

    def test_answer_larger_than_a_datagram(self):
        """It grows to three times its size: not sent, counted; the next one is answered."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.sendto("\u0390".encode() * 32000, ("127.0.0.1", self.port))
            self.assertEqual(ask_datagram("127.0.0.1", self.port, b"behind"), b"BEHIND")
            with self.assertRaises(BlockingIOError):
                sending.recv(100, socket.MSG_DONTWAIT)
        self.assertEqual(self.counted(r"too large (\d+)"), 1)

    def test_answered_from_the_address_that_was_asked(self):
        """The asking socket is connected: it sees answers from exactly that address."""
        for host in "127.0.0.1", "127.0.0.2", "127.255.255.254":
            self.assertEqual(ask_datagram(host, self.port, b"here"), b"HERE")

    @support.needs_own_network
    def test_answered_from_the_ipv6_address_that_was_asked(self):
        support.add_loopback_address("fd00::2")
        for host in "::1", "fd00::2":
            self.assertEqual(ask_datagram(host, self.port, b"here"), b"HERE")

    @support.needs_own_network
    def test_source_port_is_privileged(self):
        """A system's own services, echo and chargen among them, are not answered."""
        for host, port in ("127.0.0.1", 7), ("127.0.0.1", 1023), ("::1", 19):
            with socket.socket(support.family_of(host), socket.SOCK_DGRAM) as sending:
                sending.bind((host, port))
                self.send_and_pass_by(sending, host)
        self.assertEqual(self.counted(r"port below 1024 (\d+)"), 3)
        self.assertEqual(ask_datagram("127.0.0.1", self.port, b"a", ("127.0.0.1", 1024)), b"A")

    @support.needs_own_network
    def test_bad_checksum(self):
        """The kernel wakes the daemon, then finds that there is nothing to read: nothing changes."""
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
            for _ in range(10):
                raw.sendto(struct.pack(">HHHH", 5000, self.port, 8 + 4, 0xbad) + b"lost", ("127.0.0.1", 0))
                self.assertEqual(ask_datagram("127.0.0.1", self.port, b"behind"), b"BEHIND")
        with open("/proc/net/snmp") as snmp:
            names, values = [line.split() for line in snmp if line.startswith("Udp:")]
        self.assertEqual(dict(zip(names, values))["InCsumErrors"], "10")

    def test_rate(self):
        """By default loopback is spared: who measures there is not slowed down. A limit that is given is
        for everybody; another source has its own."""
        requests = 3 * 1000
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(support.PATIENCE)
            asking.connect(("127.0.0.1", self.port))
            for _ in range(requests):
                asking.send(b"again")
                self.assertEqual(asking.recv(100), b"AGAIN")
        self.assertEqual(self.counted(r"datagram-rate (\d+)"), 0)

        port = support.free_port()
        self.port, self.daemon = port, self.start_daemon(f"--listen-datagram={port}", "--datagram-rate=1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            for _ in range(20):
                asking.sendto(b"again", ("127.0.0.1", port))
            self.assertEqual(ask_datagram("127.0.0.1", port, b"mine", ("127.0.0.2", 0)), b"MINE")
        self.assertGreaterEqual(self.counted(r"datagram-rate (\d+)"), 10)

    def test_asker_that_is_gone(self):
        """The answer meets a closed port: the ICMP error that comes back ends nothing."""
        for _ in range(10):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
                sending.sendto(b"gone", ("127.0.0.1", self.port))
        self.assertEqual(ask_datagram("127.0.0.1", self.port, b"behind"), b"BEHIND")


class DatagramLoops(DatagramTest):
    """Two such servers would answer each other for ever (CVE-2024-2169)."""

    def test_source_is_our_own_port(self):
        port = support.free_port()
        self.serve(f"127.0.0.1:{port}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.bind(("127.0.0.2", port))
            self.send_and_pass_by(sending, "127.0.0.1", requests=5)
        self.assertEqual(self.counted(r"own port (\d+)"), 5)

    def test_source_is_our_own_port_at_start(self):
        """The datagram that the daemon is started by is no exception."""
        port = support.free_port()
        self.daemon = self.start_activator("--datagram", f"-l127.0.0.1:{port}", *program("uppercased"))
        self.port = port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.bind(("127.0.0.2", port))
            self.send_and_pass_by(sending, "127.0.0.1")
        self.assertEqual(self.counted(r"own port (\d+)"), 1)

    def test_two_servers(self):
        """A datagram that claims to come from the one server is sent to the other."""
        port = support.free_port()
        self.serve(f"127.0.0.2:{port}")
        other = self.daemon
        self.serve(f"127.0.0.1:{port}")
        try:
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        except PermissionError:
            self.skipTest("only root forges a source")
        with raw:
            payload = b"loop"
            # IPv4 header (RFC 791), the kernel fills in lengths and checksums; UDP without a checksum
            header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0,
                                 socket.inet_aton("127.0.0.2"), socket.inet_aton("127.0.0.1"))
            datagram = struct.pack(">HHHH", port, port, 8 + len(payload), 0) + payload
            raw.sendto(header + datagram, ("127.0.0.1", 0))
        self.assertEqual(ask_datagram("127.0.0.1", port, b"behind"), b"BEHIND")
        self.assertEqual(ask_datagram("127.0.0.2", port, b"behind"), b"BEHIND")
        self.assertEqual(self.counted(r"own port (\d+)"), 1)
        self.daemon = other
        self.assertEqual(self.counted(r"(\d+) answered"), 1)


if __name__ == "__main__":
    support.main()
