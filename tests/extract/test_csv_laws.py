"""Laws of CSV reading: what is written comes back, the work is linear, damage stays where it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model.columns import Expected
from tests.extract.reading import extract, frame_of, malformed_of, read_csv_bytes

_csv = pytest.importorskip("pipeline.extract.csv._csv")


def _is_text(text: str) -> bool:
    """Return whether a text cannot look like records that were swallowed (data rule 6)."""
    return not any(line.count(mark) for mark in ",;\t|:" for line in text.splitlines()) or len(text.splitlines()) < 2


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from(",;\t|:\"'\r\n a"))
_TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(_TEXT.filter(_is_text), min_size=width, max_size=width), min_size=1, max_size=8)
)


def _cell(text: str, delimiter: str, quote: str, always: bool) -> str:
    if always or not text or any(char in text for char in (delimiter, quote, "\r", "\n")):
        return quote + text.replace(quote, quote * 2) + quote
    return text


@settings(max_examples=250, derandomize=True)
@given(
    table=_TABLES,
    delimiter=st.sampled_from(",;\t|:"),
    quote=st.sampled_from("\"'"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    always=st.booleans(),
    last=st.booleans(),
    block=st.integers(1, 64),
)
def test_any_table_of_text_comes_back(
    table: list[list[str]], delimiter: str, quote: str, end: str, always: bool, last: bool, block: int
):
    """A table written in any dialect is read as itself."""
    header = [f"c{number}" for number in range(len(table[0]))]
    lines = [delimiter.join(_cell(text, delimiter, quote, always) for text in row) for row in [header, *table]]
    data = (end.join(lines) + end * last).encode()
    batches, found = read_csv_bytes(
        data, header, block=block, delimiter=delimiter, quote=quote, max_record_bytes=10_000
    )
    assert [list(row) for row in frame_of(batches).drop("_line", "_record", "_element").rows()] == table
    assert found.counts.records == len(table)


# Characters of each encoding, some of them beyond ASCII where it has any.
_ENCODED = {
    "utf-8": "aé€ǆ漢\U0001f600",
    "utf-8-sig": "aé€漢",
    "utf-16": "aé€漢\U0001f600",
    "cp1252": "aé€ß",
    "latin-1": "aéß\x85",
    "iso8859-15": "aé€",
    "cp1250": "ał€ő",
    "ascii": "ab",
}


@settings(max_examples=100, derandomize=True)
@given(data=st.data(), encoding=st.sampled_from(sorted(_ENCODED)), named=st.booleans(), skipped=st.integers(0, 3))
def test_any_encoding_header_and_preamble_comes_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, encoding: str, named: bool, skipped: int
):
    """The same table in a file, in its own encoding, behind lines to skip, with its header in the file or in the job."""
    text = st.text(st.sampled_from(_ENCODED[encoding] + ',;"\r\n '))
    table = data.draw(st.lists(st.lists(text.filter(_is_text), min_size=2, max_size=2), min_size=1, max_size=6))
    header = ["c0", "c1"]
    lines = [",".join(_cell(value, ",", '"', False) for value in row) for row in ([] if named else [header]) + table]
    path = tmp_path_factory.mktemp("law") / "dump.csv"
    path.write_bytes("".join(line + "\n" for line in ["title"] * skipped + lines).encode(encoding))
    words = {"encoding": encoding, "skip_lines": skipped, "header": header if named else "first"}
    batches, read = extract(path, Expected(tuple(header)), **words)
    assert [list(row) for row in frame_of(batches).select(header).rows()] == table
    assert malformed_of(batches) == []
    assert [facts.records for facts in read.facts] == [len(table)]


_SIZE = 2_000_000


@pytest.mark.parametrize(
    "data",
    [
        b'"x","' * (_SIZE // 5),
        b'"x","\n' * (_SIZE // 6),
        b'"x\n' * (_SIZE // 3),
        b'"\n"' * (_SIZE // 3),
        b'"x\n' * 50_000 + b"y" * _SIZE,
        b'"x\n' * 50_000 + b'",' * (_SIZE // 2),
        (b'"' + b"x\n" * 50_005) * 20,
        (b'"x\n' * 10_000 + b'"' + b"z" * 40_000 + b"\n") * 20,
        b'a""b,"\n' * (_SIZE // 8),
    ],
)
@pytest.mark.parametrize("most", [100, 100_000, 1_000_000])
def test_no_damage_costs_more_than_linear_work(data: bytes, most: int):
    """The automaton visits each byte a few times at most, however many quotes stay open."""
    scanner = _csv.Scanner(
        delimiter=",",
        quote='"',
        escape="\0",
        max_record_bytes=most,
        skip_lines=0,
        batch_rows=10_000,
        batch_bytes=1 << 24,
    )
    scanner.begin((b"a", b"b"))
    at, event = 0, _csv.MORE
    while event != _csv.DONE:
        event = scanner.scan()
        if event == _csv.MORE:
            scanner.feed(data[at : at + (1 << 20)], at >= len(data))
            at += 1 << 20
        else:
            scanner.take()
    assert scanner.counts()["visited"] <= 4 * len(data)
