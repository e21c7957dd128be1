"""Link dump columns to target columns: renames, constants, ignored columns, collections and interests (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import JobError, Problem
from pipeline.model.columns import Expected, FieldSpec, Sets
from pipeline.model.job import Job

# `_set` is a UInt64: one bit per collection and one per interest column.
_MOST_BITS = 64


@dataclass(frozen=True)
class Link:
    """Which dump column feeds which target column, compiled once per run.

    `expected` names the dump columns for extract, `canonical` the target columns of files that we wrote ourselves.
    `columns` are the target columns of the run in schema order: the one column order (invariant 4). `sets` gives meaning to
    `_set`; for `delete` it sends key columns only (data rule 34). `lists` are the paths of nested JSON whose elements are
    rows of a collection (`Orders`; data rule 20).
    """

    expected: Expected
    canonical: Expected
    columns: tuple[str, ...]
    sets: Sets
    lists: frozenset[str]
    _sources: Mapping[str, str]

    @classmethod
    def compile(cls, job: Job, specs: Sequence[FieldSpec]) -> Link:
        """Link the columns of a job to the columns of its schema.

        A target column is fed by the dump column that `columns` names for it, by a constant, or by the dump column of
        its own name. An optional column of the schema whose dump column is ignored or goes elsewhere is not part of the
        run. Takes a job whose rules and fit with the schema were checked; raises JobError for columns that have no
        place in staged rows.
        """
        sources = _sources(job, specs)
        columns = tuple(spec.name for spec in specs if spec.name in sources or spec.name in job.constants)
        kept = [spec for spec in specs if spec.name in columns]
        collections = tuple(dict.fromkeys(spec.collection for spec in kept if spec.collection))
        interests = tuple(spec.name for spec in kept if spec.interest)
        problems = tuple(_problems(columns, collections, interests))
        if problems:
            raise JobError(*problems)
        return cls(
            _expected(job, kept, sources),
            _canonical(job, kept, sources),
            columns,
            _sets(job, columns, collections, interests),
            _lists(kept, sources),
            sources,
        )

    def source_of(self, target: str) -> str | None:
        """Return the dump column that feeds a target column, None for a constant."""
        return self._sources.get(target)


def _sources(job: Job, specs: Sequence[FieldSpec]) -> dict[str, str]:
    renamed = {own.to: column for column, own in job.columns.items()}
    taken = {*job.columns, *job.ignore}
    sources = {}
    for spec in specs:
        if spec.name in renamed:
            sources[spec.name] = renamed[spec.name]
        elif spec.name not in job.constants and spec.name not in taken:
            sources[spec.name] = spec.name
    return sources


def _expected(job: Job, specs: Sequence[FieldSpec], sources: Mapping[str, str]) -> Expected:
    """Sort the dump columns: what the job names, the schema requires or is a key must be there (data rule 7).

    `required=False` in the schema lets the job leave a column out, not the file.
    """
    fed = [spec for spec in specs if spec.name in sources]
    named = {*job.target.key_fields, *(spec.name for spec in fed if sources[spec.name] in job.columns)}
    needed = {spec.name for spec in fed if spec.required or spec.name in named}
    return Expected(
        required=tuple(sources[spec.name] for spec in fed if spec.name in needed),
        optional=tuple(sources[spec.name] for spec in fed if spec.name not in needed),
        ignored=frozenset(job.ignore),
        track_absent=not job.target.ignore_empty_fields and job.source.missing_keys is None,
    )


def _canonical(job: Job, specs: Sequence[FieldSpec], sources: Mapping[str, str]) -> Expected:
    """Return the columns of failed.csv and accepted rows: keys must be there, constants are the job's and passed over."""
    fed = [spec.name for spec in specs if spec.name in sources]
    keys = [name for name in fed if name in job.target.key_fields]
    return Expected(
        required=tuple(keys or fed),
        optional=tuple(name for name in fed if keys and name not in keys),
        ignored=frozenset(job.constants),
    )


def _sets(job: Job, columns: tuple[str, ...], collections: tuple[str, ...], interests: tuple[str, ...]) -> Sets:
    """Return the sets of the run; `delete` sends key columns only (data rule 34)."""
    if job.target.action == "delete":
        return Sets(tuple(name for name in columns if name in job.target.key_fields), collections)
    return Sets(columns, collections, interests)


def _lists(specs: Sequence[FieldSpec], sources: Mapping[str, str]) -> frozenset[str]:
    """Return the longest path that all dump columns of a collection share, for each collection (data rule 20).

    So `Orders.OrderID` and `Orders.address.city` belong to the list `Orders`. Where they share none, the first part of
    each is taken.
    """
    paths: dict[str, list[list[str]]] = {}
    for spec in specs:
        if spec.collection and spec.name in sources:
            paths.setdefault(spec.collection, []).append(sources[spec.name].split(".")[:-1])
    found = set()
    for of_collection in paths.values():
        shared = _shared(of_collection)
        found |= {".".join(shared)} if shared else {path[0] for path in of_collection if path}
    return frozenset(found)


def _shared(paths: list[list[str]]) -> list[str]:
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return shared


def _problems(columns: tuple[str, ...], collections: tuple[str, ...], interests: tuple[str, ...]) -> Iterator[Problem]:
    for name in columns:
        # Staged frames have columns of our own beside the targets; Copernica's names start with a letter (API sheet 13).
        if name.startswith("_"):
            yield Problem(f"a target column cannot start with an underscore: {name}", "schema", "ignore it")
    if len(collections) + len(interests) > _MOST_BITS:
        yield Problem(f"more than {_MOST_BITS} collections and interests", "schema", "make two jobs of it")
