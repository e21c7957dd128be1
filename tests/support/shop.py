"""The sample shop: a database with an interest and a collection, its schemas, its job, and what tests ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.command import Ran, Word
from tests.support.job import job_text
from tests.support.journey import Journey, words_of

STRUCTURE: dict[str, Any] = {
    "databases": [
        {
            "name": "Shop",
            "fields": [
                {"name": "Nr", "type": "text", "length": 20, "index": True},
                {"name": "City", "type": "text", "length": 50},
                {"name": "Points", "type": "integer"},
            ],
            "interests": [{"name": "news"}],
            "collections": [
                {
                    "name": "Order",
                    "fields": [
                        {"name": "No", "type": "text", "length": 20, "index": True},
                        {"name": "Total", "type": "float"},
                    ],
                }
            ],
        }
    ]
}

# `Shop` is the profile alone, `Orders` has the order's number besides, `All` every column (those of orders may be absent).
SCHEMA = """\
import pandera.polars as pa
from pipeline.fields import Decimal, Integer, Interest, Text

class Shop(pa.DataFrameModel):
    Nr: str = Text(20)
    City: str = Text(50, nullable=True)

class Orders(Shop):
    no: str = Text(20, alias="Order.No")

class All(Shop):
    Points: int = Integer(nullable=True)
    news: bool = Interest(alias="interest.news", nullable=True)
    no: str = Text(20, alias="Order.No", required=False)
    total: float = Decimal(alias="Order.Total", nullable=True, required=False)
"""

JOB: dict[str, Any] = {
    "job": "shop",
    "source": {"files": ["dump*.csv"], "delimiter": ","},
    "schema": "schema.py:Shop",
    "target": {
        "api": "v4",
        "database": "Shop",
        "action": "update or add",
        "key_fields": ["Nr"],
        "ignore_empty_fields": True,
        "followups": False,
        "rebuild": False,
    },
    "load": {"mode": "imports", "poll": {"first_s": 0, "most_s": 0.05}},
    "http": {"retry_budget_s": 5, "read_s": 5, "import_read_s": 5},
}

# Settings that make the job one of orders, and one that deletes.
ORDERS = ("schema=schema.py:Orders", "target.key_fields=[Nr, Order.No]")
DELETE = ("target.action=delete", "target.delete_target=profile")


@dataclass
class Shop(Journey):
    """A journey whose job is `job.yaml` beside `dump.csv`."""

    @property
    def job(self) -> Path:
        """Return the job file."""
        return self.folder / "job.yaml"

    def configure(self, changes: Mapping[str, Any]) -> Path:
        """Write the job with changes by dotted key: `{"load.mode": "profiles", "guards.max_rejects": 0}`."""
        return self.write("job.yaml", job_text(JOB, changes))

    def dump(self, *rows: str, header: str = "Nr,City", name: str = "dump.csv") -> Path:
        """Write a dump."""
        return self.write(name, "\n".join((header, *rows)) + "\n")

    def run(self, *settings: str, words: tuple[Word, ...] = (), files: tuple[Path, ...] = ()) -> Ran:
        """Run the job with `--set` of settings."""
        return self.call("run", self.job, *files, *words_of(settings), *words)

    def done(self, *settings: str, **more: Any) -> Ran:
        """Run the job and see that it is done."""
        ran = self.run(*settings, **more)
        assert ran.exit_code == 0, ran.stderr
        return ran

    def refused(self, guard: str, exit_code: int, *settings: str, **more: Any) -> dict[str, str]:
        """Run the job and see that one guard refuses before anything changing is sent; returns its error."""
        before = len(self.posted())
        ran = self.run(*settings, **more)
        assert (ran.exit_code, ran.document["status"]) == (exit_code, "refused"), ran.stderr
        assert len(self.posted()) == before
        (error,) = ran.document["errors"]
        assert f"--force {guard}" in error["do"]
        assert "Nothing was sent." not in error["do"]
        return error

    def forced(self, guard: str, *settings: str, **more: Any) -> Ran:
        """Run the job with the guard forced and see that it is done, with the force on record."""
        ran = self.done(*settings, words=("--force", guard, *more.pop("words", ())), **more)
        assert ran.document["forced"] == [guard]
        assert self.ledger("SELECT forced FROM run WHERE id = ?", ran.document["run"]) == [(f'["{guard}"]',)]
        return ran

    def resume(self, *words: Word) -> Ran:
        """Call `resume`."""
        return self.ask("resume", *words)

    def numbers(self) -> list[str]:
        """List the keys of all profiles."""
        return [one["fields"]["Nr"] for one in self.profiles("Shop")]

    def contents(self) -> list[dict[str, Any]]:
        """Return the database without ids: fields, interests and orders of every profile, ordered."""
        return sorted(
            (
                {
                    "fields": one["fields"],
                    "interests": one["interests"],
                    "orders": sorted((sub["fields"] for sub in one["subprofiles"].get("Order", [])), key=str),
                }
                for one in self.profiles("Shop")
            ),
            key=str,
        )


def open_shop(
    journey: Callable[..., Journey],
    structure: Mapping[str, Any] = STRUCTURE,
    changes: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Shop:
    """Open a shop of another structure, with changes to its job by dotted key, or with settings of its sandbox."""
    here = journey(structure, **settings)
    shop = Shop(here.sandbox, here.folder)
    shop.write("schema.py", SCHEMA)
    shop.configure(changes or {})
    return shop
