"""Lay previewed records out for a terminal and as a document (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipeline.errors import shortened
from pipeline.report.screen import marked, rendered, table
from pipeline.run.preview import Cell, Shown

_SAME = "="
_LONGEST = 60


def document(job: str, rows: Sequence[Shown]) -> dict[str, Any]:
    """Return the document of `--json`."""
    return {"status": "done", "exit_code": 0, "job": job, "records": [_record(row) for row in rows]}


def _record(row: Shown) -> dict[str, Any]:
    found = {**asdict(row), "accepted": row.accepted}
    found["columns"] = [
        {"from": cell["source"], "to": cell["target"], **{name: cell[name] for name in _NAMES}}
        for cell in found.pop("cells")
    ]
    return found


_NAMES = ("text", "value", "type", "sent", "code", "message")


def screen(rows: Sequence[Shown]) -> str:
    """Return one table per record; `=` stands for what the cell before it shows."""
    parts: list[Any] = []
    for row in rows:
        element = "" if row.element is None else f", element {row.element}"
        place = f"{row.file}, line {row.line}: record {row.record}{element}"
        parts.append(marked([("ok" if row.accepted else "problem", place, "")]))
        if row.cells:
            parts += [table(("dump", "text", "value", "Copernica", "sent"), map(_cells, row.cells), wide=(1, 4))]
        else:
            parts += [
                marked([("problem", f"{row.code}: {row.message}", ""), ("info", shortened(row.raw, _LONGEST), "")])
            ]
        parts.append("")
    parts.append("= is the same as the cell to its left; (empty) is up to ignore_empty_fields")
    return rendered(parts)


def _cells(cell: Cell) -> Sequence[str]:
    text = _text(cell.text)
    value = "" if cell.value is None else _SAME if cell.value == cell.text else _text(cell.value)
    return (cell.source or "(constant)", text, value, f"{cell.target} {cell.type}", _wire(cell))


def _wire(cell: Cell) -> str:
    if cell.code:
        return f"{cell.code}: {cell.message}"
    if cell.sent is None:
        return "not sent"
    shown = cell.text if cell.value is None else cell.value
    return _SAME if cell.sent == (shown or "") and cell.sent else _text(cell.sent)


def _text(text: str | None) -> str:
    if text is None:
        return ""
    if text == "":
        return "(empty)"
    return repr(shortened(text, _LONGEST)) if text != text.strip() else shortened(text, _LONGEST)
