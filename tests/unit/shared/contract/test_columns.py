"""The contract for columns: which columns and types are taken, what counts as missing, and how invalid values are told."""

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from shared.contract.columns import Invalid, validate_columns, wrong_type
from shared.contract.contract import Contract
from shared.contract.matching import match_columns
from shared.errors import ALL_VALID, InvalidRows, WrongColumns
from shared.formats.json_rows import row_from_json
from shared.reasons import MAX_REPORTED, InvalidValue, Reason
from tests.factories import make_contract

CONTRACT = make_contract(
    [
        {"name": "income", "type": "double"},
        {"name": "age", "type": "long"},
        {"name": "married", "type": "boolean", "required": False},
        {"name": "purpose", "type": "string", "required": False},
        {"name": "most", "type": "double", "required": False},
    ],
    {"income": {"ge": 0}, "age": {"ge": 18, "le": 100}},
    [["income", "most"]],
)
GOOD: dict[str, Any] = {"income": [1.0, 2.0], "age": [18, 100], "married": [True, None], "purpose": ["a", None]}


OPTIONAL = ["married", "purpose", "most"]


def columns(**changes: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(GOOD | {"most": [None, 5.0]} | changes)


def one(kind: str, **notes: Any) -> Contract:
    return make_contract([{"name": "x", "type": kind, "required": False}], {"x": notes} if notes else {})


def types_of(contract: Contract, array: pa.Array) -> list[tuple[int | None, str]]:
    checked = validate_columns(contract, pa.RecordBatch.from_arrays([array], ["x"]), 0)
    return [(error.row, error.type) for error in checked.report.errors]


def test_good_columns_come_in_the_contracts_schema_whatever_their_order() -> None:
    checked = validate_columns(
        CONTRACT, columns(more=[1, 2]).select(["more", "age", "most", "married", "purpose", "income"]), 0
    )
    assert checked.batch.schema == CONTRACT.arrow_schema
    assert checked.batch.to_pydict() == GOOD | {"most": [None, 5.0]}
    assert (checked.kept, checked.words, checked.details, checked.report) == (None, None, None, ALL_VALID)


def test_optional_columns_that_are_absent_are_missing_in_every_row() -> None:
    checked = validate_columns(CONTRACT, pa.RecordBatch.from_pydict({"age": [20], "income": [1.5]}), 0)
    assert checked.batch.to_pylist() == [{"income": 1.5, "age": 20, "married": None, "purpose": None, "most": None}]


@pytest.mark.parametrize(
    ("names", "keep", "type", "params", "said"),
    [
        (["income"], [], "columns-missing", {"columns": ["age"]}, "Missing columns: 'age'."),
        (
            ["income", "ages", "age"],
            [],
            "columns-missing-and-unknown",
            {"columns": OPTIONAL, "unknown": ["ages"]},
            "Missing columns: 'married', 'purpose', 'most'. Unknown columns: 'ages'.",
        ),
        (["income", "age", "age"], [], "columns-repeated", {"columns": ["age"]}, "more than once: 'age'"),
        (["income", "age", "id", "id"], ["id"], "columns-repeated", {"columns": ["id"]}, "more than once: 'id'"),
        (["income", "age"], ["id"], "kept-columns-missing", {"columns": ["id"]}, "keep that are not in the file: 'id'"),
        (
            ["income", *(f"c{i}" for i in range(9))],
            [],
            "columns-missing-and-unknown",
            {"columns": ["age", *OPTIONAL], "unknown": [f"c{i}" for i in range(9)]},
            "'c4' and 4 more",
        ),
        (
            [f"c{i}" for i in range(1000)],
            [],
            "columns-missing-and-unknown",
            {"columns": ["income", "age", *OPTIONAL], "unknown": [*(f"c{i}" for i in range(100)), "…"]},
            "'c4' and more",
        ),
        (
            ["n" * 1000],
            [],
            "columns-missing-and-unknown",
            {"columns": ["income", "age", *OPTIONAL], "unknown": ["n" * 100 + "…"]},
            "n" * 100 + "…",
        ),
        (
            ["Income", " age", "purpose"],
            [],
            "columns-misspelt",
            {"columns": ["Income", " age"], "expected": ["income", "age"]},
            "found 'Income', ' age', expected 'income', 'age'",
        ),
        (
            ["income", "age", "ID"],
            ["id"],
            "columns-misspelt",
            {"columns": ["ID"], "expected": ["id"]},
            "found 'ID', expected 'id'",
        ),
        (
            ["Income", "years"],
            [],
            "columns-missing-and-unknown",
            {"columns": ["income", "age", *OPTIONAL], "unknown": ["Income", "years"]},
            "Unknown columns: 'Income', 'years'.",
        ),
    ],
)
def test_columns_that_do_not_match_are_named(
    names: list[str], keep: list[str], type: str, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(WrongColumns) as caught:
        match_columns(CONTRACT, names, keep)
    assert caught.value.reason == Reason(type, params)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("names", "keep"),
    [
        (["age", "income"], []),
        (["age", "income", "id"], ["id"]),
        (["age", "income"], ["age", "age"]),
        ([*CONTRACT.names, "", "", "x"], []),
    ],
)
def test_columns_that_match(names: list[str], keep: list[str]) -> None:
    match_columns(CONTRACT, names, keep)


NUMBERS = [
    *(
        pa.array([1, None], kind())
        for kind in (pa.int8, pa.uint8, pa.int32, pa.uint64, pa.int64, pa.float32, pa.float64)
    ),
    pa.array([np.float16(1), None], pa.float16()),
    pa.array([Decimal("1.00"), None], pa.decimal128(10, 2)),
    pa.array([Decimal(1), None], pa.decimal256(60, 0)),
    pa.array([1.0, None]).dictionary_encode(),
    pa.array([1.0, float("nan")]),
    pa.RunEndEncodedArray.from_arrays([1, 2], [1.0, None]),
]


@pytest.mark.parametrize("array", NUMBERS, ids=lambda array: str(array.type))
@pytest.mark.parametrize(("kind", "value"), [("double", 1.0), ("long", 1)])
def test_every_type_of_number_will_do_for_a_number(array: pa.Array, kind: str, value: float) -> None:
    checked = validate_columns(one(kind), pa.RecordBatch.from_arrays([array], ["x"]), 0)
    assert checked.words is None
    assert checked.batch.column("x").to_pylist() == [value, None]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.large_string())], ids=str
)
def test_every_type_of_text_will_do_for_text(kind: pa.DataType) -> None:
    array = (
        pa.array(["a", None, "é"]).cast(kind)
        if not pa.types.is_dictionary(kind)
        else (pa.array(["a", None, "é"], pa.large_string()).dictionary_encode())
    )
    checked = validate_columns(one("string"), pa.RecordBatch.from_arrays([array], ["x"]), 0)
    assert checked.batch.column("x").to_pylist() == ["a", None, "é"]


