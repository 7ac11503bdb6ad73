#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""test-includes: includes run one way: down the floors of the README, and never in a circle.

    tests/unit/test-includes.py SOURCE-FOLDER...

A unit is a .c file with its header. No unit may come back to itself by what it includes, directly or
through others; no folder may include another that is not below it. The versions of one function that
text/ is made of are one unit.
"""

import os
import re
import sys

# Each folder, and those that it may include.
FLOORS = {
    "text": set(),
    "util": set(),
    "net": {"util"},
    "exchange": {"util"},
    "activation": {"net", "util"},
    "handler": {"exchange", "activation", "net", "util"},
    "server": {"exchange", "activation", "net", "util"},
    "client": {"exchange", "net", "util"},
    "services": {"exchange", "text"},
}


def name_unit(path):
    return "text/upper" if path.startswith("text/") else path


def read_units(folders):
    """What each unit, "server/loop", includes of the project's others."""
    units = {}
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in names:
                stem, ending = os.path.splitext(name)
                if ending not in (".c", ".h"):
                    continue
                unit = name_unit(os.path.basename(root) + "/" + stem)
                with open(os.path.join(root, name), encoding="utf-8") as file:
                    included = re.findall(r'^#include "(.*)\.h"$', file.read(), re.M)
                units.setdefault(unit, set()).update(set(map(name_unit, included)) - {unit})
    return units


def find_circle(units):
    """A circle of includes, as a list of units; None if there is none."""
    done = set()

    def walk(unit, path):
        if unit in path:
            return path[path.index(unit):] + [unit]
        if unit in done:
            return None
        for other in sorted(units.get(unit, ())):
            circle = walk(other, path + [unit])
            if circle:
                return circle
        done.add(unit)
        return None

    return next((circle for unit in sorted(units) if (circle := walk(unit, []))), None)


def find_climbers(units):
    for unit, included in sorted(units.items()):
        folder = unit.split("/")[0]
        for other in sorted(included):
            below = other.split("/")[0]
            if below != folder and below not in FLOORS.get(folder, {below}):
                yield f"{unit} includes {other}, which is not below it"


def main():
    units = read_units(sys.argv[1:])
    # Both must be able to fail.
    if not find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) or not any(find_climbers({"net/a": {"server/b"}})):
        sys.exit("test-includes: finds nothing where there is something")
    faults = list(find_climbers(units))
    circle = find_circle(units)
    if circle:
        faults.append("a circle: " + " -> ".join(circle))
    for fault in faults:
        print(fault)
    sys.exit(1 if faults or len(units) < 20 else 0)


if __name__ == "__main__":
    main()
