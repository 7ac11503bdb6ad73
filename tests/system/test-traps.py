# SPDX-License-Identifier: ISC
"""Where units like ours end up dead, or without their socket: each trap, and that it is closed."""

import random
import signal

import clients
import machine
import support
from machine import run, show
from support import connect, converse

SERVICE, SOCKET = "uppercase-tcp.service", "uppercase-tcp.socket"


def setUpModule():
    machine.install()


class Slow(clients.Client):
    """A connection that is accepted, and in the middle of its conversation, for a while."""

    def converse(self):
        with connect(clients.HOST, clients.PORT) as connection:
            clients.ask(connection, self.request())
            self.stop.wait(random.uniform(0, 0.05))
            clients.ask(connection, self.request(), whole=True)
        self.answered()


class Traps(machine.MachineTest):

    def setUp(self):
        super().setUp()
        run("systemctl", "start", SOCKET)

    def ask(self):
        self.assertEqual(converse(connect("127.0.0.1", 12000), b"there?"), b"THERE?")

    def count_starts(self):
        """How often systemd has begun to start the service (sd-messages(3): SD_MESSAGE_UNIT_STARTING)."""
        return len(run("journalctl", f"UNIT={SERVICE}", "MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5",
                       "--output=cat").splitlines())

    def recovers(self, starts, *settings):
        """The service ends at once so many times while a client waits, who is served when it is mended."""
        mended = self.configure(SERVICE, "[Service]", "ExecStart=", *settings)
        with connect("127.0.0.1", 12000) as waiting:
            before = self.count_starts()
            support.until(lambda: self.count_starts() >= before + starts, "the next attempts to start it")
            self.assertEqual(show(SOCKET, "ActiveState"), "active")
            self.assertEqual(show(SOCKET, "Result"), "success")
            mended()
            self.assertEqual(converse(waiting, b"at last"), b"AT LAST")

    def test_start_limit(self):
        """Five starts in ten seconds are granted by default; the sixth would take the socket down."""
        for _ in range(10):
            self.ask()
            run("systemctl", "restart", SERVICE)
        self.ask()

    def test_start_limit_of_failures(self):
        self.recovers(8, "RestartSec=50ms", "ExecStart=/usr/sbin/uppercased --no-such-option")

    def test_trigger_limit(self):
        """By default a socket may trigger 20 times in 2 seconds, and is left failed by one more."""
        self.recovers(60, "ExecStart=/usr/sbin/uppercased --version", "Type=oneshot")

    def test_trigger_limit_of_handlers(self):
        """Every connection to Accept=yes is a trigger, the refused ones, too; 200 in 2 seconds by default."""
        run("systemctl", "start", "uppercase-inetd.socket")
        crowd = [connect("127.0.0.1", 12000) for _ in range(400)]
        for connection in crowd:
            self.addCleanup(connection.close)
        # Those above MaxConnectionsPerSource= are closed; who is last is at the end of the queue.
        self.assertEqual(crowd[-1].recv(1), b"")
        refused = int(show("uppercase-inetd.socket", "NRefused"))
        self.assertGreater(refused, 300)
        for connection in crowd:
            connection.close()
        self.assertEqual(show("uppercase-inetd.socket", "ActiveState"), "active")
        support.until(lambda: not run("systemctl", "list-units", "--all", "--no-legend",
                                      "uppercase-inetd@*.service"), "the end of all handlers")
        self.ask()

    def test_restart_of_the_socket(self):
        """Without Requires= and After= the service would end up running without it, or for ever restarting."""
        # Five starts in ten seconds are granted to a socket, too, by default.
        with connect("127.0.0.1", 12000) as open_before:
            for _ in range(8):
                self.ask()
                run("systemctl", "restart", SOCKET)
                self.assertEqual(show(SOCKET, "ActiveState"), "active")
            self.assertEqual(converse(open_before, b"still there?"), b"STILL THERE?")
        self.ask()
        run("systemctl", "restart", SOCKET, SERVICE)
        self.assertEqual(show(SOCKET, "ActiveState"), "active")
        self.ask()

    def test_accepted_connections_are_drained(self):
        """A daemon that is told to end finishes what it has accepted, and its socket starts the next."""
        with clients.asking(*[clients.OneShot] * 16, *[Slow] * 16) as asking:
            for _ in range(20):
                self.ask()
                pid = show(SERVICE, "MainPID")
                run("systemctl", "kill", "--kill-who=main", f"--signal={signal.SIGTERM.value}", SERVICE)
                support.until(lambda: show(SERVICE, "MainPID") not in (pid, "0") or
                              any(client.failure for client in asking), "the next process")
        self.assertEqual(show(SERVICE, "NRestarts"), "0")
        machine.report(f"20 terminations under 32 clients: none lost, {clients.count_answers(asking)} "
                       "answers right")


if __name__ == "__main__":
    machine.main()
