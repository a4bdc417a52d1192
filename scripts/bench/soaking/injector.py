"""Brings about the events of a soak, one after the other, and measures how soon the service is there again."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle

import httpx

from scripts.bench.redis_proxy import Disturbance
from scripts.bench.soaking.client import Broken, Client, Ended, told
from scripts.bench.soaking.faults import BRING
from scripts.bench.soaking.models import Models
from scripts.bench.soaking.plan import MID_UPLOAD, RELOADS, Event, Fault
from scripts.bench.soaking.record import Record
from scripts.bench.soaking.site import Site
from scripts.bench.soaking.traffic import Traffic

MOMENT_PATIENCE = 15.0
"""Seconds that a chosen moment may take to come; most come within one."""

HALF_PATIENCE = 30.0
LATENESS = 2.0
"""Seconds by which a command or an answer is late: more than a client waits."""

RELOAD_DEADLINE = 120.0
CANARY_ROWS = 3

REJECTED = {httpx.codes.CONFLICT, httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT}
"""What a reload may end in besides success, while processes die: the fleet keeps what it has."""


class Injector:
    """Lets events happen until it is told to stop."""

    def __init__(self, site: Site, models: Models, record: Record, traffic: Traffic, stop: threading.Event) -> None:
        self._site = site
        self._models = models
        self._record = record
        self._traffic = traffic
        self._stop = stop
        self._client = traffic.client()
        self._next_version = cycle(reversed(models.versions))
        self._reloading: threading.Thread | None = None

    def run(self, events: Iterator[Event], deadline: float) -> None:
        """Let the events happen, until there are no more or the time is up; raises Ended if it is stopped."""
        for event in events:
            if self._stop.wait(event.pause):
                raise Ended
            if time.monotonic() > deadline:
                break
            print(f"{event.number:4} {event.label}", flush=True)
            self._happen(event)
        if self._reloading is not None:
            self._reloading.join(RELOAD_DEADLINE)

    def _happen(self, event: Event) -> None:
        with ExitStack() as until_mended:
            if event.moment is MID_UPLOAD:
                self._in_mid_upload(event, until_mended)
            else:
                self._reach(event)
                self._bring(event, until_mended)
            if self._stop.wait(event.seconds if event.faults else 0):
                raise Ended
        if event.waits:
            self._measure_recovery(event)

    def _bring(self, event: Event, until_mended: ExitStack) -> None:
        self._record.begin(event.label, event.kinds)
        for fault in event.faults:
            until_mended.enter_context(BRING[fault](self._site))
            if fault in RELOADS:
                self._begin_reload(fault)

    def _reach(self, event: Event) -> None:
        """Wait for the chosen moment, if the event has one, and disturb its command."""
        if event.moment is None or event.disturbance is None:
            return
        plan = self._site.proxy.disturb(event.moment.match, event.disturbance, nth=event.nth, seconds=LATENESS)
        if event.moment.cause is not None:
            self._begin_reload(event.moment.cause)
        # What is late is met before it is carried out.
        reached = plan.reached if event.disturbance is Disturbance.LATE_COMMAND else plan.done
        if not reached.wait(MOMENT_PATIENCE):
            self._site.proxy.forget(plan)
            self._record.count(self._record.missed, event.moment.name)

    def _in_mid_upload(self, event: Event, until_mended: ExitStack) -> None:
        at_half, go_on = threading.Event(), threading.Event()

        def wait_at_half() -> None:
            at_half.set()
            go_on.wait(HALF_PATIENCE)

        self._traffic.half_upload(event.number, wait_at_half)
        if not at_half.wait(HALF_PATIENCE):
            self._record.count(self._record.missed, MID_UPLOAD.name)
        self._bring(event, until_mended)
        go_on.set()

    def _measure_recovery(self, event: Event) -> None:
        """Measure how long after the event a few rows are scored as a job."""
        began = time.monotonic()
        rows = self._models.rows(0, CANARY_ROWS)
        try:
            answer = self._client.insist(lambda http: http.post("/jobs", json=rows), 202)
            self._client.end_of(answer.json()["id"])
        except Broken as broken:
            self._record.violation(broken.args[0], broken.args[1])
        self._record.recovered(time.monotonic() - began, event.label)

    def _begin_reload(self, kind: Fault) -> None:
        """Run a reload beside everything else, unless one is under way."""
        if self._reloading is not None and self._reloading.is_alive():
            return
        self._reloading = threading.Thread(target=self._reload, args=(kind,), daemon=True)
        self._reloading.start()

    def _reload(self, kind: Fault) -> None:
        version = next(self._next_version)
        if kind is Fault.RELOAD:
            self._models.install(version, self._site.model_dir)
        elif kind is Fault.BAD_RELOAD:
            self._models.damage(version, self._site.model_dir)
        path = "/rollback_model" if kind is Fault.ROLLBACK else "/reload_model"
        client = Client(self._site.url, self._record, self._stop)
        try:
            answer = client.http.post(path, timeout=RELOAD_DEADLINE)
        except httpx.TransportError as error:
            self._record.count(self._record.reloads, f"{kind}: {type(error).__name__}")
            return
        body = answer.json()
        self._record.count(self._record.reloads, f"{kind}: {body.get('type') if answer.is_error else body['status']}")
        if kind is Fault.BAD_RELOAD and answer.is_success:
            self._record.violation("a damaged model is rejected", told(answer))
        elif not answer.is_success and answer.status_code not in REJECTED:
            self._record.violation("a reload succeeds or changes nothing", told(answer))
