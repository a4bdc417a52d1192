"""The feature contract: what one model's signature and metadata accept, in both of its faces."""

import json
from dataclasses import replace
from itertools import product
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.contract import Contract, Row
from shared.errors import BadArtifact, InvalidRows, PretError, Report
from shared.formats.json_rows import row_from_json
from shared.reasons import InvalidValue, Reason
from tests.factories import batches_from_json, make_contract

WEIRD_NAMES = ["with space", "crédit-é%", "json", "copy", "_x", "model_x", "class", "__class__", "a.b", "keys", "", "1"]

EVERY_TYPE = make_contract(
    [
        {"name": "d", "type": "double"},
        {"name": "f", "type": "float", "required": False},
        {"name": "l", "type": "long"},
        {"name": "i", "type": "integer", "required": False},
        {"name": "b", "type": "boolean", "required": False},
        {"name": "s", "type": "string", "required": False},
        {"name": "v", "type": "long", "required": False},
        {"name": "w", "type": "string", "required": False},
    ],
    {
        "d": {"ge": 0},
        "l": {"ge": -5, "le": 5},
        "v": {"values": [0, 1]},
        "w": {"values": ["a", "é"]},
    },
    [["d", "f", "l"]],
)
GOOD = {"d": "0.5", "f": "0.75", "l": "2", "i": "7", "b": "true", "s": '"x"', "v": "1", "w": '"a"'}


def one_feature(kind: str, *, required: bool = True, **notes: Any) -> Contract:
    return make_contract([{"name": "x", "type": kind, "required": required}], {"x": notes} if notes else {})


def invalid(body: str, contract: Contract) -> list[str] | None:
    """The types of the errors of one row, or None if it is accepted."""
    try:
        row_from_json(body.encode(), contract)
    except InvalidRows as error:
        return [found.type for found in error.report.errors]
    return None


@pytest.mark.parametrize(
    ("kind", "accepted", "rejected"),
    [
        ("double", ["1", "1.0", "-2.5e-3", "1e308", "9223372036854775808"], ["true", '"1"', "null", "[1]", "1e999"]),
        ("float", ["1", "0.1", "1e300"], ["false", '"1"', "null", "{}", "-1e999"]),
        ("long", ["0", "-9223372036854775808", "9223372036854775807"], ["true", "1.5", '"1"', "null"]),
        (
            "long",
            ["1.0", "5.9e1", "-0.0", "1e18", "4503599627370497.0"],
            ["1e-1", "1e19", "-1e19", "9223372036854775808.0"],
        ),
        ("long", ["-0"], ["-9223372036854775809", "9223372036854775808", "1" + "0" * 400, "1e999"]),
        ("integer", ["-2147483648", "2147483647"], ["-2147483649", "2147483648", "2147483648.0", "true", "0.5", '"1"']),
        ("boolean", ["true", "false"], ["0", "1", "1.0", '"true"', "null"]),
        ("string", ['"1"', '""', '"nan"', '"\\u0000"', '"\\ud83d\\ude00"'], ["1", "true", "null", '["a"]']),
    ],
)
def test_each_type_accepts_its_own_values_only(kind: str, accepted: list[str], rejected: list[str]) -> None:
    contract = one_feature(kind)
    assert [value for value in accepted if invalid(f'{{"x":{value}}}', contract)] == []
    assert [value for value in rejected if not invalid(f'{{"x":{value}}}', contract)] == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("kind", ["double", "float", "long", "integer", "boolean", "string"])
def test_what_is_not_finite_is_invalid(kind: str, number: str) -> None:
    assert invalid(f'{{"x":{number}}}', one_feature(kind, required=False))


@pytest.mark.parametrize(
    ("kind", "notes", "accepted", "rejected"),
    [
        ("double", {"ge": 0, "le": 1}, ["0", "-0.0", "1", "1.0"], ["-1e-300", "1.0000000000000002"]),
        ("float", {"le": 0.1}, ["0.1"], ["0.10000000149011612"]),
        ("long", {"ge": 18, "le": 100}, ["18", "100", "18.0", "1e2"], ["17", "101", "17.0", "101.0"]),
        ("long", {"ge": 18.0}, ["18"], ["17"]),
        ("long", {"ge": 0.5, "le": 2.5}, ["1", "2"], ["0", "3"]),
        ("long", {"le": 10**30}, ["9223372036854775807"], ["9223372036854775808"]),
        ("integer", {"ge": -(2**40), "le": 2**40}, ["-2147483648", "2147483647"], ["-2147483649", "2147483648"]),
        ("long", {"values": [1, 2, 3], "ge": 2}, ["2", "3"], ["1"]),
    ],
)
def test_bounds_count_themselves_and_never_widen_the_type(
    kind: str, notes: dict[str, Any], accepted: list[str], rejected: list[str]
) -> None:
    contract = one_feature(kind, **notes)
    assert [value for value in accepted if invalid(f'{{"x":{value}}}', contract)] == []
    assert [value for value in rejected if not invalid(f'{{"x":{value}}}', contract)] == []


