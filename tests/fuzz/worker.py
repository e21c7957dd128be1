"""Play one seed after another, and keep what is found with its case."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from pipeline.sandbox import Sandbox
from tests.fuzz.case import MOST_S, TooSlow, play, time_bound
from tests.fuzz.make import ROOT, case_of
from tests.fuzz.sent import STRUCTURE, send

KEPT = ROOT / "build" / "fuzz"
# One case in so many is sent to a sandbox.
SEND_EVERY = 8


def play_many(seed: int, ends: float, tell: Connection) -> None:
    """Play the seeds from one on until the clock says so, and tell each: seed, seconds, findings."""
    sys.stderr = sys.stdout  # warnings of libraries are no findings, but are to be seen
    with Sandbox(structure=STRUCTURE) as sandbox:
        while time.monotonic() < ends:
            started_s = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                findings = play_seed(seed, sandbox, Path(folder))
                if findings:
                    keep(seed, Path(folder), findings)
            tell.send((seed, time.monotonic() - started_s, findings))
            seed += 1


def play_seed(seed: int, sandbox: Sandbox, folder: Path) -> list[str]:
    """Play one seed in a folder and name what is found."""
    try:
        with time_bound(MOST_S):
            return send(seed, sandbox, folder) if seed % SEND_EVERY == 0 else play(case_of(seed), folder)
    except TooSlow:
        return [f"takes more than {MOST_S:.0f} s"]
    except Exception as error:  # noqa: BLE001 - a fault of the fuzzer itself is to be seen, and not to end it
        return [f"the fuzzer fell over {type(error).__name__}: {error}"]


def keep(seed: int, folder: Path | None, findings: list[str]) -> None:
    """Keep findings and the case, from its folder or made anew."""
    place = KEPT / str(seed)
    if folder is not None:
        shutil.copytree(folder, place, dirs_exist_ok=True)
    else:
        place.mkdir(parents=True, exist_ok=True)
        if seed % SEND_EVERY:
            case_of(seed).write(place)
    (place / "found.txt").write_text("".join(f"{one}\n" for one in findings))
