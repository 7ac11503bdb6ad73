# SPDX-License-Identifier: ISC
"""Sockets that systemd-socket-activate hands over: every kind that can be served, and those that can't."""

import os
import socket
import subprocess

import support
from support import ANSWER, SENTENCE, ask_datagram, converse, program


class ListeningSockets(support.SystemTest):
    """Accept=no: the daemon takes over the listening socket."""

    def test_tcp(self):
        port = support.free_port()
        process = self.start_activator("-l", port, *program("uppercased"))
        self.assertNotEqual(process.executable(), "uppercased", "started before the first request")
        for host in "127.0.0.1", "::1":
            answer = converse(support.connect(host, port), SENTENCE.encode())
            self.assertEqual(answer.decode(), ANSWER)
        self.expect_clean_end(process)

    def test_udp(self):
        port = support.free_port()
        process = self.start_activator("--datagram", "-l", port, *program("uppercased"))
        for host in "127.0.0.1", "::1":
            self.assertEqual(ask_datagram(host, port, SENTENCE.encode()).decode(), ANSWER)
        self.expect_clean_end(process)

    def test_unix_stream(self):
        path = self.path("stream")
        process = self.start_activator("-l", path, *program("uppercased"))
        self.expect([*program("uppercase-client"), f"--unix={path}"], SENTENCE + "\n", ANSWER + "\n")
        self.expect_clean_end(process)

    def test_unix_datagram(self):
        path = self.path("datagram")
        process = self.start_activator("--datagram", "-l", path, *program("uppercased"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            asking.settimeout(support.PATIENCE)
            asking.bind(self.path("asking"))
            asking.connect(path)
            asking.send(SENTENCE.encode())
            self.assertEqual(asking.recv(4096).decode(), ANSWER)
        self.expect_clean_end(process)

    def test_several_sockets_with_names(self):
        ports = [support.free_port() for _ in range(3)]
        process = self.start_activator(*(f"-l{port}" for port in ports), "--fdname=one:two:three",
                                       *program("uppercased"))
        for port in ports:
            answer = converse(support.connect("127.0.0.1", port), SENTENCE.encode())
            self.assertEqual(answer.decode(), ANSWER)
        self.expect_clean_end(process)

    def test_as_standard_input(self):
        """What inetd calls wait, and systemd StandardInput=socket with Accept=no."""
        port = support.free_port()
        process = self.start_activator("--inetd", "-l", port, *program("uppercased"))
        for _ in range(3):
            answer = converse(support.connect("::1", port), SENTENCE.encode())
            self.assertEqual(answer.decode(), ANSWER)
        self.expect_clean_end(process)

    def test_passed_sockets_come_before_options(self):
        port, unused = support.free_port(), support.free_port()
        process = self.start_activator("-l", port, *program("uppercased"), f"--listen-stream={unused}")
        self.assertEqual(converse(support.connect("::1", port), b"a"), b"A")
        with self.assertRaises(ConnectionRefusedError):
            support.connect("::1", unused)
        self.expect_clean_end(process)


class ConnectedSockets(support.SystemTest):
    """Accept=yes: a process for each connection."""

    def ask_often(self, port):
        for host in "127.0.0.1", "::1":
            for _ in range(3):
                answer = converse(support.connect(host, port), SENTENCE.encode())
                self.assertEqual(answer.decode(), ANSWER)

    def test_handler_as_standard_input(self):
        port = support.free_port()
        self.start_activator("--accept", "--inetd", "-l", port, *program("uppercase"))
        self.ask_often(port)

    def test_handler_by_listen_fds(self):
        port = support.free_port()
        self.start_activator("--accept", "-l", port, *program("uppercase"))
        self.ask_often(port)

    def test_daemon_by_listen_fds(self):
        port = support.free_port()
        self.start_activator("--accept", "-l", port, *program("uppercased"))
        self.ask_often(port)

    def test_daemon_as_standard_input(self):
        port = support.free_port()
        self.start_activator("--accept", "--inetd", "-l", port, *program("uppercased"))
        self.ask_often(port)

    def test_connections_are_served_beside_each_other(self):
        port = support.free_port()
        self.start_activator("--accept", "--inetd", "-l", port, *program("uppercase"))
        connections = [support.connect("127.0.0.1", port) for _ in range(8)]
        for number, connection in enumerate(connections):
            connection.sendall(b"connection %d" % number)
        for number, connection in reversed(list(enumerate(connections))):
            self.assertEqual(support.read_exactly(connection, 12), b"CONNECTION %d" % number)
            connection.close()


class RefusedSockets(support.SystemTest):
    """What can't be served is named in one line: LISTEN_FDNAMES name, family, type."""

    def pass_descriptor(self, name, descriptor, *arguments):
        """A program that was passed one descriptor by systemd's protocol (sd_listen_fds(3))."""
        script = f'exec 3<&{descriptor}; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=odd exec "$@"'
        return self.run_program(["sh", "-c", script, "sh", *program(name), *arguments],
                                pass_fds=[descriptor])

    def expect_refused(self, name, passed, *words):
        with passed:
            status, output, error = self.pass_descriptor(name, passed.fileno())
        self.assertEqual((status, output), (2, b""))
        self.assertRegex(error, rf"\A{name}: [^\n]*\n\Z")
        for word in words:
            self.assertIn(word, error)

    def test_seqpacket(self):
        passed = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        passed.bind(self.path("seqpacket"))
        passed.listen()
        self.expect_refused("uppercased", passed, "'odd'", "AF_UNIX", "seqpacket")

    def test_stream_that_neither_listens_nor_is_connected(self):
        self.expect_refused("uppercased", socket.socket(socket.AF_INET, socket.SOCK_STREAM),
                            "'odd'", "AF_INET", "stream")

    def test_netlink(self):
        self.expect_refused("uppercased", socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
                            "'odd'", "AF_NETLINK", "raw")

    def test_file(self):
        self.expect_refused("uppercased", open("/dev/null", "rb"), "'odd'", "not a socket")

    def test_handler_is_no_daemon(self):
        passed = socket.create_server(("127.0.0.1", 0))
        self.expect_refused("uppercase", passed, "AF_INET", "stream", "daemon")
        passed = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.expect_refused("uppercase", passed, "AF_INET6", "datagram")

    def test_no_socket_at_all(self):
        self.expect_error(program("uppercased"), "^uppercased: .*systemd.*inetd.*--listen-", 2)

    def test_descriptors_meant_for_another_process(self):
        """LISTEN_PID is somebody else: the variables were inherited, and mean nothing."""
        self.expect_error(program("uppercased"), "^uppercased: no socket", 2,
                          env={**os.environ, "LISTEN_PID": "1", "LISTEN_FDS": "1"})
        self.assertEqual(subprocess.run(program("uppercase"), input=b"a", capture_output=True,
                                        env={**os.environ, "LISTEN_PID": "1", "LISTEN_FDS": "1"}).stdout,
                         b"A")


if __name__ == "__main__":
    support.main()
