"""Read the dump files of a run, one after the other, and collect what is wrong with all of them (wiring)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from pipeline.errors import InputError, JobError, Problem
from pipeline.extract.csv.reader import NO_HEAD, CsvReader, read_csv
from pipeline.extract.cutting import Cutting
from pipeline.extract.files import known_format
from pipeline.extract.json.dump import is_ours, read_json, read_ndjson, read_piece
from pipeline.extract.ours import saved_as
from pipeline.extract.reading import PIECE_BYTES, Batches, Found, Piece, Task, first_line, gathered
from pipeline.extract.refusal import Refused, grouped
from pipeline.extract.stored import BLOCK_BYTES, StoredFile, StoredPiece
from pipeline.model.columns import Expected
from pipeline.model.encodings import check_encoding
from pipeline.model.files import FileFacts, SourceFile
from pipeline.model.job import Source
from pipeline.model.rows import OURS, Batch


class Extraction:
    """Read files into batches of at most `batch_rows` rows; `limit` takes the first rows over all files.

    `lists` are the JSON paths whose elements are rows of a collection, `canonical` the columns of files that we wrote with
    canonical text. Iterate once; then `facts` is complete. Raises
    JobError at once for an unknown encoding or a column with a name of ours, and InputError with the refusals of all files
    at the end.
    """

    def __init__(
        self,
        files: Sequence[SourceFile],
        source: Source,
        expected: Expected,
        *,
        batch_rows: int = 100_000,
        limit: int | None = None,
        lists: frozenset[str] = frozenset(),
        canonical: Expected | None = None,
        block_bytes: int = BLOCK_BYTES,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        check_encoding(source.encoding)
        _check_names(expected)
        self._files = tuple(files)
        self._source = source
        self._expected = expected
        self._lists = lists
        self._canonical = canonical
        self._batch_rows = batch_rows
        self._left = limit
        self._block_bytes = block_bytes
        self._piece_bytes = piece_bytes
        self._read_before = 0
        self._current: StoredFile | None = None
        self._problems: list[Problem] = []
        self.bytes_total = sum(file.size_bytes for file in self._files)
        self._found: list[Found] = []
        self.facts: tuple[FileFacts, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """Return the columns of the first CSV file, or the known ones of JSON; empty before the first batch."""
        return next((found.header for found in self._found if found.header), ())

    @property
    def records(self) -> int:
        """Return the rows that were read so far."""
        return sum(found.counts.records for found in self._found)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return why files are refused that were read."""
        return tuple(self._problems)

    @property
    def bytes_read(self) -> int:
        """Return the stored bytes that were read so far."""
        return self._read_before + (self._current.bytes_read if self._current else 0)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in file order. After a refusal the other files are read and checked, but not yielded."""
        for file in self._files:
            if self._left == 0:
                break
            for batch in self.read(file):
                if self._left is not None:
                    self._left -= batch.frame.height + batch.malformed.height
                if not self._problems:
                    yield batch
        if self._problems:
            raise InputError(*grouped(self._problems))

    def refusals_at_start(self) -> tuple[Problem, ...]:
        """Read each file as far as its first rows only, and give why those are refused that are (data rule 7)."""
        for file in self._files:
            with closing(self.read(file)) as batches:
                next(batches, None)
        return tuple(problem for found in self._found for problem in found.problems)

    def cutting(self, file: SourceFile) -> Cutting:
        """Return what reads one of the files through and finds where it can be cut."""
        return Cutting(self._task(file))

    def read(self, file: SourceFile, piece: Piece | None = None) -> Generator[Batch]:
        """Yield the batches of one file, or those that the whole file has in a piece; refusals go to `problems`."""
        found = Found()
        self._found.append(found)
        try:
            yield from self._whole(file, found) if piece is None else self._piece(file, piece, found)
        except Refused as refused:
            found.problems += refused.problems
        self._problems += found.problems
        self._read_before += file.size_bytes
        self._current = None

    def _whole(self, file: SourceFile, found: Found) -> Batches:
        with closing(StoredFile(file, self._block_bytes)) as stored:
            self._current = stored
            yield from self._batches(file, stored, found)
            stored.finish()
            self.facts += (FileFacts(file, stored.digest, **vars(found.counts), content_sha256=stored.content_digest),)

    def _piece(self, file: SourceFile, piece: Piece, found: Found) -> Batches:
        task = replace(self._task(file), piece=piece)
        is_csv = known_format(file.name, self._source.format) == "csv"
        before = NO_HEAD if is_csv and not piece.head.offset else b""
        with closing(StoredPiece(file, piece, before, self._block_bytes)) as stored:
            if is_csv:
                yield from CsvReader(task, found).read(stored.blocks())
            else:
                yield from read_piece(task, stored.blocks(), found)
            stored.finish()

    def _batches(self, file: SourceFile, stored: StoredFile, found: Found) -> Batches:
        head, blocks = first_line(gathered(stored.blocks()))
        yield from self._reader(file, head)(self._task(file), blocks, found)

    def _task(self, file: SourceFile) -> Task:
        return Task(
            file,
            self._source,
            self._expected,
            self._lists,
            self._batch_rows,
            self._left,
            canonical=self._canonical,
            piece_bytes=self._piece_bytes,
        )

    def _reader(self, file: SourceFile, head: bytes) -> Callable[[Task, Iterator[bytes], Found], Batches]:
        """Return what reads a file that begins with `head`: by its format, unless we wrote it."""
        if saved_as(head) is not None:
            return read_csv
        if is_ours(head):
            return read_ndjson
        return {"csv": read_csv, "json": read_json, "ndjson": read_ndjson}[known_format(file.name, self._source.format)]


def _check_names(expected: Expected) -> None:
    """Raise JobError for columns that a rejects file has itself: on its way back they would be taken for ours."""
    ours = [name for name in (*expected.required, *expected.optional) if name in OURS]
    if ours:
        what = f"a dump column cannot have the name of a column of a rejects file: {', '.join(dict.fromkeys(ours))}"
        raise JobError(Problem(what, "columns", "rename it in the export"))
