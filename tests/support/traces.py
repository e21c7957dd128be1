"""Runs whose every trace is kept: what they said, and every file that they left."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest

from pipeline.__main__ import main
from tests.support.journey import Journey

TOKEN = "secret-abc"
# As it is, percent-encoded whole, and in base64 at each of the three places in which it can stand there.
FORMS = {
    TOKEN,
    "".join(f"%{ord(char):02X}" for char in TOKEN),
    quote(TOKEN, safe="").replace("-", "%2D"),
    *(base64.b64encode(b"\0" * shift + TOKEN.encode())[4:-4].decode() for shift in range(3)),
}
# The head of every JWT of the sandbox: {"alg":"HS256","typ":"JWT"}.
JWT = "eyJhbGciOiJIUzI1NiIs"

PRIVATE = "very-private-person@example.test"
LONG = "private remark of forty characters and more which nobody else is to read"
BAD = "private number that is not one and is forty characters long"

STRUCTURE: dict[str, Any] = {
    "databases": [
        {
            "name": "Shop",
            "fields": [
                {"name": "Nr", "type": "text", "length": 50, "index": True},
                {"name": "Email", "type": "email"},
                {"name": "Remark", "type": "text", "length": 200},
                {"name": "Points", "type": "integer"},
            ],
            "interests": [{"name": "news"}],
            "collections": [
                {"name": "Order", "fields": [{"name": "No", "type": "text", "length": 100, "index": True}]}
            ],
        }
    ]
}

SCHEMA = """
import pandera.polars as pa
from pipeline.fields import Email, Integer, Interest, Text

class Shop(pa.DataFrameModel):
    Nr: str = Text(50)
    Email: str = Email(nullable=True)
    Remark: str = Text(200, nullable=True)
    Points: int = Integer(nullable=True)
    news: bool = Interest(alias="interest.news", nullable=True)
    no: str = Text(100, alias="Order.No")
"""

JOB = """
job: shop
source: {{files: [shop.csv], delimiter: ","}}
schema: schema.py:Shop
target:
  api: {api}
  database: Shop
  action: {action}
  key_fields: [Nr, Order.No]
  ignore_empty_fields: true
  followups: false
  rebuild: false
load: {{mode: {mode}, workers: 2, chunk_rows: 2, wait_s: 0, poll: {{first_s: 0, most_s: 0.05, give_up_s: 0.5}}}}
guards: {{max_rejects: 3}}
http: {{retry_budget_s: 1, read_s: {read_s}, import_read_s: {read_s}}}
"""

HEADER = "Nr,Email,Remark,Points,interest.news,Order.No\n"
ROWS = HEADER + "".join(f"C{number % 4},c{number % 4}@x.test,,1,Yes,O{number}\n" for number in range(8))


@dataclass
class Traces:
    """A journey and everything that its commands said; `capture` gives what came out of the two descriptors."""

    here: Journey
    capture: pytest.CaptureFixture[str]
    said: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.here.folder / ".copernica-import"

    def call(self, *words: str | os.PathLike[str]) -> int:
        """Call the command line, and keep what it writes to both descriptors, from whatever library."""
        with patch.dict(os.environ, self.here.environment(COPERNICA_TOKEN=TOKEN)):
            code = main([*map(os.fspath, words)])
        shown = self.capture.readouterr()
        self.said += [shown.out, shown.err]
        return code

    def files(self) -> dict[Path, bytes]:
        """Return what stands in every file of the state folder and of the user's own state, and their names."""
        roots = (self.state, self.here.folder / "host", self.here.folder / "user-state")
        found = {path: path.read_bytes() for root in roots for path in root.rglob("*") if path.is_file()}
        assert self.state / "ledger.sqlite" in found or not self.state.exists()
        return found

    def everything(self) -> bytes:
        """Return all of it in one text."""
        names = [str(path) for path in self.files()]
        return "\n".join((*self.said, *names)).encode() + b"\n".join(self.files().values())


Makes = Callable[..., tuple[Traces, Path]]
