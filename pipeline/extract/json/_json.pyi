"""Read flat JSON objects into Arrow columns."""

from typing import Final

END: Final[int]
ODD: Final[int]
FULL: Final[int]
LAST: Final[int]
LOST: Final[int]

# Event, where reading stands in the data, line, record; for ODD elements where the element ends.
Stand = tuple[int, int, int, int, int]

class Table:
    """Rows as an Arrow struct array, to be taken once: columns "0", "1" … then `_line`, `_record` and `_element` (0: none)."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class Rows:
    """Read flat objects as rows: known keys, each once, whose values are texts, numbers, true, false or null.

    Nothing of any other object is taken: ODD says where one stands. With `need_all` an object that lacks a column is odd,
    too. `ignored` keys are passed over. Names are UTF-8; `escaped` gives those of the columns and then the ignored ones once
    more, as JSON writes them in ASCII (the one spelling with escapes that is known).

    `line` counts from 1, `record` is the number of elements before. Scanning stops with FULL when the batch has `most_rows`
    rows or `most_bytes` bytes.
    """

    def __init__(
        self,
        *,
        columns: tuple[bytes, ...],
        ignored: tuple[bytes, ...],
        escaped: tuple[bytes, ...],
        need_all: bool,
        max_record_bytes: int,
    ) -> None: ...
    def lines(self, data: bytes, at: int, line: int, record: int, most_rows: int, most_bytes: int, /) -> Stand:
        """Read whole lines from `at` on: END at the end of the data, ODD before a line that is no flat object."""
    def elements(self, data: bytes, at: int, line: int, record: int, most_rows: int, most_bytes: int, /) -> Stand:
        """Read elements of an array, `at` where one should begin.

        END before one that is not whole in the data, or not followed by what must follow; LAST behind the closing
        bracket; LOST before something that is no element followed by a comma or the bracket. One that is too long is odd.
        """
    def put(self, rows: list[tuple[list[str | None], int]], line: int, record: int, /) -> None:
        """Put rows of one object: values in the order of the columns, and the number of the element or 0."""
    def take(self) -> tuple[Table, bytes, bytes]:
        """Return the batch, the bytes of its flat objects one after the other, and per row (UInt64) where they end."""
    @property
    def count(self) -> int: ...
    @property
    def bytes(self) -> int: ...
