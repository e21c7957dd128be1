"""The shop's customers with their orders and visits, as the database `Customers` holds them."""

import datetime

import pandera.polars as pa

from pipeline.fields import Choice, Date, DateTime, Decimal, Email, Integer, Interest, Phone, Text


class Customers(pa.DataFrameModel):
    """One row is a customer, with at most one order and one visit."""

    CustomerID: str = Text(20)
    Email: str = Email(nullable=True)
    Name: str = Text(100)
    City: str = Text(50, nullable=True)
    Phone: str = Phone(nullable=True)
    Tier: str = Choice("gold", "silver", "bronze", nullable=True)
    Birthday: datetime.date = Date(nullable=True)
    SignedUp: datetime.datetime = DateTime(nullable=True)
    Points: int = Integer(ge=0, nullable=True)
    Balance: float = Decimal(nullable=True)
    Source: str = Text(20)
    Remarks: str = Text(nullable=True, required=False)
    news: bool = Interest(alias="interest.news", nullable=True)
    offers: bool = Interest(alias="interest.offers", nullable=True)
    order_id: str = Text(20, alias="Order.OrderID", required=False)
    order_total: float = Decimal(alias="Order.Total", ge=0, nullable=True, required=False)
    order_placed: datetime.datetime = DateTime(alias="Order.Placed", nullable=True, required=False)
    order_status: str = Choice("open", "paid", "shipped", alias="Order.Status", nullable=True, required=False)
    visit_id: str = Text(20, alias="Visit.VisitID", required=False)
    visit_page: str = Text(100, alias="Visit.Page", nullable=True, required=False)
    visit_seen: datetime.datetime = DateTime(alias="Visit.Seen", nullable=True, required=False)
