"""Files that the program wrote are read again as they were meant, also when a spreadsheet has saved them (data rule 40)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.journey import Journey
from tests.support.shop import Shop, open_shop

STRUCTURE = {
    "databases": [
        {
            "name": "Shop",
            "fields": [
                {"name": "Nr", "type": "text", "length": 20, "index": True},
                {"name": "City", "type": "text", "length": 50},
                {"name": "Balance", "type": "float"},
                {"name": "Born", "type": "date"},
            ],
            "interests": [],
            "collections": [],
        }
    ]
}
SCHEMA = """\
import datetime
import pandera.polars as pa
from pipeline.fields import Date, Decimal, Text

class Shop(pa.DataFrameModel):
    Nr: str = Text(20)
    City: str = Text(20, nullable=True, required=False)
    Balance: float = Decimal(nullable=True, required=False)
    Born: datetime.date = Date(nullable=True, required=False)
"""
DUTCH = {"source.decimal": ",", "source.thousands": ".", "source.dates": ["%Y-%d-%m"]}
OPEN_GUARDS = {"guards.max_rejects": "100%", "guards.min_records": 0, "guards.unique_keys": "off"}


@pytest.fixture
def market(journey: Callable[..., Journey]) -> Shop:
    """Open a shop with numbers and dates."""
    shop = open_shop(journey, STRUCTURE)
    shop.write("schema.py", SCHEMA)
    shop.configure(OPEN_GUARDS)
    return shop


def _failed(shop: Shop, row: str, columns: str = "Nr,City,Balance,Born") -> Path:
    """Write a failed.csv as a run leaves it."""
    trailing = "_file,_line,_record,_code,_column,_message,_raw"
    return shop.write("failed.csv", f"{columns},{trailing}\n{row},dump.csv,2,1,several_matches,,two records,\n")


def _left(shop: Shop) -> list[dict[str, Any]]:
    return [one["fields"] for one in shop.profiles("Shop")]


def _rejects(shop: Shop, *settings: str, files: tuple[Path, ...] = ()) -> list[dict[str, str]]:
    """Run the job, and return the rows of its rejects file."""
    ran = shop.run(*settings, files=files)
    assert ran.exit_code == 0, ran.stderr
    return _rows(Path(ran.document["rejects"]))


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True))


def _mended(path: Path, changes: dict[str, str], folder: Path) -> Path:
    """Change cells of the only row of a rejects file."""
    (row,) = _rows(path)
    place = folder / "mended.csv"
    with place.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow({**row, **changes})
    return place


def test_canonical_text_is_not_read_with_the_marks_of_the_job(market: Shop) -> None:
    """A `1.500` of failed.csv stays one and a half where the dump's `1.500` is fifteen hundred; so do day and month."""
    market.configure({**OPEN_GUARDS, **DUTCH})
    market.done(files=(_failed(market, "1,Delft,1.500,2001-02-03"),))
    market.done(files=(market.dump('2,Gouda,"1.500,5",2001-02-03', header="Nr,City,Balance,Born"),))
    assert [(one["Balance"], one["Born"]) for one in _left(market)] == [("1.5", "2001-02-03"), ("1500.5", "2001-03-02")]


def test_accepted_rows_with_their_origin_are_canonical(market: Shop) -> None:
    """`validate --accepted --origin` and `run` of what it wrote leave what `run` of the dump leaves, in CSV and NDJSON."""
    market.configure({**OPEN_GUARDS, **DUTCH})
    dump = market.dump('1,=Delft,"1.500,5",2001-02-03', header="Nr,City,Balance,Born")
    for name in ("accepted.csv", "accepted.ndjson"):
        accepted = market.folder / name
        ran = market.call("validate", market.job, dump, "--accepted", accepted, "--origin")
        assert ran.exit_code == 0, ran.stderr
        market.done(files=(accepted,))
        fields = {"Nr": "1", "City": "=Delft", "Balance": "1500.5", "Born": "2001-03-02"}
        assert _left(market) == [fields]


def test_an_absent_cell_stays_absent_until_it_is_filled(market: Shop) -> None:
    """A file without `City` gives `column_absent`; its reject run again untouched does not wipe the field."""
    settings = {**OPEN_GUARDS, "target.ignore_empty_fields": False}
    market.configure({**settings, "constants": {"Balance": "1", "Born": "2001-02-03"}})
    first, second = market.dump("1,Delft", name="a.csv"), market.dump("2", header="Nr", name="b.csv")
    (row,) = _rejects(market, files=(first, second))
    assert (row["Nr"], row["City"], row["_code"], row["_column"]) == ("2", "", "column_absent", "City")
    rejects = _copy(market)
    (again,) = _rejects(market, files=(rejects,))
    assert again["_code"] == "column_absent"
    assert market.numbers() == ["1"]
    market.done(files=(_mended(rejects, {"City": "Gouda"}, market.folder),))
    assert [one["City"] for one in _left(market)] == ["Delft", "Gouda"]


