#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Write upper-tables.h from Unicode's data files.

usage: generate-upper.py DIRECTORY [--version] >upper-tables.h

DIRECTORY has UnicodeData.txt and SpecialCasing.txt (Debian: unicode-data, /usr/share/unicode).
With --version it only prints the version of that data.

A code point is looked up in two steps: its block of 64 (code point >> 6) has a number, 0 for the
blocks in which nothing changes; the block's row says how each of its 64 code points changes:
0 not at all, up to the number of deltas by one of them, beyond that into one of the
strings. That is 3.8 KiB of rows, 1.9 of block numbers, and 1.1 of deltas and strings: all of it stays
in the cache.
"""

import sys

from unicode_mapping import read_mapping, read_version, wrapped


def c_bytes(text):
    return ", ".join("0x%02x" % byte for byte in text.encode())


def write_tables(version, mapping, out):
    deltas = sorted({ord(upper) - c for c, upper in mapping.items() if len(upper) == 1})
    strings = [(c, upper) for c, upper in mapping.items() if len(upper) > 1]
    number_of_delta = {delta: 1 + i for i, delta in enumerate(deltas)}
    number_of_string = {c: 1 + len(deltas) + i for i, (c, _) in enumerate(strings)}
    assert len(deltas) + len(strings) < 256
    blocks = sorted({c >> 6 for c in mapping})
    block_number = {block: 1 + i for i, block in enumerate(blocks)}

    def change(c):
        if c not in mapping:
            return 0
        return number_of_string[c] if c in number_of_string else number_of_delta[ord(mapping[c]) - c]

    print("/* SPDX-License-Identifier: ISC AND Unicode-3.0 */", file=out)
    print("/* Made by generate-upper.py of Unicode %s; never edited by hand. */" % version, file=out)
    print("/* clang-format off */", file=out)
    print("#define UPPER_UNICODE_VERSION \"%s\"\n" % version, file=out)
    print("/* Code points from here on don't change. */", file=out)
    print("#define UPPER_CODE_POINTS 0x%x\n" % ((blocks[-1] + 1) << 6), file=out)
    print("static const unsigned char upper_block[UPPER_CODE_POINTS >> 6] = {", file=out)
    print(wrapped(str(block_number.get(b, 0)) for b in range(blocks[-1] + 1)), file=out)
    print("};\n\nstatic const unsigned char upper_change[%d][64] = {" % (1 + len(blocks)), file=out)
    print("\t{0},", file=out)
    for block in blocks:
        print("\t/* U+%04X */\n\t{" % (block << 6), file=out)
        print(wrapped(str(change((block << 6) + i)) for i in range(64)) + "\n\t},", file=out)
    print("};\n\n/* Changes 1 to UPPER_DELTAS: what is added to the code point. */", file=out)
    print("#define UPPER_DELTAS %d\n" % len(deltas), file=out)
    print("static const int upper_delta[1 + UPPER_DELTAS] = {", file=out)
    print(wrapped(str(delta) for delta in [0] + deltas), file=out)
    print("};\n\n/* The changes behind those: what the character becomes. */", file=out)
    print("static const struct {\n\tunsigned char length, bytes[6];\n} upper_string[%d] = {"
          % len(strings), file=out)
    for c, upper in strings:
        print("\t{%d, {%s}}, /* U+%04X */" % (len(upper.encode()), c_bytes(upper), c), file=out)
    print("};", file=out)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--version"]
    if len(arguments) != 1:
        sys.exit("usage: generate-upper.py DIRECTORY [--version]")
    version = read_version(arguments[0])
    if "--version" in sys.argv:
        print(version)
    else:
        write_tables(version, read_mapping(arguments[0]), sys.stdout)


if __name__ == "__main__":
    main()
