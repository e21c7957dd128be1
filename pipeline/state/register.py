"""Keep the register of a database: what its runs have on the wire, and have sent while another one is open (edge: SQLite).

Jobs, state folders and users of a host share one file per database; a second one in the state folder has the same, for
where the first is lost, as with a container. Every note goes into both and every question to both (data rules 38, 40).
A *note* is one request: salted hashes of the keys of its rows, the columns that it writes, when it was sent and until
when it may still run. It goes as soon as no open run could need it, so that the register of quiet nights is empty.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import overload

import polars as pl

from pipeline.log import get_logger
from pipeline.state.host import database_name, host_dir
from pipeline.state.register_file import Note, RegisterFile


@dataclass(frozen=True)
class Held:
    """Which keys an import of another run may still hold: `rows` is Boolean, `until` when the last of them lets go."""

    rows: pl.Series
    until: datetime | None


class Register:
    """The register of one database, for all threads of a process; needs no lock of the database."""

    def __init__(self, files: tuple[RegisterFile, ...]) -> None:
        self._files = files

    @classmethod
    def open(cls, api_url: str, database_id: int, state_dir: Path, environ: Mapping[str, str] = os.environ) -> Register:
        """Open or make both files; raises JobError for one that is damaged, of a newer version or on a network disk."""
        name = f"{database_name(api_url, database_id)}.sqlite"
        shared = RegisterFile.open(host_dir(environ) / "registers" / name)
        try:
            own = RegisterFile.open(state_dir / "registers" / name)
        except BaseException:
            shared.close()
            raise
        if own.twin not in (None, shared.id):
            what = "it is not the one of earlier runs; what those of other state folders have sent is not known"
            get_logger().warning("register.new", register=str(shared.path), what=what)
        own.pair_with(shared)
        return cls((shared, own))

    def __enter__(self) -> Register:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both files."""
        for one in self._files:
            one.close()

    def of_run(self, run: str, job: str, key_fields: Sequence[str]) -> RunRegister:
        """Return the notes of one run; `key_fields` are the profile's, in the order in which `_key` hashes them."""
        return RunRegister(self._files, run, job, tuple(key_fields))

    def unload(self, run: str) -> None:
        """Forget which contents a run has sent: it was undone, and they may be sent again."""
        for one in self._files:
            one.unload(run)

    def latest(self) -> datetime | None:
        """Return the latest time that any run has noted: clocks that were set back do not go behind it (data rule 28)."""
        return _time(max((at for one in self._files if (at := one.latest()) is not None), default=None))


@dataclass(frozen=True)
class RunRegister:
    """What one run notes and asks. Keys are staged `_key`s (UInt64, data rule 15); 0, for no key, is nobody's.

    Times are aware, by the API host's clock. A verb is on disk when it returns, but for `prolonged` and `final`: whoever
    takes up the run after a power cut notes them again.
    """

    files: tuple[RegisterFile, ...]
    run: str
    job: str
    key_fields: tuple[str, ...]

    def begin(self, contents: Sequence[str] = ()) -> None:
        """Note that the run reads its dump now, so that what others send from now on is newer; again it changes nothing.

        `contents` are SHA-256 of unpacked files, remembered once something was sent (data rule 35).
        """
        for one in self.files:
            one.begin(self.run, self.job, contents)

    def starts(self) -> None:
        """Note that a new run is about to send under the database's lock: what older runs have sent is not newer."""
        for one in self.files:
            one.renew(self.run)

    def sending(
        self, ordinal: int, keys: pl.Series, columns: Sequence[str] | None, sent_at: datetime, until: datetime | None
    ) -> None:
        """Note a request before it may be on the wire: it may run `until`, and writes `columns`, None for whole records.

        A second one of the same ordinal is noted beside the first.
        """
        names = None if columns is None else [name for name in columns if name not in self.key_fields]
        note = Note(ordinal, self.key_fields, names, _milliseconds(sent_at), _milliseconds(until))
        for one in self.files:
            one.add(self.run, note, keys.filter(keys != 0))

    def prolonged(self, ordinal: int, until: datetime) -> None:
        """Note that the last request of a chunk may run longer."""
        for one in self.files:
            one.prolong(self.run, ordinal, _milliseconds(until))

    def final(self, ordinal: int) -> None:
        """Note that the requests of a chunk can run no more."""
        for one in self.files:
            one.final(self.run, ordinal)

    def withdrawn(self, ordinal: int) -> None:
        """Take the last note of a chunk back: certainly nothing of it was sent."""
        for one in self.files:
            one.withdraw(self.run, ordinal)

    def end(self) -> None:
        """Note that the run is closed: nothing of it waits for an answer or is still to be sent."""
        for one in self.files:
            one.end(self.run)

    def loaded(self, sha256: str) -> str | None:
        """Return a run of the job that has sent a file of this unpacked content (data rule 35), None where there is none."""
        return next((run for one in self.files if (run := one.loaded(self.job, sha256)) is not None), None)

    def held(self, keys: pl.Series, now: datetime) -> Held:
        """Find the keys that an import of another run may still hold (data rules 28, 38).

        Runs with other key fields cannot be compared: theirs hold every key.
        """
        mask, until = keys.is_null(), None
        for one in self.files:
            for until_ms, found in one.holding(self.run, self.key_fields, keys, _milliseconds(now)):
                found &= keys != 0
                mask |= found
                until = max(until or 0, until_ms) if found.any() else until
        return Held(mask, _time(until))

    def overtaken(self, keys: pl.Series, columns: Sequence[str] | None) -> pl.Series:
        """Find the keys that another run has sent since this one began, in a column that it would write (data rule 40).

        `columns` None stands for whole records. Runs with other key fields count as having sent every key.
        """
        names = None if columns is None else frozenset(columns) - frozenset(self.key_fields)
        mask = keys.is_null()
        for one in self.files:
            for found in one.sent_since(self.run, self.key_fields, keys, names):
                mask |= found
        return mask & (keys != 0)


@overload
def _milliseconds(at: datetime) -> int: ...
@overload
def _milliseconds(at: None) -> None: ...
def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
