"""Real dumps, from file to database; they skip only where the shared data is absent."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.journey import Journey
from tests.support.places import SHARED, needs_shared_data

needs_shared_data()

CORNER = {
    "databases": [
        {
            "name": "Corner",
            "fields": [
                {"name": "CustomerID", "type": "text", "length": 20, "index": True},
                {"name": "Email", "type": "email"},
                {"name": "City", "type": "text", "length": 50},
            ],
            "interests": [{"name": "news"}],
            "collections": [
                {
                    "name": "Order",
                    "fields": [{"name": "OrderID", "type": "text", "length": 20}, {"name": "Total", "type": "float"}],
                },
                {
                    "name": "Visit",
                    "fields": [
                        {"name": "VisitID", "type": "text", "length": 20},
                        {"name": "Page", "type": "text", "length": 100},
                    ],
                },
            ],
        }
    ]
}  # fmt: skip

CORNER_SCHEMA = """
import pandera.polars as pa
from pipeline.fields import Decimal, Email, Interest, Text

class Corner(pa.DataFrameModel):
    CustomerID: str = Text(20)
    Email: str = Email(nullable=True)
    City: str = Text(50, nullable=True)
    news: bool = Interest(alias="interest.news", nullable=True)
    order: str = Text(20, alias="Order.OrderID")
    total: float = Decimal(alias="Order.Total", nullable=True)
    visit: str = Text(20, alias="Visit.VisitID")
    page: str = Text(100, alias="Visit.Page", nullable=True)
"""

CORNER_JOB = """
job: corner
source:
  files: [{files}]
{source}
{columns}
schema: schema.py:Corner
target:
  api: {api}
  database: Corner
  action: update or add
  key_fields: [CustomerID, Order.OrderID, Visit.VisitID]
  ignore_empty_fields: true
  followups: false
  rebuild: true
load: {{mode: {mode}}}
guards: {{max_rejects: 50%}}
"""

JSON_COLUMNS = """
columns:
  likes.news: interest.news
  Orders.OrderID: Order.OrderID
  Orders.Total: Order.Total
  Visits.VisitID: Visit.VisitID
  Visits.Page: Visit.Page
