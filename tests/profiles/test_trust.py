"""Lookups that cannot be trusted stop the way: before any write where that can be seen, else at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.copernica import Field
from pipeline.load.profiles.canary import Canary, absent_value
from pipeline.load.readback import Lookups
from pipeline.load.readback import Terms as ReadTerms
from pipeline.model.columns import Keys
from pipeline.model.outcome import StopCode, StoppedError
from tests.profiles.shop import Loaded, Shop, Terms
from tests.profiles.wrapped import Wrapped

ROWS = [{"CustomerID": f"C{number}", "City": "Ede"} for number in range(1, 7)]


def nothing_written(shop: Shop, before: int) -> bool:
    return [call for call in shop.calls[before:] if call.method != "GET"] == []


@pytest.mark.parametrize("switch", [{"lookups_drop": ["CustomerID"]}, {"lookup_strangers": True}])
@pytest.mark.parametrize("action", ["update or add", "update", "ignore or add", "delete"])
def test_the_canaries_refuse_a_run_before_the_first_write(shop: Shop, switch: dict[str, Any], action: str) -> None:
    """A server that drops the selector of the key, and one that answers with strangers, are stopped, exit code 5."""
    shop.add({"CustomerID": "C1", "City": "Delft"})
    shop.add({"CustomerID": "C2", "City": "Delft"})
    shop.sandbox.set_switches(switch)
    before = len(shop.calls)
    target = "profile" if action == "delete" else None
    way = shop.method(Terms(action, ("CustomerID",), delete_target=target), ROWS)
    with pytest.raises(StoppedError) as refusal:
        way.prepare()
    assert refusal.value.stop.code is StopCode.UNTRUSTED
    assert nothing_written(shop, before)
    assert [one["City"] for one in shop.contents()] == ["Delft", "Delft"]


def test_a_chunk_is_not_begun_where_the_canaries_fail(shop: Shop) -> None:
    """Without `prepare` the first chunk refuses: unsent as a whole, and nothing more may be sent."""
    shop.add({"CustomerID": "C1"})
    shop.sandbox.set_switches({"lookups_drop": ["CustomerID"]})
    before = len(shop.calls)
    loaded = shop.load(ROWS)
    assert loaded.stopped
    assert loaded.counted == (0, 0, 0, 6)
    assert "did not honour" in loaded.tried.message or "does not honour" in loaded.tried.message
    assert nothing_written(shop, before)


def test_every_key_field_has_its_canary(shop: Shop) -> None:
    """The second of two key fields is proved as well."""
    shop.add({"CustomerID": "C1", "Number": "1"})
    shop.sandbox.set_switches({"lookups_drop": ["Number"]})
    way = shop.method(Terms(key_fields=("CustomerID", "Number")), [{"CustomerID": "C1", "Number": "1"}])
    with pytest.raises(StoppedError, match="Number"):
        way.prepare()


@pytest.mark.parametrize("key", ["CustomerID", "Email", "Number", "Born", "Tier"])
def test_the_canaries_pass_on_a_server_that_honours_selectors(shop: Shop, key: str) -> None:
    """Fields of every type that can be a key pass, also while most records have no value in them."""
    shop.add({"City": "Ede"})
    shop.add({"CustomerID": "C1", "Email": "a@x.test", "Number": "-3", "Born": "1980-02-29", "Tier": "silver"})
    assert Canary(shop.client, shop.database, [key]).prove()


def test_an_empty_database_proves_nothing(shop: Shop) -> None:
    """A dropped selector cannot be seen in an empty database; nothing is refused for that."""
    shop.sandbox.set_switches({"lookups_drop": ["CustomerID"]})
    assert not Canary(shop.client, shop.database, ["CustomerID"]).prove()


def test_a_database_that_was_empty_is_proved_after_its_first_profile(shop: Shop) -> None:
    """With a dropped selector the second row would overwrite the first one's profile: one row goes alone first."""
    shop.provoked.add("update_of_all")  # by the PUT that makes the first profile, while there is none to be hit
    shop.sandbox.set_switches({"lookups_drop": ["CustomerID"]})
    loaded = shop.load(ROWS, Terms(workers=6))
    assert shop.contents() == [{"CustomerID": "C1", "City": "Ede"}]
    assert loaded.counted == (1, 0, 0, 5)
    assert loaded.stopped


