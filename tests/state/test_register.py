"""The register of a database: what other runs still have on the wire, and have sent since."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import polars as pl
import pytest

from pipeline.errors import JobError
from pipeline.log import invocation
from pipeline.state.register import Register, RunRegister

API = "https://api.copernica.com"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Opened = Callable[..., Register]


def keys(*numbers: int) -> pl.Series:
    """Return `_key`s as staged rows have them."""
    return pl.Series(numbers, dtype=pl.UInt64)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open the register of one host for a state folder."""
    running: list[Register] = []

    def open_register(state: str = "state", host: str = "host", database: int = 7) -> Register:
        environ = {"COPERNICA_HOST_DIR": str(tmp_path / host)}
        running.append(Register.open(API, database, tmp_path / state, environ))
        return running[-1]

    yield open_register
    for one in running:
        one.close()


def begun(register: Register, run: str, *key_fields: str) -> RunRegister:
    """Begin a run, keyed by ID where nothing else is named."""
    notes = register.of_run(run, run.partition("-")[0], key_fields or ("ID",))
    notes.begin()
    return notes


def send(
    notes: RunRegister, *numbers: int, columns: tuple[str, ...] = ("City",), ordinal: int = 1, at: datetime = NOON
) -> None:
    """Note an import that may run for an hour."""
    notes.sending(ordinal, keys(*numbers), ("ID", *columns), at, at + HOUR)


def notes_on_disk(tmp_path: Path, place: str = "host") -> int:
    """Count the notes of a file, as another process sees them."""
    (path,) = (tmp_path / place / "registers").glob("*.sqlite")
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM note").fetchone()[0])
    finally:
        connection.close()


# ---- what an import of another run may still hold (data rule 38)


@pytest.mark.parametrize("state", ["state", "another state folder"])
def test_an_import_of_another_run_holds_its_keys_until_it_can_run_no_more(opened: Opened, state: str) -> None:
    """Of any state folder, to the millisecond; the run's own imports are its own business."""
    first = begun(opened(), "full-1")
    second = begun(opened(state), "delta-1")
    send(first, 1, 2)
    held = second.held(keys(2, 3, 1), NOON + HOUR - timedelta(milliseconds=1))
    assert (held.rows.to_list(), held.until) == ([True, False, True], NOON + HOUR)
    after = second.held(keys(2, 3, 1), NOON + HOUR)
    assert (after.rows.to_list(), after.until) == ([False] * 3, None)
    assert not first.held(keys(1, 2), NOON).rows.any()


def test_what_is_final_holds_nothing(opened: Opened) -> None:
    first, second = begun(opened(), "full-1"), begun(opened(), "delta-1")
    send(first, 1, ordinal=1)
    send(first, 2, ordinal=2)
    first.final(1)
    assert second.held(keys(1, 2), NOON).rows.to_list() == [False, True]


def test_the_latest_of_several_imports_counts_and_only_of_those_that_share_a_key(opened: Opened) -> None:
    first, second = begun(opened(), "full-1"), begun(opened(), "delta-1")
    for ordinal, (number, minutes) in enumerate([(1, 0), (1, 5), (2, 9)]):
        send(first, number, ordinal=ordinal, at=NOON + timedelta(minutes=minutes))
    assert second.held(keys(1), NOON).until == NOON + HOUR + timedelta(minutes=5)


def test_one_that_was_sent_twice_holds_the_keys_of_both(opened: Opened) -> None:
    """What may still run of the first is not forgotten with the second, nor when that is taken back."""
    first, second = begun(opened(), "full-1"), begun(opened(), "delta-1")
    send(first, 1, 2)
    send(first, 1)
    assert second.held(keys(1, 2), NOON).rows.all()
    first.withdrawn(1)
    assert second.held(keys(1, 2), NOON).rows.all()
    first.withdrawn(1)
    assert not second.held(keys(1, 2), NOON).rows.any()


def test_a_run_with_other_key_fields_holds_everything(opened: Opened) -> None:
    """Whose profiles those are cannot be known; a row without a key is nobody's."""
    first, second = begun(opened(), "full-1", "Email"), begun(opened(), "delta-1", "ID")
    send(first, 1)
    assert second.held(keys(2, 0), NOON).rows.to_list() == [True, False]


def test_rows_without_a_key_hold_nothing(opened: Opened) -> None:
    """An `add` may have no key fields."""
    first, second = opened().of_run("add-1", "add", ()), begun(opened(), "delta-1")
    first.begin()
    send(first, 0)
    assert not second.held(keys(1, 0), NOON).rows.any()


def test_databases_have_registers_of_their_own(opened: Opened) -> None:
    first, second = begun(opened(), "full-1"), begun(opened(database=8), "delta-1")
    send(first, 1)
    assert not second.held(keys(1), NOON).rows.any()


