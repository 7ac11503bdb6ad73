#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Upper case as a filter: `uppercase` against cat and what else upper-cases a stream.

usage: filters.py PROGRAM DIRECTORY [ROUNDS]

PROGRAM is the handler `uppercase`, DIRECTORY has the corpora (fetch-corpora.py). A pipeline's whole
processor time counts, its reader's too, all on one core: file | filter | reader, and with cat before
the filter; and both with the filter's output in a file. The filters take turns, and so do the corpora
(so what disturbs the machine meets few samples of each); printed are medians, in tab-separated
columns: from and to where, corpus, filter, GB/s of input, ratio to cat in the same turns. The slow
ones take part in no more than SLOW_ROUNDS.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

SLOW_ROUNDS = 3
CORPORA = ("english", "german", "greek", "russian", "chinese", "mixed")
FILTERS = {  # name: (command, MiB that it is given)
    "cat": (["cat"], 512),
    "uppercase": (None, 512),
    "tr a-z A-Z": (["tr", "a-z", "A-Z"], 128),
    "dd conv=ucase": (["dd", "conv=ucase", "bs=128k", "status=none"], 128),
    "perl": (["perl", "-CSD", "-ne", "print uc"], 16),
    "python3": (["/usr/bin/python3", "-c",
                 "import sys\nfor line in sys.stdin: sys.stdout.write(line.upper())"], 32),
    "gawk": (["gawk", "{print toupper($0)}"], 8),
    "uconv": (["uconv", "-x", "upper"], 4),
}
WAYS = {  # from, to: (what stands before the filter, and behind it)
    "file, pipe": ([], [["cat"]]),
    "pipe, pipe": ([["cat"]], [["cat"]]),
    "file, file": ([], []),
    "pipe, file": ([["cat"]], []),
}


def pipeline_seconds(path, parts, output):
    """Processor time of parts, which read path and whose last one writes to output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    with open(path, "rb") as file, open(output, "wb") as last:
        processes = []
        source = file
        for number, part in enumerate(parts, 1):
            process = subprocess.Popen(part, stdin=source, env=environment,
                                       stdout=last if number == len(parts) else subprocess.PIPE)
            if source is not file:
                source.close()
            source = process.stdout
            processes.append(process)
        for process in processes:
            if process.wait() != 0:
                sys.exit("%s failed" % process.args)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_text(directory, corpus, size, target):
    with open("%s/%s.txt" % (directory, corpus), "rb") as file:
        text = file.read()
    path = "%s/%s-%d" % (target, corpus, size)
    with open(path, "wb") as file:
        while file.tell() < size << 20:
            file.write(text)
    return path, os.path.getsize(path)


def names_for(corpus):
    return [name for name in FILTERS if shutil.which(FILTERS[name][0][0]) and
            (corpus in ("english", "russian") or name in ("cat", "uppercase"))]


def take_turns(speeds, way, corpus, texts, with_slow):
    """Appends what each filter reaches to speeds[way, corpus, name]."""
    for name in names_for(corpus):
        command, size = FILTERS[name]
        if not with_slow and name not in ("cat", "uppercase"):
            continue
        path, length = texts[corpus, size]
        before, behind = WAYS[way]
        output = os.devnull if behind else path + "-output"
        seconds = pipeline_seconds(path, before + [command] + behind, output)
        if not behind:
            os.unlink(output)
        speeds.setdefault((way, corpus, name), []).append(length / seconds / 1e9)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: filters.py PROGRAM DIRECTORY [ROUNDS]")
    FILTERS["uppercase"] = ([sys.argv[1]], FILTERS["uppercase"][1])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    speeds = {}
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # In memory, so that no disk is measured.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as target:
        texts = {(corpus, size): make_text(sys.argv[2], corpus, size, target)
                 for corpus in CORPORA for size in {FILTERS[name][1] for name in names_for(corpus)}}
        for turn in range(rounds):
            for corpus in CORPORA:
                for way in WAYS:
                    take_turns(speeds, way, corpus, texts, turn < SLOW_ROUNDS)
    for (way, corpus, name), of in speeds.items():
        ratio = statistics.median(a / b for a, b in zip(of, speeds[way, corpus, "cat"]))
        print("%s\t%s\t%s\t%.3f\t%.3f" % (way, corpus, name, statistics.median(of), ratio))


if __name__ == "__main__":
    main()
