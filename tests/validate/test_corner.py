"""The corner cases of the shared data, at the level of batches."""

from __future__ import annotations

import csv
import json

import polars as pl

from pipeline.model.rows import Batch
from tests.support.places import SHARED, needs_shared_data
from tests.validate.making import batch, job, spec, validator

needs_shared_data()
CORNER = SHARED / "corner"

SPECS = [
    spec("CustomerID", nullable=False, max_length=20),
    spec("Email"),
    spec("City", max_length=50),
    spec("interest.news", "yesno"),
    spec("Order.OrderID", max_length=20),
    spec("Order.Total", "decimal"),
    spec("Visit.VisitID", max_length=20),
    spec("Visit.Page", max_length=100),
]
KEYS = {"key_fields": ["CustomerID", "Order.OrderID", "Visit.VisitID"]}


class Addresses:
    """Stand-in for the schema's check of e-mail addresses."""

    def faults(self, typed, groups):
        wrong = (~typed["Email"].str.contains("^[^ @]+@[^ @]+$")).fill_null(False).arg_true()
        return pl.DataFrame({"_row": wrong.cast(pl.UInt32)}).with_columns(
            pl.lit("Email").alias("column"),
            pl.lit("check_failed").alias("code"),
            pl.lit("is no address").alias("message"),
        )


def test_the_csv_dump():
    """15 rows, lines 8, 10 and 14 rejected; sets and keys as the corner's page says."""
    with (CORNER / "customers.csv").open(encoding="utf-8", newline="") as dump:
        header, *rows = csv.reader(dump)
    columns = {name: [row[at] for row in rows] for at, name in enumerate(header)}
    checked = validator(SPECS, job(target=KEYS), checks=Addresses()).check(batch(columns))
    lines = [row + 2 for row in checked.faults["_row"]]
    assert list(zip(lines, checked.faults["_code"], checked.faults["_column"], strict=True)) == [
        (8, "key_blank", "Order.OrderID"),
        (10, "key_blank", "CustomerID"),
        (14, "key_outer_blank", "CustomerID"),
    ]
    accepted = checked.accepted
    order, visit, news = 1, 2, 4
    assert dict(accepted.select("_line", "_set").iter_rows()) == {
        2: news,
        3: news | order,
        4: news,
        5: news | order,
        6: news | visit,
        7: news | order | visit,
        9: order,
        11: news | order,
        12: news | order,
        13: news | order,
        15: news,
        16: 0,
    }
    assert accepted["Order.Total"].drop_nulls().to_list() == ["3.50", "9.00", "1.00", "5.00", "1.00", "2.00", "1.00"]
    by_key = accepted.group_by("_key", maintain_order=True).agg("_line")["_line"].to_list()
    assert by_key == [[2, 3, 4, 5], [6, 7], [9], [11, 12, 13], [15, 16]]
    # Superseded: 2 by 4, 11 and 12 by 13, 15 by 16; of these 11 collapses.
    assert accepted.group_by("_full", maintain_order=True).agg("_line")["_line"].to_list() == [
        [2, 4],
        [3],
        [5],
        [6],
        [7],
        [9],
        [11, 12, 13],
        [15, 16],
    ]


def json_rows() -> Batch:
    """customers.json after its lists are laid out as a union: 8 rows of 4 objects."""
    rows: list[dict[str, str | None]] = []
    for element in json.loads((CORNER / "customers.json").read_text(encoding="utf-8"), parse_float=str, parse_int=str):
        news = element["likes"]["news"]
        own = {name: element[name] for name in ("CustomerID", "Email", "City")}
        own["likes.news"] = None if news is None else str(news).lower()
        parts = [(name, part) for name in ("Orders", "Visits") for part in as_list(element.get(name))]
        rows += [{**own, **{f"{name}.{key}": value for key, value in part.items()}} for name, part in parts] or [own]
    names = dict.fromkeys(name for row in rows for name in row)
    return batch({name: [row.get(name) for row in rows] for name in names})


def as_list(value):
    return value if isinstance(value, list) else [value] if value else []


def test_the_json_dump():
    """Elements 4, read 8, rejected 3; `1.10` is sent as it stood, an exponent is a fault."""
    columns = {"likes.news": "interest.news"}
    columns |= {f"{name}s.{field}": f"{name}.{field}" for name, field in [("Order", "OrderID"), ("Order", "Total")]}
    columns |= {f"Visits.{field}": f"Visit.{field}" for field in ("VisitID", "Page")}
    made = validator(SPECS, job(target=KEYS, columns=columns), checks=Addresses())
    checked = made.check(json_rows())
    assert checked.faults.select("_row", "_code", "_column").rows() == [
        (5, "key_blank", "Visits.VisitID"),
        (6, "check_failed", "Email"),
        (7, "not_a_decimal", "Orders.Total"),
    ]
    assert checked.accepted.select(
        "CustomerID", "interest.news", "Order.OrderID", "Order.Total", "Visit.VisitID"
    ).rows() == [
        ("C1", "Yes", None, None, None),
        ("C2", "No", "O1", "1.10", None),
        ("C2", "No", "O2", "20", None),
        ("C2", "No", None, None, "V1"),
        ("C2", "No", None, None, "V2"),
    ]
