"""Answer the control calls under /_sandbox/: journal, hazards, faults, switches, clock, contents (wiring: endpoint)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.errors import JobError
from pipeline.sandbox.answers import Answer, as_json
from pipeline.sandbox.clock import STAMP
from pipeline.sandbox.faults import rules_of
from pipeline.sandbox.hazards import Notes
from pipeline.sandbox.model import Database
from pipeline.sandbox.php import boolean
from pipeline.sandbox.shapes import fields_of, interests_of
from pipeline.sandbox.wire import Request, loads
from pipeline.sandbox.world import World


@dataclass(frozen=True)
class Asked:
    """The query and body of a control call."""

    query: dict[str, str]
    body: bytes

    def parsed(self) -> Any:
        """Parse the JSON body. Raises ValueError."""
        return json.loads(self.body)


def summary(request: Request) -> Any:
    """Show a changing request's body for the journal; of an import only what its source is made of."""
    body: dict[str, Any] = dict(request.body)
    if "access_token" in body:
        body["access_token"] = "***"  # noqa: S105 (in place of the token)
    if request.elements[:1] != ["imports"] or "source" not in body:
        return body
    source = body.pop("source")
    rows = source if isinstance(source, list) else []
    columns = list(rows[0]) if rows and isinstance(rows[0], dict) else []
    return {**body, "source_rows": len(rows), "source_columns": columns, "source_bytes": len(request.raw_body)}


def contents(world: World, name: str) -> dict[str, Any] | None:
    """List what is in a database, by id, without removed records; None for an unknown one."""
    with world.store.reading():
        database = world.store.catalogue.database(name)
        if database is None:
            return None
        found = {}
        for profile in world.store.records.live(database):
            found[profile.id] = {
                "ID": str(profile.id), "fields": fields_of(database, profile),
                "interests": sorted(interests_of(database, profile)),
                "subprofiles": {one.name: [] for one in database.collections},
            }  # fmt: skip
        _add_subprofiles(world, database, found)
    return {"profiles": list(found.values())}


def _add_subprofiles(world: World, database: Database, found: dict[int, dict[str, Any]]) -> None:
    for collection in database.collections:
        for record in world.store.records.live(collection):
            # Subprofiles can belong to a removed profile (API sheet 10); they are not shown.
            if record.profile in found:
                shape = {"ID": str(record.id), "fields": fields_of(collection, record)}
                found[record.profile]["subprofiles"][collection.name].append(shape)


def _journal(world: World, asked: Asked) -> Answer:
    entries = world.journal.entries()
    if boolean(asked.query.get("full", False)):
        for entry in entries:
            if entry["path"].rstrip("/").endswith("/imports") and entry["created"]:
                with world.store.reading():
                    body = world.store.import_body(int(entry["created"][0]))
                entry["body"] = _whole(body) if body else entry["body"]
    return as_json(entries)


def _whole(body: bytes) -> Any:
    """Read the body of an import as it was sent; one that is no JSON is shown as a text."""
    text = zlib.decompress(body)
    try:
        return loads(text, Notes())
    except ValueError:
        return text.decode("utf-8", "replace")


def _clear_journal(world: World, asked: Asked) -> Answer:  # noqa: ARG001 (all control calls look alike)
    world.journal.clear()
    return Answer(204)


def _set_faults(world: World, asked: Asked) -> Answer:
    world.faults.set(rules_of(asked.parsed()))
    return as_json(world.faults.as_json())


def _set_switches(world: World, asked: Asked) -> Answer:
    world.set_switches(asked.parsed())
    return as_json(world.switches.as_json())


def _reset(world: World, asked: Asked) -> Answer:  # noqa: ARG001
    world.reset()
    return Answer(204)


def _set_clock(world: World, asked: Asked) -> Answer:
    """Take `advance_s`, `now` (YYYY-MM-DD hh:mm:ss, Amsterdam) and `frozen`, in this order of effect."""
    wanted = asked.parsed()
    if not isinstance(wanted, dict) or not set(wanted) <= {"advance_s", "now", "frozen"}:
        raise ValueError("the clock takes advance_s, now and frozen")
    # All of it is read first, so that a request that is refused changes nothing.
    seconds = float(wanted.get("advance_s", 0))
    now = datetime.strptime(str(wanted["now"]), STAMP) if "now" in wanted else world.clock.now()
    if "now" in wanted:
        world.clock.set(now + timedelta(seconds=seconds))
    else:
        world.clock.advance(seconds)
    if "frozen" in wanted:
        world.clock.freeze(bool(wanted["frozen"]))
    world.imports.wake()
    return as_json(world.clock.as_json())


def _contents(world: World, name: str) -> Answer:
    found = contents(world, name)
    return as_json(found) if found is not None else as_json({"error": {"message": f"no database {name}"}}, 404)


_CALLS: dict[tuple[str, str], Callable[[World, Asked], Answer]] = {
    ("GET", "journal"): _journal,
    ("DELETE", "journal"): _clear_journal,
    ("GET", "hazards"): lambda world, _: as_json(world.journal.hazards()),
    ("GET", "faults"): lambda world, _: as_json(world.faults.as_json()),
    ("PUT", "faults"): _set_faults,
    ("GET", "switches"): lambda world, _: as_json(world.switches.as_json()),
    ("PUT", "switches"): _set_switches,
    ("POST", "reset"): _reset,
    ("GET", "clock"): lambda world, _: as_json(world.clock.as_json()),
    ("PUT", "clock"): _set_clock,
    ("GET", "imports"): lambda world, _: as_json(world.imports.reports()),
}


def answer(world: World, method: str, elements: list[str], asked: Asked) -> Answer:
    """Answer a control call; mistakes get 400 with all problems, unknown paths 404."""
    if method == "GET" and len(elements) == 2 and elements[0] == "contents":
        return _contents(world, elements[1])
    call = _CALLS.get((method, elements[0])) if len(elements) == 1 else None
    if call is None:
        return as_json({"error": {"message": "no such control call; see docs/sandbox.md"}}, 404)
    try:
        return call(world, asked)
    except JobError as error:
        return as_json({"error": {"message": str(error), "problems": [str(one) for one in error.problems]}}, 400)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return as_json({"error": {"message": str(error)}}, 400)
