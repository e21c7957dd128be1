"""What data rule 13 refuses of a schema, all of it in one go."""

from __future__ import annotations

import pytest

from tests.support.schemas import Load, Refuse

PER_ROW = "return one boolean per row: data.lazyframe.select(pl.col(data.key) > 0)"


def test_all_problems_of_a_schema_are_told_at_once(refused: Refuse) -> None:
    """Those of the frame first, then column by column, then checks."""
    found = refused(
        """
class S(pa.DataFrameModel):
    a: str = pa.Field(unique=True, coerce=True, nullable=True, ge="a", ignore_na=False)
    b: datetime.time
    c: str
    d: int = pa.Field(default=3, ge=0, raise_warning=True)

    @pa.check("c")
    def long_in_the_mean(cls, data):
        return data.lazyframe.select(pl.col(data.key).str.len_chars().mean() > 3)

    @pa.dataframe_check
    def whole(cls, data):
        return data.lazyframe.select(pl.col("a") == pl.col("c"))

    class Config:
        strict = "filter"
        coerce = True
        unique = ["a", "c"]
        add_missing_columns = True
        drop_invalid_rows = True
"""
    )
    assert [(where, what) for where, what, _ in found] == [
        ("", "the schema has unique"),
        ("", "the schema has frame-level checks"),
        ("", "the schema has coerce"),
        ("", 'the schema has strict="filter"'),
        ("", "the schema has drop_invalid_rows"),
        ("", "the schema has add_missing_columns"),
        (", column a", "the column has unique"),
        (", column a", "the column has coerce"),
        (", column a", "check greater_than_or_equal_to: ignore_na=False blames empty values"),
        (", column b", "the type Time has no meaning in Copernica"),
        (", column d", "the column has a default"),
        (", column d", "check greater_than_or_equal_to: raise_warning only warns"),
        (", column c", "check long_in_the_mean gives one value for the whole batch, not one per row"),
    ]
    assert all(do for _, _, do in found)


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ("checks=pa.Check(lambda data: data.lazyframe.select(pl.all() == 1))", "the schema has frame-level checks"),
        ("parsers=Parser(lambda data: data)", "the schema has parsers"),
        ("index=pa.Column(int)", "the schema has an index"),
        ('unique="a"', "the schema has unique"),
        ("coerce=True", "the schema has coerce"),
        ('strict="filter"', 'the schema has strict="filter"'),
    ],
)
def test_a_schema_object_is_held_to_the_same_rule(refused: Refuse, schema: str, what: str) -> None:
    """DataFrameSchema and model are one to us."""
    body = f'from pandera.api.parsers import Parser\nS = pa.DataFrameSchema({{"a": pa.Column(str)}}, {schema})'
    assert [found for _, found, _ in refused(body)] == [what]


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ("str, parsers=Parser(lambda data: data)", "the column has parsers"),
        ("str, regex=True", "the column has regex=True"),
        ("str, drop_invalid_rows=True", "the column has drop_invalid_rows"),
        ("pl.List(pl.String)", "the type List(String) has no meaning in Copernica"),
        ('pl.Struct({"a": pl.String})', "the type Struct({'a': String}) has no meaning in Copernica"),
        ("pl.Binary", "the type Binary has no meaning in Copernica"),
        ("pl.Time", "the type Time has no meaning in Copernica"),
        ("pl.Duration", "the type Duration(time_unit='us') has no meaning in Copernica"),
        ("pl.Object", "the type Object has no meaning in Copernica"),
        ("pl.Null", "the type Null has no meaning in Copernica"),
        (
            'pl.Datetime("us", "UTC")',
            "the type Datetime(time_unit='us', time_zone='UTC') has no meaning in Copernica",
        ),
        ("bool", "a bool does not name the texts that are sent for true and false"),
    ],
)
def test_a_column_that_cannot_be_used_is_refused(refused: Refuse, column: str, what: str) -> None:
    """Options that change or drop data, and types that Copernica has not, are refused by name."""
    body = f'from pandera.api.parsers import Parser\nS = pa.DataFrameSchema({{"a": pa.Column({column})}})'
    assert [(where, found) for where, found, _ in refused(body)] == [(", column a", what)]


