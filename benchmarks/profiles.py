"""Measure the per-profile method: `python -m benchmarks.profiles [--profiles N] [--workers N]`.

Loads profiles into a sandbox in a process of its own, twice: the first time all are new, the second time all are there.
Prints calls per second, and how much of the time no worker was waiting for the server.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import polars as pl

from pipeline.copernica import Call, Client, Outside
from pipeline.load.cut import rows_json
from pipeline.load.loop import entry_of
from pipeline.load.profiles.method import Profiles, ProfileSettings
from pipeline.model.chunk import Chunk, places_of
from pipeline.model.columns import Keys, Lane, Sets
from pipeline.model.rows import STAGED
from pipeline.state.ledger import Ledger
from pipeline.validate.keys import fold, hashed

ROOT = Path(__file__).parent.parent
COLUMNS = ("CustomerID", "Email", "Name", "City")


class Watch:
    """Add up the time in which requests were under way: per worker, and of at least one."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, float]] = []
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> None:
        end_s = time.monotonic()
        with self._lock:
            self.calls.append((end_s - call.seconds, end_s))

    def in_calls_s(self) -> float:
        return sum(end_s - start_s for start_s, end_s in self.calls)

    def any_call_s(self) -> float:
        total_s, reached_s = 0.0, float("-inf")
        for start_s, end_s in sorted(self.calls):
            total_s += max(0.0, end_s - max(start_s, reached_s))
            reached_s = max(reached_s, end_s)
        return total_s


class Ignored:
    """Take rows that failed, and keep nothing."""

    def write(self, *_: object) -> None:
        """Forget the row."""

    def withdraw(self, *_: object) -> None:
        """Nothing was kept."""

    def settle(self) -> None:
        """Nothing waits."""


def chunk(profiles: int, city: str, ordinal: int) -> Chunk:
    """One row per profile, in the staged layout."""
    numbers = pl.int_range(profiles, eager=True).cast(pl.String)
    frame = pl.DataFrame({"CustomerID": "C" + numbers, "Email": "c" + numbers + "@x.test", "Name": "Name " + numbers})
    keys = hashed([fold(frame["CustomerID"])])
    position = pl.int_range(profiles, dtype=pl.UInt64, eager=True)
    layout = {"_line": position + 2, "_record": position + 1, "_key": keys, "_full": keys, "_seq": position}
    rows = frame.with_columns(
        pl.lit(city).alias("City"),
        *(
            pl.lit(layout.get(name, 0 if name != "_element" else None)).cast(kind).alias(name)
            for name, kind in STAGED.items()
        ),
        position.alias("_seq"),
    )
    return Chunk(ordinal, Lane(0, 0), COLUMNS, ("CustomerID",), rows, places_of(rows), rows_json(rows, COLUMNS))


def measure(server: dict[str, str], folder: Path, profiles: int, workers: int) -> None:
    """Load twice and print what it took."""
    watch = Watch()
    client = Client(server["token"], "v4", server["api_url"], server["auth_url"], outside=Outside(on_call=watch))
    ledger = Ledger(folder)
    settings = ProfileSettings(
        "bench", "update or add", Keys.of(("CustomerID",)), Sets(COLUMNS, ()), True, workers=workers
    )
    way = Profiles(client, client.structure("Customers"), settings, Ignored(), threading.Event())
    for ordinal, (what, city) in enumerate([("new profiles", "Delft"), ("the same again", "Gouda")], start=1):
        rows = chunk(profiles, city, ordinal)
        watch.calls.clear()
        started_s, cpu_s = time.monotonic(), time.process_time()
        outcome = way.carry(rows, ledger.chunk("bench", entry_of(rows), way.name), last=False)
        seconds, cpu_s = time.monotonic() - started_s, time.process_time() - cpu_s
        assert outcome.confirmed == profiles, outcome.message
        outside = 1 - watch.in_calls_s() / (workers * seconds)
        idle = 1 - watch.any_call_s() / seconds
        print(
            f"{what}: {profiles:,} in {seconds:.1f} s, {len(watch.calls) / seconds:,.0f} calls/s"
            f" ({len(watch.calls):,} calls), {profiles / seconds:,.0f} profiles/s;"
            f" {outside:.1%} of the workers' time outside the server, {idle:.1%} of the time without any call;"
            f" {cpu_s / profiles * 1000:.2f} ms CPU per profile on our side"
        )
    ledger.close()
    client.close()


def main() -> None:
    """Start a sandbox, measure against it, stop it."""
    words = argparse.ArgumentParser(description="Measure the per-profile method.")
    words.add_argument("--profiles", type=int, default=10_000)
    words.add_argument("--workers", type=int, default=8)
    said = words.parse_args()
    command = [sys.executable, "-m", "pipeline", "sandbox", "--port", "0", "--json", "--structure"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*command, str(ROOT / "configs" / "sandbox.yaml")], stdout=subprocess.PIPE, cwd=ROOT
        ) as sandbox,
    ):
        try:
            assert sandbox.stdout is not None
            measure(json.loads(sandbox.stdout.readline()), Path(folder), said.profiles, said.workers)
        finally:
            sandbox.terminate()


if __name__ == "__main__":
    main()
