# SPDX-License-Identifier: ISC
"""The packages: installed by apt, used, purged; nothing is left, and nothing starts by itself."""

import glob
import os
import subprocess

import machine
import support
from machine import run
from support import converse

# Kept by the system itself: what is no file, is only of this boot, or is a record of what was done.
NOT_LOOKED_AT = ("/proc", "/sys", "/dev", "/run", "/tmp", "/out", "/tests", "/packages",
                 "/var/log", "/var/tmp", "/var/cache/apt", "/var/lib/apt", "/var/lib/dpkg")


def all_paths():
    """Every path on the machine, but for those."""
    found = set()
    for directory, directories, files in os.walk("/"):
        paths = [os.path.join(directory, name) for name in directories + files]
        found.update(path for path in paths if not path.startswith(NOT_LOOKED_AT))
        directories[:] = [name for name in directories
                          if os.path.join(directory, name) not in NOT_LOOKED_AT]
    return found


def traces():
    """What is called after us in the places that all_paths() does not look at."""
    found = {*glob.glob("/run/**/*uppercase*", recursive=True),
             *glob.glob("/var/lib/dpkg/**/*uppercase*", recursive=True)}
    return sorted(found - set(machine.STRICT))


class Package(machine.MachineTest):
    """Every test begins and ends without the packages."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.purge, check=False)

    def purge(self, check=True):
        run("apt", "purge", "--yes", "uppercase", "uppercased", "uppercase-client", check=check)

    def test_install_use_purge(self):
        before = all_paths()
        self.assertEqual(traces(), [])

        machine.install()
        for name in "uppercase", "uppercased", "uppercase-client":
            self.assertRegex(run(name, "--version"), rf"^{name} [0-9]")
        self.assertEqual(machine.our_processes(), [], "installing starts nothing")
        for socket in machine.SOCKETS:
            self.assertEqual(machine.show(socket, "ActiveState"), "inactive")
            # As an image does at its first boot that was made with the packages.
            run("systemctl", "preset", socket)
            self.assertEqual(machine.show(socket, "UnitFileState"), "disabled")

        # Used, enabled, and running while it is removed: the hardest case.
        run("systemctl", "enable", "--now", "uppercase-tcp.socket", "uppercase-udp.socket")
        self.assertEqual(converse(support.connect("127.0.0.1", 12000), b"a"), b"A")
        self.assertEqual(support.ask_datagram("127.0.0.1", 12000, b"a"), b"A")
        self.assertEqual(machine.our_processes(), ["uppercased", "uppercased"])

        self.purge()
        self.assertEqual(machine.our_processes(), [], "purging stops everything")
        with self.assertRaises(ConnectionRefusedError):
            support.connect("127.0.0.1", 12000)
        self.assertEqual(run("systemctl", "list-unit-files", "--no-legend", "uppercase*", check=False), "")
        self.assertEqual(sorted(all_paths() - before), [])
        self.assertEqual(sorted(before - all_paths()), [])
        self.assertEqual(traces(), [])

    def test_remove_with_open_connections(self):
        """Handlers have one each, and end with the packages."""
        machine.install()
        run("systemctl", "start", "uppercase-inetd.socket")
        with support.connect("127.0.0.1", 12000) as connection:
            connection.sendall(b"a")
            self.assertEqual(connection.recv(1), b"A")
            run("apt", "remove", "--yes", "uppercase", "uppercased")
            self.assertEqual(machine.our_processes(), [])
            self.assertEqual(connection.recv(1), b"")

    def test_install_again_after_removal(self):
        """What an administrator enabled is still enabled, and nothing runs that was not started."""
        machine.install()
        run("systemctl", "enable", "uppercase-tcp.socket")
        run("apt", "remove", "--yes", "uppercase", "uppercased")
        machine.install()
        self.assertEqual(machine.our_processes(), [])
        run("systemctl", "start", "uppercase-tcp.socket")
        self.assertEqual(converse(support.connect("::1", 12000), b"again"), b"AGAIN")

    def test_install_again_over_a_running_daemon(self):
        """An upgrade keeps the socket open: a client that comes meanwhile is served afterwards."""
        machine.install()
        run("systemctl", "start", "uppercase-tcp.socket")
        self.assertEqual(converse(support.connect("127.0.0.1", 12000), b"before"), b"BEFORE")
        upgrade = subprocess.Popen(["apt", "reinstall", "--yes", *glob.glob(machine.PACKAGES + "/*.deb")],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        with upgrade:
            while upgrade.poll() is None:
                self.assertEqual(converse(support.connect("127.0.0.1", 12000), b"during"), b"DURING")
            self.assertEqual(upgrade.returncode, 0, upgrade.stdout.read())
        self.assertEqual(converse(support.connect("127.0.0.1", 12000), b"after"), b"AFTER")


if __name__ == "__main__":
    machine.main()
