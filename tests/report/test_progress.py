"""Progress shows on a terminal only; hints go to stderr."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from pipeline.report.progress import Reporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_drawn_where_there_is_no_terminal():
    """A log of cron holds no bars."""
    stream = io.StringIO()
    with Reporter(stream).stage("read", 10) as advance:
        advance(10)
    assert stream.getvalue() == ""


def test_a_terminal_sees_the_stage_and_how_far_it_is():
    """The bar carries the stage's name and its share."""
    stream = Terminal()
    with Reporter(stream).stage("read", 8) as advance:
        advance(2)
        advance(2)
    assert "read" in stream.getvalue()
    assert "50%" in stream.getvalue()


def test_a_bar_is_never_full_before_its_stage_has_ended():
    """The last step may be the one that fails; what stays is how many rows there were, and at what rate."""
    stream = Terminal()
    with Reporter(stream).stage("load", 4) as advance:
        advance(4)
        assert "100%" not in stream.getvalue()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert "99%" in shown
    assert "100%" not in shown
    assert re.search(r"load: 4 rows, [0-9,]+ rows/s, [0-9.]+ s\n", shown)


def test_bytes_move_the_bar_and_rows_are_counted():
    """A dump's size is known, its rows are not."""
    stream = Terminal()
    with Reporter(stream).stage("read", 1000) as advance:
        advance(500, 7)
    assert "50%" in stream.getvalue()
    assert "read: 7 rows" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def test_a_quiet_command_draws_nothing_on_a_terminal_either():
    """Who runs the crontab's line by hand sees what cron would mail."""
    stream = Terminal()
    with Reporter(stream, quiet=True).stage("read", 10) as advance:
        advance(10)
    assert stream.getvalue() == ""


def test_a_stage_of_unknown_length_can_be_shown():
    """Total None is a bar that only moves."""
    stream = Terminal()
    with Reporter(stream).stage("verify", None) as advance:
        advance(1)
    assert "verify" in stream.getvalue()


def test_a_stage_that_fails_lets_its_error_through():
    """The bar goes and the error stays."""
    with pytest.raises(KeyError), Reporter(Terminal()).stage("read", 1):
        raise KeyError


def test_rich_is_not_loaded_without_a_terminal():
    """A nightly run does not pay for bars."""
    code = (
        "import sys; from pipeline.report.progress import Reporter\n"
        "with Reporter().stage('read', 1) as advance: advance(1)\n"
        "print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
