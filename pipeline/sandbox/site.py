"""Serve the pages for a person at `/` and `/show/`: what is in the sandbox, as HTML without scripts (wiring: endpoint)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader

from pipeline.sandbox.answers import Answer
from pipeline.sandbox.model import Collection, Database, Field, Owner, Record
from pipeline.sandbox.php import id_of
from pipeline.sandbox.shapes import interests_of
from pipeline.sandbox.switches import CHOICES, LOOKUPS_DROP
from pipeline.sandbox.world import World

PAGE_ROWS = 25
# Nothing from elsewhere and no script, even if a value should ever get past the escaping.
_HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
                                "base-uri 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
]  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request for a page: its place below `/show/`, its query, the address of the sandbox."""

    place: list[str]
    query: Mapping[str, str]
    base_url: str

    def link(self, **changes: object) -> str:
        """Return the query of this page with some parameters changed."""
        return "?" + urlencode({name: value for name, value in {**self.query, **changes}.items() if value != ""})


@dataclass(frozen=True)
class Page:
    """One page of a list, numbered from 1, and whether there is another."""

    rows: list[Any]
    number: int
    more: bool


class NoSuchPageError(Exception):
    """The address names nothing that there is."""


def is_page(method: str, elements: list[str]) -> bool:
    """Return whether a request is for a page and not for the API."""
    return method in ("GET", "HEAD") and (not elements or elements[0] == "show")


class Site:
    """Render the pages of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pages = Environment(
            loader=PackageLoader("pipeline.sandbox", "pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )

    def answer(self, asked: Asked) -> Answer:
        """Answer with a page, 404 for one that does not exist."""
        kind = asked.place[0] if asked.place else ""
        view = _VIEWS.get((kind, len(asked.place)))
        try:
            if view is None:
                raise NoSuchPageError
            name, make = view
            status = 200
            with self._world.store.reading():
                content = make(self._world, asked)
        except NoSuchPageError:
            name, status, content = "missing.html", 404, {}
        about = {"asked": asked, "base_url": asked.base_url, "clock": self._world.clock.as_json(), "kind": kind}
        text = self._pages.get_template(name).render(**about, **content)
        return Answer(status, list(_HEADERS), text.encode())


def _paged(rows: Iterable[Any], asked: Asked) -> Page:
    number = max(1, id_of(asked.query.get("page", "1")) or 1)
    found = list(islice(rows, (number - 1) * PAGE_ROWS, number * PAGE_ROWS + 1))
    return Page(found[:PAGE_ROWS], number, len(found) > PAGE_ROWS)


def _records(world: World, owner: Owner, asked: Asked) -> Iterator[Record]:
    """Yield the records that hold the text of the search in the chosen field, or in any."""
    wanted, name = asked.query.get("q", "").strip().lower(), asked.query.get("field", "")
    fields = [one for one in owner.fields if name in ("", one.name)]
    for record in world.store.records.live(owner):
        if not wanted or _holds(record, fields, wanted) or (name in ("", "ID") and str(record.id) == wanted):
            yield record


def _holds(record: Record, fields: list[Field], wanted: str) -> bool:
    return any(wanted in record.values.get(one.key, one.zero).lower() for one in fields)


def _row(owner: Owner, record: Record) -> dict[str, Any]:
    """Return a record as its page shows it: values in the order of the fields."""
    values = [(one.name, record.values.get(one.key, one.zero)) for one in owner.fields]
    interests = interests_of(owner, record) if isinstance(owner, Database) else []
    return {"record": record, "values": values, "interests": interests}


def _listed(world: World, owner: Owner, asked: Asked) -> dict[str, Any]:
    page = _paged(_records(world, owner, asked), asked)
    return {"owner": owner, "page": page, "rows": [_row(owner, one) for one in page.rows]}


def _count(world: World, owner: Owner) -> int:
    return world.store.records.count(owner.kind, "owner = ? AND removed = ''", (owner.id,))


def _home(world: World, asked: Asked) -> dict[str, Any]:  # noqa: ARG001 (all views are called alike)
    """Return databases with their counts, the newest imports, and how many hazards there were."""
    databases = [
        (one, _count(world, one), [(each, _count(world, each)) for each in one.collections])
        for one in world.store.catalogue.databases.values()
    ]
    imports, hazards = world.imports.reports(), world.journal.hazards()
    return {"databases": databases, "imports": list(reversed(imports))[:5], "hazards": hazards, "names": _names(world)}


def _database(world: World, asked: Asked) -> dict[str, Any]:
    database = world.store.catalogue.databases.get(id_of(asked.place[1]) or 0)
    if database is None:
        raise NoSuchPageError
    counts = [(one, _count(world, one)) for one in database.collections]
    return {"database": database, "total": _count(world, database), "counts": counts, **_listed(world, database, asked)}


def _collection(world: World, asked: Asked) -> dict[str, Any]:
    collection = world.store.catalogue.collection(asked.place[1])
    if collection is None:
        raise NoSuchPageError
    database = world.store.catalogue.database_of(collection)
    return {"database": database, "total": _count(world, collection), **_listed(world, collection, asked)}


def _profile(world: World, asked: Asked) -> dict[str, Any]:
    """Return a profile with its interests and, per collection, one page of its subprofiles."""
    record = world.store.records.get("profile", id_of(asked.place[1]) or 0)
    if record is None:
        raise NoSuchPageError
    database = world.store.catalogue.databases[record.owner]
    below = [(one, _below(world, one, record, asked)) for one in database.collections]
    return {"database": database, "row": _row(database, record), "below": below}


def _below(world: World, collection: Collection, profile: Record, asked: Asked) -> Page:
    own = Asked(asked.place, {"page": asked.query.get(f"page{collection.id}", "1")}, asked.base_url)
    page = _paged(world.store.records.subprofiles(profile.id, collection.id), own)
    return Page([_row(collection, one) for one in page.rows], page.number, page.more)


def _names(world: World) -> dict[int, str]:
    return {one.id: one.name for one in world.store.catalogue.databases.values()}


def _imports(world: World, asked: Asked) -> dict[str, Any]:
    reports = list(reversed(world.imports.reports()))
    moving = any(one["state"] in ("waiting", "running") for one in reports)
    return {"page": _paged(reports, asked), "names": _names(world), "moving": moving}


def _journal(world: World, asked: Asked) -> dict[str, Any]:
    entries: list[dict[str, Any]] = list(reversed(world.journal.entries()))
    total = len(entries)
    if asked.query.get("only") == "hazards":
        entries = [one for one in entries if one["hazards"]]
    hazards = world.journal.hazards()
    return {"page": _paged(entries, asked), "total": total, "hazards": hazards}


def _switches(world: World, asked: Asked) -> dict[str, Any]:  # noqa: ARG001
    rows = [(name, values, world.switches[name]) for name, values in CHOICES.items()]
    return {
        "rows": rows,
        "dropped": world.switches.dropped,
        "dropped_name": LOOKUPS_DROP,
        "faults": world.faults.as_json(),
    }


_View = Callable[[World, Asked], dict[str, Any]]
# (first word, how many) -> template and what fills it.
_VIEWS: dict[tuple[str, int], tuple[str, _View]] = {
    ("", 0): ("home.html", _home),
    ("database", 2): ("database.html", _database),
    ("collection", 2): ("collection.html", _collection),
    ("profile", 2): ("profile.html", _profile),
    ("imports", 1): ("imports.html", _imports),
    ("journal", 1): ("journal.html", _journal),
    ("switches", 1): ("switches.html", _switches),
}
