"""How much a caller may send: requests per second and rows per day, counted for all processes."""

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest

from api.access import quotas
from shared import usage
from shared.formats.format import FORMATS, Format
from shared.keys import Limits, parse
from shared.usage import Taken, Usage
from tests.factories import Kit, Row
from tests.processes import DEADLINE, wait_for
from tests.unit.api.access.keyed import entry, keyed_api, with_key
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench, as_file

BUSY, EAGER, FREE = map(with_key, ("busy", "eager", "free"))
ROWS = 10
API_KEYS = ",".join(
    [
        entry("busy", "score+jobs", more=":requests=5"),
        entry("eager", "score+jobs", more=f":requests=100000:rows={ROWS}"),
        entry("free", "score+jobs"),
    ]
)
ONE = "/individual_score"
NEVER = 1e9


@pytest.fixture
def limited(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiClient]:
    # Nothing is filled up, however slow the machine is.
    filling = "(facts[2] or now)) * rate"
    assert filling in usage._TAKE
    monkeypatch.setattr(usage, "_TAKE", usage._TAKE.replace(filling, filling.replace("rate", "0")))
    # Nor is anybody let in uncounted.
    monkeypatch.setattr(quotas, "PATIENCE", DEADLINE)
    with keyed_api(bench, api_keys=API_KEYS) as client:
        yield client


def fields(answer: Any) -> dict[str, dict[str, int]]:
    """The fields RateLimit-Policy and RateLimit as one table: by policy, its parameters."""
    found: dict[str, dict[str, int]] = {}
    for name in ("ratelimit-policy", "ratelimit"):
        for item in answer.headers.get(name, "").split(", "):
            if item:
                policy, *parameters = item.split(";")
                assert re.fullmatch(r'"\w+"', policy)
                pairs = (each.split("=") for each in parameters)
                found.setdefault(policy.strip('"'), {}).update({key: int(value) for key, value in pairs})
    return found


def test_requests_beyond_those_of_a_second_are_told_when_to_come_back(limited: ApiClient, numbers: Kit) -> None:
    answers = [limited.post(ONE, json=numbers.rows[0], headers=BUSY) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert [fields(answer)["requests"]["r"] for answer in answers] == [4, 3, 2, 1, 0, 0, 0]
    assert all(fields(answer)["requests"].items() >= {"q": 5, "w": 1, "t": 1}.items() for answer in answers)
    problem = assert_problem(answers[-1], 429)
    assert (kind_of(problem), problem["params"], answers[-1].headers["retry-after"]) == (
        "requests-exceeded",
        {"limit": 5, "seconds": 1},
        "1",
    )
    assert limited.get("/jobs", headers=BUSY).status_code == 429


def test_other_callers_do_not_notice(limited: ApiClient, numbers: Kit) -> None:
    for _ in range(20):
        answer = limited.post(ONE, json=numbers.rows[0], headers=FREE)
        assert answer.status_code == 200
        assert not fields(answer)


def test_the_quota_fills_up_again(bench: Workbench) -> None:
    with keyed_api(bench, api_keys=API_KEYS) as api:

        def spent() -> bool:
            return api.get("/jobs", headers=BUSY).status_code == 429

        wait_for("the quota to be used up", spent)
        wait_for("the quota to fill up", lambda: not spent())


def test_rows_beyond_those_of_a_day_wait_for_the_next(limited: ApiClient, numbers: Kit) -> None:
    first = limited.post("/jobs", json=numbers.rows[:6], headers=EAGER)
    assert (first.status_code, fields(first)["rows"]["q"], fields(first)["rows"]["w"]) == (202, ROWS, 86400)
    # What a process knows of the jobs of others may be a second old.
    _forget(limited)
    too_many = limited.post("/jobs", json=numbers.rows[:5], headers=EAGER)
    assert kind_of(assert_problem(too_many, 413)) == "rows-left-exceeded"
    assert too_many.json()["params"] == {"limit": 4}
    for left in (3, 2, 1, 0):
        answer = limited.post(ONE, json=numbers.rows[0], headers=EAGER)
        assert (answer.status_code, fields(answer)["rows"]["r"]) == (200, left)
    for path in (ONE, "/jobs", "/multiple_score"):
        late = limited.post(path, json=numbers.rows[:1], headers=EAGER)
        assert kind_of(assert_problem(late, 429)) == "rows-exceeded"
        assert 0 < int(late.headers["retry-after"]) <= 86400
        assert fields(late)["rows"]["r"] == 0
    assert limited.get("/jobs", headers=EAGER).json()["total"] == 1


def test_rows_that_the_api_scores_itself_count_too(limited: ApiClient, numbers: Kit) -> None:
    waiting = EAGER | {"Prefer": "wait=5"}
    first = limited.post("/multiple_score", json=numbers.rows[:6], headers=waiting)
    assert (first.status_code, fields(first)["rows"]["r"]) == (200, ROWS - 6)
    too_many = limited.post("/multiple_score", json=numbers.rows[:5], headers=waiting)
    assert (kind_of(assert_problem(too_many, 413)), too_many.json()["params"]) == ("rows-left-exceeded", {"limit": 4})
    last = limited.post("/multiple_score", json=numbers.rows[:4], headers=waiting)
    assert (last.status_code, fields(last)["rows"]["r"]) == (200, 0)
    assert limited.post(ONE, json=numbers.rows[0], headers=EAGER).status_code == 429


def test_a_file_with_too_many_rows_fails_and_costs_nothing(limited: ApiClient, bench: Workbench, numbers: Kit) -> None:
    names = list(numbers.rows[0])
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in numbers.rows[:11])]
    headers = EAGER | {"Content-Type": "text/csv"}
    job_id = limited.post("/jobs", content="\n".join(lines).encode(), headers=headers).json()["id"]
    error = bench.read(job_id).error
    assert error is not None
    assert (error.type, error.params) == ("rows-left-exceeded", {"limit": ROWS})
    _forget(limited)
    assert limited.post(ONE, json=numbers.rows[0], headers=EAGER).status_code == 200


