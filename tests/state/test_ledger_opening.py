"""Opening the ledger: what cannot be opened is answered with what helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import JobError
from pipeline.state.ledger import Ledger


def refusal(state_dir: Path) -> tuple[str, str]:
    """Open a ledger that cannot be opened; give what is said and advised."""
    with pytest.raises(JobError) as caught:
        Ledger(state_dir)
    (problem,) = caught.value.problems
    assert problem.where == str(state_dir / "ledger.sqlite")
    return problem.what, problem.do


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is there and can be written: only a backup helps, or doing without."""
    (tmp_path / "ledger.sqlite").write_bytes(b"garbage" * 300)
    what, do = refusal(tmp_path)
    assert what == "the ledger cannot be opened: file is not a database"
    assert do.startswith(
        "put it back from a backup, or move the state folder away: what was sent before is then not known"
    )


def test_a_damaged_database(tmp_path: Path) -> None:
    """One that was a ledger once."""
    Ledger(tmp_path).close()
    path = tmp_path / "ledger.sqlite"
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * 3996 + whole[4096:])
    what, do = refusal(tmp_path)
    assert what == "the ledger cannot be opened: database disk image is malformed"
    assert do.startswith("put it back from a backup")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """Nothing is damaged."""
    (tmp_path / "ledger.sqlite").mkdir()
    assert refusal(tmp_path) == (
        "the ledger cannot be opened: unable to open database file",
        "make the state folder writable",
    )
