"""Finding files, archives, and files that change while they are read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from pipeline.errors import InputError, JobError
from pipeline.extract import Extraction, find_files
from pipeline.model.columns import Expected
from tests.extract.reading import extract, rows_of, source

AB = Expected(("a", "b"))


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"a,b\n1,2\n")


def _names(patterns: list[str], folder: Path) -> list[str]:
    return [file.name for file in find_files(patterns, folder)]


def test_globs_give_files_in_natural_order(tmp_path: Path):
    """d2 stands before d10, patterns keep their order, and names are as the operator wrote them."""
    _touch(tmp_path, "in/d10.csv", "in/d2.csv", "in/d1.csv", "x.csv")
    (tmp_path / "configs").mkdir()
    assert _names(["../x.csv", "../in/d*.csv"], tmp_path / "configs") == [
        "../x.csv",
        "../in/d1.csv",
        "../in/d2.csv",
        "../in/d10.csv",
    ]
    found = find_files([str(tmp_path / "in" / "d*.csv")], tmp_path / "configs")
    assert [file.name for file in found] == [str(tmp_path / "in" / name) for name in ("d1.csv", "d2.csv", "d10.csv")]
    assert [file.index for file in found] == [0, 1, 2]
    assert all(file.path.is_absolute() and file.size_bytes == 8 for file in found)


def test_a_file_named_twice_is_read_once(tmp_path: Path):
    """Whether by two patterns, another spelling or a link."""
    _touch(tmp_path, "a.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    assert _names(["a.csv", "*.csv", "./a.csv", str(tmp_path / "a.csv")], tmp_path) == ["a.csv"]


def test_brackets_in_a_name_are_no_glob_where_the_file_exists(tmp_path: Path):
    """A file called d[1].csv can be named; as a glob it would be d1.csv."""
    _touch(tmp_path, "d[1].csv", "d1.csv")
    assert _names(["d[1].csv"], tmp_path) == ["d[1].csv"]
    (tmp_path / "d[1].csv").unlink()
    assert _names(["d[1].csv"], tmp_path) == ["d1.csv"]


def test_everything_that_cannot_be_read_is_named(tmp_path: Path):
    """Patterns without a file, folders, empty files, broken links and pipes, in one error."""
    _touch(tmp_path, "ok.csv", "folder/in.csv")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError) as caught:
        find_files(["nothing*.csv", "no.csv", "folder", "*.csv"], tmp_path)
    problems = {problem.what: problem.where for problem in caught.value.problems}
    assert problems == {
        "no file of that name": "nothing*.csv, no.csv",
        "is a folder": "folder",
        "is empty (0 bytes)": "empty.csv",
        "cannot be read: No such file or directory": "link.csv",
        "is no regular file": "pipe.csv",
    }


@pytest.mark.parametrize(
    ("name", "said", "format_"),
    [
        ("x.csv", None, "csv"),
        ("x.TSV", None, "csv"),
        ("x.txt", None, "csv"),
        ("x.ndjson", None, "ndjson"),
        ("x.jsonl", None, "ndjson"),
        ("x.json", None, "json"),
        ("x.dat", "ndjson", "ndjson"),
        ("x.csv", "json", "json"),
    ],
)
def test_the_format_is_said_or_that_of_the_extension(tmp_path: Path, name: str, said: str | None, format_: str):
    """Each format reads its own text."""
    text = {"csv": "a,b\n1,2\n", "json": '[{"a":"1","b":"2"}]', "ndjson": '{"a":"1","b":"2"}\n'}[format_]
    (tmp_path / name).write_text(text)
    batches, _ = extract(tmp_path / name, AB, format=said)
    assert [row[:2] for row in rows_of(batches)] == [("1", "2")]


def test_an_unknown_extension_needs_a_format(tmp_path: Path):
    """The message names the fix."""
    _touch(tmp_path, "x.dat", "y")
    for name, what in (
        ("x.dat", "the extension '.dat' names no format"),
        ("y", "has no extension, so no known format"),
    ):
        with pytest.raises(InputError, match=what) as caught:
            extract(tmp_path / name, AB)
        assert caught.value.problems[0].do == "set source.format to csv, json or ndjson"


@pytest.mark.parametrize(
    ("name", "data", "what", "do"),
    [
        (
            "z.xlsx",
            b"PK\x03\x04 and more",
            "is a zip archive or a workbook",
            "name an archive of one file .zip, or save the sheet as CSV",
        ),
        ("img.png", b"\x89PNG\r\n\x1a\n", "is an image", "see whether this is the right file"),
        ("z.rar", b"Rar!\x1a\x07\0", "is a rar archive", "unpack it"),
        ("z", b"SQLite format 3\0", "is an SQLite database", "export it as CSV or NDJSON"),
    ],
)
def test_an_unknown_extension_of_what_is_no_text_is_said_to_be_that(
    tmp_path: Path, name: str, data: bytes, what: str, do: str
):
    """No format that could be set would help (data rule 7)."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        extract(tmp_path / name, AB)
    assert [(problem.what, problem.do) for problem in caught.value.problems] == [(what, do)]


