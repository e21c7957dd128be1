"""Send a CSV dump with no checks at all: the speed that nothing on this machine can beat without leaving something out.

polars reads it as text in batches of 10,000 rows, writes each as JSON and posts it. `python limit.py FILE URL`.
"""

from __future__ import annotations

import io
import sys

import polars as pl
import requests

BATCH_ROWS = 10_000


def main(path: str, url: str) -> None:
    """Post the rows of `path` to `url`."""
    session = requests.Session()
    session.trust_env = False
    for batch in pl.scan_csv(path, infer_schema=False).collect_batches(chunk_size=BATCH_ROWS):
        body = io.BytesIO()
        batch.write_json(body)
        session.post(url, data=body.getvalue(), headers={"Content-Type": "application/json"}).raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
