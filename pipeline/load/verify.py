"""Read a sample back by key and compare it with what was sent (edge: the API client; data rule 27)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pipeline.load.readback import Lookups, Terms, differences
from pipeline.load.timestamps import modified_since
from pipeline.model.counts import Verified
from pipeline.stage.sample import Expectation


def verify(sample: Sequence[Expectation], lookups: Lookups, terms: Terms, final_at: Mapping[int, datetime]) -> Verified:
    """Read every expectation back; raises ApiError when that cannot be done.

    `final_at` is when the last chunk of a key was final, by `_key`: a record that was modified after that was changed by
    somebody else, and is no difference.
    """
    places: dict[str, None] = {}
    different = changed = 0
    for expectation in sample:
        final = final_at.get(expectation.key)
        found = differences(expectation, lookups, terms)
        ours = [one for one in found if final is None or not modified_since(one.modified, final)]
        places |= dict.fromkeys(one.place for one in ours)
        different += bool(ours)
        changed += bool(found) and not ours
    return Verified(len(sample), len(sample) - different, different, tuple(places), changed)
