"""Each row of a batch is accepted or faulty, exactly once."""

from __future__ import annotations

from tests.validate.making import batch, job, spec, validator


def test_a_row_is_either_accepted_or_faulty() -> None:
    """Accepted lines and faulty rows together are the rows of the batch."""
    specs = [spec("CustomerID", nullable=False), spec("Age", "integer")]
    checked = validator(specs, job()).check(batch({"CustomerID": ["a", "", "b"], "Age": ["1", "2", "x"]}))
    assert checked.accepted["_line"].to_list() == [2]
    assert checked.faults["_row"].to_list() == [1, 2]
    assert checked.faults["_code"].to_list() == ["key_blank", "not_an_integer"]
