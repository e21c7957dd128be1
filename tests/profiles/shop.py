"""A shop's database in a sandbox, and both methods of loading driven directly over hand-made staged rows."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.copernica import Call, Client, Database, Options, Outside
from pipeline.load.cut import ChunkLimits, Shape, cut
from pipeline.load.flight import Clock, Flight
from pipeline.load.imports import Imports
from pipeline.load.profiles import limits
from pipeline.load.profiles.method import Past, Profiles, Tried
from pipeline.model.chunk import Chunk, ChunkState
from pipeline.model.columns import Keys, Sets
from pipeline.model.job import Job, Load, Poll, Target
from pipeline.model.outcome import StoppedError
from pipeline.model.row_state import RowState
from pipeline.model.rows import STAGED
from pipeline.sandbox import Sandbox
from pipeline.stage.lanes import Lanes
from pipeline.stage.settle import Rules, settle
from pipeline.state.ledger import Ledger
from pipeline.validate.keys import fold, hashed

STRUCTURE: dict[str, Any] = {
    "databases": [
        {
            "name": "Customers",
            "fields": [
                {"name": "CustomerID", "length": 40, "index": True},
                {"name": "Email", "type": "email"},
                {"name": "City", "length": 350},
                {"name": "Points", "type": "integer", "value": 7},
                {"name": "Number", "type": "integer"},
                {"name": "Born", "type": "empty_date"},
                {"name": "Tier", "type": "select", "value": ["gold", "Gold", "silver"]},
            ],
            "interests": [{"name": "news"}, {"name": "offers"}],
            "collections": [
                {"name": "Order", "fields": [{"name": "OrderID", "length": 20}, {"name": "Total", "type": "float"}]},
                {"name": "Visit", "fields": [{"name": "VisitID", "length": 20}, {"name": "Page", "length": 100}]},
            ],
        }
    ]
}
KEYS = ("CustomerID", "Order.OrderID", "Visit.VisitID")

Row = Mapping[str, str | None]
Failure = tuple[int, str, str, str]
_numbers = itertools.count()


@dataclass(frozen=True)
class Terms:
    """What a job says, as far as loading needs it."""

    action: str = "update or add"
    key_fields: tuple[str, ...] = KEYS
    ignore_empty: bool = True
    several: str = "fail"
    delete_target: str | None = None
    workers: int = 4


@dataclass
class Loaded:
    """What became of rows on the per-profile method: line number, code, column and message of those that failed."""

    tried: Tried
    method: Profiles
    failed: list[Failure]
    counts: dict[RowState, int]

    @property
    def counted(self) -> tuple[int, int, int, int]:
        """Confirmed, failed, unknown, unsent."""
        tried = self.tried
        return tried.confirmed, tried.failed, tried.unknown, tried.rest

    @property
    def stopped(self) -> str:
        """Why nothing more was sent; empty where that is not so."""
        return "" if self.tried.stop is None else self.tried.stop.message


@dataclass
class Shop:
    """One sandbox, seen through one version of the API."""

    sandbox: Sandbox
    folder: Path
    version: str = "v4"
    calls: list[Call] = field(default_factory=list)
    provoked: set[str] = field(default_factory=set)
    _opened: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.connect()
        self.database: Database = self.client.structure("Customers")

    def connect(self, **options: float) -> Client:
        """A client whose waits take no time."""
        outside = Outside(sleep=lambda _: None, random=lambda: 0.0, on_call=self.calls.append)
        url, auth = self.sandbox.api_url, self.sandbox.auth_url
        limits = Options(**{"retry_budget_s": 5.0, **options})  # type: ignore[arg-type]
        client = Client(self.sandbox.token, self.version, url, auth, limits, outside)
        self._opened.append(client)
        return client

    def ledger(self) -> Ledger:
        """The ledger of the shop's folder."""
        ledger = Ledger(self.folder / "state")
        self._opened.append(ledger)
        return ledger

    def close(self) -> None:
        """Close what was opened."""
        for one in self._opened:
            one.close()

    def add(
        self,
        fields: Mapping[str, str],
        interests: Sequence[str] = (),
        **collections: Sequence[Mapping[str, str]],
    ) -> int:
        """Put a profile into the database before the load."""
        number = self.client.create_profile(self.database, fields)
        if interests:
            self.client.set_interests(number, dict.fromkeys(interests, True))
        for name, subprofiles in collections.items():
            for one in subprofiles:
                self.client.create_subprofile(number, self.database.collections[name], one)
        return number

    def contents(self) -> list[dict[str, Any]]:
        """What is in the database, by id, without ids and empty fields; numbers that hold their default are empty."""
        found = []
        for one in self.sandbox.contents("Customers")["profiles"]:
            entry = {name: text for name, text in one["fields"].items() if text not in ("", "0")}
            if entry.get("Points") == "7":
                del entry["Points"]
            if one["interests"]:
                entry["interests"] = one["interests"]
            for name, subprofiles in one["subprofiles"].items():
                if subprofiles:
                    entry[name] = [
                        {key: text for key, text in sub["fields"].items() if text not in ("", "0")}
                        for sub in subprofiles
                    ]
            found.append(entry)
        return found

    def comparable(self) -> list[Any]:
        """Everything that a load decides on, whatever the order in which it came."""
        found = []
        for one in self.sandbox.contents("Customers")["profiles"]:
            subs = {
                name: sorted(sorted(sub["fields"].items()) for sub in listed)
                for name, listed in one["subprofiles"].items()
            }
            found.append((sorted(one["fields"].items()), one["interests"], sorted(subs.items())))
        return sorted(found, key=repr)

    def changing(self) -> list[tuple[str, str]]:
        """Method and path of the calls that changed something, in order, without version and numbers' lengths."""
        return [(one.method, one.path) for one in self.calls if one.method != "GET"]

    def method(self, terms: Terms, rows: Sequence[Row], **words: Any) -> Profiles:
        """The per-profile method for a job over the columns of `rows`."""
        return Profiles(
            words.get("client", self.client),
            self.database,
            job_of(terms),
            _rules(rows, terms),
            Past({}, {}),
            words.get("limits", limits.Limits()),
            words.get("stop", threading.Event()),
            words.get("moved", lambda _: None),
        )

    def load(self, rows: Sequence[Row], terms: Terms | None = None, **words: Any) -> Loaded:
        """Send all rows as one chunk of a new run, or of `run`; `log` wraps its records."""
        terms = terms or Terms()
        method, ledger = self.method(terms, rows, **words), self.ledger()
        run, ordinal = words.get("run") or f"job-{next(_numbers)}", words.get("ordinal", 1)
        records = words.get("log", lambda log: log)(ledger.rows_of(run, ordinal))
        sent = together(rows, terms)
        try:
            method.prepare()
            tried = method.send(ordinal, sent, records, frozenset())
        except StoppedError as error:
            tried = Tried(0, 0, 0, sent.height, 0, error.stop.message, error.stop)
        lines = dict(sent.select("_seq", "_line").iter_rows())
        failed = [
            (lines[at], why.code, why.column, why.message)
            for at, state, why in ledger.not_confirmed(run)
            if state.failed
        ]
        counts: dict[RowState, int] = {}
        for entry in records.entries().values():
            counts[entry.state] = counts.get(entry.state, 0) + 1
        return Loaded(tried, method, failed, counts)

    def load_by_imports(self, rows: Sequence[Row], terms: Terms | None = None) -> None:
        """Send the same rows as imports; every one of them is confirmed."""
        terms = terms or Terms()
        lanes = Lanes(self.folder / f"lanes-{next(_numbers)}")
        settled = settle(staged(rows, terms), _rules(rows, terms)).rows
        if not settled.height:
            return
        lanes.add(settled)
        self.sandbox.settle()
        clock = Clock(self.client.server_now, lambda _: not self.sandbox.settle())
        job = job_of(terms)
        method, flight = (
            Imports(self.client, job, "x", self.database.id),
            Flight[Chunk](self.client, job.load.poll, clock),
        )
        shape = Shape(sets_of(columns_of(rows)), keys_of(rows, terms))
        for chunk in cut(lanes, shape, ChunkLimits(10_000, 1 << 20)):
            import_id = method.send(chunk, rebuild=False)
            assert isinstance(import_id, int)
            flight.add(chunk, import_id, chunk.rows.height, clock.now())
            assert flight.land()[1].state is ChunkState.CONFIRMED


