"""Make a case out of a seed: always the same one from the same seed (as long as this file stays as it is)."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from random import Random

from tests.fuzz import json_of
from tests.fuzz.bytes_of import damaged, encoded, packed, soup
from tests.fuzz.case import JOB, Case
from tests.support.places import ROOT, SHARED

SCHEMA = b"""\
import datetime
import pandera.polars as pa
from pipeline.fields import Choice, Date, DateTime, Decimal, Email, Integer, Interest, Phone, Text

class Plain(pa.DataFrameModel):
    a: str = Text(20)
    b: str = Text(nullable=True)
    c: str = Text(50, nullable=True)

class Typed(pa.DataFrameModel):
    a: int = Integer()
    b: float = Decimal(nullable=True, exponents=True)
    c: datetime.date = Date(nullable=True)

class Chosen(pa.DataFrameModel):
    a: str = Text(20)
    b: str = Email(nullable=True)
    c: str = Choice("x", "1", nullable=True)

class Other(pa.DataFrameModel):
    a: str = Text(20)
    b: datetime.datetime = DateTime(nullable=True)
    c: bool = Interest(alias="interest.c", nullable=True)

class Listed(pa.DataFrameModel):
    a: str = Text(20)
    b: str = Text(nullable=True)
    c: str = Text(nullable=True)
    x: str = Text(20, alias="L.x")
    y: float = Decimal(alias="L.y", nullable=True)
"""
# Schema, column words, keys.
SHAPES = (
    ("Plain", "", "[a]"),
    ("Typed", "", "[a]"),
    ("Chosen", "", "[a]"),
    ("Other", "columns: {c: interest.c}", "[a]"),
    ("Listed", "", "[a, L.x]"),
)
TEMPLATE = """\
job: fuzz
source:
  files: [{file}]
  format: {format}
{source}
{columns}
schema: schema.py:{schema}
target: {{api: v4, database: D, action: {action}, key_fields: {keys}, ignore_empty_fields: {ignore}, followups: false,
  rebuild: false}}
load: {{mode: auto}}
guards: {{max_rejects: 100%, min_records: 0}}
"""
QUOTED = {",": '","', ";": '";"', "\t": "tab", "|": '"|"', ":": '":"'}


def _source(random: Random, format_: str, encoding: str) -> tuple[str, str, str]:
    """Return the words of `source`, and the delimiter and quote among them."""
    delimiter, quote = random.choice(",,,;\t|:"), random.choice('"""\'')
    words = {"encoding": encoding} if encoding != "utf-8" or random.random() < 0.5 else {}
    if format_ == "csv":
        words |= {"delimiter": QUOTED[delimiter], "quote": json.dumps(quote)}
    more = {
        "max_record_bytes": random.choice(("1", "9", "60", "4 KiB", "64 MiB")),
        "skip_lines": random.choice(("0", "1", "2", "100000")),
        "header": random.choice(("[a, b, c]", "[a]", "first")),
        "null_values": random.choice(('["NULL"]', '["", "x"]', '["1"]')),
        "decimal": random.choice(('","', '"."')),
        "thousands": random.choice(('"."', '" "', '"\'"')),
        "trim": random.choice(("true", "false")),
        "missing_keys": random.choice(("empty", "null")),
        "dates": random.choice(('["%d-%m-%Y"]', '["%Y%m%d", "%d/%m/%y"]')),
        "timezone": random.choice(("UTC", "America/New_York", "Asia/Kathmandu")),
        "fractions": "cut",
    }
    for name, value in more.items():
        if random.random() < 0.12:
            words[name] = value
    return "\n".join(f"  {name}: {value}" for name, value in words.items()), delimiter, quote


def _job(random: Random, format_: str, file: str, encoding: str = "utf-8") -> tuple[bytes, str, str]:
    source, delimiter, quote = _source(random, format_, encoding)
    # Objects with a list fit the schema that has one; without it most dumps would be refused for that alone.
    schema, columns, keys = random.choice(SHAPES if format_ == "csv" or random.random() < 0.2 else SHAPES[-1:])
    if format_ == "csv" and random.random() < 0.5:
        schema, columns, keys = SHAPES[0]
    text = TEMPLATE.format(
        file=json.dumps(file),
        format=format_,
        source=source,
        columns=columns,
        schema=schema,
        action=random.choice(("update or add", "update or add", "ignore or add", "update", "add")),
        keys=keys,
        ignore=random.choice(("true", "false")),
    )
    return text.encode(), delimiter, quote


