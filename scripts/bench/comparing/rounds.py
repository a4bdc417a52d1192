"""The rounds: in each, every server is measured in turn in the same way, so that what the machine does else meets all alike."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from catboost import CatBoostClassifier

from scripts.bench.comparing.environments import CannotCompare
from scripts.bench.comparing.load import Load, Request, computing, loaded, measure
from scripts.bench.comparing.processes import Started, first_answer
from scripts.bench.comparing.protocols import Call, Row
from scripts.bench.comparing.servers import Server

SINGLE, BESIDE, SQUEEZED = "one row", "one row beside batches", "one row beside programs"
CONNECTIONS = (1, 16, 64)
BATCH_ROWS = 10_000
CLIENTS = 8
"""They send batches beside single rows."""

PROGRAMS = os.cpu_count() or 1
"""They compute beside single rows: one for each processor, so that single rows must wait for one."""

Key = tuple[str, str, int]
"""Which server, what it was sent, over how many connections."""

Samples = dict[Key, list[Load]]
"""One load for each round."""


@dataclass(frozen=True)
class Work:
    """A model, and the rows that it is asked for: one, and many where batches are compared too."""

    model: Path
    row: Row
    batch: Sequence[Row] = ()


def compare(servers: Mapping[str, Server], work: Work, folder: Path, rounds: int, seconds: int) -> Samples:
    """Start all servers, see that their scores are right, and measure; raises CannotCompare."""
    samples: Samples = defaultdict(list)
    with _started(servers, folder, work.model) as started:
        requests = {
            (name, what): _checked(server, started[name], call, rows, work.model)
            for name, server in servers.items()
            for what, call, rows in _calls(server, work)
        }
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} ...", flush=True)
            _one_round(requests, seconds, samples)
    return samples


@contextmanager
def _started(servers: Mapping[str, Server], folder: Path, model: Path) -> Iterator[dict[str, Started]]:
    with ExitStack() as stack:
        started = {}
        for name, server in servers.items():
            (folder / name).mkdir(parents=True)
            started[name] = stack.enter_context(server.start(folder / name, model))
        yield started


def _calls(server: Server, work: Work) -> Iterator[tuple[str, Call, Sequence[Row]]]:
    if server.single is not None:
        has_text = any(isinstance(value, str) for value in work.row.values())
        yield SINGLE, server.single_with_text or server.single if has_text else server.single, [work.row]
    if work.batch:
        for what, call in server.batches.items():
            yield what, call, work.batch


def _checked(server: Server, started: Started, call: Call, rows: Sequence[Row], model: Path) -> Request:
    """Give the request that asks for these rows, once its answer is what CatBoost itself says."""
    request = Request(started.url + call.path, call.body(rows), call.headers)
    answer = first_answer(request, started)
    if call.read is not None:
        classifier = CatBoostClassifier().load_model(str(model / "model.cb"))
        frame = pd.DataFrame(rows)
        expected = classifier.predict(frame) if server.says_classes else classifier.predict_proba(frame)[:, 1]
        if call.read(json.loads(answer)) != expected.tolist():
            raise CannotCompare(f"{server.title} answers {request.url} with other scores than CatBoost's.")
    return request


def _one_round(requests: Mapping[tuple[str, str], Request], seconds: int, samples: Samples) -> None:
    single = {name: request for (name, what), request in requests.items() if what == SINGLE}
    for connections in CONNECTIONS:
        for name, request in single.items():
            samples[name, SINGLE, connections].append(measure(request, connections, seconds))
    for (name, what), request in requests.items():
        if what != SINGLE:
            samples[name, what, 1].append(measure(request, 1, seconds))
    if batches := requests.get(("ours", "records")):
        with loaded(batches, CLIENTS):
            samples["ours", BESIDE, 1].append(measure(single["ours"], 1, seconds))
        with computing(PROGRAMS):
            samples["ours", SQUEEZED, 1].append(measure(single["ours"], 1, seconds))
