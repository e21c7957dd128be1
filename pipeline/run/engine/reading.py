"""Choose how the input is read and checked: in this process, or in parts by others (wiring)."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from pipeline.model.columns import LiveField
from pipeline.model.files import FileFacts
from pipeline.run.engine.check import Check, Taken
from pipeline.run.engine.terms import Reading, Terms
from pipeline.run.prepare import PreparedJob
from pipeline.threads import side_by_side


def reading_of(plan: PreparedJob, live: Mapping[str, LiveField] | None, terms: Terms) -> Reading:
    """Return the reading that the job sets: in other processes where it names some, and not only the first rows are taken."""
    engine = plan.job.engine
    if terms.limit is not None or (engine.dask is None and engine.processes == 1) or not plan.files:
        return Alone(plan, live, terms.limit)
    # Here and not at the top: most runs read alone.
    from pipeline.run.engine.joining import InParts

    if engine.dask is not None:
        from pipeline.run.engine.cluster import Cluster

        return InParts(plan, live, terms, Cluster(engine.dask))
    from pipeline.run.engine.pools import Processes

    return InParts(plan, live, terms, Processes(engine.processes))


class Alone:
    """Read in this process, by a few threads."""

    def __init__(self, plan: PreparedJob, live: Mapping[str, LiveField] | None, limit: int | None) -> None:
        self._extraction, self._check = plan.extraction(limit), Check(plan, live)
        self.bytes_total = self._extraction.bytes_total

    @property
    def bytes_read(self) -> int:
        """Return the stored bytes that were read so far."""
        return self._extraction.bytes_read

    @property
    def facts(self) -> tuple[FileFacts, ...]:
        """Return what was found in each file."""
        return self._extraction.facts

    def __iter__(self) -> Generator[Taken]:
        return side_by_side(self._check, self._extraction)
