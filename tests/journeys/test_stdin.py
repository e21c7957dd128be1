"""A dump by stdin, and dumps that must not be asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.shop import Shop


def _piped(shop: Shop, data: bytes, *words: str) -> tuple[int, dict, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", words[0], str(shop.job), *words[1:], "--json"],
        input=data, capture_output=True, env={**os.environ, **shop.environment()}, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout or b"{}"), done.stderr.decode()


def test_a_dump_comes_by_stdin(shop: Shop) -> None:
    """`-` is copied into the run's folder first; nothing of it stays when the run is confirmed."""
    shop.configure({"source.format": "csv"})
    code, document, stderr = _piped(
        shop, b"Nr,City\n1,Delft\n2\n3,Gouda\n", "run", "-", "--set", "guards.max_rejects=50%"
    )
    assert code == 0, stderr
    assert shop.numbers() == ["1", "3"]
    assert [one["path"] for one in document["files"]] == ["-"]
    assert "-,3,2,field_count" in Path(document["rejects"]).read_text()
    assert list(shop.state.rglob("stdin")) == []


def test_validate_reads_stdin(shop: Shop) -> None:
    """Without a run's folder."""
    shop.configure({"source.format": "csv"})
    code, document, stderr = _piped(shop, b"Nr,City\n1,Delft\n", "validate", "-")
    assert code == 0, stderr
    assert document["records"]["accepted"] == 1


def test_a_url_with_a_password_is_refused_and_not_repeated(shop: Shop) -> None:
    """Exit 3, whether it stands in the job or on the command line."""
    for ran in (
        shop.call("run", shop.job, "sftp://me:hunter2@host/x.csv"),
        shop.run("source.files=['https://host/x.csv?sig=hunter2']"),
    ):
        assert ran.exit_code == 3, ran.stderr
        assert "hunter2" not in ran.stdout + ran.stderr
