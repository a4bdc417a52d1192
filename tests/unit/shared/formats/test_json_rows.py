"""Bodies of requests: what is wrong is named by row, column and reason, in few words, and never repeated."""

import json
import re
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.validated import Tally, Validated
from shared.errors import ALL_VALID, InvalidRows, MalformedInput, PretError, Report, WrongColumns
from shared.formats import json_slices
from shared.formats.json_rows import row_from_json, validated_from_document, validated_from_json
from shared.formats.json_slices import SLICE_ROWS
from shared.formats.source import ReadOptions
from shared.reasons import MAX_NAME_LENGTH, MAX_REPORTED, InvalidValue
from tests.factories import Kit, batches_from_json, make_contract

CONTRACT = make_contract(
    [
        {"name": "amount", "type": "double"},
        {"name": "age", "type": "long"},
        {"name": "flag", "type": "boolean", "required": False},
        {"name": "word", "type": "string", "required": False},
        {"name": "step", "type": "long", "required": False},
        {"name": "most", "type": "double", "required": False},
    ],
    {"amount": {"ge": 0}, "age": {"ge": 18, "le": 100}, "step": {"values": [0, 1]}},
    [["amount", "most"]],
)
GOOD = b'{"amount": 1.5, "age": 40}'
VALUE = "98765431"
DEEP = 100_000


def one(body: bytes) -> None:
    row_from_json(body, CONTRACT)


def many(body: bytes) -> None:
    list(batches_from_json(b"[" + GOOD + b"," + body + b"]", CONTRACT))


READERS = pytest.mark.parametrize("read", [one, many])
Reader = Callable[[bytes], None]


def report_of(read: Callable[[bytes], object], body: bytes) -> Report:
    with pytest.raises(InvalidRows) as caught:
        read(body)
    report = caught.value.report
    assert caught.value.reason.params == {"count": report.invalid_values, "limit": MAX_REPORTED}
    return report


