"""Ask every guard that stands before the first send, and report all that refuse at once (wiring; data rule 35)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.copernica import ApiError, CallLimitError, CancelledError
from pipeline.errors import ApiRefusedError, InterruptedRunError, Problem
from pipeline.guards.earlier_runs import already_loaded
from pipeline.guards.force import unforced
from pipeline.guards.keys import key_without_index, unique_keys
from pipeline.guards.runtime import Watch
from pipeline.guards.sending import Sending
from pipeline.guards.volume import max_calls, max_deletes
from pipeline.log import get_logger
from pipeline.model.files import FileFacts
from pipeline.state.ledger import Ledger
from pipeline.state.register import RunRegister

# Where what the API answers before the first send belongs.
PLACE = "questions to the database before the first send"


@dataclass(frozen=True)
class Before:
    """What earlier runs have left: the ledger of the state folder, and the register of the database as this run sees it."""

    ledger: Ledger
    register: RunRegister


def check_sending(
    sending: Sending, before: Before, method: str, facts: tuple[FileFacts, ...], forced: frozenset[str]
) -> Watch:
    """Refuse before anything is sent, or return the watch over what follows; sets the limit of calls.

    Raises ApiRefusedError with the problems of all guards that refuse and are not forced, InterruptedRunError when a wait
    was interrupted. A run that has sent something was asked then, and is not asked again.
    """
    job, ledger, run = sending.job, before.ledger, before.register.run
    begun = ledger.sent_anything(run)
    sending.client.limit_calls(None if "max_calls" in forced else job.guards.max_calls)
    _warn_of_blind_guards(sending, method)
    if not begun:
        refusals: list[Problem] = []
        try:
            refusals.extend(_refusals(sending, before, method, facts))
        except CancelledError as error:
            raise InterruptedRunError(Problem(error.message, PLACE, "nothing was sent")) from None
        except CallLimitError as error:
            do = "raise it, or pass --force max_calls"
            refusals.append(Problem(error.message, "guards.max_calls", do, "max_calls"))
        except ApiError as error:
            refusals.append(Problem(error.message, PLACE, "nothing was sent"))
        problems = unforced(refusals, forced)
        if problems:
            raise ApiRefusedError(*problems)
        if job.target.action == "add":
            before.register.begin([one.content_sha256 for one in facts])
    watch = Watch(sending, method, forced, begun=begun)
    watch.limit_calls()
    return watch


def _warn_of_blind_guards(sending: Sending, method: str) -> None:
    job = sending.job
    if method != "imports":
        return
    if job.guards.max_unmatched is not None:
        get_logger().warning("guard.sees_nothing", guard="max_unmatched", reason="imports do not report it")
    if job.target.action == "delete" and job.guards.unique_keys != "all":
        reason = "an import deletes every record that has a key, and not every key is looked up (guards.unique_keys)"
        get_logger().warning("guard.sees_less", guard="max_deletes", reason=reason)


def _refusals(sending: Sending, before: Before, method: str, facts: tuple[FileFacts, ...]) -> Iterator[Problem]:
    """Ask the guards; that of the calls comes last, for asking costs some."""
    yield from already_loaded(before.ledger, before.register, sending.job, facts)
    if sending.staged.accepted:
        yield from max_deletes(sending)
        yield from key_without_index(sending)
        yield from unique_keys(sending, method)
        yield from max_calls(sending, method)
