"""What a soak is made of: its plan and its orders follow from the seed, and its eye for logs and results is sharp."""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from scripts.bench.redis_proxy import Disturbance
from scripts.bench.soaking import checks, logs
from scripts.bench.soaking.client import Broken
from scripts.bench.soaking.faults import BRING
from scripts.bench.soaking.models import same
from scripts.bench.soaking.orders import BASE_ROWS, Way, orders_of
from scripts.bench.soaking.plan import ALONE, MID_UPLOAD, MOMENTS, Fault, chosen_moments, plan_of
from scripts.bench.soaking.record import Record
from shared.fleet import records
from shared.formats.format import ENCODINGS, FORMATS, Format
from shared.formats.writers import encode
from shared.jobs import job_scripts

EVENTS = 400
"""Fewer than half an hour has."""


@pytest.mark.parametrize("make", [plan_of, orders_of, chosen_moments])
def test_what_happens_follows_from_the_seed(make: object) -> None:
    assert callable(make)
    first, again, other = (list(islice(make(seed), 30)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_kind_of_fault_and_every_moment_comes(seed: int) -> None:
    events = list(islice(plan_of(seed), EVENTS))
    assert {fault for event in events for fault in event.faults} == set(Fault)
    assert {event.moment for event in events if event.moment} == set(MOMENTS)
    assert {event.disturbance for event in events if event.disturbance} == set(Disturbance)
    assert any(len(event.faults) > 1 for event in events)
    assert any(event.disturbance and event.faults for event in events)
    assert 0 < sum(not event.waits for event in events) < EVENTS / 2


def test_some_faults_come_alone() -> None:
    for event in islice(plan_of(4), EVENTS):
        if set(event.faults) & ALONE:
            assert len(event.faults) == 1
        assert len(set(event.faults)) == len(event.faults)


def test_an_event_of_a_moment_disturbs_its_command_or_brings_a_fault_at_it() -> None:
    for event in islice(plan_of(5), EVENTS):
        assert event.kinds
        if event.moment is MID_UPLOAD:
            assert event.faults
            assert event.label == f"{event.faults[0]} when half of a file is sent"
        elif event.moment is not None:
            assert event.disturbance is not None


def test_the_short_soak_has_every_moment() -> None:
    events = list(chosen_moments(1))
    assert {event.moment for event in events} == {None, *MOMENTS}
    assert len(events) < 40


def test_moments_name_scripts_that_there_are() -> None:
    named = {moment.match for moment in MOMENTS if isinstance(moment.match, str)} - {""}
    assert named
    assert named <= job_scripts.SCRIPTS.keys() | records.SCRIPTS.keys()


def test_every_fault_can_be_brought_about() -> None:
    assert BRING.keys() == set(Fault)


def test_orders_are_of_all_kinds_and_of_rows_that_there_are() -> None:
    orders = list(islice(orders_of(1), 600))
    assert {order.way for order in orders} == set(Way)
    assert {order.format for order in orders} == {order.results for order in orders} == set(Format)
    assert {order.encoding for order in orders} == {None, *ENCODINGS}
    assert len({order.name for order in orders}) == len(orders)
    for fact in (
        "bad",
        "keep",
        "key",
        "repeats",
        "webhook",
        "cancels",
        "slowly",
        "fails",
        "output",
        "is_rejected_at_once",
    ):
        assert 0 < sum(bool(getattr(order, fact)) for order in orders) < len(orders), fact
    for order in orders:
        assert order.rows > 0
        assert 0 <= order.bad <= order.rows
        assert 0 <= order.first <= BASE_ROWS - order.rows
        assert not order.repeats or order.key
        assert order.way in (Way.BODY, Way.FORM) or order.on_invalid == "reject"


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-02 03:04:05,678 INFO    worker.tasks: anything at all",
        "2026-01-02 03:04:05,678 WARNING worker.reconciler: Republishing 3 unit(s) of job 0123456789abcdef",
        "2026-01-02 03:04:05,678 WARNING worker.reconciler: [0123456789abcdef] Republishing 3 unit(s) of job 0123456789abcdef",
        "2026-01-02 03:04:05,678 WARNING shared.jobs.queue: [my-request.1] [0123.7] 2 task(s) could not be published yet",
        "2026-01-02 03:04:05,678 WARNING shared.fleet.member: Redis is away; this process could not report itself",
        "123:M 02 Jan 2026 03:04:05.678 * Ready to accept connections tcp",
        "123:M 02 Jan 2026 03:04:05.678 # User requested shutdown...",
        "INFO:     Application startup complete.",
    ],
)
def test_lines_of_every_day_and_of_expected_faults_are_expected(line: str) -> None:
    assert logs.is_expected(line)


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-02 03:04:05,678 ERROR   worker.reconciler: The search for lost work failed",
        "2026-01-02 03:04:05,678 WARNING somewhere: Republishing 3 unit(s) of job 0123456789abcdef",
        "Traceback (most recent call last):",
        '  File "shared/redis.py", line 1, in connect',
        "ValueError: something",
        "123:M 02 Jan 2026 03:04:05.678 # Bad file format reading the append only file",
    ],
)
def test_other_lines_are_not(line: str) -> None:
    assert not logs.is_expected(line)


