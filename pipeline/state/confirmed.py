"""Keep what was confirmed last in a database: a digest per profile key and subprofile, on disk by partitions (edge: files).

The state belongs to a database and is shared by its jobs (data rule 41). It is used under the lock of the database only, but
for its salt. Before a run sends, what it writes stands in the journal: those digests count for nothing from then on. What was
confirmed is set when the run has ended, partition by partition; each file is replaced as a whole. So whatever happens in
between can only cause sending again.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.state.files import part_of
from pipeline.state.host import open_shared

FORMAT = 1
META = "state.json"
JOURNAL = "journal"
DOUBTED = "doubted"
SALT_BYTES = 16
# The digests of so many keys are worked on at once.
PARTITION_UNITS = 250_000
MOST_PARTITIONS = 1024
# Jobs have a bit each; those after so many share the last one.
JOB_BITS = 16

ENTRIES: Mapping[str, pl.DataType] = {
    "profile": pl.UInt64(),
    "unit": pl.UInt64(),
    "spelling": pl.UInt32(),
    "scope": pl.UInt16(),  # position in `Meta.scopes`
    "jobs": pl.UInt16(),  # which jobs have confirmed it, by their position in `Meta.jobs`
    "minute": pl.UInt32(),  # when it was confirmed, since 1970 in UTC
    "high": pl.UInt64(),  # both 0: the key is known, what was confirmed is not
    "low": pl.UInt64(),
}
WRITTEN: Mapping[str, pl.DataType] = {
    "scope": pl.UInt16(),
    "profile": pl.UInt64(),
    "unit": pl.UInt64(),
    "spelling": pl.UInt32(),
}


class StateFault(Exception):  # noqa: N818 - handled inside the state: everything is sent
    """A file of the state is missing, torn, of another version or of another account."""


@dataclass(frozen=True)
class Scope:
    """What digests of one kind cover: a level (profile "", a collection, "*" for whole keys), its columns and its keys.

    `words` has what else decides what a digest means: action, treatment of empties, field types, constants.
    """

    level: str
    columns: tuple[str, ...]
    profile_keys: tuple[str, ...]
    keys: tuple[str, ...]
    words: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Scope:
        """Read it back from JSON."""
        return cls(
            found["level"], tuple(found["columns"]), tuple(found["profile_keys"]), tuple(found["keys"]), found["words"]
        )

    @property
    def values(self) -> frozenset[str]:
        """Return the columns that are no keys."""
        return frozenset(self.columns) - {*self.profile_keys, *self.keys}


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


def home(profile: pl.Expr, bits: int) -> pl.Expr:
    """Return the partition of each `profile`: its highest bits."""
    return profile // 2 ** (64 - bits) if bits else profile * 0


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

    def begin(self, run: str, job: str, scopes: Sequence[Scope], bits: int) -> list[int]:
        """Make room for a run that is about to write: register its job and scopes, clear what earlier runs have left.

        Returns the positions of the scopes. A state that cannot be used is replaced by an empty one. `bits` is the least
        number of bits to partition by.
        """
        try:
            if self.why:
                raise StateFault(self.why)
            self.settle()
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
            hit = pl.lit(True) if why else pl.col("profile").is_in(profiles.implode())
            self.replace(
                at, entries.with_columns(pl.when(hit).then(0).otherwise(name).alias(name) for name in ("high", "low"))
            )
        if why:
            self._keep(replace(self.meta, note=why))

    def reset(self, why: str) -> None:
        """Forget everything but the salt, which is in use."""
        self.why = why
        self.meta = replace(self.meta, bits=0, scopes=(), jobs=(), of_job={}, writer="")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def entries(self, at: int) -> pl.DataFrame:
        """Read a partition as it stands, the journal applied; raises StateFault."""
        found = self._base(at)
        journal = self._journal()
        return found if journal is None else dropped(found, self._written(at), journal)

    def in_use(self, entries: pl.DataFrame) -> pl.DataFrame:
        """Return the entries of scopes that a job uses; others are of jobs whose columns have changed since."""
        used = pl.Series([at for of_job in self.meta.of_job.values() for at in of_job], dtype=pl.UInt16)
        return entries.filter(entries["scope"].is_in(used.implode()))

    def replace(self, at: int, entries: pl.DataFrame) -> None:
        """Replace a partition by entries to which the journal was applied."""
        write_frame(self._path(at, self.meta.bits), entries.select(*ENTRIES))
        (self.folder / JOURNAL / f"{at:04d}").unlink(missing_ok=True)

    def write_ahead(self, modes: Mapping[str, Mapping[str, str]], parts: Iterable[tuple[int, pl.DataFrame]]) -> None:
        """Put what is about to be written in the journal: `parts` by partition (WRITTEN), `modes` as `drop_modes` says."""
        folder = self.folder / JOURNAL
        folder.mkdir(mode=0o700, exist_ok=True)
        for at, written in parts:
            if written.height:
                write_frame(folder / f"{at:04d}", written.select(*WRITTEN))
        _write_bytes(folder / META, json.dumps(modes).encode())

    def settle(self) -> None:
        """Apply the journal to the partitions and clear it; raises StateFault."""
        if self._journal() is not None:
            for at in range(self.partitions):
                if (self.folder / JOURNAL / f"{at:04d}").exists() or self._drops_all():
                    self.replace(at, self.entries(at))
        self.clear_journal()

    def clear_journal(self) -> None:
        """Remove the journal, its head first."""
        (self.folder / JOURNAL / META).unlink(missing_ok=True)
        shutil.rmtree(self.folder / JOURNAL, ignore_errors=True)

    def _drops_all(self) -> bool:
        return any(mode == ALL for modes in (self._journal() or {}).values() for mode in modes.values())

    def _journal(self) -> Mapping[str, Mapping[str, str]] | None:
        try:
            found = json.loads((self.folder / JOURNAL / META).read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, OSError):
            raise StateFault("its journal cannot be read") from None
        if not isinstance(found, dict):
            raise StateFault("its journal cannot be read")
        return found

    def _written(self, at: int) -> pl.DataFrame:
        path = self.folder / JOURNAL / f"{at:04d}"
        return read_frame(path, WRITTEN) if path.exists() else pl.DataFrame(schema=dict(WRITTEN))

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
        _write_bytes(self.folder / META, meta.to_json())
        self.meta = meta


def unchanged(entries: pl.DataFrame, units: pl.DataFrame, now_minute: int, every_minutes: int) -> pl.Series:
    """Return `number` of the units (`scope`, `profile`, `unit`, `high`, `low`) that were confirmed as they are, and lately.

    A digest is due again at an age between a half and the whole of `every_minutes`, by chance that follows from the entry:
    what was confirmed in one night is not due in one night.
    """
    lately = entries.filter((pl.col("high") != 0) | (pl.col("low") != 0)).filter(
        # 32 bits of the key are the chance; the time in it makes each turn another one.
        (now_minute - pl.col("minute").cast(pl.Int64)) * 2
        < every_minutes * (1 + (pl.col("profile") + pl.col("minute") * 0x9E3779B1) % 4096 / 4096)
    )
    both = units.join(lately.select("scope", "profile", "unit", "high", "low"), on="unit", suffix="_then")
    same = [pl.col(name) == pl.col(f"{name}_then") for name in ("scope", "profile", "high", "low")]
    return both.filter(same)["number"]


def seen_by(entries: pl.DataFrame, units: pl.DataFrame, job_bit: int) -> pl.DataFrame:
    """Return entries with the job's bit where its dump has them; the same frame where it has it already."""
    new = ((entries["jobs"] & job_bit) == 0) & entries["unit"].is_in(units["unit"].implode())
    if not new.any():
        return entries
    jobs = pl.when(new).then(pl.col("jobs") | pl.lit(job_bit, pl.UInt16)).otherwise(pl.col("jobs")).alias("jobs")
    return entries.with_columns(jobs)


