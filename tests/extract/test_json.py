"""JSON arrays and NDJSON: text stays, damage is found, and what does not fit is refused."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.extract.json.dump import read_json, read_ndjson
from pipeline.extract.reading import Found, Task
from pipeline.extract.refusal import Refused
from pipeline.model.columns import Expected
from pipeline.model.files import SourceFile
from pipeline.model.rows import Batch, JsonNumber
from tests.extract.reading import blocks_of, extract, malformed_of, rows_of, source

AB = Expected(("a", "b"))
_counter = itertools.count()


def _write(tmp_path: Path, data: bytes | str, name: str = "x.json") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def _refusal(path: Path, expected: Expected = AB, **words: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        extract(path, expected, **words)
    return [str(problem) for problem in caught.value.problems]


def _both(tmp_path: Path, elements: list[str], expected: Expected = AB, **words: Any) -> list[list[Batch]]:
    """Read elements as an array and as lines, in small blocks and in large ones."""
    array, lines = "[\n" + ",\n".join(elements) + "\n]\n", "\n" + "".join(f"{element}\n" for element in elements)
    return [
        extract(_write(tmp_path, text, f"{next(_counter)}{suffix}"), expected, block_bytes=block, **words)[0]
        for text, suffix in ((array, ".json"), (lines, ".ndjson"))
        for block in (1, 7, 1 << 20)
    ]


def test_numbers_and_booleans_keep_their_text(tmp_path: Path):
    """1.10, 1e5, -0, a number of 400 digits, true: as they stand."""
    digits = "9" * 5000
    elements = [
        '{"a": 1.10, "b": 1e5}',
        '{"a": -0, "b": ' + digits + "}",
        '{"a": true, "b": false}',
        '{"b": "x\\u00e9\\ud83d\\ude00"}',
    ]
    for batches in _both(tmp_path, elements):
        assert rows_of(batches) == [
            ("1.10", "1e5", 2, 1, None),
            ("-0", digits, 3, 2, None),
            ("true", "false", 4, 3, None),
            (None, "xé😀", 5, 4, None),
        ]


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_lines_of_a_printed_array_are_those_of_the_file(tmp_path: Path, block: int):
    """Each object begins on the line that an editor shows, however many lines those before it take."""
    objects = [{"a": "1", "b": "x"}, {"a": "2", "b": None}, {"b": "3", "a": "4"}]
    path = _write(tmp_path, "\n" + json.dumps(objects, indent=4) + "\n")
    batches, _ = extract(path, AB, block_bytes=block)
    assert [row[2:4] for row in rows_of(batches)] == [(3, 1), (7, 2), (11, 3)]


def test_origin_holds_the_objects(tmp_path: Path):
    """With the numbers as their text, and for every row its object and its list."""
    expected = Expected(("a", "L.x"))
    for batches in _both(tmp_path, ['{"a": 1.0, "L": [{"x": 2}, {"x": 3}]}', '{"a": true, "L": null}'], expected):
        (batch,) = batches
        assert batch.origin is not None
        assert list(batch.origin.objects) == [{"a": "1.0", "L": [{"x": "2"}, {"x": "3"}]}, {"a": True, "L": None}]
        assert isinstance(batch.origin.objects[0]["L"][0]["x"], JsonNumber)
        assert list(batch.origin.object_of_row) == [0, 0, 1]
        assert list(batch.origin.list_of_row) == ["L", "L", None]
        assert rows_of(batches) == [("1.0", "2", 2, 1, 1), ("1.0", "3", 2, 1, 2), ("true", None, 3, 2, None)]


def test_absent_keys_are_told_when_asked(tmp_path: Path):
    """Null is not absent; without the wish there is no frame."""
    elements = ['{"a": null}', '{"a": "1", "b": "2"}', "{}"]
    for batches in _both(tmp_path, elements, Expected(("a", "b"), track_absent=True)):
        assert batches[0].absent is not None
        assert batches[0].absent.rows() == [(False, True), (False, False), (True, True)]
    for batches in _both(tmp_path, elements):
        assert batches[0].absent is None


DAMAGED = {
    "3": ("not_an_object", "a number where an object should be"),
    "null": ("not_an_object", "null where an object should be"),
    "[]": ("not_an_object", "a list where an object should be"),
    '"é"': ("not_an_object", "a text where an object should be"),
    "true": ("not_an_object", "true or false where an object should be"),
    '{"a": NaN}': ("not_json", "NaN is no JSON"),
    '{"a": -Infinity}': ("not_json", "-Infinity is no JSON"),
    '{"a": "1", "a": "1"}': ("duplicate_key", "the key 'a' stands twice in one object"),
    '{"b": {"x": 1, "x": 2}}': ("duplicate_key", "the key 'x' stands twice in one object"),
    '{"a": "\\ud83d"}': ("lone_surrogate", "a text holds one half of a surrogate pair"),
    '{"\\udc00": "1"}': ("lone_surrogate", "a text holds one half of a surrogate pair"),
    '{"a": "x\\u0000"}': ("nul", "a text holds a NUL character"),
}


def test_damaged_elements_are_set_aside(tmp_path: Path):
    """Each with its code, a message and its text; the elements around them are read."""
    elements = [text for damaged in DAMAGED for text in ('{"a": "ok"}', damaged)]
    for batches in _both(tmp_path, elements):
        assert [row[:1] for row in rows_of(batches)] == [("ok",)] * len(DAMAGED)
        malformed = [row for batch in batches for row in batch.malformed.rows()]
        assert malformed == [(2 * at + 3, 2 * at + 2, *DAMAGED[text], text) for at, text in enumerate(DAMAGED)]


def test_bytes_that_do_not_decode_cost_their_element(tmp_path: Path):
    """In an array, too; shown as xNN."""
    for data, name in (
        (b'[{"a":"1"},\n{"a":"\xff\xc3\xa9"},{"a":"3"}]', "x.json"),
        (b'{"a":"1"}\n{"a":"\xff\xc3\xa9"}\n{"a":"3"}\n', "x.ndjson"),
    ):
        for block in (1, 1 << 20):
            batches, _ = extract(_write(tmp_path, data, name), AB, block_bytes=block)
            assert [row[0] for row in rows_of(batches)] == ["1", "3"]
            (bad,) = [row for batch in batches for row in batch.malformed.rows()]
            assert bad[:3] == (2, 2, "not_decodable")
            assert bad[4] == '{"a":"\\xffé"}'


def test_lines_that_are_no_json_cost_themselves(tmp_path: Path):
    """Broken, cut, two values on a line, blanks, too deep, too long: one malformed record each."""
    lines = [
        '{"a": "1"',
        "{'a': 1}",
        '{"a":"1"} {}',
        "  ",
        "[" * 5000,
        '{"a": "' + "x" * 200_000 + '"}',
        "\0",
        '{"a": "\t"}',
    ]
    data = "\n".join(['{"a":"ok"}', *lines, ' {"b":"ok"} \r', "\r", '{"a":"end"}'])
    for block in (997, 1 << 20):
        batches, extraction = extract(
            _write(tmp_path, data, "x.ndjson"), AB, max_record_bytes=10_000, block_bytes=block
        )
        assert malformed_of(batches) == [
            (2, 2, "not_json"),
            (3, 3, "not_json"),
            (4, 4, "not_json"),
            (5, 5, "not_json"),
            (6, 6, "too_deep"),
            (7, 7, "record_too_long"),
            (8, 8, "nul"),
            (9, 9, "not_json"),
        ]
        assert rows_of(batches) == [("ok", None, 1, 1, None), (None, "ok", 10, 10, None), ("end", None, 12, 11, None)]
        (facts,) = extraction.facts
        assert (facts.lines, facts.record_lines, facts.blank_lines, facts.records) == (12, 11, 1, 11)
        raws = [row[4] for batch in batches for row in batch.malformed.rows()]
        assert raws[0] == '{"a": "1"'
        assert raws[5] == '{"a": "' + "x" * (65536 - 7) + "… (200,009 bytes)"


def test_nesting_has_a_limit(tmp_path: Path):
    """A hundred levels are read, one more is set aside, wherever they stand and whatever else stands there."""
    wide = ",".join(['{"z":[]}'] * 200)
    elements = [f'{{"a":"{depth}","skip":{"[" * (depth - 1)}{"]" * (depth - 1)}}}' for depth in (100, 101, 900)]
    elements.append(f'{{"a":"wide","skip":[{wide}]}}')
    for batches in _both(tmp_path, elements, Expected(("a",), ignored=frozenset({"skip"}))):
        assert [row[0] for row in rows_of(batches)] == ["100", "wide"]
        assert [bad[1:] for bad in malformed_of(batches)] == [(2, "too_deep"), (3, "too_deep")]


@pytest.mark.parametrize("block", [1, 1000, 1 << 20])
@pytest.mark.parametrize("depth", [101, 990, 50_000])
def test_an_element_nested_at_any_depth_costs_itself(tmp_path: Path, depth: int, block: int):
    """The elements around it are read, and its text is kept, so that it can be mended."""
    deep = '{"a":"2","skip":' + '[{"x":' * (depth // 2) + "[]" + "}]" * (depth // 2) + "}"
    data = f'[{{"a":"1"}},\n{deep},\n{{"a":"3"}}]'
    expected = Expected(("a",), ignored=frozenset({"skip"}))
    batches, _ = extract(_write(tmp_path, data), expected, block_bytes=block)
    assert [(row[0], row[1]) for row in rows_of(batches)] == [("1", 1), ("3", 3)]
    (bad,) = [row for batch in batches for row in batch.malformed.rows()]
    assert bad[:3] == (2, 2, "too_deep")
    assert bad[4] == (deep if len(deep) <= 1 << 16 else f"{deep[: 1 << 16]}… ({len(deep):,} bytes)")


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_an_element_longer_than_the_limit_costs_itself(tmp_path: Path, block: int):
    """In bytes, whatever it holds; one of exactly the limit is read."""
    long = ['{"a":"é234567890123"}', '{"b":\n"]},\\"\\u00e9xx"}', '"xxxxxxxxxxxxxxxxxxxxx"', "-1234567890123456.5e+6",
            '[null,true,false,{},[],-Infinity]', '{ "a" : { "x" : [ 1 , { } ] } }']  # fmt: skip
    elements = ['{"a":"é23456789012"}', *long, '{"b":"end"}']
    data = "[" + ",\n".join(elements) + "]"
    batches, extraction = extract(_write(tmp_path, data), AB, max_record_bytes=21, block_bytes=block)
    assert [row[:2] for row in rows_of(batches)] == [("é23456789012", None), (None, "end")]
    malformed = [row for batch in batches for row in batch.malformed.rows()]
    lines = [2, 3, 5, 6, 7, 8]
    message = ("record_too_long", "longer than 21 bytes")
    assert malformed == [(line, at, *message, text) for at, (line, text) in enumerate(zip(lines, long, strict=True), 2)]
    assert extraction.facts[0].lines == 9


def test_an_element_of_any_length_is_not_held():
    """Memory is bounded by the limit and the blocks."""
    length = 40 << 20
    piece = b"[1," * 10 + b'"' + b"x" * (1 << 16) + b'",' + b"2" + b"]" * 10 + b","
    blocks = itertools.chain([b'[{"a":['], itertools.repeat(piece, length // len(piece)), [b'0]},{"a":"2"}]'])
    task = Task(SourceFile(Path("x"), "x", 0, length, 0), source(max_record_bytes=100_000), AB)
    tracemalloc.start()
    batches = list(read_json(task, blocks, Found()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ([row[0] for row in rows_of(batches)], [bad[2] for bad in malformed_of(batches)]) == (
        ["2"],
        ["record_too_long"],
    )
    assert peak < 4 << 20


def test_a_line_of_exactly_the_limit_is_read(tmp_path: Path):
    """The line end does not count."""
    text = '{"a":"12345"}'
    for end in ("\n", "\r\n"):
        path = _write(tmp_path, (text + end) * 2 + text, "x.ndjson")
        for block in (1, 5, 1 << 20):
            assert len(rows_of(extract(path, AB, max_record_bytes=len(text), block_bytes=block)[0])) == 3
            batches = extract(path, AB, max_record_bytes=len(text) - 1, block_bytes=block)[0]
            assert [bad[2] for bad in malformed_of(batches)] == ["record_too_long"] * 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n ", "holds nothing but blanks"),
        ('{"a": "1"}\n{"a": "2"}', "begins with an object, not an array (set source.format: ndjson"),
        ("hello", "is no JSON array"),
        ('[{"a": "1"},\n{"a": "2"', "x.json, line 2, byte 22: Expecting ',' delimiter, after 1 good element"),
        ('[{"a": "1"},\n{"a": "2', "line 2, byte 19: Unterminated string starting at, after 1 good element"),
        ('[{"a": "1"}', "line 1, byte 11: expected , or ], after 1 good element"),
        ('[{"a": "1"},', "line 1, byte 12: the array breaks off, after 1 good element"),
        ("[", "line 1, byte 1: the array breaks off, after 0 good elements"),
        ('[{"a": "1"}\n\n{"a": "2"}]', "line 3, byte 13: expected , or ], after 1 good element"),
        ('[{"é": "1", "a": "2"},,]', "line 1, byte 23: Expecting value, after 1 good element"),
        ('[{"a": "1"},]', "line 1, byte 12: Expecting value, after 1 good element"),
        ('[{"a": "1"}]\n[]', "line 2, byte 13: text behind the closing ], after 1 good element"),
        ("[" * 5000, "line 1, byte 5,000: the array breaks off, after 0 good elements"),
        ("[" * 5000 + "]" * 4998 + "},1]", "line 1, byte 9,998: Expecting something else, after 0 good elements"),
        ('[{"a": "1\n2"}]', "line 1, byte 9: Invalid control character at, after 0 good elements"),
        (
            '[{"a": "1"}, {"a": "' + "x" * 5000 + '"',
            "line 1, byte 5,021: the array breaks off, after 1 good element",
        ),
        (
            '[{"a": "' + "x" * 5000 + '", "b": "1, "a": "2"}]',
            "byte 5,021: Expecting something else, after 0 good elements",
        ),
        ('[{"a": "' + "x" * 5000 + '\n"}]', "byte 5,008: a text holds what no text can hold, after 0 good elements"),
        ('[{"a": "' + "x" * 5000 + '\\x"}]', "byte 5,008: a text holds what no text can hold, after 0 good elements"),
        ('[{"a": "' + "x" * 5000 + '", "b": tru}]', "byte 5,016: Expecting value, after 0 good elements"),
        ('[{"a": "' + "x" * 5000 + '", "b": ' + "1" * (1 << 17) + "}]", "byte 5,016: a number is too long"),
    ],
)
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_an_array_that_breaks_refuses_the_file(tmp_path: Path, text: str, words: str, block: int):
    """With the line, the byte and the number of good elements before it."""
    if not text:
        with pytest.raises(InputError, match=words):
            extract(_write(tmp_path, text), AB)
        return
    most = 1000 if "xxx" in text else 1 << 20
    expected = Expected(("a", "b", "é"))
    (problem,) = _refusal(_write(tmp_path, text), expected, max_record_bytes=most, block_bytes=block)
    assert words in problem


def test_empty_arrays_and_files_of_blank_lines_are_no_fault(tmp_path: Path):
    """0 records."""
    for name, text in (("x.json", " [ \n ] "), ("x.ndjson", "\n\r\n")):
        batches, extraction = extract(_write(tmp_path, text, name), AB)
        assert batches == []
        assert extraction.facts[0].records == 0
        assert extraction.header == ("a", "b")


def test_a_late_unknown_key_refuses_the_file(tmp_path: Path):
    """It is named once with path, record and line, and the rest of the file is still looked at."""
    lines = [f'{{"a": "{number}"}}' for number in range(2000)]
    lines[1500] = '{"a": {"new": null}}'
    lines[1600] = '{"a": {"new": 1}, "c": []}'
    lines[1700] = '{"b": [1]}'
    assert _refusal(_write(tmp_path, "\n".join(lines), "x.ndjson"), batch_rows=100) == [
        "x.ndjson, line 1501, record 1501: key not known to the job: 'a.new' (name it under columns or ignore)",
        "x.ndjson, line 1601, record 1601: key not known to the job: 'c' (name it under columns or ignore)",
        "x.ndjson, line 1701, record 1701: 'b' is a list whose elements are no objects"
        " (name it under ignore, or flatten it in the export)",
    ]


def test_a_thousand_unknown_keys_are_listed_shortly(tmp_path: Path):
    """At most twenty, and how many more."""
    text = json.dumps({f"k{number}": "1" for number in range(1000)})
    problems = _refusal(_write(tmp_path, text, "x.ndjson"))
    assert len(problems) == 21
    assert problems[-1] == "and 180 more problems in the input (mend these first)"


def test_rows_of_one_object_stay_together(tmp_path: Path):
    """A batch ends before an object that does not fit; one object alone may be larger than a batch."""
    expected = Expected(("a", "L.x"))
    elements = [json.dumps({"a": str(count), "L": [{"x": "1"}] * count}) for count in (2, 2, 1, 7, 1)]
    for batches in _both(tmp_path, elements, expected, batch_rows=4):
        assert [batch.frame["a"].to_list() for batch in batches] == [["2"] * 2 + ["2"] * 2, ["1"], ["7"] * 7, ["1"]]


def test_the_limit_counts_rows(tmp_path: Path):
    """The first N rows, malformed elements among them."""
    expected = Expected(("a", "L.x"))
    elements = ['{"a": "1", "L": [{"x": "1"}, {"x": "2"}]}', "3", '{"a": "2"}']
    for limit in range(1, 5):
        for batches in _both(tmp_path, elements, expected, limit=limit):
            assert sum(batch.frame.height + batch.malformed.height for batch in batches) == limit


def test_encodings(tmp_path: Path):
    """UTF-16 by name, a byte order mark, latin-1; UTF-16 that comes as UTF-8 is refused."""
    for encoding in ("utf-8-sig", "utf-16", "utf-16-be", "latin-1"):
        for text, name in (('[{"a": "é"}]', "x.json"), ('{"a": "é"}\n', "x.ndjson")):
            path = _write(tmp_path, text.encode(encoding), name)
            for block in (1, 1 << 20):
                batches, _ = extract(path, AB, encoding=encoding, block_bytes=block)
                assert rows_of(batches) == [("é", None, 1, 1, None)]
    (problem,) = _refusal(_write(tmp_path, '[{"a": "é"}]'.encode("utf-16")))
    assert "begins with the byte order mark of UTF-16" in problem


REJECT = {"_file": "d.json", "_line": 2, "_record": 1, "_element": None, "_code": "x", "_column": "b", "_message": "m"}


def test_a_rejects_file_is_read_whatever_the_job_says(tmp_path: Path):
    """UTF-8 lines whose own keys are ours; one of nothing but _raw is malformed again."""
    lines = [
        {"a": "é", "b": None, **REJECT, "_raw": None},
        {**REJECT, "_raw": '{"a": oops'},
        {"a": "", "b": None, **REJECT, "_raw": "[1]"},
        {"a": "2", **REJECT, "_raw": "[1]"},
        {"a": None, "_line": 5, "_raw": "{"},
    ]
    path = _write(tmp_path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "x.json")
    for format_, encoding in (("json", "utf-16"), ("ndjson", "latin-1")):
        for block in (1, 1 << 20):
            batches, _ = extract(path, AB, format=format_, encoding=encoding, block_bytes=block)
            assert rows_of(batches) == [("é", None, 1, 1, None), ("2", None, 4, 4, None)]
            malformed = [row for batch in batches for row in batch.malformed.rows()]
            assert [(row[0], row[2], row[4]) for row in malformed] == [
                (2, "unreadable_before", '{"a": oops'),
                (3, "unreadable_before", "[1]"),
                (5, "unreadable_before", "{"),
            ]
            assert batches[0].origin is not None
            assert list(batches[0].origin.objects) == [{"a": "é", "b": None}, {"a": "2"}]


def test_a_rejects_file_whose_first_line_is_long_is_read_again(tmp_path: Path):
    """Longer than a cell may be for the csv module, by which files of ours are recognised."""
    path = _write(tmp_path, json.dumps({**REJECT, "_raw": "x" * 140_000}) + "\n", "x.ndjson")
    batches, _ = extract(path, AB, format="ndjson")
    assert malformed_of(batches) == [(1, 1, "unreadable_before")]


_VALUES = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
_TABLES = st.lists(st.fixed_dictionaries({"a": _VALUES, "b": _VALUES}), max_size=8)


@settings(max_examples=150, derandomize=True)
@given(
    table=_TABLES,
    block=st.integers(1, 40),
    ascii_=st.booleans(),
    indent=st.none() | st.integers(0, 3),
    lines=st.booleans(),
)
def test_any_objects_come_back(
    table: list[dict[str, str | None]], block: int, ascii_: bool, indent: int | None, lines: bool
):
    """Whatever the text, the spacing and the blocks, as an array and as lines."""
    if lines:
        text = "".join(json.dumps(obj, ensure_ascii=ascii_) + "\r\n" for obj in table)
    else:
        text = json.dumps(table, ensure_ascii=ascii_, indent=indent)
    data = text.encode()
    found = Found()
    task = Task(SourceFile(Path("x"), "x", 0, len(data), 0), source(), AB, batch_rows=3)
    batches = list((read_ndjson if lines else read_json)(task, blocks_of(data, block), found))
    assert [row[:2] for row in rows_of(batches)] == [(obj["a"], obj["b"]) for obj in table]
    assert [row[3] for row in rows_of(batches)] == list(range(1, len(table) + 1))
    assert found.counts.elements == found.counts.records == len(table)


_BYTES = [
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b'"',
    b'"a"',
    b"1",
    b"-",
    b".5",
    b"e",
    b"\\",
    b"\\ud800",
    b"tru",
    b"true",
    b"NaN",
    b" ",
    b"\n",
    b"\0",
    b"\xff",
    b'{"a":"1"}',
    b'{"a":',
]


@settings(max_examples=250, derandomize=True)
@given(data=st.lists(st.sampled_from(_BYTES), max_size=14).map(b"".join), array=st.booleans(), closed=st.booleans())
def test_any_bytes_give_the_same_wherever_blocks_end(data: bytes, array: bool, closed: bool):
    """Records, malformed ones and refusals do not depend on the blocks; nothing but refusals is raised."""
    data = b"[" + data + b"]" if array and closed else data
    outcomes = []
    for block in (1, 2, 3, 5, 1 << 20):
        found = Found()
        task = Task(SourceFile(Path("x"), "x", 0, len(data), 0), source(), AB)
        try:
            batches = list((read_json if array else read_ndjson)(task, blocks_of(data, block), found))
            outcomes.append(
                (rows_of(batches), [row for batch in batches for row in batch.malformed.rows()], found.problems)
            )
        except Refused as refused:
            outcomes.append(str(refused))
    assert all(outcome == outcomes[0] for outcome in outcomes)