def _copy(shop: Shop) -> Path:
    """Copy the rejects file of the last run out of its folder."""
    newest = max(shop.state.glob("runs/*/rejects.csv"), key=lambda path: path.stat().st_mtime_ns)
    return shop.write("rejects.csv", newest.read_bytes())


def test_a_mended_reject_does_not_overwrite_a_newer_row(market: Shop) -> None:
    """It is `overtaken` while `_followed_by` names the newer row, in the second reading and in the third."""
    header = "Nr,City,Born"
    (row,) = _rejects(market, files=(market.dump("1,OLD,31-12-1980", "1,NEW,1980-12-31", header=header),))
    assert (row["City"], row["_followed_by"]) == ("OLD", f"{market.folder}/dump.csv line 3")
    mended = _mended(_copy(market), {"Born": "1980-12-31"}, market.folder)
    (again,) = _rejects(market, files=(mended,))
    assert (again["_code"], again["_followed_by"]) == ("overtaken", row["_followed_by"])
    (third,) = _rejects(market, files=(_copy(market),))
    assert (third["_code"], third["City"]) == ("overtaken", "OLD")
    assert [one["City"] for one in _left(market)] == ["NEW"]
    market.done(files=(_mended(mended, {"_followed_by": ""}, market.folder),))
    assert [one["City"] for one in _left(market)] == ["OLD"]


def test_a_reject_that_nothing_follows_has_no_such_column(market: Shop) -> None:
    """The trailing columns are those of the contract; an earlier row of the key follows nothing."""
    (row,) = _rejects(market, files=(market.dump("1,NEW,1980-12-31", "1,OLD,31-12-1980", header="Nr,City,Born"),))
    assert list(row) == ["Nr", "City", "Born", *["_file", "_line", "_record", "_code", "_column", "_message", "_raw"]]


SAVED = {
    "comma, BOM, CRLF, all quoted": (",", "utf-8-sig", True),
    "semicolon, UTF-8": (";", "utf-8", False),
    "semicolon, BOM": (";", "utf-8-sig", False),
    "tab, UTF-16": ("\t", "utf-16", False),
    "bar": ("|", "utf-8", False),
}


@pytest.mark.parametrize("saved", SAVED)
@pytest.mark.parametrize("kind", ["rejects", "failed"])
def test_what_a_spreadsheet_saves_is_right(market: Shop, saved: str, kind: str) -> None:
    """Whatever the job says of its dumps: any delimiter, any mark, columns in another order, some of ours removed."""
    delimiter, encoding, quoted = SAVED[saved]
    market.configure({**OPEN_GUARDS, **DUTCH, "source.delimiter": ";", "source.encoding": "cp1252"})
    if kind == "failed":
        wanted, row = "1.5", {"Nr": "1", "Balance": "1.500", "_code": "several_matches"}
    else:
        wanted, row = "1500", {"Nr": "1", "Balance": "1.500", "_code": "too_long"}
    cells = {"_line": "2", "City": "André", **row, "_record": "1"}
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerows([list(cells), list(cells.values())])
    market.done(files=(market.write("saved.csv", out.getvalue().encode(encoding)),))
    assert [(one["City"], one["Balance"]) for one in _left(market)] == [("André", wanted)]


def test_a_file_that_lost_our_columns_is_refused_with_advice(market: Shop) -> None:
    """Its delimiter is named where its columns fit with it, and how such files are recognised where target names stand."""
    ran = market.run(files=(market.write("lost.csv", "Nr;City\n1;Delft\n"),))
    assert ran.exit_code == 4
    assert any("fit with ';' between them" in one["do"] for one in ran.document["errors"])
    market.configure({**OPEN_GUARDS, "columns": {"number": "Nr"}})
    ran = market.run(files=(market.write("accepted.csv", "Nr,City\n1,Delft\n"),))
    assert ran.exit_code == 4
    assert any("--origin" in one["do"] for one in ran.document["errors"])


def test_cells_of_cp1252_are_set_aside(market: Shop) -> None:
    """A file of ours is UTF-8 always; a record that is none is named, the others are right."""
    file = market.write(
        "saved.csv",
        "Nr,City,_file,_line,_record,_code\n1,André,a,2,1,too_long\n2,Urk,a,3,2,too_long\n".encode("cp1252"),
    )
    (row,) = _rejects(market, files=(file,))
    assert row["_code"] == "not_decodable"
    assert market.numbers() == ["2"]