DATA = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number * 7919 % 1000003) for number in range(30_000))


def _zip(*members: tuple[str, bytes], packed: int = zipfile.ZIP_DEFLATED, large: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packed) as archive:
        for name, data in members:
            with archive.open(name, "w", force_zip64=large) as file:
                file.write(data)
    return out.getvalue()


class Pipe(io.BytesIO):
    """What an archive is written to that cannot go back: sizes and checksum stand behind the data."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation


def test_a_zip_of_several_files_is_refused(tmp_path: Path):
    """Which one would be the dump? Also one that begins with a folder, and one whose end cannot be found."""
    stored = Pipe()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("x.csv", DATA)
    for data, why in (
        (_zip(("x.csv", DATA), ("y.csv", DATA)), "several files"),
        (_zip(("in/", b"")), "begins with a folder"),
        (stored.getvalue(), "stored without its size"),
        (_zip(("x.csv", DATA), packed=zipfile.ZIP_BZIP2), "packed in an unusual way"),
    ):
        (tmp_path / "x.csv.zip").write_bytes(data)
        with pytest.raises(InputError, match=why):
            extract(tmp_path / "x.csv.zip", AB)


def test_a_zip_that_was_written_to_a_pipe_is_read(tmp_path: Path):
    """Sizes and checksum stand behind the data there."""
    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", DATA)
    (tmp_path / "x.csv.zip").write_bytes(out.getvalue())
    batches, _ = extract(tmp_path / "x.csv.zip", AB)
    assert sum(batch.frame.height for batch in batches) == 30_000


HALF = len(DATA) // 2
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"
ARCHIVES: dict[str, Callable[[], bytes]] = {
    "x.csv.gz": lambda: gzip.compress(DATA),
    "members.csv.gz": lambda: gzip.compress(DATA[:HALF]) + gzip.compress(DATA[HALF:]),
    "padded.csv.gz": lambda: gzip.compress(DATA) + b"\0" * 1000,
    "x.csv.zst": lambda: zstandard.compress(DATA),
    "frames.csv.zst": lambda: zstandard.compress(DATA[:HALF]) + SKIPPABLE + zstandard.compress(DATA[HALF:]),
    "x.csv.bz2": lambda: bz2.compress(DATA),
    "streams.csv.bz2": lambda: bz2.compress(DATA[:HALF]) + bz2.compress(DATA[HALF:]),
    "x.csv.xz": lambda: lzma.compress(DATA),
    "x.csv.zip": lambda: _zip(("x.csv", DATA)),
    "stored.csv.zip": lambda: _zip(("x.csv", DATA), packed=zipfile.ZIP_STORED),
    "large.csv.zip": lambda: _zip(("x.csv", DATA), packed=zipfile.ZIP_STORED, large=True),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("block", [1000, 1 << 20])
def test_archives_read_as_what_is_in_them(tmp_path: Path, name: str, block: int):
    """gzip and zstd, of several members and frames too, give the same rows; the digest is that of the stored bytes."""
    (tmp_path / name).write_bytes(ARCHIVES[name]())
    batches, extraction = extract(tmp_path / name, AB, block_bytes=block)
    assert sum(batch.frame.height for batch in batches) == 30_000
    assert rows_of(batches[-1:])[-1] == ("29999", str(29999 * 7919 % 1000003), 30001, 30000, None)
    assert extraction.bytes_read == (tmp_path / name).stat().st_size


@pytest.mark.parametrize("name", ARCHIVES)
def test_broken_archives_are_refused(tmp_path: Path, name: str):
    """An archive that breaks off or has a byte changed is refused with what was read, never read as far as it goes."""
    whole = ARCHIVES[name]().rstrip(b"\0")
    for broken in (
        whole[:-3],
        whole[: len(whole) // 2],
        whole[:-4] + bytes([whole[-4] ^ 1]) + whole[-3:],
        whole + b"text",
    ):
        if broken == whole[:-4] + bytes([whole[-4] ^ 1]) + whole[-3:] and name.endswith(".zst"):
            continue  # a zstd frame of one call has no checksum, and its last byte may be data
        (tmp_path / name).write_bytes(broken)
        with pytest.raises(InputError, match="archive is broken after about"):
            extract(tmp_path / name, AB)


def test_an_archive_of_an_archive_is_refused(tmp_path: Path):
    """What comes out of the archive must be text."""
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(gzip.compress(DATA)))
    with pytest.raises(InputError, match="is gzip data"):
        extract(tmp_path / "x.csv.gz", AB)


@pytest.mark.parametrize("change", ["append", "truncate", "replace", "touch", "remove"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, change: str):
    """Size, time stamp or the file itself."""
    path = tmp_path / "x.csv"
    path.write_bytes(DATA)
    reading = iter(Extraction(find_files(["x.csv"], tmp_path), source(), AB, batch_rows=100, block_bytes=10_000))
    next(reading)
    if change == "append":
        with path.open("ab") as handle:
            handle.write(b"1,2\n")
    elif change == "truncate":
        os.truncate(path, 50_000)
    elif change == "replace":
        (tmp_path / "new").write_bytes(DATA)
        os.utime(tmp_path / "new", ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
        (tmp_path / "new").replace(path)
    elif change == "touch":
        os.utime(path, ns=(1, 1))
    else:
        path.unlink()
    with pytest.raises(InputError, match="changed while it was read"):
        list(reading)


def test_a_file_that_goes_before_it_is_read_is_refused(tmp_path: Path):
    """Found, but gone when its turn comes."""
    _touch(tmp_path, "x.csv")
    files = find_files(["x.csv"], tmp_path)
    (tmp_path / "x.csv").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        list(Extraction(files, source(), AB))


@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv.zst"])
def test_an_archive_that_grows_a_thousandfold_is_read_in_blocks(tmp_path: Path, name: str):
    """100 MB of one byte never stand in memory together; the record is one malformed line."""
    packed = zlib.compressobj(1, wbits=31) if name.endswith(".gz") else zstandard.ZstdCompressor().compressobj()
    (tmp_path / name).write_bytes(
        b"".join([packed.compress(b"a,b\n"), *(packed.compress(b"x" * 1_000_000) for _ in range(100)), packed.flush()])
    )
    tracemalloc.start()
    batches, extraction = extract(tmp_path / name, AB, max_record_bytes=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 70_000_000
    assert [row[2] for row in batches[0].malformed.rows()] == ["record_too_long"]
    assert extraction.facts[0].lines == 2


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.ndjson"])
def test_a_column_with_a_name_of_a_rejects_file_is_refused(tmp_path: Path, name: str):
    """In a rejects file that column would be taken for ours; whatever the format, the job is told."""
    (tmp_path / name).write_text("a,_line\n1,2\n")
    with pytest.raises(JobError, match=r"name of a column of a rejects file: _line"):
        extract(tmp_path / name, Expected(("a", "_line")))
