# SPDX-License-Identifier: ISC
"""Damaged states in systemd's store: refused, told of, the connection closed; the others go on."""

import re
import shutil

import machine
import support
from machine import run, show
from support import connect, converse, read_exactly

SERVICE = "uppercase-tcp.service"

SPOILER = "/run/spoil-store"

# Cut within the character: what the first process read of it is a state.
CHARACTER, ANSWER = "\u0149".encode(), "\u02bcN".encode()


def setUpModule():
    machine.install()
    # Where the unit's user may read it, whoever checked the tests out.
    shutil.copy("/tests/system/spoil-store", SPOILER)
    run("chmod", "755", SPOILER)


def damages():
    """All that spoil-store knows."""
    with open(SPOILER) as source:
        return re.findall(r'^    "([a-z0-9-]+)": ', source.read(), re.M)


class Store(machine.MachineTest):

    def begin(self):
        """A connection in the middle of a character."""
        connection = connect("127.0.0.1", 12000)
        self.addCleanup(connection.close)
        connection.sendall(b"a" + CHARACTER[:1])
        self.assertEqual(read_exactly(connection, 1), b"A")
        return connection

    def spoil(self, connections):
        """The next process damages what these connections left in the store; returns how to end that."""
        ports = [f"{damage}={connection.getsockname()[1]}" for damage, connection in connections.items()]
        return self.configure(SERVICE, "[Service]", "ExecStart=", f"ExecStart={SPOILER} {' '.join(ports)}",
                              "RootDirectory=", "BindReadOnlyPaths=", "SystemCallFilter=")

    def test_damaged_states(self):
        run("systemctl", "start", "uppercase-tcp.socket")
        silent = connect("127.0.0.1", 12000)
        connections = {damage: self.begin() for damage in damages()}

        spoilt = self.spoil(connections)
        run("systemctl", "restart", SERVICE)
        spoilt()
        run("systemctl", "restart", SERVICE)

        self.assertEqual(converse(silent, b"silent"), b"SILENT")
        self.assertEqual(converse(connections.pop("untouched"), CHARACTER[1:]), ANSWER)
        for damage, connection in connections.items():
            with self.subTest(damage):
                # Nobody knows what of its answer was lost: it does not look like the end.
                self.assertRaises(ConnectionResetError, connection.recv, 1)
        self.assertEqual(converse(connect("127.0.0.1", 12000), b"new"), b"NEW")
        # One more is the descriptor that is no connection.
        refused = f"{len(connections) + 1} refused (damaged state {len(connections) + 1})"
        support.until(lambda: refused in show(SERVICE, "StatusText"), "all of them in the status")
        run("systemctl", "stop", SERVICE, "uppercase-tcp.socket")
        self.assertIn("damaged state", run("journalctl", "--unit", SERVICE, "--output=cat"))
        self.assertEqual(show(SERVICE, "Result"), "success")
        self.assertEqual(show(SERVICE, "NRestarts"), "0")
        machine.report(f"{len(connections)} damaged states of connections refused, the others go on")

    def test_store_is_emptied(self):
        """Whatever was in it, nothing stays for the processes after the next."""
        run("systemctl", "start", "uppercase-tcp.socket")
        connection = self.begin()

        spoilt = self.spoil({"no-seals": connection})
        run("systemctl", "restart", SERVICE)
        self.assertEqual(show(SERVICE, "NFileDescriptorStore"), "4")
        spoilt()
        run("systemctl", "restart", SERVICE)
        support.until(lambda: show(SERVICE, "NFileDescriptorStore") == "0", "an empty store")


if __name__ == "__main__":
    machine.main()
