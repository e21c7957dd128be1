"""Guards that ask what earlier runs of the job have done."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest
import zstandard

from tests.support.shop import Shop

ADD = "target.action=add"


def test_an_add_of_content_that_was_sent_before_is_refused(shop: Shop) -> None:
    """The name does not matter, and what would happen is said."""
    shop.dump("1,Delft", "2,Ede")
    first = shop.done(ADD).document["run"]
    again = shop.write("other.csv", (shop.folder / "dump.csv").read_bytes())
    error = shop.refused("already_loaded", 5, ADD, files=(again,))
    assert error["what"] == (
        f"run {first} has sent this content already, and an add would make all of its records a second time"
    )
    assert error["where"] == str(again)
    shop.forced("already_loaded", ADD, files=(again,))
    assert shop.numbers() == ["1", "1", "2", "2"]


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("words", [(), ("--limit", "1")])
def test_neither_packing_nor_a_new_state_folder_makes_content_new(
    shop: Shop, pack: Callable[[bytes], bytes], words: tuple[str, ...]
) -> None:
    """Logrotate packs yesterday's dump, a container starts with an empty folder: what was added is known by its content."""
    rows = "Nr,City\n" + "".join(f"{number},Delft\n" for number in range(20_000))
    plain = shop.write("dump.csv", rows)
    first = shop.done(ADD, words=words).document["run"]
    suffix = {gzip.compress: ".gz", zstandard.compress: ".zst"}.get(pack, "")
    packed = shop.write(f"again.csv{suffix}", pack(plain.read_bytes()))
    for state in (".copernica-import", "another"):
        error = shop.refused("already_loaded", 5, ADD, files=(packed,), words=("--state-dir", str(shop.folder / state)))
        assert f"run {first} has sent this content already" in error["what"]


def test_a_dump_beside_its_packed_copy_is_added_once(shop: Shop) -> None:
    """A pattern that finds both would make every record twice; headers alone make none."""
    plain = shop.dump("1,Delft", name="dump1.csv")
    shop.write("dump1.csv.gz", gzip.compress(plain.read_bytes()))
    both = 'source.files=["dump1.*"]'
    error = shop.refused("already_loaded", 5, ADD, both)
    assert "dump1.csv has the same content" in error["what"]
    shop.forced("already_loaded", ADD, both)
    assert shop.numbers() == ["1", "1"]
    shop.dump(name="dump2.csv")
    shop.dump(name="dump3.csv")
    shop.done(ADD, 'source.files=["dump[23].csv"]', "guards.min_records=0")


def test_a_packed_file_that_was_sent_in_part_is_known_unpacked(shop: Shop) -> None:
    """The other way round: all of the content counts, though only its first row was read."""
    rows = ("Nr,City\n" + "".join(f"{number},Delft\n" for number in range(300_000))).encode()
    shop.done(ADD, files=(shop.write("a.csv.gz", gzip.compress(rows, 1)),), words=("--limit", "1"))
    shop.refused("already_loaded", 5, ADD, files=(shop.write("a.csv", rows),))


def test_content_of_which_nothing_was_sent_may_be_added(shop: Shop) -> None:
    """The API refused the first import: the same dump is no second one."""
    shop.dump("1,Delft")
    shop.sandbox.set_faults([{"kind": "400", "method": "POST", "path": "/v4/imports"}])
    assert shop.run(ADD).exit_code == 5
    shop.sandbox.set_faults([])
    shop.done(ADD)
    assert shop.numbers() == ["1"]


def test_another_job_may_add_the_same_content(shop: Shop) -> None:
    """One dump may feed two jobs; another database has a memory of its own."""
    shop.dump("1,Delft")
    shop.done(ADD)
    shop.done(ADD, "job=other")
    assert shop.numbers() == ["1", "1"]


def test_an_add_of_new_content_passes_and_other_actions_may_go_twice(shop: Shop) -> None:
    """Only an add of the same bytes doubles records."""
    shop.dump("1,Delft")
    shop.done(ADD)
    shop.dump("2,Delft")
    shop.done(ADD)
    shop.done()
    shop.done()
    assert shop.numbers() == ["1", "2"]


def test_a_part_that_was_sent_counts_and_a_run_that_sent_nothing_does_not(shop: Shop) -> None:
    """A run with a limit has sent some of the file; one that was refused has sent none."""
    shop.dump("1,Delft", "2,Ede", ",Urk")
    shop.refused("max_rejects", 4, ADD)
    shop.done(ADD, "guards.max_rejects=1", words=("--limit", "1"))
    shop.refused("already_loaded", 5, ADD, "guards.max_rejects=1")
    assert shop.numbers() == ["1"]


def test_only_new_skips_files_whose_content_is_confirmed(shop: Shop) -> None:
    """By content: a renamed file is skipped, a changed one is not."""
    new = "source.only_new=true"
    shop.dump("1,Delft", name="dump1.csv")
    shop.done(new)
    (shop.folder / "dump1.csv").rename(shop.folder / "dump2.csv")
    shop.dump("2,Ede", name="dump3.csv")
    ran = shop.done(new)
    assert [(file["path"], file["records"]) for file in ran.document["files"]] == [("dump3.csv", 1)]
    assert shop.numbers() == ["1", "2"]
    skipped = [_event(line) for line in ran.stderr.splitlines() if _event(line).get("event") == "file.skipped"]
    assert [event["file"] for event in skipped] == ["dump2.csv"]


def test_a_run_with_nothing_new_is_done_and_sends_nothing(shop: Shop) -> None:
    """Exit 0 and 0 files, whatever min_records says; the next run is compared with the last one that had rows."""
    words = ("source.only_new=true", "guards.min_share_of_last=80%")
    shop.dump(*(f"{number},Delft" for number in range(10)))
    shop.done(*words)
    before = len(shop.posted())
    ran = shop.done(*words)
    assert (ran.document["status"], ran.document["files"], ran.records["read"]) == ("done", [], 0)
    assert ran.document["rebuild"] == "not needed"
    assert len(shop.posted()) == before
    shop.dump("1,Ede")
    shop.refused("min_share_of_last", 4, *words)


def test_a_part_of_a_file_is_not_confirmed_content(shop: Shop) -> None:
    """A run with a limit never counts for only_new (data rule 35), nor does one that is not done."""
    new = "source.only_new=true"
    shop.dump("1,Delft", "2,Ede")
    shop.done(new, words=("--limit", "1"))
    assert shop.done(new).records["confirmed"] == 2


def _event(line: str) -> dict[str, object]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
