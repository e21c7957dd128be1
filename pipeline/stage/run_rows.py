"""Name the staged rows of a run, what they write, and what its job covers of the database (edge: the run's folder)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.model.columns import Keys, LiveField, Sets
from pipeline.model.job import Job
from pipeline.stage.compare import PROFILE, WHOLE, Terms
from pipeline.stage.lanes import Lanes
from pipeline.stage.units import UnitFiles
from pipeline.state.entries import Scope
from pipeline.state.files import write_whole

ALL_LANES = "lanes"
SENT_LANES = "lanes-to-send"
# There where a plan was applied: all its rows, of which `lanes` has those that are sent.
PLANNED_LANES = "lanes-planned"
_RECORD = "changes.json"
_WRITTEN = "written.arrow"
_PARTLY = "partly-sent.arrow"


@dataclass(frozen=True)
class RunRows:
    """The rows of one run in `staged`, its folder of staged rows."""

    staged: Path
    run: str
    job: Job
    sets: Sets
    live: Mapping[str, LiveField]

    @property
    def keys(self) -> Keys:
        """Return the key fields of the job by level."""
        return Keys.of(self.job.target.key_fields)

    @property
    def lanes(self) -> Lanes:
        """Return the rows to send."""
        narrowed = (self.staged / _WRITTEN).exists() and not (self.staged / PLANNED_LANES).exists()
        return Lanes(self.staged / (SENT_LANES if narrowed else ALL_LANES))

    @property
    def any_to_send(self) -> bool:
        """Return whether there is a row to send."""
        return any(True for _ in self.lanes.lanes())

    def terms(self, salt: bytes) -> Terms:
        """Return what digesting needs to know of the job."""
        return Terms(self.keys, self.sets, self.job.target.ignore_empty_fields, salt)

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Return what the digests of this job cover, by level."""
        terms, keys = self.terms(b""), self.keys
        levels: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [(PROFILE, terms.sets.of_profile, ())]
        levels += [
            (name, terms.sets.of_collection(name), keys.collections.get(name, ())) for name in self.sets.collections
        ]
        levels.append((WHOLE, self.sets.columns, tuple(key for each in keys.collections.values() for key in each)))
        return tuple(Scope(level, columns, keys.profile, own, self._words(columns)) for level, columns, own in levels)

    def _words(self, columns: Iterable[str]) -> str:
        target, constants = self.job.target, self.job.constants
        words = {
            "action": target.action,
            "ignore_empty_fields": target.ignore_empty_fields,
            "types": {name: self.live[name].type for name in columns if name in self.live},
            "constants": {name: constants[name] for name in columns if name in constants},
        }
        return json.dumps(words, sort_keys=True)

    def new_units(self, salt: bytes, bits: int) -> UnitFiles:
        """Return what takes the digests while rows are staged."""
        return UnitFiles(self.staged / "units", self.terms(salt), bits, names=self.job.target.gone == "report")

    def keep(self, units: UnitFiles) -> None:
        """Record that all rows are staged with their units."""
        record = {"salt": units.terms.salt.hex(), "bits": units.bits, "count": units.count}
        write_whole(self.staged / _RECORD, json.dumps(record).encode())

    @property
    def units(self) -> UnitFiles | None:
        """Return the digests of the staged rows, None where there are none."""
        interrupted = (self.staged / PLANNED_LANES).exists() and not (self.staged / _WRITTEN).exists()
        if interrupted or not (self.staged / _RECORD).exists():
            return None
        found = json.loads((self.staged / _RECORD).read_bytes())
        units = UnitFiles(self.staged / "units", self.terms(bytes.fromhex(found["salt"])), found["bits"])
        units.count = found["count"]
        return units

    @property
    def written(self) -> pl.Series | None:
        """Return the numbers of the units of which rows are sent, None for all."""
        path = self.staged / _WRITTEN
        return pl.read_ipc(path)["number"] if path.exists() else None

    @property
    def partly_sent(self) -> pl.Series:
        """Return the numbers of the units of which a plan that was applied sends only some rows."""
        path = self.staged / _PARTLY
        return pl.read_ipc(path)["number"] if path.exists() else pl.Series("number", dtype=pl.UInt32)

    def write(self, *numbers: pl.Series) -> None:
        """Record which units are written, by numbers (UInt32): to be done when the lanes to send are complete."""
        _write_numbers(numbers, self.staged / _WRITTEN)

    def planned(self) -> None:
        """Record which units the rows of a plan write that are sent, and which of them have rows that are not."""
        if not (self.staged / _RECORD).exists():
            return
        names = ["_seq", "_profile", "_unit"]
        sent = pl.concat(
            [pl.Series("_seq", dtype=pl.UInt64), *(one["_seq"] for one in self.lanes.partitions(["_seq"]))]
        )
        found: dict[bool, list[pl.Series]] = {True: [], False: []}
        for rows in Lanes(self.staged / PLANNED_LANES).partitions(names):
            is_sent = rows["_seq"].is_in(sent.implode())
            for goes, numbers in found.items():
                of_kind = rows.filter(is_sent if goes else ~is_sent)
                numbers += [of_kind["_profile"], of_kind["_unit"].drop_nulls()]
        _write_numbers(found[False], self.staged / _PARTLY)
        _write_numbers(found[True], self.staged / _WRITTEN)


def _write_numbers(numbers: Iterable[pl.Series], path: Path) -> None:
    found = pl.concat([pl.Series(dtype=pl.UInt32), *numbers]).unique()
    found.alias("number").to_frame().write_ipc(path)