def with_confirmed(entries: pl.DataFrame, units: pl.DataFrame, job_bit: int, now_minute: int) -> pl.DataFrame:
    """Return entries with what was confirmed now (`units` with `scope`, WRITTEN and digests) in place of what was before."""
    if units.is_empty():
        return entries
    same = ["unit", "scope", "profile"]
    found, jobs = entries, pl.lit(job_bit, pl.UInt16).alias("jobs")
    if entries.height:
        found = entries.join(units.select(same), on=same, how="anti")
        units = units.join(entries.select(*same, "jobs").unique(same), on=same, how="left")
        jobs = (pl.col("jobs").fill_null(0) | pl.lit(job_bit, pl.UInt16)).alias("jobs")
    made = units.with_columns(jobs, pl.lit(now_minute, pl.UInt32).alias("minute"))
    return pl.concat([found, made.select(*ENTRIES)])


UNIT, SPELLING, OF_PROFILE, ALL = "unit", "spelling", "profile", "all"


def drop_modes(writes: Sequence[Scope], known: Sequence[Scope], delete: str | None = None) -> dict[str, dict[str, str]]:
    """Return what a write at each of the writer's levels drops of each known scope, both by their position in `known`.

    `delete` is what the run deletes: profile or subprofile. Where two jobs name profiles by other keys, it is not known which
    records they share: as soon as their columns overlap, everything goes.
    """
    modes: dict[str, dict[str, str]] = {}
    for one in writes:
        found = {str(at): mode for at, scope in enumerate(known) if (mode := _drop_mode(one, scope, delete))}
        modes[str(known.index(one))] = found
    return modes


