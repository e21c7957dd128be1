"""Limits are exact, sizes and formats are read as people write them."""

from __future__ import annotations

import pytest

from pipeline.config.read import read_job
from pipeline.model.job import format_of
from pipeline.model.measures import Limit
from tests.support.job import SMALLEST


@pytest.mark.parametrize(
    ("written", "found", "of", "allowed"),
    [
        ("29%", 29, 100, True),
        ("29%", 30, 100, False),
        ("0.7%", 7, 1000, True),
        ("0.7%", 8, 1000, False),
        ("100%", 5, 5, True),
        ("0%", 0, 5, True),
        ("0%", 1, 5, False),
        ("1%", 0, 0, True),
        ("3", 3, 3, True),
        ("3", 4, 1_000_000, False),
    ],
)
def test_a_limit_is_a_count_or_an_exact_share(write, written, found, of, allowed):
    """29% of 100 rows are 29, whatever floats make of it."""
    limit = read_job(write(SMALLEST), [f"guards.max_rejects={written}"]).guards.max_rejects
    assert (limit.allows(found, of), str(limit)) == (allowed, written)


def test_a_limit_without_words_allows_nothing():
    """An empty limit is the strictest one."""
    assert (Limit().allows(0, 9), Limit().allows(1, 9)) == (True, False)


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [("1", 1), ("2 KiB", 2048), ("2kib", 2048), ("3 KB", 3000), ("4 MiB", 4_194_304), ("1 GiB", 1_073_741_824)],
)
def test_sizes_are_bytes_or_have_a_unit(write, written, size_bytes):
    """KiB counts in 1024, KB in 1000."""
    assert read_job(write(SMALLEST), [f"load.chunk_bytes={written}"]).load.chunk_bytes == size_bytes


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", "csv"),
        ("x.d/A.TSV.GZ", "csv"),
        ("a.txt.zst", "csv"),
        ("*.json", "json"),
        ("a.ndjson.gz", "ndjson"),
        ("a.jsonl", "ndjson"),
        ("a.csv.bz2", "csv"),
        ("a.csv.xz", "csv"),
        ("a.csv.zip", "csv"),
        ("a.csv.rar", None),
        ("x.csv/a", None),
        ("csv", None),
        ("a.gz", None),
    ],
)
def test_the_format_shows_by_the_extension(name, kind):
    """Before .gz and .zst, in any case; what is unknown is nothing."""
    assert format_of(name) == kind
