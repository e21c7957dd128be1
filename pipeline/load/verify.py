"""Read a sample back by key and compare it with what was sent (edge: the API client; data rule 27)."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.load.readback import Lookups, Terms, differences
from pipeline.model.counts import Verified
from pipeline.stage.sample import Expectation


def verify(sample: Sequence[Expectation], lookups: Lookups, terms: Terms) -> Verified:
    """Read every expectation back; raises ApiError when that cannot be done."""
    found = [differences(expectation, lookups, terms) for expectation in sample]
    different = sum(bool(one) for one in found)
    places = tuple(dict.fromkeys(place for one in found for place in one))
    return Verified(len(sample), len(sample) - different, different, places)
