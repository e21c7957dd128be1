"""Loading a schema from its path, and what plain pandera schemas mean."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import Exit, JobError, Problem
from pipeline.model.columns import FieldSpec
from pipeline.validate.schema import load_schema
from tests.support.schemas import Load


def _problem(reference: str, folder: Path) -> Problem:
    with pytest.raises(JobError) as raised:
        load_schema(reference, folder)
    assert raised.value.exit_code == Exit.JOB
    (found,) = raised.value.problems
    return found


def test_plain_types_are_understood(load: Load) -> None:
    """A pandera schema that knows nothing of us says text, integer, decimal, date, datetime, interest and choice."""
    schema = load(
        """
S = pa.DataFrameSchema({
    "a": pa.Column(str, pa.Check.str_length(max_value=5)),
    "b": pa.Column(int, nullable=True),
    "c": pa.Column(pl.UInt8, required=False),
    "d": pa.Column(float),
    "e": pa.Column(pl.Decimal(10, 2)),
    "f": pa.Column(datetime.date),
    "g": pa.Column(pl.Datetime("ns")),
    "interest.h": pa.Column(bool),
    "i": pa.Column(pl.Enum(["x", "y"])),
    "j": pa.Column(pl.Categorical, pa.Check.isin(["p", "q"])),
    "k": pa.Column(decimal.Decimal),
    "l": pa.Column(),
    "m": pa.Column(str, [pa.Check.str_length(2, 9), pa.Check.str_length(max_value=7)]),
    "n": pa.Column(str, pa.Check.str_length(3)),
    "o": pa.Column(str, pa.Check.str_length(min_value=3)),
})
"""
    )
    assert schema.specs == (
        FieldSpec("a", "text", pl.String(), nullable=False, max_length=5),
        FieldSpec("b", "integer", pl.Int64(), nullable=True),
        FieldSpec("c", "integer", pl.UInt8(), nullable=False, required=False),
        FieldSpec("d", "decimal", pl.Float64(), nullable=False),
        FieldSpec("e", "decimal", pl.Decimal(10, 2), nullable=False),
        FieldSpec("f", "date", pl.Date(), nullable=False),
        FieldSpec("g", "datetime", pl.Datetime("us"), nullable=False),
        FieldSpec("interest.h", "yesno", pl.Boolean(), nullable=False, yes_no=("Yes", "No")),
        FieldSpec("i", "choice", pl.Enum(["x", "y"]), nullable=False, choices=("x", "y")),
        FieldSpec("j", "text", pl.String(), nullable=False, choices=("p", "q")),
        FieldSpec("k", "decimal", pl.Float64(), nullable=False),
        FieldSpec("l", "text", pl.String(), nullable=False),
        FieldSpec("m", "text", pl.String(), nullable=False, max_length=7),
        FieldSpec("n", "text", pl.String(), nullable=False, max_length=3),
        FieldSpec("o", "text", pl.String(), nullable=False),
    )


def test_a_plain_model_with_postponed_annotations_is_understood(tmp_path: Path) -> None:
    """Annotations that are text are resolved in the module; inherited columns come first, `| None` is not required."""
    (tmp_path / "feed.py").write_text(
        """from __future__ import annotations
import pandera.polars as pa
class Base(pa.DataFrameModel):
    CustomerID: str = pa.Field(str_length={"max_value": 20})
class Customers(Base):
    City: str | None = pa.Field(nullable=True)
    total: float = pa.Field(alias="Order.Total", ge=0)
    class Config:
        strict = True
        ordered = True
