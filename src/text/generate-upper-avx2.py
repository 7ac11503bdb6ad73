#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Write upper-avx2-tables.h from Unicode's data files; upper-avx2.c says what they are for.

usage: generate-upper-avx2.py DIRECTORY >upper-avx2-tables.h

A pair of bytes, a lead and the one behind it, is foreign to a loop if a character that begins so is
cased and the loop doesn't map it. The pairs of a loop are covered by rectangles: products of four
sets, of the halves of both bytes. This checks that the rectangles below cover all that is foreign;
what else they cover is only slower.
"""

import sys

from unicode_mapping import read_mapping, read_version, wrapped

ANY = range(16)
TRAIL = range(8, 12)  # the upper halves of trails


def span(first, last):
    return range(first, last + 1)


# (the lead's upper halves, its lower halves, the second byte's upper halves, its lower halves)
MICRO = ((0xc,), (0x2,), (0xb,), (0x5,))
C3_C5 = ((0xc,), (0x3, 0x5), (0xb,), (0x7, 0xf))
C5 = ((0xc,), (0x5,), (0x8,), (0x0, 0x9))
C6_ANY = ((0xc,), span(0x6, 0xf), TRAIL, ANY)
CE = ((0xc,), (0xe,), (0x9, 0xb), (0x0,))
CF = ((0xc,), (0xf,), (0x9, 0xa, 0xb), ANY)
D_ANY = ((0xd,), ANY, TRAIL, ANY)
# Signs and punctuation stand in every text, long letters of any kind seldom among short ones.
E2 = ((0xe,), (0x2,), (0x8,), (0x4, 0x5, 0x6))
E2_MORE = ((0xe,), (0x2,), (0x9, 0xb), (*span(0x0, 0x4), 0xd))
E_OTHER = ((0xe,), (0x0, 0x1, *span(0x3, 0xf)), TRAIL, ANY)
EF_OTHER = ((0xe, 0xf), *E_OTHER[1:])
F0 = ((0xf,), (0x0,), (0x9,), span(0x0, 0xe))
LONG = (
    F0, E2,
    ((0xe,), (0x1,), (0x8,), (0x2, 0x3, 0xf)),
    ((0xe,), (0x2,), (0x9,), (0x3,)),
    ((0xe,), (0x2, 0xf), (0xb,), (*span(0x0, 0x4), 0xd)),
    ((0xe,), (0xa, 0xf), (0x9, 0xa), (0x9, 0xa, *span(0xc, 0xf))),
)

TABLES = {
    "latin": (((0xc,), (0x2, 0x4), (0xb,), (0x1, 0x5)), C3_C5, C5, C6_ANY, D_ANY, E2, E2_MORE,
              EF_OTHER),
    "turkish": (MICRO, C3_C5, C5, C6_ANY, D_ANY, E2, E2_MORE, EF_OTHER),
    "greek": (MICRO, ((0xc,), span(0x3, 0xd), TRAIL, ANY), CE, CF, D_ANY, E2, E2_MORE, EF_OTHER),
    "cyrillic": (MICRO, ((0xc,), span(0x3, 0xf), TRAIL, ANY), ((0xd,), (0x1,), (0xa, 0xb), ANY),
                 ((0xd,), span(0x2, 0x6), TRAIL, ANY), E2, E2_MORE, E_OTHER, F0),
    "long": (MICRO, *LONG, ((0xe,), (0x1,), (0xb,), (0x2, 0x5, 0x6, *span(0x8, 0xf)))),
    "long_but_e1": (MICRO, *LONG, ((0xe,), (0x1,), (0xb,), (0x2, 0x5, 0x6, *span(0xc, 0xf)))),
    "vietnamese": (C3_C5, C5, ((0xc,), (0x4,), (0xb,), (0x1,)), ((0xc,), (0x6,), (0x8, 0x9), ANY),
                   ((0xc,), (0x6,), (0xa,), span(0x2, 0xe)),
                   ((0xc,), (0x6,), (0xb,), span(0x1, 0xf)),
                   ((0xc,), span(0x7, 0xf), TRAIL, ANY), D_ANY),
    "all": (C3_C5, C5, ((0xc,), span(0x6, 0xd), TRAIL, ANY), CE, CF,
            ((0xd,), (0x1, 0x4, 0x5, 0x6), (0xa, 0xb), ANY),
            ((0xd,), span(0x2, 0x6), (0x8,), ANY), ((0xd,), (0x4, 0x5, 0x6), (0x9,), ANY)),
}
LOOPS = {  # the tables of each
    "latin": ("latin",),
    "turkish": ("turkish",),
    "greek": ("greek",),
    "cyrillic": ("cyrillic",),
    "vietnamese": ("long_but_e1", "vietnamese"),
    "all": ("long_but_e1", "all"),
}


def knows(loop, lead, second):
    """Whether upper-arithmetic.h maps the characters that begin so in this loop."""
    if 0xc3 <= lead <= 0xc5:
        unknown = [(0xc3, 0xb7), (0xc3, 0xbf), (0xc5, 0x80), (0xc5, 0x89), (0xc5, 0xbf)]
        if loop in ("latin", "vietnamese"):
            unknown.append((0xc4, 0xb1))
        return loop not in ("greek", "cyrillic") and (lead, second) not in unknown
    if lead == 0xc6:
        return loop in ("vietnamese", "all") and second in (0xa0, 0xa1, 0xaf, 0xb0)
    if lead == 0xce:
        return loop in ("greek", "all") and second not in (0x90, 0xb0)
    if lead == 0xcf:
        return loop in ("greek", "all") and second < 0x8f
    if lead == 0xd0:
        return loop in ("cyrillic", "all")
    if lead == 0xd1:
        return loop in ("cyrillic", "all") and second < 0xa0
    if lead in (0xd2, 0xd3):
        return loop == "all" and second >= 0x90
    # Of U+1E80 to U+1EBF it sees to what is foreign by itself, and of C6 in the loop over all.
    return lead == 0xe1 and loop in ("vietnamese", "all") and 0xb8 <= second <= 0xbb


def pairs_of(rectangles):
    return {(a << 4 | b, c << 4 | d) for lead_high, lead_low, second_high, second_low in rectangles
            for a in lead_high for b in lead_low for c in second_high for d in second_low}


def check(mapping):
    changing = {tuple(chr(code_point).encode()[:2]) for code_point in mapping if code_point > 0x7f}
    # The loop for uncased characters compares leads of two bytes.
    assert {(lead, second) for lead, second in changing
            if not 0xc3 <= lead <= 0xdf} <= pairs_of(TABLES["long"])
    for loop, tables in LOOPS.items():
        foreign = {pair for pair in changing if not knows(loop, *pair)}
        covered = set().union(*(pairs_of(TABLES[table]) for table in tables))
        assert foreign <= covered, (loop, ["%02x %02x" % pair for pair in foreign - covered])


def print_table(name, rectangles):
    """Four tables by half a byte, with a bit for each rectangle."""
    assert len(rectangles) <= 8, name
    tables = [[0] * 16 for _ in range(4)]
    for bit, rectangle in enumerate(rectangles):
        for table, halves in zip(tables, rectangle):
            for half in halves:
                table[half] |= 1 << bit
    print("\nstatic const struct halves foreign_%s = {" % name)
    for table in tables:
        print("\t{\n%s\n\t}," % wrapped("0x%02x" % bits for bits in table))
    print("};")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: generate-upper-avx2.py DIRECTORY")
    mapping = read_mapping(sys.argv[1])
    check(mapping)
    print("/* SPDX-License-Identifier: ISC */")
    print("/* Made by generate-upper-avx2.py of Unicode %s; never edited by hand. */"
          % read_version(sys.argv[1]))
    print("/* clang-format off */")
    for name, rectangles in TABLES.items():
        print_table(name, rectangles)


if __name__ == "__main__":
    main()
