"""Hold the job file as frozen models (pure).

The models know shape, defaults and what a single value may be; `pipeline.jobfile` reads YAML into them and names the
place of each fault. Paths and globs stay as written, relative to the folder of the job file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

_SIZE_UNITS = {"": 1, "b": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "kb": 1000, "mb": 1000**2, "gb": 1000**3}


def _size_bytes(value: Any) -> Any:
    """Turn `4 MiB` into bytes; a plain integer is bytes already."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]+)\s*([A-Za-z]*)\s*", value)
        if match is None or match[2].lower() not in _SIZE_UNITS:
            raise ValueError("a size is a number of bytes, or a number with KiB, MiB or GiB behind it, such as 4 MiB")
        return int(match[1]) * _SIZE_UNITS[match[2].lower()]
    return value


def _days(value: Any) -> Any:
    """Turn `7d` into days."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]+)\s*d?\s*", value)
        if match is None:
            raise ValueError("a number of days, such as 0d or 7d")
        return int(match[1])
    return value


def _limit(value: Any) -> Any:
    """Turn `1%` or `25` into a Limit."""
    if isinstance(value, bool):
        raise ValueError("a count such as 25, or a share such as 1%")  # noqa: TRY004 - pydantic wants ValueError
    if isinstance(value, int):
        return {"count": value}
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]+)\s*", value)
        if match is not None:
            return {"count": int(match[1])}
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*", value)
        if match is not None:
            return {"share": float(match[1]) / 100}
        raise ValueError("a count such as 25, or a share such as 1%")
    return value


def _share(value: Any) -> Any:
    """Turn `80%` or `0.8` into a share."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*", value)
        if match is None:
            raise ValueError("a share such as 80%")
        return float(match[1]) / 100
    return value


class Frozen(BaseModel):
    """Refuse unknown keys and changes; texts are never made from numbers or booleans."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Limit(Frozen):
    """A guard's limit: a `count` of rows, or a `share` of them between 0 and 1."""

    count: Annotated[int, Field(ge=0)] | None = None
    share: Annotated[float, Field(ge=0, le=1)] | None = None

    def allows(self, found: int, of: int) -> bool:
        """Say whether `found` rows out of `of` are within the limit."""
        if self.count is not None:
            return found <= self.count
        return found <= (self.share or 0.0) * of

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{(self.share or 0) * 100:g}%"


SizeBytes = Annotated[int, BeforeValidator(_size_bytes), Field(ge=1)]
Text = Annotated[str, StringConstraints(min_length=1)]
Seconds = Annotated[float, Field(ge=0, strict=False)]
# YAML gives lists; frozen models hold tuples.
Texts = Annotated[tuple[str, ...], Field(strict=False)]


def _one_char(value: str) -> str:
    if len(value) != 1:
        raise ValueError("one character")
    return value


OneChar = Annotated[str, AfterValidator(_one_char)]
Delimiter = Literal[",", ";", "\t", "|", ":"]


class Reading(Frozen):
    """How the text of a cell is read; in `source` for all columns, in `columns` for one (there None: as the source)."""

    null_values: Texts | None = None
    decimal: Literal[".", ","] | None = None
    thousands: OneChar | None = None
    dates: Texts | None = None
    timezone: Text | None = None
    true_values: Texts | None = None
    false_values: Texts | None = None
    fractions: Literal["zero", "cut"] | None = None
    trim: bool | None = None


class ColumnTarget(Reading):
    """Where one dump column goes (`to`), and how its cells are read where that differs from the source."""

    to: Text


def _column_target(value: Any) -> Any:
    return {"to": value} if isinstance(value, str) else value


class Source(Frozen):
    """The dump files and their dialect; nothing of it is guessed at run time."""

    files: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]
    format: Literal["csv", "json", "ndjson"] | None = None
    delimiter: Delimiter | None = None
    quote: Literal['"', "'"] = '"'
    header: Literal["first"] | Annotated[tuple[Text, ...], Field(min_length=1, strict=False)] = "first"
    encoding: Text = "utf-8"
    null_values: Texts = ()
    decimal: Literal[".", ","] = "."
    thousands: OneChar | None = None
    dates: Texts = ()
    timezone: Text = "Europe/Amsterdam"
    true_values: Texts = ()
    false_values: Texts = ()
    fractions: Literal["zero", "cut"] = "zero"
    trim: bool = False
    missing_keys: Literal["empty"] | None = None
    skip_lines: Annotated[int, Field(ge=0)] = 0
    max_record_bytes: SizeBytes = 1024**2
    only_new: bool = False


