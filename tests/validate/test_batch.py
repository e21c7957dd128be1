"""Batches: what is carried, what is empty, what is sent, and what a reject says."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import JobError
from pipeline.model.columns import LiveField
from pipeline.model.rows import FAULTS_SCHEMA, STAGED
from pipeline.validate.checks import SchemaChecks
from pipeline.validate.link import Link
from pipeline.validate.schema import load_schema
from tests.validate.making import batch, job, spec, validator

KEY = spec("CustomerID", nullable=False)
ORDERS = [KEY, spec("City"), spec("Order.OrderID"), spec("Order.Total", "decimal"), spec("Visit.VisitID")]
ORDER_KEYS = {"key_fields": ["CustomerID", "Order.OrderID", "Visit.VisitID"]}


def check(specs, columns, of=None, *, live=None, checks=None, absent=None):
    return validator(specs, of, live, checks).check(batch(columns, absent))


def reject(checked, row=0):
    """Codes, columns and messages of one rejected row."""
    found = checked.faults.filter(pl.col("_row") == row)
    return found.select("_code", "_column", "_message").row(0)


def codes(checked):
    return dict(checked.faults.select("_row", "_code").iter_rows())


class Checks:
    """Stand-in for the schema's checks: refuses every value of a column in `bad`; remembers what it was given."""

    def __init__(self, **bad):
        self.bad = bad
        self.seen = []

    def faults(self, typed, groups):
        self.seen.append((typed, groups))
        rows = [
            (row, column, "check_failed", f"{value!r} fails")
            for column, refused in self.bad.items()
            for row, value in enumerate(typed[column])
            if value is not None and value in refused
        ]
        schema = {"_row": pl.UInt32, "column": pl.String, "code": pl.String, "message": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")


def test_accepted_rows_are_staged_in_the_one_column_order():
    """Target columns as text in schema order, then STAGED; the dump's order does not matter."""
    of = job(columns={"age": "Age", "no": "CustomerID"}, constants={"Shop": "web"})
    specs = [KEY, spec("Age", "integer"), spec("Shop")]
    accepted = check(specs, {"age": ["07", ""], "note": ["x", "y"], "no": ["a", "b"]}, of).accepted
    assert accepted.schema == {"CustomerID": pl.String, "Age": pl.String, "Shop": pl.String, **STAGED}
    assert accepted.drop("_key", "_full").rows() == [
        ("a", "7", "web", 3, 2, 1, None, 0),
        ("b", None, "web", 3, 3, 2, None, 0),
    ]


def test_a_batch_without_rows_is_empty_in_both():
    """Schemas stay what they are."""
    checked = check([KEY], {"CustomerID": []})
    assert checked.accepted.schema == {"CustomerID": pl.String, **STAGED}
    assert checked.faults.schema == FAULTS_SCHEMA
    assert (checked.accepted.height, checked.faults.height) == (0, 0)


def test_a_batch_of_rejects_alone_has_no_accepted_rows():
    """Schemas stay what they are."""
    checked = check([KEY, spec("Age", "integer")], {"CustomerID": ["", "b"], "Age": ["x", "y"]})
    assert checked.accepted.schema == {"CustomerID": pl.String, "Age": pl.String, **STAGED}
    assert checked.accepted.height == 0
    assert checked.faults.schema == FAULTS_SCHEMA
    assert codes(checked) == {0: "key_blank | not_an_integer", 1: "not_an_integer"}


class TestEmpty:
    """Data rules 9 and 11."""

    def test_null_values_are_whole_cells_in_their_case_also_in_keys(self):
        """`NULL` is null, `null` and ` NULL` are texts."""
        of = job(source={"null_values": ["NULL", "-"]})
        checked = check(
            [KEY, spec("City")],
            {"CustomerID": ["a", "b", "c", "d", "NULL"], "City": ["NULL", "null", " NULL", "-", "x"]},
            of,
        )
        assert checked.accepted["City"].to_list() == [None, "null", " NULL", None]
        assert codes(checked) == {4: "key_blank"}

    def test_null_values_of_a_column_replace_those_of_the_source(self):
        """A column's own words hold for it alone."""
        of = job(source={"null_values": ["NULL"]}, columns={"City": {"to": "City", "null_values": ["?"]}})
        accepted = check(
            [KEY, spec("City"), spec("Name")], {"CustomerID": ["a"], "City": ["NULL"], "Name": ["NULL"]}, of
        ).accepted
        assert accepted.select("City", "Name").row(0) == ("NULL", None)

    def test_outer_blanks_stay_unless_the_job_trims_them(self):
        """Trimming comes before the test for empty cells; it takes Unicode blanks."""
        columns = {"CustomerID": ["a"], "City": [" \u00a0x\t"], "Name": ["  "]}
        specs = [KEY, spec("City"), spec("Name")]
        assert check(specs, columns).accepted.select("City", "Name").row(0) == (" \u00a0x\t", "  ")
        assert check(specs, columns, job(source={"trim": True})).accepted.select("City", "Name").row(0) == ("x", None)
        of = job(source={"trim": True}, columns={"City": {"to": "City", "trim": False}})
        assert check(specs, columns, of).accepted.select("City", "Name").row(0) == (" \u00a0x\t", None)

    def test_trimming_mends_a_key(self):
        """With trim a key has no outer blanks, and one of blanks alone is blank."""
        of = job(columns={"CustomerID": {"to": "CustomerID", "trim": True}})
        checked = check([KEY], {"CustomerID": [" a ", "  "]}, of)
        assert checked.accepted["CustomerID"].to_list() == ["a"]
        assert codes(checked) == {1: "key_blank"}

    def test_json_null_is_empty(self):
        """JSON frames hold nulls."""
        accepted = check([KEY, spec("City")], {"CustomerID": ["a", "b"], "City": [None, ""]}).accepted
        assert accepted["City"].to_list() == [None, None]

    def test_an_empty_value_that_the_schema_does_not_allow_is_a_fault(self):
        """Nullable is a matter of the schema."""
        columns = {"CustomerID": ["a", "b"], "town": ["", "x"]}
        checked = check([KEY, spec("City", nullable=False)], columns, job(columns={"town": "City"}))
        assert reject(checked) == ("blank_value", "town", "the value is empty, and the schema does not allow that")
        assert checked.accepted["CustomerID"].to_list() == ["b"]

    def test_an_empty_value_is_sent_as_the_schema_says(self):
        """It is no fault then, and it does not make a collection carried."""
        specs = [
            KEY,
            spec("Age", "integer", empty="0"),
            spec("Order.OrderID"),
            spec("Order.Total", "decimal", nullable=False, empty="0.00"),
        ]
        columns = {"CustomerID": ["a", "b"], "Age": ["", "5"], "Order.OrderID": ["O1", ""], "Order.Total": ["", ""]}
        accepted = check(specs, columns, job(target={"key_fields": ["CustomerID", "Order.OrderID"]})).accepted
        assert accepted.select("Age", "Order.OrderID", "Order.Total", "_set").rows() == [
            ("0", "O1", "0.00", 1),
            ("5", None, None, 0),
        ]


class TestAbsent:
    """Data rule 9: missing keys."""

    COLUMNS: ClassVar = {
        "CustomerID": ["a", "b"],
        "City": [None, None],
        "Order.OrderID": [None, "O1"],
        "Order.Total": [None, None],
    }
    ABSENT: ClassVar = {
        "CustomerID": [False, False],
        "City": [True, False],
        "Order.OrderID": [True, False],
        "Order.Total": [True, True],
    }
    SPECS: ClassVar = ORDERS[:4]

    def of(self, **source):
        target = {"ignore_empty_fields": False, "key_fields": ["CustomerID", "Order.OrderID"]}
        return job(target=target, source=source)

    def test_a_missing_key_is_a_fault_where_it_would_empty_the_field(self):
        """In the columns that the row carries: profile columns always, those of a collection where it is carried."""
        checked = check(self.SPECS, self.COLUMNS, self.of(), absent=self.ABSENT)
        assert codes(checked) == {0: "column_absent", 1: "column_absent"}
        assert checked.faults["_column"].to_list() == ["City", "Order.Total"]

    def test_an_explicit_null_is_none(self):
        """The job asks for it with null."""
        absent = {name: [False, False] for name in self.COLUMNS}
        assert check(self.SPECS, self.COLUMNS, self.of(), absent=absent).accepted.height == 2

    def test_missing_keys_are_empty_where_the_job_says_so(self):
        """`missing_keys: empty`, or ignore_empty_fields true."""
        assert check(self.SPECS, self.COLUMNS, self.of(missing_keys="empty"), absent=self.ABSENT).accepted.height == 2
        ignoring = job(target={"key_fields": ["CustomerID", "Order.OrderID"]})
        assert check(self.SPECS, self.COLUMNS, ignoring, absent=self.ABSENT).accepted.height == 2

    def test_a_column_that_a_file_does_not_have_is_as_a_missing_key(self):
        """An optional column would be emptied by every row of such a file."""
        specs = [KEY, spec("City", required=False)]
        assert check(specs, {"CustomerID": ["a"]}).accepted["City"].to_list() == [None]
        checked = check(specs, {"CustomerID": ["a"]}, job(target={"ignore_empty_fields": False}))
        assert reject(checked)[:2] == ("column_absent", "City")

    def test_an_absent_key_field_is_a_blank_key(self):
        """A key fault comes first in its column."""
        absent = {"CustomerID": [True, False], "City": [False, False]}
        of = job(target={"ignore_empty_fields": False})
        checked = check(ORDERS[:2], {"CustomerID": [None, "b"], "City": ["x", "y"]}, of, absent=absent)
        assert reject(checked) == ("key_blank", "CustomerID", "the key is empty")


class TestCarried:
    """Data rules 16 to 18."""

    def test_a_row_carries_the_collections_that_have_a_value_from_the_dump(self):
        """One bit per collection."""
        columns = {
            "CustomerID": list("abcd"),
            "City": [""] * 4,
            "Order.OrderID": ["O1", "", "O2", ""],
            "Order.Total": ["1", "", "", ""],
            "Visit.VisitID": ["", "V1", "V2", ""],
        }
        checked = check(ORDERS, columns, job(target=ORDER_KEYS))
        assert checked.accepted["_set"].to_list() == [1, 2, 3, 0]

    def test_a_carried_collection_with_a_blank_key_is_a_reject(self):
        """Also where another collection of the row is right."""
        columns = {
            "CustomerID": ["a", "b"],
            "City": ["", ""],
            "Order.OrderID": ["", ""],
            "Order.Total": ["1", ""],
            "Visit.VisitID": ["V", "V"],
        }
        checked = check(ORDERS, columns, job(target=ORDER_KEYS))
        assert reject(checked) == ("key_blank", "Order.OrderID", "the key is empty")
        assert checked.accepted["CustomerID"].to_list() == ["b"]

    def test_constants_carry_nothing_and_are_sent_where_the_collection_is(self):
        """A constant in every row would make empty subprofiles."""
        of = job(target=ORDER_KEYS, constants={"Order.Total": "1.50"})
        columns = {"CustomerID": ["a", "b"], "City": ["", ""], "Order.OrderID": ["O1", ""], "Visit.VisitID": ["", ""]}
        accepted = check(ORDERS, columns, of).accepted
        assert accepted.select("Order.Total", "_set").rows() == [("1.50", 1), (None, 0)]

    def test_columns_of_a_collection_that_is_not_carried_are_not_checked(self):
        """A column that must not be empty may be in rows without the collection."""
        specs = [KEY, spec("Order.OrderID"), spec("Order.Total", "decimal", nullable=False)]
        columns = {"CustomerID": ["a", "b"], "Order.OrderID": ["", "O1"], "Order.Total": ["", ""]}
        checked = check(specs, columns, job(target={"key_fields": ["CustomerID", "Order.OrderID"]}))
        assert codes(checked) == {1: "blank_value"}

    def test_known_interests_have_bits_of_their_own(self):
        """Rows with a null interest travel without its column; a constant is always known."""
        specs = [KEY, spec("interest.news", "yesno"), spec("Order.OrderID"), spec("interest.shop", "yesno")]
        of = job(target={"key_fields": ["CustomerID", "Order.OrderID"]}, constants={"interest.shop": "1"})
        columns = {"CustomerID": ["a", "b"], "interest.news": ["n", ""], "Order.OrderID": ["", "O1"]}
        made = validator(specs, of)
        accepted = made.check(batch(columns)).accepted
        assert accepted.select("interest.news", "interest.shop", "_set").rows() == [("No", "Yes", 6), (None, "Yes", 5)]

    def test_without_a_profile_key_none_is_judged_and_none_hashed(self):
        """`add` without dotted columns may have no key."""
        of = job(target={"action": "add", "key_fields": []})
        accepted = check([spec("City"), spec("Name")], {"City": ["", "x"], "Name": ["a", ""]}, of).accepted
        assert accepted.select("City", "_key", "_full").rows() == [(None, 0, 0), ("x", 0, 0)]

    @pytest.mark.parametrize("ignore_empty", [True, False])
    @pytest.mark.parametrize("name", ["City", "interest.news"])
    def test_a_row_with_nothing_to_send_is_a_reject(self, name, ignore_empty):
        """Where no key must be filled: a field or an interest alone, whatever becomes of empty cells."""
        of = job(target={"action": "add", "key_fields": [], "ignore_empty_fields": ignore_empty})
        specs = [spec(name, "yesno" if "." in name else "text"), spec("Name")]
        checked = check(specs, {name: ["", "y", ""], "Name": ["", "", "a"]}, of)
        assert codes(checked) == {0: "nothing_to_send"}
        assert checked.accepted.height == 2

    def test_a_row_that_is_wrong_anyway_has_its_own_code_alone(self):
        """It is not empty: a cell has a value, which cannot be sent."""
        of = job(target={"action": "add", "key_fields": []})
        assert codes(check([spec("Age", "integer"), spec("City")], {"Age": ["x"], "City": [""]}, of)) == {
            0: "not_an_integer"
        }

    def test_a_row_without_a_collection_deletes_nothing(self):
        """Data rule 34: no request deletes subprofiles without a dotted key."""
        target = {"action": "delete", "delete_target": "subprofile", "key_fields": ["CustomerID", "Order.OrderID"]}
        checked = check(
            ORDERS[:4],
            {"CustomerID": ["a", "b"], "City": ["", ""], "Order.OrderID": ["O1", ""], "Order.Total": ["", ""]},
            job(target=target),
        )
        assert codes(checked) == {1: "nothing_to_delete"}
        assert checked.accepted["_set"].to_list() == [1]


class TestHashes:
    """`_key` and `_full` (data rules 3 and 15)."""

    def test_keys_that_may_be_the_same_share_their_hash(self):
        """`_full` tells them apart: it is of the text as it is sent."""
        accepted = check([KEY], {"CustomerID": ["É1", "e1", "E1", "e2", "É1"]}).accepted
        key, full = accepted["_key"].to_list(), accepted["_full"].to_list()
        assert key[0] == key[1] == key[2] == key[4] != key[3]
        assert full[0] == full[4]
        assert len(set(full)) == 4

    def test_integer_keys_are_compared_by_value(self):
        """Canonical digits are one text per value."""
        accepted = check([spec("CustomerID", "integer")], {"CustomerID": ["7", "007", "7.0", "8"]}).accepted
        assert accepted["_key"].n_unique() == accepted["_full"].n_unique() == 2

    def test_the_full_key_knows_which_collections_are_carried(self):
        """A profile row, and rows with an order and a visit of the same number, are three."""
        columns = {
            "CustomerID": ["a"] * 4,
            "City": list("wxyz"),
            "Order.OrderID": ["", "1", "", "1"],
            "Order.Total": [""] * 4,
            "Visit.VisitID": ["", "", "1", "1"],
        }
        accepted = check(ORDERS, columns, job(target=ORDER_KEYS)).accepted
        assert accepted["_full"].n_unique() == 4
        assert accepted["_key"].n_unique() == 1

    def test_collections_without_a_key_are_told_apart_too(self):
        """`add` needs no dotted key."""
        of = job(target={"action": "add"})
        columns = {"CustomerID": ["a", "a", "a"], "Order.Total": ["", "1", "2"]}
        accepted = check([KEY, spec("Order.Total", "decimal")], columns, of).accepted
        full = accepted["_full"].to_list()
        assert full[0] != full[1] == full[2]

    def test_several_profile_keys_count_together(self):
        """All of them are the key."""
        of = job(target={"key_fields": ["CustomerID", "Shop"]})
        accepted = check([KEY, spec("Shop")], {"CustomerID": ["a", "A", "a"], "Shop": ["x", "X", "y"]}, of).accepted
        key = accepted["_key"].to_list()
        assert key[0] == key[1] != key[2]


class TestLengths:
    """Data rule 12."""

    def test_length_counts_characters(self):
        """Not bytes."""
        columns = {"CustomerID": ["a", "b", "c"], "City": ["éééé", "🙂🙂🙂🙂", "12345"]}
        checked = check([KEY, spec("City", max_length=4)], columns)
        assert codes(checked) == {2: "too_long"}
        assert reject(checked, 2)[2] == "'12345' has 5 characters, at most 4 are allowed"

    def test_the_live_length_binds_whatever_the_schema_says(self):
        """Such rejects are counted by target; `big` has no length."""
        live = {"CustomerID": LiveField("text", 20), "City": LiveField("text", 4), "Note": LiveField("big", 4)}
        columns = {"CustomerID": ["a", "b"], "City": ["12345", "1234"], "Note": ["12345", "1"]}
        checked = check([KEY, spec("City"), spec("Note")], columns, live=live)
        assert checked.faults.rows() == [
            (0, "too_long", "City", "'12345' has 5 characters, at most 4 are allowed", True)
        ]

    def test_the_live_choices_bind_in_their_case(self):
        """Copernica would drop another text silently; empty is none."""
        live = {"City": LiveField("select", None, ("Delft", "Gouda"))}
        columns = {"CustomerID": ["a", "b", "c"], "City": ["Delft", "delft", ""]}
        checked = check([KEY, spec("City")], columns, live=live)
        assert checked.faults.rows() == [(1, "not_in_choices", "City", "'delft' is no choice of the live field", True)]

    def test_a_row_with_a_fault_of_its_own_is_not_by_target(self):
        """Only rows that the live field alone refuses are."""
        live = {"City": LiveField("email", 4), "Name": LiveField("phone_gsm", 2)}
        columns = {
            "CustomerID": ["a", "b", "c"],
            "City": ["123456", "12345", "1"],
            "Name": ["123", "1", "1"],
            "Age": ["1", "x", "x"],
        }
        specs = [KEY, spec("City", max_length=5), spec("Name"), spec("Age", "integer")]
        checked = check(specs, columns, live=live)
        assert checked.faults.select("_code", "_column", "_by_target").rows() == [
            ("too_long | too_long", "City | Name", False),
            ("too_long | not_an_integer", "City | Age", False),
            ("not_an_integer", "Age", False),
        ]

    def test_a_row_that_several_live_fields_refuse_is_by_target(self):
        """And counted once."""
        live = {"City": LiveField("text", 1), "Name": LiveField("text", 1)}
        checked = check(
            [KEY, spec("City"), spec("Name")], {"CustomerID": ["a"], "City": ["12"], "Name": ["12"]}, live=live
        )
        assert checked.faults.select("_code", "_by_target").rows() == [("too_long | too_long", True)]

    def test_a_row_that_is_too_big_is_a_reject(self):
        """Data rule 22: the JSON text of what is sent, at the very byte, names its longest column."""
        specs = [KEY, spec("City"), spec("Order.OrderID")]
        columns = {"CustomerID": ["a"] * 3, "City": ["x" * 60, "x" * 61, '"' * 31], "Order.OrderID": [""] * 3}
        size = len('{"CustomerID":"a","City":""}') + 60
        of = job(load={"max_row_bytes": size}, target={"key_fields": ["CustomerID", "Order.OrderID"]})
        checked = check(specs, columns, of)
        assert checked.accepted["City"].to_list() == ["x" * 60]
        assert checked.faults.select("_row", "_code", "_column").rows() == [
            (1, "row_too_big", "City"),
            (2, "row_too_big", "City"),
        ]
        assert reject(checked, 1)[2] == f"the row takes {size + 1} bytes as JSON, at most {size} are allowed"

    def test_a_row_with_another_fault_is_not_measured(self):
        """One reason is enough."""
        checked = check([KEY, spec("City")], {"CustomerID": [""], "City": ["x" * 100]}, job(load={"max_row_bytes": 50}))
        assert codes(checked) == {0: "key_blank"}


class TestRejects:
    """What a reject says (design of the rejects file)."""

    def test_key_faults_come_first_then_the_order_of_the_schema(self):
        """One fault per column, in the same order in all three columns, under the names of the dump."""
        specs = [
            spec("Age", "integer"),
            KEY,
            spec("City", nullable=False),
            spec("Order.OrderID"),
            spec("Order.Total", "decimal"),
        ]
        of = job(columns={"town": "City", "sum": "Order.Total"}, target={"key_fields": ["CustomerID", "Order.OrderID"]})
        columns = {"town": [""], "CustomerID": [" a"], "sum": ["x"], "Age": ["y"], "Order.OrderID": [""]}
        checked = check(specs, columns, of)
        assert reject(checked) == (
            "key_outer_blank | key_blank | not_an_integer | blank_value | not_a_decimal",
            "CustomerID | Order.OrderID | Age | town | sum",
            "' a' has outer blanks | the key is empty | 'y' is no integer, digits with an optional sign"
            " | the value is empty, and the schema does not allow that | 'x' is no decimal number such as 1234.50",
        )

    def test_a_column_has_one_fault_the_first(self):
        """A key that does not parse either is a key fault alone."""
        checked = check([spec("CustomerID", "integer", max_length=1)], {"CustomerID": [" 12"]})
        assert reject(checked)[:2] == ("key_outer_blank", "CustomerID")

    def test_a_value_that_does_not_parse_is_not_taken_for_an_empty_one(self):
        """In one row as in many, and the batch is left as it came."""
        specs = [
            KEY,
            spec("Age", "integer", nullable=False),
            spec("Colour", "choice", nullable=False, choices=("red",)),
        ]
        for height in (1, 3):
            came = batch({"CustomerID": ["a"] * height, "Age": ["x"] * height, "Colour": ["blue"] * height})
            before = came.frame.clone()
            checked = validator(specs).check(came)
            assert codes(checked) == dict.fromkeys(range(height), "not_an_integer | not_in_choices")
            assert came.frame.equals(before)

    def test_a_value_that_holds_the_separator_does_not_disturb_the_columns(self):
        """Three columns with as many parts."""
        specs = [KEY, spec("Age", "integer"), spec("Size", "integer")]
        found = reject(check(specs, {"CustomerID": ["a"], "Age": ["1 | 2"], "Size": ["x"]}))
        assert [len(part.split(" | ")) for part in found] == [2, 2, 2]

    def test_values_are_shortened_and_control_characters_escaped(self):
        """No whole record in a message."""
        specs = [KEY, spec("Age", "integer")]
        assert reject(check(specs, {"CustomerID": ["a"], "Age": ["x" * 41]}))[2].startswith(f"'{'x' * 39}…' is")
        assert reject(check(specs, {"CustomerID": ["a"], "Age": ["x\r\n\x1b"]}))[2].startswith(r"'x\r\n\x1b' is")

    def test_faults_stand_in_the_order_of_the_batch(self):
        """Whatever column they are in."""
        specs = [KEY, spec("Age", "integer"), spec("Size", "integer")]
        columns = {"CustomerID": ["a", "b", "", "d"], "Age": ["1", "x", "1", "x"], "Size": ["x", "1", "1", "x"]}
        assert check(specs, columns).faults["_row"].to_list() == [0, 1, 2, 3]


class TestChecks:
    """The schema's checks run over typed values."""

    def test_checks_see_typed_values_and_no_faulty_ones(self):
        """Null where a cell is empty or did not parse; groups say who carries a collection."""
        checks = Checks()
        columns = {
            "CustomerID": ["a", "b", "c"],
            "City": ["x", "", "y"],
            "Order.OrderID": ["1", "", "2"],
            "Order.Total": ["1.5", "", "x"],
            "Visit.VisitID": [""] * 3,
        }
        check(ORDERS, columns, job(target=ORDER_KEYS), checks=checks)
        ((typed, groups),) = checks.seen
        assert typed["Order.Total"].to_list() == [1.5, None, None]
        assert typed["City"].to_list() == ["x", None, "y"]
        assert {name: rows.to_list() for name, rows in groups.items()} == {
            "Order": [True, False, True],
            "Visit": [False] * 3,
        }

    def test_a_failed_check_is_a_fault_under_the_name_of_the_dump(self):
        """It comes behind the faults of the same column that we found ourselves."""
        of = job(columns={"town": "City"})
        columns = {"CustomerID": ["a", "b"], "town": ["bad", "badly long"]}
        checks = Checks(City=["bad", "badly long"])
        checked = check([KEY, spec("City", max_length=5)], columns, of, checks=checks)
        assert reject(checked, 0) == ("check_failed", "town", "'bad' fails")
        assert reject(checked, 1)[:2] == ("too_long", "town")

    def test_a_fault_in_a_profile_column_rejects_all_rows_of_its_object(self):
        """Data rule 20: each row of the object carries the profile columns; a fault of an element is its row's."""
        columns = {
            "CustomerID": ["a"] * 3,
            "City": ["bad"] * 3,
            "Order.OrderID": ["1", "2", None],
            "Order.Total": [None] * 3,
            "Visit.VisitID": [None, None, "1"],
        }
        checked = check(ORDERS, columns, job(target=ORDER_KEYS), checks=Checks(City=["bad"]))
        assert codes(checked) == dict.fromkeys(range(3), "check_failed")
        columns |= {"City": ["ok"] * 3, "Order.Total": [None, "x", None]}
        assert codes(check(ORDERS, columns, job(target=ORDER_KEYS))) == {1: "not_a_decimal"}


SCHEMA = """
import pandera.polars as pa


class Customers(pa.DataFrameModel):
    CustomerID: str
    City: str = pa.Field(isin=["Delft", "Gouda"], nullable=True)
    order_id: str = pa.Field(alias="Order.OrderID", nullable=True)
    total: float = pa.Field(alias="Order.Total", ge=0, nullable=True)
"""


def test_the_checks_of_a_pandera_schema_judge_profile_and_element(tmp_path):
    """Data rule 20, with pandera itself: the profile's fault rejects all rows of the object, the element's its own."""
    (tmp_path / "customers.py").write_text(SCHEMA)
    schema = load_schema("customers.py:Customers", tmp_path)
    of = job(target={"key_fields": ["CustomerID", "Order.OrderID"]}, columns={"town": "City", "sum": "Order.Total"})
    checks = SchemaChecks(schema, Link.compile(of, schema.specs).columns)
    columns = {
        "CustomerID": ["a", "a", "b", "b", "b"],
        "town": ["Ede", "Ede", "Delft", "Delft", "Delft"],
        "Order.OrderID": ["1", "2", "1", "2", None],
        "sum": ["1", "-1", "-1", "1", None],
    }
    checked = check(schema.specs, columns, of, checks=checks)
    assert checked.faults.select("_row", "_code", "_column").rows() == [
        (0, "not_in_choices", "town"),
        (1, "not_in_choices | check_failed", "town | sum"),
        (2, "check_failed", "sum"),
    ]
    assert checked.accepted["_line"].to_list() == [5, 6]


class TestConstants:
    """Constants are checked as data is, once."""

    def refused(self, specs, constants, **more):
        with pytest.raises(JobError) as caught:
            validator([KEY, *specs], job(constants=constants), **more)
        return [(problem.where, problem.what) for problem in caught.value.problems]

    def test_a_constant_is_sent_in_canonical_text(self):
        """In the notation of the source."""
        of = job(
            constants={"Total": "1.234,50", "Day": "31-12-2020"},
            source={"decimal": ",", "thousands": ".", "dates": ["%d-%m-%Y"]},
        )
        specs = [KEY, spec("Total", "decimal"), spec("Day", "date")]
        accepted = check(specs, {"CustomerID": ["a", "b"]}, of).accepted
        assert accepted.select("Total", "Day").rows() == [("1234.50", "2020-12-31")] * 2

    def test_a_constant_at_fault_stops_the_run(self):
        """It would reject every row."""
        specs = [spec("Age", "integer"), spec("City", max_length=3), spec("Name", nullable=False)]
        assert self.refused(specs, {"Age": "x", "City": "abcd", "Name": ""}) == [
            ("constants.Age", "'x' is no integer, digits with an optional sign"),
            ("constants.City", "'abcd' has 4 characters, at most 3 are allowed"),
            ("constants.Name", "the value is empty, and the schema does not allow that"),
        ]

    def test_one_constant_that_does_not_parse_hides_no_other_at_fault(self):
        """All are named in one go, each once."""
        specs = [spec("Age", "integer"), spec("City"), spec("Name")]
        constants = {"Age": "x", "City": "bad", "Name": "fine"}
        assert self.refused(specs, constants, checks=Checks(City=["bad"])) == [
            ("constants.Age", "'x' is no integer, digits with an optional sign"),
            ("constants.City", "'bad' fails"),
        ]

    def test_a_constant_is_compared_with_the_live_field(self):
        """It would be cut or dropped."""
        live = {"City": LiveField("select", None, ("Delft",)), "Name": LiveField("text", 2)}
        assert self.refused([spec("City"), spec("Name")], {"City": "Gouda", "Name": "abc"}, live=live) == [
            ("constants.City", "'Gouda' is no choice of the live field"),
            ("constants.Name", "'abc' has 3 characters, at most 2 are allowed"),
        ]

    def test_a_constant_goes_through_the_checks_of_the_schema(self):
        """With nothing else in the row."""
        assert self.refused([spec("City")], {"City": "bad"}, checks=Checks(City=["bad"])) == [
            ("constants.City", "'bad' fails")
        ]

    def test_an_empty_constant_of_an_interest_is_not_known(self):
        """It sends nothing."""
        of = job(constants={"interest.news": ""})
        accepted = check([KEY, spec("interest.news", "yesno")], {"CustomerID": ["a"]}, of).accepted
        assert accepted["_set"].to_list() == [0]


CELLS = st.sampled_from(["", "1", " 1", "x", "1.5", "2020-01-02", "yes", "NULL", "\n", "é", "00", "-0"])
KINDS = ["text", "integer", "decimal", "date", "yesno"]


@settings(max_examples=150, derandomize=True)
@given(st.lists(st.tuples(*[CELLS] * 7), max_size=12))
def test_each_row_is_accepted_or_faulty_exactly_once(rows):
    """Invariant 1, with keys, a collection and every kind of fault in play."""
    names = ["CustomerID", *(f"F{kind}" for kind in KINDS), "Order.OrderID"]
    specs = [KEY, *(spec(f"F{kind}", kind, max_length=3) for kind in KINDS), spec("Order.OrderID")]
    of = job(source={"null_values": ["NULL"]}, target={"key_fields": ["CustomerID", "Order.OrderID"]})
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    checked = check(specs, columns, of, live={"Ftext": LiveField("text", 2)})
    accepted = [line - 2 for line in checked.accepted["_line"]]
    faulty = checked.faults["_row"].to_list()
    assert accepted == sorted(set(accepted))
    assert faulty == sorted(set(faulty))
    assert sorted(accepted + faulty) == list(range(len(rows)))
    for row in checked.faults.iter_rows(named=True):
        parts = [row[name].split(" | ") for name in ("_code", "_column", "_message")]
        assert len(parts[0]) == len(parts[1]) == len(parts[2]) == len(set(parts[1]))
    assert checked.accepted["CustomerID"].null_count() == 0
