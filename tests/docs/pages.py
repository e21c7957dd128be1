"""Make the pages that are taken from the program: `python -m tests.docs.pages` writes docs/codes.md and docs/commands.md."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

from pipeline.__main__ import main
from pipeline.cli import COMMANDS
from pipeline.model.codes import CODES, FAILED_CODES, Code
from tests.docs.proofs import PROOFS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

CODES_HEAD = """\
# Codes

Every record that is set aside has one or more of these codes in the column `_code` of the rejects file. All but those
of `failed.csv`, `swallowed_lines`, `stray_escape`, `overtaken` and `nothing_to_send` are in the sample data: `make
run` shows what CSV records can have, `make run JOB=configs/customers-json.yaml` and `JOB=configs/visits.yaml` what
JSON records can have besides (also `row_too_big`). `nothing_to_delete` comes from `configs/withdrawn-visits.yaml`
after the first of them, `unreadable_before` from `configs/customers.yaml` with the file
`sample_data/mended-2026-11-17.csv`. This page is made from `pipeline/model/codes.py` by `.venv/bin/python -m
tests.docs.pages`.
"""
TESTS_HEAD = """\
## Tests

This table is made from `tests/docs/proofs.py` by `.venv/bin/python -m tests.docs.pages`; the paths are below `tests/`.

| rule | tests |
|---|---|
"""
COMMANDS_HEAD = """\
# Commands

The output of `--help`. Every command has `--json`: exactly one JSON document on stdout, everything else on stderr. Exit codes
are in [reference.md](reference.md#exit-codes). This page is made by `.venv/bin/python -m tests.docs.pages`.
"""


def codes_page() -> str:
    """Lay out the catalogue of codes in three tables."""
    return "\n".join([CODES_HEAD, *(_table(title, codes) for title, codes in _groups().items())])


def _groups() -> Mapping[str, Mapping[str, Code]]:
    names = list(CODES)
    keys = names.index("key_blank")
    values = names.index("column_absent")
    parts = {
        "The record cannot be read (malformed)": names[:keys],
        "Its keys cannot be used (rejected)": names[keys:values],
        "A value cannot be sent (rejected)": names[values:],
    }
    return {
        **{title: {name: CODES[name] for name in part} for title, part in parts.items()},
        "Copernica did not take the row (`failed.csv`, per-profile method only)": FAILED_CODES,
    }


def _table(title: str, codes: Mapping[str, Code]) -> str:
    lines = [f"## {title}", "", "| code | what it means | what to do |", "|---|---|---|"]
    for name, code in codes.items():
        lines.append(f"| `{name}` | **{code.title}.** {code.explanation} | {code.advice} |")
    return "\n".join([*lines, ""])


def help_of(*words: str) -> str:
    """Return what `--help` prints on a terminal of 80 columns."""
    out = io.StringIO()
    with patch.dict(os.environ, {"COLUMNS": "80"}), redirect_stdout(out):
        main([*words, "--help"])
    return out.getvalue()


def commands_page() -> str:
    """Lay out the help of every command."""
    blocks = [COMMANDS_HEAD, f"```text\n{help_of()}```\n"]
    blocks += [f"## {name}\n\n```text\n{help_of(name)}```\n" for name in COMMANDS]
    return "\n".join(blocks)


def rules_page() -> str:
    """Lay out the rules as they are written, and behind them the tests of each."""
    text = (DOCS / "rules.md").read_text(encoding="utf-8").partition(f"\n{TESTS_HEAD}")[0]
    rows = "".join(f"| {number} | {_tests_of(number)} |\n" for number in sorted(PROOFS))
    return f"{text.rstrip()}\n\n{TESTS_HEAD}{rows}"


def _tests_of(number: int) -> str:
    return "<br>".join(f"`{name}`" for name in PROOFS[number])


PAGES = {DOCS / "codes.md": codes_page, DOCS / "commands.md": commands_page, DOCS / "rules.md": rules_page}

if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")