class Target(Frozen):
    """Where the rows go and what an import does with them."""

    api: Literal["v1", "v2", "v3", "v4"]
    database: Text
    account: Text | None = None
    action: Literal["add", "update", "update or add", "ignore or add", "delete"]
    key_fields: Texts
    ignore_empty_fields: bool
    delete_target: Literal["profile", "subprofile"] | None = None
    on_several_matches: Literal["fail", "all"] = "fail"
    followups: bool
    rebuild: bool


class Poll(Frozen):
    """When an import is asked for its state; `first_s` auto is half of the last import's time, 0 for the first."""

    first_s: Literal["auto"] | Seconds = "auto"
    factor: Annotated[float, Field(ge=1, strict=False)] = 1.6
    most_s: Annotated[float, Field(gt=0, strict=False)] = 60
    give_up_s: Seconds = 14400


class Load(Frozen):
    """How staged rows travel; sizes in bytes, times in seconds."""

    mode: Literal["imports", "profiles", "auto"]
    chunk_rows: Annotated[int, Field(ge=1)] = 10_000
    chunk_bytes: SizeBytes = 4 * 1024**2
    max_row_bytes: SizeBytes = 16 * 1024**2
    in_flight: Annotated[int, Field(ge=1)] = 1
    workers: Annotated[int, Field(ge=1, le=32)] = 4
    max_calls_per_s: Annotated[float, Field(gt=0, strict=False)] | None = None
    poll: Poll = Poll()
    settle_after_s: Seconds = 3600
    max_settle_calls: Annotated[int, Field(ge=0)] = 2000
    verify_sample: Annotated[int, Field(ge=0)] = 10


class Http(Frozen):
    """Timeouts of the wire and the waiting that retries may cost in one run, in seconds."""

    connect_s: Annotated[float, Field(gt=0, strict=False)] = 10
    read_s: Annotated[float, Field(gt=0, strict=False)] = 60
    import_read_s: Annotated[float, Field(gt=0, strict=False)] = 300
    retry_budget_s: Seconds = 900


AsLimit = Annotated[Limit, BeforeValidator(_limit)]


class Guards(Frozen):
    """Limits that stop a run before it does harm (data rules 4, 35)."""

    max_rejects: AsLimit = Limit(share=0.01)
    min_records: Annotated[int, Field(ge=0)] = 1
    min_share_of_last: Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)] | None = None
    max_calls: Annotated[int, Field(ge=1)] | None = None
    max_deletes: AsLimit | None = None
    max_unmatched: AsLimit | None = None
    unique_keys: Literal["off", "sample", "all"] = "sample"


class State(Frozen):
    """How long staged personal data of a confirmed run is kept, in days."""

    keep_staged: Annotated[int, BeforeValidator(_days), Field(ge=0)] = 0


Columns = Annotated[dict[Text, Annotated[ColumnTarget, BeforeValidator(_column_target)]], Field(default_factory=dict)]


class Job(Frozen):
    """One job: which dumps become which rows of which database."""

    job: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    source: Source
    columns: Columns
    ignore: Texts = ()
    constants: Annotated[dict[Text, str], Field(default_factory=dict)]
    schema_path: Annotated[str, Field(alias="schema", min_length=1)]
    target: Target
    load: Load
    http: Http = Http()
    guards: Guards = Guards()
    state: State = State()
    # The job file itself; set by the reader, never a key of the file.
    path: Annotated[Path, Field(exclude=True)]

    @property
    def folder(self) -> Path:
        """Give the folder that relative paths of the job file start from."""
        return self.path.parent

    def reading(self, column: str) -> Source | ColumnReading:
        """Give how the cells of a dump column are read: its own words where it has them, else the source's."""
        own = self.columns.get(column)
        return self.source if own is None else ColumnReading.of(self.source, own)

    @model_validator(mode="after")
    def _targets_are_different(self) -> Job:
        seen: dict[str, str] = {}
        for column, target in self.columns.items():
            if target.to in seen:
                raise ValueError(f"columns {seen[target.to]} and {column} both go to {target.to}")
            seen[target.to] = column
        return self


class ColumnReading(Frozen):
    """The reading words of one column with all defaults of the source filled in."""

    null_values: Texts
    decimal: Literal[".", ","]
    thousands: str | None
    dates: Texts
    timezone: str
    true_values: Texts
    false_values: Texts
    fractions: Literal["zero", "cut"]
    trim: bool

    @classmethod
    def of(cls, source: Source, own: Reading) -> ColumnReading:
        """Take each word from `own` where it is said, else from `source`."""
        words = {
            name: getattr(source, name) if getattr(own, name) is None else getattr(own, name)
            for name in cls.model_fields
        }
        return cls(**words)
