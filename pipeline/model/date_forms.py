"""Compile the date forms that a job names into an exact pattern and a polars format (pure).

polars reads dates loosely: `%Y` takes `10` for the year 10, blanks and signs pass before numbers. So each form becomes
a regular expression that a value must match as a whole before polars reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import polars as pl

# Directive: pattern of its text. A minus (`%-d`) allows a number without its leading zero, as does %e.
_PATTERNS = {
    "Y": "[1-9][0-9]{3}",
    "m": "[0-9]{2}",
    "d": "[0-9]{2}",
    "e": "[0-9]{1,2}",
    "H": "[0-9]{2}",
    "I": "[0-9]{2}",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "j": "[0-9]{3}",
    "b": "[A-Za-z]{3}",
    "B": "[A-Za-z]{3,9}",
    "a": "[A-Za-z]{3}",
    "A": "[A-Za-z]{6,9}",
    "p": "[AaPp][Mm]",
    "z": "[+-][0-9]{2}:?[0-9]{2}",
    "f": r"(?P<fraction>[0-9]+)",
}
_COMPOSED = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "h": "%b"}
_NUMBERS = frozenset("YmdeHIMSjf")
_SHORT = dict.fromkeys("mdHI", "[0-9]{1,2}")
_TOKEN = re.compile(r"%(?:(-?[A-Za-z])|:(z)|(%))|([^%]+)", re.DOTALL)


class FormError(ValueError):
    """A form that cannot be read; `do` is what to write instead."""

    def __init__(self, what: str, do: str) -> None:
        self.do = do
        super().__init__(what)


@dataclass(frozen=True)
class Form:
    """A date form: `pattern` that a value must match as a whole, `polars` the format that reads it then.

    `has_time` and `has_zone` are the parts that the form has; `has_fraction` that the pattern has a group for one.
    """

    pattern: str
    polars: str
    has_time: bool
    has_zone: bool
    has_fraction: bool

    def day(self, text: pl.Expr) -> pl.Expr:
        """Read texts that match the pattern of a form without a time into Date, null for days that do not exist."""
        return text.str.to_date(self.polars, strict=False, cache=False)

    def moment(self, text: pl.Expr) -> pl.Expr:
        """Read texts that match the pattern into naive Datetime("us"), UTC where the form has a zone."""
        if not self.has_time:
            return self.day(text).cast(pl.Datetime("us"))
        zone = "UTC" if self.has_zone else None
        read = text.str.to_datetime(self.polars, strict=False, time_unit="us", time_zone=zone, cache=False)
        return read.dt.truncate("1s").dt.replace_time_zone(None)

    def fraction(self, text: pl.Expr) -> pl.Expr:
        """Return the digits behind the second, null where there are none."""
        return text.str.extract(self.pattern, 1) if self.has_fraction else pl.lit(None, pl.String)


@cache
def compile_form(form: str) -> Form:
    """Compile a strftime form such as `%d-%m-%Y` (data rule 10).

    Raises FormError for a form without a whole date, with half a time, with a year of two digits, or with directives
    that are not read here.
    """
    expanded = re.sub(r"%([FTRh])", lambda match: _COMPOSED[match[1]], form).replace("%.f", ".%f")
    tokens = [(match[1] or match[2], match[3] or match[4]) for match in _TOKEN.finditer(expanded)]
    if "".join(match[0] for match in _TOKEN.finditer(expanded)) != expanded:
        raise FormError("it ends in a lone %", "write %% for a percent sign")
    names = [name.lstrip("-") for name, _ in tokens if name]
    _refuse(names)
    pattern = "".join(_pattern(tokens, at) for at in range(len(tokens)))
    fmt = "".join(f"%{name.lstrip('-')}" if name else literal.replace("%", "%%") for name, literal in tokens)
    has_fraction = "f" in names
    if has_fraction:
        if ".%f" not in fmt:
            raise FormError("%f must follow a point", "write %S.%f")
        # polars reads `%.f` as a fraction; its `%f` counts nanoseconds.
        fmt = fmt.replace(".%f", "%.f")
    return Form(f"^{pattern}$", fmt, "H" in names or "I" in names, "z" in names, has_fraction)


def _refuse(names: list[str]) -> None:
    if "y" in names:
        raise FormError("a year of two digits leaves the century open", "export years of four digits and write %Y")
    unknown = [name for name in names if name not in _PATTERNS]
    if unknown:
        raise FormError(f"%{unknown[0]} is not supported", "use " + " ".join(f"%{name}" for name in sorted(_PATTERNS)))
    have = set(names)
    if len(have) < len(names):
        raise FormError("a part stands twice", "name each part once")
    if "Y" not in have or not ("j" in have or (have & {"m", "b", "B"} and have & {"d", "e"})):
        raise FormError("it does not carry year, month and day", "write a form such as %d-%m-%Y")
    if (have & {"H", "I", "M", "S", "p", "f", "z"}) and not (have & {"H", "I"} and "M" in have):
        raise FormError("a time has hours and minutes", "write a form such as %d-%m-%Y %H:%M")
    if ("I" in have) != ("p" in have):
        raise FormError("%I and %p go together", "write %H for hours from 0 to 23")


def _pattern(tokens: list[tuple[str | None, str]], at: int) -> str:
    name, literal = tokens[at]
    if name is None:
        return re.escape(literal)
    beside = [tokens[near][0] for near in (at - 1, at + 1) if 0 <= near < len(tokens)]
    free = name.startswith("-") or name == "e"
    if free and not any(near and near.lstrip("-") in _NUMBERS for near in beside):
        return _SHORT.get(name.lstrip("-"), _PATTERNS[name.lstrip("-")])
    # 112020 could be 1-12-020 or 11-2-020: without a mark between them numbers are as wide as they go.
    return _PATTERNS[name.lstrip("-")].replace("{1,2}", "{2}")
