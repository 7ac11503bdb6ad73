# SPDX-License-Identifier: ISC
"""Floods of datagrams with forged sources: they take nobody's answers away, the replies hurt nobody, and
the daemon remembers no more than before. Real packets, and the default rate.

One socket here sends as whoever it likes and, where two networks are local to lo, hears all replies, in
a network of the test's own. Not its job: how the rate is counted (tests/unit/test-rate.c).
"""

import contextlib
import ipaddress
import itertools
import os
import select
import socket
import struct
import time
import unittest

import support
from support import ask_datagram

# For benchmarks (RFC 2544) and for documentation (RFC 3849): nobody has these.
IPV4, IPV6 = ipaddress.ip_network("198.18.0.0/15"), ipaddress.ip_network("2001:db8::/32")

RATE = 1000  # the default of --datagram-rate

# Twice as many as the daemon remembers (server/rate.c), a few at once so that no buffer runs over, and in
# fewer rounds than a source has answers at once.
SOURCES = 32768
STRANGERS = VICTIMS = 64

# The daemon's clock is coarse: it may be late by so many answers.
SLACK = RATE // 20

# Neighbours that nobody is: few beside the 1,024 that the kernel asks for at once, for all networks of the
# machine together (arp(7) gc_thresh3).
SILENT = 20

# ip(7), ipv6(7), socket(7), linux/in.h, linux/in6.h: what Python has no name for.
IP_PKTINFO, IP_TRANSPARENT, IPV6_TRANSPARENT, SO_SNDBUFFORCE = 8, 19, 75, 32


class Forger:
    """A socket that sends as anybody, to the server at an address, by whose family it is IPv4 or IPv6."""

    def __init__(self, host, port):
        self.server = host, port
        family = support.family_of(host)
        if family == socket.AF_INET:
            self.control = socket.IPPROTO_IP, IP_PKTINFO
            self.layout, receive, free = "=4x4s4x", IP_PKTINFO, IP_TRANSPARENT
            self.find_destination = struct.Struct("=8x4s").unpack
        else:
            self.control = socket.IPPROTO_IPV6, socket.IPV6_PKTINFO
            self.layout, receive, free = "=16s4x", socket.IPV6_RECVPKTINFO, IPV6_TRANSPARENT
            self.find_destination = struct.Struct("=16s4x").unpack
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.settimeout(support.PATIENCE)
        for option in receive, free:
            self.socket.setsockopt(self.control[0], option, 1)
        self.socket.bind(("", 0))

    def send(self, source, request):
        self.socket.sendmsg([request], [(*self.control, struct.pack(self.layout, source))], 0, self.server)

    def receive(self):
        """Where a reply went, and what it says."""
        reply, [(_, _, control)], _, _ = self.socket.recvmsg(100, 100)
        return *self.find_destination(control), reply

    def receive_until(self, destination):
        """All replies up to the one that goes there, and whatever else is here by then."""
        replies = [self.receive()]
        while replies[-1][0] != destination:
            replies.append(self.receive())
        while self.is_readable():
            replies.append(self.receive())
        return replies

    def is_readable(self):
        return bool(select.select([self.socket], [], [], 0)[0])


