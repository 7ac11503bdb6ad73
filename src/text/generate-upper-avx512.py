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


# Below these trails the loop over all scripts takes one off the lead.
LIMITS = {0xcf: 0x8f, 0xd1: 0xa0}


def lead_delta(lead, trail):
    """What the loop over all scripts adds to a two-byte lead, whatever the character."""
    return -1 if trail < LIMITS.get(lead, 0) else 0


# Two whose bytes change one by one, all the same: sharp s becomes two S, of dotless i the lead goes
# and the trail becomes an I. The loops treat these leads apart.
SHARP_S, DOTLESS_I = (0xc3, 0x9f), (0xc4, 0xb1)
APART = {SHARP_S: b"\xc3S", DOTLESS_I: b"\xc4I"}


def upper(mapping, lead, trail):
    code_point = (lead & 0x1f) << 6 | (trail & 0x3f)
    return APART.get((lead, trail)) or mapping.get(code_point, chr(code_point)).encode()


def trail_table(mapping, lead):
    """({trail: new trail} of what a loop for Latin maps behind this lead, the trails it can't)."""
    table, foreign = {}, set()
    for trail in TRAILS:
        new = upper(mapping, lead, trail)
        if len(new) == 2 and new[0] == lead:
            table[trail] = new[1]
        else:
            foreign.add(trail)
    return table, foreign


# What loops for Latin know.
LATIN = 0xc3, 0xc4, 0xc5, 0xc6


def affine(images, plus):
    """What gf2p8affineqb makes of a byte: plus, and for each bit that is set its image, by xor.
    Returns (its 64 bits for the instruction, the function)."""
    rows = [sum(1 << bit for bit in range(8) if images[bit] >> row & 1) for row in range(8)]

    def apply(byte):
        result = plus
        for bit in range(8):
            result ^= images[bit] if byte >> bit & 1 else 0
        return result
    return int.from_bytes(bytes(reversed(rows)), "little"), apply


class LeadPair:
    """Two leads that share a table: a loop maps the odd one's trails without bit 5, behind which
    it goes down by one, and the even one's with it. What else they have cased is foreign.

    Of a trail lead_of() makes the lead that it is mapped behind, and of what is none one of aliases,
    which are always foreign."""

    def __init__(self, name, odd, lead_images):
        self.name, self.odd, self.even = name, odd, odd - 1
        self.plus = odd ^ lead_images[2]
        self.matrix, self.lead_of = affine((0,) * 5 + lead_images, self.plus)
        self.aliases = {self.lead_of(byte) for byte in range(256) if byte not in TRAILS}
        assert {self.lead_of(trail) for trail in TRAILS} == {self.even, self.odd}

    def table(self, mapping):
        """({trail: new trail}, {lead: the trails that it has none for}). The odd lead goes down
        whatever follows, so with it all others are foreign."""
        table, foreign = {}, {self.even: set(), self.odd: set()}
        for lead, trails in foreign.items():
            for trail in TRAILS:
                new = upper(mapping, lead, trail)
                if self.lead_of(trail) == lead and len(new) == 2 and new[0] == self.even:
                    table[trail] = new[1]
                elif lead == self.odd or new != bytes((lead, trail)):
                    trails.add(trail)
        return table, foreign


# With the images of bits 5 to 7.
PAIRS = LeadPair("greek", 0xcf, (0x01, 0x36, 0x30)), LeadPair("cyrillic", 0xd1, (0x01, 0x2e, 0x2c))


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


def with_aliases(foreign, pair):
    """What is no trail looks like one behind these: whatever follows, they are foreign."""
    for lead in pair.aliases:
        assert lead >= 0xf8 or foreign[lead] == set(TRAILS)
    return {**foreign, **{lead: set(TRAILS) for lead in pair.aliases}}


def print_foreign(name, foreign, pair=None):
    """The odd lead of a pair has bit 0 to itself: it goes down where it isn't foreign, and what is no
    trail, which counts as BF, is."""
    groups = []
    if pair:
        foreign = with_aliases(foreign, pair)
        groups.append(({pair.odd}, foreign.pop(pair.odd) | {0xbf}))
    groups += make_groups(foreign, 8 - len(groups))
    lead_bits, second_bits = [0] * 64, [0] * 64
    for bit, (leads, seconds) in enumerate(groups):
        for lead in leads:
            lead_bits[lead & 63] |= 1 << bit
        for second in seconds:
            second_bits[second & 63] |= 1 << bit
    for lead, seconds in foreign.items():
        assert all(lead_bits[lead & 63] & second_bits[second & 63] for second in seconds)
    assert not pair or not any(is_common(lead, second) for leads, seconds in groups
                               for lead in leads - {pair.odd}
                               for second in seconds - foreign[lead]), "too few bits for " + name
    print("\nstatic const struct foreign foreign_%s = {\n\t{" % name)
    print_bytes(lead_bits)
    print("\t},\n\t{")
    print_bytes(second_bits)
    print("\t},\n};")


def print_pair(pair, table):
    print("\nstatic const unsigned char %s_trail[64] = {" % pair.name)
    print_bytes(table.get(trail, trail) for trail in TRAILS)
    print("};\n#define %s_LEAD_MATRIX UINT64_C(0x%016x)" % (pair.name.upper(), pair.matrix))
    print("#define %s_LEAD_PLUS   0x%02x" % (pair.name.upper(), pair.plus))


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

    foreign = print_latin(mapping)
    for pair in PAIRS:
        table, pair_foreign = pair.table(mapping)
        foreign.update(pair_foreign)
        print_pair(pair, table)

    def known(*leads):
        return {lead: foreign[lead] for lead in leads}
    latin = {**known(*LATIN), 0xc4: foreign[0xc4] | {0xb1}}
    turkish = {**known(*LATIN), 0xc3: foreign[0xc3] | {0x9f}}
    vietnamese = {**latin, 0xc3: turkish[0xc3]}
    print_foreign("caseless", foreign_of(mapping, {}))
    print_foreign("latin", foreign_of(mapping, latin))
    print_foreign("turkish", foreign_of(mapping, turkish))
    print_foreign("vietnamese", foreign_of(mapping, vietnamese, (0xb8, 0xb9, 0xba, 0xbb)))
    for pair in PAIRS:
        print_foreign(pair.name, foreign_of(mapping, known(pair.even, pair.odd)), pair)

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
