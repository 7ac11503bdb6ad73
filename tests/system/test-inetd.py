# SPDX-License-Identifier: ISC
"""OpenBSD's inetd starts our programs: nowait the handler, wait the daemon."""

import os
import pwd
import re
import shutil

import support
from support import ANSWER, SENTENCE, ask_datagram, converse, program

# Who runs the test, also inside namespaces.
USER = pwd.getpwuid(os.getuid()).pw_name

INETD = shutil.which("inetd", path="/usr/sbin:/sbin")


class Inetd(support.SystemTest):

    def start_inetd(self, *services):
        """Each of services: (address:port, socket type, protocol, wait or nowait, program)."""
        lines = []
        for address, kind, protocol, wait, name in services:
            command = program(name)
            # 100000: no limit of starts a minute that we could hit.
            lines.append(" ".join([address, kind, protocol, wait + ".100000", USER, command[0],
                                   os.path.basename(command[0]), *command[1:]]))
        return self.start_inetd_with("\n".join(lines) + "\n", len(lines))

    def start_inetd_with(self, configuration, services):
        if not INETD:
            self.skipTest("openbsd-inetd is not installed")
        with open(self.path("inetd.conf"), "w") as file:
            file.write(configuration)
        inetd = self.start(INETD, "-d", file.name)
        support.until(lambda: inetd.output().count("ADD: ") == services, "every service added")
        return inetd

    def ask_when_open(self, host, port):
        """inetd tells when it has read its configuration, not when the sockets are open."""
        def ask():
            try:
                return converse(support.connect(host, port), SENTENCE.encode()).decode()
            except ConnectionRefusedError:
                return None
        return support.until(ask, f"port {port} open")

    def ask_datagram_when_open(self, host, port):
        def ask():
            try:
                return ask_datagram(host, port, SENTENCE.encode()).decode()
            except ConnectionRefusedError:
                return None
        return support.until(ask, f"port {port} open")

    def test_stream_nowait_starts_the_handler(self):
        port = support.free_port()
        self.start_inetd((f"127.0.0.1:{port}", "stream", "tcp", "nowait", "uppercase"))
        for _ in range(5):
            self.assertEqual(self.ask_when_open("127.0.0.1", port), ANSWER)

    def test_stream_nowait_with_the_daemon(self):
        """The daemon on a connection that it was handed: one conversation, then it ends."""
        port = support.free_port()
        self.start_inetd((f"127.0.0.1:{port}", "stream", "tcp", "nowait", "uppercased"))
        for _ in range(3):
            self.assertEqual(self.ask_when_open("127.0.0.1", port), ANSWER)

    def test_stream_wait_starts_the_daemon(self):
        port = support.free_port()
        self.start_inetd((f"127.0.0.1:{port}", "stream", "tcp", "wait", "uppercased"))
        for _ in range(5):
            self.assertEqual(self.ask_when_open("127.0.0.1", port), ANSWER)

    def test_datagram_wait_starts_the_daemon(self):
        port = support.free_port()
        self.start_inetd((f"127.0.0.1:{port}", "dgram", "udp", "wait", "uppercased"))
        for _ in range(5):
            self.assertEqual(self.ask_datagram_when_open("127.0.0.1", port), ANSWER)

    def test_ipv6(self):
        port = support.free_port()
        self.start_inetd((f"[::1]:{port}", "stream", "tcp6", "nowait", "uppercase"),
                         (f"[::1]:{port}", "dgram", "udp6", "wait", "uppercased"))
        self.assertEqual(self.ask_when_open("::1", port), ANSWER)
        self.assertEqual(self.ask_datagram_when_open("::1", port), ANSWER)

    @support.needs_own_network
    def test_lines_that_are_installed(self):
        """packaging/inetd/inetd.conf.in as it is filled in, but for the user and the folders."""
        with open(os.environ["TEST_INETD_EXAMPLE"]) as file:
            example = file.read()
        for name in "uppercase", "uppercased":
            command = program(name)
            example = re.sub(rf"\tnobody\t\S*/{name}\t{name}\b",
                             f"\t{USER}\t{command[0]}\t{' '.join([name, *command[1:]])}", example)
        self.assertNotIn("nobody\t/", re.sub("(?m)^#.*", "", example))
        self.start_inetd_with(example, 4)
        for host in "127.0.0.1", "::1":
            self.assertEqual(self.ask_when_open(host, 12000), ANSWER)
            self.assertEqual(self.ask_datagram_when_open(host, 12000), ANSWER)

    def test_client_asks_through_inetd(self):
        port = support.free_port()
        self.start_inetd((f"127.0.0.1:{port}", "stream", "tcp", "nowait", "uppercase"),
                         (f"127.0.0.1:{port}", "dgram", "udp", "wait", "uppercased"))
        self.ask_when_open("127.0.0.1", port)
        self.ask_datagram_when_open("127.0.0.1", port)
        for transport in "--tcp", "--udp":
            self.expect([*program("uppercase-client"), transport, "127.0.0.1", port],
                        f"hello\n{SENTENCE}\n", f"HELLO\n{ANSWER}\n")


if __name__ == "__main__":
    support.main()
