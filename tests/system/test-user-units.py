# SPDX-License-Identifier: ISC
"""The same sockets and services under a user's own systemd, without any privilege."""

import machine
import support
from machine import run
from support import ANSWER, SENTENCE, program

USER = "tester"


def setUpModule():
    machine.install()
    run("useradd", "--create-home", USER)
    identity = run("id", "--user", USER).strip()
    run("systemctl", "start", f"user@{identity}.service")


class UserUnits(machine.MachineTest):

    def systemctl(self, *arguments):
        return run("systemctl", "--user", *arguments, user=USER)

    def stop_everything(self):
        self.systemctl("stop", *machine.SOCKETS)
        self.systemctl("stop", *machine.SERVICES)
        self.assertEqual(machine.our_processes(), [])

    def ask(self, *options):
        for host in "127.0.0.1", "::1":
            self.expect([*program("uppercase-client"), *options, host], SENTENCE + "\n", ANSWER + "\n")

    def test_daemons(self):
        self.systemctl("start", "uppercase-tcp.socket", "uppercase-udp.socket")
        self.assertEqual(machine.our_processes(), [])
        self.ask("--tcp")
        self.ask("--udp")
        self.assertEqual(machine.our_processes(), ["uppercased", "uppercased"])

    def test_handlers(self):
        self.systemctl("start", "uppercase-inetd.socket")
        self.ask("--tcp")
        support.until(lambda: not machine.our_processes(), "the end of all handlers")

    def test_systemd_finds_no_fault(self):
        for unit in *machine.SOCKETS, *(name.replace("*", "x") for name in machine.SERVICES):
            self.assertEqual(run("systemd-analyze", "--user", "verify", "--man=no", unit, user=USER), "",
                             unit)


if __name__ == "__main__":
    machine.main()
