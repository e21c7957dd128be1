"""Check the rules between the keys of a job (edge: asks for time zones and codecs)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.config.yaml import Fault, KeyPath, Node
from pipeline.errors import JobError, shown
from pipeline.model.date_forms import FormError, compile_form
from pipeline.model.encodings import check_encoding
from pipeline.model.job import ColumnTarget, Job, Source, format_of

_KEYS: KeyPath = ("target", "key_fields")
_ACTION: KeyPath = ("target", "action")


def broken_rules(job: Job, root: Node) -> Iterator[Fault]:
    """Name each rule between keys that the job breaks; `root` is what was written."""
    for rule in (
        _delimiter,
        _header,
        _encoding,
        _columns,
        _constants,
        _key_fields,
        _delete,
        _changed,
        _engine,
    ):
        yield from rule(job, root)
    yield from _reading(("source",), job.source, job.source)
    for column, target in job.columns.items():
        yield from _reading(("columns", column), target, job.source)


def _delimiter(job: Job, _: Node) -> Iterator[Fault]:
    own = job.source.format
    is_csv = own == "csv" or (own is None and any(format_of(file) == "csv" for file in job.source.files))
    if is_csv and job.source.delimiter is None:
        yield Fault(
            ("source", "delimiter"),
            "source.delimiter is missing and has no default for CSV",
            'write `delimiter: ","`, or one of ; tab | : as the dump has it',
            about=(("source", "format"),) if own else (("source", "files"), ("source", "format")),
        )


def _header(job: Job, _: Node) -> Iterator[Fault]:
    if job.source.header != "first":
        for name in _repeated(job.source.header):
            yield Fault(("source", "header"), f"the column {shown(name)} stands twice", "give each column its own name")
        if any(not name.strip() for name in job.source.header):
            yield Fault(("source", "header"), "a column name is blank", "give each column a name")


def _encoding(job: Job, _: Node) -> Iterator[Fault]:
    try:
        check_encoding(job.source.encoding)
    except JobError:
        what = f"{shown(job.source.encoding)} is no text encoding that Python knows"
        yield Fault(("source", "encoding"), what, "write utf-8, cp1252, iso-8859-15 or the like")


def _columns(job: Job, _: Node) -> Iterator[Fault]:
    """Check where dump columns go: once each, in at most one part behind a collection, never also ignored."""
    first: dict[str, str] = {}
    for column, target in job.columns.items():
        path: KeyPath = ("columns", column)
        if target.to in first:
            other = first[target.to]
            what = f"the columns {shown(other)} and {shown(column)} both go to {target.to}"
            yield Fault(path, what, "let one of them go elsewhere, or ignore it", about=(("columns", other),))
        first.setdefault(target.to, column)
        if column in job.ignore:
            what = f"the column {shown(column)} has a target and is ignored too"
            yield Fault(path, what, "keep one of the two", about=(("ignore",),))
        yield from _target_name(path, target.to)


def _target_name(path: KeyPath, name: str) -> Iterator[Fault]:
    """Check that a dot stands between a collection (or `interest`) and a field (data rule 20)."""
    if "." in name and (name.count(".") > 1 or not all(part.strip() for part in name.split("."))):
        yield Fault(path, f"{shown(name)} is no target", "write Field, Collection.Field or interest.NAME")


def _constants(job: Job, _: Node) -> Iterator[Fault]:
    targets = {target.to: column for column, target in job.columns.items()}
    for name in job.constants:
        path: KeyPath = ("constants", name)
        if name in job.target.key_fields:
            what = f"{shown(name)} is a key field, and a constant is never a key"
            yield Fault(path, what, "let a dump column go to it", about=(_KEYS,))
        if name in targets:
            what = f"{shown(name)} is a constant, and the column {shown(targets[name])} goes to it too"
            yield Fault(path, what, "keep one of the two", about=(("columns", targets[name]),))
        yield from _target_name(path, name)


def _key_fields(job: Job, _: Node) -> Iterator[Fault]:
    """Check that keys can find what they should (data rule 16; API sheet 11.3)."""
    keys, action = job.target.key_fields, job.target.action
    for name in _repeated(keys):
        yield Fault(_KEYS, f"the key {shown(name)} stands twice", "keep one of them")
    for name in keys:
        yield from _target_name(_KEYS, name)
        if name.startswith("interest."):
            yield Fault(_KEYS, f"the interest {shown(name)} is no key", "name fields, or Collection.Field")
    collections = _collections((*(target.to for target in job.columns.values()), *job.constants))
    if all("." in name for name in keys) and (action != "add" or collections or keys):
        what = "no key of the profile is named" if keys else "no key is named"
        advice = "name the profile's key; only `add` without dotted columns goes without"
        yield Fault(_KEYS, what, advice, about=(_ACTION, ("columns",), ("constants",)))
    for name in sorted(collections - _collections(keys)) if action not in ("add", "delete") else ():
        what = f"no key of the collection {shown(name)} is named, so each run would add its rows again"
        advice = f"add {name}.FIELD to the keys; only `add` goes without"
        yield Fault(_KEYS, what, advice, about=(_ACTION, ("columns",), ("constants",)))


def _delete(job: Job, _: Node) -> Iterator[Fault]:
    """Check what a delete requires (data rule 34)."""
    target, path = job.target, ("target", "delete_target")
    if target.action != "delete":
        if target.delete_target is not None:
            what = f"delete_target goes with `action: delete`, not with {target.action}"
            yield Fault(path, what, "remove it", about=(_ACTION,))
        return
    if target.delete_target is None:
        yield Fault(
            path, "a delete needs the kind of record to delete", "write profile or subprofile", about=(_ACTION,)
        )
    if job.guards.max_deletes is None:
        what = "a delete needs a limit"
        yield Fault(("guards", "max_deletes"), what, "write a count or a share of the database", about=(_ACTION,))
    dotted = bool(_collections(target.key_fields))
    if target.delete_target == "profile" and dotted:
        what = "a delete of profiles takes no key of a collection"
        yield Fault(_KEYS, what, "remove it, or write `delete_target: subprofile`", about=(_ACTION, path))
    if target.delete_target == "subprofile" and not dotted:
        what = "a delete of subprofiles needs a key of their collection"
        yield Fault(_KEYS, what, "add Collection.FIELD", about=(_ACTION, path))


def _changed(job: Job, _: Node) -> Iterator[Fault]:
    """Check what sending only changes, and reporting what is gone, need (data rules 42, 44)."""
    path: KeyPath = ("load", "send")
    if job.load.send == "changed" and job.target.action != "update or add":
        # A record that an `update` did not find may be there tomorrow: its row must go out again.
        what = f"send: changed works only with `update or add`, not with {job.target.action}"
        yield Fault(path, what, "remove it", about=(_ACTION,))
    if job.target.gone != "report":
        return
    gone: KeyPath = ("target", "gone")
    if job.load.send != "changed":
        what = "what is gone is known only from what was confirmed"
        yield Fault(gone, what, "write `send: changed` under load", about=(path,))
    if job.source.dump != "full":
        what = "a dump of changes does not show what is gone"
        yield Fault(gone, what, "write `dump: full` under source", about=(("source", "dump"),))
    if job.source.only_new:
        what = "with only_new some files of the dump are left out, and what they hold would be gone"
        yield Fault(gone, what, "remove one of the two", about=(("source", "only_new"),))


def _engine(job: Job, _: Node) -> Iterator[Fault]:
    if job.engine.dask is not None and job.engine.processes > 1:
        what = "the input is read by processes of this machine or by a cluster"
        yield Fault(("engine", "dask"), what, "keep one of the two", about=(("engine", "processes"),))


def _reading(path: KeyPath, own: Source | ColumnTarget, source: Source) -> Iterator[Fault]:
    """Check how cells are read, in the source or in a column whose unset options are the source's."""

    def option(name: str) -> Any:
        value = getattr(own, name)
        return getattr(source, name) if value is None else value

    def sets(*names: str) -> bool:
        return own is source or any(getattr(own, name) is not None for name in names)

    def fault(name: str, what: str, do: str) -> Fault:
        return Fault((*path, name) if sets(name) else path, what, do, about=(("source", name),))

    if sets("decimal", "thousands") and option("decimal") == option("thousands"):
        yield fault("thousands", "decimal and thousands are the same character", "make them differ")
    true, false = (option("true_values"), option("false_values")) if sets("true_values", "false_values") else ((), ())
    if bool(true) != bool(false):
        yield fault("true_values", "true_values and false_values go together", "set both or none")
    for text in sorted(set(true) & set(false)):
        yield fault("true_values", f"{shown(text)} means true and false at once", "keep it in one of the two")
    for form in own.dates or ():
        try:
            compile_form(form)
        except FormError as error:
            yield fault("dates", f"the form {shown(form)} cannot be read: {error}", error.do)
    if own.timezone is not None and not _is_timezone(own.timezone):
        yield fault("timezone", f"there is no time zone {shown(own.timezone)}", "write one such as Europe/Amsterdam")


# Files of the zone database that are no zones of a name: what they mean is the machine's own matter.
_NO_ZONES = ("Factory", "localtime", "posixrules", "posix/", "right/")


def _is_timezone(name: str) -> bool:
    if name.startswith(_NO_ZONES):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _collections(names: tuple[str, ...]) -> set[str]:
    heads = {name.partition(".")[0] for name in names if "." in name}
    return heads - {"interest"}


def _repeated(names: tuple[str, ...]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
