#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every code point against Python's str.upper(), an implementation that is not ours.

usage: test-upper-python.py UPPER-FILTER

Python may know an older version of Unicode. Then a difference is accepted only at code points that
are unassigned in it, and every one is printed. With a newer one there is nothing to tell a fault
from a new character by: the test is skipped.
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
    if numbers(version) < numbers(unicodedata.unidata_version):
        print("skipped: Python knows Unicode %s, newer than %s" % (
            unicodedata.unidata_version, version))
        sys.exit(77)
    code_points = [c for c in range(0x110000) if not 0xd800 <= c < 0xe000 and c != ord("\n")]
    text = "\n".join("a%sz" % chr(c) for c in code_points).encode()
    wrong = newer = 0
    for piece in (65536, 7):
        lines = upper(program, text, piece).split(b"\n")
        assert len(lines) == len(code_points), "a line is missing or there are too many"
        for c, line in zip(code_points, lines):
            if line == ("A%sZ" % chr(c).upper()).encode():
                continue
            unassigned = unicodedata.category(chr(c)) == "Cn"
            newer += unassigned
            wrong += not unassigned
            print("U+%04X %s: %r, Python says %r" % (
                c, unicodedata.name(chr(c), "(unassigned in Python's Unicode)"), line[1:-1],
                chr(c).upper().encode()))
    print("Unicode %s, Python's is %s: %d code points cut in two ways, %d differ because they are "
          "newer than Python, %d are wrong" % (version, unicodedata.unidata_version,
                                               len(code_points), newer, wrong))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
