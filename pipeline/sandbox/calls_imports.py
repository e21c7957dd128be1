"""Answer the calls on imports (wiring: endpoint; API sheet 11, 12)."""

from __future__ import annotations

from pipeline.sandbox.answers import Answer, ApiError, as_json, created
from pipeline.sandbox.calls import NO_DATABASE, Call
from pipeline.sandbox.import_plan import plan_import
from pipeline.sandbox.php import id_of


def create_import(call: Call) -> Answer:
    """POST imports: refuse what is wrong at once, queue the rest; most mistakes show only in lasterror."""
    world, body = call.world, call.request.body
    if world.switches["imports"] == "refuse":
        raise ApiError("You are not allowed to import files")
    number = id_of(body.get("database"))
    database = None if number is None else world.store.catalogue.databases.get(number)
    if database is None:
        raise ApiError(NO_DATABASE)
    plan = plan_import(body, database, world.switches, call.notes)
    job = world.imports.add(plan, call.notes, call.hit.script(plan.rows), call.request.raw_body)
    return created(call.request, f"import/{job.id}", job.id)


def get_import(call: Call) -> Answer:
    """GET import/ID; every poll counts for a scripted number of polls."""
    number = id_of(call.request.elements[1])
    status = None if number is None else call.world.imports.poll(number, call.hit.shown())
    if status is None:
        raise ApiError("No import with supplied ID")
    return as_json(status)
