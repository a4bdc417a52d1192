"""A plain connection on which bytes are sent as they are."""

import socket
from contextlib import suppress
from email.message import Message
from http.client import HTTPResponse

from scripts.bench.fuzzing.requests import Request

Answer = tuple[int, Message, bytes]


class Line:
    """A connection that is opened again whenever it was closed."""

    def __init__(self, address: tuple[str, int], patience: float) -> None:
        self._address = address
        self._patience = patience
        self._socket: socket.socket | None = None

    def ask(self, request: Request) -> Answer:
        """Send a request and read the answer; raises OSError or HTTPException."""
        if not request.is_whole:
            # Of what is left of it, or follows, the next request must not become a part.
            self.close()
        try:
            return self._ask(request)
        finally:
            if not request.is_whole:
                self.close()

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, request: Request) -> Answer:
        is_new = self._socket is None
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._patience)
        try:
            # What was refused may be closed before all is sent; the answer is there all the same.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._socket.sendall(request.text)
                if not request.is_whole:
                    self._socket.shutdown(socket.SHUT_WR)
            response = HTTPResponse(self._socket, method=request.method)
            response.begin()
            body = response.read()
        except ConnectionError:
            self.close()
            if is_new:
                raise
            # The server had closed it after the answer before.
            return self._ask(request)
        if response.will_close:
            self.close()
        return response.status, response.headers, body