def _table(random: Random, delimiter: str, quote: str, *, listed: bool) -> bytes:
    """Write a CSV table of the columns a, b and c, mostly well; `listed` adds those of a collection."""
    cells = (
        "1",
        "2",
        "007",
        "",
        "Ede",
        "é😀",
        " x ",
        "12.50",
        "1e5",
        "2024-01-31",
        "10-02-03",
        "2024-01-31 10:00:00",
        "yes",
        "NULL",
    )
    end = random.choice(("\n", "\r\n", "\n", "\r"))
    columns = ["a", "b", "c", "L.x", "L.y"] if listed != (random.random() < 0.03) else ["a", "b", "c"]
    if random.random() < 0.2:
        random.shuffle(columns)
    lines = [delimiter.join(columns)]
    for at in range(random.choice((0, 1, 5, 30))):
        row = [str(at), *random.choices(cells, k=len(columns) - 1)]
        if random.random() < 0.3:
            row[-1] = f"{quote}a{delimiter}{quote}{quote}{end}{at}{quote}"
        lines.append(delimiter.join(row))
    return (end.join(lines) + random.choice((end, ""))).encode()


def _words(random: Random) -> tuple[str, ...]:
    return (f"--set=target.ignore_empty_fields={random.choice(('true', 'false'))}",) if random.random() < 0.2 else ()


def _case(random: Random, format_: str, data: bytes, encoding: str = "utf-8", name: str = "") -> Case:
    name = name or f"dump.{format_}"
    job, _, _ = _job(random, format_, name, encoding)
    out = ".csv" if format_ == "csv" and random.random() < 0.8 else ".ndjson"
    counted = name if encoding == "utf-8" and name.endswith(("csv", "ndjson")) else None
    files = {JOB: job, "schema.py": SCHEMA, name: data}
    accepted = random.choice(("accepted.csv", "accepted.ndjson"))
    return Case(files, _words(random), accepted, f"rejects{out}", counted)


def any_bytes(random: Random) -> Case:
    """Take any bytes for a dump of any format."""
    return _case(random, random.choice(("csv", "json", "ndjson")), soup(random))


def tables(random: Random) -> Case:
    """Damage a small table in the dialect that the job names, in some encoding."""
    job, delimiter, quote = _job(random, "csv", "dump.csv")
    data = damaged(random, _table(random, delimiter, quote, listed=b"Listed" in job), 4)
    counted: str | None = "dump.csv"
    if random.random() < 0.3:
        data, encoding = encoded(random, data)
        job, counted = job.replace(b"  format: csv", b"  format: csv\n  encoding: " + encoding.encode(), 1), None
        job = job if job.count(b"encoding:") == 1 else job.replace(b"\n  encoding: utf-8", b"", 1)
    files = {JOB: job, "schema.py": SCHEMA, "dump.csv": data}
    return Case(files, _words(random), "accepted.csv", "rejects.csv", counted)


def objects(random: Random) -> Case:
    """Write odd JSON, damaged now and then, in some encoding."""
    format_ = random.choice(("json", "ndjson"))
    data = json_of.dump(random, lines=format_ == "ndjson")
    if random.random() < 0.3:
        data = damaged(random, data, 3)
    encoding = "utf-8"
    if random.random() < 0.2:
        data, encoding = encoded(random, data)
    return _case(random, format_, data, encoding)


def archives(random: Random) -> Case:
    """Compress a table or objects, and damage the archive."""
    format_ = random.choice(("csv", "json", "ndjson"))
    data = (
        _table(random, ",", '"', listed=False) if format_ == "csv" else json_of.dump(random, lines=format_ == "ndjson")
    )
    data, suffix = packed(random, data * random.choice((1, 1, 50)))
    return _case(random, format_, data, name=f"dump.{format_}{suffix}")


@cache
def _dumps() -> tuple[tuple[str, bytes], ...]:
    """Return the name and the beginning of all dumps there are."""
    folders = (ROOT / "sample_data", *(SHARED / name for name in ("corner", "northwind", "retail")))
    paths = [
        path for folder in folders for path in sorted(folder.glob("*")) if path.suffix in (".csv", ".json", ".ndjson")
    ]
    found = []
    for path in paths:
        data = path.read_bytes()
        found.append((path.name, data if len(data) < 20_000 else data[: data.index(b"\n", 12_000) + 1]))
    return tuple(found)


def _columns_of(name: str, data: bytes) -> list[str]:
    if name.endswith(".csv"):
        return data.split(b"\n", 1)[0].decode().strip().replace(";", ",").split(",")
    text = data.decode()
    return [key for key in dict.fromkeys(text.split('"')) if key.isidentifier() and f'"{key}":' in text][:30]


