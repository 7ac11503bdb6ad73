# SPDX-License-Identifier: ISC
"""works: what the servers are made to do, and what of it is compared with whom."""

import contextlib
import dataclasses
import json
import subprocess
import time

import processes
from servers import SERVER_CORE, Running, role

LOAD_CORE = 1
WARM_UP_SECONDS = 0.2
IDLE_SECONDS = 5


@dataclasses.dataclass
class Work:
    name: str
    title: str
    kind: str  # tcp, unix, udp
    load: str  # the generator
    arguments: tuple = ()  # what it is called with, behind the server and the texts
    text: str = "english"
    reference: str = "bare epoll"
    bulk: bool = False
    crowd: bool = False  # nothing to ask a server with a process for each connection for
    measure: object = None  # function: how it is measured, if not by asking for a while
    pairs: bool = False  # no more than two servers of it find room beside each other

    def takes(self, server):
        kinds = (self.kind, f"bulk-{self.kind}") if self.bulk else (self.kind,)
        if server.works and self.name not in server.works:
            return False
        return bool(set(kinds) & set(server.kinds)) and not (self.crowd and server.process_each)


class Load:
    """A generator that is connected and waits for orders."""

    def __init__(self, context, work, server, running):
        texts = []
        if work.load != "datagram":
            texts = [context.built(f"{work.text}.request"),
                     context.built(f"{work.text}.{server.answers}")]
        self.process = subprocess.Popen(
            [context.built(work.load), running.address, *texts, *map(str, work.arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: processes.take_cores([LOAD_CORE]))
        self.expect()

    def expect(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read().strip() or "load generator ended")
        return line

    def run(self, seconds):
        self.process.stdin.write(f"run {seconds}\n")
        self.process.stdin.flush()
        return json.loads(self.expect())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@contextlib.contextmanager
def asked(context, work, server):
    """A server and its load, connected and warm. Yields a function that measures for so many seconds:
    answers a second, latency, the server's CPU for each; and what others took of the cores."""
    with Running(context, server, work.kind) as running, \
            Load(context, work, server, running) as load:
        pid = running.process.pid

        def measure(seconds):
            cores = processes.busy(SERVER_CORE) + processes.busy(LOAD_CORE)
            cpu, load_cpu = processes.cpu(pid), processes.cpu(load.process.pid)
            figures = load.run(seconds)
            cpu, load_cpu = processes.cpu(pid) - cpu, processes.cpu(load.process.pid) - load_cpu
            cores = processes.busy(SERVER_CORE) + processes.busy(LOAD_CORE) - cores
            done = figures["bytes"] / 1e6 if work.bulk else figures["answers"]
            asked_for = figures["answers"] + figures["lost"]
            return {
                "rate": done / figures["seconds"],
                "p50": figures["p50"],
                "p99": figures["p99"],
                "cpu": cpu / done if done else None,
                "lost": figures["lost"] / asked_for if asked_for else 0,
                "others": max(0, cores - cpu - load_cpu) / figures["seconds"],
            }

        load.run(WARM_UP_SECONDS)
        yield measure


def measure_idle(context, work, server):
    """Memory for each connection that is open and silent, and in all; waking up beside them."""
    with Running(context, server, work.kind) as running:
        pid = running.process.pid
        before = processes.pss(pid)
        with Load(context, work, server, running) as load:
            load.run(0)
            held = processes.pss(pid)
            switches = processes.switches(pid)
            time.sleep(IDLE_SECONDS)
            switches = processes.switches(pid) - switches
    return {
        "connection_bytes": (held - before) / work.arguments[1],
        "pss": held,
        "wakeups": switches / IDLE_SECONDS,
    }


def ping_pong(name, title, kind, connections, in_flight=1, stuck=0, **more):
    return Work(name, title, kind, "ping-pong",
                (role(kind), connections, 32, in_flight, stuck), **more)


def bulk(name, title, kind, text):
    return Work(name, title, kind, "bulk", text=text, bulk=True, reference="bare epoll that copies")


def udp(name, title, size, outstanding, rate=0, segments=1):
    return Work(name, title, "udp", "datagram", (size, outstanding, rate, segments),
                reference="recvfrom/sendto")


def idle(name, title, connections, **more):
    return ping_pong(name, title, "tcp", connections, measure=measure_idle, **more)


WORKS = [
    ping_pong("tcp-1", "TCP ping-pong, 32 bytes, 1 connection", "tcp", 1),
    ping_pong("tcp-64", "TCP ping-pong, 64 connections", "tcp", 64),
    ping_pong("tcp-1000", "TCP ping-pong, 1,000 connections", "tcp", 1000, crowd=True),
    ping_pong("tcp-64x16", "TCP, 16 in flight on each of 64", "tcp", 64, in_flight=16,
              crowd=True),
    Work("tcp-each", "TCP, a connection for each request, 16 at a time", "tcp", "each", (16, 32)),
    ping_pong("tcp-stuck", "TCP ping-pong, 64 connections beside 100 that never read", "tcp", 64,
              stuck=100, crowd=True, pairs=True),
    bulk("tcp-bulk-english", "TCP bulk, both directions, English", "tcp", "english"),
    bulk("tcp-bulk-greek", "TCP bulk, both directions, Greek", "tcp", "greek"),
    ping_pong("unix-64", "AF_UNIX stream ping-pong, 64 connections", "unix", 64),
    bulk("unix-bulk", "AF_UNIX bulk, both directions, English", "unix", "english"),
    udp("udp-32", "UDP, 32 bytes, 64 outstanding", 32, 64),
    udp("udp-512", "UDP, 512 bytes, 64 outstanding", 512, 64),
    udp("udp-1400", "UDP, 1,400 bytes, 64 outstanding", 1400, 64),
    ping_pong("udp-clients", "UDP, 32 bytes, 64 clients with one outstanding each", "udp", 64,
              reference="recvfrom/sendto"),
    udp("udp-paced", "UDP, 32 bytes, 250,000 a second", 32, 64, rate=250000),
    udp("udp-gso", "UDP, 1,400 bytes, 64 outstanding in 2 buffers (UDP_SEGMENT)", 1400, 64,
        segments=32),
    idle("idle", "100 idle connections", 100),
    idle("idle-10000", "10,000 idle connections", 10000, crowd=True),
]
