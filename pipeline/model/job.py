"""Hold the job file as frozen models (pure).

The models know shape, defaults and what a single value may be; `pipeline.config.read` reads YAML into them and names the
place of each fault. Paths and globs stay as written, relative to the folder of the job file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from pipeline.model.measures import Age, AsLimit, Days, Frozen, Limit, Share, SizeBytes


def _delimiter(value: Any) -> Any:
    """Take the word `tab` for the tab character."""
    return "\t" if value == "tab" else value


Text = Annotated[str, StringConstraints(min_length=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# YAML gives lists; frozen models hold tuples.
Texts = Annotated[tuple[str, ...], Field(strict=False)]


def _thousands(value: str) -> str:
    if len(value) != 1 or value.isalnum() or value in "+-":
        raise ValueError("one character that is no letter, digit or sign")
    return value


def check_job_name(value: str) -> str:
    """Return the name of a job; raises ValueError with what it must be."""
    # The name becomes part of paths and of the labels of imports.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError("a name of at most 64 letters, digits, dots, hyphens and underscores")
    return value


def _schema_path(value: str) -> str:
    path, _, name = value.rpartition(":")
    if not path or not name.isidentifier():
        raise ValueError("a Python file and a name in it, such as ../schemas/customers.py:Customers")
    return value


Thousands = Annotated[str, AfterValidator(_thousands)]
Delimiter = Annotated[Literal[",", ";", "\t", "|", ":"], BeforeValidator(_delimiter)]
Format = Literal["csv", "json", "ndjson"]

_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}


def format_of(name: str) -> Format | None:
    """Return the format of a dump by the extension of its name, before that of an archive; None where none is known."""
    stem = re.sub(r"\.(gz|zst|bz2|xz|zip)$", "", name.lower())
    return _FORMATS.get(re.sub(r"^.*(?=\.[^./\\]*$)", "", stem, flags=re.DOTALL))


class Reading(Frozen):
    """How the text of a cell is read; in `source` for all columns, in `columns` for one (there None: as the source)."""

    null_values: Texts | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Thousands | None = None
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


class ColumnReading(Frozen):
    """How the cells of a column are read, with all defaults."""

    null_values: Texts = ()
    decimal: Literal[".", ","] = "."
    thousands: Thousands | None = None
    dates: Texts = ()
    timezone: Text = "Europe/Amsterdam"
    true_values: Texts = ()
    false_values: Texts = ()
    fractions: Literal["zero", "cut"] = "zero"
    trim: bool = False

    def with_own(self, own: Reading) -> ColumnReading:
        """Return this reading with the words that a column has for itself."""
        names = ColumnReading.model_fields
        return ColumnReading(**{
            name: getattr(self, name) if getattr(own, name) is None else getattr(own, name) for name in names
        })  # fmt: skip


class Source(ColumnReading):
    """The dump files and their dialect; nothing of it is guessed at run time."""

    files: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]
    format: Format | None = None
    delimiter: Delimiter | None = None
    quote: Literal['"', "'"] = '"'
    escape: Literal["\\"] | None = None
    header: Literal["first"] | Annotated[tuple[Text, ...], Field(min_length=1, strict=False)] = "first"
    encoding: Text = "utf-8"
    missing_keys: Literal["empty"] | None = None
    skip_lines: Annotated[int, Field(ge=0)] = 0
    max_record_bytes: SizeBytes = 1024**2
    dump: Literal["full", "delta"] = "delta"
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
    gone: Literal["keep", "report"] = "keep"
    followups: bool
    rebuild: bool


class Poll(Frozen):
    """When an import is asked for its state; `first_s` auto is half of the last import's time, 0 for the first."""

    first_s: Literal["auto"] | Seconds = "auto"
    factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.6
    most_s: PositiveSeconds = 60
    give_up_s: Seconds = 14400


