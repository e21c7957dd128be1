"""Read sample dumps for `init`: what they are, then every record of them (edge: files, by extract)."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import polars as pl

from pipeline.errors import InputError, Problem
from pipeline.extract import Extraction, grouped
from pipeline.extract.json.shape import shape_of
from pipeline.extract.refusal import Refused, listed
from pipeline.extract.stored import StoredFile
from pipeline.model.columns import Expected
from pipeline.model.files import SourceFile
from pipeline.model.job import Format, Source, format_of
from pipeline.report.progress import Reporter
from pipeline.run.init.dialect import Dialect, first_record, guess_dialect, second_table
from pipeline.run.init.encoding import EncodingGuess, guess_encoding
from pipeline.run.init.survey import Survey
from pipeline.threads import side_by_side

# The beginning of a file from which its dialect is guessed, and the lines above ASCII from which its encoding is.
_HEAD_BYTES = 1 << 19
_HIGH_BYTES = 1 << 17
_HIGH_LINES_PER_BLOCK = 64
_MOST_HEADER_BYTES = 1 << 20
# Where more records than this have another number of fields, the file is no table that can be read.
_MOST_MALFORMED = 0.6


@dataclass
class Dumps:
    """What was found of the dumps: how they are read, their columns and lists, and what was measured."""

    files: tuple[SourceFile, ...]
    format: Format
    encoding: EncodingGuess
    dialect: Dialect | None = None
    columns: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    unfit: dict[str, str] = field(default_factory=dict)
    survey: Survey = field(default_factory=Survey)
    malformed: Counter[str] = field(default_factory=Counter)
    records: int = 0

    @property
    def source(self) -> Source:
        """Return the words of the job's `source` by which these files are read."""
        words: dict[str, object] = {"files": tuple(file.name for file in self.files), "format": self.format}
        if self.dialect is not None:
            words |= {"delimiter": self.dialect.delimiter, "quote": self.dialect.quote}
            words |= {"skip_lines": self.dialect.skip_lines}
            words |= {} if self.dialect.escape is None else {"escape": self.dialect.escape}
            words |= {} if self.dialect.header is not None else {"header": self.columns}
        known = {name: value for name, value in words.items() if name in Source.model_fields}
        return Source.model_validate({**known, "encoding": self.encoding.name})


def read_dumps(files: tuple[SourceFile, ...], reporter: Reporter) -> Dumps:
    """Read sample files as a whole, once to see how they are written and once to measure them.

    Raises InputError for what no job could read: no text, no records, no table.
    """
    heads, high = _heads(files)
    format_ = _format(files, heads[0])
    dumps = Dumps(files, format_, _encoding(files, heads, high))
    if format_ == "csv":
        _see_table(dumps, heads)
    else:
        shape = shape_of(files, dumps.source)
        dumps.columns, dumps.lists, dumps.unfit = tuple(shape.columns), tuple(shape.lists), shape.unfit
        if not dumps.columns:
            raise InputError(_no_records(files))
    _measure(dumps, reporter)
    return dumps


def _heads(files: Sequence[SourceFile]) -> tuple[list[bytes], list[list[bytes]]]:
    """Read every byte once: the beginning of each file, and some lines with bytes above ASCII from all over it."""
    heads: list[bytes] = []
    every: list[list[bytes]] = []
    problems = list[Problem]()
    for file in files:
        head, held = b"", 0
        high: list[bytes] = []
        every.append(high)
        try:
            with closing(StoredFile(file)) as stored:
                for block in stored.blocks():
                    head += block if len(head) < _HEAD_BYTES else b""
                    if held < _HIGH_BYTES and not block.isascii():
                        lines = [line for line in block.split(b"\n")[1:-1] or [block] if not line.isascii()]
                        high += [line[:4096] for line in islice(lines, _HIGH_LINES_PER_BLOCK)]
                        held = sum(map(len, high))
                stored.finish()
        except Refused as refused:
            problems += refused.problems
        heads.append(head[:_HEAD_BYTES])
        if not problems and not head.strip(b"\0 \t\r\n"):
            problems.append(Problem("holds nothing but blanks", file.name, "see whether the export went wrong"))
    if problems:
        raise InputError(*grouped(problems))
    return heads, every


