"""An open run goes on only where it began: its account, its database, and fields that still take what was checked."""

from __future__ import annotations

import pytest

from pipeline.copernica import Client, Database, Identity
from pipeline.errors import ApiRefusedError
from pipeline.model.columns import LiveField
from pipeline.run.earlier import refuse_moved
from pipeline.run.target import LiveTarget
from pipeline.state.run_records import RunRow, RunState

FIELDS = {"City": LiveField("text", 50), "Tier": LiveField("select", None, ("gold", "silver"))}
RUN = RunRow(
    "r1", "shop", "/jobs/shop.yaml", "{}", RunState.INCOMPLETE, "2026-11-20T03:00:00.000+00:00", None, "api", "34", 7, FIELDS,
    "imports", None, None, True, (), 5, None, True,
)  # fmt: skip


def _target(account: str = "34", database: int = 7, **fields: LiveField | None) -> LiveTarget:
    live = {name: field for name, field in {**FIELDS, **fields}.items() if field is not None}
    return LiveTarget(Client("none"), Identity(account, ""), Database(database, "Shop", {}, {}, {}), live)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (_target(account="35"), "the run went to account 34, the token belongs to 35"),
        (_target(database=8), "the run went to database 7, the name now means 8"),
        (_target(City=None), "is gone or has another name"),
        (_target(City=LiveField("integer")), "was of type text when the run began and is integer now"),
        (_target(City=LiveField("text", 49)), "held 50 characters when the run began and holds 49 now"),
        (_target(Tier=LiveField("select", None, ("gold", "bronze"))), "has lost 1 of its choices"),
    ],
)
def test_a_run_is_not_resumed_on_other_ground(target: LiveTarget, words: str) -> None:
    """Rows that were checked against one field, or are meant for one account, would be cut, bent or sent to another."""
    with pytest.raises(ApiRefusedError, match=words):
        refuse_moved(RUN, target)


@pytest.mark.parametrize(
    "target",
    [
        _target(),
        _target(City=LiveField("text", 80)),
        _target(City=LiveField("text")),
        _target(Tier=LiveField("select", None, ("gold", "silver", "bronze"))),
        _target(New=LiveField("integer")),
    ],
)
def test_ground_that_takes_more_is_fine(target: LiveTarget) -> None:
    """Data rule 12: what was checked against the old fields fits longer ones, more choices, and new fields beside them."""
    refuse_moved(RUN, target)
