"""Do dumps of hostile shapes cost four times as much where they are four times as large, or more?

CPU seconds of `validate`, without what the smallest one takes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.sections.linear import FIELDS, JOB, quadrupled, spent
from benchmarks.shop import opened

if TYPE_CHECKING:
    from benchmarks.bench import Setting
    from benchmarks.figure import Figure

SCHEMA = "import pandera.polars as pa\nfrom pipeline.fields import Text\n\nclass Customers(pa.DataFrameModel):\n"
NR = "Nr"
# Read to the end, or refused once it was.
ENDS = (0, 4)


def open_quote(path: Path, size: int) -> None:
    """Write CSV whose first record opens a quote that nothing closes."""
    path.write_bytes(b'Nr\n"1\n' + b"22,yyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n" * size)


def members(path: Path, size: int) -> None:
    """Write one line of NDJSON, packed in members of a hundred bytes."""
    text = json.dumps({NR: "1", "x": "y" * (100 * size)}).encode() + b"\n"
    with path.open("wb") as file:
        for at in range(0, len(text), 100):
            one = zlib.compressobj(1, wbits=31)
            file.write(one.compress(text[at : at + 100]) + one.flush())


def dots(path: Path, size: int) -> None:
    """Write an object with a key of dots."""
    path.write_text(json.dumps({NR: "1", ".".join("x" * size): 1}) + "\n")


def elements(path: Path, size: int) -> None:
    """Write an object with a list of so many orders."""
    path.write_text(json.dumps({NR: "1", "x": [{"no": str(at)} for at in range(size)]}) + "\n")


def wide(path: Path, size: int) -> None:
    """Write a thousand rows of so many columns."""
    line = ",".join("abc" for _ in range(size))
    path.write_text(",".join((NR, *columns(size))) + "\n" + "".join(f"{at},{line}\n" for at in range(1000)))


def columns(size: int) -> list[str]:
    """Name so many columns."""
    return [f"c{number}" for number in range(size)]


@dataclass(frozen=True)
class Shape:
    """A shape of a dump, what writes it, its size (lines, members, dots, orders or columns) and settings of the job."""

    name: str
    file: str
    write: Callable[[Path, int], None]
    size: int
    settings: tuple[str, ...] = ()


OF_ORDERS = ("columns={x.no: Order.No}", "target.key_fields=[Nr, Order.No]")
SHAPES = (
    Shape("an open quote, lines behind it", "dump.csv", open_quote, 500_000),
    Shape("one line of JSON in members of 100 bytes", "dump.ndjson.gz", members, 150_000, ("ignore=[x]",)),
    Shape("a key of dots", "dump.ndjson", dots, 4_000_000, ("ignore=[y]",)),
    Shape("orders of one customer", "dump.ndjson", elements, 100_000, OF_ORDERS),
    Shape("columns of a thousand rows", "dump.csv", wide, 500),
)


def study(setting: Setting) -> Iterator[Figure]:
    """Validate each shape at its smallest, at its size, and four times as large."""
    for shape in SHAPES:
        yield from quadrupled(shape.name, shape.size, partial(cpu_s, setting.python, shape))


def cpu_s(python: str, shape: Shape, size: int) -> float:
    """Return the CPU seconds that a dump of this shape and size takes."""
    fields = [f"    {name}: str = Text(20)\n" for name in (NR, *(columns(size) if shape.write is wide else ()))]
    if shape.write is elements:
        fields.append('    no: str = Text(20, alias="Order.No")\n')
    with opened(python, FIELDS, SCHEMA + "".join(fields), JOB) as shop:
        shape.write(shop.folder / shape.file, size)
        words = [word for one in ("source.max_record_bytes=1 GiB", *shape.settings) for word in ("--set", one)]
        return spent(shop, "validate", "job.yaml", shape.file, *words, may_end=ENDS)
