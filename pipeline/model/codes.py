"""Hold the one catalogue of reject codes, with what each means and what to do about it (pure).

Extract gives the codes of records that cannot be split, validate those of records that cannot be sent. Reports and docs
read titles, explanations and advice from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Code:
    """What a reject code means to the operator: a `title` for tables, an `explanation`, and the `advice` what to do."""

    title: str
    explanation: str
    advice: str


_MALFORMED = {
    "field_count": Code(
        "Wrong number of fields",
        "The record has more or fewer fields than the header.",
        "Quote the values that hold the delimiter, or mend the export.",
    ),
    "repeated_header": Code(
        "Header repeated",
        "The record repeats the header field by field, as in files that were put one behind the other.",
        "Remove the line.",
    ),
    "stray_quote": Code(
        "Stray quote",
        "A quote stands inside an unquoted field, or closes before the end of its field.",
        "Quote the whole field and double the quotes inside, or name another source.quote.",
    ),
    "unclosed_quote": Code(
        "Unclosed quote",
        "A quote opens and does not close within source.max_record_bytes.",
        "Close the quote, or raise source.max_record_bytes where the text really is that long.",
    ),
    "record_too_long": Code(
        "Record too long",
        "The record is longer than source.max_record_bytes.",
        "Raise source.max_record_bytes where the record really is that long.",
    ),
    "not_decodable": Code(
        "Not in the named encoding",
        "Bytes of the record do not decode in source.encoding.",
        "Name the encoding that the file has, or export it as UTF-8.",
    ),
    "nul": Code(
        "NUL character",
        "The record holds a NUL character, the mark of a damaged or binary file.",
        "Export the file again.",
    ),
    "bare_cr": Code(
        "Bare carriage return",
        "A carriage return without a line feed stands in a file whose lines end otherwise.",
        "Quote the value that holds it, or mend the line ends.",
    ),
    "swallowed_lines": Code(
        "Records inside a quoted text",
        "A quoted text holds two or more lines with as many fields as the header; two stray quotes look like that.",
        "Remove the stray quotes. Where the text is right, export its line ends as something else.",
    ),
    "stray_escape": Code(
        "Escape at the end of the line",
        "An escape (source.escape) stands alone at the end of a line that is not quoted.",
        "Quote the value that holds the line end, or double the escape.",
    ),
    "not_an_object": Code(
        "No object",
        "The element is no JSON object.",
        "Make every element an object of keys and values.",
    ),
    "not_json": Code(
        "No JSON",
        "The line is no valid JSON.",
        "Mend the line; each line holds one whole object.",
    ),
    "duplicate_key": Code(
        "Key twice in one object",
        "The object has the same key twice, so one of the two values would be lost.",
        "Mend the export so that each key stands once.",
    ),
    "lone_surrogate": Code(
        "Half a character",
        "A text holds one half of a surrogate pair, which is no character.",
        "Mend the export; texts that were cut in the middle of an emoji look like this.",
    ),
    "too_deep": Code(
        "Nested too deeply",
        "The object is nested more than a hundred levels deep.",
        "Flatten the object.",
    ),
    "unreadable_before": Code(
        "Could not be split before",
        "The row comes from a rejects file and still holds only its raw text.",
        "Fill its columns from _raw and empty _raw.",
    ),
}

_KEYS = {
    "key_blank": Code(
        "Blank key",
        "A key column is empty; the row would match every record with an empty key.",
        "Fill the key, or leave the row out.",
    ),
    "key_outer_blank": Code(
        "Key with outer blanks",
        "A key begins or ends with a blank, and may be taken for another record or for a new one.",
        "Remove the blanks, or set trim: true for the column.",
    ),
    "key_control": Code(
        "Key with a control character",
        "A key holds a line break, a control character, or an invisible format character such as U+FEFF.",
        "Remove the character.",
    ),
    "overtaken": Code(
        "Overtaken by a newer row",
        "The row was set aside before, and a later row of the same key was sent since; sending it would bring old values back.",
        "Leave it out, or empty _followed_by where the row is to be sent all the same.",
    ),
    "nothing_to_send": Code(
        "Nothing to send",
        "Every column of the row is empty, so there is nothing to send.",
        "Fill a column, or leave the row out.",
    ),
    "nothing_to_delete": Code(
        "Nothing to delete",
        "The row carries no collection, so it names no subprofile to delete.",
        "Fill the key of the subprofile, or leave the row out.",
    ),
}

_VALUES = {
    "column_absent": Code(
        "Column absent",
        "The column or key is missing, and with ignore_empty_fields: false that would wipe the field.",
        "Add the key (null empties the field), set source.missing_keys: empty, or ignore_empty_fields: true.",
    ),
    "blank_value": Code(
        "Empty value",
        "The value is empty and the schema does not allow that.",
        "Fill the value, or make the column nullable in the schema.",
    ),
    "not_an_integer": Code(
        "No integer",
        "The value is no whole number of digits with an optional sign.",
        "Mend the value, or make the column a decimal or a text in the schema.",
    ),
    "not_a_decimal": Code(
        "No decimal number",
        "The value is no plain decimal number in the notation that the job names.",
        "Mend the value, or set decimal and thousands for the column; exponents must be allowed by the schema.",
    ),
    "out_of_range": Code(
        "Number out of range",
        "The number does not fit the type that the schema gives the column.",
        "Mend the value, or give the column a wider type or make it a text.",
    ),
    "not_a_date": Code(
        "No date",
        "The value is no existing date from year 1000 to 9999 in a form that the job names; ISO is YYYY-MM-DD.",
        "Mend the value, or name its form in dates, such as '%d-%m-%Y'.",
    ),
    "not_a_datetime": Code(
        "No date and time",
        "The value is no existing date and time in a form that the job names; ISO is YYYY-MM-DD hh:mm[:ss].",
        "Mend the value, name its form in dates, or set fractions: cut where parts of a second may go.",
    ),
    "not_yes_no": Code(
        "Neither yes nor no",
        "The value is none of the texts for yes and no.",
        "Mend the value, or list the texts in true_values and false_values.",
    ),
    "not_in_choices": Code(
        "Not one of the choices",
        "The value is none of the texts that the schema or the live field allows; case counts.",
        "Mend the value, or add the choice to the schema and to the field.",
    ),
    "too_long": Code(
        "Too long",
        "The value has more characters than the schema or the live field allows.",
        "Shorten the value, or make the field longer.",
    ),
    "check_failed": Code(
        "Check failed",
        "The value does not pass a check of the schema.",
        "Mend the value, or the check.",
    ),
    "row_too_big": Code(
        "Row too big",
        "The row as JSON is bigger than load.max_row_bytes.",
        "Shorten its longest value, or raise load.max_row_bytes.",
    ),
}

# Every reject code, by name: records that could not be split, then keys, then values.
CODES: Mapping[str, Code] = MappingProxyType({**_MALFORMED, **_KEYS, **_VALUES})

# Why a row stands in failed.csv, unknown.csv or open.csv.
FAILED_CODES: Mapping[str, Code] = MappingProxyType(
    {
        "refused_by_api": Code(
            "Refused by Copernica",
            "Copernica answered no; the message has its words.",
            "Mend what the message names, and run the row again.",
        ),
        "several_matches": Code(
            "Several matches",
            "Several records have the key of the row; the message has their ids.",
            "Remove the doubles in Copernica, or set on_several_matches: all.",
        ),
        "not_sendable": Code(
            "Cannot be sent safely",
            "Copernica would read the row as something else.",
            "Mend the value that the message names.",
        ),
        "answer_lost": Code(
            "Answer lost",
            "The row was sent, the answer was lost, and whether it arrived is not known.",
            "See in Copernica whether it is there; a row of an add that is not can be run again.",
        ),
        "changed_since": Code(
            "Changed by somebody else",
            "The row may not have arrived, and somebody else has changed its record since.",
            "Compare the row with the record, and run it again where it is the one that counts.",
        ),
        "overtaken": Code(
            "Overtaken by another run",
            "Another run has sent the key of the row since, in columns that the row would write.",
            "Run the row again only where it is newer than what is there.",
        ),
        "not_sent": Code(
            "Not sent",
            "The run was closed before the row was sent, or before its import was final.",
            "Run the row again where no newer one was sent since.",
        ),
    }
)
