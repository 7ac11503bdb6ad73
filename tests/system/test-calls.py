# SPDX-License-Identifier: ISC
"""units/system-calls, kept right: every path of the programs under systemd is gone, and traced (strace).

A call that is made but not listed fails the test; so does one that is listed but never made, unless its
line says where else it is needed. The other container tests are stricter still, without a tracer: there
a call that is not listed ends the process (machine.STRICT).

Not its job: whether the filter stops anything (test-hardening.py).
"""

import glob
import os
import re
import shutil
import signal
import socket

import machine
import support
from machine import run, show
from support import connect, converse, read_exactly

TCP, UDP, HANDLER = "uppercase-tcp.service", "uppercase-udp.service", "uppercase-inetd@.service"
TRACES = "/run/calls"
STREAM, DATAGRAM = "/run/calls.stream", "/run/calls.datagram"
UDP_SEGMENT = 103

# The unit as it is but for the filter itself, and the program with its own process ID: strace -D is a
# grandchild, and outlives the signal that stops the program.
TRACED = """[Service]
SystemCallFilter=
BindReadOnlyPaths=/usr/bin/strace
BindPaths={traces}
ReadWritePaths={traces}
KillMode=mixed
Restart=no
ExecStart=
ExecStart=/usr/bin/strace -D -I never -qq -ff -o {traces}/{name} {command}
{more}
"""


def setUpModule():
    machine.install()


def listed(kind):
    """{call: the comment of its line} for a kind of program: "daemon" or "handler"."""
    calls = {}
    with open("/units/system-calls") as rows:
        for row in rows:
            words, _, comment = row.partition("#")
            who, _, names = words.partition(":")
            if who in ("all", kind):
                calls.update(dict.fromkeys(names.split(), comment.strip()))
    return calls


def traces(name):
    """All that was traced of a program so far, one call a line."""
    text = ""
    for path in glob.glob(f"{TRACES}/{name}.*"):
        with open(path, errors="replace") as trace:
            text += trace.read()
    return text


