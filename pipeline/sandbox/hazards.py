"""Name every hazard: what the API forgives silently and a careful client never does (pure)."""

from __future__ import annotations

from pipeline.errors import shown

# code -> what happened. docs/sandbox.md lists them; a test compares the two.
HAZARDS: dict[str, str] = {
    "body_unreadable": "a body that is no JSON object or form was taken as empty",
    "body_content_type": "a body that is neither JSON nor a form was ignored, or read as JSON",
    "body_ignored": "a GET request had a body; it was ignored",
    "body_doubled_key": "one JSON object had the same key twice; the last one won",
    "body_lone_surrogate": "half of a pair of UTF-16, which is no character, was stored as a question mark",
    "unknown_body_key": "a top-level key of the body that the call does not know was ignored",
    "unknown_body_field": "a field name of the body that the database or collection does not have was ignored",
    "duplicate_body_field": "one field was named twice in different spelling; the last one won",
    "flat_body": "fields stood flat in a body that wraps them; they were ignored",
    "wrapped_subprofile_body": "subprofile fields were wrapped in a body that is flat; they were ignored",
    "value_not_canonical": "a number or date in another notation was bent into one",
    "value_null": "null was stored as the zero of the type",
    "value_not_scalar": "a boolean, list or object was stored as something else",
    "empty_becomes_zero": "an empty text was stored as 0 or a zero date",
    "text_too_long": "a text longer than its field was cut",
    "select_not_a_member": "a value that is not a choice of its select was stored as empty",
    "selector_unknown_field": "a selector on an unknown field was dropped",
    "selector_blank_before_operator": "a blank before the operator made the field unknown",
    "selector_unparseable": "a selector that cannot be read was dropped",
    "selector_empty_value": "a selector with an empty value matches all blank records",
    "selector_not_a_member": "a selector compares a select with a text that is none of its choices",
    "selector_value_bent": "the value of a selector was bent into the type of its field",
    "selector_scalar": "fields= without brackets was dropped",
    "update_of_all": "an update without a valid selector hit every record",
    "several_matches": "one update or row hit several profiles or subprofiles",
    "updated_removed": "a removed entity was updated; nothing can be seen of it",
    "subprofile_under_removed": "a subprofile was created under a removed profile",
    "unknown_interest": "an interest that the database does not have was ignored",
    "interest_switched_off": "an interest that was not mentioned was switched off",
    "interest_cell": "an import cell of an interest is neither yes nor no",
    "secret_bent": "a secret that is no ASCII text was changed",
    "version_missing": "a request without a version was answered as version 1, which is a guess",
    "token_in_query": "a v4 request carried a token in its URL",
    "create_without_key": "create=1 with a body that its own selectors do not find: each repetition creates another",
    "create_race": "two creates at the same time both found nothing and created two records",
    "unknown_parameter": "a parameter that the call does not know was ignored; names are case-sensitive",
    "parameter_doubled": "a parameter was named twice; the last one won",
    "parameter_not_canonical": "a setting in another notation was read as a boolean, number, day or order",
    "orderby_unknown": "orderby names no field of the owner; the order is by id",
    "path_ignored": "elements at the end of the path were ignored",
    "async_call": "async=1 answers before the work and hides its errors",
    "boolean_as_text": "a boolean parameter of an import was a text or number",
    "paging_out_of_range": "start or limit is no usable number; the page is empty",
    "limit_capped": "a limit above the most of one page was lowered",
    "field_without_default": "an integer or float field was created without a default",
    "delete_did_nothing": "the delete behaviour kept what was to be removed",
    "delete_foreign_profile": "a profile of another database was removed",
    "delete_no_list": "a bulk delete without a list of profile ids removed nothing",
    "delete_unknown_profile": "an id of a bulk delete is no profile",
    "import_row_order": "rows do not have the same keys in the same order",
    "import_row_not_an_object": "a row is no object",
    "import_unknown_column": "a column that is no field, collection field or interest",
    "import_unknown_key": "a key field that the database does not have was ignored",
    "import_unknown_parameter": "a parameter that POST imports does not know was ignored",
    "import_missing_action": "no action was given; every row creates",
    "import_keys_no_list": "keyFields was no list of names",
    "import_missing_keys": "an action that matches was given no usable profile key",
    "import_key_column_missing": "a key field is no column of the rows; it counts as blank",
    "import_blank_key": "a blank key matches every record with a blank key",
    "import_delete_without_target": "delete without deleteTarget removes profiles",
    "import_delete_without_subprofile_key": "deleteTarget subprofile without a collection key removes all of them",
    "import_dotted_without_profile_key": "collection columns without a profile key: nobody knows whose they are",
    "import_dotted_without_key": "collection columns without a collection key add again with every run",
    "import_empty_subprofile": "a row without any collection value made an empty subprofile",
    "import_subprofile_dropped": "ignore or add left out the subprofile of an existing profile",
    "import_remove_missing": "removeMissing removes what is not in this import",
    "import_source_unclear": "both or neither of source and location, or an empty source",
    "import_csv_delimiter": "CSV without a delimiter, or with another than tab, comma and semicolon",
    "import_csv_quote": "text beside the quotes of a CSV value was lost",
    "import_csv_short_row": "a CSV row had fewer values than the header; the others are blank",
    "import_csv_doubled_column": "a CSV header had the same column twice; the last one won",
    "import_parked": "autostart false: no call can ever start it",
}


class Notes:
    """Collect the hazards of one request, one entry per code with its first detail and how often it came."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, object]] = {}

    @classmethod
    def of(cls, found: list[dict[str, object]]) -> Notes:
        """Make notes of what `as_list` listed."""
        notes = cls()
        notes._found = {str(one["code"]): dict(one) for one in found}
        return notes

    def note(self, code: str, detail: str = "", value: object = None, times: int = 1) -> None:
        """Note the hazard `code`; `detail` is where, `value` is quoted shortened."""
        found = self._found.get(code)
        if found is None:
            if value is not None:
                detail = f"{detail}: {shown(value)}"
            self._found[code] = {"code": code, "what": HAZARDS[code], "detail": detail, "times": times}
        else:
            found["times"] = int(str(found["times"])) + times

    def __contains__(self, code: str) -> bool:
        """Return whether the hazard was noted."""
        return code in self._found

    def as_list(self) -> list[dict[str, object]]:
        """List what was noted, in the order of the first time."""
        return [dict(found) for found in self._found.copy().values()]