"""


def corner(
    journey: Callable[[dict[str, Any]], Journey],
    file: str,
    source: str,
    columns: str,
    api: str = "v4",
    mode: str = "imports",
) -> tuple[Journey, Path]:
    here = journey(CORNER)
    here.write("schema.py", CORNER_SCHEMA)
    files = (SHARED / "corner" / file).as_posix()
    return here, here.write(
        "job.yaml", CORNER_JOB.format(files=files, source=source, columns=columns, api=api, mode=mode)
    )


def subprofiles(profiles: list[dict[str, Any]], collection: str) -> dict[str, list[dict[str, str]]]:
    return {
        profile["fields"]["CustomerID"].upper(): [sub["fields"] for sub in profile["subprofiles"][collection]]
        for profile in profiles
        if profile["subprofiles"].get(collection)
    }


@pytest.mark.parametrize(
    ("api", "mode"),
    [("v3", "imports"), ("v4", "imports"), ("v1", "profiles"), ("v2", "auto"), ("v3", "profiles"), ("v4", "profiles")],
)
def test_the_corner_csv_ends_as_its_readme_says(journey: Callable[..., Journey], api: str, mode: str) -> None:
    """Sets, phases, blank keys, collapse and unknown interests, all in fifteen rows."""
    here, job = corner(journey, "customers.csv", '  delimiter: ","', "", api, mode)
    ran = here.call("run", job)
    assert ran.exit_code == 0, ran.stderr
    expected = {
        "read": 15,
        "malformed": 0,
        "rejected": 3,
        "collapsed": 1,
        "accepted": 11,
        "superseded": 3,
        "confirmed": 11,
    }
    assert {name: ran.records[name] for name in expected} == expected
    with Path(ran.document["rejects"]).open(newline="") as file:
        assert [(row["_line"], row["_code"]) for row in csv.DictReader(file)] == [
            ("8", "key_blank"),
            ("10", "key_blank"),
            ("14", "key_outer_blank"),
        ]
    profiles = here.profiles("Corner")
    assert sorted((p["fields"]["CustomerID"].upper(), p["fields"]["City"]) for p in profiles) == [
        ("C1", "Breda"),
        ("C2", "Delft"),
        ("C3", "Delft"),
        ("C4", "Ede"),
        ("C6", "Goes"),
    ]
    orders = {
        key: [(sub["OrderID"], float(sub["Total"])) for sub in subs]
        for key, subs in subprofiles(profiles, "Order").items()
    }
    assert orders == {"C1": [("O1", 3.5), ("O2", 9.0)], "C2": [("O1", 1.0)], "C3": [("O1", 5.0)], "C4": [("O1", 1.0)]}
    visits = {key: sorted(sub["VisitID"] for sub in subs) for key, subs in subprofiles(profiles, "Visit").items()}
    assert visits == {"C2": ["V1", "V2"]}
    assert sorted(p["fields"]["CustomerID"].upper() for p in profiles if "news" in p["interests"]) == ["C1", "C6"]
    assert here.sandbox.hazards() == []
    assert ran.document["verify"]["different"] == 0
    assert ran.document["verify"]["checked"] > 0


@pytest.mark.parametrize("mode", ["imports", "profiles"])
def test_the_corner_json_ends_as_its_readme_says(journey: Callable[..., Journey], mode: str) -> None:
    """Lists are a union of rows; a fault in a profile column rejects the object, one in an element its row."""
    here, job = corner(journey, "customers.json", "", JSON_COLUMNS, mode=mode)
    ran = here.call("run", job)
    assert ran.exit_code == 0, ran.stderr
    expected = {"read": 8, "malformed": 0, "rejected": 3, "collapsed": 0, "accepted": 5, "confirmed": 5}
    assert {name: ran.records[name] for name in expected} == expected
    assert ran.document["files"][0]["elements"] == 4
    profiles = here.profiles("Corner")
    assert [p["fields"]["CustomerID"] for p in profiles] == ["C1", "C2"]
    assert {
        key: [(sub["OrderID"], float(sub["Total"])) for sub in subs]
        for key, subs in subprofiles(profiles, "Order").items()
    } == {"C2": [("O1", 1.1), ("O2", 20.0)]}
    assert {key: sorted(sub["VisitID"] for sub in subs) for key, subs in subprofiles(profiles, "Visit").items()} == {
        "C2": ["V1", "V2"]
    }
    sent = [
        row for entry in here.sandbox.journal() if entry["path"].endswith("/imports") for row in entry.get("rows", [])
    ]
    assert "1.10" in {row.get("Order.Total") for row in sent} or not sent
    assert here.sandbox.hazards() == []


RETAIL = {
    "databases": [
        {
            "name": "Retail",
            "fields": [
                {"name": "CustomerID", "type": "integer", "index": True},
                {"name": "Country", "type": "text", "length": 50},
            ],
            "collections": [
                {
                    "name": "Orders",
                    "fields": [
                        {"name": "InvoiceNo", "type": "text", "length": 20, "index": True},
                        {"name": "StockCode", "type": "text", "length": 20, "index": True},
                        {"name": "Description", "type": "text", "length": 100},
                        {"name": "Quantity", "type": "integer"},
                        {"name": "InvoiceDate", "type": "empty_datetime"},
                        {"name": "UnitPrice", "type": "float"},
                    ],
                }
            ],
        }
    ]
}

RETAIL_SCHEMA = """
import datetime
import pandera.polars as pa
from pipeline.fields import DateTime, Decimal, Integer, Text

class Retail(pa.DataFrameModel):
    CustomerID: int = Integer()
    Country: str = Text(50)
    invoice: str = Text(20, alias="Orders.InvoiceNo")
    stock: str = Text(20, alias="Orders.StockCode")
    description: str = Text(100, alias="Orders.Description", nullable=True)
    quantity: int = Integer(alias="Orders.Quantity")
    at: datetime.datetime = DateTime(alias="Orders.InvoiceDate")
    price: float = Decimal(alias="Orders.UnitPrice")
"""

RETAIL_JOB = """
job: retail
source:
  files: ["{files}"]
  delimiter: ","
columns:
  InvoiceNo: Orders.InvoiceNo
  StockCode: Orders.StockCode
  Description: Orders.Description
  Quantity: Orders.Quantity
  InvoiceDate: Orders.InvoiceDate
  UnitPrice: Orders.UnitPrice
