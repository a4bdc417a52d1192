"""The header Prefer, as RFC 7240 has it."""

import pytest
from starlette.requests import Request

from api.intake.prefer import wait_seconds

LONGEST = 30.0


def seconds(*headers: str) -> float | None:
    raw = [(b"prefer", header.encode("latin-1")) for header in headers]
    return wait_seconds(Request({"type": "http", "headers": raw}), LONGEST)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["wait=5"], 5),
        (["WAIT=5"], 5),
        (["Wait = 5"], 5),
        (['wait="5"'], 5),
        (["wait=0"], 0),
        (["respond-async, wait=7"], 7),
        (["wait=7,respond-async"], 7),
        (["respond-async", "wait=7"], 7),
        (["wait=3", "wait=7"], 3),
        (["wait=3, wait=7"], 3),
        (["wait=7; why=because"], 7),
        (["return=minimal; foo=bar , , wait=7"], 7),
        (["wait=31"], 30),
        (["wait=999999999"], 30),
        (["wait=99999999999999999999"], 30),
    ],
)
def test_a_wait_is_found_and_capped(headers: list[str], expected: float) -> None:
    assert seconds(*headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["wait"],
        ["wait="],
        ["wait=soon"],
        ["wait=-1"],
        ["wait=1.5"],
        ["wait=1e3"],
        ["wait='5'"],
        ['wait="5'],
        ["wait=5 6"],
        ["wait=\xb2"],
        ["waiting=5"],
        ["wait-for=5"],
        ["return=minimal; wait=5"],
        ['note="a, wait=5, b"'],
        [r'note="a\", wait=5"'],
    ],
)
def test_what_is_no_wait_is_passed_over(headers: list[str]) -> None:
    assert seconds(*headers) is None


def test_an_unreadable_preference_does_not_spoil_the_next_header() -> None:
    assert seconds('note="open', "wait=4") == 4


def test_a_header_of_many_quotes_takes_no_time_and_says_nothing() -> None:
    # Telling its quotes apart would take minutes, and the test its time limit.
    assert seconds('"' + r"\"" * 100_000, "wait=5") == 5