def array_of(rows: list[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"


def read_array(body: bytes) -> list[int]:
    return [batch.num_rows for batch in batches_from_json(body, CONTRACT)]


def slices_of_array(body: bytes) -> list[Validated]:
    return list(validated_from_json(body, CONTRACT, ReadOptions(), ignore_extra=False))


def slices_of_document(body: bytes) -> list[Validated]:
    return list(validated_from_document(body, CONTRACT, ReadOptions()))


@READERS
@pytest.mark.parametrize(
    ("body", "column", "kind"),
    [
        ('{"amount": 1, "age": 40, "more": 1}', "more", "extra_forbidden"),
        ('{"amount": 1}', "age", "missing"),
        ('{"amount": "1", "age": 40}', "amount", "float_type"),
        ('{"amount": true, "age": 40}', "amount", "float_type"),
        ('{"amount": 1, "age": 40.5}', "age", "int_from_float"),
        ('{"amount": 1, "age": "40"}', "age", "int_type"),
        ('{"amount": 1, "age": false}', "age", "int_type"),
        ('{"amount": 1, "age": null}', "age", "null_not_allowed"),
        ('{"amount": -1, "age": 40}', "amount", "greater_than_equal"),
        ('{"amount": 1, "age": 101}', "age", "less_than_equal"),
        ('{"amount": 1, "age": 40, "step": 2}', "step", "literal_error"),
        ('{"amount": 1, "age": NaN}', "age", "finite_number"),
        ('{"amount": 1, "age": 1e19}', "age", "int_size"),
        ('{"amount": NaN, "age": 40}', "amount", "finite_number"),
        ('{"amount": Infinity, "age": 40}', "amount", "finite_number"),
        ('{"amount": -Infinity, "age": 40}', "amount", "finite_number"),
        ('{"amount": 1e999, "age": 40}', "amount", "finite_number"),
        (f'{{"amount": {"9" * 400}, "age": 40}}', "amount", "finite_number"),
        (f'{{"amount": 1, "age": {"9" * 400}}}', "age", "less_than_equal"),
        ('{"amount": 2, "age": 40, "most": 1}', "most", "not_ordered"),
        ("[]", None, "dict_type"),
        ("5", None, "dict_type"),
        ("null", None, "dict_type"),
        (f'"{VALUE}"', None, "dict_type"),
    ],
)
def test_an_invalid_row_is_named_with_column_and_type(read: Reader, body: str, column: str | None, kind: str) -> None:
    [error] = report_of(read, body.encode()).errors
    assert (error.row, error.column, error.type) == (None if read is one else 1, column, kind)
    assert error.message
    params = {
        "greater_than_equal": {"limit": 0},
        "less_than_equal": {"limit": 100},
        "literal_error": {"values": [0, 1]},
    }
    assert error.params == (params | {"not_ordered": {"other": "amount"}}).get(kind, {})


@READERS
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'amount': 1}",
        b'{"amount": 1,}',
        b'{"amount": 01}',
        b'{"amount": .5}',
        b"undefined",
        b"\xef\xbb\xbf" + GOOD,
        b'{"amount": 1, "age": 40, "word": "\xff"}',
        b'{"amount": 1, "age": 40, "\xff": 1}',
        b'{"amount": 1, "age": 40, "word": "\x01"}',
        rb'{"amount": 1, "age": 40, "word": "\ud800"}',
        rb'{"amount": 1, "age": 40, "word": "\ud800x"}',
        rb'{"amount": 1, "age": 40, "\udc00": 1}',
        '{"amount": 1, "age": 40, "word": "\ud800"}'.encode("utf-8", "surrogatepass"),
        b'{"amount": 1, "age": 40, "more": ' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"a":' * DEEP,
        b"[" * DEEP,
        GOOD + GOOD,
        GOOD + b"\x00",
    ],
)
def test_what_is_not_json_is_rejected_with_its_place(read: Reader, body: bytes) -> None:
    with pytest.raises(PretError) as caught:
        read(body)
    if isinstance(caught.value, InvalidRows):
        [error] = caught.value.report.errors
        assert (read, error.row, error.type) == (many, 1, "json_invalid")
        assert "line 1 column" in error.message
        assert error.params["line"] == 1
        assert error.params.keys() == {"fault", "line", "character"}
    else:
        assert isinstance(caught.value, MalformedInput)
        assert caught.value.reason.type == "json-invalid"
        assert re.search(r": \w.* at line 1, character \d+\.$", str(caught.value))


@pytest.mark.parametrize("beside", [b"hello", b'{"a":1}', b"null", b"\x00", b"]", b"[]", b"//", b",", b"\xff"])
@pytest.mark.parametrize("body", [b"%s[%s]", b"[%s%s]", b"[%s]%s"], ids=["before", "within", "after"])
def test_a_list_with_something_beside_it_is_not_json(body: bytes, beside: bytes) -> None:
    parts = (GOOD, beside) if body.startswith(b"[%s]") else (beside, GOOD)
    for read in (slices_of_array, slices_of_document):
        with pytest.raises(MalformedInput, match=r"JSON|no rows"):
            read(body % parts)


@pytest.mark.parametrize("body", [GOOD + b"]", b"[" + GOOD, GOOD + b"," + GOOD, b"}" + GOOD + b"]"])
def test_a_list_without_both_its_brackets_is_not_json(body: bytes) -> None:
    for read in (slices_of_array, slices_of_document):
        with pytest.raises(MalformedInput, match="JSON"):
            read(body)


TOKENS = [bytes([sign]) for sign in b'[]{},:"\\0.e-+ \x00\xff'] + [b"null", b"NaN", b"hello", b'"a":1,', b"//"]
SHAPED = [
    array_of([GOOD, GOOD]),
    b'{"dataframe_records": %s}' % array_of([GOOD]),
    b'{"columns": {"amount": [1, 2], "age": [40, 41], "more": [{"a": "x"}, null]}}',
    b'{"dataframe_split": {"columns": ["amount", "age"], "data": [[1, 40], [2, 41]]}}',
]


