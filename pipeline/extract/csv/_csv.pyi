"""Split CSV bytes into Arrow columns."""

from typing import Final

MORE: Final[int]
HEADER: Final[int]
FULL: Final[int]
DONE: Final[int]

class Table:
    """Rows as an Arrow struct array, to be taken once: columns "0", "1" … then `_line` and `_record`."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class Scanner:
    """Split the bytes of one CSV file into records (data rules 5 and 6).

    Feed blocks, call `scan()` and act on its event: MORE (feed the next block; an empty last one with `final`), HEADER
    (take `header()`, then `begin`), FULL and DONE (`take()` the batch). With no header in the file call `begin` first.
    Sizes are in bytes; delimiter, quote and escape are ASCII, escape "\\0" for none. Raises RuntimeError for calls in any
    other order, and while another thread scans.

    LF and CRLF end a line always, a bare CR only in a file whose first line end outside quotes is one.
    """

    batch_rows: int
    def __init__(
        self,
        *,
        delimiter: str,
        quote: str,
        escape: str,
        max_record_bytes: int,
        skip_lines: int,
        batch_rows: int,
        batch_bytes: int,
    ) -> None: ...
    def feed(self, data: bytes, final: bool, /) -> None: ...
    def scan(self) -> int: ...
    def header(self) -> tuple[tuple[bytes, ...], int]: ...
    def begin(self, names: tuple[bytes, ...], /) -> None: ...
    def take(self) -> tuple[Table, list[tuple[int, int, int, int, int, int, int, bytes]]]:
        """Return the rows, and per malformed line: line, record, code, fields found, first and last line of its record,
        length in bytes, and the bytes themselves (at most 64 KiB)."""
    def counts(self) -> dict[str, int]:
        """Return lines, record_lines, blank_lines, header_lines, skipped_lines, records (malformed ones too), the bytes
        `visited` by the automaton, the bytes `unread` in the buffer, and `between`: 1 where a record, or the span of a
        damaged one, has ended and nothing of the next was read."""
    @property
    def ends(self) -> str | None:
        """What ends a line beside LF and CRLF: a bare CR, or nothing ("\\n"); None before it is known."""
    @property
    def unread(self) -> bytes: ...
