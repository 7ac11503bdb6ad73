# SPDX-License-Identifier: ISC
"""The daemon is killed, or stalls: only what was open at that moment is lost, and the next serves."""

import os
import select
import signal
import time

import clients
import machine
import support
from machine import run, show
from support import connect, converse

SERVICE, SOCKET = "uppercase-tcp.service", "uppercase-tcp.socket"

KILLS = machine.count("KILLS", 10)


def setUpModule():
    machine.install()


def kill():
    """SIGKILL for the daemon; between which two times it ended."""
    begin = time.monotonic()
    process = os.pidfd_open(int(show(SERVICE, "MainPID")))
    signal.pidfd_send_signal(process, signal.SIGKILL)
    select.select([process], [], [], support.PATIENCE)
    os.close(process)
    return begin, time.monotonic()


class Crashes(machine.MachineTest):

    def setUp(self):
        super().setUp()
        run("systemctl", "start", SOCKET)

    def ask(self):
        """Answered by the process that runs, or by the next one as soon as it does."""
        self.assertEqual(converse(connect("127.0.0.1", 12000), b"who is there?"), b"WHO IS THERE?")

    def test_kills_under_load(self):
        """No connect is refused; who is in the backlog, or comes before the next process, is served."""
        kinds = [clients.losing(clients.Persistent)] * 16 + [clients.losing(clients.OneShot)] * 16
        kills = []
        with clients.asking(*kinds) as asking:
            for _ in range(KILLS):
                self.ask()
                kills.append(kill())
            self.ask()
        losses = [loss for client in asking for loss in client.losses]
        for begin, end in losses:
            self.assertTrue(any(begin < killed[1] and end > killed[0] for killed in kills),
                            "a connection was lost that was not open at any kill")
        self.assertGreater(len(losses), 0)
        self.assertEqual(show(SERVICE, "NRestarts"), str(KILLS))
        self.assertEqual(show(SOCKET, "ActiveState"), "active")
        self.assertEqual(show(SOCKET, "Result"), "success")
        machine.report(f"{KILLS} kill -9 under {len(asking)} clients: no connect refused, "
                       f"{len(losses)} open connections lost, no other; "
                       f"{clients.count_answers(asking)} answers right")

    def test_watchdog(self):
        """A daemon that stands still is killed and started anew; one that works, or idles, is not."""
        self.configure(SERVICE, "[Service]", "WatchdogSec=1")
        silent = connect("127.0.0.1", 12000)
        with silent:
            self.ask()
            first = show(SERVICE, "MainPID")
            periods = time.monotonic() + 2.5
            with clients.asking(clients.Persistent, clients.OneShot):
                support.until(lambda: time.monotonic() > periods, "2.5 s under load")
            self.assertEqual(show(SERVICE, "MainPID"), first)
            os.kill(int(first), signal.SIGSTOP)
            self.ask()
        self.assertNotEqual(show(SERVICE, "MainPID"), first)
        self.assertEqual(show(SERVICE, "NRestarts"), "1")
        self.assertEqual(show(SOCKET, "ActiveState"), "active")
        support.until(lambda: run("journalctl", f"UNIT={SERVICE}", "UNIT_RESULT=watchdog", "--output=cat"),
                      "systemd's line about it")


if __name__ == "__main__":
    machine.main()
