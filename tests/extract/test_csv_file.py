"""CSV files: headers, line ends, encodings, limits, rejects files read again."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from pipeline.errors import InputError, JobError
from pipeline.extract import Extraction, find_files
from pipeline.extract.csv.header import header_problems
from pipeline.model.columns import Expected
from pipeline.model.rows import REJECT_COLUMNS
from tests.extract.reading import extract, frame_of, malformed_of, rows_of, source

AB = Expected(("a", "b"))


def _write(tmp_path: Path, data: bytes, name: str = "x.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def _refusal(path: Path, expected: Expected = AB, **words) -> str:
    with pytest.raises(InputError) as caught:
        extract(path, expected, **words)
    return "\n".join(map(str, caught.value.problems))


def test_values_stay_as_they_stand(tmp_path: Path):
    """Blanks, zeros, NA, exponents, quotes and line ends inside quotes come through unchanged."""
    data = b'a,b\n00001, x \nNA,1e5\n"","a ""b"", c"\n"l1\nl2\r\nl3\rl4",\xe2\x82\xac\n'
    batches, _ = extract(_write(tmp_path, data), AB)
    assert rows_of(batches) == [
        ("00001", " x ", 2, 1, None),
        ("NA", "1e5", 3, 2, None),
        ("", 'a "b", c', 4, 3, None),
        ("l1\nl2\r\nl3\rl4", "€", 5, 4, None),
    ]


def test_facts_hold_digest_and_counts(tmp_path: Path):
    """Lines of records, blank ones, header and skipped ones add up to those of the file."""
    path = _write(tmp_path, b'title\n\na,b\n\n1,"x\ny"\n\n1\n2,z')
    _, extraction = extract(path, AB, skip_lines=2)
    (facts,) = extraction.facts
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (facts.lines, facts.record_lines, facts.blank_lines, facts.header_lines, facts.skipped_lines) == (
        9,
        4,
        2,
        1,
        2,
    )
    assert (facts.elements, facts.records) == (3, 3)
    assert extraction.header == ("a", "b")
    assert extraction.bytes_read == extraction.bytes_total == path.stat().st_size


def test_only_zero_length_lines_are_blank(tmp_path: Path):
    """A line of blanks is a record of one field, a line of delimiters a record."""
    batches, _ = extract(_write(tmp_path, b"a,b\n \n,\n\n\r\n1,2\n"), AB)
    assert rows_of(batches) == [("", "", 3, 2, None), ("1", "2", 6, 3, None)]
    assert malformed_of(batches) == [(2, 1, "field_count")]


def test_message_and_raw_say_what_happened(tmp_path: Path):
    """A malformed record comes with a concrete message and its text, bytes that do not decode as xNN."""
    batches, _ = extract(_write(tmp_path, b'a,b\n1\n1,2,3\na,b\n"x"y,1\nx"y,1\n\xff,\xc3\xa9\n1,\0\n'), AB)
    assert [(row[2], row[3], row[4]) for batch in batches for row in batch.malformed.rows()] == [
        ("field_count", "1 field where the header has 2", "1"),
        ("field_count", "3 fields where the header has 2", "1,2,3"),
        ("repeated_header", "repeats the header", "a,b"),
        (
            "stray_quote",
            "a quote stands inside an unquoted field, or a quoted field goes on behind its closing quote",
            '"x"y,1',
        ),
        (
            "stray_quote",
            "a quote stands inside an unquoted field, or a quoted field goes on behind its closing quote",
            'x"y,1',
        ),
        ("not_decodable", "bytes that are no utf-8", "\\xff,é"),
        ("nul", "holds a NUL character", "1,\\x00"),
    ]


def test_every_line_of_a_damaged_span_is_set_aside(tmp_path: Path):
    """A record over several lines with damage gives one malformed record per line; blank lines stay blank lines."""
    batches, extraction = extract(_write(tmp_path, b'a,b\n1,"x\n\n2,y",z\n3,4\n'), AB)
    assert malformed_of(batches) == [(2, 1, "field_count"), (4, 2, "field_count")]
    assert (
        batches[0].malformed["_message"].to_list()
        == ["3 fields where the header has 2 (one record on lines 2 to 4)"] * 2
    )
    assert rows_of(batches) == [("3", "4", 5, 3, None)]
    assert extraction.facts[0].blank_lines == 1


def test_two_inch_marks_swallow_nothing(tmp_path: Path):
    """Quotes inside unquoted fields, lines apart, damage their own records only."""
    batches, _ = extract(_write(tmp_path, b'a,b\ntv 24",1\nc,2\ntv 32",3\nd,4\n'), AB)
    assert [row[:2] for row in rows_of(batches)] == [("c", "2"), ("d", "4")]
    assert malformed_of(batches) == [(2, 1, "stray_quote"), (4, 3, "stray_quote")]


def test_an_open_quote_costs_one_line(tmp_path: Path):
    """A quote that never closes gives up its line, not the rest of the file."""
    lines = b"".join(b"%d,x\n" % number for number in range(1000))
    batches, _ = extract(_write(tmp_path, b'a,b\n"oops,1\n' + lines), AB)
    assert malformed_of(batches) == [(2, 1, "unclosed_quote")]
    assert frame_of(batches)["a"].to_list() == [str(number) for number in range(1000)]


def test_a_record_longer_than_the_limit_is_one_malformed_line(tmp_path: Path):
    """A line far longer than limit and block is set aside without its text being held; reading goes on behind it."""
    data = b"a,b\n1,2\n" + b"x" * 300_000 + b"\r\n3,4\n"
    for block in (1000, 70_000, 1 << 20):
        batches, extraction = extract(_write(tmp_path, data), AB, max_record_bytes=1000, block_bytes=block)
        assert malformed_of(batches) == [(3, 2, "record_too_long")]
        (bad,) = [row for batch in batches for row in batch.malformed.rows()]
        assert bad[3:] == ("longer than 1,000 bytes", "x" * 65536 + "…")
        assert [row[:3] for row in rows_of(batches)] == [("1", "2", 2), ("3", "4", 4)]
        assert extraction.facts[0].lines == 4


@pytest.mark.parametrize(
    ("data", "rows", "malformed"),
    [
        (b"a,b\r1,2\r\r3,4\r", [("1", "2", 2), ("3", "4", 4)], []),
        (b"a,b\r1,2\n3,4\r\n5,6", [("1", "2", 2), ("3", "4", 3), ("5", "6", 4)], []),
        (b'a,b\r"1\r2",2\r3,4', [("1\r2", "2", 2), ("3", "4", 4)], []),
        (b"a,b\n1,2\r3,4\n5,6\n", [("5", "6", 3)], [(2, 1, "bare_cr")]),
        (b"a,b\r\n1,2\r\n3,4\n5,6\r\n", [("1", "2", 2), ("3", "4", 3), ("5", "6", 4)], []),
        (b"a,b\n1,2\r", [], [(2, 1, "bare_cr")]),
    ],
)
def test_line_ends(tmp_path: Path, data: bytes, rows: list, malformed: list):
    """LF and CRLF end a record; a bare CR only where the first line end is one, and then LF and CRLF still do."""
    batches, _ = extract(_write(tmp_path, data), AB)
    assert [row[:3] for row in rows_of(batches)] == rows
    assert malformed_of(batches) == malformed


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a,a\n1,2\n", ["the header has a column twice: a"]),
        (b"c,c\n1,2\n", ["the header has a column twice: c"]),
        (b"a,\n1,2\n", ["the header has no name for column 2"]),
        (b"a,a,c\n1,2,3\n", ["the header has a column twice: a", "column not known to the job: c"]),
        (b"a,b,\n", ["the header has no name for column 3"]),
        (b"a, ,b,\n", ["the header has no name for column 2, 4"]),
        (b"a;b\n1;2\n", ["column missing: a, b; there are a;b", "column not known to the job: a;b"]),
        (b"a,b,c\n", ["column not known to the job: c"]),
        (b"a\n", ["column missing: b; there are a"]),
        (b'a,"b\n1,2\n', ["the header has a quote that does not close"]),
        (b'a,b"\n1,2\n', ["the header has a stray quote"]),
        (b"a,\xff\n1,2\n", ["the header does not decode"]),
        (b"a,b\0\n1,2\n", ["the header holds a NUL character"]),
        (b"a,\rb\n", ["the header has no name for column 2"]),
        (b"\n\n", ["has no header"]),
        (b"\xff\xfea\0,\0", ["begins with the byte order mark of UTF-16: set source.encoding: utf-16"]),
        (b"PK\x03\x04...", ["is a zip archive or a workbook"]),
        (b"\x89PNG\r\n\x1a\n...", ["is an image"]),
        (b"\x1f\x8b\x08...", ["is gzip data (name the file .gz)"]),
    ],
)
def test_files_that_are_refused(tmp_path: Path, data: bytes, words: list[str]):
    """A header that does not fit refuses the file, and the message lists what is missing and what is there."""
    text = _refusal(_write(tmp_path, data)).replace(" (set source", ": set source")
    for each in words:
        assert each in text
    assert "x.csv" in text


@pytest.mark.parametrize("data", [b"a,a\n1,2\n", b"a,\n1,2\n", b"c,c\n1,2\n"])
def test_a_double_or_blank_name_is_one_error(tmp_path: Path, data: bytes):
    """What is missing or not known beside it follows from it (data rule 7)."""
    with pytest.raises(InputError) as caught:
        extract(_write(tmp_path, data), AB)
    assert len(caught.value.problems) == 1


def test_a_huge_header_is_refused_shortly(tmp_path: Path):
    """A header of 10 MB, in one name or in many, gives a short message."""
    for data in (b"x" * 10_000_000, b"\n".join([b",".join(b"c%d" % i for i in range(1_500_000))])):
        text = _refusal(_write(tmp_path, data))
        assert "the header is longer than 1 MiB" in text
        assert len(text) < 300
    text = _refusal(_write(tmp_path, b",".join(b"c%d" % i for i in range(100_000))))
    assert "and 99980 more" in text
    assert len(text) < 1500


def test_random_binary_ends_in_a_refusal(tmp_path: Path):
    """Bytes of no meaning end in a refusal, never in a traceback."""
    data = bytes((i * 7919 + (i >> 3)) % 251 for i in range(20_000))
    assert "the header" in _refusal(_write(tmp_path, data))


def test_a_header_alone_is_no_fault(tmp_path: Path):
    """A file with only a header is 0 records."""
    batches, extraction = extract(_write(tmp_path, b"a,b"), AB)
    assert batches == []
    assert (extraction.facts[0].records, extraction.facts[0].lines, extraction.header) == (0, 1, ("a", "b"))


def test_optional_and_ignored_columns_may_be_there(tmp_path: Path):
    """The frame has all columns of the header in its order."""
    expected = Expected(("a",), ("b",), frozenset({"c"}))
    batches, _ = extract(_write(tmp_path, b"c,a\n1,2\n"), expected)
    assert batches[0].frame.columns == ["c", "a", "_line", "_record", "_element"]


def test_a_file_without_header_takes_the_names_of_the_job(tmp_path: Path):
    """With source.header as a list the first line is a record; one that repeats the names is malformed."""
    batches, extraction = extract(_write(tmp_path, b"1,2\na,b\n"), AB, header=["a", "b"])
    assert rows_of(batches) == [("1", "2", 1, 1, None)]
    assert malformed_of(batches) == [(2, 2, "repeated_header")]
    assert extraction.facts[0].header_lines == 0


def test_a_header_over_two_lines_counts_two(tmp_path: Path):
    """Line numbers behind a header with a line end inside quotes are those of the file."""
    batches, extraction = extract(_write(tmp_path, b'"a\nx",b\n1,2\n'), Expected(("a\nx", "b")))
    assert rows_of(batches) == [("1", "2", 3, 1, None)]
    assert extraction.facts[0].header_lines == 2


def test_skipped_lines_are_physical_lines(tmp_path: Path):
    """Lines before the header are ignored, quotes in them open nothing, and long ones are not held."""
    data = b'"open\n' + b"y" * 200_000 + b"\na,b\n1,2\n"
    for block in (999, 1 << 20):
        batches, extraction = extract(_write(tmp_path, data), AB, skip_lines=2, block_bytes=block)
        assert rows_of(batches) == [("1", "2", 4, 1, None)]
        assert extraction.facts[0].skipped_lines == 2
    assert "has no header" in _refusal(_write(tmp_path, b"one\n"), skip_lines=5)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
def test_encodings(tmp_path: Path, encoding: str, block: int):
    """Each encoding gives the same text, wherever blocks end; a byte order mark is no part of the first name."""
    path = _write(tmp_path, 'a,b\né,"ü\nñ"\n'.encode(encoding))
    batches, extraction = extract(path, AB, encoding=encoding, block_bytes=block)
    assert rows_of(batches) == [("é", "ü\nñ", 2, 1, None)]
    assert extraction.facts[0].lines == 3


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
def test_a_byte_order_mark_is_removed(tmp_path: Path, encoding: str):
    """Also where the name of the encoding does not speak of one."""
    batches, _ = extract(_write(tmp_path, "\ufeffa,b\n1,2\n".encode(encoding)), AB, encoding=encoding, block_bytes=1)
    assert rows_of(batches) == [("1", "2", 2, 1, None)]


def test_an_undecodable_byte_costs_its_record(tmp_path: Path):
    """In any encoding a byte that does not decode makes its record malformed, shown as xNN."""
    batches, _ = extract(_write(tmp_path, b"a,b\n\x81,\x80\n1,\x80\n"), AB, encoding="cp1252")
    assert rows_of(batches) == [("1", "€", 3, 2, None)]
    assert batches[0].malformed.rows() == [(2, 1, "not_decodable", "bytes that are no cp1252", "\\x81,€")]
    data = "a,b\n1,X\n2,y\n".encode("utf-16-le").replace(b"X\0", b"\x00\xd8")
    batches, _ = extract(_write(tmp_path, data), AB, encoding="utf-16-le")
    assert malformed_of(batches) == [(2, 1, "not_decodable")]
    assert [row[:2] for row in rows_of(batches)] == [("2", "y")]
    batches, _ = extract(_write(tmp_path, b"a,b\n1,\xc3\xa9\n2,y\n"), AB, encoding="ascii")
    assert malformed_of(batches) == [(2, 1, "not_decodable")]


@pytest.mark.parametrize("name", ["utf-9", "", "base64", "rot13", "undefined", "punycode", "idna"])
def test_unknown_encodings_are_a_fault_of_the_job(tmp_path: Path, name: str):
    """An encoding that does not exist or gives no text raises JobError before anything is read."""
    words = source()
    with pytest.raises(JobError, match="unknown encoding"):
        Extraction((), words.model_copy(update={"encoding": name}), AB)


def test_the_limit_counts_rows_and_malformed_ones_over_all_files(tmp_path: Path):
    """The first N records are read; files behind them are not opened, and the digest is that of the whole file."""
    for name in ("x1.csv", "x2.csv", "x3.csv"):
        _write(tmp_path, b"a,b\n1,2\n3\n5,6\n", name)
    files = find_files(["x*.csv"], tmp_path)
    for limit in range(1, 8):
        extraction = Extraction(files, source(), AB, limit=limit)
        batches = list(extraction)
        assert sum(batch.frame.height + batch.malformed.height for batch in batches) == limit
        assert len(extraction.facts) == -(-limit // 3)
        assert sum(facts.records for facts in extraction.facts) == limit
        assert len({facts.sha256 for facts in extraction.facts}) == 1


def test_a_limit_inside_a_damaged_span_stops_there(tmp_path: Path):
    """A span of three malformed lines gives only as many as the limit leaves."""
    path = _write(tmp_path, b'a,b\n"x\ny\nz"\n1,2\n')
    for limit, lines in ((1, [2]), (2, [2, 3]), (3, [2, 3, 4])):
        batches, _ = extract(path, AB, limit=limit)
        assert [bad[0] for bad in malformed_of(batches)] == lines


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (b"A, b\n1,2\n", "the names differ in case or outer blanks"),
        (b"a,\xe9\n1,2\n", "set source.encoding to the one of the file, such as cp1252; it is utf-8 now"),
        (b"a,c\n1,2\n", "see whether the delimiter is right"),
    ],
)
def test_the_advice_for_a_header_fits_what_is_wrong(tmp_path: Path, data: bytes, advice: str):
    """Another case, another encoding, another name."""
    with pytest.raises(InputError) as caught:
        extract(_write(tmp_path, data), AB)
    assert caught.value.problems[0].do.startswith(advice)


def test_a_dump_that_has_the_names_of_copernica_is_told_so():
    """The job renames a column that needs no renaming; nothing is wrong with the delimiter."""
    problems = list(header_problems(["Nr", "City"], Expected(("no", "City")), "x.csv", Expected(("Nr", "City"))))
    assert [one.what for one in problems] == [
        "column missing: no; there are Nr, City",
        "column not known to the job: Nr",
    ]
    assert problems[0].do.startswith("Nr: names of Copernica; a dump that has them needs no line under columns")


def test_all_refused_files_are_named(tmp_path: Path):
    """One error names every file that is refused; good ones are read through, and causes are grouped."""
    for number in range(30):
        _write(tmp_path, b"a\n1\n", f"bad{number}.csv")
    _write(tmp_path, b"a,b\n1,2\n", "good.csv")
    _write(tmp_path, b"x", "zip.csv.gz")
    with pytest.raises(InputError) as caught:
        list(Extraction(find_files(["good.csv", "bad*.csv", "zip.csv.gz"], tmp_path), source(), AB))
    missing, broken = caught.value.problems
    assert missing.what == "column missing: b; there are a"
    assert missing.where == "bad0.csv, bad1.csv, bad2.csv, bad3.csv, bad4.csv and 25 more"
    assert "the gzip archive is broken" in broken.what


REJECTS = (
    "b,x;y,_file,_line,_record,_code,_column,_message,_raw\n"
    'é,1,d.csv,2,1,too_long,b,"too long, it is",\n'
    ',,d.csv,3,2,field_count,,3 fields where the header has 2,"é;1;""2"\n'
    ",,d.csv,4,3,blank,b,empty,\n"
)


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_a_rejects_file_is_read_whatever_the_job_says(tmp_path: Path, block: int):
    """UTF-8, commas and its own header; our columns are ignored; a row of nothing but _raw is malformed again."""
    path = _write(tmp_path, REJECTS.encode())
    expected = Expected(("b", "x;y"))
    words = {"delimiter": ";", "quote": "'", "encoding": "utf-16", "skip_lines": 3, "header": ["x", "y"]}
    batches, extraction = extract(path, expected, block_bytes=block, **words)
    assert rows_of(batches) == [("é", "1", 2, 1, None), ("", "", 4, 3, None)]
    assert [row[:3] + row[4:] for batch in batches for row in batch.malformed.rows()] == [
        (3, 2, "unreadable_before", 'é;1;"2')
    ]
    assert extraction.header == ("b", "x;y")
    assert extraction.facts[0].records == 3


@pytest.mark.parametrize("ours", ["_raw", "_line,_raw", "_raw,_message"])
def test_a_row_of_nothing_but_its_raw_text_is_malformed_whichever_of_our_columns_are_left(tmp_path: Path, ours: str):
    """A person who mends a rejects file may take out what says nothing."""
    values = ["zz;zz" if name == "_raw" else "5" for name in ours.split(",")]
    rows = [["", "", *values], ["1", "", *values], ["", "", *("" if value == "zz;zz" else value for value in values)]]
    text = "".join(",".join(row) + "\n" for row in [["a", "b", ours], *rows])
    batches, _ = extract(_write(tmp_path, text.encode()), AB)
    assert rows_of(batches) == [("1", "", 3, 2, None), ("", "", 4, 3, None)]
    assert [row[:3] + row[4:] for batch in batches for row in batch.malformed.rows()] == [
        (2, 1, "unreadable_before", "zz;zz")
    ]


def test_our_columns_are_ignored_in_any_file(tmp_path: Path):
    """A column named like one of a rejects file does not collide with the places of this reading."""
    batches, _ = extract(_write(tmp_path, b"_line,a,_raw,b\n9,1,x,2\n9,,x,\n"), AB)
    assert batches[0].frame.columns == ["a", "b", "_line", "_record", "_element"]
    assert rows_of(batches) == [("1", "2", 2, 1, None), ("", "", 3, 2, None)]


@pytest.mark.parametrize("gone", ["_raw", "_file", "_code,_column,_message,_raw"])
def test_a_rejects_file_that_lost_columns_is_still_read_as_we_wrote_it(tmp_path: Path, gone: str):
    """Whatever the job says of its dumps, as long as three of them are left."""
    names = ["a", "b", *(name for name in REJECT_COLUMNS if name not in gone.split(","))]
    lines = [names, ["1", "2", *("x" for _ in names[2:])], ["3", "4", *("x" for _ in names[2:])]]
    path = _write(tmp_path, "".join(",".join(line) + "\n" for line in lines).encode())
    words = {"delimiter": ";", "encoding": "utf-16", "skip_lines": 2, "header": ["a", "b"]}
    batches, _ = extract(path, AB, **words)
    assert [row[:2] for row in rows_of(batches)] == [("1", "2"), ("3", "4")]


def test_a_delimiter_must_be_said(tmp_path: Path):
    """It is never guessed; that is a fault of the job."""
    with pytest.raises(JobError, match="never guessed"):
        extract(_write(tmp_path, b"a,b\n"), AB, delimiter=None)


def test_a_limit_of_gigabytes_is_no_fault(tmp_path: Path):
    """The largest limits are taken as what the reader can hold."""
    batches, _ = extract(_write(tmp_path, b'a,b\n"1\n2\n'), AB, max_record_bytes="8 GiB")
    assert malformed_of(batches) == [(2, 1, "unclosed_quote"), (3, 2, "field_count")]


def test_utf8_is_what_python_takes_for_it(tmp_path: Path):
    """Every pair of bytes, and the borders of the longer forms, at every place in a word of eight bytes."""
    edges = [0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0]
    tails = [b"", b"\x80", b"\xbf", b"\x80\x80", b"\xbf\xbf", b"\x80\xbf\x80", b"\x7f", b"\x80\xc0"]
    texts = [bytes([a, b]) + tail for a in range(0x80, 0x100) for b in edges for tail in tails]
    texts += [bytes([a, b]) for a in range(0x80, 0x100) for b in range(0x80, 0x100)]
    cells = [b"x" * (number % 8) + text for number, text in enumerate(texts)]
    batches, _ = extract(_write(tmp_path, b"a,b\n" + b"".join(cell + b",z\n" for cell in cells)), AB)
    good = []
    for cell in cells:
        try:
            good.append(cell.decode())
        except UnicodeDecodeError:
            continue
    assert frame_of(batches)["a"].to_list() == good
    assert {bad[2] for bad in malformed_of(batches)} == {"not_decodable"}


def test_batches_are_small_and_in_order(tmp_path: Path):
    """No batch has more rows than said; together they are the file."""
    data = b"a,b\n" + b"".join(b"%d,x\n" % number for number in range(1001))
    batches, _ = extract(_write(tmp_path, data), AB, batch_rows=100)
    assert [batch.frame.height for batch in batches] == [100] * 10 + [1]
    assert frame_of(batches)["_record"].to_list() == list(range(1, 1002))


def test_no_message_holds_a_record(tmp_path: Path):
    """Messages name counts and places, never values."""
    secret = b"jan@example.test"
    data = b"a,b\n" + secret + b"\n" + b'"' + secret + b'"x,1\n' + secret + b',"\n'
    batches, _ = extract(_write(tmp_path, data), AB)
    messages = [message for batch in batches for message in batch.malformed["_message"]]
    assert len(messages) == 3
    assert not any(re.search("jan|example", message) for message in messages)


def test_two_stray_quotes_pages_apart_swallow_nothing(tmp_path: Path):
    """20,000 rows with a quote on line 7 and one on line 9,007: every line of the span is set aside, all others are read."""
    lines = [f"{number},Jan Jansen {number},Utrecht" for number in range(1, 20_001)]
    lines[5], lines[9005] = '6,"Jan Jansen 6,Utrecht', '9006,Jan Jansen 9006",Utrecht'
    data = "\n".join(["id,name,city", *lines, ""]).encode()
    batches, extraction = extract(_write(tmp_path, data), Expected(("id", "name", "city")))
    malformed = malformed_of(batches)
    assert [row[0] for row in malformed] == list(range(7, 9008))
    assert {row[2] for row in malformed} == {"swallowed_lines"}
    assert extraction.facts[0].records == 20_000
    assert sum(batch.frame.height for batch in batches) == 20_000 - 9001


@pytest.mark.parametrize(
    ("text", "swallowed"),
    [
        ("x\n4,5,6\ny", False),
        ("4,5,6\n7,8,9", True),
        ("x\n4,5,6\n7,8,9\ny", True),
        ("Dear Jan,\nhello, hello\nbye", False),
    ],
)
def test_one_line_like_a_record_is_text(tmp_path: Path, text: str, swallowed: bool):
    """Two of them are damage."""
    batches, _ = extract(_write(tmp_path, f'a,b,c\n1,"{text}",2\n'.encode()), Expected(("a", "b", "c")))
    assert bool(malformed_of(batches)) is swallowed
    assert [row[1] for row in rows_of(batches)] == ([] if swallowed else [text])


@pytest.mark.parametrize("header", ["a,b", '"a","b"', '"a",b'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_second_file_with_a_mark_and_header_is_named(tmp_path: Path, header: str, encoding: str):
    """`cat a1.csv a2.csv`, each with a byte order mark: the second header is no customer."""
    part = f"\ufeff{header}\n1,2\n".encode(encoding)
    batches, _ = extract(_write(tmp_path, part + part), AB, encoding=encoding)
    assert [row[:2] for row in rows_of(batches)] == [("1", "2"), ("1", "2")]
    assert malformed_of(batches) == [(3, 2, "repeated_header")]


def test_exports_with_escapes(tmp_path: Path):
    """As MySQL writes them: quotes, delimiters and line ends behind a backslash, and the null that is not quoted."""
    lines = [
        "a,b",
        r"1\,5," + r'"say \"hi\""',
        r'\N,"\N"',
        r'"x\\","line' + "\\",
        'two"',
        "1,open" + "\\",
        "3,4",
    ]
    batches, _ = extract(_write(tmp_path, "\n".join(lines).encode()), AB, escape="\\")
    assert [row[:2] for row in rows_of(batches)] == [("1,5", 'say "hi"'), ("", "N"), ("x\\", "line\ntwo"), ("3", "4")]
    assert malformed_of(batches) == [(6, 4, "stray_escape")]


def test_a_header_of_an_export_with_escapes_has_no_nulls(tmp_path: Path):
    r"""A column called `\N` is N: what is null in a row is a name in the header."""
    batches, _ = extract(_write(tmp_path, b"\\N,b\n\\N,2\n"), Expected(("N", "b")), escape="\\")
    assert [row[:2] for row in rows_of(batches)] == [("", "2")]
