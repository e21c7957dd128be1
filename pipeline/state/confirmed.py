"""Keep what was confirmed last in a database: a digest per profile key and subprofile, on disk by partitions (edge: files).

The state belongs to a database and is shared by its jobs (data rule 41). It is used under the lock of the database only, but
for its salt. Before a run sends, what it writes stands in the journal: those digests count for nothing from then on. What was
confirmed is set when the run has ended; each file is replaced as a whole. So whatever happens in between can only cause sending
again.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import polars as pl

from pipeline.state.entries import ENTRIES, Modes, Scope, home
from pipeline.state.frame_file import StateFault, read_frame, write_bytes, write_frame
from pipeline.state.journal import Intent, Journal
from pipeline.threads import side_by_side

FORMAT = 3
META = "state.json"
JOURNAL = "journal"
DOUBTED = "doubted"
SALT_BYTES = 16
# The digests of so many keys are worked on at once.
PARTITION_UNITS = 250_000
MOST_PARTITIONS = 1024
# Jobs have a bit each; those after so many share the last one.
JOB_BITS = 16


@dataclass(frozen=True)
class Meta:
    """What the state knows of itself; `bits` partitions by the highest bits of `profile`, `writer` is the run that wrote last.

    `of_job` has the positions of the scopes that a job uses. `note` is why no digest is left.
    """

    algorithm: str
    account: str
    salt: str
    bits: int = 0
    scopes: tuple[Scope, ...] = ()
    jobs: tuple[str, ...] = ()
    of_job: Mapping[str, Sequence[int]] = field(default_factory=dict)
    writer: str = ""
    note: str = ""

    def to_json(self) -> bytes:
        """Return the file's content."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode()

    @classmethod
    def of(cls, content: bytes) -> Meta:
        """Read it back; raises StateFault."""
        try:
            found = json.loads(content)
            if found.pop("format") != FORMAT:
                raise StateFault("it has another format")
            found["scopes"] = tuple(Scope.of(one) for one in found["scopes"])
            return cls(**found | {"jobs": tuple(found["jobs"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateFault(f"{META} cannot be read ({type(error).__name__})") from None

    def bit(self, job: str) -> int:
        """Return the bit of a job in `jobs`."""
        return 1 << min(self.jobs.index(job), JOB_BITS - 1)


def bits_for(units: int) -> int:
    """Return by how many bits so many digests are partitioned."""
    parts = max(1, min(MOST_PARTITIONS, -(-units // PARTITION_UNITS)))
    return (parts - 1).bit_length()


class Confirmed:
    """The confirmed state of one database; `why` is why there is none yet, or none any more."""

    def __init__(self, folder: Path, meta: Meta, why: str = "") -> None:
        self.folder, self.meta, self.why = folder, meta, why

    @classmethod
    def open(cls, folder: Path, algorithm: str, account: str) -> Confirmed:
        """Open the state, or begin an empty one in memory with a salt of its own; nothing is written."""
        fresh = Meta(algorithm, account, secrets.token_hex(SALT_BYTES))
        try:
            meta = Meta.of((folder / META).read_bytes())
            if meta.algorithm != algorithm:
                raise StateFault(f"it was made by {meta.algorithm}, this version uses {algorithm}")
            if meta.account != account:
                raise StateFault("it belongs to another account")
        except FileNotFoundError:
            return cls(folder, fresh, "nothing was confirmed in this database yet")
        except (StateFault, OSError) as error:
            return cls(folder, fresh, f"the confirmed state cannot be used: {error}")
        return cls(folder, meta)

    @property
    def salt(self) -> bytes:
        """Return the key of all digests of this database."""
        return bytes.fromhex(self.meta.salt)

    @property
    def partitions(self) -> int:
        """Return the number of partitions."""
        return 1 << self.meta.bits

    def number_of(self, scope: Scope) -> int | None:
        """Return the position of a scope, None for one that was never confirmed."""
        return self.meta.scopes.index(scope) if scope in self.meta.scopes else None

    def begin(self, run: str, job: str, scopes: Sequence[Scope], bits: int) -> list[int]:
        """Make room for a run that is about to write: register its job and scopes.

        Returns the positions of the scopes. A state that cannot be used is replaced by an empty one. `bits` is the least
        number of bits to partition by.
        """
        try:
            if self.why:
                raise StateFault(self.why)
            if scopes and bits > self.meta.bits:
                self.merge()
        except StateFault as fault:
            self.reset(str(fault))
        known = [*self.meta.scopes, *(one for one in scopes if one not in self.meta.scopes)]
        numbers = [known.index(one) for one in scopes]
        jobs = self.meta.jobs if job in self.meta.jobs or not scopes else (*self.meta.jobs, job)
        of_job = {**self.meta.of_job, **({job: numbers} if scopes else {})}
        self._split(bits if scopes else 0)
        self._keep(replace(self.meta, scopes=tuple(known), jobs=jobs, of_job=of_job, writer=run, note=""))
        return numbers

    def doubt(self, profiles: pl.Series, until_minute: int) -> None:
        """Keep profile keys whose digests must not be set until a minute; they must have lost them before."""
        new = profiles.alias("profile").to_frame().with_columns(pl.lit(until_minute, pl.UInt32).alias("until"))
        write_frame(
            self.folder / DOUBTED, pl.concat([self._doubted(), new]).group_by("profile").agg(pl.col("until").max())
        )

    def doubted(self, now_minute: int) -> pl.Series:
        """Return the profile keys whose digests must not be set now."""
        return self._doubted().filter(pl.col("until") > now_minute)["profile"]

    def _doubted(self) -> pl.DataFrame:
        path, schema = self.folder / DOUBTED, {"profile": pl.UInt64(), "until": pl.UInt32()}
        return read_frame(path, schema) if path.exists() else pl.DataFrame(schema=schema)

    def forget(self, profiles: pl.Series, why: str = "") -> None:
        """Drop the digests of profile keys, or with `why` all there are; raises StateFault."""
        for at in range(self.partitions):
            entries = self.entries(at)
            hit = entries["profile"].is_in(profiles.implode()) if not why else entries["profile"].is_not_null()
            if hit.any():
                self.replace(at, entries.with_columns(entries[name].set(hit, 0) for name in ("high", "low")))
        if why:
            self._keep(replace(self.meta, note=why))

    def reset(self, why: str) -> None:
        """Forget everything but the salt, which is in use."""
        self.why = why
        self.meta = replace(self.meta, bits=0, scopes=(), jobs=(), of_job={}, writer="")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def entries(self, at: int) -> pl.DataFrame:
        """Read a partition as the journal leaves it; raises StateFault."""
        return self.journal.applied(self._base(at), at)

    def in_use(self, entries: pl.DataFrame) -> pl.DataFrame:
        """Return the entries of scopes that a job uses; others are of jobs whose columns have changed since."""
        used = {at for of_job in self.meta.of_job.values() for at in of_job}
        return entries if len(used) == len(self.meta.scopes) else entries.filter(pl.col("scope").is_in(sorted(used)))

    def replace(self, at: int, entries: pl.DataFrame) -> None:
        """Replace a partition by entries to which the journal was applied."""
        write_frame(self._path(at, self.meta.bits), entries.select(*ENTRIES))
        self.journal.forget(at)

    @property
    def journal(self) -> Journal:
        """Return what was written since the partitions were."""
        return Journal(self.folder / JOURNAL)

    def write_ahead(self, job: str, modes: Modes, parts: Iterable[tuple[int, pl.DataFrame]]) -> None:
        """Put what a job's run, which has begun, is about to write in the journal: `parts` by partition (WRITTEN)."""
        bit = self.meta.bit(job) if job in self.meta.jobs else 0
        self.journal.add(Intent(self.meta.writer, bit, modes), parts)

    def tidy(self) -> None:
        """Merge the journal where it has become long; raises StateFault."""
        size = sum(path.stat().st_size for path in self.folder.glob("??-????"))
        if self.journal.is_long(size):
            self.merge()

    def merge(self) -> None:
        """Write the partitions as the journal leaves them, and clear it; raises StateFault."""

        def merged(at: int) -> None:
            if self.journal.touches(at):
                self.replace(at, self.in_use(self.entries(at)))

        for _ in side_by_side(merged, range(self.partitions)):
            pass
        self.journal.clear()

    def _base(self, at: int) -> pl.DataFrame:
        return read_frame(self._path(at, self.meta.bits), ENTRIES)

    def _path(self, at: int, bits: int) -> Path:
        return self.folder / f"{bits:02d}-{at:04d}"

    def _split(self, bits: int) -> None:
        """Partition by more bits; the state has either all old files or all new ones when the process ends."""
        bits, old = max(bits, self.meta.bits), self.meta.bits
        if not self.meta.scopes:
            for at in range(2**bits):
                write_frame(self._path(at, bits), pl.DataFrame(schema=dict(ENTRIES)))
            self.meta = replace(self.meta, bits=bits)
            return
        if bits == old:
            return
        for at in range(2**old):
            of_homes = self._base(at).with_columns(home(pl.col("profile"), bits).alias("home"))
            for to in range(at << (bits - old), (at + 1) << (bits - old)):
                write_frame(self._path(to, bits), of_homes.filter(pl.col("home") == to).select(*ENTRIES))
        self._keep(replace(self.meta, bits=bits))
        for at in range(2**old):
            self._path(at, old).unlink(missing_ok=True)

    def _keep(self, meta: Meta) -> None:
        write_bytes(self.folder / META, meta.to_json())
        self.meta = meta
