# SPDX-License-Identifier: ISC
"""machine: what the tests inside the container share (the script `container`).

The machine is thrown away afterwards, so tests change it freely. Not its job: what tests inside and
outside of containers share (support.py).
"""

import glob
import os
import shutil
import subprocess

import support

PACKAGES = "/packages"

# Settings for every unit of ours, while it is tested: a system call that its filter does not have ends the
# program, where otherwise it fails with an error that may go unnoticed.
STRICT = ["/run/systemd/system/uppercase-.service.d", "/run/systemd/user/uppercase-.service.d"]

# Everything that is ever started by us. The sockets come first, so that nothing is started anew.
SOCKETS = ["uppercase-tcp.socket", "uppercase-udp.socket", "uppercase-inetd.socket"]
SERVICES = ["uppercase-tcp.service", "uppercase-udp.service", "uppercase-inetd@*.service"]


def run(*argv, user=None, check=True):
    """What a command says on both its outputs. A failure is an error unless check is False."""
    if user:
        identity = subprocess.run(["id", "-u", user], capture_output=True, text=True, check=True).stdout
        argv = ["runuser", "--user", user, "--", "env", "XDG_RUNTIME_DIR=/run/user/" + identity.strip(),
                *argv]
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    if check and done.returncode != 0:
        raise AssertionError(f"{argv} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def install():
    """What a user does with the packages."""
    run("apt", "install", "--yes", *sorted(glob.glob(PACKAGES + "/*.deb")))
    for folder in STRICT:
        os.makedirs(folder, exist_ok=True)
        with open(folder + "/strict.conf", "w") as file:
            file.write("[Service]\nSystemCallErrorNumber=kill\n")
    run("systemctl", "daemon-reload")


def our_processes():
    """The programs of ours that run, as a sorted list of names."""
    found = []
    for directory in glob.glob("/proc/[0-9]*"):
        try:
            name = os.path.basename(os.readlink(directory + "/exe"))
        except OSError:
            continue
        if name.startswith("uppercase"):
            found.append(name)
    return sorted(found)


def show(unit, what, *options, user=None):
    """One property of a unit."""
    return run("systemctl", *options, "show", "--value", "--property", what, unit, user=user).strip()


def controllers():
    """What this machine can limit groups of processes in (cgroups(7)): "memory", "pids"."""
    with open("/sys/fs/cgroup/cgroup.controllers") as names:
        return names.read().split()


def count(name, default):
    """How often a long test does it: "TEST_NAME" of the environment (container passes it on)."""
    return int(os.environ.get("TEST_" + name, default))


def report(text):
    """A line with figures, for whoever runs the full counts (tests/lifecycle)."""
    print("== " + text, flush=True)


class MachineTest(support.SystemTest):
    """Every test begins with all sockets closed and nothing of ours running."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.stop_everything)

    def configure(self, unit, *lines, user=None):
        """Settings for a unit, as "systemctl edit --runtime" makes them, until the test ends or what is
        returned is called. A user's are for the units of every user, whose manager alone is told."""
        directory = f"/run/systemd/{'user' if user else 'system'}/{unit}.d"
        reload = ["systemctl", *(["--user"] if user else []), "daemon-reload"]
        os.makedirs(directory, exist_ok=True)
        with open(directory + "/test.conf", "w") as drop_in:
            drop_in.write("\n".join(lines) + "\n")
        run(*reload, user=user)

        def end():
            shutil.rmtree(directory, ignore_errors=True)
            run(*reload, user=user)
        self.addCleanup(end)
        return end

    def stop_everything(self):
        run("systemctl", "stop", *SOCKETS, check=False)
        run("systemctl", "stop", *SERVICES, check=False)
        self.assertEqual(our_processes(), [])
        self.assertNotIn("31/SYS", run("journalctl", "--boot", "--quiet", "--unit=uppercase-*", "--grep=31/SYS",
                                        check=False),
                         "a system call that units/system-calls does not have (test-calls.py names it)")


def main():
    """As support.main(), and shows the journal of a test that failed."""
    try:
        support.main()
    except SystemExit as end:
        if end.code not in (0, 77):
            print("--- the journal's last lines:")
            print(run("journalctl", "--boot", "--no-pager", "--lines=40", "--output=short-monotonic",
                      check=False), flush=True)
        raise