@given(
    body=st.sampled_from(SHAPED),
    at=st.one_of(st.just(0), st.just(-1), st.integers(0, 90)),
    removed=st.integers(0, 2),
    token=st.sampled_from([b"", *TOKENS]),
)
def test_whatever_is_accepted_is_json(body: bytes, at: int, removed: int, token: bytes) -> None:
    at = len(body) if at < 0 else at
    changed = body[:at] + token + body[at + removed :]
    for read in (slices_of_array, slices_of_document):
        try:
            slices = read(changed)
        except PretError:
            continue
        # What is NaN is told of as an invalid row.
        if not any(checked.report.invalid_rows for checked in slices):
            json.loads(changed, parse_constant=pytest.fail)


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
def test_an_empty_list_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedInput, match="no rows"):
        read_array(body)


@pytest.mark.parametrize("body", [GOOD, b"{}", b"null", b'"[]"', b"5"])
def test_a_list_that_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedInput, match="not a JSON array of objects"):
        read_array(body)


def test_of_a_key_that_comes_twice_the_last_counts_alone_and_in_a_batch() -> None:
    body = b'{"amount": 1, "age": 40, "amount": 2.5}'
    assert row_from_json(body, CONTRACT)["amount"] == 2.5
    [batch] = batches_from_json(array_of([body]), CONTRACT)
    assert batch.to_pylist()[0]["amount"] == 2.5
    for read in (one, many):
        assert [error.column for error in report_of(read, b'{"amount": 1, "age": 40, "amount": -1}').errors] == [
            "amount"
        ]


ODD_VALUES = [
    VALUE,
    f"-{VALUE}",
    f"{VALUE}.5",
    f'"{VALUE}"',
    f"[{VALUE}]",
    f'{{"{VALUE}": 1}}',
    VALUE * 60,
]


@READERS
@pytest.mark.parametrize("feature", ["amount", "age", "flag", "word", "step", "more", "most"])
def test_no_value_is_ever_repeated(read: Reader, feature: str) -> None:
    for value in ODD_VALUES:
        row = {"amount": f"{VALUE}1", "age": VALUE, "flag": '"x"', "most": VALUE} | {feature: value}
        body = "{" + ",".join(f'"{name}": {text}' for name, text in row.items()) + "}"
        report = report_of(read, body.encode())
        assert VALUE not in json.dumps(report.as_dict())


@READERS
@pytest.mark.parametrize("broken", ["{", "\ud800", '"', "\x01", "["])
def test_not_even_of_what_is_not_json(read: Reader, broken: str) -> None:
    with pytest.raises(PretError) as caught:
        read(f'{{"word": "{VALUE}", "amount": {broken}{VALUE}}}'.encode("utf-8", "surrogatepass"))
    assert VALUE not in f"{caught.value} {caught.value.reason} {getattr(caught.value, 'report', '')}"


@READERS
def test_a_long_unknown_key_is_cut(read: Reader) -> None:
    [error] = report_of(read, b'{"amount": 1, "age": 40, "' + b"k" * 10_000 + b'": 1}').errors
    assert error.column == "k" * MAX_NAME_LENGTH + "…"


@READERS
def test_errors_are_capped_with_their_true_number(read: Reader) -> None:
    keys = ",".join(f'"k{i}": 1' for i in range(250))
    report = report_of(read, f'{{"amount": 1, "age": 40, {keys}}}'.encode())
    assert (len(report.errors), report.invalid_rows, report.invalid_values) == (MAX_REPORTED, 1, 250)


def test_all_invalid_rows_are_counted_and_the_first_hundred_named() -> None:
    report = report_of(read_array, array_of([GOOD, b"{}"] * 1750))
    assert (report.invalid_rows, report.invalid_values) == (1750, 2 * 1750)
    assert [found.row for found in report.errors] == sorted([1 + 2 * i for i in range(50)] * 2)


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (b'{"amount": -1, "age": 40}', "greater_than_equal"),
        (b'{"amount": 2, "age": 40, "most": 1}', "not_ordered"),
        (b'{"amount": NaN, "age": 40}', "finite_number"),
    ],
)
def test_row_numbers_count_from_the_start_of_the_body(bad: bytes, kind: str) -> None:
    rows = [GOOD] * 3000
    rows[2345] = bad
    [error] = report_of(read_array, array_of(rows)).errors
    assert (error.row, error.type) == (2345, kind)
    first_slice = read_array(array_of([GOOD] * 3000))[0]
    rows[first_slice] = rows[first_slice - 1] = bad
    expected = sorted([first_slice - 1, first_slice, 2345])
    assert [found.row for found in report_of(read_array, array_of(rows)).errors] == expected


