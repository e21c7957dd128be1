"""Draw the plots of a report as inline SVG, in the colours of the page; nothing where pygal is not installed (pure)."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# Series of a stacked plot: the counts of a run or the states of a chunk, and the colours of the page that they take.
COLOURS = {
    "confirmed": "var(--good)",
    "unchanged": "var(--calm)",
    "collapsed": "var(--calm)",
    "submitted": "var(--calm)",
    "rejected": "var(--warn)",
    "malformed": "var(--warn2)",
    "held": "var(--warn2)",
    "unsent": "var(--idle)",
    "failed": "var(--bad)",
    "unknown": "var(--bad2)",
    "sending": "var(--bad2)",
}
_WIDTH, _HEIGHT = 900, 230
# pygal keeps what its script would show in <desc>; a <title> is shown by the browser itself.
_LABEL = re.compile(r'<desc class="label">(.*?)</desc>')
_REST = re.compile(r"<desc class=\"(?!label)[^\"]*\">[^<]*</desc>|<!--.*?-->|<script.*?</script>", re.DOTALL)


def runs_plot(labels: Sequence[str], series: Mapping[str, Sequence[Mapping[str, Any] | None]]) -> str:
    """Return stacked bars, one per run; each value is {"value": count, "label": text to show}."""
    return _drawn("StackedBar", labels, series, height=_HEIGHT)


def time_line(labels: Sequence[str], series: Mapping[str, Sequence[Mapping[str, Any] | None]]) -> str:
    """Return horizontal bars of seconds, one line per label; the series `wait` is what comes before each and is not seen."""
    return _drawn("HorizontalStackedBar", labels, series, height=90 + 16 * len(labels), unit=" s")


def _library() -> Any:
    """Return pygal, which loads in 0.08 s (matplotlib 0.4 s, altair 0.6 s); None where the extra is not installed."""
    try:
        import pygal
        import pygal.style
    except ImportError:
        return None
    # It leaves a finder for plug-ins there, of a kind that Python has given up: every later import would warn. The finder
    # of importlib_metadata, which comes with it, has to stay: it took the place of Python's own.
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]
    return pygal


def _drawn(kind: str, labels: Sequence[str], series: Mapping[str, Any], height: int, unit: str = "") -> str:
    pygal = _library()
    if pygal is None:
        return ""
    style = pygal.style.Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--text)",
        foreground_strong="var(--text)",
        foreground_subtle="var(--line)",
        colors=tuple(COLOURS.get(name, "transparent") for name in series),
        font_family="inherit",
        opacity="1",
        opacity_hover="1",
        transition="0s",
        label_font_size=9,
        major_label_font_size=9,
        legend_font_size=11,
    )
    chart = getattr(pygal, kind)(
        js=[],
        style=style,
        width=_WIDTH,
        height=height,
        explicit_size=False,
        disable_xml_declaration=True,
        legend_at_bottom=True,
        legend_at_bottom_columns=max(1, len(series)),
        truncate_legend=-1,
        truncate_label=-1,
        margin=6,
        spacing=6,
        value_formatter=lambda value: f"{value:,.0f}{unit}" if value >= 10 or not unit else f"{value:.1f}{unit}",
        no_data_text="nothing yet",
    )
    chart.x_labels = list(labels)
    for name, values in series.items():
        chart.add(None if name == "wait" else name, list(values))
    svg = _REST.sub("", chart.render(is_unicode=True))
    return _LABEL.sub(r"<title>\1</title>", str(svg))
