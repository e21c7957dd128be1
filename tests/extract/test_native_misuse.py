"""The C modules called as nobody should: an exception each time, and nothing is read or written that is not theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

_csv = pytest.importorskip("pipeline.extract.csv._csv")
_json = pytest.importorskip("pipeline.extract.json._json")

GOOD: dict[str, Any] = {
    "delimiter": ",",
    "quote": '"',
    "escape": "\0",
    "max_record_bytes": 9,
    "skip_lines": 0,
    "batch_rows": 1,
    "batch_bytes": 99,
}


def _rows(*columns: bytes) -> Any:
    return _json.Rows(columns=columns, ignored=(), escaped=columns, need_all=False, max_record_bytes=99)


@pytest.mark.parametrize(
    "wrong",
    [
        {"delimiter": "é"},
        {"quote": ","},
        {"escape": ","},
        {"escape": "é"},
        {"max_record_bytes": 0},
        {"skip_lines": -1},
        {"batch_bytes": 1 << 40},
    ],
)
def test_sizes_and_characters_that_make_no_sense_are_refused(wrong: dict[str, Any]):
    """Delimiter, quote and escape are ASCII and differ; sizes lie between 1 and 1 GiB."""
    with pytest.raises(ValueError, match="ASCII"):
        _csv.Scanner(**{**GOOD, **wrong})


def test_a_scanner_that_was_not_made_properly_does_not_exist():
    """`__new__` takes what the scanner needs, so none is without a buffer; `__init__` does nothing again."""
    with pytest.raises(TypeError):
        _csv.Scanner.__new__(_csv.Scanner)
    with pytest.raises(TypeError):
        _json.Rows.__new__(_json.Rows)
    for module in (_csv, _json):
        with pytest.raises(TypeError):
            module.Table()


def test_calls_in_the_wrong_order_are_refused():
    """Before names, behind the end, twice."""
    scanner = _csv.Scanner(**GOOD)
    with pytest.raises(RuntimeError, match="nothing to take"):
        scanner.take()
    with pytest.raises(RuntimeError, match="did not come to a header"):
        scanner.header()
    for names in ((), ("a",), [b"a"]):
        with pytest.raises((ValueError, TypeError)):
            scanner.begin(names)
    scanner.begin((b"a",))
    with pytest.raises(RuntimeError, match="called once"):
        scanner.begin((b"a",))
    with pytest.raises(ValueError, match="at least 1"):
        scanner.batch_rows = 0
    scanner.feed(b"1", True)
    with pytest.raises(RuntimeError, match="ended"):
        scanner.feed(b"2", False)
    assert scanner.scan() == _csv.FULL
    assert scanner.unread == b""


def test_a_header_is_taken_before_anything_else():
    """`begin` and `feed` between HEADER and `header()` would leave its places behind; so would records without names."""
    scanner = _csv.Scanner(**{**GOOD, "skip_lines": 1})
    scanner.feed(b"title\na,b\n1,2\n", False)
    assert scanner.scan() == _csv.HEADER
    with pytest.raises(RuntimeError, match="called once"):
        scanner.begin((b"a", b"b"))
    with pytest.raises(RuntimeError, match="header is to be taken"):
        scanner.feed(b"3,4\n", False)
    assert scanner.scan() == _csv.HEADER
    assert scanner.header() == ((b"a", b"b"), 0)
    with pytest.raises(RuntimeError, match="did not come to a header"):
        scanner.header()
    with pytest.raises(RuntimeError, match="comes first"):
        scanner.scan()
    scanner.begin((b"a", b"b"))
    assert scanner.scan() == _csv.FULL
    assert pl.DataFrame(scanner.take()[0]).rows() == [("1", "2", 3, 1)]


@pytest.mark.parametrize("named", [False, True])
def test_no_other_thread_comes_between(named: bool):
    """While a scan runs, everything else is refused, and the scan counts what it would have counted alone."""
    scanner = _csv.Scanner(**{**GOOD, "max_record_bytes": 1 << 29, "batch_rows": 1 << 29, "batch_bytes": (1 << 31) - 1})
    data = b"1,2\n" * 500_000 if named else b'"' + b"1,2\n" * 200_000 + b'"'
    if named:
        scanner.begin((b"a", b"b"))
    scanner.feed(data, True)
    refused: list[str] = []
    calls: list[Callable[[], Any]] = [
        scanner.header,
        lambda: scanner.begin((b"a",)),
        scanner.take,
        scanner.counts,
        lambda: scanner.unread,
        scanner.scan,
    ]
    thread = threading.Thread(target=scanner.scan)
    thread.start()
    while thread.is_alive():
        for call in calls:
            try:
                if thread.is_alive() and call is not scanner.scan:
                    call()
            except RuntimeError as error:
                refused.append(str(error))
    thread.join()
    assert scanner.counts()["records"] == (500_000 if named else 0)


def test_a_row_that_cannot_be_put_leaves_no_trace():
    """Half a row with a null does not make the value of the next one null, nor do whole rows of the same call stay."""
    rows = _rows(b"a", b"b")
    with pytest.raises(UnicodeEncodeError):
        rows.put([(["1", None], 0), ([None, "\ud800"], 0)], 1, 1)
    assert rows.count == 0
    rows.put([(["x", "y"], 0)], 2, 2)
    assert pl.DataFrame(rows.take()[0]).rows() == [("x", "y", 2, 2, 0)]


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ((["1"], -1), OverflowError),
        ((["1"], 2**40), OverflowError),
        ((["1"], "1"), TypeError),
        (["1", 0], ValueError),
        ((["1"],), ValueError),
        ((("1",), 0), ValueError),
        ((["1", "2"], 0), ValueError),
        (([b"1"], 0), TypeError),
        (None, ValueError),
    ],
)
def test_rows_of_another_shape_are_refused(row: Any, error: type[Exception]):
    """An element has 32 bits, a row is a tuple of a list and a number, a value a text or None."""
    rows = _rows(b"a")
    with pytest.raises(error):
        rows.put([row], 1, 1)
    with pytest.raises((OverflowError, TypeError)):
        rows.put([(["1"], 0)], -1, 1)
    assert rows.count == 0


def test_places_outside_of_the_data_are_refused():
    """Reading begins inside of the bytes."""
    for at in (-1, 3):
        with pytest.raises(RuntimeError, match="outside of the data"):
            _rows(b"a").lines(b"{}", at, 1, 0, 1, 1)
