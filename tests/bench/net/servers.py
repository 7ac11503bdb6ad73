# SPDX-License-Identifier: ISC
"""servers: who takes part, how each is built, and how it is started."""

import dataclasses
import getpass
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import processes

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE.parent / "peers"
ROOT = HERE.parent.parent.parent
# Vector code on purpose: what a distribution's -O2 leaves scalar would only make peers look bad.
# Hardened as the daemon is, and as distributions build what is compared.
CFLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-O3", "-Wall", "-Wextra", "-fstack-protector-strong",
          "-fstack-clash-protection", "-Wl,-z,relro", "-Wl,-z,now"]
START_SECONDS = 10
SERVER_CORE = 0


@dataclasses.dataclass
class Server:
    name: str
    command: object  # function: context, kind, address -> arguments
    kinds: tuple = ("tcp", "unix", "udp")
    answers: str = "ascii"  # what it makes of a text: ascii, unicode, copy
    source: str = ""  # in PEERS, to be built
    flags: tuple = ()
    libraries: tuple = ()
    needs: str = ""  # a program without which it can't take part
    process_each: bool = False  # a process for each connection
    cores: tuple = (SERVER_CORE,)  # where it runs: the others' core, unless more is the point
    works: tuple = ()  # takes part in these only


class Context:
    """Where things are built, and our programs."""

    def __init__(self, folder, programs, baseline=None):
        self.folder = pathlib.Path(folder)
        self.programs = pathlib.Path(programs)
        self.baseline = pathlib.Path(baseline) if baseline else None

    def built(self, name):
        return str(self.folder / name)


def role(kind):
    return "datagram" if kind == "udp" else "stream"


def daemon(folder, kind, address):
    where = address if kind == "unix" else f"127.0.0.1:{address}"
    return [str(folder / "uppercased"), f"--listen-{role(kind)}={where}"]


def ours(context, kind, address):
    return daemon(context.programs, kind, address)


def with_workers(context, kind, address):
    return [*ours(context, kind, address), "--workers=2"]


def sharded(context, kind, address):
    """A socket for each worker, as a unit with ReusePort= and two of them hands over."""
    return [sys.executable, str(HERE / "hand-over.py"), role(kind), address, "2",
            str(context.programs / "uppercased"), "--workers=2"]


def wildcard(context, kind, address):
    """Dual-stack on all addresses, as units listen that name a port only."""
    return [str(context.programs / "uppercased"), f"--listen-{role(kind)}={address}"]


def baseline(context, kind, address):
    return daemon(context.baseline, kind, address)


def built(name):
    return lambda context, kind, address: [context.built(name), address]


def built_with_role(name):
    return lambda context, kind, address: [context.built(name), role(kind), address]


def script(interpreter, *arguments):
    *options, name = arguments
    return lambda context, kind, address: [
        shutil.which(interpreter), *options, str(PEERS / name), role(kind), address]


def xinetd(context, kind, address):
    configuration = context.folder / f"xinetd-{address}.conf"
    configuration.write_text(f"""service bench
{{
        type = UNLISTED
        socket_type = stream
        protocol = tcp
        bind = 127.0.0.1
        port = {address}
        wait = no
        user = {getpass.getuser()}
        server = {context.built("filter")}
        instances = UNLIMITED
        per_source = UNLIMITED
        cps = 1000000 1
}}
""")
    return [shutil.which("xinetd"), "-dontfork", "-filelog", "/dev/null", "-f",
            str(configuration)]


def inetd(program, arguments=""):
    """openbsd-inetd with the C filter, or with a handler of ours."""
    def command(context, kind, address):
        path = str(context.programs / program) if program == "uppercase" else context.built(program)
        configuration = context.folder / f"inetd-{address}.conf"
        configuration.write_text(f"127.0.0.1:{address} stream tcp nowait.1000000 "
                                 f"{getpass.getuser()} {path} {program} {arguments}\n")
        return [shutil.which("inetd"), "-i", "-q", "4096", "-R", "1000000", str(configuration)]
    return command


WORKERS_WORKS = ("tcp-64", "tcp-1000", "udp-clients")

