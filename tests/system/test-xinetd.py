# SPDX-License-Identifier: ISC
"""xinetd starts our programs by the example that is installed, as its user would copy it."""

import shutil

import machine
import support
from machine import run
from support import ANSWER, SENTENCE, program

EXAMPLE = "/usr/share/doc/uppercased/examples/inetd/uppercase.xinetd"


def setUpModule():
    machine.install()
    shutil.copy(EXAMPLE, "/etc/xinetd.d/uppercase")
    run("systemctl", "start", "xinetd.service")


def tearDownModule():
    run("systemctl", "stop", "xinetd.service")


class Xinetd(machine.MachineTest):

    def stop_everything(self):
        """The daemon stays until it has been idle for a minute: it ends with xinetd."""

    def ask(self, transport):
        """xinetd tells nobody when its sockets are open."""
        for host in "127.0.0.1", "::1":
            def answer():
                return self.run_program([*program("uppercase-client"), transport, host], SENTENCE + "\n")
            self.assertEqual(support.until(lambda: (found := answer())[0] == 0 and found, "an answer"),
                             (0, f"{ANSWER}\n".encode(), ""))

    def test_stream_nowait_starts_the_handler(self):
        self.ask("--tcp")
        support.until(lambda: "uppercase" not in machine.our_processes(), "the end of all handlers")

    def test_datagram_wait_starts_the_daemon(self):
        self.ask("--udp")
        self.assertEqual(machine.our_processes(), ["uppercased"])


if __name__ == "__main__":
    machine.main()
