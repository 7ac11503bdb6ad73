# SPDX-License-Identifier: ISC
"""Unicode's upper-case mapping out of its data files, for the table generators beside this file.

They take a DIRECTORY that has UnicodeData.txt and SpecialCasing.txt (Debian: unicode-data,
/usr/share/unicode).
"""

import re


def read_version(directory):
    with open(directory + "/SpecialCasing.txt", encoding="utf-8") as file:
        return re.search(r"SpecialCasing-(\d+\.\d+\.\d+)\.txt", file.readline()).group(1)


def read_mapping(directory):
    """{code point: upper case as a string}, only of those that change."""
    mapping = {}
    with open(directory + "/UnicodeData.txt", encoding="utf-8") as file:
        for line in file:
            fields = line.split(";")
            if fields[12]:
                mapping[int(fields[0], 16)] = chr(int(fields[12], 16))
    with open(directory + "/SpecialCasing.txt", encoding="utf-8") as file:
        for line in file:
            fields = [field.strip() for field in line.split("#")[0].split(";")]
            if len(fields) != 5:  # empty, or with a condition (a language, a context)
                continue
            mapping[int(fields[0], 16)] = "".join(chr(int(x, 16)) for x in fields[3].split())
    return {c: upper for c, upper in sorted(mapping.items()) if upper != chr(c)}


def wrapped(items, width=96):
    """The items of a C initialiser, in lines."""
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) + 2 > width - 8:
            lines.append(line)
            line = ""
        line += (" " if line else "") + item + ","
    return "\n".join("\t" + line for line in lines + [line])
