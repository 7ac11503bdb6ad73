# SPDX-License-Identifier: ISC
"""An idle daemon sleeps: with connections open on all kinds of sockets and two workers, strace sees no call
of it, or what the watchdog takes and no more.

Not its job: what idle connections cost in memory (test-memory.py), ending when idle (test-idle-exit.py).
"""

import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

import support
from support import connect, read_exactly, until

# How long nothing happens.
SECONDS = float(os.environ.get("TEST_IDLE_SECONDS", "2"))

WORKERS = 2
CONNECTIONS = 20  # on TCP, and as many on AF_UNIX

# The daemon reports four times in the time that it is given (server/watchdog.c).
WATCHDOG_USEC, TICKS_PER_SECOND = 2000000, 2


def timers(pid):
    """In how many seconds each of its timers goes off; 0: never (proc(5))."""
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with open(path) as info:
            if found := re.search(r"^it_value: \((\d+),", info.read(), re.M):
                yield int(found.group(1))


@unittest.skipIf(os.environ.get("TEST_WRAPPER"), "valgrind makes calls of its own")
@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class Idle(support.SystemTest):

    def serve(self, **env):
        """A daemon that has something to wait for everywhere, and has answered and told all."""
        port, path = support.free_port(), self.path("socket")
        self.daemon = self.start_daemon(
            f"--workers={WORKERS}", f"--listen-stream={port}", f"--listen-datagram={port}",
            f"--listen-stream={path}", f"--listen-datagram={path}-datagrams", env=env)
        for _ in range(CONNECTIONS):
            local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            local.connect(path)
            for connection in local, connect("127.0.0.1", port):
                self.addCleanup(connection.close)
                connection.sendall(b"hello")
                self.assertEqual(read_exactly(connection, 5), b"HELLO")
        self.assertEqual(support.ask_datagram("127.0.0.1", port, b"hello"), b"HELLO")
        self.daemon.wait_for_notice(f"^STATUS=.* {2 * CONNECTIONS} open.* {10 * CONNECTIONS + 5} out")

    def attach(self):
        """Attaches strace. That wakes each thread once, and it goes to sleep again."""
        self.log = self.path("strace")
        self.strace = self.start("strace", "-f", "-o", self.log, "-p", self.daemon.pid)
        said = self.strace.wait_for_line("attach")
        if "not permitted" in said:
            self.skipTest(said)
        until(self.sleeps, "all threads asleep")

    def calls(self):
        """(thread, call, what strace says of it), for each so far."""
        with open(self.log) as log:
            found = [re.match(r"(\d+) +(\w+)\((.*)", line) for line in log]
        return [match.groups() for match in found if match]

    def sleeps(self):
        """Is the last thing that each thread did to wait, without an end?"""
        last = {thread: (call, how) for thread, call, how in self.calls()}
        return len(last) == WORKERS and all(call == "epoll_wait" and re.fullmatch(r"\d+, +(<unfinished ...>)?", how)
                                            for call, how in last.values())

    def detach(self):
        calls = self.calls()
        self.strace.popen.send_signal(signal.SIGINT)
        self.strace.wait()
        return calls

    def test_without_a_watchdog(self):
        """No call at all."""
        self.serve()
        until(lambda: not any(0 < seconds < 60 for seconds in timers(self.daemon.pid)), "no timer to come")
        self.attach()
        before = len(self.calls())
        with self.assertRaises(subprocess.TimeoutExpired):
            self.strace.popen.wait(SECONDS)
        self.assertEqual(self.detach()[before:], [])

    def test_with_a_watchdog(self):
        """Each thread is woken once for each time that the manager hears of it."""
        self.serve(WATCHDOG_USEC=str(WATCHDOG_USEC))
        # Whatever else there was to tell is told a second later.
        self.wait_for_ticks(2 * TICKS_PER_SECOND)
        self.attach()
        # One for each end of the trace, which may have cut it.
        self.wait_for_ticks(2 + round(SECONDS * TICKS_PER_SECOND))
        calls = self.detach()
        main = [call for thread, call, _ in calls if thread == str(self.daemon.pid)]
        others = [call for thread, call, _ in calls if thread != str(self.daemon.pid)]

        # From one word to the manager to the next. Some versions of sd-event ask who they are.
        ticks = "".join(f" {call}" for call in main if call != "gettid").split("sendmsg")[1:-1]
        self.assertGreaterEqual(len(ticks), round(SECONDS * TICKS_PER_SECOND))
        # The timer is set and waited for, sd-event reads it, and the other worker is asked.
        self.assertEqual(set(ticks), {" timerfd_settime epoll_wait epoll_wait read write "})
        # The other wakes, reads what it is asked, and waits; it may be ahead by one.
        self.assertEqual(set(others), {"read", "epoll_wait"})
        self.assertLessEqual(others.count("read"), main.count("sendmsg") + 1)
        self.assertLessEqual(others.count("epoll_wait"), 1 + 2 * (main.count("sendmsg") + 1))

    def wait_for_ticks(self, count):
        with self.daemon.changed:
            wanted = self.daemon.notices.count("WATCHDOG=1") + count
            self.assertTrue(self.daemon.changed.wait_for(
                lambda: self.daemon.notices.count("WATCHDOG=1") >= wanted, support.PATIENCE + SECONDS))


if __name__ == "__main__":
    support.main()