def test_a_bool_is_told_of_yes_no(refused: Refuse) -> None:
    """The advice names the field to use."""
    ((_, _, do),) = refused('S = pa.DataFrameSchema({"a": pa.Column(bool)})')
    assert do == 'name both: YesNo("yes", "no") of pipeline.fields, with the texts of the field in Copernica'


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Order.Address.City", "the column name has more than one dot"),
        ("", "the column name '' is no name"),
        ("  ", "the column name '  ' is no name"),
        (" City", "the column name ' City' has a blank part or outer blanks"),
        ("Order. OrderID", "the column name 'Order. OrderID' has a blank part or outer blanks"),
        ("Order.", "the column name 'Order.' has a blank part or outer blanks"),
        ("_line", "the column name _line is taken by the pipeline itself"),
        ("*", "the column name * is taken by the pipeline itself"),
    ],
)
def test_a_name_that_is_no_copernica_column_is_refused(refused: Refuse, name: str, what: str) -> None:
    """One dot at most, no blanks outside, nothing that collides with our own columns."""
    assert [found for _, found, _ in refused(f"S = pa.DataFrameSchema({{{name!r}: pa.Column(str)}})")] == [what]


def test_a_schema_without_columns_is_refused(refused: Refuse) -> None:
    """Nothing could be sent."""
    assert refused("class S(pa.DataFrameModel): pass")[0][1] == "the schema has no columns"


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("str = Integer()", "the field holds integer, but the column's type is String"),
        ("int = Text(5)", "the field holds text, but the column's type is Int64"),
        ("str = Interest(alias='interest.a')", "the field holds yesno, but the column's type is String"),
        ("bool = Interest()", "a is no interest"),
        ("str = Text(5, alias='interest.a')", "an interest is on or off"),
        ("bool = YesNo('1', '0', alias='interest.a')", "an interest is sent as Yes or No"),
        ("bool = YesNo('1', '1')", "the texts '1', '1' are not different"),
        ("bool = YesNo('1', '')", "a blank text, or one with blanks behind it, is never a member of a select"),
        ("str = Choice()", "a choice without options"),
        ("str = Choice('a', 'b ')", "a blank text, or one with blanks behind it, is never a member of a select"),
        ("int = Integer(empty='00')", "empty='00' is not how a value of this type is sent"),
        ("int = Integer(empty='')", "empty='' is not how a value of this type is sent"),
        ("int = Integer(empty=0)", "empty=0 is no text"),
        ("float = Decimal(empty='1e5')", "empty='1e5' is not how a value of this type is sent"),
        ("float = Decimal(empty='01.5')", "empty='01.5' is not how a value of this type is sent"),
        ("datetime.date = Date(empty='2020-02-30')", "empty='2020-02-30' is not how a value of this type is sent"),
        ("datetime.date = Date(empty='0999-01-01')", "empty='0999-01-01' is not how a value of this type is sent"),
        (
            "datetime.datetime = DateTime(empty='2020-02-01')",
            "empty='2020-02-01' is not how a value of this type is sent",
        ),
        ("str = Choice('a', empty='b')", "empty='b' is not how a value of this type is sent"),
        ("str = Text(3, empty='none')", "empty='none' is not how a value of this type is sent"),
    ],
)
def test_a_field_that_contradicts_itself_is_refused(refused: Refuse, field: str, what: str) -> None:
    """Field, annotation, name and the text for empty cells must agree (data rules 10, 11)."""
    assert [found for _, found, _ in refused(f"class S(pa.DataFrameModel):\n    a: {field}\n")] == [what]


@pytest.mark.parametrize(
    "field",
    [
        "int = Integer(empty='-5')",
        "float = Decimal(empty='0.50')",
        "datetime.date = Date(empty='0000-00-00')",
        "datetime.datetime = DateTime(empty='1900-01-01 00:00:00')",
        "bool = YesNo('1', '0', empty='0')",
    ],
)
def test_a_canonical_text_for_empty_is_taken(load: Load, field: str) -> None:
    """The form in which a value is sent, and Copernica's own zero date, are what may be sent for empty."""
    assert load(f"class S(pa.DataFrameModel):\n    a: {field}\n").specs[0].empty is not None


