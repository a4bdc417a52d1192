import pytest

from pret import Column
from tests.unit.ui.conftest import CATEGORIES, NUMBERS, signature_of
from ui.applicant.form import fields_of, groups_of, label_of, row_of
from ui.texts import Texts

FR = Texts.of("fr")


def test_each_type_of_the_contract_has_its_kind_of_field() -> None:
    assert [field.kind for field in fields_of(NUMBERS)] == ["number", "number", "integer", "boolean", "number"]
    assert [field.kind for field in fields_of(CATEGORIES)] == ["choice", "choice", "text", "integer"]


def test_fields_are_filled_in_as_the_example_is() -> None:
    assert [field.default for field in fields_of(NUMBERS)] == [0.2635, 0.5, 40, True, 12000.0]
    assert [field.default for field in fields_of(CATEGORIES)] == ["car", None, "ok", 12]


def test_without_an_example_all_fields_are_empty() -> None:
    fields = fields_of(signature_of(*NUMBERS.columns))
    assert {field.default for field in fields} == {None}


@pytest.mark.parametrize(
    ("column", "example"),
    [
        (Column("x", "long", ge=0, le=80), 99),
        (Column("x", "double", ge=0), -1),
        (Column("x", "long"), 2**60),
        (Column("x", "long"), True),
        (Column("x", "double"), "1"),
        (Column("x", "string"), 1),
        (Column("x", "boolean"), 1),
        (Column("x", "string", values=("a",)), "b"),
    ],
)
def test_an_example_that_the_field_cannot_hold_is_left_out(column: Column, example: object) -> None:
    assert fields_of(signature_of(column, example={"x": example}))[0].default is None


def test_bounds_are_of_the_type_of_the_field() -> None:
    whole, number, beyond = fields_of(
        signature_of(
            Column("a", "long", ge=0.5, le=79.5),
            Column("b", "double", ge=0),
            Column("c", "long", ge=-(2**63), le=2**63),
        )
    )
    assert (whole.lowest, whole.highest) == (1, 79)
    assert isinstance(number.lowest, float)
    assert (beyond.lowest, beyond.highest) == (None, None)


def test_a_whole_number_of_few_values_is_chosen() -> None:
    field = fields_of(signature_of(Column("a", "long", ge=0, le=1), example={"a": 1}))[0]
    assert (field.kind, field.choices, field.default) == ("choice", (0, 1), 1)


def test_ordered_lists_stand_together_then_choices_then_numbers() -> None:
    groups = [(group.name, [field.name for field in group.fields]) for group in groups_of(NUMBERS)]
    assert groups == [
        ("ordered", ["LOW_RATE", "HIGH_RATE"]),
        ("choices", ["OWNS_HOME"]),
        ("numbers", ["AGE", "AMOUNT"]),
    ]


def test_every_field_is_in_one_group_even_where_ordered_lists_overlap() -> None:
    columns = [Column(name, "double") for name in "abcd"]
    groups = groups_of(signature_of(*columns, ordered=(("a", "b"), ("b", "c"), ("c", "d"))))
    assert sorted(field.name for group in groups for field in group.fields) == ["a", "b", "c", "d"]


def test_numbers_whose_names_begin_alike_stand_together() -> None:
    columns = [Column(name, "double") for name in ("loan_sum", "age", "loan_term")]
    (group,) = groups_of(signature_of(*columns))
    assert [field.name for field in group.fields] == ["loan_sum", "loan_term", "age"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("MONTHLY_INCOME", "Monthly income"),
        ("monthlyIncome", "Monthly Income"),
        ("credit-history", "Credit history"),
        ("STATUS_Married", "Status Married"),
        ("___", "___"),
        ("", ""),
    ],
)
def test_labels_are_readable(name: str, label: str) -> None:
    assert label_of(name) == label


def test_features_with_the_same_label_keep_their_names() -> None:
    fields = fields_of(signature_of(Column("a_b", "double"), Column("A-B", "double")))
    assert [field.label for field in fields] == ["a_b", "A-B"]


def test_what_is_empty_is_left_out_of_the_row() -> None:
    fields = fields_of(CATEGORIES)
    assert row_of(fields, {"field_0": "car", "field_1": None, "field_2": "", "field_3": "0"}, FR.read_number) == {
        "purpose": "car",
        "months": 0,
    }


def test_a_value_that_may_be_missing_is_sent_as_null_where_its_key_must_be_there() -> None:
    columns = (
        Column("gap", "double", nullable=True),
        Column("needed", "double", nullable=False),
        Column("optional", "double", required=False, nullable=True),
    )
    fields = fields_of(signature_of(*columns))
    assert [field.required for field in fields] == [False, True, False]
    assert row_of(fields, {}, Texts.of("en").read_number) == {"gap": None}
