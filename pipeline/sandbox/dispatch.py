"""Find the endpoint of a request: who may call, what the path names, in the API's order of complaints (wiring)."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.sandbox import calls_imports as imports
from pipeline.sandbox import calls_profiles as profiles
from pipeline.sandbox import calls_setup as setup
from pipeline.sandbox import calls_subprofiles as subprofiles
from pipeline.sandbox.answers import Answer, ApiError
from pipeline.sandbox.calls import NO_COLLECTION, NO_DATABASE, Call
from pipeline.sandbox.model import Kind

Endpoint = Callable[[Call], Answer]

# (path, method) -> endpoint and the first version that has it; {} stands for an id (API sheet 8 to 12).
_ROUTES: dict[tuple[str, str], tuple[Endpoint, int]] = {
    ("databases", "GET"): (setup.get_databases, 1),
    ("databases", "POST"): (setup.create_database, 1),
    ("identity", "GET"): (setup.get_identity, 1),
    ("consumption", "GET"): (setup.get_consumption, 2),
    ("imports", "POST"): (imports.create_import, 3),
    ("import/{}", "GET"): (imports.get_import, 3),
    ("database/{}", "GET"): (setup.get_database, 1),
    ("database/{}", "PUT"): (setup.update_owner, 1),
    ("database/{}/copy", "POST"): (setup.copy, 2),
    ("database/{}/fields", "GET"): (setup.get_fields, 1),
    ("database/{}/fields", "POST"): (setup.create_field, 1),
    ("database/{}/field/{}", "PUT"): (setup.update_field, 1),
    ("database/{}/field/{}", "DELETE"): (setup.delete_field, 1),
    ("database/{}/collections", "GET"): (setup.get_collections, 1),
    ("database/{}/collections", "POST"): (setup.create_collection, 1),
    ("database/{}/interests", "GET"): (setup.get_interests, 1),
    ("database/{}/interests", "POST"): (setup.create_interest, 1),
    ("database/{}/profiles", "GET"): (profiles.record_list, 1),
    ("database/{}/profiles", "POST"): (profiles.create_profile, 1),
    ("database/{}/profiles", "PUT"): (profiles.update_profiles, 1),
    ("database/{}/profiles", "DELETE"): (profiles.delete_profiles, 2),
    ("database/{}/profileids", "GET"): (profiles.record_ids, 1),
    ("collection/{}", "GET"): (setup.get_collection, 1),
    ("collection/{}", "PUT"): (setup.update_owner, 1),
    ("collection/{}/fields", "GET"): (setup.get_fields, 1),
    ("collection/{}/fields", "POST"): (setup.create_field, 1),
    ("collection/{}/field/{}", "PUT"): (setup.update_field, 1),
    ("collection/{}/field/{}", "DELETE"): (setup.delete_field, 1),
    ("collection/{}/subprofiles", "GET"): (profiles.record_list, 1),
    ("collection/{}/subprofiles", "PUT"): (subprofiles.update_collection, 3),
    ("collection/{}/subprofileids", "GET"): (profiles.record_ids, 1),
    ("interest/{}", "PUT"): (setup.update_interest, 2),
    ("interest/{}", "DELETE"): (setup.delete_interest, 2),
    ("profile/{}", "GET"): (profiles.get_record, 1),
    ("profile/{}", "PUT"): (profiles.update_profile, 1),
    ("profile/{}", "DELETE"): (profiles.delete_record, 1),
    ("profile/{}/fields", "GET"): (profiles.get_fields, 1),
    ("profile/{}/fields", "PUT"): (profiles.update_fields, 1),
    ("profile/{}/interests", "GET"): (profiles.get_interests, 1),
    ("profile/{}/interests", "POST"): (profiles.add_interests, 1),
    ("profile/{}/interests", "PUT"): (profiles.put_interests, 1),
    ("profile/{}/subprofiles/{}", "GET"): (subprofiles.list_subprofiles, 1),
    ("profile/{}/subprofiles/{}", "POST"): (subprofiles.create_subprofile, 1),
    ("profile/{}/subprofiles/{}", "PUT"): (subprofiles.update_subprofiles, 1),
    ("subprofile/{}", "GET"): (profiles.get_record, 1),
    ("subprofile/{}", "PUT"): (subprofiles.update_subprofile, 2),
    ("subprofile/{}", "DELETE"): (profiles.delete_record, 1),
    ("subprofile/{}/fields", "GET"): (profiles.get_fields, 1),
    ("subprofile/{}/fields", "PUT"): (profiles.update_fields, 1),
}  # fmt: skip
_PATHS = {path for path, _ in _ROUTES}
_BARE = {path.split("/")[0] for path in _PATHS if "/" not in path}
_NO_METHOD = "Invalid method"
# POST and PUT stand for each other on most URLs, but never here (API sheet 3, 10).
_NOT_INTERCHANGED = {("collection/{}/subprofiles", "POST")}


def authorise(call: Call, authorization: str) -> None:
    """Accept the API token in the query of v1 to v3, a JWT in the header of v4. Raises ApiError (API sheet 2)."""
    tokens, request = call.world.tokens, call.request
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

    The order of complaints: missing path element, unknown id, already removed, unknown sub-path, body (API sheet 4.2).
    """
    elements = call.request.elements
    if not elements:
        raise ApiError(_NO_METHOD)
    head = elements[0]
    if head in _BARE:
        return _endpoint(call, head)(call)
    if head + "/{}" not in _PATHS or not _offered(call, head):
        raise ApiError(_NO_METHOD)
    _complete(elements)
    _locate(call)
    if call.request.method == "DELETE" and len(elements) == 2 and call.record is not None and call.record.removed:
        raise ApiError(f"This {call.record.kind} has already been removed")
    return _endpoint(call, _path(elements))(call)


