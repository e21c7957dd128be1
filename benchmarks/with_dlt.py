"""Send a CSV dump through a custom destination of dlt. `python with_dlt.py arrow|dicts FILE URL FOLDER`.

`arrow` hands Arrow tables through and turns each batch into JSON in native code, `dicts` does everything with dicts, as
dlt's own examples do. FOLDER takes what dlt writes on its way. Nothing is checked, and dlt is set up for speed: types
said, no compression.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BATCH_ROWS = 10_000


def header(path: str) -> list[str]:
    """Read the names of the columns."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def arrow_tables(path: str) -> Iterator[Any]:
    """Read the dump as text in Arrow tables of about a megabyte."""
    import pyarrow  # type: ignore[import-not-found, unused-ignore]
    from pyarrow import csv as arrow_csv

    types = arrow_csv.ConvertOptions(column_types=dict.fromkeys(header(path), pyarrow.string()))
    for batch in arrow_csv.open_csv(path, convert_options=types):
        yield pyarrow.Table.from_batches([batch])


def dicts(path: str) -> Iterator[list[dict[str, str]]]:
    """Read the dump as dicts, some thousands at a time."""
    rows: list[dict[str, str]] = []
    with Path(path).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.append(row)
            if len(rows) == BATCH_ROWS:
                yield rows
                rows = []
    if rows:
        yield rows


def main(way: str, path: str, url: str, folder: str) -> None:
    """Run one pipeline of dlt from `path` to `url`."""
    os.environ |= {
        "DLT_DATA_DIR": folder,
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        # What it writes on its way is written plain: gzip would be a third of its time with dicts.
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
        # Keep the names of the columns, which are the database's.
        "SCHEMA__NAMING": "direct",
    }
    import dlt  # type: ignore[import-not-found, unused-ignore]
    import polars as pl
    import requests

    session = requests.Session()
    session.trust_env = False

    def post_arrow(table: Any, _schema: Any) -> None:
        body = io.BytesIO()
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        frame.write_json(body)
        session.post(url, data=body.getvalue(), headers={"Content-Type": "application/json"}).raise_for_status()

    def post_dicts(rows: Any, _schema: Any) -> None:
        session.post(url, json=rows).raise_for_status()

    arrow = way == "arrow"
    destination = dlt.destination(
        post_arrow if arrow else post_dicts,
        batch_size=BATCH_ROWS,
        loader_file_format="parquet" if arrow else "typed-jsonl",
        name="sink",
    )
    rows = arrow_tables(path) if arrow else dicts(path)
    # Said, not guessed: dlt would make dates of what looks like them.
    columns = {name: {"data_type": "text"} for name in header(path)}
    resource = dlt.resource(rows, name="customers", columns=columns, write_disposition="append")
    pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination=destination)
    pipeline.run(resource).raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:])
