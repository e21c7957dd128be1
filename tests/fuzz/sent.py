"""Send rows of hostile values to a sandbox: what is accepted arrives unchanged, and nothing hazardous is done."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from random import Random
from unittest.mock import patch

from pipeline.sandbox import Sandbox
from tests.fuzz.case import JOB, call, rows_of

Row = dict[str, str | None]

STRUCTURE = {
    "databases": [
        {
            "name": "Hostile",
            "fields": [
                {"name": "CustomerID", "type": "text", "length": 20, "index": True},
                {"name": "Name", "type": "text", "length": 60},
                {"name": "Remarks", "type": "big"},
            ],
            "collections": [
                {
                    "name": "Order",
                    "fields": [
                        {"name": "OrderID", "type": "text", "length": 20, "index": True},
                        {"name": "Note", "type": "text", "length": 60},
                    ],
                }
            ],
        }
    ]
}
SCHEMA = """\
import pandera.polars as pa
from pipeline.fields import Text

class Rows(pa.DataFrameModel):
    CustomerID: str = Text(20)
    Name: str = Text(60, nullable=True)
    Remarks: str = Text(nullable=True)
    order: str = Text(20, alias="Order.OrderID")
    note: str = Text(60, alias="Order.Note", nullable=True)

class Profiles(pa.DataFrameModel):
    CustomerID: str = Text(20)
    Name: str = Text(60, nullable=True)
    Remarks: str = Text(nullable=True)
"""
JOB_TEXT = """\
job: hostile
source: {{files: ["{file}"], delimiter: ","}}
ignore: [{ignored}]
schema: schema.py:{schema}
target: {{api: {api}, database: Hostile, action: {action}, key_fields: [{keys}],
  ignore_empty_fields: {ignore}, followups: false, rebuild: false}}
