"""Micro-batching: rows that arrive in the same iteration of the event loop are scored in one call.

Nearly all of what CatBoost takes for one row is the fixed cost of the call. Under load, many requests are read in one iteration
and share it; at low traffic nothing waits, as the call happens in the next iteration.
"""

import asyncio
import time
from collections import defaultdict

from api.traffic import Traffic
from shared.contract.contract import RowValues
from shared.models.artifact import Model
from shared.scoring import Answer, RowsOfValues, score

Waiting = list[tuple[RowValues, "asyncio.Future[Answer]"]]


class MicroBatcher:
    """Collects rows until the current iteration of the event loop ends, separately for each model."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._waiting: dict[str, Waiting] = defaultdict(list)

    async def score(self, model: Model, row: RowValues) -> Answer:
        """Score one row that satisfies the model's contract."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        waiting = self._waiting[model.version]
        waiting.append((row, future))
        if len(waiting) == 1:
            loop.call_soon(self._flush, model)
        return await future

    def _flush(self, model: Model) -> None:
        waiting = self._waiting.pop(model.version)
        began = time.perf_counter()
        try:
            predictions = score(model, RowsOfValues([row for row, _ in waiting]))
            answers = predictions.answers()
        except Exception as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        self._traffic.microbatch(model, predictions.scores, time.perf_counter() - began)
        for (_, future), answer in zip(waiting, answers, strict=True):
            # Skip requests that were cancelled in the meantime.
            if not future.done():
                future.set_result(answer)