@pytest.mark.parametrize(
    ("check", "what"),
    [
        (
            "pa.Check.unique_values_eq([1])",
            "check unique_values_eq([1]) gives one value for the whole batch, not one per row",
        ),
        (
            "pa.Check(lambda d: d.lazyframe.collect()[d.key].mean() > 5, name='mean')",
            "check mean gives one value for the whole batch, not one per row",
        ),
        (
            "pa.Check(lambda d: d.lazyframe.select(pl.lit(True)), name='lit')",
            "check lit gives one value for the whole batch, not one per row",
        ),
        (
            "pa.Check(lambda d: d.lazyframe.drop_nulls().select(pl.col(d.key) > 0), name='drop')",
            "check drop gives 0 values for 3 rows",
        ),
        (
            "pa.Check(lambda d: d.lazyframe.select(pl.col(d.key).is_unique()), name='unique')",
            "check unique looks at other rows, but sees one batch only",
        ),
        (
            "pa.Check(lambda s: s > 0, name='pandas')",
            "check pandas cannot be run: TypeError: \"'>' not supported between instances of 'PolarsData' and 'int'\"",
        ),
    ],
)
def test_a_check_that_does_not_answer_per_row_is_refused(refused: Refuse, check: str, what: str) -> None:
    """pandera would blame the first row, or see one batch only: such a check is found out before any data is read."""
    assert [found for _, found, _ in refused(f'S = pa.DataFrameSchema({{"a": pa.Column(int, {check})}})')] == [what]


@pytest.mark.parametrize("kind", ["int", "float", "str", "datetime.date"])
@pytest.mark.parametrize(
    "neighbours",
    [
        "c.is_unique()",
        "(c.rank() <= 3)",
        "(c == c.first())",
        "(c == c.last())",
        "(c != c.shift())",
        "((c == c.first()) | c.is_null())",
        "c.is_first_distinct()",
        "(c.rle_id() < 5)",
        "(c.is_null() | (c.len() < 100))",
        "(c == c.max())",
        "(pl.int_range(pl.len()) % 2 == 0)",
        "(pl.int_range(pl.len()) < 100_000)",
        "(c.count().over(c) == 1)",
        "(c.cum_count() < 3)",
    ],
)
def test_a_check_that_looks_at_its_neighbours_is_refused(refused: Refuse, neighbours: str, kind: str) -> None:
    """What it said would depend on where a batch is cut (data rule 13)."""
    check = f"pa.Check(lambda d: d.lazyframe.select((lambda c: {neighbours})(pl.col(d.key))), name='mine')"
    found = refused(f'S = pa.DataFrameSchema({{"a": pa.Column({kind}, {check})}})')
    assert [what for _, what, _ in found] == ["check mine looks at other rows, but sees one batch only"]


@pytest.mark.parametrize(
    "neighbours",
    [
        "(c.diff() >= 0)",
        "(c <= c.mean() * 3)",
        "(c <= c.quantile(0.9))",
        "(c.cum_sum() < 50)",
        "(c < c.std() * 2)",
        "(c.rolling_mean(2) > 1)",
        "(c.interpolate() > 2).fill_null(False)",
    ],
)
def test_a_check_that_computes_over_the_column_is_refused(refused: Refuse, neighbours: str) -> None:
    """Differences, means, sums."""
    check = f"pa.Check(lambda d: d.lazyframe.select((lambda c: {neighbours})(pl.col(d.key))), name='mine')"
    found = refused(f'S = pa.DataFrameSchema({{"a": pa.Column(int, {check})}})')
    assert [what for _, what, _ in found] == ["check mine looks at other rows, but sees one batch only"]


@pytest.mark.parametrize(
    "check",
    [
        "pa.Check(lambda d: d.lazyframe.select(pl.col(d.key) > 0))",
        "pa.Check(lambda d: d.lazyframe.select(pl.col(d.key).is_in([1, 2, 3])))",
        "pa.Check(lambda d: d.lazyframe.select(pl.col(d.key).cast(pl.String).str.len_chars() < 3))",
        "pa.Check(lambda d: d.lazyframe.select(pl.col(d.key) > 1), ignore_na=True)",
        "pa.Check(lambda x: 100 // x >= 0, element_wise=True)",
        "pa.Check(lambda x: x > 0, element_wise=True)",
        "pa.Check(lambda d: d.lazyframe.select(pl.col(d.key) > pl.col('b')))",
        "pa.Check(lambda d: pl.LazyFrame({'x': [v > 0 for v in d.lazyframe.collect()[d.key]]}))",
        "pa.Check.in_range(1, 9, n_failure_cases=1)",
    ],
)
def test_a_check_that_answers_per_row_is_taken(load: Load, check: str) -> None:
    """Expressions, element-wise functions, comparisons of columns; one that cannot bear nulls is tried with values."""
    body = f'S = pa.DataFrameSchema({{"a": pa.Column(int, {check}), "b": pa.Column(int)}})'
    assert len(load(body).checks("a")) == 1
