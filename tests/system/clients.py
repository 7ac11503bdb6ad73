# SPDX-License-Identifier: ISC
"""clients: who asks the daemon while something happens to it, checks every byte, and keeps count.

A client is a thread that asks until it is told to stop, or until something is wrong, which it
remembers. Not its job: what happens meanwhile, and what may be lost by it (the tests).
"""

import contextlib
import errno
import random
import socket
import threading
import time

import support
from support import connect

HOST, PORT = "127.0.0.1", 12000

# How a connection tells that its other end is gone.
GONE = errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN


class Lost(Exception):
    """The connection ended before the answer did; what came of it was right."""


def ask(connection, request, whole=False):
    """Asks and checks the answer; if that is the whole conversation, its end, too."""
    wanted, got, ended = request.upper(), b"", False
    try:
        connection.sendall(request)
        if whole:
            connection.shutdown(socket.SHUT_WR)
        while not ended and (whole or len(got) < len(wanted)):
            piece = connection.recv(1 << 16)
            got += piece
            ended = not piece
    except OSError as error:
        if error.errno not in GONE:
            raise
    if not wanted.startswith(got):
        raise AssertionError(f"{got!r} to {request!r}")
    if len(got) < len(wanted) or (whole and not ended):
        raise Lost(f"after {len(got)} of {len(wanted)} bytes")


class Client(threading.Thread):

    def __init__(self, stop):
        super().__init__()
        self.stop, self.answers, self.failure = stop, 0, None

    def run(self):
        try:
            while not self.stop.is_set():
                self.converse()
        except (OSError, AssertionError, Lost) as failure:
            self.failure = failure

    def request(self):
        return b"abc%d" % self.answers * random.randint(1, 2000)

    def answered(self):
        self.answers += 1


class Persistent(Client):
    """One connection for all its life."""

    def converse(self):
        with connect(HOST, PORT) as connection:
            while not self.stop.is_set():
                ask(connection, self.request())
                self.answered()


class OneShot(Client):
    """A connection for each request."""

    def converse(self):
        with connect(HOST, PORT) as connection:
            ask(connection, self.request(), whole=True)
        self.answered()


class Datagrams(Client):
    """A datagram for each request, sent once."""

    def converse(self):
        request = b"datagram %d" % self.answers
        answer = support.ask_datagram(HOST, PORT, request)
        if answer != request.upper():
            raise AssertionError(f"{answer!r} to {request!r}")
        self.answered()


def losing(kind):
    """A client of that kind that goes on after a loss, and remembers when what was lost began and ended."""
    class Losing(kind):
        def __init__(self, stop):
            super().__init__(stop)
            self.losses = []

        def converse(self):
            begin = time.monotonic()
            try:
                super().converse()
            except Lost:
                self.losses.append((begin, time.monotonic()))
    return Losing


@contextlib.contextmanager
def asking(*kinds):
    """Clients, one of each of the kinds, that ask while the block runs. None of them may have failed."""
    stop = threading.Event()
    clients = [kind(stop) for kind in kinds]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        stop.set()
        for client in clients:
            client.join()
    failures = [repr(client.failure) for client in clients if client.failure]
    if failures:
        raise AssertionError(f"{len(failures)} of {len(clients)} clients failed: {failures[:3]}")


def count_answers(clients):
    return sum(client.answers for client in clients)
