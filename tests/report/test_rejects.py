"""The rejects file holds every row that was set aside, with its original values, and can be read again."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.model.files import SourceFile
from pipeline.model.rows import JsonNumber
from pipeline.report.rejects import RejectsWriter
from tests.support.batches import csv_batch, faults, json_batch, source

NO_FAULTS = faults()


def codes_of(writer: RejectsWriter) -> dict[str, int]:
    """Sum what was set aside by code."""
    codes: dict[str, int] = {}
    for one in writer.set_aside:
        codes[one.code] = codes.get(one.code, 0) + one.count
    return codes


HEAD = "_file,_line,_record,_code,_column,_message,_raw"


def test_rejects_of_csv_stand_in_file_order_with_their_values(tmp_path):
    """Faulty rows and malformed records are one sequence; a malformed one has blank columns and its raw text."""
    batch = csv_batch(
        {"id": ["1", " 2 ", "3", '"4"'], "na,me": ["x", "", "a\nb", "c\rd"]},
        [1, 2, 4, 5],
        (4, 3, "field_count", "3 fields, the header has 2", "7,8,9"),
    )
    with RejectsWriter(tmp_path / "rejects") as writer:
        writer.write(batch, faults((3, "key_blank | too_long", "id | na,me", "blank | 3 of 2"), (1, "x_y", "id", "no")))
    assert writer.path == tmp_path / "rejects.csv"
    assert writer.path.read_bytes().decode() == (
        f'id,"na,me",{HEAD}\n'
        " 2 ,,a.csv,3,2,x_y,id,no,\n"
        ',,a.csv,4,3,field_count,,"3 fields, the header has 2","7,8,9"\n'
        '"""4""","c\rd",a.csv,6,5,key_blank | too_long,"id | na,me",blank | 3 of 2,\n'
    )
    assert codes_of(writer) == {"field_count": 1, "x_y": 1, "key_blank": 1, "too_long": 1}


def test_rejects_of_several_batches_have_one_header_and_count_every_code(tmp_path):
    """The header is written once, with the first reject; a row counts under each of its codes."""
    with RejectsWriter(tmp_path / "r.csv") as writer:
        writer.write(csv_batch({"id": ["1"]}, [1]), NO_FAULTS)
        writer.write(
            csv_batch({"id": ["2", "3"]}, [2, 3]), faults((0, "a | b", "id | x", "m | n"), (1, "b", "id", "m"))
        )
        writer.write(csv_batch({"id": ["4"]}, [4]), faults((0, "a", "id", "m")))
    assert (tmp_path / "r.csv").read_text() == (
        f"id,{HEAD}\n2,a.csv,3,2,a | b,id | x,m | n,\n3,a.csv,4,3,b,id,m,\n4,a.csv,5,4,a,id,m,\n"
    )
    assert codes_of(writer) == {"a": 2, "b": 2}


def test_columns_in_another_order_are_brought_into_that_of_the_first_file(tmp_path):
    """The first file sets the order, also when it has no reject."""
    other = source("b.csv", 1)
    with RejectsWriter(tmp_path / "r.csv") as writer:
        writer.write(csv_batch({"a": ["1"], "b": ["2"]}, [1]), NO_FAULTS)
        writer.write(csv_batch({"b": ["3"], "a": ["4"]}, [1], file=other), faults((0, "x", "a", "m")))
    assert (tmp_path / "r.csv").read_text() == f"a,b,{HEAD}\n4,3,b.csv,2,1,x,a,m,\n"


def test_a_column_that_only_a_later_file_has_comes_behind_the_others(tmp_path):
    """No value is lost: rows written before get the column blank, rows without it too."""
    with RejectsWriter(tmp_path / "r.csv") as writer:
        writer.write(csv_batch({"a": ['x"\n,y', ""]}, [1, 2]), faults((0, "c", "a", "m"), (1, "c", "a", "m")))
        writer.write(csv_batch({"late": ["7"], "a": ["8"]}, [1], file=source("b.csv", 1)), faults((0, "c", "a", "m")))
        writer.write(csv_batch({"a": ["9"]}, [1], file=source("c.csv", 2)), faults((0, "c", "a", "m")))
    assert (tmp_path / "r.csv").read_text() == (
        f'a,late,{HEAD}\n"x""\n,y",,a.csv,2,1,c,a,m,\n,,a.csv,3,2,c,a,m,\n8,7,b.csv,2,1,c,a,m,\n9,,c.csv,2,1,c,a,m,\n'
    )
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def test_a_file_that_is_not_whole_never_stands_in_its_place(tmp_path):
    """What is written grows beside; an exception leaves what was there before."""
    place = tmp_path / "r.csv"
    place.write_text("before")

    def stop_half_way():
        with RejectsWriter(place) as writer:
            writer.write(csv_batch({"a": ["1"]}, [1]), faults((0, "c", "a", "m")))
            assert place.read_text() == "before"
            raise KeyError

    with pytest.raises(KeyError):
        stop_half_way()
    assert (place.read_text(), [path.name for path in tmp_path.iterdir()]) == ("before", ["r.csv"])


def test_without_a_reject_there_is_no_file(tmp_path):
    """A rejects file of an earlier try would be taken for this one's."""
    place = tmp_path / "r.csv"
    place.write_text("before")
    with RejectsWriter(place) as writer:
        writer.write(csv_batch({"a": ["1"]}, [1]), NO_FAULTS)
    assert (writer.path, list(tmp_path.iterdir()), codes_of(writer)) == (None, [], {})