def _offered(call: Call, head: str) -> bool:
    """Say whether the version knows the entity at all."""
    return any(
        path.startswith(head + "/") and since <= call.request.version for (path, _), (_, since) in _ROUTES.items()
    )


def _complete(elements: list[str]) -> None:
    """Complain about a path that stops too early."""
    missing = len(elements) == 1 or (elements[2:] == ["subprofiles"] and elements[0] == "profile")
    if missing:
        raise ApiError(f"Invalid request, element {len(elements)} is missing in 'directory' path")


def _locate(call: Call) -> None:
    """Find the entity of the path's first two elements. Raises ApiError for an unknown one."""
    head, wanted = call.request.elements[0], call.request.elements[1]
    catalogue = call.world.store.catalogue
    if head == "database":
        call.owner = catalogue.database(wanted)
        _demand(call, call.owner, NO_DATABASE)
    elif head == "collection":
        call.owner = catalogue.collection(wanted)
        _demand(call, call.owner, NO_COLLECTION)
    elif head == "interest":
        found = catalogue.interest(wanted)
        _demand(call, found, "No interest with supplied ID")
        if found:
            call.owner, call.interest = found
    elif head == "profile":
        _locate_record(call, "profile", "No entity with supplied ID")
    elif head == "subprofile":
        _locate_record(call, "subprofile", "No subprofile with supplied ID")


def _locate_record(call: Call, kind: Kind, message: str) -> None:
    catalogue, wanted = call.world.store.catalogue, call.request.elements[1]
    usable = wanted.isascii() and wanted.isdigit() and len(wanted) < 19
    record = call.world.store.records.get(kind, int(wanted)) if usable else None
    _demand(call, record, message)
    if record is not None:
        call.record = record
        call.owner = catalogue.databases[record.owner] if kind == "profile" else catalogue.collection(str(record.owner))


def _demand(call: Call, found: object, message: str) -> None:
    if found is None:
        quiet = call.request.method == "DELETE" and len(call.request.elements) == 2
        raise ApiError(message, int(call.world.switches["delete_unknown"]) if quiet else 400)


def _path(elements: list[str]) -> str:
    """Name the route; elements behind a recognised sub-resource are ignored (API sheet 3.2)."""
    if len(elements) == 2:
        return elements[0] + "/{}"
    path = f"{elements[0]}/{{}}/{elements[2]}"
    if path + "/{}" not in _PATHS:
        return path
    if len(elements) == 3:
        raise ApiError("No field id supplied for the field")
    return path + "/{}"


def _endpoint(call: Call, path: str) -> Endpoint:
    method, version = call.request.method, call.request.version
    other = {"POST": "PUT", "PUT": "POST"}.get(method, "")
    methods = [method, other] if other and (path, method) not in _NOT_INTERCHANGED else [method]
    for one in methods:
        endpoint, since = _ROUTES.get((path, one), (None, 0))
        if endpoint is not None and since <= version:
            return endpoint
    raise ApiError(_NO_METHOD)
