"""Rows that arrive in the same turn of the event loop are scored in one call.

Nearly all of the cost of scoring one row is the fixed cost of the call. Under load many requests are read in one turn, so
they share it; when traffic is low nothing waits: the call happens in the very next turn.
"""

import asyncio
from collections import defaultdict

from shared.contract.contract import Row
from shared.models.artifact import Model
from shared.scoring import Answer, score

Waiting = list[tuple[Row, "asyncio.Future[Answer]"]]


class MicroBatcher:
    """Collects rows until the current turn of the loop ends, for each model apart."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = defaultdict(list)

    async def score(self, model: Model, row: Row) -> Answer:
        """Score one row that keeps the model's contract."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        waiting = self._waiting[model.version]
        waiting.append((row, future))
        if len(waiting) == 1:
            loop.call_soon(self._flush, model)
        return await future

    def _flush(self, model: Model) -> None:
        waiting = self._waiting.pop(model.version)
        try:
            answers = score(model, [row for row, _ in waiting]).answers()
        except Exception as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(waiting, answers, strict=True):
            # A request that was cancelled meanwhile has no use for its answer.
            if not future.done():
                future.set_result(answer)
