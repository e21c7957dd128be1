"""Laws that hold for any input: nothing ever breaks the sandbox, and what is stored is in its normal form."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.sandbox import Sandbox
from pipeline.sandbox.dates import parse
from pipeline.sandbox.model import TYPES, Field
from pipeline.sandbox.values import coerce, folded, sortable
from tests.support.api_caller import Client

NOW = datetime(2024, 2, 29, 12, 0, 0)
KIND = st.sampled_from(TYPES)
DATELIKE = st.text("0123456789-/:. +@aTzZ", max_size=24)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | DATELIKE
)
NAME = st.sampled_from(["CustNo", "city", "Points", "Balance", "Born", "Since", "Tier", "nope", "id", "fields", ""])
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3), max_leaves=6
)
BODY = st.dictionaries(
    st.sampled_from(["fields", "interests", "secret", "profiles", "name", "type", "City", "x"]), JSON, max_size=3
)
PATH = st.sampled_from(
    ["database/1/profiles", "database/1/fields", "database/1/field/2", "database/1/interests", "database/1/collections",
     "database/1", "database/1/copy", "databases", "profile/1", "profile/1/fields", "profile/1/interests",
     "profile/1/subprofiles/1", "collection/1", "collection/1/subprofiles", "collection/1/fields", "subprofile/1",
     "subprofile/1/fields", "interest/1", "profile", "database//x", "consumption", "é/ ü"]
)  # fmt: skip
SELECTOR = st.builds(
    "{}{}{}".format,
    NAME,
    st.sampled_from(["==", "!=", "<", ">=", "=~", "!~", "=", " =="]),
    st.text(max_size=5) | DATELIKE,
)
COLUMN = st.sampled_from(["CustNo", "City", "Points", "Born", "interest.news", "Orders.No", "Orders.Total", "Nope", ""])


@given(KIND, SCALAR)
@settings(derandomize=True, max_examples=500)
def test_a_stored_value_is_stored_again_unchanged(kind: str, raw: Any) -> None:
    """Normalising is idempotent: what a field holds is written back without change."""
    field = Field(key="1", id=1, name="F", type=kind, value="a\nb", length=5)
    once = coerce(field, raw, NOW).text
    assert coerce(field, once, NOW).text == once
    assert isinstance(sortable(field, once), tuple)
    assert folded(field, folded(field, once)) == folded(field, once)


@given(DATELIKE | st.text(max_size=12))
@settings(derandomize=True, max_examples=1000)
def test_any_text_is_a_date_or_not(text: str) -> None:
    """Parsing never fails, and knows only three kinds of results."""
    found = parse(text, NOW)
    assert found in ("empty", "zero") or isinstance(found, datetime)


@given(
    st.lists(st.tuples(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), PATH, BODY, SELECTOR, SCALAR), max_size=12)
)
@settings(derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_breaks_the_sandbox(
    sandbox: Sandbox, api: Client, calls: list[tuple[str, str, Any, str, Any]]
) -> None:
    """Whatever is asked, the answer is one the API knows, never a 500."""
    sandbox.reset()
    api.made("database/1/profiles", {"fields": {"CustNo": "1"}})
    api.made("profile/1/subprofiles/1", {})
    for method, path, body, selector, odd in calls:
        answer = api(
            method, path, body, **{"fields[]": selector, "limit": str(odd), "create": str(odd), "orderby": selector}
        )
        assert answer.status_code in (200, 201, 204, 400), (method, path, body, answer.text)


@given(
    st.lists(COLUMN, unique=True, max_size=6),
    st.lists(st.lists(SCALAR, min_size=6, max_size=6), max_size=6),
    st.lists(COLUMN, max_size=3),
    st.sampled_from(["add", "update", "update or add", "ignore or add", "delete"]),
    st.booleans(),
)
@settings(derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_import_breaks_the_sandbox(
    sandbox: Sandbox, api: Client, columns: list[str], cells: list[list[Any]], keys: list[str], action: str, flag: bool
) -> None:
    """Every row is counted once for its profiles or matched several, and no import ends by a bug."""
    sandbox.reset()
    api.made("database/1/profiles", {"fields": {"CustNo": "1"}})
    rows = [dict(zip(columns, row, strict=False)) for row in cells]
    status = api.imported(rows, action=action, keyFields=keys, ignoreEmptyFields=flag, removeMissing=flag)
    assert (status["lasterror"], status["processedLines"]) == (False, str(len(rows)))


@given(
    st.lists(
        st.tuples(st.sampled_from(["1", "2", "a", "A"]), st.text("xyz", max_size=2), st.sampled_from(["N", "n", "M"])),
        min_size=1,
    ),
    st.integers(0, 20),
)
@settings(derandomize=True, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_import_or_two_in_order_end_the_same(
    sandbox: Sandbox, api: Client, cells: list[tuple[str, str, str]], cut: int
) -> None:
    """Rows see what earlier rows did, whether those came in the same import or in the one before."""
    rows = [{"CustNo": number, "City": city, "Orders.No": order, "Orders.Total": "1"} for number, city, order in cells]
    ends = []
    for parts in ([rows], [rows[:cut], rows[cut:]]):
        sandbox.reset()
        for part in parts:
            api.made(
                "imports",
                {"database": 1, "action": "update or add", "keyFields": ["CustNo", "Orders.No"], "source": part},
            )
        assert sandbox.settle()
        ends.append(sandbox.contents("Customers"))
    assert ends[0] == ends[1]


def test_fifty_clients_at_one_time(sandbox: Sandbox) -> None:
    """Each creates, finds and updates its own profile; every request is answered, and nothing is mixed up."""
    found: list[object] = []

    def work(number: int) -> None:
        client = Client(sandbox)
        try:
            for turn in range(4):
                key = f"{number}-{turn}"
                client.made("database/1/profiles", {"fields": {"CustNo": key}})
                one = {"fields[]": f"CustNo=={key}", "create": "1"}
                body = {"fields": {"CustNo": key, "City": f"C{turn}"}}
                assert client("PUT", "database/1/profiles", body, **one).status_code == 204
                (profile,) = client.get("database/1/profiles", **{"fields[]": f"CustNo=={key}"})["data"]
                assert profile["fields"]["City"] == f"C{turn}"
        except Exception as failure:  # noqa: BLE001 (it must reach the test)
            found.append(failure)
        finally:
            client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == []
    assert len(sandbox.contents("1")["profiles"]) == 200
    assert sandbox.hazards() == []
