"""What every endpoint is given and needs: the located entities, paging, bodies of fields and interests (wiring)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox import selectors
from pipeline.sandbox.answers import Answer, ApiError, as_json, wrapped
from pipeline.sandbox.faults import Hit
from pipeline.sandbox.hazards import Notes
from pipeline.sandbox.model import Database, Field, Interest, Owner, Record
from pipeline.sandbox.php import boolean, id_of
from pipeline.sandbox.query import Wish
from pipeline.sandbox.selectors import Condition
from pipeline.sandbox.values import coerce, folded, initial
from pipeline.sandbox.wire import Request, integer
from pipeline.sandbox.world import World

NO_COLLECTION = "No collection with given ID"
NO_DATABASE = "No database with supplied ID"
BAD_DATA = "Invalid data provided"
# Behind any page there is, and small enough to add a limit to.
_MOST_START = 1 << 60


@dataclass
class Call:
    """One request with the entities its path names, which the router locates.

    `owner` is the database or collection that is named or holds what is named; there are `record` and `interest` where
    the path names one.
    """

    world: World
    request: Request
    hit: Hit
    owner: Owner = field(init=False)
    record: Record = field(init=False)
    interest: Interest = field(init=False)

    @property
    def notes(self) -> Notes:
        """Return the notes of the request."""
        return self.request.notes

    @property
    def database(self) -> Database:
        """Return the database that the path leads to."""
        return self.world.store.catalogue.database_of(self.owner)


@dataclass(frozen=True)
class Paging:
    """The `start`, the `limit` in force, the one that is echoed, and whether `total` is wanted."""

    start: int
    limit: int
    echo: int
    total: bool


_PLAIN_BOOLEANS = frozenset({"0", "1", "true", "false", "yes", "no"})


def flag(call: Call, given: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """Read a boolean of the query or body; anything but 0, 1, true, false, yes and no is a hazard."""
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, bool) and str(value).lower() not in _PLAIN_BOOLEANS:
        call.notes.note("parameter_not_canonical", name, value)
    return boolean(value)


def _number(call: Call, name: str, default: int) -> int:
    value = call.request.query.get(name)
    if value is not None and id_of(value) is None:
        call.notes.note("parameter_not_canonical", name, value)
    return integer(value, default)


def paging(call: Call) -> Paging:
    """Read the paging parameters: at most 100 in v1, 1000 later; larger ones are capped silently (API sheet 5)."""
    start, limit = _number(call, "start", 0), _number(call, "limit", 100)
    if start < 0 or limit < 1:
        call.notes.note("paging_out_of_range", f"start {start}, limit {limit}")
    capped = min(limit, 100 if call.request.version == 1 else 1000)
    if capped < limit:
        call.notes.note("limit_capped", str(limit))
    echo = limit if call.world.switches["limit_echo"] == "requested" else capped
    return Paging(min(start, _MOST_START), capped, echo, flag(call, call.request.query, "total", True))


def listed(call: Call, data: list[Any]) -> Answer:
    """Answer with one page of a list that is at hand."""
    page = paging(call)
    some = data[page.start : page.start + page.limit] if page.limit >= 1 and page.start >= 0 else []
    return as_json(wrapped(some, page.start, page.echo, len(data) if page.total else None))


def wish(call: Call, owner: Owner, page: Paging) -> Wish:
    """Read the order (API sheet 6.2): unknown fields are ignored, only desc and descending descend."""
    by, order = call.request.query.get("orderby"), call.request.query.get("order")
    target: Any = None
    if isinstance(by, str):
        number = id_of(by)
        special = by.lower() if by.lower() in ("id", "modified", "random") else None
        target = special or (owner.field_named(by) if number is None else owner.field_with_id(number))
    if by is not None and target is None:
        call.notes.note("orderby_unknown", "orderby", by)
    descending = isinstance(order, str) and order.lower() in ("desc", "descending")
    if order is not None and not descending and str(order).lower() not in ("asc", "ascending"):
        call.notes.note("parameter_not_canonical", "order", order)
    target = target or "id"
    return Wish(page.start, page.limit, page.total, target, descending)


def expressions(call: Call) -> list[str] | None:
    """Take the `fields` parameter; None when it is absent, nothing when it is no array (API sheet 6.1)."""
    found = call.request.query.get("fields")
    if found is None:
        return None
    if not isinstance(found, Mapping):
        call.notes.note("selector_scalar", "fields", found)
        return []
    return [one if isinstance(one, str) else "" for one in found.values()]


def conditions(call: Call, owner: Owner, texts: list[str]) -> list[Condition]:
    """Read selectors as the account's API would: it may have forgotten a field (switch lookups_drop)."""
    found = selectors.read(texts, owner, call.world.clock.now(), call.notes)
    dropped = call.world.switches.dropped
    return [one for one in found if isinstance(one.target, str) or one.target.name.lower() not in dropped]