def addresses_of(network, prefix):
    """The second subnet's first address, as bytes, the third's, and so on, for ever."""
    first, length = int(network.network_address), network.max_prefixlen
    return ((first + (i << length - prefix) + 1).to_bytes(length // 8, "big") for i in itertools.count(1))


def own_memory(pid):
    """Bytes that are the process's own (proc(5))."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) << 10 for line in rollup if line.startswith("Anonymous:"))


class FloodTest(support.SystemTest):
    """What the tests below share: a daemon, and who floods it."""

    def setUp(self):
        super().setUp()
        self.port = support.free_port()
        self.daemon = self.start_daemon(f"--listen-datagram={self.port}")

    def forger(self, host):
        forger = Forger(host, self.port)
        self.addCleanup(forger.socket.close)
        return forger


@unittest.skipIf(os.environ.get("TEST_WRAPPER"), "what valgrind runs is too slow to be flooded")
@support.needs_own_network
class Flood(FloodTest):

    @classmethod
    def setUpClass(cls):
        for network in IPV4, IPV6:
            support.add_local_network(network)

    def play_round(self, forger, strangers, crowd, good):
        """Datagrams of strangers and of the crowd in turn, and one of a good source in their middle. Strangers
        and the good are all answered; returns how many replies the crowd got."""
        sources = [source for pair in zip(crowd, strangers) for source in pair]
        sources.insert(len(sources) // 2, good)
        for source in sources:
            forger.send(source, b"i am " + source.hex().encode())
        replies = forger.receive_until(strangers[-1])
        for destination, reply in replies:
            self.assertEqual(reply, b"I AM " + destination.hex().upper().encode())
        answered = {destination for destination, _ in replies}
        self.assertEqual({good, *strangers} - answered, set())
        return len(replies) - len(strangers) - 1

    def flood(self, host, strangers, crowd, good):
        """Rounds of fresh strangers, and of a crowd that counts as one source: it gets no more than one."""
        forger, rounds, answered, memory = self.forger(host), SOURCES // STRANGERS, 0, []
        begin = time.monotonic()
        for number in range(rounds):
            answered += self.play_round(forger, list(itertools.islice(strangers, STRANGERS)),
                                        list(itertools.islice(crowd, VICTIMS)), good)
            if number in (rounds // 2, rounds - 1):
                memory.append(own_memory(self.daemon.pid))
        allowed = RATE * (1 + time.monotonic() - begin) + SLACK
        self.assertLess(rounds, RATE, "the good source may be refused")
        if allowed > rounds * VICTIMS:
            self.skipTest("this machine is too slow for a flood")
        self.assertLessEqual(answered, allowed)
        self.assertGreaterEqual(answered, RATE)
        if not support.MEMORY_IS_SHADOWED:
            # Pages that it reads into are touched when there is much to read; but nobody is remembered.
            self.assertLess(memory[1] - memory[0], 16 * SOURCES // 2)

    def test_of_ipv4(self):
        """Among 30,000 addresses, a victim in whose name most is asked, and one that asks by itself."""
        good, victim = (IPV4[-i].packed for i in (2, 3))
        self.flood("127.0.0.1", addresses_of(IPV4, 32), itertools.repeat(victim), good)

    def test_of_ipv6(self):
        """Among 30,000 networks (/64), one whose addresses all ask, and one that asks by itself."""
        good, crowded = ipaddress.ip_address("2001:db8:ffff::1"), ipaddress.ip_network("2001:db8:ffff:1::/64")
        self.flood("::1", addresses_of(IPV6, 64), addresses_of(crowded, 128), good.packed)

    def test_loop_ends(self):
        """Another server sends our answers back: from where no guard would refuse it, it has the rate's answers
        and then none."""
        forger, echo, left, turns = self.forger("127.0.0.1"), IPV4[1].packed, VICTIMS, 0
        begin = time.monotonic()
        while left > 0 and turns < 100 * RATE:
            for _ in range(left):
                forger.send(echo, b"ONCE MORE")
            # Loopback is not limited.
            self.assertEqual(ask_datagram("127.0.0.1", self.port, b"behind"), b"BEHIND")
            turns, left = turns + left, 0
            while forger.is_readable():
                self.assertEqual(forger.receive(), (echo, b"ONCE MORE"))
                left += 1
        self.assertEqual(left, 0)
        self.assertGreaterEqual(turns, RATE)
        self.assertLessEqual(turns, RATE * (1 + time.monotonic() - begin) + VICTIMS + SLACK)


def answers_that_wait():
    """How many small ones the send buffer of the daemon's socket has room for, at least: it is as large as it
    may make it (net/socket.h, socket(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as like_it:
        for option in socket.SO_SNDBUF, SO_SNDBUFFORCE:
            with contextlib.suppress(PermissionError):
                like_it.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        return like_it.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 1280


@support.needs_own_network
class SilentNeighbours(FloodTest):
    """In the name of neighbours that nobody is: their answers wait in the kernel, and in the daemon's send buffer,
    for seconds, as it asks for them (arp(7)). Others have theirs all the same."""

    @classmethod
    def setUpClass(cls):
        try:
            support.add_silent_network(*map(ipaddress.ip_interface, ("203.0.113.1/24", "3fff::1/64")))
        except OSError as error:
            raise unittest.SkipTest(f"this machine gives no veth(4) to a test: {error}")

    def flood(self, host, good):
        forger = self.forger(host)
        first = int.from_bytes(socket.inet_pton(forger.socket.family, host), "big") + 1
        # No more than one source's answers, which all of an IPv6 network is.
        for number in range(min(answers_that_wait(), RATE - 100)):
            source = first + number % SILENT
            forger.send(source.to_bytes(16 if ":" in host else 4, "big"), b"is anybody there?")
            if number % 10 == 0:
                self.assertEqual(ask_datagram(good, self.port, b"good"), b"GOOD")

    def test_of_ipv4(self):
        self.flood("203.0.113.1", "127.0.0.1")

    def test_of_ipv6(self):
        self.flood("3fff::1", "::1")


if __name__ == "__main__":
    support.main()
