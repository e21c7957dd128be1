"""The real dumps read as they are known to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.extract import Extraction, find_files
from pipeline.model.columns import Expected
from tests.extract.reading import source
from tests.support.places import SHARED as DATA
from tests.support.places import needs_shared_data

needs_shared_data()


def _counts(pattern: str, columns: tuple[str, ...], **options: Any) -> tuple[int, int, int, int]:
    extraction = Extraction(find_files([pattern], DATA), source(), Expected(columns), **options)
    batches = list(extraction)
    rows, malformed = (
        sum(frame.height for frame in frames) for frames in zip(*((b.frame, b.malformed) for b in batches), strict=True)
    )
    elements = sum(facts.elements for facts in extraction.facts)
    assert sum(facts.records for facts in extraction.facts) == rows + malformed
    return elements, rows + malformed, malformed, rows


def _header(name: str) -> tuple[str, ...]:
    with (DATA / name).open() as handle:
        return tuple(handle.readline().strip().split(","))


def _paths(obj: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in obj.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            for element in value:
                yield from _paths(element, f"{prefix}{key}.")
        elif value is not None:
            yield prefix + key


def _columns(objects: list[dict[str, Any]]) -> tuple[str, ...]:
    found = dict.fromkeys(path for obj in objects for path in _paths(obj))
    nulls = {f"{key}" for obj in objects for key, value in obj.items() if value is None} - {
        p.split(".")[0] for p in found
    }
    return (*found, *nulls)


@pytest.mark.parametrize(
    ("pattern", "read", "malformed"),
    [
        ("northwind/customers.csv", 91, 24),
        ("northwind/orders.csv", 830, 176),
        ("northwind/order-details.csv", 2155, 0),
        ("northwind/customer-orders-dotted.csv", 654, 0),
        ("retail/*.csv", 42_481, 0),
        ("corner/customers.csv", 15, 0),
    ],
)
def test_real_csv(pattern: str, read: int, malformed: int):
    """Every record is read or set aside; the ragged ones by their number of fields."""
    columns = _header("retail/2010-12-01.csv" if "*" in pattern else pattern)
    elements, records, bad, rows = _counts(pattern, columns)
    assert (elements, records, bad, rows) == (read, read, malformed, read - malformed)


def test_real_nested_json():
    """67 customers have 654 orders; the corner cases are 4 elements and 8 rows."""
    for name, lists, elements, rows in (
        ("northwind/customers-with-orders.json", frozenset({"Orders"}), 67, 654),
        ("corner/customers.json", frozenset({"Orders", "Visits"}), 4, 8),
    ):
        objects = json.loads((DATA / name).read_text())
        flat = [path for path in _columns(objects) if path not in lists]
        nested = {
            f"Orders.{key}"
            for obj in objects
            for order in (obj["Orders"] if isinstance(obj.get("Orders"), list) else [])
            for key in order
        }
        columns = tuple(dict.fromkeys((*flat, *sorted(nested))))
        assert _counts(name, columns, lists=lists) == (elements, rows, 0, rows)


def test_real_ndjson():
    """654 orders, one per line."""
    objects = [json.loads(line) for line in (DATA / "northwind/orders.ndjson").read_text().splitlines()]
    columns = tuple(dict.fromkeys(key for obj in objects for key in obj))
    assert _counts("northwind/orders.ndjson", columns) == (654, 654, 0, 654)
