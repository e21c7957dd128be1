"""Keep what runs are about to write in a database, and what of it they have confirmed (edge: files beside the partitions).

Each run that writes makes a *step* before its first request: the digests it touches count for nothing from then on. What it
confirmed is one small file more, written at its end: then the digests of the step count. So a night that changes little writes
little. Steps are applied in their order whenever a partition is read, until they are merged into the partitions. A step
whose head is missing was never begun; one without its end only drops.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.state.entries import ALL, WRITTEN, Modes, dropped, touched, with_confirmed
from pipeline.state.files import sync
from pipeline.state.frame_file import StateFault, read_frame, write_bytes, write_frame

HEAD, END = "head.json", "end.json"
# More are merged: each one costs a little whenever the state is read.
MOST_STEPS = 8
# So many times the bytes of the steps may not be more than those of the partitions.
LARGE = 12


@dataclass(frozen=True)
class Intent:
    """Who is about to write: the run, the bit of its job, and what that drops as `drop_modes` says."""

    run: str
    bit: int
    modes: Modes

    @property
    def drops_all(self) -> bool:
        """Return whether it touches every partition, whatever is written there."""
        return any(mode == ALL for of_scopes in self.modes.values() for mode in of_scopes.values())


@dataclass(frozen=True)
class End:
    """What a run has confirmed of its step: all but the units of some numbers; `minute` is when."""

    minute: int
    but: Sequence[int] = ()


class Step:
    """What one run wrote: a folder with a file per partition (WRITTEN, with digests and their numbers)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.intent = Intent(**_json(folder / HEAD))
        self.end = End(**_json(folder / END)) if (folder / END).exists() else None

    def part(self, at: int) -> pl.DataFrame:
        """Return what the run writes in a partition; raises StateFault."""
        path = self.folder / f"{at:04d}"
        return read_frame(path, WRITTEN) if path.exists() else pl.DataFrame(schema=dict(WRITTEN))

    def applied(self, entries: pl.DataFrame, part: pl.DataFrame) -> pl.DataFrame:
        """Return entries as the run has left them."""
        entries = dropped(entries, part, self.intent.modes)
        if self.end is None:
            return entries
        confirmed = part.filter(~pl.col("number").is_in(self.end.but)) if self.end.but else part
        return with_confirmed(entries, confirmed, self.intent.bit, self.end.minute)

    def confirm(self, end: End) -> None:
        """Let the digests of the step count."""
        write_bytes(self.folder / END, json.dumps(asdict(end)).encode())


class Journal:
    """The steps that are not merged yet, in a folder; to be used under the lock of the database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def steps(self) -> list[Step]:
        """Return the steps, the oldest first; raises StateFault."""
        return [Step(path.parent) for path in sorted(self.folder.glob(f"*/{HEAD}"))]

    def step_of(self, run: str) -> Step | None:
        """Return the last step of a run; raises StateFault."""
        return next((step for step in reversed(self.steps()) if step.intent.run == run), None)

    def add(self, intent: Intent, parts: Iterable[tuple[int, pl.DataFrame]]) -> None:
        """Put what is about to be written on disk: `parts` by partition (WRITTEN)."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        names = [int(path.name) for path in self.folder.iterdir()]
        folder = self.folder / f"{max(names, default=0) + 1:06d}"
        folder.mkdir(mode=0o700)
        for at, written in parts:
            if written.height:
                write_frame(folder / f"{at:04d}", written.select(*WRITTEN))
        write_bytes(folder / HEAD, json.dumps(asdict(intent)).encode())
        for above in (self.folder, self.folder.parent):
            sync(above)

    def applied(self, entries: pl.DataFrame, at: int) -> pl.DataFrame:
        """Return the entries of a partition as the steps have left them; raises StateFault."""
        steps = [(step, step.part(at)) for step in self.steps()]
        if not steps:
            return entries
        near = touched(entries, [(part, step.intent.modes) for step, part in steps])
        found = entries.filter(near)
        for step, part in steps:
            found = step.applied(found, part)
        return pl.concat([entries.filter(~near), found])

    def touches(self, at: int) -> bool:
        """Return whether the steps leave a partition as anything but it is."""
        return any((step.folder / f"{at:04d}").exists() or step.intent.drops_all for step in self.steps())

    def forget(self, at: int) -> None:
        """Forget a partition that has just been written as the steps have left it.

        The oldest step first: what is left of them leaves the same of it, whenever this stops.
        """
        for step in self.steps():
            (step.folder / f"{at:04d}").unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget all steps, whose partitions are written; the oldest first, its head before the rest of it."""
        for step in self.steps():
            (step.folder / HEAD).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    def is_long(self, state_bytes: int) -> bool:
        """Return whether reading the steps costs more than merging them into a state of so many bytes."""
        steps, size = self.steps(), sum(path.stat().st_size for path in self.folder.glob("*/*"))
        return len(steps) > MOST_STEPS or LARGE * size > state_bytes or any(one.intent.drops_all for one in steps)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, OSError):
        found = None
    if not isinstance(found, dict):
        raise StateFault("its journal cannot be read")
    return found
