"""Name Copernica's field types for schema modules: what a pandera column cannot hold is in its metadata (pure).

Each function gives a `pa.Field` for a class model, and `column()` turns the same thing into a `pa.Column`:

    class Customers(pa.DataFrameModel):
        CustomerID: str = Text(20)
        Email: str = Email(nullable=True)
        order_id: str = Text(20, alias="Order.OrderID", nullable=True)
        news: bool = Interest(alias="interest.news", nullable=True)

    customers = pa.DataFrameSchema({"CustomerID": column(Text(20)), "Order.OrderID": column(Text(20, nullable=True))})

Common to all:

- `nullable` False refuses rows whose cell is empty (for the columns of a collection: in rows that carry it). Say True
  wherever a cell may be empty; keys never are.
- `empty` is the text that is sent for an empty cell, in canonical form (`"0"`, `"1900-01-01"`). Without it nothing is
  sent as "", which Copernica stores as 0 or as a zero date where the field cannot be empty (data rule 11).
- `alias` names the Copernica column where it is no Python name: `Order.OrderID`, `interest.news`.
- every other keyword goes to `pa.Field`: `ge`, `le`, `isin`, `str_matches`, `required`, `description` and so on.
"""

from __future__ import annotations

import datetime
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.api.dataframe.model_components import FieldInfo

# The key of a column's pandera metadata that holds what the pipeline needs beyond pandera.
METADATA_KEY = "copernica"

_FUNCTIONS = {
    "text": "Text", "choice": "Choice", "integer": "Integer", "decimal": "Decimal", "date": "Date",
    "datetime": "DateTime", "yesno": "YesNo",
}  # fmt: skip
_DTYPES: dict[str, type] = {
    "text": str,
    "choice": str,
    "integer": int,
    "decimal": float,
    "date": datetime.date,
    "datetime": datetime.datetime,
    "yesno": bool,
}

# RFC 5321 4.5.3.1: a path holds at most 256 characters, two of them the angle brackets; its local part at most 64.
_EMAIL_MAX_CHARS = 254
_EMAIL = (
    r"^[^\s\p{C}@,;:<>()\[\]\\\x22]{1,64}@"
    r"(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?\.)+"
    r"\p{L}[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}]$"
)
# A dot at the start or the end of the local part, two in a row, a label of more than 63 characters (RFC 1035 2.3.4).
_ODD_EMAIL = r"^\.|\.\.|\.@|@(?:[^@]*\.)?[^.@]{64,}"
# What of it is plain ASCII, as bytes.
_PLAIN_EMAIL = (
    r"^(?-u:[!#-'*+./0-9=?A-Z^-~-]{1,64}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9])$"
)
_PHONE = r"^\+?[0-9 ()./-]+$"
# What a tool leaves that took the number for a float.
_FLOAT = r"^\+?[0-9]+\.0+$"
# A guess: from short service numbers to the 15 digits of E.164 with a trunk zero and an exit code before them.
_PHONE_DIGITS = (3, 20)
# A guess: room for a plus and something between any two digits.
_PHONE_MAX_CHARS = 40


def Text(max_length: int | None = None, *, empty: str | None = None, **field: Any) -> Any:  # noqa: N802
    """Hold any text of at most `max_length` characters (code points); annotate as `str`."""
    checks = [] if max_length is None else [pa.Check.str_length(max_value=max_length)]
    return _field("text", {"empty": empty}, checks, field)


def Email(*, empty: str | None = None, **field: Any) -> Any:  # noqa: N802
    """Hold one e-mail address of at most 254 characters; annotate as `str`.

    One @, no blanks or control characters, no dot at either end of the local part nor two in a row, a domain of letters,
    digits and hyphens with at least one dot and labels of at most 63 characters. Copernica itself takes any text (API
    sheet 13). Quoted local parts and address literals are refused.
    """
    return _field(
        "text",
        {"function": "Email", "empty": empty, "max_length": _EMAIL_MAX_CHARS},
        [_check(_is_email, "the check for e-mail addresses")],
        field,
    )


def Phone(*, empty: str | None = None, **field: Any) -> Any:  # noqa: N802
    """Hold one phone number of at most 40 characters; annotate as `str`.

    3 to 20 digits with blanks and `( ) . / -` between, and perhaps a + before. Copernica itself takes any text.
    """
    return _field(
        "text",
        {"function": "Phone", "empty": empty, "max_length": _PHONE_MAX_CHARS},
        [_check(_is_phone, "the check for phone numbers")],
        field,
    )