def real(random: Random) -> Case:
    """Damage a real dump; the schema takes its columns as text."""
    name, data = random.choice(_dumps())
    columns = _columns_of(name, data)
    format_ = name.rpartition(".")[2]
    delimiter = ";" if b";" in data.split(b"\n", 1)[0] else ","
    columns_of_schema = ", ".join(f"{column!r}: pa.Column(str, nullable=True)" for column in columns)
    schema = f"import pandera.polars as pa\nRows = pa.DataFrameSchema({{{columns_of_schema}}})\n"
    source = f'  delimiter: "{delimiter}"\n  null_values: ["NULL"]' if format_ == "csv" else "  missing_keys: empty"
    job = TEMPLATE.format(
        file=name, format=format_, source=source, columns="", schema="Rows", action="update or add",
        keys=f"[{columns[0]}]", ignore=random.choice(("true", "false")),
    )  # fmt: skip
    files = {JOB: job.encode(), "schema.py": schema.encode(), name: damaged(random, data, 10)}
    counted = None if format_ == "json" else name
    return Case(files, (), "accepted.csv", "rejects.csv" if format_ == "csv" else "rejects.ndjson", counted)


def samples(random: Random) -> Case:
    """Damage the dump, the job or the schema of a sample job, as it ships."""
    name, dump = random.choice(
        (
            ("customers", "customers-2026-11-19.csv"),
            ("customers", "mended-2026-11-17.csv"),
            ("customers-json", "customers.json"),
            ("visits", "visits.ndjson"),
            ("withdrawn-visits", "withdrawn-visits.csv"),
        )
    )
    job = (ROOT / "configs" / f"{name}.yaml").read_bytes().replace(b"../schemas/", b"").replace(b"../sample_data/", b"")
    data = (ROOT / "sample_data" / dump).read_bytes()
    files = {JOB: job, dump: data} | {
        path.name: path.read_bytes() for path in (ROOT / "schemas" / "customers.py", ROOT / "schemas" / "visits.py")
    }
    target = random.choice((dump, dump, JOB, JOB, JOB, "customers.py" if "customers" in name else "visits.py"))
    files[target] = damaged(random, files[target], 4)
    out = "rejects.csv" if dump.endswith(".csv") else "rejects.ndjson"
    # The job may have been damaged into one that reads something else.
    return Case(files, (), "accepted.ndjson", out, dump if target == dump and not dump.endswith(".json") else None)


KEYS = (
    "source", "source.files", "source.format", "source.delimiter", "source.quote", "source.header", "source.encoding",
    "source.null_values", "source.decimal", "source.thousands", "source.dates", "source.timezone", "source.true_values",
    "source.fractions", "source.trim", "source.missing_keys", "source.skip_lines", "source.max_record_bytes", "columns",
    "columns.a",
    'columns."L.x"', "columns.a.to", "ignore", "constants", "constants.Z", "schema", "target", "target.api", "target.action",
    "target.key_fields", "target.database", "target.delete_target", "load", "load.mode", "load.chunk_rows",
    "load.max_row_bytes",
    "load.poll.first_s", "http.read_s", "guards.max_rejects", "guards.min_records", "guards.max_deletes",
    "state.keep_staged", "job",
    "path", "nonsense", "", "a..b", ".", '"', "source.files.0", "model_config",
)  # fmt: skip
VALUES = (
    "", "~", "null", "true", "0", "-1", "1", "1.5", "1e999", "9" * 400, "0x10", ".inf", ".nan", "'", '"', "[]", "{}", "[a]",
    "[[a]]",
    "{a: b}", "{a: {to: b}}", "[1, 2]", "[null]", '[""]', "&a [*a]", "*x", "!!python/object:os.system x", "!x y", "? ", "%",
    "%Y", "a b",
    '"\\0"', '"\\ud800"', "\udcff", "\0", "\n", "a\nb: c", "- a\n- b", "--- a\n--- b", "😀", "dump.csv",
    "[dump.csv, dump.csv]", "[.]",
    "['[']", "['**']", "[dump.*]", "schema.py:Plain", "schema.py:nothing", "job.yaml:a", "/dev/null:A", ".:A",
    "schema.py:pa", "tab", ",",
    "a", "utf-8", "utf-16", "utf_8_sig", "rot13", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7", "hex",
    "undefined",
    "zlib", "cp037", "hz", "iso2022_kr", '["%"]', '["%Q"]', '["%Y-%m"]', '["%s"]', '["%+"]', '["%Y%Y"]', '["%H"]',
    '["%d-%m-%Y"]', '["%n"]',
    "../../etc/passwd", "Europe/Amsterdam", "EST5EDT", "GMT+1", "100%", "101%", "1e3%", "1 GiB", "9999999999999 GiB", "1 b",
    "0d",
    "first", "[a, b, c]", "[a, a]", "[a, L.x]", "[L.x]", "interest.x", "a.b.c", "delete", "add", "profile", "subprofile",
    "empty", "cut",
    '["1", "2"]', '["yes"]', "{Z: 1}", "{Z: x}", "{a: x}",
)  # fmt: skip


