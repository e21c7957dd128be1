"""Lists are read to their end, whatever the server makes of limits."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pipeline.copernica.failures import UnexpectedResponseError
from pipeline.copernica.paging import by_id, by_offset
from pipeline.copernica.wire import Request, Response

LIST = Request("GET", "/database/7/profiles", (("fields[]", "City==Delft"),))


class Api:
    """Answers lists of ids as the sheet says, with a cap, and keeps the queries."""

    def __init__(self, ids: list[int], cap: int = 1000, **how: object) -> None:
        self.ids, self.cap, self.how = ids, cap, how
        self.queries: list[tuple[tuple[str, str], ...]] = []

    def __call__(self, request: Request) -> Response:
        self.queries.append(request.query)
        query = dict(request.query)
        after = int(query.get("fields[]", "id>0").removeprefix("id>")) if self.how.get("keyset", True) else 0
        start = int(query.get("start", 0)) if self.how.get("offset", True) else 0
        limit = min(int(query.get("limit", 100)), self.cap)
        fitting = [number for number in self.ids if number > after]
        rows = [{"ID": str(number)} for number in fitting[start : start + limit]]
        if self.how.get("bare"):
            return Response(200, {}, json.dumps(rows).encode())
        page = {"start": start, "limit": limit if self.how.get("echo") else int(query.get("limit", 100)), "data": rows}
        if self.how.get("total"):
            page["total"] = len(fitting)
        return Response(200, {}, json.dumps(page).encode())


def ids(rows: object) -> list[int]:
    return [int(row["ID"]) for row in rows]  # type: ignore[attr-defined]


def test_by_id_asks_behind_the_last_one() -> None:
    """The selector stays, `id>LAST` moves, no offset and no total are asked for (API sheet 5)."""
    api = Api(list(range(1, 251)))
    assert ids(by_id(api, LIST, 100)) == list(range(1, 251))
    assert api.queries == [
        (
            ("fields[]", "City==Delft"),
            ("fields[]", f"id>{last}"),
            ("orderby", "id"),
            ("total", "false"),
            ("limit", "100"),
        )
        for last in (0, 100, 200)
    ]


def test_by_id_ends_with_a_short_page() -> None:
    """A lookup by key costs one call."""
    api = Api([501])
    assert ids(by_id(api, LIST, 1000)) == [501]
    assert len(api.queries) == 1


def test_by_id_ends_with_an_empty_page() -> None:
    """Where the last page was full."""
    api = Api(list(range(1, 201)))
    assert len(ids(by_id(api, LIST, 100))) == 200
    assert len(api.queries) == 3


@pytest.mark.parametrize("echo", [True, False])
def test_by_id_is_not_fooled_by_a_silent_cap(echo: bool) -> None:
    """A server that gives 100 where 1000 were asked for, whether it says so or not (API sheet ?U6, ⚠C21)."""
    api = Api(list(range(1, 251)), cap=100, echo=echo)
    assert len(ids(by_id(api, LIST, 1000))) == 250


@pytest.mark.parametrize(("most", "limits"), [(1, ["1"]), (2, ["2"]), (150, ["100", "50"]), (0, [])])
def test_by_id_gives_no_more_than_asked_for(most: int, limits: list[str]) -> None:
    """And asks for no more."""
    api = Api(list(range(1, 1000)))
    assert ids(by_id(api, LIST, 100, most)) == list(range(1, most + 1))
    assert [dict(query)["limit"] for query in api.queries] == limits


def test_by_id_notices_that_its_condition_was_dropped() -> None:
    """Else every page would be the first, for ever (API sheet 6.1)."""
    api = Api(list(range(1, 251)), keyset=False)
    with pytest.raises(UnexpectedResponseError, match="did not honour `id>100`"):
        ids(by_id(api, LIST, 100))


def test_by_id_notices_another_order() -> None:
    """Then the last id of a page is not the greatest."""
    with pytest.raises(UnexpectedResponseError, match="did not honour"):
        ids(by_id(Api([3, 2, 1]), LIST, 100))


def test_by_id_takes_a_page_that_ignores_the_limit() -> None:
    """Nothing behind `most` is given."""
    body = json.dumps({"data": [{"ID": "1"}, {"ID": "2"}, {"ID": "3"}]}).encode()
    assert ids(by_id(lambda _: Response(200, {}, body), LIST, 100, 2)) == [1, 2]


def test_by_offset_advances_by_what_came() -> None:
    """Not by what was asked for: the cap may be lower (API sheet 5)."""
    api = Api(list(range(1, 251)), cap=100, total=True)
    assert ids(by_offset(api, Request("GET", "/x"), 1000)) == list(range(1, 251))
    assert [dict(query).get("start") for query in api.queries] == [None, "100", "200"]


def test_by_offset_ends_at_the_total() -> None:
    """Without an empty page at the end."""
    api = Api(list(range(1, 201)), total=True)
    assert len(ids(by_offset(api, Request("GET", "/x"), 100))) == 200
    assert len(api.queries) == 2


def test_by_offset_without_total_ends_with_a_short_page() -> None:
    """A bare array has none (API sheet ⚠C20)."""
    api = Api(list(range(1, 131)), bare=True)
    assert len(ids(by_offset(api, Request("GET", "/x"), 100))) == 130
    assert len(api.queries) == 2


def test_by_offset_notices_that_start_is_ignored() -> None:
    """No row comes twice, and it ends."""
    api = Api(list(range(1, 101)), bare=True, offset=False)
    assert ids(by_offset(api, Request("GET", "/x"), 100)) == list(range(1, 101))
    assert len(api.queries) == 2


def test_an_empty_list() -> None:
    """One call, no rows."""
    for pager in (by_id, by_offset):
        api = Api([])
        assert ids(pager(api, Request("GET", "/x"), 100)) == []
        assert len(api.queries) == 1


@pytest.mark.parametrize("pager", [by_id, by_offset])
def test_a_row_without_an_id_is_a_stranger(pager: Callable[..., object]) -> None:
    """It could neither be passed nor be counted."""
    with pytest.raises(UnexpectedResponseError, match="no id"):
        ids(pager(lambda _: Response(200, {}, b'{"data":[{"name":"x"}]}'), Request("GET", "/x"), 100))
