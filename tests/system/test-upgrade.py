# SPDX-License-Identifier: ISC
"""The next version's packages over this one's, under load: nobody is cut off, refused or left unanswered."""

import glob
import os
import re

import clients
import machine
import support
from machine import run, show

SERVICES = "uppercase-tcp.service", "uppercase-udp.service"

# As long as this version's number, in the packages and in the programs.
VERSION = run("dpkg-deb", "--field", glob.glob(machine.PACKAGES + "/uppercased_*.deb")[0],
              "Version").strip().rpartition("-")[0]
NEXT = re.sub("[0-9]", "9", VERSION)


def setUpModule():
    machine.install()


def replace(path, old, new):
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(content.replace(old.encode(), new.encode()))


def make_next_version(directory):
    """The same packages with programs that differ, in what --version says; their paths."""
    made = []
    for package in sorted(glob.glob(machine.PACKAGES + "/*.deb")):
        tree = os.path.join(directory, os.path.basename(package))
        run("dpkg-deb", "--raw-extract", package, tree)
        replace(tree + "/DEBIAN/control", VERSION, NEXT)
        os.remove(tree + "/DEBIAN/md5sums")
        for program in glob.glob(tree + "/usr/*bin/*"):
            replace(program, VERSION, NEXT)
        made.append(tree + ".next.deb")
        run("dpkg-deb", "-Znone", "--build", tree, made[-1])
    return made


class Upgrade(machine.MachineTest):

    def test_upgrade_under_load(self):
        packages = make_next_version(self.directory)
        # apt reads them as a user of its own.
        os.chmod(self.directory, 0o755)
        run("systemctl", "start", "uppercase-tcp.socket", "uppercase-udp.socket")
        kinds = [clients.Persistent] * 16 + [clients.OneShot] * 16 + [clients.Datagrams] * 4

        with clients.asking(*kinds) as asking:
            support.until(lambda: all(client.answers or client.failure for client in asking), "everybody")
            before = {service: self.running(service) for service in SERVICES}
            run("apt", "install", "--yes", *packages)
            after = {service: self.running(service) for service in SERVICES}
            answers = [client.answers for client in asking]
            support.until(lambda: all(client.answers > count + 1 or client.failure
                                      for client, count in zip(asking, answers)), "everybody, once more")

        for service in SERVICES:
            self.assertIn(f"uppercased {VERSION} ", before[service])
            self.assertIn(f"uppercased {NEXT} ", after[service])
            self.assertEqual(show(service, "NRestarts"), "0")
        self.assertIn(NEXT, run("uppercase-client", "--version"))
        machine.report(f"upgrade from {VERSION} to {NEXT} under {len(asking)} clients: none lost, "
                       f"{clients.count_answers(asking)} answers right")

    def running(self, service):
        """What version the process that runs says it is."""
        return run(f"/proc/{show(service, 'MainPID')}/exe", "--version")


if __name__ == "__main__":
    machine.main()