class Load(Frozen):
    """How staged rows travel; sizes in bytes, times in seconds."""

    mode: Literal["imports", "profiles", "auto"]
    send: Literal["all", "changed"] = "all"
    full_every: Days = 30
    gone_after: Annotated[int, Field(ge=1)] = 2
    chunk_rows: Annotated[int, Field(ge=1)] = 10_000
    chunk_bytes: SizeBytes = 4 * 1024**2
    max_row_bytes: SizeBytes = 16 * 1024**2
    in_flight: Annotated[int, Field(ge=1)] = 1
    workers: Annotated[int, Field(ge=1, le=32)] = 4
    max_calls_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    poll: Poll = Poll()
    settle_after_s: Seconds = 3600
    max_settle_calls: Annotated[int, Field(ge=0)] = 2000
    wait_s: Seconds = 14400
    before: bool = False
    verify_sample: Annotated[int, Field(ge=0)] = 10


class Http(Frozen):
    """Timeouts of the wire and the waiting that retries may cost in one run, in seconds."""

    connect_s: PositiveSeconds = 10
    read_s: PositiveSeconds = 60
    import_read_s: PositiveSeconds = 300
    retry_budget_s: Seconds = 900


class Guards(Frozen):
    """Limits that stop a run before it does harm (data rules 4, 35)."""

    max_rejects: AsLimit = Limit(share=0.01)
    min_records: Annotated[int, Field(ge=0)] = 1
    min_share_of_last: Share | None = None
    min_new_files: Annotated[int, Field(ge=0)] | None = None
    max_age: Age | None = None
    max_calls: Annotated[int, Field(ge=1)] | None = None
    max_deletes: AsLimit | None = None
    max_unmatched: AsLimit | None = None
    unique_keys: Literal["off", "sample", "all"] = "sample"


class State(Frozen):
    """Where staged rows lie, and for how many days what a run leaves is kept: customers' data, and its record."""

    staged_dir: Text | None = None
    keep_staged: Days = 0
    keep_rejects: Days = 30
    keep_before: Days = 30
    keep_runs: Days = 400


class Engine(Frozen):
    """Where several files are read: in processes of this machine, or by the scheduler of a cluster."""

    processes: Annotated[int, Field(ge=1)] = 1
    dask: Text | None = None


def _one_or_several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Addresses = Annotated[tuple[Text, ...], Field(strict=False), BeforeValidator(_one_or_several)]


class Notify(Frozen):
    """Who is notified: addresses of apprise, or plain https ones that are pinged; `${NAME}` is taken from the environment.

    A run that is done but has set aside more than `rejects_over` is reported to those of `failure`.
    """

    start: Addresses = ()
    success: Addresses = ()
    failure: Addresses = ()
    recovery: Addresses = ()
    rejects_over: AsLimit | None = None


class Metrics(Frozen):
    """Where metrics are written: a text file for Prometheus, relative to the job file."""

    textfile: Text | None = None


Columns = Annotated[dict[Text, Annotated[ColumnTarget, BeforeValidator(_column_target)]], Field(default_factory=dict)]


# Fields of the job that are no keys of its file.
OF_READER = ("path", "settings")


class Job(Frozen):
    """One job: which dumps become which rows of which database."""

    job: Annotated[str, AfterValidator(check_job_name)]
    source: Source
    columns: Columns
    ignore: Texts = ()
    constants: Annotated[dict[Text, str], Field(default_factory=dict)]
    schema_path: Annotated[str, AfterValidator(_schema_path), Field(alias="schema")]
    target: Target
    load: Load
    http: Http = Http()
    guards: Guards = Guards()
    engine: Engine = Engine()
    notify: Notify = Notify()
    metrics: Metrics = Metrics()
    state: State = State()
    # The job file itself, and the `--set`s over it; set by the reader, never keys of the file (`OF_READER`).
    path: Annotated[Path, Field(exclude=True)]
    settings: Annotated[Texts, Field(exclude=True)] = ()

    @property
    def folder(self) -> Path:
        """Return the folder that relative paths of the job file start from."""
        return self.path.parent

    @property
    def staged_dir(self) -> Path | None:
        """Return the folder of staged rows where it is not the run's own."""
        return None if self.state.staged_dir is None else self.folder / self.state.staged_dir

    def reading(self, column: str) -> ColumnReading:
        """Return how the cells of a dump column are read: its own words where it has them, else the source's."""
        own = self.columns.get(column)
        return self.source if own is None else self.source.with_own(own)
