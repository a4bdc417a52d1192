"""Traces by OpenTelemetry. Imported only where they are wanted, by `tracing`."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.tracing import TRACEPARENT, Kind, Value
from shared.version import service_version

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 3.0
"""Time for what waits to be sent when a process ends; a collector may not answer at all."""

KINDS: Mapping[Kind, trace.SpanKind] = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "producer": trace.SpanKind.PRODUCER,
    "consumer": trace.SpanKind.CONSUMER,
}


def create(service: str) -> "OpenTelemetry":
    """Make the tracer of a process, which sends to where the environment says."""
    # The exporter would repeat what the collector answers.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    return OpenTelemetry(service, BatchSpanProcessor(_Reporting(OTLPSpanExporter())))


class OpenTelemetry:
    """Makes spans, and gives them to a processor."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        facts = {"service.version": service_version()}
        if not os.environ.get("OTEL_SERVICE_NAME"):
            facts["service.name"] = service
        self._provider = TracerProvider(resource=Resource.create(facts), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("pret", service_version())
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, name: str, kind: Kind, parent: str | None, facts: Mapping[str, Value]) -> Iterator["_Span"]:
        """Begin a span; an error that leaves the block marks it as failed, by the name of its class alone."""
        within = self._propagator.extract({TRACEPARENT: parent}) if parent else None
        inner = self._tracer.start_span(name, within, KINDS[kind], attributes=_dotted(facts))
        own = _Span(inner)
        token = context.attach(trace.set_span_in_context(inner, within))
        try:
            yield own
        except BaseException as error:
            own.fail(type(error).__name__)
            raise
        finally:
            context.detach(token)
            inner.end()

    def past(self, name: str, began: int, ended: int, facts: Mapping[str, Value]) -> None:
        """Add a span that is over."""
        self._tracer.start_span(name, start_time=began, attributes=_dotted(facts)).end(ended)

    def traceparent(self) -> str | None:
        """Return what tells another process which span is under way."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get(TRACEPARENT)

    def shut_down(self) -> None:
        """Send what waits; a thread of its own, since this can take as long as the collector likes."""
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(SHUTDOWN_SECONDS)


class _Span:
    """A span of OpenTelemetry, as `tracing` knows them."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, **facts: Value) -> None:
        self._span.set_attributes(_dotted(facts))

    def fail(self, reason: str) -> None:
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, reason))


class _Reporting(SpanExporter):
    """Says once that traces are not delivered, and once that they are again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        result = self._exporter.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails != self._fails:
            log = logger.warning if fails else logger.info
            log("The collector of traces %s", "does not take them; they are dropped" if fails else "takes them again")
        self._fails = fails
        return result

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        return True


def _dotted(facts: Mapping[str, Value]) -> dict[str, Value]:
    return {name.replace("__", " ").replace("_", ".").replace(" ", "_"): value for name, value in facts.items()}
