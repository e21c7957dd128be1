"""`setup`: what the target lacks is shown, made after a question, and nothing that is there is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.first.test_check import JOB, SCHEMA
from tests.support.command import call_plain
from tests.support.journey import Journey

MORE = """\
    Email: str = fields.Email(nullable=True)
    Remarks: str = fields.Text(nullable=True)
    Tier: str = fields.Choice("gold", "silver", nullable=True)
    Points: int = fields.Integer(nullable=True)
    Balance: float = fields.Decimal(nullable=True)
    news: bool = fields.Interest(alias="interest.news", nullable=True)
    order_id: str = fields.Text(20, alias="Order.OrderID", nullable=True)
    order_at: datetime.datetime = fields.DateTime(alias="Order.Placed", nullable=True)
"""
KEYS = "target.key_fields=[CustomerID, Order.OrderID]"


def opened(journey: Callable[..., Journey], structure: dict[str, Any] | None) -> Journey:
    here = journey(structure)
    here.write("schema.py", SCHEMA + MORE)
    here.write("job.yaml", JOB)
    return here


def changes(here: Journey) -> list[tuple[str, str]]:
    return [(one["method"], one["path"]) for one in here.posted()]


def test_everything_is_made_on_an_empty_account(journey: Callable[..., Journey]) -> None:
    """Types, lengths, choices and the indexes of keys come from the schema; a second setup finds nothing to do."""
    here = opened(journey, None)
    job = here.folder / "job.yaml"
    ran = here.call("setup", job, "--yes", "--set", KEYS)
    assert ran.exit_code == 0, ran.stderr
    made = {one["name"]: (one["kind"], one["type"], one["length"], one["index"]) for one in ran.document["created"]}
    assert made == {
        "Shop": ("database", None, None, False),
        "CustomerID": ("field", "text", 20, True),
        "City": ("field", "text", 50, False),
        "Born": ("field", "empty_date", None, False),
        "Email": ("field", "email", None, False),
        "Remarks": ("field", "big", None, False),
        "Tier": ("field", "select", None, False),
        "Points": ("field", "integer", None, False),
        "Balance": ("field", "float", None, False),
        "interest.news": ("interest", None, None, False),
        "Order": ("collection", None, None, False),
        "Order.OrderID": ("field", "text", 20, True),
        "Order.Placed": ("field", "empty_datetime", None, False),
    }
    assert here.call("check", job, "--set", KEYS).exit_code == 0
    again = here.call("setup", job, "--yes", "--set", KEYS)
    assert (again.document["lacks"], again.document["created"]) == ([], [])


def test_without_yes_and_without_a_terminal_nothing_is_made(journey: Callable[..., Journey]) -> None:
    """It shows the table and the command that would make it."""
    here = opened(journey, None)
    ran = here.call("setup", here.folder / "job.yaml", "--set", KEYS)
    assert (ran.exit_code, ran.document["created"], changes(here)) == (0, [], [])
    assert ran.document["go_on"].endswith(f"job.yaml --yes --set '{KEYS}'")
    shown = call_plain("setup", here.folder / "job.yaml", "--set", KEYS, environment=here.environment(COLUMNS="80"))
    assert shown.exit_code == 0
    assert "field       Tier" in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines() if not line.startswith("Next: ")) <= 80


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"name": "Born", "type": "integer"}, "the schema has date, the field in Copernica is of type integer"),
        ({"name": "born", "type": "empty_date"}, "the field is spelled born in Copernica, Born in the schema"),
    ],
)
def test_a_field_that_does_not_fit_stops_it(journey: Callable[..., Journey], field: dict[str, Any], words: str) -> None:
    """Nothing is changed, and nothing else is made either."""
    here = opened(journey, {"databases": [{"name": "Shop", "fields": [field]}]})
    ran = here.call("setup", here.folder / "job.yaml", "--yes", "--set", KEYS)
    assert (ran.exit_code, changes(here)) == (5, [])
    assert words in [error["what"] for error in ran.document["errors"]]


def test_a_select_with_fewer_choices_is_left_alone_and_named(journey: Callable[..., Journey]) -> None:
    """Adding a choice would change a field."""
    fields = [{"name": "Tier", "type": "select", "value": ["gold"]}]
    here = opened(journey, {"databases": [{"name": "Shop", "fields": fields}]})
    ran = here.call("setup", here.folder / "job.yaml", "--yes", "--set", KEYS)
    assert ran.exit_code == 0
    assert [note["what"] for note in ran.document["notes"]] == ["the select lacks the choices silver"]
    assert "Tier" not in [one["name"] for one in ran.document["created"]]
