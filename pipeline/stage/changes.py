"""Keep what need not be sent at home, and keep the confirmed state of the database true (wiring; data rules 41-44).

Three steps of a run, in this order: `narrow` compares what the staged rows would leave with what was confirmed, `drop` puts
what is about to be written in the journal, `confirm` sets what was confirmed. All under the lock of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from pipeline.model.counts import Staged
from pipeline.stage.confirming import Confirming
from pipeline.stage.digest import ALGORITHM, digests_of_keys
from pipeline.stage.gone import Gone
from pipeline.stage.narrowing import Comparison, Count, Narrowed, Samples
from pipeline.stage.run_rows import RunRows
from pipeline.stage.sample import Expectation
from pipeline.stage.units import UnitFiles
from pipeline.state.confirmed import Confirmed, bits_for
from pipeline.state.entries import difference
from pipeline.state.frame_file import StateFault

# Bytes of input per digest, an estimate that decides the number of partitions.
UNIT_BYTES = 60


@dataclass
class Changes:
    """What one run does with the confirmed state of its database, which lies in `place` and belongs to an account."""

    rows: RunRows
    place: Path
    account: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def compares(self) -> bool:
        """Return whether the job sends only what differs."""
        return self.rows.job.load.send == "changed"

    def units(self, input_bytes: int) -> UnitFiles | None:
        """Return what takes the digests while rows are staged; None where nothing is compared."""
        if not self.compares:
            return None
        state = self._open()
        return self.rows.new_units(state.salt, max(state.meta.bits, bits_for(input_bytes // UNIT_BYTES)))

    def expects(self, full: bool) -> str:
        """Return why everything will be sent, as far as it can be known before the rows are staged; "" where nothing is."""
        state = self._open()
        return "--full" if full else state.why or state.meta.note or self._other_scopes(state)

    def _other_scopes(self, state: Confirmed) -> str:
        """Return what of the job is not as at its last run, "" where all is; a new job may use what others confirmed."""
        before = [state.meta.scopes[at] for at in state.meta.of_job.get(self.rows.job.job, ())]
        found = difference(before, self.rows.scopes) if before else ()
        return f"changed since the last run of this job: {', '.join(found)}" if found else ""

    def narrow(self, full: bool, count: Count, staged: Staged, sample: Samples) -> Narrowed:
        """Compare and lay out the rows to send; `full` sends everything.

        `staged` counts all rows, `sample` is of all of them.
        """
        units = self.rows.units
        if units is None:
            return Narrowed(staged, sample=Samples(sample.sent))
        state, why = self._open(), self.expects(full)
        if not state.why and state.salt != units.terms.salt:
            why = "the confirmed state was begun anew meanwhile"
        return Comparison(self.rows, state, units, self._minute()).narrowed(why, count, staged, sample)

    def drop(self) -> None:
        """Put what the staged rows write in the journal, before anything is sent (data rule 41)."""
        if self.rows.units is not None or (self.place / "state.json").exists():
            self._confirming().drop()

    def confirm(self, unconfirmed: pl.Series, doubtful: pl.Series) -> None:
        """Set what was confirmed: see `Confirming.confirm`."""
        self._confirming().confirm(unconfirmed, doubtful)

    def _confirming(self) -> Confirming:
        return Confirming(self.rows, self._open(), self._minute())

    def confirmed_at(self, expected: Expectation) -> datetime | None:
        """Return when the profile of an expectation was confirmed last, None where that is not known."""
        state = self._open()
        if state.why:
            return None
        profile = self._profile_of(expected, state)
        at = int(profile >> (64 - state.meta.bits)) if state.meta.bits else 0
        minutes = state.entries(at).filter(pl.col("profile") == profile)["minute"]
        return None if minutes.is_empty() else datetime.fromtimestamp(int(minutes.max()) * 60, UTC)  # type: ignore[arg-type]

    def drifted(self, found: Sequence[Expectation], why: str) -> None:
        """Drop the digests of profiles that are not as they were confirmed, or all of them where nobody can say why."""
        state = self._open()
        if not state.why and found:
            profiles = pl.Series([self._profile_of(one, state) for one in found], dtype=pl.UInt64)
            with suppress(StateFault):
                state.forget(profiles, why)

    def _profile_of(self, expected: Expectation, state: Confirmed) -> int:
        keys = pl.DataFrame(
            {name: [expected.profile[name]] for name in self.rows.keys.profile},
            schema_overrides=dict.fromkeys(self.rows.keys.profile, pl.String()),
        )
        return int(digests_of_keys(keys, state.salt)["key_high"][0])

    def gone(self, rejected: pl.Series, path: Path) -> tuple[int, bool] | None:
        """List in `path` what whole dumps no longer have (data rule 44); how many, and whether this is the first dump.

        None where the keys of the dump are not known: where the state was begun anew meanwhile.
        To be asked once all rows are confirmed or unchanged. `rejected` are the `_key`s of rejected rows.
        """
        units, state = self.rows.units, self._open()
        if units is None or state.why or state.salt != units.terms.salt:
            return None
        return self._gone(state, rejected).write(units, path)

    def gone_planned(self, rejected: pl.Series) -> int | None:
        """Count what a run of these whole dumps would list as gone; None where that is not known, 0 at the first run."""
        units, state = self.rows.units, self._open()
        if units is None or (not state.why and state.salt != units.terms.salt):
            return None
        try:
            return 0 if state.why else self._gone(state, rejected).count(units)
        except StateFault:
            return None

    def _gone(self, state: Confirmed, rejected: pl.Series) -> Gone:
        return Gone(state, self.rows.job.job, self.rows.keys.profile, self.rows.job.load.gone_after, rejected)

    def _open(self) -> Confirmed:
        return Confirmed.open(self.place, ALGORITHM, self.account)

    def _minute(self) -> int:
        return int(self.now().timestamp()) // 60
