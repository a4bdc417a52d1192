"""A reason: its sentence, its way into JSON and back, and the errors that carry one."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import InvalidRows, MalformedInput, PretError, ReloadFailed, Report, UnknownJob
from shared.reasons import MAX_NAMES, MORE, InvalidValue, Reason, cut_names, fill
from shared.sentences import REASONS


@pytest.mark.parametrize(
    ("sentence", "params", "said"),
    [
        ("{count} {count:row is|rows are} bad.", {"count": 1}, "1 row is bad."),
        ("{count} {count:row is|rows are} bad.", {"count": 0}, "0 rows are bad."),
        ("{count:,} rows", {"count": 1234567}, "1,234,567 rows"),
        ("{limit:size}", {"limit": 64 * 2**30}, "64 GB"),
        ("{limit:size}", {"limit": 16 * 2**20}, "16 MB"),
        ("{limit:size}", {"limit": 20_000}, "20,000 bytes"),
        ("{limit:size}", {"limit": 1}, "1 byte"),
        ("{limit:size}", {"limit": 0}, "0 bytes"),
        ("{file!r}", {"file": "a'b\n"}, '"a\'b\\n"'),
        ("{names}", {"names": ["a"]}, "'a'"),
        ("{names}", {"names": list("abcde")}, "'a', 'b', 'c', 'd', 'e'"),
        ("{names}", {"names": list("abcdefg")}, "'a', 'b', 'c', 'd', 'e' and 2 more"),
        ("{names}", {"names": [*"abcdef", MORE]}, "'a', 'b', 'c', 'd', 'e' and more"),
        ("{values:or}", {"values": ["a"]}, "'a'"),
        ("{values:or}", {"values": [1, 2, 3]}, "1, 2 or 3"),
        ("So: {reason}", {"reason": Reason("unknown-job").as_dict()}, f"So: {REASONS['unknown-job']}"),
        ("{never} given", {}, "… given"),
    ],
)
def test_a_sentence_is_written_with_its_parameters(sentence: str, params: dict[str, Any], said: str) -> None:
    assert fill(sentence, params) == said


def test_a_reason_is_read_as_it_was_written_and_its_sentence_made_anew() -> None:
    reason = Reason("columns-missing", {"columns": ["é", "b"]})
    written = json.loads(json.dumps(reason.as_dict()))
    assert written == {
        "type": "columns-missing",
        "message": "Missing columns: 'é', 'b'.",
        "params": {"columns": ["é", "b"]},
    }
    assert Reason.from_dict(written) == Reason.from_dict({**written, "message": "another"}) == reason
    assert Reason.from_dict({"type": "unknown-job"}) == Reason("unknown-job")


def test_a_type_that_another_version_of_the_service_knows_does_no_harm() -> None:
    assert Reason("from-the-future", {"limit": 5}).message == "from-the-future"
    assert InvalidValue(1, "age", "from_the_future").text == "age: from_the_future"


def test_an_invalid_value_is_read_as_it_was_written() -> None:
    value = InvalidValue(3, "age", "greater_than_equal", {"limit": 18})
    written = json.loads(json.dumps(value.as_dict()))
    assert list(written) == ["row", "column", "type", "message", "params"]
    assert InvalidValue.from_dict(written) == value
    assert value.in_row() == {name: part for name, part in written.items() if name != "row"}


def test_names_that_a_caller_made_up_are_cut_in_length_and_number() -> None:
    names = cut_names(["n" * 1000] * 1000)
    assert (len(names), names[-1], max(map(len, names))) == (MAX_NAMES + 1, MORE, 101)
    assert cut_names(["a", "b"]) == ["a", "b"]


# Errors.


MADE: list[Callable[[], PretError]] = [
    UnknownJob,
    lambda: MalformedInput("csv-nul", line=3),
    lambda: InvalidRows(Report.of_row([InvalidValue(None, "a", "missing")])),
    lambda: ReloadFailed("reload-failed", process="api", reason=Reason("unknown-job"), processes=["one"]),
]


@pytest.mark.parametrize("make", MADE)
def test_an_error_goes_from_process_to_process_as_it_is(make: Callable[[], PretError]) -> None:
    error = make()
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - just written
    assert type(again) is type(error)
    assert (vars(again), str(again)) == (vars(error), str(error))


def test_an_error_is_made_of_the_reason_of_another() -> None:
    error = MalformedInput.of(Reason("csv-nul", {"line": 3}))
    assert (error.reason, str(error)) == (Reason("csv-nul", {"line": 3}), "Line 3 contains a NUL byte.")


def test_an_error_must_say_what_is_wrong() -> None:
    with pytest.raises(TypeError, match="MalformedInput has no default type"):
        MalformedInput()
