# SPDX-License-Identifier: ISC
"""The units under a real systemd: activated by the first request, over every transport, hardened."""

import socket
import time

import machine
import support
from machine import run, show
from support import ANSWER, SENTENCE, ask_datagram, program, textbook

HOSTS = "127.0.0.1", "::1"
PROMPT = "A sentence in lower case: "


def setUpModule():
    machine.install()


class Askers(machine.MachineTest):
    """Everybody who may ask, over both kinds of transport."""

    def ask_over_tcp(self):
        for host in HOSTS:
            with self.subTest(host=host):
                self.expect([*program("uppercase-client"), host], f"hello\n{SENTENCE}\n",
                            f"HELLO\n{ANSWER}\n")
                self.expect(["nc", "-N", host, 12000], SENTENCE, ANSWER)
                self.expect(textbook("TCPClient.py", host), SENTENCE,
                            PROMPT + "The server says: " + ANSWER + "\n")
        self.expect([*program("uppercase-client")], SENTENCE + "\n", ANSWER + "\n")

    def ask_over_udp(self):
        for host in HOSTS:
            with self.subTest(host=host):
                self.expect([*program("uppercase-client"), "--udp", host], f"hello\n{SENTENCE}\n",
                            f"HELLO\n{ANSWER}\n")
                self.expect(textbook("UDPClient.py", host), SENTENCE, PROMPT + ANSWER + "\n")
                # nc never knows that a datagram was the last one: it is told to wait a second.
                status, answer, _ = self.run_program(["nc", "-u", "-w1", host, 12000], SENTENCE)
                self.assertEqual((status, answer.decode()), (0, ANSWER))


class Daemons(Askers):

    def test_both_sockets(self):
        """The first thing that anybody does with this project."""
        run("systemctl", "start", "uppercase-tcp.socket", "uppercase-udp.socket")
        self.assertEqual(machine.our_processes(), [], "before the first request nothing runs")
        self.ask_over_tcp()
        self.assertEqual(machine.our_processes(), ["uppercased"])
        self.ask_over_udp()
        self.assertEqual(machine.our_processes(), ["uppercased", "uppercased"])
        for service in "uppercase-tcp.service", "uppercase-udp.service":
            self.assertEqual(show(service, "ActiveState"), "active")
            self.assertEqual(show(service, "NRestarts"), "0")

    def test_each_socket_alone(self):
        for name in "tcp", "udp":
            run("systemctl", "start", f"uppercase-{name}.socket")
            getattr(self, f"ask_over_{name}")()
            self.assertEqual(machine.our_processes(), ["uppercased"])
            run("systemctl", "stop", f"uppercase-{name}.socket", f"uppercase-{name}.service")
            self.assertEqual(machine.our_processes(), [])

    def test_started_and_stopped_with_its_socket(self):
        """A service that is started by hand gets its socket, and loses it with it."""
        run("systemctl", "start", "uppercase-tcp.service")
        self.assertEqual(show("uppercase-tcp.socket", "ActiveState"), "active")
        self.ask_over_tcp()
        run("systemctl", "stop", "uppercase-tcp.socket")
        self.assertEqual(machine.our_processes(), [])

    def test_datagram_is_answered_from_where_it_was_asked(self):
        run("systemctl", "start", "uppercase-udp.socket")
        for host in "127.0.0.1", "127.0.0.2", "::1":
            self.assertEqual(ask_datagram(host, 12000, b"here"), b"HERE")

    def test_largest_datagram(self):
        run("systemctl", "start", "uppercase-udp.socket")
        for host, size in ("127.0.0.1", 65507), ("::1", 65527):
            self.assertEqual(ask_datagram(host, 12000, b"a" * size), b"A" * size)

    def test_refused_datagrams_show_in_status(self):
        """From our own port, or a privileged one: not answered, and counted where systemctl shows it."""
        run("systemctl", "start", "uppercase-udp.socket")
        self.make_neighbour("192.0.2.1", "192.0.2.2")
        for source, answer in (12001, b"HELLO"), (12000, b""), (1023, b""), (1024, b"HELLO"):
            _, output, _ = self.run_program(["ip", "netns", "exec", "neighbour", "nc", "-u", "-w1",
                                             "-p", source, "192.0.2.1", 12000], b"hello")
            self.assertEqual(output, answer, f"from port {source}")
        support.until(lambda: "2 answered, 2 refused (own port 1, port below 1024 1)"
                      in show("uppercase-udp.service", "StatusText"), "both in the status")

    def make_neighbour(self, ours, theirs):
        """Another machine beside this one: a network namespace at the other end of a cable."""
        run("ip", "netns", "add", "neighbour")
        self.addCleanup(run, "ip", "netns", "del", "neighbour")
        run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "far", "netns", "neighbour")
        run("ip", "address", "add", ours + "/24", "dev", "cable")
        run("ip", "link", "set", "cable", "up")
        run("ip", "-n", "neighbour", "address", "add", theirs + "/24", "dev", "far")
        run("ip", "-n", "neighbour", "link", "set", "far", "up")

    def test_status_counts(self):
        run("systemctl", "start", "uppercase-tcp.socket")
        self.ask_over_tcp()
        support.until(lambda: "7 served" in show("uppercase-tcp.service", "StatusText"), "7 served")