LIKELY = (
    "source.encoding=utf-16", "source.encoding=latin-1", "source.encoding=utf-7", "source.encoding=unicode_escape",
    "source.encoding=shift_jis", "source.null_values=[1, x]", 'source.null_values=["1", ""]', "source.trim=true",
    "source.quote=\"'\"",
    "source.delimiter=tab", "source.max_record_bytes=7", "source.skip_lines=1", "source.header=[a, b, c]",
    'source.thousands="."',
    'source.decimal=","', 'source.dates=["%d-%m-%Y"]', 'source.dates=["%Y%m%d"]', "source.missing_keys=empty", "ignore=[b]",
    "columns={a: a}", "columns.b={to: b, trim: true}", "target.action=add", "target.key_fields=[b]", "target.key_fields=[a, b]",
    "guards.max_rejects=0", "guards.max_rejects=1%", "guards.min_records=1000", "load.max_row_bytes=1", "load.chunk_rows=1",
    "target.ignore_empty_fields=false", "source.files=[dump.*, dump.*]", "source.files=[./dump.csv, dump.csv]",
    "source.timezone=UTC",
    'constants={b: "1"}', "source.fractions=cut", 'source.true_values=["1"]',
)  # fmt: skip


def settings(random: Random) -> Case:
    """Put hostile words over a job that is right, or hostile words before it."""
    case = tables(random) if random.random() < 0.7 else objects(random)
    words = [f"--set={random.choice(KEYS)}={random.choice(VALUES)}" for _ in range(random.choice((1, 1, 2, 4)))]
    if random.random() < 0.4:
        words = [f"--set={random.choice(LIKELY)}"]
    if random.random() < 0.1:
        words.append(
            random.choice(
                ("--set", "--set=", "--set=a", "nofile", "-x", "--", "\0", "\udcff", "", ".", "dump.csv", "--limit=1")
            )
        )
    return Case(case.files, tuple(words), case.accepted, case.rejects)


def jobs(random: Random) -> Case:
    """Damage the bytes of a job file, or take any bytes for one."""
    case = tables(random)
    job = damaged(random, case.files[JOB], 4) if random.random() < 0.8 else soup(random)
    return Case(case.files | {JOB: job}, (), case.accepted, case.rejects)


def rejects(random: Random) -> Case:
    """Make a rejects file by hand, damage it, and read it as a dump."""
    trailer = ["_file", "_line", "_record", "_code", "_column", "_message", "_raw"]
    raws = ("", "", "x,y", '{"a": oops', '"', "é\\xff")
    rows: list[dict[str, str | None]] = []
    for at in range(random.choice((0, 1, 8))):
        own = {name: random.choice(("", "1", "x", "NULL")) for name in ("a", "b", "c")}
        ours = {
            "_file": "d",
            "_line": str(at + 2),
            "_record": str(at + 1),
            "_code": "x",
            "_column": "a",
            "_message": "m, n",
        }
        rows.append(own | ours | {"_raw": random.choice(raws)})
    format_ = random.choice(("csv", "csv", "json", "ndjson"))
    if format_ == "csv":
        lines = [",".join(["a", "b", "c", *trailer])]
        lines += [",".join('"' + str(value).replace('"', '""') + '"' for value in row.values()) for row in rows]
        data = "\n".join(lines).encode() + b"\n"
    else:
        data = b"".join(
            json.dumps(row | {"_element": None, "_raw": row["_raw"] or None}).encode() + b"\n" for row in rows
        )
    return _case(random, format_, damaged(random, data, random.choice((0, 1, 4))))


KINDS: tuple[tuple[Callable[[Random], Case], int], ...] = (
    (any_bytes, 3), (tables, 4), (objects, 5), (archives, 2), (real, 3), (samples, 3), (settings, 3), (jobs, 2), (rejects, 2),
)  # fmt: skip


def case_of(seed: int) -> Case:
    """Return the case of a seed."""
    random = Random(seed)
    (kind,) = random.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])
    return kind(random)