def test_a_stranger_after_the_first_write_stops_the_way(shop: Shop) -> None:
    """What was written stays confirmed; nothing is sent for the row that met the stranger, nor for those behind it."""
    shop.add({"CustomerID": "C1"})
    shop.add({"CustomerID": "X"})

    def strangers_from_now(log: Any) -> Any:
        return Wrapped(log, after={"ended": lambda: shop.sandbox.set_switches({"lookup_strangers": True})})

    loaded: Loaded = shop.load(ROWS, Terms(workers=1), log=strangers_from_now)
    assert shop.contents() == [{"CustomerID": "C1", "City": "Ede"}, {"CustomerID": "X"}]
    assert loaded.counted == (1, 0, 0, 5)
    assert loaded.stopped
    assert loaded.failed == []


def test_a_stranger_among_the_subprofiles_of_a_key_stops_the_way(shop: Shop) -> None:
    """Where Copernica is to decide which order has the key, an answer with another order proves nothing."""
    shop.add({"CustomerID": "C1"}, Order=[{"OrderID": "é1", "Total": "1"}, {"OrderID": "X9", "Total": "2"}])
    shop.sandbox.set_switches({"lookups_drop": ["OrderID"]})
    loaded = shop.load([{"CustomerID": "C1", "Order.OrderID": "e1", "Order.Total": "3"}])
    assert "gave subprofile 2, whose key is another" in loaded.stopped
    assert [one["Total"] for one in shop.contents()[0]["Order"]] == ["1", "2"]


def test_a_read_back_takes_what_has_the_key_and_nothing_else(shop: Shop) -> None:
    """One more record in front of the right one is no duplicate, and nothing is compared with it."""
    shop.add({"CustomerID": "C1", "City": "Ede"})
    number = shop.add({"CustomerID": "C2", "City": "Delft"})
    shop.sandbox.set_switches({"lookup_strangers": True})
    keys = Keys.of(["CustomerID"])
    lookups = Lookups(shop.client, ReadTerms(shop.database, {}, keys, "update or add", None, True))
    assert [one.id for one in lookups.profiles({"CustomerID": "C2"})] == [number]


def test_a_field_with_a_meaning_of_its_own_is_refused(shop: Shop) -> None:
    """A key field called `modified` would be read as Copernica's own: refused before anything is asked."""
    fields = {**shop.database.fields, "modified": Field(99, "modified", "text")}
    shop.database = replace(shop.database, fields=fields)
    way = shop.method(Terms(key_fields=("modified",)), [{"modified": "x"}])
    with pytest.raises(StoppedError, match="modified"):
        way.prepare()


def test_an_api_that_does_not_answer_refuses_the_run(shop: Shop) -> None:
    """No answer to the canaries is exit code 5 with the client's words."""
    shop.sandbox.set_faults([{"kind": "502"}])
    way = shop.method(Terms(), ROWS, client=shop.connect(retry_budget_s=0))
    with pytest.raises(StoppedError, match="502"):
        way.prepare()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "canary00000000001e240"),
        ("email", "canary00000000001e240"),
        ("integer", "-100123456"),
        ("date", "1138-02-23"),
        ("empty_datetime", "1138-02-23 00:00:00"),
        ("phone_gsm", "999000000123456"),
        ("select", None),
    ],
)
def test_the_value_that_no_record_has_fits_its_field(kind: str, value: str | None) -> None:
    """Each type of field is asked for a value of its own kind, which a cast leaves as it is."""
    assert absent_value(Field(1, "Key", kind), 123456) == value


def test_a_select_is_asked_for_one_of_its_choices() -> None:
    """Anything else would be read as an empty value and match every blank record."""
    assert absent_value(Field(1, "Key", "select", choices=("gold", "silver")), 1) == "gold"