@pytest.mark.parametrize("rows", [1, SLICE_ROWS, 4 * SLICE_ROWS, 20 * SLICE_ROWS + 1])
def test_a_body_comes_in_slices_in_the_order_of_its_rows(rows: int) -> None:
    amounts = [i + 0.25 for i in range(rows)]
    body = json.dumps([{"amount": amount, "age": 40} for amount in amounts], indent=1).encode()
    batches = list(batches_from_json(body, CONTRACT))
    assert max(batch.num_rows for batch in batches) <= 1.2 * SLICE_ROWS
    assert len(batches) <= 3 + rows / SLICE_ROWS
    assert [amount for batch in batches for amount in batch.column("amount").to_pylist()] == amounts


def test_types_and_order_of_a_row_are_checked_in_this_turn() -> None:
    report = report_of(
        read_array, array_of([b'{"amount": 2, "age": "x", "most": 1}', b'{"amount": 2, "age": 40, "most": 1}'])
    )
    assert report.errors == (
        InvalidValue(0, "age", "int_type"),
        InvalidValue(1, "most", "not_ordered", {"other": "amount"}),
    )


AWKWARD = [
    b'{"amount": 1, "age": 40, "word": "},{"}',
    rb'{"amount": 2, "age": 40, "word": "\"},{\""}',
    b'{"amount": 3, "age": 40, "word": "[{},{}]"}',
    b'{"amount": 4, "age": 40, "most": NaN, "most": 5}',
]


@pytest.mark.parametrize("size", [1, 40, 100])
def test_a_body_is_never_cut_within_a_row(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(json_slices, "FIRST_SLICE_BYTES", size)
    monkeypatch.setattr(json_slices, "MAX_SLICE_BYTES", size)
    rows = [AWKWARD[(i * i) % len(AWKWARD)] for i in range(60)]
    batches = list(batches_from_json(b" [ " + b" , ".join(rows) + b" ] ", CONTRACT))
    assert [amount for batch in batches for amount in batch.column("amount").to_pylist()] == [
        float((i * i) % len(AWKWARD) + 1) for i in range(60)
    ]
    with pytest.raises(MalformedInput, match="line 1, character"):
        list(batches_from_json(b"[" + b",".join(rows) + b"],{}", CONTRACT))


def test_nested_lists_of_objects_are_not_taken_for_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_slices, "FIRST_SLICE_BYTES", 1)
    nested = b'{"amount": 1, "age": 40, "more": [{"a": 1},{"a": 2},{"a": 3},{"a": 4},{"a": 5}]}'
    assert [error.row for error in report_of(read_array, array_of([nested, GOOD, nested])).errors] == [0, 2]


def test_validated_slices_tell_of_invalid_rows_and_go_on() -> None:
    body = array_of([GOOD, b'{"amount": -1, "age": 4}', b"5"])
    [checked] = validated_from_json(body, CONTRACT, ReadOptions(), ignore_extra=False)
    assert checked.words is not None
    assert checked.words.to_pylist() == [
        None,
        "amount: Input should be greater than or equal to 0; age: Input should be greater than or equal to 18",
        "Input should be an object",
    ]
    assert checked.details is not None
    assert [text and json.loads(text) for text in checked.details.to_pylist()] == [
        None,
        [error.in_row() for error in checked.report.errors[:2]],
        [{"column": None, "type": "dict_type", "message": "Input should be an object", "params": {}}],
    ]
    assert (checked.report.invalid_rows, checked.report.invalid_values) == (2, 3)
    assert checked.batch.num_rows == 3


def test_what_is_invalid_in_all_slices_is_counted_and_the_first_hundred_named() -> None:
    body = array_of([GOOD, b'{"amount": -1, "age": 4}'] * (2 * SLICE_ROWS))
    slices = Tally().watch(validated_from_json(body, CONTRACT, ReadOptions(), ignore_extra=False), "reject")
    report = report_of(lambda _: list(slices), b"")
    assert (len(report.errors), report.invalid_rows) == (MAX_REPORTED, 2 * SLICE_ROWS)
    assert report.invalid_values == 4 * SLICE_ROWS