def selected_for_update(call: Call, owner: Owner, strict: bool = False) -> list[Condition]:
    """Read the selectors of an update; without a valid one it hits everything, unless an illegal one is an error."""
    texts = expressions(call)
    if texts is None:
        raise ApiError("URL parameter fields is required")
    found = conditions(call, owner, texts)
    if strict or call.world.switches["unknown_selector_fields"] == "error":
        known = selectors.read(texts, owner, call.world.clock.now(), Notes())
        if len(known) < len(texts):
            raise ApiError("Invalid selector in URL parameter fields")
    if not found:
        call.notes.note("update_of_all", owner.name)
    return found


def values(call: Call, owner: Owner, given: Mapping[str, Any]) -> dict[str, str]:
    """Normalise a map of field names to values; unknown names are dropped, of two spellings the last wins."""
    found: dict[str, str] = {}
    now = call.world.clock.now()
    for name, raw in given.items():
        field = owner.field_named(name)
        if field is None:
            call.notes.note("unknown_body_field", name)
            continue
        if field.key in found:
            call.notes.note("duplicate_body_field", name)
        if isinstance(raw, Mapping):
            raw = dict(raw)
        text, hazard = coerce(field, raw, now)
        if hazard:
            call.notes.note(hazard, field.name, raw)
            if hazard == "text_too_long" and call.world.switches["long_text"] == "fail":
                raise ApiError(BAD_DATA)
        found[field.key] = text
    return found


def note_unfindable(call: Call, wanted: list[Condition], given: Mapping[str, str]) -> None:
    """Note a create whose new record its own selectors do not find (API sheet 9)."""
    for one in wanted:
        field = one.target
        if isinstance(field, Field) and one.operator == "==":
            text = given.get(field.key)
            if text is not None and folded(field, text) == folded(field, one.wanted):
                continue
        call.notes.note("create_without_key", field.name if isinstance(field, Field) else field)


def fresh_values(call: Call, owner: Owner, given: dict[str, str]) -> dict[str, str]:
    """Add the defaults of the fields that are not given: what a new record holds."""
    now = call.world.clock.now()
    return {**{field.key: initial(field, now) for field in owner.fields}, **given}


def interest_wishes(call: Call, spec: object) -> dict[int, bool]:
    """Read a list (on) or map (on or off) of interests; unknown ones are ignored, made or refused by a switch."""
    pairs: list[tuple[str, object]] = []
    if isinstance(spec, list):
        pairs = [(str(name), True) for name in spec]
    elif isinstance(spec, Mapping):
        plain = all(id_of(name) is not None for name in spec)
        pairs = [(str(value), True) if plain else (name, value) for name, value in spec.items()]
    found = {}
    for name, value in pairs:
        interest = call.database.interest_named(name)
        if interest is None:
            call.notes.note("unknown_interest", name)
            if call.world.switches["unknown_interests"] == "error":
                raise ApiError("No interest with supplied name")
            if call.world.switches["unknown_interests"] == "ignore":
                continue
            interest = call.world.store.catalogue.add_interest(call.database, name, "")
        found[interest.id] = flag(call, {name: value}, name)
    return found


def set_interests(call: Call, record: Record, wishes: dict[int, bool], replace: bool) -> bool:
    """Switch interests; with `replace` what is not mentioned goes off. Says whether anything changed."""
    before = set(record.interests)
    after = {number for number, on in wishes.items() if on}
    if not replace:
        after |= {number for number in before if wishes.get(number, True)}
    for interest in call.database.interests:
        if interest.id in before - after and interest.id not in wishes:
            call.notes.note("interest_switched_off", f"profile {record.id}, {interest.name}")
    record.interests = after
    return after != before
