# SPDX-License-Identifier: ISC
"""The daemon's life under a real systemd: reloads, stops that take long, a thread that is stuck,
connections that outlive the process."""

import ctypes
import os
import select
import signal
import time

import clients
import machine
import support
from machine import run, show
from support import connect, read_exactly, until

SERVICE = "uppercase-tcp.service"

# How often a daemon is killed that keeps its connections.
KILLS = machine.count("KILLS", 10)

# ptrace(2), and waitpid(2) for a thread.
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


def setUpModule():
    machine.install()


def ask(connection, text):
    connection.sendall(text)
    return read_exactly(connection, len(text))


def main_process():
    return int(show(SERVICE, "MainPID"))


def sleeps(process):
    """Every thread of it waits: all that was answered is done with."""
    states = []
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/stat") as stat:
            states.append(stat.read().rpartition(")")[2].split()[0])
    return set(states) == {"S"}


def kill():
    process = main_process()
    descriptor = os.pidfd_open(process)
    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    select.select([descriptor], [], [], support.PATIENCE)
    os.close(descriptor)
    until(lambda: main_process() not in (0, process), "the next process")


class LifeTest(machine.MachineTest):

    def begin(self, *settings, options=""):
        """Starts the socket, the service with other settings and options than it comes with."""
        self.configure(SERVICE, "[Service]", "ExecStart=",
                       f"ExecStart=/usr/sbin/uppercased {options}", *settings)
        run("systemctl", "start", "uppercase-tcp.socket")

    def connect(self):
        """A connection that is served."""
        connection = connect("127.0.0.1", 12000)
        self.addCleanup(connection.close)
        self.assertEqual(ask(connection, b"hello"), b"HELLO")
        return connection


class Life(LifeTest):

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


class Preserving(LifeTest):

    def connect_all(self, count):
        return [self.connect() for _ in range(count)]

    def ask_all(self, connections):
        for number, connection in enumerate(connections):
            self.assertEqual(ask(connection, b"number %d" % number), b"NUMBER %d" % number)

    def expect_stored(self, count):
        """So many connections, and the ledger."""
        until(lambda: show(SERVICE, "NFileDescriptorStore") == str(count + 1), f"{count} stored")

    def test_killed_at_rest(self):
        """--preserve=always: no connection that is between two questions is lost, however often."""
        self.begin(options="--preserve=always --workers=2")
        connections = self.connect_all(64)
        self.expect_stored(64)
        for _ in range(KILLS):
            until(lambda: sleeps(main_process()), "a daemon with nothing to do")
            kill()
            self.ask_all(connections)
        self.expect_stored(64)
        for connection in connections[:32]:
            connection.close()
        self.expect_stored(32)
        self.ask_all(connections[32:])
        self.assertEqual(show(SERVICE, "NRestarts"), str(KILLS))
        self.assertRegex(show(SERVICE, "StatusText"), r"served, 0 refused\. D")
        machine.report(f"{KILLS} kill -9 of a daemon with --preserve=always: "
                       "64 of 64 connections at rest live on")

    def test_killed_under_load(self):
        """Who was in the middle of something may be cut off, never answered wrong; who rested goes on."""
        self.begin(options="--preserve=always")
        resting = self.connect_all(64)
        self.expect_stored(64)
        kinds = [clients.losing(clients.Persistent)] * 16 + [clients.losing(clients.OneShot)] * 8
        with clients.asking(*kinds) as asking:
            for _ in range(KILLS):
                until(lambda: not sleeps(main_process()), "a daemon at work")
                kill()
                self.ask_all(resting)
                # Who has an answer is at rest once the daemon has noted it: its only thread did before it
                # answered somebody else.
                self.connect().close()
        losses = sum(len(client.losses) for client in asking)
        self.ask_all(resting)
        machine.report(f"{KILLS} kill -9 with --preserve=always under {len(asking)} clients: {losses} "
                       f"connections lost in the middle of something, none at rest; "
                       f"{clients.count_answers(asking)} answers right")

    def test_closes_what_is_half_answered(self):
        """A character is unfinished: nobody knows its first byte any more, and the client is told so."""
        self.begin(options="--preserve=always")
        resting, busy = self.connect(), self.connect()
        self.expect_stored(2)
        busy.sendall(b"abc\xc3")
        self.assertEqual(read_exactly(busy, 3), b"ABC")
        until(lambda: sleeps(main_process()), "a daemon with nothing to do")
        kill()
        with self.assertRaises(ConnectionResetError):
            busy.recv(1)
        self.ask_all([resting])
        self.expect_stored(1)
        until(lambda: "1 refused (damaged state 1)" in show(SERVICE, "StatusText"), "its count")

    def test_restarts(self):
        """A restart finds all connections in the store, busy ones with what they are in the middle of."""
        self.begin(options="--preserve=always")
        resting, busy = self.connect_all(16), self.connect()
        busy.sendall(b"\xc3")
        until(lambda: sleeps(main_process()), "a daemon with nothing to do")
        for _ in range(3):
            run("systemctl", "restart", SERVICE)
            self.ask_all(resting)
        busy.sendall(b"\xbc")
        self.assertEqual(read_exactly(busy, 2), b"\xc3\x9c")
        # The same connections by a process that stores none.
        self.begin(options="--preserve=restart")
        for _ in range(2):
            run("systemctl", "restart", SERVICE)
            self.ask_all([*resting, busy])
        self.assertEqual(show(SERVICE, "NFileDescriptorStore"), "0")
        # And back, to one that is killed.
        self.begin(options="--preserve=always")
        run("systemctl", "restart", SERVICE)
        self.expect_stored(17)
        until(lambda: sleeps(main_process()), "a daemon with nothing to do")
        kill()
        self.ask_all([*resting, busy])

    def test_never(self):
        """A restart lets connections end, and hands none over."""
        self.begin(options="--preserve=never --drain-timeout=100ms")
        connection = self.connect()
        run("systemctl", "restart", SERVICE)
        self.assertEqual(connection.recv(1), b"")
        self.assertEqual(show(SERVICE, "NFileDescriptorStore"), "0")
        self.connect()


if __name__ == "__main__":
    machine.main()