def test_without_a_place_rejects_are_only_counted():
    """`validate` without --rejects still names the codes."""
    with RejectsWriter(None) as writer:
        writer.write(csv_batch({"a": ["1"]}, [1], (3, 2, "nul", "m", "r")), faults((0, "c", "a", "m")))
    assert (writer.path, codes_of(writer)) == (None, {"c": 1, "nul": 1})


def test_the_file_is_private_even_where_an_old_part_was_not(tmp_path):
    """Customers' data is readable by its owner alone."""
    (tmp_path / "r.csv.part").touch(mode=0o644)
    with RejectsWriter(tmp_path / "r.csv") as writer:
        writer.write(csv_batch({"a": ["1"]}, [1]), faults((0, "c", "a", "m")))
    assert stat.S_IMODE((tmp_path / "r.csv").stat().st_mode) == 0o600


def test_rejects_never_overwrite_a_dump(tmp_path):
    """The place is compared with each dump before anything is renamed."""
    dump = tmp_path / "dump.csv"
    dump.write_text("a\n1\n")
    batch = csv_batch({"a": ["1"]}, [1], file=SourceFile(dump, "dump.csv", 0, 0, 0))
    with pytest.raises(UsageError, match="this would overwrite a dump of the run"), RejectsWriter(dump) as writer:
        writer.write(batch, NO_FAULTS)
    assert dump.read_text() == "a\n1\n"


@pytest.mark.parametrize("place", ["none/r.csv", "folder.csv"])
def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path, place):
    """Nobody reads a million records to learn that the folder is missing."""
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError):
        RejectsWriter(tmp_path / place)


def test_rejects_of_json_are_no_csv(tmp_path):
    """An object does not fit into columns."""
    with (
        pytest.raises(UsageError, match=r"rejects of the JSON file a.ndjson are no CSV"),
        RejectsWriter(tmp_path / "r.csv") as writer,
    ):
        writer.write(json_batch([{"a": "x"}], [(0, None, None)]), NO_FAULTS)


def test_rejects_of_csv_may_be_asked_for_as_ndjson(tmp_path):
    """Each is an object of the dump's columns; a malformed one has nulls."""
    batch = csv_batch({"a": ["", "ü"]}, [1, 3], (3, 2, "nul", "m", r"\x00"))
    with RejectsWriter(tmp_path / "r.ndjson") as writer:
        writer.write(batch, faults((0, "c", "a", "m"), (1, "c", "a", "m")))
    rows = [json.loads(line) for line in (tmp_path / "r.ndjson").read_text().splitlines()]
    trailer = {"_file": "a.csv", "_code": "c", "_column": "a", "_message": "m", "_raw": None}
    assert rows == [
        {"a": "", **trailer, "_line": 2, "_record": 1},
        {"a": None, **trailer, "_line": 3, "_record": 2, "_code": "nul", "_column": None, "_raw": r"\x00"},
        {"a": "ü", **trailer, "_line": 4, "_record": 3},
    ]