# ---- what another run has sent since (data rule 40)


def test_an_older_run_of_the_job_that_is_finished_first_overtakes_nothing(opened: Opened) -> None:
    """Data rule 40: two open runs of a job are finished one after the other; what the first one sends is older."""
    register = opened()
    older, newer = begun(register, "full-1"), begun(register, "full-2")
    send(older, 1)
    send(begun(register, "other-1"), 2)
    assert newer.overtaken(keys(1, 2), ("City",)).to_list() == [False, True]
    send(newer, 3)
    assert older.overtaken(keys(3), ("City",)).to_list() == [True]
    older.end()
    assert newer.overtaken(keys(1, 2), ("City",)).to_list() == [False, True]


def test_what_another_run_has_sent_since_is_overtaken_in_its_columns(opened: Opened) -> None:
    """Final or not; the key itself is no column that is written, and whole records are all columns."""
    old, new = begun(opened(), "full-1"), begun(opened("elsewhere"), "delta-1")
    send(new, 1, columns=("City",))
    new.final(1)
    for columns, overtaken in [(("ID", "City"), True), (("ID", "Name"), False), (("ID",), False), (None, True)]:
        assert old.overtaken(keys(1, 2), columns).to_list() == [overtaken, False]
    new.sending(2, keys(2), None, NOON, None)
    assert old.overtaken(keys(1, 2), ("Name",)).to_list() == [False, True]


def test_what_was_sent_before_the_run_began_is_older(opened: Opened) -> None:
    """By the order of the notes, so that no clock can turn it round."""
    new = begun(opened(), "delta-1")
    begun(opened(), "keeps-all-notes")
    send(new, 1, at=NOON + HOUR)
    late = begun(opened(), "full-1")
    send(new, 2, ordinal=2, at=NOON - HOUR)
    assert late.overtaken(keys(1, 2), ("City",)).to_list() == [False, True]


def test_what_a_run_has_sent_itself_after_another_one_is_newer(opened: Opened) -> None:
    """Both were open before either sent: the one that sent last goes on, whatever became of its import; the other does not."""
    one, two = begun(opened(), "full-1"), begun(opened(), "delta-1")
    send(one, 1, 2)
    send(two, 1)
    assert one.overtaken(keys(1, 2), ("City",)).to_list() == [True, False]
    assert two.overtaken(keys(1, 2), ("City",)).to_list() == [False, True]
    send(one, 1, columns=("Name",), ordinal=2)
    assert one.overtaken(keys(1), ("City",)).to_list() == [True]  # it has written other columns since
    send(one, 1, ordinal=3)
    assert one.overtaken(keys(1), ("City",)).to_list() == [False]


def test_a_run_that_begins_again_is_as_old_as_it_was(opened: Opened) -> None:
    """A resumed run reads no newer dump."""
    old, new = begun(opened(), "full-1"), begun(opened(), "delta-1")
    send(new, 1)
    old.begin()
    assert old.overtaken(keys(1), ("City",)).to_list() == [True]


def test_a_run_with_other_key_fields_overtakes_everything_in_its_columns(opened: Opened) -> None:
    old, new = begun(opened(), "full-1", "Email"), begun(opened(), "delta-1", "ID")
    send(new, 1)
    assert old.overtaken(keys(5, 0), ("City",)).to_list() == [True, False]
    assert old.overtaken(keys(5, 0), ("Name",)).to_list() == [False, False]


def test_many_notes_are_compared_like_one(opened: Opened) -> None:
    """More keys than are compared at once."""
    old, new = begun(opened(), "full-1"), begun(opened(), "delta-1")
    numbers = pl.Series(range(1, 2_400_001), dtype=pl.UInt64)
    for ordinal in range(6):
        new.sending(ordinal, numbers.slice(ordinal * 400_000, 400_000), ("City",), NOON, None)
    assert old.overtaken(keys(1, 1_200_000, 2_400_000, 2_400_001), ("City",)).to_list() == [True, True, True, False]


def test_keys_that_another_version_of_the_hash_has_noted_count_as_all(opened: Opened, tmp_path: Path) -> None:
    """What cannot be compared may be the same."""
    old, new = begun(opened(), "full-1"), begun(opened(), "delta-1")
    send(new, 1)
    for path in tmp_path.glob("*/registers/*.sqlite"):
        connection = sqlite3.connect(path)
        connection.execute("UPDATE note SET scheme = scheme + 1")
        connection.commit()
        connection.close()
    assert old.overtaken(keys(5), ("City",)).to_list() == [True]
    assert old.held(keys(5), NOON).rows.to_list() == [True]


