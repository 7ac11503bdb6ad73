#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Write upper-avx512-tables.h from Unicode's data files; upper-avx512.c says what they are for.

usage: generate-upper-avx512.py DIRECTORY >upper-avx512-tables.h

For each loop of upper-avx512.c this knows which two-byte characters it maps by itself, how, and
makes of all other cased characters the pair of tables by which the loop finds them ("foreign").
"""

import sys

from unicode_mapping import read_mapping, read_version, wrapped

LEADS = range(0xc2, 0xe0)
TRAILS = range(0x80, 0xc0)


# Below these trails every loop takes one off the lead.
LIMITS = {0xcf: 0x8f, 0xd1: 0xa0}


def lead_delta(lead, trail):
    """What every loop adds to a two-byte lead, whatever the character."""
    return -1 if trail < LIMITS.get(lead, 0) else 0


# Two whose bytes change one by one, all the same: sharp s becomes two S, of dotless i the lead goes
# and the trail becomes an I. The loops treat these leads apart.
SHARP_S, DOTLESS_I = (0xc3, 0x9f), (0xc4, 0xb1)
APART = {SHARP_S: b"\xc3S", DOTLESS_I: b"\xc4I"}


def upper(mapping, lead, trail):
    code_point = (lead & 0x1f) << 6 | (trail & 0x3f)
    return APART.get((lead, trail)) or mapping.get(code_point, chr(code_point)).encode()


def trail_table(mapping, lead):
    """({trail: new trail} of what a loop with this lead maps, the trails it can't)."""
    table, foreign = {}, set()
    for trail in TRAILS:
        new = upper(mapping, lead, trail)
        if len(new) == 2 and new[0] == lead + lead_delta(lead, trail):
            table[trail] = new[1]
        else:
            foreign.add(trail)
    return table, foreign


# What loops for Latin know.
LATIN = 0xc3, 0xc4, 0xc5, 0xc6

# Pairs of leads that share a table: a loop maps the even one's trails with bit 5 set and the odd
# one's without it, where nearly all their letters are. What else they have cased is foreign.
PAIRS = (0xce, 0xcf), (0xd0, 0xd1)


def pair_table(mapping, even, odd):
    """({trail: new trail} of what a loop with these leads maps, {lead: the trails it can't})."""
    table, foreign = {}, {}
    for lead, mapped in ((odd, TRAILS[:32]), (even, TRAILS[32:])):
        own, foreign[lead] = trail_table(mapping, lead)
        table.update((trail, own[trail]) for trail in mapped if trail in own)
        foreign[lead] |= {trail for trail in own if trail not in mapped and own[trail] != trail}
    return table, foreign


# The loop over all scripts: how the 16 characters of a row, a lead and the upper two bits of the
# trail, change: as those of one of these rows do. Nine kinds, the last one with the same change
# throughout, are what fits the registers well; a character that changes otherwise is foreign.
KINDS = ((0xc2, 0), (0xc3, 2), (0xc4, 0), (0xc4, 3), (0xc5, 0), (0xce, 2), (0xcf, 0), (0xd1, 0),
         (0xd1, 1))
NOT, DOWN_32, ODD, C4_3, C5_0, CE_2, CF_0, UP_32, DOWN_16 = range(len(KINDS))
KIND_OF = {
    0xc3: (NOT, NOT, DOWN_32, DOWN_32), 0xc4: (ODD, ODD, ODD, C4_3), 0xc5: (C5_0, ODD, ODD, C4_3),
    0xc6: (NOT, NOT, ODD, C5_0),
    0xce: (NOT, NOT, CE_2, DOWN_32), 0xcf: (CF_0, NOT, ODD, NOT),
    0xd0: (NOT, NOT, NOT, DOWN_32), 0xd1: (UP_32, DOWN_16, ODD, ODD),
    0xd2: (NOT, ODD, ODD, ODD), 0xd3: (NOT, ODD, ODD, ODD), 0xd4: (ODD, ODD, ODD, NOT),
}


def row_trails(row):
    return range(0x80 + 16 * row, 0x90 + 16 * row)


def make_kinds(mapping):
    """For each kind what is added to each of the 16 trails."""
    kinds = []
    for lead, row in KINDS:
        changes = [upper(mapping, lead, trail) for trail in row_trails(row)]
        kinds.append([new[1] - trail
                      if len(new) == 2 and new[0] == lead + lead_delta(lead, trail) else 0
                      for trail, new in zip(row_trails(row), changes)])
    kinds[C5_0][0] = -1  # U+0140 is foreign in any case; U+01B0 changes so
    assert len(set(kinds[DOWN_16])) == 1
    return kinds


def row_foreign(mapping, kinds, lead):
    return {trail for row, kind in enumerate(KIND_OF[lead]) for trail in row_trails(row)
            if upper(mapping, lead, trail) != bytes((lead + lead_delta(lead, trail),
                                                     trail + kinds[kind][trail & 15]))}


def long_foreign(mapping):
    """{lead: second bytes} of the cased characters of three and four bytes."""
    foreign = {}
    for code_point in mapping:
        text = chr(code_point).encode()
        if len(text) > 2:
            foreign.setdefault(text[0], set()).add(text[1])
    return foreign


def foreign_of(mapping, two_byte, seconds_known=()):
    """{lead: the bytes behind it that make it foreign}."""
    foreign = long_foreign(mapping)
    foreign[0xe1] -= set(seconds_known)
    for lead in LEADS:
        if lead in two_byte:
            pairs = two_byte[lead]
        else:
            pairs = {trail for trail in TRAILS
                     if upper(mapping, lead, trail) != bytes((lead, trail))}
            # Where much is cased all may be: only C2 has one cased among many that are common.
            if pairs and lead != 0xc2:
                pairs = set(TRAILS)
        if pairs:
            foreign[lead] = set(pairs)
    return foreign


def span(first, last, weight):
    return {second: weight for second in range(first, last + 1)}


# {lead: {second byte: weight}}: what is so common in texts that it should not be taken as foreign
# without need: letters of widespread scripts, punctuation, emoji. All else has a weight of 1.
COMMON = {
    0xc2: span(0xa0, 0xbf, 100), 0xc3: {**span(0x80, 0x9f, 100), **span(0xa0, 0xbf, 1000)},
    0xc4: span(0x80, 0xbf, 300),    0xc5: span(0x80, 0xbf, 300), 0xc6: {**span(0xa0, 0xa1, 300), **span(0xaf, 0xb0, 300)},
    0xce: span(0x84, 0xbf, 1000), 0xcf: span(0x80, 0x8e, 1000),
    0xd0: span(0x80, 0xbf, 1000), 0xd1: span(0x80, 0x9f, 1000),
    0xe1: {**span(0x80, 0x8d, 50), **span(0x9e, 0x9f, 50), **span(0xba, 0xbb, 300)},
    0xe2: {**span(0x80, 0x84, 100), **span(0x86, 0x9e, 30)}, 0xea: span(0xb0, 0xbf, 300),
    0xef: {0xb8: 100, 0xbc: 1000, 0xbf: 20}, 0xf0: {0x9f: 100},
}


def make_groups(foreign, most):
    """At most so many sets of second bytes, so that a lead's foreign ones are a union of sets, or
    little more: a character wrongly taken as foreign costs time, nothing else."""
    def cost_of(leads, seconds):
        return sum(COMMON.get(lead, {}).get(second, 1) for lead in leads for second in seconds)
    groups = []
    for lead, seconds in foreign.items():
        for group in groups:
            if group[1] == seconds:
                group[0].add(lead)
                break
        else:
            groups.append(({lead}, seconds))
    while len(groups) > most:
        def cost(pair):
            (leads_a, a), (leads_b, b) = pair
            return cost_of(leads_a, b - a) + cost_of(leads_b, a - b)
        pairs = [(groups[i], groups[j]) for i in range(len(groups)) for j in range(i)]
        a, b = min(pairs, key=cost)
        groups.remove(a)
        groups.remove(b)
        groups.append((a[0] | b[0], a[1] | b[1]))
    return groups


def print_bytes(values):
    print(wrapped("0x%02x" % (value & 0xff) for value in values))


def is_common(lead, second):
    return COMMON.get(lead, {}).get(second, 1) > 1


def with_malformed(foreign, odd):
    """What is no trail counts as BF. The other leads of a pair's eight are foreign with that."""
    return {**foreign, **{lead: foreign.get(lead, set()) | {0xbf}
                          for lead in range(odd & ~7, (odd & ~7) + 8) if lead >> 1 != odd >> 1}}


def print_foreign(name, foreign, odd=None):
    """The odd lead of a pair has bit 0 to itself, and with it the trails before which it goes down
    by one."""
    first = 1 if odd else 0
    if odd:
        foreign = with_malformed(foreign, odd)
    groups = make_groups(foreign, 8 - first)
    lead_bits, second_bits = [0] * 64, [0] * 64
    for bit, (leads, seconds) in enumerate(groups, first):
        for lead in leads:
            lead_bits[lead & 63] |= 1 << bit
        for second in seconds:
            second_bits[second & 63] |= 1 << bit
    if odd:
        lead_bits[odd & 63] |= 1
        for trail in range(TRAILS[0], LIMITS[odd]):
            second_bits[trail & 63] |= 1
        assert not any(is_common(lead, second) for leads, seconds in groups for lead in leads
                       for second in seconds - foreign[lead]), "too few bits for " + name
    for lead, seconds in foreign.items():
        assert all(lead_bits[lead & 63] & second_bits[second & 63] for second in seconds)
    print("\nstatic const struct foreign foreign_%s = {\n\t{" % name)
    print_bytes(lead_bits)
    print("\t},\n\t{")
    print_bytes(second_bits)
    print("\t},\n};")


def print_latin(mapping):
    """Each lead and each difference between its trails and what they become have a bit. Returns
    {lead: the trails that a loop with these leads can't map}."""
    foreign, bit_of = {}, {}
    lead_bits, trail_bits, change = [0] * 64, [0] * 64, [0] * 64
    for lead in LATIN:
        table, foreign[lead] = trail_table(mapping, lead)
        for trail, new in table.items():
            if new != trail:
                bit = 1 << bit_of.setdefault((lead, trail - new), len(bit_of))
                lead_bits[lead & 63] |= bit
                trail_bits[trail & 63] |= bit
                change[bit] = trail - new
    assert len(bit_of) <= 6 and trail_bits[0xbf & 63] == 0
    print("\nstatic const struct latin latin = {")
    for table in lead_bits, trail_bits, change:
        print("\t{")
        print_bytes(table)
        print("\t},")
    print("};")
    return foreign


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: generate-upper-avx512.py DIRECTORY")
    mapping = read_mapping(sys.argv[1])
    print("/* SPDX-License-Identifier: ISC AND Unicode-3.0 */")
    print("/* Made by generate-upper-avx512.py of Unicode %s; never edited by hand. */"
          % read_version(sys.argv[1]))
    print("/* clang-format off */")

    print("\n/* What 40 to 7f become. */\nstatic const unsigned char ascii_40[64] = {")
    print_bytes(ord(chr(byte).upper()) for byte in range(0x40, 0x80))
    print("};")
    foreign = print_latin(mapping)
    for even, odd in PAIRS:
        table, pair_foreign = pair_table(mapping, even, odd)
        foreign.update(pair_foreign)
        print("\nstatic const struct lead_pair pair_%02x_%02x = {\n\t{" % (even, odd))
        print_bytes(table.get(trail, trail) for trail in TRAILS)
        print("\t},\n\t0x%02x,\n};" % odd)

    def known(*leads):
        return {lead: foreign[lead] for lead in leads}
    latin = {**known(*LATIN), 0xc4: foreign[0xc4] | {0xb1}}
    turkish = {**known(*LATIN), 0xc3: foreign[0xc3] | {0x9f}}
    vietnamese = {**latin, 0xc3: turkish[0xc3]}
    print_foreign("caseless", foreign_of(mapping, {}))
    print_foreign("latin", foreign_of(mapping, latin))
    print_foreign("turkish", foreign_of(mapping, turkish))
    print_foreign("vietnamese", foreign_of(mapping, vietnamese, (0xb8, 0xb9, 0xba, 0xbb)))
    print_foreign("greek", foreign_of(mapping, known(0xce, 0xcf)), odd=0xcf)
    print_foreign("cyrillic", foreign_of(mapping, known(0xd0, 0xd1)), odd=0xd1)

    kinds = make_kinds(mapping)
    two_byte = {lead: row_foreign(mapping, kinds, lead) for lead in KIND_OF}
    print_foreign("all", foreign_of(mapping, two_byte, (0xb8, 0xb9, 0xba, 0xbb)))
    print("\n/* The kind of a row, times 16; by the lead's low five bits and the row. */")
    print("static const unsigned char row_kind[128] = {")
    print_bytes(16 * kind for i in range(32) for kind in KIND_OF.get(0xc0 + i, (NOT,) * 4))
    print("};\n\n/* What is added to the trail: a line of 16 for each kind of row but the last. */")
    print("static const unsigned char row_trail[128] = {")
    print_bytes(change for kind in kinds[:-1] for change in kind)
    print("};\n\n/* And for the last. */\n#define LAST_KIND_TRAIL (%d)" % kinds[-1][0])


if __name__ == "__main__":
    main()