@pytest.mark.parametrize("kind", ["double", "long", "boolean", "string"])
def test_a_column_of_no_type_is_all_missing(kind: str) -> None:
    checked = validate_columns(one(kind), pa.RecordBatch.from_arrays([pa.nulls(2)], ["x"]), 0)
    assert checked.batch.column("x").null_count == 2


@pytest.mark.parametrize(
    ("kind", "array"),
    [
        ("double", pa.array(["1"])),
        ("long", pa.array([True])),
        ("double", pa.array([datetime.datetime(2026, 1, 1)])),
        ("long", pa.array([[1]])),
        ("string", pa.array([1])),
        ("string", pa.array([b"a"])),
        ("boolean", pa.array([1])),
        ("boolean", pa.array(["true"]).dictionary_encode()),
    ],
)
def test_a_type_that_can_never_be_right_is_rejected_as_a_whole(kind: str, array: pa.Array) -> None:
    with pytest.raises(WrongColumns, match=r"Column 'x' is of type .*, which cannot be read as "):
        types_of(one(kind), array)


def test_a_decimal_is_the_double_that_its_text_is() -> None:
    texts = ["0.1", "12345678.1", "0.0000001", "9007199254740993", "-0.3"]
    array = pa.array([Decimal(text) for text in texts], pa.decimal128(38, 10))
    checked = validate_columns(one("double"), pa.RecordBatch.from_arrays([array], ["x"]), 0)
    assert checked.batch.column("x").to_pylist() == [float(text) for text in texts]


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (pa.array([0.5, 1.0]), [(0, "int_from_float")]),
        (pa.array([1e19, -(2.0**63), 2.0**62]), [(0, "int_size"), (1, "int_size")]),
        (pa.array([float("inf"), 1.5, None, 1e300]), [(0, "finite_number"), (1, "int_from_float"), (3, "int_size")]),
        (pa.array([2**63, 5], pa.uint64()), [(0, "less_than_equal")]),
        (
            pa.array([Decimal(10**37), Decimal(-(10**37)), Decimal(5)], pa.decimal128(38, 0)),
            [(0, "less_than_equal"), (1, "greater_than_equal")],
        ),
        (pa.array([Decimal("1.5"), Decimal("2.0")]), [(0, "int_from_float")]),
    ],
)
def test_what_is_no_whole_number_of_64_bits_is_invalid_for_that(array: pa.Array, found: list[tuple[int, str]]) -> None:
    assert types_of(one("long"), array) == found


