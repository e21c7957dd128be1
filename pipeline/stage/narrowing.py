"""Work out which staged rows need not be sent, and lay the others out (edge: staged rows, state; data rules 42, 43)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.log import get_logger
from pipeline.model.counts import Staged
from pipeline.stage.compare import PROFILE, to_send
from pipeline.stage.lanes import Lanes
from pipeline.stage.run_rows import ALL_LANES, SENT_LANES, RunRows
from pipeline.stage.sample import Expectation, Sampler, expectation_from
from pipeline.stage.settle import Rules
from pipeline.stage.units import UnitFiles, scoped
from pipeline.state.confirmed import Confirmed
from pipeline.state.entries import home, unchanged, with_digest
from pipeline.state.frame_file import StateFault
from pipeline.threads import side_by_side

# Counts the records of the database, or of one of its collections.
Count = Callable[[str], int]


@dataclass(frozen=True)
class Samples:
    """What to read back: of rows that were sent, and of unchanged ones; `seed` is the chance of the run."""

    sent: tuple[Expectation, ...] = ()
    unchanged: tuple[Expectation, ...] = ()
    seed: int = 0

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Samples:
        """Read it back from JSON."""
        sent, still = (tuple(map(expectation_from, found[name])) for name in ("sent", "unchanged"))
        return cls(sent, still, found["seed"])


@dataclass
class Narrowed:
    """What comparing found: `to_send` counts the rows that are sent, `why` why everything is.

    `unchanged` rows need not be sent; `stood_for` are rows whose profile another row brings (data rule 42). `lanes` names the
    folder of the rows to send.
    """

    to_send: Staged
    unchanged: int = 0
    stood_for: int = 0
    lanes: str = ALL_LANES
    why: str = ""
    sample: Samples = Samples()

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Narrowed:
        """Read it back from JSON."""
        return cls(**{**found, "to_send": Staged(**found["to_send"]), "sample": Samples.of(found["sample"])})


@dataclass(frozen=True)
class Comparison:
    """The rows of a run beside what was confirmed when it compares, at a `minute` since 1970."""

    rows: RunRows
    state: Confirmed
    units: UnitFiles
    minute: int

    def narrowed(self, why: str, count: Count, staged: Staged, sample: Samples) -> Narrowed:
        """Compare and lay out the rows to send; with `why` everything is sent."""
        changed, why = (None, why) if why else self._compared(count)
        found = Narrowed(staged, why=why, sample=Samples(sample.sent))
        if changed is not None and not why and not changed.any():
            found = self._nothing_to_send(staged, sample)
        elif changed is not None and not why and not changed.all():
            found = self._laid_out(changed, sample.seed)
        log = get_logger()
        if found.why:
            log.info("changed.everything", why=found.why)
        else:
            log.info("changed.compared", unchanged=found.unchanged + found.stood_for, to_send=found.to_send.accepted)
        return found

    def _compared(self, count: Count) -> tuple[pl.Series | None, str]:
        """Return which units differ from what was confirmed, and why everything is sent all the same."""
        state, units = self.state, self.units
        scopes = [state.number_of(scope) for scope in self.rows.scopes]
        levels, every = pl.Series(scopes, dtype=pl.UInt16), self.rows.job.load.full_every * 24 * 60
        bits = max(units.bits, state.meta.bits)

        def compare(part: tuple[int, pl.DataFrame]) -> tuple[pl.Series, list[int]]:
            at, entries = part
            entries = with_digest(entries)
            counts = [0 if scope is None else int((entries["scope"] == scope).sum()) for scope in scopes]
            return unchanged(entries, scoped(units.part(at, bits), levels), self.minute, every), counts

        changed = pl.repeat(True, units.count, dtype=pl.Boolean, eager=True)
        held = [0] * len(scopes)
        try:
            for same, counts in side_by_side(compare, self._entries(bits)):
                changed = changed.scatter(same, False)
                held = [one + more for one, more in zip(held, counts, strict=True)]
        except StateFault as fault:
            state.reset(str(fault))
            return None, f"the confirmed state cannot be used: {fault}"
        return changed, self._fewer(held, count) if not changed.all() else ""

    def _fewer(self, held: Sequence[int], count: Count) -> str:
        """Return that the database holds fewer records than were confirmed, "" where it does not."""
        if self.rows.job.target.action == "update":  # what it confirmed need not be there
            return ""
        for level, name in enumerate((PROFILE, *self.rows.sets.collections)):
            if held[level] and (there := count(name)) < held[level]:
                what = f"{name} records" if name else "profiles"
                return f"the database holds {there} {what}, and {held[level]} were confirmed"
        return ""

    def _entries(self, bits: int) -> Iterator[tuple[int, pl.DataFrame]]:
        """Read the state in partitions of `bits`, which are as many as its own, or more."""
        more = bits - self.state.meta.bits
        for at in range(self.state.partitions):
            entries = self.state.entries(at)
            if not more:
                yield at, entries
                continue
            for part in range(at << more, (at + 1) << more):
                yield part, entries.filter(home(pl.col("profile"), bits) == part)

    def _nothing_to_send(self, staged: Staged, sample: Samples) -> Narrowed:
        found = Narrowed(Staged(), unchanged=staged.accepted, lanes=SENT_LANES)
        found.sample = Samples(unchanged=sample.sent[: self.rows.job.load.verify_sample // 2])
        Lanes(self.rows.staged / SENT_LANES)
        self.rows.write()
        return found

    def _laid_out(self, changed: pl.Series, seed: int) -> Narrowed:
        """Copy the rows to send to lanes of their own, and count."""
        found, job, terms = Narrowed(Staged(), lanes=SENT_LANES), self.rows.job, self.units.terms
        rules, size = Rules.of(job.target, self.rows.sets), job.load.verify_sample
        samplers = [Sampler(part, seed, rules, risky) for part, risky in ((size // 2, False), (size - size // 2, True))]
        every, to = Lanes(self.rows.staged / ALL_LANES), self.rows.staged / found.lanes
        written: list[pl.Series] = []
        for frame, choice in every.narrowed(to, lambda frame: to_send(frame, changed, terms)):
            sent = frame.filter(choice.send)
            found.stood_for += choice.stood_for
            found.unchanged += frame.height - sent.height - choice.stood_for
            found.to_send.count(sent)
            samplers[0].look(frame, ~changed.gather(frame["_profile"]) & ~choice.send)
            samplers[1].look(frame, choice.send)
            written += [sent["_profile"].unique(), sent["_unit"].drop_nulls().unique()]
        # Last: that it is there shows that the lanes are complete.
        self.rows.write(*written)
        found.sample = Samples(samplers[1].chosen(), samplers[0].chosen())
        return found
