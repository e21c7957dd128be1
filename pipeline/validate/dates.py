"""Read dates and date-times: ISO, the forms that the job names, offsets and time zones (pure, data rule 10)."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from pipeline.model.columns import FieldSpec
from pipeline.model.date_forms import Form, compile_form
from pipeline.model.job import ColumnReading
from pipeline.validate.grammar import TEXT, Grammar, Way

Reading = ColumnReading

# Copernica keeps its times naive, in this zone (API sheet 13).
COPERNICA_ZONE = "Europe/Amsterdam"

_DATE = "%Y-%m-%d"
_DATETIME = "%Y-%m-%d %H:%M:%S"
_DAY = r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_OFFSET = "Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9]"
_ISO_DATE = rf"^({_DAY})(?:[ T]00:00(?::00(?:\.0+)?)?({_OFFSET})?)?$"
_ISO_DATETIME = rf"^({_DAY})[ T]({_CLOCK})(?::([0-5][0-9])(?:\.([0-9]+))?)?({_OFFSET})?$"
_CANONICAL_DATE = f"^{_DAY}$"
_CANONICAL_DATETIME = f"^{_DAY} {_CLOCK}:[0-5][0-9]$"

# Texts of every ISO shape, with the moment each means: a named form that reads one of them as another moment leaves no
# room for ISO.
_PROBES = pl.DataFrame(
    [("2003-04-05", "2003-04-05 00:00:00")]
    + [
        (f"2003-04-05{mark}{clock}{zone}", f"2003-04-05 {clock[:8] if len(clock) > 5 else clock + ':00'}")
        for mark in " T"
        for clock in ("06:07", "06:07:08", "06:07:08.0")
        for zone in ("", "+0000")
    ],
    schema=[TEXT, "means"],
    orient="row",
)


def date(spec: FieldSpec, reading: Reading) -> Grammar:
    """Build the grammar of dates: the job's forms in their order, then ISO unless a form reads ISO texts differently.

    A time behind the date must be zero, also after an offset was converted to Europe/Amsterdam.
    """
    forms = [compile_form(form) for form in reading.dates]
    iso = _reads_iso(forms)
    ways = [Way(_midnight(form).dt.to_string(_DATE), form.pattern) for form in forms]
    if iso:
        ways.append(Way(_iso_date().dt.to_string(_DATE), _ISO_DATE))
    return Grammar(
        is_canonical=_matcher(_CANONICAL_DATE if iso else None),
        ways=tuple(ways),
        typed=lambda cells: cells.str.to_date(_DATE, strict=False, cache=False).cast(spec.dtype, strict=False),
        code="not_a_date",
        complaint=pl.when(pl.col(TEXT).str.extract(_ISO_DATETIME, 5).is_not_null())
        .then(pl.lit(f"has a time and an offset, and is not midnight in {COPERNICA_ZONE}: make the column a date-time"))
        .otherwise(pl.lit(f"is no existing date of the form {_forms_in_words(reading, 'YYYY-MM-DD', iso)}")),
    )


def datetime(spec: FieldSpec, reading: Reading) -> Grammar:
    """Build the grammar of date-times: the job's forms in their order, then ISO where no form reads it differently.

    An offset, or a naive time in another `timezone`, is converted to Europe/Amsterdam; a naive time that does not exist
    there, or exists twice, is no date-time. A plain date is one only where a form names it.
    """
    forms = [compile_form(form) for form in reading.dates]
    iso = _reads_iso(forms)
    ways = [Way(_local(form, reading).dt.to_string(_DATETIME), form.pattern) for form in forms]
    if iso:
        ways.append(Way(_iso_datetime(reading).dt.to_string(_DATETIME), _ISO_DATETIME))
    same_zone = reading.timezone == COPERNICA_ZONE
    return Grammar(
        is_canonical=_matcher(_CANONICAL_DATETIME if iso and same_zone else None),
        ways=tuple(ways),
        typed=lambda cells: _moments(cells, spec),
        code="not_a_datetime",
        complaint=_datetime_complaint(reading, iso),
        beyond_complaint=f"does not fit {spec.dtype}",
    )


def _matcher(pattern: str | None) -> Callable[[pl.Series], pl.Series]:
    if pattern is None:
        return lambda cells: pl.repeat(False, cells.len(), dtype=pl.Boolean, eager=True)
    return lambda cells: cells.str.contains(pattern)


def _moments(cells: pl.Series, spec: FieldSpec) -> pl.Series:
    read = cells.str.to_datetime(_DATETIME, strict=False, time_unit="us", cache=False)
    zone = getattr(spec.dtype, "time_zone", None)
    if zone is not None:
        read = read.dt.replace_time_zone(
            COPERNICA_ZONE, ambiguous="earliest", non_existent="null"
        ).dt.convert_time_zone(zone)
    return read if read.dtype == spec.dtype else read.cast(spec.dtype, strict=False)


def _reads_iso(forms: list[Form]) -> bool:
    """Return whether ISO texts may be read besides the forms: not when one of them reads such a text as another day."""
    for form in forms:
        reads = pl.col("reads")
        matching = _PROBES.filter(pl.col(TEXT).str.contains(form.pattern))
        read = matching.with_columns(form.moment(pl.col(TEXT)).dt.to_string(_DATETIME).alias("reads"))
        # A form without a time has none to check.
        means = pl.col("means") if form.has_time else pl.col("means").str.head(10) + " 00:00:00"
        if not read.filter(reads.is_not_null() & (reads != means)).is_empty():
            return False
    return True


def _iso_date() -> pl.Expr:
    day = pl.col(TEXT).str.extract(_ISO_DATE, 1).str.to_date(_DATE, strict=False, cache=False)
    offset = pl.col(TEXT).str.extract(_ISO_DATE, 2)
    converted = _if_midnight(_shifted(day.cast(pl.Datetime("us")), offset))
    return pl.when(offset.is_null()).then(day).otherwise(converted)


def _midnight(form: Form) -> pl.Expr:
    """Read a form for a date column; its time, if any, must be zero."""
    if not form.has_time:
        return form.day(pl.col(TEXT))
    moment = form.moment(pl.col(TEXT))
    if form.has_zone:
        moment = _in_year_range(_amsterdam(moment))
    if form.has_fraction:
        moment = pl.when(form.fraction(pl.col(TEXT)).str.contains("[1-9]").not_()).then(moment)
    return _if_midnight(moment)


def _if_midnight(moment: pl.Expr) -> pl.Expr:
    return pl.when(moment.dt.truncate("1d") == moment).then(moment).dt.date()


def _local(form: Form, reading: Reading) -> pl.Expr:
    """Read a form for a date-time column, in Europe/Amsterdam; a form without a time gives midnight."""
    moment = form.moment(pl.col(TEXT))
    if form.has_fraction and reading.fractions == "zero":
        moment = pl.when(form.fraction(pl.col(TEXT)).str.contains("[1-9]").not_()).then(moment)
    if form.has_zone:
        return _in_year_range(_amsterdam(moment))
    return _from_zone(moment, reading.timezone) if form.has_time else moment


def _iso_datetime(reading: Reading) -> pl.Expr:
    text = pl.col(TEXT)
    fraction = text.str.extract(_ISO_DATETIME, 4)
    if reading.fractions == "zero":
        text = pl.when(fraction.is_null() | ~fraction.str.contains("[1-9]")).then(text)
    day, clock, seconds = (text.str.extract(_ISO_DATETIME, group) for group in (1, 2, 3))
    whole = pl.concat_str(day, pl.lit(" "), clock, pl.lit(":"), seconds.fill_null("00"))
    moment = whole.str.to_datetime(_DATETIME, strict=False, time_unit="us", cache=False)
    offset = text.str.extract(_ISO_DATETIME, 5)
    return pl.when(offset.is_null()).then(_from_zone(moment, reading.timezone)).otherwise(_shifted(moment, offset))


def _shifted(moment: pl.Expr, offset: pl.Expr) -> pl.Expr:
    """Convert a moment with an offset (`Z`, `+02:00`, `+0200`) to Europe/Amsterdam."""
    hours = offset.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = offset.str.slice(-2).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)
    utc = moment - pl.duration(minutes=sign * (hours * 60 + minutes), time_unit="us")
    return _in_year_range(_amsterdam(utc))


def _amsterdam(utc: pl.Expr) -> pl.Expr:
    return utc.dt.replace_time_zone("UTC").dt.convert_time_zone(COPERNICA_ZONE).dt.replace_time_zone(None)


def _from_zone(moment: pl.Expr, zone: str) -> pl.Expr:
    """Take a naive moment in the job's zone; what does not exist there, or exists twice, becomes null.

    In Copernica's own zone it stays as it is, gaps of summer time included: nothing is converted, so nothing is bent.
    """
    if zone == COPERNICA_ZONE:
        return moment
    aware = moment.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return _in_year_range(aware.dt.convert_time_zone(COPERNICA_ZONE).dt.replace_time_zone(None))


def _in_year_range(moment: pl.Expr) -> pl.Expr:
    return pl.when(moment.dt.year().is_between(1000, 9999)).then(moment)


def _forms_in_words(reading: Reading, iso_form: str, iso: bool) -> str:
    return " or ".join([*reading.dates, *([iso_form] if iso else [])])


def _datetime_complaint(reading: Reading, iso: bool) -> pl.Expr:
    words = f"is no existing date-time of the form {_forms_in_words(reading, 'YYYY-MM-DD hh:mm[:ss]', iso)}"
    if reading.timezone != COPERNICA_ZONE:
        words += f", or does not exist just once in {reading.timezone}"
    text = pl.col(TEXT)
    has_parts = text.str.extract(_ISO_DATETIME, 4).str.contains("[1-9]") & pl.lit(reading.fractions == "zero")
    return (
        pl.when(text.str.contains(_CANONICAL_DATE))
        .then(pl.lit("has no time: name its form in dates to read it as midnight"))
        .when(has_parts)
        .then(pl.lit("has parts of a second: set fractions: cut to drop them"))
        .otherwise(pl.lit(words))
    )
