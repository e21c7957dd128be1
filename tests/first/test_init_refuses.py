"""What `init` does with files that no job could read: a clear message, exit 3 or 4, and nothing written."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.support.command import call

GOOD = "id,name\n" + "".join(f"{at},Jan {at}\n" for at in range(30))


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", GOOD)
    return out.getvalue()


BAD = {
    "nothing": ("a.csv", b"", "is empty"),
    "blanks": ("a.csv", b"\n\n  \n", "nothing but blanks"),
    "an image": ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "is an image"),
    "noise": ("a.csv", bytes(range(1, 256)) * 50, ""),
    "a zip": ("a.csv", zipped(), "is a zip archive"),
    "a header alone": ("a.csv", b"id,name,city\n", "has a header and no record"),
    "doubled headers": ("a.csv", b"id,name,name\n" + b"1,Jan,Piet\n" * 30, "has a column twice"),
    "blank headers": ("a.csv", b"id,,name\n" + b"1,Jan,Piet\n" * 30, "has no name for column"),
    "a header of 10 MB": ("a.csv", b"column_100001," * 800_000 + b"\n1,2\n", "header"),
    "two tables": ("a.csv", GOOD.encode() + b"\norder,total\n1,2.50\n2,3.50\n", "a second table begins in line 33"),
    "one JSON object": ("a.json", b'{"id": 1, "name": "Jan",\n "more": {"a": 1}}\n', "is one JSON object"),
    "a broken array": ("a.json", b'[{"id": 1}, {"id": 2}', ""),
    "an empty array": ("a.json", b"[]", "no record"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    """The message names the file and says what it is; no folder appears."""
    file, content, words = BAD[name]
    dump = tmp_path / file
    dump.write_bytes(content)
    ran = call("init", dump, "--out", tmp_path / "out")
    assert ran.exit_code in (3, 4), ran.stdout
    assert ran.document["status"] == "refused"
    assert any(words in error["what"] for error in ran.document["errors"]), ran.document
    assert file in "".join(error["where"] for error in ran.document["errors"])
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "out").exists()


def test_one_column_is_a_table(tmp_path: Path) -> None:
    """A list of addresses is a good file."""
    dump = tmp_path / "addresses.csv"
    dump.write_text("email\n" + "".join(f"anna{at}@shop.test\n" for at in range(40)))
    ran = call("init", dump, "--out", tmp_path)
    assert (ran.exit_code, ran.document["key_fields"]) == (0, ["email"])


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    """Only --force writes over a job that somebody may have edited."""
    dump = tmp_path / "people.csv"
    dump.write_text(GOOD)
    assert call("init", dump, "--out", tmp_path).exit_code == 0
    (tmp_path / "people.yaml").write_text("mine")
    refused = call("init", dump, "--out", tmp_path)
    assert (refused.exit_code, (tmp_path / "people.yaml").read_text()) == (3, "mine")
    assert call("init", dump, "--out", tmp_path, "--force").exit_code == 0
    assert (tmp_path / "people.yaml").read_text() != "mine"


@pytest.mark.parametrize(
    ("words", "where"),
    [(["--key", "nothing"], "--key"), (["--job", "a b/c"], "--job"), (["--database", "7"], "--database")],
)
def test_words_that_cannot_be_are_refused(tmp_path: Path, words: list[str], where: str) -> None:
    """A key that is no column, a name that is none, a database by id that nobody can look up."""
    dump = tmp_path / "people.csv"
    dump.write_text(GOOD)
    ran = call("init", dump, "--out", tmp_path / "out", *words)
    assert (ran.exit_code, ran.document["errors"][0]["where"]) == (3, where)
    assert not (tmp_path / "out").exists()


def test_no_file_of_that_name(tmp_path: Path) -> None:
    """A pattern without a file is refused like anywhere else."""
    assert call("init", tmp_path / "no.csv", "--out", tmp_path / "out").exit_code == 4


DIFFERENT = {
    "encoding": (b"id,name\n1,Jos\xc3\xa9\n", b"id,name\n2,Jos\xe9\n"),
    "delimiter": (b"id,name\n1,Ann\n2,Bob\n", b"id;name\n3;Cas\n4;Dirk\n"),
    "number of lines before the header": (b"id,name\n1,Ann\n2,Bob\n", b"Export of today\n\nid,name\n3,Cas\n4,Dirk\n"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_files_that_are_written_in_different_ways_are_named(tmp_path: Path, what: str) -> None:
    """One job reads all of them in one way; the first file does not speak for the others."""
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file, content in zip(files, DIFFERENT[what], strict=True):
        file.write_bytes(content)
    ran = call("init", *files, "--out", tmp_path / "out")
    assert ran.exit_code == 4
    (error,) = ran.document["errors"]
    assert error["what"].startswith(f"the files differ in their {what} (")
    assert "a.csv: " in error["what"]
    assert "b.csv: " in error["what"]
    assert not (tmp_path / "out").exists()


def test_files_with_other_columns_are_named(tmp_path: Path) -> None:
    """A column of `columns` must be in every file."""
    (tmp_path / "a.csv").write_bytes(b"id,name\n1,Ann\n")
    (tmp_path / "b.csv").write_bytes(b"name,id,city\nBob,2,Ede\n")
    ran = call("init", tmp_path / "a.csv", tmp_path / "b.csv", "--out", tmp_path / "out")
    assert ran.exit_code == 4
    (error,) = ran.document["errors"]
    assert error["what"] == f"the files differ in their columns: city is in {tmp_path}/b.csv only"


def test_files_of_plain_ascii_go_with_any_encoding(tmp_path: Path) -> None:
    """As do another order of the columns, and a file that holds a header alone."""
    (tmp_path / "a.csv").write_bytes(b"id;name\n1;Ann\n")
    (tmp_path / "b.csv").write_bytes("name;id\nZo\xeb, Bob;2\n".encode("cp1252"))
    (tmp_path / "c.csv").write_bytes(b"id;name\n")
    ran = call("init", *(tmp_path / f"{name}.csv" for name in "abc"), "--out", tmp_path / "out", "--key", "id")
    assert ran.exit_code == 0, ran.document
    assert "encoding: cp1252" in (tmp_path / "out" / "a.yaml").read_text()
    assert [one["from"] for one in ran.document["columns"]] == ["id", "name"]
