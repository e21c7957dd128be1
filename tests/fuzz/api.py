"""Fuzz the sandbox by requests for some minutes: `python -m tests.fuzz.api [--minutes 10] [--seed N]` (wiring).

No answer may be a 500 or take longer than a second (but for imports), errors have Copernica's shape, pages are HTML, and
journal and imports can be read afterwards. Where a write of texts left no hazard, the record holds them as they were sent. What
is found is kept in `build/fuzz/api/`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import requests

from pipeline.sandbox import Sandbox
from tests.fuzz.asked import Question, question_of
from tests.support.api_caller import STRUCTURE

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "fuzz" / "api"
# Requests of one seed; the sandbox starts anew with each.
REQUESTS = 200
MOST_S = 1.0


class Asker:
    """Send questions to one sandbox and name what is wrong with the answers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.statuses: Counter[int] = Counter()
        self.slowest_s = 0.0
        self.judged = 0
        self._jwt = ""

    def play(self, seed: int) -> list[str]:
        """Play one seed from an empty sandbox; returns what is found."""
        random, found = Random(seed), []
        self.sandbox.reset()
        self._jwt = requests.post(self.sandbox.auth_url, data={"access_token": self.sandbox.token}, timeout=10).text
        self._fill()
        for number in range(REQUESTS):
            question = question_of(random)
            found += [f"seed {seed}, request {number}: {one}: {question}" for one in self._ask(question)]
        return found + [f"seed {seed}: {one}" for one in self._afterwards()]

    def _fill(self) -> None:
        base, token = f"{self.sandbox.api_url}/v3", {"access_token": self.sandbox.token}
        for number in ("1", "2", "3"):
            body = {"fields": {"CustNo": number, "City": "Delft", "Tier": "gold"}, "interests": ["news"]}
            requests.post(f"{base}/database/1/profiles", params=token, json=body, timeout=10)
            requests.post(f"{base}/profile/{number}/subprofiles/1", params=token, json={"No": number}, timeout=10)
        requests.delete(f"{base}/profile/3", params=token, timeout=10)

    def _ask(self, question: Question) -> list[str]:
        """Ask; what was slow is asked again, since the machine may have been busy."""
        texts, hazards = _texts_of(question), len(self.sandbox.hazards())
        status, kind, body, seconds = self._sent(question)
        wrong = (
            self._not_right(question, texts)
            if texts and status < 300 and len(self.sandbox.hazards()) == hazards
            else []
        )
        if seconds > MOST_S and not question.path.split("?")[0].rstrip("/").endswith("/imports"):
            seconds = min(seconds, self._sent(question)[3])
        else:
            seconds = min(seconds, MOST_S)
        self.statuses[status] += 1
        self.slowest_s = max(self.slowest_s, seconds)
        found = [*wrong, *([f"takes {seconds:.1f} s"] if seconds > MOST_S else [])]
        if status >= 500:
            found.append(f"{status} {body[:300]!r}")
        elif status >= 400 and question.method != "HEAD":
            found += _misshapen(question, kind, body)
        elif status == 200 and kind == "application/json" and question.method != "HEAD":
            json.loads(body)
        return found

    def _not_right(self, question: Question, texts: dict[str, str]) -> list[str]:
        """Compare what a write without a hazard has left with what was sent."""
        self.judged += 1
        profiles = self.sandbox.contents(1)["profiles"]
        number = _WRITES.match(question.path)
        wanted = None if number is None else number["profile"]
        record = profiles[-1] if wanted is None else next((one for one in profiles if one["ID"] == wanted), None)
        if record is None:
            return ["a write without a hazard left no record"]
        off = {name: record["fields"][name] for name, text in texts.items() if record["fields"][name] != text}
        return [f"no hazard, and the record holds {off!r:.300}"] if off else []

    def _sent(self, question: Question) -> tuple[int, str, bytes, float]:
        connection = http.client.HTTPConnection("127.0.0.1", int(self.sandbox.api_url.rsplit(":", 1)[1]), timeout=60)
        path = question.path
        headers = {"Content-Type": question.kind} if question.kind else {}
        if path.startswith("/v4"):
            headers["Authorization"] = f"Bearer {self._jwt}"
        elif not path.startswith("/_") and not path.startswith("/show"):
            path += f"&access_token={self.sandbox.token}"
        began = time.perf_counter()
        try:
            connection.request(question.method, path, question.body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read(), time.perf_counter() - began
        except (OSError, http.client.HTTPException) as error:
            return 599, "", f"no answer: {error!r}".encode(), time.perf_counter() - began
        finally:
            connection.close()

    def _afterwards(self) -> list[str]:
        """Look at what was left: all imports end, journal and reports can be read, nothing is a bug."""
        found = [] if self.sandbox.settle(60) else ["imports do not end"]
        for path in ("journal?full=1", "hazards", "imports", "contents/1"):
            answer = requests.get(f"{self.sandbox.api_url}/_sandbox/{path}", timeout=60)
            if answer.status_code != 200 and path != "contents/1":
                found.append(f"{path} answers {answer.status_code} {answer.text[:300]}")
        bugs = [one["lasterror"] for one in self.sandbox.imports() if "sandbox bug" in one["lasterror"]]
        return found + bugs[:3]


# Writes of one profile without parameters, whose effect can be judged: a new one, or one by its number.
_WRITES = re.compile(r"/v[34]/(?:database/1/profiles|profile/(?P<profile>[0-9]+)(?P<fields>/fields)?)\?$")
_TEXT_FIELDS = ("CustNo", "Email", "City", "Tier")


def _texts_of(question: Question) -> dict[str, str]:
    """Return the texts that a write of one profile sends to its text fields; {} for anything else."""
    found = _WRITES.match(question.path)
    method = "POST" if found is not None and found["profile"] is None else "PUT"
    if found is None or question.kind != "application/json" or question.method != method:
        return {}
    try:
        body = json.loads(question.body)
        sent = body if found["fields"] else body["fields"]
        return {
            name: sent[name] for name in _TEXT_FIELDS if isinstance(sent.get(name), str) and name.lower() not in sent
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _misshapen(question: Question, kind: str, body: bytes) -> list[str]:
    page = question.path.startswith("/show") or question.path.startswith("/?")
    if page and kind.startswith("text/html"):
        return []
    try:
        return [] if isinstance(json.loads(body)["error"]["message"], str) else [f"misshapen error {body[:300]!r}"]
    except (ValueError, KeyError, TypeError):
        # What is no HTTP at all the server refuses by itself.
        return [] if body == b"Invalid HTTP request received." else [f"misshapen error {kind} {body[:300]!r}"]


def main() -> int:
    """Fuzz and report what was found; 1 when there is something."""
    words = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description="Fuzz the sandbox by requests.")
    words.add_argument("--minutes", type=float, default=10)
    words.add_argument("--seed", type=int, default=int(time.time()))
    given = words.parse_args()
    ends, seed, findings = time.monotonic() + given.minutes * 60, given.seed, 0
    with Sandbox(structure=STRUCTURE) as sandbox:
        asker = Asker(sandbox)
        while time.monotonic() < ends:
            found = asker.play(seed)
            if found:
                findings += len(found)
                KEPT.mkdir(parents=True, exist_ok=True)
                (KEPT / f"{seed}.txt").write_text("\n".join(found) + "\n", encoding="utf-8")
                sys.stdout.write("\n".join(found[:5])[:2000] + "\n")
                sys.stdout.flush()
            seed += 1
    total = sum(asker.statuses.values())
    counts = ", ".join(f"{status}: {count:,}" for status, count in sorted(asker.statuses.items()))
    sys.stdout.write(
        f"{total:,} requests of seeds {given.seed} to {seed - 1} in {given.minutes:g} minutes; statuses {counts}; "
        f"slowest {asker.slowest_s:.2f} s but for imports; {asker.judged:,} writes without a hazard compared; "
        f"{findings} findings\n"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
