"""Fuzz for some minutes: `python -m tests.fuzz [--minutes 10] [--seed N]` (wiring).

Cases are played in a process of their own, so that one that takes the interpreter with it is a finding, too. What is found
is kept in `build/fuzz/SEED/`: the files of the case, and `found.txt`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from pipeline.sandbox import Sandbox
from tests.fuzz.case import MOST_S, call
from tests.fuzz.make import ROOT
from tests.fuzz.sent import STRUCTURE
from tests.fuzz.worker import KEPT, SEND_EVERY, keep, play_many, play_seed


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Fuzz and tell what was found; 1 when there is something."""
    words = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the command line.")
    words.add_argument("--minutes", type=float, default=10)
    words.add_argument("--seed", type=int, default=None, help="the first seed (the clock's)")
    words.add_argument("--only", type=int, default=None, help="play this one seed and say what is found")
    given = words.parse_args()
    if given.only is not None:
        return _only(given.only)
    seed = given.seed if given.seed is not None else int(time.time()) * 1000
    ends = time.monotonic() + given.minutes * 60
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True)
    cases = findings = 0
    slowest: Counter[int] = Counter()
    say(f"from seed {seed}")
    while time.monotonic() < ends:
        seed, played, found = _worker(seed, ends, slowest)
        cases, findings = cases + played, findings + found
    say(f"{cases} cases in {given.minutes:g} minutes, {findings} findings in {KEPT.relative_to(ROOT)}")
    say("slowest: " + ", ".join(f"{one}: {tenths / 10:.1f} s" for one, tenths in slowest.most_common(5)))
    return 1 if findings else 0


def _worker(seed: int, ends: float, slowest: Counter[int]) -> tuple[int, int, int]:
    """Play cases in a process until the time is over or the process has died; gives the next seed and two counts."""
    here, there = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=play_many, args=(seed, ends, there), daemon=True)
    process.start()
    there.close()
    played = found = 0
    try:
        while here.poll(2 * MOST_S):
            seed, seconds, findings = here.recv()
            played, found, seed = played + 1, found + bool(findings), seed + 1
            slowest[seed - 1] = int(seconds * 10)
            if findings:
                say(f"seed {seed - 1}: {'; '.join(findings)[:400]}")
    except EOFError:
        process.join()
        if process.exitcode == 0:
            return seed, played, found
    process.kill()
    process.join()
    keep(seed, None, [f"the process ended with {process.exitcode}"])
    say(f"seed {seed}: the process ended with {process.exitcode}")
    return seed + 1, played + 1, found + 1


def _only(seed: int) -> int:
    with Sandbox(structure=STRUCTURE) as sandbox, tempfile.TemporaryDirectory() as folder:
        findings = play_seed(seed, sandbox, Path(folder))
        keep(seed, Path(folder), findings)
    say(json.dumps(findings, indent=1))
    if not findings and seed % SEND_EVERY:
        say(call("validate", str(KEPT / str(seed) / "job.yaml"))[0].stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