@pytest.mark.parametrize(
    ("kind", "values", "accepted", "rejected"),
    [
        ("long", [0, 1], ["0", "1", "1.0", "1e0"], ["true", "false", "0.5", '"1"', "2", "null", "1" + "0" * 30]),
        ("integer", [5], ["5", "5.0"], ["6", "6.0"]),
        ("string", ["a", "1"], ['"a"', '"1"'], ["1", '"b"', '""', '"A"', "null"]),
    ],
)
def test_allowed_values_are_of_the_features_own_type(
    kind: str, values: list[str | int], accepted: list[str], rejected: list[str]
) -> None:
    contract = one_feature(kind, values=values)
    assert [value for value in accepted if invalid(f'{{"x":{value}}}', contract)] == []
    assert [value for value in rejected if not invalid(f'{{"x":{value}}}', contract)] == []


def test_a_required_feature_may_be_neither_absent_nor_null() -> None:
    contract = one_feature("double")
    assert invalid("{}", contract) == ["missing"]
    assert invalid('{"x":null}', contract) == ["null_not_allowed"]


@pytest.mark.parametrize("kind", ["double", "float", "long", "integer", "boolean", "string"])
def test_an_optional_feature_may_be_absent_or_null(kind: str) -> None:
    contract = one_feature(kind, required=False)
    assert invalid("{}", contract) is None
    assert invalid('{"x":null}', contract) is None


def test_every_unknown_key_is_named() -> None:
    with pytest.raises(InvalidRows) as caught:
        row_from_json(b'{"d":1,"l":1,"D":1,"e":null}', EVERY_TYPE)
    assert [(error.column, error.type) for error in caught.value.report.errors] == [
        ("D", "extra_forbidden"),
        ("e", "extra_forbidden"),
    ]


def test_a_feature_may_have_any_name() -> None:
    contract = make_contract([{"name": name, "type": "double"} for name in WEIRD_NAMES])
    row = {name: float(i) for i, name in enumerate(WEIRD_NAMES)}
    assert row_from_json(json.dumps(row).encode(), contract) == row
    [batch] = batches_from_json(json.dumps([row]).encode(), contract)
    assert batch.to_pylist() == [row]
    for name in WEIRD_NAMES:
        with pytest.raises(InvalidRows) as caught:
            row_from_json(json.dumps(row | {name: "no"}).encode(), contract)
        assert [error.column for error in caught.value.report.errors] == [name]


def test_columns_come_in_the_models_order_whatever_the_order_of_the_keys() -> None:
    [batch] = batches_from_json(b'[{"l":1,"b":true,"d":0}]', EVERY_TYPE)
    assert batch.schema == EVERY_TYPE.arrow_schema
    assert batch.schema.names == ["d", "f", "l", "i", "b", "s", "v", "w"]


def test_what_is_not_ordered_is_named_with_the_feature_that_it_is_below() -> None:
    contract = make_contract([{"name": name, "type": "double"} for name in "abc"], ordered=[["a", "b", "c"]])
    assert contract.unordered({"a": 1.0, "b": 1.0, "c": 1.0}) == []
    assert contract.unordered({"a": 2.0, "b": 1.0, "c": 1.5}, 7) == [
        InvalidValue(7, "b", "not_ordered", {"other": "a"})
    ]
    assert contract.unordered({"a": 2.0, "b": None, "c": 1.0}) == [
        InvalidValue(None, "c", "not_ordered", {"other": "a"})
    ]


@pytest.mark.parametrize("values", list(product([None, 1, 1.5, 2], repeat=4)))
def test_values_are_in_order_where_nothing_would_be_named(values: tuple[float | None, ...]) -> None:
    contract = make_contract(
        [{"name": name, "type": "double"} for name in "abcd"], ordered=[["c", "a", "b"], ["b", "d"]]
    )
    found = contract.unordered(dict(zip("abcd", values, strict=True)))
    assert contract.is_ordered(list(values)) is not bool(found)


