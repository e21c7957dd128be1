"""Put what `init` wrote into words: for a person and as a document (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.report.screen import marked, rendered, table
from pipeline.run.init.draft import Column
from pipeline.run.init.init import Written
from pipeline.state.advice import command


def document(written: Written, state_dir: Path | None = None) -> dict[str, Any]:
    """Return the document of `--json`."""
    dumps = written.dumps
    return {
        "status": "done",
        "exit_code": 0,
        "job": written.job,
        "job_file": str(written.job_file.absolute()),
        "schema_file": str(written.schema_file.absolute()),
        "database": written.database,
        "records": dumps.records,
        "malformed": sum(dumps.malformed.values()),
        "columns": [_column(column) for column in written.draft.columns],
        "ignored": [{"from": name, "why": why} for name, why in written.draft.ignored.items()],
        "key_fields": list(written.draft.keys),
        "not_known": list(_not_known(written)),
        "go_on": _next(written, state_dir),
    }


def _column(column: Column) -> dict[str, Any]:
    verdict = column.verdict
    return {
        "from": column.source,
        "to": column.target,
        "type": verdict.kind,
        "length": verdict.length,
        "null_values": list(column.nulls),
        "why": verdict.why,
        "sure": verdict.sure,
        "live": column.live,
    }


def screen(written: Written, state_dir: Path | None = None) -> str:
    """Return what a person reads: what was found, what was written, what is left to decide, and the next command."""
    dumps, draft = written.dumps, written.draft
    good = dumps.records - sum(dumps.malformed.values())
    rows = [(one.source, one.target, _type(one), one.verdict.why) for one in draft.columns]
    rows += [(name, "ignored", "", why) for name, why in draft.ignored.items()]
    return rendered([
        f"{len(dumps.files)} file{'s' * (len(dumps.files) > 1)}, {dumps.format}, {dumps.encoding.name}:"
        f" {good:,} records" + (f", {dumps.records - good:,} malformed" if good < dumps.records else ""),
        "",
        table(("dump", "Copernica", "type", "evidence"), rows, wide=(3,)),
        "",
        marked(_lines(written)),
        "",
        f"Next: {_next(written, state_dir)}",
    ])  # fmt: skip


def _type(column: Column) -> str:
    length = f"({column.verdict.length})" if column.verdict.length else ""
    return f"{column.verdict.kind}{length}{'' if column.verdict.sure else ' ?'}"


def _lines(written: Written) -> Iterator[tuple[str, str, str]]:
    yield "ok", f"wrote {written.job_file} and {written.schema_file}; the first records pass with them", ""
    yield "ok", f"key: {', '.join(written.draft.keys)}", ""
    for note in written.draft.key_notes:
        yield "info", note, ""
    for line in written.damage:
        yield "warning", line, ""
    for text in _not_known(written):
        yield "warning", f"not known: {text}", ""


def _not_known(written: Written) -> Iterator[str]:
    yield from written.draft.not_known
    for column in written.draft.columns:
        if not column.verdict.sure:
            yield f"{column.source}: {column.verdict.why}"
    yield "action (update or add), ignore_empty_fields (true), followups (false): safe values, marked `decide` in the file"


def _next(written: Written, state_dir: Path | None) -> str:
    if written.is_new is False and all(column.live for column in written.draft.columns):
        return command("check", written.job_file, state_dir=state_dir)
    return command("setup", written.job_file, state_dir=state_dir)
