"""Write what a command found: data to stdout, problems to stderr, with `--json` one document (wiring)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import Exit, Problem
from pipeline.report.summary import Summary, errors_of

# More problems than this are counted, not written, on stderr; the JSON document has them all.
MOST_PROBLEMS = 50


def show(summary: Summary, *, as_json: bool) -> int:
    """Write how a run ended and give its exit code."""
    _complain(summary.problems)
    _write(_document(summary.to_dict()) if as_json else summary.text())
    if as_json and summary.exit_code and summary.go_on:
        _write(summary.go_on + "\n", to_stderr=True)
    return int(summary.exit_code)


def show_again(document: Mapping[str, Any], *, as_json: bool) -> int:
    """Write the summary of a run that has ended, as it was written then; its exit code when it was refused, else 0."""
    words = f"{document.get('run')}: {document.get('status')}, nothing is left to be done\n"
    _write(_document(dict(document)) if as_json else words)
    return int(document["exit_code"]) if document["status"] == "refused" else int(Exit.OK)


def tell(document: dict[str, Any], text: str, *, as_json: bool) -> int:
    """Write what a command that is no run has found to be right, and give exit code 0."""
    _write(_document(document) if as_json else text)
    return int(Exit.OK)


def refuse(problems: Sequence[Problem], exit_code: int, *, as_json: bool) -> int:
    """Write why a command does nothing (more), and give its exit code."""
    _complain(problems)
    if as_json:
        document = {"status": "refused", "exit_code": int(exit_code), "errors": errors_of(tuple(problems))}
        _write(_document(document))
    return int(exit_code)


def _complain(problems: Sequence[Problem]) -> None:
    for problem in problems[:MOST_PROBLEMS]:
        lines = [f"error: {problem.what}"]
        lines += [f"   at: {problem.where}"] if problem.where else []
        lines += [f"   do: {problem.do}"] if problem.do else []
        _write("\n".join(lines) + "\n", to_stderr=True)
    if len(problems) > MOST_PROBLEMS:
        _write(f"… and {len(problems) - MOST_PROBLEMS} more\n", to_stderr=True)


def _document(document: dict[str, Any]) -> str:
    # In ASCII: it reads the same whatever the encoding of the terminal, the mail or the file that it ends in.
    return json.dumps(document, indent=2) + "\n"


def _write(text: str, *, to_stderr: bool = False) -> None:
    """Write all of a text; the exit code says what happened whatever becomes of it.

    Where nobody reads any more (`| head`) be quiet; another fault of stdout is told on stderr.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # What is still in the buffer would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not to_stderr and not isinstance(error, BrokenPipeError):
            _complain([Problem(f"the output could not be written: {error.strerror}", "stdout")])