class Handlers(Askers):
    """uppercase-inetd.socket: Accept=yes, a handler for each connection."""

    def test_a_process_for_each_connection(self):
        run("systemctl", "start", "uppercase-inetd.socket")
        self.assertEqual(machine.our_processes(), [])
        connections = [support.connect(HOSTS[i % 2], 12000) for i in range(5)]
        for connection in connections:
            connection.sendall(SENTENCE.encode())
            self.assertEqual(support.read_exactly(connection, len(ANSWER.encode())).decode(), ANSWER)
        self.assertEqual(machine.our_processes(), ["uppercase"] * 5)
        for connection in connections:
            connection.close()
        support.until(lambda: not machine.our_processes(), "the end of all handlers")
        support.until(lambda: not run("systemctl", "list-units", "--all", "--no-legend",
                                      "uppercase-inetd@*.service"), "all units gone, none of them failed")

    def test_go_on_without_their_socket(self):
        run("systemctl", "start", "uppercase-inetd.socket")
        with support.connect("127.0.0.1", 12000) as connection:
            connection.sendall(b"a")
            self.assertEqual(support.read_exactly(connection, 1), b"A")
            run("systemctl", "stop", "uppercase-inetd.socket")
            connection.sendall(b"b")
            self.assertEqual(support.read_exactly(connection, 1), b"B")
            run("systemctl", "stop", "uppercase-inetd@*.service")
            self.assertEqual(connection.recv(1), b"")

    def test_everybody_is_answered(self):
        run("systemctl", "start", "uppercase-inetd.socket")
        self.ask_over_tcp()

    def test_flood_is_slowed_and_never_refused(self):
        """No trigger limit, which would leave the socket failed. systemd 255 and newer know a poll limit,
        which has those above it wait."""
        limit = 5
        self.configure("uppercase-inetd.socket", "[Socket]", f"TriggerLimitBurst={limit}",
                       f"PollLimitBurst={limit}")
        run("systemctl", "start", "uppercase-inetd.socket")
        begin = time.monotonic()
        connections = [support.connect(HOSTS[i % 2], 12000) for i in range(4 * limit)]
        for connection in connections:
            self.assertEqual(support.converse(connection, b"flood"), b"FLOOD")
        if show("uppercase-inetd.socket", "PollLimitBurst"):
            self.assertGreater(time.monotonic() - begin, 2, "slowed")
        self.assertEqual(show("uppercase-inetd.socket", "Result"), "success")
        self.assertEqual(show("uppercase-inetd.socket", "ActiveState"), "active")

    def test_silent_clients_make_room(self):
        """They hold all places, but not for ever, and leave nothing behind that counts as failed."""
        self.configure("uppercase-inetd.socket", "[Socket]", "MaxConnections=4")
        self.configure("uppercase-inetd@.service", "[Service]", "ExecStart=",
                       "ExecStart=/usr/bin/uppercase --idle-timeout=1s")
        run("systemctl", "start", "uppercase-inetd.socket")
        for silent in [support.connect(HOSTS[i % 2], 12000) for i in range(4)]:
            with silent:
                self.assertEqual(silent.recv(1), b"")
        support.until(lambda: show("uppercase-inetd.socket", "NConnections") == "0", "the end of all")
        self.ask_over_tcp()
        self.assertEqual(show("uppercase-inetd.socket", "NRefused"), "0")
        self.assertEqual(run("systemctl", "list-units", "--failed", "--no-legend", "uppercase-*"), "")

    def test_takes_the_port_over(self):
        """The daemon and the handlers want the same port: starting one ends the other."""
        run("systemctl", "start", "uppercase-tcp.socket")
        self.ask_over_tcp()
        run("systemctl", "start", "uppercase-inetd.socket")
        self.assertEqual(show("uppercase-tcp.socket", "ActiveState"), "inactive")
        self.ask_over_tcp()
        run("systemctl", "start", "uppercase-tcp.socket")
        self.ask_over_tcp()


