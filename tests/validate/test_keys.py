"""Which keys may leave, and which are or may be the same."""

from __future__ import annotations

import subprocess
import sys

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.validate.keys import BLANKS, fold, hashed, key_faults, key_fits, maybe_same, maybe_same_text


def codes(texts, carried=None):
    bad = key_faults(pl.Series(texts, dtype=pl.String), None if carried is None else pl.Series(carried))
    found = {} if bad is None else dict(zip(bad["_row"], bad["code"], strict=True))
    return [found.get(row) for row in range(len(texts))]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("C1", None),
        ("a b", None),
        ("é", None),
        ("名前", None),
        ("a\u00a0b", None),
        (None, "key_blank"),
        ("  ", "key_blank"),
        ("\u2003", "key_blank"),
        (" C1", "key_outer_blank"),
        ("C1 ", "key_outer_blank"),
        ("\u00a0C1", "key_outer_blank"),
        ("C1\u3000", "key_outer_blank"),
        ("C\n1", "key_control"),
        ("C1\n", "key_control"),
        ("C\t1", "key_control"),
        ("C\x7f1", "key_control"),
        ("C\x851", "key_control"),
        ("C\u20281", "key_control"),
        ("C\u20291", "key_control"),
        ("é\x01", "key_control"),
        ("\ufeffC1", "key_control"),
        ("C\u200b1", "key_control"),
        ("C\u00ad1", "key_control"),
        ("C1\u200e", "key_control"),
    ],
)
def test_keys_that_must_not_leave(key, code):
    """Data rule 16: blank ones, ones with outer blanks, a line break, a control or a format character."""
    assert codes([key, "ok"]) == [code, None]


def test_keys_of_a_collection_are_judged_where_it_is_carried():
    """Data rule 17: elsewhere a blank is no fault."""
    assert codes([None, None, " x", "x"], [True, False, True, True]) == ["key_blank", None, "key_outer_blank", None]


def test_messages_quote_the_key():
    """A blank key has nothing to quote."""
    bad = key_faults(pl.Series([None, " C5", "a\nb"]), None)
    assert bad["message"].to_list() == [
        "the key is empty",
        "' C5' has outer blanks",
        r"'a\nb' has a line break, a control or a format character",
    ]
    assert key_faults(pl.Series([None, ""], dtype=pl.String), None)["message"].to_list() == ["the key is empty"] * 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C1", "c1"),
        (" C1", "C1 "),
        ("é", "E"),
        ("Łódź", "łodz"),
        ("STRASSE", "straße"),
        ("ﬁ", "FI"),
        ("Ａ１", "a1"),
        ("Σ", "ς"),
        ("\u00a0x", "x"),
        ("İ", "i"),
        ("K", "k"),
        ("´a", "a"),
    ],
)
def test_what_copernica_may_take_for_one_key(one, other):
    """Data rule 15: equal after trimming, NFKD without marks and casefold."""
    assert maybe_same(one) == maybe_same(other)
    folded = fold(pl.Series([one, other]))
    assert folded[0] == folded[1]


@pytest.mark.parametrize(("one", "other"), [("1", "01"), ("a b", "ab"), ("1.0", "1"), ("ł", "l"), ("", "a")])
def test_what_it_does_not(one, other):
    """Texts are not compared as numbers, and blanks inside count."""
    assert maybe_same(one) != maybe_same(other)
    folded = fold(pl.Series([one, other]))
    assert folded[0] != folded[1]


@pytest.mark.parametrize(
    ("asked", "returned", "types", "fits"),
    [
        (("Éa", "1"), (" EA", "1"), ("text", "integer"), True),
        (("Ea", "1"), ("Ea", "2"), ("text", "integer"), False),
        (("Ea",), ("",), ("text",), False),
        (("0612345678", "x"), ("+31612345678", "x"), ("phone_gsm", "text"), True),
        (("0612345678", "x"), ("+31612345678", "y"), ("phone_gsm", "text"), False),
    ],
)
def test_what_a_lookup_returns_is_compared_with_what_was_asked_for(asked, returned, types, fits):
    """Data rule 31: every key field, maybe the same; a phone number is rewritten by Copernica and cannot be compared."""
    assert key_fits(asked, returned, types) is fits


def test_numbers_are_told_apart_by_value():
    """Canonical decimals differ in the zeros behind the point only."""
    texts = ["1.50", "1.5", "10", "1.0", "100.00", "0.10"]
    assert [maybe_same(text, "decimal") for text in texts] == ["1.5", "1.5", "10", "1", "100", "0.1"]
    assert fold(pl.Series(texts), "decimal").to_list() == ["1.5", "1.5", "10", "1", "100", "0.1"]


KEYS = st.text(
    st.one_of(st.characters(max_codepoint=0x24F), st.characters(exclude_categories=["Cs"]), st.sampled_from(BLANKS)),
    max_size=6,
)


@settings(max_examples=300, derandomize=True)
@given(st.lists(st.one_of(st.none(), KEYS), max_size=12))
@example(["İ", "ΐ", "ﬀ", "´", "\u0345", "ẞ", "a\u0301", "\u212b", None, ""])
def test_columns_are_folded_as_single_texts_are(texts):
    """`fold` of a column gives `maybe_same` of each text, and doing it twice changes nothing."""
    one_by_one = [None if text is None else maybe_same(text) for text in texts]
    column = pl.Series(texts, dtype=pl.String)
    assert fold(column).to_list() == one_by_one
    assert [None if text is None else maybe_same(text) for text in one_by_one] == one_by_one
    assert column.to_frame("k").select(maybe_same_text("k")).to_series().to_list() == one_by_one


@settings(max_examples=100, derandomize=True)
@given(st.lists(KEYS.map(lambda text: text.strip(BLANKS)), max_size=12))
def test_trimmed_columns_need_no_trimming(texts):
    """Accepted keys have no outer blanks, so the cheaper way gives the same."""
    column = pl.Series(texts, dtype=pl.String)
    assert fold(column, trimmed=True).to_list() == [maybe_same(text) for text in texts]


def test_blanks_are_those_of_polars():
    """Both ways of trimming take the same characters."""
    every = [chr(point) for point in range(0x3100) if not 0xD800 <= point < 0xE000]
    stripped = pl.Series(every).str.strip_chars()
    assert [char for char, left in zip(every, stripped, strict=True) if left == ""] == sorted(BLANKS)


def test_hashes_are_the_same_in_every_process():
    """Partitions and resumed runs compare hashes that another process made."""
    program = (
        "import polars as pl; from pipeline.validate.keys import hashed;"
        "a = pl.Series(['x', 'y', None]); b = pl.Series(['1', None, '2']);"
        "print(hashed([a]).to_list(), hashed([a, b]).to_list())"
    )
    a, b = pl.Series(["x", "y", None]), pl.Series(["1", None, "2"])
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert there == f"{hashed([a]).to_list()} {hashed([a, b]).to_list()}"


def test_hashes_of_several_columns_do_not_run_into_each_other():
    """`ab` and nothing is another key than `a` and `b`."""
    assert hashed([pl.Series(["ab", "a", "a"]), pl.Series(["", "b", None])]).n_unique() == 3