def test_a_run_that_was_open_for_months_knows_nothing_of_what_came_since(opened: Opened, tmp_path: Path) -> None:
    """Its notes were not kept for it, so that every key counts as sent."""
    old = begun(opened(), "full-1")
    for path in tmp_path.glob("*/registers/*.sqlite"):
        connection = sqlite3.connect(path)
        connection.execute("UPDATE run SET began_ms = began_ms - 31 * 86400000")
        connection.commit()
        connection.close()
    assert not old.overtaken(keys(5), ("City",)).any()
    begun(opened(), "delta-1")
    assert old.overtaken(keys(5, 0), ("City",)).to_list() == [True, False]


# ---- what is kept, and where


def test_nothing_is_kept_that_no_open_run_could_need(opened: Opened, tmp_path: Path) -> None:
    """A note goes when it is final and no older run is open, else when that one ends."""
    new = begun(opened(), "delta-1")
    send(new, 1)
    assert notes_on_disk(tmp_path) == notes_on_disk(tmp_path, "state") == 1
    new.final(1)
    assert notes_on_disk(tmp_path) == notes_on_disk(tmp_path, "state") == 0
    old = begun(opened(), "full-1")
    send(new, 1, ordinal=2)
    new.final(2)
    new.end()
    assert notes_on_disk(tmp_path) == 1
    old.end()
    assert notes_on_disk(tmp_path) == 0


def test_a_closed_run_whose_import_may_still_run_holds_its_keys(opened: Opened, tmp_path: Path) -> None:
    """Closing it by decision does not stop the import."""
    first, second = begun(opened(), "full-1"), begun(opened(), "delta-1")
    now = datetime.now(UTC)
    send(first, 1, at=now)
    first.end()
    assert second.held(keys(1), now).rows.all()
    first.final(1)
    second.end()
    assert notes_on_disk(tmp_path) == 0


def test_either_file_answers_for_the_other(opened: Opened, tmp_path: Path) -> None:
    """A host folder that is lost, as with a container, and a state folder that is new."""
    send(begun(opened(), "full-1"), 1)
    for state, host, held in [("state", "new host", True), ("new state", "host", True), ("no", "nothing", False)]:
        assert begun(opened(state, host), "delta-1").held(keys(1), NOON).rows.to_list() == [held]