class Sockets(machine.MachineTest):
    """What the socket units say, line by line, where no other test would miss it."""

    def test_what_a_daemon_is_told(self):
        """What its socket is called, and how often it is to say that it is alive."""
        for name in "tcp", "udp":
            service = f"uppercase-{name}.service"
            run("systemctl", "start", service)
            with open(f"/proc/{show(service, 'MainPID')}/environ") as environ:
                told = dict(row.split("=", 1) for row in environ.read().rstrip("\0").split("\0"))
            self.assertEqual(told["LISTEN_FDNAMES"], name)
            self.assertEqual(told["WATCHDOG_USEC"], "30000000")

    def test_every_address(self):
        """IPv4, too, whatever the machine's default is (ipv6(7), bindv6only)."""
        support.make_ipv6_sockets_single(self)
        for name in "tcp", "inetd":
            run("systemctl", "start", f"uppercase-{name}.socket")
            self.assertEqual(support.converse(support.connect("127.0.0.1", 12000), b"a"), b"A", name)
        run("systemctl", "start", "uppercase-udp.socket")
        self.assertEqual(ask_datagram("127.0.0.1", 12000, b"a"), b"A")

    def test_keepalive(self):
        """A peer that has gone without a word is found out in the end (tcp(7))."""
        for name in "tcp", "inetd":
            run("systemctl", "start", f"uppercase-{name}.socket")
            with support.connect("127.0.0.1", 12000) as connection:
                connection.sendall(b"a")
                self.assertEqual(connection.recv(1), b"A")
                self.assertIn("timer:(keepalive,",
                              run("ss", "--no-header", "--tcp", "--numeric", "--options", "state", "established",
                                  "sport = :12000"), name)

    def test_limits(self):
        """As many as are meant; what becomes of one more is shown below, and in test-traps.py."""
        self.assertEqual(show("uppercase-inetd.socket", "MaxConnections"), "256")
        self.assertEqual(show("uppercase-inetd.socket", "MaxConnectionsPerSource"), "32")
        for name in "tcp", "udp":
            self.assertEqual(show(f"uppercase-{name}.service", "RestartUSec"), "250ms")
            # Twice as many as there are connections at most (--connections-max=).
            self.assertEqual(show(f"uppercase-{name}.service", "FileDescriptorStoreMax"), "32768")

    def test_backlog(self):
        for name in "tcp", "inetd":
            run("systemctl", "start", f"uppercase-{name}.socket")
            listening = run("ss", "--no-header", "--tcp", "--listening", "--numeric", "sport = :12000").split()
            self.assertEqual(listening[2], "4096", name)

    def test_buffers(self):
        """For requests that come before the daemon, and answers that can't leave yet; the kernel makes it twice
        as much (socket(7))."""
        run("systemctl", "start", "uppercase-udp.socket")
        memory = run("ss", "--no-header", "--udp", "--all", "--numeric", "--memory", "sport = :12000")
        self.assertRegex(memory, f"rb{8 << 20},.*tb{8 << 20},")

    def test_address_that_comes_later(self):
        for name, kind in ("tcp", "Stream"), ("udp", "Datagram"), ("inetd", "Stream"):
            unit = f"uppercase-{name}.socket"
            lines = ["[Socket]", f"Listen{kind}=", f"Listen{kind}=192.0.2.7:12000"]
            for more, result in (["FreeBind=no"], "resources"), ([], "success"):
                self.configure(unit, *lines, *more)
                run("systemctl", "restart", unit, check=False)
                self.assertEqual(show(unit, "Result"), result, unit)
            run("systemctl", "stop", unit)

    def test_port_is_shared(self):
        """What systemd is about to close does not occupy it for the next socket."""
        for name, kind in ("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM):
            run("systemctl", "start", f"uppercase-{name}.socket")
            with socket.socket(socket.AF_INET6, kind) as other:
                with self.assertRaises(OSError):
                    other.bind(("::", 12000))
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                other.bind(("::", 12000))

    def test_poll_limit(self):
        """systemd 255 and newer slow every socket down, unless it is told not to."""
        for unit in machine.SOCKETS:
            self.assertNotIn(show(unit, "PollLimitIntervalUSec"), ["0", "infinity"])
            self.assertEqual(show(unit, "TriggerLimitIntervalUSec"), "0")

    def test_most_connections(self):
        """Who is above the limits is closed at once, whoever comes from elsewhere served, and again later."""
        self.configure("uppercase-inetd.socket", "[Socket]", "MaxConnections=4", "MaxConnectionsPerSource=3")
        run("systemctl", "start", "uppercase-inetd.socket")
        open_ones = [self.served("127.0.0.1") for _ in range(3)]
        self.assertIsNone(self.served("127.0.0.1"))
        open_ones.append(self.served("127.0.0.2"))
        self.assertIsNone(self.served("127.0.0.3"))
        for connection in open_ones:
            connection.close()
        support.until(lambda: show("uppercase-inetd.socket", "NConnections") == "0", "the end of all")
        self.served("127.0.0.1").close()

    def test_failed_ones_do_not_count(self):
        self.configure("uppercase-inetd.socket", "[Socket]", "MaxConnectionsPerSource=2")
        self.configure("uppercase-inetd@.service", "[Service]", "ExecStart=",
                       "ExecStart=/usr/bin/uppercase --framing=length")
        run("systemctl", "start", "uppercase-inetd.socket")
        for _ in range(5):
            self.assertEqual(support.converse(support.connect("127.0.0.1", 12000), b"cut"), b"")
            support.until(lambda: show("uppercase-inetd.socket", "NConnections") == "0", "the end of it")
        self.assertEqual(show("uppercase-inetd.socket", "NAccepted"), "5")
        self.assertEqual(show("uppercase-inetd.socket", "NRefused"), "0")
        support.until(lambda: not run("systemctl", "list-units", "--all", "--no-legend",
                                      "uppercase-inetd@*.service"), "nothing left of those that failed")

    def served(self, source):
        """A connection that is served, or None if it was closed."""
        connection = socket.create_connection(("127.0.0.1", 12000), support.PATIENCE, (source, 0))
        try:
            connection.sendall(b"a")
            if connection.recv(1) == b"A":
                return connection
        except ConnectionError:
            pass
        connection.close()
        return None


class Files(machine.MachineTest):

    def test_systemd_finds_no_fault(self):
        """Any output is a fault: systemd-analyze verify succeeds in spite of unknown settings."""
        for unit in *machine.SOCKETS, *(name.replace("*", "x") for name in machine.SERVICES):
            self.assertEqual(run("systemd-analyze", "verify", "--man=no", unit), "", unit)

    def test_enabled_sockets_are_opened_at_boot(self):
        run("systemctl", "enable", "uppercase-tcp.socket", "uppercase-udp.socket")
        self.addCleanup(run, "systemctl", "disable", "uppercase-tcp.socket", "uppercase-udp.socket")
        wanted = show("sockets.target", "Wants").split()
        for name in "uppercase-tcp.socket", "uppercase-udp.socket":
            self.assertIn(name, wanted)


if __name__ == "__main__":
    machine.main()
