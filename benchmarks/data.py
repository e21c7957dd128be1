"""Write the dumps that are measured, the same bytes every time, in native code (edge: writes one file).

`python -m benchmarks.data VARIANT ROWS PATH` is run as a process of its own, so that the harness stays small.

A row is one order with its customer: nine text columns, about 97 bytes of CSV. Customers have one, two and three orders
in turn. Every value follows from the number of the row by arithmetic that no version of polars can change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import polars as pl

Variant = Literal["adjacent", "changed", "scattered", "blank", "unparsed", "ndjson", "json", "nested"]

SUFFIX: dict[str, str] = {
    "adjacent": "csv",
    "changed": "csv",
    "scattered": "csv",
    "blank": "csv",
    "unparsed": "csv",
    "ndjson": "ndjson",
    "json": "json",
    "nested": "ndjson",
}
COLUMNS = (
    "CustomerID",
    "Email",
    "City",
    "Birthday",
    "Points",
    "Order.OrderID",
    "Order.Total",
    "Order.Placed",
    "Order.Status",
)
# Written as JSON numbers; the text is kept, so `12.50` stays `12.50`.
NUMBERS = ("Points", "Order.Total")

# One row in five is damaged, in the variants that have damage.
DAMAGE_EVERY, DAMAGE_AT = 5, 2
# One order in fifty has another status than in `adjacent`, scattered over the whole dump, in the variant `changed`.
CHANGE_EVERY, CHANGE_AT, CHANGE_STEP = 50, 3, 7_919

_BATCH_ROWS = 250_000
_FIRST_NAMES = ("anna", "bram", "cees", "daan", "eva", "fien", "gijs", "hugo")
_CITIES = (
    *("Amsterdam", "Delft", "Liège", "Breda", "Düsseldorf", "Gouda", "'s-Hertogenbosch", "Leiden"),
    *("Assen", "Bergen, NH", "Utrecht", "Tiel", "Zwolle", "Ede", "Hoorn", "Goes"),
)
_STATES = ("open", "paid", "shipped")


def damaged(variant: str, rows: int) -> int:
    """Count the rows of a variant that must be rejected."""
    return len(range(DAMAGE_AT, rows, DAMAGE_EVERY)) if variant in ("blank", "unparsed") else 0


def changed(rows: int) -> int:
    """Count the rows of the variant `changed` that differ from those of `adjacent`."""
    return sum(row * CHANGE_STEP % CHANGE_EVERY == CHANGE_AT for row in range(rows))


def generate(variant: str, rows: int, path: Path) -> None:
    """Write `rows` rows of a variant to `path`; the file is there only when it is complete."""
    write = _write_nested if variant == "nested" else _WRITERS[SUFFIX[variant]]
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        write(file, _frames(variant, rows))
    part.rename(path)


def _frames(variant: str, rows: int) -> Iterator[pl.DataFrame]:
    """Return the rows in pieces, as text in the order of the file."""
    order = pl.int_range(rows, dtype=pl.UInt64, eager=True).alias("row")
    if variant == "scattered":
        order = order.to_frame().sort(_mix(pl.col("row"), 11), maintain_order=True).to_series()
    for start in range(0, rows, _BATCH_ROWS):
        yield _damage(variant, _rows(order.slice(start, _BATCH_ROWS)))


def _rows(numbers: pl.Series) -> pl.DataFrame:
    """Make the rows with these numbers; rows of one customer agree in its columns."""
    row = pl.col("row")
    # Of six rows the first is one customer's, the next two another's, the last three a third one's.
    customer = 3 * (row // 6) + pl.when(row % 6 == 0).then(0).when(row % 6 < 3).then(1).otherwise(2)
    frame = numbers.to_frame().with_columns(customer=customer.cast(pl.UInt64))
    who = pl.col("customer")
    born = pl.date(1940, 1, 1) + pl.duration(days=_mix(who, 3) % 24_000)
    placed = pl.datetime(2023, 1, 1) + pl.duration(seconds=_mix(row, 4) % 63_000_000)
    cents = _mix(row, 5) % 50_000
    name = _one_of(_FIRST_NAMES, _mix(who, 6))
    return frame.select(
        "row",
        pl.format("C{}", who.cast(pl.String).str.zfill(7)).alias("CustomerID"),
        pl.format("{}{}@winkel.test", name, who).alias("Email"),
        _one_of(_CITIES, _mix(who, 1)).alias("City"),
        pl.when(_mix(who, 7) % 16 > 0).then(born.dt.to_string("%Y-%m-%d")).otherwise(pl.lit("")).alias("Birthday"),
        (_mix(who, 2) % 10_000).cast(pl.String).alias("Points"),
        pl.format("O{}", row.cast(pl.String).str.zfill(8)).alias("Order.OrderID"),
        pl.format("{}.{}", cents // 100, (cents % 100).cast(pl.String).str.zfill(2)).alias("Order.Total"),
        placed.dt.to_string("%Y-%m-%d %H:%M:%S").alias("Order.Placed"),
        _one_of(_STATES, _mix(row, 8)).alias("Order.Status"),
    )


def _damage(variant: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Spoil every fifth row: one of its two keys blank, or one of four values in a form that does not parse."""
    spoils: tuple[tuple[str, str], ...] = ()
    if variant == "blank":
        spoils = (("CustomerID", ""), ("Order.OrderID", ""))
    if variant == "unparsed":
        spoils = (
            ("Points", "n/a"),
            ("Birthday", "2023-02-29"),
            ("Order.Total", "12.5O"),
            ("Order.Placed", "2023-06-01 25:00:00"),
        )
    row = pl.col("row")
    if variant == "changed":
        status = pl.col("Order.Status")
        other = pl.when(status == "open").then(pl.lit("paid")).otherwise(pl.lit("open"))
        hit = row * CHANGE_STEP % CHANGE_EVERY == CHANGE_AT
        frame = frame.with_columns(pl.when(hit).then(other).otherwise(status).alias("Order.Status"))
    for turn, (column, text) in enumerate(spoils):
        hit = (row % DAMAGE_EVERY == DAMAGE_AT) & (row // DAMAGE_EVERY % len(spoils) == turn)
        frame = frame.with_columns(pl.when(hit).then(pl.lit(text)).otherwise(pl.col(column)).alias(column))
    return frame.drop("row")


def _mix(number: pl.Expr, salt: int) -> pl.Expr:
    """Scatter numbers over 0 to 2**31 - 2; the square keeps neighbours from staying at one distance."""
    prime = 2_147_483_647
    first = (number + 1) % prime * 48_271 % prime
    return (first * first + salt) % prime * (16_807 + salt) % prime


def _one_of(texts: tuple[str, ...], number: pl.Expr) -> pl.Expr:
    """Choose a text by a number."""
    return pl.lit(pl.Series(texts)).gather(number % len(texts))


def _write_csv(file: BinaryIO, frames: Iterator[pl.DataFrame]) -> None:
    for number, frame in enumerate(frames):
        # An empty text is written as "", a null as nothing: dumps hold the latter.
        frame.with_columns(pl.all().replace("", None)).write_csv(file, include_header=number == 0)


def _write_ndjson(file: BinaryIO, frames: Iterator[pl.DataFrame]) -> None:
    for frame in frames:
        file.write(_objects(frame, b"\n"))
        file.write(b"\n")


def _write_json(file: BinaryIO, frames: Iterator[pl.DataFrame]) -> None:
    for number, frame in enumerate(frames):
        file.write(b",\n" if number else b"[\n")
        file.write(_objects(frame, b",\n"))
    file.write(b"\n]\n")


def _write_nested(file: BinaryIO, frames: Iterator[pl.DataFrame]) -> None:
    """Write an object per customer, with a list of its orders."""
    orders = [name for name in COLUMNS if name.startswith("Order.")]
    customer = [name for name in COLUMNS if name not in orders]
    listed = pl.struct(pl.col(name).alias(name.removeprefix("Order.")) for name in orders).alias("Orders")
    for frame in frames:
        frame.group_by(customer, maintain_order=True).agg(listed).write_ndjson(file)


def _objects(frame: pl.DataFrame, between: bytes) -> bytes:
    """Write flat objects; no value of ours needs an escape."""
    parts: list[pl.Expr] = []
    for number, name in enumerate(frame.columns):
        quote = "" if name in NUMBERS else '"'
        parts += [pl.lit(f'{"," if number else "{"}"{name}":{quote}'), pl.col(name)]
        parts += [pl.lit(quote)] if quote else []
    lines = frame.select(pl.concat_str(*parts, pl.lit("}")).str.join(between.decode()))
    return str(lines.item()).encode()


_WRITERS: dict[str, Callable[[BinaryIO, Iterator[pl.DataFrame]], None]] = {
    "csv": _write_csv,
    "ndjson": _write_ndjson,
    "json": _write_json,
}


if __name__ == "__main__":
    generate(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
