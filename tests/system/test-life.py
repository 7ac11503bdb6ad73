# SPDX-License-Identifier: ISC
"""The daemon's life under a real systemd: reloads, stops that take long, a thread that is stuck."""

import ctypes
import os
import signal
import time

import machine
import support
from machine import run, show
from support import connect, read_exactly, until

SERVICE = "uppercase-tcp.service"
DROP_IN = f"/run/systemd/system/{SERVICE}.d/test.conf"

# ptrace(2), and waitpid(2) for a thread.
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


def setUpModule():
    machine.install()


def ask(connection, text):
    connection.sendall(text)
    return read_exactly(connection, len(text))


class Life(machine.MachineTest):

    def begin(self, *settings, options=""):
        """Starts the socket, the service with other settings and options than it comes with."""
        os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
        with open(DROP_IN, "w") as file:
            print("[Service]", "ExecStart=", f"ExecStart=/usr/sbin/uppercased {options}", *settings,
                  sep="\n", file=file)
        self.addCleanup(run, "systemctl", "daemon-reload")
        self.addCleanup(os.remove, DROP_IN)
        run("systemctl", "daemon-reload")
        run("systemctl", "start", "uppercase-tcp.socket")

    def connect(self):
        """A connection that is served."""
        connection = connect("127.0.0.1", 12000)
        self.addCleanup(connection.close)
        self.assertEqual(ask(connection, b"hello"), b"HELLO")
        return connection

    def test_reload(self):
        """It goes on with all that it has."""
        run("systemctl", "start", "uppercase-tcp.socket")
        connection = self.connect()
        process = show(SERVICE, "MainPID")
        for _ in range(3):
            run("systemctl", "reload", SERVICE)
            self.assertEqual(ask(connection, b"still here"), b"STILL HERE")
        until(lambda: show(SERVICE, "ActiveState") == "active", "the end of the reload")
        self.assertEqual(show(SERVICE, "MainPID"), process)
        self.assertEqual(show(SERVICE, "NRestarts"), "0")

    def test_draining_takes_its_time(self):
        """--drain-timeout= may be longer than TimeoutStopSec=."""
        self.begin("TimeoutStopSec=1", options="--drain-timeout=1min")
        connection = self.connect()
        run("systemctl", "stop", "--no-block", "uppercase-tcp.socket", SERVICE)
        until(lambda: show(SERVICE, "ActiveState") == "deactivating", "the beginning of the stop")
        end = time.monotonic() + 4
        while time.monotonic() < end:
            self.assertEqual(ask(connection, b"still here"), b"STILL HERE")
            time.sleep(0.1)
        connection.close()
        until(lambda: show(SERVICE, "ActiveState") == "inactive", "the end of the stop")
        self.assertEqual(show(SERVICE, "Result"), "success")

    def test_stuck_worker(self):
        """One thread of several stands still: the watchdog ends the process, the next one serves."""
        self.begin("WatchdogSec=1", options="--workers=2")
        self.connect()
        process = int(show(SERVICE, "MainPID"))
        thread = max(int(name) for name in os.listdir(f"/proc/{process}/task"))
        self.assertNotEqual(thread, process)
        libc = ctypes.CDLL(None, use_errno=True)
        self.assertEqual(libc.ptrace(PTRACE_SEIZE, thread, None, None), 0, os.strerror(ctypes.get_errno()))
        self.assertEqual(libc.ptrace(PTRACE_INTERRUPT, thread, None, None), 0)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(thread, WALL)[1]))
        self.assertEqual(os.WTERMSIG(os.waitpid(thread, WALL)[1]), signal.SIGABRT)
        until(lambda: show(SERVICE, "NRestarts") == "1", "the restart")
        self.connect()
        self.assertIn("watchdog", run("journalctl", "--unit", SERVICE, "--boot", "--no-pager").lower())


if __name__ == "__main__":
    machine.main()
