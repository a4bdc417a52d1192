"""Bodies of requests: what is wrong is named by row, field and reason, in few words, and never repeated."""

import json
import re
from collections.abc import Callable

import pytest

from shared.errors import MAX_NAME_LENGTH, MAX_REPORTED_ROW_ERRORS, InvalidRows, MalformedInput, PretError, RowError
from shared.formats.json_rows import SLICE_ROWS, batches_from_json, row_from_json
from tests.factories import make_contract

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


def errors_of(read: Callable[[bytes], object], body: bytes) -> InvalidRows:
    with pytest.raises(InvalidRows) as caught:
        read(body)
    return caught.value


def array_of(rows: list[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"


def read_array(body: bytes) -> list[int]:
    return [batch.num_rows for batch in batches_from_json(body, CONTRACT)]


@READERS
@pytest.mark.parametrize(
    ("body", "feature", "kind"),
    [
        ('{"amount": 1, "age": 40, "more": 1}', "more", "extra_forbidden"),
        ('{"amount": 1}', "age", "missing"),
        ('{"amount": "1", "age": 40}', "amount", "float_type"),
        ('{"amount": true, "age": 40}', "amount", "float_type"),
        ('{"amount": 1, "age": 40.0}', "age", "int_type"),
        ('{"amount": 1, "age": false}', "age", "int_type"),
        ('{"amount": 1, "age": null}', "age", "int_type"),
        ('{"amount": -1, "age": 40}', "amount", "greater_than_equal"),
        ('{"amount": 1, "age": 101}', "age", "less_than_equal"),
        ('{"amount": 1, "age": 40, "step": 2}', "step", "literal_error"),
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
def test_a_bad_row_is_named_with_feature_and_reason(read: Reader, body: str, feature: str | None, kind: str) -> None:
    [error] = errors_of(read, body.encode()).errors
    assert (error.row, error.feature, error.type) == (None if read is one else 1, feature, kind)
    assert error.reason


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
def test_what_is_not_json_is_refused_with_its_place(read: Reader, body: bytes) -> None:
    with pytest.raises(PretError) as caught:
        read(body)
    if isinstance(caught.value, InvalidRows):
        [error] = caught.value.errors
        assert (read, error.row, error.type) == (many, 1, "json_invalid")
        assert "line 1 column" in error.reason
    else:
        assert isinstance(caught.value, MalformedInput)
        assert re.search(r"line 1 column|\(byte|depth", str(caught.value))


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
def test_an_empty_list_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedInput, match="empty"):
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
        assert [error.feature for error in errors_of(read, b'{"amount": 1, "age": 40, "amount": -1}').errors] == [
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
        error = errors_of(read, body.encode())
        assert VALUE not in f"{error} {error.errors}"


@READERS
@pytest.mark.parametrize("broken", ["{", "\ud800", '"', "\x01", "["])
def test_not_even_of_what_is_not_json(read: Reader, broken: str) -> None:
    with pytest.raises(PretError) as caught:
        read(f'{{"word": "{VALUE}", "amount": {broken}{VALUE}}}'.encode("utf-8", "surrogatepass"))
    assert VALUE not in f"{caught.value} {getattr(caught.value, 'errors', '')}"


@READERS
def test_a_long_unknown_key_is_cut(read: Reader) -> None:
    [error] = errors_of(read, b'{"amount": 1, "age": 40, "' + b"k" * 10_000 + b'": 1}').errors
    assert error.feature == "k" * MAX_NAME_LENGTH + "…"


@READERS
def test_errors_are_capped_with_their_true_number(read: Reader) -> None:
    keys = ",".join(f'"k{i}": 1' for i in range(250))
    error = errors_of(read, f'{{"amount": 1, "age": 40, {keys}}}'.encode())
    assert (len(error.errors), error.total) == (MAX_REPORTED_ROW_ERRORS, 250)
    assert "250" in str(error)


def test_all_bad_rows_are_counted_and_the_first_hundred_named() -> None:
    error = errors_of(read_array, array_of([GOOD, b"{}"] * 1750))
    assert error.total == 2 * 1750
    assert [found.row for found in error.errors] == sorted([1 + 2 * i for i in range(50)] * 2)


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
    [error] = errors_of(read_array, array_of(rows)).errors
    assert (error.row, error.type) == (2345, kind)
    rows[SLICE_ROWS] = rows[SLICE_ROWS - 1] = bad
    assert [found.row for found in errors_of(read_array, array_of(rows)).errors] == [999, 1000, 2345]


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1]), (1000, [1000]), (1001, [1000, 1]), (2500, [1000, 1000, 500])])
def test_a_body_comes_in_slices_in_the_order_of_its_rows(rows: int, sizes: list[int]) -> None:
    amounts = [i + 0.25 for i in range(rows)]
    body = json.dumps([{"amount": amount, "age": 40} for amount in amounts], indent=1).encode()
    batches = list(batches_from_json(body, CONTRACT))
    assert [batch.num_rows for batch in batches] == sizes
    assert [amount for batch in batches for amount in batch.column("amount").to_pylist()] == amounts


def test_types_and_order_of_a_row_are_checked_in_this_turn() -> None:
    error = errors_of(
        read_array, array_of([b'{"amount": 2, "age": "x", "most": 1}', b'{"amount": 2, "age": 40, "most": 1}'])
    )
    assert error.errors == [
        RowError(0, "age", "Input should be a valid integer", "int_type"),
        RowError(1, "most", "Input should not be less than amount", "not_ordered"),
    ]
