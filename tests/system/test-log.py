# SPDX-License-Identifier: ISC
"""What the journal gets to hear: messages with their fields, each explained, and none by default."""

import json
import re
import socket

import machine
import support
from machine import run, show
from support import connect, read_exactly

TCP, UDP = "uppercase-tcp.service", "uppercase-udp.service"
CATALOG = "/usr/lib/systemd/catalog/uppercase.catalog"


def setUpModule():
    machine.install()


def catalog():
    """The ids that the installed catalog explains, with their subjects."""
    with open(CATALOG, encoding="utf-8") as file:
        return dict(re.findall(r"^-- ([0-9a-f]{32})\nSubject: (.*)$", file.read(), re.M))


def id_of(subject):
    return next(number for number, text in catalog().items() if subject in text)


def messages(*matches):
    """What the daemons logged, of one journal entry each; by their own name for themselves, since the
    journal may find nothing out (_COMM=) about one that exits at once."""
    run("journalctl", "--sync")
    lines = run("journalctl", "--boot", "--quiet", "--output=json", "SYSLOG_IDENTIFIER=uppercased", *matches)
    return [json.loads(line) for line in lines.splitlines()]


class Log(machine.MachineTest):

    def set_options(self, service, *options):
        self.configure(service, "[Service]", "ExecStart=", "ExecStart=/usr/sbin/uppercased " + " ".join(options))

    def converse(self):
        """One connection. Returns its client's port."""
        with connect("127.0.0.1", 12000) as connection:
            port = connection.getsockname()[1]
            self.assertEqual(support.converse(connection, "\u0390".encode()),
                             "\u0399\u0308\u0301".encode())
        return port

    def wait_for_message(self, *matches):
        return support.until(lambda: messages(*matches), " ".join(matches))[-1]

    def test_a_connection(self):
        self.set_options(TCP, "--log-level=info")
        run("systemctl", "start", "uppercase-tcp.socket")
        port = self.converse()
        message = self.wait_for_message(f"CLIENT_PORT={port}")
        usec = int(message["DURATION_USEC"])
        self.assertEqual({name: message.get(name) for name in (
            "MESSAGE_ID", "PRIORITY", "CLIENT_ADDR", "BYTES_IN", "BYTES_OUT", "REASON", "ERRNO",
            "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "_TRANSPORT", "MESSAGE")}, {
                "MESSAGE_ID": id_of("The connection from"), "PRIORITY": "6",
                "CLIENT_ADDR": "127.0.0.1", "BYTES_IN": "2", "BYTES_OUT": "6",
                "REASON": "client closed", "ERRNO": None, "SYSLOG_IDENTIFIER": "uppercased",
                "_SYSTEMD_UNIT": TCP, "_TRANSPORT": "journal",
                "MESSAGE": f"connection from 127.0.0.1:{port}: 2 bytes in, 6 bytes out, "
                           f"{usec // 1000000}.{usec % 1000000:06} s: client closed"})
        self.assertLess(0, usec)
        self.assertLess(usec, support.PATIENCE * 1000000)

    def test_every_kind_is_explained(self):
        """All that the catalog has is provoked, and journalctl -x has the catalog's words for it."""
        self.set_options(TCP, "--log-level=debug", "--connections-max=1")
        self.set_options(UDP, "--log-level=debug")
        run("systemctl", "start", "uppercase-tcp.socket", "uppercase-udp.socket")
        with connect("127.0.0.1", 12000) as connection:
            connection.sendall(b"a")
            self.assertEqual(read_exactly(connection, 1), b"A")
            with connect("127.0.0.1", 12000) as refused:
                self.assertEqual(refused.recv(1), b"")
            run("systemctl", "kill", "--signal=USR1", TCP)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as low:
            low.bind(("127.0.0.1", 1023))
            low.sendto(b"a", ("127.0.0.1", 12000))
            self.wait_for_message("REASON=port below 1024")
        run("systemd-run", "--quiet", "--wait", "--unit=alone", "/usr/sbin/uppercased", check=False)
        self.wait_for_message("CONNECTIONS_REFUSED=1", "MESSAGE_ID=" + id_of("Limits were met"))
        self.wait_for_message("REASON=client closed")
        seen = {message["MESSAGE_ID"] for message in messages() if "MESSAGE_ID" in message}
        self.assertEqual(seen, set(catalog()))

        listed = run("journalctl", "--list-catalog")
        for number in seen:
            self.assertIn(number, listed, "the package had systemd take it in")
            explained = run("journalctl", "--boot", "--catalog", "MESSAGE_ID=" + number)
            subject = re.sub(r"@.*?@", "(.*)", catalog()[number])
            self.assertRegex(explained, r"(?m)^\S* Subject: " + subject + r"$")
            self.assertIn("Defined-By: uppercase\n", explained)
            self.assertIn("man:uppercased(8)", explained)
        self.assertIn("connection from 127.0.0.1 is over: connections-max",
                      run("journalctl", "--boot", "--catalog", "REASON=connections-max"))
        failure = self.wait_for_message("MESSAGE_ID=" + id_of("can't start"))
        self.assertEqual((failure["PRIORITY"], failure["MESSAGE"].partition(":")[0]), ("3", "no socket"))

    def test_quiet_by_default(self):
        before = len(messages())
        run("systemctl", "start", "uppercase-tcp.socket", "uppercase-udp.socket")
        self.converse()
        self.assertEqual(support.ask_datagram("127.0.0.1", 12000, b"a"), b"A")
        run("systemctl", "restart", TCP)
        self.converse()
        self.stop_everything()
        self.assertEqual(len(messages()), before)

    def test_handlers_are_quiet_too(self):
        """systemd says nothing of each, unless something is wrong."""
        self.configure("uppercase-inetd@.service", "[Service]", "ExecStart=",
                       "ExecStart=/usr/bin/uppercase --framing=line --message-max=1")
        run("systemctl", "start", "uppercase-inetd.socket")
        self.assertEqual(support.converse(connect("127.0.0.1", 12000), b"a\n"), b"A\n")
        with connect("127.0.0.1", 12000) as connection:
            connection.sendall(b"too long\n")
        support.until(lambda: "longer than --message-max allows" in self.say_handlers("debug..err"), "the error")
        self.assertEqual(self.say_handlers("debug..info"), "")

    def say_handlers(self, priorities):
        run("journalctl", "--sync")
        return run("journalctl", "--boot", "--quiet", "--output=cat", "--priority=" + priorities,
                   "--unit=uppercase-inetd@*", check=False)

    def test_without_the_socket(self):
        """Where the journal's socket is out of reach the same line comes by standard error."""
        paths = show(TCP, "BindReadOnlyPaths").split()
        kept = [path.partition(":")[0] for path in paths if "journal" not in path]
        self.assertEqual(len(kept) + 1, len(paths))
        # Newer versions of systemd bind it by themselves; older ones do not know the setting.
        self.configure(TCP, "[Service]", "BindReadOnlyPaths=", "BindReadOnlyPaths=" + " ".join(kept),
                       "BindLogSockets=no", "ExecStart=", "ExecStart=/usr/sbin/uppercased --log-level=info")
        run("systemctl", "start", "uppercase-tcp.socket")
        port = self.converse()

        def find():
            return [message for message in messages("_TRANSPORT=stdout")
                    if f"connection from 127.0.0.1:{port}: 2 bytes in" in message["MESSAGE"]]
        message = support.until(find, "the line")[0]
        self.assertTrue(message["MESSAGE"].startswith("connection from"), "the priority is taken off")
        self.assertEqual(message["PRIORITY"], "6")
        self.assertNotIn("CLIENT_ADDR", message)

    def test_when_the_journal_starts_again(self):
        """A journal that comes back hears the next message, fields and all."""
        self.set_options(TCP, "--log-level=info")
        run("systemctl", "start", "uppercase-tcp.socket")
        self.wait_for_message(f"CLIENT_PORT={self.converse()}")
        first = show(TCP, "MainPID")
        run("systemctl", "restart", "systemd-journald.service")
        self.wait_for_message(f"CLIENT_PORT={self.converse()}")
        self.assertEqual(show(TCP, "MainPID"), first)

    def test_what_a_stranger_calls_himself(self):
        """An AF_UNIX client's name with a newline in it begins no line and no field."""
        self.configure("uppercase-tcp.socket", "[Socket]", "ListenStream=/run/test.socket")
        self.set_options(TCP, "--log-level=info")
        run("systemctl", "start", "uppercase-tcp.socket")
        with socket.socket(socket.AF_UNIX) as client:
            client.bind("\0evil\nREASON=idle-timeout\x1b[1m")
            client.connect("/run/test.socket")
            self.assertEqual(support.converse(client, b"a"), b"A")
        message = self.wait_for_message("BYTES_IN=1", "BYTES_OUT=1", "REASON=client closed")
        self.assertEqual(message["CLIENT_ADDR"], r"@evil\x0aREASON=idle-timeout\x1b[1m")
        self.assertNotIn("CLIENT_PORT", message)

    def test_the_score_stays(self):
        run("systemctl", "start", "uppercase-tcp.socket")
        self.converse()
        said = run("systemd-analyze", "security", "--no-pager", TCP)
        self.assertRegex(said, r"Overall exposure level for uppercase-tcp\.service: 0\.1 SAFE")


if __name__ == "__main__":
    machine.main()