load: {{mode: {mode}, chunk_rows: {chunk}, wait_s: 0}}
guards: {{max_rejects: 100%, min_records: 0, max_calls: 100000}}
"""
COLUMNS = ("CustomerID", "Name", "Remarks", "Order.OrderID", "Order.Note")

VALUES = (
    "a==b", "+&%=", "a+b", "a b", "%41", "%", "a&fields[]=b", "fields[]==x", "=", "==", "!=x", ">1", "<1", "=~x", "*", "?",
    "a*", "_", "%%",
    "😀", "👩‍👩‍👧", "é", "e\u0301", "ß", "ẞ", "ǆ", "ﬁ", "İ", "１", "\u202e abc", "\ufeffx", "x\u200b", "\u00a0x", "x\u3000",
    "\u2028", "a\u0085b",
    '"', '""', "'", "\\", "\\n", "\\u0041", "\\'; drop table x", "<b>", "</script>", "&amp;", "{$x}", "{$profile.Name}",
    "${x}", "#", "//",
    "\x01", "a\x07b", "a\x1bb", "\x7f", "a\tb", "a\nb", "a\r\nb", "a\rb", " a", "a ", "\ta", " ", "\n", "null", "NULL",
    "None", "true", "0",
    "00", "-0", "1e5", "0x10", "1.0", "NaN", "2024-01-31", "0000-00-00", "[1]", "{}", '{"a":1}', "[]", "a,b", "a;b", "=1+1",
    "@x", "-1",
    "x" * 20, "x" * 21, "é" * 20, "😀" * 20, "😀" * 21, "x" * 60, "é" * 61, "y" * 300, "😀" * 300, "a\u0301" * 30, "\U0010ffff",
    "\ufffd",
    "\ue000", "\ufffe", "ID", "id", "modified", "code", "../x", "a/b", "http://x", "a\\/b", "١٢", "Ⅷ", "\u1e9b\u0323",
)  # fmt: skip


def value(random: Random) -> str:
    """Return a hostile value, or two put together."""
    if random.random() < 0.1:
        return "".join(
            chr(random.choice((random.randrange(1, 0x250), random.randrange(0xE000, 0x11000)))) for _ in range(5)
        )
    first = random.choice(VALUES)
    return first if random.random() < 0.7 else first[:30] + random.choice(VALUES)


def rows(random: Random) -> list[Row]:
    """Return rows whose profile keys differ, whatever is thought to be equal: each has a number of its own."""
    made: list[Row] = []
    for at in range(random.choice((1, 6, 25))):
        number = f"{at:03}"
        key = random.choice((value(random) + number, number + value(random), number))
        carries = random.random() < 0.5
        order = {"Order.OrderID": value(random) + number, "Order.Note": value(random)} if carries else {}
        own = {"CustomerID": key, "Name": value(random), "Remarks": value(random)}
        made.append(dict.fromkeys(COLUMNS) | own | order)
    return made


def _dump(table: list[Row], format_: str) -> bytes:
    if format_ == "csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
        return text.getvalue().encode()
    lines = [json.dumps(row, ensure_ascii=len(row) % 2 == 0) for row in table]
    return ("\n".join(lines) if format_ == "ndjson" else "[" + ",\n".join(lines) + "]").encode()


def send(seed: int, sandbox: Sandbox, folder: Path) -> list[str]:
    """Send the rows of a seed, twice where that must change nothing, and name the laws that were broken."""
    random = Random(seed)
    sandbox.reset()
    table = rows(random)
    format_ = random.choice(("csv", "ndjson", "json"))
    mode = random.choice(("imports", "profiles"))
    action = random.choice(("update or add", "update or add", "add")) if mode == "imports" else "update or add"
    if action == "add":
        table = [row | {"Order.OrderID": None, "Order.Note": None} for row in table]
    words = {
        "file": f"dump.{format_}",
        "api": random.choice(("v3", "v4") if mode == "imports" else ("v1", "v2", "v3", "v4")),
        "action": action,
        "ignore": random.choice(("true", "false")),
        "mode": mode,
        "schema": "Profiles" if action == "add" else "Rows",
        "ignored": "Order.OrderID, Order.Note" if action == "add" else "",
        "keys": "CustomerID" if action == "add" else "CustomerID, Order.OrderID",
        "chunk": random.choice((1, 7, 10_000)),
    }
    for name, data in ((JOB, JOB_TEXT.format(**words)), ("schema.py", SCHEMA)):
        (folder / name).write_text(data)
    (folder / f"dump.{format_}").write_bytes(_dump(table, format_))
    environment = {
        "COPERNICA_API_URL": sandbox.api_url,
        "COPERNICA_AUTH_URL": sandbox.auth_url,
        "COPERNICA_TOKEN": sandbox.token,
        "XDG_STATE_HOME": str(folder / "user-state"),
    }
    found: list[str] = []
    with patch.dict(os.environ, environment):
        for _ in range(1 if action == "add" else 2):
            ended, broken = call("run", str(folder / JOB), documented={0})
            found += broken
            if ended.exit_code == 0:
                rejected = {row["_record"] for row in rows_of(Path(ended.document["rejects"] or folder / "none.csv"))}
                found += _arrived(
                    [row for at, row in enumerate(table, 1) if at not in {int(one) for one in rejected}], sandbox
                )
            else:
                found.append(ended.stderr[-600:])
    found += [
        f"hazard {one['code']} by {one['method']} {one['path'][:80]}: {one['detail']}" for one in sandbox.hazards()
    ]
    return [f"{words['mode']} {words['api']} {format_} {action}: {one}" for one in dict.fromkeys(found)]


def _arrived(sent: list[Row], sandbox: Sandbox) -> list[str]:
    """Compare the database with the rows that were accepted."""
    profiles = sandbox.contents("Hostile")["profiles"]
    found = [] if len(profiles) == len(sent) else [f"{len(profiles)} profiles, {len(sent)} rows were accepted"]
    held = {one["fields"]["CustomerID"]: one for one in profiles}
    for row in sent:
        one = held.get(row["CustomerID"])
        if one is None:
            found.append(f"no profile {row['CustomerID']!r}")
            continue
        orders = [sub["fields"] for sub in one["subprofiles"].get("Order", [])]
        wanted = [{"OrderID": row["Order.OrderID"], "Note": row["Order.Note"] or ""}] if row["Order.OrderID"] else []
        if orders != wanted:
            found.append(f"orders {orders} of {row['CustomerID']!r} should be {wanted}")
        for name in ("Name", "Remarks"):
            if one["fields"][name] != (row[name] or ""):
                found.append(f"{name} is {one['fields'][name]!r}, {row[name]!r} was sent")
    return found
