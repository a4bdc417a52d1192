import pytest

from pret import Column
from tests.unit.ui.conftest import CATEGORIES, NUMBERS, signature_of
from ui.applicant.form import fields_of, row_of, values_of
from ui.labels import label_of
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


def test_the_label_of_the_model_comes_before_a_name_made_readable() -> None:
    columns = (
        Column("AMT", "double", label="Amount", group="LOAN", group_label="The loan"),
        Column("N", "long", group="LOAN"),
    )
    assert [(field.label, field.group) for field in fields_of(signature_of(*columns))] == [
        ("Amount", "The loan"),
        ("N", "Loan"),
    ]


CHOSEN = signature_of(
    Column("rate", "double"),
    Column("count", "long"),
    Column("few", "long", ge=0, le=2),
    Column("yes", "boolean"),
    Column("kind", "string", values=("a", "b")),
    Column("text", "string"),
)


@pytest.mark.parametrize(
    ("row", "values"),
    [
        (
            {"rate": 0.5, "count": 3, "few": 1, "yes": True, "kind": "b", "text": "nan"},
            ["0,5", "3", 1, True, "b", "nan"],
        ),
        (
            {"rate": " 0.5", "count": "3.0", "few": "1.0", "yes": "TRUE", "kind": "b", "text": "x"},
            ["0,5", "3", 1, True, "b", "x"],
        ),
        ({"rate": float("nan"), "count": "NA", "few": None, "yes": "", "kind": " "}, [None] * 6),
        ({"rate": "many", "count": True}, ["many", "True", None, None, None, None]),
    ],
)
def test_a_row_fills_in_the_form(row: dict[str, object], values: list[object]) -> None:
    filled, unfit = values_of(fields_of(CHOSEN), row, FR.editable)
    assert list(filled.values()) == values
    assert unfit == ()


def test_a_choice_that_does_not_exist_is_named() -> None:
    row = {"few": 7, "yes": "perhaps", "kind": "<b>"}
    filled, unfit = values_of(fields_of(CHOSEN), row, FR.editable)
    assert set(filled.values()) == {None}
    assert unfit == ("Few", "Yes", "Kind")


def test_a_row_that_fills_in_the_form_is_the_row_that_is_sent() -> None:
    row = {"rate": 1e-7, "count": 2**60, "few": 2, "yes": False, "kind": "a", "text": "été"}
    fields = fields_of(CHOSEN)
    values, _ = values_of(fields, row, FR.editable)
    assert row_of(fields, values, FR.read_number) == row
