# SPDX-License-Identifier: ISC
"""Every line of the units that forbids something, shown to bite.

What it forbids is tried by a program of ours (probe.c) three times: in a unit that says nothing, where it
has to succeed; in one that says that line alone, where it has to fail by the error that this line is known
by; and in one that says all that our unit says. What can't be shown on a machine is printed with the reason,
and a line that is not in the table fails the test.

Not its job: whether the programs work under all of it (every other test in a container).
"""

import re
import socket
import typing

import machine
import probes
import support
from machine import run, show

UNITS = ["uppercase-tcp.service", "uppercase-udp.service", "uppercase-inetd@.service"]

class Row(typing.NamedTuple):
    setting: str
    attempt: str
    error: str
    context: tuple = ()  # lines that the attempt takes, without the setting too
    needs: tuple = ()  # settings of the unit that this one is nothing without
    missing: str = ""  # why there may be no showing it, or the cgroup controller that may not be there


BPF = "systemd can load no BPF program on this machine"
LESS = "this machine allows no more to begin with"
ONE = "this machine runs no other architecture's programs"

TABLE = [
    # Privilege
    Row("DynamicUser", "signal=1", "EPERM"),
    Row("CapabilityBoundingSet", "chroot", "EPERM"),
    Row("NoNewPrivileges", f"become-root={probes.ROOT_COPY}", "EPERM", ("User=nobody",)),
    Row("PrivateUsers", "chown=12345", "EINVAL"),
    Row("RestrictSUIDSGID", "set-id", "EPERM"),
    Row("KeyringMode", "key=_uid.0", "ENOKEY", ("KeyringMode=shared",)),
    Row("UMask", "share=/opt/probe", "EACCES"),
    # File system
    Row("RootDirectory", "read=/etc/passwd", "ENOENT", (), ("BindReadOnlyPaths",)),
    Row("BindReadOnlyPaths", "create=/usr/lib/probe", "EROFS"),
    Row("ProtectSystem", "create=/opt/probe", "EROFS"),
    Row("ProtectHome", "read=/home/secret", "ENOENT"),
    Row("PrivateTmp", "read=/tmp/secret", "ENOENT"),
    Row("PrivateDevices", "read=/dev/secret", "ENOENT"),
    Row("DevicePolicy", "read=/dev/other", "EPERM", (), (), BPF),
    Row("ProtectProc", "read=/proc/1/status", "ENOENT", ("User=nobody",)),
    Row("ProcSubset", "read=/proc/meminfo", "ENOENT"),
    # Network
    Row("PrivateNetwork", "connect=12345", "ECONNREFUSED"),
    Row("RestrictAddressFamilies", "socket", "EAFNOSUPPORT"),
    Row("IPAddressDeny", "send=12345", "EPERM", (), (), BPF),
    # Kernel
    Row("SystemCallArchitectures", "foreign-call", "signal 31", (), (), ONE),
    Row("SystemCallErrorNumber", "other-call", "ENOSYS", (), ("SystemCallFilter",)),
    Row("SystemCallFilter", "other-call", "ENOSYS", (), ("SystemCallErrorNumber",)),
    Row("ProtectKernelTunables", "write=/proc/sys/net/ipv4/ip_forward", "EROFS"),
    Row("ProtectKernelModules", "read=/usr/lib/modules/secret", "ENOENT"),
    Row("ProtectKernelLogs", "kernel-log", "EPERM"),
    Row("ProtectControlGroups", "mkdir=/sys/fs/cgroup/probe", "EROFS"),
    Row("ProtectClock", "clock", "EPERM"),
    Row("ProtectHostname", "hostname", "EPERM"),
    Row("PrivateIPC", "segment=1", "ENOENT"),
    Row("RestrictNamespaces", "namespace", "EPERM"),
    Row("RestrictRealtime", "realtime", "EPERM"),
    Row("LockPersonality", "personality", "EPERM"),
    Row("MemoryDenyWriteExecute", "write-and-execute", "EPERM|EACCES"),
    Row("RemoveIPC", "leave=2", "ENOENT", ("User=games",)),
    # Limits
    Row("LimitNOFILE", "descriptors={value}", "EINVAL", (), (), LESS),
    Row("TasksMax", "processes={value}", "EAGAIN", (), (), "pids"),
    Row("MemoryMax", "memory={value}", "oom-kill 9|signal 9", ("MemorySwapMax=0",), (), "memory"),
]

# These end the process.
ENDS = re.compile("become-root|foreign-call")


def setUpModule():
    machine.install()
    probes.prepare()


