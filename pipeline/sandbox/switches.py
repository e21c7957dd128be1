"""Choose between behaviours that the sources leave open; the default is always the worst case (pure; API sheet 20)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.errors import JobError, Problem, shown

# name -> the values it takes, the default first. docs/sandbox.md explains each; a test compares the two.
CHOICES: dict[str, tuple[str | bool | int, ...]] = {
    "unknown_selector_fields": ("ignore", "error"),
    "unreadable_body": ("ignore", "error"),
    "other_content_types": ("ignore", "json", "error"),
    "create_race": ("double", "safe"),
    "interests_put": ("replace", "add"),
    "unknown_interests": ("ignore", "create", "error"),
    "long_text": ("truncate", "fail"),
    "collation": ("case", "accents"),
    "imports": ("accept", "refuse"),
    "several_matches": ("all", "first"),
    "unknown_columns": ("ignore", "fail"),
    "blank_keys": ("match", "skip", "fail"),
    "key_fields_text": ("ignore", "key"),
    "csv_without_delimiter": ("comma", "fail"),
    "csv_doubled_quotes": ("cut", "quote"),
    "csv_short_rows": ("blank", "fail"),
    "row_order": ("refuse", "positional"),
    "update_subprofiles": ("skip", "create"),
    "ignore_or_add_subprofiles": ("drop", "add"),
    "empty_subprofiles": ("create", "skip"),
    "dotted_without_key": ("add", "overwrite"),
    "missing_keys": ("all", "nothing"),
    "remove_missing": ("everything", "profiles", "subprofiles"),
    "lookup_strangers": (False, True),
    "subprofile_put_created_id": ("absent", "present"),
    "collection_put_body": ("flat", "wrapped"),
    "v1_subprofiles": ("array", "wrapper"),
    "limit_echo": ("requested", "capped"),
    "profileids": ("paged", "all"),
    "bad_jwt_status": (400, 401, 403),
    "delete_unknown": (400, 204),
    "fields_without_default": ("accept", "refuse"),
    "date_header": ("virtual", "real", "absent"),
}
# Fields whose selectors the API acts as if it did not know: a list of names.
LOOKUPS_DROP = "lookups_drop"


class Switches:
    """The value of each switch."""

    def __init__(self) -> None:
        self._chosen: dict[str, str | bool | int] = {}
        self.dropped: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str | bool | int:
        """Return what is chosen for `name`."""
        return self._chosen.get(name, CHOICES[name][0])

    def choose(self, wanted: Mapping[str, object]) -> None:
        """Set the switches that are named. Raises JobError, and sets none, where one of them is wrong."""
        if found := problems(wanted):
            raise JobError(*found)
        for name, value in wanted.items():
            if name == LOOKUPS_DROP:
                self.dropped = tuple(str(one).lower() for one in value)  # type: ignore[attr-defined]
            else:
                self._chosen[name] = value  # type: ignore[assignment]

    def reset(self) -> None:
        """Go back to the worst case."""
        self._chosen, self.dropped = {}, ()

    def as_json(self) -> dict[str, object]:
        """List all switches with what is chosen."""
        return {**{name: self[name] for name in CHOICES}, LOOKUPS_DROP: list(self.dropped)}


def problems(wanted: object, where: str = "switches") -> list[Problem]:
    """Return the problems with a choice of switches."""
    if not isinstance(wanted, Mapping):
        return [Problem(f"switches are a mapping of names, not {shown(wanted)}", where)]
    found = []
    for name, value in wanted.items():
        if name == LOOKUPS_DROP:
            if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
                found.append(Problem(f"{name} takes a list of field names, not {shown(value)}", where))
        elif name not in CHOICES:
            found.append(Problem(f"there is no switch {shown(name)}", where, f"one of {', '.join(sorted(CHOICES))}"))
        elif not any(value == one and type(value) is type(one) for one in CHOICES[name]):
            allowed = ", ".join(str(one).lower() if isinstance(one, bool) else str(one) for one in CHOICES[name])
            found.append(Problem(f"switch {name} cannot be {shown(value)}", where, f"one of {allowed}"))
    return found