@pytest.mark.parametrize("kind", ["double", "float", "long"])
@pytest.mark.parametrize(
    "bound", [10**18, -(10**18), 2**53 + 1, 2**62, -(2**63), 2**63 - 1, 10**30, -(10**300), 0, 2.5]
)
@pytest.mark.parametrize("key", ["ge", "le"])
def test_a_bound_of_any_size_is_held_as_in_a_row(kind: str, bound: float, key: str) -> None:
    contract = one(kind, **{key: bound})
    values = [0, 1, -1, 10**17, -(10**17), 2**62, 2**62 + 2**40, -(2**63)]
    expected: list[tuple[int | None, str]] = []
    for place, value in enumerate(values):
        try:
            row_from_json(b'{"x": %d}' % value, contract)
        except InvalidRows as error:
            expected += [(place, found.type) for found in error.report.errors]
    array = pa.array(values, pa.int64()) if kind == "long" else pa.array(map(float, values), pa.float64())
    assert types_of(contract, array) == expected


def test_infinity_is_invalid_for_a_double() -> None:
    assert types_of(one("double", le=5), pa.array([float("-inf"), 6, 1])) == [
        (0, "finite_number"),
        (1, "less_than_equal"),
    ]


def test_invalid_values_are_told_by_row_then_feature_and_joined() -> None:
    bad = columns(income=[-1.0, None], age=[17, None], married=[None, None], most=[None, 1.0])
    checked = validate_columns(CONTRACT, bad, 10)
    assert checked.report.errors == (
        InvalidValue(10, "income", "greater_than_equal", {"limit": 0}),
        InvalidValue(10, "age", "greater_than_equal", {"limit": 18}),
        InvalidValue(11, "income", "null_not_allowed"),
        InvalidValue(11, "age", "null_not_allowed"),
    )
    assert (checked.report.invalid_rows, checked.report.invalid_values) == (2, 4)
    assert checked.words is not None
    assert checked.words.to_pylist() == [
        "income: Input should be greater than or equal to 0; age: Input should be greater than or equal to 18",
        "income: Value should not be missing; age: Value should not be missing",
    ]
    assert checked.details is not None
    assert json.loads(checked.details[1].as_py()) == [
        {"column": "income", "type": "null_not_allowed", "message": "Value should not be missing", "params": {}},
        {"column": "age", "type": "null_not_allowed", "message": "Value should not be missing", "params": {}},
    ]


def test_the_reasons_of_a_row_stand_beside_that_row() -> None:
    rows = [0, 5, 9, 20, 5, 0, 5]
    checked = validate_columns(
        make_contract(
            [{"name": "x", "type": "long"}, {"name": "y", "type": "long"}], {"x": {"ge": 5}, "y": {"le": 10}}
        ),
        pa.RecordBatch.from_pydict({"x": rows, "y": rows}),
        0,
    )
    assert checked.words is not None
    assert [(reason or " ")[0] for reason in checked.words.to_pylist()] == ["x", " ", " ", "y", " ", "x", " "]
    assert checked.details is not None
    assert [json.loads(detail or "[{}]")[0].get("column") for detail in checked.details.to_pylist()] == [
        *("x", None, None, "y", None, "x", None)
    ]
    assert (checked.report.invalid_rows, checked.report.invalid_values) == (3, 3)


