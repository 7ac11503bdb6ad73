# SPDX-License-Identifier: ISC
"""table: medians as Markdown."""

import statistics


def median(measurements, key):
    values = [m[key] for m in measurements if m.get(key) is not None]
    return statistics.median(values) if values else None


def ratio(measurements, references, key):
    """The median of the rounds' ratios: both of a round met the same weather."""
    by_round = {r["round"]: r.get(key) for r in references}
    ratios = [m[key] / by_round[m["round"]] for m in measurements
              if m.get(key) is not None and by_round.get(m["round"])]
    return statistics.median(ratios) if ratios else None


def number(value, scale=1.0):
    if value is None:
        return ""
    value *= scale
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.095 else 3
    return f"{value:,.{digits}f}"


def load_row(work, mine, references):
    lost = median(mine, "lost") or 0
    return [
        number(ratio(mine, references, "rate")),
        number(median(mine, "rate")),
        "" if work.bulk else number(median(mine, "p50"), 1e6),
        "" if work.bulk else number(median(mine, "p99"), 1e6),
        number(median(mine, "cpu"), 1e6),
        number(ratio(mine, references, "cpu")),
        f"{100 * lost:.2f} %" if work.kind == "udp" else "",
    ]


def idle_row(_work, mine, _references):
    return [
        number(median(mine, "connection_bytes")),
        number(median(mine, "pss"), 1 / (1 << 20)),
        number(median(mine, "wakeups")),
    ]


LOAD_HEAD = ["rate, ratio", "answers/s", "p50 µs", "p99 µs", "CPU µs/answer", "CPU, ratio", "lost"]
BULK_HEAD = ["rate, ratio", "MB/s", "p50 µs", "p99 µs", "CPU µs/MB", "CPU, ratio", "lost"]
IDLE_HEAD = ["bytes/connection (PSS)", "PSS in all, MiB", "wake-ups/s"]


def lines_of(head, rows):
    """A table without the columns that nobody fills."""
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    for row in [head, ["---"] * len(head), *rows]:
        yield "| " + " | ".join(row[i] for i in kept) + " |"


def work_table(work, measurements, failures):
    """The lines of one work's table."""
    servers = list(dict.fromkeys(m["server"] for m in measurements))
    references = [m for m in measurements if m["server"] == work.reference]
    head, make_row = ((IDLE_HEAD, idle_row) if work.measure
                      else (BULK_HEAD if work.bulk else LOAD_HEAD, load_row))
    rows = []
    for server in servers:
        mine = [m for m in measurements if m["server"] == server]
        rows.append([server, *make_row(work, mine, references)])
    yield f"### {work.title} (`{work.name}`)"
    yield ""
    if rows:
        yield from lines_of(["server", *head], rows)
    for server, why in failures:
        yield f"- {server}: {why}"
    yield ""


def summary(works, results):
    """One row for each server, one column for each work: ratios of rate / CPU per answer."""
    works = [w for w in works if not w.measure and w.name in results]
    servers = list(dict.fromkeys(m["server"] for w in works for m in results[w.name]))
    rows = []
    for server in servers:
        row = [server]
        for work in works:
            all_of_it = results[work.name]
            mine = [m for m in all_of_it if m["server"] == server]
            references = [m for m in all_of_it if m["server"] == work.reference]
            rate, cpu = (ratio(mine, references, key) for key in ("rate", "cpu"))
            row.append(f"{number(rate)} / {number(cpu)}" if rate is not None else "")
        rows.append(row)
    return lines_of(["rate / CPU per answer", *(w.name for w in works)], rows) if rows else []