""",
        encoding="utf-8",
    )
    schema = load_schema("feed.py:Customers", tmp_path)
    assert schema.specs == (
        FieldSpec("CustomerID", "text", pl.String(), nullable=False, max_length=20),
        FieldSpec("City", "text", pl.String(), nullable=True, required=False),
        FieldSpec("Order.Total", "decimal", pl.Float64(), nullable=False),
    )
    assert (schema.name, schema.path, schema.reference) == ("Customers", tmp_path / "feed.py", "feed.py:Customers")
    assert [check.error for check in schema.checks("Order.Total")] == ["greater_than_or_equal_to(0)"]
    assert schema.spec("City") == schema.specs[1]
    assert schema.spec("city") is None


def test_the_type_of_the_frame_overrides_those_of_its_columns(load: Load) -> None:
    """As in pandera, `dtype=` of the schema wins."""
    schema = load('S = pa.DataFrameSchema({"a": pa.Column(int), "b": pa.Column()}, dtype=str)')
    assert [spec.kind for spec in schema.specs] == ["text", "text"]


def test_the_path_starts_from_the_folder_of_the_job(tmp_path: Path) -> None:
    """`../schemas/x.py` is beside the folder of the job file, wherever the command was called."""
    (tmp_path / "schemas").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "schemas" / "x.py").write_text(
        "import pandera.polars as pa\nS = pa.DataFrameSchema({'a': pa.Column(str)})"
    )
    assert load_schema("../schemas/x.py:S", tmp_path / "configs").specs[0].name == "a"


def test_loading_leaves_no_trace_beside_the_schema_and_sees_each_edit(load: Load, tmp_path: Path) -> None:
    """An edit within the same second and of the same size counts, and no __pycache__ appears."""
    assert load('S = pa.DataFrameSchema({"a": pa.Column(str)})').specs[0].name == "a"
    assert load('S = pa.DataFrameSchema({"b": pa.Column(str)})').specs[0].name == "b"
    assert [path.name for path in tmp_path.iterdir()] == ["feed.py"]


def test_what_a_module_prints_goes_to_stderr(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout is for data: a print in a schema does not spoil the one JSON document."""
    load('print("hello")\nS = pa.DataFrameSchema({"a": pa.Column(str)})')
    assert capsys.readouterr() == ("", "hello\n")


def test_a_reference_without_a_name_is_refused(tmp_path: Path) -> None:
    """`:Name` is required."""
    found = _problem("feed.py", tmp_path)
    assert found.what == "'feed.py' does not name a schema"
    assert found.do == "write the file and the name in it, such as ../schemas/customers.py:Customers"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The message says where the path starts from."""
    assert _problem("no.py:S", tmp_path) == Problem(
        "there is no file no.py", "schema: no.py:S", "the path starts from the folder of the job file"
    )


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("import nothing_like_it\n", "ModuleNotFoundError: No module named 'nothing_like_it' (feed.py, line 1)"),
        ("x = 1\n\ny = 1 / 0\n", "ZeroDivisionError: division by zero (feed.py, line 3)"),
        ("x = 1\nx x\n", "SyntaxError: invalid syntax (feed.py, line 2)"),
        ("raise SystemExit(0)\n", "SystemExit: 0 (feed.py, line 1)"),
        ("import sibling\n", "ModuleNotFoundError: No module named 'sibling' (feed.py, line 1)"),
    ],
)
def test_a_module_that_does_not_import_is_refused_with_its_line(tmp_path: Path, body: str, what: str) -> None:
    """Class, message and line of the user's own module, no traceback; a sibling is not importable."""
    (tmp_path / "sibling.py").write_text("")
    (tmp_path / "feed.py").write_text(body)
    assert _problem("feed.py:S", tmp_path).what == f"the module does not import: {what}"


def test_a_name_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    """The names of the schemas in the module are the advice."""
    (tmp_path / "feed.py").write_text(
        "import pandera.polars as pa\nfrom pandera.polars import DataFrameModel\n"
        "class Orders(pa.DataFrameModel):\n    a: str\nCustomers = pa.DataFrameSchema({'a': pa.Column(str)})\n"
    )
    assert _problem("feed.py:Order", tmp_path) == Problem(
        "the module has no Order", "feed.py:Order", "it has Customers, Orders"
    )


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("S = {'a': str}", "this is a dict, not a pandera polars model or schema"),
        ("import pandera.polars as pa\nS = pa.Column(str)", "this is a Column, not a pandera polars model or schema"),
        (
            "class Fake: pass\nFake.__module__ = 'pandera.api.pandas.container'\nS = Fake()",
            "this is a pandera schema for pandas, not a pandera polars model or schema",
        ),
    ],
)
def test_something_else_than_a_polars_schema_is_refused(tmp_path: Path, body: str, what: str) -> None:
    """What it is stands in the message; a pandas schema is named as one."""
    (tmp_path / "feed.py").write_text(body)
    assert _problem("feed.py:S", tmp_path).what == what


def test_a_model_that_pandera_cannot_build_is_refused(tmp_path: Path) -> None:
    """pandera's own words, in one problem."""
    (tmp_path / "feed.py").write_text(
        "import pandera.polars as pa\nclass S(pa.DataFrameModel):\n    a: str\n"
        "    @pa.check('b')\n    def fine(cls, data): return data\n"
    )
    what = "pandera cannot build the schema: SchemaInitError: Check fine is assigned to a non-existing field 'b'."
    assert _problem("feed.py:S", tmp_path).what == what
