"""The readers in Python: the same as the compiled ones, and one warning with the reason and the price."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.csv import fallback
from tests.extract import oracle
from tests.support.places import ROOT

_PIECES = [
    b"a",
    b",",
    b'"',
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b'""',
    b"\r\n",
    b'"\n',
    b",\n",
    b"a,a\n",
    b'"a,a",',
    b"\\",
    b"\\N",
]


def _read(
    data: bytes, columns: tuple[bytes, ...], most: int, block: int, escape: str
) -> tuple[list[tuple], list[tuple]]:
    scanner = fallback.Scanner(
        delimiter=",",
        quote='"',
        escape=escape or "\0",
        max_record_bytes=most,
        skip_lines=0,
        batch_rows=3,
        batch_bytes=99,
    )
    scanner.begin(columns)
    stream, event = io.BytesIO(data), fallback.MORE
    rows: list[tuple] = []
    malformed: list[tuple] = []
    while event != fallback.DONE:
        event = scanner.scan()
        if event == fallback.MORE:
            piece = stream.read(block)
            scanner.feed(piece, not piece)
        else:
            frame, bad = scanner.take()
            rows += [
                (row[-2], row[-1], tuple(value.encode() for value in row[:-2])) for row in pl.DataFrame(frame).rows()
            ]
            malformed += [(one[0], one[1], one[2], one[7]) for one in bad]
    return rows, malformed


@settings(max_examples=500, derandomize=True)
@given(
    data=st.lists(st.sampled_from(_PIECES), max_size=30).map(b"".join),
    columns=st.sampled_from([(b"a",), (b"a", b"aa")]),
    most=st.integers(1, 24),
    block=st.integers(1, 12),
    escape=st.sampled_from(["", "\\"]),
)
def test_the_scanner_in_python_follows_the_rule(
    data: bytes, columns: tuple[bytes, ...], most: int, block: int, escape: str
):
    """Rows and malformed lines equal those of the rule, wherever blocks end."""
    wanted = oracle.read(data, oracle.Dialect(columns, most, escape=escape.encode()))
    rows, malformed = _read(data, columns, most, block, escape)
    codes = ("", "field_count", "repeated_header", "stray_quote", "unclosed_quote", "record_too_long", "not_decodable",
             "nul", "bare_cr", "swallowed_lines", "stray_escape")  # fmt: skip
    assert rows == wanted.rows
    assert [(line, record, codes[code], raw) for line, record, code, raw in malformed] == wanted.malformed


def _python(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_warning_names_the_reason_and_the_price(tmp_path: Path):
    """Once per process, however many files are read; CSV and JSON give what the compiled readers give."""
    (tmp_path / "x.csv").write_text('a,b\n1,"x, y"\n2\n')
    (tmp_path / "x.ndjson").write_text('{"a": "1", "b": "x, y"}\n2\n')
    code = f"""
from pathlib import Path
from pipeline.model.columns import Expected
from tests.extract.reading import compiled, extract, malformed_of, rows_of
for name in ("x.csv", "x.ndjson", "x.csv"):
    batches, _ = extract(Path({str(tmp_path)!r}) / name, Expected(("a", "b")))
    print([row[:2] for row in rows_of(batches)], [one[2] for one in malformed_of(batches)])
print(compiled())
"""
    plain, native = _python(tmp_path, code, COPERNICA_READERS="python"), _python(tmp_path, code)
    assert plain.stdout.splitlines()[:3] == [
        "[('1', 'x, y')] ['field_count']",
        "[('1', 'x, y')] ['not_an_object']",
        "[('1', 'x, y')] ['field_count']",
    ]
    assert plain.stdout.splitlines()[:3] == native.stdout.splitlines()[:3]
    assert plain.stdout.splitlines()[3] == "False"
    assert (plain.stderr + plain.stdout).count("readers.in_python") == 1
    assert "COPERNICA_READERS=python" in plain.stderr + plain.stdout
