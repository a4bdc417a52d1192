"""NaN and Infinity in JSON: found outside of strings only, and written back as they were."""

import json
import runpy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from shared.errors import MalformedInput
from shared.formats import json_nan
from shared.formats.json_nan import MAX_WORDS, STANDS_FOR, with_nan, without_nan
from shared.formats.json_parts import decoded

VALUES = st.recursive(
    st.one_of(
        st.sampled_from(
            [float("nan"), float("inf"), float("-inf"), 1, "NaN", 'a"NaN', '\\"Infinity', "\\", '\\\\"', None]
        ),
        st.text(max_size=3),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["NaN", 'x"', "\\"]), inner)),
    max_leaves=8,
)


def strict(text: bytes) -> Any:
    return json.loads(text, parse_constant=pytest.fail)


@given(value=VALUES)
def test_what_is_written_so_is_json_and_can_be_undone(value: Any) -> None:
    text = json.dumps(value).encode()
    written = without_nan(text)
    if written is None:
        strict(text)
    else:
        strict(written)
        assert with_nan(written) == text


def test_with_too_many_of_them_a_text_is_just_no_json() -> None:
    assert without_nan(b"[" + b"NaN," * MAX_WORDS + b"1]") is not None
    assert without_nan(b"[" + b"NaN," * MAX_WORDS + b"NaN]") is None


def test_nobody_can_send_what_stands_for_them() -> None:
    others = runpy.run_path(json_nan.__file__)["STANDS_FOR"]
    assert others.keys() == STANDS_FOR.keys()
    assert not {*others.values()} & {*STANDS_FOR.values()}


@pytest.mark.parametrize(
    "body",
    [
        "[NaN, NaN, 1,]",
        '{"a": NaN, "b": }',
        '{"a": [\n1,\nNaN, -Infinity, x]}',
        "[NaN",
        "[NaN]]",
        '{"a": 1,\n "NaN": NaN,,}',
    ],
)
def test_what_is_no_json_beside_them_is_told_with_its_place_in_what_was_sent(body: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        decoded(body.encode(), Raw)
    with pytest.raises(MalformedInput) as plain:
        # As long, and JSON.
        decoded(body.replace("-Infinity", "123456789").replace("NaN", "123").encode(), Raw)
    assert caught.value.reason == plain.value.reason
