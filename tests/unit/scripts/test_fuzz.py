"""The fuzzer sends the same for the same seed, and knows a fault when it meets one."""

import json
from email.message import Message
from pathlib import Path

import pytest

from scripts.bench.fuzzing.large import BODIES
from scripts.bench.fuzzing.requests import Request, Requests
from scripts.bench.fuzzing.verdict import PROBLEM, Verdict, fault_in
from shared.formats.json_rows import row_from_json
from shared.settings import Settings
from tests.factories import Kit, make_contract

VALID = Request(b"", "POST", is_whole=True, is_valid=True)
ODD = Request(b"", "POST", is_whole=True)
BODY = json.dumps({"type": "urn:x"}).encode()


def headers(**changes: str) -> Message:
    made = Message()
    for name, value in ({"Content-Type": PROBLEM, "X-Content-Type-Options": "nosniff"} | changes).items():
        made[name] = value
    return made


def test_a_seed_decides_what_is_sent(numbers: Kit) -> None:
    one, same, other = (
        [requests.next().text for _ in range(300)]
        for requests in (Requests(numbers.rows, seed) for seed in ("1-0", "1-0", "2-0"))
    )
    assert one == same != other
    assert len(set(one)) > 250


def test_what_is_taken_for_valid_is_valid(numbers: Kit) -> None:
    contract = make_contract(numbers.inputs, numbers.metadata["features"], numbers.metadata["ordered"])
    requests = Requests(numbers.rows, "1-0")
    valid = [request for request in (requests.next() for _ in range(500)) if request.is_valid]
    assert valid
    for request in valid:
        assert row_from_json(request.text.partition(b"\r\n\r\n")[2], contract)


@pytest.mark.parametrize(
    ("request_", "status", "head", "body", "is_fault"),
    [
        (VALID, 200, headers(), b"{}", False),
        (VALID, 422, headers(), BODY, True),
        (ODD, 200, headers(), b"{}", False),
        (ODD, 422, headers(), BODY, False),
        (ODD, 500, headers(), BODY, True),
        (ODD, 400, headers(**{"Content-Type": "text/plain"}), BODY, True),
        (ODD, 400, headers(**{"X-Content-Type-Options": ""}), BODY, True),
        (ODD, 400, headers(), b'{"type": ""}', True),
    ],
)
def test_an_answer_is_a_fault_or_none(
    request_: Request, status: int, head: Message, body: bytes, is_fault: bool
) -> None:
    assert bool(fault_in(request_, status, head, body)) == is_fault


def test_errors_in_logs_are_faults(tmp_path: Path) -> None:
    (tmp_path / "api-1.log").write_text(
        "2026-11-30 00:00:00,000 INFO     api: fine\n"
        "2026-11-30 00:00:00,000 ERROR    api.errors: A request failed with KeyError\n"
        "Traceback (most recent call last):\n"
    )
    verdict = Verdict()
    verdict.look_at_logs(tmp_path)
    assert {what: len(found) for what, found in verdict.faults.items()} == {"an error in the log of api-1": 2}


@pytest.mark.parametrize("kind", BODIES)
def test_a_large_body_is_as_large_as_is_accepted(kind: str, numbers: Kit) -> None:
    assert len(BODIES[kind](numbers.rows).content) <= Settings(_env_file=None).max_body_bytes