SERVERS = [
    Server("bare epoll", built("bare-epoll"), ("tcp", "unix"), source="bare-epoll.c"),
    Server("bare epoll that copies", built("copy-epoll"), ("bulk-tcp", "bulk-unix"), "copy",
           source="bare-epoll.c", flags=("-DCOPY",)),
    Server("bare epoll that echoes", built("echo-epoll"), ("bulk-tcp", "bulk-unix"), "copy",
           source="bare-epoll.c", flags=("-DECHO",)),
    Server("recvfrom/sendto", built("plain-udp"), ("udp",), source="plain-udp.c"),
    Server("uppercased", ours, answers="unicode"),
    Server("uppercased with 2 workers", with_workers, ("tcp", "udp"), "unicode",
           works=WORKERS_WORKS),
    Server("uppercased with 2 workers on both cores", with_workers, ("tcp", "udp"), "unicode",
           cores=(0, 1), works=WORKERS_WORKS),
    Server("uppercased with 2 sharded workers on both cores", sharded, ("tcp", "udp"),
           "unicode", cores=(0, 1), works=("tcp-64", "udp-clients")),
    Server("uppercased on the dual stack", wildcard, ("tcp", "udp"), "unicode",
           works=("tcp-1", "tcp-64", "udp-32", "udp-clients")),
    Server("baseline", baseline, answers="unicode"),
    Server("libuv", built_with_role("libuv"), source="libuv.c", libraries=("-luv",)),
    Server("libevent", built_with_role("libevent"), source="libevent.c",
           libraries=("-levent_core",)),
    Server("io_uring", built_with_role("io_uring"), source="io_uring.c", libraries=("-luring",)),
    Server("Go", built_with_role("go"), source="go.go", needs="go"),
    Server("node", script("node", "--single-threaded", "node.js"), needs="node"),
    Server("Python threads", script("python3", "python-threads.py")),
    Server("xinetd + C filter", xinetd, ("tcp",), needs="xinetd", source="filter.c",
           process_each=True),
    Server("openbsd-inetd + C filter", inetd("filter"), ("tcp",), needs="inetd",
           source="filter.c", process_each=True),
    Server("openbsd-inetd + uppercase", inetd("uppercase"), ("tcp",), "unicode", needs="inetd",
           process_each=True),
]


def compile_one(context, server):
    """Builds a peer. Returns None, or why there is none."""
    source = PEERS / server.source
    target = context.built(source.stem)
    if source.suffix == ".go":
        command = ["go", "build", "-o", target, str(source)]
    else:
        if server.flags:
            target = server.command(context, "tcp", "")[0]
        command = ["cc", *CFLAGS, *server.flags, "-o", target, str(source), *server.libraries]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        lines = [l for l in done.stderr.splitlines() if "error" in l] or done.stderr.splitlines()
        return f"does not build: {lines[0] if lines else command[0]}"
    return None


def why_missing(context, server):
    """Builds what is to be built. Returns None, or why the server can't take part."""
    if server.needs and not shutil.which(server.needs):
        return f"no {server.needs} in PATH"
    if server.source:
        return compile_one(context, server)
    if server.name == "baseline":
        return None if context.baseline else "no --baseline"
    if "uppercase" in server.name and not (context.programs / "uppercased").exists():
        return f"no uppercased in {context.programs.name}"
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def answers(kind, address):
    """Whether somebody is there already."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    where = address if kind == "unix" else ("127.0.0.1", int(address))
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as probe:
        probe.settimeout(0.1)
        try:
            probe.connect(where)
            probe.send(b"probe")
            return len(probe.recv(100)) > 0
        except OSError:
            return False


class Running:
    """A started server, to be used in a with statement."""

    def __init__(self, context, server, kind):
        self.kind = kind
        self.address = str(context.folder / "socket") if kind == "unix" else free_port()
        if kind == "unix":
            pathlib.Path(self.address).unlink(missing_ok=True)
        command = server.command(context, kind, self.address)
        self.log = open(context.folder / "server.log", "ab")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=lambda: processes.take_cores(server.cores))

    def __enter__(self):
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.kind, self.address):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError("does not start")
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        if self.kind == "unix":
            pathlib.Path(self.address).unlink(missing_ok=True)
