"""Notice what a person should know of the values: texts that look like a null, and what rejects seem to be (pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from pipeline.errors import Problem
from pipeline.model.nulls import NULL_LIKE
from pipeline.model.rows import Batch, Checked
from pipeline.validate.link import Link
from pipeline.validate.spec import TargetSchema

# Fewer cells than this are not worth a word: somebody may be called Null.
LEAST_NULLS = 3
# Values of rejects and lines that did not decode that are looked at.
_MOST_VALUES = 200
_KINDS = {"not_a_date": "date", "not_a_datetime": "datetime", "not_a_decimal": "decimal"}

NullCounts = Mapping[str, Mapping[str, tuple[int, int]]]


def count_nulls(accepted: pl.DataFrame, columns: Sequence[str]) -> NullCounts:
    """Count texts that look like a null by column, each with the line of the first."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for name in columns:
        like = NULL_LIKE.among(accepted[name])
        if not like.any():
            continue
        cells = accepted.select(pl.col(name).alias("text"), "_line").filter(like)
        counts = cells.group_by("text", maintain_order=True).agg(pl.len(), pl.col("_line").first())
        found[name] = {text: (count, line) for text, count, line in counts.iter_rows()}
    return found


def free_texts(schema: TargetSchema, link: Link) -> tuple[str, ...]:
    """Return the target columns from the dump that take any text."""
    texts = (spec.name for spec in schema.specs if spec.kind == "text" and spec.name in link.columns)
    return tuple(name for name in texts if link.source_of(name) is not None)


@dataclass
class Observer:
    """Collect over the batches of a run; `problems` is complete after the last one."""

    link: Link
    encoding: str
    _nulls: Counter[tuple[str, str]] = field(default_factory=Counter)
    _places: dict[tuple[str, str], str] = field(default_factory=dict)
    _values: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _raw: list[bytes] = field(default_factory=list)

    def see(self, batch: Batch, checked: Checked, nulls: NullCounts) -> None:
        """Take what was found in one batch."""
        for target, texts in nulls.items():
            column = self.link.source_of(target) or target
            for text, (count, line) in texts.items():
                self._nulls[column, text] += count
                self._places.setdefault((column, text), f"{batch.file.name}, line {line}")
        if checked.faults.height:
            self._keep_values(batch, checked.faults)
        if batch.malformed.height and len(self._raw) < _MOST_VALUES:
            raw = batch.malformed.filter(pl.col("_code") == "not_decodable")["_raw"].head(_MOST_VALUES)
            self._raw += [_bytes_of(text) for text in raw.to_list()]

    def _keep_values(self, batch: Batch, faults: pl.DataFrame) -> None:
        rows = faults.filter(pl.col("_code").is_in(list(_KINDS))).head(_MOST_VALUES)
        for row, code, column in rows.select("_row", "_code", "_column").iter_rows():
            kept = self._values.setdefault((code, column), [])
            if column in batch.frame.columns and len(kept) < _MOST_VALUES:
                kept.append(str(batch.frame[column][row]))

    def null_problems(self) -> Iterator[Problem]:
        """Point out texts that look like a null and will be sent, with their counts."""
        for (column, text), count in self._nulls.most_common():
            if count >= LEAST_NULLS:
                what = f"{count:,} cells of {column} hold the text {text!r}, which will be sent as it stands"
                do = f"add {text!r} to source.null_values where it means empty"
                yield Problem(what, f"{column}, first in {self._places[column, text]}", do)

    def reject_problems(self) -> Iterator[Problem]:
        """Name the form that rejected dates and decimals have, and the encoding that would decode what did not."""
        for (code, column), values in self._values.items():
            form = _form_of(_KINDS[code], values)
            if form is not None:
                what = f"the values of {column} that were set aside as {code} seem to be {form[0]}"
                yield Problem(what, column, form[1])
        if len(self._raw) >= LEAST_NULLS:
            # Here and not at the top: what `init` guesses with is needed for damaged dumps alone.
            from pipeline.run.init.encoding import guess_encoding

            guess = guess_encoding(b"\n".join(self._raw), self._raw)
            if guess.name != self.encoding:
                what = f"lines that are no {self.encoding} would decode as {guess.name}"
                yield Problem(what, "source.encoding", f"write `encoding: {guess.name}` if the names read right then")


def _form_of(kind: str, values: Sequence[str]) -> tuple[str, str] | None:
    """Return the form that nearly all values have, with what to write in the job file; None for mere damage."""
    cells = pl.Series(values)
    if len(values) < LEAST_NULLS:
        return None
    from pipeline.run.init.kinds import candidates

    for one in candidates():
        if one.kind == kind and one.bad(cells) <= 0.1 * len(values):
            if one.form is not None:
                return f"dates of the form {one.form}", f'write `dates: ["{one.form}"]` in source or for the column'
            if kind == "decimal":
                marks = f'decimal: "{one.reading.decimal}"'
                marks += f', thousands: "{one.reading.thousands}"' if one.reading.thousands else ""
                return f"numbers with {marks}", f"write `{marks}` in source or for the column"
    return None


def _bytes_of(raw: str) -> bytes:
    r"""Return the bytes of a line whose undecodable ones are written as `\xNN`."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), raw.encode())
