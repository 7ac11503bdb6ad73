# SPDX-License-Identifier: ISC
"""processes: what a process and all that it started have cost so far, as Linux tells it."""

import os
import pathlib
import time

TICK = os.sysconf("SC_CLK_TCK")


def take_cores(cores):
    """For a child before it becomes its program: these cores, and others' work behind its own
    where that is allowed (it is to root)."""
    os.sched_setaffinity(0, cores)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pass


def stat(pid):
    """Fields of /proc/PID/stat from the third (state) on; None if it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def family(pid):
    """The process and its descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat(entry)):
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found = [pid]
    for member in found:
        found += parents.get(member, [])
    return found


def cpu_clock(pid):
    """Seconds of CPU: the process's clock, which counts nanoseconds (clock_getcpuclockid(3))."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0


def cpu(pid):
    """Seconds of CPU of the family, those included that have ended and were waited for."""
    fields = stat(pid)
    ended = (int(fields[13]) + int(fields[14])) / TICK if fields else 0
    return ended + sum(cpu_clock(member) for member in family(pid))


def pss(pid):
    """Bytes of memory of the family, what is shared divided by its sharers."""
    total = 0
    for member in family(pid):
        try:
            lines = pathlib.Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
            total += sum(int(l.split()[1]) << 10 for l in lines if l.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def switches(pid):
    """How often the threads of the family were put to work."""
    total = 0
    for member in family(pid):
        for status in pathlib.Path(f"/proc/{member}/task").glob("*/status"):
            total += sum(int(l.split()[1]) for l in status.read_text().splitlines()
                         if "ctxt_switches" in l)
    return total


def busy(core):
    """Seconds that a core has worked for processes, or was taken away by a hypervisor."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _, _, _, _, steal = map(int, line.split()[1:9])
            return (user + nice + system + steal) / TICK
    return 0