schema: schema.py:Retail
target:
  api: v4
  database: Retail
  action: update or add
  key_fields: [CustomerID, Orders.InvoiceNo, Orders.StockCode]
  ignore_empty_fields: true
  followups: false
  rebuild: true
load: {{mode: auto}}
guards: {{max_rejects: 50%}}
"""


def last_lines() -> tuple[dict[int, str], dict[tuple[int, str, str], dict[str, str]]]:
    """Read the dumps with the csv module: the last country per customer and the last line per order line."""
    countries: dict[int, str] = {}
    orders: dict[tuple[int, str, str], dict[str, str]] = {}
    for path in sorted((SHARED / "retail").glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["CustomerID"]:
                    customer = int(float(row["CustomerID"]))
                    countries[customer] = row["Country"]
                    orders[customer, row["InvoiceNo"].casefold(), row["StockCode"].casefold()] = row
    return countries, orders


def test_a_month_of_retail_ends_with_the_last_line_of_each_order(journey: Callable[..., Journey]) -> None:
    """Twenty dumps: every record is accounted for, and the database holds the last line's values, also after a second run."""
    here = journey(RETAIL)
    here.write("schema.py", RETAIL_SCHEMA)
    job = here.write("job.yaml", RETAIL_JOB.format(files=(SHARED / "retail" / "*.csv").as_posix()))
    countries, orders = last_lines()
    for _ in range(2):
        ran = here.call("run", job)
        assert ran.exit_code == 0, ran.stderr
        expected = {
            "read": 42481,
            "malformed": 0,
            "rejected": 15631,
            "collapsed": 496,
            "accepted": 26354,
            "confirmed": 26354,
            "superseded": 375,
            "profile_conflicts": 1,
        }
        assert {name: ran.records[name] for name in expected} == expected
        profiles = here.profiles("Retail")
        assert {int(p["fields"]["CustomerID"]): p["fields"]["Country"] for p in profiles} == countries
        assert len(profiles) == 948
        held = {
            (
                int(p["fields"]["CustomerID"]),
                sub["fields"]["InvoiceNo"].casefold(),
                sub["fields"]["StockCode"].casefold(),
            ): sub["fields"]
            for p in profiles
            for sub in p["subprofiles"]["Orders"]
        }
        assert len(held) == sum(len(p["subprofiles"]["Orders"]) for p in profiles) == 25979
        assert held.keys() == orders.keys()
        for key, fields in held.items():
            line = orders[key]
            assert fields["InvoiceDate"] == line["InvoiceDate"]
            assert fields["Description"] == line["Description"]
            assert int(fields["Quantity"]) == int(line["Quantity"])
            assert float(fields["UnitPrice"]) == float(line["UnitPrice"])
    assert here.sandbox.hazards() == []


def text_fields(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "type": "text", "length": 255, "index": name.endswith("ID")} for name in names]


CUSTOMER = (
    "CustomerID",
    "CompanyName",
    "ContactName",
    "ContactTitle",
    "Address",
    "City",
    "Region",
    "PostalCode",
    "Country",
    "Phone",
    "Fax",
)
ORDER = (
    "OrderID", "EmployeeID", "OrderDate", "RequiredDate", "ShippedDate", "ShipVia", "Freight", "ShipName",
    "ShipAddress", "ShipCity", "ShipRegion", "ShipPostalCode", "ShipCountry",
)  # fmt: skip
NORTHWIND = {
    "databases": [
        {
            "name": "Customers",
            "fields": text_fields(*CUSTOMER),
            "collections": [{"name": "Orders", "fields": text_fields(*ORDER)}],
        },
        {"name": "AllOrders", "fields": text_fields("CustomerID", *ORDER)},
    ]
}


def northwind(here: Journey, file: str, database: str, columns: tuple[str, ...], keys: str, source: str = "") -> Path:
    """Write a job whose schema takes every column as text."""
    names = ", ".join(f'"{name}": pa.Column(str, nullable=True)' for name in columns)
    here.write("northwind.py", f"import pandera.polars as pa\nRows = pa.DataFrameSchema({{{names}}})\n")
    return here.write(
        "northwind.yaml",
        f"""
job: northwind
source:
  files: ["{(SHARED / "northwind" / file).as_posix()}"]
{source}
schema: northwind.py:Rows
target:
  api: v4
  database: {database}
  action: update or add
  key_fields: {keys}
  ignore_empty_fields: true
  followups: false
  rebuild: true
load: {{mode: imports}}
guards: {{max_rejects: 40%}}
""",
    )


