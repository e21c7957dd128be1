"""Find the endpoint of a request: who may call, what the path names, in the API's order of complaints (wiring)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pipeline.sandbox import calls_imports as imports
from pipeline.sandbox import calls_profiles as profiles
from pipeline.sandbox import calls_setup as setup
from pipeline.sandbox import calls_subprofiles as subprofiles
from pipeline.sandbox.answers import Answer, ApiError
from pipeline.sandbox.calls import NO_COLLECTION, NO_DATABASE, Call
from pipeline.sandbox.model import Kind
from pipeline.sandbox.php import id_of

Endpoint = Callable[[Call], Answer]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Route:
    """One call of the API: its endpoint, the first version that has it, the parameters and body keys it knows.

    `body` is None where the endpoint itself judges the keys.
    """

    endpoint: Endpoint
    since: int = 1
    parameters: frozenset[str] = frozenset()
    body: frozenset[str] | None = frozenset()


_PAGING = frozenset({"start", "limit", "total"})
_LIST = _PAGING | {"fields", "orderby", "order", "dataonly"}
_UPDATE = frozenset({"fields", "create", "async"})
_NAMED = frozenset({"name", "description"})
_GROUPED = frozenset({"name", "group", "description"})
_COMPLETELY = frozenset({"completely"})

# {} is an id (API sheet 8 to 12).
_ROUTES: dict[tuple[str, str], Route] = {
    ("databases", "GET"): Route(setup.get_databases, 1, _PAGING),
    ("databases", "POST"): Route(setup.create_database, body=_NAMED | {"archived"}),
    ("identity", "GET"): Route(setup.get_identity),
    ("consumption", "GET"): Route(setup.get_consumption, 2, frozenset({"begin", "end"})),
    ("imports", "POST"): Route(imports.create_import, 3, body=None),
    ("import/{}", "GET"): Route(imports.get_import, 3),
    ("database/{}", "GET"): Route(setup.get_database, 1, _PAGING),
    ("database/{}", "PUT"): Route(setup.update_owner, body=_NAMED | {"archived"}),
    ("database/{}/copy", "POST"): Route(setup.copy, 2, body=frozenset({"name", "options"})),
    ("database/{}/fields", "GET"): Route(setup.get_fields, 1, _PAGING),
    ("database/{}/fields", "POST"): Route(setup.create_field, body=setup.FIELD_KEYS),
    ("database/{}/field/{}", "PUT"): Route(setup.update_field, body=setup.FIELD_KEYS),
    ("database/{}/field/{}", "DELETE"): Route(setup.delete_field),
    ("database/{}/collections", "GET"): Route(setup.get_collections, 1, _PAGING),
    ("database/{}/collections", "POST"): Route(setup.create_collection, body=_NAMED),
    ("database/{}/interests", "GET"): Route(setup.get_interests, 1, _PAGING),
    ("database/{}/interests", "POST"): Route(setup.create_interest, body=_GROUPED),
    ("database/{}/profiles", "GET"): Route(profiles.record_list, 1, _LIST),
    ("database/{}/profiles", "POST"): Route(profiles.create_profile, body=None),
    ("database/{}/profiles", "PUT"): Route(profiles.update_profiles, 1, _UPDATE, None),
    ("database/{}/profiles", "DELETE"): Route(profiles.delete_profiles, 2, body=frozenset({"profiles"})),
    ("database/{}/profileids", "GET"): Route(profiles.record_ids, 1, _PAGING),
    ("collection/{}", "GET"): Route(setup.get_collection, 1, _PAGING),
    ("collection/{}", "PUT"): Route(setup.update_owner, body=_NAMED),
    ("collection/{}/fields", "GET"): Route(setup.get_fields, 1, _PAGING),
    ("collection/{}/fields", "POST"): Route(setup.create_field, body=setup.FIELD_KEYS),
    ("collection/{}/field/{}", "PUT"): Route(setup.update_field, body=setup.FIELD_KEYS),
    ("collection/{}/field/{}", "DELETE"): Route(setup.delete_field),
    ("collection/{}/subprofiles", "GET"): Route(profiles.record_list, 1, _LIST),
    ("collection/{}/subprofiles", "PUT"): Route(subprofiles.update_collection, 3, frozenset({"fields"}), None),
    ("collection/{}/subprofileids", "GET"): Route(profiles.record_ids),
    ("interest/{}", "PUT"): Route(setup.update_interest, 2, body=_GROUPED),
    ("interest/{}", "DELETE"): Route(setup.delete_interest, 2),
    ("profile/{}", "GET"): Route(profiles.get_record),
    ("profile/{}", "PUT"): Route(profiles.update_profile, body=None),
    ("profile/{}", "DELETE"): Route(profiles.delete_record, body=_COMPLETELY),
    ("profile/{}/fields", "GET"): Route(profiles.get_fields),
    ("profile/{}/fields", "PUT"): Route(profiles.update_fields, body=None),
    ("profile/{}/interests", "GET"): Route(profiles.get_interests, 1, frozenset({"return"})),
    ("profile/{}/interests", "POST"): Route(profiles.add_interests, body=None),
    ("profile/{}/interests", "PUT"): Route(profiles.put_interests, body=None),
    ("profile/{}/subprofiles/{}", "GET"): Route(subprofiles.list_subprofiles, 1, _LIST),
    ("profile/{}/subprofiles/{}", "POST"): Route(subprofiles.create_subprofile, body=None),
    ("profile/{}/subprofiles/{}", "PUT"): Route(subprofiles.update_subprofiles, 1, _UPDATE - {"async"}, None),
    ("subprofile/{}", "GET"): Route(profiles.get_record),
    ("subprofile/{}", "PUT"): Route(subprofiles.update_subprofile, 2, body=None),
    ("subprofile/{}", "DELETE"): Route(profiles.delete_record, body=_COMPLETELY),
    ("subprofile/{}/fields", "GET"): Route(profiles.get_fields),
    ("subprofile/{}/fields", "PUT"): Route(profiles.update_fields, body=None),
}
_PATHS = {path for path, _ in _ROUTES}
_BARE = {path.split("/")[0] for path in _PATHS if "/" not in path}
_NO_METHOD = "Invalid method"
# POST and PUT do the same on most URLs, but not here (API sheet 3, 10).
_NOT_INTERCHANGED = {("collection/{}/subprofiles", "POST")}


def authorise(call: Call, authorization: str) -> None:
    """Accept the API token in the query of v1 to v3, a JWT in the header of v4. Raises ApiError (API sheet 2)."""
    tokens, request = call.world.tokens, call.request
    if not request.versioned:
        call.notes.note("version_missing")
    given = request.query.get("access_token")
    if request.version < 4:
        if not tokens.is_token(given):
            raise ApiError("Invalid access token")
        return
    if given is not None:
        call.notes.note("token_in_query")
    scheme, _, jwt = authorization.partition(" ")
    if scheme.lower() != "bearer" or not tokens.is_valid(jwt.strip()):
        raise ApiError("Invalid access token", int(call.world.switches["bad_jwt_status"]))


def answer(call: Call) -> Answer:
    """Locate what the path names and call its endpoint (inside `Store.writing`). Raises ApiError.

    The order of checks: missing first id, known path, known entity, already removed, method, next element, body
    (API sheet 4.2).
    """
    elements = call.request.elements
    head = elements[0] if elements else ""
    if head in _BARE:
        return _called(call, head, used=1)
    if head + "/{}" not in _PATHS or not _offered(call, head):
        raise ApiError(_NO_METHOD)
    if len(elements) == 1:
        raise ApiError("Invalid request, element 1 is missing in 'directory' path")
    _locate(call)
    if len(elements) == 2:
        return _called(call, head + "/{}", used=2)
    path = f"{head}/{{}}/{elements[2]}"
    if path + "/{}" not in _PATHS:
        return _called(call, path, used=3)
    route = _route(call, path + "/{}")
    if len(elements) == 3:
        missing = "No field id supplied for the field"
        raise ApiError(
            missing if elements[2] == "field" else "Invalid request, element 3 is missing in 'directory' path"
        )
    return _answered(call, route, used=4)


def _offered(call: Call, head: str) -> bool:
    """Return whether the version knows the entity at all."""
    return any(path.startswith(head + "/") and one.since <= call.request.version for (path, _), one in _ROUTES.items())


def _called(call: Call, path: str, used: int) -> Answer:
    return _answered(call, _route(call, path), used)


def _route(call: Call, path: str) -> Route:
    """Find the call of a path; POST and PUT do the same on most URLs (API sheet 3). Raises ApiError."""
    method = call.request.method
    other = {"POST": "PUT", "PUT": "POST"}.get(method, "")
    methods = [method, other] if other and (path, method) not in _NOT_INTERCHANGED else [method]
    for one in methods:
        route = _ROUTES.get((path, one))
        if route is not None and route.since <= call.request.version:
            return route
    raise ApiError(_NO_METHOD)


def _answered(call: Call, route: Route, used: int) -> Answer:
    """Note what the call does not know, which is ignored silently, and do the work."""
    request = call.request
    if len(request.elements) > used:
        call.notes.note("path_ignored", "/".join(request.elements[used:]))
    for name in request.query:
        if name not in route.parameters and name != "access_token":
            call.notes.note("unknown_parameter", name)
    if route.body is not None:
        for name in request.body.keys() - route.body:
            call.notes.note("unknown_body_key", name)
    return route.endpoint(call)


def _locate(call: Call) -> None:
    """Find the entity of the path's first two elements. Raises ApiError for an unknown one."""
    head, wanted = call.request.elements[0], call.request.elements[1]
    catalogue = call.world.store.catalogue
    if head == "database":
        call.owner = _demand(call, catalogue.database(wanted), NO_DATABASE)
    elif head == "collection":
        call.owner = _demand(call, catalogue.collection(wanted), NO_COLLECTION)
    elif head == "interest":
        call.owner, call.interest = _demand(call, catalogue.interest(wanted), "No interest with supplied ID")
    elif head == "profile":
        _locate_record(call, "profile", "No entity with supplied ID")
    elif head == "subprofile":
        _locate_record(call, "subprofile", "No subprofile with supplied ID")


def _locate_record(call: Call, kind: Kind, message: str) -> None:
    catalogue, number = call.world.store.catalogue, id_of(call.request.elements[1])
    record = _demand(call, None if number is None else call.world.store.records.get(kind, number), message)
    call.record = record
    owner = catalogue.databases[record.owner] if kind == "profile" else catalogue.collection(str(record.owner))
    call.owner = _demand(call, owner, NO_COLLECTION)
    if call.request.method == "DELETE" and record.removed:
        raise ApiError(f"This {record.kind} has already been removed")


def _demand(call: Call, found: Found | None, message: str) -> Found:
    """Return what was found; raises ApiError where it is nothing."""
    if found is None:
        quiet = call.request.method == "DELETE" and len(call.request.elements) == 2
        raise ApiError(message, int(call.world.switches["delete_unknown"]) if quiet else 400)
    return found
