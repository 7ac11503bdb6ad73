# SPDX-License-Identifier: ISC
"""systemctl stop in the middle of a large transfer: answered up to the drain timeout, and no longer."""

import socket
import subprocess
import threading
import time

import machine
import support
from machine import run, show
from support import SENTENCE, connect, converse

SERVICE, SOCKET = "uppercase-tcp.service", "uppercase-tcp.socket"

BLOCK = (SENTENCE * 20 + "the quick brown fox\n" * 2000).encode()
ANSWER = BLOCK.decode().upper().encode()

# The blocks of a transfer.
COUNT = (machine.count("LARGE", 1024) << 20) // len(BLOCK)


def setUpModule():
    machine.install()


class Transfer:
    """A client that sends block after block, and checks the answers as they are read."""

    def __init__(self, count):
        self.connection = connect("127.0.0.1", 12000)
        self.received, self.expected = 0, count * len(ANSWER)
        self.sender = threading.Thread(target=self.send, args=(count,))
        self.sender.start()

    def send(self, count):
        try:
            for _ in range(count):
                self.connection.sendall(BLOCK)
            self.connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # what it means is the reader's to say

    def read(self):
        """A piece of the right answer, or False at the end of it or of the connection."""
        try:
            piece = self.connection.recv(len(ANSWER) // 2)
        except ConnectionResetError:
            piece = b""
        at = self.received % len(ANSWER)
        if piece != (ANSWER + ANSWER)[at:at + len(piece)]:
            raise AssertionError(f"a wrong answer behind {self.received} bytes")
        self.received += len(piece)
        return bool(piece)

    def close(self):
        self.sender.join()
        self.connection.close()


class Stop(machine.MachineTest):

    def begin(self, drain_timeout, count):
        """A transfer that is a quarter done, or endless, and a stop that has begun."""
        self.configure(SERVICE, "[Service]", "ExecStart=",
                       f"ExecStart=/usr/sbin/uppercased --drain-timeout={drain_timeout}")
        run("systemctl", "start", SOCKET)
        transfer = Transfer(count)
        self.addCleanup(transfer.close)
        while transfer.received < COUNT * len(ANSWER) // 4:
            self.assertTrue(transfer.read())
        begin = time.monotonic()
        stop = subprocess.Popen(["systemctl", "--quiet", "stop", SERVICE])
        self.addCleanup(stop.wait)
        support.until(lambda: show(SERVICE, "ActiveState") == "deactivating", "the begin of the stop")
        return transfer, stop, begin

    def test_drains_to_the_end(self):
        transfer, stop, _ = self.begin("1min", COUNT)
        late = connect("127.0.0.1", 12000)
        before = transfer.received
        while transfer.read():
            pass
        self.assertEqual(transfer.received, transfer.expected)
        self.assertEqual(stop.wait(support.PATIENCE), 0)
        self.assertEqual(show(SERVICE, "Result"), "success")
        self.assertEqual(converse(late, b"late"), b"LATE", "who came meanwhile has the next process")
        machine.report(f"stop after {before >> 20} of {transfer.expected >> 20} MiB of answers: "
                       "all came, and the stop ended with them")

    def test_ends_at_the_drain_timeout(self):
        # Never done by itself.
        transfer, stop, begin = self.begin("1s", 1 << 40)
        before = transfer.received
        while transfer.read():
            pass
        self.assertEqual(stop.wait(support.PATIENCE), 0)
        took = time.monotonic() - begin
        self.assertGreater(transfer.received, before, "answers while it drains")
        self.assertGreaterEqual(took, 1)
        self.assertLess(took, 10)
        self.assertEqual(show(SERVICE, "Result"), "success")
        machine.report(f"stop of an endless transfer with a drain timeout of 1 s: {took:.1f} s, "
                       f"{(transfer.received - before) >> 20} MiB of answers meanwhile, all right")


if __name__ == "__main__":
    machine.main()
