# SPDX-License-Identifier: ISC
"""support: what the system tests share: the programs, processes that end with their test, sockets.

A test file is a unittest file that ends with support.main(). Waiting is always for an event (a line,
a notification, an answer, an exit), bounded by PATIENCE. Not its job: namespaces (alone), containers.
"""

import contextlib
import fcntl
import itertools
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

# Seconds that anything may take that should happen at once; sanitizers and valgrind need more.
PATIENCE = float(os.environ.get("TEST_PATIENCE", "60"))

# Sanitizers keep what is freed: how much memory a process has tells nothing.
MEMORY_IS_SHADOWED = bool(os.environ.get("TEST_MEMORY_IS_SHADOWED"))

# What sanitizers and valgrind say, and nobody else.
TROUBLE = r"Sanitizer:|runtime error:|==[0-9]+== "

# In a network and PID namespace of our own (the script `alone`).
ALONE = os.environ.get("TEST_ALONE") == "1"
needs_own_network = unittest.skipUnless(ALONE, "this machine gives no namespaces to a test")

TEXTBOOK = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "textbook")

# The sentence that shows most: "straße ﬁn ŉ ΐ", where every character that is no ASCII grows. Escaped,
# since the last answer looks like a composed letter and is three.
SENTENCE = "stra\u00dfe \ufb01n \u0149 \u0390"
ANSWER = "STRASSE FIN \u02bcN \u0399\u0308\u0301"


def program(name):
    """How to start one of the project's programs: the build's (meson.build), else the installed one."""
    path = shutil.which(name, path=os.environ.get("TEST_PROGRAMS"))
    if not path:
        raise FileNotFoundError(name + " is neither built nor installed")
    wrapper = shlex.split(os.environ.get("TEST_WRAPPER", ""))
    return [shutil.which(word) or word for word in wrapper[:1]] + wrapper[1:] + [path]


def textbook(name, *arguments):
    """How to start one of the textbook's programs."""
    return [sys.executable, os.path.join(TEXTBOOK, name), *map(str, arguments)]


def _list_ports():
    """Ports that the kernel chooses for nobody (ip(7), ip_local_port_range), from anywhere in turn."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as ports:
        first_chosen = int(ports.read().split()[0])
    candidates = range(2000, first_chosen) or range(2000, 1 << 16)
    return itertools.islice(itertools.cycle(candidates), os.getpid() % len(candidates), None)


_ports = _list_ports()


def free_port():
    """A port that nobody has, of TCP and UDP, and that nobody else is given or connects from."""
    for port in _ports:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as stream, \
             socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagram:
            with contextlib.suppress(OSError):
                stream.bind(("::", port))
                datagram.bind(("::", port))
                return port


def until(condition, what):
    """Waits where there is no event to wait for. Returns what condition() returned."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("in vain: " + what)
        time.sleep(0.01)
    return result


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def connect(host, port):
    """A connected TCP socket that sends at once what it is given."""
    connection = socket.create_connection((host, port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_exactly(connection, length):
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise AssertionError(f"closed after {len(data)} of {length} bytes: {data!r}")
        data += piece
    return data


def read_to_end(connection):
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def converse(connection, request):
    """Sends all of it, says so, and returns all that is answered."""
    with connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return read_to_end(connection)


def make_ipv6_sockets_single(test):
    """Until the test ends, those bound from now on don't take IPv4 unless they are told to (ipv6(7))."""
    def set_default(value):
        with open("/proc/sys/net/ipv6/bindv6only", "w") as setting:
            setting.write(value)
    set_default("1")
    test.addCleanup(set_default, "0")


def ask_datagram(host, port, request, source=None):
    """The answer to one datagram, from exactly the address that was asked (the socket is connected)."""
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE)
        if source:
            asking.bind(source)
        asking.connect((host, port))
        asking.send(request)
        return asking.recv(1 << 16)


def memory_peak(pid):
    """The most memory that a process had so far, in bytes (VmHWM, proc(5))."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


class Process:
    """A process that was started, the lines that it says, and what it notifies its supervisor of."""

    def __init__(self, argv, **options):
        self.lines = []
        self.notices = []
        self.changed = threading.Condition()
        self.popen = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      **{"stdin": subprocess.DEVNULL, **options})
        self.pid = self.popen.pid
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            with self.changed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def supervise(self, notify_socket):
        """Takes in what it sends there (sd_notify(3)), all of it: a full queue would block it."""
        def read():
            while message := notify_socket.recv(1 << 16):
                with self.changed:
                    self.notices += message.decode().splitlines()
                    self.changed.notify_all()
        reader = threading.Thread(target=read, daemon=True)
        reader.start()

        def end():
            notify_socket.shutdown(socket.SHUT_RD)
            reader.join()
            notify_socket.close()
        return end

    def output(self):
        return "\n".join(line for line in self.lines if line is not None)

    def _wait_for(self, pattern, lines, what):
        def look():
            found = next((line for line in lines if line and re.search(pattern, line)), None)
            return found or (self.lines and self.lines[-1] is None)
        with self.changed:
            found = self.changed.wait_for(look, PATIENCE)
        if not isinstance(found, str):
            raise AssertionError(f"no {what} {pattern!r} from {self.popen.args}:\n{self.output()}")
        return found

    def wait_for_line(self, pattern):
        """The first line that it said, or says, that matches."""
        return self._wait_for(pattern, self.lines, "line")

    def wait_for_notice(self, pattern):
        """The first notification, "READY=1" and the like, that matches."""
        return self._wait_for(pattern, self.notices, "notification")

    def wait(self):
        """Its exit status, once it has ended by itself."""
        status = self.popen.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return status

    def stop(self):
        """Asks it to end; its exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            with open(f"/proc/{self.pid}/stat") as stat, open(f"/proc/{self.pid}/wchan") as wchan:
                doing = stat.read() + wchan.read()
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"SIGTERM did not end {self.popen.args}, which is at\n{doing}\n"
                                 f"and said\n{self.output()}") from None

    def executable(self):
        with open(f"/proc/{self.pid}/comm") as comm:
            return comm.read().strip()


