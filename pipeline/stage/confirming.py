"""Put what a run writes in the journal, and set what it has confirmed (edge: staged rows, confirmed state; data rule 41)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from pipeline.log import get_logger
from pipeline.stage.compare import keys_of
from pipeline.stage.digest import digests_of_keys
from pipeline.stage.run_rows import RunRows
from pipeline.stage.units import UnitFiles, among, scoped
from pipeline.state.confirmed import Confirmed
from pipeline.state.entries import WRITTEN, drop_modes, home, seen_by, with_confirmed
from pipeline.state.frame_file import StateFault
from pipeline.state.journal import End
from pipeline.threads import side_by_side

# So long an import that was presumed dead is not trusted to be (data rule 28).
DOUBT_MINUTES = 7 * 24 * 60


@dataclass(frozen=True)
class Confirming:
    """The rows of a run beside the confirmed state, around its sending, at a `minute` since 1970."""

    rows: RunRows
    state: Confirmed
    minute: int

    def drop(self) -> None:
        """Put what the staged rows write in the journal, before anything is sent."""
        state, scopes, job, units = self.state, self.rows.scopes, self.rows.job, self.rows.units
        if units is not None and state.why:
            state.meta = replace(state.meta, salt=units.terms.salt.hex())
        if units is not None and state.salt != units.terms.salt:
            units = None
        state.begin(self.rows.run, job.job, scopes if units else (), units.bits if units else 0)
        # An empty state that has just begun has nothing to drop.
        if state.why or not self.rows.any_to_send:
            return
        known = (*state.meta.scopes, *(one for one in scopes if one not in state.meta.scopes))
        modes = drop_modes(scopes, known, job.target.delete_target)
        numbers = pl.Series([known.index(one) for one in scopes], dtype=pl.UInt16)
        if units is not None:
            state.write_ahead(job.job, modes, ((at, scoped(part, numbers)) for at, part in self._sent(units)))
        elif any(modes.values()):
            state.write_ahead(job.job, modes, self._keys(numbers))

    def _sent(self, units: UnitFiles) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield the units that are written, by partitions of the state."""
        written = self.rows.written
        for at in range(self.state.partitions):
            yield at, among(units.part(at, self.state.meta.bits), written)

    def _keys(self, numbers: pl.Series) -> Iterable[tuple[int, pl.DataFrame]]:
        """Return the units that are written without what they leave, for a run that is not compared."""
        keys, terms = self.rows.keys, self.rows.terms(self.state.salt)
        names = [*keys.profile, *(key for each in keys.collections.values() for key in each), "_set", "_key"]
        frames = self.rows.lanes.partitions(names) if keys.profile else ()
        found = [scoped(keys_of(rows, terms), numbers) for rows in frames]
        if not found:
            return []
        nothing = [pl.lit(0, WRITTEN[name]).alias(name) for name in ("high", "low", "number")]
        homes = pl.concat(found).with_columns(*nothing, home(pl.col("profile"), self.state.meta.bits).alias("home"))
        return [(int(at), part) for (at,), part in homes.group_by("home")]

    def confirm(self, unconfirmed: pl.Series, doubtful: pl.Series) -> None:
        """Set what was confirmed: all units that were written but those of these staged rows, by `_seq`.

        Nothing is set where another run has written since; what it wrote stands. `doubtful` are the `_key`s of imports that
        were presumed dead: one of them may still walk, so that nothing of them counts as confirmed for a week (rule 28).
        """
        state, deletes = self.state, self.rows.job.target.delete_target == "profile"
        if state.why:
            return
        try:
            if doubtful.len():
                self._doubt(doubtful)
            if state.meta.writer != self.rows.run:
                return
            if deletes:
                self._forget(unconfirmed)
            elif (units := self.rows.units) is not None and state.salt == units.terms.salt:
                self._set(units, self._not_confirmed(units, unconfirmed))
            state.tidy()
        except StateFault as fault:
            state.reset(str(fault))
            get_logger().warning("changed.state_lost", why=str(fault))

    @cached_property
    def _numbers(self) -> pl.Series:
        """Return the positions of this job's scopes in the state, by level."""
        return pl.Series([self.state.number_of(one) for one in self.rows.scopes], dtype=pl.UInt16)

    @cached_property
    def _bit(self) -> int:
        return self.state.meta.bit(self.rows.job.job)

    def _set(self, units: UnitFiles, but: pl.Series) -> None:
        """Let what was sent count as confirmed, but for some units; a state that this run has begun had nothing to drop."""
        step = self.state.journal.step_of(self.rows.run)
        if step is not None:
            step.confirm(End(self.minute, but.to_list()))
        elif self.rows.any_to_send:
            written = self.rows.written
            self._each(
                lambda at: among(units.part(at, self.state.meta.bits), written, but),
                lambda entries, sent: with_confirmed(entries, sent, self._bit, self.minute),
            )
        if len(self.state.meta.jobs) > 1:
            # This job's dump has what another one has confirmed (data rule 44).
            self._each(
                lambda at: among(units.part(at, self.state.meta.bits), None, but),
                lambda entries, seen: seen_by(entries, seen, self._bit),
            )

    def _each(
        self, part: Callable[[int], pl.DataFrame], change: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
    ) -> None:
        """Replace the partitions of the state that some units change."""

        def replaced(at: int) -> None:
            before = self.state.entries(at)
            after = change(before, scoped(part(at), self._numbers))
            if after is not before:
                self.state.replace(at, after)

        for _ in side_by_side(replaced, range(self.state.partitions)):
            pass

    def _not_confirmed(self, units: UnitFiles, unconfirmed: pl.Series) -> pl.Series:
        """Return the numbers of the units with a row that is not confirmed, and of those in doubt; raises StateFault."""
        found = [self.rows.partly_sent]
        for frame in self.rows.lanes.partitions(["_seq", "_profile", "_unit"]) if unconfirmed.len() else ():
            rows = frame.filter(pl.col("_seq").is_in(unconfirmed.implode()))
            found += [rows["_profile"], rows["_unit"].drop_nulls()]
        doubted = self.state.doubted(self.minute)
        for at in range(self.state.partitions) if doubted.len() else ():
            part = units.part(at, self.state.meta.bits)
            found.append(part.filter(pl.col("profile").is_in(doubted.implode()))["number"])
        return pl.concat(found).unique()

    def _doubt(self, keys: pl.Series) -> None:
        """Keep the digests of some keys from being set for a while."""
        names = [*self.rows.keys.profile, "_key"]
        frames = self.rows.lanes.partitions(names)
        rows = pl.concat([frame.filter(pl.col("_key").is_in(keys.implode())) for frame in frames])
        profiles = digests_of_keys(rows.select(self.rows.keys.profile), self.state.salt)["key_high"].unique()
        self.state.doubt(profiles, self.minute + DOUBT_MINUTES)

    def _forget(self, unconfirmed: pl.Series) -> None:
        """Remove what was deleted; rows that are not confirmed keep their key."""
        keys, terms = self.rows.keys, self.rows.terms(self.state.salt)
        same = [at for at, scope in enumerate(self.state.meta.scopes) if scope.profile_keys == keys.profile]
        frames = self.rows.lanes.partitions([*keys.profile, "_set", "_key", "_seq"])
        ids = [keys_of(rows.filter(~pl.col("_seq").is_in(unconfirmed.implode())), terms) for rows in frames]
        deleted = pl.concat(ids)["profile"].unique() if ids else pl.Series(dtype=pl.UInt64)
        for at in range(self.state.partitions):
            entries = self.state.entries(at)
            gone = pl.col("profile").is_in(deleted.implode()) & pl.col("scope").is_in(same)
            self.state.replace(at, entries.filter(~gone))
