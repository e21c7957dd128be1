"""The client of Copernica's REST API: `Client`, and the values that it takes and gives."""

from pipeline.copernica.calls import Call, Options, Outside
from pipeline.copernica.client import Client
from pipeline.copernica.endpoints import Change
from pipeline.copernica.failures import (
    ApiError,
    AuthError,
    BudgetSpentError,
    CallLimitError,
    CancelledError,
    LostError,
    NotSentError,
    RefusedError,
    UnexpectedResponseError,
    UnsupportedError,
)
from pipeline.copernica.imports import ImportRequest, ImportStatus
from pipeline.copernica.records import Identity, Profile, Subprofile
from pipeline.copernica.selector import Selector
from pipeline.copernica.setup import NewField, SetUp
from pipeline.copernica.structure import Collection, Database, Field, Interest
from pipeline.copernica.versions import safe_url

__all__ = [
    "ApiError",
    "AuthError",
    "BudgetSpentError",
    "Call",
    "CallLimitError",
    "CancelledError",
    "Change",
    "Client",
    "Collection",
    "Database",
    "Field",
    "Identity",
    "ImportRequest",
    "ImportStatus",
    "Interest",
    "LostError",
    "NewField",
    "NotSentError",
    "Options",
    "Outside",
    "Profile",
    "RefusedError",
    "Selector",
    "SetUp",
    "Subprofile",
    "UnexpectedResponseError",
    "UnsupportedError",
    "safe_url",
]