class Calls(machine.MachineTest):

    def setUp(self):
        super().setUp()
        os.mkdir(TRACES)
        os.chmod(TRACES, 0o777)
        self.drop_ins = []
        self.addCleanup(shutil.rmtree, TRACES)
        self.addCleanup(self.end_path)

    def end_path(self):
        self.stop_everything()
        for folder in self.drop_ins:
            shutil.rmtree(folder)
        self.drop_ins.clear()

    def drop_in(self, unit, text):
        folder = f"/run/systemd/system/{unit}.d"
        os.mkdir(folder)
        self.drop_ins.append(folder)
        with open(folder + "/calls.conf", "w") as file:
            file.write(text)

    def trace(self, service, command, service_lines="", socket_lines=""):
        """Begins a path: the socket is open, and who asks there is served under a tracer."""
        self.end_path()
        name = os.path.basename(command.split()[0])
        self.drop_in(service, TRACED.format(traces=TRACES, name=name, command=command, more=service_lines))
        opened = re.sub("@?.service$", ".socket", service)
        self.drop_in(opened, "[Socket]\n" + socket_lines)
        run("systemctl", "daemon-reload")
        run("systemctl", "start", opened)

    def see(self, name, pattern):
        support.until(lambda: re.search(pattern, traces(name)), f"{pattern} of {name}")

    def judge(self, name, kind):
        """What was called is what is listed."""
        made = set(re.findall(r"^(\w+)\(", traces(name), re.M))
        self.assertGreater(len(made), 20, "nothing was traced")
        always = set(run("systemd-analyze", "syscall-filter", "@default").split())
        calls = listed(kind)
        self.assertEqual(sorted(made - always - set(calls)), [], "called, but not in units/system-calls")
        unseen = set(calls) - made
        self.assertEqual(sorted(call for call in unseen if not calls[call].startswith("elsewhere:")), [],
                         "in units/system-calls, but never called")
        for why in sorted({calls[call] for call in unseen}):
            names = " ".join(sorted(call for call in unseen if calls[call] == why))
            print(f"{kind}: not called here: {names} ({why})")

    # The daemon's paths.

    def streams(self):
        """Served, refused and drained; with workers, over AF_UNIX too, watched, and asked how it goes."""
        self.trace(TCP, "/usr/sbin/uppercased --workers=3 --connections-max=8 --drain-timeout=100ms "
                   "--log-level=info --preserve=always",
                   "WatchdogSec=500ms", f"ListenStream={STREAM}")
        self.assertEqual(converse(connect("127.0.0.1", 12000), b"a" * 3000000), b"A" * 3000000)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(STREAM)
            self.assertEqual(converse(connection, b"local"), b"LOCAL")
        # Who has seen the end of its answer may have its place for a moment more.
        support.until(lambda: show(TCP, "StatusText").startswith("Connections: 0 open"), "places for all")
        open_ones = [connect("::1", 12000) for _ in range(8)]
        for connection in open_ones:
            self.addCleanup(connection.close)
            connection.sendall(b"abc")
            self.assertEqual(read_exactly(connection, 3), b"ABC")
        with connect("::1", 12000) as refused:
            self.assertEqual(refused.recv(1), b"")
        os.kill(int(show(TCP, "MainPID")), signal.SIGUSR1)
        self.see("uppercased", r"Connections: 8 o")
        run("systemctl", "reload", TCP)
        self.see("uppercased", "WATCHDOG=1")
        run("systemctl", "stop", TCP)

    def restart(self):
        """Connections in every state go through the store."""
        self.trace(TCP, "/usr/sbin/uppercased --framing=line --message-max=8M")
        with connect("127.0.0.1", 12000) as idle, connect("127.0.0.1", 12000) as cut, \
             connect("127.0.0.1", 12000) as slow:
            text = b"a" * 200 + b"\n"
            for connection in idle, cut:
                connection.sendall(b"abc\n")
                self.assertEqual(read_exactly(connection, 4), b"ABC\n")
            cut.sendall(b"abc")
            slow.setblocking(False)
            sent = 0
            try:
                while True:
                    sent += slow.send(text[sent % len(text):])
            except BlockingIOError:
                slow.setblocking(True)
            run("systemctl", "restart", TCP)
            self.assertEqual(converse(cut, b"def\n"), b"ABCDEF\n")
            self.assertEqual(len(converse(slow, b"")), sent)
            self.assertEqual(converse(idle, b"a" * 4000000 + b"\n"), b"A" * 4000000 + b"\n")

    def crowd(self):
        """Descriptors run out; then it is idle.

        Not with connections on their way to the store: what other containers' daemons, the same user to the
        kernel, have on theirs counts against that limit, too (ETOOMANYREFS of unix(7))."""
        self.trace(TCP, "/usr/sbin/uppercased --framing=line --exit-idle-time=200ms", "LimitNOFILE=32")
        crowd = [connect("127.0.0.1", 12000) for _ in range(40)]
        self.see("uppercased", r"(?m)^accept4\(.* EMFILE")
        for connection in crowd:
            self.assertEqual(converse(connection, b"abc\n"), b"ABC\n")
        support.until(lambda: show(TCP, "ActiveState") == "inactive", "the idle exit")

    def datagrams(self):
        """One, many at once, refused ones; over AF_UNIX, too."""
        self.trace(UDP, "/usr/sbin/uppercased --workers=auto --exit-idle-time=200ms", "",
                   f"ListenDatagram={DATAGRAM}\nSendBuffer=4K")
        for host in "127.0.0.1", "::1":
            self.assertEqual(support.ask_datagram(host, 12000, b"abc"), b"ABC")
            with socket.socket(support.family_of(host), socket.SOCK_DGRAM) as asking:
                asking.settimeout(support.PATIENCE)
                asking.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 100)
                asking.sendto(b"a" * 1000, (host, 12000))
                for _ in range(10):
                    self.assertEqual(asking.recv(2000), b"A" * 100)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            asking.bind("")
            asking.connect(DATAGRAM)
            asking.send(b"local")
            self.assertEqual(asking.recv(100), b"LOCAL")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:  # by a path that the service hasn't
            asking.bind(DATAGRAM + ".client")
            self.addCleanup(os.unlink, DATAGRAM + ".client")
            asking.sendto(b"local", DATAGRAM)
            self.see("uppercased", r"(?m)^connect\(.* ENOENT")
        run("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "2mbit", "burst", "4k", "limit", "1m")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:  # so many that answers have to wait
            for _ in range(30):
                asking.sendto(b"a" * 1000, ("127.0.0.1", 12000))
            self.see("uppercased", r"(?m)^poll\(")
        run("tc", "qdisc", "del", "dev", "lo", "root")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind(("127.0.0.1", 1023))
            asking.sendto(b"from a privileged port", ("127.0.0.1", 12000))
        support.until(lambda: show(UDP, "ActiveState") == "inactive", "the idle exit")

    def failure(self):
        """What a bad command line says can be read."""
        self.trace(UDP, "/usr/sbin/uppercased --workers=none")
        run("systemctl", "start", UDP, check=False)
        self.see("uppercased", r"(?m)^write\(2, .*workers")

    def test_daemon(self):
        for path in self.streams, self.restart, self.crowd, self.datagrams, self.failure:
            with self.subTest(path.__name__):
                path()
        self.judge("uppercased", "daemon")

    # The handler's paths.

    def conversations(self):
        self.trace(HANDLER, "/usr/bin/uppercase --framing=line --message-max=8M")
        for host in "127.0.0.1", "::1":
            self.assertEqual(converse(connect(host, 12000), b"a" * 4000000 + b"\n"), b"A" * 4000000 + b"\n")

    def partings(self):
        """A client that stays after the end, and one that is told why it is over."""
        self.trace(HANDLER, "/usr/bin/uppercase --framing=line --once --message-max=4")
        with connect("127.0.0.1", 12000) as staying:
            staying.sendall(b"abc\n")
            self.assertEqual(support.read_to_end(staying), b"ABC\n")
            self.see("uppercase", r"(?m)^poll\(")
        with connect("127.0.0.1", 12000) as failing:
            failing.sendall(b"longer\n")
            self.assertEqual(support.read_to_end(failing), b"")
        self.see("uppercase", r"(?m)^write\(2, .*longer than")

    def test_handler(self):
        for path in self.conversations, self.partings:
            with self.subTest(path.__name__):
                path()
        self.judge("uppercase", "handler")


if __name__ == "__main__":
    machine.main()
