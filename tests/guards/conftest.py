"""A small database, a job whose words are said per run, and what is asked of every guard."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Journey, Ran, journey

__all__ = ["journey"]

STRUCTURE = {
    "databases": [
        {
            "name": "Shop",
            "fields": [
                {"name": "Nr", "type": "text", "length": 20, "index": True},
                {"name": "City", "type": "text", "length": 50},
            ],
            "collections": [{"name": "Order", "fields": [{"name": "No", "type": "text", "length": 20, "index": True}]}],
        }
    ]
}  # fmt: skip

SCHEMA = """
import pandera.polars as pa
from pipeline.fields import Text

class Shop(pa.DataFrameModel):
    Nr: str = Text(20)
    City: str = Text(50, nullable=True)

class Orders(Shop):
    no: str = Text(20, alias="Order.No")
"""

JOB = """
job: shop
source: {files: ["dump*.csv"], delimiter: ","}
schema: schema.py:Shop
target:
  api: v4
  database: Shop
  action: update or add
  key_fields: [Nr]
  ignore_empty_fields: true
  followups: false
  rebuild: false
load: {mode: imports, poll: {first_s: 0, most_s: 0.05}}
http: {retry_budget_s: 5, read_s: 5, import_read_s: 5}
"""

DELETE = ("target.action=delete", "target.delete_target=profile")
ORDERS = ("schema=schema.py:Orders", "target.key_fields=[Nr, Order.No]")


@dataclass
class Shop(Journey):
    """A journey whose job is `job.yaml` beside `dump.csv`."""

    def dump(self, *rows: str, header: str = "Nr,City", name: str = "dump.csv") -> Path:
        """Write a dump."""
        return self.write(name, "\n".join((header, *rows)) + "\n")

    def run(self, *settings: str, words: tuple[str, ...] = (), files: tuple[Path, ...] = ()) -> Ran:
        """Run the job with `--set` of settings."""
        said = [word for setting in settings for word in ("--set", setting)]
        return self.call("run", self.folder / "job.yaml", *files, *said, *words)

    def done(self, *settings: str, **more: Any) -> Ran:
        """Run the job and see that it is done."""
        ran = self.run(*settings, **more)
        assert ran.exit_code == 0, ran.stderr
        return ran

    def refused(self, guard: str, exit_code: int, *settings: str, **more: Any) -> dict[str, str]:
        """Run the job and see that one guard refuses before anything changing is sent; give its error."""
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

    def ledger(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the ledger, as anybody can."""
        connection = sqlite3.connect(self.folder / ".copernica-import" / "ledger.sqlite")
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def numbers(self) -> list[str]:
        """List the keys of all profiles."""
        return [one["fields"]["Nr"] for one in self.profiles("Shop")]


@pytest.fixture
def shop(journey: Callable[..., Journey]) -> Shop:
    """Make the shop, empty."""
    return open_shop(journey)


def open_shop(journey: Callable[..., Journey], structure: dict[str, Any] = STRUCTURE, **settings: Any) -> Shop:
    """Make a shop of another structure, or with switches."""
    here = journey(structure, **settings)
    opened = Shop(here.sandbox, here.folder)
    opened.write("schema.py", SCHEMA)
    opened.write("job.yaml", JOB)
    return opened