BANNER = """ -------------- celery@host v5.7.0
--- ***** -----
-- ******* ---- Linux-6.1 2026-01-02 03:04:05
- ** ---------- [config]
- ** ---------- .> transport:   redis://:**@127.0.0.1:6379/0
 -------------- [queues]
                .> files            exchange=quick(direct) key=quick
"""
ERROR = "2026-01-02 03:04:05,678 ERROR   celery.app.trace: Task score_chunk[{}] raised unexpected"
TRACE = """Traceback (most recent call last):
  File "shared/redis.py", line 1, in connect
shared.errors.StorageUnavailable: The storage has no such file."""


def test_entries_that_differ_in_numbers_alone_are_told_once_and_a_traceback_by_its_end() -> None:
    calm = "2026-01-02 03:04:05,678 INFO    worker.tasks: all is well"
    first, second = ERROR.format("0123456789abcdef"), ERROR.format("fedcba9876543210")
    text = "\n".join([BANNER, calm, first, TRACE, calm, second, TRACE, calm, TRACE])
    told = " … shared.errors.StorageUnavailable: The storage has no such file."
    assert logs.unexpected(text) == {first + told: 2, calm + told: 1}
    assert logs.unexpected(f"{BANNER}{calm}\n") == {}


def test_a_caller_who_was_not_told_is_seen(tmp_path: Path) -> None:
    (tmp_path / "worker.log").write_text("… shared.jobs.notify: The webhook of job 12ab was not delivered: …\n")
    record = Record()
    logs.check_webhooks(tmp_path, {"12ab", "34cd"}, record)
    assert [violation.detail for violation in record.violations] == ["job 34cd"]


def test_a_single_bit_of_a_score_is_seen() -> None:
    expected = np.array([0.25, np.nan, 0.5])
    assert same([0.25, None, 0.5], expected)
    assert not same([np.nextafter(0.25, 1), None, 0.5], expected)
    assert not same([0.25, 0.1, 0.5], expected)
    assert not same([0.25, None, None], expected)
    assert not same([0.25, None], expected)


@pytest.mark.parametrize("format", [format for format in FORMATS if FORMATS[format].is_file and format != "ndjson"])
def test_results_are_read_to_the_bit_in_every_format(format: Format) -> None:
    table = pa.table({"score": [0.1 + 0.2, None, 1 / 3], "error": [None, "it is, as such, no number", None]})
    content = b"".join(bytes(piece) for piece in encode(format, table.schema, table.to_batches()))
    found = checks.table_of(content, format)
    assert found["score"].to_pylist() == table["score"].to_pylist()
    assert found["error"].to_pylist() == table["error"].to_pylist()


JOB = {"id": "1", "rows": 10, "rows_read": 10, "rows_done": 10, "granted": 6, "refused": 3, "invalid": 1}


def test_counts_that_do_not_agree_are_seen() -> None:
    checks.check_counts(JOB)
    for name in ("rows", "rows_done", "granted", "refused", "invalid"):
        with pytest.raises(Broken, match="counts"):
            checks.check_counts({**JOB, name: JOB[name] + 1})  # type: ignore[operator]


def test_a_unit_is_given_up_for_the_reason_within() -> None:
    reason = {"type": "storage-file-missing", "params": {}}
    job = {"error": {"type": "chunk-given-up", "params": {"unit": 0, "attempts": 3, "reason": reason}}}
    assert checks.is_given_up(job)
    assert checks.reason_within(job) == "storage-file-missing"
    assert checks.reason_within(job) not in checks.EXCUSES
    assert not checks.is_given_up({"error": None})
    assert checks.reason_within({"error": {"type": "invalid-rows", "params": {}}}) == "invalid-rows"


def test_the_record_tells_after_which_event_a_promise_was_broken(capsys: pytest.CaptureFixture[str]) -> None:
    record = Record()
    record.violation("a key is one job", "two")
    record.begin("kill Redis", ("kill Redis",))
    record.violation("a key is one job", "three")
    assert [violation.during for violation in record.violations] == ["before the first event", "kill Redis"]
    assert record.faults == Counter({"kill Redis": 1})
    assert "VIOLATION a key is one job: three" in capsys.readouterr().out


def test_the_record_tells_the_faults_that_a_job_may_have_met(monkeypatch: pytest.MonkeyPatch) -> None:
    record, clock = Record(), iter((10.0, 20.0, 30.0))
    monkeypatch.setattr("scripts.bench.soaking.record.time.monotonic", lambda: next(clock))
    assert record.events_since(5) == []
    for kind in ("a", "b", "c"):
        record.begin(kind, (kind,))
    assert record.events_since(5) == [("a",), ("b",), ("c",)]
    assert record.events_since(20) == [("a",), ("b",), ("c",)]
    assert record.events_since(25) == [("b",), ("c",)]
    assert record.events_since(35) == [("c",)]
