#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every code point against Python's str.upper(), an implementation that is not ours.

usage: test-upper-python.py UPPER-FILTER

Python may know another version of Unicode; a difference that may come of that is accepted: with an older
Python at code points that are unassigned in it, with a newer one at those that we leave unchanged and it
does not. With the same one there is none. Every difference is printed.
"""

import subprocess
import sys
import unicodedata


def numbers(version):
    return tuple(int(number) for number in version.split("."))


def upper(program, text, piece):
    return subprocess.run([program, str(piece)], input=text, stdout=subprocess.PIPE,
                          check=True).stdout


def main():
    program = sys.argv[1]
    version = subprocess.run([program, "--unicode-version"], stdout=subprocess.PIPE, check=True)
    version = version.stdout.decode().strip()
    ours, theirs = numbers(version), numbers(unicodedata.unidata_version)
    code_points = [c for c in range(0x110000) if not 0xd800 <= c < 0xe000 and c != ord("\n")]
    text = "\n".join("a%sz" % chr(c) for c in code_points).encode()
    wrong = by_version = 0
    for piece in (65536, 7):
        lines = upper(program, text, piece).split(b"\n")
        assert len(lines) == len(code_points), "a line is missing or there are too many"
        for c, line in zip(code_points, lines):
            if line == ("A%sZ" % chr(c).upper()).encode():
                continue
            unknown = (ours < theirs and line == ("A%sZ" % chr(c)).encode() or
                       ours > theirs and unicodedata.category(chr(c)) == "Cn")
            by_version += unknown
            wrong += not unknown
            print("U+%04X %s: %r, Python says %r" % (
                c, unicodedata.name(chr(c), "(unassigned in Python's Unicode)"), line[1:-1],
                chr(c).upper().encode()))
    print("Unicode %s, Python's is %s: %d code points cut in two ways, %d differ by the version, "
          "%d are wrong" % (version, unicodedata.unidata_version, len(code_points), by_version, wrong))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
