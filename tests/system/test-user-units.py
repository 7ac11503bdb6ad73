# SPDX-License-Identifier: ISC
"""The same sockets and services under a user's own systemd, without any privilege."""

import os
import socket

import machine
import probes
import support
from machine import run, show
from support import ANSWER, SENTENCE, program

USER, IDENTITY, GROUP = "tester", "3210", "3211"
HOME = "/home/" + USER
OWN_GROUP = f"/sys/fs/cgroup/user.slice/user-{IDENTITY}.slice/user@{IDENTITY}.service/probe"

# A line of the user's units, what it forbids, and how. A user namespace is what most of them take.
HELD = {
    "NoNewPrivileges": (f"become-root={probes.ROOT_COPY}", "EPERM"),
    "CapabilityBoundingSet": (f"become-root={probes.ROOT_COPY}", "EPERM"),
    "PrivateUsers": ("chown=" + GROUP, "EINVAL"),
    "RestrictSUIDSGID": ("set-id", "EPERM"),
    "KeyringMode": ("key=_uid." + IDENTITY, "ENOKEY"),
    "UMask": (f"share={HOME}/probe", "EACCES"),
    "ProtectSystem": ("create=/var/tmp/probe", "EROFS"),
    "ProtectHome": (f"read={HOME}/secret", "ENOENT|EACCES"),
    "PrivateTmp": ("read=/tmp/secret", "ENOENT"),
    "PrivateDevices": ("read=/dev/secret", "ENOENT"),
    "PrivateNetwork": ("connect=12345", "ECONNREFUSED"),
    "RestrictAddressFamilies": ("socket", "EAFNOSUPPORT"),
    "SystemCallArchitectures": ("foreign-call", "signal 31"),
    "SystemCallErrorNumber": ("other-call", "ENOSYS"),
    "SystemCallFilter": ("other-call", "ENOSYS"),
    "ProtectKernelModules": ("read=/usr/lib/modules/secret", "ENOENT|EACCES"),
    "ProtectControlGroups": ("mkdir=" + OWN_GROUP, "EROFS"),
    "ProtectClock": ("clock", "EPERM"),
    "PrivateIPC": ("segment=1", "ENOENT"),
    "RestrictNamespaces": ("namespace", "EPERM"),
    "LockPersonality": ("personality", "EPERM"),
    "MemoryDenyWriteExecute": ("write-and-execute", "EPERM|EACCES"),
}

# A user may not do that anyway.
ANYWAY = {
    "ProtectKernelTunables": "write=/proc/sys/net/ipv4/ip_forward",
    "ProtectHostname": "hostname",
    "RestrictRealtime": "realtime",
}

# Not for the system's manager alone, and shown there (test-hardening.py).
LIMITS = {"LimitNOFILE", "TasksMax", "MemoryMax"}

# What gives: the manager's socket, below a folder that is hidden with the homes.
GIVES = {"BindReadOnlyPaths"}

# What the system's units say and these do not, since a user's manager refuses it or passes over it.
NOT_FOR_USERS = {
    "DynamicUser": "segment=1",
    "RootDirectory": "",  # would be a folder that root makes, and hide the manager's own sockets
    "BindReadOnlyPaths": "",
    "DevicePolicy": "read=/dev/other",
    "ProtectProc": "read=/proc/1/status",
    "ProcSubset": "read=/proc/meminfo",
    "IPAddressDeny": "send=12345",
    "ProtectKernelLogs": "",  # refused where there is no /proc/kmsg, as in containers
    "RemoveIPC": "leave=2",
}


def setUpModule():
    machine.install()
    run("groupadd", "--gid", GROUP, "crew")
    run("useradd", "--create-home", "--uid", IDENTITY, "--groups", "crew", USER)
    run("systemctl", "start", f"user@{IDENTITY}.service")
    probes.prepare()
    with open(HOME + "/secret", "w"):
        pass


