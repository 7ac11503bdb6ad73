# SPDX-License-Identifier: ISC
"""Whatever fails, of two programs that meet, is one clear line and the right exit code.

The command lines themselves, and every way that a server may misbehave: tests/golden.
"""

import os
import signal
import socket
import struct
import subprocess
import unittest

import support
from support import converse, program


class Daemon(support.SystemTest):
    """Addresses that can't be had."""

    def test_occupied_port(self):
        port = support.free_port()
        self.start_daemon(f"--listen-stream={port}", f"--listen-datagram={port}")
        for kind in "stream", "datagram":
            for address in f"{port}", f"127.0.0.1:{port}", f"[::1]:{port}":
                self.expect_error([*program("uppercased"), f"--listen-{kind}={address}"],
                                  rf"--listen-{kind}=\S*{port}: Address already in use$", 2)

    def test_address_of_another_machine(self):
        for address in "192.0.2.1:12000", "[2001:db8::1]:12000":
            self.expect_error([*program("uppercased"), f"--listen-stream={address}"],
                              "Cannot assign requested address$", 2)

    def test_occupied_path(self):
        path = self.path("socket")
        self.start_daemon(f"--listen-stream={path}")
        self.expect_error([*program("uppercased"), f"--listen-stream={path}"],
                          f"--listen-stream={path}: Address already in use$", 2)

    def test_path_that_a_killed_daemon_left(self):
        path = self.path("socket")
        killed = self.start(*program("uppercased"), f"--listen-stream={path}")
        support.until(lambda: os.path.exists(path), "the socket")
        killed.popen.kill()
        killed.wait()
        self.start_daemon(f"--listen-stream={path}")
        self.expect([*program("uppercase-client"), f"--unix={path}"], "a\n", "A\n")

    @unittest.skipIf(os.environ.get("TEST_WRAPPER"), "valgrind opens descriptors of its own")
    def test_closed_descriptors(self):
        """What is written to standard output or error must not go to a client."""
        path = self.path("notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify_socket:
            notify_socket.bind(path)
            notify_socket.settimeout(support.PATIENCE)
            daemon = self.start("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh",
                                *program("uppercased"), f"--listen-stream={self.path('socket')}",
                                env={"NOTIFY_SOCKET": path})
            self.assertIn(b"READY=1", notify_socket.recv(4096))
            for number in range(3):
                self.assertEqual(os.readlink(f"/proc/{daemon.popen.pid}/fd/{number}"), "/dev/null")
            daemon.popen.terminate()
            self.assertEqual(daemon.wait(), 0)

    def test_log_that_nobody_reads(self):
        """Whoever read what it says on standard error has gone: that is not its end."""
        path, log = self.path("socket"), self.path("log")
        os.mkfifo(log)
        daemon = self.start_daemon(f"--listen-stream={path}",
                                   prefix=("sh", "-c", f'exec "$@" 3<>{log} 2>{log} 3>&-', "sh"))
        daemon.popen.send_signal(signal.SIGUSR1)
        self.expect([*program("uppercase-client"), f"--unix={path}"], "a\n", "A\n")

    def test_path_of_no_folder(self):
        self.expect_error([*program("uppercased"), f"--listen-stream={self.path('none/socket')}"],
                          "none/socket: No such file or directory$", 2)

    def test_path_of_a_file_that_is_no_socket(self):
        path = self.path("file")
        with open(path, "w") as file:
            file.write("kept")
        self.expect_error([*program("uppercased"), f"--listen-stream={path}"],
                          f"{path}: Address already in use$", 2)
        with open(path) as file:
            self.assertEqual(file.read(), "kept")


class Client(support.SystemTest):
    """Servers that are not there, or not any more."""

    def test_port_that_was_closed(self):
        port = support.free_port()
        daemon = self.start_daemon(f"--listen-stream={port}", f"--listen-datagram={port}")
        for transport in "--tcp", "--udp":
            self.expect([*program("uppercase-client"), transport, "::1", port], "a\n", "A\n")
        self.assertEqual(daemon.stop(), 0)
        for transport in "--tcp", "--udp":
            for host in "127.0.0.1", "::1":
                self.expect_error([*program("uppercase-client"), transport, host, port],
                                  f"^uppercase-client: .*{port}: .*Connection refused$", 1, "a\n")

    def set_ports(self, first_and_last):
        """Those that the kernel chooses from (ip(7)). Returns which they were."""
        with open("/proc/sys/net/ipv4/ip_local_port_range", "r+") as ports:
            before = ports.read()
            ports.seek(0)
            ports.write(first_and_last)
        return before

    @support.needs_own_network
    def test_nobody_but_itself(self):
        """Among the ports that the kernel chooses from is the one that is asked: the client would meet itself."""
        port = support.free_port()
        self.addCleanup(self.set_ports, self.set_ports(f"{port} {port}"))
        for transport in "--tcp", "--udp":
            self.expect_error([*program("uppercase-client"), transport, "127.0.0.1", port],
                              f"^uppercase-client: .*{port}: .*Connection refused$", 1, "a\n")

    def test_name_that_does_not_resolve(self):
        for transport in "--tcp", "--udp":
            self.expect_error([*program("uppercase-client"), transport, "nobody.invalid"],
                              r"^uppercase-client: nobody\.invalid: ", 2, "a\n")

    def test_next_address_when_one_fails(self):
        """localhost is ::1 and 127.0.0.1; the daemon has only the latter."""
        port = support.free_port()
        self.start_daemon(f"--listen-stream=127.0.0.1:{port}", f"--listen-datagram=127.0.0.1:{port}")
        for transport in "--tcp", "--udp":
            self.expect([*program("uppercase-client"), transport, "localhost", port], "a\n", "A\n")

    def test_daemon_that_dies_in_the_middle(self):
        """kill -9 while a large text goes through: what came is printed, the rest is missed."""
        port = support.free_port()
        daemon = self.start(*program("uppercased"), f"--listen-stream={port}")
        support.until(lambda: self.is_listening(port), "the daemon")
        client = subprocess.Popen([*program("uppercase-client"), "127.0.0.1", str(port)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with client:
            client.stdin.write(b"a line\n")
            client.stdin.flush()
            self.assertEqual(client.stdout.readline(), b"A LINE\n")
            daemon.popen.kill()
            daemon.wait()
            output, error = client.communicate(b"another line\n", support.PATIENCE)
        self.assertEqual((client.returncode, output), (1, b""))
        self.assertRegex(error.decode(), rf"\Auppercase-client: 127\.0\.0\.1:{port}: [^\n]*\n\Z")

    def is_listening(self, port):
        try:
            support.connect("127.0.0.1", port).close()
            return True
        except ConnectionRefusedError:
            return False


class Connections(support.SystemTest):
    """Clients that vanish end nothing but their own connection, and nobody is told."""

    def vanish(self, connection):
        """Closes it by a reset, as a machine does whose program crashed."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def test_client_that_vanishes(self):
        port = support.free_port()
        daemon = self.start_daemon(f"--listen-stream={port}")
        for request in b"", b"a", b"a" * 5_000_000:
            for _ in range(10):
                connection = support.connect("127.0.0.1", port)
                connection.setblocking(False)
                try:
                    connection.send(request)
                except BlockingIOError:
                    pass
                self.vanish(connection)
        self.assertEqual(converse(support.connect("127.0.0.1", port), b"a"), b"A")
        self.assertEqual(daemon.output(), "")

    def test_client_of_a_handler_that_vanishes(self):
        port = support.free_port()
        activator = self.start_activator("--accept", "--inetd", f"-l127.0.0.1:{port}",
                                         *program("uppercase"))
        for _ in range(10):
            connection = support.connect("127.0.0.1", port)
            connection.sendall(b"a" * 100_000)
            self.vanish(connection)
        self.assertEqual(converse(support.connect("127.0.0.1", port), b"a"), b"A")
        self.assertNotIn("uppercase:", activator.output())

    def handle(self, *options):
        """A handler and the connection that it was handed, which the test has, too; and its client."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = support.connect(*server.getsockname())
            connection = server.accept()[0]
        self.addCleanup(client.close)
        self.addCleanup(connection.close)
        handler = subprocess.Popen([*program("uppercase"), *options], stdin=connection, stdout=connection)
        self.addCleanup(handler.wait)
        self.addCleanup(handler.kill)
        return handler, connection, client

    def test_handler_sends_at_once(self):
        _, connection, client = self.handle()
        client.sendall(b"a")
        self.assertEqual(client.recv(1), b"A")
        self.assertEqual(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)

    def test_handler_ends_gently(self):
        """One answer and the end: what was sent behind the question makes no reset of it."""
        handler, connection, client = self.handle("--framing=line", "--once")
        connection.close()
        client.sendall(b"one\n" + b"more\n" * 100_000)
        self.assertEqual(support.read_to_end(client), b"ONE\n")
        client.close()
        self.assertEqual(handler.wait(support.PATIENCE), 0)

    def test_silent_client_of_a_handler(self):
        """It is given up, and sees the end; a message of which a part came makes no difference."""
        for options in [], ["--framing=line"]:
            handler, connection, client = self.handle("--idle-timeout=1s", *options)
            connection.close()
            client.sendall(b"one\n")
            self.assertEqual(support.read_exactly(client, 4), b"ONE\n")
            client.sendall(b"two\nthr" if options else b"two\n")
            self.assertEqual(support.read_to_end(client), b"TWO\n")
            self.assertEqual(handler.wait(support.PATIENCE), 0)

    def test_client_of_a_handler_that_takes_nothing(self):
        """It is given up, and sees a reset: its answer is not to look complete."""
        handler, connection, client = self.handle("--idle-timeout=1s")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.close()
        # All of it is read at once, and three times as much is more than the buffers hold.
        client.sendall("\u0390".encode() * 30_000)
        self.assertEqual(handler.wait(support.PATIENCE), 0)
        with self.assertRaises(ConnectionResetError):
            support.read_to_end(client)

    def test_pipeline_that_is_silent(self):
        """Nobody else waits for a place in it, even if it begins with a connection."""
        pipe, pair = os.pipe(), [end.detach() for end in socket.socketpair()]
        for reading, writing in pipe, pair:
            os.set_blocking(reading, False)
            with open(writing, "wb", 0) as file, \
                 subprocess.Popen([*program("uppercase"), "--idle-timeout=1us"], stdin=reading,
                                  stdout=subprocess.PIPE) as handler:
                os.close(reading)
                for text in b"a", b"b":
                    file.write(text)
                    self.assertEqual(handler.stdout.read(1), text.upper())
                    with self.assertRaises(subprocess.TimeoutExpired):
                        handler.wait(0.1)
                file.close()
                self.assertEqual(handler.stdout.read(), b"")
            self.assertEqual(handler.returncode, 0)

    def test_client_that_does_not_wait_for_its_answer(self):
        ours, theirs = socket.socketpair()
        ours.sendall(b"a")
        ours.close()
        with theirs:
            handler = subprocess.Popen(program("uppercase"), stdin=theirs, stdout=theirs)
        self.assertEqual(handler.wait(support.PATIENCE), 0)

    def test_stopped_daemon_lets_conversations_end(self):
        """SIGTERM: no new connection, those that are open go on until they end by themselves."""
        port = support.free_port()
        daemon = self.start_daemon(f"--listen-stream={port}", "--drain-timeout=infinity")
        with support.connect("127.0.0.1", port) as connection:
            connection.sendall(b"before")
            self.assertEqual(support.read_exactly(connection, 6), b"BEFORE")
            daemon.popen.send_signal(signal.SIGTERM)
            daemon.wait_for_notice("^STOPPING=1$")
            self.assertEqual(converse(connection, b"after"), b"AFTER")
        self.assertEqual(daemon.wait(), 0)

    def test_stopped_daemon_does_not_wait_for_ever(self):
        port = support.free_port()
        daemon = self.start_daemon(f"--listen-stream={port}", "--drain-timeout=100ms")
        with support.connect("127.0.0.1", port) as connection:
            connection.sendall(b"before")
            self.assertEqual(support.read_exactly(connection, 6), b"BEFORE")
            self.assertEqual(daemon.stop(), 0)
            self.assertEqual(connection.recv(1), b"")


if __name__ == "__main__":
    support.main()