def _encoding(files: Sequence[SourceFile], heads: Sequence[bytes], high: Sequence[Sequence[bytes]]) -> EncodingGuess:
    """Guess one encoding for all files; raises InputError where they have several. Plain ASCII is in all of them."""
    guesses = [guess_encoding(head, lines) for head, lines in zip(heads, high, strict=True)]
    kinds: dict[str, list[SourceFile]] = {}
    for file, guess, head, lines in zip(files, guesses, heads, high, strict=True):
        if lines or guess.name.startswith("utf-16"):
            kind = guess.name if guess.name.startswith("utf") else "no UTF-8"
            kinds.setdefault(kind, []).append(file)
        elif head.startswith(codecs.BOM_UTF8):
            kinds.setdefault("utf-8", []).append(file)
    if len(kinds) > 1:
        raise InputError(_written_in("encoding", {kind: of_kind[0].name for kind, of_kind in kinds.items()}))
    if not kinds or "no UTF-8" in kinds:
        return guess_encoding(heads[0], [line for lines in high for line in lines])
    (kind,) = kinds
    return guesses[files.index(kinds[kind][0])]


def _written_in(what: str, examples: Mapping[str, str]) -> Problem:
    """Return that the files are not written alike; `examples` names a file for each way."""
    ways = ", ".join(f"{name}: {way}" for way, name in examples.items())
    return Problem(f"the files differ in their {what} ({ways})", next(iter(examples.values())),
                   "export them alike, or write one job for each kind with init")  # fmt: skip


def _format(files: Sequence[SourceFile], head: bytes) -> Format:
    """Take the format of the extension, else see how the text begins; all files must have the same."""
    named = {format_of(file.name) for file in files} - {None}
    if len(named) > 1:
        raise InputError(Problem("the files are of different formats", files[0].name, "write one job for each format"))
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    seen: Format = "json" if begin == b"[" else "ndjson" if begin == b"{" else "csv"
    found = named.pop() if named else seen
    if found == "csv" and seen != "csv":
        return seen
    if found == "json" and begin == b"{":
        what = "is one JSON object, not a list of records"
        if b"\n{" in head:
            return "ndjson"
        raise InputError(Problem(what, files[0].name, "export an array of records, or one object per line"))
    if found == "ndjson" and begin == b"{" and _is_one_object(head):
        raise InputError(Problem("is one JSON object over several lines", files[0].name,
                                 "export an array of records, or one object per line"))  # fmt: skip
    return found or seen


def _is_one_object(head: bytes) -> bool:
    first = head.lstrip().split(b"\n", 1)[0].strip()
    return first in (b"{", b"{ ") or (not first.endswith(b"}") and b"\n{" not in head)


def _see_table(dumps: Dumps, heads: Sequence[bytes]) -> None:
    """Guess the dialect from the first file; raises InputError for what is no table, and where others differ."""
    dumps.dialect = dialect = _dialect(dumps, heads[0], dumps.files[0].name)
    names = dialect.header or tuple(f"column_{at}" for at in range(1, dialect.columns + 1))
    dumps.columns = tuple(names)
    problems = [
        problem
        for file, head in zip(dumps.files[1:], heads[1:], strict=True)
        for problem in _differences(dumps, dialect, file, head)
    ]
    if problems:
        raise InputError(*problems)


