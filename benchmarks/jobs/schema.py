"""The schema of the measured job: nine columns, each with a check of its own."""

import datetime

import pandera.polars as pa

from pipeline.fields import Choice, Date, DateTime, Decimal, Email, Integer, Text


class Customers(pa.DataFrameModel):
    """One row is an order with its customer."""

    CustomerID: str = Text(20, str_matches=r"^C[0-9]{7}$")
    Email: str = Email()
    City: str = Text(50)
    Birthday: datetime.date = Date(ge=datetime.date(1900, 1, 1), nullable=True)
    Points: int = Integer(ge=0, le=100_000)
    order_id: str = Text(20, alias="Order.OrderID", str_matches=r"^O[0-9]{8}$")
    order_total: float = Decimal(alias="Order.Total", ge=0)
    order_placed: datetime.datetime = DateTime(alias="Order.Placed", ge=datetime.datetime(2000, 1, 1))
    order_status: str = Choice("open", "paid", "shipped", alias="Order.Status")
