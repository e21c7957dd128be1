"""What do several imports at a time bring where each of them takes 20 s?

The target is the sandbox with an import that starts 20 s after its POST, by a virtual clock that runs faster than the real
one; measured is the virtual time from the first POST to the last request.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from benchmarks.figure import Figure, at_most
from benchmarks.shop import opened
from pipeline.sandbox import Sandbox

if TYPE_CHECKING:
    from benchmarks.bench import Setting

IMPORTS, CHUNK_ROWS, IMPORT_S = 12, 50, 20.0
# How many times as fast as the real clock the virtual one runs, and between two of its steps.
TIMES, STEP_S = 20.0, 0.02
MOST_SHARE = 0.3
POLL_S = 0.05

FIELDS = [{"name": "Nr", "length": 20, "index": True}, {"name": "City"}]
SCHEMA = """\
import pandera.polars as pa
from pipeline.fields import Text

class Customers(pa.DataFrameModel):
    Nr: str = Text(20)
    City: str = Text(50)
"""
JOB = f"""\
job: in-flight
source: {{files: [dump.csv], delimiter: ","}}
schema: schema.py:Customers
target:
  {{api: v4, database: Shop, action: update or add, key_fields: [Nr], ignore_empty_fields: true, followups: false,
    rebuild: false}}
load:
  mode: imports
  chunk_rows: {CHUNK_ROWS}
  verify_sample: 0
  poll: {{first_s: {POLL_S}, factor: 1, most_s: {POLL_S}}}    # the program waits by the real clock
"""


def study(setting: Setting) -> list[Figure]:
    """Load the same dump with one and with four imports at a time."""
    one_s, four_s = (seconds(setting.python, in_flight) for in_flight in (1, 4))
    return [
        Figure(f"{IMPORTS} imports of {IMPORT_S:g} s, one at a time", round(one_s), "s", "", None),
        Figure("four at a time", round(four_s), "s", "", None),
        at_most("four at a time / one, time", four_s / one_s, MOST_SHARE),
    ]


def seconds(python: str, in_flight: int) -> float:
    """Return the virtual seconds that the imports of a dump take."""
    delay = {"kind": "delay", "seconds": IMPORT_S}
    with opened(python, FIELDS, SCHEMA, JOB, faults=[delay]) as shop:
        shop.dump("Nr,City", (f"{number},Delft" for number in range(IMPORTS * CHUNK_ROWS)))
        with flowing(shop.sandbox):
            shop.call("run", "job.yaml", "--set", f"load.in_flight={in_flight}")
        journal = shop.sandbox.journal()
    at = [datetime.fromisoformat(entry["at"]) for entry in journal]
    first = next(at[position] for position, entry in enumerate(journal) if entry["path"].endswith("/imports"))
    return (at[-1] - first).total_seconds()


@contextmanager
def flowing(sandbox: Sandbox) -> Iterator[None]:
    """Let the virtual clock run while the block does."""
    stop = threading.Event()

    def flow() -> None:
        while not stop.wait(STEP_S):
            sandbox.advance(STEP_S * (TIMES - 1))

    thread = threading.Thread(target=flow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
