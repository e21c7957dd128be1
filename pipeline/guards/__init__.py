"""Guard against harm: what was read, what is about to be sent, what happens meanwhile (data rules 34-36).

Each guard is one function that yields a `Problem` with its name where it refuses; all that refuse at one stage are reported at
once. `--force NAME` overrides the one guard of that name.
"""

from pipeline.guards.before_sending import Before, check_sending
from pipeline.guards.earlier_runs import dumps_of, only_new
from pipeline.guards.force import unforced
from pipeline.guards.input import Dumps, check_input
from pipeline.guards.runtime import Watch
from pipeline.guards.sending import Sending

__all__ = [
    "Before",
    "Dumps",
    "Sending",
    "Watch",
    "check_input",
    "check_sending",
    "dumps_of",
    "only_new",
    "unforced",
]
