# SPDX-License-Identifier: ISC
"""Streams, by the daemon and the handler: any cut, both ways at once, half-closed, and large ones."""

import os
import socket
import threading

import support
from support import ANSWER, SENTENCE, converse, program

# How much goes through the client and back, in MiB.
LARGE = int(os.environ.get("TEST_LARGE", "1024")) << 20

# The most memory that either end may ever have, whatever goes through.
MEMORY_MAX = None if support.MEMORY_IS_SHADOWED else 16 << 20


class Streams(support.SystemTest):

    def setUp(self):
        super().setUp()
        self.ports = [support.free_port(), support.free_port()]
        self.daemon = self.start_daemon(f"--listen-stream={self.ports[0]}")
        self.start_activator("--accept", "--inetd", f"-l{self.ports[1]}", *program("uppercase"))

    def each_server(self):
        for name, port in zip(("the daemon", "a handler"), self.ports):
            with self.subTest(name):
                yield port

    def test_cut_at_every_byte(self):
        """Two pieces, for every cut: all that is whole is answered before the second is sent."""
        text = "x" + SENTENCE
        request = text.encode()
        status, answer, _ = self.run_program(program("uppercase"), request)
        self.assertEqual((status, answer.decode()), (0, "X" + ANSWER))
        for port in self.each_server():
            for cut in range(1, len(request)):
                whole = request[:cut].decode(errors="ignore").upper().encode()
                with support.connect("127.0.0.1", port) as connection:
                    connection.sendall(request[:cut])
                    self.assertEqual(support.read_exactly(connection, len(whole)), whole)
                    self.assertEqual(whole + converse(connection, request[cut:]), answer, cut)

    def test_byte_by_byte(self):
        for port in self.each_server():
            with support.connect("::1", port) as connection:
                for byte in SENTENCE.encode():
                    connection.send(bytes([byte]))
                self.assertEqual(converse(connection, b"").decode(), ANSWER)

    def test_bytes_that_are_no_text(self):
        """Every byte alone, and a sequence that the end of the request cuts off, pass unchanged."""
        request = bytes(range(256)) + "ß".encode()[:1]
        answer = bytes(range(256)).upper() + "ß".encode()[:1]
        for port in self.each_server():
            self.assertEqual(converse(support.connect("127.0.0.1", port), request), answer)

    def test_answer_without_newline_or_end(self):
        """A client that waits for its answer before it goes on."""
        for port in self.each_server():
            with support.connect("127.0.0.1", port) as connection:
                for number in range(100):
                    connection.sendall(b"sentence %d" % number)
                    answer = b"SENTENCE %d" % number
                    self.assertEqual(support.read_exactly(connection, len(answer)), answer)

    def test_nothing_asked(self):
        for port in self.each_server():
            self.assertEqual(converse(support.connect("127.0.0.1", port), b""), b"")

    def test_half_close_ends_a_long_answer(self):
        """All is sent and the end said before a byte is read: nothing of the answer is lost."""
        request = ("ŉ" * 50000).encode()
        answer = ("ʼN" * 50000).encode()
        for port in self.each_server():
            with support.connect("127.0.0.1", port) as connection:
                sender = threading.Thread(target=lambda c=connection: (c.sendall(request),
                                                                       c.shutdown(socket.SHUT_WR)))
                sender.start()
                self.assertEqual(support.read_to_end(connection), answer)
                sender.join()

    def test_urgent_bytes(self):
        """They have their place among the others, also where nothing comes behind them but the end."""
        for port in self.each_server():
            with support.connect("127.0.0.1", port) as connection:
                connection.sendall(b"abc")
                connection.send(b"d", socket.MSG_OOB)
                self.assertEqual(support.read_exactly(connection, 4), b"ABCD")
                connection.sendall(b"efg")
                connection.send(b"h", socket.MSG_OOB)
                self.assertEqual(converse(connection, b""), b"EFGH")

    @support.needs_own_network
    def test_any_address_is_of_ipv4_too(self):
        """Whatever the machine's default is (ipv6(7), bindv6only)."""
        support.make_ipv6_sockets_single(self)
        port = support.free_port()
        self.start_daemon(f"--listen-stream={port}", f"--listen-datagram={port}")
        for host in "127.0.0.1", "::1":
            self.assertEqual(support.converse(support.connect(host, port), b"a"), b"A")
            self.assertEqual(support.ask_datagram(host, port, b"a"), b"A")

    def test_framings(self):
        """--framing and --once, which the daemon and the handler share."""
        port = support.free_port()
        self.start_daemon(f"--listen-stream={port}", "--framing=line", "--once")
        with support.connect("127.0.0.1", port) as connection:
            connection.sendall(b"first\nsecond\n")
            self.assertEqual(support.read_to_end(connection), b"FIRST\n")
        port = support.free_port()
        self.start_daemon(f"--listen-stream={port}", "--framing=length")
        self.assertEqual(converse(support.connect("127.0.0.1", port),
                                  b"\0\0\0\2\xc3\x9f" b"\0\0\0\0" b"\0\0\0\1x"),
                         b"\0\0\0\2SS" b"\0\0\0\0" b"\0\0\0\1X")

    def test_many_connections_at_once(self):
        for port in self.ports[:1]:
            connections = [support.connect(("127.0.0.1", "::1")[i % 2], port) for i in range(200)]
            for number, connection in enumerate(connections):
                connection.sendall(b"connection %d" % number)
            for number, connection in reversed(list(enumerate(connections))):
                self.assertEqual(converse(connection, b"."), b"CONNECTION %d." % number)


