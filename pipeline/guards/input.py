"""Compare what was read with the job's limits before anything is sent (edge: the log; data rules 4, 35)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pipeline.errors import Problem
from pipeline.guards.refusal import Refusal
from pipeline.model.job import Guards


def check_input(
    guards: Guards, *, read: int, bad: int, usable: int, last_usable: int | None = None
) -> tuple[Refusal, ...]:
    """Check the guards of the input: `bad` = malformed + rejected, over `read`; `usable` = accepted + collapsed.

    `last_usable` is that of the last confirmed run over the job's own files, None where there is none, or where this run
    is not one to be compared (data rule 35).
    """
    return (
        *max_rejects(guards, read, bad),
        *min_records(guards, usable),
        *min_share_of_last(guards, usable, last_usable),
    )


def max_rejects(guards: Guards, read: int, bad: int) -> Iterator[Refusal]:
    """Refuse an input of which too many records were set aside (data rule 4)."""
    if not guards.max_rejects.allows(bad, read):
        share = f" ({bad / read:.1%})" if read else ""
        what = f"{bad:,} of {read:,} records{share} were set aside, the job allows {guards.max_rejects}"
        do = "mend the records in the rejects file, or pass --force max_rejects to send the others"
        yield Refusal("max_rejects", Problem(what, "guards.max_rejects", do))


def min_records(guards: Guards, usable: int) -> Iterator[Refusal]:
    """Refuse an input with too few good records (data rule 4)."""
    if usable < guards.min_records:
        what = f"{usable:,} good records, the job expects at least {guards.min_records:,}"
        do = "is the dump complete? pass --force min_records if it is"
        yield Refusal("min_records", Problem(what, "guards.min_records", do))


def min_share_of_last(guards: Guards, usable: int, last_usable: int | None) -> Iterator[Refusal]:
    """Refuse an input that is much smaller than the one before (data rules 4, 35)."""
    share = guards.min_share_of_last
    if share is None or last_usable is None or usable >= Decimal(repr(share)) * last_usable:
        return
    what = f"{usable:,} good records, the last confirmed run had {last_usable:,}, the job expects at least {share:.0%} of them"
    do = "is the dump complete? pass --force min_share_of_last if it is"
    yield Refusal("min_share_of_last", Problem(what, "guards.min_share_of_last", do))
