# SPDX-License-Identifier: ISC
"""An idle daemon sleeps: with connections open on all kinds of sockets and two workers, strace sees no call
of it, or what the watchdog takes and no more.

Not its job: what idle connections cost in memory (test-memory.py), ending when idle (test-idle-exit.py).
"""

import collections
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
        until(self.calls_when_asleep, "all threads asleep")

    def calls(self):
        """(thread, what strace says of a call that it made), for each."""
        with open(self.log) as log:
            lines = [line.split(maxsplit=1) for line in log]
        return [(thread, call) for thread, call in lines if re.match(r"\w+\(", call)]

    def calls_when_asleep(self):
        """All calls so far, if the last thing that each thread did is to wait without an end, and whoever was
        woken by a word has read it; else None."""
        calls = self.calls()
        last, names = dict(calls), collections.Counter(call.split("(")[0] for _, call in calls)
        is_asleep = len(last) == WORKERS and names["read"] == names["sendmsg"] * WORKERS and all(
            re.fullmatch(r"epoll_wait\(\d+, +(<unfinished ...>\s*)?", call) for call in last.values())
        return calls if is_asleep else None

    def detach(self):
        """How often each thread went to sleep since it was disturbed, and how often which calls were made
        besides."""
        calls = until(self.calls_when_asleep, "all threads asleep")
        self.strace.popen.send_signal(signal.SIGINT)
        self.strace.wait()
        # A wait of no time is a question.
        sleeps = [thread for thread, call in calls if re.match(r"epoll_wait(?!.*, 0\) += )", call)]
        others = [call.split("(")[0] for _, call in calls if not call.startswith("epoll_wait(")]
        return {thread: count - 1 for thread, count in collections.Counter(sleeps).items()}, \
            collections.Counter(others)

    def test_without_a_watchdog(self):
        """No call at all."""
        self.serve()
        until(lambda: not any(0 < seconds < 60 for seconds in timers(self.daemon.pid)), "no timer to come")
        self.attach()
        with self.assertRaises(subprocess.TimeoutExpired):
            self.strace.popen.wait(SECONDS)
        sleeps, others = self.detach()
        self.assertEqual(set(sleeps.values()), {0}, sleeps)
        self.assertEqual(others, {})

    def test_with_a_watchdog(self):
        """Each thread is woken once for each time that the manager hears of it."""
        self.serve(WATCHDOG_USEC=str(WATCHDOG_USEC))
        # Whatever else there was to tell is told a second later.
        self.wait_for_ticks(2 * TICKS_PER_SECOND)
        self.attach()
        self.wait_for_ticks(round(SECONDS * TICKS_PER_SECOND))
        sleeps, others = self.detach()
        ticks = others["sendmsg"]
        self.assertGreaterEqual(ticks, round(SECONDS * TICKS_PER_SECOND))
        self.assertEqual(set(sleeps.values()), {ticks}, sleeps)
        # The timer is read and set, each other worker asked, and some versions of sd-event ask who they are.
        del others["gettid"]
        self.assertEqual(others, {"read": ticks * WORKERS, "write": ticks * (WORKERS - 1),
                                  "sendmsg": ticks, "timerfd_settime": ticks})

    def wait_for_ticks(self, count):
        with self.daemon.changed:
            wanted = self.daemon.notices.count("WATCHDOG=1") + count
            self.assertTrue(self.daemon.changed.wait_for(
                lambda: self.daemon.notices.count("WATCHDOG=1") >= wanted, support.PATIENCE + SECONDS))


if __name__ == "__main__":
    support.main()
