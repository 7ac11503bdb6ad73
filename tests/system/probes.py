# SPDX-License-Identifier: ISC
"""probes: units that start the probe (probe.c) under the settings of ours, for the tests in containers.

Not its job: which setting forbids what (test-hardening.py, test-user-units.py).
"""

import os
import re
import shutil

from machine import run

RESULTS = "/run/probe"
ROOT_COPY = "/usr/local/bin/probe-root"

# How the program is started and ended, not what it may do.
STARTS = re.compile("Type|Exec.*|Restart.*|WatchdogSec|SuccessExitStatus|FileDescriptorStoreMax|Timeout.*|Standard.*")
# Beside those: what gives (a /proc and a /dev in the empty root), whom it concerns, and what is logged.
FORBIDS_NOTHING = re.compile(STARTS.pattern + "|LogLevelMax|MountAPIVFS|RootDirectoryStartOnly")


def prepare():
    """What attempts take: files of every place, a program that makes root, a shared segment of key 1."""
    os.mkdir(RESULTS)
    for folder in "/home", "/tmp", "/dev", "/usr/lib/modules":
        os.makedirs(folder, exist_ok=True)
        with open(folder + "/secret", "w"):
            pass
    os.mknod("/dev/other", 0o20666, os.makedev(10, 200))
    shutil.copy("/probe", ROOT_COPY)
    os.chmod(ROOT_COPY, 0o4755)
    run("/probe", "leave=1")


def settings_of(unit, user=None):
    """[(setting, value)] of the installed service, in the order of its file."""
    service = run("systemctl", *["--user"] * bool(user), "cat", unit.replace("@", "@x"), user=user).partition("[Service]")[2]
    lines = service.partition("\n# /run/")[0].splitlines()  # drop-ins come behind it
    return [tuple(line.split("=", 1)) for line in lines if re.match("[A-Z]", line)]


class Probes:
    """Units that each start the probe; all at once."""

    def __init__(self, user=None):
        """By the system's manager, or by that of a user."""
        self.attempts = {}
        self.user = user
        self.folder = "/run/systemd/user" if user else "/run/systemd/system"

    def add(self, attempts, lines):
        """One unit more. Returns the name by which result() finds it."""
        name = f"probe-{len(self.attempts)}.service"
        self.attempts[name] = attempts
        text = ["[Service]", "Type=oneshot", f"StandardOutput=file:{RESULTS}/{name}", *lines,
                "ExecStart=/probe " + " ".join(attempts)]
        if not self.user:  # of whom no unit has an empty root
            text.append("BindReadOnlyPaths=/probe -" + ROOT_COPY)
        with open(f"{self.folder}/{name}", "w") as file:
            file.write("\n".join(text) + "\n")
        with open(f"{RESULTS}/{name}", "w") as file:
            os.fchmod(file.fileno(), 0o666)
        return name

    def systemctl(self, *arguments, check=True):
        user = ["--user"] if self.user else []
        return run("systemctl", *user, *arguments, user=self.user, check=check).strip()

    def run(self, *names):
        self.systemctl("daemon-reload")
        self.systemctl("start", *names, check=False)

    def result(self, name, attempt):
        """What became of it: "ok", an error's name, or how the process ended instead."""
        with open(f"{RESULTS}/{name}") as file:
            results = dict(line.split() for line in file)
        outcome = results.get(attempt) or results.get("is-root")
        if attempt.startswith("leave=") and outcome == "ok":  # and was it still there when the unit had ended?
            outcome = run("/probe", attempt.replace("leave", "segment")).split()[1]
        return outcome or " ".join(self.systemctl("show", "--value", "--property", what, name)
                                   for what in ("Result", "ExecMainStatus"))

    def remove(self):
        for name in self.attempts:
            os.unlink(f"{self.folder}/{name}")
            os.unlink(f"{RESULTS}/{name}")
        self.systemctl("daemon-reload")
        self.systemctl("reset-failed")
