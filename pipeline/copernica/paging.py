"""Read lists to their end, page by page (pure: `send` is given; API sheet 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pipeline.copernica.answers import Page, page_of
from pipeline.copernica.failures import UnexpectedResponseError
from pipeline.copernica.structure import whole
from pipeline.copernica.wire import Request, Response

Send = Callable[[Request], Response]
Row = Mapping[str, Any]
# Limits of pages that were ever seen are multiples of this (API sheet 5, ⚠C21); larger ones are cut in silence.
_CAP_STEP = 100


def by_id(send: Send, request: Request, page_rows: int, most: int | None = None) -> Iterator[Row]:
    """Yield the rows of a list that takes `fields`, in the order of their ids, at most `most` of them.

    Keyset paging: `orderby=id`, `fields[]=id>LAST`, `total=false`; nothing is skipped or doubled when records come and
    go meanwhile. Raises UnexpectedResponseError where the answer does not keep to the order: then the condition was dropped,
    and every page would be the first.
    """
    last, given = 0, 0
    while most is None or given < most:
        limit = page_rows if most is None else min(page_rows, most - given)
        page = page_of(
            send(_page(request, limit, (("fields[]", f"id>{last}"),), (("orderby", "id"), ("total", "false"))))
        )
        for row in page.rows:
            number = _id(row)
            if number <= last:
                raise UnexpectedResponseError(f"{request.path} did not honour `id>{last}`")
            last = number
        yield from page.rows[: None if most is None else most - given]
        given += len(page.rows)
        if _is_last(page, limit):
            return


def by_offset(send: Send, request: Request, page_rows: int) -> Iterator[Row]:
    """Yield the rows of a list that takes no `fields`, advancing by the rows that came.

    Ends at `total` where the answer has it, else with a short page. A row whose id was there before is dropped (the
    list moved, or `start` was ignored); a page of nothing else ends it.
    """
    seen: set[int] = set()
    start = 0
    while True:
        begin = (("start", str(start)),) if start else ()
        page = page_of(send(_page(request, page_rows, (), begin)))
        new = [row for row in page.rows if _id(row) not in seen]
        seen.update(_id(row) for row in new)
        yield from new
        start += len(page.rows)
        if not new or (start >= page.total if page.total is not None else _is_last(page, page_rows)):
            return


def _page(
    request: Request, limit: int, before: tuple[tuple[str, str], ...], after: tuple[tuple[str, str], ...]
) -> Request:
    return replace(request, query=request.query + before + after + (("limit", str(limit)),))


def _is_last(page: Page, limit: int) -> bool:
    """Return whether nothing follows: fewer rows than asked for, unless their number looks like a silent cap."""
    asked = limit if page.limit is None or page.limit < 1 else min(limit, page.limit)
    rows = len(page.rows)
    return rows == 0 or (rows < asked and rows % _CAP_STEP != 0)


def _id(row: Row) -> int:
    try:
        return whole(row["ID"])
    except (KeyError, ValueError):
        raise UnexpectedResponseError("a row of a list has no id") from None
