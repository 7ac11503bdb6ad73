# SPDX-License-Identifier: ISC
"""clients: what those who talk to a daemon do, the good ones and the others.

Each is a function of a daemon and of chance; it returns once its client is gone, and raises where an answer was
wrong or did not come. Not its job: how many there are at once (run).
"""

import contextlib
import os
import socket
import struct
import threading

import support

# Texts whose upper case is as old as Unicode is, short and long.
WORDS = ["hello world", "stra\u00dfe", "\ufb01n", "\u0390", "\u00e9t\u00e9", "\u4e2d\u6587", "\U0001f600", "x" * 700,
         "\u03b1\u03b2\u03b3" * 90, "The end.", "", "\u0149"]

# A message at most (--message-max), in bytes, and one that is too long.
MESSAGE_MAX = 65536

# Senders: this machine is all of 127.0.0.0/8.
def any_host(chance):
    return f"127.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"


def make_text(chance, words):
    return " ".join(chance.choice(WORDS) for _ in range(words))


def make_request(framing, chance, messages):
    """Messages in a row; their answers."""
    texts = [make_text(chance, chance.randrange(1, 12)) for _ in range(messages)]
    if framing == "length":
        frame = lambda text: struct.pack(">I", len(text.encode())) + text.encode()
    else:
        frame = lambda text: text.encode() + b"\n"
    return b"".join(map(frame, texts)), b"".join(frame(text.upper()) for text in texts)


def connect(daemon, chance):
    """Over TCP or AF_UNIX, with a small buffer at times."""
    if chance.random() < 0.25:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address = daemon.path
    else:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.bind((any_host(chance), 0))
        address = (any_host(chance), daemon.port)
    if chance.random() < 0.3:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(support.PATIENCE)
    connection.connect(address)
    return connection


def send_in_pieces(connection, request, chance):
    at = 0
    while at < len(request):
        length = chance.choice([1, 3, 100, 5000, 200000])
        connection.sendall(request[at:at + length])
        at += length


def expect(found, answer):
    if found != answer:
        at = next((i for i, (a, b) in enumerate(zip(found, answer)) if a != b), min(len(found), len(answer)))
        raise AssertionError(f"{len(found)} bytes of {len(answer)}, wrong at {at}: {found[at:at + 20]!r}")


# ─── the good ones ───

def good_stream(daemon, chance):
    """Sends and reads at the same time, ends in good order, gets all of its answer and no more."""
    request, answer = make_request(daemon.framing, chance, chance.choice([1, 5, 300]))
    with connect(daemon, chance) as connection:
        def send():
            with contextlib.suppress(OSError):  # seen as a missing answer
                send_in_pieces(connection, request, chance)
                connection.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            expect(support.read_to_end(connection), answer)
        finally:
            sender.join()


def good_turns(daemon, chance):
    """Waits for each answer before it goes on."""
    with connect(daemon, chance) as connection:
        for _ in range(chance.randrange(1, 30)):
            request, answer = make_request(daemon.framing, chance, 1)
            connection.sendall(request)
            expect(support.read_exactly(connection, len(answer)), answer)