FULL = {"amount": 1.5, "age": 40, "flag": True, "word": "a", "step": 1, "most": 2.0}


@pytest.mark.parametrize(
    ("row", "ignore_extra", "found"),
    [
        (FULL | {"id": 1}, False, []),
        (FULL | {"more": 1}, False, ["more"]),
        (FULL | {"more": 1, "id": "x"}, True, []),
        ({"amount": 1, "age": 40, "id": 5}, True, []),
        ({"amount": 1, "age": 40, "more": 5}, True, ["more"]),
        ({"amount": 1, "more": 5}, True, ["age", "more"]),
        ({"amount": 1, "more": 5}, False, ["age", "more"]),
    ],
)
def test_unknown_keys(row: dict[str, object], ignore_extra: bool, found: list[str]) -> None:
    first = FULL | {"id": row.get("id", 7)}
    body = json.dumps([first, row]).encode()
    [checked] = validated_from_json(body, CONTRACT, ReadOptions(keep=("id",)), ignore_extra=ignore_extra)
    assert [(error.row, error.column) for error in checked.report.errors] == [(1, name) for name in found]
    assert checked.kept is not None
    assert checked.kept.to_pylist() == [{"id": first["id"]}, {"id": row.get("id")}]


ROWS = [FULL, FULL | {"amount": 0.25, "most": None}, FULL | {"flag": None}]
SHAPES: list[object] = [
    ROWS,
    {"dataframe_records": ROWS},
    {"dataframe_split": {"index": [7, 8, 9], "columns": list(FULL), "data": [list(row.values()) for row in ROWS]}},
    {"dataframe_split": {"columns": ["x", *FULL], "data": [[[1, "y"], *row.values()] for row in ROWS]}},
    {"columns": {name: [row[name] for row in ROWS] for name in reversed(FULL)}},
    {"columns": {"x": [{}, 1, "y"]} | {name: [row[name] for row in ROWS] for name in FULL}},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_the_same_rows(shape: object) -> None:
    [checked] = validated_from_document(json.dumps(shape).encode(), CONTRACT, ReadOptions(keep=("word",)))
    assert checked.batch.to_pylist() == ROWS
    assert checked.kept is not None
    assert checked.kept.to_pydict() == {"word": ["a", "a", "a"]}
    assert checked.report == ALL_VALID


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bad", ['"x"', "NaN", "true", "[1]"])
def test_every_shape_names_the_same_bad_row(shape: object, bad: str) -> None:
    [checked] = validated_from_document(json.dumps(shape).replace("0.25", bad).encode(), CONTRACT, ReadOptions())
    assert [(error.row, error.column) for error in checked.report.errors] == [(1, "amount")]


def test_columns_of_many_rows_come_in_slices() -> None:
    rows = 2 * SLICE_ROWS + 1
    columns: dict[str, list[object]] = {"amount": [float(i) for i in range(rows)], "age": [40] * rows}
    columns["age"][SLICE_ROWS] = "x"
    split = {"dataframe_split": {"columns": list(columns), "data": list(zip(*columns.values(), strict=True))}}
    for shape in ({"columns": columns}, split):
        slices = list(validated_from_document(json.dumps(shape).encode(), CONTRACT, ReadOptions()))
        assert len(slices) > 2
        assert [error.row for checked in slices for error in checked.report.errors] == [SLICE_ROWS]
        good = [row for checked in slices for row in checked.batch.column("amount").to_pylist()]
        assert [value for i, value in enumerate(good) if i != SLICE_ROWS] == [
            float(i) for i in range(rows) if i != SLICE_ROWS
        ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{}", "an object with exactly one of the keys"),
        ('{"rows": []}', "exactly one of the keys .*, .* or 'columns'"),
        (
            '{"columns": {}, "dataframe_records": []}',
            "an object with exactly one of the keys 'dataframe_split', 'dataframe_records' or 'columns'",
        ),
        ('{"columns": 5}', "where an object is expected"),
        ('{"columns": {"amount": 5, "age": [40]}}', "Column 'amount' is not a list"),
        ('{"columns": {"amount": [1, 2], "age": [40]}}', "not all have the same length"),
        ('{"columns": {"amount": [], "age": []}}', "no rows"),
        ('{"dataframe_records": []}', "no rows"),
        ('{"dataframe_records": {}}', "not a JSON array"),
        ('{"dataframe_split": {"columns": ["amount", "age"]}}', "must have the keys columns and data"),
        ('{"dataframe_split": {"columns": ["amount", "age"], "data": [], "x": 1}}', "nothing else"),
        ('{"dataframe_split": {"columns": ["amount", "age"], "data": []}}', "no rows"),
        ('{"dataframe_split": {"columns": ["amount", "age"], "data": 5}}', "not a JSON array"),
        ('{"dataframe_split": {"columns": ["amount", 5], "data": [[1, 2]]}}', "not a list of names"),
        ('{"dataframe_split": {"columns": ["amount", "age"], "data": [[1, 40], [1]]}}', "Row 1 of dataframe_split"),
        ('{"dataframe_split": {"columns": ["amount", "age"], "data": [{"amount": 1}]}}', "Row 0 of dataframe_split"),
        ('{"columns": {"amount": [1]', "not valid JSON"),
        ("5", "not a JSON array"),
        ("", "not valid JSON"),
    ],
)
def test_what_is_of_no_shape_is_rejected_in_words(body: str, said: str) -> None:
    with pytest.raises(MalformedInput, match=said):
        list(validated_from_document(body.encode(), CONTRACT, ReadOptions()))


