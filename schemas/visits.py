"""The visits of known customers: only the key of the profile, everything else belongs to the collection `Visit`."""

import datetime

import pandera.polars as pa

from pipeline.fields import DateTime, Text


class Visits(pa.DataFrameModel):
    """One row is a visit."""

    CustomerID: str = Text(20)
    visit_id: str = Text(20, alias="Visit.VisitID")
    visit_page: str = Text(100, alias="Visit.Page")
    visit_seen: datetime.datetime = DateTime(alias="Visit.Seen", nullable=True)


class Withdrawn(pa.DataFrameModel):
    """One row names a visit by its keys."""

    CustomerID: str = Text(20)
    visit_id: str = Text(20, alias="Visit.VisitID")