def test_a_json_reject_is_its_object_with_only_the_rejected_element(tmp_path):
    """Other lists and elements go, so that the file read again gives exactly the rejected rows; the rest stays."""
    person = {
        "id": JsonNumber("1e5"),
        "on": True,
        "none": None,
        "deep": {"Orders": [{"no": JsonNumber("1.10")}, {"no": JsonNumber("2.0")}], "kept": "é\ud800"},
        "Visits": [{"v": "a"}],
        "ignored": [JsonNumber("1"), "x"],
    }
    batch = json_batch(
        [person, {"id": "b", "Visits": {"v": "only"}}, {"id": "c"}],
        [(0, "deep.Orders", 1), (0, "deep.Orders", 2), (0, "Visits", 1), (1, "Visits", 1), (2, None, None)],
        (3, 3, "not_json", "no JSON", '{"x'),
        records=[1, 2, 4],
    )
    bad = faults((1, "a | b", "x | y", "m | n"), (2, "c", "v", "m"), (3, "c", "v", "m"), (4, "c", "id", "m"))
    with RejectsWriter(tmp_path / "rejects") as writer:
        writer.write(batch, bad)
    assert writer.path == tmp_path / "rejects.ndjson"
    lines = writer.path.read_bytes().splitlines()
    start = b'{"id":1e5,"on":true,"none":null,"deep":{'
    assert lines == [
        start + b'"Orders":[{"no":2.0}],"kept":"\\u00e9\\ud800"},"ignored":[1,"x"],"_file":"a.ndjson","_line":1,'
        b'"_record":1,"_element":2,"_code":"a | b","_column":"x | y","_message":"m | n","_raw":null}',
        start + b'"kept":"\\u00e9\\ud800"},"Visits":[{"v":"a"}],"ignored":[1,"x"],"_file":"a.ndjson","_line":1,'
        b'"_record":1,"_element":1,"_code":"c","_column":"v","_message":"m","_raw":null}',
        b'{"id":"b","Visits":{"v":"only"},"_file":"a.ndjson","_line":2,"_record":2,"_element":1,"_code":"c",'
        b'"_column":"v","_message":"m","_raw":null}',
        b'{"_file":"a.ndjson","_line":3,"_record":3,"_element":null,"_code":"not_json","_column":null,'
        b'"_message":"no JSON","_raw":"{\\"x"}',
        b'{"id":"c","_file":"a.ndjson","_line":4,"_record":4,"_element":null,"_code":"c","_column":"id",'
        b'"_message":"m","_raw":null}',
    ]
    assert codes_of(writer) == {"a": 1, "b": 1, "c": 3, "not_json": 1}


def test_a_json_reject_of_a_rejects_file_has_its_keys_once(tmp_path):
    """What an earlier run said about the object goes."""
    before = {"id": "ü", "_file": "old", "_line": JsonNumber("9"), "_raw": None, "_element": JsonNumber("3")}
    with RejectsWriter(tmp_path / "rejects") as writer:
        writer.write(json_batch([before], [(0, None, None)]), faults((0, "c", "id", "m")))
    assert (tmp_path / "rejects.ndjson").read_text() == (
        '{"id":"ü","_file":"a.ndjson","_line":1,"_record":1,"_element":null,"_code":"c","_column":"id",'
        '"_message":"m","_raw":null}\n'
    )


def test_a_list_is_found_behind_a_key_that_holds_dots(tmp_path):
    """A path such as a.b.c may be one key, or two."""
    batch = json_batch([{"a.b": {"c": [{"x": "1"}, {"x": "2"}]}}], [(0, "a.b.c", 1), (0, "a.b.c", 2)])
    with RejectsWriter(tmp_path / "rejects") as writer:
        writer.write(batch, faults((1, "c", "x", "m")))
    assert json.loads((tmp_path / "rejects.ndjson").read_text())["a.b"] == {"c": [{"x": "2"}]}


_CELLS = st.text(st.sampled_from("ab \",\n\r;'é\U0001f600#"), max_size=6)


@settings(derandomize=True, max_examples=60)
@given(st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=6))
def test_any_text_reads_back_as_it_was(tmp_path_factory, rows):
    """Quoting holds for every cell: the standard reader gives the values again."""
    place = Path(tmp_path_factory.mktemp("rejects")) / "r.csv"
    batch = csv_batch({"a": [row[0] for row in rows], "b": [row[1] for row in rows]}, list(range(1, len(rows) + 1)))
    with RejectsWriter(place) as writer:
        writer.write(batch, faults(*((at, "c", "a", "m") for at in range(len(rows)))))
    with place.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file, strict=True))
    assert [(row["a"], row["b"]) for row in read] == rows


def test_a_big_batch_makes_no_python_object_per_row(tmp_path):
    """A hundred thousand rejects are laid out by polars: the codes are counted and every row is there."""
    count = 100_000
    batch = csv_batch({"a": ["x"] * count}, list(range(1, count + 1)))
    bad = pl.DataFrame({"_row": range(count)}).select(
        pl.col("_row").cast(pl.UInt32),
        pl.lit("c | d").alias("_code"),
        pl.lit("a | b").alias("_column"),
        pl.lit("m | n").alias("_message"),
        pl.lit(value=False).alias("_by_target"),
    )
    with RejectsWriter(tmp_path / "r.csv") as writer:
        writer.write(batch, bad)
    assert codes_of(writer) == {"c": count, "d": count}
    assert (tmp_path / "r.csv").read_bytes().count(b"\n") == count + 1
