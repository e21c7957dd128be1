"""What a database has confirmed, on disk: dropped before writes, set behind them, safe at any moment."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from pipeline.state.confirmed import Confirmed, bits_for
from pipeline.state.entries import (
    ENTRIES,
    WRITTEN,
    Scope,
    drop_modes,
    dropped,
    home,
    unchanged,
    with_confirmed,
)
from pipeline.state.frame_file import StateFault, write_frame
from pipeline.state.journal import End

NAMES = Scope("", ("Nr", "Name"), ("Nr",), (), "")
POINTS = Scope("", ("Nr", "Points"), ("Nr",), (), "")
BY_MAIL = Scope("", ("Mail", "Name"), ("Mail",), (), "")
ORDERS = Scope("Order", ("Order.No", "Order.Total"), ("Nr",), ("Order.No",), "")
WHOLE = Scope("*", ("Nr", "Name", "Order.No", "Order.Total"), ("Nr",), ("Order.No",), "")


def units(*rows: tuple[int, ...]) -> pl.DataFrame:
    """Lay out (scope, profile, unit, spelling, digest)."""
    names = ("scope", "profile", "unit", "spelling", "low")
    frame = pl.DataFrame(
        [dict(zip(names, row, strict=True)) for row in rows], schema={name: ENTRIES[name] for name in names}
    )
    return frame.with_columns(
        pl.lit(7, pl.UInt64).alias("high"), pl.int_range(pl.len(), dtype=pl.UInt32).alias("number")
    )


def entries(*rows: tuple[int, ...], minute: int = 1000) -> pl.DataFrame:
    return with_confirmed(pl.DataFrame(schema=dict(ENTRIES)), units(*rows), 1, minute)


def known(frame: pl.DataFrame) -> list[tuple[int, int]]:
    """List (scope, unit) of what has a digest."""
    return frame.filter(pl.col("high") != 0).select("scope", "unit").rows()


def opened(folder: Path, algorithm: str = "a", account: str = "1") -> Confirmed:
    return Confirmed.open(folder / "state", algorithm, account)


def begun(folder: Path, rows: pl.DataFrame, *, bits: int = 0) -> Confirmed:
    """Begin a state with these entries, as a run of the scopes NAMES and ORDERS has confirmed them."""
    state = opened(folder)
    state.begin("run-1", "job", (NAMES, ORDERS), bits)
    for at in range(state.partitions):
        state.replace(at, rows.filter(home(pl.col("profile"), bits) == at))
    return state


def test_a_new_state_says_so_and_is_kept_with_its_salt(tmp_path: Path) -> None:
    """Data rule 41: what was confirmed is there in the next process."""
    state = begun(tmp_path, entries((0, 1, 11, 5, 50)))
    assert "nothing was confirmed" in state.why
    again = opened(tmp_path)
    assert (again.why, again.salt, known(again.entries(0))) == ("", state.salt, [(0, 11)])


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda folder: (folder / "state.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "state.json").write_text('{"format": 99}'), "another format"),
        (lambda folder: (folder / "00-0000").write_bytes((folder / "00-0000").read_bytes()[:-3]), "torn"),
        (lambda folder: (folder / "00-0000").write_bytes(b""), "torn"),
        (lambda folder: (folder / "00-0000").unlink(), "cannot be read"),
    ],
)
def test_a_damaged_state_is_a_reason_and_no_error(tmp_path: Path, damage, why: str) -> None:
    """Data rule 41: one line says why, and the next run begins anew."""
    begun(tmp_path, entries((0, 1, 11, 5, 50)))
    damage(tmp_path / "state")
    state = opened(tmp_path)
    if not state.why:
        with pytest.raises(Exception, match=why):
            state.entries(0)
        state.reset(why)
    assert why in state.why
    state.begin("run-2", "job", (NAMES,), 0)
    assert known(opened(tmp_path).entries(0)) == []


@pytest.mark.parametrize(("algorithm", "account"), [("b", "1"), ("a", "2")])
def test_a_state_of_another_algorithm_or_account_is_not_used(tmp_path: Path, algorithm: str, account: str) -> None:
    """Data rule 41: digests of others say nothing."""
    begun(tmp_path, entries((0, 1, 11, 5, 50)))
    assert "cannot be used" in opened(tmp_path, algorithm, account).why


def written(state: Confirmed, *rows: tuple[int, ...], run: str = "run-2") -> None:
    """Have a run of the job begin, and put what it is about to write in the journal."""
    state = opened(state.folder.parent)
    state.begin(run, "job", (NAMES, ORDERS), 0)
    state.write_ahead("job", drop_modes((NAMES,), state.meta.scopes), [(0, units(*rows).select(*WRITTEN))])


def confirm(state: Confirmed, *but: int, run: str = "run-2", minute: int = 2000) -> None:
    step = state.journal.step_of(run)
    assert step is not None
    step.confirm(End(minute, but))


def test_what_is_in_the_journal_counts_for_nothing(tmp_path: Path) -> None:
    """Data rule 41: dropped before the write, whatever happens then; the key stays known."""
    state = begun(tmp_path, entries((0, 1, 11, 5, 50), (0, 2, 12, 5, 51)))
    written(state, (0, 1, 11, 5, 50))
    for merges in (False, True):
        later = opened(tmp_path)
        if merges:
            later.merge()
        assert (known(later.entries(0)), later.entries(0).height) == ([(0, 12)], 2)
    assert not (tmp_path / "state" / "journal").exists()


def test_what_is_confirmed_counts_from_then_on(tmp_path: Path) -> None:
    """Data rules 41, 44: but for the units that are not; what was known before stays with the jobs that confirmed it."""
    state = begun(tmp_path, entries((0, 1, 11, 5, 50), (0, 2, 12, 5, 51)))
    written(state, (0, 1, 11, 5, 60), (0, 3, 13, 5, 61), (0, 2, 12, 5, 62))
    confirm(state, 2)
    for merges in (False, True):
        later = opened(tmp_path)
        if merges:
            later.merge()
        found = later.entries(0).sort("unit")
        assert found.select("unit", "low", "minute").rows() == [(11, 60, 2000), (12, 0, 1000), (13, 61, 2000)]


def test_steps_are_applied_in_their_order(tmp_path: Path) -> None:
    """Data rule 41: what a later run has written or left open is what counts, whatever an earlier one confirmed."""
    state = begun(tmp_path, entries((0, 1, 11, 5, 50), (0, 2, 12, 5, 51)))
    written(state, (0, 1, 11, 5, 60), (0, 2, 12, 5, 60))
    confirm(state)
    written(state, (0, 1, 11, 5, 70), run="run-3")
    written(state, (0, 2, 12, 5, 80), run="run-4")
    confirm(state, run="run-4", minute=4000)
    found = opened(tmp_path).entries(0).sort("unit")
    assert found.select("unit", "low").rows() == [(11, 0), (12, 80)]


def test_a_kill_while_the_journal_is_merged_brings_nothing_back(tmp_path: Path) -> None:
    """Data rule 41: whatever is left of the steps, a digest is that of the last confirmation or none."""
    state = begun(tmp_path, entries((0, 1, 11, 5, 50), (0, 2, 12, 5, 51)))
    written(state, (0, 1, 11, 5, 60))
    confirm(state)
    written(state, (0, 1, 11, 5, 70), (0, 2, 12, 5, 71), run="run-3")
    confirm(state, 1, run="run-3", minute=3000)
    rows = state.entries(0)
    write_frame(tmp_path / "state" / "00-0000", rows)
    killed = []
    files = sorted((tmp_path / "state" / "journal").glob("*/0000"))
    for path in files:
        killed.append(opened(tmp_path).entries(0).sort("unit").select("unit", "low").rows())
        path.unlink()
    killed.append(opened(tmp_path).entries(0).sort("unit").select("unit", "low").rows())
    assert (len(files), killed) == (2, [[(11, 70), (12, 0)]] * 3)


def test_a_long_journal_is_merged(tmp_path: Path) -> None:
    """Each step costs a little whenever the state is read."""
    rows = [(0, at, at, 5, 50) for at in range(1, 6000)]
    state = begun(tmp_path, entries(*rows))
    lengths = []
    for night in range(12):
        written(state, (0, night + 1, night + 1, 5, 60), run=f"night-{night}")
        confirm(state, run=f"night-{night}")
        opened(tmp_path).tidy()
        lengths.append(len(state.journal.steps()))
    assert lengths == [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3]
    assert opened(tmp_path).entries(0).filter(pl.col("low") == 60)["unit"].sort().to_list() == [*range(1, 13)]
    written(state, *((0, at, at, 5, 70) for at in range(1, 1000)), run="much")
    opened(tmp_path).tidy()
    assert state.journal.steps() == []


def test_a_step_that_was_never_begun_drops_nothing(tmp_path: Path) -> None:
    """Its head is written last: nothing was sent before."""
    state = begun(tmp_path, entries((0, 1, 11, 5, 50)))
    written(state, (0, 1, 11, 5, 60))
    next((tmp_path / "state" / "journal").glob("*/head.json")).unlink()
    assert known(opened(tmp_path).entries(0)) == [(0, 11)]
    written(state, (0, 1, 11, 5, 70), run="run-3")
    assert known(opened(tmp_path).entries(0)) == []


@pytest.mark.parametrize("name", ["0000", "head.json", "end.json"])
def test_a_damaged_journal_forgets_everything(tmp_path: Path, name: str) -> None:
    """Nobody can say what was written then."""
    state = begun(tmp_path, entries((0, 1, 11, 5, 50)))
    written(state, (0, 1, 11, 5, 0))
    confirm(state)
    next((tmp_path / "state" / "journal").glob(f"*/{name}")).write_bytes(b"torn")
    with pytest.raises(StateFault, match=r"torn|journal cannot be read") as fault:
        opened(tmp_path).entries(0)
    later = opened(tmp_path)
    later.reset(str(fault.value))
    later.begin("run-2", "job", (NAMES, ORDERS), 0)
    assert known(opened(tmp_path).entries(0)) == []


def test_a_key_that_is_written_as_a_whole_drops_all_of_its_profile(tmp_path: Path) -> None:
    """Data rule 41: also the digests of its orders, which have other units."""
    state = begun(tmp_path, entries((0, 1, 11, 5, 50), (1, 1, 21, 5, 51), (1, 2, 22, 5, 52)))
    state = opened(tmp_path)
    state.begin("run-2", "job", (NAMES, ORDERS, WHOLE), 0)
    state.write_ahead("job", drop_modes((WHOLE,), state.meta.scopes), [(0, units((2, 1, 11, 5, 60)).select(*WRITTEN))])
    assert known(opened(tmp_path).entries(0)) == [(1, 22)]


def test_a_write_by_another_key_drops_its_columns_in_all_partitions(tmp_path: Path) -> None:
    """Data rule 41: nobody can say whose profiles they are; such a step is merged at once."""
    far = 2**63 + 5
    others = [(1, far, at, 5, 52) for at in range(1000, 4000)]  # the journal is short beside them
    begun(tmp_path, entries((0, 1, 11, 5, 50), (0, far, 12, 5, 51), (1, far, 22, 5, 52), *others), bits=1)

    def left() -> list[list[tuple[int, int]]]:
        state = opened(tmp_path)
        return [known(state.entries(at).filter(pl.col("unit") < 1000)) for at in range(2)]

    state = opened(tmp_path)
    state.begin("run-2", "mail", (BY_MAIL,), 0)
    modes = drop_modes((BY_MAIL,), state.meta.scopes)
    state.write_ahead("mail", modes, [(0, units((2, 9, 99, 5, 60)).select(*WRITTEN))])
    assert left() == [[], [(1, 22)]]
    confirm(state)
    state.tidy()
    assert state.journal.steps() == []
    assert left() == [[(2, 99)], [(1, 22)]]


def test_a_state_is_split_as_the_journal_leaves_it(tmp_path: Path) -> None:
    """Steps are partitioned as the state was."""
    state = begun(tmp_path, entries((0, 1, 11, 5, 50)))
    written(state, (0, 2**63 + 5, 12, 5, 60))
    confirm(state)
    opened(tmp_path).begin("run-3", "job", (NAMES, ORDERS), 1)
    assert [known(opened(tmp_path).entries(at)) for at in range(2)] == [[(0, 11)], [(0, 12)]]


def test_partitions_split_where_a_run_has_more(tmp_path: Path) -> None:
    """Memory stays flat: a state that grows is partitioned anew, and nothing is lost."""
    far = 2**63 + 5
    begun(tmp_path, entries((0, 1, 11, 5, 50), (0, far, 12, 5, 51)))
    state = opened(tmp_path)
    state.begin("run-2", "job", (NAMES, ORDERS), 2)
    assert [known(opened(tmp_path).entries(at)) for at in range(4)] == [[(0, 11)], [], [(0, 12)], []]
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [
        "02-0000", "02-0001", "02-0002", "02-0003", "state.json",
    ]  # fmt: skip


def test_files_are_the_users_own(tmp_path: Path) -> None:
    """Nobody else reads what a database holds."""
    begun(tmp_path, entries((0, 1, 11, 5, 50)))
    for path in (tmp_path / "state").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    ("writer", "delete", "rows", "left"),
    [
        # The same columns: the unit, and a key that was sent as a whole; and whoever names profiles by another key.
        (NAMES, None, [(0, 1, 11, 5, 0)], [(0, 12), (1, 21)]),
        # Others of the same profiles: only where the key is spelled in another way.
        (POINTS, None, [(9, 1, 11, 5, 0)], [(0, 11), (0, 12), (1, 21), (2, 31)]),
        (POINTS, None, [(9, 1, 11, 6, 0)], [(0, 12), (1, 21), (2, 31)]),
        # An order: itself, and the key that was sent as a whole.
        (ORDERS, None, [(1, 1, 21, 5, 0)], [(0, 11), (0, 12), (2, 31)]),
        # A key that is sent as a whole: all of it.
        (WHOLE, None, [(3, 1, 11, 5, 0)], [(0, 12)]),
        # Another key of profiles: nobody can say whose; columns decide.
        (BY_MAIL, None, [(2, 9, 99, 5, 0)], [(1, 21), (2, 31)]),
        # A delete takes everything of the profile, or one order.
        (Scope("", ("Nr",), ("Nr",), (), ""), "profile", [(9, 1, 11, 5, 0)], [(0, 12)]),
    ],
)
def test_a_write_drops_what_it_touches(writer: Scope, delete: str | None, rows, left) -> None:
    """Data rule 41: in every job, by columns and keys."""
    scopes = [NAMES, ORDERS, BY_MAIL, WHOLE]
    known_scopes = [*scopes, *([] if writer in scopes else [Scope("", (), (), (), str(at)) for at in range(4, 9)])]
    if writer not in scopes:
        known_scopes.append(writer)
    stored = entries((0, 1, 11, 5, 50), (0, 2, 12, 5, 51), (1, 1, 21, 5, 52), (2, 7, 31, 5, 53), (3, 1, 11, 5, 54))
    found = dropped(stored, units(*rows).select(*WRITTEN), drop_modes((writer,), known_scopes, delete))
    assert (known(found), found.height) == (left, 5)


def test_only_equal_digests_of_the_same_scope_are_unchanged() -> None:
    """Data rule 41: per set of columns."""
    stored = entries((0, 1, 11, 5, 50), (1, 1, 12, 5, 51))
    asked = units((0, 1, 11, 5, 50), (1, 1, 11, 5, 50), (0, 1, 12, 5, 51), (0, 2, 11, 5, 50), (1, 1, 12, 5, 52))
    assert unchanged(stored, asked, 1000, 60).to_list() == [0]


def test_digests_are_due_between_half_and_the_whole_of_full_every() -> None:
    """Data rule 43: spread over the nights, and none later."""
    day = 24 * 60
    rows = [(0, 977 * at * 2**40 + at, at, 5, 50) for at in range(1, 3001)]
    stored = entries(*rows)
    still = [unchanged(stored, units(*rows), 1000 + nights * day, 30 * day).len() for nights in range(31)]
    assert still[:15] == [3000] * 15
    assert still[30] == 0
    sent = [before - after for before, after in pairwise(still)]
    assert max(sent) < 2 * 3000 / 15
    assert unchanged(stored, units(*rows), 1000, 0).len() == 0


def test_what_two_jobs_confirm_is_both_theirs() -> None:
    """Data rule 44: what another job confirmed is never gone."""
    both = with_confirmed(entries((0, 1, 11, 5, 50)), units((0, 1, 11, 5, 60), (0, 2, 12, 5, 61)), 2, 2000)
    assert both.sort("unit").select("unit", "jobs", "minute", "low").rows() == [(11, 3, 2000, 60), (12, 2, 2000, 61)]


def test_partitions_follow_the_number_of_digests() -> None:
    """Each is worked on as a whole."""
    assert [bits_for(count) for count in (0, 250_000, 250_001, 1_000_000, 10**12)] == [0, 0, 1, 2, 10]
