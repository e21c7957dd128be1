"""What `init` guesses of a file's encoding and dialect, against files whose answer is known."""

from __future__ import annotations

import pytest

from pipeline.run.init.dialect import guess_dialect, second_table
from pipeline.run.init.encoding import guess_encoding

WORDS = {
    "nl": ("José", "Zoë", "Daniël", "de Bruïn", "café", "België", "Coördinatie", "Müller"),
    "de": ("Müller", "Größe", "Straße", "Köln", "Düsseldorf", "Jäger", "Übung", "Weiß"),
    "fr": ("Hélène", "Gérard", "Besançon", "Nîmes", "Orléans", "août", "garçon"),
    "pl": ("Łódź", "Kraków", "Żółć", "Gdańsk", "Wałęsa", "Święto", "Jędrzej", "Białystok"),
    "ru": ("Москва", "Иван", "Петров", "Санкт", "улица", "Ленина", "Анна", "Каренина"),
    "sv": ("Malmö", "Åsa", "Göteborg", "Härnösand", "Örebro", "Björn"),
}
ENCODINGS = [
    ("nl", "cp1252"), ("nl", "cp850"), ("nl", "mac-roman"), ("nl", "utf-8"), ("de", "cp1252"), ("de", "cp850"),
    ("fr", "cp1252"), ("fr", "mac-roman"), ("pl", "cp1250"), ("pl", "iso-8859-2"), ("ru", "cp1251"),
    ("ru", "koi8-r"), ("sv", "cp1252"), ("sv", "cp850"), ("ru", "utf-8"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
@pytest.mark.parametrize("often", [1, 7])
def test_the_encoding_reads_the_words_as_they_were_written(language: str, encoding: str, often: int) -> None:
    """Another encoding that gives the same text is as good."""
    words = WORDS[language]
    lines = [f"{at:05d};{words[at % len(words)] if at % often == 0 else 'Jansen'};{at}" for at in range(120)]
    text = "\n".join(lines).encode(encoding)
    guess = guess_encoding(text, [line for line in text.split(b"\n") if not line.isascii()])
    assert text.decode(guess.name) == "\n".join(lines)


def test_utf_8_with_a_damaged_line_stays_utf_8() -> None:
    """One byte that does not decode must not turn every name of the file into other letters."""
    lines = ["Zoë;Müller".encode()] * 30 + [b"Jos\xe9;Jansen"]
    assert guess_encoding(b"\n".join(lines), lines).name == "utf-8"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_marks_and_zeros_name_the_encoding(encoding: str) -> None:
    """UTF-16 without a mark is seen by its zeros."""
    text = ("id,name\n" + "1,Jan\n" * 40).encode(encoding)
    guess = guess_encoding(text, [])
    assert (guess.name, guess.sure) == ({"utf-8-sig": "utf-8"}.get(encoding, encoding), True)


def table(header: str, *rows: str, times: int = 20) -> str:
    return "\n".join([header, *(row for _ in range(times) for row in rows)]) + "\n"


DIALECTS = {
    "commas": (table("id,name", "1,Jan", "2,Piet"), (",", '"', None, 0)),
    "texts with commas": (table("id;text;price", "1;a, b, c and d;3,50", "2;e, f;4,50"), (";", '"', None, 0)),
    "times": (table("id,at", "1,2025-01-02 10:00:00", "2,2025-01-02 11:30:00"), (",", '"', None, 0)),
    "tabs": (table("id\tname", "1\tJan, the man", "2\tPiet"), ("\t", '"', None, 0)),
    "bars": (table("id|name|price", "1|x,y|3,50", "2|z|4,50"), ("|", '"', None, 0)),
    "colons": (table("user:pw:id", "jan:x:1", "piet:y:2"), (":", '"', None, 0)),
    "single quotes": (table("a;b;c", "1;'x;y';3,50", "2;'z';3,50"), (";", "'", None, 0)),
    "a backslash": (table('"id","name"', '"1","Piet \\"P\\" Puk"', '"2",\\N'), (",", '"', "\\", 0)),
    "paths": (table("id;path", "1;\\\\server\\share", "2;C:\\new"), (";", '"', None, 0)),
    "a title": ("Customers\nmade 2025-01-01\n\n" + table("id,name,city", "1,Jan,Ede"), (",", '"', None, 3)),
    "one column": (table("email", "a@x.test", "b@x.test"), (",", '"', None, 0)),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_dialect(name: str) -> None:
    """Delimiter, quote, escape and the lines before the header."""
    text, expected = DIALECTS[name]
    found = guess_dialect(text)
    assert (found.delimiter, found.quote, found.escape, found.skip_lines) == expected
    assert found.header is not None


def test_a_first_line_of_values_is_no_header() -> None:
    """The names are ours then, and init says so."""
    assert guess_dialect("".join(f"{at},Jan {at},Ede,2025-01-02\n" for at in range(50))).header is None


@pytest.mark.parametrize(
    "second", ["order,total,when\n1,1.50,2025-01-02\n2,2.50,2025-01-02\n", "order,total\n1,1.50\n2,2.50\n"]
)
def test_a_second_table_is_seen(second: str) -> None:
    """With as many columns or fewer, behind a blank line."""
    text = table("id,name,city", "1,Jan,Ede") + "\n" + second
    assert second_table(text, guess_dialect(text)) == 23


def test_a_blank_line_is_no_second_table() -> None:
    """Blank lines happen."""
    text = table("id,name,city", "1,Jan,Ede") + "\n" + "2,Piet,Ede\n3,Kees,Ede\n"
    assert second_table(text, guess_dialect(text)) is None
