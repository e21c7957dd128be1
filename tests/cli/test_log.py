"""The log goes to stderr, for people or for machines, and shows no secret."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.log import REDACTED, Redactor, configure, get_logger, invocation, keep_log
from pipeline.threads import Pool

TOKEN = "very-secret-token"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_event_is_a_line_of_json(capsys):
    """Name, level, time in UTC and the values, on stderr."""
    configure(())
    get_logger().info("chunk.confirmed", rows=5, name="é")
    get_logger().debug("not.shown")
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    event = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event.pop("timestamp"))
    assert event == {"event": "chunk.confirmed", "level": "info", "rows": 5, "name": "é"}


def test_on_a_terminal_events_are_for_people(monkeypatch):
    """No JSON, and a traceback without the values of variables."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    configure(())
    customer = "Jan de Vries"
    try:
        raise KeyError("x")
    except KeyError:
        get_logger().error("run.bug", exc_info=True)
    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert "KeyError: 'x'" in text
    assert "run.bug" in text.splitlines()[0]
    assert customer not in text


def test_what_libraries_log_is_not_shown():
    """An SDK of a store logs a traceback where it cannot connect: the error that the user gets comes without."""
    code = (
        "import logging, pipeline.log\npipeline.log.configure(())\n"
        "try: raise KeyError('x')\nexcept KeyError: logging.getLogger('sdk').exception('no connection')\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr == ""


def test_the_stream_is_that_of_the_moment(monkeypatch):
    """A progress bar that takes stderr's place while it runs gets the lines."""
    configure(())
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    get_logger().info("a.b")
    assert json.loads(later.getvalue())["event"] == "a.b"


def test_a_log_that_nobody_reads_stops_no_run(monkeypatch):
    """A closed stderr is no reason to leave an import half sent."""
    configure(())
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    assert get_logger().info("a.b") is None


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"token {TOKEN}, twice {TOKEN}", f"token {REDACTED}, twice {REDACTED}"),
        ("GET /v2/profile/1?access_token=abc&limit=1", f"GET /v2/profile/1?access_token={REDACTED}&limit=1"),
        ("Location: /x?fields[]=Email==a@b.c&fields%5B%5D=City==Ede&x=1",
         f"Location: /x?fields[]={REDACTED}&fields%5B%5D={REDACTED}&x=1"),
        ("key_fields=[A]", "key_fields=[A]"),
        ("{'Authorization': 'Bearer abc'}", f"{{'Authorization': '{REDACTED}'}}"),
        ("authorization: Basic abc==\r\nHost: x", f"authorization: {REDACTED}\r\nHost: x"),
        ("sent Bearer abc.def-1", f"sent Bearer {REDACTED}"),
        (f"jwt {JWT}!", f"jwt {REDACTED}!"),
        ("a sandbox on loopback", "a sandbox on loopback"),
    ],
)  # fmt: skip
def test_a_text_is_cleaned_of_secrets(text, clean):
    """By value and by form; ordinary words stay, also one that is the sandbox's token."""
    assert Redactor((TOKEN, "sandbox")).text(text) == clean


def test_an_event_is_cleaned_wherever_the_secret_stands():
    """In values, lists, mappings, objects and under names that are secret by themselves."""
    event = {
        "event": f"x {TOKEN}",
        "url": "https://x/?access_token=1",
        "headers": {"Authorization": "abc", "Host": "x"},
        "path": Path(f"/tmp/{TOKEN}"),
        "items": [TOKEN, 1, None, True, {"token": "abc"}],
        "error": ValueError(TOKEN),
        "rows": 5,
        "seconds": 1.5,
    }
    assert Redactor((TOKEN,))(event) == {
        "event": f"x {REDACTED}",
        "url": f"https://x/?access_token={REDACTED}",
        "headers": {"Authorization": REDACTED, "Host": "x"},
        "path": f"/tmp/{REDACTED}",
        "items": [REDACTED, 1, None, True, {"token": REDACTED}],
        "error": REDACTED,
        "rows": 5,
        "seconds": 1.5,
    }


def test_a_configured_log_shows_no_secret_of_a_traceback(capsys):
    """The traceback is text before it is cleaned."""
    configure((TOKEN,))
    try:
        raise ValueError(f"{TOKEN} in {JWT}")
    except ValueError:
        get_logger().error("run.bug", exc_info=True)
    err = capsys.readouterr().err
    assert "ValueError" in err
    assert (TOKEN in err, JWT in err) == (False, False)


def test_code_that_calls_the_pipeline_gets_the_log_by_its_own_logging(caplog, capsys):
    """Level, name and values, cleaned; nothing on either stream by itself."""
    caplog.set_level(logging.INFO, "pipeline")
    with invocation((TOKEN,)):
        get_logger().warning("chunk.skipped", rows=5, why=f"{TOKEN} refused")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("pipeline", logging.WARNING)
    assert record.getMessage() == f"chunk.skipped rows=5 why='{REDACTED} refused'"
    assert record.event["rows"] == 5
    assert capsys.readouterr() == ("", "")


def test_each_invocation_keeps_its_own_log(tmp_path):
    """Two at one time in two threads, and the threads that they start: no file has an event of the other."""
    both = threading.Barrier(2)

    def run(name: str) -> None:
        with invocation(()):
            keep_log(tmp_path / name, name)
            both.wait(10)
            get_logger().info("first", of=name)
            with Pool(1) as pool:
                pool.submit(lambda: get_logger().info("second", of=name)).result()
            both.wait(10)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("a", "b"):
        events = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert [(event["event"], event["of"], event["run"]) for event in events] == [
            ("first", name, name), ("second", name, name),
        ]  # fmt: skip
