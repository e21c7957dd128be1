"""Send a CSV dump as a small script would: csv, json, requests, and one check. `python plain.py FILE URL`."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import requests

BATCH_ROWS = 10_000
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def main(path: str, url: str) -> None:
    """Post the rows of `path` to `url`, but those without an e-mail address."""
    session = requests.Session()
    session.trust_env = False

    def send(rows: list[dict[str, str]]) -> None:
        body = json.dumps(rows).encode()
        session.post(url, data=body, headers={"Content-Type": "application/json"}).raise_for_status()

    rows: list[dict[str, str]] = []
    with Path(path).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if EMAIL.fullmatch(row["Email"]):
                rows.append(row)
            if len(rows) == BATCH_ROWS:
                send(rows)
                rows = []
    if rows:
        send(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