CSV = '  delimiter: ","\n  null_values: ["NULL"]'


def test_ragged_customers_are_set_aside_line_by_line(journey: Callable[..., Journey]) -> None:
    """Northwind's customers: 24 of 91 have unquoted commas in an address; none is padded, cut or shifted."""
    here = journey(NORTHWIND)
    path = SHARED / "northwind" / "customers.csv"
    ran = here.call("run", northwind(here, "customers.csv", "Customers", CUSTOMER, "[CustomerID]", CSV))
    assert ran.exit_code == 0, ran.stderr
    assert [ran.records[name] for name in ("read", "malformed", "accepted", "confirmed")] == [91, 24, 67, 67]
    ragged = [number for number, line in enumerate(path.read_text().splitlines(), start=1) if line.count(",") != 10]
    with Path(ran.document["rejects"]).open(newline="") as file:
        rejects = list(csv.DictReader(file))
    assert [int(row["_line"]) for row in rejects] == ragged
    assert {row["_code"] for row in rejects} == {"field_count"}
    assert [row["_raw"] for row in rejects] == [path.read_text().splitlines()[line - 1] for line in ragged]
    fields = {p["fields"]["CustomerID"]: p["fields"] for p in here.profiles("Customers")}
    assert fields["ANATR"]["City"] == "México D.F."
    assert fields["ANATR"]["PostalCode"] == "05021"
    assert fields["ANATR"]["Region"] == ""
    assert here.sandbox.hazards() == []


@pytest.mark.parametrize(
    ("file", "source", "counts"),
    [("orders.csv", CSV, [830, 176, 654, 654]), ("orders.ndjson", "", [654, 0, 654, 654])],
)
def test_orders_arrive_as_csv_and_as_ndjson(
    journey: Callable[..., Journey], file: str, source: str, counts: list[int]
) -> None:
    """The same orders, ragged as CSV and whole as NDJSON."""
    here = journey(NORTHWIND)
    ran = here.call(
        "run", northwind(here, file, "AllOrders", ("OrderID", "CustomerID", *ORDER[1:]), "[OrderID]", source)
    )
    assert ran.exit_code == 0, ran.stderr
    assert [ran.records[name] for name in ("read", "malformed", "accepted", "confirmed")] == counts
    assert len(here.profiles("AllOrders")) == 654
    assert here.sandbox.hazards() == []


def test_dotted_csv_and_nested_json_leave_the_same(journey: Callable[..., Journey]) -> None:
    """One row per order, or a list of orders in each customer: 67 profiles with 654 subprofiles either way."""
    order = ("OrderID", "OrderDate", "ShippedDate", "Freight", "ShipCity", "ShipCountry")
    dotted = (
        *("CustomerID", "CompanyName", "ContactName", "City", "Country", "Phone"),
        *(f"Orders.{name}" for name in order),
    )
    nested = (*CUSTOMER, *(f"Orders.{name}" for name in ORDER))
    keys = "[CustomerID, Orders.OrderID]"
    left = []
    for file, columns, source in (
        ("customer-orders-dotted.csv", dotted, CSV),
        ("customers-with-orders.json", nested, ""),
    ):
        here = journey(NORTHWIND)
        ran = here.call("run", northwind(here, file, "Customers", columns, keys, source))
        assert ran.exit_code == 0, ran.stderr
        profiles = here.profiles("Customers")
        left.append(
            {
                p["fields"]["CustomerID"]: (
                    [p["fields"][name] for name in dotted[:6]],
                    sorted(
                        json.dumps([sub["fields"][name.partition(".")[2]] for name in dotted[6:]])
                        for sub in p["subprofiles"]["Orders"]
                    ),
                )
                for p in profiles
            }
        )
        assert len(profiles) == 67
        assert sum(len(p["subprofiles"]["Orders"]) for p in profiles) == 654
        assert here.sandbox.hazards() == []
    assert left[0] == left[1]
    assert ran.document["files"][0]["elements"] == 67
    assert ran.records["read"] == 654
