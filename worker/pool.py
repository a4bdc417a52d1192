"""The processes in which a worker runs tasks: Celery's prefork pool, whose parent cannot be stopped by a child that dies."""

from contextlib import nullcontext
from typing import Any

from billiard import pool as billiard_pool
from billiard.context import ForkContext
from billiard.sharedctypes import RawValue
from celery.concurrency import prefork

LAST_LOOKS = 10
"""How often, at its end, a child looks whether its parent has heard of all it did: for a second, and not for the usual 30.

A parent that ends too may never say so, and nobody needs it: what was done is in the job's record.
"""

billiard_pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = LAST_LOOKS


class Counter:
    """A number that the parent counts up and its child reads. One writer needs no lock.

    billiard's own has one: a child that is killed or frozen while it looks at the number would hold it, and the parent would
    wait for it for ever, alive and with all its messages.
    """

    def __init__(self, kind: str) -> None:
        self._number = RawValue(kind)

    @property
    def value(self) -> int:
        """The number now."""
        number: int = self._number.value
        return number

    @value.setter
    def value(self, number: int) -> None:
        """Set it, in the parent."""
        self._number.value = number

    def get_lock(self) -> nullcontext[None]:
        """Return what billiard enters before it counts."""
        return nullcontext()


class Context(ForkContext):  # type: ignore[misc]
    """Where a pool takes its processes and shared numbers from."""

    def Value(self, typecode_or_type: str, *_: Any, **__: Any) -> Counter:  # noqa: N802 - the name is billiard's
        """Make a shared number."""
        return Counter(typecode_or_type)


class _Pool(prefork.AsynPool):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, context=Context(), **kwargs)

    def register_with_event_loop(self, hub: Any) -> None:
        """Watch the children from this loop on, and replace those that died while no loop watched them."""
        super().register_with_event_loop(hub)
        hub.call_soon(self.maintain_pool)

    def _track_child_process(self, proc: Any, hub: Any) -> None:
        # A child whose end has been noted has no descriptor left to watch; Celery ends the worker over that.
        if getattr(proc, "_sentinel_poll", proc) is not None:
            super()._track_child_process(proc, hub)


class TaskPool(prefork.TaskPool):  # type: ignore[misc]
    """The pool that the worker's app names."""

    Pool = _Pool
