#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What starting `uppercase` costs: every connection pays it that has a process of its own.

usage: starts.py PROGRAM [TURNS]

PROGRAM is the handler `uppercase`. Each turn starts it and its peers once with each text, on one core,
and waits for its end. Printed are medians, in tab-separated columns: program, what it was given,
microseconds, ratio to `true` in the same turns.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time

TURNS = 1000
WARM_UP = 20
TEXTS = {"nothing": "",
         "a line of English": "hello, world; how do you do?\n",
         "a line of Russian": "здравствуй, мир; как поживаешь?\n",
         "64 KiB of Russian": "здравствуй, мир; как поживаешь?\n" * 1150}


def microseconds_of(command, source, sink):
    os.lseek(source, 0, os.SEEK_SET)
    begin = time.perf_counter_ns()
    pid = os.posix_spawn(command, [command], os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, source, 0),
                                       (os.POSIX_SPAWN_DUP2, sink, 1)])
    _, status = os.waitpid(pid, 0)
    end = time.perf_counter_ns()
    if status != 0:
        sys.exit("%s failed" % command)
    return (end - begin) / 1000


def open_text(text):
    """A descriptor of a file in memory."""
    with tempfile.TemporaryFile(dir="/dev/shm", buffering=0) as file:
        file.write(text.encode())
        return os.dup(file.fileno())


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: starts.py PROGRAM [TURNS]")
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else TURNS
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sink = os.open(os.devnull, os.O_WRONLY)
    commands = {"true": shutil.which("true"), "cat": shutil.which("cat"), "uppercase": sys.argv[1]}
    sources = {given: open_text(text) for given, text in TEXTS.items()}
    times = {(name, given): [] for given in TEXTS for name in commands
             if name != "true" or given == "nothing"}
    for turn in range(WARM_UP + turns):
        for (name, given), of in times.items():
            taken = microseconds_of(commands[name], sources[given], sink)
            if turn >= WARM_UP:
                of.append(taken)
    for (name, given), of in times.items():
        ratio = statistics.median(a / b for a, b in zip(of, times["true", "nothing"]))
        print("%s\t%s\t%.0f\t%.2f" % (name, given, statistics.median(of), ratio))


if __name__ == "__main__":
    main()
