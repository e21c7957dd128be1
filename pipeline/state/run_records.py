"""Hold what the ledger keeps of a run: what is known at its start, where it goes, and all of it as it is read back (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from enum import StrEnum
from typing import Any, Literal

from pipeline.model.columns import LiveField

Method = Literal["imports", "profiles"]


class RunState(StrEnum):
    """How a run ended, or that it goes on."""

    RUNNING = "running"
    PLANNED = "planned"
    DONE = "done"
    REFUSED = "refused"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class RunEntry:
    """What the ledger keeps of a run from its start: the job with a copy of it, and how it was called."""

    run: str
    job: str
    job_file: str
    job_copy: str
    limit: int | None
    own_files: bool
    forced: Sequence[str]


@dataclass(frozen=True)
class Destination:
    """Where the rows of a run go.

    `structure` has every live field that the run uses; `method` is how it began, by which its chunks are cut.
    """

    api_host: str
    account: str
    database_id: int
    structure: Mapping[str, LiveField]
    method: Method


@dataclass(frozen=True)
class RunRow:
    """A run as the ledger has it.

    Times are ISO 8601 in UTC; `accepted` is None until all rows are staged. `fell_back` is why its rows go per profile
    though it began with imports. `open` means that time or another attempt can change its outcome; before it met the
    database `account` and `structure` are empty.
    """

    id: str
    job: str
    job_file: str
    job_copy: str
    state: RunState
    started_at: str
    ended_at: str | None
    api_host: str
    account: str
    database_id: int
    structure: Mapping[str, LiveField]
    method: Method
    fell_back: str | None
    limit: int | None
    own_files: bool
    forced: tuple[str, ...]
    accepted: int | None
    summary: Mapping[str, Any] | None
    open: bool


# The columns of the table, in the order of the fields of RunRow.
COLUMNS = (
    "id, job, job_file, job_copy, state, started_at, ended_at, api_host, account, database_id, structure, way,"
    " fell_back, limit_rows, own_files, forced, accepted, summary, is_open"
)


def run_row(values: Sequence[Any]) -> RunRow:
    """Return a run from the values of COLUMNS."""
    fields = dict(zip((one.name for one in dataclass_fields(RunRow)), values, strict=True))
    fields["state"] = RunState(fields["state"])
    structure = json.loads(fields["structure"])
    fields["structure"] = {
        name: LiveField(one["type"], one["length"], tuple(one["choices"])) for name, one in structure.items()
    }
    fields["own_files"], fields["open"] = bool(fields["own_files"]), bool(fields["open"])
    fields["forced"] = tuple(json.loads(fields["forced"]))
    fields["summary"] = None if fields["summary"] is None else json.loads(fields["summary"])
    return RunRow(**fields)
