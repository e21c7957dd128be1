"""`validate --accepted` writes canonical text under the target columns, and only for input that was not refused."""

from __future__ import annotations

import stat

import polars as pl
import pytest

from pipeline.errors import UsageError
from pipeline.model.files import SourceFile
from pipeline.report.accepted import AcceptedWriter
from tests.support.batches import csv_batch, source

ROWS = pl.DataFrame(
    {"ID": ["1", "2"], "Order.No": [None, 'a"b'], "_line": [2, 3], "_record": [1, 2], "_set": [0, 1]},
    schema_overrides={"_line": pl.UInt64, "_record": pl.UInt64},
)


def written(path, *, origin=False, columns=("Order.No", "ID")):
    with AcceptedWriter(path, columns, origin=origin) as writer:
        writer.write(csv_batch({}, [], file=source("x/a.csv")), ROWS)
        writer.write(csv_batch({}, [], file=source("b.csv", 1)), ROWS.head(1))
    return path.read_text() if path.exists() else None


def test_csv_has_the_target_columns_with_null_as_empty(tmp_path):
    """The order of columns is the run's, that of rows the one they came in."""
    assert written(tmp_path / "a.csv") == 'Order.No,ID\n,1\n"a""b",2\n,1\n'
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o600


def test_origin_follows_the_columns(tmp_path):
    """File, line and record say where each row came from."""
    assert written(tmp_path / "a.csv", origin=True) == (
        'Order.No,ID,_file,_line,_record\n,1,x/a.csv,2,1\n"a""b",2,x/a.csv,3,2\n,1,b.csv,2,1\n'
    )


def test_ndjson_has_an_object_per_row(tmp_path):
    """Null is the empty text here too."""
    assert written(tmp_path / "a.ndjson", origin=True) == (
        '{"Order.No":"","ID":"1","_file":"x/a.csv","_line":2,"_record":1}\n'
        '{"Order.No":"a\\"b","ID":"2","_file":"x/a.csv","_line":3,"_record":2}\n'
        '{"Order.No":"","ID":"1","_file":"b.csv","_line":2,"_record":1}\n'
    )


def test_an_empty_value_of_a_single_column_is_still_a_record(tmp_path):
    """A line without anything would be no record to any reader."""
    assert written(tmp_path / "a.csv", columns=("Order.No",)) == 'Order.No\n""\n"a""b"\n""\n'


def test_refused_input_leaves_what_was_there(tmp_path):
    """After an exception nothing has changed."""
    (tmp_path / "a.csv").write_text("before")

    def stop_half_way():
        with AcceptedWriter(tmp_path / "a.csv", ("ID",), origin=False) as writer:
            writer.write(csv_batch({}, []), ROWS)
            raise KeyError

    with pytest.raises(KeyError):
        stop_half_way()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "before")]


def test_accepted_rows_never_overwrite_a_dump(tmp_path):
    """However the path is written."""
    dump = tmp_path / "dump.csv"
    dump.write_text("a\n1\n")
    (tmp_path / "sub").mkdir()
    batch = csv_batch({}, [], file=SourceFile(dump, "dump.csv", 0, 0, 0))
    place = tmp_path / "sub" / ".." / "dump.csv"
    with (
        pytest.raises(UsageError, match="this would overwrite a dump"),
        AcceptedWriter(place, ("ID",), origin=False) as writer,
    ):
        writer.write(batch, ROWS)
    assert dump.read_text() == "a\n1\n"


@pytest.mark.parametrize(("name", "text"), [("a.csv", "ID\n"), ("a.ndjson", "")])
def test_the_file_is_there_without_a_row(tmp_path, name, text):
    """A header and no rows is an answer."""
    with AcceptedWriter(tmp_path / name, ("ID",), origin=False):
        pass
    assert (tmp_path / name).read_text() == text


def test_a_missing_folder_is_refused_at_once(tmp_path):
    """Before a record is read."""
    with pytest.raises(UsageError, match="the folder is missing"):
        AcceptedWriter(tmp_path / "none" / "a.csv", ("ID",), origin=False)
