"""The clients of a soak: each sends one order after the other, follows it to its end, and looks at every row."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import httpx

from scripts.bench.soaking import checks
from scripts.bench.soaking.client import Broken, Client, Ended, Job, told
from scripts.bench.soaking.models import Models, same
from scripts.bench.soaking.orders import Order, Way, orders_of
from scripts.bench.soaking.plan import LASTING_FAULTS
from scripts.bench.soaking.record import Record
from scripts.bench.soaking.site import Site
from shared.contract.contract import Row
from shared.formats.format import FORMATS

PIECES = 8
SLOW_PAUSE = 0.3
"""Seconds between the pieces of a body that is sent slowly."""

RETRIES = 10
"""How often a job that was given up may be given up again, while faults go on."""

ATTEMPTS = 3
"""As the service counts by default: faults after which a unit of work may be given up."""

HALF_UPLOADS = 900_000
"""Numbers from which on an order is one that stops in the middle."""

SINGLE_PAUSE, SINGLE_TIMEOUT = 0.05, 5.0
LONG_PAUSE = 0.5
"""Seconds without a single score that are told."""

Send = Callable[[httpx.Client], httpx.Response]


class Traffic:
    """All clients, each a thread, until the soak lets no more orders begin."""

    def __init__(self, site: Site, models: Models, record: Record, seed: int, stop: threading.Event) -> None:
        self._site = site
        self._models = models
        self._record = record
        self._stop = stop
        self._last_orders = threading.Event()
        self._orders = orders_of(seed)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.webhooks: set[str] = set()
        """Jobs that have ended and whose caller is to be told."""
        self._placed: dict[str, Order] = {}
        self._looked_at: set[str] = set()
        self._of_key: defaultdict[str, set[str]] = defaultdict(set)

    def start(self, clients: int) -> None:
        """Begin; one more client scores one applicant at a time, and one looks for jobs that nobody knows of."""
        for work in (*[self._work] * clients, self._score_singles, self._look_for_strays):
            self._begin(work)

    def finish(self) -> None:
        """Let no more orders begin, and wait until all have ended."""
        self._last_orders.set()
        for thread in self._threads:
            while thread.is_alive() and not self._stop.is_set():
                thread.join(0.2)

    def client(self) -> Client:
        """Make a client of one thread."""
        return Client(self._site.url, self._record, self._stop)

    def half_upload(self, number: int, at_half: Callable[[], None]) -> None:
        """Send a file, with a call in the middle of it, and see it through in a thread; each number is another file."""
        orders = orders_of(number)
        chosen = next(
            each for each in orders if each.way is Way.BODY and FORMATS[each.format].is_file and each.rows > 1000
        )
        order = replace(chosen, number=HALF_UPLOADS + number)
        self._begin(lambda client: self._see_through(client, order, at_half))

    def _begin(self, work: Callable[[Client], None]) -> None:
        thread = threading.Thread(target=self._guarded, args=(work,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def _guarded(self, work: Callable[[Client], None]) -> None:
        try:
            work(self.client())
        except Ended:
            return
        except Exception as error:
            self._record.violation("the soak itself works", f"{type(error).__name__}: {error}")
            raise

    def _work(self, client: Client) -> None:
        while not self._last_orders.is_set():
            with self._lock:
                order = next(self._orders)
            self._see_through(client, order)

    def _see_through(self, client: Client, order: Order, at_half: Callable[[], None] | None = None) -> None:
        try:
            end = self._end_of(client, order, at_half)
            self._record.job(order.kind, end, order.rows)
        except Broken as broken:
            self._record.violation(broken.args[0], f"{order.name}: {broken.args[1]}")
            self._record.job(order.kind, "broken", order.rows)

    def _end_of(self, client: Client, order: Order, at_half: Callable[[], None] | None) -> str:
        """Send an order and follow it; give how it ended. Raises Broken."""
        self._placed[order.name] = order
        began = time.monotonic()
        send = sender(order, self._models, self._site, at_half)
        answer = client.insist(send, 200, 202, 422)
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            if not order.is_rejected_at_once:
                raise Broken("what is valid is accepted", told(answer))
            return "rejected"
        if order.is_rejected_at_once:
            raise Broken("what is invalid is rejected", told(answer))
        if answer.status_code == httpx.codes.OK:
            self._check_answers(order, answer.json())
            return "answered"
        job_id: str = answer.json()["id"]
        self._looked_at.add(job_id)
        self._note_key(order, job_id)
        self._repeat(client, order, send, job_id)
        if order.cancels:
            client.insist(lambda http: http.delete(f"/jobs/{job_id}"), 200, 409)
        job = self._followed(client, order, job_id, began)
        self._repeat(client, order, send, job_id)
        self._check_end(client, order, job)
        if order.webhook:
            self.webhooks.add(job_id)
        return str(job["state"])

    def _repeat(self, client: Client, order: Order, send: Send, job_id: str) -> None:
        """Send an order again with its key, and see that it is the same job."""
        for _ in range(order.repeats):
            again = client.insist(send, 202).json()["id"]
            if again != job_id:
                raise Broken("a key is one job", f"jobs {job_id} and {again}")

    def _followed(self, client: Client, order: Order, job_id: str, began: float) -> Job:
        """Follow a job to its end; where its work was given up for faults that there were, have it tried again."""
        for _ in range(RETRIES):
            job = client.end_of(job_id)
            if job["state"] != "failed" or not checks.is_given_up(job):
                return job
            reason = checks.reason_within(job)
            events = self._record.events_since(began)
            # Only the reason of the last attempt is told.
            lasted = reason in checks.LASTING or any(fault in LASTING_FAULTS for kinds in events for fault in kinds)
            if reason not in checks.EXCUSES or len(events) < (1 if lasted else ATTEMPTS):
                raise Broken("work is given up only after three faults", f"job {job_id}: {job['error']['message']}")
            self._record.count(self._record.notes, f"given up for {reason}, tried again")
            client.insist(lambda http: http.post(f"/jobs/{job_id}/retry"), 202, 409)
        raise Broken("a job that is tried again succeeds", f"job {job_id}: {job['error']['message']}")

    def _check_end(self, client: Client, order: Order, job: Job) -> None:
        state, job_id = job["state"], job["id"]
        if state == "cancelled" and order.cancels:
            return
        if order.fails:
            if state != "failed" or job["error"]["type"] != "invalid-rows":
                raise Broken("a job with invalid rows says so", f"job {job_id}: {state} {job['error']}")
            client.insist(lambda http: http.post(f"/jobs/{job_id}/retry"), 409)
            return
        if state != "succeeded":
            raise Broken("every accepted job ends as it should", f"job {job_id}: {state} {job['error']}")
        checks.check_success(client, self._models, order, job)
        if order.output:
            checks.check_output(self._site.output_of(order), self._models, order, job)

    def _check_answers(self, order: Order, answers: list[dict[str, Any]]) -> None:
        versions = {answer["model_version"] for answer in answers}
        if len(versions) != 1 or not versions <= self._models.versions.keys():
            raise Broken("every row of a job has one version", f"{versions}")
        if not same([answer["score"] for answer in answers], self._models.expected(order, versions.pop())):
            raise Broken("every score is that of the job's version", f"{order.kind}, in the answer")

    def _score_singles(self, client: Client) -> None:
        """Score one applicant after the other, and measure how long no score came."""
        last, number = time.monotonic(), 0
        while not self._last_orders.is_set():
            row = self._models.row(number)
            answer = client.once(partial(_post_single, row))
            if answer is None:
                self._stop.wait(SINGLE_PAUSE)
                continue
            now = time.monotonic()
            if now - last > LONG_PAUSE:
                self._record.paused(now - last)
            last = now
            self._check_single(number, answer)
            number = (number + 1) % 1000
            if self._stop.wait(SINGLE_PAUSE):
                raise Ended

    def _check_single(self, number: int, answer: httpx.Response) -> None:
        body = answer.json()
        version = self._models.versions.get(body.get("model_version"))
        if answer.status_code != httpx.codes.OK or version is None:
            self._record.violation("one applicant is scored by a good model", told(answer))
        elif body["score"] != version.scores[number]:
            self._record.violation("a single score is that of its version", f"row {number}, {version.id}")

    def _look_for_strays(self, client: Client) -> None:
        """Look for jobs of submissions whose answer was lost: each is whole, whoever knows of it."""
        while not self._last_orders.is_set():
            self._last_orders.wait(10)
            self.check_strays(client)

    def check_strays(self, client: Client) -> None:
        """Look at every ended job that nobody follows."""
        for job in list(client.jobs()):
            if job["state"] in ("queued", "running") or job["id"] in self._looked_at:
                continue
            self._looked_at.add(job["id"])
            order = self._placed.get((job["name"] or "").partition(".")[0])
            try:
                self._check_stray(client, order, job)
            except Broken as broken:
                self._record.violation(broken.args[0], f"{broken.args[1]} (nobody's job)")

    def _note_key(self, order: Order, job_id: str) -> None:
        """Note the job of an order with a key; raises Broken if the key has another one already."""
        if order.key:
            with self._lock:
                self._of_key[order.name].add(job_id)
            if len(self._of_key[order.name]) > 1:
                raise Broken("a key is one job", f"jobs {', '.join(sorted(self._of_key[order.name]))}")

    def _check_stray(self, client: Client, order: Order | None, job: Job) -> None:
        if order is not None:
            self._record.count(self._record.notes, "jobs whose submission was not answered")
            self._note_key(order, job["id"])
            job = self._followed(client, order, job["id"], 0.0)
            self._check_end(client, order, job)
        elif job["state"] == "succeeded":
            checks.check_counts(job)
        else:
            raise Broken("every accepted job ends as it should", f"job {job['id']}: {job['state']} {job['error']}")


def _post_single(row: Row, http: httpx.Client) -> httpx.Response:
    return http.post("/individual_score", json=row, timeout=SINGLE_TIMEOUT)


def sender(order: Order, models: Models, site: Site, at_half: Callable[[], None] | None = None) -> Send:
    """Give what sends an order; it may be called again, and then sends the same bytes."""
    headers = {"Idempotency-Key": f"{order.name}-{order.first}"} if order.key else {}
    if order.way is Way.ADDRESS:
        return _address_sender(order, models, site, headers)
    body = models.body(order)
    if order.way in (Way.ARRAY, Way.WAITED):
        headers |= {"Content-Type": "application/json"} | ({"Prefer": "wait=5"} if order.way is Way.WAITED else {})
        return lambda http: http.post("/multiple_score", content=body, headers=headers)
    options = options_of(order)
    if order.way is Way.FORM:
        file = (order.file_name, body)
        return lambda http: http.post("/jobs", files={"file": file}, data=options, headers=headers)
    headers["Content-Type"] = FORMATS[order.format].media_types[0]
    if order.encoding:
        headers["Content-Encoding"] = order.encoding
    pauses = SLOW_PAUSE if order.slowly else 0.0
    if not order.slowly and at_half is None:
        return lambda http: http.post("/jobs", content=body, headers=headers, params=options)
    return lambda http: http.post("/jobs", content=_pieces(body, pauses, at_half), headers=headers, params=options)


def options_of(order: Order) -> dict[str, str]:
    """Give the options of a submission that has room for them."""
    options = {"name": order.name, "on_invalid": order.on_invalid}
    if order.keep:
        options["keep"] = "SK_ID_CURR"
    if order.webhook:
        options["callback_url"] = f"http://{WEBHOOK_HOST}/{order.name}"
    return options


WEBHOOK_HOST = "localhost:9"
"""The service delivers nothing to an address of this machine; it says so in its log, once it has tried."""


def _address_sender(order: Order, models: Models, site: Site, headers: dict[str, str]) -> Send:
    path = site.inputs / order.file_name
    path.write_bytes(models.body(order))
    addresses = {"input_uri": f"file://{path}"}
    if order.output:
        addresses["output_uri"] = f"file://{site.output_of(order)}"
    body = json.dumps(addresses).encode()
    headers = headers | {"Content-Type": "application/json"}
    return lambda http: http.post("/jobs", content=body, headers=headers)


def _pieces(body: bytes, pause: float, at_half: Callable[[], None] | None) -> Iterator[bytes]:
    size = -(-len(body) // PIECES)
    for number, start in enumerate(islice(range(0, len(body), size), PIECES)):
        if number == PIECES // 2 and at_half is not None:
            with suppress(Ended):
                at_half()
        yield body[start : start + size]
        time.sleep(pause)
