"""Drive headless Chromium as a person would, over its debugging pipe: open, type, press, read, measure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
PATIENCE_S = 30.0


class Browser:
    """One page of one browser; `addresses` are all requests it made, `complaints` what its console shows."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._buffer = write, read, b""
        self._number = 0
        self._session: str | None = None
        self.addresses: list[str] = []
        self.complaints: list[str] = []
        self._loaded = False
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")

    def shape(self, width: int, dark: bool, scripts: bool) -> None:
        """Set width, colour scheme, and whether pages may run scripts."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=850, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, address: str) -> None:
        """Open a page and wait until it is loaded."""
        self._after(lambda: self._call("Page.navigate", url=address))

    def follow(self, text: str) -> None:
        """Press the link or button with exactly this text, and wait for the next page."""
        find = f"[...document.querySelectorAll('a, button')].find(one => one.innerText.trim() === {json.dumps(text)})"
        self._after(lambda: self.value(f"{find}.click()"))

    def fill(self, place: str, text: str) -> None:
        """Put a text into the input or select with this label."""
        self.value(f"document.querySelector('[aria-label={json.dumps(place)}]').value = {json.dumps(text)}")

    def text(self) -> str:
        """Return the text that can be seen."""
        return str(self.value("document.body.innerText"))

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def _after(self, act: Callable[[], object]) -> None:
        self._loaded = False
        act()
        until = time.monotonic() + PATIENCE_S
        while not self._loaded:
            assert time.monotonic() < until, "the page did not load"
            self._take(self._next())

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self._take(answer)

    def _take(self, event: dict[str, Any]) -> None:
        kind, what = event.get("method"), event.get("params", {})
        if kind == "Page.loadEventFired":
            self._loaded = True
        elif kind == "Network.requestWillBeSent":
            self.addresses.append(what["request"]["url"])
        elif kind == "Log.entryAdded":
            self.complaints.append(what["entry"]["text"])
        elif kind in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(str(what))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            some = os.read(self._read, 1 << 16)
            assert some, "the browser has ended"
            self._buffer += some
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser with a new profile; it ends with the block."""
    assert CHROMIUM is not None
    its_input, our_output = os.pipe()
    our_input, its_output = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # The browser reads descriptor 3 and writes descriptor 4.
        pipes = f'exec 3<&{its_input} 4>&{its_output}; exec "$@"'
        process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", CHROMIUM, *FLAGS[:-1], f"--user-data-dir={folder}", FLAGS[-1]],
            pass_fds=(its_input, its_output), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(its_input)
        os.close(its_output)
        try:
            yield Browser(our_output, our_input)
        finally:
            os.close(our_output)
            os.close(our_input)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
