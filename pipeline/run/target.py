"""Meet the live database: account and structure (edge: the API client)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import TypeVar

from pipeline.config.environment import Environment
from pipeline.copernica import (
    ApiError,
    AuthError,
    CancelledError,
    Client,
    Database,
    Identity,
    NotSentError,
    Options,
    Outside,
    RefusedError,
)
from pipeline.copernica.answers import is_unknown_id
from pipeline.errors import ApiRefusedError, InterruptedRunError, Problem
from pipeline.log import get_logger
from pipeline.model.columns import LiveField
from pipeline.model.job import Job
from pipeline.run.prepare import PreparedJob
from pipeline.validate.fit import fit

T = TypeVar("T")


# How long a person at a terminal waits for an API that does not answer the first call.
FIRST_WAIT_S = 20.0


@dataclass(frozen=True)
class LiveTarget:
    """The database that a run goes to, as it is now; `live` by target column (`City`, `Order.Total`, `interest.news`)."""

    client: Client
    identity: Identity
    database: Database
    live: Mapping[str, LiveField]


def read_again(target: LiveTarget) -> LiveTarget:
    """Read the structure of the database again; raises ApiRefusedError where it is gone."""
    number = target.database.id
    database = asked(f"database {number}", lambda: target.client.structure(number), "was it removed meanwhile?")
    return replace(target, database=database, live=live_fields(database))


@contextmanager
def connected(job: Job, environment: Environment, stop: Event | None = None) -> Iterator[Client]:
    """Make the client of a run and close it at the end; no request is sent yet. Its calls are limited by the guards."""
    options = Options(
        connect_s=job.http.connect_s,
        read_s=job.http.read_s,
        import_read_s=job.http.import_read_s,
        retry_budget_s=job.http.retry_budget_s,
        max_calls_per_s=job.load.max_calls_per_s,
    )
    with Client(
        environment.token.reveal(),
        job.target.api,
        environment.api_url,
        environment.auth_url,
        options,
        Outside(cancelled=stop),
    ) as client:
        yield client


def meet(client: Client, job: Job, *, patient: bool = True) -> LiveTarget:
    """Read account and structure; raises ApiRefusedError for a wrong token, account or database, or a dead server.

    Off a terminal (`patient`) an API that does not answer is waited for as long as the job allows: an outage lasts minutes.
    """
    identity = account_of(client, job, patient=patient)
    name = job.target.database
    advice = f"see target.database: does account {identity.id} ({identity.name}) have it, spelled like that?"
    number = asked(f"database {name!r}", lambda: client.database_id(name), advice)
    database = asked(f"database {name!r}", lambda: client.structure(number), advice)
    client.limit_waiting(job.http.retry_budget_s)
    return LiveTarget(client, identity, database, live_fields(database))


def account_of(client: Client, job: Job, *, patient: bool = False) -> Identity:
    """Read whose token it is; raises ApiRefusedError where it is not the account of the job."""
    client.limit_waiting(job.http.retry_budget_s if patient else min(FIRST_WAIT_S, job.http.retry_budget_s))
    identity = asked("the token", client.identity, "give the token the right to read the account")
    if job.target.account is not None and identity.id != job.target.account:
        raise ApiRefusedError(
            Problem(
                f"the token belongs to account {identity.id} ({identity.name}), the job is for {job.target.account}",
                where="target.account",
                do="use the token of that account",
            )
        )
    return identity


def database_named(client: Client, name: str) -> Database | None:
    """Read a database with its structure, None where the account has none of that name or id."""

    def found() -> Database | None:
        try:
            return client.structure(client.database_id(name))
        except RefusedError as error:
            if is_unknown_id(error.words):
                return None
            raise

    return asked(f"database {name!r}", found, "see target.database")


def live_fields(database: Database) -> dict[str, LiveField]:
    """Lay out everything that a column may be called, by exact spelling."""
    found = {name: LiveField(field.type, field.length, field.choices) for name, field in database.fields.items()}
    for name in database.interests:
        found[f"interest.{name}"] = LiveField("interest")
    for name, collection in database.collections.items():
        for inner, field in collection.fields.items():
            found[f"{name}.{inner}"] = LiveField(field.type, field.length, field.choices)
    return found


def asked(what: str, question: Callable[[], T], advice: str) -> T:
    """Ask the API before anything is sent; a failure refuses the run in the words of the client.

    `advice` is what to do where Copernica answers no. Raises InterruptedRunError when the wait for it was interrupted.
    """
    try:
        return question()
    except CancelledError as error:
        raise InterruptedRunError(Problem(error.message, where=what, do="nothing was sent")) from None
    except ApiError as error:
        raise ApiRefusedError(Problem(error.message, where=what, do=_way_on(error, advice))) from None


@contextmanager
def refusing(where: str, do: str) -> Iterator[None]:
    """Let an error of the API in the block refuse the run; raises InterruptedRunError for a wait that was interrupted."""
    try:
        yield
    except CancelledError as error:
        raise InterruptedRunError(Problem(error.message, where, "nothing was sent")) from None
    except ApiError as error:
        raise ApiRefusedError(Problem(error.message, where, do)) from None


def _way_on(error: ApiError, advice: str) -> str:
    match error:
        case NotSentError():
            url = "COPERNICA_AUTH_URL" if error.of_exchange else "COPERNICA_API_URL"
            return f"is the server up, and {url} right?"
        case AuthError():
            return "copy the token again into COPERNICA_TOKEN, or make a new one in Copernica"
        case RefusedError():
            return advice
        case _:
            return "nothing was sent; run the job again later"


def check_fit(plan: PreparedJob, target: LiveTarget) -> None:
    """Compare job and schema with the live structure; raises ApiRefusedError with all problems (data rules 11-16)."""
    found = fit(plan.job, plan.schema, plan.link.columns, target.live)
    if found.problems:
        raise ApiRefusedError(*found.problems)
    for warning in found.warnings:
        get_logger().warning("structure.fits_loosely", what=warning.what, where=warning.where)