def good_datagram(daemon, chance):
    """A datagram may be lost in a full buffer: asked again. Another answer than its own is none."""
    text = make_text(chance, chance.choice([0, 1, 20, 40]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind((any_host(chance), 0))
        asking.connect((any_host(chance), daemon.port))
        asking.settimeout(1)
        for _ in range(int(support.PATIENCE)):
            asking.send(text.encode())
            with contextlib.suppress(TimeoutError):
                expect(asking.recv(1 << 16), text.upper().encode())
                return
    raise AssertionError("no answer to a datagram")


def good_unix_datagram(daemon, chance):
    text = make_text(chance, chance.choice([0, 1, 20, 40]))
    path = f"{daemon.datagram_path}-{threading.get_ident()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        asking.bind(path)
        try:
            asking.settimeout(support.PATIENCE)
            asking.sendto(text.encode(), daemon.datagram_path)
            expect(asking.recv(1 << 18), text.upper().encode())
        finally:
            os.unlink(path)


# ─── the slow ones ───

def slow_stream(daemon, chance):
    """A byte now and then, and read as slowly."""
    request, answer = make_request(daemon.framing, chance, 1)
    while len(request) > 100:
        request, answer = make_request(daemon.framing, chance, 1)
    found = b""
    with connect(daemon, chance) as connection:
        for i in range(len(request)):
            connection.sendall(request[i:i + 1])
            pause(chance, 0.02)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(3):
            found += piece
            pause(chance, 0.01)
    expect(found, answer)


def pause(chance, seconds):
    threading.Event().wait(chance.random() * seconds)


def silent(daemon, chance):
    """Says nothing: the daemon's patience ends it."""
    with connect(daemon, chance) as connection:
        if chance.random() < 0.5:
            connection.sendall(b"\0")
        while connection.recv(100):
            pass


# ─── the others ───

def never_reads(daemon, chance):
    """Sends as much as is taken, and goes."""
    request, _ = make_request(daemon.framing, chance, 400)
    with connect(daemon, chance) as connection, contextlib.suppress(OSError):
        connection.settimeout(0.2)
        while True:
            connection.sendall(request)


def resets(daemon, chance):
    """A reset at any point."""
    request, _ = make_request(daemon.framing, chance, chance.choice([1, 50]))
    with connect(daemon, chance) as connection, contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.settimeout(1)
        connection.sendall(request[:chance.randrange(len(request) + 1)])
        if chance.random() < 0.5:
            connection.recv(chance.choice([1, 1000]))


def leaves_at_once(daemon, chance):
    """Ends before it has read anything, in one direction or both."""
    with connect(daemon, chance) as connection, contextlib.suppress(OSError):
        if chance.random() < 0.5:
            connection.sendall(os.urandom(chance.randrange(300)))
        connection.shutdown(chance.choice([socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR]))


def sends_garbage(daemon, chance):
    """Bytes without sense, a line without end, a header that lies: it gets an end."""
    garbage = chance.choice([
        chance.randbytes(chance.randrange(3000)), b"x" * (MESSAGE_MAX + 100), b"\xff\xff\xff\xff" * 100,
        struct.pack(">I", MESSAGE_MAX + 1) + b"y" * 1000, struct.pack(">I", 500) + b"z" * 100])
    with connect(daemon, chance) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass


def many_connections(daemon, chance):
    """More at once than most; some of them are refused when there are too many."""
    with contextlib.ExitStack() as stack, contextlib.suppress(ConnectionError):
        for _ in range(60):
            stack.enter_context(connect(daemon, chance))
        pause(chance, 0.5)


def floods_datagrams(daemon, chance):
    """From sources that want no answer, or are gone when it comes (ICMP)."""
    for _ in range(20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
            sender.bind((any_host(chance), 0))
            sender.sendto(chance.randbytes(chance.choice([0, 1, 50, 2000, 60000])), ("127.0.0.1", daemon.port))
    pause(chance, 0.1)


def pretends_to_be_a_server(daemon, chance):
    """From the daemon's own port, elsewhere: it must never be answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.bind((any_host(chance), daemon.own_port))
        sender.sendto(b"hello", ("127.0.0.1", chance.choice([daemon.port, daemon.own_port])))
        sender.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            raise AssertionError(f"answered {sender.recv(100)!r} to our own port")


def unnamed_datagrams(daemon, chance):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.settimeout(0.5)
        for _ in range(20):
            sender.sendto(chance.randbytes(chance.randrange(500)), daemon.datagram_path)


# What there is, and how many of them at a time for each daemon.
KINDS = {kind.__name__: (kind, number) for kind, number in [
    (good_stream, 2), (good_turns, 2), (good_datagram, 1), (good_unix_datagram, 1), (slow_stream, 2), (silent, 1),
    (never_reads, 1), (resets, 1), (leaves_at_once, 1), (sends_garbage, 1), (many_connections, 1),
    (floods_datagrams, 1), (pretends_to_be_a_server, 1), (unnamed_datagrams, 1)]}