class SystemTest(unittest.TestCase):
    """A test whose processes and files end with it."""

    maxDiff = 2000

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="uppercase-test.")
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, *argv, env=None, **options):
        """Starts a process that is killed at the test's end if it still runs."""
        process = Process([str(word) for word in argv], env={**os.environ, **(env or {})}, **options)

        def end():
            if process.popen.poll() is None:
                process.popen.kill()
            process.popen.wait()
            process.reader.join()
            process.popen.stdout.close()
            self.assertNotRegex(process.output(), TROUBLE)
        self.addCleanup(end)
        return process

    def expect_clean_end(self, process):
        """At the test's end: SIGTERM ends it, well, and it has said nothing that looks like trouble."""
        def end():
            status = process.stop()
            self.assertEqual(status, 0, f"{process.popen.args} ended badly:\n{process.output()}")
        self.addCleanup(end)

    def start_daemon(self, *options, name="uppercased", env=None, prefix=()):
        """A daemon that is ready, started by the command prefix."""
        path = self.path(f"notify-{len(os.listdir(self.directory))}")
        notify_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify_socket.bind(path)
        process = self.start(*prefix, *program(name), *options,
                             env={"NOTIFY_SOCKET": path, **(env or {})})
        self.addCleanup(process.supervise(notify_socket))
        self.expect_clean_end(process)
        process.wait_for_notice("^READY=1$")
        return process

    def start_textbook_server(self, name, host, port):
        process = self.start(*textbook(name, host, port))
        process.wait_for_line("^Ready ")
        return process

    def start_activator(self, *arguments):
        """systemd-socket-activate, listening. It becomes the daemon at the first request, or with
        --accept starts a process for each, which all must have ended well when the test is over."""
        if not shutil.which("systemd-socket-activate"):
            self.skipTest("systemd-socket-activate is not installed")
        # It passes no variables on but those that are named: sanitizers need theirs.
        passed = [name for name in os.environ if re.match("(ASAN|UBSAN|LSAN)_OPTIONS$", name)]
        process = self.start("systemd-socket-activate", *(f"-E{name}" for name in passed), *arguments)
        process.wait_for_line("^Listening on ")

        def expect_clean_ends():
            def all_ended():
                started = len(re.findall("^Connection from ", process.output(), re.M))
                ended = re.findall(r"^Child \d+ died with code (\d+)", process.output(), re.M)
                return ended if len(ended) == started else None
            until(lambda: all_ended() is not None, "the end of every process")
            self.assertEqual(set(all_ended()) - {"0"}, set(), process.output())
        if "--accept" in arguments:
            self.addCleanup(expect_clean_ends)
        return process

    def run_program(self, argv, request=b"", timeout=PATIENCE, **options):
        """Runs it to its end: exit status, standard output, standard error (the latter as text)."""
        if isinstance(request, str):
            request = request.encode()
        done = subprocess.run([str(word) for word in argv], input=request, capture_output=True,
                              timeout=timeout, **options)
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def expect(self, argv, request, answer, **options):
        """It answers that, says nothing else, and exits with 0."""
        if isinstance(answer, str):
            answer = answer.encode()
        self.assertEqual(self.run_program(argv, request, **options), (0, answer, ""))

    def expect_error(self, argv, pattern, status, request=b"", **options):
        """It says one line on standard error that matches, nothing else, and exits with that status."""
        found, output, error = self.run_program(argv, request, **options)
        self.assertEqual((found, output), (status, b""), error)
        self.assertRegex(error, r"\A[^\n]*\n\Z")
        self.assertRegex(error, pattern)


