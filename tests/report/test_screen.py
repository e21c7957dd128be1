"""Lines with marks, wrapped to the width of a terminal."""

from __future__ import annotations

from pipeline.report.screen import marked, rendered


def test_a_path_longer_than_a_line_stays_whole() -> None:
    """It can be copied; words around it are wrapped, and advice stands below its line."""
    path = "/srv/" + "long-folder/" * 12 + "undo.csv"
    text = rendered([marked([("info", f"undo.csv: {path}", ""), ("problem", "word " * 30, "do it")])])
    first, second, *rest = text.splitlines()
    assert (first, second) == ("· undo.csv:", f"  {path}")
    assert rest[0].startswith("✗ word word")
    assert rest[-1] == "  → do it"
    assert all(len(line) <= 80 for line in rest)