def test_formulas_are_defused_and_come_back(market: Shop) -> None:
    """A spreadsheet shows `'=1+1` as text; read again the cell is what it was, also one that looked defused before."""
    cities = ["=1+1", "'=1+1", "@x", "-2+3", "+31 6 12", "-5", "-", "'x"]
    dump = market.dump(*(f"{number},{city},x" for number, city in enumerate(cities)), header="Nr,City,Born")
    rows = _rejects(market, files=(dump,))
    assert [row["City"] for row in rows] == ["'=1+1", "''=1+1", "'@x", "'-2+3", "+31 6 12", "-5", "-", "'x"]
    rejects = _copy(market)
    again = _rejects(market, files=(rejects,))
    assert [row["City"] for row in again] == [row["City"] for row in rows]
    text = rejects.read_text().replace(",x,", ",2001-02-03,")
    market.done(files=(market.write("mended.csv", text),))
    assert [one["City"] for one in _left(market)] == cities


def test_what_a_spreadsheet_may_have_changed_is_named_so(market: Shop) -> None:
    """A date of failed.csv that is none any more."""
    (row,) = _rejects(market, files=(_failed(market, "1,Delft,1.5,3-2-2001"),))
    assert (row["_code"], row["_column"]) == ("not_a_date", "Born")
    assert "a spreadsheet may have changed it" in row["_message"]
    mended = _mended(_copy(market), {"Born": "2001-02-03", "Balance": "1.500"}, market.folder)
    market.configure({**OPEN_GUARDS, **DUTCH})
    market.done(files=(mended,))
    assert [(one["Balance"], one["Born"]) for one in _left(market)] == [("1.5", "2001-02-03")]


@pytest.mark.parametrize("place", ["in place", "elsewhere", "replay"])
def test_keys_that_have_lost_their_zeros_are_named_so(market: Shop, place: str) -> None:
    """A spreadsheet makes 42 of 00042, which would be another customer; the file is refused with what to do."""
    market.dump("00042,Delft,x", "043,Urk,x", "44,Ede,x", header="Nr,City,Born")
    ran = market.done()
    rejects = Path(ran.document["rejects"])
    text = rejects.read_text().replace(",x,", ",2001-02-03,")
    lost = text.replace("00042,", "42,").replace("043,", "43,").replace(",", ";")
    words: tuple[str | Path, ...] = (ran.document["run"],)
    saved = rejects if place == "in place" else market.folder / "saved.csv"
    saved.write_text(lost)
    if place == "replay":
        again = market.ask("replay", *words, saved)
    else:
        again = market.run(files=(saved,)) if place == "elsewhere" else market.ask("replay", *words)
    assert again.exit_code == 4, again.stdout
    (error,) = again.document["errors"]
    assert error["what"] == (
        "2 cells of Nr have lost leading zeros since the run set them aside: the first has 2 of 5 digits"
    )
    assert error["do"].startswith("import the column as text")
    assert market.numbers() == []
    saved.write_text(text.replace(",", ";"))
    market.done(files=(saved,))
    assert market.numbers() == ["00042", "043", "44"]


def test_a_number_that_is_meant_to_be_shorter_goes_through(market: Shop) -> None:
    """Without its `_record` nobody compares it."""
    market.dump("00042,Delft,x", header="Nr,City,Born")
    rejects = Path(market.done().document["rejects"])
    mended = _mended(rejects, {"Nr": "42", "Born": "2001-02-03", "_record": ""}, market.folder)
    market.done(files=(mended,))
    assert market.numbers() == ["42"]


def test_a_json_job_takes_failed_csv(market: Shop) -> None:
    """The file is read for what it is, whatever format the job has."""
    market.configure({**OPEN_GUARDS, "source.format": "ndjson", "source.delimiter": None})
    market.done(files=(_failed(market, "1,Delft,1.5,2001-02-03"),))
    assert market.numbers() == ["1"]


def test_rejects_of_csv_in_ndjson_keep_what_is_absent(market: Shop) -> None:
    """`--rejects x.ndjson` of a CSV dump leaves out the key of a column that the file lacks."""
    market.configure(
        {**OPEN_GUARDS, "target.ignore_empty_fields": False, "constants": {"Balance": "1", "Born": "2001-02-03"}}
    )
    files = market.dump("1,Delft", name="a.csv"), market.dump("2", header="Nr", name="b.csv")
    rejects = market.folder / "r.ndjson"
    assert market.call("validate", market.job, *files, "--rejects", rejects).exit_code == 0
    again = market.folder / "again.ndjson"
    ran = market.call("validate", market.job, rejects, "--rejects", again)
    assert ran.exit_code == 0, ran.stderr
    assert '"_code":"column_absent"' in again.read_text()