@pytest.mark.parametrize(
    "shape",
    [
        {"columns": {"amount": [1]}},
        {"columns": {"amount": [1], "age": [40], "more": [1]}},
        {"dataframe_split": {"columns": ["amount", "age", "age"], "data": [[1, 40, 40]]}},
    ],
)
def test_columns_that_do_not_match_are_refused(shape: object) -> None:
    with pytest.raises(WrongColumns):
        list(validated_from_document(json.dumps(shape).encode(), CONTRACT, ReadOptions()))


@pytest.mark.parametrize("elements", [b"1", b"[]", b'"x"', b"null"])
def test_a_large_array_of_what_is_no_row_is_refused_without_taking_it_apart(numbers: Kit, elements: bytes) -> None:
    contract = make_contract(numbers.inputs)
    body = b"[" + b",".join([elements] * (3 * 2**20 // len(elements))) + b"]"
    with pytest.raises(MalformedInput, match="not a row"):
        list(validated_from_json(body, contract, ReadOptions(), ignore_extra=True))


def test_a_row_of_endless_keys_is_refused_for_its_length(numbers: Kit) -> None:
    contract = make_contract(numbers.inputs)
    row = numbers.rows[0] | {f"key{i}": "x" for i in range(40_000)}
    [checked] = validated_from_json(json.dumps([row]).encode(), contract, ReadOptions(), ignore_extra=False)
    assert [error.type for error in checked.report.errors] == ["too_long"]


MEGABYTES = 4 * 2**20
KEYS = ",".join(f'"{key:x}":1' for key in range(MEGABYTES // 10))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('[{"a":[' + "[]," * (MEGABYTES // 3) + "1]},NaN]", "not a row"),
        ("{" + KEYS + "}", "exactly one of the keys"),
        ("{" + KEYS + "x}", "not valid JSON"),
        ('{"columns":{' + KEYS + "}}", "Missing columns"),
        ('{"dataframe_split":{"columns":[' + KEYS.replace(":1", "") + '],"data":[[1]]}}', "more than 100,000 columns"),
        ('{"columns":{"age":[NaN,' + "[]," * (MEGABYTES // 3) + "1]}}", "Missing columns"),
    ],
    ids=["nested beside NaN", "keys", "keys that are no JSON", "columns", "names", "nested column"],
)
def test_a_large_body_is_not_made_objects_of_before_it_is_known_to_hold_rows(body: str, said: str) -> None:
    text = body.encode()
    tracemalloc.start()
    try:
        with pytest.raises(PretError, match=said):
            slices_of_document(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(text)