class Hardening(machine.MachineTest):

    def setUp(self):
        super().setUp()
        self.probes = probes.Probes()
        self.addCleanup(self.probes.remove)
        self.addCleanup(socket.create_server(("127.0.0.1", 12345)).close)

    def cases(self, unit):
        """[(row, its line, all lines that it takes)] of what a unit says."""
        rows = {row.setting: row for row in TABLE}
        settings = probes.settings_of(unit)
        for setting, value in settings:
            if not probes.FORBIDS_NOTHING.fullmatch(setting):
                self.assertTrue(setting in rows, f"{unit}: what {setting}= forbids is not in the table")
        values = dict(settings)
        self.assertEqual(sorted(set(rows) - set(values)), [], f"{unit} does not forbid what others do")
        return [(row._replace(attempt=row.attempt.format(value=values[row.setting])),
                 row.setting + "=" + values[row.setting],
                 tuple(f"{name}={value}" for name, value in settings if name in (row.setting, *row.needs)))
                for row in TABLE if row.setting in values]

    def has_no_bpf(self):
        return "does not support BPF" in run("journalctl", "--boot", "--unit=probe-*")

    def may_be_tried(self, row, line):
        """Limits are for what this machine can limit, and not worth its last memory."""
        why = (f"this machine has no cgroup controller for {row.missing}"
               if row.missing in ("pids", "memory") and row.missing not in machine.controllers()
               else "trying would take as much" if line == "MemoryMax=4G" else None)
        if why:
            print(f"NOT SHOWN HERE: {line}: {why}")
        return not why

    def test_each_line_alone(self):
        self.assertGreater(self.try_each_alone(everywhere=True), 25)

    def test_each_line_that_a_machine_may_lack(self):
        self.assertGreater(self.try_each_alone(everywhere=False), 5)

    def try_each_alone(self, everywhere):
        """Those that every machine can show, or the others. Returns how many."""
        every = list(dict.fromkeys((row.attempt, line, lines, row) for unit in UNITS
                                   for row, line, lines in self.cases(unit) if everywhere != bool(row.missing)))
        cases = [case for case in every if self.may_be_tried(case[3], case[1])]
        free = [self.probes.add([attempt], row.context) for attempt, line, lines, row in cases]
        self.probes.run(*free)
        free = [self.probes.result(name, case[0]) for name, case in zip(free, cases)]
        held = [self.probes.add([attempt], [*row.context, *lines]) for attempt, line, lines, row in cases]
        self.probes.run(*held)
        held = [self.probes.result(name, case[0]) for name, case in zip(held, cases)]
        for (attempt, line, lines, row), before, after in zip(cases, free, held):
            with self.subTest(line):
                lifted = row.missing == BPF and after == "ok" and self.has_no_bpf()
                if lifted or (row.missing and before != "ok"):
                    print(f"NOT SHOWN HERE: {line}: {row.missing} ({attempt}: {before}, {after})")
                    continue
                self.assertEqual(before, "ok", f"{attempt} without it")
                self.assertIn(after, row.error.split("|"), f"{attempt} with it")
        return len(every)

    def test_all_of_them(self):
        """Nothing that the lines forbid is possible in any of the units."""
        for unit in UNITS:
            lines = ["=".join(pair) for pair in probes.settings_of(unit) if not probes.STARTS.fullmatch(pair[0])]
            attempts = [row.attempt for row, _, _ in self.cases(unit) if row.missing not in ("pids", "memory")]
            ending = [attempt for attempt in attempts if ENDS.match(attempt)]
            together = [attempt for attempt in attempts if attempt not in ending]
            names = {attempt: self.probes.add([attempt], lines) for attempt in ending}
            names.update(dict.fromkeys(together, self.probes.add(together, lines)))
            self.probes.run(*names.values())
            for attempt in attempts:
                with self.subTest(unit, attempt=attempt):
                    self.assertRegex(self.probes.result(names[attempt], attempt), "^E[A-Z0-9]+$|^signal 31$")

    def test_score(self):
        """In tenths: 0.1, the best there is with a filter of devices; systemd 252 reads a file as 0.3."""
        for unit in "uppercase-tcp.service", "uppercase-udp.service":
            run("systemctl", "start", unit)
            run("systemd-analyze", "security", "--threshold=1", unit)
        run("systemctl", "start", "uppercase-inetd.socket")
        with support.connect("127.0.0.1", 12000) as connection:
            connection.sendall(b"a")
            self.assertEqual(connection.recv(1), b"A")
            handler = run("systemctl", "list-units", "--plain", "--no-legend", "uppercase-inetd@*").split()[0]
            run("systemd-analyze", "security", "--threshold=1", handler)
        threshold = 3 if int(run("systemctl", "--version").split()[1]) < 257 else 1
        for unit in UNITS:
            path = show(unit.replace("@", "@x"), "FragmentPath")
            run("systemd-analyze", "security", "--offline=true", f"--threshold={threshold}", path)


class WhoMayAsk(machine.MachineTest):

    def ask_from(self, address):
        """What is answered to one of our own addresses, who asks itself."""
        try:
            with socket.create_connection((address, 12000), timeout=1) as connection:
                return support.converse(connection, b"a")
        except TimeoutError:
            return b""

    def test_addresses(self):
        """By the drop-in of uppercased(8) for the socket: its traffic is charged to it, not to the service."""
        run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
        self.addCleanup(run, "ip", "address", "del", "192.0.2.1/32", "dev", "lo")
        for name in "tcp", "inetd":
            unit = f"uppercase-{name}.socket"
            run("systemctl", "start", unit)
            self.assertEqual(self.ask_from("192.0.2.1"), b"A", unit)
            self.configure(unit, "[Socket]", "IPAddressDeny=any", "IPAddressAllow=localhost")
            run("systemctl", "restart", unit)
            self.assertEqual(self.ask_from("127.0.0.1"), b"A", unit)
            if "does not support BPF" in run("journalctl", "--boot", "--unit", unit):
                print(f"NOT SHOWN HERE: IPAddressDeny=any of {unit}: {BPF}")
                continue
            self.assertEqual(self.ask_from("192.0.2.1"), b"", unit)


if __name__ == "__main__":
    machine.main()
