"""Responses that are sent while they are made."""

import logging
from collections.abc import Iterator
from itertools import chain
from typing import TypeVar

from fastapi.responses import StreamingResponse
from starlette.types import Send

from shared.errors import PretError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class Streamed(StreamingResponse):
    """A response that is left incomplete if the rest of it cannot be made: its status has been sent, so no error can follow.

    The server then closes the connection before the end that the headers announce, so that no client takes it for complete.
    """

    async def stream_response(self, send: Send) -> None:
        """Send the response; what keeps it from its end is one line in the log."""
        try:
            await super().stream_response(send)
        except PretError as error:
            logger.warning("A response was cut off: %s", error.reason.message)


def begun(items: Iterator[Item]) -> Iterator[Item]:
    """Make the first item now, before there is a status: what fails here is answered with an error."""
    for first in items:
        return chain([first], items)
    return iter(())