class UserUnits(machine.MachineTest):

    def systemctl(self, *arguments):
        return run("systemctl", "--user", *arguments, user=USER)

    def stop_everything(self):
        self.systemctl("stop", *machine.SOCKETS)
        self.systemctl("stop", *machine.SERVICES)
        self.assertEqual(machine.our_processes(), [])

    def show(self, unit, what):
        return show(unit, what, "--user", user=USER)

    def wait_for_word(self, unit):
        """The daemon reaches the manager's socket: it is ready, and says how things stand."""
        support.until(lambda: self.show(unit, "ActiveState") == "active", unit + " ready")
        self.assertRegex(self.show(unit, "StatusText"), "^Connections: ")

    def ask(self, *options):
        for host in "127.0.0.1", "::1":
            self.expect([*program("uppercase-client"), *options, host], SENTENCE + "\n", ANSWER + "\n")

    def test_daemons(self):
        self.systemctl("start", "uppercase-tcp.socket", "uppercase-udp.socket")
        self.assertEqual(machine.our_processes(), [])
        self.ask("--tcp")
        self.ask("--udp")
        self.assertEqual(machine.our_processes(), ["uppercased", "uppercased"])
        for unit in "uppercase-tcp.service", "uppercase-udp.service":
            self.wait_for_word(unit)

    def test_handlers(self):
        self.systemctl("start", "uppercase-inetd.socket")
        self.ask("--tcp")
        support.until(lambda: not machine.our_processes(), "the end of all handlers")

    def test_restart(self):
        """It cuts no connection, neither one at rest nor one in the middle of a character."""
        self.systemctl("start", "uppercase-tcp.socket")
        with support.connect("127.0.0.1", 12000) as resting, support.connect("127.0.0.1", 12000) as busy:
            resting.sendall(b"a")
            self.assertEqual(support.read_exactly(resting, 1), b"A")
            busy.sendall(b"b\xc3")
            self.assertEqual(support.read_exactly(busy, 1), b"B")
            first = self.show("uppercase-tcp.service", "MainPID")
            self.systemctl("restart", "uppercase-tcp.service")
            self.assertNotEqual(self.show("uppercase-tcp.service", "MainPID"), first)
            self.assertEqual(support.converse(busy, b"\xbc"), "\u00dc".encode())
            self.assertEqual(support.converse(resting, b"c"), b"C")

    def test_removal(self):
        """It ends what runs in users' managers, too: daemons, and a handler that serves somebody."""
        self.systemctl("start", "uppercase-inetd.socket", "uppercase-udp.socket")
        self.addCleanup(machine.install)
        self.ask("--udp")
        with support.connect("127.0.0.1", 12000) as connection:
            connection.sendall(b"a")
            self.assertEqual(support.read_exactly(connection, 1), b"A")
            self.assertEqual(machine.our_processes(), ["uppercase", "uppercased"])
            run("apt", "remove", "--yes", "uppercase", "uppercased")
            self.assertEqual(machine.our_processes(), [])

    def test_without_user_namespace(self):
        """By the drop-in of uppercased(8) for kernels that let users make none; newer versions of systemd
        make one for what they would pass over otherwise."""
        self.configure("uppercase-tcp.service", "[Service]", "PrivateUsers=no", "PrivateDevices=no",
                       "ProtectKernelModules=no", "ProtectClock=no", "CapabilityBoundingSet=~", user=USER)
        self.systemctl("start", "uppercase-tcp.socket")
        self.ask("--tcp")
        self.wait_for_word("uppercase-tcp.service")
        if int(run("systemctl", "--version").split()[1]) > 252:
            return
        process = self.show("uppercase-tcp.service", "MainPID")
        self.assertEqual(os.readlink(f"/proc/{process}/ns/user"), os.readlink("/proc/self/ns/user"))

    def test_systemd_finds_no_fault(self):
        for unit in *machine.SOCKETS, *(name.replace("*", "x") for name in machine.SERVICES):
            self.assertEqual(run("systemd-analyze", "--user", "verify", "--man=no", unit, user=USER), "",
                             unit)


class Hardening(machine.MachineTest):
    """Which lines hold in a user's manager, and which do not: known, not guessed."""

    def try_all(self, cases):
        """What becomes of each attempt under its lines."""
        units = probes.Probes(USER)
        try:
            names = [units.add([attempt], lines) for attempt, lines in cases]
            units.run(*names)
            return [units.result(name, attempt) for name, (attempt, _) in zip(names, cases)]
        finally:
            units.remove()

    def setUp(self):
        super().setUp()
        self.addCleanup(socket.create_server(("127.0.0.1", 12345)).close)

    def lines(self, unit, user=None):
        settings = probes.settings_of(unit, user)
        return {name: [f"{key}={value}" for key, value in settings if key == name] for name, _ in settings
                if not probes.FORBIDS_NOTHING.fullmatch(name)}

    def test_each_line(self):
        for unit in "uppercase-tcp.service", "uppercase-inetd@.service":
            lines = self.lines(unit, USER)
            self.assertEqual(set(lines) - LIMITS - GIVES, {*HELD, *ANYWAY}, unit)
            lines["SystemCallFilter"] += lines["SystemCallErrorNumber"]  # one is nothing without the other
            lines["SystemCallErrorNumber"] = lines["SystemCallFilter"]
            free = self.try_all([(attempt, []) for attempt, _ in HELD.values()])
            held = self.try_all([(HELD[name][0], ["PrivateUsers=yes", *lines[name]]) for name in HELD])
            for name, before, after in zip(HELD, free, held):
                with self.subTest(unit, line=name):
                    self.assertEqual(before, "ok", "without it")
                    self.assertIn(after, HELD[name][1].split("|"), "with it")
            for name, result in zip(ANYWAY, self.try_all([(attempt, []) for attempt in ANYWAY.values()])):
                self.assertIn(result, ["EPERM", "EACCES"], name)

    def test_what_is_left_to_the_system(self):
        ours = self.lines("uppercase-tcp.service", USER)
        system = self.lines("uppercase-tcp.service")
        self.assertEqual(set(system) - (set(ours) - GIVES), set(NOT_FOR_USERS))
        for name, attempt in NOT_FOR_USERS.items():
            if not attempt:
                continue
            # One by one: a unit that is refused may end what was asked for with it.
            result, = self.try_all([(attempt, ["PrivateUsers=yes", *system[name]])])
            print(f"{name}= of a user's unit: {result}")
            self.assertNotRegex(result, "^E[A-Z]+$", f"{name} holds: the user's units could have it")


if __name__ == "__main__":
    machine.main()
