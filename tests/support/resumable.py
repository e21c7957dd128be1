"""A small shop whose rows make several chunks, phases and a chain, to be interrupted in every way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.command import Ran, call
from tests.support.journey import Journey

ORDER_FIELDS = [{"name": "No", "type": "text", "length": 20, "index": True}, {"name": "Total", "type": "float"}]
STRUCTURE = {
    "databases": [
        {
            "name": "Shop",
            "fields": [
                {"name": "Nr", "type": "text", "length": 20, "index": True},
                {"name": "City", "type": "text", "length": 50},
                {"name": "Points", "type": "integer"},
            ],
            "interests": [{"name": "news"}],
            "collections": [{"name": "Order", "fields": ORDER_FIELDS}],
        }
    ]
}

SCHEMA = """
import pandera.polars as pa
from pipeline.fields import Decimal, Integer, Interest, Text

class Shop(pa.DataFrameModel):
    Nr: str = Text(20)
    City: str = Text(50, nullable=True)
    Points: int = Integer(nullable=True)
    news: bool = Interest(alias="interest.news", nullable=True)
    no: str = Text(20, alias="Order.No", required=False)
    total: float = Decimal(alias="Order.Total", nullable=True, required=False)
"""

JOB = """
job: shop
source: {{files: [shop.csv], delimiter: ","}}
schema: schema.py:Shop
target:
  api: {api}
  database: Shop
  action: {action}
  key_fields: [Nr{order_key}]
  ignore_empty_fields: true
  followups: false
  rebuild: {rebuild}
load: {{mode: {mode}, chunk_rows: 4, wait_s: {wait}, poll: {{first_s: 0, most_s: 0.1, give_up_s: {give_up}}}}}
guards: {{max_rejects: 0}}
http: {{retry_budget_s: 5, read_s: 5, import_read_s: 5, connect_s: 5}}
"""

# A profile in two phases, a chain of one profile, plain customers.
DUMP = """Nr,City,Points,interest.news,Order.No,Order.Total
A,Delft,1,Yes,,
B,Gouda,2,No,O1,1.50
A,Leiden,3,Yes,O1,2.00
C,Ede,4,,,
D,Ede,5,Yes,O1,1
D,Ede,6,Yes,O2,2
D,Ede,7,Yes,O3,3
D,Ede,8,Yes,O4,4
D,Ede,9,Yes,O5,5
D,Ede,10,Yes,O6,6
A,Breda,11,Yes,,
E,Urk,12,No,O1,7
F,Urk,13,No,O1,8
G,Urk,14,No,,
"""

Shop = Callable[..., tuple[Journey, Path]]


def shop_of(journey: Callable[..., Journey]) -> Shop:
    """Return the maker of the shop with its job; the words of the job file can be set."""

    def make(dump: str = DUMP, **words: Any) -> tuple[Journey, Path]:
        switches = words.pop("switches", None)
        here = journey(STRUCTURE, switches=switches)
        said = {
            "api": "v4",
            "action": "update or add",
            "mode": "imports",
            "rebuild": "true",
            "order_key": ", Order.No",
            "give_up": 60,
            "wait": 0,
        }
        here.write("schema.py", SCHEMA)
        here.write("shop.csv", dump)
        return here, here.write("job.yaml", JOB.format(**said | words))

    return make


def resume(here: Journey, *words: str) -> Ran:
    """Call `resume` on the state folder beside the job."""
    return call("resume", *words, "--state-dir", str(here.folder / ".copernica-import"), environment=here.environment())


def run_and_settle(here: Journey, job: Path) -> Ran:
    """Run a job, and where it ends unsettled let its imports end and resume it."""
    ran = here.call("run", job)
    if ran.exit_code == 6:
        here.sandbox.settle(10)
        here.sandbox.advance(3700)
        ran = resume(here)
    return ran


def state_of(here: Journey) -> list[dict[str, Any]]:
    """Return the database without ids: fields, interests and subprofiles of every profile, ordered."""
    return sorted(
        (
            {
                "fields": one["fields"],
                "interests": one["interests"],
                "orders": sorted((sub["fields"] for sub in one["subprofiles"].get("Order", [])), key=str),
            }
            for one in here.profiles("Shop")
        ),
        key=str,
    )