def test_order_is_looked_at_in_rows_that_are_right_in_themselves() -> None:
    checked = validate_columns(CONTRACT, columns(income=[9.0, 9.0], age=[1, 20], most=[1.0, 1.0]), 0)
    assert [(error.row, error.column, error.type) for error in checked.report.errors] == [
        (0, "age", "greater_than_equal"),
        (1, "most", "not_ordered"),
    ]


def test_only_the_first_errors_are_told_but_all_are_counted_and_every_row_has_its_reason() -> None:
    checked = validate_columns(one("long", ge=0), pa.RecordBatch.from_pydict({"x": [-1, 5] * 500}), 3)
    assert [error.row for error in checked.report.errors] == [3 + 2 * i for i in range(MAX_REPORTED)]
    assert (checked.report.invalid_rows, checked.report.invalid_values) == (500, 500)
    assert checked.words is not None
    assert checked.details is not None
    assert (checked.words.null_count, checked.details.null_count) == (500, 500)


def test_what_the_reader_found_invalid_has_that_reason_only() -> None:
    unreadable = InvalidValue(None, "purpose", "literal_error", {"values": ["a"]})
    found = {
        "age": [wrong_type(CONTRACT.features[1], pa.array([True, None]))],
        "purpose": [Invalid(pa.array([False, True]), unreadable)],
    }
    checked = validate_columns(CONTRACT, columns(age=[None, 20], purpose=["a", None]), 0, invalid=found)
    assert [(error.row, error.column, error.message) for error in checked.report.errors] == [
        (0, "age", "Input should be a valid integer"),
        (1, "purpose", "Input should be 'a'"),
    ]


KEPT = [
    (pa.array([1, None]), pa.int64()),
    (pa.array([True, None]), pa.bool_()),
    (pa.array(["a", None]).dictionary_encode(), pa.string()),
    (pa.array(["a", None], pa.large_string()), pa.string()),
    (pa.array([datetime.date(2026, 1, 2), None]), pa.date32()),
    (pa.array([Decimal("1.50"), None]), pa.decimal128(3, 2)),
    (pa.nulls(2), pa.null()),
    (pa.array([np.float16(1.5), None], pa.float16()), pa.float32()),
]


@pytest.mark.parametrize(("array", "kind"), KEPT, ids=lambda value: str(getattr(value, "type", "")))
def test_kept_columns_are_of_plain_types(array: pa.Array, kind: pa.DataType) -> None:
    checked = validate_columns(CONTRACT, columns(id=array), 0, ["id", "age"])
    assert checked.kept is not None
    assert checked.kept.schema.names == ["id", "age"]
    assert checked.kept.column("id").type == kind
    assert checked.kept.column("id").to_pylist() == array.to_pylist()


@pytest.mark.parametrize("array", [pa.array([[1], [2]]), pa.array([b"a", b"b"]), pa.array([{"a": 1}, None])])
def test_nested_and_binary_columns_cannot_be_kept(array: pa.Array) -> None:
    with pytest.raises(WrongColumns, match="'id' cannot be kept"):
        validate_columns(CONTRACT, columns(id=array), 0, ["id"])


def test_no_rows_are_no_trouble() -> None:
    checked = validate_columns(CONTRACT, columns().slice(0, 0), 0)
    assert (checked.batch.num_rows, checked.report) == (0, ALL_VALID)


def test_a_row_may_break_several_orders() -> None:
    contract = make_contract([{"name": name, "type": "double"} for name in "abc"], ordered=[["a", "b"], ["c", "a"]])
    checked = validate_columns(contract, pa.RecordBatch.from_pydict({"a": [1.0], "b": [0.0], "c": [2.0]}), 0)
    assert list(checked.report.errors) == contract.unordered({"a": 1.0, "b": 0.0, "c": 2.0}, 0)
    assert (checked.report.invalid_rows, checked.report.invalid_values) == (1, 2)
