#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Write upper-avx2-tables.h from Unicode's data files; upper-avx2.c says what they are for.

usage: generate-upper-avx2.py DIRECTORY >upper-avx2-tables.h

A pair of bytes, a lead and the one behind it, is foreign to a loop if a character that begins so is
cased and the loop doesn't map it. The pairs of a loop are covered by rectangles: products of four
sets, of the halves of both bytes. This checks that the rectangles below cover all that is foreign.
"""

import sys

from unicode_mapping import read_mapping, read_version, wrapped

ANY = range(16)
TRAIL = range(8, 12)  # the upper halves of trails


def span(first, last):
    return range(first, last + 1)


# (the lead's upper half, its lower halves, the second byte's upper halves, its lower halves)
LONG = (  # leads of three and four bytes
    (0xe, (0x1,), (0x8,), (0x2, 0x3, 0xf)),
    (0xe, (0x1,), (0xb,), (0x2, 0x5, 0x6, *span(0x8, 0xf))),
    (0xe, (0x2,), (0x8,), (0x4, 0x5, 0x6)),
    (0xe, (0x2, 0xf), (0xb,), (*span(0x0, 0x4), 0xd)),
    (0xe, (0x2,), (0x9,), (0x3,)),
    (0xe, (0xa,), (0x9, 0xa), (0x9, 0xa, *span(0xc, 0xf))),
    (0xe, (0xf,), (0xa,), (0xc,)),
    (0xf, (0x0,), (0x9,), span(0x0, 0xe)),
)
D_ANY = (0xd, span(0, 6), TRAIL, ANY)
MICRO = (0xc, (0x2,), (0xb,), (0x5,))
C3_C5 = (0xc, (0x3, 0x5), (0xb,), (0xf,))
C5 = (0xc, (0x5,), (0x8,), (0x0, 0x9))
C4 = (0xc, (0x4,), (0xb,), (0x1,))
C6 = ((0xc, (0x6,), (0x8, 0x9), ANY), (0xc, (0x6,), (0xa,), span(0x2, 0xe)),
      (0xc, (0x6,), (0xb,), span(0x1, 0xf)))
SHORT = {  # leads of two bytes, for each loop
    "latin": (MICRO, D_ANY, C3_C5, C5, C4, (0xc, span(6, 15), TRAIL, ANY)),
    "turkish": (MICRO, D_ANY, C3_C5, C5, (0xc, span(6, 15), TRAIL, ANY)),
    "vietnamese": ((0xc, (0x2, 0x4), (0xb,), (0x1, 0x5)), D_ANY, C3_C5, C5, *C6,
                   (0xc, span(7, 15), TRAIL, ANY)),
    "greek": (MICRO, D_ANY, (0xc, span(3, 13), TRAIL, ANY), (0xc, (0xe,), (0x9, 0xb), (0x0,)),
              (0xc, (0xf,), (0x9, 0xa, 0xb), ANY)),
    "cyrillic": (MICRO, (0xc, span(3, 15), TRAIL, ANY), (0xd, (0x1,), (0xa, 0xb), ANY),
                 (0xd, span(2, 6), TRAIL, ANY)),
    # Without U+00B5, and with those of C6 that the loop knows: upper-avx2.c sees to these.
    "all": (C3_C5, C5, (0xc, span(6, 13), TRAIL, ANY), (0xc, (0xe,), (0x9, 0xb), (0x0,)),
            (0xc, (0xf,), (0x9, 0xa, 0xb), ANY), (0xd, (0x1, 0x4, 0x5, 0x6), (0xa, 0xb), ANY),
            (0xd, span(2, 6), (0x8,), ANY), (0xd, (0x4, 0x5, 0x6), (0x9,), ANY)),
}


def upper(mapping, lead, trail):
    code_point = (lead & 0x1f) << 6 | (trail & 0x3f)
    return mapping.get(code_point, chr(code_point)).encode()


def knows(loop, lead, trail):
    """Whether upper-arithmetic.h maps this two-byte character in this loop."""
    if (loop, lead, trail) == ("all", 0xc2, 0xb5):
        return True
    latin = loop in ("latin", "turkish", "vietnamese", "all")
    if 0xc3 <= lead <= 0xc5:
        dotless_i = (lead, trail) == (0xc4, 0xb1) and loop not in ("turkish", "all")
        return latin and (lead, trail) not in ((0xc3, 0xbf), (0xc5, 0x80), (0xc5, 0x89),
                                               (0xc5, 0xbf)) and not dotless_i
    if lead == 0xc6:
        return loop in ("vietnamese", "all") and trail in (0xa0, 0xa1, 0xaf, 0xb0)
    if lead == 0xce:
        return loop in ("greek", "all") and trail not in (0x90, 0xb0)
    if lead == 0xcf:
        return loop in ("greek", "all") and trail < 0x8f
    if lead == 0xd0:
        return loop in ("cyrillic", "all")
    if lead == 0xd1:
        return loop in ("cyrillic", "all") and trail < 0xa0
    if lead in (0xd2, 0xd3):
        return loop == "all" and trail >= 0x90
    return False


def long_foreign(mapping):
    texts = [chr(code_point).encode() for code_point in mapping]
    return {(text[0], text[1]) for text in texts if len(text) > 2}


def short_foreign(mapping, loop):
    return {(lead, trail) for lead in range(0xc2, 0xe0) for trail in range(0x80, 0xc0)
            if upper(mapping, lead, trail) != bytes((lead, trail)) and not knows(loop, lead, trail)}


def print_rectangles(name, rectangles, foreign):
    """Four tables by half a byte, with a bit for each rectangle."""
    assert len(rectangles) <= 8, name
    tables = [[0] * 16 for _ in range(4)]
    covered = set()
    for bit, (lead_high, lead_low, second_high, second_low) in enumerate(rectangles):
        for table, halves in zip(tables, ((lead_high,), lead_low, second_high, second_low)):
            for half in halves:
                table[half] |= 1 << bit
        covered |= {(lead_high << 4 | a, b << 4 | c)
                    for a in lead_low for b in second_high for c in second_low}
    assert foreign <= covered, (name, sorted("%02x %02x" % pair for pair in foreign - covered))
    print("\nstatic const struct halves foreign_%s = {" % name)
    for table in tables:
        print("\t{\n%s\n\t}," % wrapped("0x%02x" % bits for bits in table))
    print("};")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: generate-upper-avx2.py DIRECTORY")
    mapping = read_mapping(sys.argv[1])
    print("/* SPDX-License-Identifier: ISC */")
    print("/* Made by generate-upper-avx2.py of Unicode %s; never edited by hand. */"
          % read_version(sys.argv[1]))
    print("/* clang-format off */")
    print_rectangles("long", LONG, long_foreign(mapping))
    for loop, rectangles in SHORT.items():
        print_rectangles(loop, rectangles, short_foreign(mapping, loop))


if __name__ == "__main__":
    main()