@pytest.mark.parametrize(
    ("kind", "notes", "type"),
    [
        ("string", {"ge": 0}, "feature-not-bounded"),
        ("boolean", {"le": 1}, "feature-not-bounded"),
        ("long", {"values": ["1"]}, "feature-values-type"),
        ("string", {"values": [1]}, "feature-values-type"),
        ("boolean", {"values": [0, 1]}, "feature-values-type"),
        ("long", {"values": [10**30]}, "feature-values-range"),
        ("integer", {"values": [2**31]}, "feature-values-range"),
    ],
)
def test_metadata_that_does_not_fit_the_type_is_a_bad_artifact(kind: str, notes: dict[str, Any], type: str) -> None:
    with pytest.raises(BadArtifact, match="'x'") as caught:
        one_feature(kind, **notes)
    facts = {"column": "x"} if type == "feature-not-bounded" else {"column": "x", "kind": kind}
    assert caught.value.reason == Reason(type, facts)


def test_a_name_that_comes_twice_is_a_bad_artifact() -> None:
    with pytest.raises(BadArtifact, match="the same name: 'x', 'z'") as caught:
        make_contract([{"name": name, "type": kind} for name, kind in zip("zxyxz", 5 * ["double"], strict=True)])
    assert caught.value.reason.params == {"columns": ["x", "z"]}


@pytest.mark.parametrize(("features", "ordered"), [({"y": {"ge": 0}}, []), ({}, [["x", "y"]])])
def test_metadata_of_a_feature_that_is_not_there_is_a_bad_artifact(
    features: dict[str, Any], ordered: list[list[str]]
) -> None:
    with pytest.raises(BadArtifact, match="not in the signature: 'y'"):
        make_contract([{"name": "x", "type": "double"}], features, ordered)


@pytest.mark.parametrize("kind", ["boolean", "string"])
def test_only_numbers_can_be_ordered(kind: str) -> None:
    with pytest.raises(BadArtifact, match="'y' is ordered"):
        make_contract([{"name": "x", "type": "long"}, {"name": "y", "type": kind}], ordered=[["x", "y"]])


FRAGMENTS = st.one_of(
    st.sampled_from([*GOOD.values(), "null", "1.0", "1e0", "-1", "6", "false", "1e999", "[]", "{}", '{"d":1}', '"é"']),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3).map(json.dumps),
)
CHANGES = st.dictionaries(st.sampled_from([*GOOD, "unknown"]), st.one_of(st.none(), FRAGMENTS), max_size=3)


def row_text(changes: dict[str, str | None]) -> str:
    parts = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return "{" + ",".join(f"{json.dumps(name)}: {value}" for name, value in parts.items()) + "}"


ROW_TEXTS = st.one_of(CHANGES.map(row_text), CHANGES.map(row_text), FRAGMENTS)


def verdict_alone(text: str, number: int) -> Row | list[InvalidValue]:
    try:
        row = row_from_json(text.encode(), EVERY_TYPE)
    except InvalidRows as error:
        return [replace(found, row=number) for found in error.report.errors]
    return {name: row.get(name) for name in EVERY_TYPE.names}


@given(st.lists(ROW_TEXTS, min_size=1, max_size=4))
def test_a_row_has_the_same_verdict_and_reasons_alone_and_in_a_batch(texts: list[str]) -> None:
    alone = [verdict_alone(text, i) for i, text in enumerate(texts)]
    errors = [error for verdict in alone if isinstance(verdict, list) for error in verdict]
    body = f"[{','.join(texts)}]".encode()
    if errors:
        with pytest.raises(InvalidRows) as caught:
            list(batches_from_json(body, EVERY_TYPE))
        rows = sum(isinstance(verdict, list) for verdict in alone)
        assert caught.value.report == Report(rows, len(errors), tuple(errors))
    else:
        assert pa.Table.from_batches(batches_from_json(body, EVERY_TYPE)).to_pylist() == alone


@pytest.mark.parametrize(
    "text",
    [
        row_text({"d": "NaN"}),
        row_text({"l": "-Infinity"}),
        row_text({"s": "NaN", "v": "2"}),
        row_text({"unknown": "Infinity"}),
        row_text({"d": "[NaN]"}),
        '{"d":NaN,"d":1,"l":1}',
    ],
)
def test_numbers_that_json_does_not_know_have_the_same_verdict_alone_and_in_a_batch(text: str) -> None:
    alone = verdict_alone(text, 1)
    try:
        batch = pa.Table.from_batches(batches_from_json(f"[{row_text({})},{text}]".encode(), EVERY_TYPE))
    except InvalidRows as error:
        assert list(error.report.errors) == alone
    except PretError as error:
        pytest.fail(f"The batch says {error}")
    else:
        assert batch.to_pylist()[1] == alone