def Choice(*options: str, empty: str | None = None, **field: Any) -> Any:  # noqa: N802
    """Hold one of `options`, in exact case, as select fields do (API sheet 13); annotate as `str`."""
    return _field("choice", {"empty": empty, "choices": options}, [pa.Check.isin(options)], field)


def Interest(**field: Any) -> Any:  # noqa: N802
    """Hold an interest, sent as Yes or No; annotate as `bool`, with `alias="interest.NAME"`.

    An empty cell leaves the interest of the profile as it is (data rule 18), so there is no `empty` here.
    """
    return _field("yesno", {"function": "Interest", "yes_no": ("Yes", "No"), "interest": True}, [], field)


def YesNo(true_text: str, false_text: str, *, empty: str | None = None, **field: Any) -> Any:  # noqa: N802
    """Hold true or false in a select, text or integer field, sent as one of two texts; annotate as `bool`."""
    return _field("yesno", {"empty": empty, "yes_no": (true_text, false_text)}, [], field)


def Integer(*, empty: str | None = None, **field: Any) -> Any:  # noqa: N802
    """Hold a whole number within 64 bit; annotate as `int`, or as a smaller polars integer for its range."""
    return _field("integer", {"empty": empty}, [], field)


def Decimal(*, exponents: bool = False, empty: str | None = None, **field: Any) -> Any:  # noqa: N802
    """Hold a number, sent in plain notation made from its text; annotate as `float`.

    `exponents` accepts `1e5` too (data rule 10).
    """
    return _field("decimal", {"empty": empty, "exponents": exponents}, [], field)


def Date(*, empty: str | None = None, **field: Any) -> Any:  # noqa: N802
    """Hold a date of the years 1000 to 9999; annotate as `datetime.date`."""
    return _field("date", {"empty": empty}, [], field)


def DateTime(*, empty: str | None = None, **field: Any) -> Any:  # noqa: N802
    """Hold a date and time of Europe/Amsterdam, to the second; annotate as `datetime.datetime`."""
    return _field("datetime", {"empty": empty}, [], field)


def column(field: Any) -> pa.Column:
    """Turn one of the fields above into a column of a `pa.DataFrameSchema`, whose key then names it."""
    properties = field.column_properties(_DTYPES[field.metadata[METADATA_KEY]["kind"]])
    return pa.Column(**properties)


class _Field(FieldInfo):
    """A field that can be called as the function that made it.

    In a class body `Email: str = Email()` hides the function behind the field; the next `Email()` there is this call.
    """

    def __call__(self, *words: Any, **field: Any) -> Any:
        """Make another field of the same type."""
        return globals()[(self.metadata or {})[METADATA_KEY]["function"]](*words, **field)


def _field(kind: str, given: dict[str, Any], checks: list[pa.Check], field: dict[str, Any]) -> Any:
    function = given.pop("function", _FUNCTIONS.get(kind))
    metadata = {**(field.pop("metadata", None) or {}), METADATA_KEY: {"kind": kind, "function": function, **given}}
    made = pa.Field(metadata=metadata, **field)
    made.checks = [*checks, *made.checks]
    made.__class__ = _Field
    return made


def _check(function: Any, words: str) -> pa.Check:
    return pa.Check(function, error=words)


def _is_email(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).map_batches(are_emails, return_dtype=pl.Boolean))


def are_emails(texts: pl.Series) -> pl.Series:
    """Judge addresses; the pattern for letters of all scripts is twenty times slower, so it only sees what is left."""
    odd_parts = texts.str.contains(_ODD_EMAIL)
    good = texts.str.contains(_PLAIN_EMAIL) & (texts.str.len_bytes() <= _EMAIL_MAX_CHARS) & ~odd_parts
    rest = (~good).arg_true()
    if rest.len():
        odd = texts.gather(rest)
        good = good.scatter(
            rest, (odd.str.len_chars() <= _EMAIL_MAX_CHARS) & odd.str.contains(_EMAIL) & ~odd.str.contains(_ODD_EMAIL)
        )
    return good


def _is_phone(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(_phone(pl.col(data.key)))


def are_phones(texts: pl.Series) -> pl.Series:
    """Return which texts look like a phone number."""
    return texts.to_frame("text").select(_phone(pl.col("text"))).to_series()


def _phone(text: pl.Expr) -> pl.Expr:
    return (
        text.str.contains(_PHONE)
        & ~text.str.contains(_FLOAT)
        & text.str.count_matches("[0-9]").is_between(*_PHONE_DIGITS)
    )
