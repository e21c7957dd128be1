"""Send chunks by POST imports (edge: the API client)."""

from __future__ import annotations

from pipeline.copernica import (
    ApiError,
    CancelledError,
    Client,
    ImportRequest,
    RefusedError,
    UnexpectedResponseError,
    UnsupportedError,
)
from pipeline.model.chunk import Chunk, ChunkState, import_name
from pipeline.model.job import Job
from pipeline.model.outcome import Outcome, Stop, StopCode


class Imports:
    """The method of POST imports: one request for a chunk; `Flight` polls what was accepted."""

    def __init__(self, client: Client, job: Job, run: str, database_id: int) -> None:
        self._client, self._target = client, job.target
        self._run, self._database_id = run, database_id
        self.accepted = 0

    def send(self, chunk: Chunk, *, rebuild: bool) -> int | Outcome:
        """Post a chunk; returns the id of its import, or how it ended without one."""
        target = self._target
        request = ImportRequest(
            database_id=self._database_id,
            name=import_name(self._run, chunk.ordinal),
            action=target.action,
            key_fields=chunk.key_fields,
            ignore_empty_fields=target.ignore_empty_fields,
            delete_target=target.delete_target,
            followups=target.followups,
            rebuild=rebuild,
        )
        try:
            import_id = self._client.post_import(request, chunk.body)
        except ApiError as error:
            if error.maybe_sent:
                return Outcome(ChunkState.UNKNOWN, error.message, error.words)
            stop = stop_of(error)
            return Outcome(ChunkState.UNSENT, error.message, error.words, stop)
        self.accepted += 1
        return import_id


def stop_of(error: ApiError) -> Stop:
    """Return why a run cannot send anything more after an error that sent nothing."""
    if isinstance(error, CancelledError):
        return Stop(StopCode.INTERRUPTED, error.message)
    if isinstance(error, RefusedError | UnsupportedError):
        return Stop(StopCode.REFUSED, error.message)
    if isinstance(error, UnexpectedResponseError):
        return Stop(StopCode.UNTRUSTED, error.message)
    return Stop(StopCode.AWAY, error.message)
