"""docs/job-file.md names every key of the job file, with its true default; its examples can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.problems import REQUIRED, SECTIONS
from pipeline.config.read import read_job
from pipeline.model.job import Reading
from pipeline.validate.schema import load_schema
from tests.docs.pages import DOCS

TEXT = (DOCS / "job-file.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z_.0-9]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
# Key: what stands as its default, and what it means.
ROWS = {key: (default, meaning) for key, default, meaning in ROW.findall(TEXT)}
# Its default hangs on other keys, or the example says it.
BY_OTHERS = {"source.format", "source.delimiter", "columns"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def keys() -> Iterator[str]:
    """List the keys of the job file; those of a mapping stand for it."""
    for path, model in SECTIONS.items():
        for name, field in model.model_fields.items():
            written = (*path, field.alias or name)
            if written not in SECTIONS and written not in (("path",), ("settings",)):
                yield ".".join(written)


def test_every_key_is_explained_once_and_nothing_else() -> None:
    """What can be written is what the tables list."""
    assert sorted(ROWS) == sorted(keys())
    assert len(ROW.findall(TEXT)) == len(ROWS)


def test_what_must_be_said_is_marked_so() -> None:
    """A key without a default is a decision that the job has to take."""
    marked = {key for key, (default, _) in ROWS.items() if default == "required"}
    assert marked == {".".join(path) for path in REQUIRED}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    (small,) = blocks("yaml")
    path = tmp_path / "job.yaml"
    path.write_text(small)
    return path


@pytest.mark.parametrize(
    "key", [key for key, (default, _) in ROWS.items() if default.startswith("`") and key not in BY_OTHERS]
)
def test_a_default_is_what_the_table_says(job: Path, key: str) -> None:
    """Said aloud it changes nothing."""
    said = ROWS[key][0].strip("`")
    silent = read_job(job)
    assert read_job(job, [f"{key}={said}"]).model_copy(update={"settings": ()}) == silent


def test_the_table_leaves_no_default_out() -> None:
    """Each row has a default in code, or says why not."""
    words = {default for key, (default, _) in ROWS.items() if not default.startswith("`")}
    assert words == {"required", "by the extension", "required for CSV"}


def test_the_reading_keys_can_be_said_for_a_column(job: Path) -> None:
    """Each key of the second table of `source` is one of a column, too."""
    second = TEXT[TEXT.index("How cells are read") : TEXT.index("## `target`")]
    assert {key for key, _, _ in ROW.findall(second)} == {f"source.{name}" for name in Reading.model_fields}


def test_the_settings_of_the_example_are_taken() -> None:
    """The lines with --set can be copied."""
    words = re.findall(r"--set (?:'(.+?)'|(\S+))", blocks("sh")[0])
    assert len(words) == 2
    job = read_job(DOCS.parent / "configs" / "customers.yaml", [quoted or plain for quoted, plain in words])
    assert (str(job.guards.max_rejects), job.columns["likes_news"].trim) == ("5%", True)


def test_the_schema_of_the_example_loads(tmp_path: Path) -> None:
    """It can be copied into a file."""
    (code,) = blocks("python")
    (tmp_path / "customers.py").write_text(code)
    schema = load_schema("customers.py:Customers", tmp_path)
    assert [spec.name for spec in schema.specs] == [
        "CustomerID", "Email", "Tier", "interest.news", "Order.OrderID", "Order.Total",
    ]  # fmt: skip


def test_every_kind_of_field_is_named() -> None:
    """The vocabulary of `pipeline.fields` is listed."""
    import pipeline.fields as fields

    section = TEXT[TEXT.index("## The schema") :]
    own = {name for name, thing in vars(fields).items() if getattr(thing, "__module__", "") == fields.__name__}
    vocabulary = {name for name in own if name[0].isupper()}
    assert len(vocabulary) == 10
    assert {name for name in vocabulary if f"| `{name}(" in section} == vocabulary
