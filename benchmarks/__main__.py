"""Measure from the command line: `python -m benchmarks [--rows N] [--only run,limit] [--big]` (wiring)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bench import Setting, bench, studied
from benchmarks.case import HERE
from benchmarks.machine import machine, versions
from benchmarks.report import figures, page, tables
from benchmarks.sections import SECTIONS, chosen, name_of

CORES = 2


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the tables, write the JSON; 1 when a section failed."""
    words = _words().parse_args(arguments)
    try:
        cases, studies = chosen(words.only, words.big)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    cores = set(sorted(os.sched_getaffinity(0))[:CORES])
    os.sched_setaffinity(0, cores)
    setting = Setting(words.rows, words.repetitions)
    load_before = os.getloadavg()[0]
    results = bench(cases, setting)
    found = figures(results) + [figure for study in studies for figure in studied(study, setting)]
    document = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(cores),
        "versions": versions(setting.python, setting.other_python),
        "load_before": round(load_before, 2),
        "rows": words.rows,
        "repetitions": words.repetitions,
        "sections": {result.case.name: result.to_dict() for result in results},
        "figures": [asdict(figure) for figure in found],
    }
    path = words.out or HERE / "results" / ("partial.json" if words.only else "latest.json")
    path.write_text(json.dumps(document, indent=2) + "\n")
    path.with_suffix(".md").write_text(page(results, found))
    print(tables(results, found))
    if load_before > 1:
        print(f"\nThe machine was not idle (load {load_before:.1f} at the start): these figures are noisy.")
    return 0 if all(result.ok for result in results) else 1


def _words() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure copernica-import.")
    words.add_argument("--rows", type=int, default=1_000_000, help="rows of the dumps (1,000,000)")
    words.add_argument("--only", help=f"sections or cases, with commas; sections: {', '.join(map(name_of, SECTIONS))}")
    words.add_argument("--big", action="store_true", help="the section `big`, too: ten times the rows of everything")
    words.add_argument("--repetitions", type=int, default=3, help="rounds (3)")
    words.add_argument("--out", type=Path, help="where the JSON goes (benchmarks/results)")
    return words


if __name__ == "__main__":
    sys.exit(main())
