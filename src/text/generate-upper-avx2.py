#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Write upper-avx2-tables.h from Unicode's data files; upper-avx2.c says what they are for.

usage: generate-upper-avx2.py DIRECTORY >upper-avx2-tables.h

A pair of bytes, a lead and the one behind it, is foreign to a loop if a character that begins so is
cased and the loop doesn't map it. The pairs of a loop are covered by rectangles: products of four
sets, of the halves of both bytes, or of three sets where leads with the same lower half may share
one. This checks that the rectangles below, and what a loop compares with besides, cover all that is
foreign; what else they cover is only slower.
"""

import sys

from unicode_mapping import read_mapping, read_version, wrapped

ANY = range(16)
TRAIL = range(8, 12)  # the upper halves of trails


def span(first, last):
    return range(first, last + 1)


# (the lead's upper halves, its lower halves, the second byte's upper halves, its lower halves)
C3_C5 = ((0xc,), (0x3, 0x5), (0xb,), (0x7, 0xf))
C5 = ((0xc,), (0x5,), (0x8,), (0x0, 0x9))
CE = ((0xc,), (0xe,), (0x9, 0xb), (0x0,))
CF = ((0xc,), (0xf,), (0x9, 0xa, 0xb), ANY)
# Signs and punctuation stand in every text. CB is signs alone, CC combining marks, which stand
# behind any letter where text is decomposed: they are foreign to no loop below.
ARROWS = ((0x2,), (0x8,), (0x6,))
SIGNS = ((0x2,), (0x8, 0x9), (0x3, 0x5))
MICRO_E2 = ((0x2,), (0xb,), span(0x0, 0x5))
F0 = ((0xf,), (0x0,), (0x9,), span(0x0, 0xe))

FOUR_HALVES = {
    "cyrillic": (((0xe,), *ARROWS), ((0xe,), *SIGNS), ((0xc, 0xe), *MICRO_E2), F0,
                 ((0xc,), (*span(0x3, 0xa), *span(0xd, 0xf)), TRAIL, ANY),
                 ((0xd,), (0x1,), (0xa, 0xb), ANY), ((0xd,), span(0x2, 0x6), TRAIL, ANY),
                 ((0xe,), (0x0, 0x1, *span(0x3, 0xf)), TRAIL, ANY)),
    "long": (((0xc,), (0x2,), (0xb,), (0x5,)), F0, ((0xe,), (0x2,), (0x8,), (0x5, 0x6)),
             ((0xe,), (0x1,), (0x8,), (0x2, 0x3, 0xf)),
             ((0xe,), (0x2,), (0x9,), (0x3,)),
             ((0xe,), (0x2, 0xf), (0xb,), (*span(0x0, 0x4), 0xd)),
             ((0xe,), (0xa, 0xf), (0x9, 0xa), (0x9, 0xa, *span(0xc, 0xf))),
             ((0xe,), (0x1,), (0xb,), (0x2, 0x5, 0x6, *span(0xc, 0xf)))),
    "all": (C3_C5, C5, ((0xc,), (*span(0x6, 0xa), 0xd), TRAIL, ANY), CE, CF,
            ((0xd,), (0x1, 0x4, 0x5, 0x6), (0xa, 0xb), ANY),
            ((0xd,), span(0x2, 0x6), (0x8,), ANY), ((0xd,), (0x4, 0x5, 0x6), (0x9,), ANY)),
}

# As above, without the lead's upper halves: C2, D2, E2 and F2 are the same here.
SHORT = (ARROWS, SIGNS, MICRO_E2, ((0x0,), (0x9,), span(0x0, 0xe)))
OTHER = (*span(0x7, 0xa), *span(0xd, 0xf))
THREE_HALVES = {
    # With leads from E1 to F0 alone, counted from E1 on.
    "caseless": (((0x1,), *ARROWS[1:]), ((0x1,), *SIGNS[1:]),
                 ((0xf,), (0x9,), span(0x0, 0xe)), ((0x0,), (0x8,), (0x2, 0x3, 0xf)),
                 ((0x0,), (0xb,), (0x2, 0x5, 0x6, *span(0x8, 0xf))),
                 ((0x1, 0xe), (0xb,), (*span(0x0, 0x4), 0xd)),
                 ((0x9,), (0x9,), (0x9, 0xa, *span(0xc, 0xf))),
                 ((0x9, 0xe), (0xa,), (0xc, 0xd, 0xe))),
    "latin": (*SHORT, ((0x1, 0x6, *OTHER), TRAIL, ANY), C3_C5[1:], C5[1:],
              ((0x4,), (0xb,), (0x1,))),
    "turkish": (*SHORT, ((0x1, 0x6, *OTHER), TRAIL, ANY), C3_C5[1:], C5[1:],
                ((0x3,), (0x9,), (0xf,))),
    "greek": (*SHORT, ((0x1, *span(0x3, 0xa), 0xd), TRAIL, ANY), CE[1:], CF[1:]),
    "vietnamese": (((0x0, 0x1, *OTHER), (0x8, 0x9, 0xa), span(0x0, 0xe)),
                   ((0x1, *span(0x3, 0x5), *OTHER), TRAIL, (0x7, 0xf)),
                   ((0x1, 0x4, 0x5, *OTHER), (0xb,), (*span(0x0, 0x9), *span(0xc, 0xf))),
                   ((*span(0x4, 0x6), *OTHER), (0xb,), span(0x1, 0xf)),
                   ((0x5, 0x6), (0x8, 0x9), ANY), ((0x6,), (0xa,), span(0x2, 0xe)),
                   MICRO_E2, ((0x2,), (0x8, 0x9), (0x3, 0x5, 0x6))),
}

LOOPS = {  # the tables of each, and the leads that it compares with besides
    "caseless": (("caseless",), span(0xc3, 0xd6)),
    "latin": (("latin",), span(0xd0, 0xd5)),
    "turkish": (("turkish",), span(0xd0, 0xd5)),
    "greek": (("greek",), span(0xd0, 0xd2)),
    "cyrillic": (("cyrillic",), ()),
    "vietnamese": (("vietnamese",), span(0xd0, 0xd5)),
    "all": (("long", "all"), ()),
}


def knows(loop, lead, second):
    """Whether the loop maps the characters that begin so, or looks closer at them by itself."""
    if loop == "vietnamese":
        return (lead, second) in (
            *((0xc3, x) for x in range(0x80, 0xc0) if x not in (0x9f, 0xb7, 0xbf)),
            *((0xc4, x) for x in range(0x80, 0xaf)), *((0xc5, x) for x in range(0x8a, 0xaf)),
            (0xc6, 0xa0), (0xc6, 0xa1), (0xc6, 0xaf), (0xc6, 0xb0), (0xe1, 0xba), (0xe1, 0xbb))
    if (lead, second) == (0xc2, 0xb5):
        return loop == "caseless"
    if 0xc3 <= lead <= 0xc5:
        unknown = [(0xc3, 0xb7), (0xc3, 0xbf), (0xc5, 0x80), (0xc5, 0x89), (0xc5, 0xbf)]
        if loop == "latin":
            unknown.append((0xc4, 0xb1))
        if loop == "turkish":
            unknown.append((0xc3, 0x9f))
        return loop in ("latin", "turkish", "all") and (lead, second) not in unknown
    if lead == 0xc6:
        return loop == "all" and second in (0xa0, 0xa1, 0xaf, 0xb0)
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
    return lead == 0xe1 and loop == "all" and 0xb8 <= second <= 0xbb


def rectangles_of(table):
    """Of leads, and the halves of the second byte."""
    if table in FOUR_HALVES:
        return [([a << 4 | b for a in high for b in low], *second)
                for high, low, *second in FOUR_HALVES[table]]
    if table == "caseless":
        return [([0xe1 + b for b in low], *second) for low, *second in THREE_HALVES[table]]
    return [([a << 4 | b for a in span(0xc, 0xf) for b in low], *second)
            for low, *second in THREE_HALVES[table]]


def check(mapping):
    changing = {tuple(chr(code_point).encode()[:2]) for code_point in mapping if code_point > 0x7f}
    for loop, (tables, leads) in LOOPS.items():
        foreign = {pair for pair in changing if not knows(loop, *pair) and pair[0] not in leads}
        covered = {(lead, a << 4 | b) for table in tables
                   for some, high, low in rectangles_of(table)
                   for lead in some for a in high for b in low}
        assert foreign <= covered, (loop, ["%02x %02x" % pair for pair in foreign - covered])


def print_table(name, rectangles, kind):
    """A table for each half of a byte, with a bit for each rectangle."""
    assert len(rectangles) <= 8, name
    tables = [[0] * 16 for _ in rectangles[0]]
    for bit, rectangle in enumerate(rectangles):
        for table, halves in zip(tables, rectangle):
            for half in halves:
                table[half] |= 1 << bit
    print("\nstatic const struct %s foreign_%s = {" % (kind, name))
    for table in tables:
        print("\t{\n%s\n\t}," % wrapped("0x%02x" % bits for bits in table))
    print("};")


def print_kept():
    """Where the bytes that are kept of eight come from, the first one lowest, for each set of those
    that are dropped."""
    print("\n/* A byte for each that is kept of eight: its place, the first one lowest. */")
    words = []
    for dropped in range(256):
        places = [place for place in range(8) if not dropped >> place & 1]
        words.append("0x%x" % int.from_bytes(places, "little"))
    print("static const uint64_t kept[256] = {\n%s\n};" % wrapped(words))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: generate-upper-avx2.py DIRECTORY")
    mapping = read_mapping(sys.argv[1])
    check(mapping)
    print("/* SPDX-License-Identifier: ISC AND Unicode-3.0 */")
    print("/* Made by generate-upper-avx2.py of Unicode %s; never edited by hand. */"
          % read_version(sys.argv[1]))
    print("/* clang-format off */")
    for name, rectangles in FOUR_HALVES.items():
        print_table(name, rectangles, "four_halves")
    for name, rectangles in THREE_HALVES.items():
        print_table(name, rectangles, "three_halves")
    print_kept()


if __name__ == "__main__":
    main()