def _flags_of(interface):
    """As netdevice(7) has them."""
    request = bytearray(struct.pack("16sh14x", interface, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8913, request)  # SIOCGIFFLAGS
    return struct.unpack("16sh14x", request)[1]


def raise_loopback():
    """ip link set lo up (netdevice(7)), where there may be no ip."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914,  # SIOCSIFFLAGS, IFF_UP
                    struct.pack("16sh14x", b"lo", _flags_of(b"lo") | 1))


def add_loopback_address(address):
    """ip -6 address add ADDRESS/128 dev lo, in a network of our own; it can be used on return."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8916,  # SIOCSIFADDR with struct in6_ifreq (ipv6(7), linux/ipv6.h)
                    struct.pack("=16sIi", socket.inet_pton(socket.AF_INET6, address), 128,
                                socket.if_nametoindex("lo")))

        def is_usable():
            with contextlib.suppress(OSError):
                any_socket.bind((address, 0))
                return True
        until(is_usable, f"address {address}")


def _attribute(kind, *values):
    """struct rtattr (rtnetlink(7)): one that holds a value, or others."""
    value = b"".join(values)
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _make(kind, *parts):
    """Has the kernel make something of a network of our own, by a message of rtnetlink(7)."""
    message = b"".join(parts)
    # NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL | NLM_F_CREATE
    message = struct.pack("=IHHII", 16 + len(message), kind, 0x605, 1, 0) + message
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(message)
        error = struct.unpack_from("=i", netlink.recv(1 << 16), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))


def add_local_network(network):
    """ip route add local NETWORK dev lo, in a network of our own: all its addresses are ours."""
    family = socket.AF_INET6 if network.version == 6 else socket.AF_INET
    _make(24,  # RTM_NEWROUTE; struct rtmsg, for the table local: RTPROT_STATIC, RT_SCOPE_HOST, RTN_LOCAL
          struct.pack("=8BI", family, network.prefixlen, 0, 0, 255, 4, 254, 2, 0),
          _attribute(1, network.network_address.packed),  # RTA_DST
          _attribute(4, struct.pack("=I", socket.if_nametoindex("lo"))))  # RTA_OIF


def add_silent_network(*interfaces):
    """A network (a pair of veth(4)) where we have these addresses, and nobody any other: whoever else is
    asked for there (arp(7)) does not answer."""
    def link(index=0, flags=0):
        return struct.pack("=BxHiII", 0, 0, index, flags, flags)  # struct ifinfomsg

    def name(text):
        return _attribute(3, text.encode() + b"\0")  # IFLA_IFNAME
    # RTM_NEWLINK; IFLA_LINKINFO of IFLA_INFO_KIND and IFLA_INFO_DATA, that of VETH_INFO_PEER
    peer = _attribute(1, link(), name("silence"))
    _make(16, link(), name("silent"), _attribute(18, _attribute(1, b"veth"), _attribute(2, peer)))
    for end in "silent", "silence":
        _make(19, link(socket.if_nametoindex(end), 1))  # RTM_SETLINK: IFF_UP
    # It runs (IFF_RUNNING) a little later, and until then its addresses come and go.
    until(lambda: _flags_of(b"silent") & 0x40, "the network")
    for interface in interfaces:
        address = interface.ip.packed
        family = socket.AF_INET6 if interface.version == 6 else socket.AF_INET
        _make(20,  # RTM_NEWADDR; struct ifaddrmsg: IFA_F_NODAD
              struct.pack("=4BI", family, interface.network.prefixlen, 2, 0, socket.if_nametoindex("silent")),
              _attribute(2, address), _attribute(1, address))  # IFA_LOCAL, IFA_ADDRESS


def main():
    """Runs the tests of the calling file. Exits 77 if every one of them was skipped."""
    if ALONE:
        raise_loopback()
    result = unittest.main(verbosity=2, exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun and len(result.skipped) == result.testsRun else 0)
