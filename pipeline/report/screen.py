"""Lay tables and marked lines out for a terminal or a pipe, in its width, with colour where it may have it (pure)."""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# What a mark looks like, where the stream cannot write it, and its colour.
_MARKS: Mapping[str, tuple[str, str, str]] = {
    "ok": ("✓", "ok", "green"),
    "warning": ("!", "!", "yellow"),
    "problem": ("✗", "x", "red"),
    "info": ("·", "-", "dim"),
}
_NARROWEST = 60


def section(titles: Sequence[str], rows: Sequence[Sequence[str]], *, wide: Sequence[int] = ()) -> list[Any]:
    """Return a table with a blank line before it; nothing where there are no rows."""
    return ["", table(titles, rows, wide=wide)] if rows else []


def rendered(parts: Iterable[Any]) -> str:
    """Return texts and tables as one text that fits stdout; colour only on a terminal without NO_COLOR."""
    from rich.console import Console

    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    out = io.StringIO()
    console = Console(
        file=out, width=_width(), force_terminal=coloured, no_color=not coloured, highlight=False, soft_wrap=False,
        color_system="standard" if coloured else None, emoji=False, markup=False, legacy_windows=False,
    )  # fmt: skip
    for part in parts:
        _print(console, part)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _print(console: Console, part: Any) -> None:
    from rich.table import Table

    # A line of text is never broken: it may be a command to paste.
    console.print(part, soft_wrap=not isinstance(part, Table))


def _width() -> int:
    """Return the columns of the terminal, 80 where there is none."""
    return max(_NARROWEST, shutil.get_terminal_size((80, 24)).columns)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, wide: Sequence[int] = ()) -> Table:
    """Return a table without frame; columns named in `wide` take what the others leave, long texts are wrapped."""
    from rich.table import Table

    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for at, title in enumerate(titles):
        made.add_column(title, overflow="fold", ratio=1 if at in wide else None)
    for row in rows:
        made.add_row(*map(_safe, row))
    return made


def marked(lines: Iterable[tuple[str, str, str]]) -> Text:
    """Return lines of (mark, text, advice): mark is ok, warning, problem or info; advice stands below its line.

    Lines are wrapped between words only: a path that is longer than a line stays whole, so that it can be copied.
    """
    from rich.text import Text

    unicode = _stdout_writes("✓✗·")
    signs = {mark: sign if unicode else plain for mark, (sign, plain, _) in _MARKS.items()}
    indent = max(map(len, signs.values())) + 1
    made: list[Text] = []
    for mark, text, advice in lines:
        first, *rest = _wrapped(text, indent) or [""]
        made.append(Text.assemble((signs[mark].ljust(indent), _MARKS[mark][2]), first))
        made += [Text(" " * indent + line) for line in rest]
        made += [
            Text(" " * indent + line, style="dim") for line in _wrapped(advice, indent, "→ " if unicode else "-> ")
        ]
    return Text("\n").join(made)


def _wrapped(text: str, indent: int, sign: str = "") -> list[str]:
    width = _width() - indent
    return textwrap.wrap(sign + _safe(text), width, break_long_words=False, break_on_hyphens=False) if text else []


def _stdout_writes(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _safe(text: str) -> str:
    """Show control characters as escapes: a value of a dump must not steer the terminal."""
    return "".join(
        char if char.isprintable() or char == " " else char.encode("unicode_escape").decode() for char in text
    )
