"""One trace from a request over its messages to each unit of work and its steps; none, and no cost, unless it is asked for."""

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, StatusCode

from shared import tracing
from shared.jobs.job import READING
from shared.jobs.read import read_file
from shared.jobs.score import score_chunk
from shared.jobs.unit import attempt
from shared.opentelemetry import OpenTelemetry, create
from tests.collector import Collector, Manner, collecting
from tests.factories import Kit
from tests.unit.api.conftest import api_in
from tests.unit.workbench import Workbench, as_file

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def span_context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


class Spans:
    """The spans that have ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def __call__(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        [found] = [span for span in self() if span.name == name]
        return found

    def below(self, parent: ReadableSpan) -> list[str]:
        own = span_context(parent).span_id
        return [span.name for span in self() if span.parent is not None and span.parent.span_id == own]


@pytest.fixture
def spans() -> Iterator[Spans]:
    exporter = InMemorySpanExporter()
    tracing.use(OpenTelemetry("test", SimpleSpanProcessor(exporter)))
    yield Spans(exporter)
    tracing.use(None)


def work_off(bench: Workbench) -> None:
    """Do what the messages say, in the trace that they name."""
    while messages := bench.take_messages():
        for message in messages:
            job_id, unit = message["args"]
            step = read_file if unit == READING else score_chunk
            units = attempt(job_id, unit, step, bench.parts.workplace, message["headers"].get("traceparent"))
            bench.parts.queue.publish(bench.parts.store.get(job_id), units)


def test_a_job_is_one_trace_from_its_request_to_each_step(bench: Workbench, numbers: Kit, spans: Spans) -> None:
    bench.offer(numbers)
    with api_in(bench.folder, bench.client) as api:
        headers = {"Content-Type": "text/csv", "traceparent": CALLER}
        job = api.post("/jobs", content=as_file(numbers.rows[:10]), headers=headers).json()
        work_off(bench)
    assert bench.parts.store.get(job["id"]).state == "succeeded"
    assert {f"{span_context(span).trace_id:032x}" for span in spans()} == {CALLER.split("-")[1]}
    request, published = spans.named("POST /jobs"), spans.named("publish job")
    assert dict(request.attributes or {}) == {
        **{"http.request.method": "POST", "http.route": "/jobs", "http.response.status_code": 202},
    }
    assert spans.below(request) == ["publish job"]
    assert sorted(spans.below(published)) == ["read unit", "score unit", "score unit", "score unit"]
    assert spans.below(spans.named("read unit")) == ["read", "commit"]
    units = [span for span in spans() if span.name == "score unit"]
    for unit in units:
        assert spans.below(unit) == ["load", "write", "read", "score", "commit"]
    assert {(unit.attributes or {})["pret.job"] for unit in units} == {job["id"]}
    assert {(unit.attributes or {})["pret.outcome"] for unit in units} == {"done"}


def test_a_unit_that_fails_is_marked_by_the_kind_of_its_error_alone(
    bench: Workbench, numbers: Kit, spans: Spans
) -> None:
    bench.offer(numbers)
    job = bench.submit(numbers.rows[:4])

    def fail(_: object) -> None:
        raise OSError("/a/path/of/somebody")

    with pytest.raises(OSError, match="somebody"):
        attempt(job.id, "0", fail, bench.parts.workplace)
    unit = spans.named("score unit")
    assert (unit.status.status_code, unit.status.description) == (StatusCode.ERROR, "OSError")
    assert "somebody" not in unit.to_json()


@pytest.mark.parametrize("given", ["", "nonsense", "00-0-0-00", "é", CALLER.upper() + "0"])
def test_a_strange_context_of_a_caller_begins_a_trace_of_our_own(bench: Workbench, spans: Spans, given: str) -> None:
    with api_in(bench.folder, bench.client) as api:
        assert api.get("/api_health", headers={"traceparent": given.encode()}).status_code == 200
    assert spans.named("GET /api_health").parent is None


def test_a_reload_is_traced_with_its_steps(bench: Workbench, numbers: Kit, mixed: Kit, spans: Spans) -> None:
    bench.offer(numbers)
    with api_in(bench.folder, bench.client) as api:
        api.post("/reload_model")
    reload = spans.named("reload")
    assert spans.below(reload) == ["resolve"]
    assert (reload.attributes or {})["pret.outcome"] == "unchanged"
    assert spans.below(spans.named("POST /reload_model")) == ["reload"]


def test_without_the_variables_the_sdk_is_not_imported() -> None:
    program = "import sys; import api.main, worker.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    # FastAPI and redis-py import the interface by themselves, where it is installed.
    assert "shared.tracing" in imported
    assert not imported & {"shared.opentelemetry", "opentelemetry.sdk.trace", "opentelemetry.exporter", "requests"}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    ],
)
def test_traces_are_off_where_nobody_asks_for_them(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tracing.set_up("test")
    assert not tracing.is_on()
    assert tracing.traceparent() is None
    with tracing.span("nothing") as span:
        span.note(pret_fact=1)
    tracing.shut_down()


def sent_to(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> OpenTelemetry:
    for name, value in collector.environment().items():
        monkeypatch.setenv(name, value)
    tracer = create("test")
    with tracer.span("one", "internal", None, {}):
        pass
    return tracer


def test_spans_reach_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        tracer = sent_to(collector, monkeypatch)
        tracer.shut_down()
        assert ([span.name for span in collector.spans], collector.services) == (["one"], {"test"})


@pytest.mark.parametrize("manner", ["fails", "hangs"])
def test_a_collector_that_fails_is_said_once_and_holds_nobody_up(
    manner: Manner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with collecting(manner) as collector:
        tracer = sent_to(collector, monkeypatch)
        for _ in range(1000):
            with tracer.span("another", "internal", None, {}):
                pass
        # While the collector hangs, this returns.
        tracer.shut_down()
        assert collector.requests > 0
    told = [record for record in caplog.records if "telemetry" in record.name and record.levelno >= logging.WARNING]
    assert len(told) <= 1
    assert "long answer" not in caplog.text