def job_of(terms: Terms) -> Job:
    """The job, as far as loading needs it."""
    target = Target(
        api="v4",
        database="Customers",
        action=terms.action,
        key_fields=terms.key_fields,
        ignore_empty_fields=terms.ignore_empty,
        delete_target=terms.delete_target,
        on_several_matches=terms.several,
        followups=False,
        rebuild=False,
    )
    poll = Poll(first_s=0, most_s=60, give_up_s=60)
    return Job.model_construct(job="job", target=target, load=Load(mode="profiles", workers=terms.workers, poll=poll))


def columns_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """All columns of the rows, in the order in which they first stand."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def sets_of(columns: Sequence[str]) -> Sets:
    """The sets of a job with these columns."""
    dotted = [name for name in columns if "." in name and not name.startswith("interest.")]
    interests = tuple(name for name in columns if name.startswith("interest."))
    return Sets(tuple(columns), tuple(dict.fromkeys(name.partition(".")[0] for name in dotted)), interests)


def keys_of(rows: Sequence[Row], terms: Terms) -> Keys:
    """The key fields of the job, as far as the rows have their columns."""
    return Keys.of([name for name in terms.key_fields if name in columns_of(rows)])


def staged(rows: Sequence[Row], terms: Terms) -> pl.DataFrame:
    """Rows in the staged layout with `_seq`, as validation would lay them out; line numbers from 2."""
    columns, keys = columns_of(rows), keys_of(rows, terms)
    sets = sets_of(columns)
    frame = pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in columns}, schema=dict.fromkeys(columns, pl.String)
    )
    carried = []
    for row in rows:
        bits = sum(
            sets.bit(name)
            for name in sets.collections
            if any(text is not None for column, text in row.items() if column.startswith(f"{name}."))
        )
        carried.append(bits + sum(sets.bit(name) for name in sets.interests if row.get(name) is not None))
    count = len(rows)
    nothing = pl.zeros(count, dtype=pl.UInt64, eager=True)
    same = [frame[name] for name in terms.key_fields if name in columns]
    layout = {
        "_file": [0] * count,
        "_line": range(2, count + 2),
        "_record": range(1, count + 1),
        "_element": [None] * count,
        "_set": carried,
        "_key": hashed([fold(frame[name]) for name in keys.profile]) if keys.profile else nothing,
        "_full": hashed(same) if keys.profile else nothing,
        "_seq": range(count),
    }
    return pl.concat([frame, pl.DataFrame(layout, schema={**STAGED, "_seq": pl.UInt64})], how="horizontal")


def together(rows: Sequence[Row], terms: Terms) -> pl.DataFrame:
    """All rows as the per-profile method takes them: collapsed, each key's rows together, in file order."""
    settled = settle(staged(rows, terms), _rules(rows, terms)).rows.drop("_phase")
    return settled.sort(pl.col("_seq").min().over("_key") if keys_of(rows, terms).profile else "_seq", "_seq")


def _rules(rows: Sequence[Row], terms: Terms) -> Rules:
    return Rules(terms.action, keys_of(rows, terms), sets_of(columns_of(rows)), terms.ignore_empty)
