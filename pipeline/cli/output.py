"""Write what a command found: data to stdout, problems to stderr, with `--json` one document (wiring)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import click

from pipeline.errors import Exit, Problem
from pipeline.report.summary import Summary, errors_of

# More problems than this are counted, not written, on stderr; the JSON document has them all.
MOST_PROBLEMS = 50


def show(summary: Summary, *, as_json: bool, quiet: bool = False, text: str = "") -> int:
    """Write how a run ended and return its exit code; with `quiet` nothing where all is well, else only what is wrong.

    `text` stands before the summary.
    """
    if quiet:
        if summary.exit_code:
            _complain_briefly(summary.line(), summary.problems, summary.go_on)
        return _document_or("", summary.to_dict(), int(summary.exit_code), as_json=as_json)
    _complain(summary.problems)
    if as_json:
        _write(_document(summary.to_dict()))
    else:
        first, *rest = summary.text().splitlines(keepends=True)
        _write(text.rstrip("\n") + "\n\n" if text else "")
        _write(_styled(sys.stdout, first, bold=True, fg=_colour(summary.exit_code)) + "".join(rest))
    if as_json and summary.exit_code and summary.go_on:
        _write(summary.go_on + "\n", sys.stderr)
    return int(summary.exit_code)


def show_again(document: Mapping[str, Any], *, as_json: bool, quiet: bool = False, exit_code: int = Exit.OK) -> int:
    """Write the summary of a run of which nothing is open, as it was written then; returns `exit_code`."""
    left = "nothing is left to be done"
    if document.get("status") == "interrupted" and not (document.get("records") or {}).get("accepted"):
        left = "it stopped before all its rows were staged and has sent nothing; run the job again"
    words = "" if quiet else f"{document.get('run')}: {document.get('status')}, {left}\n"
    return _document_or(words, dict(document), int(exit_code), as_json=as_json)


def answer(document: dict[str, Any], text: str, *, as_json: bool) -> int:
    """Write what a command that is no run has found to be right, and return exit code 0."""
    return _document_or(text, document, int(Exit.OK), as_json=as_json)


def refuse(
    problems: Sequence[Problem],
    exit_code: int,
    *,
    as_json: bool,
    line: str = "",
    more: Mapping[str, Any] | None = None,
) -> int:
    """Write why a command does nothing (more), and return its exit code; with `line` (of a quiet command) that first.

    The document has `more` besides.
    """
    if line:
        _complain_briefly(line, problems)
    else:
        _complain(problems)
    document = {"status": "refused", "exit_code": int(exit_code), "errors": errors_of(tuple(problems)), **(more or {})}
    return _document_or("", document, int(exit_code), as_json=as_json)


def warn(problem: Problem) -> None:
    """Write what went wrong beside a command that continues all the same."""
    _write(f"{_styled(sys.stderr, 'warning:', bold=True, fg='yellow')} {problem}\n", sys.stderr)


def _document_or(text: str, document: dict[str, Any], exit_code: int, *, as_json: bool) -> int:
    if as_json or text:
        _write(_document(document) if as_json else text)
    return exit_code


def _complain_briefly(line: str, problems: Sequence[Problem], go_on: str = "") -> None:
    """Write a line, the problems and what to do next, and nothing else: the mail of a bad night."""
    _write(_styled(sys.stderr, line, bold=True, fg="red") + "\n", sys.stderr)
    _complain(problems)
    if go_on:
        _write(go_on + "\n", sys.stderr)


def _complain(problems: Sequence[Problem]) -> None:
    for problem in problems[:MOST_PROBLEMS]:
        lines = [f"{_styled(sys.stderr, 'error:', bold=True, fg='red')} {problem.what}"]
        lines += [f"   at: {problem.where}"] if problem.where else []
        lines += [f"   do: {problem.do}"] if problem.do else []
        _write("\n".join(lines) + "\n", sys.stderr)
    if len(problems) > MOST_PROBLEMS:
        _write(f"… and {len(problems) - MOST_PROBLEMS} more\n", sys.stderr)


def _colour(exit_code: int) -> str:
    return {Exit.OK: "green", Exit.INCOMPLETE: "yellow", Exit.INTERRUPTED: "yellow"}.get(Exit(exit_code), "red")


def _styled(stream: TextIO, text: str, **style: Any) -> str:
    """Colour a text for a terminal; NO_COLOR (https://no-color.org) turns that off."""
    return click.style(text, **style) if stream.isatty() and not os.environ.get("NO_COLOR") else text


def _document(document: dict[str, Any]) -> str:
    # In ASCII: it reads the same whatever the encoding of the terminal, the mail or the file that it ends in.
    return json.dumps(document, indent=2) + "\n"


def _write(text: str, stream: TextIO | None = None) -> None:
    """Write all of a text, to stdout by default; the exit code stands whatever becomes of it.

    Where nobody reads any more (`| head`) be quiet; another fault of stdout is reported on stderr.
    """
    stream = stream or sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # What is still in the buffer would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            _complain([Problem(f"the output could not be written: {error.strerror}", "stdout")])