@pytest.mark.parametrize("format", [Format.CSV, Format.PARQUET])
@pytest.mark.parametrize("bad", [[], [{"age": 17}]], ids=["valid", "invalid"])
def test_a_file_that_is_rejected_costs_nothing_however_it_is_read(
    limited: ApiClient, bench: Workbench, numbers: Kit, format: Format, bad: list[Row]
) -> None:
    rows = [*numbers.rows[:5], *(numbers.rows[5] | change for change in bad)]
    headers = EAGER | {"Content-Type": FORMATS[format].media_types[0]}
    job = bench.read(limited.post("/jobs", content=as_file(rows, format), headers=headers).json()["id"])
    assert job.in_place == (format is Format.PARQUET)
    if not job.state.is_final:
        # They are counted as soon as their number is known, so that nobody starts more than is left.
        assert _rows_left(limited) == ROWS - len(rows)
    assert bench.score_all(job).state == ("failed" if bad else "succeeded")
    assert _rows_left(limited) == (ROWS if bad else ROWS - len(rows))


def _rows_left(api: ApiClient) -> int:
    _forget(api)
    return fields(api.get("/jobs", headers=EAGER))["rows"]["r"]


def _forget(api: ApiClient) -> None:
    for meter in api.services.quotas._meters.values():
        meter.asked_at = -NEVER


def test_while_redis_is_away_single_scoring_goes_on(limited: ApiClient, bench: Workbench, numbers: Kit) -> None:
    bench.server.connected = False
    answers = [limited.post(ONE, json=numbers.rows[0], headers=BUSY) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    bench.server.connected = True

    def is_counted_again() -> bool:
        # Nobody waits for the first answer of Redis; on a busy machine, it may be one from the time before.
        _forget(limited)
        assert limited.post(ONE, json=numbers.rows[0], headers=BUSY).status_code == 200
        return not limited.services.quotas._meters["busy"].is_blind

    wait_for("the account", is_counted_again)
    answers = [limited.post(ONE, json=numbers.rows[0], headers=BUSY) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200, 429}


def test_a_redis_that_is_slow_holds_up_nobody_for_long(
    limited: ApiClient, numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = threading.Event(), []

    def slow(*arguments: Any) -> Taken:
        asked.append(arguments)
        answers.wait(60)
        return Taken(0, 0, 0)

    monkeypatch.setattr(limited.services.quotas._usage, "take", slow)
    monkeypatch.setattr(quotas, "FRESH", NEVER)
    monkeypatch.setattr(quotas, "PATIENCE", 0.1)
    began = time.monotonic()
    for _ in range(20):
        assert limited.post(ONE, json=numbers.rows[0], headers=BUSY).status_code == 200
    answers.set()
    assert len(asked) == 1
    assert time.monotonic() - began < 20


class TestUsage:
    def test_all_processes_share_an_account(self, redis_client: fakeredis.FakeRedis) -> None:
        one, other = Usage(redis_client), Usage(redis_client)
        granted = [each.take("ada", 10, 3, 0).requests for each in (one, other, one, other)]
        assert sum(granted) >= 10
        assert granted[:3] == [3, 3, 3]
        assert one.take("bob", 10, 3, 0).requests == 3

    def test_rows_add_up(self, redis_client: fakeredis.FakeRedis) -> None:
        account = Usage(redis_client)
        assert [account.take("ada", 0, 1, rows).rows_used for rows in (5, 0, 7)] == [5, 5, 12]
        assert account.take("bob", 0, 1, 1).rows_used == 1

    def test_nothing_stays_for_good(self, redis_client: fakeredis.FakeRedis) -> None:
        Usage(redis_client).take("ada", 10, 1, 1)
        keys: Any = redis_client.keys()
        assert len(keys) == 2
        assert all(redis_client.ttl(key) > 0 for key in keys)


def test_an_entry_may_have_limits() -> None:
    for more, expected in {
        "": None,
        ":requests=5": Limits(requests=5),
        ":rows=7": Limits(rows=7),
        ":requests=5:rows=7": Limits(5, 7),
    }.items():
        assert parse(entry("ada", "jobs", more=more))[0].limits == expected
    for more in (":requests=0", ":rows=7:requests=5", ":requests=5:requests=5", ":rows=-1", ":rows=1e3", ":"):
        with pytest.raises(ValueError, match="Entry 1"):
            parse(entry("ada", "jobs", more=more))
