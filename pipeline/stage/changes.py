"""Keep what need not be sent at home, and keep the confirmed state of the database true (edge: staged rows; rules 41-43).

Three steps of a run, in this order: `narrow` compares what the staged rows would leave with what was confirmed, `drop` puts
what is about to be written in the journal, `confirm` sets what was confirmed. All under the lock of the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.log import get_logger
from pipeline.model.columns import Keys, LiveField, Sets
from pipeline.model.counts import Staged
from pipeline.model.job import Job
from pipeline.stage.compare import PROFILE, WHOLE, Terms, keys_of, to_send
from pipeline.stage.digest import ALGORITHM, digests_of_keys
from pipeline.stage.gone import Gone
from pipeline.stage.lanes import Lanes
from pipeline.stage.sample import Expectation, Sampler, expectation_from
from pipeline.stage.settle import Rules
from pipeline.stage.units import UnitFiles
from pipeline.state.confirmed import Confirmed, bits_for
from pipeline.state.entries import WRITTEN, Scope, drop_modes, home, seen_by, unchanged, with_confirmed, with_digest
from pipeline.state.files import write_whole
from pipeline.state.frame_file import StateFault
from pipeline.state.journal import End
from pipeline.threads import side_by_side

NAME = "changes.json"
ALL_LANES = "lanes"
SENT_LANES = "lanes-to-send"
WRITTEN_UNITS = "written.arrow"
# There where a plan was applied: all its rows, of which `lanes` has those that are sent; and the units that lost rows by that.
PLANNED_LANES = "lanes-planned"
PARTLY_SENT = "partly-sent.arrow"
# Bytes of input per digest, an estimate that decides the number of partitions.
UNIT_BYTES = 60
# So long an import that was presumed dead is not trusted to be (data rule 28).
DOUBT_MINUTES = 7 * 24 * 60
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


@dataclass
class Changes:
    """What one run does with the confirmed state of its database.

    `staged` is the run's folder of staged rows, `place` the folder of the state.
    """

    staged: Path
    place: Path
    account: str
    run: str
    job: Job
    sets: Sets
    live: Mapping[str, LiveField]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def keys(self) -> Keys:
        """Return the key fields of the job by level."""
        return Keys.of(self.job.target.key_fields)

    @property
    def compares(self) -> bool:
        """Return whether the job sends only what differs."""
        return self.job.load.send == "changed"

    @property
    def lanes(self) -> Lanes:
        """Return the rows to send."""
        narrowed = (self.staged / WRITTEN_UNITS).exists() and not (self.staged / PLANNED_LANES).exists()
        return Lanes(self.staged / (SENT_LANES if narrowed else ALL_LANES))

    def units(self, input_bytes: int) -> UnitFiles | None:
        """Return what takes the digests while rows are staged; None where nothing is compared."""
        if not self.compares:
            return None
        state = self._open()
        bits = max(state.meta.bits, bits_for(input_bytes // UNIT_BYTES))
        return UnitFiles(self.staged / "units", self._terms(state.salt), bits, names=self.job.target.gone == "report")

    def expects(self, full: bool) -> str:
        """Return why everything will be sent, as far as it can be known before the rows are staged; "" where nothing is."""
        state = self._open()
        return "--full" if full else state.why or state.meta.note or self._other_scopes(state)

    def staged_units(self, units: UnitFiles) -> None:
        """Record that all rows are staged with their units."""
        self._write({"salt": units.terms.salt.hex(), "bits": units.bits, "count": units.count})

    def _terms(self, salt: bytes) -> Terms:
        return Terms(self.keys, self.sets, self.job.target.ignore_empty_fields, salt)

    def _open(self) -> Confirmed:
        return Confirmed.open(self.place, ALGORITHM, self.account)

    def _units(self) -> UnitFiles | None:
        """Return the digests of the staged rows, None where there are none under the salt of the state."""
        found = self._record()
        interrupted = (self.staged / PLANNED_LANES).exists() and not (self.staged / WRITTEN_UNITS).exists()
        if "salt" not in found or interrupted:
            return None
        units = UnitFiles(self.staged / "units", self._terms(bytes.fromhex(found["salt"])), found["bits"])
        units.count = found["count"]
        return units

    def scopes(self) -> tuple[Scope, ...]:
        """Return what the digests of this job cover, by level."""
        terms, keys = self._terms(b""), self.keys
        levels: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [(PROFILE, terms.profile_columns, ())]
        levels += [(name, terms.columns_of(name), keys.collections.get(name, ())) for name in self.sets.collections]
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

    def narrow(self, full: bool, count: Count, staged: Staged, sample: Samples) -> Narrowed:
        """Compare and lay out the rows to send; `full` sends everything.

        `staged` counts all rows, `sample` is of all of them.
        """
        units = self._units()
        if units is None:
            return Narrowed(staged, sample=Samples(sample.sent))
        state = self._open()
        why = self.expects(full)
        changed = pl.repeat(True, units.count, dtype=pl.Boolean, eager=True)
        if not state.why and state.salt != units.terms.salt:
            why = "the confirmed state was begun anew meanwhile"
        elif not why:
            try:
                changed, why = self._compared(state, units, why, count)
            except StateFault as fault:
                why = f"the confirmed state cannot be used: {fault}"
                state.reset(why)
        found = Narrowed(staged, why=why, sample=Samples(sample.sent))
        if not why and not changed.any():
            found = self._nothing_to_send(staged, sample)
        elif not why and not changed.all():
            found = self._laid_out(changed, units, sample.seed)
        self._log(found)
        return found

    def _log(self, found: Narrowed) -> None:
        log = get_logger()
        if found.why:
            log.info("changed.everything", why=found.why)
        else:
            log.info("changed.compared", unchanged=found.unchanged + found.stood_for, to_send=found.to_send.accepted)

    def _other_scopes(self, state: Confirmed) -> str:
        """Return what of the job is not as at its last run, "" where all is; a new job may use what others confirmed."""
        before = [state.meta.scopes[at] for at in state.meta.of_job.get(self.job.job, ())]
        now = self.scopes()
        if not before or list(now) == before:
            return ""
        parts = [
            ("columns", [one.columns for one in before] != [one.columns for one in now]),
            ("keys", [(one.profile_keys, one.keys) for one in before] != [(one.profile_keys, one.keys) for one in now]),
        ]
        words = [(json.loads(then.words), json.loads(one.words)) for then, one in zip(before, now, strict=False)]
        names = {"types": "field types"}
        for word in ("action", "ignore_empty_fields", "types", "constants"):
            parts.append((names.get(word, word), any(then[word] != one[word] for then, one in words)))
        return f"changed since the last run of this job: {', '.join(name for name, differs in parts if differs)}"

    def _compared(self, state: Confirmed, units: UnitFiles, why: str, count: Count) -> tuple[pl.Series, str]:
        """Return which units differ from what was confirmed, and why everything is sent all the same."""
        if why:
            return pl.Series(dtype=pl.Boolean), why
        numbers = {scope: at for at, scope in enumerate(state.meta.scopes)}
        scopes = [numbers.get(scope) for scope in self.scopes()]
        levels = pl.Series(scopes, dtype=pl.UInt16)
        now, every = self._minute(), self.job.load.full_every * 24 * 60
        bits = max(units.bits, state.meta.bits)

        def compare(part: tuple[int, pl.DataFrame]) -> tuple[pl.Series, list[int]]:
            at, entries = part
            entries = with_digest(entries)
            counts = [0 if scope is None else int((entries["scope"] == scope).sum()) for scope in scopes]
            return unchanged(entries, _scoped(units.part(at, bits), levels), now, every), counts

        changed = pl.repeat(True, units.count, dtype=pl.Boolean, eager=True)
        held = [0] * len(scopes)
        for same, counts in side_by_side(compare, self._entries(state, bits)):
            changed = changed.scatter(same, False)
            held = [one + more for one, more in zip(held, counts, strict=True)]
        return changed, self._fewer(held, count) if not changed.all() else ""

    def _fewer(self, held: Sequence[int], count: Count) -> str:
        """Return that the database holds fewer records than were confirmed, "" where it does not."""
        if self.job.target.action == "update":  # what it confirmed need not be there
            return ""
        for level, name in enumerate((PROFILE, *self.sets.collections)):
            if held[level] and (there := count(name)) < held[level]:
                what = f"{name} records" if name else "profiles"
                return f"the database holds {there} {what}, and {held[level]} were confirmed"
        return ""

    def _entries(self, state: Confirmed, bits: int) -> Iterator[tuple[int, pl.DataFrame]]:
        """Read the state in partitions of `bits`, which are as many as its own, or more."""
        more = bits - state.meta.bits
        for at in range(state.partitions):
            entries = state.entries(at)
            if not more:
                yield at, entries
                continue
            for part in range(at << more, (at + 1) << more):
                yield part, entries.filter(home(pl.col("profile"), bits) == part)

    def _nothing_to_send(self, staged: Staged, sample: Samples) -> Narrowed:
        found = Narrowed(Staged(), unchanged=staged.accepted, lanes=SENT_LANES)
        found.sample = Samples(unchanged=sample.sent[: self.job.load.verify_sample // 2])
        Lanes(self.staged / SENT_LANES)
        _write_numbers(pl.Series(dtype=pl.UInt32), self.staged / WRITTEN_UNITS)
        return found

    def _laid_out(self, changed: pl.Series, units: UnitFiles, seed: int) -> Narrowed:
        """Copy the rows to send to lanes of their own, and count."""
        found = Narrowed(Staged(), lanes=SENT_LANES)
        rows, terms, size = Lanes(self.staged / "lanes"), units.terms, self.job.load.verify_sample
        rules = Rules(self.job.target.action, self.keys, self.sets, self.job.target.ignore_empty_fields)
        samplers = [Sampler(part, seed, rules, risky) for part, risky in ((size // 2, False), (size - size // 2, True))]
        written = [pl.Series(dtype=pl.UInt32)]

        for frame, choice in rows.narrowed(self.staged / found.lanes, lambda frame: to_send(frame, changed, terms)):
            sent = frame.filter(choice.send)
            found.stood_for += choice.stood_for
            found.unchanged += frame.height - sent.height - choice.stood_for
            found.to_send.count(sent)
            samplers[0].look(frame, ~changed.gather(frame["_profile"]) & ~choice.send)
            samplers[1].look(frame, choice.send)
            written += [sent["_profile"].unique(), sent["_unit"].drop_nulls().unique()]
        # Last: its presence says that the lanes are complete.
        _write_numbers(pl.concat(written).unique(), self.staged / WRITTEN_UNITS)
        found.sample = Samples(samplers[1].chosen(), samplers[0].chosen())
        return found

    def planned(self) -> None:
        """Keep which units the rows of a plan write that are sent, and which of them have rows that are not."""
        if "salt" not in self._record():
            return
        names = ["_seq", "_profile", "_unit"]
        sent = pl.concat(
            [pl.Series("_seq", dtype=pl.UInt64), *(one["_seq"] for one in self.lanes.partitions(["_seq"]))]
        )
        found: dict[bool, list[pl.Series]] = {True: [pl.Series(dtype=pl.UInt32)], False: [pl.Series(dtype=pl.UInt32)]}
        for rows in Lanes(self.staged / PLANNED_LANES).partitions(names):
            is_sent = rows["_seq"].is_in(sent.implode())
            for goes, numbers in found.items():
                of_kind = rows.filter(is_sent if goes else ~is_sent)
                numbers += [of_kind["_profile"], of_kind["_unit"].drop_nulls()]
        _write_numbers(pl.concat(found[False]).unique(), self.staged / PARTLY_SENT)
        _write_numbers(pl.concat(found[True]).unique(), self.staged / WRITTEN_UNITS)

    def drop(self) -> None:
        """Put what the staged rows write in the journal, before anything is sent (data rule 41)."""
        state, scopes = self._open(), self.scopes()
        units = self._units()
        if units is None and not (self.place / "state.json").exists():
            return
        if units is not None and state.why:
            state.meta = replace(state.meta, salt=units.terms.salt.hex())
        if units is not None and state.salt != units.terms.salt:
            units = None
        state.begin(self.run, self.job.job, scopes if units else (), units.bits if units else 0)
        # An empty state that has just begun has nothing to drop.
        if state.why or not self._anything_to_send():
            return
        known = (*state.meta.scopes, *(one for one in scopes if one not in state.meta.scopes))
        modes = drop_modes(scopes, known, self.job.target.delete_target)
        numbers = pl.Series([known.index(one) for one in scopes], dtype=pl.UInt16)
        if units is None:
            state.write_ahead(self.job.job, modes, self._keys_by_partition(state, numbers))
            return
        written = self._written()
        parts = ((at, _among(units.part(at, state.meta.bits), written)) for at in range(state.partitions))
        state.write_ahead(self.job.job, modes, ((at, _scoped(part, numbers)) for at, part in parts))

    def _anything_to_send(self) -> bool:
        return any(True for _ in self.lanes.lanes())

    def _keys_by_partition(self, state: Confirmed, numbers: pl.Series) -> list[tuple[int, pl.DataFrame]]:
        """Return the units of the staged rows without what they leave, for a run that is not compared."""
        names = [*self.keys.profile, *(key for each in self.keys.collections.values() for key in each)]
        if not self.keys.profile:
            return []
        terms = self._terms(state.salt)
        frames = self.lanes.partitions([*names, "_set", "_key"])
        found = [_scoped(keys_of(rows, terms), numbers) for rows in frames]
        if not found:
            return []
        nothing = [pl.lit(0, WRITTEN[name]).alias(name) for name in ("high", "low", "number")]
        homes = pl.concat(found).with_columns(*nothing, home(pl.col("profile"), state.meta.bits).alias("home"))
        return [(int(at), part) for (at,), part in homes.group_by("home")]

    def _written(self) -> pl.Series | None:
        """Return the numbers of the units of which rows are sent, None for all."""
        path = self.staged / WRITTEN_UNITS
        return pl.read_ipc(path)["number"] if path.exists() else None

    def confirm(self, unconfirmed: pl.Series, doubtful: pl.Series) -> None:
        """Set what was confirmed: all units that were written but those of these staged rows, by `_seq`.

        Nothing is set where another run has written since; what it wrote stands. `doubtful` are the `_key`s of imports that
        were presumed dead: one of them may still walk, so that nothing of them counts as confirmed for a week (rule 28).
        """
        if doubtful.len():
            self._doubt(doubtful)
        if self.job.target.delete_target == "profile":
            self._forget(unconfirmed)
            return
        units, state = self._units(), self._open()
        if units is None or state.why or state.salt != units.terms.salt or state.meta.writer != self.run:
            return
        try:
            but = self._not_confirmed(state, units, unconfirmed)
            step = state.journal.step_of(self.run)
            if step is not None:
                step.confirm(End(self._minute(), but.to_list()))
            else:
                self._fill(state, units, but.implode())
            if len(state.meta.jobs) > 1:
                self._see(state, units, but.implode())
            state.tidy()
        except StateFault as fault:
            state.reset(str(fault))
            get_logger().warning("changed.state_lost", why=str(fault))

    def _fill(self, state: Confirmed, units: UnitFiles, but: pl.Series) -> None:
        """Set all that was sent in a state that was begun by this run; it had nothing to drop."""
        written, numbers, bit, minute = self._written(), self._numbers(state), self._bit(state), self._minute()

        def fill(at: int) -> None:
            sent = _scoped(_among(units.part(at, state.meta.bits), written, but), numbers)
            if sent.height:
                state.replace(at, with_confirmed(state.entries(at), sent, bit, minute))

        if written is None or written.len():
            for _ in side_by_side(fill, range(state.partitions)):
                pass

    def _see(self, state: Confirmed, units: UnitFiles, but: pl.Series) -> None:
        """Keep that this job's dump has what another job has confirmed (data rule 44)."""
        numbers, bit = self._numbers(state), self._bit(state)

        def see(at: int) -> None:
            before = state.entries(at)
            seen = seen_by(before, _scoped(_among(units.part(at, state.meta.bits), None, but), numbers), bit)
            if seen is not before:
                state.replace(at, seen)

        for _ in side_by_side(see, range(state.partitions)):
            pass

    def _bit(self, state: Confirmed) -> int:
        return state.meta.bit(self.job.job)

    def _numbers(self, state: Confirmed) -> pl.Series:
        """Return the positions of this job's scopes in the state, by level."""
        return pl.Series([state.meta.scopes.index(one) for one in self.scopes()], dtype=pl.UInt16)

    def _not_confirmed(self, state: Confirmed, units: UnitFiles, unconfirmed: pl.Series) -> pl.Series:
        """Return the numbers of the units with a row that is not confirmed, and of those in doubt; raises StateFault."""
        found = [pl.Series("number", dtype=pl.UInt32)]
        for frame in self.lanes.partitions(["_seq", "_profile", "_unit"]) if unconfirmed.len() else ():
            rows = frame.filter(pl.col("_seq").is_in(unconfirmed.implode()))
            found += [rows["_profile"], rows["_unit"].drop_nulls()]
        if (partly := self.staged / PARTLY_SENT).exists():
            found.append(pl.read_ipc(partly)["number"])
        doubted = state.doubted(self._minute())
        for at in range(state.partitions) if doubted.len() else ():
            part = units.part(at, state.meta.bits)
            found.append(part.filter(pl.col("profile").is_in(doubted.implode()))["number"])
        return pl.concat(found).unique()

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
            {name: [expected.profile[name]] for name in self.keys.profile},
            schema_overrides=dict.fromkeys(self.keys.profile, pl.String()),
        )
        return int(digests_of_keys(keys, state.salt)["key_high"][0])

    def _doubt(self, keys: pl.Series) -> None:
        """Keep the digests of some keys from being set for a while."""
        state = self._open()
        if state.why:
            return
        names = [*self.keys.profile, "_key"]
        rows = pl.concat([frame.filter(pl.col("_key").is_in(keys.implode())) for frame in self.lanes.partitions(names)])
        profiles = digests_of_keys(rows.select(self.keys.profile), state.salt)["key_high"].unique()
        try:
            state.doubt(profiles, self._minute() + DOUBT_MINUTES)
        except StateFault as fault:
            state.reset(str(fault))

    def _forget(self, unconfirmed: pl.Series) -> None:
        """Remove what was deleted; rows that are not confirmed keep their key."""
        state = self._open()
        if state.why or state.meta.writer != self.run:
            return
        same = [at for at, scope in enumerate(state.meta.scopes) if scope.profile_keys == self.keys.profile]
        terms = self._terms(state.salt)
        frames = self.lanes.partitions([*self.keys.profile, "_set", "_key", "_seq"])
        ids = [keys_of(rows.filter(~pl.col("_seq").is_in(unconfirmed.implode())), terms) for rows in frames]
        deleted = pl.concat(ids)["profile"].unique() if ids else pl.Series(dtype=pl.UInt64)
        try:
            for at in range(state.partitions):
                entries = state.entries(at)
                gone = pl.col("profile").is_in(deleted.implode()) & pl.col("scope").is_in(same)
                state.replace(at, entries.filter(~gone))
            state.merge()
        except StateFault as fault:
            state.reset(str(fault))

    def gone(self, rejected: pl.Series, path: Path) -> tuple[int, bool] | None:
        """List in `path` what whole dumps no longer have (data rule 44); how many, and whether this is the first dump.

        None where the keys of the dump are not known: where the state was begun anew meanwhile.
        To be asked once all rows are confirmed or unchanged. `rejected` are the `_key`s of rejected rows.
        """
        units, state = self._units(), self._open()
        if units is None or state.why or state.salt != units.terms.salt:
            return None
        return self._gone(state, rejected).write(units, path)

    def gone_planned(self, rejected: pl.Series) -> int | None:
        """Count what a run of these whole dumps would list as gone; None where that is not known, 0 at the first run."""
        units, state = self._units(), self._open()
        if units is None or (not state.why and state.salt != units.terms.salt):
            return None
        try:
            return 0 if state.why else self._gone(state, rejected).count(units)
        except StateFault:
            return None

    def _gone(self, state: Confirmed, rejected: pl.Series) -> Gone:
        return Gone(state, self.job.job, self.keys.profile, self.job.load.gone_after, rejected)

    def _minute(self) -> int:
        return int(self.now().timestamp()) // 60

    def _record(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.staged / NAME).read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def _write(self, record: Mapping[str, Any]) -> None:
        write_whole(self.staged / NAME, json.dumps(record).encode())


def _scoped(units: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
    """Return units with the position of their scope, by their level; those of a scope that is not known go."""
    scope = numbers.gather(units["level"]).alias("scope")
    return units.with_columns(scope).filter(scope.is_not_null()) if scope.null_count() else units.with_columns(scope)


def _among(units: pl.DataFrame, numbers: pl.Series | None, but: pl.Series | None = None) -> pl.DataFrame:
    """Return the units with one of some numbers, None for all, `but` some (a list of one row)."""
    if numbers is not None:
        units = units.filter(pl.col("number").is_in(numbers.implode()))
    return units if but is None else units.filter(~pl.col("number").is_in(but))


def _write_numbers(numbers: pl.Series, path: Path) -> None:
    numbers.alias("number").to_frame().write_ipc(path)
