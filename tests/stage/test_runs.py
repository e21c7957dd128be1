"""Whether keys stand together is found out for the whole input, and what follows from it is the same either way."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.columns import Keys
from pipeline.stage import key_runs as runs
from pipeline.stage.key_runs import Runs
from pipeline.stage.sample import Sampler
from pipeline.stage.settle import Rules
from pipeline.stage.stager import Stager
from tests.stage.test_settle import KEYS, SETS, UPSERT, profile, staged


@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=5), max_size=4), st.integers(1, 8))
def test_a_key_in_two_runs_is_seen_whatever_is_compared_at_once(batches: list[list[int]], at_once: int) -> None:
    keys = [key for batch in batches for key in batch]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(runs, "KEYS_AT_ONCE", at_once)
        found = Runs(Path(folder) / "runs")
        for batch in batches:
            found.add(pl.Series(batch, dtype=pl.UInt64))
        assert found.came_back() == (len(set(keys)) < len(keys))
        found.forget()
        assert not list(Path(folder).iterdir())


def test_a_key_that_comes_back_batches_later_has_its_rows_put_together(tmp_path: Path) -> None:
    """Data rules 18, 19: all rows of a profile are in one lane in the order of the file, however far apart they stood."""
    stager = Stager(tmp_path, 4, UPSERT, lambda: Sampler(0, 1, SETS, KEYS), whole=False)
    for batch in ([profile("A", "1"), profile("B")], [profile("C"), profile("D")], [profile("E"), profile("a", "2")]):
        stager.add(staged(batch).with_columns(pl.lit(None).alias("_element")))
    stager.finish()
    (lane,) = stager.lanes.lanes()
    rows = pl.concat(stager.lanes.frames(lane))
    first = rows["ID"].to_list().index("A")
    assert rows["ID"].to_list()[first : first + 2] == ["A", "a"]
    assert rows["City"].to_list()[first : first + 2] == ["1", "2"]
    assert sorted(rows["ID"].to_list()) == ["A", "B", "C", "D", "E", "a"]
    assert (stager.staged.conflicts, stager.staged.profiles) == (1, 5)
    assert not (tmp_path / "runs").exists()


def test_rows_without_a_profile_key_are_not_held_back(tmp_path: Path) -> None:
    """Invariant 10: every batch is complete as it is, so none waits in memory for the last one."""
    rules = Rules("add", Keys.of(()), SETS, ignore_empty_fields=True)
    stager = Stager(tmp_path, 4, rules, lambda: Sampler(0, 1, SETS, rules.keys), whole=False)
    for at in range(3):
        rows = staged([profile(f"{at}-{number}") for number in range(4)])
        stager.add(rows.with_columns(pl.lit(None).alias("_element"), _key=pl.lit(0, pl.UInt64)))
        assert sum(stager.lanes.sizes().values()) == 4 * (at + 1)
    stager.finish()
    assert (stager.staged.accepted, stager.staged.profiles) == (12, 12)
