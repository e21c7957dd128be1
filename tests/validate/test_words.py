"""Texts, yes/no and choices."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.model.job import Source
from pipeline.validate.parse import parser
from tests.validate.making import spec


def read(of, texts, **words):
    """Parse texts; per text what is sent and its typed value, or the code of its fault."""
    parsed = parser(of, Source(files=("x",), **words))(pl.Series(texts, dtype=pl.String))
    codes = {} if parsed.bad is None else dict(zip(parsed.bad["_row"], parsed.bad["code"], strict=True))
    pairs = zip(parsed.text, parsed.typed, strict=True)
    return [codes.get(row, pair) for row, pair in enumerate(pairs)]


def test_text_is_sacred():
    """Invariant 3: everything stays what it is."""
    texts = ["00001", "NA", "1e5", " x ", "null", "1.10", "é\n|", None]
    assert [sent for sent, _ in read(spec("A"), texts)] == texts


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("true", ("Yes", True)),
        ("TRUE", ("Yes", True)),
        ("Yes", ("Yes", True)),
        ("y", ("Yes", True)),
        ("1", ("Yes", True)),
        ("False", ("No", False)),
        ("NO", ("No", False)),
        ("n", ("No", False)),
        ("0", ("No", False)),
        ("ja", "not_yes_no"),
        ("on", "not_yes_no"),
        ("t", "not_yes_no"),
        (" yes", "not_yes_no"),
        ("1.0", "not_yes_no"),
    ],
)
def test_yes_and_no_are_read_in_any_case_and_sent_as_copernica_has_them(text, sent):
    """Data rule 10: interests are Yes and No."""
    assert read(spec("interest.news", "yesno"), [text, None]) == [sent, (None, None)]


def test_yes_and_no_are_sent_as_the_schema_names_them():
    """The two texts of the schema, but never for an interest."""
    assert read(spec("A", "yesno", yes_no=("J", "N")), ["true", "no"]) == [("J", True), ("N", False)]
    assert read(spec("interest.a", "yesno", yes_no=("J", "N")), ["true"]) == [("Yes", True)]


def test_the_words_of_the_job_replace_the_table():
    """They are compared in their case."""
    words = {"true_values": ["Ja", "on"], "false_values": ["Nee", ""]}
    assert read(spec("A", "yesno"), ["Ja", "ja", "Nee", "on", "yes", "1"], **words) == [
        ("Yes", True),
        "not_yes_no",
        ("No", False),
        ("Yes", True),
        "not_yes_no",
        "not_yes_no",
    ]


def test_a_choice_is_one_of_the_schema_in_its_case():
    """Data rule 10; blanks count."""
    of = spec("A", "choice", choices=("red", "Blue"))
    assert read(of, ["red", "Blue", "blue", "red ", None]) == [
        ("red", "red"),
        ("Blue", "Blue"),
        "not_in_choices",
        "not_in_choices",
        (None, None),
    ]


def test_messages_list_what_would_be_right():
    """Yes and no with their texts, choices with the first five."""
    bad = parser(spec("A", "yesno"), Source(files=("x",)))(pl.Series(["ja"])).bad
    assert bad.rows() == [(0, "not_yes_no", "'ja' is neither yes (true, yes, y, 1) nor no (false, no, n, 0)")]
    bad = parser(spec("A", "choice", choices=tuple("abcdefg")), Source(files=("x",)))(pl.Series(["a", "x"])).bad
    assert bad.rows() == [(1, "not_in_choices", "'x' is none of a, b, c, d, e …")]