class LargeStream(support.SystemTest):
    """A large text through the client and back: right, and in bounded memory at both ends."""

    # A block of whole lines, where much grows: a megabyte, more or less.
    BLOCK = (("The quick brown fox jumps over the lazy dog. " * 20 + SENTENCE * 10 + "\n") * 900).encode()

    def feed(self, pipe, blocks, verified):
        for _ in range(blocks):
            pipe.write(self.BLOCK)
        pipe.flush()
        # The client lives until its memory was looked at.
        verified.wait(support.PATIENCE * 10)
        pipe.close()

    def through_client(self, server, *arguments):
        answer = self.BLOCK.decode().upper().encode()
        blocks = LARGE // len(self.BLOCK) + 1
        client = support.subprocess.Popen([*program("uppercase-client"), *map(str, arguments)],
                                          stdin=support.subprocess.PIPE,
                                          stdout=support.subprocess.PIPE)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        verified = threading.Event()
        feeder = threading.Thread(target=self.feed, args=(client.stdin, blocks, verified))
        feeder.start()
        self.addCleanup(feeder.join)
        self.addCleanup(verified.set)
        for number in range(blocks):
            # Not assertEqual(): nobody wants to see the difference of two megabytes.
            self.assertTrue(client.stdout.read(len(answer)) == answer, f"block {number} is wrong")
        if MEMORY_MAX:
            for pid in client.pid, server.pid:
                self.assertLess(support.memory_peak(pid), MEMORY_MAX)
        verified.set()
        self.assertEqual(client.stdout.read(), b"")
        self.assertEqual(client.wait(support.PATIENCE), 0)

    def test_over_tcp(self):
        port = support.free_port()
        daemon = self.start_daemon(f"--listen-stream={port}")
        self.through_client(daemon, "--tcp", "127.0.0.1", port)

    def test_over_unix(self):
        daemon = self.start_daemon(f"--listen-stream={self.path('socket')}")
        self.through_client(daemon, f"--unix={self.path('socket')}")

    def test_a_reader_that_stops_costs_bounded_memory(self):
        """64 MiB wait to be sent to somebody who reads nothing; others are answered meanwhile."""
        port = support.free_port()
        daemon = self.start_daemon(f"--listen-stream={port}")
        with support.connect("127.0.0.1", port) as stuck:
            stuck.setblocking(False)
            sent, refused = 0, 0
            # Stuck is who can't send a byte although the daemon has looked at everybody ten times.
            while refused < 10:
                self.assertLess(sent, 64 << 20, "everything could be sent")
                try:
                    sent += stuck.send(self.BLOCK)
                    refused = 0
                except BlockingIOError:
                    refused += 1
                    self.assertEqual(converse(support.connect("127.0.0.1", port), b"round"), b"ROUND")
            for _ in range(100):
                self.assertEqual(converse(support.connect("127.0.0.1", port), b"other"), b"OTHER")
            if MEMORY_MAX:
                self.assertLess(support.memory_peak(daemon.pid), MEMORY_MAX)


if __name__ == "__main__":
    support.main()