def _drop_mode(writer: Scope, scope: Scope, delete: str | None) -> str:
    overlap = bool({*writer.columns} & {*scope.columns})
    if writer.profile_keys != scope.profile_keys or not writer.profile_keys:
        return ALL if overlap or delete == "profile" else ""
    if delete == "profile":
        return OF_PROFILE
    if "*" in (writer.level, scope.level):
        return OF_PROFILE if overlap else ""
    if writer.level != scope.level:
        return ""
    if writer.keys != scope.keys:
        return OF_PROFILE if overlap else ""
    return UNIT if delete or writer.values & scope.values or not scope.values else SPELLING


def dropped(entries: pl.DataFrame, written: pl.DataFrame, modes: Mapping[str, Mapping[str, str]]) -> pl.DataFrame:
    """Return entries without the digests that the written units touch; the keys stay."""
    hit = pl.repeat(False, entries.height, dtype=pl.Boolean, eager=True)
    for writer, of_scopes in modes.items():
        own = written.filter(pl.col("scope") == int(writer))
        for scope, mode in of_scopes.items():
            hit |= (entries["scope"] == int(scope)) & _touched(entries, own, mode)
    if not hit.any():
        return entries
    return entries.with_columns(pl.when(hit).then(0).otherwise(pl.col(name)).alias(name) for name in ("high", "low"))


def _touched(entries: pl.DataFrame, written: pl.DataFrame, mode: str) -> pl.Series:
    if mode == ALL:
        return pl.repeat(True, entries.height, dtype=pl.Boolean, eager=True)
    if mode == OF_PROFILE:
        return entries["profile"].is_in(written["profile"].implode())
    if mode == UNIT:
        return entries["unit"].is_in(written["unit"].implode())
    spelled = written.group_by("unit").agg(
        pl.col("spelling").min().alias("least"), pl.col("spelling").max().alias("most")
    )
    found = entries.select("unit", "spelling").join(spelled, on="unit", how="left", maintain_order="left")
    return ((found["spelling"] != found["least"]) | (found["spelling"] != found["most"])).fill_null(False)


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame with a check sum, whole or not at all; raises OSError."""
    into = io.BytesIO()
    frame.write_ipc_stream(into, compression="uncompressed")
    content = into.getbuffer()
    _write_bytes(path, struct.pack("<I", zlib.crc32(content)), content)


def _write_bytes(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file beside its place, put it on disk and rename it; raises OSError, and then what stood there stays."""
    with os.fdopen(open_shared(part_of(path)), "wb") as file:
        file.truncate()
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    part_of(path).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_frame(path: Path, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Read a file that `write_frame` wrote; raises StateFault for anything else."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StateFault(f"{path.name} cannot be read ({error.strerror})") from None
    if len(content) < 4 or zlib.crc32(memoryview(content)[4:]) != struct.unpack("<I", content[:4])[0]:
        raise StateFault(f"{path.name} is torn")
    found = pl.read_ipc_stream(io.BytesIO(content[4:]))
    if dict(found.schema) != dict(schema):
        raise StateFault(f"{path.name} has other columns")
    return found