def _differences(dumps: Dumps, dialect: Dialect, file: SourceFile, head: bytes) -> Iterator[Problem]:
    """Name what keeps a job from reading another file as it reads the first one."""
    first = dumps.files[0].name
    begin = first_record(head.decode(dumps.encoding.name, "replace").removeprefix("\ufeff"), dialect)
    if dialect.header is None and len(begin) == dialect.columns:
        return
    if dialect.header is not None and {*begin} & {*dialect.header}:
        for one, names, other in ((first, dialect.header, begin), (file.name, begin, dialect.header)):
            if more := [name for name in names if name not in other]:
                what = f"the files differ in their columns: {listed(more)} is in {one} only"
                do = "export them alike, or write one job for each kind with init"
                yield Problem(what, file.name, do)
        return
    own = _dialect(dumps, head, file.name)
    found = [("delimiter", dialect.delimiter, own.delimiter), ("quote", dialect.quote, own.quote)]
    found.append(("number of lines before the header", str(dialect.skip_lines), str(own.skip_lines)))
    differ = [one for one in found if one[1] != one[2]] or [
        ("columns", ", ".join(dumps.columns[:5]), ", ".join(begin[:5]))
    ]
    for what, ours, theirs in differ:
        shown = [{"\t": "tab"}.get(one, one) for one in (ours, theirs)]
        yield _written_in(what, {shown[0]: first, shown[1]: file.name})


def _dialect(dumps: Dumps, head: bytes, name: str) -> Dialect:
    """Guess a dialect from whole lines of the beginning of a file, and refuse what is no table."""
    text = head.decode(dumps.encoding.name, "replace").removeprefix("\ufeff")
    whole = len(head) < _HEAD_BYTES
    cut = text if whole else text[: text.rfind("\n") + 1]
    if not cut.strip():
        longest = f"the first line is longer than {_HEAD_BYTES >> 10} KiB"
        raise InputError(Problem(f"{longest}: no header of a table", name, "see whether the line ends are right"))
    odd = sum(char < " " and char not in "\t\r\n\f" for char in cut[:10_000])
    if odd > len(cut[:10_000]) * 0.05:
        raise InputError(Problem("is no text", name, "export it as CSV, JSON or NDJSON"))
    dialect = guess_dialect(cut)
    line = second_table(cut, dialect)
    if line is not None:
        what = f"a second table begins in line {line}, with other columns"
        raise InputError(Problem(what, name, "put each table in a file of its own"))
    return dialect


def _measure(dumps: Dumps, reporter: Reporter) -> None:
    """Read every record; raises InputError where there is none, or where most of them are no records of one table."""
    columns = dumps.columns
    extraction = Extraction(dumps.files, dumps.source, Expected((), columns), lists=frozenset(dumps.lists))
    lists = dumps.lists if dumps.format != "csv" else ()
    dumps.survey.expect(columns)
    seen = 0
    with reporter.stage("measure", extraction.bytes_total) as advance:
        for batch in side_by_side(lambda one: one, extraction):
            frame: pl.DataFrame = batch.frame
            keep = [name for name in columns if name in frame.columns] + (["_record"] if lists else [])
            dumps.survey.add(frame.select(keep), lists)
            dumps.malformed.update(batch.malformed["_code"].to_list())
            dumps.records += frame.height + batch.malformed.height
            advance(extraction.bytes_read - seen, frame.height + batch.malformed.height)
            seen = extraction.bytes_read
    if not dumps.records:
        raise InputError(_no_records(dumps.files))
    bad = sum(dumps.malformed.values())
    if bad > _MOST_MALFORMED * dumps.records:
        codes = ", ".join(f"{count:,} {code}" for code, count in dumps.malformed.most_common(3))
        what = f"{bad:,} of {dumps.records:,} records do not fit the header ({codes})"
        raise InputError(Problem(what, dumps.files[0].name, "see whether the file is one table, and quote its texts"))


def _no_records(files: Sequence[SourceFile]) -> Problem:
    what = "has a header and no record" if len(files) == 1 else "hold headers and no record"
    return Problem(what, ", ".join(file.name for file in files[:5]), "take a dump with some hundreds of records")
