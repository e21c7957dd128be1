"""Guard against harm: what was read, what is about to be sent, what happens meanwhile (data rules 34-36).

Each guard is one function that yields a `Refusal` where it refuses; all that refuse at one stage are reported at once.
`--force NAME` passes the one guard of that name.
"""

from pipeline.guards.history import close_overtaken, last_usable
from pipeline.guards.intake import check_input
from pipeline.guards.only_new import only_new
from pipeline.guards.refusal import Refusal, standing
from pipeline.guards.sending import Sending, check_sending
from pipeline.guards.staged import StagedRows
from pipeline.guards.watch import Watch

__all__ = [
    "Refusal",
    "Sending",
    "StagedRows",
    "Watch",
    "check_input",
    "check_sending",
    "close_overtaken",
    "last_usable",
    "only_new",
    "standing",
]
