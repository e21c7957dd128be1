"""A small shop for journeys: five customers that go in three imports, of lines 2-3, 4-5 and 6."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.command import Ran
from tests.support.journey import Journey

STRUCTURE = {
    "databases": [
        {
            "name": "Shop",
            "fields": [
                {"name": "CustomerID", "type": "text", "length": 20, "index": True},
                {"name": "City", "type": "text", "length": 50},
            ],
        }
    ]
}
SCHEMA = """\
import pandera.polars as pa
from pipeline.fields import Text

class Shop(pa.DataFrameModel):
    CustomerID: str = Text(20)
    City: str = Text(50, nullable=True)
"""
JOB = """\
job: shop
source:
  files: [dump.csv]
  delimiter: ","
schema: schema.py:Shop
target:
  api: v4
  database: Shop
  action: update or add
  key_fields: [CustomerID]
  ignore_empty_fields: true
  followups: false
  rebuild: true
load:
  mode: imports
  chunk_rows: 2
  poll: {first_s: 0, most_s: 0.05}
"""
DUMP = "CustomerID,City\n" + "".join(f"{number},Ede\n" for number in range(1, 6))


def opened(journey: Callable[..., Journey]) -> Journey:
    """Open the shop: its sandbox, schema, job and dump."""
    here = journey(STRUCTURE)
    here.write("schema.py", SCHEMA)
    here.write("job.yaml", JOB)
    here.write("dump.csv", DUMP)
    return here


def run(here: Journey, *words: str) -> Ran:
    """Run its job."""
    return here.call("run", here.folder / "job.yaml", *words)


def customers(here: Journey) -> list[str]:
    """List the customers that arrived."""
    return [profile["fields"]["CustomerID"] for profile in here.profiles("Shop")]


def chunk_of(ran: Ran, number: int) -> str:
    """Return what stderr says of a chunk."""
    return next(block for block in ran.stderr.split("error: ") if f"at: chunk {number}," in block)