def test_a_register_that_is_not_the_one_of_earlier_runs_is_warned_of(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: the next run finds it as it left it."""
    with invocation(()):
        opened()
        opened()
        assert caplog.records == []
        opened(host="another")
        opened(host="another")
    assert [(record.event["event"], record.levelname) for record in caplog.records] == [("register.new", "WARNING")]


def test_a_note_is_on_disk_when_the_verb_returns(opened: Opened, tmp_path: Path) -> None:
    """Seen from another connection, and synced: a power cut takes no import that is on the wire."""
    register = opened()
    send(begun(register, "full-1"), 1)
    assert notes_on_disk(tmp_path) == 1
    for one in register._files:
        assert one._db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert one._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_no_key_and_no_hash_of_staged_rows_stands_in_the_file(opened: Opened, tmp_path: Path) -> None:
    """Salted: two databases, or two files, have other hashes of one key."""
    number = 0x1122334455667788
    register = opened()
    send(begun(register, "full-1"), number)
    register.close()
    for path in tmp_path.glob("*/registers/*"):
        assert number.to_bytes(8, "little") not in path.read_bytes()
    one, other = (file._salted(keys(number)) for file in opened()._files)
    assert one[0] != other[0]


def test_the_latest_time_that_was_noted_is_known(opened: Opened) -> None:
    """A clock that was set back does not go behind it (data rule 28)."""
    register = opened()
    assert register.latest() is None
    notes = begun(register, "full-1")
    send(notes, 1, at=NOON)
    send(notes, 2, ordinal=2, at=NOON - HOUR)
    assert register.latest() == NOON
    for ordinal in (1, 2):
        notes.final(ordinal)
    assert register.latest() == opened("another state folder").latest() == NOON


def test_threads_share_a_register(opened: Opened) -> None:
    """Each note is there, and none is doubled."""
    notes = begun(opened(), "full-1")
    threads = [Thread(target=send, args=(notes, number), kwargs={"ordinal": number}) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert begun(opened(), "delta-1").held(keys(*range(1, 10)), NOON).rows.to_list() == [True] * 8 + [False]


# ---- contents that an `add` has loaded (data rule 35)


def test_content_is_remembered_once_something_was_sent(opened: Opened) -> None:
    """By job and database, for every state folder; also after the run was closed."""
    register = opened()
    notes = register.of_run("orders-1", "orders", ("ID",))
    notes.begin(["abc", "def"])
    assert register.of_run("x", "orders", ()).loaded("abc") is None
    send(notes, 1)
    notes.final(1)
    notes.end()
    elsewhere = opened("new state folder")
    assert (
        elsewhere.of_run("x", "orders", ()).loaded("abc")
        == elsewhere.of_run("x", "orders", ()).loaded("def")
        == "orders-1"
    )
    assert elsewhere.of_run("x", "other", ()).loaded("abc") is elsewhere.of_run("x", "orders", ()).loaded("xyz") is None
    assert opened(database=8).of_run("x", "orders", ()).loaded("abc") is None


def test_content_of_which_certainly_nothing_was_sent_is_forgotten(opened: Opened) -> None:
    """The API refused the first import: nothing is there twice when it is sent again."""
    register = opened()
    notes = register.of_run("orders-1", "orders", ("ID",))
    notes.begin(["abc"])
    send(notes, 1)
    assert register.of_run("x", "orders", ()).loaded("abc") == "orders-1"
    notes.withdrawn(1)
    assert register.of_run("x", "orders", ()).loaded("abc") is None
    notes.end()
    assert register.of_run("x", "orders", ()).loaded("abc") is None


def test_content_that_is_named_later_counts_too(opened: Opened) -> None:
    """A file's digest is known when it was read, which is after the run began."""
    register = opened()
    notes = register.of_run("orders-1", "orders", ("ID",))
    notes.begin()
    notes.begin(["abc"])
    send(notes, 1)
    assert register.of_run("x", "orders", ()).loaded("abc") == "orders-1"


# ---- a register that cannot be used


def damaged(tmp_path: Path, content: bytes) -> tuple[str, str]:
    """Put something else into the place of the shared file; return the problem's words."""
    path = tmp_path / "host" / "registers" / "api.copernica.com-443-database-7.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(JobError) as caught:
        Register.open(API, 7, tmp_path / "state", {"COPERNICA_HOST_DIR": str(tmp_path / "host")})
    (problem,) = caught.value.problems
    assert problem.where == str(path)
    return problem.what, problem.do


def test_a_file_that_is_no_register_refuses(tmp_path: Path) -> None:
    """Going on without it could put older values on top of newer ones; the way out is named."""
    what, do = damaged(tmp_path, b"garbage" * 300)
    assert what == "the register of the database cannot be opened: file is not a database"
    assert "delete it: the next run makes a new one" in do


def test_a_torn_register_refuses(opened: Opened, tmp_path: Path) -> None:
    """Also where the damage lies behind the part that is read first."""
    register = opened()
    for ordinal in range(5):
        send(begun(register, "full-1"), *range(1, 2000), ordinal=ordinal)
    register.close()
    whole = (tmp_path / "host" / "registers" / "api.copernica.com-443-database-7.sqlite").read_bytes()
    for content in (
        whole[: len(whole) // 2],
        whole[:100] + b"\xff" * 3996 + whole[4096:],
        whole[:8192] + b"\xff" * 4096 + whole[12288:],
    ):
        what, _ = damaged(tmp_path, content)
        assert what.startswith("the register of the database cannot be opened: ")


def test_an_empty_file_is_a_new_register(opened: Opened, tmp_path: Path) -> None:
    """What a power cut left of one that was just made."""
    path = tmp_path / "host" / "registers" / "api.copernica.com-443-database-7.sqlite"
    path.parent.mkdir(parents=True)
    path.touch()
    send(begun(opened(), "full-1"), 1)
    assert notes_on_disk(tmp_path) == 1


def test_a_register_of_a_newer_version_refuses(opened: Opened, tmp_path: Path) -> None:
    """It may hold what this version does not understand."""
    opened().close()
    path = tmp_path / "host" / "registers" / "api.copernica.com-443-database-7.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(JobError, match="the register has format 99, this version reads 2"):
        opened()


def test_a_register_of_an_older_version_is_brought_up_to_date(opened: Opened, tmp_path: Path) -> None:
    """With what it holds."""
    send(begun(opened(), "full-1"), 1)
    for path in tmp_path.glob("*/registers/*.sqlite"):
        connection = sqlite3.connect(path)
        connection.execute("ALTER TABLE about DROP COLUMN latest_ms")
        connection.execute("PRAGMA user_version=1")
        connection.commit()
        connection.close()
    register = opened()
    assert begun(register, "delta-1").held(keys(1), NOON).rows.all()
    assert register.latest() is None


def test_a_folder_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    (tmp_path / "host").write_text("")
    with pytest.raises(JobError, match="the register of the database cannot be opened: ") as caught:
        Register.open(API, 7, tmp_path / "state", {"COPERNICA_HOST_DIR": str(tmp_path / "host")})
    assert caught.value.problems[0].do == "make its folder writable for whoever runs a job here"
