"""Compare what was read with the job's limits before anything is sent (pure; data rules 4, 35)."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import Problem
from pipeline.job import Guards


@dataclass(frozen=True)
class Refusal:
    """A guard that refuses, by its name in `--force`."""

    guard: str
    problem: Problem


def check_input(guards: Guards, *, read: int, bad: int, usable: int) -> tuple[Refusal, ...]:
    """Check `max_rejects` (`bad` = malformed + rejected, over `read`) and `min_records` (`usable` = accepted + collapsed)."""
    found = []
    if not guards.max_rejects.allows(bad, read):
        share = f" ({bad / read:.1%})" if read else ""
        found.append(
            Refusal(
                "max_rejects",
                Problem(
                    f"{bad:,} of {read:,} records{share} were set aside, the job allows {guards.max_rejects}",
                    where="guards.max_rejects",
                    do="mend the records in the rejects file, or pass --force max_rejects to send the others",
                ),
            )
        )
    if usable < guards.min_records:
        found.append(
            Refusal(
                "min_records",
                Problem(
                    f"{usable:,} good records, the job expects at least {guards.min_records:,}",
                    where="guards.min_records",
                    do="is the dump complete? pass --force min_records if it is",
                ),
            )
        )
    return tuple(found)
